/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * volume/handoff - the shared memory between the stacks, mapped and checked.
 *
 * Invariants
 *   H1  a request is answered exactly once, by RESUME or COMPLETE, to the
 *       lane it came from (a slow stack that dies loses no request: the fast
 *       stack sends those outstanding again to its successor);
 *   H2  data never crosses: records name buffers, they do not hold them;
 *   H3  each field has one writer (a claim has two, by compare and exchange);
 *       entries are published with release and read with acquire, so a reader
 *       sees the row that an entry names;
 *   H4  no record, whatever its content, makes the reader touch memory
 *       outside the object or its own.
 *
 * Threads    A lane's fast side belongs to one reactor; all slow sides belong
 *            to the one thread of the slow stack.
 */
#ifndef VOLUME_HANDOFF_H
#define VOLUME_HANDOFF_H

#include "base/err.h"
#include "volume/handoff_format.h"

#include <stdbool.h>

struct handoff {
	int fd; /* memfd; passed to the slow stack */
	struct handoff_header *header;
	struct handoff_lane *lanes;
	struct handoff_drive *drives;
	struct handoff_pool *pools;
	struct handoff_volume *volumes;
	struct handoff_row *rows;
	uint8_t *arena;
	uint64_t *table;
	/* trusted copies: the peer may scribble over the header */
	unsigned n_lanes;
	uint64_t total_bytes;
	uint64_t arena_bytes;
	uint64_t table_entries;
	/* eventfds: the slow stack's, and one per lane */
	int slow_wake_fd;
	int lane_wake_fd[HANDOFF_LANES];
};

#define HANDOFF_TABLE_ENTRIES (UINT64_C(1) << 34) /* 1 PiB of volumes */
#define HANDOFF_ARENA_BYTES (UINT64_C(16) << 20)

/* The fast stack makes it. @return 0; -ENOMEM, -EMFILE. */
int handoff_create(unsigned n_lanes, uint64_t table_entries,
                   struct handoff *out, struct err *e);

/*
 * The slow stack maps what it was passed: `fds` are the memfd, its own
 * eventfd and one eventfd per lane.
 *
 * @return 0; -EPROTO: not a hand-off object, or of another version;
 *         -EINVAL: regions overlap or exceed it; -ENOMEM.
 */
int handoff_attach(const int *fds, unsigned n_fds, struct handoff *out,
                   struct err *e);
void handoff_detach(struct handoff *h);

/* The check behind handoff_attach(): pure, for any 4096 bytes. */
int handoff_check_header(const struct handoff_header *header,
                         uint64_t object_bytes);

/* Rings.  push: false if full.  pop: false if empty. */
bool handoff_push_request(struct handoff *h, unsigned lane,
                          const struct handoff_request *r);
bool handoff_pop_request(struct handoff *h, unsigned lane,
                         struct handoff_request *out);
bool handoff_push_reply(struct handoff *h, unsigned lane,
                        const struct handoff_reply *r);
bool handoff_pop_reply(struct handoff *h, unsigned lane,
                       struct handoff_reply *out);
bool handoff_requests_waiting(const struct handoff *h, unsigned lane);
bool handoff_replies_waiting(const struct handoff *h, unsigned lane);

/* The claim on a discard, which pushing it has opened: S takes it before it
 * changes anything, F gives it up.  @return whether it was still open. */
bool handoff_claim_take(struct handoff *h, unsigned lane, uint64_t tag);
bool handoff_claim_give_up(struct handoff *h, unsigned lane, uint64_t tag);

/* Forget what is in both rings; neither side may be using them. */
void handoff_reset_lane(struct handoff *h, unsigned lane);

/* Wake the peer if it sleeps: after a batch of pushes. */
void handoff_wake_slow(struct handoff *h);
void handoff_wake_lane(struct handoff *h, unsigned lane);

/* Announce sleep; the caller then checks its rings once more (a push that
 * saw no sleeper happened before) and sleeps only if they are empty. */
void handoff_slow_sleeps(struct handoff *h, bool sleeps);
void handoff_lane_sleeps(struct handoff *h, unsigned lane, bool sleeps);

/* -- the table ------------------------------------------------------------ */

static inline uint64_t handoff_entry(const struct handoff *h, uint64_t at)
{
	return __atomic_load_n(&h->table[at], __ATOMIC_ACQUIRE);
}

static inline void handoff_set_entry(struct handoff *h, uint64_t at,
                                     uint64_t entry)
{
	__atomic_store_n(&h->table[at], entry, __ATOMIC_RELEASE);
}

/* Give the memory of these entries back; they read 0 from now on. */
void handoff_clear_entries(struct handoff *h, uint64_t at, uint64_t count);

int handoff_status_errno(unsigned status);
enum handoff_status handoff_errno_status(int err);

#endif /* VOLUME_HANDOFF_H */
