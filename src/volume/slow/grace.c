/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/slow/grace.h"

#include "volume/slow/slow_priv.h"

uint64_t grace_ticket(struct slow *s)
{
	s->grace.wanted = s->grace.started + 1;
	slow_arm_tick(s);
	return s->grace.wanted;
}

bool grace_passed(const struct slow *s, uint64_t ticket)
{
	return s->grace.ended >= ticket;
}

bool grace_waiting(const struct slow *s)
{
	return s->grace.ended < s->grace.wanted;
}

/* Leave the epoch.  The fence is the other half of that in the fast stack's
 * lookup: it counts, fences, looks; we unlink, advance, fence, count. */
static void advance_epoch(struct slow *s)
{
	uint64_t *epoch = &s->h->header->epoch;

	__atomic_store_n(epoch, *epoch + 1, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static bool left_epoch_empty(const struct slow *s)
{
	unsigned left = (s->h->header->epoch - 1) & 1;

	for (unsigned i = 0; i < s->h->n_lanes; i++)
		if (__atomic_load_n(&s->h->lanes[i].inflight[left],
		                    __ATOMIC_ACQUIRE))
			return false;
	return true;
}

bool grace_poll(struct slow *s)
{
	struct grace *g = &s->grace;

	if (g->state == GRACE_IDLE) {
		if (!grace_waiting(s))
			return false;
		g->started++;
		g->state = GRACE_FIRST;
		advance_epoch(s);
	}
	if (g->state == GRACE_FIRST && left_epoch_empty(s)) {
		g->state = GRACE_SECOND;
		advance_epoch(s);
	}
	if (g->state != GRACE_SECOND || !left_epoch_empty(s))
		return false;
	g->state = GRACE_IDLE;
	g->ended = g->started;
	return true;
}
