/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/fast/fast_priv.h"

#include "base/base.h"
#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RETRY_NS (1 * NS_PER_MS)

/* -- workers -------------------------------------------------------------- */

struct fast_worker *fast_worker_here(struct fast *f)
{
	struct reactor *here = reactor_current();

	for (unsigned i = 0; i < f->n_workers; i++)
		if (f->worker[i].reactor == here)
			return &f->worker[i];
	assert(0 && "a request from a thread that is no worker's");
	return NULL;
}

struct fast_worker *fast_owner(struct fast *f, uint64_t at)
{
	return &f->worker[f->n_workers == 1
	                          ? 0
	                          : (at * UINT64_C(0x9e3779b97f4a7c15) >> 32) %
	                                    f->n_workers];
}

static int worker_init(struct fast *f, unsigned number, struct reactor *r)
{
	struct fast_worker *w = &f->worker[number];

	w->fast = f;
	w->reactor = r;
	w->number = number;
	w->waiting_end = &w->waiting;
	list_init(&w->starved);
	lock_table_init(&w->locks);
	raid_worker_init(&w->raid, f->handoff->drives, f->suspect);
	slab_init(&w->ops, sizeof(struct thin_op), 64, FAST_OPS_MAX);
	slab_init(&w->parts, sizeof(struct thin_part), 64, FAST_PARTS_MAX);
	slab_init(&w->flushes, sizeof(struct flush), 64, FAST_FLUSHES_MAX);
	return lane_init(w);
}

static void worker_fini(struct fast_worker *w)
{
	assert(!w->waiting && list_empty(&w->starved));
	lane_fini(w);
	raid_worker_fini(&w->raid);
	slab_fini(&w->ops);
	slab_fini(&w->parts);
	slab_fini(&w->flushes);
}

int fast_create(const struct fast_opts *opts, struct fast **out, struct err *e)
{
	struct fast *f;
	int err = 0;

	assert(opts->n_reactors == opts->handoff->n_lanes);
	f = calloc(1, sizeof(*f) + opts->n_reactors * sizeof(f->worker[0]));
	if (!f)
		return err_set(e, -ENOMEM, "no memory for the fast stack");
	f->handoff = opts->handoff;
	f->miss_timeout_ns =
		NS_PER_MS * (opts->miss_timeout_ms ? opts->miss_timeout_ms
	                                           : FAST_MISS_TIMEOUT_MS);
	while (!err && f->n_workers < opts->n_reactors) {
		err = worker_init(f, f->n_workers,
		                  opts->reactors[f->n_workers]);
		f->n_workers++;
	}
	if (err) {
		fast_destroy(f);
		return err_set(e, err, "cannot watch the hand-off lanes: %s",
		               strerror(-err));
	}
	*out = f;
	return 0;
}

void fast_destroy(struct fast *f)
{
	if (!f)
		return;
	for (unsigned i = 0; i < f->n_workers; i++)
		worker_fini(&f->worker[i]);
	for (unsigned i = 0; i < HANDOFF_DRIVES; i++)
		block_close(f->device[i]);
	free(f);
}

/* -- something that every worker does ------------------------------------- */

/*
 * Run `act` on each worker, again and again until it says that it is done;
 * when all are, run `finish` on the caller's reactor and post `done` there.
 */
struct broadcast {
	struct fast *fast;
	struct reactor *home;
	struct task *done;
	bool (*act)(struct fast_worker *w, struct broadcast *b);
	void (*finish)(struct broadcast *b);
	uint16_t slot;
	struct block_device *device;
	unsigned left; /* on home's thread */
	struct turn {
		struct task task;
		struct timer timer;
		struct broadcast *all;
		struct fast_worker *worker;
	} turn[];
};

static void turn_over(struct task *t)
{
	struct broadcast *b = container_of(t, struct turn, task)->all;
	struct task *done = b->done;
	struct reactor *home = b->home;

	if (--b->left > 0)
		return;
	if (b->finish)
		b->finish(b);
	free(b);
	task_post(home, done);
}

static void take_turn(struct turn *turn)
{
	if (!turn->all->act(turn->worker, turn->all)) {
		timer_start(turn->worker->reactor, &turn->timer, RETRY_NS);
		return;
	}
	turn->task.run = turn_over;
	task_post(turn->all->home, &turn->task);
}

static void turn_posted(struct task *t)
{
	take_turn(container_of(t, struct turn, task));
}

static void turn_again(struct timer *t)
{
	take_turn(container_of(t, struct turn, timer));
}

