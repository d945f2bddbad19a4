/* SPDX-License-Identifier: BSD-2-Clause */
/* volume/slow/call - control calls that are under way. */
#ifndef VOLUME_SLOW_CALL_H
#define VOLUME_SLOW_CALL_H

#include "core/task.h"
#include "volume/slow/metalog.h"
#include "volume/slow/slow.h"

struct slow_call {
	struct list link;
	struct slow *slow;
	slow_done_fn done;
	void *arg;
	struct err err;
	struct task task;
	struct metalog_waiter waiter;
	uint32_t slot; /* of the volume that it is about */
	void *state;   /* freed with it */
};

struct slow_call *call_new(struct slow *s, slow_done_fn done, void *arg);
/* Run done later, with c->err; then `c` is freed. */
void call_end(struct slow_call *c);

#endif /* VOLUME_SLOW_CALL_H */
