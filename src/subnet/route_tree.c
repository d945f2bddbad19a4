/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which of the links that lead nearer each switch takes.
 *
 * Building from nothing, the load of a link is the number of pairs of hosts
 * that go over it, and each switch, nearest to the destination first, takes
 * the link by which the sum of loads on the rest of the way is least.  Mending
 * counts only the LIDs that leave a switch by each port.
 */
#include "subnet/route_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int route_work_init(struct route_work *w, const struct topo *t)
{
	size_t n = t->n_switches + 1u, edges = t->first[t->n_switches] + 1u;

	*w = (struct route_work){ .t = t };
	w->queue = malloc(2 * n * sizeof(*w->queue));
	w->cost = malloc(n * sizeof(*w->cost));
	w->weight = malloc(n * sizeof(*w->weight));
	w->first = malloc((n + 1) * sizeof(*w->first));
	w->chosen = malloc(n * sizeof(*w->chosen));
	w->load = calloc(edges, sizeof(*w->load));
	w->cand = malloc(edges * sizeof(*w->cand));
	w->count = calloc(n, sizeof(*w->count));
	if (!w->queue || !w->cost || !w->weight || !w->first || !w->chosen ||
	    !w->load || !w->cand || !w->count) {
		route_work_fini(w);
		return -ENOMEM;
	}
	return 0;
}

void route_work_fini(struct route_work *w)
{
	for (unsigned s = 0; w->count && s < w->t->n_switches; s++)
		free(w->count[s]);
	free(w->queue);
	free(w->cost);
	free(w->weight);
	free(w->first);
	free(w->chosen);
	free(w->load);
	free(w->cand);
	free(w->count);
	memset(w, 0, sizeof(*w));
}

/* Switches that are reached, nearest first. */
static void fill_queue(struct route_work *w, const uint8_t *dist)
{
	uint32_t at[ROUTE_FAR + 1] = { 0 }, sum = 0;
	unsigned n = w->t->n_switches;

	for (unsigned s = 0; s < n; s++)
		at[route_hops(dist[s])]++;
	for (unsigned d = 0; d <= ROUTE_FAR; d++) {
		uint32_t here = at[d];

		at[d] = sum;
		sum += here;
	}
	w->n_queue = at[ROUTE_FAR];
	for (unsigned s = 0; s < n; s++)
		if (route_hops(dist[s]) != ROUTE_FAR)
			w->queue[at[route_hops(dist[s])]++] = (uint16_t)s;
}

static void fill_candidates(struct route *r, struct route_work *w,
                            const struct route_rule *rule, const uint8_t *dist)
{
	const struct topo *t = w->t;
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->n_queue; i++) {
		unsigned sw = w->queue[i];

		w->first[i] = n;
		for (uint32_t e = t->first[sw]; e < t->first[sw + 1]; e++)
			if (rule->leads(r, dist, sw, t->edge[e].to))
				w->cand[n++] = e;
	}
	w->first[w->n_queue] = n;
}

static uint32_t least_loaded(const struct route_work *w, uint32_t i)
{
	uint32_t best = GRAPH_NONE, best_cost = UINT32_MAX;

	for (uint32_t k = w->first[i]; k < w->first[i + 1]; k++) {
		uint32_t e = w->cand[k];
		uint32_t cost = w->load[e] + w->cost[w->t->edge[e].to];

		if (cost < best_cost) {
			best = e;
			best_cost = cost;
		}
	}
	return best;
}

void route_fan(struct route *r, struct route_work *w)
{
	const struct topo *t = w->t;
	unsigned up[8] = { 0 };

	w->top = 0;
	for (unsigned s = 0; s < t->n_switches; s++)
		if (r->rank[s] >> 16 > w->top && t->first[s] < t->first[s + 1])
			w->top = r->rank[s] >> 16;
	for (unsigned s = 0; s < t->n_switches; s++) {
		unsigned level = w->top - (r->rank[s] >> 16), n = 0;

		for (uint32_t e = t->first[s]; e < t->first[s + 1]; e++)
			n += r->rank[t->edge[e].to] < r->rank[s];
		if (level < 8 && n > up[level])
			up[level] = n;
	}
	w->fan[0] = 1;
	for (unsigned i = 1; i < 8; i++)
		w->fan[i] = w->fan[i - 1] * (up[i - 1] ? up[i - 1] : 1);
}

/* d mod k: the destination's number says which link up. */
static uint32_t by_number(const struct route *r, const struct route_work *w,
                          uint32_t i, uint32_t number)
{
	unsigned level = w->top - (r->rank[w->queue[i]] >> 16);
	uint32_t n = w->first[i + 1] - w->first[i];

	if (n == 0)
		return GRAPH_NONE;
	return w->cand[w->first[i] + number / w->fan[level & 7] % n];
}

/* The hosts that come through each switch, added to the links they take. */
static void add_load(struct route_work *w)
{
	const struct topo *t = w->t;

	for (uint32_t i = 0; i < w->n_queue; i++)
		w->weight[w->queue[i]] = t->n_hosts[w->queue[i]];
	for (uint32_t i = w->n_queue; i-- > 1;) {
		uint32_t e = w->chosen[i];

		if (e == GRAPH_NONE)
			continue;
		w->load[e] += w->weight[w->queue[i]];
		w->weight[t->edge[e].to] += w->weight[w->queue[i]];
	}
}

