/* SPDX-License-Identifier: BSD-2-Clause */
/* What every port should be, and the Set that makes it so. */
#include "subnet/subnet_priv.h"

#include <string.h>

#define SUBNET_TIMEOUT 18u /* 4.096 us * 2^18: 1 s */
#define HOQ_LIFE 16u
#define VL_STALL 7u

static uint8_t least(uint8_t a, uint8_t b)
{
	return a < b ? a : b;
}

/* It holds LIDs: a port of a CA, or port 0 of a switch. */
static bool has_lids(const struct graph_node *n, const struct graph_port *p)
{
	return n->kind == GRAPH_SWITCH ? p->number == 0 : p->number > 0;
}

static bool differs(const struct subnet *s, uint32_t at,
                    const struct smp_port_info *want)
{
	const struct graph_port *p = &s->graph.port[at];
	bool lids = has_lids(&s->graph.node[p->node], p);

	if (lids && (p->lid != want->lid || p->sm_lid != want->sm_lid ||
	             p->lmc != want->lmc || p->reregister ||
	             (s->opts.m_key && !p->has_m_key)))
		return true;
	if (p->number == 0)
		return false;
	return p->state == GRAPH_STATE_INIT ||
	       p->enforces != subnet_enforces(want) ||
	       (want->neighbor_mtu && p->mtu != want->neighbor_mtu) ||
	       (want->operational_vls && p->op_vls != want->operational_vls);
}

/* It has a link, and neither end of that was isolated: one end that is active
 * would send to one that is not. */
static bool is_used(const struct graph *g, const struct graph_port *p)
{
	return p->peer != GRAPH_NONE && !p->isolated &&
	       !g->port[p->peer].isolated;
}

bool subnet_port_wants(const struct subnet *s, uint32_t port, bool active,
                       struct smp_port_info *out)
{
	const struct graph *g = &s->graph;
	const struct graph_port *p = &g->port[port];
	const struct graph_node *n = &g->node[p->node];
	struct smp_port_info want = {
		.m_key = s->opts.m_key,
		.m_key_protect = s->opts.m_key_protect,
		.m_key_lease = s->opts.m_key_lease_s,
		.subnet_prefix = s->opts.subnet_prefix,
		.subnet_timeout = SUBNET_TIMEOUT,
		.hoq_life = HOQ_LIFE,
		.vl_stall_count = VL_STALL,
		.vl_high_limit = s->policy.high_limit,
		/* What can't be set is sent as it is: some agents look. */
		.capability_mask = p->cap_mask,
		.local_port = p->number,
		.mtu_cap = p->mtu_cap,
		.vl_cap = p->vl_cap,
		.guid_cap = p->guid_cap,
		.local_phy_errors = p->errors >> 4,
		.overrun_errors = p->errors & 15,
	};

	if (!n->present || !p->known || p->refused || n->hops == UINT16_MAX ||
	    (p->number > 0 && !is_used(g, p)) ||
	    (p->number == 0 && n->kind != GRAPH_SWITCH))
		return false;
	if (has_lids(n, p)) {
		want.lid = subnet_lid_of((void *)s, port, &want.lmc);
		want.sm_lid = subnet_lid_of((void *)s, g->self, NULL);
		if (!want.lid)
			return false;
		want.client_reregister =
			p->reregister &&
			(p->cap_mask & SMP_CAP_CLIENT_REREGISTER);
	}
	if (p->number > 0 && g->port[p->peer].known) {
		const struct graph_port *peer = &g->port[p->peer];

		want.neighbor_mtu = least(p->mtu_cap, peer->mtu_cap);
		want.operational_vls = least(p->vl_cap, peer->vl_cap);
	} else if (p->number > 0) {
		return false;
	}
	want.enforce_inbound =
		(subnet_enforcement(s, port) & GRAPH_ENFORCES_IN) != 0;
	want.enforce_outbound =
		(subnet_enforcement(s, port) & GRAPH_ENFORCES_OUT) != 0;
	if (active)
		want.port_state = SMP_PORT_ACTIVE;
	else if (p->number > 0 && p->state == GRAPH_STATE_INIT)
		want.port_state = SMP_PORT_ARMED;
	if (out)
		*out = want;
	if (active)
		return p->number > 0 && p->state == GRAPH_STATE_ARMED;
	return differs(s, port, &want);
}

void subnet_set_port(struct subnet *s, const struct todo *t, int err,
                     const struct mad *m)
{
	struct graph_port *p = &s->graph.port[t->at];
	struct smp_port_info i;

	if (err) {
		/* It may be gone, or its answer was lost. */
		subnet_add_work(s, WORK_PORT, t->at, 1000);
		return;
	}
	if (mad_status(m)) {
		char words[MAD_WORDS];

		p->refused = true;
		subnet_say(s, SUBNET_EVENT_FAULT, "%s refuses its PortInfo: %s",
		           subnet_name(s, t->at),
		           mad_status_words(m->header.mgmt_class, mad_status(m),
		                            words));
		return;
	}
	smp_get(m, &smp_port_info_table, &i);
	subnet_fill_port(p, &i);
	p->reregister = false;
	p->has_m_key = true;
	/* What was asked for and did not come is not asked for again. */
	if (!t->arg && differs(s, t->at, &i))
		p->refused = true;
}
