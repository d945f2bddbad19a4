/* SPDX-License-Identifier: BSD-2-Clause */
#include "block/finish.h"

#include "base/base.h"
#include "core/reactor.h"

#include <assert.h>

/* Reactors that one thread drives by hand and that have something to end at
 * the same time: a simulated cluster's nodes.  Else the first is enough. */
#define FINISH_LISTS 64

struct finish_list {
	struct reactor *reactor;
	struct block_request *first; /* NULL: this entry is free */
	struct block_request *last;
	struct task task;
};

static _Thread_local struct finish_list lists[FINISH_LISTS];

static void end_all(struct task *t)
{
	struct finish_list *list = container_of(t, struct finish_list, task);
	struct block_request *q = list->first;

	/* What the callbacks submit goes to a new batch. */
	list->first = NULL;
	while (q) {
		struct block_request *next = q->next;

		q->done(q, (int)(int64_t)q->device_data[0]);
		q = next;
	}
}

/* The reactor's list, which may not be the first free one. */
static struct finish_list *list_of(struct reactor *r)
{
	struct finish_list *unused = NULL;

	for (unsigned i = 0; i < FINISH_LISTS; i++) {
		if (!lists[i].first) {
			if (!unused)
				unused = &lists[i];
		} else if (lists[i].reactor == r) {
			return &lists[i];
		}
	}
	assert(unused);
	return unused;
}

void block_finish(struct block_request *q, int err)
{
	struct reactor *r = reactor_current();
	struct finish_list *list = &lists[0];

	assert(r);
	q->next = NULL;
	q->device_data[0] = (uint64_t)(int64_t)err;
	if (list->first && list->reactor == r) {
		list->last->next = q;
		list->last = q;
		return;
	}
	list = list_of(r);
	if (list->first) {
		list->last->next = q;
	} else {
		list->first = q;
		list->reactor = r;
		list->task.run = end_all;
		task_defer(r, &list->task);
	}
	list->last = q;
}
