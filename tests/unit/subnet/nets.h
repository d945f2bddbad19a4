/* SPDX-License-Identifier: BSD-2-Clause */
/* Fabrics for tests of what needs no MADs: graphs made from nothing. */
#ifndef TESTS_UNIT_SUBNET_NETS_H
#define TESTS_UNIT_SUBNET_NETS_H

#include "subnet/graph.h"
#include "subnet/topo.h"

struct net {
	const char *name;
	void (*build)(struct graph *g);
};

/* Twelve topologies of 60 to 700 nodes; the last entry's name is NULL. */
extern const struct net nets[];

/* Two levels: each leaf has a link to each spine.  Hosts have `rails` ports,
 * on neighbouring leaves. */
void net_clos(struct graph *g, unsigned leaves, unsigned spines,
              unsigned hosts_per_leaf, unsigned rails);
/* Three levels from switches of `radix` ports, `pods` of radix / 2 leaves. */
void net_clos3(struct graph *g, unsigned radix, unsigned pods);
/* x * y * z switches, each with `hosts`; a size of 1 leaves out a dimension,
 * `wrap` joins the ends. */
void net_torus(struct graph *g, unsigned x, unsigned y, unsigned z,
               unsigned hosts, bool wrap);

/* LIDs as the port numbers say: ports in order, from 1. */
void net_number(struct graph *g);
uint16_t net_lid(void *graph, uint32_t port, uint8_t *lmc);

void net_topo(struct topo *t, struct graph *g);

uint64_t net_random(uint64_t *seed);

#endif /* TESTS_UNIT_SUBNET_NETS_H */
