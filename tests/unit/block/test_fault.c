/* SPDX-License-Identifier: BSD-2-Clause */
/* The power cut is what V20 stands on: here it is held to B5 and B6. */
#include "../test.h"

#include "../../support/block_rig.h"

#include "block/fault.h"

#include <errno.h>
#include <limits.h>

#define SIZE 65536u
#define SECTORS (SIZE / BLOCK_SECTOR)
#define CUTS 400u

static struct block_device *create(void)
{
	struct block_device *dev = fault_create(SIZE, 1);

	assert_non_null(dev);
	return dev;
}

static struct block_device *crash(struct block_device *dev, uint64_t seed)
{
	struct block_device *next = fault_crash(dev, seed);

	assert_non_null(next);
	assert_int_equal(fault_cached(next), 0);
	return next;
}

static int put(struct block_device *dev, unsigned flags, uint64_t offset,
               uint64_t length, uint8_t value)
{
	static uint8_t data[SIZE];

	memset(data, value, length);
	return rig_do(dev, BLOCK_WRITE, flags, offset, length, data);
}

static int flush(struct block_device *dev)
{
	return rig_do(dev, BLOCK_FLUSH, 0, 0, 0, NULL);
}

static uint8_t at(struct block_device *dev, uint64_t offset)
{
	uint8_t byte;

	fault_peek(dev, offset, 1, &byte);
	return byte;
}

/* How often each value is found at `offset` after a power cut. */
static void count(struct block_device *dev, uint64_t offset, unsigned seen[256])
{
	memset(seen, 0, 256 * sizeof(*seen));
	for (uint64_t seed = 0; seed < CUTS; seed++) {
		struct block_device *next = crash(dev, seed);

		seen[at(next, offset)]++;
		block_close(next);
	}
}

static void reads_see_what_is_not_durable_yet(void **state)
{
	struct block_device *dev = create();
	uint8_t got[1024];

	(void)state;
	assert_int_equal(put(dev, 0, 512, 512, 7), 0);
	assert_int_equal(rig_do(dev, BLOCK_READ, 0, 0, 1024, got), 0);
	assert_int_equal(got[511], 0);
	assert_int_equal(got[512], 7);
	assert_int_equal(fault_cached(dev), 1);
	assert_int_equal(flush(dev), 0);
	assert_int_equal(fault_cached(dev), 0);
	assert_int_equal(at(dev, 512), 7);
	block_close(dev);
}

static void a_cut_may_take_what_was_not_flushed(void **state)
{
	struct block_device *dev = create();
	unsigned seen[256];

	(void)state;
	put(dev, 0, 0, 512, 1);
	flush(dev);
	put(dev, 0, 0, 512, 2);
	put(dev, 0, 0, 512, 3);
	count(dev, 0, seen);
	assert_int_equal(seen[1] + seen[2] + seen[3], CUTS);
	assert_true(seen[1] > 20 && seen[2] > 20 && seen[3] > 20);
	assert_int_equal(at(dev, 0), 3); /* nobody noticed */
	flush(dev);
	count(dev, 0, seen);
	assert_int_equal(seen[3], CUTS);
	block_close(dev);
}

/* B5: what was done before the flush was submitted, and no more. */
static void a_flush_covers_what_was_done_before_it(void **state)
{
	struct block_device *dev = create();
	static uint8_t two[512], three[512];
	struct rig_call before, during, flushing;
	unsigned seen[256];

	(void)state;
	memset(two, 2, sizeof(two));
	memset(three, 3, sizeof(three));
	rig_submit(&before, dev, BLOCK_WRITE, 0, 512, 512, two);
	assert_int_equal(rig_wait(&before), 0);
	/* In flight when the flush comes, and done before it is. */
	rig_submit(&during, dev, BLOCK_WRITE, 0, 1024, 512, three);
	rig_submit(&flushing, dev, BLOCK_FLUSH, 0, 0, 0, NULL);
	assert_int_equal(rig_wait(&during), 0);
	assert_int_equal(rig_wait(&flushing), 0);
	assert_int_equal(fault_cached(dev), 1);
	count(dev, 512, seen);
	assert_int_equal(seen[2], CUTS);
	count(dev, 1024, seen);
	assert_true(seen[0] > 20 && seen[3] > 20);
	block_close(dev);
}

