/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/frame_lane.h"

#include "fabric/frame_lane_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A lane that had work several times, each soon after the last, is asked in
 * every turn of the reactor; after more of them it does without epoll.  When
 * it had none for a while it leaves the turns. */
#define SOON_NS (30 * NS_PER_US)
#define HOT_STREAK 4u
#define HOTTER_STREAK 16u
#define COLD_NS (200 * NS_PER_US)

/* -- readiness ------------------------------------------------------------ */

static void heat(struct frame_lane *l)
{
	if (l->hot)
		return;
	l->hot = l->poller.hot = true;
	poller_start(l->lane.reactor, &l->poller);
}

/* What the system cannot wait for is asked in every turn.
 * @return whether it waits. */
static bool set_wants(struct frame_lane *l, bool readable, bool writable)
{
	if (l->wants_read == readable && l->wants_write == writable)
		return true;
	l->wants_read = readable;
	l->wants_write = writable;
	if (stream_want(l->stream, readable, writable))
		return true;
	l->wants_read = l->wants_write = false;
	heat(l);
	return false;
}

static void cool(struct frame_lane *l)
{
	if (!l->hot)
		return;
	l->hot = false;
	poller_stop(l->lane.reactor, &l->poller);
}

static void free_if_done(struct frame_lane *l)
{
	if (!l->gone || l->busy || l->task_queued)
		return;
	if (l->in != l->small_in)
		free(l->in);
	if (l->out != l->small_out)
		free(l->out);
	free(l);
}

static void queue_task(struct frame_lane *l)
{
	if (l->task_queued)
		return;
	l->task_queued = true;
	task_defer(l->lane.reactor, &l->task);
}

void frame_lane_fail(struct frame_lane *l, int err)
{
	if (frame_lane_stopped(l))
		return;
	l->lane.state = LANE_FAILED;
	l->error = err;
	if (err == -EBADMSG)
		l->lane.stats.bad_frames++;
	cool(l);
	set_wants(l, false, false);
	queue_task(l);
}

/* -- turns ---------------------------------------------------------------- */

static bool connecting(struct frame_lane *l)
{
	int err = l->stream->ops->connected(l->stream);

	if (err == -EAGAIN) {
		set_wants(l, false, true);
		return false;
	}
	if (err) {
		frame_lane_fail(l, err);
		return true;
	}
	l->lane.state = LANE_GREETING;
	l->lane.heard_ns = reactor_now_ns(l->lane.reactor);
	l->lane.owner->up(&l->lane);
	return true;
}

/* @return whether it did any work. */
static bool turn(struct frame_lane *l)
{
	bool any = false;

	l->busy = true;
	l->backlog = false;
	l->turn_left = FRAME_TURN;
	l->turn_ns = reactor_now_ns(l->lane.reactor);
	if (l->lane.state == LANE_CONNECTING)
		any = connecting(l);
	if (!frame_lane_stopped(l) && l->lane.state != LANE_CONNECTING) {
		any |= frame_receive(l);
		any |= frame_send(l);
		/* What was waiting for room may go on. */
		if (l->out_is_full && frame_send_has_room(l))
			l->backlog = true;
	}
	l->busy = false;
	if (l->gone) {
		free_if_done(l);
		return true;
	}
	if (frame_lane_stopped(l) || l->lane.state == LANE_CONNECTING)
		return any;
	if (any) {
		l->streak =
			l->turn_ns - l->worked_ns < SOON_NS ? l->streak + 1 : 0;
		l->worked_ns = l->turn_ns;
	}
	if (l->streak >= HOT_STREAK || l->backlog)
		heat(l);
	set_wants(l,
	          !l->out_is_full && (!l->hot || (l->wants_read &&
	                                          l->streak < HOTTER_STREAK)),
	          l->out_end != l->out_start);
	return any;
}

static bool poll(struct poller *p)
{
	struct frame_lane *l = container_of(p, struct frame_lane, poller);
	uint64_t now = reactor_now_ns(l->lane.reactor);
	bool any = turn(l);

	/* `l` may be gone, if there was work. */
	if (any)
		return true;
	if (!l->backlog && now - l->worked_ns > COLD_NS) {
		cool(l);
		set_wants(l, !l->out_is_full, l->wants_write);
	}
	return false;
}

static bool prepare_sleep(struct poller *p)
{
	struct frame_lane *l = container_of(p, struct frame_lane, poller);

	l->streak = 0;
	return set_wants(l, !l->out_is_full, l->wants_write) && !l->backlog;
}

static void stream_ready(struct stream *s)
{
	struct frame_lane *l = s->user;

	/* Asked in this turn of the reactor, and will be in the next. */
	if (!l->hot || l->turn_ns != reactor_now_ns(l->lane.reactor))
		turn(l);
}

static void run_task(struct task *t)
{
	struct frame_lane *l = container_of(t, struct frame_lane, task);

	l->task_queued = false;
	if (l->gone) {
		free_if_done(l);
		return;
	}
	if (l->lane.state != LANE_FAILED) {
		turn(l);
		return;
	}
	if (!l->reported) {
		l->reported = true;
		l->lane.owner->failed(&l->lane, l->error);
	}
}

