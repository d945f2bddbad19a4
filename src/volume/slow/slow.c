/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/slow/slow.h"

#include "base/base.h"
#include "core/log.h"
#include "volume/slow/assembly.h"
#include "volume/slow/slow_priv.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>

#define REQUESTS_PER_POLL 64u
#define TICK_NS NS_PER_MS

/* -- answers -------------------------------------------------------------- */

static bool drain_overflow(struct slow *s, unsigned lane)
{
	bool any = false;

	while (s->overflow[lane].n) {
		if (!handoff_push_reply(
			    s->h, lane,
			    &s->overflow[lane].r[s->overflow[lane].at]))
			return any;
		s->overflow[lane].at++;
		s->overflow[lane].n--;
		s->pushed |= (uint16_t)(1u << lane);
		any = true;
	}
	s->overflow[lane].at = 0;
	return any;
}

static void keep(struct slow *s, unsigned lane, const struct handoff_reply *r)
{
	uint32_t end = s->overflow[lane].at + s->overflow[lane].n;

	if (end == s->overflow[lane].size) {
		uint32_t size = end * 2 + HANDOFF_RING;
		struct handoff_reply *grown =
			realloc(s->overflow[lane].r, size * sizeof(*grown));

		/* An answer that is lost hangs a client: start afresh. */
		assert(grown);
		s->overflow[lane].r = grown;
		s->overflow[lane].size = size;
	}
	s->overflow[lane].r[end] = *r;
	s->overflow[lane].n++;
	slow_arm_tick(s);
}

void slow_push(struct slow *s, unsigned lane, const struct handoff_reply *r)
{
	if (s->overflow[lane].n || !handoff_push_reply(s->h, lane, r))
		keep(s, lane, r);
	else
		s->pushed |= (uint16_t)(1u << lane);
}

void slow_complete(struct slow *s, unsigned lane, uint64_t tag,
                   enum handoff_status status)
{
	const struct handoff_reply r = {
		.tag = tag,
		.kind = HANDOFF_COMPLETE,
		.status = (uint16_t)status,
	};

	slow_push(s, lane, &r);
}

void slow_resume(struct slow *s, unsigned lane, uint64_t tag, uint64_t entry)
{
	const struct handoff_reply r = {
		.tag = tag,
		.kind = HANDOFF_RESUME,
		.entry = entry,
	};

	slow_push(s, lane, &r);
}

static void wake_lanes(struct slow *s)
{
	for (unsigned i = 0; s->pushed; i++, s->pushed >>= 1)
		if (s->pushed & 1)
			handoff_wake_lane(s->h, i);
}

/* -- control calls -------------------------------------------------------- */

struct slow_call *call_new(struct slow *s, slow_done_fn done, void *arg)
{
	struct slow_call *c = calloc(1, sizeof(*c));

	assert(c); /* nobody could be told */
	c->slow = s;
	c->done = done;
	c->arg = arg;
	list_init(&c->waiter.link);
	list_append(&s->calls, &c->link);
	return c;
}

static void call_run(struct task *t)
{
	struct slow_call *c = container_of(t, struct slow_call, task);

	list_remove(&c->link);
	c->done(c->arg, &c->err);
	free(c->state);
	free(c);
}

void call_end(struct slow_call *c)
{
	list_remove(&c->waiter.link);
	c->task.run = call_run;
	task_defer(c->slow->reactor, &c->task);
}

/* -- the loop ------------------------------------------------------------- */

uint64_t slow_now(const struct slow *s)
{
	return s->now_ns();
}

static bool serve_lane(struct slow *s, unsigned lane)
{
	struct handoff_request r;
	unsigned n = 0;

	while (n < REQUESTS_PER_POLL && s->overflow[lane].n < HANDOFF_RING &&
	       handoff_pop_request(s->h, lane, &r)) {
		request_handle(s, lane, &r);
		n++;
	}
	return n > 0;
}

/* @return whether one ended, of any pool. */
static bool poll_graces(struct slow *s)
{
	bool ended = false;

	for (unsigned i = 0; i < HANDOFF_POOLS; i++)
		ended |= s->pool[i] && grace_poll(s->pool[i]);
	return ended;
}

static bool graces_waiting(const struct slow *s)
{
	for (unsigned i = 0; i < HANDOFF_POOLS; i++)
		if (s->pool[i] && grace_waiting(s->pool[i]))
			return true;
	return false;
}

static void pass_grace(struct slow *s)
{
	for (unsigned i = 0; i < HANDOFF_POOLS; i++)
		if (s->pool[i] && s->pool[i]->serving)
			reclaim_run(s->pool[i]);
	volume_step_deletions(s);
	assembly_grace(s);
}

static void kick(struct slow *s)
{
	for (unsigned i = 0; i < HANDOFF_POOLS; i++) {
		if (!s->pool[i])
			continue;
		checkpoint_kick(s->pool[i]);
		metalog_kick(s->pool[i]);
	}
}

static bool slow_poll(struct poller *poller)
{
	struct slow *s = container_of(poller, struct slow, poller);
	bool worked = false;

	for (unsigned i = 0; i < s->h->n_lanes; i++) {
		worked |= drain_overflow(s, i);
		worked |= serve_lane(s, i);
	}
	if (poll_graces(s)) {
		pass_grace(s);
		worked = true;
	}
	kick(s);
	wake_lanes(s);
	return worked;
}

static bool slow_prepare_sleep(struct poller *poller)
{
	struct slow *s = container_of(poller, struct slow, poller);

	wake_lanes(s);
	handoff_slow_sleeps(s->h, true);
	for (unsigned i = 0; i < s->h->n_lanes; i++)
		if (handoff_requests_waiting(s->h, i) &&
		    s->overflow[i].n < HANDOFF_RING)
			return false;
	return true;
}

