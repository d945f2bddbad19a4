/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths: which LIDs, and what the links on the way can do. */
#include "subnet/admin_priv.h"

#include <stdlib.h>
#include <string.h>

#define LIFE 18u /* 4.096 us * 2^18: 1 s */

static const struct {
	uint8_t width; /* LinkWidthActive */
	uint8_t speed; /* LinkSpeedActive; 16 + LinkSpeedExtActive */
	uint8_t rate;
} rates[] = {
	{ 1, 1, 2 },    { 1, 2, 5 },    { 1, 4, 3 },   { 2, 1, 3 },
	{ 2, 2, 6 },    { 2, 4, 7 },    { 4, 1, 5 },   { 4, 2, 7 },
	{ 4, 4, 9 },    { 8, 1, 4 },    { 8, 2, 8 },   { 8, 4, 10 },
	{ 1, 17, 11 },  { 2, 17, 12 },  { 4, 17, 13 }, { 8, 17, 14 },
	{ 1, 18, 15 },  { 2, 18, 16 },  { 4, 18, 17 }, { 8, 18, 18 },
	{ 16, 17, 19 }, { 16, 18, 20 }, { 1, 20, 19 }, { 2, 20, 20 },
	{ 4, 20, 21 },  { 8, 20, 22 },
};

uint8_t admin_rate_of(const struct graph_port *p)
{
	for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		if (rates[i].width == p->width && rates[i].speed == p->speed)
			return rates[i].rate;
	return 3; /* 10 Gb/s: what every link has */
}

static void narrow(const struct graph_port *p, struct admin_path *out)
{
	uint8_t rate = admin_rate_of(p);

	if (p->mtu && p->mtu < out->mtu)
		out->mtu = p->mtu;
	if (sa_rate_speed(rate) < sa_rate_speed(out->rate))
		out->rate = rate;
}

/* A host with link aggregation is known by its virtual LID only. */
static uint16_t data_lid(const struct subnet *s, uint32_t port)
{
	const struct graph_node *n = &s->graph.node[s->graph.port[port].node];
	uint16_t vlid =
		n->kind == GRAPH_CA ? aggregate_vlid(&s->lag, n->sys_guid) : 0;

	return vlid ? vlid : subnet_lid_of((void *)s, port, NULL);
}

static bool walk(const struct subnet *s, uint32_t from, struct admin_path *out)
{
	const struct graph *g = &s->graph;
	uint32_t at = from;

	for (unsigned hops = 0; hops <= CHECK_HOPS; hops++) {
		const struct graph_node *n = &g->node[g->port[at].node];
		uint32_t next = at;

		if (n->kind == GRAPH_SWITCH) {
			uint8_t port = lft_get(&s->route.lft, n->sw, out->dlid);

			if (port == 0)
				return true;
			if (port > n->n_ports)
				return false;
			next = n->first_port + port;
		} else if (hops > 0) {
			return true;
		}
		if (g->port[next].peer == GRAPH_NONE)
			return false;
		narrow(&g->port[next], out);
		at = g->port[next].peer;
	}
	return false;
}

/* A port of the host that has a link, for a host that is one address. */
static uint32_t live_port(const struct subnet *s, uint32_t port)
{
	const struct graph_node *n = &s->graph.node[s->graph.port[port].node];
	const struct aggregate_host *h;

	if (s->graph.port[port].peer != GRAPH_NONE)
		return port;
	h = n->kind == GRAPH_CA ? aggregate_find(&s->lag, n->sys_guid) : NULL;
	for (unsigned i = 0; h && h->vlid && i < h->n_members; i++)
		if (h->up[i])
			return h->port[i];
	return port;
}

bool admin_find_path(const struct subnet *s, uint32_t from, uint32_t to,
                     struct admin_path *out)
{
	const struct graph_port *p = &s->graph.port[from];

