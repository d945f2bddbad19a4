/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drive requests that fail, each in turn: the stripe stays whole, or the op
 * reports it and nothing lies.
 * shows V11, V12, V14
 */
#include "../test.h"

#include "raid_row.h"

#include "base/base.h"

#include <errno.h>
#include <string.h>

/* -- faults --------------------------------------------------------------- */

static unsigned countdown; /* the request at which it comes to 0 fails */
static unsigned victim;

static bool nth_fails(struct rig_drive *d, const struct block_request *q)
{
	(void)q;
	if (countdown == 0 || --countdown > 0)
		return false;
	victim = (unsigned)(d - drives);
	return true;
}

static const struct op_shape {
	enum raid_kind kind;
	uint32_t offset, length;
} op_shapes[] = {
	{ RAID_READ, 0, 4096 },
	{ RAID_READ, 512, CHUNK_BYTES - 1024 },
	{ RAID_READ, 0, CHUNK_BYTES },
	{ RAID_WRITE, 4096, 4096 },
	{ RAID_WRITE, CHUNK_BYTES - 4096, 512 },
	{ RAID_WRITE, 512, CHUNK_BYTES - 1024 },
	{ RAID_WRITE, CHUNK_BYTES / 4, CHUNK_BYTES / 2 },
	{ RAID_WRITE, 0, CHUNK_BYTES },
	{ RAID_FILL, 4096, 4096 },
	{ RAID_FILL, 512, CHUNK_BYTES - 1024 },
	{ RAID_FILL, 0, CHUNK_BYTES },
};

/* As the fast stack does: a failed write is the end of the drive, then the op
 * is done again. */
static int retry(const struct op_shape *o, uint8_t *bytes)
{
	int err;

	raid_decided(&worker, single.op.bad_drive);
	again = true;
	err = row_run(o->kind, 1, o->offset, o->length, bytes);
	again = false;
	return err;
}

static int run_and_retry(const struct op_shape *o, uint8_t *bytes)
{
	int err = row_run(o->kind, 1, o->offset, o->length, bytes);

	if (err != -ENODEV)
		return err;
	assert_int_equal(single.op.bad_drive, victim);
	assert_int_equal(single.op.n_bad, 1);
	assert_int_equal(shared[victim].write_errors, 1);
	row_lose(victim);
	return retry(o, bytes);
}

/* The drive stays in service, whatever it has missed: as if the slow stack
 * had said so. */
static bool fail_nth_and_stay(size_t shape, const struct op_shape *o,
                              unsigned n)
{
	uint8_t *bytes = model + o->offset;
	bool failed;
	int err;

	row_start(shape, 0x155);
	row_fresh_chunk(1);
	for (unsigned i = 0; i < geometry.width; i++)
		drives[i].fails = nth_fails;
	countdown = n;
	if (o->kind == RAID_FILL)
		memset(model, 0, sizeof(model));
	row_randomise(bytes, o->length);
	err = row_run(o->kind, 1, o->offset, o->length, bytes);
	failed = countdown == 0;
	countdown = 0;
	if (err == -ENODEV)
		err = retry(o, bytes);
	assert_int_equal(err, 0);
	row_check_chunk(1);
	row_end();
	return failed;
}

static void a_drive_that_stays_after_all_is_made_whole(void **state)
{
	(void)state;
	for (size_t s = ROW_FIRST_REDUNDANT; s < ARRAY_LEN(shapes); s++) {
		for (size_t o = 0; o < ARRAY_LEN(op_shapes); o++) {
			unsigned n = 1;

			if (op_shapes[o].kind == RAID_READ)
				continue;
			while (fail_nth_and_stay(s, &op_shapes[o], n))
				n++;
			assert_true(n > 1);
		}
	}
}

/* Whether there was an n-th request to fail. */
static bool fail_nth(size_t shape, const struct op_shape *o, unsigned n)
{
	uint8_t *bytes = o->kind == RAID_READ ? buffer : model + o->offset;
	bool failed;

	row_start(shape, 0x155);
	row_fresh_chunk(1);
	row_fresh_chunk(1);
	for (unsigned i = 0; i < geometry.width; i++)
		drives[i].fails = nth_fails;
	countdown = n;
	if (o->kind == RAID_FILL)
		memset(model, 0, sizeof(model));
	if (o->kind != RAID_READ)
		row_randomise(bytes, o->length);
	assert_int_equal(run_and_retry(o, bytes), 0);
	if (o->kind == RAID_READ)
		assert_memory_equal(bytes, model + o->offset, o->length);
	failed = countdown == 0;
	countdown = 0;
	row_check_chunk(1);
	row_end();
	return failed;
}

