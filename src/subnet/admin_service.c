/* SPDX-License-Identifier: BSD-2-Clause */
/* Services that hosts announce, and reports that they ask for. */
#include "base/base.h"
#include "subnet/admin_priv.h"

#include <stdlib.h>
#include <string.h>

#define FOR_EVER UINT32_MAX

/* Component bits of ServiceRecord (IBA 15.2.5.14) */
#define SERVICE_ID SA_COMPONENT(0)
#define SERVICE_KEY SA_COMPONENT(5)

/* -- services -------------------------------------------------------------- */

static void forget_old(struct admin *a)
{
	uint64_t now = reactor_now_ns(a->s->reactor);

	for (uint32_t i = 0; i < a->n_services; i++)
		if (a->service[i].until_ns <= now)
			a->service[i--] = a->service[--a->n_services];
}

static void show(struct admin *a, const struct admin_service *v,
                 struct sa_service_record *r)
{
	uint64_t now = reactor_now_ns(a->s->reactor);

	*r = v->r;
	if (v->until_ns != UINT64_MAX)
		r->lease = (uint32_t)((v->until_ns - now) / NS_PER_S);
	memset(r->key, 0, sizeof(r->key)); /* a secret of who announced it */
}

/* Whose port it is, by the GUID in it: some programs (osmtest) turn the bytes
 * of the prefix round. */
static uint32_t port_of(const struct admin *a, const uint8_t gid[16])
{
	uint32_t port = admin_port_of_gid(a, gid);
	be64 guid;

	memcpy(&guid, gid + 8, sizeof(guid));
	return port != GRAPH_NONE
	               ? port
	               : graph_find_port(&a->s->graph, be64_get(guid));
}

void admin_service_records(struct admin_query *q)
{
	const struct sa_service_record *want = q->want;
	struct admin *a = q->a;
	struct sa_service_record r;
	bool by_key = q->mask & SERVICE_KEY;

	/* Who asks by key learns whether it is right, and no more. */
	q->mask &= ~SERVICE_KEY;
	forget_old(a);
	for (uint32_t i = 0; i < a->n_services; i++) {
		uint32_t port = port_of(a, a->service[i].r.gid);

		if (port == GRAPH_NONE || !admin_may_see(q, port) ||
		    (by_key && memcmp(a->service[i].r.key, want->key, 16) != 0))
			continue;
		show(a, &a->service[i], &r);
		if (!admin_add(q, &r))
			return;
	}
}

static struct admin_service *find_service(struct admin *a,
                                          const struct sa_service_record *w)
{
	for (uint32_t i = 0; i < a->n_services; i++)
		if (a->service[i].r.id == w->id &&
		    a->service[i].r.pkey == w->pkey &&
		    memcmp(a->service[i].r.gid, w->gid, 16) == 0)
			return &a->service[i];
	return NULL;
}

/* Without a GID the asker's is meant, as with OpenSM. */
static struct sa_service_record wanted(const struct admin_query *q)
{
	const struct sa_service_record *want = q->want;
	static const uint8_t none[16];
	struct sa_service_record w = *want;

	if (memcmp(w.gid, none, sizeof(none)) == 0 && q->asker != GRAPH_NONE)
		admin_gid(q->s, q->s->graph.port[q->asker].guid, w.gid);
	return w;
}

/* Whoever announces a service is its host; keys are kept to themselves, and
 * guard nothing more (IBA C15-0.1.14 leaves that open). */
static bool may_change(struct admin_query *q, const struct sa_service_record *w)
{
	uint32_t port = port_of(q->a, w->gid);
	bool own;

	if (port == GRAPH_NONE) {
		q->status = MAD_STATUS_SA_BAD_GID;
		return false;
	}
	own = q->asker != GRAPH_NONE &&
	      q->s->graph.node[q->s->graph.port[q->asker].node].sys_guid ==
	              q->s->graph.node[q->s->graph.port[port].node].sys_guid;
	if (!own)
		q->status = MAD_STATUS_SA_DENIED;
	return own;
}

void admin_service_set(struct admin_query *q)
{
	const struct sa_service_record own = wanted(q), *w = &own;
	const uint64_t needed = SERVICE_ID;
	struct admin *a = q->a;
	struct admin_service *v;
	struct sa_service_record r;
	uint64_t lease = w->lease ? w->lease : FOR_EVER;

	forget_old(a);
	if ((q->mask & needed) != needed) {
		q->status = MAD_STATUS_SA_TOO_FEW;
		return;
	}
	v = find_service(a, w);
	if (!may_change(q, w))
		return;
	if (!v && a->n_services == ADMIN_SERVICES_MAX) {
		q->status = MAD_STATUS_SA_NO_RESOURCES;
		return;
	}
	if (!v)
		v = &a->service[a->n_services++];
	v->r = *w;
	v->r.lease = (uint32_t)lease;
	v->until_ns = lease == FOR_EVER ? UINT64_MAX
	                                : reactor_now_ns(q->s->reactor) +
	                                          lease * NS_PER_S;
	show(a, v, &r);
	admin_put(q, &r);
}

void admin_service_delete(struct admin_query *q)
{
	const struct sa_service_record own = wanted(q), *w = &own;
	struct admin *a = q->a;
	struct admin_service *v;
	struct sa_service_record r;

	forget_old(a);
	v = find_service(a, w);
	if (!v) {
		q->status = MAD_STATUS_SA_NO_RECORDS;
		return;
	}
	if (!may_change(q, w))
		return;
	show(a, v, &r);
	*v = a->service[--a->n_services];
	admin_put(q, &r);
}

