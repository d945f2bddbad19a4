/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many requests in flight on few chunks, over drives that do what they are
 * asked in any order, and fail at any point.  Each client has its own sectors
 * of every chunk, so the columns of a stripe are written and rebuilt by
 * several at once, and each knows what it must read.
 * shows V6, V11, V12, V18, V22, V23
 */
#include "../test.h"

#include "rig.h"

#include "base/base.h"

#include <errno.h>
#include <string.h>

#define CLIENTS 32u
#define CHUNKS 4u
#define SIZE (CHUNKS * CHUNK_BYTES)
#define SECTORS (CHUNK_BYTES / BLOCK_SECTOR)
#define STEPS 12000u

struct client {
	struct block_request request;
	struct iovec iov;
	unsigned number;
	bool busy;
	uint64_t offset;
	uint8_t bytes[BLOCK_SECTOR];
};

static struct rig rig;
static struct rig_held held;
static struct client clients[CLIENTS];
static uint8_t model[SIZE], buffer[SIZE];
static bool may_fail; /* errors are allowed: the sector is then unknown */
static bool unknown[SIZE / BLOCK_SECTOR];
static uint64_t n_errors;

static void request_done(struct block_request *q, int err)
{
	struct client *c = container_of(q, struct client, request);
	bool *lost = &unknown[c->offset / BLOCK_SECTOR];

	assert_true(c->busy);
	c->busy = false;
	if (err) {
		assert_true(may_fail);
		assert_int_equal(err, -EIO);
		n_errors++;
		*lost |= q->op != BLOCK_READ;
	} else if (q->op == BLOCK_READ) {
		if (!*lost)
			assert_memory_equal(c->bytes, model + c->offset,
			                    BLOCK_SECTOR);
	} else {
		*lost = false;
		if (q->op == BLOCK_WRITE)
			memcpy(model + c->offset, c->bytes, BLOCK_SECTOR);
		else
			memset(model + c->offset, 0, BLOCK_SECTOR);
	}
}

static void submit_something(struct client *c)
{
	uint64_t r = rig_random(&rig);
	static const enum block_op ops[] = {
		BLOCK_READ,  BLOCK_READ,  BLOCK_READ,  BLOCK_WRITE,
		BLOCK_WRITE, BLOCK_WRITE, BLOCK_WRITE, BLOCK_WRITE_ZEROES,
	};
	enum block_op op = ops[r % ARRAY_LEN(ops)];
	bool data = op != BLOCK_WRITE_ZEROES;

	c->offset = ((r >> 8) % (SIZE / BLOCK_SECTOR / CLIENTS) * CLIENTS +
	             c->number) *
	            BLOCK_SECTOR;
	c->busy = true;
	for (unsigned i = 0; op == BLOCK_WRITE && i < BLOCK_SECTOR; i += 8) {
		uint64_t v = rig_random(&rig);

		memcpy(c->bytes + i, &v, 8);
	}
	c->iov = (struct iovec){ c->bytes, BLOCK_SECTOR };
	c->request = (struct block_request){
		.op = op,
		.flags = r >> 20 & 1 && op != BLOCK_READ ? BLOCK_FUA : 0,
		.offset = c->offset,
		.length = BLOCK_SECTOR,
		.iov = data ? &c->iov : NULL,
		.iov_count = data,
		.done = request_done
	};
	block_submit(rig.volume, &c->request);
}

static bool anybody_busy(void)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		if (clients[i].busy)
			return true;
	return false;
}

static void start(enum raid_profile profile, unsigned drives)
{
	rig_init_with(&rig, &(struct rig_opts){ .profile = profile,
	                                        .n_drives = drives,
	                                        .size = SIZE,
	                                        .held = &held });
	rig.delay = 4;
	memset(model, 0, sizeof(model));
	memset(unknown, 0, sizeof(unknown));
	may_fail = false;
	n_errors = 0;
	for (unsigned i = 0; i < CLIENTS; i++)
		clients[i].number = i;
}

static void run(unsigned steps)
{
	for (unsigned i = 0; i < steps; i++) {
		struct client *c = &clients[rig_random(&rig) % CLIENTS];

		if (!c->busy)
			submit_something(c);
		else
			rig_poll(&rig);
	}
	for (unsigned i = 0; anybody_busy(); i++) {
		assert_true(i < 1000000);
		rig_poll(&rig);
	}
}

static void check(void)
{
	assert_int_equal(rig_io(&rig, BLOCK_READ, 0, 0, SIZE, buffer), 0);
	for (uint64_t i = 0; i < SIZE; i += BLOCK_SECTOR)
		if (!unknown[i / BLOCK_SECTOR])
			assert_memory_equal(buffer + i, model + i,
			                    BLOCK_SECTOR);
	assert_true(rig_consistent(&rig));
}