static void a_flush_in_flight_has_done_nothing(void **state)
{
	struct block_device *dev = create();
	struct rig_call flushing;
	unsigned seen[256];

	(void)state;
	put(dev, 0, 0, 512, 2);
	rig_submit(&flushing, dev, BLOCK_FLUSH, 0, 0, 0, NULL);
	count(dev, 0, seen);
	assert_true(seen[0] > 20 && seen[2] > 20);
	assert_int_equal(rig_wait(&flushing), 0);
	block_close(dev);
}

/* B6; and an older write below it does not come up again. */
static void fua_is_durable_when_done(void **state)
{
	struct block_device *dev = create();
	struct rig_call c;
	static uint8_t four[1024];
	unsigned seen[256];

	(void)state;
	put(dev, 0, 0, 1024, 2);
	put(dev, BLOCK_FUA, 0, 1024, 3);
	count(dev, 0, seen);
	assert_int_equal(seen[3], CUTS);
	memset(four, 4, sizeof(four));
	rig_submit(&c, dev, BLOCK_WRITE, BLOCK_FUA, 0, 1024, four);
	count(dev, 0, seen);
	assert_true(seen[3] > 20 && seen[4] > 20); /* in flight */
	assert_int_equal(seen[3] + seen[4], CUTS);
	assert_int_equal(rig_wait(&c), 0);
	assert_int_equal(
		rig_do(dev, BLOCK_WRITE_ZEROES, BLOCK_FUA, 512, 512, NULL), 0);
	count(dev, 512, seen);
	assert_int_equal(seen[0], CUTS);
	count(dev, 511, seen);
	assert_int_equal(seen[4], CUTS);
	block_close(dev);
}

static void writes_are_torn_between_sectors(void **state)
{
	struct block_device *dev = create();
	unsigned kept_of_8[9] = { 0 };
	uint8_t got[4096];

	(void)state;
	put(dev, 0, 4096, 4096, 9);
	for (uint64_t seed = 0; seed < CUTS; seed++) {
		struct block_device *next = crash(dev, seed);
		unsigned kept = 0;

		fault_peek(next, 4096, 4096, got);
		block_close(next);
		for (unsigned s = 0; s < 8; s++) {
			for (unsigned k = 0; k < 512; k++)
				assert_int_equal(got[s * 512 + k],
				                 got[s * 512]);
			kept += got[s * 512] == 9;
		}
		kept_of_8[kept]++;
	}
	for (unsigned k = 0; k <= 8; k++)
		assert_true(kept_of_8[k] > 0);
	block_close(dev);
}

/* -- power off ------------------------------------------------------------ */

static void without_power_everything_fails(void **state)
{
	struct block_device *dev = create();
	struct rig_call w, r, f;
	uint8_t got[512] = { 0 };
	unsigned seen[256];

	(void)state;
	put(dev, BLOCK_FUA, 0, 512, 1);
	memset(got, 2, sizeof(got));
	rig_submit(&w, dev, BLOCK_WRITE, BLOCK_FUA, 512, 512, got);
	rig_submit(&f, dev, BLOCK_FLUSH, 0, 0, 0, NULL);
	rig_submit(&r, dev, BLOCK_READ, 0, 0, 512, got);
	fault_power_off(dev);
	assert_int_equal(w.calls + r.calls + f.calls, 0);
	assert_int_equal(rig_wait(&w), -ENXIO);
	assert_int_equal(rig_wait(&r), -ENXIO);
	assert_int_equal(rig_wait(&f), -ENXIO);
	assert_int_equal(flush(dev), -ENXIO);
	assert_int_equal(put(dev, 0, 0, 512, 5), -ENXIO);
	count(dev, 0, seen);
	assert_int_equal(seen[1], CUTS);
	count(dev, 512, seen); /* was in flight: all is possible */
	assert_true(seen[0] > 20 && seen[2] > 20);
	block_close(dev);
}

