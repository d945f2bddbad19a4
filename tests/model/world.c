/* SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

#include "base/base.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TABLE_ENTRIES (1u << 16)
#define POLLS_MAX 10000000u /* a request that takes more will never end */

struct signal {
	struct task task;
	bool set;
	int err;
};

static void set(struct task *t)
{
	container_of(t, struct signal, task)->set = true;
}

void world_poll(struct world *w)
{
	reactor_poll(w->reactor);
}

static void wait_for(struct world *w, const bool *flag)
{
	for (unsigned i = 0; !*flag; i++) {
		assert(i < POLLS_MAX);
		world_poll(w);
	}
}

static void start_slow(struct world *w)
{
	struct signal attached = { .task.run = set };
	const struct slow_opts opts = { .handoff = &w->handoff,
		                        .reactor = w->reactor };
	int err;

	fast_slow_attach(w->fast, &attached.task);
	wait_for(w, &attached.set);
	err = slow_create(&opts, &w->slow, NULL);
	assert(!err);
	for (unsigned i = 0; w->handoff.header->slow_state != HANDOFF_SERVING;
	     i++) {
		assert(i < POLLS_MAX);
		world_poll(w);
	}
}

void world_start(struct world *w, struct block_device *const *drives,
                 unsigned n_drives)
{
	const struct reactor_opts opts = { .name = "world" };
	int err;

	*w = (struct world){ .n_drives = n_drives };
	err = reactor_create(&opts, &w->reactor, NULL);
	assert(!err);
	reactor_bind(w->reactor);
	err = handoff_create(1, TABLE_ENTRIES, &w->handoff, NULL);
	assert(!err);
	err = fast_create(&(struct fast_opts){ .handoff = &w->handoff,
	                                       .reactors = &w->reactor,
	                                       .n_reactors = 1 },
	                  &w->fast, NULL);
	assert(!err);
	for (uint16_t i = 0; i < n_drives; i++) {
		struct signal opened = { .task.run = set };
		char name[8];

		if (!drives[i])
			continue;
		snprintf(name, sizeof(name), "d%u", i);
		fast_drive_open(w->fast, i, drives[i], name, &opened.task);
		wait_for(w, &opened.set);
	}
	start_slow(w);
}

static void stop_slow(struct world *w)
{
	struct signal detached = { .task.run = set };

	slow_destroy(w->slow);
	w->slow = NULL;
	fast_slow_detach(w->fast, &detached.task);
	wait_for(w, &detached.set);
}

void world_replace_slow(struct world *w)
{
	stop_slow(w);
	start_slow(w);
}

void world_end(struct world *w)
{
	stop_slow(w);
	for (unsigned i = 0; i < WORLD_VOLUMES; i++)
		block_close(w->volume[i]);
	fast_destroy(w->fast);
	handoff_detach(&w->handoff);
	reactor_destroy(w->reactor);
}

/* -- calls ---------------------------------------------------------------- */

static void called(void *arg, const struct err *e)
{
	struct signal *s = arg;

	s->set = true;
	s->err = e->code;
}

int world_create_pool(struct world *w, const char *name)
{
	uint16_t drives[WORLD_DRIVES];
	struct signal s = { 0 };

	for (uint16_t i = 0; i < w->n_drives; i++)
		drives[i] = i;
	slow_pool_create(w->slow, name, drives, w->n_drives, called, &s);
	wait_for(w, &s.set);
	return s.err;
}

int world_create_volume(struct world *w, const char *name, uint64_t size,
                        enum raid_profile profile)
{
	struct signal s = { 0 };

	slow_volume_create(w->slow, "pool", name, size, profile, called, &s);
	wait_for(w, &s.set);
	return s.err;
}

int world_delete_volume(struct world *w, const char *name)
{
	struct signal s = { 0 };

	slow_volume_delete(w->slow, "pool", name, called, &s);
	wait_for(w, &s.set);
	return s.err;
}

int world_fail_drive(struct world *w, uint16_t drive)
{
	struct signal s = { 0 };

	slow_drive_fail(w->slow, drive, called, &s);
	wait_for(w, &s.set);
	return s.err;
}

int world_open(struct world *w, unsigned i, const char *name)
{
	char full[80];

	block_close(w->volume[i]);
	w->volume[i] = NULL;
	snprintf(full, sizeof(full), "pool/%s", name);
	return fast_volume_open(w->fast, full, &w->volume[i], NULL);
}

/* -- I/O ------------------------------------------------------------------ */

struct wait {
	struct block_request request;
	bool done;
	int err;
};

static void wait_done(struct block_request *q, int err)
{
	struct wait *wait = container_of(q, struct wait, request);

	wait->done = true;
	wait->err = err;
}

int world_io(struct world *w, unsigned i, enum block_op op, unsigned flags,
             uint64_t offset, uint64_t length, void *buffer)
{
	const struct iovec iov = { buffer, length };
	struct wait wait = { .request = { .op = op,
		                          .flags = flags,
		                          .offset = offset,
		                          .length = length,
		                          .iov = buffer ? &iov : NULL,
		                          .iov_count = buffer ? 1 : 0,
		                          .done = wait_done } };

	block_submit(w->volume[i], &wait.request);
	wait_for(w, &wait.done);
	return wait.err;
}
