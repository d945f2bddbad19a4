/* SPDX-License-Identifier: BSD-2-Clause */
/* Ranges that exclude each other, against a list that is searched. */
#include "../test.h"

#include "volume/fast/lock.h"

#include "base/base.h"

#include <stdlib.h>

#define RANGES 64u
#define STEPS 200000u

struct range {
	struct lock_range lock;
	bool asked, held;
	uint64_t since; /* number of its request */
};

static struct lock_table table;
static struct range ranges[RANGES];
static uint64_t seed, now;
static unsigned grants;

static uint64_t next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static bool conflict(const struct range *a, const struct range *b)
{
	return a->lock.chunk == b->lock.chunk && a->lock.from < b->lock.to &&
	       b->lock.from < a->lock.to;
}

/* The rule: a range is held if no earlier one that overlaps is there. */
static bool may_hold(const struct range *r)
{
	for (unsigned i = 0; i < RANGES; i++)
		if (ranges[i].asked && ranges[i].since < r->since &&
		    conflict(&ranges[i], r))
			return false;
	return true;
}

static void check_all(void)
{
	for (unsigned i = 0; i < RANGES; i++)
		if (ranges[i].asked)
			assert_int_equal(ranges[i].held, may_hold(&ranges[i]));
}

static void granted(struct lock_range *lock)
{
	struct range *r = container_of(lock, struct range, lock);

	assert_true(r->asked);
	assert_false(r->held);
	r->held = true;
	grants++;
}

static void ask(struct range *r, unsigned chunks, unsigned columns)
{
	uint64_t x = next();

	/* Spread so that several chunks share a bucket and several do not. */
	r->lock.chunk = x % chunks * UINT64_C(0x1000000000);
	r->lock.from = (uint32_t)(x >> 8) % columns;
	r->lock.to = r->lock.from + 1 +
	             (uint32_t)(x >> 32) % (columns - r->lock.from);
	r->asked = true;
	r->since = now++;
	r->held = lock_acquire(&table, &r->lock);
}

static void end(struct range *r)
{
	r->asked = r->held = false;
	lock_release(&table, &r->lock, granted);
}

static void run(unsigned chunks, unsigned columns)
{
	lock_table_init(&table);
	for (unsigned i = 0; i < STEPS; i++) {
		struct range *r = &ranges[next() % RANGES];

		if (!r->asked)
			ask(r, chunks, columns);
		else if (r->held)
			end(r);
		check_all();
	}
	for (unsigned left = RANGES; left > 0;) {
		left = 0;
		for (unsigned i = 0; i < RANGES; i++) {
			if (ranges[i].held)
				end(&ranges[i]);
			left += ranges[i].asked;
		}
		check_all();
	}
	for (unsigned i = 0; i < LOCK_BUCKETS; i++)
		assert_true(list_empty(&table.bucket[i]));
}

static void ranges_are_held_first_come_first_served(void **state)
{
	static const struct {
		unsigned chunks, columns;
	} shapes[] = { { 1, 4 }, { 1, 128 }, { 3, 16 }, { 1000, 128 } };

	(void)state;
	seed = 2463534242;
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		grants = 0;
		run(shapes[i].chunks, shapes[i].columns);
		if (shapes[i].chunks < 10)
			assert_true(grants > 1000);
	}
}

static void neighbours_do_not_wait_for_each_other(void **state)
{
	struct lock_range a = { .chunk = 1, .from = 0, .to = 512 };
	struct lock_range b = { .chunk = 1, .from = 512, .to = 1024 };
	struct lock_range c = { .chunk = 2, .from = 0, .to = 512 };

	(void)state;
	lock_table_init(&table);
	assert_true(lock_acquire(&table, &a));
	assert_true(lock_acquire(&table, &b));
	assert_true(lock_acquire(&table, &c));
	lock_release(&table, &a, granted);
	lock_release(&table, &b, granted);
	lock_release(&table, &c, granted);
}

/* A small range behind a waiting wide one does not overtake it, though it
 * overlaps nothing that is held: otherwise the wide one could wait for ever. */
static void nobody_overtakes(void **state)
{
	struct range *r = ranges;

	(void)state;
	lock_table_init(&table);
	for (unsigned i = 0; i < 3; i++)
		r[i] = (struct range){ .asked = true };
	r[0].lock = (struct lock_range){ .chunk = 7, .from = 0, .to = 10 };
	r[1].lock = (struct lock_range){ .chunk = 7, .from = 0, .to = 100 };
	r[2].lock = (struct lock_range){ .chunk = 7, .from = 50, .to = 60 };
	assert_true(lock_acquire(&table, &r[0].lock));
	assert_false(lock_acquire(&table, &r[1].lock));
	assert_false(lock_acquire(&table, &r[2].lock));
	lock_release(&table, &r[0].lock, granted);
	assert_true(r[1].held);
	assert_false(r[2].held);
	lock_release(&table, &r[1].lock, granted);
	assert_true(r[2].held);
	lock_release(&table, &r[2].lock, granted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_held_first_come_first_served),
		cmocka_unit_test(neighbours_do_not_wait_for_each_other),
		cmocka_unit_test(nobody_overtakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
