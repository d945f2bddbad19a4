/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * switch/ibnet_topo - which switches, hosts and cables a network is made of.
 *
 * A topology is built node by node and cable by cable, by hand, by
 * switch/ibnet_file.h or by switch/ibnet_make.h, and is then given to
 * ibnet_create(), which copies what it needs.  It holds no state of a running
 * network.
 *
 *   T1  names and node GUIDs are unique; a port has at most one cable; a
 *       cable has two different ports at its ends;
 *   T2  a host's port p has the GUID node GUID + p; a switch has one GUID for
 *       all ports.  No two ports share one, unless they belong to one switch;
 *   T3  node numbers are dense and in the order of the calls.
 */
#ifndef SWITCH_IBNET_TOPO_H
#define SWITCH_IBNET_TOPO_H

#include "base/err.h"

#include <stdint.h>

#define IBNET_NAME_MAX 63u        /* bytes of a node's name */
#define IBNET_DESCRIPTION_MAX 64u /* NodeDescription, which has no NUL */
#define IBNET_HOST_PORTS_MAX 4u   /* IBA allows 254; LAG wants few */
#define IBNET_SWITCH_PORTS_MAX 254u
#define IBNET_NODES_MAX 48000u /* what unicast LIDs there are */
#define IBNET_NO_NODE UINT32_MAX

enum ibnet_kind { IBNET_HOST = 1, IBNET_SWITCH = 2 }; /* NodeInfo:NodeType */

/* Link width and speed, as bits of PortInfo (IBA 1.4, 14.2.5.6). */
#define IBNET_WIDTH_1X 1u
#define IBNET_WIDTH_4X 2u
#define IBNET_WIDTH_8X 4u
#define IBNET_WIDTH_12X 8u
#define IBNET_SPEED_SDR 1u
#define IBNET_SPEED_DDR 2u
#define IBNET_SPEED_QDR 4u

/* What one end of a cable is; ports count from 1. */
struct ibnet_topo_end {
	uint32_t node; /* IBNET_NO_NODE: no cable */
	uint8_t port;
};

struct ibnet_topo_port {
	struct ibnet_topo_end peer;
	uint8_t widths; /* enabled */
	uint8_t speeds;
};

struct ibnet_topo_node {
	char name[IBNET_NAME_MAX + 1];
	char description[IBNET_DESCRIPTION_MAX + 1];
	uint64_t guid;
	uint64_t system_guid;
	uint32_t vendor; /* 24 bits */
	uint16_t device;
	uint8_t kind;        /* enum ibnet_kind */
	uint8_t n_ports;     /* without a switch's port 0 */
	uint32_t first_port; /* topo's */
};

struct ibnet_topo {
	struct ibnet_topo_node *nodes;
	uint32_t n_nodes;
	uint32_t n_switches;
	struct ibnet_topo_port *ports;
	uint32_t n_ports;
	uint32_t n_links;
	/* private to ibnet_topo.c */
	uint32_t nodes_room, ports_room;
	uint32_t *by_name, *by_guid; /* open addressing; node number + 1 */
	uint32_t buckets;
	uint64_t next_guid[3]; /* by kind */
};

/* NULL: no memory. */
struct ibnet_topo *ibnet_topo_create(void);
void ibnet_topo_destroy(struct ibnet_topo *t); /* NULL is allowed */

/* The GUID that the next node of this kind gets; those after it follow. */
void ibnet_topo_set_guid(struct ibnet_topo *t, enum ibnet_kind kind,
                         uint64_t guid);

/*
 * Add a node; its description is its name, its GUID the next of its kind.
 *
 * @param number  set to the node's number
 * @return 0; -EINVAL: a bad name or number of ports; -EEXIST: the name or the
 *         GUID is taken; -ENOSPC: IBNET_NODES_MAX; -ENOMEM; with words.
 */
int ibnet_topo_add(struct ibnet_topo *t, enum ibnet_kind kind, const char *name,
                   unsigned n_ports, uint32_t *number, struct err *e);

/*
 * Put a cable between two ports.
 *
 * @return 0; -EINVAL: no such port, or both ends are the same; -EBUSY: there
 *         is a cable already; with words.
 */
int ibnet_topo_link(struct ibnet_topo *t, struct ibnet_topo_end a,
                    struct ibnet_topo_end b, struct err *e);

/* By name; IBNET_NO_NODE if there is none. */
uint32_t ibnet_topo_find(const struct ibnet_topo *t, const char *name);

/* NULL if the node has no such port.  Ports count from 1. */
struct ibnet_topo_port *ibnet_topo_port(const struct ibnet_topo *t,
                                        uint32_t node, unsigned port);

#endif /* SWITCH_IBNET_TOPO_H */
