/* SPDX-License-Identifier: BSD-2-Clause */
#include "subnet/balance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct scale {
	const struct topo *t;
	const struct blocks *l;
	uint64_t *load;  /* of each edge */
	uint64_t *below; /* hosts that come through a switch */
	uint16_t *depth;
	uint32_t *host; /* destinations that are host ports */
	uint32_t n_hosts;
};

static const struct topo_edge *next(const struct scale *s, unsigned sw,
                                    uint16_t lid)
{
	uint8_t port = lft_get(s->l, sw, lid);

	return port < s->t->stride ? topo_edge_at(s->t, sw, port) : NULL;
}

/* Hops of each switch to the LID; TOPO_NONE where there is no way. */
static void depths(struct scale *s, const struct topo_dest *d)
{
	unsigned n = s->t->n_switches;

	for (unsigned sw = 0; sw < n; sw++) {
		const struct topo_edge *e;
		unsigned at = sw, hops = 0;

		while (at != d->sw && hops < n &&
		       (e = next(s, at, d->lid)) != NULL) {
			at = e->to;
			hops++;
		}
		s->depth[sw] = at == d->sw ? (uint16_t)hops : TOPO_NONE;
	}
}

static void add_tree(struct scale *s, const struct topo_dest *d)
{
	unsigned n = s->t->n_switches, deepest = 0;

	depths(s, d);
	for (unsigned sw = 0; sw < n; sw++) {
		s->below[sw] = s->t->n_hosts[sw];
		if (s->depth[sw] != TOPO_NONE && s->depth[sw] > deepest)
			deepest = s->depth[sw];
	}
	for (unsigned depth = deepest; depth > 0; depth--) {
		for (unsigned sw = 0; sw < n; sw++) {
			const struct topo_edge *e;

			if (s->depth[sw] != depth)
				continue;
			e = next(s, sw, d->lid);
			s->load[e - s->t->edge] += s->below[sw];
			s->below[e->to] += s->below[sw];
		}
	}
}

static uint64_t draw(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Each host sends to another; what share of its worst link does each get? */
static double permute(struct scale *s, uint64_t *seed, uint32_t *to,
                      uint32_t *flows)
{
	const struct topo *t = s->t;
	double sum = 0;

	memset(flows, 0, t->first[t->n_switches] * sizeof(*flows));
	for (uint32_t i = 0; i < s->n_hosts; i++)
		to[i] = s->host[i];
	for (uint32_t i = s->n_hosts; i > 1; i--) {
		uint32_t j = (uint32_t)(draw(seed) % i), swap = to[i - 1];

		to[i - 1] = to[j];
		to[j] = swap;
	}
	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < s->n_hosts; i++) {
			const struct topo_dest *d = &t->dest[to[i]];
			const struct topo_edge *e;
			unsigned sw = t->dest[s->host[i]].sw, hops = 0;
			uint32_t worst = 1;

			while (sw != d->sw && hops++ < t->n_switches &&
			       (e = next(s, sw, d->lid)) != NULL) {
				if (pass == 0)
					flows[e - t->edge]++;
				else if (flows[e - t->edge] > worst)
					worst = flows[e - t->edge];
				sw = e->to;
			}
			sum += pass ? 1.0 / worst : 0;
		}
	}
	return s->n_hosts ? sum / s->n_hosts : 1;
}

int balance_measure(const struct topo *t, const struct blocks *l,
                    unsigned permutations, uint64_t seed, struct balance *out)
{
	size_t n = t->n_switches + 1u, edges = t->first[t->n_switches];
	struct scale s = { .t = t, .l = l };
	uint32_t *to = malloc((t->n_dests + 1) * sizeof(*to));
	uint32_t *flows = malloc((edges + 1) * sizeof(*flows));
	double sum = 0;
	int err = -ENOMEM;

	s.load = calloc(edges + 1, sizeof(*s.load));
	s.below = malloc(n * sizeof(*s.below));
	s.depth = malloc(n * sizeof(*s.depth));
	s.host = malloc((t->n_dests + 1) * sizeof(*s.host));
	if (!to || !flows || !s.load || !s.below || !s.depth || !s.host)
		goto out;
	for (uint32_t i = 0; i < t->n_dests; i++) {
		if (t->dest[i].port == 0)
			continue;
		s.host[s.n_hosts++] = i;
		add_tree(&s, &t->dest[i]);
	}
	*out = (struct balance){ .links = edges };
	for (size_t i = 0; i < edges; i++) {
		sum += (double)s.load[i];
		if (s.load[i] > out->max)
			out->max = s.load[i];
	}
	out->mean = edges ? sum / (double)edges : 0;
	seed = seed ? seed : 1;
	for (unsigned i = 0; i < permutations; i++)
		out->permutation +=
			permute(&s, &seed, to, flows) / permutations;
	err = 0;
out:
	free(to);
	free(flows);
	free(s.load);
	free(s.below);
	free(s.depth);
	free(s.host);
	return err;
}
