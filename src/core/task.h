/* SPDX-License-Identifier: BSD-2-Clause */
/* core/task - run something on a reactor's thread; see core/reactor.h. */
#ifndef CORE_TASK_H
#define CORE_TASK_H

struct reactor;

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

#endif /* CORE_TASK_H */
