/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * volume/fast - the fast stack: volumes as block devices over open drives.
 *
 * Concept.  A request to a volume becomes a thin op, cut into parts of one
 * chunk each.  A part looks its chunk up in the shared table; if it is there,
 * it becomes a raid op and drive requests, and the slow stack hears nothing
 * of it (a hit).  Else a record goes to the slow stack and the part waits for
 * the answer.  The fast stack allocates no space, waits for no lock of
 * another thread and writes no metadata of its own.
 *
 *   READ          hole or NEW: zeroes; else the drives
 *   WRITE         MAPPED: the drives; hole: MISS, then the whole chunk is
 *                 filled and NEW becomes MAPPED
 *   WRITE_ZEROES  whole chunks: as DISCARD, unless BLOCK_NO_UNMAP; else zeroes
 *   DISCARD       whole chunks are released; parts of chunks stay
 *   FLUSH         no uncommitted mapping: the pool's drives; else BARRIER
 *
 * Threads    One worker per reactor; an op belongs to the worker it was
 *            submitted on.  Parts that need a chunk's lock or the slow stack
 *            run on the worker that owns the chunk (by hash) and come back.
 *            Calls without another word are for the control thread.
 *
 * Invariants
 *   F1  a hit makes no hand-off; a write to a MAPPED chunk never does;
 *   F2  a read sees each 512-byte sector of every write that was answered
 *       before it was submitted, whatever worker either ran on;
 *   F3  a part that waits for the slow stack is answered within the miss
 *       timeout, at the latest with -ETIMEDOUT; but a discard that the slow
 *       stack has begun, when it answers or is replaced;
 *   F4  nothing that the slow stack writes into shared memory makes the fast
 *       stack touch memory or drive ranges it should not.
 */
#ifndef VOLUME_FAST_FAST_H
#define VOLUME_FAST_FAST_H

#include "block/block.h"
#include "core/reactor.h"
#include "volume/handoff.h"

struct fast;

struct fast_opts {
	struct handoff *handoff;   /* borrowed */
	struct reactor **reactors; /* one per lane; borrowed; not yet running,
	                              or the caller's own */
	unsigned n_reactors;       /* as many as the handoff has lanes */
	unsigned miss_timeout_ms;  /* 0: 30,000 */
};

/* @return 0; -ENOMEM; -EMFILE. */
int fast_create(const struct fast_opts *opts, struct fast **out, struct err *e);
/* Nothing is in flight, every volume is closed, no reactor runs any more.
 * Open drives are closed. */
void fast_destroy(struct fast *f);

/* -- drives --------------------------------------------------------------- */

/* `done` is posted to the reactor that was current at the call. */

/* Give slot `slot` an open device (which becomes the fast stack's). */
void fast_drive_open(struct fast *f, uint16_t slot, struct block_device *dev,
                     const char *name, struct task *done);
/* Stop using the slot's device, wait for what is in flight, close it. */
void fast_drive_close(struct fast *f, uint16_t slot, struct task *done);

/* -- the slow stack comes and goes ---------------------------------------- */

/*
 * The slow stack is gone: leave its rings alone, let its metadata I/O end,
 * empty the rings.  Waiting parts stay.  After `done` a new one may start.
 */
void fast_slow_detach(struct fast *f, struct task *done);
/* Count a new one and serve its rings; after `done` it may start.  What waits
 * is sent (again) when it says that it is SERVING. */
void fast_slow_attach(struct fast *f, struct task *done);

/* -- volumes -------------------------------------------------------------- */

/*
 * The volume "POOL/VOL", as a block device for every reactor.  A volume that
 * is deleted meanwhile answers -ENXIO.  Close with block_close() when nothing
 * is in flight.
 *
 * @return 0; -ENOENT; -ENOMEM.
 */
int fast_volume_open(struct fast *f, const char *name,
                     struct block_device **out, struct err *e);

struct fast_extent {
	uint64_t length; /* bytes */
	bool hole;       /* not allocated, reads as zeroes */
};

/*
 * Allocation of [offset, offset + length), as runs that start at offset and
 * may cover less than length.  Any reactor thread.
 * @return runs written, at least 1 (`max` >= 1).
 */
unsigned fast_volume_extents(struct block_device *volume, uint64_t offset,
                             uint64_t length, struct fast_extent *out,
                             unsigned max);

/* -- what the operator sees ----------------------------------------------- */

struct fast_stats {
	uint64_t hits;     /* parts served by the table alone */
	uint64_t handoffs; /* records sent, of them: */
	uint64_t misses;
	uint64_t discards;
	uint64_t barriers;
	uint64_t errors;   /* drive errors handed over */
	uint64_t timeouts; /* answered -ETIMEDOUT here */
	uint64_t meta_ios;
	uint64_t bad_replies; /* refused: F4 */
};
/* Any thread; near enough while reactors run. */
void fast_stats(const struct fast *f, struct fast_stats *out);

#endif /* VOLUME_FAST_FAST_H */
