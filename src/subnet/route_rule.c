/* SPDX-License-Identifier: BSD-2-Clause */
/* How far switches are from a destination, and in what order they stand. */
#include "subnet/route_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CENTRE_SAMPLES 64u

/* -- shortest paths -------------------------------------------------------- */

static void search_minhop(const struct route *r, const struct topo *t,
                          unsigned to, uint8_t *dist, uint16_t *queue)
{
	unsigned head = 0, tail = 0;

	(void)r;
	memset(dist, ROUTE_FAR, t->n_switches);
	dist[to] = 0;
	queue[tail++] = (uint16_t)to;
	while (head < tail) {
		unsigned sw = queue[head++];
		uint8_t next = (uint8_t)(dist[sw] + 1);

		if (next >= ROUTE_FAR)
			return;
		for (uint32_t e = t->first[sw]; e < t->first[sw + 1]; e++) {
			unsigned from = t->edge[e].to;

			if (dist[from] != ROUTE_FAR)
				continue;
			dist[from] = next;
			queue[tail++] = (uint16_t)from;
		}
	}
}

static bool leads_minhop(const struct route *r, const uint8_t *dist,
                         unsigned from, unsigned to)
{
	(void)r;
	return dist[to] + 1 == dist[from];
}

static bool betters_minhop(const struct route *r, const uint8_t *dist,
                           unsigned from, unsigned to)
{
	(void)r;
	return dist[to] + 1 < dist[from];
}

const struct route_rule route_rule_minhop = {
	search_minhop,
	leads_minhop,
	betters_minhop,
};

/* -- up, then down --------------------------------------------------------- */

/*
 * A switch that can get there by only going down does so, even where going up
 * first would be shorter: whoever comes down through it must find a way that
 * goes on down.  The others go up to whichever neighbour is nearest.
 */
static bool is_up(const struct route *r, unsigned from, unsigned to)
{
	return r->rank[to] < r->rank[from];
}

static unsigned search_down(const struct route *r, const struct topo *t,
                            unsigned to, uint8_t *dist, uint16_t *queue)
{
	unsigned head = 0, tail = 0;

	dist[to] = ROUTE_DOWN;
	queue[tail++] = (uint16_t)to;
	while (head < tail) {
		unsigned sw = queue[head++];

		for (uint32_t e = t->first[sw]; e < t->first[sw + 1]; e++) {
			unsigned from = t->edge[e].to;

			if (dist[from] != ROUTE_FAR || is_up(r, from, sw) ||
			    route_hops(dist[sw]) + 1 >= ROUTE_FAR)
				continue;
			dist[from] = (uint8_t)(dist[sw] + 1);
			queue[tail++] = (uint16_t)from;
		}
	}
	return tail;
}

static void search_updown(const struct route *r, const struct topo *t,
                          unsigned to, uint8_t *dist, uint16_t *queue)
{
	uint16_t *up = queue + t->n_switches; /* those that go up first */
	unsigned n_down, n_up = 0, i = 0, j = 0;

	memset(dist, ROUTE_FAR, t->n_switches);
	n_down = search_down(r, t, to, dist, queue);
	while (i < n_down || j < n_up) {
		unsigned sw;

		if (j == n_up ||
		    (i < n_down && route_hops(dist[queue[i]]) <= dist[up[j]]))
			sw = queue[i++];
		else
			sw = up[j++];
		for (uint32_t e = t->first[sw]; e < t->first[sw + 1]; e++) {
			unsigned from = t->edge[e].to;

			if (dist[from] != ROUTE_FAR || !is_up(r, from, sw) ||
			    route_hops(dist[sw]) + 1 >= ROUTE_FAR)
				continue;
			dist[from] = (uint8_t)(route_hops(dist[sw]) + 1);
			up[n_up++] = (uint16_t)from;
		}
	}
}

static bool leads_updown(const struct route *r, const uint8_t *dist,
                         unsigned from, unsigned to)
{
	if (route_hops(dist[to]) + 1 != route_hops(dist[from]))
		return false;
	if (dist[from] & ROUTE_DOWN)
		return (dist[to] & ROUTE_DOWN) && !is_up(r, from, to);
	return is_up(r, from, to);
}

