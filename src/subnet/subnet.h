/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subnet - the subnet manager.
 *
 * Concept.  One `struct subnet` manages the fabric behind one port.  It keeps a
 * picture of the fabric (graph.h), decides what every port and table should be
 * (lidmap.h, route.h, aggregate.h, mcast.h, policy.h), and sends what differs.
 * Its work is a list of {what, scope, not before}; a *pass* takes everything
 * that is due through these phases:
 *
 *     discover -> adopt -> plan -> ports -> tables -> activate -> hosts
 *         ^                                                         |
 *         +--------------------- more is due -----------------------+
 *
 * A trap puts one switch on the list, so the pass that it causes reads one
 * switch, and writes the blocks that a lost link changes.  Tables are checked
 * before they are sent (route.h).
 *
 * The other half of it answers queries (sa.h), and agrees with other subnet
 * managers on who is master (election.h).
 *
 *      NOT_ACTIVE      DISCOVERING --- no better one ---> MASTER
 *          ^ disable      |  ^                              |
 *          |              |  | master is silent, handover   | handed over, or
 *          +---- STANDBY <+  +----- STANDBY <---------------+ a better master
 *
 * Adoption   A new master reads the tables that switches have and keeps all
 *            that is right, so a takeover changes no working path.
 * Threads    Everything on the port's reactor.
 * Ownership  Options are copied, except the port, which outlives the subnet.
 * Errors     Faults of the fabric are events, by name; never a failed call.
 *
 * Limits     GRAPH_NODES_MAX nodes, GRAPH_SWITCHES_MAX switches;
 *            SUBNET_EVENTS events are remembered.
 *
 * Invariants
 *   N1  nothing is written to the fabric unless we are master;
 *   N2  only what differs from what was read or sent before is sent;
 *   N3  no table is sent that a check refused;
 *   N4  a node that does not answer delays a pass by tries * timeout_ms, once.
 */
#ifndef SUBNET_SUBNET_H
#define SUBNET_SUBNET_H

#include "base/err.h"
#include "subnet/route.h"

#include <stdbool.h>
#include <stdint.h>

#define SUBNET_EVENTS 1024u
#define SUBNET_ALLOW_MAX 32u
#define SUBNET_TEXT 200u
#define SUBNET_LAG_OFF_MAX 256u
#define SUBNET_SM_KEY_DEFAULT 1u /* OpenSM's, too; a secret protects */

struct mad_port;
struct reactor;
struct subnet;

/* What happened, for the log, `events` and metrics. */
enum subnet_event_kind {
	SUBNET_EVENT_STATE, /* our own state */
	SUBNET_EVENT_SWEEP, /* a pass has ended */
	SUBNET_EVENT_NODE_UP,
	SUBNET_EVENT_NODE_DOWN,
	SUBNET_EVENT_LINK_UP,
	SUBNET_EVENT_LINK_DOWN,
	SUBNET_EVENT_ROUTING, /* another engine, or tables refused */
	SUBNET_EVENT_LAG,
	SUBNET_EVENT_FAULT,    /* an inconsistent fabric */
	SUBNET_EVENT_SECURITY, /* keys, a manager that is not welcome */
	SUBNET_EVENT_NO_ANSWER,
	SUBNET_EVENT_POLICY,
	SUBNET_EVENT_KINDS
};

struct subnet_event {
	uint64_t number;  /* from 1, without gaps */
	uint64_t when_ns; /* CLOCK_REALTIME */
	enum subnet_event_kind kind;
	char text[SUBNET_TEXT];
};

/* SMInfo states, as on the wire. */
enum subnet_state {
	SUBNET_NOT_ACTIVE,
	SUBNET_DISCOVERING,
	SUBNET_STANDBY,
	SUBNET_MASTER
};