static struct block_device *cut_me;

static void cut_in_done(struct block_request *q, int err)
{
	rig_done(q, err);
	fault_power_off(cut_me);
}

static void the_power_may_be_cut_from_a_callback(void **state)
{
	struct block_device *dev = create();
	static uint8_t data[512];
	struct rig_call a, b;

	(void)state;
	cut_me = dev;
	rig_submit(&a, dev, BLOCK_WRITE, 0, 0, 512, data);
	a.q.done = cut_in_done;
	rig_submit(&b, dev, BLOCK_WRITE, 0, 512, 512, data);
	assert_int_equal(rig_wait(&a), 0);
	assert_int_equal(rig_wait(&b), -ENXIO);
	block_close(dev);
}

/* -- against an account of what each sector may hold ---------------------- */

/* A sector's value is the number of the write. */
static struct account {
	uint32_t durable;
	unsigned n;
	uint32_t later[64]; /* done or in flight since, not flushed */
} account[SECTORS];

static bool allowed(const struct account *a, uint32_t value)
{
	for (unsigned i = 0; i < a->n; i++)
		if (a->later[i] == value)
			return true;
	return value == a->durable;
}

static void account_write(uint64_t offset, uint64_t length, uint32_t value,
                          bool durable)
{
	for (uint64_t s = offset / 512; s < (offset + length) / 512; s++) {
		struct account *a = &account[s];

		if (durable || a->n == ARRAY_LEN(a->later)) {
			a->n = 0;
			a->durable = value;
		} else {
			a->later[a->n++] = value;
		}
	}
}

static void account_flush(void)
{
	for (unsigned s = 0; s < SECTORS; s++) {
		struct account *a = &account[s];

		if (a->n)
			a->durable = a->later[a->n - 1];
		a->n = 0;
	}
}

static void check_crash(struct block_device *dev, uint64_t seed)
{
	struct block_device *next = crash(dev, seed);
	static uint32_t got[SIZE / 4];

	fault_peek(next, 0, SIZE, got);
	block_close(next);
	for (unsigned s = 0; s < SECTORS; s++) {
		for (unsigned k = 1; k < 128; k++)
			assert_int_equal(got[s * 128 + k], got[s * 128]);
		if (!allowed(&account[s], got[s * 128]))
			fail_msg("seed %ju: sector %u holds %u",
			         (uintmax_t)seed, s, got[s * 128]);
	}
}

/* @return whether a sector overflowed its account, so that all must flush. */
static bool accounts_are_full(void)
{
	for (unsigned s = 0; s < SECTORS; s++)
		if (account[s].n == ARRAY_LEN(account[s].later))
			return true;
	return false;
}

static void every_crash_keeps_what_was_durable(void **state)
{
	struct block_device *dev = create();
	static uint32_t data[SIZE / 4];
	uint64_t seed = 99;

	(void)state;
	memset(account, 0, sizeof(account));
	for (uint32_t i = 1; i < 3000; i++) {
		uint64_t from = rig_random(&seed) % SECTORS;
		uint64_t n = 1 + rig_random(&seed) % 16;
		bool fua = rig_random(&seed) % 8 == 0;

		if (n > SECTORS - from)
			n = SECTORS - from;
		if (rig_random(&seed) % 16 == 0 || accounts_are_full()) {
			assert_int_equal(flush(dev), 0);
			account_flush();
		}
		for (unsigned k = 0; k < n * 128; k++)
			data[k] = i;
		assert_int_equal(rig_do(dev, BLOCK_WRITE, fua ? BLOCK_FUA : 0,
		                        from * 512, n * 512, data),
		                 0);
		account_write(from * 512, n * 512, i, fua);
		check_crash(dev, i);
	}
	block_close(dev);
}

