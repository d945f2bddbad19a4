/* SPDX-License-Identifier: BSD-2-Clause */
#include "kswap/worker.h"

#include "base/base.h"
#include "core/log.h"
#include "core/reactor.h"
#include "drive/drive.h"
#include "far/donor.h"
#include "kswap/fuse_server.h"
#include "kswap/lost.h"
#include "kswap/shared.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* None: a real-time thread that spins takes the CPU from the daemon for whose
 * answer it waits. */
#define SPIN_US 0
#define DEPTH 128

struct worker;

struct source {
	struct worker *worker;
	unsigned index;
	struct block_device *dev; /* NULL: lost */
};

struct worker {
	const struct worker_opts *opts;
	struct shared *shared;
	struct reactor *reactor;
	struct block_device *device;
	struct source source[STORE_DONORS_MAX];
	struct fuse_server *server;
	bool is_spare; /* another one serves */
	int spoiled;   /* as a spare: what a donor failed with */
};

/* -- donors ---------------------------------------------------------------- */

static bool is_first(const struct worker *w)
{
	return shared_state(w->shared) == SHARED_NEW;
}

static void lose(struct worker *w, unsigned i, int err)
{
	struct shared_donor *d = &w->shared->donor[i];

	if (d->lost)
		return;
	if (w->is_spare) { /* the one that serves knows better */
		w->spoiled = err;
		return;
	}
	d->why = err;
	__atomic_store_n(&d->lost, 1, __ATOMIC_RELEASE);
}

/* Those that are left may be the last ones. */
static void donor_lost(void *ctx, unsigned index, int err)
{
	struct worker *w = ctx;

	lose(w, index, err);
	w->source[index].dev = NULL;
	for (unsigned i = 0; i < w->opts->n_donors; i++)
		if (w->source[i].dev)
			donor_set_deadline(w->source[i].dev, WORKER_ALONE_MS);
}

/* The donor knows better than the store why. */
static void donor_gone(void *ctx, int err)
{
	struct source *s = ctx;
	struct worker *w = s->worker;

	lose(w, s->index, err);
	if (!w->is_spare)
		w->shared->donor[s->index].why = err;
	log_event(LOG_LEVEL_WARN, "a donor is gone", "donor=%s error=\"%s\"",
	          w->opts->donors[s->index], strerror(-err));
	if (w->device)
		store_lose(w->device, s->index, err);
}

static int reach_donor(struct worker *w, unsigned i, struct block_device **out,
                       struct err *e)
{
	const struct donor_opts o = {
		.reactor = w->reactor,
		.socket = w->opts->socket,
		.name = w->opts->donors[i],
		.deadline_ms =
			w->opts->copies > 1 ? WORKER_DONOR_MS : WORKER_ALONE_MS,
		.gone = donor_gone,
		.ctx = &w->source[i],
	};
	const struct reach_spec spec = donor_reach(&o);
	struct reach reach = { 0 };
	uint64_t room;
	int err = reach_open(&spec, &reach, &room, e);

	if (err)
		return err;
	memset(causeway_region_data(reach.region), 0, spec.region_bytes);
	return donor_open(&o, &reach, out, e);
}

/* Donor `i`; *out is NULL if it cannot be had now. */
static int open_donor(struct worker *w, unsigned i, struct block_device **out,
                      struct err *e)
{
	struct shared_donor *d = &w->shared->donor[i];
	int err;

	*out = NULL;
	if (d->lost)
		return -ENXIO;
	err = reach_donor(w, i, out, e);
	if (!err && is_first(w)) {
		d->size = (*out)->size;
	} else if (!err && (*out)->size != d->size) {
		block_close(*out);
		*out = NULL;
		return err_set(e, -ENXIO, "donor %s is another one now",
		               w->opts->donors[i]);
	}
	return err;
}

/* A spare has all donors that the one that serves has, or is none. */
static bool needs_all(const struct worker *w, struct block_device *donors[])
{
	for (unsigned i = 0; w->is_spare && i < w->opts->n_donors; i++)
		if (!donors[i] && !w->shared->donor[i].lost)
			return true;
	return false;
}

/* Those that are not there get a stand-in. */
static int stand_in(struct worker *w, struct block_device *donors[])
{
	for (unsigned i = 0; i < w->opts->n_donors; i++) {
		if (donors[i])
			continue;
		lose(w, i, -ENXIO);
		donors[i] = lost_create(w->shared->donor[i].size);
		if (!donors[i])
			return -ENOMEM;
	}
	return 0;
}

static int open_donors(struct worker *w, struct err *e)
{
	struct block_device *donors[STORE_DONORS_MAX] = { NULL };
	struct store_opts o = { .donors = donors,
		                .n_donors = w->opts->n_donors,
		                .copies = w->opts->copies,
		                .is_fixed = true,
		                .watcher = { .lost = donor_lost, .ctx = w } };
	unsigned n_open = 0;
	int err = 0;

	w->shared->n_donors = o.n_donors;
	for (unsigned i = 0; i < o.n_donors; i++) {
		int failed;

		w->source[i] = (struct source){ .worker = w, .index = i };
		failed = open_donor(w, i, &donors[i], e);

		w->source[i].dev = donors[i];
		n_open += !failed;
		err = failed ? failed : err;
	}
	if (err && !is_first(w) && n_open > 0 && !needs_all(w, donors))
		err = stand_in(w, donors);
	if (!err)
		return store_create(&o, &w->device, e);
	for (unsigned i = 0; i < o.n_donors; i++)
		block_close(donors[i]);
	return err;
}

