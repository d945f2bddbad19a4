/* SPDX-License-Identifier: BSD-2-Clause */
/* volume/slow/pool - pools in memory. */
#ifndef VOLUME_SLOW_POOL_H
#define VOLUME_SLOW_POOL_H

#include "volume/slow/alloc.h"
#include "volume/slow/checkpoint.h"
#include "volume/slow/member.h"
#include "volume/slow/metalog.h"
#include "volume/slow/reclaim.h"

struct slow;
struct creation;

/* Where things lie on every drive of a pool: bytes. */
struct layout {
	uint64_t root; /* two blocks */
	uint64_t log;
	uint64_t log_blocks;
	uint64_t image[2];
	uint64_t image_blocks;
	uint64_t data_start;
	uint64_t extent_bytes;
};

struct pool {
	struct slow *slow;
	struct handoff_pool *shared;
	unsigned slot;
	bool serving; /* loaded; answers hand-offs */
	char name[HANDOFF_NAME];
	char why[256]; /* while OFFLINE */
	uint8_t uuid[16];
	struct layout layout;
	struct member member[RECORD_MEMBERS_MAX];
	unsigned n_members;
	uint64_t generation; /* of the membership */
	uint64_t created;    /* seconds since 1970 */
	uint64_t next_volume_id;
	unsigned usage_level; /* thresholds that usage has passed */
	struct alloc alloc;
	struct metalog log;
	struct checkpoint checkpoint;
	struct grace grace;
	struct reclaim reclaim;
	struct announcement announcement;
	struct creation *creation; /* until it is complete */
	struct list drive_waits;   /* DRIVE_ERROR, until it is durable */
	struct list settle_calls;  /* slow_drive_fail(), likewise */
	struct list space_waits;   /* MISS, until something is free */
	struct list discard_waits; /* DISCARD, until reclaim has room */
};

struct pool *pool_new(struct slow *s, unsigned slot);
void pool_free(struct pool *p);
int pool_find(const struct slow *s, const char *name);
/* It is complete: publish it and answer hand-offs. */
void pool_open(struct pool *p);
/* It cannot be: show its name and that it is OFFLINE; undo that. */
void pool_publish_offline(struct pool *p);
void pool_retract_offline(struct pool *p);
void pool_usage(struct pool *p);
uint64_t pool_arena(const struct pool *p);
#define POOL_ARENA_LOG 0u
#define POOL_ARENA_IMAGE (UINT64_C(544) << 10)
#define POOL_ARENA_ROOT (UINT64_C(800) << 10)
#define POOL_ARENA_LABELS (UINT64_C(804) << 10) /* one block per member */

/* In a row, instead of the slot of member `i` while it has none: beyond
 * HANDOFF_DRIVES, so that nobody looks for a drive there. */
#define POOL_ABSENT(i) ((uint16_t)(0xff00u + (i)))
/* Forget a creation or growth that is under way. */
void pool_creation_free(struct creation *c);
/* A row of the pool as the fast stack sees it. */
void pool_publish_row(struct pool *p, uint32_t row);
void pool_retract_row(struct pool *p, uint32_t row);

#endif /* VOLUME_SLOW_POOL_H */
