/* SPDX-License-Identifier: BSD-2-Clause */
/* core/timer - a call after a time; see core/reactor.h. */
#ifndef CORE_TIMER_H
#define CORE_TIMER_H

#include <stdint.h>

struct reactor;

struct timer {
	void (*fire)(struct timer *t); /* one shot; may start itself again */
	uint64_t due_ns;               /* reactor's */
	unsigned slot;                 /* reactor's; 0 while not armed */
};

/*
 * (Re)arm, counted from reactor_now_ns(); one that is started by a timer's
 * fire() runs in a later iteration, however short its delay.
 *
 * @return 0; -ENOMEM (never when the timer is armed already).
 */
int timer_start(struct reactor *r, struct timer *t, uint64_t delay_ns);
void timer_stop(struct reactor *r, struct timer *t);

#endif /* CORE_TIMER_H */
