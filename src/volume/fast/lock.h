/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * volume/fast/lock - ranges of chunks that exclude each other, on one worker.
 *
 * First come, first served: a range waits for every earlier one that overlaps
 * it in the same chunk and counts them; who ends a range counts down those
 * that came later.
 */
#ifndef VOLUME_FAST_LOCK_H
#define VOLUME_FAST_LOCK_H

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

#define LOCK_BUCKETS 256u

struct lock_table {
	struct list bucket[LOCK_BUCKETS];
};

struct lock_range {
	struct list link;
	uint64_t chunk; /* index in the table: unique on the node */
	uint32_t from, to;
	unsigned blockers;
};

void lock_table_init(struct lock_table *t);

/* @return whether the range is held at once. */
bool lock_acquire(struct lock_table *t, struct lock_range *r);

/* End a range and call granted() for each that is held from now on; it must
 * not acquire or release in the call. */
typedef void (*lock_granted_fn)(struct lock_range *r);
void lock_release(struct lock_table *t, struct lock_range *r,
                  lock_granted_fn granted);

#endif /* VOLUME_FAST_LOCK_H */