/* -- subscriptions --------------------------------------------------------- */

static bool same_inform(const struct admin_inform *i,
                        const struct sa_inform_info *w,
                        const struct mad_address *from)
{
	/* The QPN matters to who ends it; who asks for it is at its own. */
	uint32_t qpn = w->subscribe || !w->qpn ? from->qpn : w->qpn;

	return i->to.lid == from->lid && i->info.generic == w->generic &&
	       i->info.type == w->type && i->info.trap == w->trap &&
	       i->info.producer == w->producer && i->to.qpn == qpn &&
	       i->info.lid_begin == w->lid_begin &&
	       memcmp(i->info.gid, w->gid, 16) == 0;
}

void admin_inform_set(struct admin_query *q)
{
	const struct sa_inform_info *w = q->want;
	struct admin *a = q->a;
	uint32_t at = 0;

	while (at < a->n_informs &&
	       !same_inform(&a->inform[at], w, &q->d->peer))
		at++;
	if (w->subscribe > 1) {
		q->status = MAD_STATUS_SA_INVALID;
		return;
	}
	if (w->subscribe && at == ADMIN_INFORMS_MAX) {
		q->status = MAD_STATUS_SA_NO_RESOURCES;
		return;
	}
	if (w->subscribe && at == a->n_informs) {
		a->inform[at].info = *w;
		a->inform[at].to = q->d->peer;
		if (q->asker != GRAPH_NONE)
			admin_gid(q->s, q->s->graph.port[q->asker].guid,
			          a->inform[at].gid);
		a->n_informs++;
	} else if (!w->subscribe) {
		if (at == a->n_informs) {
			q->status = MAD_STATUS_SA_NO_RECORDS;
			return;
		}
		a->inform[at] = a->inform[--a->n_informs];
	}
	admin_put(q, w);
}

void admin_inform_records(struct admin_query *q)
{
	struct admin *a = q->a;

	for (uint32_t i = 0; i < a->n_informs; i++) {
		struct sa_inform_info_record r = {
			.number = (uint16_t)i,
			.info = a->inform[i].info,
		};

		memcpy(r.gid, a->inform[i].gid, 16);
		if (!admin_add(q, &r))
			return;
	}
}

/* -- reports --------------------------------------------------------------- */

static void reported(struct transact_request *t, int err, const struct mad *m)
{
	struct admin_report *r = container_of(t, struct admin_report, q);
	struct admin *a = r->a;

	(void)m;
	a->n_reports_lost += err != 0;
	a->n_reporting--;
	r->next_free = a->free_report;
	a->free_report = r;
	if (a->s->stopping)
		subnet_step(a->s);
}

static void report(struct admin *a, const struct admin_inform *i,
                   const struct notice *n)
{
	struct admin_report *r = a->free_report;

	if (!r) {
		a->n_reports_lost++;
		return;
	}
	a->free_report = r->next_free;
	a->n_reporting++;
	mad_init(&r->q.mad, MAD_CLASS_SA, MAD_REPORT, MAD_ATTR_NOTICE, 0);
	field_encode(&notice_sa_table, n, mad_sa(&r->q.mad)->data);
	r->q.to = i->to;
	r->q.to.qkey = MAD_QKEY_GSI;
	r->q.done = reported;
	transact_submit(a->reporter, &r->q);
}

void admin_notice(struct admin *a, const struct notice *n)
{
	struct notice with_gid = *n;
	uint32_t port = admin_port_of_lid(a->s, n->issuer_lid);

	if (!a || a->s->stopping)
		return;
	if (port != GRAPH_NONE)
		admin_gid(a->s, a->s->graph.port[port].guid,
		          with_gid.issuer_gid);
	for (uint32_t i = 0; i < a->n_informs; i++)
		if (sa_inform_fits(&a->inform[i].info, &with_gid))
			report(a, &a->inform[i], &with_gid);
}

void admin_gid_notice(struct admin *a, unsigned trap, const uint8_t gid[16])
{
	const struct subnet *s = a->s;
	struct notice n = {
		.generic = 1,
		.type = NOTICE_SUBN_MGMT,
		.producer = NOTICE_PRODUCER_CLASS_MANAGER,
		.trap = (uint16_t)trap,
		.issuer_lid = subnet_lid_of(a->s, s->graph.self, NULL),
	};
	struct notice_gid details;

	memcpy(details.gid, gid, 16);
	field_encode(&notice_gid_table, &details, n.details);
	admin_notice(a, &n);
}

void admin_ports(struct admin *a)
{
	struct graph *g = &a->s->graph;

	for (uint32_t i = 0; i < g->n_ports; i++) {
		struct graph_port *p = &g->port[i];
		const struct graph_node *n = &g->node[p->node];
		bool in = n->present && n->hops != UINT16_MAX &&
		          (p->number == 0 || p->peer != GRAPH_NONE);
		uint8_t gid[16];

		if (!p->guid || in == p->served)
			continue;
		p->served = in;
		admin_gid(a->s, p->guid, gid);
		if (a->n_informs)
			admin_gid_notice(a,
			                 in ? NOTICE_IN_SERVICE
			                    : NOTICE_OUT_OF_SERVICE,
			                 gid);
	}
}
