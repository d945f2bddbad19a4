/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * volume/slow - the slow stack: pools, allocation, metadata, repair decisions.
 *
 * Concept.  The slow stack opens no drive.  It sees the shared memory
 * (volume/handoff.h), answers what the fast stack hands over, and reads and
 * writes metadata by asking the fast stack for META_IO.  It may be stopped,
 * killed and started again at any moment.
 *
 * Truth.  While the daemon lives, the shared memory is the truth: a slow
 * stack that starts on memory with pools in it rebuilds its bitmaps from the
 * rows and the table, then writes a checkpoint, so nothing that was installed
 * is lost.  When the daemon starts anew the memory is empty and the truth is
 * on the drives: newest valid root, image, log.
 *
 * Durability.  A mapping goes to the log only when it is MAPPED (its data
 * have been written) and after a flush of the pool's drives that began later;
 * so after a power cut a chunk shows what was written to it or what it showed
 * before, never another's bytes.  A chunk that was unmapped is reused only
 * when the unmapping is committed and every reader of the old entry is gone.
 *
 * Invariants
 *   S1  a chunk of a row is mapped by at most one entry, in memory and in
 *       every state that recovery can produce;
 *   S2  BARRIER is answered OK only when every write completed before it was
 *       sent is durable, mapping included;
 *   S3  what a control call accepted is durable when its done runs;
 *   S4  metadata has space of its own: discard, delete and commit work when
 *       the pool is full;
 *   S5  no control call and no hand-off waits for another pool's drives.
 *
 * Threads    One thread, one reactor.  Done callbacks run on it, never inside
 *            the call.
 */
#ifndef VOLUME_SLOW_SLOW_H
#define VOLUME_SLOW_SLOW_H

#include "base/err.h"
#include "core/reactor.h"
#include "volume/geometry.h"
#include "volume/handoff.h"

struct slow;

struct slow_opts {
	struct handoff *handoff;             /* borrowed */
	struct reactor *reactor;             /* borrowed */
	uint64_t (*now_ns)(void);            /* NULL: clock_now_ns */
	void (*random)(void *out, size_t n); /* NULL: getrandom; for uuids */
	unsigned commit_interval_ms; /* 0: only barriers commit; else 1000 */
	uint64_t log_bytes; /* of pools made from now on; 0: by their size */
};

/*
 * Attach: starts to look at the drives that are present (or at the pools in
 * memory, see Truth) and turns the header's slow_state to SERVING when every
 * pool that can be assembled has been.  Serves rings from then on.
 */
int slow_create(const struct slow_opts *opts, struct slow **out, struct err *e);
/* Forgets; writes nothing.  A clean stop calls slow_quiesce() first.  The
 * reactor does not run again unless nothing was under way. */
void slow_destroy(struct slow *s);

/* `e->code` is 0 on success. */
typedef void (*slow_done_fn)(void *arg, const struct err *e);

/* Commit everything and write a checkpoint for each pool. */
void slow_quiesce(struct slow *s, slow_done_fn done, void *arg);

/*
 * Control calls.  All are asynchronous, durable when done runs (S3), and
 * refuse with words: -EEXIST, -ENOENT, -EINVAL, -EBUSY, -ENOSPC, -EIO.
 */
void slow_pool_create(struct slow *s, const char *pool, const uint16_t *drives,
                      unsigned n_drives, slow_done_fn done, void *arg);
void slow_pool_grow(struct slow *s, const char *pool, const uint16_t *drives,
                    unsigned n_drives, slow_done_fn done, void *arg);
void slow_volume_create(struct slow *s, const char *pool, const char *volume,
                        uint64_t size, enum raid_profile profile,
                        slow_done_fn done, void *arg);
void slow_volume_delete(struct slow *s, const char *pool, const char *volume,
                        slow_done_fn done, void *arg);
/* Take a member out of its pool for good: marked failed on the others. */
void slow_drive_fail(struct slow *s, uint16_t drive, slow_done_fn done,
                     void *arg);
/* A drive was opened after start: look at its label, join it to its pool. */
void slow_drive_appeared(struct slow *s, uint16_t drive, slow_done_fn done,
                         void *arg);

/* -- what the operator sees ----------------------------------------------- */

enum slow_member_state {
	SLOW_MEMBER_ONLINE,
	SLOW_MEMBER_FAILED,
	SLOW_MEMBER_MISSING, /* in the pool's list, no such drive is open */
};

struct slow_member {
	enum slow_member_state state;
	uint16_t drive; /* slot, or HANDOFF_NO_DRIVE */
	uint64_t size;
	char name[HANDOFF_NAME]; /* as last seen; "" if never */
	char why[160];           /* in words; "" while online */
};

/* Members of the pool in `slot`, none while it is OFFLINE; @return how many
 * (out holds up to max). */
unsigned slow_pool_members(const struct slow *s, unsigned slot,
                           struct slow_member *out, unsigned max);

/* Why the pool in `slot` is OFFLINE, in words; "" while it is not. */
const char *slow_pool_why(const struct slow *s, unsigned slot);

/*
 * What an open drive is to this node, in words: member of which pool, blank,
 * or, with the verdict in front, "foreign: ...", "stale: ...", "damaged: ..."
 * (drive/label.h).  @return the length written.
 */
unsigned slow_drive_describe(const struct slow *s, uint16_t drive, char *out,
                             unsigned n);

/* Raw bytes still free for volumes of this profile in the pool. */
uint64_t slow_pool_free_bytes(const struct slow *s, unsigned slot,
                              enum raid_profile profile);

struct slow_stats {
	uint64_t misses;
	uint64_t discards;
	uint64_t barriers;
	uint64_t commits;
	uint64_t checkpoints;
	uint64_t refused; /* answered NO_SPACE, GONE or INVALID */
};
void slow_stats(const struct slow *s, struct slow_stats *out);

#endif /* VOLUME_SLOW_SLOW_H */
