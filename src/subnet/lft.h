/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subnet/lft - the linear forwarding tables of all switches, and which parts
 * of them the switches don't have yet.
 *
 * Concept.  One byte per switch and LID: the port to leave by, LFT_NONE for no
 * route, 0 for the switch itself.  Tables are kept by block of 64 LIDs, the
 * unit of a SubnSet(LinearForwardingTable), and a block exists only once a LID
 * in it is used.  lft_set() marks what it changes; what is marked is what has
 * to be sent, and lft_sent() takes the mark away.
 *
 * Cost       n_switches * 64 bytes a used block, allocated as a whole: 2,250
 *            switches and 32,250 LIDs take 73 MB.
 */
#ifndef SUBNET_LFT_H
#define SUBNET_LFT_H

#include <stdbool.h>
#include <stdint.h>

#define LFT_NONE 255u
#define LFT_BLOCK 64u
#define LFT_BLOCKS 768u /* unicast LIDs end at 0xbfff */

struct lft {
	uint8_t *block[LFT_BLOCKS];  /* [switch * 64 + lid % 64]; NULL */
	uint64_t *dirty[LFT_BLOCKS]; /* a bit per switch */
	unsigned n_switches;
	unsigned room; /* switches that the blocks have room for */
	uint32_t n_dirty;
};

void lft_init(struct lft *l);
void lft_fini(struct lft *l);

/* Make room for `n` switches; entries of new ones are LFT_NONE.
 * @return 0; -ENOMEM. */
int lft_resize(struct lft *l, unsigned n);

/* The block of a LID exists from now on.  @return 0; -ENOMEM. */
int lft_need(struct lft *l, uint16_t lid);

/* @return LFT_NONE too where nothing was ever set. */
static inline uint8_t lft_get(const struct lft *l, unsigned sw, uint16_t lid)
{
	const uint8_t *b = l->block[lid / LFT_BLOCK];

	return b ? b[sw * LFT_BLOCK + lid % LFT_BLOCK] : (uint8_t)LFT_NONE;
}

/* The block must exist.  @return whether the entry changed. */
bool lft_set(struct lft *l, unsigned sw, uint16_t lid, uint8_t port);

static inline bool lft_is_dirty(const struct lft *l, unsigned sw,
                                unsigned block)
{
	return l->dirty[block] && (l->dirty[block][sw / 64] >> sw % 64 & 1);
}

void lft_mark(struct lft *l, unsigned sw, unsigned block);
/* The switch has this block as it is here. */
void lft_sent(struct lft *l, unsigned sw, unsigned block);
/* Nothing is known of what the switch has: mark all of it. */
void lft_mark_switch(struct lft *l, unsigned sw);

/* 64 bytes, as they go into a MAD. */
static inline const uint8_t *lft_block(const struct lft *l, unsigned sw,
                                       unsigned block)
{
	return l->block[block] + sw * LFT_BLOCK;
}

/* The highest LID of any existing block's end, for LinearFDBTop; 0. */
uint16_t lft_top(const struct lft *l);

/* A copy, marks included.  @return 0; -ENOMEM. */
int lft_copy(struct lft *to, const struct lft *from);

/*
 * Mark in `l` exactly what differs from `had`, which has the same switches.
 * @return how many blocks differ.
 */
uint32_t lft_diff(struct lft *l, const struct lft *had);

#endif /* SUBNET_LFT_H */
