/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of a frame lane, for the files that share it.
 *
 * `out` holds whole frames only, but for the first, of which a part may be
 * sent; so anything may be appended to it at any time.
 */
#ifndef FABRIC_FRAME_LANE_PRIV_H
#define FABRIC_FRAME_LANE_PRIV_H

#include "base/base.h"
#include "core/poller.h"
#include "core/reactor.h"
#include "core/task.h"
#include "fabric/frame_lane.h"
#include "fabric/target.h"

#define FRAME_HEADER sizeof(struct fabric_wire_header)
#define FRAME_GREETING (FRAME_HEADER + FABRIC_WIRE_CONTROL_MAX)

/* Where the bytes that come in are on their way to. */
enum frame_in {
	FRAME_IN_HEADER, /* a header is next */
	FRAME_IN_WHOLE,  /* a body that is taken when all of it is there */
	FRAME_IN_PLACE,  /* a body that goes to memory as it comes */
	FRAME_IN_SKIP,   /* a body that is thrown away */
};

struct frame_lane {
	struct lane lane;
	struct stream *stream;
	struct target *target; /* NULL: OUTGOING, or GREETING */
	struct poller poller;
	struct task task; /* flush; report a failure */
	bool task_queued;
	bool hot;  /* the poller runs */
	bool busy; /* in a turn; it flushes at its end */
	bool gone; /* destroyed in a turn */
	bool reported;
	bool wants_read, wants_write;
	bool backlog; /* there is work that nobody will tell us of */
	int error;    /* of LANE_FAILED */
	uint64_t worked_ns, turn_ns;
	unsigned streak; /* turns with work since it last slept */
	uint64_t turn_left;

	/* receiving */
	uint8_t *in;
	size_t in_room, in_start, in_end;
	enum frame_in in_state;
	struct frame head; /* whose body is coming */
	uint32_t body_left;
	bool large_before; /* the last body went straight to memory */

	/* OUTGOING: sending; the first operation that has frames to send,
	 * &lane.pending: none */
	struct list *next_out;

	/* INCOMING: the request that is being taken or answered */
	struct target_request request;
	bool in_request;  /* between its first frame and its answer */
	bool answering;   /* a READ with pieces to send */
	uint64_t taken;   /* bytes of it, thrown away or not */
	bool out_is_full; /* no frame is taken before some is sent */

	/* sending */
	uint8_t *out;
	size_t out_room, out_start, out_end;

	uint8_t small_in[FRAME_GREETING];
	uint8_t small_out[FRAME_CONTROL_QUEUE];
};

static inline struct frame_lane *frame_lane_of(struct lane *l)
{
	return container_of(l, struct frame_lane, lane);
}

/* No further frames are taken or sent. */
static inline bool frame_lane_stopped(const struct frame_lane *l)
{
	return l->gone || l->lane.state == LANE_FAILED;
}

/* The owner hears of it in a task. */
void frame_lane_fail(struct frame_lane *l, int err);

/* -- frame_send.c --------------------------------------------------------- */

/* Send what there is.  @return whether anything was sent. */
bool frame_send(struct frame_lane *l);

/* Append a frame.  @return false: no room. */
bool frame_send_append(struct frame_lane *l, const struct frame *f,
                       const void *body);

/* Go on with the READ that is being answered.  @return false: it waits for
 * room, or its turn is over. */
bool frame_send_read(struct frame_lane *l);

/* Room for what is next: a piece of the READ that is being answered, else the
 * answer to any other request and a PONG. */
bool frame_send_has_room(const struct frame_lane *l);

/* -- frame_receive.c ------------------------------------------------------ */

/* Take what there is.  @return whether there was anything. */
bool frame_receive(struct frame_lane *l);

/* A part of an operation's vector.  @return entries, at most FABRIC_IOV_MAX;
 * 0: the operation's key is gone. */
unsigned frame_receive_slice(struct fabric_op *op, uint64_t offset,
                             uint64_t length, struct iovec *out);

#endif /* FABRIC_FRAME_LANE_PRIV_H */