static void slow_woken(struct poller *poller)
{
	struct slow *s = container_of(poller, struct slow, poller);

	handoff_slow_sleeps(s->h, false);
}

static void wake_ready(struct watch *w, uint32_t events)
{
	eventfd_t n;

	(void)events;
	eventfd_read(w->fd, &n);
}

/* -- timers --------------------------------------------------------------- */

static bool overflowing(const struct slow *s)
{
	for (unsigned i = 0; i < s->h->n_lanes; i++)
		if (s->overflow[i].n)
			return true;
	return false;
}

void slow_arm_tick(struct slow *s)
{
	if (!s->tick.slot)
		timer_start(s->reactor, &s->tick, TICK_NS);
}

/* The poller has looked in this iteration, so all that is left is time. */
static void tick_fired(struct timer *t)
{
	struct slow *s = container_of(t, struct slow, tick);

	request_expire(s);
	wake_lanes(s);
	if (graces_waiting(s) || overflowing(s))
		timer_start(s->reactor, t, TICK_NS);
	else if (!list_empty(&s->waits))
		timer_start(s->reactor, t, 10 * TICK_NS);
}

void slow_arm_commit(struct slow *s)
{
	if (s->commit_interval_ms && !s->commit_timer.slot)
		timer_start(s->reactor, &s->commit_timer,
		            s->commit_interval_ms * NS_PER_MS);
}

static void commit_fired(struct timer *t)
{
	struct slow *s = container_of(t, struct slow, commit_timer);

	for (unsigned i = 0; i < HANDOFF_POOLS; i++)
		if (s->pool[i] && s->pool[i]->serving &&
		    metalog_dirty(s->pool[i]))
			metalog_commit(s->pool[i], NULL);
	kick(s);
	wake_lanes(s);
}

/* -- life ----------------------------------------------------------------- */

static void system_random(void *out, size_t n)
{
	if (getrandom(out, n, 0) != (ssize_t)n)
		assert(0);
}

static int check_handoff(const struct handoff *h, struct err *e)
{
	if (h->arena_bytes < HANDOFF_ARENA_BYTES || !h->n_lanes ||
	    h->n_lanes > HANDOFF_LANES)
		return err_set(e, -EINVAL,
		               "the shared memory is too small for metadata: "
		               "are both stacks from the same build?");
	return 0;
}

static void init(struct slow *s, const struct slow_opts *opts)
{
	s->h = opts->handoff;
	s->reactor = opts->reactor;
	s->now_ns = opts->now_ns ? opts->now_ns : clock_now_ns;
	s->random = opts->random ? opts->random : system_random;
	s->commit_interval_ms = opts->commit_interval_ms;
	s->log_bytes = opts->log_bytes;
	s->poller = (struct poller){ .poll = slow_poll,
		                     .prepare_sleep = slow_prepare_sleep,
		                     .woken = slow_woken };
	s->wake = (struct watch){ .fd = s->h->slow_wake_fd,
		                  .events = EPOLLIN,
		                  .ready = wake_ready };
	s->tick.fire = tick_fired;
	s->commit_timer.fire = commit_fired;
	list_init(&s->waits);
	list_init(&s->calls);
	slab_init(&s->waits_slab, sizeof(struct wait), 64, SLOW_WAITS_MAX);
	metaio_init(&s->metaio, (uint32_t)s->h->header->generation);
}

int slow_create(const struct slow_opts *opts, struct slow **out, struct err *e)
{
	int err = check_handoff(opts->handoff, e);
	struct slow *s;

	if (err)
		return err;
	s = calloc(1, sizeof(*s));
	if (s)
		s->view = calloc(HANDOFF_DRIVES, sizeof(*s->view));
	if (!s || !s->view) {
		free(s);
		return err_set(e, -ENOMEM, "no memory for the slow stack");
	}
	init(s, opts);
	err = watch_start(s->reactor, &s->wake);
	if (err) {
		free(s->view);
		free(s);
		return err_set(e, err, "cannot watch the wake-up descriptor");
	}
	poller_start(s->reactor, &s->poller);
	__atomic_store_n(&s->h->header->slow_state, HANDOFF_LOADING,
	                 __ATOMIC_RELEASE);
	err = assembly_start(s, e);
	if (err) {
		slow_destroy(s);
		return err;
	}
	*out = s;
	return 0;
}

static void free_waits(struct slow *s)
{
	LIST_FOREACH (node, &s->waits) {
		struct wait *w = list_entry(node, struct wait, all);

		list_remove(node);
		slab_put(&s->waits_slab, w);
	}
}

void slow_destroy(struct slow *s)
{
	struct list *node;

	if (!s)
		return;
	timer_stop(s->reactor, &s->tick);
	timer_stop(s->reactor, &s->commit_timer);
	poller_stop(s->reactor, &s->poller);
	watch_stop(s->reactor, &s->wake);
	assembly_free(s);
	free_waits(s);
	for (unsigned i = 0; i < HANDOFF_POOLS; i++)
		pool_free(s->pool[i]);
	while ((node = list_pop(&s->calls)) != NULL) {
		struct slow_call *c = list_entry(node, struct slow_call, link);

		free(c->state);
		free(c);
	}
	for (unsigned i = 0; i < HANDOFF_LANES; i++)
		free(s->overflow[i].r);
	slab_fini(&s->waits_slab);
	free(s->view);
	free(s);
}

void slow_stats(const struct slow *s, struct slow_stats *out)
{
	*out = s->stats;
}
