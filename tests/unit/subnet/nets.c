/* SPDX-License-Identifier: BSD-2-Clause */
#include "nets.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define SWITCH_GUID UINT64_C(0x5000000000000000)
#define HOST_GUID UINT64_C(0xa000000000000000)

uint64_t net_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static uint32_t add(struct graph *g, uint64_t guid, enum graph_kind kind,
                    unsigned ports)
{
	uint32_t at;
	int err = graph_add(g, guid, kind, (uint8_t)ports, &at);

	assert(!err);
	(void)err;
	g->node[at].sys_guid = guid;
	snprintf(g->node[at].desc, sizeof(g->node[at].desc), "%c%04x",
	         kind == GRAPH_SWITCH ? 'S' : 'H', (unsigned)(guid & 0xffff));
	for (unsigned i = 0; i <= ports; i++)
		g->port[graph_port(g, at, i)].guid =
			guid + (kind == GRAPH_CA ? i : 0);
	return at;
}

static uint32_t add_switch(struct graph *g, unsigned number, unsigned ports)
{
	return add(g, SWITCH_GUID + number, GRAPH_SWITCH, ports);
}

static uint32_t free_port(struct graph *g, uint32_t node)
{
	const struct graph_node *n = &g->node[node];

	for (unsigned i = 1; i <= n->n_ports; i++)
		if (g->port[n->first_port + i].peer == GRAPH_NONE)
			return n->first_port + i;
	abort();
}

static void join(struct graph *g, uint32_t a, uint32_t b)
{
	graph_link(g, free_port(g, a), free_port(g, b));
}

static void add_hosts(struct graph *g, uint32_t sw, unsigned n, unsigned *next)
{
	while (n-- > 0)
		join(g, add(g, HOST_GUID + 16 * (*next)++, GRAPH_CA, 1), sw);
}

void net_clos(struct graph *g, unsigned leaves, unsigned spines,
              unsigned hosts_per_leaf, unsigned rails)
{
	unsigned next = 0;
	uint32_t leaf[256], spine[256];

	for (unsigned i = 0; i < leaves; i++)
		leaf[i] = add_switch(g, i, spines + hosts_per_leaf * rails);
	for (unsigned i = 0; i < spines; i++)
		spine[i] = add_switch(g, 0x1000 + i, leaves);
	for (unsigned i = 0; i < leaves; i++)
		for (unsigned j = 0; j < spines; j++)
			join(g, leaf[i], spine[j]);
	for (unsigned i = 0; i < leaves; i++) {
		for (unsigned h = 0; h < hosts_per_leaf; h++) {
			uint32_t host = add(g, HOST_GUID + 16 * next++,
			                    GRAPH_CA, rails);

			for (unsigned r = 0; r < rails; r++)
				join(g, host, leaf[(i + r) % leaves]);
		}
	}
}

void net_clos3(struct graph *g, unsigned radix, unsigned pods)
{
	unsigned half = radix / 2, next = 0;

	for (unsigned c = 0; c < half * half; c++)
		add_switch(g, 0x2000 + c, pods);
	for (unsigned p = 0; p < pods; p++) {
		uint32_t middle[64];

		for (unsigned m = 0; m < half; m++) {
			middle[m] = add_switch(g, 0x1000 + p * half + m, radix);
			for (unsigned c = 0; c < half; c++)
				join(g, middle[m],
				     graph_find(g, SWITCH_GUID + 0x2000 +
				                           m * half + c));
		}
		for (unsigned l = 0; l < half; l++) {
			uint32_t leaf = add_switch(g, p * half + l, radix);

			for (unsigned m = 0; m < half; m++)
				join(g, leaf, middle[m]);
			add_hosts(g, leaf, half, &next);
		}
	}
}

void net_torus(struct graph *g, unsigned x, unsigned y, unsigned z,
               unsigned hosts, bool wrap)
{
	unsigned size[3] = { x, y, z }, next = 0;

	for (unsigned i = 0; i < x * y * z; i++)
		add_switch(g, i, hosts + 6);
	for (unsigned i = 0; i < x * y * z; i++) {
		unsigned at[3] = { i % x, i / x % y, i / x / y }, step = 1;

		for (unsigned d = 0; d < 3; step *= size[d++]) {
			unsigned to = at[d] + 1 < size[d] ? i + step
			                                  : i - at[d] * step;

			if (to > i || (wrap && size[d] > 2 && to != i))
				join(g, i, to);
		}
		add_hosts(g, i, hosts, &next);
	}
}

