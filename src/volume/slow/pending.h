/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * volume/slow/pending - the changes of a pool that its log does not hold yet.
 *
 * A change is only "this chunk of this volume": what the log gets is what the
 * table says when the commit begins, so many changes of one chunk cost one
 * record.  Changes are numbered from 1; an item keeps the number of its first
 * change and counts the others.
 */
#ifndef VOLUME_SLOW_PENDING_H
#define VOLUME_SLOW_PENDING_H

#include <stdbool.h>
#include <stdint.h>

struct pending_item {
	uint64_t number;
	uint64_t chunk;
	uint32_t volume; /* slot */
	uint32_t count : 31;
	uint32_t unmapped : 1; /* and the log may still say where it was */
};

struct pending {
	struct pending_item *item; /* in the order of their numbers */
	uint32_t n;
	uint32_t size;
	uint32_t *hash; /* 1 + index of an item */
	uint32_t hash_size;
	uint64_t added; /* changes so far */
};

void pending_init(struct pending *p);
void pending_fini(struct pending *p);

/* Room for one more change.  @return 0; -ENOMEM. */
int pending_reserve(struct pending *p);
/* pending_reserve() has returned 0. */
void pending_add(struct pending *p, uint32_t volume, uint64_t chunk,
                 bool unmapped);

/*
 * Drop the items for which keep() says no, of the first `n`.  The caller has
 * dealt with them.
 */
void pending_sweep(struct pending *p, uint32_t n, const uint8_t *keep);

#endif /* VOLUME_SLOW_PENDING_H */
