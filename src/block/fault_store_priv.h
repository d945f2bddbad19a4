/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block/fault_store - a medium in memory that many may share.
 *
 *   store -> leaves of FAULT_LEAF pages -> pages
 *
 * Leaves and pages are counted and copied when one of several owners writes.
 * Sharing a store costs its leaves, 1/32768 of its size; none of the owners
 * sees what another writes, and each ends when it likes.  A page that is not
 * there is zero.
 */
#ifndef BLOCK_FAULT_STORE_PRIV_H
#define BLOCK_FAULT_STORE_PRIV_H

#include <stdint.h>

#define FAULT_PAGE 4096u
#define FAULT_LEAF 64u

struct fault_leaf;

struct fault_store {
	uint64_t n_leaves;
	struct fault_leaf **leaf; /* NULL: zeroes */
};

void fault_store_init(struct fault_store *s, uint64_t size);

/* Make `s` a store of its own with what `from` holds now. */
void fault_store_share(struct fault_store *s, const struct fault_store *from);

void fault_store_fini(struct fault_store *s);

void fault_store_read(const struct fault_store *s, uint64_t offset,
                      uint64_t length, uint8_t *out);

/* `data` NULL: zeroes. */
void fault_store_write(struct fault_store *s, uint64_t offset, uint64_t length,
                       const uint8_t *data);

#endif /* BLOCK_FAULT_STORE_PRIV_H */
