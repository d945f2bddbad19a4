/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the fast stack share. */
#ifndef VOLUME_FAST_FAST_PRIV_H
#define VOLUME_FAST_FAST_PRIV_H

#include "volume/fast/fast.h"

#include "core/slab.h"
#include "volume/fast/flush.h"
#include "volume/fast/lane.h"
#include "volume/fast/lock.h"
#include "volume/fast/meta_io.h"
#include "volume/fast/part.h"
#include "volume/fast/thin.h"
#include "volume/raid/raid.h"

#define FAST_OPS_MAX 1024u   /* thin ops in flight per worker */
#define FAST_PARTS_MAX 1024u /* their parts */
#define FAST_FLUSHES_MAX 64u
#define FAST_MISS_TIMEOUT_MS 30000u

/* -- workers -------------------------------------------------------------- */

struct fast_worker {
	struct fast *fast;
	struct reactor *reactor;
	unsigned number;
	struct raid_worker raid;
	struct lock_table locks;
	struct lane lane;
	struct slab ops;
	struct slab parts;
	struct slab flushes;
	struct block_request *waiting; /* FIFO, for want of an op */
	struct block_request **waiting_end;
	struct list starved; /* ops that want a part or a flush */
	struct fast_stats stats;
};

struct fast {
	struct handoff *handoff;
	uint64_t miss_timeout_ns;
	unsigned n_workers;
	struct block_device *device[HANDOFF_DRIVES]; /* control thread's */
	bool suspect[HANDOFF_DRIVES];                /* volume/raid's */
	struct fast_worker worker[];
};

struct fast_volume {
	struct block_device device;
	struct fast *fast;
	const struct handoff_volume *shared;
	uint32_t slot;
	uint32_t generation;
	/* checked when the volume was opened; the shared ones may change */
	uint64_t table_base;
	uint32_t row_base;
	uint16_t pool;
};

/* Add to a counter of one's own that others may look at. */
static inline void fast_count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

struct fast_worker *fast_worker_here(struct fast *f);
/* The worker that owns a chunk of the table. */
struct fast_worker *fast_owner(struct fast *f, uint64_t at);

#endif /* VOLUME_FAST_FAST_PRIV_H */
