/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drive/label - who a drive is: its pool, its place in it, what lies where.
 *
 * Pure functions over blocks that somebody else reads and writes; nothing
 * here opens a drive.  Layout and rules: docs/format-label.md.
 *
 * Each drive has two copies, at offset 0 and at label_second().  To change
 * one, write the second copy, flush, write the first, flush: one of them is
 * whole at any time.  Every rewrite for a change of membership has a higher
 * generation.
 */
#ifndef DRIVE_LABEL_H
#define DRIVE_LABEL_H

#include "base/err.h"
#include "drive/label_format.h"

#include <stdbool.h>
#include <stdint.h>

#define LABEL_DRIVE_MIN (UINT64_C(1) << 20) /* bytes */

struct label_area {
	uint64_t offset; /* bytes */
	uint64_t length;
};

struct label {
	uint64_t generation;
	uint8_t pool_uuid[16];
	uint8_t drive_uuid[16];
	char pool_name[LABEL_NAME];
	uint64_t created;     /* seconds since 1970 */
	uint64_t drive_size;  /* bytes, when the label was made */
	uint64_t extent_size; /* bytes */
	uint64_t data_offset;
	uint64_t extents;
	/* Metadata; all zero on a drive that holds none. */
	uint64_t roots; /* offset of LABEL_ROOTS_LENGTH bytes */
	struct label_area log;
	struct label_area image[2];
	uint16_t index;
	uint16_t drives;
};

/* Where the second copy of a drive of `size` bytes lies: its last whole 4 KiB
 * block. */
static inline uint64_t label_second(uint64_t drive_size)
{
	return drive_size / LABEL_BLOCK * LABEL_BLOCK - LABEL_BLOCK;
}

/*
 * Whether a label means something: a name, a place in the pool, areas that
 * are blocks, lie on the drive between the copies and do not overlap.
 *
 * @return 0; -EINVAL with words in *e.
 */
int label_check(const struct label *l, struct err *e);

/* Make the copy for byte offset `where`.  The label passes label_check(). */
void label_encode(const struct label *l, uint64_t where,
                  uint8_t block[LABEL_BLOCK]);

/*
 * @return 0;
 *   -ENOENT           blank: no magic, so nothing of ours;
 *   -EBADMSG          rot: the checksum is wrong, or what it covers means
 *                     nothing;
 *   -EILSEQ           misplaced: a good block of another kind or place;
 *   -EPROTONOSUPPORT  of a newer format.
 * *out is untouched on failure.
 */
int label_decode(const uint8_t block[LABEL_BLOCK], uint64_t where,
                 struct label *out);

/* What a decode's error means: "damaged (checksum)". */
const char *label_error(int err);

/*
 * The better of a drive's two copies, as they were read.  A newer format wins
 * over everything (-EPROTONOSUPPORT: leave the drive alone), then a higher
 * generation, then the first copy.  `*repair` says whether the drive does not
 * hold two equal copies, so that label_encode() of *out should be written
 * again, the second one first.
 *
 * @return 0; if neither copy can be read the graver error: -EBADMSG before
 *         -EILSEQ before -ENOENT.  A copy that could not be read at all is
 *         passed as NULL and counts as rot.
 */
int label_choose(const uint8_t *first, const uint8_t *second,
                 uint64_t drive_size, struct label *out, bool *repair);

/* -- who is it? ----------------------------------------------------------- */

/* A drive as the pool's newest metadata, or newest label, knows it. */
struct label_member {
	uint8_t uuid[16];
	uint16_t index;
	bool out; /* failed or removed: what it holds is old */
};

struct label_pool {
	uint8_t uuid[16];
	const char *name;
	uint64_t generation; /* the newest that is known */
	const struct label_member *members;
	unsigned n_members;
};

enum label_verdict {
	LABEL_MEMBER,  /* belongs here and is current */
	LABEL_BLANK,   /* no label: free to use */
	LABEL_FOREIGN, /* belongs to another pool */
	LABEL_STALE,   /* of this pool, which has gone on without it */
	LABEL_AHEAD,   /* of this pool, and knows newer things than it */
	LABEL_DAMAGED, /* has a label that cannot be used */
	LABEL_NEWER,   /* written by a newer version of this software */
};
#define LABEL_VERDICTS 7

#define LABEL_WORDS 256

/*
 * What a drive is to `pool` (NULL: to nobody, then any good label is
 * foreign).  `err` and `l` are label_choose()'s result, `drive_size` the
 * drive's size now.  `words`, for the operator, say what was found and what
 * to do.  A drive that is missing is one of pool->members that no label
 * named; two drives with one drive_uuid are copies, which the caller sees.
 */
enum label_verdict label_identify(const struct label_pool *pool, int err,
                                  const struct label *l, uint64_t drive_size,
                                  char words[LABEL_WORDS]);

const char *label_verdict_name(enum label_verdict v); /* "member", ... */

#endif /* DRIVE_LABEL_H */
