/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * volume/slow/metaio - metadata I/O through the fast stack, over lane 0.
 *
 * Requests are embedded in their issuer's struct; those beyond
 * HANDOFF_META_DEPTH wait in a list.  `done` never runs inside the call.
 *
 * Buffers are places in the shared arena, given out once and for all, so that
 * no pool waits for another's I/O: METAIO_POOL_BYTES for each pool slot, then
 * one block for each drive slot.
 */
#ifndef VOLUME_SLOW_METAIO_H
#define VOLUME_SLOW_METAIO_H

#include "base/list.h"
#include "block/block.h"
#include "core/task.h"
#include "volume/handoff.h"
#include "volume/slow/record.h"

#define METAIO_POOL_BYTES (UINT64_C(960) << 10)
#define METAIO_DRIVE_BYTES META_BLOCK
static_assert(METAIO_POOL_BYTES * HANDOFF_POOLS +
                              METAIO_DRIVE_BYTES * HANDOFF_DRIVES <=
                      HANDOFF_ARENA_BYTES,
              "the arena holds every buffer");

struct slow;

struct metaio_request {
	/* the issuer's */
	void (*done)(struct metaio_request *q, int err);
	uint64_t offset;
	uint64_t length;
	uint64_t arena;
	uint16_t drive; /* slot */
	uint16_t flags; /* BLOCK_FUA */
	uint8_t op;     /* BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH */
	/* metaio's */
	struct list link;
};

struct metaio {
	struct metaio_request *slot[HANDOFF_META_DEPTH];
	uint16_t unused[HANDOFF_META_DEPTH];
	unsigned n_unused;
	uint32_t sequence[HANDOFF_META_DEPTH];
	uint32_t life; /* so that answers to a predecessor are told apart */
	struct list queue;
};

void metaio_init(struct metaio *m, uint32_t life);
void metaio_submit(struct slow *s, struct metaio_request *q);
/* HANDOFF_META_DONE.  @return false: the tag is of no I/O in flight. */
bool metaio_answer(struct slow *s, const struct handoff_request *r);

/* -- the same for several drives ------------------------------------------ */

#define METAIO_FAN (RECORD_MEMBERS_MAX * 2u)

struct metaio_part {
	struct metaio_request request;
	struct metaio_fan *fan;
	uint8_t member;
};

/* Requests that end together. */
struct metaio_fan {
	struct slow *slow;
	void (*done)(struct metaio_fan *f);
	uint32_t failed; /* set of members (their indices) */
	unsigned n;
	unsigned left;
	struct task task;
	struct metaio_part part[METAIO_FAN];
};

/* begin, add each, end; then done runs once, later. */
void metaio_fan_begin(struct slow *s, struct metaio_fan *f,
                      void (*done)(struct metaio_fan *f));
/* Fill in the request but for done: as in *q. */
void metaio_fan_add(struct metaio_fan *f, unsigned member,
                    const struct metaio_request *q);
void metaio_fan_end(struct metaio_fan *f);

#endif /* VOLUME_SLOW_METAIO_H */
