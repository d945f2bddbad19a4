/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * volume/geometry - where the bytes of a chunk lie: pure functions of a row.
 *
 * A chunk (64 KiB) is one full stripe: `data` strips of CHUNK_BYTES / data
 * bytes, on different members of its row.  raid1 is one data strip on two
 * members; raid5 adds a parity strip whose member moves by one per chunk
 * (left-symmetric: parity of chunk i on member width - 1 - i % width, data
 * strips follow it round).
 */
#ifndef VOLUME_GEOMETRY_H
#define VOLUME_GEOMETRY_H

#include "volume/handoff_format.h"

#include <stdbool.h>

/* Values are on disk: never renumber. */
enum raid_profile {
	RAID0 = 0,
	RAID1 = 1,
	RAID5 = 5,
};

/* @return the profile's name, or NULL if there is no such profile. */
const char *geometry_profile_name(unsigned profile);
/* @return 0; -EINVAL. */
int geometry_profile_parse(const char *name, enum raid_profile *out);

/* Members that may be lost without losing data. */
unsigned geometry_tolerance(enum raid_profile profile);
/* Fewest drives that the profile needs. */
unsigned geometry_min_drives(enum raid_profile profile);

struct geometry {
	enum raid_profile profile;
	uint8_t width;
	uint8_t data;
	uint8_t strip_shift;
};

/*
 * The widest row of `profile` that fits on `n_drives` drives, with at most 8
 * data strips.  @return 0; -EINVAL: too few drives.
 */
int geometry_choose(enum raid_profile profile, unsigned n_drives,
                    struct geometry *out);

/* Whether a row read from memory or disk is one that geometry_choose() could
 * have made: everything below relies on it. */
bool geometry_valid(const struct geometry *g);

/* Chunks in a row: how many strips fit in an extent. */
static inline uint64_t geometry_chunks(const struct geometry *g,
                                       uint64_t extent_bytes)
{
	return extent_bytes >> g->strip_shift;
}

/* Member that holds data strip `strip` of the chunk with this index. */
unsigned geometry_data_member(const struct geometry *g, uint32_t index,
                              unsigned strip);
/* Member that holds the parity; only for profiles that have one. */
unsigned geometry_parity_member(const struct geometry *g, uint32_t index);

/* -- entries of the table ------------------------------------------------- */

static inline uint64_t entry_make(enum entry_state state, uint32_t row,
                                  uint32_t index)
{
	return ENTRY_VALID_ALL | (uint64_t)state << ENTRY_STATE_SHIFT |
	       (uint64_t)row << ENTRY_INDEX_BITS | index;
}

static inline enum entry_state entry_state(uint64_t entry)
{
	return (enum entry_state)(entry >> ENTRY_STATE_SHIFT & 0xff);
}

static inline uint32_t entry_row(uint64_t entry)
{
	return entry >> ENTRY_INDEX_BITS & ((1u << ENTRY_ROW_BITS) - 1);
}

static inline uint32_t entry_index(uint64_t entry)
{
	return entry & ((1u << ENTRY_INDEX_BITS) - 1);
}

#endif /* VOLUME_GEOMETRY_H */
