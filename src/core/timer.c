/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/timer.h"

#include "core/reactor_priv.h"
#include "core/timer_priv.h"

#include <assert.h>
#include <errno.h>

#define HEAP_ROOM_MIN 64u

static void place(struct reactor *r, struct timer *t, unsigned slot)
{
	r->heap[slot] = t;
	t->slot = slot;
}

static void sift_up(struct reactor *r, struct timer *t, unsigned slot)
{
	while (slot > 1 && r->heap[slot / 2]->due_ns > t->due_ns) {
		place(r, r->heap[slot / 2], slot);
		slot /= 2;
	}
	place(r, t, slot);
}

static void sift_down(struct reactor *r, struct timer *t, unsigned slot)
{
	for (;;) {
		unsigned child = slot * 2;

		if (child > r->n_timers)
			break;
		if (child < r->n_timers &&
		    r->heap[child + 1]->due_ns < r->heap[child]->due_ns)
			child++;
		if (r->heap[child]->due_ns >= t->due_ns)
			break;
		place(r, r->heap[child], slot);
		slot = child;
	}
	place(r, t, slot);
}

static int make_room(struct reactor *r)
{
	unsigned room = r->heap_room ? r->heap_room * 2 : HEAP_ROOM_MIN;
	struct timer **heap;

	if (r->n_timers + 1 < r->heap_room)
		return 0;
	heap = realloc(r->heap, room * sizeof(struct timer *));
	if (!heap)
		return -ENOMEM;
	r->heap = heap;
	r->heap_room = room;
	return 0;
}

int timer_start(struct reactor *r, struct timer *t, uint64_t delay_ns)
{
	uint64_t now = reactor_now_ns(r);

	if (!t->slot && make_room(r))
		return -ENOMEM;
	timer_stop(r, t);
	/* Never due at once: timer_expire() must come to an end. */
	if (delay_ns == 0)
		delay_ns = 1;
	t->due_ns = delay_ns > UINT64_MAX - now ? UINT64_MAX : now + delay_ns;
	sift_up(r, t, ++r->n_timers);
	return 0;
}

void timer_stop(struct reactor *r, struct timer *t)
{
	unsigned slot = t->slot;
	struct timer *last;

	if (!slot)
		return;
	assert(slot <= r->n_timers && r->heap[slot] == t);
	t->slot = 0;
	last = r->heap[r->n_timers--];
	if (last == t)
		return;
	if (slot > 1 && r->heap[slot / 2]->due_ns > last->due_ns)
		sift_up(r, last, slot);
	else
		sift_down(r, last, slot);
}

bool timer_expire(struct reactor *r)
{
	bool any = false;

	while (r->n_timers > 0 && r->heap[1]->due_ns <= r->now_ns) {
		struct timer *t = r->heap[1];

		timer_stop(r, t);
		t->fire(t);
		any = true;
	}
	return any;
}
