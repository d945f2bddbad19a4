/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric/auth - two nodes prove to each other that they have the cluster's
 * key, before anything else is said on a connection.
 *
 * Concept.  A handshake is a state machine over bytes: its owner feeds what
 * arrives and sends what is pending, over any transport.  It knows no socket,
 * no clock and no reactor; fabric/auth_gate has the time limit and the bound
 * on how many handshakes are under way.  Messages: fabric/auth_wire.h.
 *
 *   dialler   WAIT_CHALLENGE ----------> WAIT_WELCOME ----> DONE
 *   acceptor  WAIT_HELLO -> WAIT_PROOF -------------------> DONE
 *                     any of these -> REFUSED
 *
 * Each proof is an HMAC-SHA-256 under a key derived from the cluster's, over
 * the prover's role, HELLO and CHALLENGE as they were sent and received
 * (versions, options, methods, nonces, the dialler's identity and whom it
 * expects), what the connection is bound to, and, for the acceptor, its own
 * identity.  Changing any byte of these on the way makes the proofs fail.
 *
 * What it does not do: it proves who is at the other end when the connection
 * starts.  Somebody who can change packets on the way may add to a plain TCP
 * connection afterwards; where that is to be feared, the link uses TLS
 * (fabric/tls.h).  All nodes of a cluster have the same key: any of them can
 * say that it is another.
 *
 * Threads    One.  Nothing here waits or allocates.
 * Bounds     A handshake is sizeof(struct auth), below 2 KiB, and the peer
 *            can send at most AUTH_BYTES_MAX bytes before it ends.
 *
 * Invariants
 *   A1  DONE is reached only if the peer computed the proof of the other role
 *       under the same key, over the nonce that this side drew for this
 *       handshake (no replay), the same two messages (no downgrade) and the
 *       same binding; with AUTH_INSECURE, only if both sides asked for it;
 *   A2  a node never completes a handshake with its own id (no reflection);
 *   A3  no byte after the handshake's last is taken by auth_feed();
 *   A4  whoever dials us learns, until it has proven itself, our version,
 *       method, binding, options and an enum auth_reason: no name, no id, not
 *       whether its key, its name or its nonce was wrong (a dialler does tell
 *       its name and id to whom it dials);
 *   A5  the acceptor sends nothing derived from the key before the dialler
 *       has proven itself.
 */
#ifndef FABRIC_AUTH_H
#define FABRIC_AUTH_H

#include "fabric/auth_key.h"
#include "fabric/auth_wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUTH_BYTES_MAX (sizeof(struct auth_hello) + sizeof(struct auth_welcome))
#define AUTH_BINDING_LENGTH 32u

struct auth_identity {
	uint8_t id[AUTH_ID_LENGTH]; /* of the node, for ever */
	uint64_t boot;              /* of this start of its process */
	char name[AUTH_NAME_MAX + 1];
};

enum auth_role { AUTH_DIALLER, AUTH_ACCEPTOR };

/* What this side wants; borrowed until the handshake has ended. */
struct auth_terms {
	const struct auth_key *key; /* NULL: --insecure */
	const struct auth_identity *self;
	const char *expect; /* dialler: the node's name; "" or NULL: anyone */
	uint16_t version_min;
	uint16_t version_max; /* of the fabric's protocol */
	uint64_t options;     /* that we can do */
	uint64_t required;    /* of these, without which we won't talk */
	enum auth_binding binding;
	uint8_t bound_to[AUTH_BINDING_LENGTH]; /* zeroes for BIND_NOTHING */
	/* Fill with unguessable bytes, for simulations; NULL: getrandom(). */
	bool (*random)(void *out, size_t length);
};

enum auth_state {
	AUTH_WAIT_HELLO,
	AUTH_WAIT_CHALLENGE,
	AUTH_WAIT_PROOF,
	AUTH_WAIT_WELCOME,
	AUTH_STATE_DONE,    /* what is pending must still be sent */
	AUTH_STATE_REFUSED, /* send what is pending, then close */
};

/* Why a handshake failed, for the log of this side only. */
enum auth_cause {
	AUTH_OK,
	AUTH_CAUSE_GARBAGE,    /* not this protocol, or against its rules */
	AUTH_CAUSE_VERSION,    /* no version in common */
	AUTH_CAUSE_OPTIONS,    /* one lacks an option that the other requires */
	AUTH_CAUSE_METHOD,     /* one is --insecure and the other is not */
	AUTH_CAUSE_BINDING,    /* e.g. TLS on one side only */
	AUTH_CAUSE_PROOF,      /* wrong key, replay, or changed on the way */
	AUTH_CAUSE_OURSELVES,  /* dialled itself, or was reflected */
	AUTH_CAUSE_WRONG_NODE, /* not the name that was dialled */
	AUTH_CAUSE_REFUSED,    /* the peer said so */
	AUTH_CAUSE_BUSY,       /* the peer has too many strangers */
	AUTH_CAUSE_TIME,       /* the time limit; fabric/auth_gate */
	AUTH_CAUSE_CLOSED,     /* the connection ended; fabric/auth_gate */
	AUTH_CAUSE_INTERNAL,   /* no randomness, or OpenSSL failed */
};

struct auth {
	/* for the owner to read */
	enum auth_state state;
	enum auth_cause cause;     /* of AUTH_STATE_REFUSED */
	struct auth_identity peer; /* in AUTH_STATE_DONE, and only then */
	uint16_t version;          /* the same */
	uint64_t options;          /* the same */

	/* auth's own */
	const struct auth_terms *terms;
	enum auth_role role;
	struct auth_hello hello;
	struct auth_challenge challenge;
	struct auth_identity claimed; /* the peer's, not proven yet */
	uint8_t in[AUTH_MESSAGE_MAX];
	unsigned in_length;
	uint8_t out[AUTH_MESSAGE_MAX];
	unsigned out_length, out_sent;
};

/* The dialler's HELLO is pending afterwards. */
void auth_start(struct auth *a, enum auth_role role,
                const struct auth_terms *terms);

/*
 * Take bytes that arrived.  @return how many: fewer than `length` (also 0)
 * once the handshake has ended, or while auth_pending() has something, which
 * must be sent first.
 */
size_t auth_feed(struct auth *a, const void *data, size_t length);

/* What to send: its length in bytes (0: nothing) and where it is. */
size_t auth_pending(const struct auth *a, const void **out);
void auth_sent(struct auth *a, size_t length);

/* End it from outside (time, close); says nothing to the peer. */
void auth_abort(struct auth *a, enum auth_cause cause);

/*
 * What the log says of a cause: what was wrong and what to do; never NULL.
 */
const char *auth_cause_text(enum auth_cause cause);

/* The whole message that tells a stranger that there are too many. */
void auth_encode_busy(struct auth_refused *out);

#endif /* FABRIC_AUTH_H */
