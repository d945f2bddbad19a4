/* SPDX-License-Identifier: BSD-2-Clause */
/* volume/slow/grace - until nobody can see what was unlinked. */
#ifndef VOLUME_SLOW_GRACE_H
#define VOLUME_SLOW_GRACE_H

#include <stdbool.h>
#include <stdint.h>

struct pool;

/*
 * Grace periods of a pool.  One that starts after something was unlinked has
 * ended when nobody can see it any more:
 *
 *   IDLE -- advance the epoch --> FIRST -- old count 0, advance --> SECOND
 *     ^                                                               |
 *     +---------------------------- old count 0 ----------------------+
 */
struct grace {
	enum { GRACE_IDLE, GRACE_FIRST, GRACE_SECOND } state;
	uint64_t started;
	uint64_t ended;
	uint64_t wanted; /* number of the last one that somebody waits for */
};

/* What to wait for so that everything unlinked so far is out of sight:
 * grace_passed() of it. */
uint64_t grace_ticket(struct pool *p);
bool grace_passed(const struct pool *p, uint64_t ticket);
/* @return whether one ended. */
bool grace_poll(struct pool *p);
bool grace_waiting(const struct pool *p);

#endif /* VOLUME_SLOW_GRACE_H */
