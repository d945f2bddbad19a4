/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of a node, for the files that share it. */
#ifndef FABRIC_NODE_PRIV_H
#define FABRIC_NODE_PRIV_H

#include "base/base.h"
#include "core/timer.h"
#include "fabric/auth.h"
#include "fabric/auth_gate.h"
#include "fabric/greeting.h"
#include "fabric/node.h"
#include "fabric/target.h"
#include "fabric/transport.h"

/* A connection that was accepted and has not joined. */
struct arrival {
	struct list link; /* node.arrivals */
	struct node *node;
	struct lane *lane;
	struct greeting greeting;
	bool refused; /* REFUSED was sent; the dialler closes */
};

/* A lane of a peer, which asks. */
struct incoming {
	struct list link; /* fabric_peer.incoming */
	struct fabric_peer *peer;
	struct lane *lane;
	uint64_t number;
};

struct fabric_peer {
	struct list link; /* node.peers */
	struct node *node;
	char name[NODE_NAME];
	uint8_t id[16];
	bool has_id;
	bool configured;
	bool reached; /* what the service was told */
	void *data;
	struct session *session;

	/* what it asks of us */
	struct target *target; /* of the epoch below; NULL: none yet */
	uint64_t boot, epoch;
	struct list incoming;
	unsigned n_incoming;
	struct target_stats past; /* of targets that are gone */
};

struct node {
	struct node_opts opts;
	struct auth_identity self;
	struct auth_gate gate;
	struct list peers;
	unsigned n_peers;
	struct list arrivals;
	struct transport_listener *listeners[NODE_LISTENERS];
	unsigned n_listeners;
	struct timer sweep;  /* incoming lanes that went silent */
	uint64_t refusal_ns; /* when one was logged; 0: never */
	unsigned unlogged;   /* refusals since */
	struct node_stats stats;
};

/* -- node.c --------------------------------------------------------------- */

/* NULL: the node may not use it. */
struct transport *node_transport(struct node *n, enum fabric_scheme scheme);
/* What every handshake of this node wants. */
void node_terms(struct node *n, struct auth_terms *out);
/* @return NULL: NODE_PEERS, or no memory. */
struct fabric_peer *node_peer_new(struct node *n, const char *name);
/* The session can, or can no longer, reach the peer. */
void node_peer_reached(struct node *n, struct fabric_peer *p, bool up);
/* Whether it has this id, or none yet; take it for its own. */
bool node_peer_is(const struct fabric_peer *p, const uint8_t id[16]);
void node_peer_adopt(struct fabric_peer *p, const uint8_t id[16]);
/* Count why a handshake failed. */
void node_count_cause(struct node *n, enum auth_cause cause);

/* -- node_accept.c -------------------------------------------------------- */

void node_accept(struct transport_listener *l, struct lane *lane);
/* Close all arrivals. */
void node_accept_close_all(struct node *n);
/* Close what the peer asks through, and forget what it asked. */
void node_accept_drop(struct fabric_peer *p);
void node_accept_sweep(struct timer *t);

#endif /* FABRIC_NODE_PRIV_H */
