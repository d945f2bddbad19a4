/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subnet/lft - linear forwarding tables: a byte per switch and LID, the port
 * to leave by; LFT_NONE for no route, 0 for the switch itself.  A block
 * (blocks.h) is 64 LIDs.
 */
#ifndef SUBNET_LFT_H
#define SUBNET_LFT_H

#include "subnet/blocks.h"

#define LFT_NONE 255u
#define LFT_BLOCK BLOCKS_SIZE
#define LFT_BLOCKS 768u /* unicast LIDs end at 0xbfff */

static inline void lft_init(struct blocks *b)
{
	blocks_init(b, LFT_BLOCKS, LFT_NONE);
}

/* @return LFT_NONE too where nothing was ever set. */
static inline uint8_t lft_get(const struct blocks *b, unsigned sw, uint16_t lid)
{
	return blocks_has(b, lid / LFT_BLOCK)
	               ? blocks_at(b, sw, lid / LFT_BLOCK)[lid % LFT_BLOCK]
	               : (uint8_t)LFT_NONE;
}

/* The block must exist.  @return whether the entry changed. */
static inline bool lft_set(struct blocks *b, unsigned sw, uint16_t lid,
                           uint8_t port)
{
	uint8_t *at = &blocks_at(b, sw, lid / LFT_BLOCK)[lid % LFT_BLOCK];

	if (*at == port)
		return false;
	*at = port;
	blocks_mark(b, sw, lid / LFT_BLOCK);
	return true;
}

/* The last LID of the last block that exists, for LinearFDBTop; 0. */
static inline uint16_t lft_top(const struct blocks *b)
{
	for (unsigned i = LFT_BLOCKS; i-- > 0;)
		if (blocks_has(b, i))
			return (uint16_t)(i * LFT_BLOCK + LFT_BLOCK - 1);
	return 0;
}

#endif /* SUBNET_LFT_H */
