/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * volume/slow/emit - records into consecutive blocks of a buffer: mappings are
 * gathered into runs and scattered lists, so that each costs 8 to 12 bytes.
 */
#ifndef VOLUME_SLOW_EMIT_H
#define VOLUME_SLOW_EMIT_H

#include "volume/slow/record.h"

#define EMIT_RUN_MIN 4u /* shorter runs go into a scattered list */

struct emit {
	uint8_t *buffer;
	uint32_t blocks; /* finished */
	uint32_t used;   /* of the one that is being filled */
	/* Seal the finished block number `n` (from 0). */
	void (*seal)(struct emit *e, void *block, uint32_t n, uint32_t used);
	/* mappings not yet in a block */
	uint64_t volume;
	uint64_t run_first;
	uint64_t base;
	uint16_t run_n;
	uint16_t pair_n;
	le64 run[RECORD_MAP_MAX];
	struct meta_pair pair[RECORD_SPARSE_MAX];
};

/* emit_map() and emit_end() finish at most this many blocks more than were
 * finished when they were called. */
#define EMIT_SLACK 5u

void emit_begin(struct emit *e, uint8_t *buffer,
                void (*seal)(struct emit *e, void *block, uint32_t n,
                             uint32_t used));
/* Anything but a mapping; the mappings given so far come before it. */
void emit_record(struct emit *e, const struct record *r);
/* One mapping of a volume (by id). */
void emit_map(struct emit *e, uint64_t volume, uint64_t chunk, uint64_t entry);
/* Finish the last block. */
void emit_end(struct emit *e);
/* The buffer was written: start again at its beginning with what is not in a
 * finished block. */
void emit_rewind(struct emit *e);

#endif /* VOLUME_SLOW_EMIT_H */
