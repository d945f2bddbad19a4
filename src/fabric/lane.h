/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric/lane - one transport connection over one link.
 *
 *      dial          up           handshake ok, lane_open()
 *    ------> CONNECTING --> GREETING -----------------------> OUTGOING
 *                 |            |  \                              |
 *     accept      |            |   '------------> INCOMING       |
 *    -------------------------'                      |           |
 *                 |  error, end, bad frame           |           |
 *                 '------------> FAILED <------------'-----------'
 *                                  | owner: destroy
 *
 * Concept.  A lane carries requests one way: from the side that dialled
 * (OUTGOING) to the side that accepted (INCOMING), and answers and control
 * frames back.  Two kinds stand behind this vtable: the frame lane, our
 * framing over a stream (fabric/frame_lane.h), and the verbs lane.  While it
 * is GREETING it only carries control frames, and holds no more than
 * FABRIC_WIRE_CONTROL_MAX and a header each way.
 *
 * Operations that were submitted and not answered stand in `pending` in the
 * order of their submission.  When a lane has failed, or is given up, its
 * owner takes them with lane_take_pending() and destroys it.
 *
 * Invariants
 *   N1  answers come in the order of submission; completed() runs for the
 *       first of `pending`, which was taken off it just before;
 *   N2  nothing is executed at the target out of the order of submission,
 *       and nothing of a later request is executed before the earlier has
 *       its answer;
 *   N3  after destroy() no byte that arrives on the connection reaches
 *       memory of this side, neither an operation's nor a region's;
 *   N4  no owner's function runs inside submit, control, open or destroy,
 *       and none after failed() or destroy();
 *   N5  an owner's function may destroy the lane.
 */
#ifndef FABRIC_LANE_H
#define FABRIC_LANE_H

#include "base/list.h"
#include "fabric/frame.h"
#include "fabric/op.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lane;
struct reactor;
struct target;

enum lane_state {
	LANE_CONNECTING, /* dialled, no answer yet */
	LANE_GREETING,   /* connected; authentication and JOIN */
	LANE_OUTGOING,   /* ours: we ask, the peer answers */
	LANE_INCOMING,   /* the peer's: it asks, we answer */
	LANE_FAILED,     /* failed() has been called or will be, soon */
};

struct lane_ops {
	enum fabric_scheme scheme; /* FABRIC_TCP, ..., what is shown */

	/* Leave GREETING: allocate what a working lane needs.  `target` is
	 * whom requests are for; NULL: OUTGOING.
	 * @return 0; -ENOMEM. */
	int (*open)(struct lane *l, struct target *target);

	/* Send a control frame (AUTH .. UNMAP) between two others.
	 * @return 0; -ENOBUFS: too many wait already; -EMSGSIZE. */
	int (*control)(struct lane *l, const struct frame *f, const void *body);

	/* OUTGOING: append to `pending` and send; op->sequence is set. */
	void (*submit)(struct lane *l, struct fabric_op *op);

	/* Have everything that was not answered in `pending`; see
	 * lane_take_pending().  NULL: it always is there. */
	void (*gather)(struct lane *l);

	/* Bytes sent and not acknowledged by the peer's machine; see
	 * stream_ops.unacknowledged.  Nothing else: progress is seen by its
	 * fall. */
	uint64_t (*unacknowledged)(struct lane *l);

	/* Both ends' addresses; @return 0; -ENOTCONN; -EAFNOSUPPORT (sim). */
	int (*addresses)(struct lane *l, struct sockaddr_storage *local,
	                 struct sockaddr_storage *peer);

	/* TLS's exported keying material, for AUTH_BIND_TLS.  NULL: no TLS.
	 * @return 0 or a negative errno. */
	int (*binding)(struct lane *l, uint8_t out[32]);

	/* INCOMING: `key` was revoked; returns when no hardware of this lane
	 * will touch its memory any more.  NULL: no hardware does. */
	void (*revoked)(struct lane *l, const struct fabric_key *key);

	/* Close and free; `pending` must be empty. */
	void (*destroy)(struct lane *l);
};

/* Whom a lane tells; all run on the reactor (N4). */
struct lane_owner {
	void (*up)(struct lane *l); /* CONNECTING -> GREETING */
	/* A control frame; body is gone after the call.  PING is answered by
	 * the lane itself. */
	void (*control)(struct lane *l, const struct frame *f,
	                const void *body);
	void (*completed)(struct lane *l, struct fabric_op *op,
	                  enum fabric_status status);
	/* -ECONNREFUSED, -ECONNRESET, -EPIPE (orderly end), -EBADMSG (a bad
	 * frame), -EPROTO (a frame that may not come now), ... */
	void (*failed)(struct lane *l, int err);
};

struct lane_stats {
	uint64_t ops;        /* answered, or served */
	uint64_t bytes_sent; /* on the transport */
	uint64_t bytes_received;
	uint64_t bad_frames;
};

struct lane {
	const struct lane_ops *ops;
	const struct lane_owner *owner; /* set before the reactor runs again */
	void *owner_data;
	struct reactor *reactor;
	enum lane_state state;
	enum fabric_class class; /* set by the owner before open */
	struct list pending;     /* struct fabric_op.link */
	unsigned n_pending;
	uint64_t pending_bytes; /* of data, of what is in `pending` */
	uint64_t heard_ns;      /* when bytes last came in */
	struct lane_stats stats;
};

static inline int lane_open(struct lane *l, struct target *target)
{
	return l->ops->open(l, target);
}

static inline int lane_control(struct lane *l, const struct frame *f,
                               const void *body)
{
	return l->ops->control(l, f, body);
}

static inline void lane_submit(struct lane *l, struct fabric_op *op)
{
	l->ops->submit(l, op);
}

/* Everything that was not answered, behind what is in `to`; for whoever is
 * about to destroy the lane. */
static inline void lane_take_pending(struct lane *l, struct list *to)
{
	if (l->ops->gather)
		l->ops->gather(l);
	list_splice(to, &l->pending);
	l->n_pending = 0;
}

/* NULL is allowed. */
static inline void lane_destroy(struct lane *l)
{
	if (l)
		l->ops->destroy(l);
}

#endif /* FABRIC_LANE_H */
