/* SPDX-License-Identifier: BSD-2-Clause */
/* The receiving half of a frame lane. */
#include "fabric/frame_lane_priv.h"

#include "base/iov.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* Bytes asked for while long bodies are coming, so that few of them go
 * through the buffer. */
#define GLANCE 4096u

static size_t buffered(const struct frame_lane *l)
{
	return l->in_end - l->in_start;
}

static struct fabric_op *first_pending(const struct frame_lane *l)
{
	return list_entry(l->lane.pending.next, struct fabric_op, link);
}

/* -- control frames ------------------------------------------------------- */

enum {
	GREETING = 1u << LANE_GREETING,
	OUTGOING = 1u << LANE_OUTGOING,
	INCOMING = 1u << LANE_INCOMING,
};

/* In which states of the lane a control frame may come. */
static const uint8_t control_states[] = {
	[FABRIC_WIRE_AUTH] = GREETING,   [FABRIC_WIRE_JOIN] = GREETING,
	[FABRIC_WIRE_JOINED] = GREETING, [FABRIC_WIRE_REFUSED] = GREETING,
	[FABRIC_WIRE_PING] = INCOMING,   [FABRIC_WIRE_PONG] = OUTGOING,
	[FABRIC_WIRE_FENCE] = INCOMING,  [FABRIC_WIRE_FENCED] = OUTGOING,
	[FABRIC_WIRE_MAP] = INCOMING,    [FABRIC_WIRE_MAPPED] = OUTGOING,
	[FABRIC_WIRE_UNMAP] = OUTGOING,
};

static void take_control(struct frame_lane *l, const void *body)
{
	const struct frame pong = { .type = FABRIC_WIRE_PONG,
		                    .sequence = l->head.sequence,
		                    .last = true };
	const struct frame f = l->head; /* the owner may destroy the lane */

	if (f.type == FABRIC_WIRE_PING)
		frame_send_append(l, &pong, NULL); /* step() saw to room */
	else
		l->lane.owner->control(&l->lane, &f, body);
}

static bool control_may_come(const struct frame_lane *l)
{
	if (l->head.type >= FABRIC_WIRE_MAP &&
	    l->lane.ops->scheme != FABRIC_VERBS)
		return false;
	return l->head.type < ARRAY_LEN(control_states) &&
	       control_states[l->head.type] & 1u << l->lane.state;
}

/* -- requests: we are the target ------------------------------------------ */

static void answer(struct frame_lane *l, const void *body)
{
	struct frame f;

	target_end(l->target, &l->request, body, &f);
	l->in_request = false;
	l->lane.stats.ops++;
	frame_send_append(l, &f, NULL); /* step() saw to room */
}

static bool begin_request(struct frame_lane *l)
{
	int err = target_begin(l->target, l->lane.class, &l->head, &l->request);

	if (err) {
		frame_lane_fail(l, err);
		return false;
	}
	l->in_request = true;
	l->taken = 0;
	return true;
}

/* A further frame of the request that is coming in. */
static bool continues(const struct frame_lane *l)
{
	const struct frame *first = &l->request.first, *f = &l->head;

	return f->type == first->type && f->sequence == first->sequence &&
	       f->total == first->total && f->immediate == first->immediate &&
	       f->offset == first->offset + l->taken &&
	       memcmp(&f->key, &first->key, sizeof(f->key)) == 0;
}

static void end_of_body(struct frame_lane *l);

static bool begin_write(struct frame_lane *l)
{
	const struct frame *f = &l->head;
	uint64_t left;

	if (l->in_request ? !continues(l) : !begin_request(l)) {
		frame_lane_fail(l, -EPROTO);
		return false;
	}
	left = f->total - l->taken;
	if (f->status != FABRIC_OK && f->last && f->length == 0) {
		if (l->request.status == FABRIC_OK)
			l->request.status = f->status; /* taken back */
		answer(l, NULL);
		return true;
	}
	if (f->status != FABRIC_OK || f->length > left ||
	    f->last != (f->length == left) || (!f->length && !f->last)) {
		frame_lane_fail(l, -EPROTO);
		return false;
	}
	l->in_state = FRAME_IN_PLACE;
	if (f->length == 0)
		end_of_body(l);
	return true;
}

static bool begin_of_request(struct frame_lane *l)
{
	switch ((unsigned)l->head.type) {
	case FABRIC_WIRE_WRITE:
	case FABRIC_WIRE_WRITE_IMM:
		return begin_write(l);
	case FABRIC_WIRE_READ:
		if (l->in_request || !begin_request(l))
			break;
		l->answering = true;
		return true;
	case FABRIC_WIRE_SEND:
		if (l->in_request || !begin_request(l))
			break;
		if (l->head.status)
			l->request.status = l->head.status; /* taken back */
		l->in_state = FRAME_IN_WHOLE;
		return true;
	default: /* CAS, FAA */
		if (l->in_request || !begin_request(l))
			break;
		answer(l, NULL);
		return true;
	}
	frame_lane_fail(l, -EPROTO);
	return false;
}

