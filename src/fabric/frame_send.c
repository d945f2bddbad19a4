/* SPDX-License-Identifier: BSD-2-Clause */
/* The sending half of a frame lane: operations, answers, control frames. */
#include "fabric/frame_lane_priv.h"

#include "base/iov.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* Kept free of data, for control frames and answers without a body. */
#define RESERVE FRAME_CONTROL_QUEUE

/* A body of this many bytes is worth an entry of its own in the vector, where
 * nothing else would share the buffer and the system call with it. */
#define FRAME_ALONE 1024u

/* One system call: what is in the buffer, and one long body. */
struct large {
	struct iovec iov[FABRIC_IOV_MAX + 1]; /* [0] is for the buffer */
	unsigned n;                           /* entries from [1] on */
	size_t length;                        /* bytes of them; 0: none */
};

/* -- the buffer ----------------------------------------------------------- */

static size_t used(const struct frame_lane *l)
{
	return l->out_end - l->out_start;
}

static bool has_room(const struct frame_lane *l, size_t n)
{
	return l->out_room - used(l) >= n;
}

bool frame_send_has_room(const struct frame_lane *l)
{
	return has_room(l, l->answering ? FRAME_HEADER + FRAME_PIECE + RESERVE
	                                : 4 * FRAME_HEADER);
}

/* There must be room. */
static uint8_t *take(struct frame_lane *l, size_t n)
{
	uint8_t *at;

	if (l->out_room - l->out_end < n) {
		memmove(l->out, l->out + l->out_start, used(l));
		l->out_end = used(l);
		l->out_start = 0;
	}
	at = l->out + l->out_end;
	l->out_end += n;
	assert(l->out_end <= l->out_room);
	return at;
}

static void append_header(struct frame_lane *l, const struct frame *f)
{
	frame_encode(f, (struct fabric_wire_header *)take(l, FRAME_HEADER));
}

bool frame_send_append(struct frame_lane *l, const struct frame *f,
                       const void *body)
{
	if (!has_room(l, FRAME_HEADER + f->length))
		return false;
	append_header(l, f);
	if (f->length)
		memcpy(take(l, f->length), body, f->length);
	return true;
}

static void append_vector(struct frame_lane *l, const struct iovec *iov,
                          unsigned n, size_t length)
{
	iov_to_buffer(iov, n, take(l, length));
}

/* -- the stream ----------------------------------------------------------- */

/* The first `sent` bytes of the long body are gone; keep the others. */
static void keep_rest(struct frame_lane *l, const struct large *g, size_t sent)
{
	struct iovec rest[FABRIC_IOV_MAX];
	int n = iov_slice(g->iov + 1, g->n, sent, g->length - sent, rest,
	                  FABRIC_IOV_MAX);

	append_vector(l, rest, (unsigned)n, g->length - sent);
}

/* @return whether all of it was sent. */
static bool write_out(struct frame_lane *l, struct large *g, bool *any)
{
	size_t before = used(l), length = g ? g->length : 0;
	struct iovec alone;
	struct iovec *iov = g ? g->iov : &alone;
	ssize_t sent;

	iov[0] = (struct iovec){ l->out + l->out_start, before };
	sent = before ? stream_writev(l->stream, iov, g ? g->n + 1 : 1)
	              : stream_writev(l->stream, iov + 1, g ? g->n : 0);
	if (sent < 0 && sent != -EAGAIN) {
		frame_lane_fail(l, (int)sent);
		return false;
	}
	if (sent < 0)
		sent = 0;
	*any |= sent > 0;
	l->lane.stats.bytes_sent += (uint64_t)sent;
	l->turn_left -=
		(uint64_t)sent < l->turn_left ? (uint64_t)sent : l->turn_left;
	if ((size_t)sent < before) {
		l->out_start += (size_t)sent;
		if (length)
			keep_rest(l, g, 0);
		return false;
	}
	l->out_start = l->out_end = 0;
	if ((size_t)sent < before + length) {
		keep_rest(l, g, (size_t)sent - before);
		return false;
	}
	return true;
}

/* -- what an operation sends ---------------------------------------------- */

static struct fabric_op *next_op(const struct frame_lane *l)
{
	return l->next_out == &l->lane.pending
	               ? NULL
	               : list_entry(l->next_out, struct fabric_op, link);
}

static void frame_of(const struct fabric_op *op, struct frame *f)
{
	*f = (struct frame){
		.type = (enum fabric_wire_type)op->opcode,
		.sequence = op->sequence,
		.total = op->length,
		.last = true,
	};
	if (op->opcode == FABRIC_SEND)
		return;
	f->key = op->key;
	f->offset = op->offset;
	if (op->opcode == FABRIC_WRITE_IMM)
		f->immediate = op->immediate;
	if (op->opcode == FABRIC_CAS || op->opcode == FABRIC_FAA)
		f->total = op->operand[0];
	if (op->opcode == FABRIC_CAS)
		f->operand = op->operand[1];
}

