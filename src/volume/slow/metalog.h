/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * volume/slow/metalog - a pool's log: group commit.
 *
 *            wanted, and room in the log
 *     IDLE -------------------------------> FLUSH_DATA   every drive
 *      ^ ^                                      |
 *      | |  nothing to log                      | data are durable
 *      | +--------------------------------------+
 *      |                                        v
 *      |                                  +-> WRITE      the holders
 *      |                a holder failed   |     |
 *      |                (its failure goes +-----+
 *      |                along)            |     v
 *      +----------------------------------+-- FLUSH      the holders
 *        done: answer those that waited when it began
 *
 * What a commit takes is read from the table when it begins: entries that are
 * MAPPED or holes then.  A NEW entry stays pending (but where the chunk was
 * before is unmapped).  So the flush of the data
 * covers every mapping that is logged (slow.h, Durability).
 *
 * A commit that fails keeps its blocks: they may be on some drive, so the
 * next attempt writes the very same ones before anything new.
 */
#ifndef VOLUME_SLOW_METALOG_H
#define VOLUME_SLOW_METALOG_H

#include "base/list.h"
#include "volume/slow/metaio.h"
#include "volume/slow/pending.h"

#define METALOG_BATCH 128u /* blocks in a commit */
#define METALOG_EXTRA 4u   /* for what happens while it is written */
#define METALOG_PENDING_MAX                                                    \
	8192u /* changes that start a commit by themselves */

struct pool;

enum metalog_state {
	METALOG_IDLE,
	METALOG_FLUSH_DATA,
	METALOG_WRITE,
	METALOG_FLUSH,
};

/* Wants to know when all changes and objects so far are durable. */
struct metalog_waiter {
	struct list link;
	void (*done)(struct metalog_waiter *w, int err);
	bool plain; /* stands for data without redundancy */
	/* metalog's */
	uint64_t change;
	uint64_t object;
};

struct metalog {
	enum metalog_state state;
	bool wanted;
	bool open;     /* the first checkpoint is there: may be written */
	uint64_t seq;  /* of the next block */
	uint64_t base; /* first block that recovery needs */
	uint64_t epoch;
	struct pending pending;
	/* records of other things, encoded, in order */
	uint8_t *object;
	uint32_t object_bytes;
	uint32_t object_size;
	uint64_t objects; /* so far */
	uint64_t objects_taken;
	/* numbers up to which all is durable */
	uint64_t durable_change;
	uint64_t durable_object;
	/* the commit that is under way, or has failed */
	uint64_t batch_first;
	uint32_t batch_blocks;
	uint64_t batch_change;
	uint64_t batch_object;
	struct list waiting;
	struct list riding;
	struct metaio_fan fan;
};

void metalog_init(struct pool *p);
void metalog_fini(struct pool *p);

/* An entry is about to change: room to note it.  @return 0; -ENOMEM. */
int metalog_reserve(struct pool *p);
/* It has changed.  metalog_reserve() has returned 0. */
void metalog_change(struct pool *p, uint32_t volume, uint64_t chunk,
                    bool unmapped);
/* Something else has.  @return 0; -ENOMEM. */
int metalog_object(struct pool *p, const struct record *r);

/* Commit what there is; `w` may be NULL.  The commit begins with the next
 * metalog_kick(). */
void metalog_commit(struct pool *p, struct metalog_waiter *w);
/* Begin if there is something to do and nothing under way. */
void metalog_kick(struct pool *p);
bool metalog_dirty(const struct pool *p);
/* No commit is under way or must be tried again. */
bool metalog_settled(const struct pool *p);

/* Byte offset on each drive of a block of the log. */
uint64_t metalog_where(const struct pool *p, uint64_t seq);

#endif /* VOLUME_SLOW_METALOG_H */
