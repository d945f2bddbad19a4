/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window/queue - the bridge's half of a command queue.
 *
 * The memory is bridge/queue_format.h.  The process may write anything to it
 * at any time: each command is copied once and looked at in the copy; sizes
 * and positions that matter are the queue's own; a slot that is in use, or
 * not there, gets an error record and nothing else.  A tail that is further
 * ahead than the depth closes the queue.
 *
 *      take      copy, check opcode, slot, both keys, both ranges
 *      start     session_submit() or loopback_submit()
 *      finish    completion, bit, finished ring, counter or error record,
 *                wake-up
 *
 * Invariants
 *   Q1  nothing is submitted before both keys were found good here; the far
 *       one is checked again by its owner;
 *   Q2  an accepted command is finished once; its bit is set after its data
 *       and status, with release order;
 *   Q3  the counter counts commands that ended well, and each other one makes
 *       one error record;
 *   Q4  a closed queue's memory is not written any more, and its local
 *       buffers are not touched.
 */
#ifndef WINDOW_QUEUE_H
#define WINDOW_QUEUE_H

#include "bridge/queue_format.h"
#include "core/poller.h"
#include "core/watch.h"
#include "fabric/op.h"
#include "window/grant.h"

#define QUEUE_BATCH 32u /* commands that are taken in one go */

struct import;
struct process;

struct queue_slot {
	struct fabric_op op;
	struct queue *queue; /* NULL: free */
	struct grant *local; /* NULL: an atomic */
	struct import *import;
	uint64_t id;
	struct fabric_key local_key;
	struct iovec iov[GRANT_RANGES];
};

struct queue {
	struct list link; /* in process->queues */
	struct process *process;
	uint32_t number;
	uint32_t depth;
	uint32_t flow;               /* of ordered commands; not 0 */
	struct queue_header *shared; /* NULL: closed */
	uint64_t total_bytes;
	uint32_t taken; /* our position in the submission ring */
	uint32_t finished;
	uint32_t errors;
	uint64_t counter;
	unsigned n_outstanding;
	bool broken; /* nothing is taken any more */
	struct poller poller;
	struct watch bell;        /* our end of the pair */
	struct queue_slot slot[]; /* depth */
};

/*
 * Make it, with the descriptors for the process, which are the caller's.
 * @return 0; -ENOSPC, -ENOMEM, -EMFILE.
 */
int queue_open(struct process *p, uint32_t depth, struct queue **out,
               int *memory_fd, int *bell_fd);

/* Q4.  It is freed when nothing is outstanding, perhaps inside. */
void queue_close(struct queue *q);

#endif /* WINDOW_QUEUE_H */
