/* SPDX-License-Identifier: BSD-2-Clause */
#include "subnet/check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* depth[] while one LID is walked */
enum { NEW = 0, OPEN = 255, FIRST = 1 };

static void flood(struct check *c, unsigned from, uint16_t name)
{
	const struct topo *t = c->topo;
	unsigned head = 0, tail = 0;

	c->component[from] = name;
	c->walk[tail++] = (uint16_t)from;
	while (head < tail) {
		unsigned sw = c->walk[head++];

		for (uint32_t e = t->first[sw]; e < t->first[sw + 1]; e++) {
			unsigned to = t->edge[e].to;

			if (c->component[to] != TOPO_NONE)
				continue;
			c->component[to] = name;
			c->walk[tail++] = (uint16_t)to;
		}
	}
}

static void find_components(struct check *c)
{
	unsigned n = c->topo->n_switches;

	memset(c->component, 0xff, n * sizeof(*c->component));
	for (unsigned s = 0; s < n; s++)
		if (c->component[s] == TOPO_NONE)
			flood(c, s, (uint16_t)s);
}

int check_init(struct check *c, const struct topo *t, const struct blocks *l,
               const uint8_t *layer, unsigned n_layers)
{
	size_t n = t->n_switches + 1;

	*c = (struct check){ .topo = t, .lft = l, .layer = layer };
	c->cdg = calloc(n_layers, sizeof(*c->cdg));
	c->component = malloc(n * sizeof(*c->component));
	c->depth = malloc(n);
	c->walk = malloc(n * sizeof(*c->walk));
	if (!c->cdg || !c->component || !c->depth || !c->walk)
		goto no_memory;
	for (; c->n_layers < n_layers; c->n_layers++)
		if (cdg_init(&c->cdg[c->n_layers], t))
			goto no_memory;
	find_components(c);
	return 0;
no_memory:
	check_fini(c);
	return -ENOMEM;
}

void check_move(struct check *c, const struct topo *t)
{
	c->topo = t;
	for (unsigned i = 0; i < c->n_layers; i++)
		c->cdg[i].topo = t;
	find_components(c);
}

void check_fini(struct check *c)
{
	for (unsigned i = 0; i < c->n_layers; i++)
		cdg_fini(&c->cdg[i]);
	free(c->cdg);
	free(c->component);
	free(c->depth);
	free(c->walk);
	*c = (struct check){ 0 };
}

static int fault(struct check_result *out, enum check_fault what, uint16_t lid,
                 unsigned sw, unsigned port)
{
	out->fault = what;
	out->lid = lid;
	out->sw = (uint16_t)sw;
	out->port = (uint8_t)port;
	return what == CHECK_CYCLE ? -ELOOP : -EINVAL;
}

static bool ends_here(const struct check_end *end, unsigned n, unsigned sw,
                      unsigned port)
{
	for (unsigned i = 0; i < n; i++)
		if (end[i].sw == sw && end[i].port == port)
			return true;
	return false;
}

struct lid_walk {
	struct check *c;
	struct cdg *cdg;
	const uint8_t *table; /* the LID's entry of switch 0 */
	const struct check_end *end;
	unsigned n_ends;
	uint16_t lid;
	struct check_result *out;
};

/*
 * Follow the tables from `from` to a switch whose depth is known or to an end,
 * then give depths on the way back.
 */
static int follow(struct lid_walk *w, unsigned from)
{
	struct check *c = w->c;
	unsigned n = 0, sw = from, in = 0, depth = 0;

	for (;;) {
		unsigned port = w->table[sw * LFT_BLOCK];
		const struct topo_edge *edge;

		if (in && port < c->topo->stride &&
		    topo_edge_at(c->topo, sw, port))
			cdg_add(w->cdg, sw, in, port);
		if (c->depth[sw] == OPEN)
			return fault(w->out, CHECK_LOOP, w->lid, sw, port);
		if (c->depth[sw] != NEW) {
			depth = c->depth[sw];
			break;
		}
		if (port >= c->topo->stride)
			return fault(w->out, CHECK_NO_ROUTE, w->lid, sw, port);
		if (ends_here(w->end, w->n_ends, sw, port)) {
			c->depth[sw] = FIRST;
			depth = FIRST;
			break;
		}
		edge = topo_edge_at(c->topo, sw, port);
		if (!edge)
			return fault(w->out, CHECK_WRONG_PORT, w->lid, sw,
			             port);
		c->depth[sw] = OPEN;
		c->walk[n++] = (uint16_t)sw;
		sw = edge->to;
		in = edge->back;
	}
	if (depth + n > CHECK_HOPS)
		return fault(w->out, CHECK_LOOP, w->lid, from, 0);
	while (n > 0)
		c->depth[c->walk[--n]] = (uint8_t)++depth;
	if (depth > w->out->longest)
		w->out->longest = depth;
	return 0;
}

