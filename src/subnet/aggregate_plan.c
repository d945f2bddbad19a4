/* SPDX-License-Identifier: BSD-2-Clause */
/* The entries of virtual LIDs. */
#include "subnet/aggregate_priv.h"

#include "mad/lag.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct end {
	const uint8_t *dist; /* of every switch from this member's switch */
	uint16_t sw;
	uint16_t lid;
	uint8_t port;
};

struct planner {
	struct aggregate *a;
	struct route *r;
	const struct topo *t;
	struct aggregate_host *h;
	struct end end[AGGREGATE_MEMBERS]; /* members that have a link */
	unsigned n_ends;
	uint16_t lid[AGGREGATE_MEMBERS]; /* whose ways may be taken */
	unsigned n_lids;
	uint32_t sent[AGGREGATE_MEMBERS]; /* weight that each end has got */
	uint8_t *hops;                    /* [switch]: to the nearest end */
	uint8_t *egress; /* [switch * AGGREGATE_MEMBERS]: ports, LFT_NONE */
	uint8_t *n;      /* [switch]: how many of them */
	uint8_t *n_ways; /* [switch]: and behind them, ways to other members */
};

static void find_ends(struct planner *p, const struct graph *g)
{
	const struct aggregate_host *h = p->h;

	p->n_ends = 0;
	p->n_lids = h->n_members;
	for (unsigned i = 0; i < h->n_members; i++) {
		uint32_t peer = g->port[h->port[i]].peer;
		struct end *e = &p->end[p->n_ends];
		const uint8_t *all = p->r->dist;

		p->lid[i] = h->lid[i];
		if (!h->up[i] || peer == GRAPH_NONE)
			continue;
		if (p->r->updown[h->lid[i]] && p->r->dist_ud)
			all = p->r->dist_ud;
		e->sw = (uint16_t)g->node[g->port[peer].node].sw;
		e->port = g->port[peer].number;
		e->lid = h->lid[i];
		e->dist = all + (size_t)e->sw * p->r->n_switches;
		p->n_ends++;
	}
}

static void find_hops(struct planner *p)
{
	for (unsigned sw = 0; sw < p->t->n_switches; sw++) {
		unsigned nearest = ROUTE_FAR;

		for (unsigned i = 0; i < p->n_ends; i++)
			if (route_hops(p->end[i].dist[sw]) < nearest)
				nearest = route_hops(p->end[i].dist[sw]);
		p->hops[sw] = (uint8_t)nearest;
	}
}

static bool is_end(const struct planner *p, unsigned sw, uint8_t port)
{
	for (unsigned i = 0; i < p->n_ends; i++)
		if (p->end[i].sw == sw && p->end[i].port == port)
			return true;
	return false;
}

/*
 * Ports by which a switch gets nearer, each once.  The way of a member that is
 * cut off counts too, as far as it leads nearer to one that is not: then
 * switches far away change nothing when a member dies.
 */
static void find_egress(struct planner *p, unsigned sw)
{
	uint8_t *out = &p->egress[sw * AGGREGATE_MEMBERS];
	unsigned n = 0;

	for (unsigned i = 0; i < p->n_lids && p->hops[sw] != ROUTE_FAR; i++) {
		uint8_t port = lft_get(&p->r->lft, sw, p->lid[i]);
		const struct topo_edge *e =
			port < p->t->stride ? topo_edge_at(p->t, sw, port)
					    : NULL;

		if (e ? p->hops[e->to] + 1u != p->hops[sw]
		      : !is_end(p, sw, port))
			continue;
		if (!memchr(out, port, n))
			out[n++] = port;
	}
	p->n[sw] = (uint8_t)n;
	p->n_ways[sw] = 0;
}

/*
 * A switch at which a member ends knows ways to the others, for hosts of its
 * own while that member is dead: what came from another switch does not turn
 * there (docs/wire-lag.md).
 */
static void find_ways(struct planner *p, unsigned sw)
{
	uint8_t *out = &p->egress[sw * AGGREGATE_MEMBERS];
	unsigned n = p->n[sw], all = n;

	if (!n || p->hops[sw] || !aggregate_has_groups(p->a, sw))
		return;
	for (unsigned i = 0; i < p->n_ends; i++) {
		uint8_t port = lft_get(&p->r->lft, sw, p->end[i].lid);
		const struct topo_edge *e =
			port < p->t->stride ? topo_edge_at(p->t, sw, port)
					    : NULL;
		uint8_t back;

		if (!e || !aggregate_has_groups(p->a, e->to))
			continue;
		/* It has somewhere else to go from there. */
		back = p->egress[e->to * AGGREGATE_MEMBERS];
		if (!p->n[e->to] || (p->n[e->to] == 1 && back == e->back))
			continue;
		if (all < AGGREGATE_MEMBERS && !memchr(out, port, all))
			out[all++] = port;
	}
	p->n_ways[sw] = (uint8_t)(all - n);
}

