/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * switch/ibnet - an InfiniBand subnet in software: switches, hosts, cables.
 *
 * Concept.  Every node has a subnet management agent and a performance agent
 * (IBA 14.2, 16.1) that work on its ports' and tables' real state; nothing is
 * answered from elsewhere.  A management datagram goes from port to port over
 * links that are up: a directed one by its path, a LID-routed one hop by hop
 * through the forwarding tables that were programmed, so a wrong table is
 * felt.  Data packets take the same tables (switch/ibnet_data.h).
 *
 * An *endpoint* is somebody who sends and receives management datagrams at a
 * port, as the kernel's umad does: an SM in this process (switch/ibnet_mad.h)
 * or a client of another process (switch/sim_server.h).
 *
 *      cable ok, both nodes on, neither port disabled
 *              no                      yes: both ends at once
 *    DOWN/Polling <---> INIT/LinkUp --Set--> ARMED --Set or packet--> ACTIVE
 *      ^    ^ Set(Disabled)                                             |
 *      +----+----------------- link lost, or Set(Down) -----------------+
 *
 * A switch tells its SM of each change with trap 128, a port whose capability
 * mask changed with trap 144, and either repeats that until the SM represses
 * it (IBNET_TRAP_*).
 *
 * A management datagram takes no time and no buffer: it is where it goes, or
 * lost, when ibnet_send() returns.
 *
 * Threads    One reactor's thread, or none: see struct ibnet_opts.
 * Ownership  Nodes and ports belong to the network and live as long as it.
 *
 * Invariants
 *   N1  a datagram crosses a link only if both ends are LinkUp, and in state
 *       INIT or better (subnet management), ACTIVE (all else);
 *   N2  a datagram makes at most IBNET_HOPS_MAX hops;
 *   N3  both ends of a link change at the same time;
 *   N4  what a node was told survives cut cables; it forgets all of it when
 *       it is switched off;
 *   N5  an SMP with a wrong M_Key changes nothing, at any protection level.
 */
#ifndef SWITCH_IBNET_H
#define SWITCH_IBNET_H

#include "base/err.h"
#include "base/list.h"
#include "mad/mad.h"
#include "switch/ibnet_topo.h"

#include <stdbool.h>
#include <stdint.h>

#define IBNET_HOPS_MAX 64u
#define IBNET_ENDPOINTS_MAX 1024u
#define IBNET_TRAP_PERIOD_MS 500u /* from one repetition to the next */
#define IBNET_TRAP_REPEATS 10u
#define IBNET_LFT_CAP 49152u
#define IBNET_MFT_CAP 1024u
#define IBNET_PKEYS 64u        /* of a host's port, and a switch's port 0 */
#define IBNET_SWITCH_PKEYS 32u /* of a switch's other ports */
#define IBNET_GUIDS 32u        /* of a host's port */
#define IBNET_LAG_GROUPS 1024u /* of a switch; memory grows with their use */
#define IBNET_LAG_SKIPS 4096u  /* virtual LIDs that a switch keeps marks for */
#define IBNET_MILLION 1000000u

struct reactor;
struct ibnet;
struct ibnet_node;
struct ibnet_port;

struct ibnet_opts {
	/* Whose timers repeat traps and end M_Key leases.  NULL: neither
	 * happens. */
	struct reactor *reactor;
	uint64_t seed; /* of losses */
};

/* The topology is copied.  Cables are in, all nodes on, all links INIT.
 * @return 0; -ENOMEM with words. */
int ibnet_create(const struct ibnet_topo *t, const struct ibnet_opts *o,
                 struct ibnet **out, struct err *e);

/* No endpoint may be attached any more.  NULL is allowed. */
void ibnet_destroy(struct ibnet *net);

/* -- nodes and ports ------------------------------------------------------ */

/* By name, or by description; NULL: there is none. */
struct ibnet_node *ibnet_node(const struct ibnet *net, const char *name);
struct ibnet_node *ibnet_node_at(const struct ibnet *net, uint32_t number);
uint32_t ibnet_node_count(const struct ibnet *net);
/* Ports count from 1; a switch has a port 0 too.  NULL: there is none. */
struct ibnet_port *ibnet_port(const struct ibnet_node *n, unsigned number);

/* "H00000:2" (a host's port; ":1" is meant), "L0000" (a switch's port 0), or
 * "L0000[3]" (any port).  NULL: there is none. */
struct ibnet_port *ibnet_find(const struct ibnet *net, const char *text);