static struct broadcast *broadcast_new(struct fast *f, struct task *done)
{
	struct broadcast *b =
		calloc(1, sizeof(*b) + f->n_workers * sizeof(b->turn[0]));

	/* Some hundred bytes for an operator's command: without them the
	 * process is beyond help. */
	assert(b);
	b->fast = f;
	b->home = reactor_current();
	b->done = done;
	b->left = f->n_workers;
	return b;
}

static void broadcast_post(struct broadcast *b)
{
	struct fast *f = b->fast;

	for (unsigned i = 0; i < f->n_workers; i++) {
		b->turn[i].all = b;
		b->turn[i].worker = &f->worker[i];
		b->turn[i].task.run = turn_posted;
		b->turn[i].timer.fire = turn_again;
		task_post(f->worker[i].reactor, &b->turn[i].task);
	}
}

/* -- drives --------------------------------------------------------------- */

static bool set_device(struct fast_worker *w, struct broadcast *b)
{
	w->raid.device[b->slot] = b->device;
	raid_decided(&w->raid, b->slot);
	return true;
}

static void present(struct broadcast *b)
{
	struct handoff_drive *d = &b->fast->handoff->drives[b->slot];

	__atomic_store_n(&d->present, 1, __ATOMIC_RELEASE);
}

void fast_drive_open(struct fast *f, uint16_t slot, struct block_device *dev,
                     const char *name, struct task *done)
{
	struct handoff_drive *d = &f->handoff->drives[slot];
	struct broadcast *b = broadcast_new(f, done);

	assert(!f->device[slot]);
	f->device[slot] = dev;
	d->size = dev->size;
	d->grain = dev->grain;
	d->opens++;
	d->read_errors = d->write_errors = 0;
	snprintf(d->name, sizeof(d->name), "%s", name);
	b->slot = slot;
	b->device = dev;
	b->act = set_device;
	b->finish = present;
	broadcast_post(b);
}

static bool drop_device(struct fast_worker *w, struct broadcast *b)
{
	w->raid.device[b->slot] = NULL;
	return w->raid.inflight[b->slot] == 0 &&
	       (w->number != 0 || w->lane.meta_inflight == 0);
}

static void close_device(struct broadcast *b)
{
	block_close(b->fast->device[b->slot]);
	b->fast->device[b->slot] = NULL;
}

void fast_drive_close(struct fast *f, uint16_t slot, struct task *done)
{
	struct broadcast *b = broadcast_new(f, done);

	__atomic_store_n(&f->handoff->drives[slot].present, 0,
	                 __ATOMIC_RELEASE);
	b->slot = slot;
	b->act = drop_device;
	b->finish = close_device;
	broadcast_post(b);
}

/* -- the slow stack ------------------------------------------------------- */

static bool detach(struct fast_worker *w, struct broadcast *b)
{
	(void)b;
	return lane_detach(w);
}

static void detached(struct broadcast *b)
{
	__atomic_store_n(&b->fast->handoff->header->slow_state,
	                 HANDOFF_DETACHED, __ATOMIC_RELEASE);
}

void fast_slow_detach(struct fast *f, struct task *done)
{
	struct broadcast *b = broadcast_new(f, done);

	b->act = detach;
	b->finish = detached;
	broadcast_post(b);
}

static bool enable(struct fast_worker *w, struct broadcast *b)
{
	(void)b;
	w->lane.enabled = true;
	return true;
}

void fast_slow_attach(struct fast *f, struct task *done)
{
	struct handoff_header *header = f->handoff->header;
	struct broadcast *b = broadcast_new(f, done);

	__atomic_store_n(&header->slow_state, HANDOFF_DETACHED,
	                 __ATOMIC_RELEASE);
	__atomic_store_n(&header->generation, header->generation + 1,
	                 __ATOMIC_RELEASE);
	b->act = enable;
	broadcast_post(b);
}

/* -- what the operator sees ----------------------------------------------- */

static void add(uint64_t *sum, const uint64_t *counter)
{
	*sum += __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void fast_stats(const struct fast *f, struct fast_stats *out)
{
	*out = (struct fast_stats){ 0 };
	for (unsigned i = 0; i < f->n_workers; i++) {
		const struct fast_stats *s = &f->worker[i].stats;

		add(&out->hits, &s->hits);
		add(&out->handoffs, &s->handoffs);
		add(&out->misses, &s->misses);
		add(&out->discards, &s->discards);
		add(&out->barriers, &s->barriers);
		add(&out->errors, &s->errors);
		add(&out->timeouts, &s->timeouts);
		add(&out->meta_ios, &s->meta_ios);
		add(&out->bad_replies, &s->bad_replies);
	}
}
