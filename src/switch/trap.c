/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/trap.h"

#include "base/base.h"
#include "core/reactor.h"
#include "mad/notice.h"
#include "switch/ibnet_priv.h"

#include <string.h>

/*
 * A node repeats at most two traps: its latest 128 and its latest 144.  A new
 * one takes the place of the old one under a new TID, so that a TrapRepress
 * that was on its way for the old one does not silence it.
 */
static void send_now(struct ibnet *net, struct node_trap *t)
{
	struct ibnet_port *m = port_manager(t->from);

	/* Nobody has told the port yet who it is and whom to tell. */
	if (!m->info.lid || !m->info.sm_lid)
		return;
	t->mad.slid = m->info.lid;
	t->mad.dlid = m->info.sm_lid;
	t->mad.sl = m->info.sm_sl;
	net->stats.traps_sent++;
	ibnet_transmit(net, t->from, &t->mad);
}

static void arm(struct ibnet *net)
{
	uint64_t now = ibnet_now_ns(net), due = UINT64_MAX;

	if (!net->reactor)
		return;
	LIST_FOREACH (node, &net->traps) {
		struct node_trap *t = list_entry(node, struct node_trap, link);

		due = t->due_ns < due ? t->due_ns : due;
	}
	if (due == UINT64_MAX)
		timer_stop(net->reactor, &net->trap_timer);
	else
		timer_start(net->reactor, &net->trap_timer,
		            due > now ? due - now : 0);
}

static void repeat_due(struct timer *timer)
{
	struct ibnet *net = container_of(timer, struct ibnet, trap_timer);
	uint64_t now = ibnet_now_ns(net);

	LIST_FOREACH (node, &net->traps) {
		struct node_trap *t = list_entry(node, struct node_trap, link);

		if (t->due_ns > now)
			continue;
		t->due_ns = now + IBNET_TRAP_PERIOD_MS * NS_PER_MS;
		if (!t->left--)
			list_remove(&t->link);
		else
			send_now(net, t);
	}
	arm(net);
}

void trap_init(struct ibnet *net)
{
	net->trap_timer.fire = repeat_due;
}

static void make(struct ibnet_port *from, uint16_t trap, uint8_t type,
                 const void *details, struct ibnet_mad *out)
{
	struct ibnet_port *m = port_manager(from);
	struct notice n = {
		.generic = 1,
		.type = type,
		.trap = trap,
		.producer = from->node->sw ? NOTICE_PRODUCER_SWITCH
		                           : NOTICE_PRODUCER_CA,
		.issuer_lid = m->info.lid,
	};

	field_encode(notice_details(trap), details, n.details);
	*out = (struct ibnet_mad){ .slid = m->info.lid,
		                   .dlid = m->info.sm_lid };
	mad_init(&out->mad, MAD_CLASS_SUBN_LID, MAD_TRAP, MAD_ATTR_NOTICE, 0);
	out->mad.header.tid = be64_put(++from->node->net->trap_tid);
	smp_put(&out->mad, &notice_table, &n);
}

static void issue(struct node_trap *t)
{
	struct ibnet *net = t->from->node->net;

	t->due_ns = ibnet_now_ns(net) + IBNET_TRAP_PERIOD_MS * NS_PER_MS;
	t->left = IBNET_TRAP_REPEATS;
	if (!list_linked(&t->link))
		list_append(&net->traps, &t->link);
	send_now(net, t);
	arm(net);
}

void trap_link_state(struct ibnet_node *sw)
{
	struct node_trap *t = &sw->link_trap;
	struct notice_lid details = { sw->ports[0].info.lid };

	/* Without a timer a trap that cannot be sent has no second chance. */
	if (!sw->on || !sw->ports[0].info.lid)
		return;
	t->from = &sw->ports[0];
	make(t->from, NOTICE_LINK_STATE, NOTICE_URGENT, &details, &t->mad);
	issue(t);
}

void trap_capability(struct ibnet_port *p)
{
	struct node_trap *t = &p->node->local_trap;
	struct ibnet_port *m = port_manager(p);
	struct notice_capability details = {
		.lid = m->info.lid,
		.capability_mask = m->info.capability_mask,
	};

	if (!p->node->on || !m->info.lid)
		return;
	t->from = m;
	make(m, NOTICE_CAPABILITY, NOTICE_INFO, &details, &t->mad);
	issue(t);
}

void trap_bad_m_key(struct ibnet_port *p, const struct mad *offender,
                    uint16_t slid)
{
	const struct smp *smp = (const struct smp *)offender;
	struct node_trap once = { .from = port_manager(p) };
	bool directed = offender->header.mgmt_class == MAD_CLASS_SUBN_DIRECTED;
	struct notice_m_key details = {
		.lid = slid,
		.m_key = be64_get(smp->m_key),
		.method = offender->header.method,
		.attr_id = mad_attr_id(offender),
		.attr_mod = mad_attr_mod(offender),
		.directed = directed,
	};

	if (directed) {
		unsigned hops = offender->header.hop_count;

		details.dr_slid = be16_get(smp->dr_slid);
		details.truncated = hops > NOTICE_PATH;
		details.n_hops =
			(uint8_t)(hops > NOTICE_PATH ? NOTICE_PATH : hops);
		memcpy(details.return_path, smp->return_path + 1,
		       details.n_hops);
	}
	make(once.from, NOTICE_BAD_M_KEY, NOTICE_SECURITY, &details, &once.mad);
	send_now(p->node->net, &once);
}

static bool is_own(const struct node_trap *t, const struct mad *m)
{
	return list_linked(&t->link) &&
	       be64_get(t->mad.mad.header.tid) == be64_get(m->header.tid);
}

void trap_repress(struct ibnet_node *n, const struct mad *m)
{
	struct node_trap *traps[] = { &n->link_trap, &n->local_trap };

	for (unsigned i = 0; i < ARRAY_LEN(traps); i++)
		if (is_own(traps[i], m)) {
			list_remove(&traps[i]->link);
			n->net->stats.traps_repressed++;
		}
	arm(n->net);
}

void trap_forget(struct ibnet_node *n)
{
	list_remove(&n->link_trap.link);
	list_remove(&n->local_trap.link);
}
