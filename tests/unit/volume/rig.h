/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fast stack on one hand-driven reactor, over drives in memory, with a
 * stand-in for the slow stack that allocates chunks one after the other.  The
 * stand-in can be told to answer late, to stop, to die and to misbehave.
 */
#ifndef TESTS_UNIT_VOLUME_RIG_H
#define TESTS_UNIT_VOLUME_RIG_H

#include "volume/fast/fast.h"
#include "volume/geometry.h"

#define RIG_DRIVES 9u
#define RIG_EXTENT (UINT64_C(1) << 20)
#define RIG_EXTENTS 16u
#define RIG_DATA_START 65536u

struct rig_drive {
	struct block_device device;
	uint8_t *bytes;
	struct block_request *done_first, **done_last;
	struct task task;
	unsigned fail_reads;  /* this many of the next reads get EIO */
	unsigned fail_writes; /* likewise; the bytes are not written */
	uint64_t reads, writes, flushes;
};

struct rig {
	struct reactor *reactor;
	struct handoff handoff;
	struct fast *fast;
	struct block_device *volume;
	struct rig_drive drive[RIG_DRIVES];
	unsigned n_drives;
	struct geometry geometry;
	unsigned rows;
	/* the stand-in */
	bool stopped;   /* pops nothing */
	unsigned delay; /* polls until an answer, at most (random) */
	uint64_t seed;
	uint64_t next_chunk;
	uint64_t chunks; /* that it may hand out */
	uint64_t answered;
	uint64_t kinds[HANDOFF_REQUEST_KINDS];
	bool refuse_drive_errors;
	struct rig_late {
		struct handoff_request request;
		unsigned polls;
	} late[HANDOFF_RING];
	unsigned n_late;
};

/* One volume "p/v" of `size` bytes on n drives. */
void rig_init(struct rig *r, enum raid_profile profile, unsigned n_drives,
              uint64_t size);
void rig_fini(struct rig *r);

uint64_t rig_random(struct rig *r);

/* One turn of the reactor and the stand-in. */
void rig_poll(struct rig *r);

/* A blocking request; `buffer` is NULL for those without data. */
int rig_io(struct rig *r, enum block_op op, unsigned flags, uint64_t offset,
           uint64_t length, void *buffer);

/* The stand-in dies, forgetting what it had not answered, and another one
 * takes its place. */
void rig_replace_slow(struct rig *r);

/* Whether parity and mirrors of every mapped chunk agree; members that are
 * not ONLINE are left out. */
bool rig_consistent(struct rig *r);

#endif /* TESTS_UNIT_VOLUME_RIG_H */
