/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far/slots - which page-sized places of the backing device are taken.
 *
 * A slot has a count of holders: the pages that are stored in it (several,
 * after a fork) and the requests that are reading or writing it.  It is given
 * again only when nobody holds it, so that
 *
 *   K1  two writes to one slot are never in flight together;
 *   K2  a slot that is being read is not written.
 *
 * Slots are given as runs, as near to the last one given as they come free,
 * so that pages that leave together lie together and come back together.
 *
 * Cost       One byte a slot; more holders than 254 stay for ever.
 * Threads    One, the pager's.
 */
#ifndef FAR_SLOTS_H
#define FAR_SLOTS_H

#include <stdint.h>

struct slots {
	uint8_t *holders;
	uint32_t n;    /* slots */
	uint32_t used; /* of these */
	uint32_t next; /* where to look first */
};

/* @return 0; -ENOMEM; -EINVAL: no slot at all, or 2^32 - 1 and more. */
int slots_init(struct slots *s, uint64_t n);
void slots_fini(struct slots *s);

/*
 * Take a run of up to `want` slots, one holder each.
 *
 * @return how many, with the first in *first; 0: every slot is taken.
 */
uint32_t slots_take(struct slots *s, uint32_t want, uint32_t *first);

/* One holder more, or less; FAR_NO_SLOT is allowed and does nothing. */
void slots_hold(struct slots *s, uint32_t slot);
void slots_put(struct slots *s, uint32_t slot);

#endif /* FAR_SLOTS_H */