/* -- the twelve ------------------------------------------------------------ */

static void clos_small(struct graph *g)
{
	net_clos(g, 6, 3, 6, 1);
}

static void clos_dual(struct graph *g)
{
	net_clos(g, 12, 6, 6, 2);
}

static void clos_wide(struct graph *g)
{
	net_clos(g, 36, 18, 18, 1);
}

static void clos_three(struct graph *g)
{
	net_clos3(g, 12, 6);
}

static void ring(struct graph *g)
{
	net_torus(g, 9, 1, 1, 4, true);
}

static void mesh(struct graph *g)
{
	net_torus(g, 7, 7, 1, 3, false);
}

static void torus2(struct graph *g)
{
	net_torus(g, 6, 6, 1, 4, true);
}

static void torus3(struct graph *g)
{
	net_torus(g, 4, 4, 4, 2, true);
}

static void hypercube(struct graph *g)
{
	unsigned next = 0;

	for (unsigned i = 0; i < 64; i++)
		add_switch(g, i, 6 + 2);
	for (unsigned i = 0; i < 64; i++)
		for (unsigned bit = 1; bit < 64; bit *= 2)
			if (i & bit)
				join(g, i, i ^ bit);
	for (unsigned i = 0; i < 64; i++)
		add_hosts(g, i, 2, &next);
}

/* 9 groups of 8 switches; groups and switches in them are fully joined. */
static void dragonfly(struct graph *g)
{
	unsigned next = 0;

	for (unsigned i = 0; i < 72; i++)
		add_switch(g, i, 7 + 1 + 3);
	for (unsigned i = 0; i < 72; i++)
		for (unsigned j = i / 8 * 8; j < i; j++)
			join(g, i, j);
	for (unsigned a = 0; a < 9; a++)
		for (unsigned b = 0; b < a; b++)
			join(g, a * 8 + b, b * 8 + (a - 1));
	for (unsigned i = 0; i < 72; i++)
		add_hosts(g, i, 3, &next);
}

static void irregular(struct graph *g)
{
	uint64_t seed = 42;
	unsigned next = 0;

	for (unsigned i = 0; i < 60; i++) {
		add_switch(g, i, 36);
		if (i > 0)
			join(g, i, (uint32_t)(net_random(&seed) % i));
	}
	for (unsigned i = 0; i < 90; i++) {
		unsigned a = (unsigned)(net_random(&seed) % 60);
		unsigned b = (unsigned)(net_random(&seed) % 60);

		if (a != b)
			join(g, a, b);
	}
	for (unsigned i = 0; i < 60; i++)
		add_hosts(g, i, (unsigned)(net_random(&seed) % 8), &next);
}

/* A tree of switches: every link is the only way. */
static void tree(struct graph *g)
{
	unsigned next = 0;

	for (unsigned i = 0; i < 40; i++) {
		add_switch(g, i, 12);
		if (i > 0)
			join(g, i, (i - 1) / 3);
	}
	for (unsigned i = 13; i < 40; i++)
		add_hosts(g, i, 8, &next);
}

const struct net nets[] = {
	{ "clos_small", clos_small },
	{ "clos_dual", clos_dual },
	{ "clos_wide", clos_wide },
	{ "clos_three", clos_three },
	{ "ring", ring },
	{ "mesh", mesh },
	{ "torus2", torus2 },
	{ "torus3", torus3 },
	{ "hypercube", hypercube },
	{ "dragonfly", dragonfly },
	{ "irregular", irregular },
	{ "tree", tree },
	{ NULL, NULL },
};

/* -- LIDs ------------------------------------------------------------------ */

void net_number(struct graph *g)
{
	uint16_t lid = 1;

	for (uint32_t i = 0; i < g->n_ports; i++) {
		struct graph_port *p = &g->port[i];
		bool is_switch = g->node[p->node].kind == GRAPH_SWITCH;

		if (is_switch ? p->number == 0 : p->number > 0)
			p->lid = lid++;
	}
}

uint16_t net_lid(void *graph, uint32_t port, uint8_t *lmc)
{
	const struct graph *g = graph;

	*lmc = g->port[port].lmc;
	return g->port[port].lid;
}

void net_topo(struct topo *t, struct graph *g)
{
	int err = topo_build(t, g, net_lid, g);

	assert(!err);
	(void)err;
}