	out->slid = data_lid(s, from);
	out->dlid = data_lid(s, to);
	if (!out->slid || !out->dlid)
		return false;
	from = live_port(s, from);
	out->mtu = s->graph.port[to].mtu_cap ? s->graph.port[to].mtu_cap : 5;
	out->rate = 18;
	out->sl = s->route.layer ? s->route.layer[out->dlid] : 0;
	if (from == to || out->slid == out->dlid) {
		out->rate = admin_rate_of(p);
		return true;
	}
	return walk(s, from, out);
}

struct path_query {
	struct admin_query *q;
	struct sa_path_record want; /* a MultiPathRecord is turned into one */
	uint64_t mask;              /* of SA_PATH_* */
	unsigned n_left;            /* that the asker wants of one pair */
};

static bool fits(const struct path_query *p, const struct sa_path_record *r)
{
	const struct sa_path_record *w = &p->want;
	uint64_t m = p->mask;

	if ((m & SA_PATH_MTU_SELECTOR) && (m & SA_PATH_MTU) &&
	    !sa_selector_fits(w->mtu_selector, w->mtu, r->mtu))
		return false;
	if ((m & SA_PATH_RATE_SELECTOR) && (m & SA_PATH_RATE)) {
		unsigned have = sa_rate_speed(r->rate);
		unsigned wish = sa_rate_speed(w->rate);

		if ((w->rate_selector == SA_GREATER && have <= wish) ||
		    (w->rate_selector == SA_LESS && have >= wish) ||
		    (w->rate_selector == SA_EXACTLY && have != wish))
			return false;
	}
	if ((m & SA_PATH_LIFE_SELECTOR) && (m & SA_PATH_LIFE) &&
	    !sa_selector_fits(w->life_selector, w->life, r->life))
		return false;
	return !(m & SA_PATH_SL) || w->sl == r->sl;
}

static void fill_path(const struct path_query *p, uint32_t from, uint32_t to,
                      const struct admin_path *path, struct sa_path_record *r)
{
	const struct sa_path_record *w = &p->want;
	const struct subnet *s = p->q->s;

	*r = (struct sa_path_record){
		.dlid = path->dlid,
		.slid = path->slid,
		.reversible = 1,
		.n_paths = 1,
		.sl = path->sl,
		.mtu_selector = SA_EXACTLY,
		.mtu = path->mtu,
		.rate_selector = SA_EXACTLY,
		.rate = path->rate,
		.life_selector = SA_EXACTLY,
		.life = from == to ? 0 : LIFE,
		.service_id = w->service_id,
		.qos_class = w->qos_class,
	};
	if (p->mask & SA_PATH_FLOW_LABEL)
		r->flow_label = w->flow_label;
	if (p->mask & SA_PATH_TCLASS)
		r->tclass = w->tclass;
	admin_gid(s, s->graph.port[from].guid, r->sgid);
	admin_gid(s, s->graph.port[to].guid, r->dgid);
	if ((p->mask & SA_PATH_SGID))
		memcpy(r->sgid, w->sgid, 16);
	if ((p->mask & SA_PATH_DGID))
		memcpy(r->dgid, w->dgid, 16);
	/* A limited mask: smaller values than the links' can be had too. */
	if ((p->mask & SA_PATH_MTU) && (p->mask & SA_PATH_MTU_SELECTOR) &&
	    w->mtu_selector == SA_EXACTLY && w->mtu < r->mtu)
		r->mtu = w->mtu;
	if ((p->mask & SA_PATH_MTU) && (p->mask & SA_PATH_MTU_SELECTOR) &&
	    w->mtu_selector == SA_LESS && w->mtu <= r->mtu && w->mtu > 1)
		r->mtu = (uint8_t)(w->mtu - 1);
}

/* All paths of one pair: one for each LID of the far port.  @return false: no
 * more can be. */
