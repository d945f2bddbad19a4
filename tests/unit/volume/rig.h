/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fast stack over drives in memory, with a stand-in for the slow stack that
 * allocates chunks one after the other.  The stand-in can be told to answer
 * late, to stop, to die and to misbehave.  It keeps the interface's rules: it
 * looks at its rings only when it has been woken.
 *
 * One thread drives all by rig_poll(); or reactors run in threads of their
 * own between rig_init() and rig_fini() and another thread calls
 * rig_stand_in().
 */
#ifndef TESTS_UNIT_VOLUME_RIG_H
#define TESTS_UNIT_VOLUME_RIG_H

#include "rig_drive.h"
#include "volume/fast/fast.h"
#include "volume/geometry.h"

#define RIG_DRIVES 9u
#define RIG_LANES 4u
#define RIG_EXTENT (UINT64_C(1) << 20)
#define RIG_EXTENTS 16u
#define RIG_DATA_START 65536u
#define RIG_TABLE_BASE 512u

struct rig {
	struct reactor *reactors[RIG_LANES];
	unsigned n_lanes;
	struct handoff handoff;
	struct fast *fast;
	struct block_device *volume;
	struct rig_drive drive[RIG_DRIVES];
	unsigned n_drives;
	struct geometry geometry;
	unsigned rows;
	struct rig_held *held; /* of every drive, if set */
	uint64_t seed;
	/* the stand-in */
	bool stopped;   /* pops nothing */
	bool asleep;    /* until its eventfd tells */
	unsigned delay; /* polls until an answer, at most (random) */
	uint64_t slow_seed;
	uint64_t next_chunk;
	uint64_t chunks; /* that it may hand out */
	uint64_t answered;
	uint64_t kinds[HANDOFF_REQUEST_KINDS];
	bool refuse_drive_errors;
	bool fixed_places; /* chunk i of the volume has place i: may come back
	                    */
	bool restless;     /* there is always something to commit */
	struct rig_late {
		struct handoff_request request;
		unsigned lane;
		unsigned polls;
	} late[RIG_LANES * HANDOFF_RING];
	unsigned n_late;
};

struct rig_opts {
	enum raid_profile profile;
	unsigned n_drives;
	uint64_t size;             /* of the volume "p/v" */
	unsigned n_lanes;          /* 0: 1 */
	unsigned miss_timeout_ms;  /* 0: the fast stack's own */
	struct rig_held *held;     /* NULL: drives do requests at once */
	const struct clock *clock; /* NULL: the host's */
};

void rig_init_with(struct rig *r, const struct rig_opts *opts);
/* One volume "p/v" of `size` bytes on n drives, one lane. */
void rig_init(struct rig *r, enum raid_profile profile, unsigned n_drives,
              uint64_t size);
void rig_fini(struct rig *r);

uint64_t rig_random(struct rig *r);

/* One turn of the reactors, the drives and the stand-in. */
void rig_poll(struct rig *r);
/* The stand-in's turn; @return whether it has anything to do. */
bool rig_stand_in(struct rig *r);

/* A blocking request; `buffer` is NULL for those without data. */
int rig_io(struct rig *r, enum block_op op, unsigned flags, uint64_t offset,
           uint64_t length, void *buffer);

void rig_set_role(struct rig *r, unsigned drive, enum handoff_drive_role role);

/* The stand-in dies, forgetting what it had not answered, and another one
 * takes its place. */
void rig_replace_slow(struct rig *r);
/* The two halves of that. */
void rig_detach_slow(struct rig *r);
void rig_attach_slow(struct rig *r);

/* Rows, volume and roles as they were at the start, and no chunk mapped; for
 * who has scribbled over them.  Nothing is in flight. */
void rig_reset_memory(struct rig *r);

/* Whether parity and mirrors of every mapped chunk agree; members that are
 * not ONLINE are left out. */
bool rig_consistent(struct rig *r);

#endif /* TESTS_UNIT_VOLUME_RIG_H */