static void any_one_request_may_fail(void **state)
{
	(void)state;
	for (size_t s = ROW_FIRST_REDUNDANT; s < ARRAY_LEN(shapes); s++) {
		for (size_t o = 0; o < ARRAY_LEN(op_shapes); o++) {
			unsigned n = 1;

			while (fail_nth(s, &op_shapes[o], n))
				n++;
			assert_true(n > 1);
		}
	}
}

/* Without a member, a second failure is reported; what is read afterwards is
 * right, except in the op's own columns, or is refused. */
static bool fail_nth_degraded(size_t shape, const struct op_shape *o,
                              unsigned lost, unsigned n)
{
	uint32_t from, to, strip;
	bool failed;
	int err;

	row_start(shape, 0x155);
	strip = 1u << geometry.strip_shift;
	row_fresh_chunk(1);
	row_lose(lost);
	raid_lock_range(&row, o->offset, o->length, &from, &to);
	for (unsigned i = 0; i < geometry.width; i++)
		drives[i].fails = nth_fails;
	countdown = n;
	row_randomise(buffer, o->length);
	err = run_and_retry(o, buffer);
	failed = countdown == 0;
	countdown = 0;
	assert_true(err == 0 || err == -EIO);
	assert_true(failed || err == 0);
	for (uint32_t at = 0; at < CHUNK_BYTES; at += 512) {
		static uint8_t sector[512];

		if ((at & (strip - 1)) >= from && (at & (strip - 1)) < to)
			continue;
		if (row_run(RAID_READ, 1, at, 512, sector) == 0)
			assert_memory_equal(sector, model + at, 512);
	}
	row_end();
	return failed;
}

static void a_second_failure_is_no_lie(void **state)
{
	(void)state;
	for (size_t s = ROW_FIRST_REDUNDANT; s < ARRAY_LEN(shapes); s++) {
		for (size_t o = 0; o < ARRAY_LEN(op_shapes); o++) {
			if (op_shapes[o].kind != RAID_WRITE)
				continue;
			for (unsigned lost = 0; lost < shapes[s].drives;
			     lost++) {
				unsigned n = 1;

				while (fail_nth_degraded(s, &op_shapes[o], lost,
				                         n))
					n++;
			}
		}
	}
}

/* P3: one member is closed, and the slow stack does not know it yet. */
static void close_one(const struct op_shape *o, unsigned member)
{
	struct block_device **device = &worker.device[row.drive[member]];
	struct block_device *dev = *device;
	int err;

	row_fresh_chunk(1);
	*device = NULL;
	if (o->kind == RAID_FILL)
		memset(model, 0, sizeof(model));
	row_randomise(model + o->offset, o->length);
	err = row_run(o->kind, 1, o->offset, o->length, model + o->offset);
	*device = dev;
	if (err) {
		assert_int_equal(err, -ENODEV);
		assert_int_equal(single.op.bad_drive, row.drive[member]);
		assert_int_equal(single.op.n_bad, 1);
		/* Until it has been decided, it misses every write. */
		assert_int_equal(row_run(o->kind, 1, o->offset, o->length,
		                         model + o->offset),
		                 -ENODEV);
		assert_int_equal(single.op.bad_drive, row.drive[member]);
		assert_int_equal(retry(o, model + o->offset), 0);
	}
	row_check_chunk(1); /* nothing was missed */
}

static void a_write_that_an_online_member_missed_is_not_done(void **state)
{
	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(shapes); s++) {
		row_start(s, 0x0f);
		for (size_t o = 0; o < ARRAY_LEN(op_shapes); o++)
			for (unsigned m = 0; m < geometry.width; m++)
				if (op_shapes[o].kind != RAID_READ)
					close_one(&op_shapes[o], m);
		row_end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_drive_that_stays_after_all_is_made_whole),
		cmocka_unit_test(any_one_request_may_fail),
		cmocka_unit_test(a_second_failure_is_no_lie),
		cmocka_unit_test(
			a_write_that_an_online_member_missed_is_not_done),
	};

	return row_run_tests(tests, ARRAY_LEN(tests));
}