/* -- crash states --------------------------------------------------------- */

static void a_seed_is_a_state_and_disturbs_nobody(void **state)
{
	static uint8_t a[SIZE], b[SIZE], before[SIZE];
	unsigned different = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 50; seed++) {
		struct block_device *dev = create(), *one, *two;
		struct rig_call c;

		for (unsigned i = 0; i < 40; i++)
			put(dev, 0, i % 13 * 2048, 4096, (uint8_t)(i + 1));
		fault_peek(dev, 0, SIZE, before);
		rig_submit(&c, dev, BLOCK_WRITE, 0, 0, 4096, before);
		one = crash(dev, seed);
		put(one, BLOCK_FUA, 60000 / 512 * 512, 512, 99);
		two = crash(dev, seed);
		fault_peek(two, 0, SIZE, b);
		put(two, BLOCK_FUA, 60000 / 512 * 512, 512, 99);
		fault_peek(one, 0, SIZE, a);
		fault_peek(two, 0, SIZE, b);
		assert_memory_equal(a, b, SIZE);
		different += memcmp(a, before, SIZE - 8192) != 0;
		fault_peek(dev, 0, SIZE, a);
		assert_memory_equal(a, before, SIZE);
		assert_int_equal(rig_wait(&c), 0);
		block_close(one);
		block_close(dev);
		fault_peek(two, 0, SIZE, a); /* outlives the others */
		assert_memory_equal(a, b, SIZE);
		block_close(two);
	}
	assert_true(different > 20);
}

/* A state stays what it was while the first device goes on. */
static void a_state_does_not_follow_the_device(void **state)
{
	struct block_device *dev = create(), *next;

	(void)state;
	put(dev, BLOCK_FUA, 0, SIZE, 1);
	next = crash(dev, 0);
	put(dev, BLOCK_FUA, 0, SIZE, 2);
	assert_int_equal(flush(dev), 0);
	assert_int_equal(at(next, 0), 1);
	assert_int_equal(at(next, SIZE - 1), 1);
	put(next, BLOCK_FUA, 4096, 4096, 3);
	assert_int_equal(at(dev, 4096), 2);
	block_close(dev);
	block_close(next);
}

/* The recovery writes, and its own power fails. */
static void a_state_has_crashes_of_its_own(void **state)
{
	struct block_device *dev = create(), *next;
	unsigned seen[256];

	(void)state;
	put(dev, BLOCK_FUA, 0, 4096, 1);
	next = crash(dev, 0);
	put(next, 0, 512, 512, 2);
	put(next, BLOCK_FUA, 1024, 512, 3);
	count(next, 0, seen);
	assert_int_equal(seen[1], CUTS);
	count(next, 512, seen);
	assert_true(seen[1] > 20 && seen[2] > 20);
	count(next, 1024, seen);
	assert_int_equal(seen[3], CUTS);
	block_close(next);
	block_close(dev);
}

static void a_full_cache_writes_its_oldest_back(void **state)
{
	uint64_t third = FAULT_CACHE_MAX / 3;
	struct block_device *dev = fault_create(FAULT_CACHE_MAX * 2, 0);
	unsigned seen[256];

	(void)state;
	third -= third % 4096;
	put(dev, BLOCK_FUA, 0, 512, 1);
	put(dev, BLOCK_FUA, third, 512, 1);
	flush(dev);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(rig_do(dev, BLOCK_WRITE_ZEROES, 0, i * third,
		                        third, NULL),
		                 0);
	assert_int_equal(fault_cached(dev), 3);
	count(dev, 0, seen);
	assert_int_equal(seen[0], CUTS);
	block_close(dev);
}

/* -- rules ---------------------------------------------------------------- */

#define ANYWHERE 0, UINT64_MAX

