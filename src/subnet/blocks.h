/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subnet/blocks - tables of all switches, in the 64-byte blocks in which SMPs
 * carry them, and which blocks a switch does not have yet.
 *
 * Concept.  Linear forwarding, multicast forwarding, groups and the LIDs bound
 * to groups are all tables of numbered blocks of 64 bytes.  A block exists, for
 * all switches at once, from the first time it is needed.  blocks_mark() says
 * that a switch lacks what is here; that is what has to be sent, and
 * blocks_sent() takes the mark away.
 *
 * Cost       64 bytes for each switch and existing block: 2,250 switches and
 *            32,250 LIDs take 73 MB.
 * Errors     -ENOMEM.
 */
#ifndef SUBNET_BLOCKS_H
#define SUBNET_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCKS_SIZE 64u

struct blocks {
	uint8_t **block;   /* [number]: [switch * 64]; NULL */
	uint64_t **dirty;  /* [number]: a bit per switch */
	unsigned n_blocks; /* numbers there can be */
	unsigned n_switches;
	unsigned room;    /* switches that the blocks have room for */
	uint32_t n_dirty; /* marks */
	uint8_t fill;     /* every byte of a new block */
};

/* Allocates nothing yet. */
void blocks_init(struct blocks *b, unsigned n_blocks, uint8_t fill);
void blocks_fini(struct blocks *b);

/* Make room for `n` switches.  @return 0; -ENOMEM. */
int blocks_resize(struct blocks *b, unsigned n);

/* The block exists from now on.  @return 0; -ENOMEM. */
int blocks_need(struct blocks *b, unsigned number);

static inline bool blocks_has(const struct blocks *b, unsigned number)
{
	return b->block && b->block[number];
}

/* The block of a switch; it exists. */
static inline uint8_t *blocks_at(const struct blocks *b, unsigned sw,
                                 unsigned number)
{
	return b->block[number] + (size_t)sw * BLOCKS_SIZE;
}

static inline bool blocks_is_dirty(const struct blocks *b, unsigned sw,
                                   unsigned number)
{
	return b->dirty[number][sw / 64] >> sw % 64 & 1;
}

void blocks_mark(struct blocks *b, unsigned sw, unsigned number);
void blocks_sent(struct blocks *b, unsigned sw, unsigned number);
/* Nothing is known of what the switch has: mark all. */
void blocks_mark_switch(struct blocks *b, unsigned sw);
/* It has nothing but what new blocks have, as far as we know. */
void blocks_empty_switch(struct blocks *b, unsigned sw);
/* It is off: there is nobody to send to. */
void blocks_forget_switch(struct blocks *b, unsigned sw);

/* Write 64 bytes, and mark them if they are new.  @return whether they are. */
bool blocks_put(struct blocks *b, unsigned sw, unsigned number,
                const uint8_t bytes[BLOCKS_SIZE]);

/* A copy, marks included; `to` is not initialized.  @return 0; -ENOMEM. */
int blocks_copy(struct blocks *to, const struct blocks *from);

/*
 * Mark in `b` exactly what differs from `had`.
 * @return how many blocks differ.
 */
uint32_t blocks_diff(struct blocks *b, const struct blocks *had);

#endif /* SUBNET_BLOCKS_H */
