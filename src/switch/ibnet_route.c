/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/ibnet_priv.h"
#include "switch/pma.h"
#include "switch/sma.h"

#define MAD_WORDS_ON_WIRE 72u /* 256 bytes and headers, in units of 4 */

static bool is_smp(const struct mad *m)
{
	return m->header.mgmt_class == MAD_CLASS_SUBN_LID ||
	       m->header.mgmt_class == MAD_CLASS_SUBN_DIRECTED;
}

bool ibnet_owns_lid(const struct ibnet_port *at, uint16_t lid)
{
	const struct ibnet_node *n = at->node;
	const struct smp_port_info *i = n->sw ? &n->ports[0].info : &at->info;

	if (!lid)
		return false;
	if (i->lid && lid >= i->lid && lid < i->lid + (1u << i->lmc))
		return true;
	/* At any port: what was sent to a member before it left arrives. */
	return n->host && n->host->map.mode != LAG_OFF &&
	       lid == n->host->map.virtual_lid;
}

/* Over the cable at `out` (N1); NULL: lost. */
static struct ibnet_port *cross(struct ibnet_port *out, bool smp)
{
	struct ibnet_port *in = out->peer;
	uint8_t least = smp ? SMP_PORT_INIT : SMP_PORT_ACTIVE;

	if (!in || out->info.phys_state != SMP_PHYS_LINK_UP ||
	    out->info.port_state < least || in->info.port_state < least) {
		out->counters.xmit_discards++;
		return NULL;
	}
	out->counters.xmit_packets++;
	out->counters.unicast_xmit_packets++;
	out->counters.xmit_data += MAD_WORDS_ON_WIRE;
	in->counters.rcv_packets++;
	in->counters.unicast_rcv_packets++;
	in->counters.rcv_data += MAD_WORDS_ON_WIRE;
	return in;
}

/* The port by which a LID-routed datagram leaves the node; NULL: none. */
static struct ibnet_port *by_lid(struct ibnet_port *at, bool own,
                                 const struct ibnet_mad *m)
{
	struct ibnet_node *n = at->node;
	struct forward_key key = {
		.flow = { .dlid = m->dlid,
		          .slid = m->slid,
		          .dest_qp = m->dqp,
		          .src_qp = m->sqp },
		.in_port = own ? 0 : at->number,
	};
	int port;

	if (!n->sw)
		return own ? at : NULL; /* a host forwards nothing */
	port = ibnet_forward(n, &key);
	return port > 0 ? &n->ports[port] : NULL;
}

/* The same for a directed one; *local: it is for this node. */
static struct ibnet_port *by_path(struct ibnet_port *at, bool own,
                                  struct ibnet_mad *m, bool *local)
{
	struct ibnet_node *n = at->node;
	struct smp_node_view view = {
		.is_switch = n->sw != NULL,
		.n_ports = n->n_ports,
		.in_port = own ? 0 : at->number,
		.lid = port_manager(at)->info.lid,
	};
	struct ibnet_port *out;
	uint16_t lid;
	uint8_t port;

	switch (smp_step(&m->mad, &view, &port, &lid)) {
	case SMP_STEP_LOCAL:
		*local = true;
		return NULL;
	case SMP_STEP_PORT:
		out = ibnet_port(n, port);
		/* A host's datagram leaves by the port that it was made at. */
		return n->sw || out == at ? out : NULL;
	case SMP_STEP_LID:
		m->dlid = lid;
		*local = ibnet_owns_lid(at, lid);
		return *local ? NULL : by_lid(at, own, m);
	case SMP_STEP_DISCARD:
		break;
	}
	return NULL;
}

/* -- arrival -------------------------------------------------------------- */

/*
 * Send an agent's answer back.  A directed one knows its way, and is LID-
 * routed again only where the path says so.
 */
static void answer(struct ibnet *net, struct ibnet_port *at,
                   struct ibnet_mad *m)
{
	uint16_t from = m->slid;
	uint32_t qp = m->sqp;