/* -- the lane's operations ------------------------------------------------ */

static int fl_open(struct lane *lane, struct target *target)
{
	struct frame_lane *l = frame_lane_of(lane);
	uint8_t *in = malloc(FRAME_LANE_IN);
	uint8_t *out = malloc(FRAME_LANE_OUT);

	assert(lane->state == LANE_GREETING);
	if (!in || !out) {
		free(in);
		free(out);
		return -ENOMEM;
	}
	/* The old ones stay: a body in them may be in use. */
	memcpy(in, l->in + l->in_start, l->in_end - l->in_start);
	memcpy(out, l->out + l->out_start, l->out_end - l->out_start);
	l->in_end -= l->in_start;
	l->out_end -= l->out_start;
	l->in_start = l->out_start = 0;
	l->in = in;
	l->in_room = FRAME_LANE_IN;
	l->out = out;
	l->out_room = FRAME_LANE_OUT;
	l->target = target;
	lane->state = target ? LANE_INCOMING : LANE_OUTGOING;
	return 0;
}

static int fl_control(struct lane *lane, const struct frame *f,
                      const void *body)
{
	struct frame_lane *l = frame_lane_of(lane);

	if (f->length > FABRIC_WIRE_CONTROL_MAX)
		return -EMSGSIZE;
	if (frame_lane_stopped(l))
		return 0; /* failed() is on its way */
	if (!frame_send_append(l, f, body))
		return -ENOBUFS;
	if (!l->busy)
		queue_task(l);
	return 0;
}

static void fl_submit(struct lane *lane, struct fabric_op *op)
{
	struct frame_lane *l = frame_lane_of(lane);

	op->moved = 0;
	op->refused = false;
	list_append(&lane->pending, &op->link);
	lane->n_pending++;
	lane->pending_bytes += op->length;
	if (l->next_out == &lane->pending)
		l->next_out = &op->link;
	if (!l->busy && !frame_lane_stopped(l))
		queue_task(l);
}

static uint64_t fl_unacknowledged(struct lane *lane)
{
	struct stream *s = frame_lane_of(lane)->stream;

	return s->ops->unacknowledged(s);
}

static int fl_addresses(struct lane *lane, struct sockaddr_storage *local,
                        struct sockaddr_storage *peer)
{
	struct stream *s = frame_lane_of(lane)->stream;

	return s->ops->addresses(s, local, peer);
}

static int fl_binding(struct lane *lane, uint8_t out[32])
{
	struct stream *s = frame_lane_of(lane)->stream;

	return s->ops->binding(s, out);
}

static void fl_destroy(struct lane *lane)
{
	struct frame_lane *l = frame_lane_of(lane);

	assert(list_empty(&lane->pending));
	if (l->target && l->in_request)
		target_abandon(l->target, &l->request);
	cool(l);
	stream_destroy(l->stream);
	l->gone = true;
	free_if_done(l);
}

/* `binding` is what tells a lane with TLS from one without. */
#define FRAME_LANE_OPS                                                         \
	.open = fl_open, .control = fl_control, .submit = fl_submit,           \
	.unacknowledged = fl_unacknowledged, .addresses = fl_addresses,        \
	.destroy = fl_destroy

static const struct lane_ops frame_lane_ops[] = {
	[FABRIC_TCP] = { .scheme = FABRIC_TCP, FRAME_LANE_OPS },
	[FABRIC_TLS] = { .scheme = FABRIC_TLS,
	                 .binding = fl_binding,
	                 FRAME_LANE_OPS },
	[FABRIC_VERBS] = { .scheme = FABRIC_VERBS, FRAME_LANE_OPS },
	[FABRIC_SIM] = { .scheme = FABRIC_SIM, FRAME_LANE_OPS },
};

int frame_lane_create(struct reactor *r, struct stream *s, bool connecting_too,
                      struct lane **out)
{
	struct frame_lane *l = calloc(1, sizeof(*l));

	if (!l) {
		stream_destroy(s);
		return -ENOMEM;
	}
	l->lane.ops = &frame_lane_ops[s->ops->scheme];
	l->lane.reactor = r;
	l->lane.state = connecting_too ? LANE_CONNECTING : LANE_GREETING;
	l->lane.heard_ns = reactor_now_ns(r);
	list_init(&l->lane.pending);
	l->next_out = &l->lane.pending;
	l->stream = s;
	s->ready = stream_ready;
	s->user = l;
	l->poller =
		(struct poller){ .poll = poll, .prepare_sleep = prepare_sleep };
	l->task.run = run_task;
	l->in = l->small_in;
	l->in_room = sizeof(l->small_in);
	l->out = l->small_out;
	l->out_room = sizeof(l->small_out);
	set_wants(l, !connecting_too, connecting_too);
	*out = &l->lane;
	return 0;
}