/* -- answers: we are the initiator ---------------------------------------- */

unsigned frame_receive_slice(struct fabric_op *op, uint64_t offset,
                             uint64_t length, struct iovec *out)
{
	if (op->allowed && !op->allowed(op)) {
		op->refused = true;
		return 0;
	}
	return (unsigned)iov_slice(op->iov, op->n_iov, offset, length, out,
	                           FABRIC_IOV_MAX);
}

static void complete(struct frame_lane *l, enum fabric_status status)
{
	struct fabric_op *op = first_pending(l);

	list_remove(&op->link);
	l->lane.n_pending--;
	l->lane.pending_bytes -= op->length;
	l->lane.stats.ops++;
	if (op->opcode == FABRIC_CAS || op->opcode == FABRIC_FAA)
		op->result = l->head.total;
	if (status == FABRIC_OK && op->refused)
		status = FABRIC_REVOKED;
	l->lane.owner->completed(&l->lane, op, status);
}

static bool begin_answer(struct frame_lane *l)
{
	const struct frame *f = &l->head;
	struct fabric_op *op = first_pending(l);
	bool data;

	/* Only what was wholly sent has an answer. */
	if (list_empty(&l->lane.pending) || l->next_out == &op->link ||
	    f->sequence != op->sequence)
		goto wrong;
	data = op->opcode == FABRIC_READ && f->status == FABRIC_OK;
	if (!data && (f->length || !f->last))
		goto wrong;
	if (!data || (op->refused && f->length == 0 && f->last)) {
		complete(l, f->status);
		return true;
	}
	if (f->offset != op->moved || f->length > op->length - op->moved ||
	    f->last != (f->length == op->length - op->moved) ||
	    (!f->length && !f->last))
		goto wrong;
	l->in_state = FRAME_IN_PLACE;
	if (f->length == 0)
		end_of_body(l);
	return true;
wrong:
	frame_lane_fail(l, -EPROTO);
	return false;
}

/* -- bodies --------------------------------------------------------------- */

static void end_of_body(struct frame_lane *l)
{
	l->in_state = FRAME_IN_HEADER;
	if (l->target) {
		l->taken += l->head.length;
		if (l->head.last)
			answer(l, NULL);
	} else if (l->head.last) {
		complete(l, l->head.status);
	}
}

/* Where the next bytes of the body go.  @return entries; 0: nowhere. */
static unsigned destination(struct frame_lane *l, uint32_t length,
                            struct iovec *out)
{
	unsigned n = FABRIC_ACCESS_IOV;

	if (!l->target)
		return frame_receive_slice(
			first_pending(l), first_pending(l)->moved, length, out);
	return target_place(l->target, &l->request, length, out, &n) ? n : 0;
}

static void placed(struct frame_lane *l, uint32_t length)
{
	l->body_left -= length;
	if (l->target)
		target_placed(&l->request, length);
	else
		first_pending(l)->moved += length;
	if (l->body_left == 0)
		end_of_body(l);
}

static bool place_buffered(struct frame_lane *l)
{
	struct iovec iov[FABRIC_IOV_MAX];
	uint32_t length = l->body_left;
	unsigned n;

	if (buffered(l) == 0)
		return false;
	if (length > buffered(l))
		length = (uint32_t)buffered(l);
	n = destination(l, length, iov);
	if (n == 0) {
		l->in_state = FRAME_IN_SKIP;
		return true;
	}
	iov_from_buffer(iov, n, l->in + l->in_start);
	l->in_start += length;
	if (l->head.length <= FRAME_SMALL)
		l->large_before = false;
	placed(l, length);
	return true;
}

static bool skip_buffered(struct frame_lane *l)
{
	size_t length = l->body_left;

	if (buffered(l) == 0)
		return false;
	if (length > buffered(l))
		length = buffered(l);
	l->in_start += length;
	l->body_left -= (uint32_t)length;
	if (!l->target)
		first_pending(l)->moved += length;
	if (l->body_left == 0)
		end_of_body(l);
	return true;
}

static bool take_whole(struct frame_lane *l)
{
	const uint8_t *body = l->in + l->in_start;

	if (buffered(l) < l->body_left)
		return false;
	l->in_start += l->body_left;
	l->in_state = FRAME_IN_HEADER;
	if (frame_is_request(&l->head))
		answer(l, body);
	else
		take_control(l, body);
	return true;
}