static const struct {
	enum raid_profile profile;
	unsigned drives;
} shapes[] = {
	{ RAID0, 4 }, { RAID1, 2 }, { RAID5, 3 }, { RAID5, 5 }, { RAID5, 9 },
};

static void any_order_of_the_drives_gives_the_same_array(void **state)
{
	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(shapes); s++) {
		start(shapes[s].profile, shapes[s].drives);
		run(STEPS);
		check();
		rig_fini(&rig);
	}
}

static void also_without_a_drive(void **state)
{
	(void)state;
	for (size_t s = 1; s < ARRAY_LEN(shapes); s++) {
		for (unsigned lost = 0; lost < shapes[s].drives; lost += 2) {
			start(shapes[s].profile, shapes[s].drives);
			run(STEPS / 4);
			rig_set_role(&rig, lost, HANDOFF_FAILED);
			run(STEPS / 2);
			check();
			rig_fini(&rig);
		}
	}
}

static bool one_in_eight_reads(struct rig_drive *d,
                               const struct block_request *q)
{
	(void)d;
	return q->op == BLOCK_READ && rig_random(&rig) % 8 == 0;
}

static void also_when_reads_of_a_drive_fail(void **state)
{
	(void)state;
	for (size_t s = 1; s < ARRAY_LEN(shapes); s++) {
		start(shapes[s].profile, shapes[s].drives);
		rig.drive[1].fails = one_in_eight_reads;
		run(STEPS);
		rig.drive[1].fails = NULL;
		assert_true(rig.handoff.drives[1].read_errors > 10);
		check();
		rig_fini(&rig);
	}
}

/* A drive that fails a write while others are in flight on it. */
static void also_when_a_drive_fails_under_way(void **state)
{
	(void)state;
	for (size_t s = 1; s < ARRAY_LEN(shapes); s++) {
		for (unsigned turn = 0; turn < 8; turn++) {
			unsigned bad = turn % shapes[s].drives;

			start(shapes[s].profile, shapes[s].drives);
			run(turn * 100);
			rig.drive[bad].fail_writes =
				1 + (unsigned)(rig_random(&rig) % 20);
			run(STEPS / 8);
			if (shapes[s].profile == RAID1 || turn)
				assert_int_equal(rig.handoff.drives[bad].role,
				                 HANDOFF_FAILED);
			rig.drive[bad].fail_writes = 0;
			check();
			rig_fini(&rig);
		}
	}
}

/* The slow stack keeps the drive although it misses writes: what fails is
 * reported, and everything else stays right. */
static void also_when_a_failing_drive_is_kept(void **state)
{
	(void)state;
	for (size_t s = 1; s < ARRAY_LEN(shapes); s++) {
		start(shapes[s].profile, shapes[s].drives);
		rig.refuse_drive_errors = true;
		may_fail = true;
		for (unsigned turn = 0; turn < 20; turn++) {
			rig.drive[turn % shapes[s].drives].fail_writes = 1;
			run(STEPS / 40);
		}
		assert_true(n_errors > 3);
		for (unsigned i = 0; i < shapes[s].drives; i++)
			rig.drive[i].fail_writes = 0;
		assert_int_equal(rig_io(&rig, BLOCK_READ, 0, 0, SIZE, buffer),
		                 0);
		for (uint64_t i = 0; i < SIZE; i += BLOCK_SECTOR)
			if (!unknown[i / BLOCK_SECTOR])
				assert_memory_equal(buffer + i, model + i,
				                    BLOCK_SECTOR);
		rig_fini(&rig);
	}
}

static void also_when_the_slow_stack_dies(void **state)
{
	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(shapes); s++) {
		start(shapes[s].profile, shapes[s].drives);
		rig.restless = true;
		for (unsigned turn = 0; turn < 30; turn++) {
			for (unsigned i = 0; i < STEPS / 60; i++) {
				struct client *c =
					&clients[rig_random(&rig) % CLIENTS];

				if (!c->busy)
					submit_something(c);
				else
					rig_poll(&rig);
			}
			rig_replace_slow(&rig);
		}
		run(1);
		check();
		rig_fini(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order_of_the_drives_gives_the_same_array),
		cmocka_unit_test(also_without_a_drive),
		cmocka_unit_test(also_when_reads_of_a_drive_fail),
		cmocka_unit_test(also_when_a_drive_fails_under_way),
		cmocka_unit_test(also_when_a_failing_drive_is_kept),
		cmocka_unit_test(also_when_the_slow_stack_dies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