static bool betters_updown(const struct route *r, const uint8_t *dist,
                           unsigned from, unsigned to)
{
	bool nearer = route_hops(dist[to]) + 1 < route_hops(dist[from]);

	if (is_up(r, from, to))
		return !(dist[from] & ROUTE_DOWN) && nearer;
	return (dist[to] & ROUTE_DOWN) &&
	       (nearer || !(dist[from] & ROUTE_DOWN));
}

const struct route_rule route_rule_updown = {
	search_updown,
	leads_updown,
	betters_updown,
};

/* -- the order of switches ------------------------------------------------- */

static bool has_links(const struct topo *t, unsigned sw)
{
	return t->first[sw] != t->first[sw + 1];
}

/* Distance of each switch from the nearest one with hosts. */
static void levels_from_hosts(const struct topo *t, uint8_t *level,
                              uint16_t *queue)
{
	unsigned head = 0, tail = 0;

	memset(level, ROUTE_FAR, t->n_switches);
	for (unsigned s = 0; s < t->n_switches; s++) {
		if (!t->n_hosts[s])
			continue;
		level[s] = 0;
		queue[tail++] = (uint16_t)s;
	}
	while (head < tail) {
		unsigned sw = queue[head++];

		for (uint32_t e = t->first[sw]; e < t->first[sw + 1]; e++) {
			unsigned to = t->edge[e].to;

			if (level[to] != ROUTE_FAR ||
			    level[sw] + 1u >= ROUTE_FAR)
				continue;
			level[to] = (uint8_t)(level[sw] + 1);
			queue[tail++] = (uint16_t)to;
		}
	}
}

static bool is_tree(const struct topo *t, const uint8_t *level)
{
	for (unsigned s = 0; s < t->n_switches; s++)
		for (uint32_t e = t->first[s]; e < t->first[s + 1]; e++)
			if (abs((int)level[s] - (int)level[t->edge[e].to]) != 1)
				return false;
	return true;
}

/* The switch from which the farthest is nearest; of a sample in large nets. */
static unsigned centre(const struct topo *t, uint8_t *dist, uint16_t *queue)
{
	unsigned step = t->n_switches / CENTRE_SAMPLES + 1;
	unsigned best = 0, best_sum = UINT32_MAX;

	for (unsigned s = 0; s < t->n_switches; s += step) {
		unsigned sum = 0;

		if (!has_links(t, s))
			continue;
		search_minhop(NULL, t, s, dist, queue);
		for (unsigned i = 0; i < t->n_switches; i++)
			if (has_links(t, i))
				sum += dist[i];
		if (sum < best_sum) {
			best_sum = sum;
			best = s;
		}
	}
	return best;
}

/* The switch that was on top, as long as it has links; n_switches: none. */
static unsigned topmost(const struct route *r, const struct topo *t)
{
	for (unsigned s = 0; s < t->n_switches; s++)
		if (r->rank[s] == s && s != 0 && has_links(t, s))
			return s;
	return r->rank[0] == 0 && t->n_switches > 1 && r->rank[1] != 0 &&
	                       has_links(t, 0)
	               ? 0
	               : t->n_switches;
}

int route_rank(struct route *r, const struct topo *t, bool levels)
{
	unsigned n = t->n_switches, top = 0;
	uint8_t *level = malloc(n + 1);
	uint16_t *queue = malloc((n + 1) * sizeof(*queue));
	int err = level && queue ? 0 : -ENOMEM;

	if (!err && levels) {
		levels_from_hosts(t, level, queue);
		err = is_tree(t, level) ? 0 : -EINVAL;
		for (unsigned s = 0; s < n; s++)
			if (level[s] != ROUTE_FAR && level[s] > top)
				top = level[s];
		for (unsigned s = 0; s < n && !err; s++)
			r->rank[s] = (uint32_t)(level[s] > top ? top
			                                       : top - level[s])
			                     << 16 |
			             s;
	} else if (!err) {
		unsigned root = topmost(r, t);

		if (root == n)
			root = centre(t, level, queue);
		search_minhop(NULL, t, root, level, queue);
		for (unsigned s = 0; s < n; s++)
			r->rank[s] = (uint32_t)level[s] << 16 | s;
	}
	free(level);
	free(queue);
	return err;
}