/* The end to which a switch's port leads, of the nearest. */
static unsigned end_of(const struct planner *p, unsigned sw, uint8_t port)
{
	unsigned best = 0, nearest = ROUTE_FAR;

	for (unsigned i = 0; i < p->n_ends; i++)
		if (lft_get(&p->r->lft, sw, p->end[i].lid) == port &&
		    route_hops(p->end[i].dist[sw]) < nearest) {
			nearest = route_hops(p->end[i].dist[sw]);
			best = i;
		}
	return best;
}

/* One of the ports, for a plain table: the one in use, else the member's that
 * got least so far. */
static uint8_t choose(struct planner *p, unsigned sw)
{
	const uint8_t *out = &p->egress[sw * AGGREGATE_MEMBERS];
	uint8_t had = lft_get(&p->r->lft, sw, p->h->vlid), best = out[0];
	uint32_t weight = p->t->n_hosts[sw] * 16u + 1;

	if (memchr(out, had, p->n[sw])) {
		best = had;
	} else {
		for (unsigned i = 1; i < p->n[sw]; i++)
			if (p->sent[end_of(p, sw, out[i])] <
			    p->sent[end_of(p, sw, best)])
				best = out[i];
	}
	p->sent[end_of(p, sw, best)] += weight;
	return best;
}

/* Every dependency of one hop on the next, for all choices there can be. */
static int try_dependencies(struct planner *p, struct cdg *c)
{
	const struct topo *t = p->t;
	int err = 0;

	for (unsigned sw = 0; sw < t->n_switches; sw++) {
		for (unsigned i = 0; i < p->n[sw] + p->n_ways[sw] && !err;
		     i++) {
			uint8_t port = p->egress[sw * AGGREGATE_MEMBERS + i];
			const struct topo_edge *e = topo_edge_at(t, sw, port);

			for (unsigned k = 0; e && k < p->n[e->to] && !err;
			     k++) {
				uint8_t next =
					p->egress[e->to * AGGREGATE_MEMBERS +
				                  k];

				if (next != e->back &&
				    topo_edge_at(t, e->to, next))
					err = cdg_try(c, e->to, e->back, next);
			}
		}
	}
	if (err)
		cdg_undo(c);
	else
		cdg_commit(c);
	return err;
}

static void find_all(struct planner *p)
{
	find_hops(p);
	for (unsigned sw = 0; sw < p->t->n_switches; sw++)
		find_egress(p, sw);
	for (unsigned sw = 0; sw < p->t->n_switches; sw++)
		find_ways(p, sw);
}

static void drop_ways(struct planner *p)
{
	memset(p->n_ways, 0, p->t->n_switches);
}

/* Everything goes the way of one member; which one depends on the host, so
 * that hosts' members share. */
static void pin(struct planner *p)
{
	unsigned i = p->h->vlid % p->n_ends;

	p->h->pinned = true;
	p->end[0] = p->end[i];
	p->n_ends = 1;
	p->lid[0] = p->end[0].lid;
	p->n_lids = 1;
	find_all(p);
	p->r->layer[p->h->vlid] = p->r->layer[p->end[0].lid];
	p->r->updown[p->h->vlid] = p->r->updown[p->end[0].lid];
}

static bool one_lane(const struct planner *p)
{
	for (unsigned i = 1; i < p->n_lids; i++)
		if (p->r->layer[p->lid[i]] != p->r->layer[p->lid[0]] ||
		    p->r->updown[p->lid[i]] != p->r->updown[p->lid[0]])
			return false;
	return true;
}

static bool can_spread(struct planner *p, uint8_t lane)
{
	struct cdg *c = p->r->check.cdg ? &p->r->check.cdg[lane] : NULL;

	if (!one_lane(p) || !c)
		return false;
	if (!try_dependencies(p, c))
		return true;
	drop_ways(p);
	return !try_dependencies(p, c);
}

