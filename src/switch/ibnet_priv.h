/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the network's files share: nodes, ports and who does what.
 *
 *     ibnet.c         nodes and ports: made, found, looked at
 *     ibnet_link.c    links: cables, power, states
 *     ibnet_route.c   the way of a management datagram
 *     ibnet_forward.c a switch's choice of a port: LFT, groups
 *     ibnet_skip.c    what neighbours cannot deliver: LagSkip
 *     ibnet_end.c     endpoints
 *     sma*.c, pma.c   agents; trap.c: what an SMA says by itself
 *     ibnet_data.c    packets in flight; ibnet_flow.c: the hosts' end
 *
 * Memory: about 420 bytes a port, and a byte for each LID in each switch.
 * Tables that are seldom used exist only once somebody has set them.
 */
#ifndef SWITCH_IBNET_PRIV_H
#define SWITCH_IBNET_PRIV_H

#include "core/timer.h"
#include "mad/lag.h"
#include "mad/perf.h"
#include "mad/smp.h"
#include "switch/ibnet.h"
#include "switch/ibnet_data.h"

struct data_packet;

/* Tables of a port that nobody set are NULL and stand for the default. */
struct port_tables {
	uint16_t *pkeys;         /* IBNET_PKEYS or IBNET_SWITCH_PKEYS */
	uint64_t *guids;         /* IBNET_GUIDS; entry 0 is not used */
	uint8_t (*sl2vl)[16];    /* a switch: one row for each input port */
	struct smp_vlarb *vlarb; /* 4 blocks */
};

/* What waits to leave through a port; switch/ibnet_data.h. */
struct port_queue {
	struct data_packet *head, *tail;
	unsigned n;
	struct list active;     /* on the network's list while n > 0 */
	uint64_t sent;          /* tick in which a packet last left */
	uint64_t blocked_since; /* tick; 0: not blocked */
};

struct ibnet_port {
	struct ibnet_node *node;
	struct ibnet_port *peer; /* NULL: no cable */
	struct smp_port_info info;
	struct perf_port_counters_ext counters;
	struct port_tables tables;
	struct port_queue queue;
	struct list endpoints;
	uint64_t flow_sent, flow_received; /* a host's: packets of flows */
	uint64_t lease_end_ns;             /* M_Key lease; 0: none runs */
	uint8_t number;
	bool cut;      /* the cable; both ends agree */
	bool disabled; /* by Set(PortInfo): PortPhysicalState */
};

struct switch_group {
	uint8_t mask[32];
	uint8_t draining[32]; /* ports with packets chosen before the change */
	uint64_t changed;     /* tick of the last change; 0: settled */
	uint32_t uses;        /* LIDs that are bound to it */
};

/* A virtual LID that cannot be delivered by some neighbours, or by us. */
struct switch_skip {
	uint16_t lid;
	bool told;        /* our neighbours have been told that we cannot */
	uint8_t mask[32]; /* ports of neighbours that have told us */
};

struct switch_part {
	struct smp_switch_info info;
	uint8_t *lft; /* lft_room entries; beyond them there is no port */
	unsigned lft_room;
	uint16_t *mft; /* mft_room LIDs, `positions` masks each */
	unsigned mft_room;
	unsigned positions;
	/* aggregation */
	struct switch_group *groups; /* n_groups */
	unsigned n_groups;
	uint16_t *lids; /* group of a LID; lids_room entries */
	unsigned lids_room;
	unsigned lids_first; /* none below it was ever bound */
	uint8_t ways[32];    /* ports to switches that take part in LagSkip */
	struct switch_skip *skips; /* n_skips, by LID */
	unsigned n_skips, skips_room;
	uint32_t seed;
	uint32_t generation;
	uint32_t dropped;
	uint32_t rerouted;
};

struct host_part {
	struct lag_host map; /* mode LAG_OFF: none */
	uint32_t flow;       /* whose turn it is to send; if n_flows */
	uint32_t n_flows;
};

/* A trap that is repeated until it is repressed. */
struct node_trap {
	struct list link; /* on the network's list while it repeats */
	struct ibnet_port *from;
	struct ibnet_mad mad;
	uint64_t due_ns;
	unsigned left;
};

struct ibnet_node {
	struct ibnet *net;
	const char *name;
	char description[IBNET_DESCRIPTION_MAX + 1];
	uint64_t guid, system_guid;
	uint32_t vendor;
	uint16_t device;
	uint8_t kind;
	uint8_t n_ports;
	bool on;
	unsigned faults;
	struct ibnet_port *ports; /* a switch's from port 0, a host's from 1 */
	struct switch_part *sw;   /* NULL: a host */
	struct host_part *host;   /* NULL: a switch */
	struct node_trap link_trap, local_trap;
};

struct ibnet {
	struct reactor *reactor;
	struct ibnet_node *nodes;
	struct ibnet_port *ports;
	struct ibnet_topo_node *names; /* the topology's: names live here */
	uint32_t *by_name;             /* node numbers in the order of names */
	uint32_t n_nodes, n_ports;
	struct ibnet_endpoint *endpoints[IBNET_ENDPOINTS_MAX]; /* by id - 1 */
	unsigned last_endpoint;
	struct list traps; /* struct node_trap; that repeat */
	struct timer trap_timer;
	uint64_t trap_tid;
	uint64_t random;
	unsigned lost, twice; /* of a million */
	struct ibnet_stats stats;
	struct ibnet_data *data; /* NULL: no packet was ever sent */
};

