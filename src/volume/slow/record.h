/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * volume/slow/record - metadata blocks and the records in them, encoded and
 * checked: pure functions.  Layout: volume/meta_format.h.
 *
 * A block that verifies was written by this code for this very place; what is
 * in it is checked all the same, so that nothing read from a drive can make
 * the caller index out of its arrays: names, sizes, counts, geometries and
 * entries are in range when record_next() has returned 1.  What a record
 * refers to (volume, row, member) is the caller's to check.
 */
#ifndef VOLUME_SLOW_RECORD_H
#define VOLUME_SLOW_RECORD_H

#include "volume/geometry.h"
#include "volume/handoff_format.h"
#include "volume/meta_format.h"

#include <stdbool.h>

#define RECORD_MEMBERS_MAX 32u /* drives in a pool */
#define RECORD_VOLUME_BYTES_MAX (UINT64_C(512) << 40)
#define RECORD_EXTENTS_MAX (1u << 24) /* of a drive */
#define RECORD_MAP_MAX                                                         \
	((META_CONTENT - sizeof(struct meta_record) -                          \
	  sizeof(struct meta_map)) /                                           \
	 sizeof(le64))
#define RECORD_SPARSE_MAX                                                      \
	((META_CONTENT - sizeof(struct meta_record) -                          \
	  sizeof(struct meta_sparse)) /                                        \
	 sizeof(struct meta_pair))

/* -- blocks --------------------------------------------------------------- */

struct record_place {
	enum meta_kind kind;
	uint64_t where; /* bytes from the drive's start */
	uint64_t epoch; /* verify: the least that is allowed */
	uint64_t seq;   /* exact */
	uint64_t first; /* seal only */
	const uint8_t *pool;
};

/* Fill in the header of a block that is about to be written. */
void record_seal(void *block, const struct record_place *is, uint32_t used);

/*
 * Check a block that was just read: touches META_BLOCK bytes.
 *
 * @return 0; -EBADMSG: rot (checksum); -EXDEV: foreign (another pool);
 *         -EILSEQ: misplaced (another kind, format or place); -ESTALE: an
 *         epoch before `epoch`, or another seq.
 */
int record_verify(const void *block, const struct record_place *want);

/* The damage in a word: "rot", "foreign", "misplaced", "stale", "malformed",
 * or "unreadable" for any other error. */
const char *record_damage(int err);

uint64_t record_epoch(const void *block);
uint64_t record_seq(const void *block);
uint64_t record_first(const void *block);

/* @return 0; -EINVAL: malformed. */
int record_get_root(const void *block, struct meta_root *out);
/* Then seal with the length returned. */
uint32_t record_put_root(void *block, const struct meta_root *root);

/* -- records -------------------------------------------------------------- */

struct record_drive {
	uint16_t index;
	uint8_t state; /* HANDOFF_ONLINE or HANDOFF_FAILED */
	uint64_t size;
	uint32_t extents;
	uint8_t uuid[16];
};

struct record_row {
	uint32_t row; /* in the pool */
	struct geometry geometry;
	uint16_t drive[HANDOFF_WIDTH]; /* index in the pool */
	uint32_t extent[HANDOFF_WIDTH];
};

struct record_volume {
	uint64_t id;
	uint64_t size;
	uint8_t profile;
	uint8_t uuid[16];
	char name[HANDOFF_NAME];
};

/* Points into the block, or (to encode) to the caller's bytes. */
struct record_map {
	uint64_t volume;
	uint64_t first; /* META_SPARSE: base */
	uint16_t count;
	const void *items; /* le64 or struct meta_pair */
};

struct record {
	enum meta_record_type type;
	union {
		struct {
			uint64_t generation;
			uint64_t next_volume_id;
		} pool;
		struct record_drive drive;
		struct record_row row;
		uint32_t row_free;
		struct record_volume volume;
		uint64_t volume_delete;
		struct record_map map; /* META_MAP and META_SPARSE */
	};
};

/* Chunk and entry number `i` of a META_MAP or META_SPARSE record. */
void record_item(const struct record *r, unsigned i, uint64_t *chunk,
                 uint64_t *entry);

struct record_reader {
	const uint8_t *at;
	uint32_t left;
};

/* The content of a block that verified.  @return 0; -EINVAL: malformed. */
int record_open(struct record_reader *r, const void *block);
/* @return 1: *out is the next; 0: no more; -EINVAL: malformed. */
int record_next(struct record_reader *r, struct record *out);

/* Bytes that it takes in a block: at most META_CONTENT. */
uint32_t record_length(const struct record *r);
/* Append at content[used]; the caller has seen that record_length() fits.
 * @return the new `used`. */
uint32_t record_put(void *block, uint32_t used, const struct record *r);

/* A name that an object may carry: 1..63 of [A-Za-z0-9._-], first not [.-]. */
bool record_name_valid(const char *name);

#endif /* VOLUME_SLOW_RECORD_H */
