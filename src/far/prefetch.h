/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far/prefetch - which pages a program will ask for next.
 *
 * Concept.  Faults are sorted into a few streams.  A fault that continues a
 * stream (the same distance from its last fault as that was from the one
 * before, or right behind what was prefetched) lets its window grow twofold
 * up to PREFETCH_MAX pages; one that belongs to none starts a new stream in
 * place of the oldest.  Two neighbours are the start of a walk or an accident;
 * while they mostly turn out to be accidents they are rarely acted upon.
 *
 * A pure function of the faults; the caller decides what to do with the
 * proposal, and never lets it wait in front of a page that was asked for.
 *
 * Threads    One.
 */
#ifndef FAR_PREFETCH_H
#define FAR_PREFETCH_H

#include <stdint.h>

#define PREFETCH_MAX 32u    /* pages of one proposal */
#define PREFETCH_STREAMS 8u /* told apart at once */
#define PREFETCH_STRIDE 64  /* pages; what is further apart is no stream */

struct prefetch_stream {
	uint64_t last;   /* page of the last fault */
	uint64_t edge;   /* first page that was not proposed yet */
	int32_t stride;  /* pages between faults; 0: not known yet */
	uint32_t window; /* pages of the next proposal */
	uint64_t used;   /* when, in faults */
};

struct prefetch {
	struct prefetch_stream stream[PREFETCH_STREAMS];
	uint64_t faults;
	int trust;     /* in neighbours: -PREFETCH_TRUST to PREFETCH_TRUST */
	uint64_t used; /* proposed pages that a program has walked over */
};
#define PREFETCH_TRUST 32

/* Pages `first`, `first + stride`, ... `count` times. */
struct prefetch_plan {
	uint64_t first;
	int32_t stride;
	uint32_t count;
};

/* The program asked for page `number`.  `count` is 0 where nothing is worth
 * fetching. */
struct prefetch_plan prefetch_fault(struct prefetch *p, uint64_t number);

#endif /* FAR_PREFETCH_H */
