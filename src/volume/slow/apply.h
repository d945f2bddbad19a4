/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * volume/slow/apply - records of an image and of the log, one after the other,
 * into a pool's state.
 *
 * A fuzzy image may for a while say what cannot be (two entries of one chunk,
 * an entry of a row that is not there yet); so what is checked here is only
 * that a record makes sense by itself.  rebuild_pool() checks the whole.
 */
#ifndef VOLUME_SLOW_APPLY_H
#define VOLUME_SLOW_APPLY_H

#include "base/err.h"
#include "volume/slow/record.h"

struct pool;

struct apply_row {
	bool live;
	struct record_row row;
};

struct apply {
	struct pool *pool;
	bool members_only; /* ignore rows, volumes and mappings */
	struct apply_row *row;
	uint32_t n_rows;
	struct record_drive drive[RECORD_MEMBERS_MAX];
	uint32_t drives; /* set of those that were seen */
	unsigned last;   /* slot of the volume last looked for */
};

void apply_init(struct apply *a, struct pool *p);
void apply_fini(struct apply *a);

/* Every record of a block that verified.  @return 0; -EINVAL: malformed or
 * out of place, with words; -ENOMEM, -ENOSPC. */
int apply_block(struct apply *a, const void *block, struct err *e);

#endif /* VOLUME_SLOW_APPLY_H */
