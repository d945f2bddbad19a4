/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far/tier - pages that are kept here, compressed.
 *
 * Concept.  A page that leaves a program is compressed (LZ4) into a cell.
 * Whoever has the page remembers the cell's number and nothing else, so that
 * it may rename the page, or share it after a fork, without a word to the
 * tier.  When room is needed the coldest cells are written elsewhere; such a
 * cell gives up its bytes and keeps the address, until everybody who holds
 * the number has come for it.
 *
 *            tier_put()           tier_coldest()
 *      free ------------> HERE -----------------> LEAVING
 *       ^                  | ^                     |   |
 *       |  nobody holds it | |  tier_kept()        |   | tier_stored()
 *       +------------------+ +---------------------+   v
 *       +------------------------------------------ ELSEWHERE
 *
 * Layout.  Cells' bytes lie in blocks of TIER_BLOCK, each cut into objects of
 * one size class, TIER_STEP apart.  Where blocks of a class together have as
 * many free objects as one block has in all, the emptiest is emptied before
 * the tier takes another block.
 *
 * Cost       Compression and decompression, 1 to 3 us a page each; 48 bytes a
 *            cell, its bytes, and TIER_STEP / 2 more on average.
 * Memory     `bytes` is all that the tier has: blocks and cells.
 * Threads    One.
 *
 * Invariants
 *   T1  a page that was put is in exactly one place: in a block (HERE,
 *       LEAVING) or at an address (ELSEWHERE);
 *   T2  what tier_get() gives is what was put;
 *   T3  no put takes `bytes` beyond `limit`;
 *   T4  a number stays valid for as long as it is held, and is not given
 *       again before.
 */
#ifndef FAR_TIER_H
#define FAR_TIER_H

#include "far/page_map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIER_BLOCK (UINT64_C(16) << 10) /* bytes */
#define TIER_STEP 32u                   /* bytes between size classes */
#define TIER_LARGEST (FAR_PAGE * 3 / 4) /* bytes of an object */
#define TIER_PACKED (TIER_LARGEST - 4)  /* bytes that a page may have */
#define TIER_CLASSES (TIER_LARGEST / TIER_STEP)
#define TIER_CELLS_MAX (UINT32_C(1) << 30)

/* Where a page is that has left the tier. */
struct tier_address {
	uint32_t slot;
	uint64_t version;
	uint8_t tag[FAR_TAG];
};

struct tier_cell;
struct tier_block;

struct tier {
	/* The owner's to change at any time; what is there stays. */
	uint64_t limit;
	uint64_t bytes;  /* that it has */
	uint64_t pages;  /* in blocks */
	uint64_t packed; /* bytes that these are compressed to */
	/* its own */
	uint8_t *memory; /* of all blocks, as far as they are in use */
	struct tier_block *block;
	uint32_t n_blocks;              /* that fit in `memory` */
	uint32_t free_block;            /* the first of those not in use */
	uint32_t partial[TIER_CLASSES]; /* blocks with a free object */
	uint64_t n_free[TIER_CLASSES];  /* objects */
	struct tier_cell **chunk;       /* of cells */
	uint32_t n_chunks, chunks_room;
	uint32_t free_cell;
	uint32_t coldest, hottest; /* of those HERE */
};

/* `max` is what `limit` begins with and never exceeds.
 * @return 0; -ENOMEM. */
int tier_init(struct tier *t, uint64_t max);
/* Cells may still be held.  A tier that is all zeroes is allowed. */
void tier_fini(struct tier *t);

/* What tier_pack() works in, tier_pack_size() bytes, aligned as by malloc();
 * any thread may have one. */
size_t tier_pack_size(void);
/* @return bytes that the page was compressed to; 0: not below TIER_PACKED. */
unsigned tier_pack(void *work, const uint8_t page[FAR_PAGE],
                   uint8_t packed[TIER_PACKED]);

/*
 * Keep a page that tier_pack() has compressed to `length` bytes.
 * @return whether there was room, with the number of its cell, held once, in
 * *cell.
 */
bool tier_put(struct tier *t, const uint8_t *packed, unsigned length,
              uint32_t *cell);

/* The page's bytes, of a cell that is not ELSEWHERE. */
void tier_get(const struct tier *t, uint32_t cell, uint8_t page[FAR_PAGE]);

/* NULL: it is not ELSEWHERE. */
const struct tier_address *tier_elsewhere(const struct tier *t, uint32_t cell);

/* One holder more, or less.  @return of the last one, of a cell that is
 * ELSEWHERE: its slot, which is the caller's to put; else FAR_NO_SLOT. */
void tier_hold(struct tier *t, uint32_t cell);
uint32_t tier_release(struct tier *t, uint32_t cell);

/* Up to `want` cells that have been HERE longest; each is LEAVING, and held
 * once more.  @return how many. */
unsigned tier_coldest(struct tier *t, unsigned want, uint32_t *cell);

/* A cell that was LEAVING was stored: its bytes go, and one hold does.
 * @return whether it is ELSEWHERE now and the slot its own; false: nobody else
 * holds it, and the slot is the caller's to put. */
bool tier_stored(struct tier *t, uint32_t cell,
                 const struct tier_address *address);
/* It was not: it is HERE again, as the hottest, and one hold goes. */
void tier_kept(struct tier *t, uint32_t cell);

/* Give back blocks, as long as `bytes` is beyond `limit` and others of their
 * class can take in what they hold. */
void tier_shrink(struct tier *t);

/* Asserts what can be asserted of the whole; slow, for tests. */
void tier_check(const struct tier *t);

#endif /* FAR_TIER_H */
