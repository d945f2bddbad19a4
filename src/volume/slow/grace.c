/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/slow/grace.h"

#include "volume/slow/slow_priv.h"

uint64_t grace_ticket(struct pool *p)
{
	p->grace.wanted = p->grace.started + 1;
	slow_arm_tick(p->slow);
	return p->grace.wanted;
}

bool grace_passed(const struct pool *p, uint64_t ticket)
{
	return p->grace.ended >= ticket;
}

bool grace_waiting(const struct pool *p)
{
	return p->grace.ended < p->grace.wanted;
}

/* Leave the epoch.  The fence is the other half of that in the fast stack's
 * lookup: it counts, fences, looks; we unlink, advance, fence, count. */
static void advance_epoch(struct pool *p)
{
	uint64_t *epoch = &p->shared->readers;

	__atomic_store_n(epoch, *epoch + 1, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static bool left_epoch_empty(const struct pool *p)
{
	const struct handoff *h = p->slow->h;
	unsigned left = (p->shared->readers - 1) & 1;

	for (unsigned i = 0; i < h->n_lanes; i++)
		if (__atomic_load_n(&h->lanes[i].inflight[p->slot][left],
		                    __ATOMIC_ACQUIRE))
			return false;
	return true;
}

bool grace_poll(struct pool *p)
{
	struct grace *g = &p->grace;

	if (g->state == GRACE_IDLE) {
		if (!grace_waiting(p))
			return false;
		g->started++;
		g->state = GRACE_FIRST;
		advance_epoch(p);
	}
	if (g->state == GRACE_FIRST && left_epoch_empty(p)) {
		g->state = GRACE_SECOND;
		advance_epoch(p);
	}
	if (g->state != GRACE_SECOND || !left_epoch_empty(p))
		return false;
	g->state = GRACE_IDLE;
	g->ended = g->started;
	return true;
}
