/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "raid_row.h"

#include "base/base.h"

#include <errno.h>
#include <string.h>

struct reactor *reactor;
struct raid_worker worker;
struct handoff_drive shared[HANDOFF_DRIVES];
static bool suspect[HANDOFF_DRIVES];
struct rig_drive drives[ROW_DRIVES];
struct rig_held held;
struct handoff_row row;
struct geometry geometry;
uint64_t seed = 88172645463325252u;
uint8_t model[CHUNK_BYTES], buffer[CHUNK_BYTES];

/* -- a row ---------------------------------------------------------------- */

const struct row_shape shapes[ROW_SHAPES] = {
	{ RAID0, 1 }, { RAID0, 2 }, { RAID0, 4 }, { RAID0, 8 },
	{ RAID1, 2 }, { RAID5, 3 }, { RAID5, 5 }, { RAID5, 9 },
};

/* `zeroes`: bit i says that zeroes are cheap on drive i. */
void row_start(size_t shape, unsigned zeroes)
{
	assert_int_equal(geometry_choose(shapes[shape].profile,
	                                 shapes[shape].drives, &geometry),
	                 0);
	memset(shared, 0, sizeof(shared));
	memset(suspect, 0, sizeof(suspect));
	raid_worker_init(&worker, shared, suspect);
	row = (struct handoff_row){
		.state = 1,
		.profile = (uint8_t)geometry.profile,
		.width = geometry.width,
		.data = geometry.data,
		.strip_shift = geometry.strip_shift,
		.extent_bytes = ROW_EXTENT,
		.data_start = ROW_START,
	};
	for (uint16_t i = 0; i < geometry.width; i++) {
		/* Members and drives are not the same numbers. */
		uint16_t drive = (uint16_t)((i + 1u) % geometry.width);

		rig_drive_init(&drives[i], ROW_START + 2 * ROW_EXTENT,
		               zeroes >> i & 1);
		worker.device[i] = &drives[i].device;
		shared[i].role = HANDOFF_ONLINE;
		row.drive[i] = drive;
		row.extent[i] = i % 2u;
	}
}

void row_end(void)
{
	for (unsigned i = 0; i < geometry.width; i++)
		rig_drive_fini(&drives[i]);
	raid_worker_fini(&worker);
}

void row_randomise(uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i + 8 <= n; i += 8) {
		uint64_t v = rig_next(&seed);

		memcpy(bytes + i, &v, 8);
	}
}

/* -- ops ------------------------------------------------------------------ */

static void run_done(struct raid_op *op, int err)
{
	struct run *r = container_of(op, struct run, op);

	assert_false(r->done);
	r->done = true;
	r->err = err;
}

void row_submit(struct run *r, enum raid_kind kind, unsigned flags,
                uint32_t index, uint32_t offset, uint32_t length,
                const struct iovec *iov, unsigned n)
{
	r->done = false;
	r->op.kind = kind;
	r->op.flags = flags;
	r->op.offset = offset;
	r->op.length = length;
	r->op.iov = iov;
	r->op.iov_count = n;
	r->op.done = run_done;
	assert_int_equal(raid_submit(&worker, &row, index, &r->op), 0);
	assert_false(r->done);
}

void row_turn(void)
{
	reactor_poll(reactor);
	if (held.n)
		rig_held_run(&held, 1 + (unsigned)(rig_next(&seed) % held.n),
		             &seed);
}

struct run single;
bool again; /* the op before has ended with -ENODEV */

int row_run_iov(enum raid_kind kind, uint32_t index, uint32_t offset,
                uint32_t length, const struct iovec *iov, unsigned n)
{
	unsigned flags = again ? RAID_AGAIN : 0;

	do {
		row_submit(&single, kind, flags, index, offset, length, iov, n);
		while (!single.done)
			row_turn();
		assert_int_equal(worker.scratch.used, 0);
		assert_true(!(flags & RAID_LOCKED) || single.err != -EAGAIN);
		flags |= RAID_LOCKED;
	} while (single.err == -EAGAIN);
	for (unsigned i = 0; i < geometry.width; i++)
		assert_int_equal(worker.inflight[i], 0);
	return single.err;
}

int row_run(enum raid_kind kind, uint32_t index, uint32_t offset,
            uint32_t length, uint8_t *bytes)
{
	const struct iovec iov = { bytes, length };

	return row_run_iov(kind, index, offset, length, &iov, 1);
}

/* -- what the drives hold ------------------------------------------------- */

static uint8_t *row_strip_of(unsigned member, uint32_t index)
{
	return drives[row.drive[member]].bytes + ROW_START +
	       row.extent[member] * ROW_EXTENT +
	       ((uint64_t)index << geometry.strip_shift);
}

static bool row_online(unsigned member)
{
	return shared[row.drive[member]].role == HANDOFF_ONLINE;
}

/* The data that are on members in service are the model's, and so is the
 * parity; with every member there nothing else is possible. */
static void row_check_stripe(uint32_t index)
{
	size_t strip = (size_t)1 << geometry.strip_shift;
	uint8_t parity[CHUNK_BYTES] = { 0 };

	for (unsigned k = 0; k < geometry.data; k++) {
		unsigned m = geometry_data_member(&geometry, index, k);

		if (geometry.profile != RAID1 && row_online(m))
			assert_memory_equal(row_strip_of(m, index),
			                    model + k * strip, strip);
		for (size_t i = 0; i < strip; i++)
			parity[i] ^= model[k * strip + i];
	}
	for (unsigned m = 0; geometry.profile == RAID1 && m < 2; m++)
		if (row_online(m))
			assert_memory_equal(row_strip_of(m, index), model,
			                    strip);
	if (geometry.profile == RAID5 &&
	    row_online(geometry_parity_member(&geometry, index)))
		assert_memory_equal(
			row_strip_of(geometry_parity_member(&geometry, index),
		                     index),
			parity, strip);
}

void row_check_chunk(uint32_t index)
{
	row_check_stripe(index);
	memset(buffer, 0xdd, sizeof(buffer));
	assert_int_equal(row_run(RAID_READ, index, 0, CHUNK_BYTES, buffer), 0);
	assert_memory_equal(buffer, model, CHUNK_BYTES);
}

void row_fresh_chunk(uint32_t index)
{
	row_randomise(model, sizeof(model));
	assert_int_equal(row_run(RAID_FILL, index, 0, CHUNK_BYTES, model), 0);
}

/* Take the drive out; what is on it is rubbish from now on. */
void row_lose(unsigned drive)
{
	if (drive == ROW_NOBODY)
		return;
	shared[drive].role = HANDOFF_FAILED;
	memset(drives[drive].bytes, 0xee, drives[drive].device.size);
	drives[drive].reads = drives[drive].writes = 0;
}

void row_find_again(unsigned drive)
{
	if (drive == ROW_NOBODY)
		return;
	assert_int_equal(drives[drive].reads, 0); /* P2 */
	assert_int_equal(drives[drive].writes, 0);
	shared[drive].role = HANDOFF_ONLINE;
}

int row_run_tests(const struct CMUnitTest *tests, size_t n)
{
	int failed;

	if (reactor_create(&(struct reactor_opts){ .name = "raid" }, &reactor,
	                   NULL))
		return 99;
	reactor_bind(reactor);
	failed = _cmocka_run_group_tests("raid", tests, n, NULL, NULL);
	reactor_destroy(reactor);
	return failed;
}
