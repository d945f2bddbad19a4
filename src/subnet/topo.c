/* SPDX-License-Identifier: BSD-2-Clause */
#include "subnet/topo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void topo_fini(struct topo *t)
{
	free(t->first);
	free(t->edge);
	free(t->by_port);
	free(t->n_hosts);
	free(t->dest);
	free(t->first_dest);
	memset(t, 0, sizeof(*t));
}

/* What is behind a port of a switch. */
static const struct graph_port *behind(const struct graph *g, uint32_t at)
{
	const struct graph_port *p = &g->port[at];

	if (p->peer == GRAPH_NONE || p->isolated || g->port[p->peer].isolated)
		return NULL;
	return &g->port[p->peer];
}

static bool is_switch(const struct graph *g, const struct graph_port *p)
{
	return g->node[p->node].kind == GRAPH_SWITCH;
}

static int make_room(struct topo *t, const struct graph *g, unsigned dests)
{
	size_t n = t->n_switches;
	size_t edges = 0;

	for (unsigned s = 0; s < n; s++) {
		const struct graph_node *node = &g->node[g->switch_node[s]];

		if (node->n_ports + 1u > t->stride)
			t->stride = node->n_ports + 1u;
		edges += node->n_ports;
	}
	t->first = calloc(n + 1, sizeof(*t->first));
	t->first_dest = calloc(n + 1, sizeof(*t->first_dest));
	t->edge = malloc((edges + 1) * sizeof(*t->edge));
	t->by_port = malloc((n * t->stride + 1) * sizeof(*t->by_port));
	t->n_hosts = calloc(n + 1, sizeof(*t->n_hosts));
	t->dest = malloc((dests + 1) * sizeof(*t->dest));
	if (!t->first || !t->first_dest || !t->edge || !t->by_port ||
	    !t->n_hosts || !t->dest)
		return -ENOMEM;
	memset(t->by_port, 0xff, n * t->stride * sizeof(*t->by_port));
	return 0;
}

struct lids {
	uint16_t (*of)(void *arg, uint32_t port, uint8_t *lmc);
	void *arg;
};

static void add_dests(struct topo *t, unsigned sw, unsigned port, uint32_t at,
                      const struct lids *lids)
{
	uint8_t lmc = 0;
	uint16_t lid = lids->of(lids->arg, at, &lmc);

	for (unsigned i = 0; lid && i < 1u << lmc; i++)
		t->dest[t->n_dests++] = (struct topo_dest){
			.lid = (uint16_t)(lid + i),
			.sw = (uint16_t)sw,
			.port = (uint8_t)port,
		};
}

static void add_edge(struct topo *t, unsigned sw, unsigned port,
                     const struct graph *g, const struct graph_port *to)
{
	unsigned at = t->first[sw + 1];

	t->edge[at] = (struct topo_edge){
		.to = (uint16_t)g->node[to->node].sw,
		.port = (uint8_t)port,
		.back = to->number,
	};
	t->first[sw + 1]++;
}

static int by_target(const void *a, const void *b)
{
	const struct topo_edge *x = a, *y = b;

	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return (int)x->port - (int)y->port;
}

/* In the order of their targets, which is the same at all switches: so that
 * equal choices made at many switches meet in one place. */
static void sort_edges(struct topo *t, unsigned sw)
{
	uint32_t from = t->first[sw], n = t->first[sw + 1] - from;

	qsort(t->edge + from, n, sizeof(*t->edge), by_target);
	for (uint32_t e = from; e < from + n; e++)
		t->by_port[sw * t->stride + t->edge[e].port] = e;
}

static void add_switch(struct topo *t, const struct graph *g, unsigned sw,
                       const struct lids *lids)
{
	uint32_t at = g->switch_node[sw];
	const struct graph_node *n = &g->node[at];

	t->first[sw + 1] = t->first[sw];
	t->first_dest[sw] = t->n_dests;
	if (!n->present)
		return;
	add_dests(t, sw, 0, n->first_port, lids);
	for (unsigned i = 1; i <= n->n_ports; i++) {
		const struct graph_port *to = behind(g, n->first_port + i);

		if (!to || to->node == at)
			continue;
		if (is_switch(g, to)) {
			add_edge(t, sw, i, g, to);
			continue;
		}
		t->n_hosts[sw]++;
		add_dests(t, sw, i, g->port[n->first_port + i].peer, lids);
	}
	sort_edges(t, sw);
}

int topo_build(struct topo *t, const struct graph *g,
               uint16_t (*lid_of)(void *arg, uint32_t port, uint8_t *lmc),
               void *arg)
{
	struct lids lids = { lid_of, arg };
	unsigned dests = 0;

	memset(t, 0, sizeof(*t));
	t->n_switches = g->n_switches;
	t->stride = 1;
	for (uint32_t i = 0; i < g->n_ports; i++) {
		uint8_t lmc = 0;

		if (g->node[g->port[i].node].present && lid_of(arg, i, &lmc))
			dests += 1u << lmc;
	}
	if (make_room(t, g, dests)) {
		topo_fini(t);
		return -ENOMEM;
	}
	for (unsigned s = 0; s < t->n_switches; s++)
		add_switch(t, g, s, &lids);
	t->first_dest[t->n_switches] = t->n_dests;
	return 0;
}
