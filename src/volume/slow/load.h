/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * volume/slow/load - a pool's metadata, read back from its drives.
 *
 *   ROOTS -> IMAGE -> LOG -> TAIL -> done
 *             |                       ^
 *             +--- members only ------+
 *
 * The newest root that is whole counts, and the drives that have it are the
 * first to be read; a block that is damaged on one is read from the next, for
 * a block that verifies is what the pool wrote, wherever it comes from.  The
 * log ends at the first block that no source has; TAIL looks behind it, for
 * what tells a torn end (recovery's daily bread) from damage: a block of a
 * later commit, or of a later turn of the ring.
 */
#ifndef VOLUME_SLOW_LOAD_H
#define VOLUME_SLOW_LOAD_H

#include "volume/slow/apply.h"
#include "volume/slow/label_io.h"

/* A drive that has a label of the pool. */
struct load_drive {
	uint16_t drive; /* slot */
	struct label label;
	bool repair;
};

/* What is wrong with a block, drive by drive, in words. */
struct load_damage {
	char text[160];
	size_t n;
};

struct load {
	struct pool *pool;
	void (*done)(struct load *l, int err);
	struct err err; /* the words, if it failed */
	struct apply apply;
	/* candidates */
	struct load_drive drive[RECORD_MEMBERS_MAX];
	unsigned n_drives;
	/* what was found */
	struct meta_root root;
	uint64_t epoch;
	uint32_t root_slot;
	uint64_t log_end; /* the next block's number */

	enum { LOAD_ROOTS, LOAD_IMAGE, LOAD_LOG, LOAD_TAIL } state;
	uint32_t sources; /* set of candidates that have the root */
	unsigned source;  /* the one that is being read */
	uint32_t tried;   /* sources that do not have the block at `at` */
	uint64_t at;      /* number of the next block */
	uint64_t have;    /* blocks in the buffer, from `at` on */
	uint64_t buffer;  /* where the first of them is in the arena */
	uint64_t log_epoch;
	struct load_damage
		damage; /* of the block that ended the image or log */
	struct metaio_request request;
	struct metaio_fan fan;
};

/*
 * l->pool, drive, n_drives, done, apply.members_only are set.  done runs
 * later; l->apply has the state.
 */
void load_start(struct load *l);

#endif /* VOLUME_SLOW_LOAD_H */
