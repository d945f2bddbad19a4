/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric/node - this host's end of the fabric: identity, listeners, peers.
 *
 * Concept.  A node has a name, which is its virtual address: all that others
 * use is the name, whatever links lie below it.  It has an id of 128 random
 * bits for life and a boot number that grows with each start of its process.
 * A peer is another node; struct fabric_peer is its handle, for services and
 * for control.  A new node listens nowhere and knows nobody.
 *
 * A connection is nothing but a lane in GREETING until
 *
 *     dialler                      acceptor
 *        AUTH <--------------------> AUTH    fabric/auth.h's messages
 *        JOIN ---------------------->        epoch, lane, class
 *        <------------- JOINED or REFUSED
 *
 * AUTH frames are an envelope: the bytes that auth_pending() has go out as
 * bodies of AUTH frames, bodies that come in go to auth_feed().  The proofs
 * are bound to TLS's keying material, else to nothing, because a path may
 * translate addresses.  Strangers are kept in bounds by fabric/auth_gate.h.
 * Without a cluster key a node talks to nobody unless `insecure` is set, and
 * then only to nodes that said the same.
 *
 * JOIN names where the dialler listens, so the acceptor can dial back: a peer
 * that is added on one side is known on both.
 *
 * Threads    All calls on the reactor of the node; other threads post tasks.
 * Bounds     NODE_PEERS peers, NODE_LISTENERS listeners, NODE_LANES incoming
 *            lanes of a peer; connections that are not authenticated yet:
 *            fabric/auth_gate.h.
 *
 * Invariants
 *   D1  a node listens only where node_listen() said;
 *   D2  nothing is allocated for a peer, beyond its connection in GREETING,
 *       before it is authenticated;
 *   D3  a name belongs to one id while it is known: a second node that
 *       claims it is refused;
 *   D4  a JOIN of an older boot or epoch than the one known is refused, so a
 *       connection that was held back ends nothing that is newer.
 */
#ifndef FABRIC_NODE_H
#define FABRIC_NODE_H

#include "base/err.h"
#include "fabric/address.h"
#include "fabric/fabric_wire.h"
#include "fabric/service.h"
#include "fabric/session.h"

#define NODE_NAME 64u /* bytes, with the NUL */
#define NODE_PEERS 64u
#define NODE_LISTENERS FABRIC_WIRE_ADDRESSES
#define NODE_LANES 128u

struct auth_key; /* fabric/auth.h */
struct node;
struct reactor;
struct transport;

struct node_opts {
	struct reactor *reactor;
	const char *name;
	uint8_t id[16];
	uint64_t boot;              /* more than at every earlier start */
	const struct auth_key *key; /* NULL: see insecure; borrowed */
	bool insecure;              /* no authentication; by name only */
	const struct fabric_service *service; /* borrowed */
	struct transport *const *transports;  /* borrowed, as they are */
	unsigned n_transports;
	struct session_opts session; /* for every peer */
};

/* @return 0; -EINVAL, -ENOMEM with words in *e. */
int node_create(const struct node_opts *opts, struct node **out, struct err *e);

/* Ends every operation with FABRIC_CANCELLED: done() runs inside.  What is left
 * is freed by a task: let the reactor run once more before it is destroyed.
 * NULL is allowed. */
void node_destroy(struct node *n);

const char *node_name(const struct node *n);

/* -- listening ------------------------------------------------------------ */

int node_listen(struct node *n, const struct fabric_address *at, struct err *e);
/* @return 0; -ENOENT.  Connections stay. */
int node_unlisten(struct node *n, const struct fabric_address *at);
/* Where it listens, with the real ports.  @return how many. */
unsigned node_listeners(const struct node *n,
                        struct fabric_address out[NODE_LISTENERS]);

/* -- peers ---------------------------------------------------------------- */

/*
 * Know a peer and dial its addresses, one link each, none allowed.  The peer
 * lives until node_peer_remove() or node_destroy().
 *
 * @return 0; -EEXIST; -EINVAL (its name, or our own); -ENOSPC (NODE_PEERS).
 */
int node_peer_add(struct node *n, const char *name,
                  const struct fabric_address *addresses, unsigned n_addresses,
                  struct fabric_peer **out, struct err *e);

/* Ends its operations with FABRIC_CANCELLED, inside. */
void node_peer_remove(struct node *n, struct fabric_peer *p);

/* @return 0; -EEXIST; -ENOSPC (SESSION_LINKS). */
int node_link_add(struct fabric_peer *p, const struct fabric_address *a,
                  struct err *e);
/* Its operations move to other links.  @return 0; -ENOENT. */
int node_link_remove(struct fabric_peer *p, const struct fabric_address *a);

struct fabric_peer *node_peer_find(struct node *n, const char *name);
/* Walk them: NULL begins and ends. */
struct fabric_peer *node_peer_next(struct node *n, struct fabric_peer *after);

const char *node_peer_name(const struct fabric_peer *p);
/* All zeroes until the peer was first reached. */
const uint8_t *node_peer_id(const struct fabric_peer *p);
struct session *node_peer_session(struct fabric_peer *p);
/* For the service's own use; NULL at first. */
void *node_peer_data(const struct fabric_peer *p);
void node_peer_set_data(struct fabric_peer *p, void *data);
/* Whether it was added by node_peer_add() or came by itself. */
bool node_peer_configured(const struct fabric_peer *p);

/* Tell lanes whose hardware moves bytes that `key` is no more; after it has
 * returned no hardware of this host touches its memory (V1). */
void node_revoked(struct node *n, const struct fabric_key *key);

/* -- what the operator sees ----------------------------------------------- */

struct node_stats {
	uint64_t accepted;
	uint64_t refused_auth;  /* wrong key, replay, downgrade */
	uint64_t refused_full;  /* the gate, NODE_PEERS, NODE_LANES */
	uint64_t refused_stale; /* D3, D4 */
	uint64_t timed_out;     /* in the handshake */
	uint64_t bad_frames;
	unsigned greeting; /* connections at the gate now */
};

void node_stats(const struct node *n, struct node_stats *out);

struct node_peer_stats { /* what the peer asks of us */
	uint64_t requests;
	uint64_t repeated; /* answered from memory, not executed again */
	uint64_t refused;  /* by status */
	uint64_t bytes_read;
	uint64_t bytes_written;
	unsigned lanes; /* incoming, now */
};

void node_peer_stats(const struct fabric_peer *p, struct node_peer_stats *out);

#endif /* FABRIC_NODE_H */
