/* SPDX-License-Identifier: BSD-2-Clause */
/* PortInfo (IBA 14.2.5.6). */
#include "base/base.h"
#include "switch/sma_priv.h"

#define ALL_SPEEDS 15u
#define ALL_WIDTHS 255u
#define LMC_MAX 7u

/* The port that the modifier names; a host's 0 is where the SMP came in. */
static struct ibnet_port *named_port(const struct sma_call *c)
{
	unsigned number = c->mod & 0xff;

	if (c->mod > 0xff)
		return NULL;
	if (!number && !c->node->sw)
		return c->at;
	return ibnet_port(c->node, number);
}

static void put(const struct sma_call *c, const struct ibnet_port *p)
{
	struct smp_port_info i = p->info;

	i.local_port = c->at->number;
	if (!c->key_fits && i.m_key_protect)
		i.m_key = 0;
	smp_put(c->mad, &smp_port_info_table, &i);
}

uint16_t sma_get_port_info(struct sma_call *c)
{
	struct ibnet_port *p = named_port(c);

	if (!p)
		return MAD_STATUS_BAD_VALUE;
	put(c, p);
	return 0;
}

/* -- is it allowed? ------------------------------------------------------- */

static bool state_ok(const struct ibnet_port *p, const struct smp_port_info *w)
{
	uint8_t now = p->info.port_state;

	switch (w->port_state) {
	case SMP_PORT_NOP:
	case SMP_PORT_DOWN:
		break;
	case SMP_PORT_ARMED:
		if (now != SMP_PORT_INIT && now != SMP_PORT_ARMED)
			return false;
		break;
	case SMP_PORT_ACTIVE:
		if (now != SMP_PORT_ARMED && now != SMP_PORT_ACTIVE)
			return false;
		break;
	default:
		return false;
	}
	switch (w->phys_state) {
	case SMP_PHYS_NOP:
		return true;
	case SMP_PHYS_SLEEP:
	case SMP_PHYS_POLLING:
	case SMP_PHYS_DISABLED:
		/* Only a port that goes down may change its physical state. */
		return w->port_state == SMP_PORT_NOP ||
		       w->port_state == SMP_PORT_DOWN;
	default:
		return false;
	}
}

/* 0 is no change, all ones all that is supported. */
static bool bits_ok(uint8_t wanted, uint8_t supported, uint8_t all)
{
	return wanted == all || !(wanted & ~supported);
}

static bool link_ok(const struct ibnet_port *p, const struct smp_port_info *w)
{
	const struct smp_port_info *i = &p->info;

	return bits_ok(w->link_width_enabled, i->link_width_supported,
	               ALL_WIDTHS) &&
	       bits_ok(w->link_speed_enabled, i->link_speed_supported,
	               ALL_SPEEDS) &&
	       w->neighbor_mtu <= i->mtu_cap &&
	       w->operational_vls <= i->vl_cap && w->down_default <= 2;
}

static bool address_ok(const struct smp_port_info *w)
{
	return w->lmc <= LMC_MAX && w->lid && w->lid <= MAD_LID_UNICAST_MAX &&
	       !(w->lid & ((1u << w->lmc) - 1)) &&
	       w->sm_lid <= MAD_LID_UNICAST_MAX;
}

/* -- change --------------------------------------------------------------- */

/* Violation counters can only be cleared. */
static void clear_counters(struct smp_port_info *i,
                           const struct smp_port_info *w)
{
	if (!w->m_key_violations)
		i->m_key_violations = 0;
	if (!w->p_key_violations)
		i->p_key_violations = 0;
	if (!w->q_key_violations)
		i->q_key_violations = 0;
}

static void set_managed(struct smp_port_info *i, const struct smp_port_info *w)
{
	i->m_key = w->m_key;
	i->m_key_protect = w->m_key_protect;
	i->m_key_lease = w->m_key_lease;
	i->subnet_prefix = w->subnet_prefix;
	i->lid = w->lid;
	i->lmc = w->lmc;
	i->sm_lid = w->sm_lid;
	i->sm_sl = w->sm_sl;
	i->subnet_timeout = w->subnet_timeout;
	i->init_type = w->init_type;
}

static void set_link(struct smp_port_info *i, const struct smp_port_info *w)
{
	if (w->link_width_enabled)
		i->link_width_enabled =
			w->link_width_enabled & i->link_width_supported;
	if (w->link_speed_enabled)
		i->link_speed_enabled =
			w->link_speed_enabled & i->link_speed_supported;
	if (w->down_default)
		i->down_default = w->down_default;
	if (w->neighbor_mtu)
		i->neighbor_mtu = w->neighbor_mtu;
	if (w->operational_vls)
		i->operational_vls = w->operational_vls;
	i->vl_high_limit = w->vl_high_limit;
	i->local_phy_errors = w->local_phy_errors;
	i->overrun_errors = w->overrun_errors;
}

static void set_switch_port(struct smp_port_info *i,
                            const struct smp_port_info *w)
{
	i->vl_stall_count = w->vl_stall_count;
	i->hoq_life = w->hoq_life;
	i->enforce_inbound = w->enforce_inbound;
	i->enforce_outbound = w->enforce_outbound;
	i->filter_raw_inbound = w->filter_raw_inbound;
	i->filter_raw_outbound = w->filter_raw_outbound;
}

static void set_state(struct ibnet_port *p, const struct smp_port_info *w)
{
	bool disable = w->phys_state == SMP_PHYS_DISABLED ||
	               w->phys_state == SMP_PHYS_SLEEP;

	if (!p->number)
		return; /* a switch's own port is always up */
	if (w->phys_state != SMP_PHYS_NOP && disable != p->disabled) {
		p->disabled = disable;
		ibnet_link_update(p);
	} else if (w->port_state == SMP_PORT_DOWN ||
	           w->phys_state == SMP_PHYS_POLLING) {
		ibnet_link_bounce(p);
	} else if (w->port_state != SMP_PORT_NOP) {
		ibnet_link_set_state(p, w->port_state);
	}
}

uint16_t sma_set_port_info(struct sma_call *c)
{
	struct ibnet_port *p = named_port(c);
	bool managed = p == (p ? port_manager(p) : NULL);
	struct smp_port_info w;

	/* A host's other port has an M_Key of its own. */
	if (!p || (!c->node->sw && p != c->at))
		return MAD_STATUS_BAD_VALUE;
	smp_get(c->mad, &smp_port_info_table, &w);
	if (p->number && (!state_ok(p, &w) || !link_ok(p, &w)))
		return MAD_STATUS_BAD_VALUE;
	if (managed && !address_ok(&w))
		return MAD_STATUS_BAD_VALUE;
	clear_counters(&p->info, &w);
	if (managed)
		set_managed(&p->info, &w);
	if (p->number)
		set_link(&p->info, &w);
	if (p->number && c->node->sw)
		set_switch_port(&p->info, &w);
	set_state(p, &w);
	c->key_fits = true;
	put(c, p);
	return 0;
}
