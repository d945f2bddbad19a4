/* SPDX-License-Identifier: BSD-2-Clause */
#include "subnet/lft.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_STEP 64u

static size_t words(unsigned switches)
{
	return (switches + 63) / 64;
}

void lft_init(struct lft *l)
{
	memset(l, 0, sizeof(*l));
}

void lft_fini(struct lft *l)
{
	for (unsigned b = 0; b < LFT_BLOCKS; b++) {
		free(l->block[b]);
		free(l->dirty[b]);
	}
	lft_init(l);
}

static int resize_block(struct lft *l, unsigned b, unsigned room)
{
	uint8_t *block = realloc(l->block[b], (size_t)room * LFT_BLOCK);
	uint64_t *dirty;

	if (!block)
		return -ENOMEM;
	l->block[b] = block;
	dirty = realloc(l->dirty[b], words(room) * sizeof(*dirty));
	if (!dirty)
		return -ENOMEM;
	l->dirty[b] = dirty;
	return 0;
}

static void clear_from(struct lft *l, unsigned b, unsigned from, unsigned room)
{
	memset(l->block[b] + (size_t)from * LFT_BLOCK, LFT_NONE,
	       (size_t)(room - from) * LFT_BLOCK);
	memset(l->dirty[b] + words(from), 0,
	       (words(room) - words(from)) * sizeof(uint64_t));
}

int lft_resize(struct lft *l, unsigned n)
{
	unsigned room = (n + ROOM_STEP - 1) / ROOM_STEP * ROOM_STEP;

	if (n > l->room) {
		for (unsigned b = 0; b < LFT_BLOCKS; b++) {
			if (!l->block[b])
				continue;
			if (resize_block(l, b, room))
				return -ENOMEM;
			clear_from(l, b, l->room, room);
		}
		l->room = room;
	}
	if (n > l->n_switches)
		l->n_switches = n;
	return 0;
}

int lft_need(struct lft *l, uint16_t lid)
{
	unsigned b = lid / LFT_BLOCK;

	assert(b < LFT_BLOCKS);
	if (l->block[b] && l->dirty[b])
		return 0;
	if (!l->room)
		l->room = ROOM_STEP;
	if (resize_block(l, b, l->room))
		return -ENOMEM;
	clear_from(l, b, 0, l->room);
	return 0;
}

void lft_mark(struct lft *l, unsigned sw, unsigned block)
{
	uint64_t bit = UINT64_C(1) << sw % 64;

	if (l->dirty[block][sw / 64] & bit)
		return;
	l->dirty[block][sw / 64] |= bit;
	l->n_dirty++;
}

bool lft_set(struct lft *l, unsigned sw, uint16_t lid, uint8_t port)
{
	uint8_t *at =
		l->block[lid / LFT_BLOCK] + sw * LFT_BLOCK + lid % LFT_BLOCK;

	if (*at == port)
		return false;
	*at = port;
	lft_mark(l, sw, lid / LFT_BLOCK);
	return true;
}

void lft_sent(struct lft *l, unsigned sw, unsigned block)
{
	if (!lft_is_dirty(l, sw, block))
		return;
	l->dirty[block][sw / 64] &= ~(UINT64_C(1) << sw % 64);
	l->n_dirty--;
}

void lft_mark_switch(struct lft *l, unsigned sw)
{
	for (unsigned b = 0; b < LFT_BLOCKS; b++)
		if (l->block[b])
			lft_mark(l, sw, b);
}

uint16_t lft_top(const struct lft *l)
{
	for (unsigned b = LFT_BLOCKS; b-- > 0;)
		if (l->block[b])
			return (uint16_t)(b * LFT_BLOCK + LFT_BLOCK - 1);
	return 0;
}

int lft_copy(struct lft *to, const struct lft *from)
{
	lft_init(to);
	to->n_switches = from->n_switches;
	to->room = from->room;
	to->n_dirty = from->n_dirty;
	for (unsigned b = 0; b < LFT_BLOCKS; b++) {
		if (!from->block[b])
			continue;
		if (resize_block(to, b, from->room)) {
			lft_fini(to);
			return -ENOMEM;
		}
		memcpy(to->block[b], from->block[b],
		       (size_t)from->room * LFT_BLOCK);
		memcpy(to->dirty[b], from->dirty[b],
		       words(from->room) * sizeof(uint64_t));
	}
	return 0;
}

uint32_t lft_diff(struct lft *l, const struct lft *had)
{
	uint8_t empty[LFT_BLOCK];

	memset(empty, LFT_NONE, sizeof(empty));
	for (unsigned b = 0; b < LFT_BLOCKS; b++) {
		for (unsigned sw = 0; l->block[b] && sw < l->n_switches; sw++) {
			const uint8_t *old =
				had->block[b] && sw < had->n_switches
					? lft_block(had, sw, b)
					: empty;

			if (memcmp(old, lft_block(l, sw, b), LFT_BLOCK) == 0)
				lft_sent(l, sw, b);
			else
				lft_mark(l, sw, b);
		}
	}
	return l->n_dirty;
}