static inline bool node_is_switch(const struct ibnet_node *n)
{
	return n->sw != NULL;
}

/* The port that holds LID, M_Key and SM's LID: a switch has one for all. */
static inline struct ibnet_port *port_manager(struct ibnet_port *p)
{
	return p->node->sw ? &p->node->ports[0] : p;
}

static inline const struct ibnet_port *port_manager_const(
	const struct ibnet_port *p)
{
	return p->node->sw ? &p->node->ports[0] : p;
}

static inline bool port_is_active(const struct ibnet_port *p)
{
	return p->info.port_state == SMP_PORT_ACTIVE &&
	       p->info.phys_state == SMP_PHYS_LINK_UP;
}

static inline bool node_has_lag(const struct ibnet_node *n)
{
	return !(n->faults & IBNET_FAULT_NO_LAG);
}

uint64_t ibnet_random(struct ibnet *net);
uint64_t ibnet_now_ns(const struct ibnet *net); /* 0 without a reactor */

/* -- ibnet.c -------------------------------------------------------------- */

/* As after power-on, states of links aside: tables, keys, LIDs, mapping. */
void ibnet_reset_node(struct ibnet_node *n);

/* -- ibnet_link.c --------------------------------------------------------- */

/* Bring both ends of p's link to where cable, power and settings have it. */
void ibnet_link_update(struct ibnet_port *p);
/* Lose the link and train it anew, as after Set(PortState = Down). */
void ibnet_link_bounce(struct ibnet_port *p);
/* ARMED or ACTIVE, which Set(PortInfo) and packets bring about. */
void ibnet_link_set_state(struct ibnet_port *p, uint8_t state);

/* -- ibnet_route.c -------------------------------------------------------- */

/* Send from `at`, a port of the node that made it (a switch's port 0). */
void ibnet_transmit(struct ibnet *net, struct ibnet_port *at,
                    const struct ibnet_mad *m);

/* Whether a unicast LID is one of the node's that `at` belongs to: physical,
 * within the LMC, or the host's virtual one. */
bool ibnet_owns_lid(const struct ibnet_port *at, uint16_t lid);

/* -- ibnet_forward.c ------------------------------------------------------ */

/* What a switch needs of a packet. */
struct forward_key {
	struct lag_flow flow;
	uint8_t in_port; /* 0: made by the switch itself */
};

/* The port that a unicast packet leaves by; 0 is the switch itself.
 * @return -1: dropped, and counted at the port it came in by. */
int ibnet_forward(struct ibnet_node *sw, const struct forward_key *key);

/* Multicast: whether it leaves by port p too. */
bool ibnet_forward_multicast(const struct ibnet_node *sw, uint16_t mlid,
                             uint8_t port);

/* A group's members came, went or changed state: until what was chosen before
 * has gone, no packet is forwarded to it (D4 of switch/ibnet_data.h). */
void ibnet_settle_group(struct ibnet_node *sw, struct switch_group *g);
/* Whether packets for this LID that came in by this port may be forwarded.
 * What came from a member is on its way to another one, as it was before. */
bool ibnet_settled(struct ibnet_node *sw, uint16_t lid, unsigned in_port);
/* The group of a LID; NULL: it has none. */
struct switch_group *ibnet_group_of(struct switch_part *sw, uint16_t lid);

/* -- ibnet_skip.c --------------------------------------------------------- */

static inline bool mask_has(const uint8_t mask[32], unsigned port)
{
	return mask[port / 8] >> port % 8 & 1;
}

/* Whether the neighbour at that port has said that it cannot deliver. */
bool ibnet_skips(const struct switch_part *sw, uint16_t lid, unsigned port);

/* The neighbour at `port` says so (or that it can again). */
void ibnet_skip_mark(struct ibnet_port *from, uint16_t lid, bool dead);

/* Tell the neighbours what may have changed: of the LIDs bound to a group, of
 * some, or of those that go by a port. */
void ibnet_skip_group(struct ibnet_node *sw, const struct switch_group *g);
void ibnet_skip_lids(struct ibnet_node *sw, unsigned first, unsigned count);
void ibnet_skip_port(struct ibnet_port *p);
/* sw->ways has changed: all of them are told again. */
void ibnet_skip_ways(struct ibnet_node *sw);

/* -- ibnet_end.c ---------------------------------------------------------- */

/* A datagram for the node's endpoints, at port `at`.  @return false: nobody. */
bool ibnet_to_endpoint(struct ibnet_port *at, const struct ibnet_mad *m,
                       bool response);

/* -- ibnet_data.c --------------------------------------------------------- */

/* A link was lost: what waits to cross it is gone. */
void ibnet_data_flush(struct ibnet_port *p);
void ibnet_data_destroy(struct ibnet *net);

#endif /* SWITCH_IBNET_PRIV_H */
