/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * volume/slow/checkpoint - a pool's state as an image, under a new root.
 *
 *      wanted, and no commit under way
 *   IDLE ---------> PREPARE -> FILL <-> WRITE -> FLUSH -> ROOT -> IDLE
 *    ^               (first time only:   |         |        |
 *    |                flush)             +---------+--------+
 *    |        a holder failed: once more | from the start, but not from ROOT
 *    +-----------------------------------+
 *
 * Fuzzy: the log's position is noted at the start, commits and allocations go
 * on meanwhile (in the log, from that position on), and recovery replays them
 * over the image.  What is small (pool, drives, volumes) is taken at the start
 * in one go, so that the log never names a volume that the image lacks.
 *
 * The new image goes to the area, and the new root to the block, that the
 * newest root does not use; the flush before the root covers the image and
 * the data of every mapping in it.
 */
#ifndef VOLUME_SLOW_CHECKPOINT_H
#define VOLUME_SLOW_CHECKPOINT_H

#include "base/list.h"
#include "volume/slow/emit.h"
#include "volume/slow/metaio.h"

#define CHECKPOINT_STEP 64u /* blocks written at a time */

struct pool;

enum checkpoint_state {
	CHECKPOINT_IDLE,
	CHECKPOINT_PREPARE, /* what is on the drives is being flushed */
	CHECKPOINT_FILL,    /* encoding; goes on in the next iteration */
	CHECKPOINT_WRITE,   /* image blocks */
	CHECKPOINT_FLUSH,   /* data and image */
	CHECKPOINT_ROOT,    /* the root block */
};

struct checkpoint_waiter {
	struct list link;
	void (*done)(struct checkpoint_waiter *w, int err);
};

struct checkpoint {
	enum checkpoint_state state;
	bool wanted;
	bool flushed; /* PREPARE has been */
	/* the newest root */
	uint64_t epoch;
	uint32_t root_slot;
	uint32_t image;
	/* the one that is being written */
	uint64_t next_epoch;
	uint64_t log_seq;
	uint64_t blocks;     /* of the image, written so far */
	uint64_t volume_ids; /* volumes from this one on are only in the log */
	uint32_t holders;
	bool filled;     /* all is encoded */
	bool root_tried; /* the root may be on a drive: finish it */
	uint32_t row;
	uint32_t volume;
	uint64_t chunk;
	struct emit emit;
	struct metaio_fan fan;
	struct task task;
	struct list waiting; /* for one that begins later */
	struct list riding;  /* for this one */
};

void checkpoint_init(struct pool *p);
/* One that begins from now on; `w` may be NULL. */
void checkpoint_want(struct pool *p, struct checkpoint_waiter *w);
/* Begin if one is wanted and no commit is under way. */
void checkpoint_kick(struct pool *p);
/* The most bytes that an image of such a pool takes. */
uint64_t checkpoint_image_bytes(uint64_t pool_bytes);

#endif /* VOLUME_SLOW_CHECKPOINT_H */
