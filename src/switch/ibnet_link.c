/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/ibnet_priv.h"
#include "switch/trap.h"

static bool can_be_up(const struct ibnet_port *p)
{
	return p->peer && !p->cut && p->node->on && p->peer->node->on &&
	       !p->disabled && !p->peer->disabled;
}

/* The best that both ends have switched on; bits grow with speed. */
static uint8_t best(uint8_t a, uint8_t b)
{
	uint8_t both = a & b;

	while (both & (both - 1))
		both &= (uint8_t)(both - 1);
	return both;
}

/* Flows leave a port, or come back to it.  What went to a host by a port that
 * is dead now has arrived or is lost, so nothing can be overtaken there. */
static void settle_groups_of(struct ibnet_port *p)
{
	struct switch_part *sw = p->node->sw;
	bool overtakes = port_is_active(p) || p->peer->node->sw;

	for (unsigned i = 0; sw && overtakes && i < sw->n_groups; i++)
		if (mask_has(sw->groups[i].mask, p->number))
			ibnet_settle_group(p->node, &sw->groups[i]);
	if (sw)
		ibnet_skip_port(p);
}

/* One end; the other is brought to the same by the same caller (N3). */
static void set_end(struct ibnet_port *p, bool up)
{
	bool was_active = port_is_active(p);

	p->info.port_state = up ? SMP_PORT_INIT : SMP_PORT_DOWN;
	if (up)
		p->info.phys_state = SMP_PHYS_LINK_UP;
	else
		p->info.phys_state =
			p->disabled ? SMP_PHYS_DISABLED : SMP_PHYS_POLLING;
	p->info.link_width_active = best(p->info.link_width_enabled,
	                                 p->peer->info.link_width_enabled);
	p->info.link_speed_active = best(p->info.link_speed_enabled,
	                                 p->peer->info.link_speed_enabled);
	if (!up)
		ibnet_data_flush(p);
	if (was_active)
		settle_groups_of(p);
	if (p->node->sw) {
		p->node->sw->info.port_state_change = 1;
		trap_link_state(p->node);
	}
}

static bool is_up(const struct ibnet_port *p)
{
	return p->info.phys_state == SMP_PHYS_LINK_UP;
}

static void set_both(struct ibnet_port *p, bool up)
{
	struct ibnet_stats *s = &p->node->net->stats;

	if (up) {
		s->links_up++;
	} else {
		s->links_lost++;
		p->counters.link_downed++;
		p->peer->counters.link_downed++;
	}
	set_end(p, up);
	set_end(p->peer, up);
}

/* A port without a link shows its own settings at once. */
static void show_disabled(struct ibnet_port *p)
{
	if (p->number && !is_up(p))
		p->info.phys_state =
			p->disabled ? SMP_PHYS_DISABLED : SMP_PHYS_POLLING;
}

void ibnet_link_update(struct ibnet_port *p)
{
	bool up;

	if (!p->peer) {
		show_disabled(p);
		return;
	}
	up = can_be_up(p) &&
	     best(p->info.link_width_enabled,
	          p->peer->info.link_width_enabled) &&
	     best(p->info.link_speed_enabled, p->peer->info.link_speed_enabled);
	if (up != is_up(p))
		set_both(p, up);
	show_disabled(p);
	show_disabled(p->peer);
}

void ibnet_link_bounce(struct ibnet_port *p)
{
	if (!p->peer || !is_up(p))
		return;
	set_both(p, false);
	ibnet_link_update(p);
}

void ibnet_link_set_state(struct ibnet_port *p, uint8_t state)
{
	bool was_active = port_is_active(p);

	p->info.port_state = state;
	if (port_is_active(p) != was_active)
		settle_groups_of(p);
}

/* -- what goes wrong ------------------------------------------------------ */

void ibnet_cut(struct ibnet_port *p)
{
	if (!p->peer || p->cut)
		return;
	p->cut = p->peer->cut = true;
	ibnet_link_update(p);
}

void ibnet_restore(struct ibnet_port *p)
{
	if (!p->peer || !p->cut)
		return;
	p->cut = p->peer->cut = false;
	ibnet_link_update(p);
}

void ibnet_set_power(struct ibnet_node *n, bool on)
{
	if (n->on == on)
		return;
	n->on = on;
	for (unsigned i = 1; i <= n->n_ports; i++)
		ibnet_link_update(ibnet_port(n, i));
	if (on)
		return;
	ibnet_reset_node(n);
}
