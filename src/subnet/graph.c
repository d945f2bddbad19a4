/* SPDX-License-Identifier: BSD-2-Clause */
#include "subnet/graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_HOPS 63

void graph_init(struct graph *g)
{
	*g = (struct graph){ .self = GRAPH_NONE };
}

void graph_fini(struct graph *g)
{
	free(g->node);
	free(g->port);
	free(g->by_guid);
	free(g->switch_node);
	graph_init(g);
}

static uint32_t hash(uint64_t guid)
{
	return (uint32_t)((guid * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
}

/* The slot of the GUID, or the empty one where it would go. */
static uint32_t *slot_of(const struct graph *g, uint64_t guid)
{
	uint32_t i = hash(guid) & (g->hash_room - 1);

	while (g->by_guid[i] != GRAPH_NONE &&
	       g->node[g->by_guid[i]].guid != guid)
		i = (i + 1) & (g->hash_room - 1);
	return &g->by_guid[i];
}

uint32_t graph_find(const struct graph *g, uint64_t guid)
{
	return g->hash_room ? *slot_of(g, guid) : GRAPH_NONE;
}

static int grow_hash(struct graph *g)
{
	uint32_t room = g->hash_room ? g->hash_room * 2 : 64;
	uint32_t *table = malloc(room * sizeof(*table));

	if (!table)
		return -ENOMEM;
	memset(table, 0xff, room * sizeof(*table));
	free(g->by_guid);
	g->by_guid = table;
	g->hash_room = room;
	for (uint32_t i = 0; i < g->n_nodes; i++)
		*slot_of(g, g->node[i].guid) = i;
	return 0;
}

static int grow_nodes(struct graph *g)
{
	uint32_t room = g->room_nodes ? g->room_nodes * 2 : 64;
	struct graph_node *node;
	uint32_t *sw;

	if (g->n_nodes >= GRAPH_NODES_MAX)
		return -ENOSPC;
	if (g->n_nodes < g->room_nodes)
		return 0;
	node = realloc(g->node, room * sizeof(*node));
	if (!node)
		return -ENOMEM;
	g->node = node;
	sw = realloc(g->switch_node, room * sizeof(*sw));
	if (!sw)
		return -ENOMEM;
	g->switch_node = sw;
	g->room_nodes = room;
	return 0;
}

static int add_ports(struct graph *g, struct graph_node *n)
{
	uint32_t need = g->n_ports + n->n_ports + 1u;

	if (need > g->room_ports) {
		uint32_t room = g->room_ports + g->room_ports / 2 + 512;
		struct graph_port *port =
			realloc(g->port, room * sizeof(*port));

		if (!port)
			return -ENOMEM;
		g->port = port;
		g->room_ports = room;
	}
	n->first_port = g->n_ports;
	for (unsigned i = 0; i <= n->n_ports; i++)
		g->port[g->n_ports++] = (struct graph_port){
			.node = (uint32_t)(n - g->node),
			.number = (uint8_t)i,
			.peer = GRAPH_NONE,
		};
	return 0;
}

static int name_switch(struct graph *g, struct graph_node *n)
{
	if (n->kind != GRAPH_SWITCH || n->sw != GRAPH_NONE)
		return 0;
	if (g->n_switches >= GRAPH_SWITCHES_MAX)
		return -ENOSPC;
	n->sw = g->n_switches;
	g->switch_node[g->n_switches++] = (uint32_t)(n - g->node);
	return 0;
}

static int come_back(struct graph *g, struct graph_node *n,
                     enum graph_kind kind, uint8_t n_ports)
{
	int err = 0;

	if (n->present)
		graph_drop(g, (uint32_t)(n - g->node));
	if (n->kind != kind || n->n_ports != n_ports) {
		n->kind = (uint8_t)kind;
		n->n_ports = n_ports;
		err = add_ports(g, n);
		if (!err)
			err = name_switch(g, n);
	}
	n->present = !err;
	return err;
}

int graph_add(struct graph *g, uint64_t guid, enum graph_kind kind,
              uint8_t n_ports, uint32_t *out)
{
	uint32_t at = graph_find(g, guid);
	struct graph_node *n;
	int err;

	if (at != GRAPH_NONE) {
		err = come_back(g, &g->node[at], kind, n_ports);
		if (!err)
			*out = at;
		return err;
	}
	err = grow_nodes(g);
	if (!err && g->n_nodes * 2 >= g->hash_room)
		err = grow_hash(g);
	if (err)
		return err;
	n = &g->node[g->n_nodes];
	*n = (struct graph_node){
		.guid = guid,
		.kind = (uint8_t)kind,
		.n_ports = n_ports,
		.sw = GRAPH_NONE,
		.way = GRAPH_NONE,
		.hops = UINT16_MAX,
		.present = true,
	};
	err = add_ports(g, n);
	if (!err)
		err = name_switch(g, n);
	if (err)
		return err;
	*slot_of(g, guid) = g->n_nodes;
	*out = g->n_nodes++;
	return 0;
}

void graph_drop(struct graph *g, uint32_t node)
{
	struct graph_node *n = &g->node[node];

	n->present = false;
	for (unsigned i = 0; i <= n->n_ports; i++) {
		struct graph_port *p = &g->port[n->first_port + i];

		graph_unlink(g, n->first_port + i);
		p->known = false;
		p->state = GRAPH_STATE_NONE;
		p->phys = 0;
	}
}

void graph_unlink(struct graph *g, uint32_t port)
{
	uint32_t peer = g->port[port].peer;

	if (peer == GRAPH_NONE)
		return;
	g->port[peer].peer = GRAPH_NONE;
	g->port[port].peer = GRAPH_NONE;
}

void graph_link(struct graph *g, uint32_t a, uint32_t b)
{
	if (g->port[a].peer == b)
		return;
	graph_unlink(g, a);
	graph_unlink(g, b);
	g->port[a].peer = b;
	g->port[b].peer = a;
}

uint32_t graph_find_port(const struct graph *g, uint64_t port_guid)
{
	for (uint32_t i = 0; port_guid && i < g->n_ports; i++)
		if (g->port[i].guid == port_guid &&
		    g->node[g->port[i].node].present)
			return i;
	return GRAPH_NONE;
}

static bool passes(const struct graph_node *n)
{
	return n->kind == GRAPH_SWITCH;
}

struct search {
	struct graph *g;
	uint32_t *queue[2]; /* the second: suspects, when all else is done */
	uint32_t head[2], tail[2];
};

static void reach(struct search *w, uint32_t node, uint32_t way, unsigned hops)
{
	struct graph_node *n = &w->g->node[node];
	unsigned which = n->suspect;

	n->hops = (uint16_t)hops;
	n->way = way;
	w->queue[which][w->tail[which]++] = node;
}

/* A channel adapter passes nothing on; the SM's own sends from its own port
 * only. */
static void expand(struct search *w, const struct graph_node *n)
{
	struct graph *g = w->g;

	for (unsigned i = 1; i <= n->n_ports; i++) {
		uint32_t at = n->first_port + i, to;
		const struct graph_port *p = &g->port[at];

		if (p->peer == GRAPH_NONE || p->isolated ||
		    (!passes(n) && !(n->hops == 0 && at == g->self)))
			continue;
		to = g->port[p->peer].node;
		if (g->node[to].hops == UINT16_MAX)
			reach(w, to, p->peer, n->hops + 1u);
	}
}

uint32_t graph_find_ways(struct graph *g)
{
	struct search w = { .g = g };

	for (uint32_t i = 0; i < g->n_nodes; i++)
		g->node[i].hops = UINT16_MAX;
	w.queue[0] = malloc((g->n_nodes + 1) * sizeof(*w.queue[0]));
	w.queue[1] = malloc((g->n_nodes + 1) * sizeof(*w.queue[1]));
	if (w.queue[0] && w.queue[1] && g->self != GRAPH_NONE)
		reach(&w, g->port[g->self].node, g->self, 0);
	for (;;) {
		unsigned which = w.head[0] == w.tail[0];

		if (w.head[which] == w.tail[which])
			break;
		expand(&w, &g->node[w.queue[which][w.head[which]++]]);
	}
	free(w.queue[0]);
	free(w.queue[1]);
	return w.tail[0] + w.tail[1];
}

int graph_path(const struct graph *g, uint32_t node, uint8_t path[64])
{
	const struct graph_node *n = &g->node[node];
	int hops = n->hops;

	if (n->hops == UINT16_MAX)
		return -EHOSTUNREACH;
	if (hops > PATH_MAX_HOPS)
		return -E2BIG;
	path[0] = 0;
	for (int i = hops; i > 0; i--) {
		uint32_t from = g->port[n->way].peer;

		if (from == GRAPH_NONE)
			return -EHOSTUNREACH;
		path[i] = g->port[from].number;
		n = &g->node[g->port[from].node];
	}
	return hops;
}

uint32_t graph_main_port(const struct graph *g, uint32_t node)
{
	const struct graph_node *n = &g->node[node];

	if (n->kind == GRAPH_SWITCH)
		return n->first_port;
	for (unsigned i = 1; i <= n->n_ports; i++)
		if (g->port[n->first_port + i].peer != GRAPH_NONE)
			return n->first_port + i;
	return n->first_port + 1;
}
