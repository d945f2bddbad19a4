/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far/page_map - where each page of one address space is.
 *
 * Concept.  A radix tree of four levels (9 bits each, as the hardware's) from
 * a page number to an entry of 32 bytes.  Only pages that the pager has
 * captured have one; every other page is FAR_NONE and the kernel's alone.
 *
 *             missing fault: zeroes
 *     NONE -----------------------------> RESIDENT <-----------+
 *      ^  ^                                  |                 | placed
 *      |  | all zero                         | picked          |
 *      |  +---------------- LEAVING <--------+              COMING
 *      | unmapped, dropped     |                               ^
 *      |                       | moved out and sealed          | fault,
 *      +-- any state           +----------> AWAY --------------+ prefetch
 *
 * A RESIDENT page may keep the slot that it came from or went to: while its
 * contents still carry that slot's seal it can be dropped without a write.
 * An AWAY page may be packed: then it is in a cell of far/tier, not in a slot.
 *
 * Cost       A leaf of 512 entries is 16 KiB for 2 MiB of address space.
 * Threads    One, the pager's.
 */
#ifndef FAR_PAGE_MAP_H
#define FAR_PAGE_MAP_H

#include <assert.h>
#include <stdint.h>

#define FAR_PAGE_SHIFT 12
#define FAR_PAGE (UINT64_C(1) << FAR_PAGE_SHIFT) /* bytes */
#define FAR_PAGES_MAX (UINT64_C(1) << 36) /* page numbers: 48-bit addresses */
#define FAR_NO_SLOT UINT32_MAX
#define FAR_TAG 16 /* bytes of a page's seal, see far/seal.h */

enum far_state {
	FAR_NONE,     /* not captured, or never written: reads as zeroes */
	FAR_RESIDENT, /* in the program's memory */
	FAR_LEAVING,  /* picked; the agent may have moved it out already */
	FAR_AWAY,     /* in its slot, or on its way there from a parcel */
	FAR_COMING,   /* being read from its slot */
};

struct far_page {
	uint32_t slot;  /* FAR_NO_SLOT: no copy outside; or a cell */
	uint32_t stamp; /* RESIDENT: of its entry in far/resident */
	uint8_t tag[FAR_TAG];
	uint64_t version : 56; /* of the copy in the slot */
	uint64_t state : 4;    /* enum far_state */
	uint64_t hot : 1;      /* came back soon after it had left */
	uint64_t wanted : 1;   /* a thread waits for it */
	uint64_t dropped : 1;  /* LEAVING: the program gave it up meanwhile */
	uint64_t packed : 1;   /* AWAY: `slot` is a cell of the tier */
};
static_assert(sizeof(struct far_page) == 32, "a leaf is 16 KiB");

struct page_map;

/* NULL: out of memory. */
struct page_map *page_map_create(void);
/* Slots are the caller's to put first.  NULL is allowed. */
void page_map_destroy(struct page_map *m);

/* The entry of page `number` (< FAR_PAGES_MAX); NULL: there is none, the page
 * is FAR_NONE.  Entries stay where they are until page_map_destroy(). */
struct far_page *page_map_find(const struct page_map *m, uint64_t number);

/* The same, made if it is not there.  NULL: out of memory. */
struct far_page *page_map_get(struct page_map *m, uint64_t number);

/* Call `visit` for every entry that is not FAR_NONE in [first, end), in
 * order; it may change the entry. */
void page_map_visit(const struct page_map *m, uint64_t first, uint64_t end,
                    void (*visit)(void *ctx, uint64_t number,
                                  struct far_page *p),
                    void *ctx);

#endif /* FAR_PAGE_MAP_H */
