/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mad/umad_waiter - wait for a descriptor that only poll(2) as ibsim's preload
 * has it understands.
 *
 * While the reactor is awake it is asked in every iteration, which costs a
 * lock and no system call.  When it goes to sleep, a thread waits in its stead
 * and wakes it.
 */
#ifndef MAD_UMAD_WAITER_H
#define MAD_UMAD_WAITER_H

#include <stdbool.h>

struct reactor;
struct umad_waiter;

/*
 * `read` takes what there is, on the reactor's thread, and says whether there
 * was anything.  @return 0; -ENOMEM, -EAGAIN (no thread).
 */
int umad_waiter_create(struct reactor *r, int fd, bool (*read)(void *arg),
                       void *arg, struct umad_waiter **out);

/* `read` is not called any more.  Waits for the thread: 100 ms at most. */
void umad_waiter_destroy(struct umad_waiter *w);

#endif /* MAD_UMAD_WAITER_H */
