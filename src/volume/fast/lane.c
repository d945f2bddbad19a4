/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fast side of a lane: hand-offs that wait, their tags, their deadlines.
 *
 * A tag is slot | sequence << 16; the sequence moves on when the slot is
 * given back, so a late answer of a slow stack that was replaced, or a made
 * up one, finds nothing.
 */
#include "volume/fast/fast_priv.h"

#include "base/base.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define DEADLINE_SCAN_NS (250 * NS_PER_MS)
#define REPLIES_PER_POLL 64

static struct handoff *shared(struct fast_worker *w)
{
	return w->fast->handoff;
}

/* -- slots ---------------------------------------------------------------- */

static void push(struct fast_worker *w, struct lane_wait *wait)
{
	if (!w->lane.serving || wait->sent)
		return;
	wait->sent = handoff_push_request(shared(w), w->number, &wait->request);
	/* The ring has room for every slot and every META_DONE; but what has
	 * timed out is in it too, until the slow stack takes it out. */
	if (!wait->sent)
		w->lane.full = true;
}

static void push_all(struct fast_worker *w)
{
	struct lane *l = &w->lane;

	l->full = false;
	for (unsigned i = 0; i < LANE_WAITS && !l->full; i++)
		if (l->slot[i])
			push(w, l->slot[i]);
	handoff_wake_slow(shared(w));
}

static bool take_slot(struct fast_worker *w, struct lane_wait *wait)
{
	struct lane *l = &w->lane;
	unsigned slot;

	if (!l->n_free)
		return false;
	slot = l->free_slot[--l->n_free];
	l->slot[slot] = wait;
	wait->request.tag = slot | (uint64_t)l->sequence[slot] << 16;
	wait->sent = false;
	push(w, wait);
	return true;
}

static void finish(struct fast_worker *w, unsigned slot, bool resume, int err)
{
	struct lane *l = &w->lane;
	struct lane_wait *wait = l->slot[slot];
	struct list *next;

	l->slot[slot] = NULL;
	l->sequence[slot]++;
	l->free_slot[l->n_free++] = (uint16_t)slot;
	next = list_pop(&l->queue);
	if (next) {
		take_slot(w, container_of(next, struct lane_wait, link));
		if (l->serving)
			handoff_wake_slow(shared(w));
	}
	wait->done(wait, resume, err);
}

static void count(struct fast_worker *w, unsigned kind)
{
	fast_count(&w->stats.handoffs, 1);
	fast_count(&w->stats.misses, kind == HANDOFF_MISS);
	fast_count(&w->stats.discards, kind == HANDOFF_DISCARD);
	fast_count(&w->stats.barriers, kind == HANDOFF_BARRIER);
	fast_count(&w->stats.errors, kind == HANDOFF_DRIVE_ERROR);
}

void lane_send(struct fast_worker *w, struct lane_wait *wait)
{
	struct lane *l = &w->lane;

	count(w, wait->request.kind);
	wait->request.deadline_ns =
		reactor_now_ns(w->reactor) + w->fast->miss_timeout_ns;
	list_init(&wait->link);
	if (l->n_free == LANE_WAITS)
		timer_start(w->reactor, &l->timer, DEADLINE_SCAN_NS);
	if (!take_slot(w, wait))
		list_append(&l->queue, &wait->link);
	if (l->serving)
		handoff_wake_slow(shared(w));
}

/* -- answers -------------------------------------------------------------- */

static void answer(struct fast_worker *w, const struct handoff_reply *r)
{
	unsigned slot = r->tag & 0xffff;
	struct lane_wait *wait;

	wait = slot < LANE_WAITS ? w->lane.slot[slot] : NULL;
	if (!wait || wait->request.tag != r->tag) {
		fast_count(&w->stats.bad_replies, 1);
		return;
	}
	if (r->kind == HANDOFF_RESUME)
		finish(w, slot, true, 0);
	else
		finish(w, slot, false, handoff_status_errno(r->status));
}

static void serve(struct fast_worker *w, const struct handoff_reply *r)
{
	switch (r->kind) {
	case HANDOFF_RESUME:
	case HANDOFF_COMPLETE:
		answer(w, r);
		break;
	case HANDOFF_META_IO:
		meta_io_submit(w, r);
		break;
	default:
		fast_count(&w->stats.bad_replies, 1);
	}
}

/* The slow stack has said that it serves: send what waits, again if need be. */
static void look_for_service(struct fast_worker *w)
{
	struct lane *l = &w->lane;
	struct handoff_header *header = shared(w)->header;

	if (l->serving || __atomic_load_n(&header->slow_state,
	                                  __ATOMIC_ACQUIRE) != HANDOFF_SERVING)
		return;
	l->serving = true;
	push_all(w);
}

