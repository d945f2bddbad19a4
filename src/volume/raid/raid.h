/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * volume/raid - reads and writes inside one chunk, over the drives of its row.
 *
 * Concept.  A raid_op covers a part of one chunk.  It is cut into pieces, one
 * per data strip that it touches; each piece is one drive request when every
 * drive is well.  The states of an op:
 *
 *    read    READ -> done                  all pieces came
 *            READ -> REBUILD -> done       a piece came from redundancy
 *    write   WRITE -> done                 raid0, raid1, whole stripe, fill
 *            PREREAD -> WRITE -> done      part of a parity stripe
 *
 * A part of a parity stripe is written by read-modify-write (old data and old
 * parity are read) or, where one of those cannot be read, piece by piece by
 * reconstruct-write (all other data are read).
 *
 * Locking    The caller serialises ops whose lock ranges (raid_lock_range)
 *            overlap in one chunk, except reads without RAID_LOCKED and raid0
 *            writes.  A read without RAID_LOCKED that needs redundancy ends
 *            with -EAGAIN and is to be submitted again, locked.
 * Errors     0; -EAGAIN as above; -EIO: beyond the row's redundancy; -ENODEV:
 *            a write failed on drive slot `bad_drive`, which is still ONLINE:
 *            the slow stack must decide, then the op may be submitted again,
 *            with RAID_AGAIN: what the drive holds is then not relied on.
 *            Until raid_decided() says so, every write that the drive should
 *            take ends like this.  A write that ends in an error where a
 *            member is out already may cost that member's data in the same
 *            columns.
 * Threads    One raid_worker per reactor; an op stays on its worker.
 *
 * Invariants
 *   P1  a write that ended with 0 is on every usable member it belongs to,
 *       and parity covers it;
 *   P2  a drive that is not ONLINE is never read or written;
 *   P3  a write never ends with 0 when a member that is ONLINE has missed it.
 */
#ifndef VOLUME_RAID_RAID_H
#define VOLUME_RAID_RAID_H

#include "block/block.h"
#include "core/reactor.h"
#include "core/slab.h"
#include "volume/geometry.h"

#include "base/list.h"

#define RAID_IOV_IN 18u               /* entries an op may bring */
#define RAID_IOS (HANDOFF_WIDTH + 5u) /* drive requests at once */
#define RAID_IOV 80u                  /* entries of all drive requests */
#define RAID_SCRATCH (128u << 10)     /* bytes; enough for any op */
#define RAID_SCRATCH_MAX 64u          /* per worker: 8 MiB */

struct raid_worker {
	struct handoff_drive *drives; /* shared memory: roles and errors */
	struct block_device *device[HANDOFF_DRIVES]; /* NULL: not open */
	struct slab scratch;
	struct list scratch_waiters;
	uint32_t inflight[HANDOFF_DRIVES]; /* requests on each drive */
	bool *suspect; /* all workers': missed a write or flush, undecided */
};

/* `drives` and `suspect` are HANDOFF_DRIVES long and borrowed. */
void raid_worker_init(struct raid_worker *w, struct handoff_drive *drives,
                      bool *suspect);
void raid_worker_fini(struct raid_worker *w);

enum raid_kind {
	RAID_READ,
	RAID_WRITE,
	RAID_FILL, /* a write to a fresh chunk: all other bytes become zero */
};

#define RAID_LOCKED (1u << 0) /* the caller holds the lock range */
#define RAID_FUA (1u << 1)    /* durable when done runs */
#define RAID_AGAIN (1u << 2)  /* the same op, after -ENODEV */
#define RAID_AVOID (1u << 3)  /* READ: not from the members in `avoid` */

struct raid_op;
typedef void (*raid_done_fn)(struct raid_op *op, int err);

struct raid_io {
	struct block_request request;
	struct raid_op *op;
	uint16_t drive;
	uint8_t member;
	uint8_t piece;
};

struct raid_piece {
	uint8_t member;
	uint32_t column; /* offset in the strip */
	uint32_t length;
	uint32_t at; /* offset in the op's data */
};

struct raid_op {
	/* set by the caller */
	enum raid_kind kind;
	unsigned flags;
	uint32_t offset; /* in the chunk, bytes; a multiple of BLOCK_SECTOR */
	uint32_t length;
	const struct iovec *iov; /* at most RAID_IOV_IN entries */
	unsigned iov_count;
	raid_done_fn done;
	uint16_t avoid; /* bits; with RAID_AVOID only */

	/* result, with -ENODEV */
	uint16_t bad_drive;
	uint16_t n_bad; /* how many drives failed the write */

	/* raid's own */
	struct raid_worker *worker;
	struct handoff_row row; /* a copy: the original may be scribbled on */
	struct geometry geometry;
	uint32_t index;
	uint8_t state;
	uint8_t n_pieces;
	uint8_t first, last; /* pieces being written now: [first, last) */
	uint8_t n_iov;
	bool rebuild_target; /* write by reconstruct-write */
	bool warm;           /* what is being overwritten was just read */
	bool in_submit;
	uint16_t unreadable; /* members that failed a read of this op */
	uint16_t lost;       /* pieces to rebuild */
	uint16_t bad;        /* members that failed the write */
	uint8_t skipped;     /* members that took no part in it */
	unsigned pending;
	unsigned n_ios;
	int err;
	struct task task;
	uint8_t *scratch;
	struct list waiting; /* for scratch */
	struct raid_piece piece[8];
	struct raid_io io[RAID_IOS];
	struct iovec iovs[RAID_IOV];
};

/*
 * Start `op` on chunk `index` of `row` (shared memory, checked here).  done
 * never runs inside the call.
 *
 * @return 0; -EINVAL: the row is not live or makes no sense.  done then does
 *         not run.
 */
int raid_submit(struct raid_worker *w, const struct handoff_row *row,
                uint32_t index, struct raid_op *op);

/* The slow stack has answered: the drive is out of its pool, or stays in it
 * all the same. */
void raid_decided(struct raid_worker *w, uint16_t slot);
/* It has missed something, and the slow stack does not know yet. */
void raid_suspect(struct raid_worker *w, uint16_t slot);
bool raid_is_suspect(const struct raid_worker *w, uint16_t slot);

/* Whether an op of this kind must hold its range before raid_submit(). */
bool raid_needs_lock(const struct handoff_row *row, enum raid_kind kind);

/* Columns [*from, *to) of the chunk that exclude each other. */
void raid_lock_range(const struct handoff_row *row, uint32_t offset,
                     uint32_t length, uint32_t *from, uint32_t *to);

/* Whether the slow stack counts on the drive; it may be closed all the same. */
bool raid_online(const struct raid_worker *w, uint16_t slot);

#endif /* VOLUME_RAID_RAID_H */
