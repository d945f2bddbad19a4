/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * volume/slow/alloc - which extents make rows, which chunks of rows are taken:
 * one per pool, in the slow stack's own memory.
 *
 * A chunk comes from a row of its profile that has room and all its members;
 * failing that, from a new row over the members with the most free extents;
 * failing that, from a row that has lost members but none too many.  Within a
 * row it is the next free one, so that what is written together lies together.
 *
 *   Invariant  a chunk is taken at most once and an extent is in at most one
 *              row: every call that would break this refuses or asserts (S1).
 *
 * Cost       alloc_chunk() and alloc_free() take under a microsecond; a new
 *            row takes time by the number of members.
 */
#ifndef VOLUME_SLOW_ALLOC_H
#define VOLUME_SLOW_ALLOC_H

#include "volume/slow/record.h"

#define ALLOC_PROFILES 3u
#define ALLOC_NO_ROW UINT32_MAX

enum alloc_row_state {
	ALLOC_ROW_NONE = 0,     /* the number is free */
	ALLOC_ROW_LIVE = 1,     /* gives chunks */
	ALLOC_ROW_DRAINING = 2, /* empty; its end is not yet durable */
};

struct alloc_row {
	uint64_t *map; /* 1: taken, or beyond the end */
	uint32_t chunks;
	uint32_t used;
	uint32_t cursor; /* word of the map */
	uint32_t next;   /* in its list, and previous */
	uint32_t prev;
	uint8_t state; /* enum alloc_row_state */
	uint8_t list;  /* 0: none; else 1 + index in alloc.list */
	uint8_t lost;  /* members that are not usable */
	struct geometry geometry;
	uint16_t member[HANDOFF_WIDTH];
	uint32_t extent[HANDOFF_WIDTH];
};

struct alloc_member {
	uint64_t *map;
	uint32_t extents;
	uint32_t free;
	uint32_t cursor;
	bool usable;
};

struct alloc {
	struct alloc_row *rows;
	uint32_t n_rows;   /* in the array */
	uint32_t row_hint; /* no free number below */
	uint32_t live;     /* rows that are not NONE */
	uint32_t draining; /* of those */
	uint64_t extent_bytes;
	uint64_t used_bytes;               /* raw, of taken chunks */
	uint32_t list[ALLOC_PROFILES * 2]; /* with room: whole, degraded */
	uint64_t free_chunk_bytes[ALLOC_PROFILES]; /* raw, in live rows */
	struct alloc_member member[RECORD_MEMBERS_MAX];
};

void alloc_init(struct alloc *a, uint64_t extent_bytes);
void alloc_fini(struct alloc *a);

/* @return 0; -ENOMEM.  Starts out usable. */
int alloc_add_member(struct alloc *a, unsigned index, uint32_t extents);
void alloc_set_usable(struct alloc *a, unsigned index, bool usable);

/*
 * Put in a row that exists (recovery).
 *
 * @return 0; -EINVAL: a member or extent that is not there; -EEXIST: the
 *         number or an extent is taken; -ENOMEM.
 */
int alloc_add_row(struct alloc *a, const struct record_row *r);
/* Mark a chunk that is mapped (recovery).
 * @return 0; -EINVAL: no such row or chunk; -EEXIST: taken already (S1). */
int alloc_take(struct alloc *a, uint32_t row, uint32_t index);

/*
 * @return 0 and whether the row had to be made (then it must be published and
 *         logged before the mapping); -ENOSPC; -ENOMEM.
 */
int alloc_chunk(struct alloc *a, enum raid_profile profile, uint32_t *row,
                uint32_t *index, bool *new_row);
/* @return whether the row is empty now and drains: log its end, then call
 * alloc_release_row(). */
bool alloc_free(struct alloc *a, uint32_t row, uint32_t index);
/* Have an empty live row drain. */
void alloc_drain_row(struct alloc *a, uint32_t row);
/* The end of a draining row is durable: its extents are free again. */
void alloc_release_row(struct alloc *a, uint32_t row);

/* The row, or NULL if there is none of this number. */
const struct alloc_row *alloc_row(const struct alloc *a, uint32_t row);
void alloc_describe_row(const struct alloc *a, uint32_t row,
                        struct record_row *out);
/* Raw bytes that one chunk takes. */
uint64_t alloc_chunk_bytes(const struct geometry *g);
uint64_t alloc_free_bytes(const struct alloc *a, enum raid_profile profile);

/*
 * Whether losing member `index` as well would lose data: of rows that have
 * redundancy, or (`plain`) of those that have none.
 */
bool alloc_needs(const struct alloc *a, unsigned index, bool plain);
/* Whether it holds data that have redundancy. */
bool alloc_protects(const struct alloc *a, unsigned index);

#endif /* VOLUME_SLOW_ALLOC_H */