static void rules_count_what_they_name(void **state)
{
	static const int want[] = { 0, 0, -EIO, -EIO, -EIO, 0, 0 };
	struct block_device *dev = create();
	uint8_t got[512];

	(void)state;
	assert_int_equal(
		fault_rule(dev, FAULT_EIO, BLOCK_WRITE, 4096, 4096, 2, 3, 0),
		0);
	for (unsigned i = 0; i < ARRAY_LEN(want); i++) {
		assert_int_equal(put(dev, 0, 0, 4096, 1), 0);
		assert_int_equal(put(dev, 0, 8192, 4096, 1), 0);
		assert_int_equal(rig_do(dev, BLOCK_READ, 0, 4096, 512, got), 0);
		assert_int_equal(put(dev, 0, 3584, 1024, (uint8_t)i), want[i]);
	}
	assert_int_equal(at(dev, 4096), 6);
	assert_int_equal(fault_rule(dev, FAULT_EIO, BLOCK_WRITE, 512,
	                            UINT64_MAX, 0, UINT_MAX, 0),
	                 0);
	assert_int_equal(put(dev, 0, 0, 512, 1), 0);
	assert_int_equal(put(dev, 0, SIZE - 512, 512, 1), -EIO);
	fault_clear_rules(dev);
	assert_int_equal(put(dev, 0, SIZE - 512, 512, 1), 0);
	block_close(dev);
}

static void rules_have_bounds(void **state)
{
	struct block_device *dev = create();

	(void)state;
	assert_int_equal(
		fault_rule(dev, FAULT_ROT, BLOCK_WRITE, ANYWHERE, 0, 1, 0),
		-EINVAL);
	assert_int_equal(
		fault_rule(dev, FAULT_TORN, BLOCK_FLUSH, ANYWHERE, 0, 1, 0),
		-EINVAL);
	for (unsigned i = 0; i < FAULT_RULES; i++)
		assert_int_equal(fault_rule(dev, FAULT_EIO, BLOCK_READ,
		                            ANYWHERE, 0, 1, 0),
		                 0);
	assert_int_equal(
		fault_rule(dev, FAULT_EIO, BLOCK_READ, ANYWHERE, 0, 1, 0),
		-ENOSPC);
	block_close(dev);
}

static void a_late_request_lets_others_pass(void **state)
{
	struct block_device *dev = create();
	static uint8_t data[512];
	struct rig_call late, other;

	(void)state;
	fault_rule(dev, FAULT_LATE, BLOCK_WRITE, ANYWHERE, 0, 1, 100);
	rig_submit(&late, dev, BLOCK_WRITE, 0, 0, 512, data);
	for (unsigned i = 0; i < 100; i++) {
		rig_submit(&other, dev, BLOCK_READ, 0, 0, 512, data);
		assert_int_equal(rig_wait(&other), 0);
		if (i < 5)
			assert_int_equal(late.calls, 0);
	}
	assert_int_equal(rig_wait(&late), 0);
	block_close(dev);
}

static void writes_are_lost_and_misdirected_and_torn(void **state)
{
	struct block_device *dev = create();

	(void)state;
	fault_rule(dev, FAULT_LOST, BLOCK_WRITE, ANYWHERE, 0, 1, 0);
	assert_int_equal(put(dev, 0, 0, 4096, 1), 0);
	assert_int_equal(at(dev, 0), 0);
	fault_rule(dev, FAULT_MISDIRECTED, BLOCK_WRITE, ANYWHERE, 0, 2, 8192);
	assert_int_equal(put(dev, 0, 0, 4096, 2), 0);
	assert_int_equal(at(dev, 0), 0);
	assert_int_equal(at(dev, 8192), 2);
	assert_int_equal(at(dev, 8192 + 4095), 2);
	assert_int_equal(at(dev, 8192 + 4096), 0);
	assert_int_equal(put(dev, 0, SIZE - 12288, 12288, 3), 0);
	assert_int_equal(at(dev, SIZE - 12288), 0);
	assert_int_equal(at(dev, SIZE - 4096), 3);
	fault_rule(dev, FAULT_TORN, BLOCK_WRITE, ANYWHERE, 0, 1, 1600);
	assert_int_equal(put(dev, 0, 0, 4096, 4), -EIO);
	assert_int_equal(at(dev, 1535), 4);
	assert_int_equal(at(dev, 1536), 0);
	assert_int_equal(put(dev, 0, 0, 4096, 5), 0);
	block_close(dev);
}

