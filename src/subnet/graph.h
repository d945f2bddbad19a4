/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subnet/graph - what the subnet manager knows of a fabric: nodes, ports and
 * the links between them.
 *
 * Concept.  Nodes and ports have numbers (indices) that never change while the
 * graph lives: a node that vanishes stays, not `present`, and gets its number
 * back when its GUID comes again.  A port's number on its node is its place
 * after the node's first port; every node has a port 0, which means something
 * for switches only.  Switches are numbered a second time, densely, because
 * tables are indexed by them.
 *
 * Cost       136 bytes a node and 48 a port: 10,000 dual-port hosts behind
 *            2,250 switches of 48 ports take 9 MB.
 * Ownership  Plain memory; pointers to nodes and ports stay valid until the
 *            next graph_add().
 * Errors     -ENOMEM; -ENOSPC: a limit below is reached.
 *
 * Invariants
 *   G1  links are symmetric: port(port(p).peer).peer == p;
 *   G2  only ports of present nodes have a peer;
 *   G3  no two nodes have one GUID.
 */
#ifndef SUBNET_GRAPH_H
#define SUBNET_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRAPH_NONE UINT32_MAX
#define GRAPH_NODES_MAX 65536u
#define GRAPH_SWITCHES_MAX 8192u
#define GRAPH_DESC 64 /* bytes of a node description, NUL included here */

/* NodeType of IBA 14.2.5.3 */
enum graph_kind { GRAPH_CA = 1, GRAPH_SWITCH = 2, GRAPH_ROUTER = 3 };

/* PortState and PortPhysicalState of IBA 14.2.5.6 that matter here */
enum graph_state {
	GRAPH_STATE_NONE,
	GRAPH_STATE_DOWN,
	GRAPH_STATE_INIT,
	GRAPH_STATE_ARMED,
	GRAPH_STATE_ACTIVE
};
#define GRAPH_PHYS_LINK_UP 5

#define GRAPH_ENFORCES_IN 1u
#define GRAPH_ENFORCES_OUT 2u

struct graph_port {
	uint64_t guid; /* of CA ports and port 0 of switches, else 0 */
	uint32_t node;
	uint32_t peer;     /* the port at the other end; GRAPH_NONE */
	uint32_t seen;     /* the pass that met its link last */
	uint32_t looked;   /* the pass that read its PortInfo last */
	uint32_t cap_mask; /* PortInfo.CapabilityMask */
	uint16_t lid;      /* as the port itself says; 0: none */
	uint16_t sm_lid;
	uint8_t number;
	uint8_t lmc;
	uint8_t state;   /* enum graph_state */
	uint8_t phys;    /* GRAPH_PHYS_LINK_UP or another */
	uint8_t width;   /* LinkWidthActive */
	uint8_t speed;   /* LinkSpeedActive */
	uint8_t mtu_cap; /* 1: 256 ... 5: 4096 */
	uint8_t mtu;     /* NeighborMTU */
	uint8_t vl_cap;  /* VLCap: 1: VL0, 2: VL0-1, 3: VL0-3, 4: VL0-7, ... */
	uint8_t op_vls;  /* OperationalVLs, coded like vl_cap */
	uint8_t errors;  /* LocalPhyErrors << 4 | OverrunErrors */
	uint8_t guid_cap;
	bool known;       /* PortInfo has been read */
	bool isolated;    /* its link is not used */
	uint8_t flaps;    /* link losses lately */
	bool served;      /* reported as in service (trap 64) */
	bool reregister;  /* a CA port that has to hear of a new SA */
	bool has_m_key;   /* ours was set */
	bool doubted;     /* its end of a link contradicted the other's */
	bool refused;     /* a Set; not tried again before a full pass */
	bool no_keys;     /* it refused its P_Keys */
	uint8_t enforces; /* bits GRAPH_ENFORCES_*: of partitions, as it says */
	uint32_t keys;    /* of what P_Keys were set; 0: none */
	uint32_t qos;     /* of what SL2VL and VLArb were set; 0: none */
};

struct graph_node {
	uint64_t guid;
	uint64_t sys_guid;
	uint32_t first_port; /* index of port 0 */
	uint32_t sw;         /* number among switches; GRAPH_NONE */
	uint32_t seen;       /* the sweep that met it last */
	uint32_t way;        /* port by which the SM's packets come in */
	uint16_t hops;       /* of that way */
	uint16_t lft_cap;    /* switches: LinearFDBCap, LinearFDBTop */
	uint16_t lft_top;
	uint16_t mft_cap;
	uint16_t partition_cap;
	uint16_t device_id;
	uint32_t vendor_id;
	uint32_t revision;
	uint8_t kind; /* enum graph_kind */
	uint8_t n_ports;
	bool present;
	bool suspect; /* ways through it are the last choice */
	bool enhanced_port0;
	char desc[GRAPH_DESC + 1];
};

struct graph {
	struct graph_node *node;
	struct graph_port *port;
	uint32_t *by_guid;     /* hash of node numbers */
	uint32_t *switch_node; /* node of each switch */
	uint32_t n_nodes, room_nodes;
	uint32_t n_ports, room_ports;
	uint32_t n_switches;
	uint32_t hash_room;
	uint32_t self; /* the SM's own port; GRAPH_NONE before discovery */
};

void graph_init(struct graph *g);
void graph_fini(struct graph *g);

/* @return the number of the node with this GUID, or GRAPH_NONE. */
uint32_t graph_find(const struct graph *g, uint64_t guid);

/*
 * Add a node, or bring back one that was there before: it is present and none
 * of its ports has a link.  One that comes back with another kind or number
 * of ports gets new ports.
 *
 * @return 0, with the node's number in *out; -ENOMEM, -ENOSPC.
 */
int graph_add(struct graph *g, uint64_t guid, enum graph_kind kind,
              uint8_t n_ports, uint32_t *out);

/* The node is gone; its links are too. */
void graph_drop(struct graph *g, uint32_t node);

/* Both ports lose whatever link they had. */
void graph_link(struct graph *g, uint32_t a, uint32_t b);
void graph_unlink(struct graph *g, uint32_t port);

/* Index of port `number` of a node; number <= n_ports. */
static inline uint32_t graph_port(const struct graph *g, uint32_t node,
                                  unsigned number)
{
	return g->node[node].first_port + number;
}

/* @return the first port with this port GUID, or GRAPH_NONE; a scan. */
uint32_t graph_find_port(const struct graph *g, uint64_t port_guid);

/*
 * Breadth-first from the SM's own port over the links that are there: sets
 * `way` and `hops` of every node (hops UINT16_MAX: not reached), so that
 * directed routes can be built.  Nodes that are `suspect` are passed through
 * only where there is no other way.
 *
 * @return how many present nodes are reached.
 */
uint32_t graph_find_ways(struct graph *g);

/*
 * The directed route to a node: path[1..hops] are the ports to leave by, as in
 * IBA 14.2.1.2; path[0] is 0.
 *
 * @return hops, or -EHOSTUNREACH; -E2BIG: longer than 63.
 */
int graph_path(const struct graph *g, uint32_t node, uint8_t path[64]);

/* The port that stands for a node: port 0 of a switch; NULL number: a CA has
 * none of its own, so its lowest port with a link, or port 1. */
uint32_t graph_main_port(const struct graph *g, uint32_t node);

#endif /* SUBNET_GRAPH_H */
