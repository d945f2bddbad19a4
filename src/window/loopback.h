/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window/loopback - a session to one's own node.
 *
 * Concept.  Operations on windows of the own node are copies in memory.  The
 * contract is that of session_submit() (O1 to O6 of fabric/op.h) but for
 * SEND, which ends with FABRIC_PROTOCOL; keys are checked like those of
 * peers, for every piece.
 *
 * Each asker has a loopback of its own.  Operations of CONTROL and LATENCY
 * are done whole, in order, before those of BULK, which give way after
 * LOOPBACK_SLICE bytes.
 */
#ifndef WINDOW_LOOPBACK_H
#define WINDOW_LOOPBACK_H

#include "core/task.h"
#include "window/guard.h"

#define LOOPBACK_SLICE (4u * FABRIC_PIECE) /* bytes without a pause */

struct loopback {
	struct reactor *reactor;
	struct grant_table *table;
	struct guard *guard;
	struct list short_ops;
	struct list bulk_ops;
	struct list fenced_ops;
	struct task task;
	uint64_t n_submitted;
	bool scheduled;
	bool closed; /* what is submitted ends at once */
	void (*emptied)(struct loopback *l); /* once, after close */
};

void loopback_init(struct loopback *l, struct reactor *r, struct grant_table *t,
                   struct guard *g);

void loopback_submit(struct loopback *l, struct fabric_op *op);
/* It ends with `status`, at once but not inside. */
void loopback_fail(struct loopback *l, struct fabric_op *op,
                   enum fabric_status status);

/* What is outstanding ends with FABRIC_CANCELLED; emptied() follows, not
 * inside, and then the loopback may be freed. */
void loopback_close(struct loopback *l, void (*emptied)(struct loopback *l));

#endif /* WINDOW_LOOPBACK_H */
