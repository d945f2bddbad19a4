/* SPDX-License-Identifier: BSD-2-Clause */
/* The fast stack alone, against an array and against itself.
 * shows V4, V6, V9, V10, V12, V13, V14, V18, V19, V22, V23 */
#include "../test.h"

#include "rig.h"

#include "base/base.h"

#include <errno.h>
#include <string.h>

#define SIZE (UINT64_C(4) << 20)

static struct rig rig;
static uint8_t model[SIZE], buffer[SIZE];

static const struct {
	enum raid_profile profile;
	unsigned drives;
} shapes[] = {
	{ RAID0, 1 }, { RAID0, 4 }, { RAID1, 2 }, { RAID1, 3 },
	{ RAID5, 3 }, { RAID5, 5 }, { RAID5, 6 }, { RAID5, 9 },
};

static void fill(uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 8 <= n; i += 8) {
		uint64_t v = rig_random(&rig);

		memcpy(p + i, &v, 8);
	}
}

/* Sizes that people use, sizes that cross every border, and whole chunks. */
static void random_range(uint64_t *offset, uint64_t *length)
{
	uint64_t r = rig_random(&rig);

	switch (r % 4) {
	case 0:
		*length = 4096;
		*offset = (r >> 8) % (SIZE / 4096) * 4096;
		break;
	case 1:
		*length = CHUNK_BYTES << ((r >> 4) % 3);
		*offset = (r >> 8) % (SIZE / CHUNK_BYTES) * CHUNK_BYTES;
		break;
	default:
		*length = ((r >> 4) % 400 + 1) * BLOCK_SECTOR;
		*offset = (r >> 20) % (SIZE / BLOCK_SECTOR) * BLOCK_SECTOR;
	}
	if (*length > SIZE - *offset)
		*length = SIZE - *offset;
}

static void random_step(void)
{
	uint64_t offset, length;
	unsigned what = (unsigned)(rig_random(&rig) % 16);

	random_range(&offset, &length);
	if (what < 7) {
		fill(buffer, length);
		memcpy(model + offset, buffer, length);
		assert_int_equal(rig_io(&rig, BLOCK_WRITE,
		                        what == 0 ? BLOCK_FUA : 0, offset,
		                        length, buffer),
		                 0);
	} else if (what < 14) {
		assert_int_equal(
			rig_io(&rig, BLOCK_READ, 0, offset, length, buffer), 0);
		assert_memory_equal(buffer, model + offset, length);
	} else if (what < 15) {
		memset(model + offset, 0, length);
		assert_int_equal(
			rig_io(&rig, BLOCK_WRITE_ZEROES,
		               rig_random(&rig) % 2 ? BLOCK_NO_UNMAP : 0,
		               offset, length, NULL),
			0);
	} else {
		assert_int_equal(rig_io(&rig, BLOCK_FLUSH, 0, 0, 0, NULL), 0);
	}
}

static void compare_all(void)
{
	assert_int_equal(rig_io(&rig, BLOCK_READ, 0, 0, SIZE, buffer), 0);
	assert_memory_equal(buffer, model, SIZE);
	assert_true(rig_consistent(&rig));
}

static void start(size_t shape)
{
	rig_init(&rig, shapes[shape].profile, shapes[shape].drives, SIZE);
	memset(model, 0, sizeof(model));
}

static void a_volume_is_an_array(void **state)
{
	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(shapes); s++) {
		start(s);
		rig.delay = 3;
		for (unsigned i = 0; i < 3000; i++)
			random_step();
		compare_all();
		rig_fini(&rig);
	}
}

static void lose_drive(unsigned n)
{
	rig.handoff.drives[n].role = HANDOFF_FAILED;
	memset(rig.drive[n].bytes, 0xee, rig.drive[n].device.size);
}

static void a_volume_without_a_drive_is_still_that_array(void **state)
{
	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(shapes); s++) {
		if (shapes[s].profile == RAID0)
			continue;
		for (unsigned lost = 0; lost < shapes[s].drives; lost++) {
			start(s);
			for (unsigned i = 0; i < 300; i++)
				random_step();
			lose_drive(lost);
			for (unsigned i = 0; i < 600; i++)
				random_step();
			compare_all();
			rig_fini(&rig);
		}
	}
}

static void a_drive_that_fails_reads_or_writes_costs_nothing(void **state)
{
	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(shapes); s++) {
		unsigned bad = 1;

		if (shapes[s].profile == RAID0)
			continue;
		start(s);
		for (unsigned i = 0; i < 2000; i++) {
			if (rig_random(&rig) % 4 == 0)
				rig.drive[bad].fail_reads = 1;
			random_step();
		}
		rig.drive[bad].fail_reads = 0;
		compare_all();
		assert_true(rig.handoff.drives[bad].read_errors > 0);
		for (unsigned i = 0; i < 600; i++) {
			if (i == 50)
				rig.drive[bad].fail_writes = 3;
			random_step();
		}
		assert_int_equal(rig.handoff.drives[bad].role, HANDOFF_FAILED);
		compare_all();
		rig_fini(&rig);
	}
}

