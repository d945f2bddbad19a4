/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/realtime - a thread on which the kernel's own memory depends.
 *
 * Who serves swap must not wait for memory, which may not come before it has
 * served: its memory is locked, it may use the kernel's last reserve (a
 * real-time thread may, and SCHED_FIFO on a CPU of its own choice makes the
 * thread prompt as well), and writes of its own are not held up (IO_FLUSHER).
 * Measured: under global pressure a server by TCP that is locked and nothing
 * else came to a stop in 4 of 4 runs, a real-time one in none.
 */
#ifndef CORE_REALTIME_H
#define CORE_REALTIME_H

#include <stdint.h>

/* For each: 0, or the negative errno for which it was not to be had. */
struct realtime_got {
	int32_t locked;     /* mlockall: what is touched stays in memory, and
	                     * the program and its libraries whole */
	int32_t fifo;       /* SCHED_FIFO, priority 1 */
	int32_t pinned;     /* to the last CPU that it may run on */
	int32_t io_flusher; /* PR_SET_IO_FLUSHER: needs CAP_SYS_RESOURCE */
};

/* The first of it: for a process of which such a thread is one, before the
 * thread has all that it needs.  @return 0; a negative errno. */
int realtime_lock(void);

/*
 * Get as much of it as is allowed for the calling thread (locked: the
 * process).  FIFO only together with a CPU.
 *
 * From here on the thread should allocate next to nothing: what the kernel
 * cannot give it, it tries to get for ever, and the CPU is its own.
 */
void realtime_enter(struct realtime_got *got);

#endif /* CORE_REALTIME_H */