static void rot_flips_one_bit_of_a_read(void **state)
{
	struct block_device *dev = create();
	uint8_t got[4096];
	unsigned bits = 0;

	(void)state;
	fault_rule(dev, FAULT_ROT, BLOCK_READ, ANYWHERE, 0, 1, 0);
	assert_int_equal(rig_do(dev, BLOCK_READ, 0, 0, 4096, got), 0);
	for (unsigned i = 0; i < 4096; i++)
		bits += (unsigned)__builtin_popcount(got[i]);
	assert_int_equal(bits, 1);
	block_close(dev);
}

/* So that a suite built on this can be seen to fail. */
static void a_lost_flush_makes_nothing_durable(void **state)
{
	struct block_device *dev = create();
	unsigned seen[256];

	(void)state;
	fault_rule(dev, FAULT_LOST, BLOCK_FLUSH, ANYWHERE, 0, UINT_MAX, 0);
	put(dev, 0, 0, 512, 1);
	assert_int_equal(flush(dev), 0);
	assert_int_equal(fault_cached(dev), 1);
	count(dev, 0, seen);
	assert_true(seen[0] > 20);
	block_close(dev);
}

static void delayed_requests_end_in_any_order(void **state)
{
	struct block_device *dev = create();
	static uint8_t data[512];
	struct rig_call c[64];
	unsigned overtaken = 0;

	(void)state;
	fault_set_delay(dev, 20);
	for (unsigned i = 0; i < 64; i++)
		rig_submit(&c[i], dev, BLOCK_READ, 0, 0, 512, data);
	for (unsigned i = 0; i < 64; i++) {
		for (unsigned k = i + 1; k < 64 && !c[i].calls; k++)
			overtaken += c[k].calls;
		assert_int_equal(rig_wait(&c[i]), 0);
	}
	assert_true(overtaken > 10);
	block_close(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_see_what_is_not_durable_yet),
		cmocka_unit_test(a_cut_may_take_what_was_not_flushed),
		cmocka_unit_test(a_flush_covers_what_was_done_before_it),
		cmocka_unit_test(a_flush_in_flight_has_done_nothing),
		cmocka_unit_test(fua_is_durable_when_done),
		cmocka_unit_test(writes_are_torn_between_sectors),
		cmocka_unit_test(without_power_everything_fails),
		cmocka_unit_test(the_power_may_be_cut_from_a_callback),
		cmocka_unit_test(every_crash_keeps_what_was_durable),
		cmocka_unit_test(a_seed_is_a_state_and_disturbs_nobody),
		cmocka_unit_test(a_state_does_not_follow_the_device),
		cmocka_unit_test(a_state_has_crashes_of_its_own),
		cmocka_unit_test(a_full_cache_writes_its_oldest_back),
		cmocka_unit_test(rules_count_what_they_name),
		cmocka_unit_test(rules_have_bounds),
		cmocka_unit_test(a_late_request_lets_others_pass),
		cmocka_unit_test(writes_are_lost_and_misdirected_and_torn),
		cmocka_unit_test(rot_flips_one_bit_of_a_read),
		cmocka_unit_test(a_lost_flush_makes_nothing_durable),
		cmocka_unit_test(delayed_requests_end_in_any_order),
	};
	struct reactor *r = rig_reactor();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	reactor_destroy(r);
	return failed;
}
