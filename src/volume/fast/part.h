/* SPDX-License-Identifier: BSD-2-Clause */
/* volume/fast/part - what a thin op does in one chunk. */
#ifndef VOLUME_FAST_PART_H
#define VOLUME_FAST_PART_H

#include "volume/fast/lock.h"
#include "volume/fast/thin.h"
#include "volume/raid/raid.h"

struct thin_part {
	struct thin_op *op;
	struct fast_worker *worker; /* that runs it now */
	uint64_t chunk;             /* in the volume */
	uint32_t offset;            /* in the chunk */
	uint32_t length;
	uint64_t entry;
	uint8_t epoch; /* it was looked up in, while counted */
	bool counted;  /* in lane.inflight, of `worker` */
	bool locked;
	bool whole;      /* the lock is on the whole chunk */
	bool handed;     /* it has been to the slow stack */
	bool missed;     /* for space */
	uint8_t reports; /* of failed drives */
	int err;
	struct task task;
	struct lock_range lock;
	struct lane_wait wait;
	struct raid_op raid;
	unsigned n_iov;
	struct iovec iov[RAID_IOV_IN];
};

/* Start, or go on after a lock or an answer. */
void part_start(struct thin_part *part);

#endif /* VOLUME_FAST_PART_H */
