/* SPDX-License-Identifier: BSD-2-Clause */
/* The reactor's side of core/uring. */
#ifndef CORE_URING_PRIV_H
#define CORE_URING_PRIV_H

#include "base/err.h"
#include "core/uring.h"

#include <liburing.h>
#include <stdbool.h>

/*
 * Every request is in one of three places: `waiting`, for want of room; in
 * the submission queue (`queued`); or with the kernel.  in_flight counts the
 * last two and never exceeds depth, so that neither queue can overflow.
 */
struct uring {
	struct io_uring ring;
	struct list waiting;
	unsigned depth; /* 0: there is no ring */
	unsigned in_flight;
	unsigned queued;
	bool enabled; /* bound to the reactor's thread */
	bool defers;  /* completions need io_uring_enter to appear */
};

/*
 * `wake_fd` is an eventfd that is written when something completes between
 * uring_prepare_sleep() and uring_woken().
 *
 * @return 0; -ENOSYS, -ENOMEM, -EMFILE.
 */
int uring_init(struct uring *u, unsigned depth, int wake_fd, struct err *e);
void uring_fini(struct uring *u);

/* Submit what is queued, run what is done.  @return whether there was any. */
bool uring_poll(struct uring *u);

/* @return whether there is nothing to do, so that the reactor may sleep. */
bool uring_prepare_sleep(struct uring *u);
void uring_woken(struct uring *u);

#endif /* CORE_URING_PRIV_H */