static int write_entries(struct planner *p)
{
	uint16_t vlid = p->h->vlid;
	int err = blocks_need(&p->r->lft, vlid / LFT_BLOCK);

	for (unsigned sw = 0; sw < p->t->n_switches && !err; sw++) {
		unsigned n = p->n[sw] + p->n_ways[sw];
		uint8_t mask[32] = { 0 };

		/* One that is off keeps its entries. */
		if (p->n[sw] == 0)
			continue;
		for (unsigned i = 0; i < n; i++) {
			uint8_t port = p->egress[sw * AGGREGATE_MEMBERS + i];

			mask[port / 8] |= (uint8_t)(1u << port % 8);
		}
		lft_set(&p->r->lft, sw, vlid, choose(p, sw));
		err = aggregate_bind(p->a, sw, p->h, n, mask);
	}
	return err;
}

static int route_host(struct planner *p, const struct graph *g)
{
	uint8_t lane;

	p->h->reroute = false;
	find_ends(p, g);
	if (p->n_ends == 0)
		return 0; /* until one is back, nothing better is known */
	memset(p->sent, 0, sizeof(p->sent));
	find_all(p);
	p->h->pinned = false;
	lane = p->r->layer[p->end[0].lid];
	p->r->layer[p->h->vlid] = lane;
	p->r->updown[p->h->vlid] = p->r->updown[p->end[0].lid];
	if (p->n_lids > 1 && !can_spread(p, lane))
		pin(p);
	return write_entries(p);
}

static bool is_touched(const struct aggregate_host *h, const uint8_t *touched)
{
	if (!touched || h->reroute)
		return true;
	/* The way of a member that is cut off is not kept up to date. */
	for (unsigned i = 0; i < h->n_members; i++)
		if (touched[h->lid[i]] || !h->up[i])
			return true;
	return false;
}

static bool can(const struct aggregate_host *h)
{
	return h->state == AGGREGATE_PROPOSED || h->state == AGGREGATE_IN_FORCE;
}

int aggregate_plan(struct aggregate *a, struct lidmap *lids, struct route *r,
                   const struct topo *t, const struct graph *g,
                   const uint8_t *touched)
{
	struct planner p = { .a = a, .r = r, .t = t };
	int err = 0;

	p.egress = malloc((size_t)(t->n_switches + 1) * AGGREGATE_MEMBERS);
	p.n = calloc(1, t->n_switches + 1u);
	p.n_ways = calloc(1, t->n_switches + 1u);
	p.hops = malloc(t->n_switches + 1u);
	if (!p.egress || !p.n || !p.n_ways || !p.hops)
		err = -ENOMEM;
	for (uint32_t i = 0; i < a->n && !err; i++) {
		struct aggregate_host *h = &a->host[i];

		if (!can(h))
			continue;
		if (!h->vlid) {
			h->vlid = lidmap_assign(lids, LIDMAP_HOST, h->sys_guid,
			                        0, h->had_vlid);
			h->reroute = true;
		} else {
			lidmap_assign(lids, LIDMAP_HOST, h->sys_guid, 0, 0);
		}
		h->slot = (uint32_t)h->vlid - lids->virtual_first;
		p.h = h;
		if (h->vlid && is_touched(h, touched))
			err = route_host(&p, g);
	}
	free(p.egress);
	free(p.n);
	free(p.n_ways);
	free(p.hops);
	return err;
}

void aggregate_withdraw(struct aggregate *a, struct aggregate_host *h,
                        struct route *r)
{
	uint16_t vlid = h->vlid;

	h->vlid = 0;
	h->mode = LAG_OFF;
	if (!vlid || !blocks_has(&r->lft, vlid / LFT_BLOCK))
		return;
	for (unsigned sw = 0; sw < r->n_switches; sw++) {
		lft_set(&r->lft, sw, vlid, LFT_NONE);
		aggregate_unbind(a, sw, vlid);
	}
}

unsigned aggregate_share(const struct aggregate *a,
                         const struct aggregate_host *h, unsigned i,
                         const struct route *r, const struct topo *t,
                         const struct graph *g)
{
	uint32_t peer = g->port[h->port[i]].peer;
	unsigned n = 0;

	(void)a;
	if (peer == GRAPH_NONE || !h->vlid)
		return 0;
	for (unsigned from = 0; from < t->n_switches; from++) {
		unsigned sw = from, hops = 0;
		const struct topo_edge *e;

		if (!t->n_hosts[from])
			continue;
		while (hops++ < CHECK_HOPS &&
		       lft_get(&r->lft, sw, h->vlid) < t->stride &&
		       (e = topo_edge_at(t, sw, lft_get(&r->lft, sw, h->vlid))))
			sw = e->to;
		n += sw == g->node[g->port[peer].node].sw &&
		     lft_get(&r->lft, sw, h->vlid) == g->port[peer].number;
	}
	return n;
}
