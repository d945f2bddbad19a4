/* SPDX-License-Identifier: BSD-2-Clause */
/* Each rule, over a drive whose medium can be looked at. */
#include "../test.h"

#include "../../support/block_rig.h"

#include "block/fault.h"
#include "block/fault_wrap.h"

#include <errno.h>

#define SIZE 65536u
#define OP(o) (1u << (o))

static struct block_device *lower;
static struct block_device *dev;
static uint8_t ones[SIZE], got[SIZE];

static int set_up(void **state)
{
	(void)state;
	memset(ones, 1, sizeof(ones));
	lower = fault_create(SIZE, 1);
	assert_non_null(lower);
	assert_int_equal(fault_wrap_create(lower, 5, &dev), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	block_close(dev);
	block_close(lower);
	return 0;
}

static int write_ones(uint64_t offset, uint64_t length)
{
	return rig_do(dev, BLOCK_WRITE, 0, offset, length, ones);
}

static uint64_t count_ones(void)
{
	uint64_t n = 0;

	fault_peek(lower, 0, SIZE, got);
	for (unsigned i = 0; i < SIZE; i++)
		n += got[i];
	return n;
}

static void without_rules_it_is_the_lower_device(void **state)
{
	(void)state;
	assert_int_equal(dev->size, SIZE);
	assert_int_equal(dev->grain, BLOCK_SECTOR);
	assert_int_equal(write_ones(512, 1024), 0);
	assert_int_equal(count_ones(), 1024);
	assert_int_equal(rig_do(dev, BLOCK_FLUSH, 0, 0, 0, NULL), 0);
	assert_int_equal(fault_cached(lower), 0);
	assert_int_equal(rig_do(dev, BLOCK_READ, 0, 1, 512, got), -EINVAL);
}

static void an_error_strikes_its_operation_and_range(void **state)
{
	const struct fault_wrap_rule rule = { .kind = FAULT_WRAP_ERROR,
		                              .ops = OP(BLOCK_WRITE),
		                              .offset = 4096,
		                              .length = 4096,
		                              .err = -EIO };
	unsigned n = fault_wrap_add(dev, &rule);

	(void)state;
	assert_int_equal(write_ones(0, 4096), 0);
	assert_int_equal(write_ones(8192, 4096), 0);
	assert_int_equal(write_ones(3584, 1024), -EIO);
	assert_int_equal(write_ones(7680, 1024), -EIO);
	assert_int_equal(rig_do(dev, BLOCK_READ, 0, 4096, 4096, got), 0);
	assert_int_equal(count_ones(), 8192);
	assert_int_equal(fault_wrap_hits(dev, n), 2);
	fault_wrap_clear(dev);
	assert_int_equal(write_ones(4096, 4096), 0);
}

static void a_rule_waits_and_ends(void **state)
{
	const struct fault_wrap_rule rule = { .kind = FAULT_WRAP_ERROR,
		                              .skip = 2,
		                              .count = 3,
		                              .err = -ETIMEDOUT };
	static const int want[] = { 0,          0, -ETIMEDOUT, -ETIMEDOUT,
		                    -ETIMEDOUT, 0, 0 };

	(void)state;
	fault_wrap_add(dev, &rule);
	for (unsigned i = 0; i < ARRAY_LEN(want); i++)
		assert_int_equal(write_ones(0, 512), want[i]);
}

static unsigned strikes_of_200(uint64_t seed, uint64_t *pattern)
{
	const struct fault_wrap_rule rule = { .kind = FAULT_WRAP_ERROR,
		                              .per_million = 250000,
		                              .err = -EIO };
	struct block_device *mine;
	unsigned n = 0;

	assert_int_equal(fault_wrap_create(lower, seed, &mine), 0);
	fault_wrap_add(mine, &rule);
	for (unsigned i = 0; i < 200; i++) {
		bool hit = rig_do(mine, BLOCK_READ, 0, 0, 512, got) != 0;

		n += hit;
		*pattern = *pattern * 31 + hit;
	}
	block_close(mine);
	return n;
}

static void chance_is_the_same_for_one_seed(void **state)
{
	uint64_t a = 0, b = 0, c = 0;

	(void)state;
	assert_in_range(strikes_of_200(1, &a), 30, 70);
	strikes_of_200(1, &b);
	strikes_of_200(2, &c);
	assert_int_equal(a, b);
	assert_int_not_equal(a, c);
}

static void a_delay_is_waited_for_and_the_rest_goes_on(void **state)
{
	const struct fault_wrap_rule rule = { .kind = FAULT_WRAP_DELAY,
		                              .count = 1,
		                              .delay_ns = 3 * NS_PER_MS };
	uint64_t start = clock_now_ns();
	struct rig_call late, quick;

	(void)state;
	fault_wrap_add(dev, &rule);
	rig_submit(&late, dev, BLOCK_WRITE, 0, 0, 512, ones);
	rig_submit(&quick, dev, BLOCK_WRITE, 0, 512, 512, ones);
	assert_int_equal(rig_wait(&quick), 0);
	assert_int_equal(late.calls, 0);
	assert_int_equal(rig_wait(&late), 0);
	assert_true(clock_now_ns() - start >= 3 * NS_PER_MS);
	assert_int_equal(count_ones(), 1024);
}

static void a_lost_write_is_acknowledged(void **state)
{
	const struct fault_wrap_rule rule = {
		.kind = FAULT_WRAP_LOST, .ops = OP(BLOCK_WRITE) | OP(BLOCK_READ)
	};

	(void)state;
	fault_wrap_add(dev, &rule);
	assert_int_equal(write_ones(0, 4096), 0);
	assert_int_equal(count_ones(), 0);
	memset(got, 7, 512); /* reads are not lost */
	assert_int_equal(rig_do(dev, BLOCK_READ, 0, 0, 512, got), 0);
	assert_int_equal(got[0], 0);
}

static void a_misdirected_write_lands_elsewhere(void **state)
{
	const struct fault_wrap_rule rule = { .kind = FAULT_WRAP_MISDIRECT,
		                              .ops = OP(BLOCK_WRITE) };
	uint64_t places = 0;

	(void)state;
	fault_wrap_add(dev, &rule);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(write_ones(4096, 4096), 0);
		assert_true(count_ones() >= 4096);
		for (unsigned s = 0; s < SIZE / 512; s++)
			places += got[s * 512];
		assert_int_equal(
			rig_do(dev, BLOCK_WRITE_ZEROES, 0, 0, SIZE, NULL), 0);
	}
	assert_int_equal(places, 20 * 8);
	/* There is nowhere else for this one. */
	assert_int_equal(write_ones(0, SIZE), 0);
	assert_int_equal(count_ones(), SIZE);
}

