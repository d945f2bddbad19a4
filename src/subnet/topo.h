/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subnet/topo - the part of a fabric that routing looks at: switches, the
 * links between them, and what is to be reached behind them.
 *
 * A view that is rebuilt from the graph after every change (1 ms for 100,000
 * ports) and never altered.  Switch numbers are the graph's, so they stay the
 * same from one view to the next.  Links to oneself and isolated ports are
 * left out.
 */
#ifndef SUBNET_TOPO_H
#define SUBNET_TOPO_H

#include "subnet/graph.h"

#define TOPO_NONE UINT16_MAX

struct topo_edge {
	uint16_t to;  /* switch */
	uint8_t port; /* to leave by */
	uint8_t back; /* port at the other end */
};

/* An address and where it is; virtual LIDs are not among them. */
struct topo_dest {
	uint16_t lid;
	uint16_t sw;
	uint8_t port; /* to leave `sw` by; 0: the switch itself */
};

struct topo {
	unsigned n_switches;
	unsigned stride; /* ports of the largest switch + 1 */
	uint32_t *first; /* n_switches + 1: where a switch's edges begin */
	struct topo_edge *edge; /* of a switch: by target, then port */
	/* of port [switch * stride + port]: the edge, or GRAPH_NONE */
	uint32_t *by_port;
	uint16_t *n_hosts;      /* CA ports behind each switch */
	struct topo_dest *dest; /* by switch, then port */
	uint32_t n_dests;
	uint32_t *first_dest; /* n_switches + 1 */
};

/*
 * @return 0; -ENOMEM.  `lid_of` gives the base LID and LMC meant for a port
 * (0: none), whatever the port itself says now.
 */
int topo_build(struct topo *t, const struct graph *g,
               uint16_t (*lid_of)(void *arg, uint32_t port, uint8_t *lmc),
               void *arg);
void topo_fini(struct topo *t);

static inline const struct topo_edge *topo_edge_at(const struct topo *t,
                                                   unsigned sw, unsigned port)
{
	uint32_t at = t->by_port[sw * t->stride + port];

	return at == GRAPH_NONE ? NULL : &t->edge[at];
}

#endif /* SUBNET_TOPO_H */
