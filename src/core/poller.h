/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/poller - something that has no descriptor to wait on, such as a ring
 * in shared memory; see core/reactor.h.
 *
 * poll() is called in every iteration and says whether it did work.  Before
 * the reactor sleeps it calls prepare_sleep(): the poller asks its peer for a
 * wake-up (an eventfd that it watches) and says whether it is still idle;
 * false cancels the sleep.  woken() follows every prepare_sleep(), unless the
 * poller was stopped in between.
 *
 * A poller that asks descriptors by itself because they are busy says `hot`;
 * while one does, the reactor asks for the others less often.
 */
#ifndef CORE_POLLER_H
#define CORE_POLLER_H

#include "base/list.h"

#include <stdbool.h>

struct reactor;

struct poller {
	bool (*poll)(struct poller *p);
	bool (*prepare_sleep)(struct poller *p); /* NULL: may always sleep */
	void (*woken)(struct poller *p);         /* NULL: nothing to undo */
	bool hot;
	struct list link; /* reactor's */
	bool prepared;    /* reactor's */
};

void poller_start(struct reactor *r, struct poller *p);
void poller_stop(struct reactor *r, struct poller *p);

#endif /* CORE_POLLER_H */