static bool add_pair(struct path_query *p, uint32_t from, uint32_t to)
{
	struct admin_query *q = p->q;
	const struct subnet *s = q->s;
	const struct graph *g = &s->graph;
	struct admin_path path;
	struct sa_path_record r;
	uint8_t lmc = 0;
	unsigned n;

	if (!g->node[g->port[to].node].present ||
	    !admin_find_path(s, from, to, &path))
		return true;
	fill_path(p, from, to, &path, &r);
	r.pkey = policy_common(&s->policy, g->port[from].guid, from == g->self,
	                       g->port[to].guid, to == g->self,
	                       p->mask & SA_PATH_PKEY ? p->want.pkey : 0);
	if (!r.pkey || !fits(p, &r))
		return true;
	n = path.dlid == subnet_lid_of((void *)s, to, &lmc) ? 1u << lmc : 1;
	/* Who names a LID gets that one, even if the host is known to others by
	 * its virtual one. */
	if (p->mask & SA_PATH_DLID) {
		path.dlid = p->want.dlid;
		n = 1;
	}
	if (!q->table || n > p->n_left)
		n = q->table ? p->n_left : 1;
	for (unsigned i = 0; i < n; i++) {
		r.dlid = (uint16_t)(path.dlid + i);
		r.sl = s->route.layer[r.dlid];
		if (p->mask & SA_PATH_SLID)
			r.slid = p->want.slid;
		if (!admin_put(q, &r))
			return false;
	}
	return true;
}

/* A host with several GIDs and one address is one end: its ports are not to
 * be found by their physical LIDs in answers, but may be asked for. */
static bool find_end(struct path_query *p, bool source, uint32_t *port,
                     bool *given)
{
	struct admin_query *q = p->q;
	const uint8_t *gid = source ? p->want.sgid : p->want.dgid;
	uint64_t by_gid = source ? SA_PATH_SGID : SA_PATH_DGID;
	uint64_t by_lid = source ? SA_PATH_SLID : SA_PATH_DLID;
	uint32_t of_lid = GRAPH_NONE;

	*given = true;
	if (p->mask & by_lid)
		of_lid = admin_port_of_lid(q->s, source ? p->want.slid
		                                        : p->want.dlid);
	if (p->mask & by_gid) {
		*port = admin_port_of_gid(q->a, gid);
		if (*port == GRAPH_NONE)
			q->status = MAD_STATUS_SA_BAD_GID;
	} else if (p->mask & by_lid) {
		*port = of_lid;
		if (*port == GRAPH_NONE)
			q->status = MAD_STATUS_SA_NO_RECORDS;
	} else {
		*given = false;
		*port = GRAPH_NONE;
	}
	return q->status == 0;
}

static bool is_end(const struct subnet *s, uint32_t port)
{
	const struct graph_port *p = &s->graph.port[port];

	return p->guid && s->graph.node[p->node].present &&
	       subnet_lid_of((void *)s, port, NULL);
}

static void add_all(struct path_query *p, uint32_t from, uint32_t to)
{
	const struct graph *g = &p->q->s->graph;

	for (uint32_t a = 0; a < g->n_ports; a++) {
		if (from != GRAPH_NONE ? a != from : !is_end(p->q->s, a))
			continue;
		for (uint32_t b = 0; b < g->n_ports; b++) {
			if (to != GRAPH_NONE ? b != to : !is_end(p->q->s, b))
				continue;
			if (!admin_may_see(p->q, a) || !admin_may_see(p->q, b))
				continue;
			if (!add_pair(p, a, b))
				return;
		}
	}
}

static bool to_group(struct path_query *p)
{
	struct admin_query *q = p->q;
	struct mcast_group *g;
	struct sa_path_record r = p->want;

	if (!(p->mask & SA_PATH_DGID) || !admin_is_multicast(p->want.dgid))
		return false;
	g = mcast_find(&q->s->mcast, p->want.dgid);
	if (!g) {
		q->status = MAD_STATUS_SA_NO_RECORDS;
		return true;
	}
	r.dlid = g->mlid;
	r.pkey = g->pkey;
	r.mtu = g->mtu;
	r.rate = g->rate;
	r.life = g->life;
	r.sl = g->sl;
	r.flow_label = g->flow_label;
	r.tclass = g->tclass;
	r.hop_limit = g->hop_limit;
	r.mtu_selector = r.rate_selector = r.life_selector = SA_EXACTLY;
	r.n_paths = 1;
	r.reversible = 0;
	if (q->asker != GRAPH_NONE)
		r.slid = subnet_lid_of(q->s, q->asker, NULL);
	admin_put(q, &r);
	return true;
}