static int open_device(struct worker *w, struct err *e)
{
	int err = w->opts->store ? drive_open(w->opts->store, &w->device, e)
	                         : open_donors(w, e);

	if (!err && w->device->size < w->shared->size)
		err = err_set(e, -ENOSPC,
		              "a swap device of %" PRIu64 " MiB does not fit: "
		              "there is room for %" PRIu64
		              " MiB; name more donors, or say --copies 1",
		              w->shared->size >> 20, w->device->size >> 20);
	return err;
}

/* -- warming up ------------------------------------------------------------ */

struct warm {
	struct block_request block;
	struct iovec iov;
	struct reactor *reactor;
	unsigned *left;
};

static void warmed(struct block_request *q, int err)
{
	struct warm *w = container_of(q, struct warm, block);

	(void)err; /* what the swap header meets will be told */
	if (--*w->left == 0)
		reactor_stop(w->reactor);
}

/* As many requests as there ever are: what lies below makes its memory now.
 * The first worker's are as large as any, for the daemon's sake; after it
 * somebody waits, and pages do. */
static int warm_up(struct worker *w, struct err *e)
{
	AUTO_FREE struct warm *warm = calloc(SHARED_SLOTS, sizeof(*warm));
	AUTO_FREE uint8_t *sink = malloc(SHARED_REQUEST);
	bool is_large = is_first(w) && w->shared->size >= SHARED_REQUEST;
	uint64_t length = is_large ? SHARED_REQUEST : FAR_PAGE;
	unsigned left = SHARED_SLOTS;

	if (!warm || !sink)
		return err_set(e, -ENOMEM, "no memory to serve from");
	for (unsigned i = 0; i < SHARED_SLOTS; i++) {
		warm[i].left = &left;
		warm[i].reactor = w->reactor;
		warm[i].iov = (struct iovec){ sink, length };
		warm[i].block = (struct block_request){ .op = BLOCK_READ,
			                                .length = length,
			                                .iov = &warm[i].iov,
			                                .iov_count = 1,
			                                .done = warmed };
		block_submit(w->device, &warm[i].block);
	}
	/* Asleep: a real-time thread that polls keeps others from answering. */
	reactor_run(w->reactor);
	return 0;
}

/* -- life ------------------------------------------------------------------ */

static void ended(void *ctx)
{
	struct worker *w = ctx;

	reactor_stop(w->reactor);
}

/* Have all that it takes to serve. */
static int get_ready(struct worker *w, struct err *e)
{
	const struct reactor_opts ro = { .name = "swap",
		                         .spin_max_us = SPIN_US,
		                         .uring_depth = DEPTH };
	int err = reactor_create(&ro, &w->reactor, e);

	if (err)
		return err;
	reactor_bind(w->reactor);
	(void)realtime_lock(); /* realtime_enter() says how it went */
	err = open_device(w, e);
	if (err)
		return err;
	shared_populate(w->shared);
	err = warm_up(w, e);
	if (!err && w->spoiled)
		err = err_set(e, w->spoiled, "a donor failed: %s",
		              strerror(-w->spoiled));
	return err;
}

/* What the one before knew of donors is so. */
static void take_over(struct worker *w)
{
	for (unsigned i = 0; i < w->opts->n_donors; i++) {
		const struct shared_donor *d = &w->shared->donor[i];

		if (d->lost && w->source[i].dev)
			store_lose(w->device, i, d->why);
	}
}

static int serve(struct worker *w, struct err *e)
{
	struct fuse_server_opts so = {
		.fd = w->opts->device,
		.reactor = w->reactor,
		.shared = w->shared,
		.device = w->device,
		.ended = ended,
		.ctx = w,
	};
	int err;

	take_over(w);
	err = fuse_server_create(&so, &w->server, e);
	if (err)
		return err;
	w->shared->takeovers += !is_first(w);
	__atomic_store_n(&w->shared->worker, (int32_t)getpid(),
	                 __ATOMIC_RELEASE);
	shared_set_state(w->shared, SHARED_SERVING);
	reactor_run(w->reactor);
	return 0;
}

static int begin(struct worker *w, struct err *e)
{
	struct realtime_got guard;
	int err;

	w->is_spare = !shared_is_mine(w->opts->shared, false);
	err = get_ready(w, e);
	if (err)
		return err;
	realtime_enter(&guard);
	__atomic_store_n(&w->shared->spare, (int32_t)getpid(),
	                 __ATOMIC_RELEASE);
	if (!shared_is_mine(w->opts->shared, true))
		return err_set(e, -errno, "cannot wait for my turn: %s",
		               strerror(errno));
	w->is_spare = false;
	w->shared->guard = guard;
	return serve(w, e);
}

/* Only the first worker's failure is told to somebody. */
static void report(struct worker *w, const struct err *e)
{
	if (!is_first(w))
		return;
	w->shared->code = e->code;
	memcpy(w->shared->error, e->text, sizeof(w->shared->error));
	shared_set_state(w->shared, SHARED_FAILED);
}

int worker_run(const struct worker_opts *opts, struct err *e)
{
	struct worker w = { .opts = opts };
	int err = shared_attach(opts->shared, &w.shared, e);

	if (err)
		return err;
	err = begin(&w, e);
	if (err)
		report(&w, e);
	return err; /* the process ends, and its memory with it */
}
