/* SPDX-License-Identifier: BSD-2-Clause */
/* volume/fast/thin - thin ops: requests to volumes, cut into parts. */
#ifndef VOLUME_FAST_THIN_H
#define VOLUME_FAST_THIN_H

#include "block/block.h"
#include "core/reactor.h"
#include "volume/fast/lane.h"

#define THIN_WINDOW 16u /* parts of one op in flight */
#define THIN_TURN 16u   /* parts made before others have their turn */

struct fast_volume;
struct flush;

struct thin_op {
	struct block_request *request;
	struct fast_volume *volume;
	struct fast_worker *worker;
	uint64_t next;      /* offset in the volume of the next part */
	unsigned in_flight; /* parts, plus one while parts are being made */
	int err;
	bool in_submit;
	bool making;  /* parts */
	bool yielded; /* goes on when the others have had their turn */
	bool barrier_asked;
	struct task task;
	struct list starved;
	struct lane_wait wait; /* NO_VOLUME, BARRIER, and errors of flushes */
	struct flush *flush;
};

void thin_submit(struct block_device *dev, struct block_request *q);

/* A part of the op has ended, on the op's worker. */
void thin_part_ended(struct thin_op *op, int err);

/* The op has ended: answer its request. */
void thin_end(struct thin_op *op);

/* Whether the volume that was opened is still in service. */
bool thin_volume_is_there(const struct fast_volume *v);

/* Let what waits for memory go on. */
void thin_feed(struct fast_worker *w);

/* A record for a hand-off of this op. */
void thin_fill_request(const struct thin_op *op, struct handoff_request *r,
                       enum handoff_request_kind kind);

#endif /* VOLUME_FAST_THIN_H */