/* -- the loop ------------------------------------------------------------- */

static bool begin_frame(struct frame_lane *l)
{
	const struct fabric_wire_header *h =
		(const void *)(l->in + l->in_start);

	if (buffered(l) < FRAME_HEADER)
		return false;
	if (frame_decode(h, &l->head)) {
		frame_lane_fail(l, -EBADMSG);
		return false;
	}
	l->in_start += FRAME_HEADER;
	l->body_left = l->head.length;
	if (l->lane.state == LANE_INCOMING && frame_is_request(&l->head))
		return begin_of_request(l);
	if (l->lane.state == LANE_OUTGOING &&
	    l->head.type == FABRIC_WIRE_ANSWER)
		return begin_answer(l);
	if (!control_may_come(l)) {
		frame_lane_fail(l, -EPROTO);
		return false;
	}
	l->in_state = FRAME_IN_WHOLE;
	return true;
}

/* One thing with what is in the buffer.  @return false: there is none. */
static bool step(struct frame_lane *l)
{
	if (frame_lane_stopped(l))
		return false;
	if (l->answering)
		return frame_send_read(l);
	switch (l->in_state) {
	case FRAME_IN_HEADER:
		/* A whole frame later is one answer or PONG at most. */
		if (l->lane.state == LANE_INCOMING && !frame_send_has_room(l)) {
			frame_send(l);
			l->out_is_full = !frame_send_has_room(l);
			if (l->out_is_full)
				return false;
		}
		return begin_frame(l);
	case FRAME_IN_WHOLE:
		return take_whole(l);
	case FRAME_IN_PLACE:
		return place_buffered(l);
	case FRAME_IN_SKIP:
		return skip_buffered(l);
	}
	return false;
}

/* Room behind what is in the buffer. */
static struct iovec tail(struct frame_lane *l)
{
	if (l->in_start == l->in_end) {
		l->in_start = l->in_end = 0;
	} else if (l->in_room - l->in_end < l->in_room / 2) {
		memmove(l->in, l->in + l->in_start, buffered(l));
		l->in_end = buffered(l);
		l->in_start = 0;
	}
	return (struct iovec){ l->in + l->in_end, l->in_room - l->in_end };
}

/* Whether it is better to look at a header first. */
static bool expects_large(const struct frame_lane *l)
{
	return l->large_before && l->in_state == FRAME_IN_HEADER &&
	       buffered(l) == 0 && l->in_room > FRAME_GREETING;
}

/* @return bytes that came, or as readv; *full: there may be more. */
static ssize_t fetch(struct frame_lane *l, bool *full)
{
	struct iovec iov[FABRIC_IOV_MAX + 1];
	struct iovec *end = iov;
	uint32_t direct = 0;
	size_t asked;
	ssize_t got;

	if (l->in_state == FRAME_IN_PLACE &&
	    (l->head.length > FRAME_SMALL || l->large_before)) {
		unsigned n = destination(l, l->body_left, iov);

		if (n == 0)
			l->in_state = FRAME_IN_SKIP;
		else
			direct = l->body_left;
		end += n;
	}
	*end = tail(l);
	if (direct && !l->head.last)
		end->iov_len = FRAME_HEADER;
	else if (direct || expects_large(l))
		end->iov_len = GLANCE;
	asked = direct + end->iov_len;
	got = stream_readv(l->stream, iov, (unsigned)(end - iov) + 1);
	*full = got > 0 && (size_t)got == asked;
	if (got <= 0)
		return got;
	if (direct > (size_t)got)
		direct = (uint32_t)got;
	l->in_end += (size_t)got - direct;
	if (direct) {
		l->large_before = true;
		placed(l, direct);
	}
	return got;
}

static bool receive_some(struct frame_lane *l, bool *full)
{
	ssize_t got = fetch(l, full);

	if (got == -EAGAIN)
		return false;
	if (got <= 0) {
		frame_lane_fail(l, got == 0 ? -EPIPE : (int)got);
		return true;
	}
	l->lane.stats.bytes_received += (uint64_t)got;
	l->lane.heard_ns = l->turn_ns;
	l->turn_left -=
		(uint64_t)got < l->turn_left ? (uint64_t)got : l->turn_left;
	while (step(l))
		;
	return true;
}

bool frame_receive(struct frame_lane *l)
{
	bool any = false, full = true;

	l->out_is_full = false;
	while (step(l))
		any = true;
	while (full && !frame_lane_stopped(l) && !l->out_is_full &&
	       !l->answering) {
		if (l->turn_left == 0) {
			l->backlog = true;
			break;
		}
		if (!receive_some(l, &full))
			break;
		any = true;
	}
	return any;
}
