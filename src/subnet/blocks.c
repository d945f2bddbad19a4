/* SPDX-License-Identifier: BSD-2-Clause */
#include "subnet/blocks.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_STEP 64u

static size_t words(unsigned switches)
{
	return (switches + 63) / 64;
}

void blocks_init(struct blocks *b, unsigned n_blocks, uint8_t fill)
{
	*b = (struct blocks){ .n_blocks = n_blocks, .fill = fill };
}

void blocks_fini(struct blocks *b)
{
	for (unsigned i = 0; b->block && i < b->n_blocks; i++)
		free(b->block[i]);
	for (unsigned i = 0; b->dirty && i < b->n_blocks; i++)
		free(b->dirty[i]);
	free(b->block);
	free(b->dirty);
	blocks_init(b, b->n_blocks, b->fill);
}

static int make_index(struct blocks *b)
{
	if (!b->block)
		b->block = calloc(b->n_blocks, sizeof(*b->block));
	if (!b->dirty)
		b->dirty = calloc(b->n_blocks, sizeof(*b->dirty));
	return b->block && b->dirty ? 0 : -ENOMEM;
}

static int resize_block(struct blocks *b, unsigned number, unsigned room)
{
	uint8_t *block = realloc(b->block[number], (size_t)room * BLOCKS_SIZE);
	uint64_t *dirty;

	if (!block)
		return -ENOMEM;
	b->block[number] = block;
	dirty = realloc(b->dirty[number], words(room) * sizeof(*dirty));
	if (!dirty)
		return -ENOMEM;
	b->dirty[number] = dirty;
	return 0;
}

static void clear(struct blocks *b, unsigned number, unsigned from,
                  unsigned room)
{
	memset(b->block[number] + (size_t)from * BLOCKS_SIZE, b->fill,
	       (size_t)(room - from) * BLOCKS_SIZE);
	memset(b->dirty[number] + words(from), 0,
	       (words(room) - words(from)) * sizeof(uint64_t));
}

int blocks_resize(struct blocks *b, unsigned n)
{
	unsigned room = (n + ROOM_STEP - 1) / ROOM_STEP * ROOM_STEP;

	if (n > b->room) {
		for (unsigned i = 0; b->block && i < b->n_blocks; i++) {
			if (!b->block[i])
				continue;
			if (resize_block(b, i, room))
				return -ENOMEM;
			clear(b, i, b->room, room);
		}
		b->room = room;
	}
	if (n > b->n_switches)
		b->n_switches = n;
	return 0;
}

int blocks_need(struct blocks *b, unsigned number)
{
	assert(number < b->n_blocks);
	if (make_index(b))
		return -ENOMEM;
	if (b->block[number] && b->dirty[number])
		return 0;
	if (!b->room)
		b->room = ROOM_STEP;
	if (resize_block(b, number, b->room))
		return -ENOMEM;
	clear(b, number, 0, b->room);
	return 0;
}

void blocks_mark(struct blocks *b, unsigned sw, unsigned number)
{
	uint64_t bit = UINT64_C(1) << sw % 64;

	if (b->dirty[number][sw / 64] & bit)
		return;
	b->dirty[number][sw / 64] |= bit;
	b->n_dirty++;
}

void blocks_sent(struct blocks *b, unsigned sw, unsigned number)
{
	if (!blocks_is_dirty(b, sw, number))
		return;
	b->dirty[number][sw / 64] &= ~(UINT64_C(1) << sw % 64);
	b->n_dirty--;
}

void blocks_mark_switch(struct blocks *b, unsigned sw)
{
	for (unsigned i = 0; b->block && i < b->n_blocks; i++)
		if (b->block[i])
			blocks_mark(b, sw, i);
}

void blocks_empty_switch(struct blocks *b, unsigned sw)
{
	for (unsigned i = 0; b->block && i < b->n_blocks; i++) {
		if (!b->block[i])
			continue;
		memset(blocks_at(b, sw, i), b->fill, BLOCKS_SIZE);
		blocks_sent(b, sw, i);
	}
}

void blocks_forget_switch(struct blocks *b, unsigned sw)
{
	for (unsigned i = 0; b->block && i < b->n_blocks; i++)
		if (b->block[i])
			blocks_sent(b, sw, i);
}

bool blocks_put(struct blocks *b, unsigned sw, unsigned number,
                const uint8_t bytes[BLOCKS_SIZE])
{
	uint8_t *at = blocks_at(b, sw, number);

	if (memcmp(at, bytes, BLOCKS_SIZE) == 0)
		return false;
	memcpy(at, bytes, BLOCKS_SIZE);
	blocks_mark(b, sw, number);
	return true;
}

int blocks_copy(struct blocks *to, const struct blocks *from)
{
	*to = (struct blocks){
		.n_blocks = from->n_blocks,
		.n_switches = from->n_switches,
		.room = from->room,
		.n_dirty = from->n_dirty,
		.fill = from->fill,
	};
	for (unsigned i = 0; from->block && i < from->n_blocks; i++) {
		if (!from->block[i])
			continue;
		if (make_index(to) || resize_block(to, i, from->room)) {
			blocks_fini(to);
			return -ENOMEM;
		}
		memcpy(to->block[i], from->block[i],
		       (size_t)from->room * BLOCKS_SIZE);
		memcpy(to->dirty[i], from->dirty[i],
		       words(from->room) * sizeof(uint64_t));
	}
	return 0;
}

uint32_t blocks_diff(struct blocks *b, const struct blocks *had)
{
	uint8_t empty[BLOCKS_SIZE];

	memset(empty, had->fill, sizeof(empty));
	for (unsigned i = 0; b->block && i < b->n_blocks; i++) {
		for (unsigned sw = 0; b->block[i] && sw < b->n_switches; sw++) {
			const uint8_t *old = empty;

			if (blocks_has(had, i) && sw < had->n_switches)
				old = blocks_at(had, sw, i);
			if (memcmp(old, blocks_at(b, sw, i), BLOCKS_SIZE) == 0)
				blocks_sent(b, sw, i);
			else
				blocks_mark(b, sw, i);
		}
	}
	return b->n_dirty;
}