/* What an observer sees; a copy. */
struct ibnet_node_view {
	const char *name;
	uint64_t guid;
	uint8_t kind; /* enum ibnet_kind */
	uint8_t n_ports;
	bool on;
};
struct ibnet_port_view {
	const struct ibnet_node *node;
	const struct ibnet_port *peer; /* NULL: no cable */
	uint8_t number;
	uint8_t state;      /* enum smp_port_state */
	uint8_t phys_state; /* enum smp_phys_state */
	uint16_t lid;       /* 0: none */
	uint64_t guid;
};
void ibnet_view_node(const struct ibnet_node *n, struct ibnet_node_view *out);
void ibnet_view_port(const struct ibnet_port *p, struct ibnet_port_view *out);

/* -- what goes wrong ------------------------------------------------------ */

/* The port's cable.  Harmless where there is none. */
void ibnet_cut(struct ibnet_port *p);
void ibnet_restore(struct ibnet_port *p);

/* Power.  Off: all links are lost and all that it was told (N4). */
void ibnet_set_power(struct ibnet_node *n, bool on);

/* Management datagrams that are lost, or arrive twice, of a million sent. */
void ibnet_set_loss(struct ibnet *net, unsigned lost, unsigned twice);

enum ibnet_fault {
	IBNET_FAULT_DEAF = 1u << 0,     /* its agents answer nothing */
	IBNET_FAULT_LFT_LIES = 1u << 1, /* a switch that confirms LFT blocks
	                                 * and keeps its old ones */
	IBNET_FAULT_NO_LAG = 1u << 2, /* stock: knows none of our attributes */
	IBNET_FAULT_LAG_POLICY = 1u << 3, /* a host whose administrator
	                                   * switched aggregation off */
	IBNET_FAULT_OWN_LANES = 1u << 4,  /* keeps its SL to VL tables, and
	                                   * says so */
};
void ibnet_set_faults(struct ibnet_node *n, unsigned faults);

/* Give a node (and a host's ports) another GUID, which may be taken. */
void ibnet_set_guid(struct ibnet_node *n, uint64_t guid);

/* -- endpoints ------------------------------------------------------------ */

struct ibnet_mad {
	uint16_t slid; /* 0 on sending: the port's own */
	uint16_t dlid; /* MAD_LID_PERMISSIVE: a directed route */
	uint32_t sqp;
	uint32_t dqp;
	uint8_t sl;
	struct mad mad;
};

struct ibnet_endpoint {
	/* the owner's, set before ibnet_attach() */
	/* A datagram has arrived.  Runs within somebody's ibnet_send(), so it
	 * keeps a copy and returns; it may not call ibnet_send(). */
	void (*receive)(struct ibnet_endpoint *ep, const struct ibnet_mad *m);
	/* Whether it takes this request; the first that does gets it. */
	bool (*takes)(struct ibnet_endpoint *ep, const struct mad *request);

	/* the network's */
	struct ibnet *net; /* NULL: detached */
	struct ibnet_port *port;
	struct list link;
	uint16_t id;
	bool is_sm;
};

/* @return 0; -ENOSPC: IBNET_ENDPOINTS_MAX. */
int ibnet_attach(struct ibnet *net, struct ibnet_port *p,
                 struct ibnet_endpoint *ep);
void ibnet_detach(struct ibnet_endpoint *ep); /* harmless when detached */

/*
 * Send from the endpoint's port.  The high 16 bits of a request's TID become
 * the endpoint's number, by which the response finds it; they are zero in
 * what it receives as a response.
 */
void ibnet_send(struct ibnet_endpoint *ep, const struct ibnet_mad *m);

/* PortInfo:CapabilityMask.IsSM of its port is on while any endpoint's is. */
void ibnet_set_sm(struct ibnet_endpoint *ep, bool on);

/* -- what happened -------------------------------------------------------- */

struct ibnet_stats {
	uint64_t mads_sent;      /* by endpoints */
	uint64_t mads_delivered; /* to endpoints */
	uint64_t mads_answered;  /* by agents */
	uint64_t mads_lost;      /* by ibnet_set_loss() */
	uint64_t mads_twice;
	uint64_t mads_no_route; /* a link down, no LFT entry, a bad path */
	uint64_t mads_unclaimed;
	uint64_t mads_bad_m_key;
	uint64_t traps_sent; /* repetitions counted */
	uint64_t traps_repressed;
	uint64_t links_lost; /* cables, not ends */
	uint64_t links_up;
};
void ibnet_get_stats(const struct ibnet *net, struct ibnet_stats *out);

#endif /* SWITCH_IBNET_H */
