/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/ibnet_mad.h"

#include "base/base.h"
#include "core/reactor.h"
#include "core/slab.h"
#include "switch/ibnet_priv.h"

#include <errno.h>
#include <stdio.h>

struct arrived {
	struct list link;
	struct mad_datagram datagram;
};

struct fabric_port {
	struct mad_port base;
	struct ibnet_endpoint endpoint;
	struct slab slab;
	struct list inbox; /* struct arrived */
	struct task task;  /* hands the inbox on */
	bool posted;
};

static struct fabric_port *of(struct mad_port *p)
{
	return container_of(p, struct fabric_port, base);
}

/* -- in ------------------------------------------------------------------- */

static void post(struct fabric_port *p)
{
	if (p->posted)
		return;
	p->posted = true;
	task_defer(p->base.reactor, &p->task);
}

static void keep(struct ibnet_endpoint *ep, const struct ibnet_mad *m)
{
	struct fabric_port *p = container_of(ep, struct fabric_port, endpoint);
	struct arrived *a = slab_get(&p->slab);

	if (!a) {
		p->base.stats.refused++;
		return;
	}
	a->datagram = (struct mad_datagram){
		.peer = { .lid = m->slid,
		          .qpn = m->sqp,
		          .qkey = m->sqp ? MAD_QKEY_GSI : 0,
		          .sl = m->sl },
		.mad = m->mad,
	};
	list_append(&p->inbox, &a->link);
	post(p);
}

/* What arrives meanwhile waits for the next turn. */
static void hand_on(struct task *task)
{
	struct fabric_port *p = container_of(task, struct fabric_port, task);
	struct list now, *node;

	p->posted = false;
	list_init(&now);
	list_splice(&now, &p->inbox);
	while ((node = list_pop(&now))) {
		struct arrived *a = list_entry(node, struct arrived, link);
		struct mad_datagram d = a->datagram;

		slab_put(&p->slab, a);
		mad_port_deliver(&p->base, &d);
	}
}

static bool takes(struct ibnet_endpoint *ep, const struct mad *m)
{
	struct fabric_port *p = container_of(ep, struct fabric_port, endpoint);
	uint8_t mgmt_class = m->header.mgmt_class;
	uint8_t method = m->header.method;

	if (mgmt_class == MAD_CLASS_SUBN_DIRECTED)
		mgmt_class = MAD_CLASS_SUBN_LID;
	for (unsigned i = 0; i < MAD_AGENTS; i++) {
		const struct mad_agent *a = p->base.agents[i];

		if (a && a->mgmt_class == mgmt_class && method < MAD_METHODS &&
		    a->methods[method / 8] >> method % 8 & 1)
			return true;
	}
	return false;
}

/* -- the port's operations ------------------------------------------------ */

static int send_mad(struct mad_port *base, struct mad_agent *a,
                    const struct mad_address *to, const struct mad *m,
                    unsigned timeout_ms)
{
	struct fabric_port *p = of(base);
	const struct smp_port_info *i = &port_manager(p->endpoint.port)->info;
	bool smp = m->header.mgmt_class == MAD_CLASS_SUBN_LID ||
	           m->header.mgmt_class == MAD_CLASS_SUBN_DIRECTED;
	struct ibnet_mad out = {
		.dlid = to->lid,
		.slid = to->path_bits ? (uint16_t)(i->lid + to->path_bits) : 0,
		.dqp = to->qpn,
		.sqp = !smp,
		.sl = to->sl,
		.mad = *m,
	};

	(void)a;
	(void)timeout_ms; /* nothing here waits for a response */
	ibnet_send(&p->endpoint, &out);
	return 0;
}

static int query(struct mad_port *base, struct mad_port_info *out)
{
	const struct ibnet_port *p = of(base)->endpoint.port;
	const struct ibnet_node *n = p->node;
	const struct smp_port_info *i = n->sw ? &n->ports[0].info : &p->info;

	*out = (struct mad_port_info){
		.node_guid = n->guid,
		.port_guid = n->guid + (n->sw ? 0 : p->number),
		.subnet_prefix = i->subnet_prefix,
		.lid = i->lid,
		.sm_lid = i->sm_lid,
		.sm_sl = i->sm_sl,
		.lmc = i->lmc,
		.port = p->number,
		.state = p->info.port_state,
	};
	return 0;
}

static int set_is_sm(struct mad_port *base, bool on)
{
	ibnet_set_sm(&of(base)->endpoint, on);
	return 0;
}

static void destroy(struct fabric_port *p)
{
	struct list *node;

	while ((node = list_pop(&p->inbox)))
		slab_put(&p->slab, list_entry(node, struct arrived, link));
	slab_fini(&p->slab);
	free(p);
}

/* A task that was deferred cannot be called back: it frees the port. */
static void destroy_later(struct task *task)
{
	destroy(container_of(task, struct fabric_port, task));
}

static void close_port(struct mad_port *base)
{
	struct fabric_port *p = of(base);

	ibnet_detach(&p->endpoint);
	p->task.run = destroy_later;
	if (!p->posted)
		destroy(p);
}

static const struct mad_port_ops ops = {
	.type = "fabric",
	.send = send_mad,
	.query = query,
	.set_is_sm = set_is_sm,
	.close = close_port,
};

int ibnet_mad_open(struct reactor *r, struct ibnet *net, struct ibnet_port *at,
                   struct mad_port **out, struct err *e)
{
	struct fabric_port *p = calloc(1, sizeof(*p));
	char name[sizeof(p->base.name)];

	if (!p)
		return err_set(e, -ENOMEM, "no memory for a port");
	snprintf(name, sizeof(name), "%.24s/%u", at->node->name, at->number);
	mad_port_init(&p->base, &ops, r, name);
	slab_init(&p->slab, sizeof(struct arrived), _Alignof(struct arrived),
	          IBNET_MAD_QUEUE);
	list_init(&p->inbox);
	p->task.run = hand_on;
	p->endpoint.receive = keep;
	p->endpoint.takes = takes;
	if (ibnet_attach(net, at, &p->endpoint)) {
		destroy(p);
		return err_set(e, -ENOSPC, "the fabric has %u endpoints",
		               IBNET_ENDPOINTS_MAX);
	}
	*out = &p->base;
	return 0;
}