void admin_path_records(struct admin_query *q)
{
	struct path_query p = { .q = q, .mask = q->mask };
	uint32_t from, to;
	bool has_from, has_to;

	p.want = *(const struct sa_path_record *)q->want;
	p.n_left = q->mask & SA_PATH_N_PATHS && p.want.n_paths ? p.want.n_paths
	                                                       : 127;
	if (to_group(&p))
		return;
	if (!find_end(&p, true, &from, &has_from) ||
	    !find_end(&p, false, &to, &has_to))
		return;
	if (!has_from && !has_to && !q->table) {
		q->status = MAD_STATUS_SA_TOO_FEW;
		return;
	}
	/* Every pair there is would be a million records for 1,000 hosts. */
	if (!has_from && !has_to && q->s->graph.n_nodes > 2000) {
		q->status = MAD_STATUS_SA_TOO_MANY;
		return;
	}
	if (has_from && has_to) {
		if (admin_may_see(q, from) && admin_may_see(q, to))
			add_pair(&p, from, to);
		return;
	}
	add_all(&p, from, to);
}

/* The n-th of the GIDs that follow a MultiPathRecord's fixed part. */
static uint32_t port_of_gid(const struct admin_query *q, unsigned n)
{
	return admin_port_of_gid(q->a, q->asked + SA_MULTI_PATH_FIXED + n * 16);
}

/* Several sources, several destinations: paths between all of them. */
void admin_multi_path(struct admin_query *q)
{
	struct sa_multi_path_record w =
		*(const struct sa_multi_path_record *)q->want;
	struct path_query p = { .q = q, .n_left = 1 };

	q->t = &sa_path_record_table;
	if (w.n_sgids == 0 || w.n_dgids == 0 ||
	    SA_MULTI_PATH_FIXED + (w.n_sgids + w.n_dgids) * 16u > q->n_asked) {
		q->status = MAD_STATUS_SA_TOO_FEW;
		return;
	}
	if (q->mask & SA_MULTI_PKEY)
		p.mask |= SA_PATH_PKEY;
	if (q->mask & SA_MULTI_SL)
		p.mask |= SA_PATH_SL;
	if ((q->mask & SA_MULTI_MTU_SELECTOR) && (q->mask & SA_MULTI_MTU))
		p.mask |= SA_PATH_MTU_SELECTOR | SA_PATH_MTU;
	if ((q->mask & SA_MULTI_RATE_SELECTOR) && (q->mask & SA_MULTI_RATE))
		p.mask |= SA_PATH_RATE_SELECTOR | SA_PATH_RATE;
	if (q->mask & SA_MULTI_N_PATHS && w.n_paths)
		p.n_left = w.n_paths;
	p.want = (struct sa_path_record){
		.pkey = w.pkey,
		.sl = w.sl,
		.mtu_selector = w.mtu_selector,
		.mtu = w.mtu,
		.rate_selector = w.rate_selector,
		.rate = w.rate,
	};
	for (unsigned a = 0; a < w.n_sgids; a++) {
		uint32_t from = port_of_gid(q, a);

		for (unsigned b = 0; b < w.n_dgids; b++) {
			uint32_t to = port_of_gid(q, w.n_sgids + b);

			if (from == GRAPH_NONE || to == GRAPH_NONE) {
				q->status = MAD_STATUS_SA_BAD_GID;
				return;
			}
			if (admin_may_see(q, from) && admin_may_see(q, to) &&
			    !add_pair(&p, from, to))
				return;
		}
	}
}
