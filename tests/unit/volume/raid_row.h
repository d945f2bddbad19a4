/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One row of drives in memory under volume/raid, and a flat copy (`model`) of
 * the chunk of it that a test writes.
 */
#ifndef TESTS_UNIT_VOLUME_RAID_ROW_H
#define TESTS_UNIT_VOLUME_RAID_ROW_H

#include "rig_drive.h"
#include "volume/raid/raid.h"

#define ROW_DRIVES 9u
#define ROW_EXTENT (UINT64_C(1) << 18)
#define ROW_START 65536u
#define ROW_NOBODY ROW_DRIVES

#define ROW_SHAPES 8u
#define ROW_FIRST_REDUNDANT 4u
extern const struct row_shape {
	enum raid_profile profile;
	unsigned drives;
} shapes[ROW_SHAPES];

extern struct reactor *reactor;
extern struct raid_worker worker;
extern struct handoff_drive shared[HANDOFF_DRIVES];
extern struct rig_drive drives[ROW_DRIVES];
extern struct rig_held held;
extern struct handoff_row row;
extern struct geometry geometry;
extern uint64_t seed;
extern uint8_t model[CHUNK_BYTES], buffer[CHUNK_BYTES];

struct run {
	struct raid_op op;
	bool done;
	int err;
};
extern struct run single; /* what row_run() ran last */
extern bool again;        /* the op before has ended with -ENODEV */

/* `zeroes`: bit i says that zeroes are cheap on drive i. */
void row_start(size_t shape, unsigned zeroes);
void row_end(void);
void row_randomise(uint8_t *bytes, size_t n);

void row_submit(struct run *r, enum raid_kind kind, unsigned flags,
                uint32_t index, uint32_t offset, uint32_t length,
                const struct iovec *iov, unsigned n);
void row_turn(void);
/* An op from its start to its end, locked where it must be. */
int row_run_iov(enum raid_kind kind, uint32_t index, uint32_t offset,
                uint32_t length, const struct iovec *iov, unsigned n);
int row_run(enum raid_kind kind, uint32_t index, uint32_t offset,
            uint32_t length, uint8_t *bytes);

/* New random data in the chunk and the model. */
void row_fresh_chunk(uint32_t index);
/* What the members in service hold, and what a read gives, is the model. */
void row_check_chunk(uint32_t index);

/* Take the drive out; what is on it is rubbish from now on. */
void row_lose(unsigned drive);
/* Put it back; nobody has touched it. */
void row_find_again(unsigned drive);

struct CMUnitTest;
int row_run_tests(const struct CMUnitTest *tests, size_t n);

#endif /* TESTS_UNIT_VOLUME_RAID_ROW_H */