static bool lane_poll(struct poller *p)
{
	struct fast_worker *w =
		container_of(p, struct fast_worker, lane.poller);
	struct handoff_reply r;
	unsigned n = 0;

	if (!w->lane.enabled)
		return false;
	look_for_service(w);
	while (n < REPLIES_PER_POLL &&
	       handoff_pop_reply(shared(w), w->number, &r)) {
		serve(w, &r);
		n++;
	}
	if (w->lane.full)
		push_all(w);
	if (meta_io_answer(w))
		n++;
	return n > 0;
}

static bool lane_prepare_sleep(struct poller *p)
{
	struct fast_worker *w =
		container_of(p, struct fast_worker, lane.poller);

	if (!w->lane.enabled)
		return true;
	handoff_lane_sleeps(shared(w), w->number, true);
	look_for_service(w);
	return !handoff_replies_waiting(shared(w), w->number);
}

static void lane_woken(struct poller *p)
{
	struct fast_worker *w =
		container_of(p, struct fast_worker, lane.poller);

	handoff_lane_sleeps(shared(w), w->number, false);
}

static void lane_event(struct watch *watch, uint32_t events)
{
	eventfd_t n;

	(void)events;
	eventfd_read(watch->fd, &n);
}

/* A discard that the slow stack has begun ends with its answer: whoever
 * writes to the chunk meanwhile must know which of the two came first. */
static bool may_give_up(struct fast_worker *w, const struct lane_wait *wait)
{
	return wait->request.kind != HANDOFF_DISCARD || !wait->sent ||
	       handoff_claim_give_up(shared(w), w->number, wait->request.tag);
}

static void lane_deadlines(struct timer *t)
{
	struct fast_worker *w = container_of(t, struct fast_worker, lane.timer);
	struct lane *l = &w->lane;
	uint64_t now = reactor_now_ns(w->reactor);

	for (unsigned i = 0; i < LANE_WAITS; i++) {
		/* Who has waited for the slot may be too late as well. */
		while (l->slot[i] && l->slot[i]->request.deadline_ns <= now &&
		       may_give_up(w, l->slot[i])) {
			fast_count(&w->stats.timeouts, 1);
			finish(w, i, false, -ETIMEDOUT);
		}
	}
	if (l->n_free < LANE_WAITS)
		timer_start(w->reactor, t, DEADLINE_SCAN_NS);
}

/* -- life ----------------------------------------------------------------- */

int lane_init(struct fast_worker *w)
{
	struct lane *l = &w->lane;

	l->shared = &shared(w)->lanes[w->number];
	list_init(&l->queue);
	list_init(&l->meta_done);
	for (unsigned i = 0; i < LANE_WAITS; i++)
		l->free_slot[l->n_free++] = (uint16_t)(LANE_WAITS - 1 - i);
	slab_init(&l->meta, sizeof(struct meta_io), 64, HANDOFF_META_DEPTH);
	l->timer.fire = lane_deadlines;
	l->poller = (struct poller){ .poll = lane_poll,
		                     .prepare_sleep = lane_prepare_sleep,
		                     .woken = lane_woken };
	l->watch = (struct watch){ .fd = shared(w)->lane_wake_fd[w->number],
		                   .events = EPOLLIN,
		                   .ready = lane_event };
	poller_start(w->reactor, &l->poller);
	return watch_start(w->reactor, &l->watch);
}

void lane_fini(struct fast_worker *w)
{
	struct lane *l = &w->lane;

	assert(l->n_free == LANE_WAITS && !l->meta_inflight);
	timer_stop(w->reactor, &l->timer);
	watch_stop(w->reactor, &l->watch);
	poller_stop(w->reactor, &l->poller);
	slab_fini(&l->meta);
}

bool lane_detach(struct fast_worker *w)
{
	struct lane *l = &w->lane;
	struct handoff_reply r;
	struct list *node;

	/* Answers that it gave before it died stand: they are in memory. */
	while (l->enabled && handoff_pop_reply(shared(w), w->number, &r))
		if (r.kind != HANDOFF_META_IO)
			serve(w, &r);
	l->enabled = false;
	l->serving = false;
	l->full = false;
	for (unsigned i = 0; i < LANE_WAITS; i++)
		if (l->slot[i])
			l->slot[i]->sent = false;
	while ((node = list_pop(&l->meta_done)) != NULL) {
		slab_put(&l->meta, container_of(node, struct meta_io, link));
		l->meta_inflight--;
	}
	if (l->meta_inflight)
		return false;
	handoff_reset_lane(shared(w), w->number);
	return true;
}