struct subnet_opts {
	const char *lid_file;    /* NULL: LIDs are not kept over restarts */
	const char *policy_file; /* partitions and QoS, policy.h; NULL: none */
	enum route_engine engine;
	uint64_t subnet_prefix; /* 0: fe80:: */
	uint64_t m_key;         /* 0: none */
	uint64_t sm_key;        /* 0: SUBNET_SM_KEY_DEFAULT */
	uint8_t m_key_protect;  /* 0..3, IBA 14.2.4.1 */
	uint16_t m_key_lease_s;
	uint8_t priority; /* 0..15 */
	uint8_t lmc;      /* of CA ports, 0..7 */
	bool no_lag;      /* aggregate nothing */
	/* Ports whose SMs may be master or hand over to us; 0: any. */
	uint64_t allow[SUBNET_ALLOW_MAX];
	unsigned n_allow;
	/* 0 stands for the value in brackets in all of these */
	unsigned window;         /* SMPs outstanding (64) */
	unsigned timeout_ms;     /* of one try (200) */
	unsigned tries;          /* (4) */
	unsigned light_sweep_ms; /* (2000) */
	unsigned heavy_sweep_ms; /* (300,000) */
	unsigned poll_ms;        /* standby asks the master (300) */
	unsigned poll_tries;     /* (3): then it takes over */
	unsigned virtual_cap;    /* LIDs that all switches route (30,720) */

	/* May be NULL; may not destroy. */
	void (*event)(void *arg, const struct subnet_event *e);
	void (*stopped)(void *arg); /* subnet_stop() is complete */
	void *arg;
};

/*
 * Begin to discover.  @return 0; -ENOMEM, -EBUSY (another manager has the
 * port), -EINVAL and others for a file that cannot be used.
 */
int subnet_create(struct reactor *r, struct mad_port *p,
                  const struct subnet_opts *o, struct subnet **out,
                  struct err *e);

/* Cancel all work; opts.stopped follows, never from inside. */
void subnet_stop(struct subnet *s);
/* After `stopped`.  NULL is allowed. */
void subnet_destroy(struct subnet *s);

/* -- asking for work ------------------------------------------------------- */

/* Look at everything again. */
void subnet_sweep(struct subnet *s);

/*
 * Read the policy file again.  A bad one is refused and the last good one
 * stays in force.  @return 0; -EINVAL with the line and why.
 */
int subnet_reload(struct subnet *s, struct err *e);

/*
 * Whether to aggregate a host, by its system image GUID; all that can are, at
 * first.  One that is not has no virtual LID, and is told so.  A host that is
 * not known yet may be named.
 *
 * @return 0; -ENOSPC: SUBNET_LAG_OFF_MAX hosts are not; with words.
 */
int subnet_lag_want(struct subnet *s, uint64_t sys_guid, bool wanted,
                    struct err *e);
bool subnet_lag_wanted(const struct subnet *s, uint64_t sys_guid);

/* -- looking --------------------------------------------------------------- */

struct subnet_status {
	enum subnet_state state;
	uint64_t guid;        /* of our port */
	uint64_t master_guid; /* 0: unknown */
	uint16_t lid;
	uint8_t priority;
	bool settled; /* nothing is due or under way, and we are master */
	unsigned nodes, switches, links, lags;
	enum route_engine engine;
	unsigned lanes;
	const char *why; /* route.why */
	uint64_t passes;
	uint64_t last_pass_ns; /* how long it took */
	uint64_t last_pass_smps;
	uint64_t first_pass_ns; /* from the first SMP to a ready fabric */
	uint64_t smps_sent, smps_retried, smps_lost;
	uint64_t traps, sa_queries, sa_refused;
	uint64_t not_sent; /* blocks that switches still lack */
};

void subnet_status(const struct subnet *s, struct subnet_status *out);

const char *subnet_state_name(enum subnet_state state);
const char *subnet_event_name(enum subnet_event_kind kind);

/* Events after number `after`, oldest first.  @return how many were copied. */
unsigned subnet_events(const struct subnet *s, uint64_t after,
                       struct subnet_event *out, unsigned n);

#endif /* SUBNET_SUBNET_H */
