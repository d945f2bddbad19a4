/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of a reactor, for the files that share it. */
#ifndef CORE_REACTOR_PRIV_H
#define CORE_REACTOR_PRIV_H

#include "core/reactor.h"
#include "core/uring_priv.h"

#include <stdatomic.h>
#include <stddef.h>

#define REACTOR_CACHE_LINE 64

struct reactor {
	/*
	 * What other threads write, on a cache line of its own.  `posted` is
	 * a stack, newest first.  R3: the reactor sets `sleeping`, then looks
	 * at `posted` and `stop`; a poster writes those, then looks at
	 * `sleeping`; all are seq_cst, so at least one sees the other.
	 */
	_Alignas(REACTOR_CACHE_LINE) _Atomic(struct task *) posted;
	atomic_bool sleeping;
	atomic_bool stop;

	_Alignas(REACTOR_CACHE_LINE) uint64_t now_ns;
	bool inside;        /* in an iteration: now_ns is fresh */
	bool worked;        /* the iteration found work */
	unsigned n_watches; /* the caller's */

	struct task *deferred; /* oldest first */
	struct task *deferred_last;

	struct list pollers;
	struct list *next_poller; /* of a walk under way */
	bool hot;                 /* one of them asks descriptors itself */

	struct timer **heap; /* heap[1] is due first; heap[0] is unused */
	unsigned n_timers;
	unsigned heap_room;

	struct list ready; /* watches with fetched events */
	unsigned fds_skipped;
	uint64_t fds_checked_ns;

	bool sleeps_next; /* if the iteration finds no work */
	uint64_t spin_max_ns;
	uint64_t idle_since_ns; /* 0 while there is work */
	uint64_t expected_gap_ns;
	bool spun;           /* in this gap */
	unsigned rest;       /* gaps to come without a spin */
	unsigned rest_after; /* the last spin in vain; 0: it paid */
	unsigned spins;      /* turns without work */
	bool crowded;        /* others wanted the core, when last offered */

	int epoll_fd;
	bool coarse_wait; /* no epoll_pwait2() here */
	int wake_fd;
	struct watch wake_watch;
	const struct clock *clock;
	const char *name;

	_Atomic uint64_t iterations;
	_Atomic uint64_t sleeps;
	_Atomic uint64_t tasks;
	_Atomic uint64_t busy_ns;

	struct uring uring;
};

/* Counters have one writer, so they need no atomic addition. */
static inline void reactor_count(_Atomic uint64_t *counter, uint64_t n)
{
	uint64_t old = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, old + n, memory_order_relaxed);
}

/* Watches of the reactor's own: not counted in n_watches. */
int reactor_watch_internal(struct reactor *r, struct watch *w);

#endif /* CORE_REACTOR_PRIV_H */
