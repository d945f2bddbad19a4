/* SPDX-License-Identifier: BSD-2-Clause */
/* volume/slow/request - hand-offs of the fast stack. */
#ifndef VOLUME_SLOW_REQUEST_H
#define VOLUME_SLOW_REQUEST_H

#include "base/list.h"
#include "volume/handoff.h"
#include "volume/slow/metalog.h"

struct pool;
struct slow;

/* -- hand-offs that wait -------------------------------------------------- */

struct wait {
	struct list link; /* in the list of what it waits for */
	struct list all;  /* in slow.waits */
	struct pool *pool;
	unsigned lane;
	struct handoff_request request;
	struct metalog_waiter waiter;
};

/* One record of the fast stack. */
void request_handle(struct slow *s, unsigned lane,
                    const struct handoff_request *r);
/* Those whose time is up. */
void request_expire(struct slow *s);
/* Something was freed, or reclaiming has ended: look at who waits. */
void request_retry_space(struct pool *p);
void request_retry_discards(struct pool *p);
/* The announcement of lost members ended. */
void request_drives_settled(struct pool *p, int err);
void request_drop_pool(struct pool *p);

#endif /* VOLUME_SLOW_REQUEST_H */