int check_lid(struct check *c, uint16_t lid, const struct check_end *end,
              unsigned n_ends, struct check_result *out)
{
	const uint8_t *block = blocks_has(c->lft, lid / LFT_BLOCK)
	                               ? c->lft->block[lid / LFT_BLOCK]
	                               : NULL;
	uint8_t layer = c->layer ? c->layer[lid] : 0;
	struct lid_walk w = {
		.c = c, .lid = lid, .out = out, .end = end, .n_ends = n_ends
	};

	if (!block || layer >= c->n_layers)
		return fault(out, CHECK_NO_ROUTE, lid, end->sw, LFT_NONE);
	w.table = block + lid % LFT_BLOCK;
	w.cdg = &c->cdg[layer];
	memset(c->depth, NEW, c->topo->n_switches);
	for (unsigned s = 0; s < c->topo->n_switches; s++) {
		bool way = false;
		int err;

		if (!c->topo->n_hosts[s])
			continue;
		out->paths++;
		for (unsigned i = 0; i < n_ends; i++)
			way |= c->component[s] == c->component[end[i].sw];
		if (!way) {
			out->unreachable++;
			continue;
		}
		err = follow(&w, s);
		if (err)
			return err;
	}
	return 0;
}

void check_group(struct check *c, uint8_t layer, unsigned sw, unsigned in,
                 const uint8_t *port, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (topo_edge_at(c->topo, sw, port[i]))
			cdg_add(&c->cdg[layer], sw, in, port[i]);
}

int check_cycles(struct check *c, struct check_result *out)
{
	for (unsigned i = 0; i < c->n_layers; i++) {
		unsigned sw, port;

		if (cdg_sort(&c->cdg[i], &sw, &port) == 0)
			continue;
		out->layer = (uint8_t)i;
		return fault(out, CHECK_CYCLE, 0, sw, port);
	}
	return 0;
}

int check_all(struct check *c, struct check_result *out)
{
	const struct topo *t = c->topo;
	int err = 0;

	*out = (struct check_result){ 0 };
	for (uint32_t i = 0; i < t->n_dests && !err; i++) {
		struct check_end end = { t->dest[i].sw, t->dest[i].port };

		err = check_lid(c, t->dest[i].lid, &end, 1, out);
	}
	return err ? err : check_cycles(c, out);
}

int check_tables(const struct topo *t, const struct blocks *l,
                 const uint8_t *layer, unsigned n_layers,
                 struct check_result *out)
{
	struct check c;
	int err = check_init(&c, t, l, layer, n_layers);

	if (!err)
		err = check_all(&c, out);
	check_fini(&c);
	return err;
}

void check_describe(const struct check_result *c, const struct graph *g,
                    char *text, unsigned n)
{
	static const char *const what[] = {
		[CHECK_OK] = "the tables are right",
		[CHECK_NO_ROUTE] = "there is no entry",
		[CHECK_WRONG_PORT] =
			"the entry leads to a port without the LID",
		[CHECK_LOOP] = "packets would go round in a loop",
		[CHECK_CYCLE] = "credits could wait in a cycle",
	};

	if (c->fault == CHECK_OK || c->sw >= g->n_switches)
		snprintf(text, n, "%s", what[c->fault]);
	else if (c->fault == CHECK_CYCLE)
		snprintf(text, n, "%s in lane %u through port %u of %s",
		         what[c->fault], c->layer, c->port,
		         g->node[g->switch_node[c->sw]].desc);
	else
		snprintf(text, n, "%s for LID %u at %s (port %u)",
		         what[c->fault], c->lid,
		         g->node[g->switch_node[c->sw]].desc, c->port);
}
