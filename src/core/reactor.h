/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/reactor - one thread's event loop.
 *
 * Concept.  A reactor runs everything that belongs to its thread: watched
 * descriptors, timers, tasks that other threads post, deferred completions
 * and pollers (rings in shared memory).  One iteration is
 *
 *      posted tasks -> deferred tasks -> pollers -> io_uring submit/reap ->
 *      ready descriptors -> expired timers -> deferred tasks
 *
 * Each of these has its own header: core/task.h, core/watch.h, core/timer.h,
 * core/poller.h, core/uring.h; this one includes the first four.
 *
 * When an iteration found no work the reactor spins for a time that adapts to
 * the gaps it has lately seen (not at all when work comes rarely or when it
 * has lately spun in vain, at most spin_max_us), then sleeps in epoll_wait.
 *
 * Threads    Every call is made on the reactor's own thread except
 *            task_post() and reactor_stop().
 * Ownership  Watches, timers, tasks and pollers are embedded in the caller's
 *            structs; the reactor allocates nothing for them.  A stopped one
 *            (watch_stop, timer_stop, poller_stop) is never called again, not
 *            even for an event that was already fetched in this iteration.
 *
 * Invariants
 *   R1  a callback never runs inside the call that asked for it;
 *   R2  tasks posted by one thread run in the order in which it posted them;
 *   R3  a task posted while the reactor is about to sleep wakes it;
 *   R4  an idle reactor makes no system call until an event or timer.
 */
#ifndef CORE_REACTOR_H
#define CORE_REACTOR_H

#include "base/clock.h"
#include "base/err.h"
#include "core/poller.h"
#include "core/task.h"
#include "core/timer.h"
#include "core/watch.h"

#include <stdbool.h>
#include <stdint.h>

struct reactor;

struct reactor_opts {
	const char *name;     /* for logs and the thread's name; borrowed */
	unsigned spin_max_us; /* 0: never spin */
	unsigned uring_depth; /* 0: no io_uring on this reactor */
	/* Simulated time for reactors driven by reactor_poll(); NULL: the
	 * host's clock.  Borrowed. */
	const struct clock *clock;
};

/*
 * @return 0; -ENOMEM, -EMFILE, -ENOSYS (no io_uring here) with words in *e.
 */
int reactor_create(const struct reactor_opts *opts, struct reactor **out,
                   struct err *e);

/* Nothing may be watched, armed or in flight any more.  NULL is allowed. */
void reactor_destroy(struct reactor *r);

/*
 * Run on the calling thread until reactor_stop(); a stop asked for before the
 * call counts.  The first thread that runs or polls a reactor is its thread
 * for good (io_uring has one issuer).
 */
void reactor_run(struct reactor *r);

/*
 * One iteration that never sleeps: the seam for tests that drive a reactor
 * by hand.  @return whether any work was done.
 */
bool reactor_poll(struct reactor *r);

/* Make reactor_run() return after its current iteration.  Any thread. */
void reactor_stop(struct reactor *r);

/*
 * The reactor whose reactor_run() or reactor_poll() the calling thread is in,
 * else the last one bound with reactor_bind(), else NULL.
 */
struct reactor *reactor_current(void);
void reactor_bind(struct reactor *r);

/* Spin for so long at most from now on.  @return what it was; own thread. */
unsigned reactor_set_spin(struct reactor *r, unsigned max_us);

/* Monotonic time, read once per iteration (outside one: at the call). */
uint64_t reactor_now_ns(const struct reactor *r);

/* -- what the operator sees ----------------------------------------------- */

struct reactor_stats {
	uint64_t iterations;
	uint64_t sleeps;
	uint64_t tasks;
	uint64_t busy_ns; /* in iterations that found work */
};

/* A snapshot; exact on the reactor's thread, near enough on any other. */
void reactor_stats(const struct reactor *r, struct reactor_stats *out);

#endif /* CORE_REACTOR_H */