/* Its own key is gone: the peer ends the request with what it has. */
static void take_back(struct fabric_op *op, struct frame *f)
{
	op->refused = true;
	if (op->opcode == FABRIC_READ || op->opcode == FABRIC_SEND)
		f->total = 0;
	if (op->opcode != FABRIC_READ)
		f->status = FABRIC_REVOKED;
}

/*
 * Make the next frame of the next operation.
 *
 * @return false: there is none, or no room for it.  A long body is left in
 *         *g, and must be sent before another frame is made.
 */
static bool make_frame(struct frame_lane *l, struct large *g)
{
	struct fabric_op *op = next_op(l);
	struct frame f;
	uint64_t left;

	if (!op || !has_room(l, FRAME_HEADER + FABRIC_PIECE + RESERVE))
		return false;
	frame_of(op, &f);
	if (op->opcode == FABRIC_CAS || op->opcode == FABRIC_FAA ||
	    op->opcode == FABRIC_READ) {
		if (op->allowed && !op->allowed(op) &&
		    op->opcode == FABRIC_READ)
			take_back(op, &f);
		append_header(l, &f);
		l->next_out = l->next_out->next;
		return true;
	}
	left = op->length - op->moved;
	f.length = (uint32_t)left; /* a message stays whole */
	if (op->opcode != FABRIC_SEND) {
		f.length = left < FRAME_PIECE ? (uint32_t)left : FRAME_PIECE;
		f.offset += op->moved;
	}
	g->n = frame_receive_slice(op, op->moved, f.length, g->iov + 1);
	if (g->n == 0 && op->refused) {
		f.length = 0;
		take_back(op, &f);
	}
	f.last = op->refused || f.length == left;
	append_header(l, &f);
	op->moved += f.length;
	if (f.last)
		l->next_out = l->next_out->next;
	if (f.length > FRAME_SMALL)
		g->length = f.length;
	else if (f.length)
		append_vector(l, g->iov + 1, g->n, f.length);
	return true;
}

static bool send_outgoing(struct frame_lane *l)
{
	struct large g;
	bool any = false;

	for (;;) {
		g.n = 0;
		g.length = 0;
		while (!g.length && make_frame(l, &g))
			;
		if (used(l) == 0)
			return any;
		if (!write_out(l, g.length ? &g : NULL, &any))
			return any;
		if (l->turn_left == 0) {
			l->backlog |= next_op(l) != NULL;
			return any;
		}
	}
}

bool frame_send(struct frame_lane *l)
{
	bool any = false;

	if (frame_lane_stopped(l))
		return false;
	if (l->lane.state == LANE_OUTGOING)
		return send_outgoing(l);
	if (used(l))
		write_out(l, NULL, &any);
	return any;
}

/* -- answers to READ ------------------------------------------------------ */

/* The last of its frames; `length` bytes of body follow it. */
static void end_read(struct frame_lane *l, uint64_t offset, uint32_t length)
{
	struct frame answer;

	target_end(l->target, &l->request, NULL, &answer);
	answer.offset = offset;
	answer.length = length;
	append_header(l, &answer);
	l->in_request = l->answering = false;
	l->lane.stats.ops++;
}

static bool is_alone(const struct frame_lane *l, uint32_t length)
{
	return length >= FRAME_ALONE && used(l) == FRAME_HEADER &&
	       l->in_start == l->in_end;
}

/* The next piece; there is room for it. */
static void make_piece(struct frame_lane *l, struct large *g)
{
	struct target_request *q = &l->request;
	uint64_t offset = q->done, left = q->first.total - offset;
	uint32_t length = left < FRAME_PIECE ? (uint32_t)left : FRAME_PIECE;

	g->n = FABRIC_ACCESS_IOV;
	if (!length || !target_place(l->target, q, length, g->iov + 1, &g->n)) {
		end_read(l, offset, 0);
		return;
	}
	target_placed(q, length);
	if (q->done == q->first.total) {
		end_read(l, offset, length);
	} else {
		const struct frame f = { .type = FABRIC_WIRE_ANSWER,
			                 .sequence = q->first.sequence,
			                 .offset = offset,
			                 .length = length };

		append_header(l, &f);
	}
	if (length > FRAME_SMALL || is_alone(l, length))
		g->length = length;
	else
		append_vector(l, g->iov + 1, g->n, length);
}

bool frame_send_read(struct frame_lane *l)
{
	struct large g;
	bool any = false;

	while (l->answering) {
		g.length = 0;
		if (l->turn_left == 0) {
			l->backlog = true;
			return false;
		}
		if (!frame_send_has_room(l) && !write_out(l, NULL, &any)) {
			l->out_is_full = true;
			return false;
		}
		make_piece(l, &g);
		if (g.length && !write_out(l, &g, &any) &&
		    frame_lane_stopped(l))
			return false;
	}
	return true;
}