static void two_lost_drives_are_an_error_not_a_lie(void **state)
{
	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(shapes); s++) {
		if (shapes[s].profile == RAID0)
			continue;
		start(s);
		fill(model, SIZE);
		assert_int_equal(rig_io(&rig, BLOCK_WRITE, 0, 0, SIZE, model),
		                 0);
		lose_drive(0);
		lose_drive(1);
		for (uint64_t at = 0; at < SIZE; at += 4096) {
			int err = rig_io(&rig, BLOCK_READ, 0, at, 4096, buffer);

			if (err)
				assert_int_equal(err, -EIO);
			else
				assert_memory_equal(buffer, model + at, 4096);
		}
		rig_fini(&rig);
	}
}

static void the_first_write_makes_one_handoff_and_the_next_none(void **state)
{
	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(shapes); s++) {
		struct fast_stats before, after;

		start(s);
		fast_stats(rig.fast, &before);
		assert_int_equal(rig_io(&rig, BLOCK_READ, 0, 0, 4096, buffer),
		                 0);
		assert_memory_equal(buffer, model, 4096);
		assert_int_equal(rig.next_chunk, 0);
		fill(buffer, 4096);
		assert_int_equal(
			rig_io(&rig, BLOCK_WRITE, 0, 8192, 4096, buffer), 0);
		fast_stats(rig.fast, &after);
		assert_int_equal(after.handoffs - before.handoffs, 1);
		memcpy(model + 8192, buffer, 4096);
		rig.stopped = true; /* from here on all must be hits */
		assert_int_equal(
			rig_io(&rig, BLOCK_WRITE, 0, 8192, 4096, buffer), 0);
		assert_int_equal(
			rig_io(&rig, BLOCK_WRITE, 0, 32768, 512, buffer), 0);
		memcpy(model + 32768, buffer, 512);
		compare_all();
		fast_stats(rig.fast, &before);
		assert_int_equal(after.handoffs, before.handoffs);
		rig_fini(&rig);
	}
}

struct pending {
	struct block_request request;
	struct iovec iov;
	int err;
	bool done;
};

static void pending_done(struct block_request *q, int err)
{
	struct pending *p = container_of(q, struct pending, request);

	assert_false(p->done);
	p->done = true;
	p->err = err;
}

static void submit(struct pending *p, enum block_op op, uint64_t offset,
                   uint64_t length, void *bytes)
{
	p->done = false;
	p->iov = (struct iovec){ bytes, length };
	p->request = (struct block_request){ .op = op,
		                             .offset = offset,
		                             .length = length,
		                             .iov = bytes ? &p->iov : NULL,
		                             .iov_count = bytes ? 1 : 0,
		                             .done = pending_done };
	block_submit(rig.volume, &p->request);
}

static void concurrent_misses_on_a_chunk_allocate_once(void **state)
{
	static struct pending p[16];

	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(shapes); s++) {
		start(s);
		rig.delay = 5;
		fill(model, CHUNK_BYTES);
		for (unsigned i = 0; i < 16; i++)
			submit(&p[i], BLOCK_WRITE, i * 4096u, 4096,
			       model + i * 4096u);
		for (unsigned i = 0; i < 16; i++) {
			while (!p[i].done)
				rig_poll(&rig);
			assert_int_equal(p[i].err, 0);
		}
		assert_int_equal(rig.next_chunk, 1);
		compare_all();
		rig_fini(&rig);
	}
}

static void misses_wait_for_a_stopped_stack_and_hits_do_not(void **state)
{
	static struct pending hit, miss, flush, wide;

	(void)state;
	start(5);
	fill(model, 4096);
	assert_int_equal(rig_io(&rig, BLOCK_WRITE, 0, 0, 4096, model), 0);
	assert_int_equal(rig_io(&rig, BLOCK_FLUSH, 0, 0, 0, NULL), 0);
	rig.stopped = true;
	submit(&miss, BLOCK_WRITE, CHUNK_BYTES * 8, 4096, model);
	submit(&flush, BLOCK_FLUSH, 0, 0, NULL);
	for (unsigned i = 0; i < 100; i++) {
		submit(&hit, BLOCK_READ, 0, 4096, buffer);
		while (!hit.done)
			rig_poll(&rig);
		assert_int_equal(hit.err, 0);
		assert_memory_equal(buffer, model, 4096);
	}
	assert_false(miss.done);
	assert_true(flush.done); /* no mapping is uncommitted: a hit */
	/* What waits, beside a hit of its own and behind a lock, holds no
	 * chunk up that is to be used again. */
	submit(&wide, BLOCK_WRITE, 0, CHUNK_BYTES * 9, model);
	for (unsigned i = 0; i < 100; i++)
		rig_poll(&rig);
	assert_false(wide.done);
	assert_int_equal(rig.handoff.lanes[0].inflight[0][0], 0);
	assert_int_equal(rig.handoff.lanes[0].inflight[0][1], 0);
	rig.stopped = false;
	while (!miss.done || !wide.done)
		rig_poll(&rig);
	assert_int_equal(miss.err, 0);
	assert_int_equal(wide.err, 0);
	rig_fini(&rig);
}

