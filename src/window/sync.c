/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/sync.h"

#include "base/base.h"
#include "core/task.h"
#include "core/uring.h"
#include "window/grant.h"
#include "window/region.h"

#include <errno.h>
#include <stdlib.h>

/* One file after the other; a key has few ranges, and mostly one. */
struct sync {
	struct uring_request request;
	struct task task;
	struct reactor *reactor;
	struct grant *grant; /* holds the regions */
	unsigned next;
	int err;
	sync_done_fn done;
	void *ctx;
};

static void advance(struct sync *s)
{
	while (s->next < s->grant->n_ranges) {
		const struct region *r = s->grant->range[s->next++].region;

		if (!r || r->fd < 0)
			continue;
		uring_fdatasync(s->reactor, &s->request, r->fd);
		return;
	}
	task_defer(s->reactor, &s->task);
}

static void synced(struct uring_request *request, int result)
{
	struct sync *s = container_of(request, struct sync, request);

	if (result < 0 && !s->err)
		s->err = result;
	advance(s);
}

static void end(struct task *task)
{
	struct sync *s = container_of(task, struct sync, task);
	sync_done_fn done = s->done;
	void *ctx = s->ctx;
	int err = s->err;

	grant_put(s->grant);
	free(s);
	done(ctx, err);
}

int sync_start(struct reactor *r, struct grant *g, sync_done_fn done, void *ctx)
{
	struct sync *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->request.done = synced;
	s->task.run = end;
	s->reactor = r;
	s->grant = g;
	s->done = done;
	s->ctx = ctx;
	grant_get(g);
	advance(s);
	return 0;
}
