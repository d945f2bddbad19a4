/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far/swap - block swap requests: what a page fault or an eviction becomes.
 *
 * Concept.  Whoever takes faults asks for {operation, slot, pages, tag} and
 * nothing more; it knows no device, network or donor.  The queue turns each
 * request into one of its block device, in order, as many at once as the
 * device is given, reads before writes: a program waits for a read, and only
 * memory waits for a write.
 *
 *   Q1  done runs exactly once, on the submitting thread, never inside
 *       submit;
 *   Q2  a read never waits for a write of the queue's own making;
 *   Q3  a page that check() found right, when last asked, is so when done
 *       runs; done gets 0 if all are.
 *
 * Errors     done gets 0 or a negative errno of the device's.
 * Threads    One reactor's.
 * Ownership  A request is embedded in its issuer and the queue's until done.
 */
#ifndef FAR_SWAP_H
#define FAR_SWAP_H

#include "base/list.h"
#include "block/block.h"
#include "core/histogram.h"

#include <stdint.h>

#define SWAP_WRITES_MAX 16u /* at the device at once; reads have no limit */

enum swap_op { SWAP_IN, SWAP_OUT };

struct swap_request;
typedef void (*swap_done_fn)(struct swap_request *q, int err);
/* Whether `pages` pages from the first-th on are what they were. */
typedef bool (*swap_check_fn)(struct swap_request *q, unsigned first,
                              unsigned pages);

struct swap_request {
	enum swap_op op;
	uint32_t slot;  /* the first of ... */
	uint32_t pages; /* ... as many */
	void *data;     /* pages of FAR_PAGE bytes */
	swap_done_fn done;
	swap_check_fn check; /* SWAP_IN */
	void *owner;         /* the issuer's */
	/* the queue's own */
	uint64_t tag; /* number of the request, for traces */
	uint64_t start_ns;
	struct swap_queue *queue;
	struct list link;
	struct iovec iov;
	struct block_request block;
};

struct swap_queue {
	struct block_device *device; /* borrowed */
	uint64_t next_tag;
	unsigned in_flight;  /* both kinds */
	unsigned writes;     /* at the device */
	struct list waiting; /* writes */
	/* what the operator sees */
	uint64_t pages[2];
	uint64_t errors[2];
	struct histogram latency[2]; /* by enum swap_op */
};

void swap_init(struct swap_queue *s, struct block_device *device);
void swap_submit(struct swap_queue *s, struct swap_request *q);

#endif /* FAR_SWAP_H */