static void a_stack_that_was_replaced_is_asked_again_and_answers_once(
	void **state)
{
	static struct pending miss[64];

	(void)state;
	start(5);
	rig.delay = 4;
	fill(model, SIZE);
	for (unsigned i = 0; i < 64; i++)
		submit(&miss[i], BLOCK_WRITE, i * CHUNK_BYTES, 4096,
		       model + i * CHUNK_BYTES);
	for (unsigned i = 0; i < 5; i++)
		rig_poll(&rig);
	rig_replace_slow(&rig);
	for (unsigned i = 0; i < 64; i++) {
		while (!miss[i].done)
			rig_poll(&rig);
		assert_int_equal(miss[i].err, 0);
	}
	assert_int_equal(rig.next_chunk, 64);
	rig_fini(&rig);
}

/* Over holes every part ends at once. */
static void a_large_request_lets_others_pass(void **state)
{
	static const enum block_op ops[] = { BLOCK_DISCARD,
		                             BLOCK_WRITE_ZEROES };
	struct pending large, small;

	(void)state;
	rig_init(&rig, RAID0, 2, UINT64_C(3) << 26);
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		submit(&large, ops[i], 0, rig.volume->size, NULL);
		submit(&small, BLOCK_READ, 0, 4096, buffer);
		while (!small.done)
			rig_poll(&rig);
		assert_false(large.done);
		while (!large.done)
			rig_poll(&rig);
		assert_int_equal(large.err, 0);
		assert_int_equal(small.err, 0);
	}
	rig_fini(&rig);
}

static void a_full_pool_is_no_space_and_hits_go_on(void **state)
{
	(void)state;
	start(5);
	rig.chunks = 8;
	fill(model, SIZE);
	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(rig_io(&rig, BLOCK_WRITE, 0, i * CHUNK_BYTES,
		                        CHUNK_BYTES, model + i * CHUNK_BYTES),
		                 0);
	assert_int_equal(
		rig_io(&rig, BLOCK_WRITE, 0, 9 * CHUNK_BYTES, 4096, model),
		-ENOSPC);
	assert_int_equal(rig_io(&rig, BLOCK_WRITE, 0, 4096, 4096, model + 4096),
	                 0);
	memset(model + 8 * CHUNK_BYTES, 0, SIZE - 8 * CHUNK_BYTES);
	compare_all();
	rig.chunks = 16;
	assert_int_equal(rig_io(&rig, BLOCK_DISCARD, 0, 0, CHUNK_BYTES, NULL),
	                 0);
	memset(model, 0, CHUNK_BYTES);
	compare_all();
	rig_fini(&rig);
}

static void a_volume_that_is_gone_answers_so(void **state)
{
	(void)state;
	start(5);
	rig.handoff.volumes[0].state = HANDOFF_VOLUME_DELETING;
	assert_int_equal(rig_io(&rig, BLOCK_READ, 0, 0, 4096, buffer), -ENXIO);
	rig.handoff.volumes[0].state = HANDOFF_VOLUME_ACTIVE;
	rig.handoff.volumes[0].generation++;
	assert_int_equal(rig_io(&rig, BLOCK_WRITE, 0, 0, 4096, buffer), -ENXIO);
	assert_int_equal(rig.kinds[HANDOFF_NO_VOLUME], 2);
	rig_fini(&rig);
}

static void bad_requests_are_refused(void **state)
{
	(void)state;
	start(0);
	assert_int_equal(rig_io(&rig, BLOCK_READ, 0, 1, 512, buffer), -EINVAL);
	assert_int_equal(rig_io(&rig, BLOCK_READ, 0, SIZE, 512, buffer),
	                 -ERANGE);
	assert_int_equal(
		rig_io(&rig, BLOCK_WRITE, 0, UINT64_MAX - 511, 512, buffer),
		-ERANGE);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_volume_is_an_array),
		cmocka_unit_test(a_volume_without_a_drive_is_still_that_array),
		cmocka_unit_test(
			a_drive_that_fails_reads_or_writes_costs_nothing),
		cmocka_unit_test(two_lost_drives_are_an_error_not_a_lie),
		cmocka_unit_test(
			the_first_write_makes_one_handoff_and_the_next_none),
		cmocka_unit_test(concurrent_misses_on_a_chunk_allocate_once),
		cmocka_unit_test(
			misses_wait_for_a_stopped_stack_and_hits_do_not),
		cmocka_unit_test(
			a_stack_that_was_replaced_is_asked_again_and_answers_once),
		cmocka_unit_test(a_large_request_lets_others_pass),
		cmocka_unit_test(a_full_pool_is_no_space_and_hits_go_on),
		cmocka_unit_test(a_volume_that_is_gone_answers_so),
		cmocka_unit_test(bad_requests_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