	net->stats.mads_answered++;
	m->slid = port_manager(at)->info.lid;
	m->dlid = m->mad.header.mgmt_class == MAD_CLASS_SUBN_DIRECTED
	                  ? MAD_LID_PERMISSIVE
	                  : from;
	m->sqp = m->dqp;
	m->dqp = qp;
	ibnet_transmit(net, at, m);
}

/* What nobody takes is answered as by Linux: no such method or attribute. */
static void unclaimed(struct ibnet *net, struct ibnet_port *at,
                      struct ibnet_mad *m)
{
	uint8_t method = m->mad.header.method;

	net->stats.mads_unclaimed++;
	if (method != MAD_GET && method != MAD_SET)
		return;
	mad_make_response(&m->mad, MAD_STATUS_BAD_ATTRIBUTE);
	answer(net, at, m);
}

static bool for_sm(const struct mad *m)
{
	return m->header.method == MAD_TRAP ||
	       mad_attr_id(m) == MAD_ATTR_SM_INFO;
}

static void arrive(struct ibnet *net, struct ibnet_port *at,
                   struct ibnet_mad *m)
{
	uint8_t method = m->mad.header.method;
	uint8_t mgmt_class = m->mad.header.mgmt_class;
	bool response = method & MAD_METHOD_RESPONSE;

	/* Managers send traps too: OpenSM 144, when it stands by. */
	if (is_smp(&m->mad) && method == MAD_TRAP_REPRESS) {
		if (!ibnet_to_endpoint(at, m, true))
			sma_handle(at, m);
		return;
	}
	if (!response && is_smp(&m->mad) && !for_sm(&m->mad)) {
		if (sma_handle(at, m))
			answer(net, at, m);
		return;
	}
	if (!response && mgmt_class == MAD_CLASS_PERF) {
		if (pma_handle(at, &m->mad))
			answer(net, at, m);
		return;
	}
	/* SMInfo is guarded by the SMA's key even where an SM answers it. */
	if (!response && is_smp(&m->mad) && method != MAD_TRAP &&
	    !sma_admit(at, m))
		return;
	if (!ibnet_to_endpoint(at, m, response)) {
		if (response)
			net->stats.mads_unclaimed++;
		else
			unclaimed(net, at, m);
	}
}

/* -- the way -------------------------------------------------------------- */

static void travel(struct ibnet *net, struct ibnet_port *at,
                   struct ibnet_mad *m)
{
	bool directed = m->mad.header.mgmt_class == MAD_CLASS_SUBN_DIRECTED;
	bool smp = is_smp(&m->mad), own = true;

	for (unsigned hop = 0; hop <= IBNET_HOPS_MAX; hop++) {
		struct ibnet_port *out = NULL;
		bool local = false;

		if (m->dlid != MAD_LID_PERMISSIVE &&
		    !ibnet_owns_lid(at, m->dlid))
			out = by_lid(at, own, m);
		else if (directed)
			out = by_path(at, own, m, &local);
		else
			local = true;
		if (local) {
			arrive(net, at, m);
			return;
		}
		if (!out)
			break;
		/* After its LID-routed part a directed one goes on by path. */
		if (directed && m->dlid != MAD_LID_PERMISSIVE &&
		    ibnet_owns_lid(at, m->dlid))
			m->dlid = MAD_LID_PERMISSIVE;
		at = cross(out, smp);
		if (!at)
			break;
		own = false;
	}
	net->stats.mads_no_route++;
}

static bool chance(struct ibnet *net, unsigned of_million)
{
	return of_million && ibnet_random(net) % IBNET_MILLION < of_million;
}

void ibnet_transmit(struct ibnet *net, struct ibnet_port *at,
                    const struct ibnet_mad *m)
{
	struct ibnet_mad copy = *m;

	if (!at->node->on)
		return;
	if (chance(net, net->lost)) {
		net->stats.mads_lost++;
		return;
	}
	travel(net, at, &copy);
	if (chance(net, net->twice)) {
		net->stats.mads_twice++;
		copy = *m;
		travel(net, at, &copy);
	}
}
