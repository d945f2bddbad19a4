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
 * When an iteration found no work the reactor spins for a time that adapts to
 * the gaps it has lately seen (not at all when work comes rarely, at most
 * spin_max_us), then sleeps in epoll_wait.
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

#include "base/err.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct reactor;

struct reactor_opts {
	const char *name;     /* for logs and the thread's name; borrowed */
	unsigned spin_max_us; /* 0: never spin */
	unsigned uring_depth; /* 0: no io_uring on this reactor */
};

/*
 * @return 0; -ENOMEM, -EMFILE, -ENOSYS (no io_uring here) with words in *e.
 */
int reactor_create(const struct reactor_opts *opts, struct reactor **out,
                   struct err *e);

/* Nothing may be watched, armed or in flight any more.  NULL is allowed. */
void reactor_destroy(struct reactor *r);

/* Run on the calling thread until reactor_stop(). */
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

/* Monotonic time, read once per iteration. */
uint64_t reactor_now_ns(const struct reactor *r);

/* -- tasks ---------------------------------------------------------------- */

struct task {
	struct task *next; /* reactor's */
	void (*run)(struct task *t);
};

/* Run `t` on `r`'s thread.  Any thread; lock-free; the task is `r`'s until
 * it runs. */
void task_post(struct reactor *r, struct task *t);

/* Run `t` later in this iteration or in the next, on this very thread, in
 * the order of the calls.  Cheaper than task_post(). */
void task_defer(struct reactor *r, struct task *t);

/* -- descriptors ---------------------------------------------------------- */

struct watch {
	int fd;
	uint32_t events; /* EPOLLIN, EPOLLOUT, ...; level-triggered */
	void (*ready)(struct watch *w, uint32_t events);
	struct list ready_link; /* reactor's */
	uint32_t ready_events;  /* reactor's */
};

/* @return 0; -EMFILE, -ENOMEM, -ENOSPC, -EPERM (a regular file). */
int watch_start(struct reactor *r, struct watch *w);
void watch_modify(struct reactor *r, struct watch *w, uint32_t events);
void watch_stop(struct reactor *r, struct watch *w);

/* -- timers --------------------------------------------------------------- */

struct timer {
	void (*fire)(struct timer *t); /* one shot; may start itself again */
	uint64_t due_ns;               /* reactor's */
	unsigned slot;                 /* reactor's; 0 while not armed */
};

/* (Re)arm.  @return 0; -ENOMEM. */
int timer_start(struct reactor *r, struct timer *t, uint64_t delay_ns);
void timer_stop(struct reactor *r, struct timer *t);

/* -- pollers -------------------------------------------------------------- */

/*
 * Something that has no descriptor to wait on, such as a ring in shared
 * memory.  poll() is called in every iteration and says whether it did work.
 * Before the reactor sleeps it calls prepare_sleep(): the poller asks its
 * peer for a wake-up (an eventfd that it watches) and says whether it is
 * still idle; false cancels the sleep.  woken() follows every
 * prepare_sleep().
 */
struct poller {
	bool (*poll)(struct poller *p);
	bool (*prepare_sleep)(struct poller *p); /* NULL: may always sleep */
	void (*woken)(struct poller *p);         /* NULL: nothing to undo */
	struct list link;                        /* reactor's */
};

void poller_start(struct reactor *r, struct poller *p);
void poller_stop(struct reactor *r, struct poller *p);

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
