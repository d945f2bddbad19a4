/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drives in memory that fail when told to, remember what they did, and may
 * hold their requests back to do them in any order.
 */
#ifndef TESTS_UNIT_VOLUME_RIG_DRIVE_H
#define TESTS_UNIT_VOLUME_RIG_DRIVE_H

#include "block/block.h"

#define RIG_HELD_MAX 8192u

struct rig_drive;

/* Requests of all drives of a test that nobody has done yet. */
struct rig_held {
	struct rig_held_request {
		struct rig_drive *drive;
		struct block_request *request;
	} at[RIG_HELD_MAX];
	unsigned n;
};

struct rig_drive {
	struct block_device device;
	uint8_t *bytes;
	/* faults; what fails leaves the bytes alone */
	unsigned fail_reads;  /* this many of the next reads get EIO */
	unsigned fail_writes; /* likewise, zeroes too */
	unsigned fail_flushes;
	bool (*fails)(struct rig_drive *d, const struct block_request *q);
	struct rig_held *held; /* NULL: requests are done at once */
	/* what was done; any thread */
	uint64_t reads, writes, flushes;
	uint64_t warm;    /* writes that the issuer had read the place of */
	uint64_t refused; /* outside the drive, or malformed */
};

/* A used drive: its bytes are not zero. */
void rig_drive_init(struct rig_drive *d, uint64_t size, bool cheap_zeroes);
void rig_drive_fini(struct rig_drive *d);

/* Do up to `n` of the requests that are held, in an order that `seed` gives. */
void rig_held_run(struct rig_held *held, unsigned n, uint64_t *seed);

uint64_t rig_next(uint64_t *seed);

#endif /* TESTS_UNIT_VOLUME_RIG_DRIVE_H */
