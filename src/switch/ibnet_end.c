/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/ibnet_priv.h"
#include "switch/trap.h"

#include <errno.h>

#define ID_SHIFT 48 /* of an endpoint's number in a TID */

int ibnet_attach(struct ibnet *net, struct ibnet_port *p,
                 struct ibnet_endpoint *ep)
{
	unsigned at = net->last_endpoint;

	/* Numbers are used in turn, so that an answer that comes late does
	 * not reach the one who came next. */
	for (unsigned i = 0; i < IBNET_ENDPOINTS_MAX; i++) {
		at = (at + 1) % IBNET_ENDPOINTS_MAX;
		if (net->endpoints[at])
			continue;
		net->last_endpoint = at;
		net->endpoints[at] = ep;
		ep->net = net;
		ep->port = p;
		ep->id = (uint16_t)(at + 1);
		ep->is_sm = false;
		list_append(&p->endpoints, &ep->link);
		return 0;
	}
	return -ENOSPC;
}

void ibnet_detach(struct ibnet_endpoint *ep)
{
	if (!ep->net)
		return;
	ibnet_set_sm(ep, false);
	ep->net->endpoints[ep->id - 1] = NULL;
	list_remove(&ep->link);
	ep->net = NULL;
}

void ibnet_set_sm(struct ibnet_endpoint *ep, bool on)
{
	struct ibnet_port *m = port_manager(ep->port);
	bool any = false;

	ep->is_sm = on;
	LIST_FOREACH (node, &ep->port->endpoints) {
		any |= list_entry(node, struct ibnet_endpoint, link)->is_sm;
	}
	if (any == !!(m->info.capability_mask & SMP_CAP_IS_SM))
		return;
	m->info.capability_mask ^= SMP_CAP_IS_SM;
	trap_capability(ep->port);
}

/* -- out ------------------------------------------------------------------ */

/*
 * General services of a host that aggregates go by its virtual LID, like its
 * data, and so by a member that is alive.  Not so what goes to the SM: that
 * one knows ports by their own LIDs.
 */
static struct ibnet_port *by_member(struct ibnet_port *p, struct ibnet_mad *m)
{
	const struct lag_host *map = p->node->host ? &p->node->host->map : NULL;
	uint64_t live = 0;
	bool skipped;
	int at;

	if (!map || map->mode == LAG_OFF || m->slid ||
	    m->mad.header.mgmt_class == MAD_CLASS_SA ||
	    m->mad.header.mgmt_class == MAD_CLASS_SUBN_LID ||
	    m->mad.header.mgmt_class == MAD_CLASS_SUBN_DIRECTED)
		return p;
	for (unsigned i = 0; i < map->n_members; i++)
		live |= (uint64_t)port_is_active(
				ibnet_port(p->node, map->port[i]))
		        << i;
	m->slid = map->virtual_lid;
	at = lag_pick(lag_hash((uint32_t)p->node->guid,
	                       &(struct lag_flow){ .dest_qp = m->dqp,
	                                           .src_qp = m->sqp,
	                                           .slid = m->slid,
	                                           .dlid = m->dlid }),
	              map->n_members, &live, &skipped);
	return at < 0 ? p : ibnet_port(p->node, map->port[at]);
}

void ibnet_send(struct ibnet_endpoint *ep, const struct ibnet_mad *m)
{
	struct ibnet_port *p = ep->port;
	struct ibnet_mad copy = *m;
	uint64_t tid = be64_get(m->mad.header.tid);

	if (!(m->mad.header.method & MAD_METHOD_RESPONSE) &&
	    m->mad.header.method != MAD_TRAP_REPRESS) {
		tid &= (UINT64_C(1) << ID_SHIFT) - 1;
		tid |= (uint64_t)ep->id << ID_SHIFT;
		copy.mad.header.tid = be64_put(tid);
	}
	p = by_member(p, &copy);
	if (!copy.slid)
		copy.slid = port_manager(p)->info.lid;
	ep->net->stats.mads_sent++;
	ibnet_transmit(ep->net, p, &copy);
}

/* -- in ------------------------------------------------------------------- */

static void hand_over(struct ibnet_endpoint *ep, const struct ibnet_mad *m)
{
	ep->net->stats.mads_delivered++;
	ep->receive(ep, m);
}

static bool to_asker(struct ibnet_port *at, const struct ibnet_mad *m)
{
	struct ibnet_mad copy = *m;
	uint64_t tid = be64_get(m->mad.header.tid);
	uint64_t id = tid >> ID_SHIFT;
	struct ibnet_endpoint *ep;

	if (!id || id > IBNET_ENDPOINTS_MAX)
		return false;
	ep = at->node->net->endpoints[id - 1];
	if (!ep || ep->port->node != at->node)
		return false;
	tid &= (UINT64_C(1) << ID_SHIFT) - 1;
	copy.mad.header.tid = be64_put(tid);
	hand_over(ep, &copy);
	return true;
}

static bool to_taker(struct ibnet_port *p, const struct ibnet_mad *m)
{
	LIST_FOREACH (node, &p->endpoints) {
		struct ibnet_endpoint *ep =
			list_entry(node, struct ibnet_endpoint, link);

		if (!ep->takes(ep, &m->mad))
			continue;
		hand_over(ep, m);
		return true;
	}
	return false;
}

bool ibnet_to_endpoint(struct ibnet_port *at, const struct ibnet_mad *m,
                       bool response)
{
	struct ibnet_node *n = at->node;

	if (response)
		return to_asker(at, m);
	if (n->sw)
		return to_taker(&n->ports[0], m);
	if (to_taker(at, m))
		return true;
	/* A virtual LID is the whole host's. */
	if (n->host->map.mode == LAG_OFF || m->dlid != n->host->map.virtual_lid)
		return false;
	for (unsigned i = 1; i <= n->n_ports; i++)
		if (ibnet_port(n, i) != at && to_taker(ibnet_port(n, i), m))
			return true;
	return false;
}