/* Many ways to be torn, all between sectors, and never whole. */
static void a_torn_write_leaves_whole_sectors(void **state)
{
	const struct fault_wrap_rule rule = { .kind = FAULT_WRAP_TORN,
		                              .ops = OP(BLOCK_WRITE),
		                              .err = -EIO };
	unsigned kinds = 0, beginnings = 0;

	(void)state;
	fault_wrap_add(dev, &rule);
	for (unsigned i = 0; i < 64; i++) {
		unsigned sectors = 0, edges = 0;

		assert_int_equal(write_ones(0, 8192), -EIO);
		count_ones();
		for (unsigned s = 0; s < 16; s++) {
			for (unsigned k = 0; k < 512; k++)
				assert_int_equal(got[s * 512 + k],
				                 got[s * 512]);
			sectors += got[s * 512];
			edges += got[s * 512] != got[(s + 1) * 512];
		}
		assert_true(sectors < 16);
		beginnings += edges == 1 && got[0];
		kinds |= 1u << sectors;
		assert_int_equal(
			rig_do(dev, BLOCK_WRITE_ZEROES, 0, 0, SIZE, NULL), 0);
	}
	assert_true(__builtin_popcount(kinds) > 5);
	assert_true(beginnings > 10);
}

static void torn_zeroes_are_torn_too(void **state)
{
	const struct fault_wrap_rule rule = { .kind = FAULT_WRAP_TORN,
		                              .ops = OP(BLOCK_WRITE_ZEROES) };
	uint64_t left;

	(void)state;
	assert_int_equal(write_ones(0, SIZE), 0);
	fault_wrap_add(dev, &rule);
	assert_int_equal(rig_do(dev, BLOCK_WRITE_ZEROES, 0, 0, SIZE, NULL), 0);
	left = count_ones();
	assert_in_range(left, 512, SIZE - 512);
	assert_int_equal(left % 512, 0);
}

static void a_pulled_drive_is_gone_until_it_is_plugged_in(void **state)
{
	const struct fault_wrap_rule rule = { .kind = FAULT_WRAP_DELAY,
		                              .count = 1,
		                              .delay_ns = NS_PER_MS };
	struct rig_call late;

	(void)state;
	fault_wrap_add(dev, &rule);
	rig_submit(&late, dev, BLOCK_WRITE, 0, 0, 512, ones);
	fault_wrap_pull(dev);
	assert_int_equal(rig_do(dev, BLOCK_READ, 0, 0, 512, got), -ENXIO);
	assert_int_equal(rig_do(dev, BLOCK_FLUSH, 0, 0, 0, NULL), -ENXIO);
	assert_int_equal(rig_wait(&late), -ENXIO);
	assert_int_equal(count_ones(), 0);
	fault_wrap_plug(dev);
	assert_int_equal(write_ones(0, 512), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_rules_it_is_the_lower_device),
		TEST(an_error_strikes_its_operation_and_range),
		TEST(a_rule_waits_and_ends),
		TEST(chance_is_the_same_for_one_seed),
		TEST(a_delay_is_waited_for_and_the_rest_goes_on),
		TEST(a_lost_write_is_acknowledged),
		TEST(a_misdirected_write_lands_elsewhere),
		TEST(a_torn_write_leaves_whole_sectors),
		TEST(torn_zeroes_are_torn_too),
		TEST(a_pulled_drive_is_gone_until_it_is_plugged_in),
	};
	struct reactor *r = rig_reactor();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	reactor_destroy(r);
	return failed;
}
