/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual lane for each destination, so that no lane has a cycle. */
#include "subnet/cdg.h"
#include "subnet/route_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct layers {
	struct route *r;
	const struct topo *t;
	struct cdg cdg[ROUTE_LAYERS_MAX];
	unsigned n;    /* lanes for shortest paths */
	uint8_t *seen; /* switches that the walk to a LID has met */
};

typedef int (*dependency_fn)(struct cdg *c, unsigned sw, unsigned in,
                             unsigned out);

static int add_dependency(struct cdg *c, unsigned sw, unsigned in, unsigned out)
{
	cdg_add(c, sw, in, out);
	return 0;
}

/* The dependencies of all ways from hosts to one LID. */
static int add_tree(struct layers *l, struct cdg *c,
                    const struct topo_dest *dest, dependency_fn add)
{
	const struct topo *t = l->t;
	int err = 0;

	memset(l->seen, 0, t->n_switches);
	for (unsigned s = 0; s < t->n_switches && !err; s++) {
		unsigned sw = s, in = 0;

		while (t->n_hosts[s] && !err) {
			uint8_t out = lft_get(&l->r->lft, sw, dest->lid);
			const struct topo_edge *edge =
				out < t->stride ? topo_edge_at(t, sw, out)
						: NULL;

			if (!edge)
				break;
			if (in)
				err = add(c, sw, in, out);
			if (l->seen[sw])
				break;
			l->seen[sw] = 1;
			sw = edge->to;
			in = edge->back;
		}
	}
	return err;
}

/* Destinations that keep their lanes; they had no cycle before, so a cycle
 * now comes from trees that changed without notice. */
static int add_kept(struct layers *l, const uint8_t *keep)
{
	unsigned sw, port;
	int err = 0;

	for (uint32_t i = 0; keep && i < l->t->n_dests; i++) {
		const struct topo_dest *d = &l->t->dest[i];

		if (keep[d->lid] && !l->r->updown[d->lid] &&
		    l->r->layer[d->lid] < l->n)
			add_tree(l, &l->cdg[l->r->layer[d->lid]], d,
			         add_dependency);
	}
	for (unsigned i = 0; i < l->n && !err; i++)
		err = cdg_sort(&l->cdg[i], &sw, &port);
	return err;
}

static int try_lane(struct layers *l, const struct topo_dest *d, unsigned lane)
{
	int err = add_tree(l, &l->cdg[lane], d, cdg_try);

	if (err) {
		cdg_undo(&l->cdg[lane]);
		return err;
	}
	cdg_commit(&l->cdg[lane]);
	l->r->touched[d->lid] |= l->r->layer[d->lid] != lane;
	l->r->layer[d->lid] = (uint8_t)lane;
	if (lane + 1 > l->r->n_layers)
		l->r->n_layers = lane + 1;
	return 0;
}

/* The lane that it has, if it can (R1); else the first in which it fits. */
static int place(struct layers *l, const struct topo_dest *d)
{
	unsigned had = l->r->layer[d->lid];
	int err = -ELOOP;

	if (had < l->n)
		err = try_lane(l, d, had);
	for (unsigned lane = 0; lane < l->n && err == -ELOOP; lane++)
		if (lane != had)
			err = try_lane(l, d, lane);
	return err;
}

static int place_all(struct layers *l, const uint8_t *keep)
{
	int full = 0;

	for (uint32_t i = 0; i < l->t->n_dests; i++) {
		const struct topo_dest *d = &l->t->dest[i];
		int err;

		if (l->r->updown[d->lid] || (keep && keep[d->lid]))
			continue;
		err = place(l, d);
		if (err == -ELOOP) {
			l->r->updown[d->lid] = 1;
			l->r->layer[d->lid] = (uint8_t)l->n;
			l->r->touched[d->lid] = 1;
			full = -ENOSPC;
		} else if (err) {
			return err;
		}
	}
	return full;
}

int route_layers(struct route *r, const struct topo *t, const uint8_t *keep)
{
	struct layers l = { .r = r, .t = t, .n = r->lanes - 1 };
	int err = 0;

	l.seen = malloc(t->n_switches + 1u);
	if (!l.seen)
		err = -ENOMEM;
	for (unsigned i = 0; i < l.n && !err; i++)
		err = cdg_init(&l.cdg[i], t);
	if (!err)
		err = add_kept(&l, keep);
	if (!err)
		err = place_all(&l, keep);
	for (uint32_t i = 0; i < t->n_dests; i++)
		if (r->layer[t->dest[i].lid] >= r->n_layers)
			r->n_layers = r->layer[t->dest[i].lid] + 1u;
	for (unsigned i = 0; i < l.n; i++)
		cdg_fini(&l.cdg[i]);
	free(l.seen);
	return err;
}
