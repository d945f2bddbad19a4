/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric/session - the outgoing half of a pair of nodes.
 *
 * Concept.  A session carries this node's operations to one peer, over all
 * links to it at once, and lives as long as the node knows the peer.  Its
 * lanes are dialled by this node; the peer has a session of its own for the
 * other direction.
 *
 *                  a lane is up
 *      CONNECTING -------------> UP
 *          ^                    |  | silence for lost_after_ms, peer's
 *          |     every lane is  |  | process ended or was restarted
 *          '-------- gone ------'  |
 *                                  v     a lane is up
 *      (CONNECTING too, after      LOST -------------> UP
 *       lost_after_ms)
 *
 * CONNECTING queues what is submitted, LOST refuses it with PEER_LOST; both
 * keep dialling.
 *
 * Suspicion  A lane on which something is outstanding and nothing moved for
 *            half of deadline_ms gets a PING, and so do all others.  At
 *            deadline_ms, if another lane has answered and this one still
 *            has not moved, it is dead: it is closed here,
 *            FENCE is sent on a live lane, and when the peer has confirmed
 *            that it closed its end, the unanswered operations are sent
 *            again, elsewhere, with their old sequence numbers.  If nothing
 *            answers, the peer is busy or all is cut: the session waits and
 *            dials beside the silent lanes.
 *
 * Bounds     SESSION_WINDOW operations of a class in flight; more wait in
 *            lists and cost nothing.  SESSION_LINKS links; SESSION_FLOWS
 *            groups of flows per class.
 *
 * Invariants (beside those of fabric/op.h)
 *   S1  an operation is on at most one lane; it is given to another only
 *       after the peer has confirmed that it reads the first no more, or a
 *       peer that was restarted cannot have it;
 *   S2  a sequence number names one operation for the life of the session's
 *       epoch; the peer executes it at most once;
 *   S3  in the life of an epoch the lowest unanswered number of a class is
 *       more than every number in flight less SESSION_WINDOW, so the peer
 *       needs to remember no more;
 *   S4  one silent link delays operations by deadline_ms and one exchange
 *       with the peer, not more.
 */
#ifndef FABRIC_SESSION_H
#define FABRIC_SESSION_H

#include "fabric/address.h"
#include "fabric/op.h"

#define SESSION_WINDOW 1024u
#define SESSION_LINKS 16u
#define SESSION_FLOWS 256u

struct histogram;
struct session;

struct session_opts {
	unsigned deadline_ms;   /* 0: 50 */
	unsigned keepalive_ms;  /* 0: 500 */
	unsigned lost_after_ms; /* 0: 5000 */
};

enum session_state { SESSION_CONNECTING, SESSION_UP, SESSION_LOST };

void session_submit(struct session *s, struct fabric_op *op);

enum session_state session_state(const struct session *s);

/* -- what the operator sees ----------------------------------------------- */

struct session_stats {
	uint64_t ops;    /* ended, by whatever status */
	uint64_t failed; /* of these, not FABRIC_OK */
	uint64_t resent;
	uint64_t lanes_lost; /* died while in use */
	uint64_t fences;     /* sent */
	uint64_t restarts;   /* of the peer */
	uint64_t bytes_read;
	uint64_t bytes_written;
	unsigned in_flight;
	unsigned waiting;
	uint64_t longest_gap_ns; /* between two answers with work outstanding */
};

void session_stats(const struct session *s, struct session_stats *out);

/* How long operations took that ended well, submit to done(); to within an
 * iteration of the reactor.  Lives as long as the session. */
const struct histogram *session_latency(const struct session *s,
                                        enum fabric_class class);

enum session_link_state {
	SESSION_LINK_DOWN,    /* dialling */
	SESSION_LINK_SUSPECT, /* a lane of it is silent */
	SESSION_LINK_UP,      /* a lane for each class */
};

struct session_link_info {
	struct fabric_address address;
	enum session_link_state state;
	unsigned lanes; /* that are up, of FABRIC_CLASSES */
	uint64_t ops;
	uint64_t bytes_sent; /* over all lanes that it ever had */
	uint64_t bytes_received;
	uint64_t times_lost;
	const char *why; /* why it is down, in words; "" when it is not */
};

/* @return links, at most SESSION_LINKS. */
unsigned session_links(const struct session *s,
                       struct session_link_info out[SESSION_LINKS]);

const char *session_state_name(enum session_state state);
const char *session_link_state_name(enum session_link_state state);

#endif /* FABRIC_SESSION_H */