void route_trees(struct route *r, struct route_work *w, unsigned to,
                 const struct route_rule *rule, const uint8_t *dist, int ud,
                 bool modulo)
{
	const struct topo *t = w->t;

	fill_queue(w, dist);
	fill_candidates(r, w, rule, dist);
	w->cost[to] = 0;
	for (uint32_t d = t->first_dest[to]; d < t->first_dest[to + 1]; d++) {
		const struct topo_dest *dest = &t->dest[d];

		if (r->updown[dest->lid] != ud)
			continue;
		lft_set(&r->lft, to, dest->lid, dest->port);
		for (uint32_t i = 1; i < w->n_queue; i++) {
			unsigned sw = w->queue[i];
			bool up = modulo && !(dist[sw] & ROUTE_DOWN);
			uint32_t e = up ? by_number(r, w, i, d - to)
			                : least_loaded(w, i);

			w->chosen[i] = e;
			if (e == GRAPH_NONE)
				continue;
			w->cost[sw] = w->load[e] + w->cost[t->edge[e].to];
			lft_set(&r->lft, sw, dest->lid, t->edge[e].port);
		}
		if (dest->port != 0)
			add_load(w);
	}
}

/* -- mending --------------------------------------------------------------- */

/* LIDs by port of a switch; NULL if there is no memory: then the first
 * candidate is as good as any. */
static uint32_t *counts(struct route *r, struct route_work *w, unsigned sw)
{
	if (w->count[sw])
		return w->count[sw];
	w->count[sw] = calloc(256, sizeof(**w->count));
	for (unsigned b = 0; w->count[sw] && b < LFT_BLOCKS; b++) {
		const uint8_t *entry;

		if (!blocks_has(&r->lft, b))
			continue;
		entry = blocks_at(&r->lft, sw, b);
		for (unsigned i = 0; i < LFT_BLOCK; i++)
			w->count[sw][entry[i]]++;
	}
	return w->count[sw];
}

static void put(struct route *r, struct route_work *w, unsigned sw,
                uint16_t lid, uint8_t port)
{
	uint8_t had = lft_get(&r->lft, sw, lid);

	if (!lft_set(&r->lft, sw, lid, port))
		return;
	if (w->count[sw]) {
		w->count[sw][had]--;
		w->count[sw][port]++;
	}
	r->touched[lid] = 1;
	r->stats.changed++;
}

static void mend_entry(struct route *r, struct route_work *w, unsigned sw,
                       uint16_t lid, const struct route_rule *rule,
                       const uint8_t *dist)
{
	const struct topo *t = w->t;
	uint8_t had = lft_get(&r->lft, sw, lid);
	const struct topo_edge *edge =
		had < t->stride ? topo_edge_at(t, sw, had) : NULL;
	uint8_t best = LFT_NONE;
	uint32_t *count, least = UINT32_MAX;

	if (edge && rule->leads(r, dist, sw, edge->to)) {
		r->stats.kept++;
		return;
	}
	count = counts(r, w, sw);
	for (uint32_t e = t->first[sw]; e < t->first[sw + 1]; e++) {
		uint32_t n = count ? count[t->edge[e].port] : 0;

		if (n >= least || !rule->leads(r, dist, sw, t->edge[e].to))
			continue;
		least = n;
		best = t->edge[e].port;
	}
	put(r, w, sw, lid, best);
}

void route_mend_switch(struct route *r, struct route_work *w, unsigned sw,
                       unsigned to, const struct route_rule *rule,
                       const uint8_t *dist, int ud)
{
	const struct topo *t = w->t;

	/* One that is off keeps its entries for when it comes back. */
	if (sw != to && t->first[sw] == t->first[sw + 1])
		return;
	for (uint32_t d = t->first_dest[to]; d < t->first_dest[to + 1]; d++) {
		const struct topo_dest *dest = &t->dest[d];

		if (r->updown[dest->lid] != ud)
			continue;
		if (sw == to)
			put(r, w, sw, dest->lid, dest->port);
		else
			mend_entry(r, w, sw, dest->lid, rule, dist);
	}
}

void route_mend(struct route *r, struct route_work *w, unsigned to,
                const struct route_rule *rule, const uint8_t *dist, int ud)
{
	for (unsigned sw = 0; sw < w->t->n_switches; sw++)
		route_mend_switch(r, w, sw, to, rule, dist, ud);
}

void route_spread(struct route *r, struct route_work *w, unsigned sw,
                  unsigned port, const struct route_rule *rule)
{
	const struct topo *t = w->t;
	const struct topo_edge *edge = topo_edge_at(t, sw, port);
	uint32_t *count = counts(r, w, sw);

	for (unsigned to = 0; count && to < t->n_switches; to++) {
		const uint8_t *dist = r->dist + (size_t)to * t->n_switches;

		if (to == sw || !rule->leads(r, dist, sw, edge->to))
			continue;
		for (uint32_t d = t->first_dest[to]; d < t->first_dest[to + 1];
		     d++) {
			uint16_t lid = t->dest[d].lid;
			uint8_t had = lft_get(&r->lft, sw, lid);

			if (!r->updown[lid] && had != port &&
			    count[had] > count[port] + 1)
				put(r, w, sw, lid, (uint8_t)port);
		}
	}
}
