/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * volume/slow/reclaim - chunks and rows on their way back to the free space.
 *
 * A chunk that was unmapped is free when the unmapping is durable and no
 * reader can hold the old entry any more (two epochs, handoff_format.h); a row
 * that has become empty when its end is durable.
 */
#ifndef VOLUME_SLOW_RECLAIM_H
#define VOLUME_SLOW_RECLAIM_H

#include <stdbool.h>
#include <stdint.h>

#define RECLAIM_MAX (1u << 18) /* chunks of a pool on their way */

struct pool;

struct reclaim_item {
	uint64_t change; /* durable first */
	uint64_t ticket;
	uint32_t row;
	uint32_t index;
};

struct reclaim {
	struct reclaim_item *item; /* ring of RECLAIM_MAX, made on first use */
	uint32_t at;
	uint32_t n;
	uint64_t bytes; /* raw, of the chunks in it */
	/* a row that drains: 1 + number of the record of its end */
	uint64_t *row_object;
	uint32_t n_row_object;
};

void reclaim_fini(struct pool *p);
/* @return 0; -EAGAIN: RECLAIM_MAX are on their way; -ENOMEM. */
int reclaim_reserve(struct pool *p);
/* A chunk was unmapped and noted (metalog_change); reserve has returned 0. */
void reclaim_chunk(struct pool *p, uint32_t row, uint32_t index);
/* It is free, and was out of sight already. */
void reclaim_free(struct pool *p, uint32_t row, uint32_t index);
/* An empty row found at start. */
void reclaim_row(struct pool *p, uint32_t row);

/* Free what can be; called when a commit or a grace period has ended. */
void reclaim_run(struct pool *p);
/* Whether there will be more space without anybody's doing. */
bool reclaim_pending(const struct pool *p);

#endif /* VOLUME_SLOW_RECLAIM_H */
