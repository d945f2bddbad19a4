/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far/resident - in which order pages leave.
 *
 * Concept.  There is no accessed bit to ask, so age stands in for use: two
 * queues, first in, first out.  A page joins the cold one; a page that comes
 * back soon after it had left (before as many others have left as fit in
 * memory) was needed, and joins the hot one.  The cold queue is drained
 * first, as long as it holds more than a quarter of all.
 *
 * A page that ceases to be resident otherwise just changes its state; what
 * is left of it in a queue is recognised by its stamp and dropped when met.
 *
 * Threads    One, the pager's.
 */
#ifndef FAR_RESIDENT_H
#define FAR_RESIDENT_H

#include "far/page_map.h"

struct resident_entry {
	uint64_t number;
	uint32_t stamp;
};

struct resident_queue {
	struct resident_entry *entry; /* a ring of `size`, a power of two */
	uint64_t head, tail;          /* head: the oldest */
	uint64_t size;
	uint64_t live; /* of those in it, still resident */
};

struct resident {
	struct page_map *map;           /* borrowed */
	struct resident_queue queue[2]; /* cold, hot */
	uint32_t stamp;
	uint32_t left; /* pages that ever left, for resident_back() */
};

void resident_init(struct resident *r, struct page_map *map);
void resident_fini(struct resident *r);

/* Page `number`, with entry `p`, becomes FAR_RESIDENT.  @return 0; -ENOMEM:
 * it is resident all the same, and never leaves. */
int resident_add(struct resident *r, uint64_t number, struct far_page *p);

/* A resident page takes another state. */
void resident_remove(struct resident *r, struct far_page *p,
                     enum far_state state);

/* Pages in both queues. */
uint64_t resident_count(const struct resident *r);

/*
 * The page to leave next, FAR_LEAVING from now on, and the number of it in
 * *number.  NULL: there is none.
 */
struct far_page *resident_pick(struct resident *r, uint64_t *number);

/* It has left: note when.  */
void resident_gone(struct resident *r, struct far_page *p);
/* It was asked for again: was that soon, of `limit` pages in memory? */
void resident_back(const struct resident *r, struct far_page *p,
                   uint64_t limit);

#endif /* FAR_RESIDENT_H */
