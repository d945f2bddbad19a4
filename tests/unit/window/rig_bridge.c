/* SPDX-License-Identifier: BSD-2-Clause */
#include "rig_bridge.h"

#include "base/base.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct call {
	struct task task;
	void (*fn)(void *ctx);
	void *ctx;
	sem_t done;
};

static void *run(void *arg)
{
	reactor_run(arg);
	return NULL;
}

static void run_call(struct task *task)
{
	struct call *c = container_of(task, struct call, task);

	c->fn(c->ctx);
	sem_post(&c->done);
}

void rig_bridge_call(struct rig_bridge *b, void (*fn)(void *ctx), void *ctx)
{
	struct call c = { .task.run = run_call, .fn = fn, .ctx = ctx };

	sem_init(&c.done, 0, 0);
	task_post(b->reactor, &c.task);
	while (sem_wait(&c.done))
		;
	sem_destroy(&c.done);
}

static void listen_at(void *ctx)
{
	struct rig_bridge *b = ctx;
	struct err e = { 0 };
	int err = window_host_listen(b->host, b->path, &e);

	if (err)
		fprintf(stderr, "%s\n", e.text);
	assert(err == 0);
}

void rig_bridge_start(struct rig_bridge *b, const char *node)
{
	const struct reactor_opts opts = { .name = "bridge",
		                           .spin_max_us = 50,
		                           .uring_depth = 8 };

	strcpy(b->dir, "/tmp/causeway-window-XXXXXX");
	assert(mkdtemp(b->dir));
	snprintf(b->path, sizeof(b->path), "%s/window.sock", b->dir);
	sem_init(&b->stopped, 0, 0);
	assert(reactor_create(&opts, &b->reactor, NULL) == 0);
	assert(window_host_create(
		       &(struct window_host_opts){ .reactor = b->reactor,
	                                           .node = node },
		       &b->host, NULL) == 0);
	assert(pthread_create(&b->thread, NULL, run, b->reactor) == 0);
	rig_bridge_call(b, listen_at, b);
}

static void stopped(void *ctx)
{
	struct rig_bridge *b = ctx;

	sem_post(&b->stopped);
}

static void stop(void *ctx)
{
	struct rig_bridge *b = ctx;

	window_host_stop(b->host, stopped, b);
}

static void destroy(void *ctx)
{
	struct rig_bridge *b = ctx;

	window_host_destroy(b->host);
}

void rig_bridge_stop(struct rig_bridge *b)
{
	rig_bridge_call(b, stop, b);
	while (sem_wait(&b->stopped))
		;
	rig_bridge_call(b, destroy, b);
	reactor_stop(b->reactor);
	pthread_join(b->thread, NULL);
	reactor_destroy(b->reactor);
	sem_destroy(&b->stopped);
	rmdir(b->dir);
}

struct asked_stats {
	struct rig_bridge *bridge;
	struct window_stats *out;
};

static void read_stats(void *ctx)
{
	struct asked_stats *asked = ctx;

	window_host_stats(asked->bridge->host, asked->out);
}

void rig_bridge_stats(struct rig_bridge *b, struct window_stats *out)
{
	struct asked_stats asked = { b, out };

	rig_bridge_call(b, read_stats, &asked);
}
