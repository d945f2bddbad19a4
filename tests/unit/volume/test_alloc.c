/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "base/base.h"
#include "base/clock.h"
#include "volume/slow/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)

static void make(struct alloc *a, unsigned members, uint32_t extents)
{
	alloc_init(a, MIB);
	for (unsigned i = 0; i < members; i++)
		assert_int_equal(alloc_add_member(a, i, extents), 0);
}

/* shows V19 (the pool fills to its last chunk), S1 */
static void every_chunk_is_given_once_until_the_pool_is_full(void **state)
{
	static const struct {
		enum raid_profile profile;
		unsigned members, chunks; /* of 10 extents of 1 MiB each */
	} cases[] = {
		{ RAID0, 1, 160 }, { RAID0, 4, 640 },
		{ RAID1, 2, 160 }, { RAID1, 3, 240 },
		{ RAID5, 5, 640 }, { RAID5, 6, 720 }, /* 12 rows of 4 + 1 */
	};

	(void)state;
	for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
		struct alloc a, check;
		struct record_row r;
		uint32_t row, index;
		unsigned n = 0;
		bool made;

		make(&a, cases[c].members, 10);
		make(&check, cases[c].members, 10);
		while (!alloc_chunk(&a, cases[c].profile, &row, &index,
		                    &made)) {
			if (made) {
				alloc_describe_row(&a, row, &r);
				assert_int_equal(alloc_add_row(&check, &r), 0);
			}
			assert_int_equal(alloc_take(&check, row, index), 0);
			n++;
		}
		if (n < cases[c].chunks)
			fail_msg("case %zu: %u chunks", c, n);
		assert_int_equal(a.used_bytes, check.used_bytes);
		alloc_fini(&a);
		alloc_fini(&check);
	}
}

static void a_chunk_that_is_taken_is_refused(void **state)
{
	struct record_row r = { .row = 3,
		                .geometry = { RAID1, 2, 1, 16 },
		                .drive = { 0, 1 },
		                .extent = { 4, 5 } };
	struct alloc a;

	(void)state;
	make(&a, 2, 10);
	assert_int_equal(alloc_add_row(&a, &r), 0);
	assert_int_equal(alloc_add_row(&a, &r), -EEXIST);
	r.row = 4; /* another number, the same extents */
	assert_int_equal(alloc_add_row(&a, &r), -EEXIST);
	r.extent[0] = 10;
	assert_int_equal(alloc_add_row(&a, &r), -EINVAL);
	r.extent[0] = 9;
	r.drive[1] = 7;
	assert_int_equal(alloc_add_row(&a, &r), -EINVAL);
	assert_int_equal(alloc_take(&a, 3, 15), 0);
	assert_int_equal(alloc_take(&a, 3, 15), -EEXIST);
	assert_int_equal(alloc_take(&a, 3, 16), -EINVAL);
	assert_int_equal(alloc_take(&a, 4, 0), -EINVAL);
	alloc_fini(&a);
}

static void an_empty_row_gives_its_extents_to_another_profile(void **state)
{
	uint32_t rows[64], index[64], row, at;
	struct alloc a;
	bool made;
	unsigned n = 0;

	(void)state;
	make(&a, 3, 2);
	while (!alloc_chunk(&a, RAID1, &rows[n], &index[n], &made))
		n++;
	assert_int_equal(n, 48);
	assert_int_equal(alloc_chunk(&a, RAID5, &row, &at, &made), -ENOSPC);
	for (unsigned i = 0; i < n; i++)
		if (alloc_free(&a, rows[i], index[i])) {
			uint64_t room = alloc_free_bytes(&a, RAID5);

			assert_int_equal(a.draining, 1);
			alloc_release_row(&a, rows[i]);
			assert_int_equal(alloc_free_bytes(&a, RAID5),
			                 room + 2 * MIB);
		}
	assert_int_equal(a.used_bytes, 0);
	assert_int_equal(alloc_chunk(&a, RAID5, &row, &at, &made), 0);
	assert_true(made);
	assert_int_equal(row, 0);
	alloc_fini(&a);
}

static void rows_with_a_lost_member_come_last(void **state)
{
	struct alloc a;
	uint32_t first, row, index;
	bool made;

	(void)state;
	make(&a, 3, 2);
	assert_int_equal(alloc_chunk(&a, RAID1, &first, &index, &made), 0);
	assert_false(alloc_needs(&a, 0, false));
	alloc_set_usable(&a, 0, false);
	assert_true(alloc_needs(&a, 1, false));
	assert_false(alloc_needs(&a, 1, true));
	assert_int_equal(alloc_chunk(&a, RAID1, &row, &index, &made), 0);
	assert_true(made);
	assert_int_not_equal(row, first);
	for (unsigned i = 0; i < 15; i++)
		assert_int_equal(alloc_chunk(&a, RAID1, &row, &index, &made),
		                 0);
	assert_int_equal(alloc_chunk(&a, RAID1, &row, &index, &made), 0);
	assert_int_equal(row, first);
	alloc_set_usable(&a, 1, false); /* both halves gone */
	assert_int_equal(alloc_chunk(&a, RAID1, &row, &index, &made), -ENOSPC);
	alloc_fini(&a);
}

static void random_work_agrees_with_a_fresh_count(void **state)
{
	static struct {
		uint32_t row, index;
	} held[4000];
	static const enum raid_profile profiles[] = { RAID0, RAID1, RAID5 };
	struct alloc a;
	uint64_t bytes = 0;
	unsigned n = 0;

	(void)state;
	srand(7);
	make(&a, 5, 40);
	for (unsigned step = 0; step < 200000; step++) {
		unsigned at = n ? (unsigned)rand() % n : 0;
		bool made;

		if (n < 4000 && rand() % 100 < (step / 10000 % 2 ? 60 : 40)) {
			if (alloc_chunk(&a, profiles[rand() % 3], &held[n].row,
			                &held[n].index, &made) == 0)
				n++;
		} else if (n) {
			if (alloc_free(&a, held[at].row, held[at].index))
				alloc_release_row(&a, held[at].row);
			held[at] = held[--n];
		}
	}
	for (unsigned i = 0; i < n; i++) {
		const struct alloc_row *r = alloc_row(&a, held[i].row);

		assert_non_null(r);
		bytes += alloc_chunk_bytes(&r->geometry);
	}
	assert_int_equal(bytes, a.used_bytes);
	alloc_fini(&a);
}

static void an_allocation_takes_less_than_a_microsecond(void **state)
{
	struct alloc a;
	uint32_t row, index;
	uint64_t start, took;
	bool made;

	(void)state;
	alloc_init(&a, 16 * MIB);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(alloc_add_member(&a, i, 4096), 0);
	start = clock_now_ns();
	for (unsigned i = 0; i < 1000000; i++)
		assert_int_equal(alloc_chunk(&a, RAID5, &row, &index, &made),
		                 0);
	took = clock_now_ns() - start;
	printf("# %u ns per allocation\n", (unsigned)(took / 1000000));
	/* ten times the goal: a busy machine is no failure */
	assert_true(took / 1000000 < 10000);
	alloc_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_chunk_is_given_once_until_the_pool_is_full),
		cmocka_unit_test(a_chunk_that_is_taken_is_refused),
		cmocka_unit_test(
			an_empty_row_gives_its_extents_to_another_profile),
		cmocka_unit_test(rows_with_a_lost_member_come_last),
		cmocka_unit_test(random_work_agrees_with_a_fresh_count),
		cmocka_unit_test(an_allocation_takes_less_than_a_microsecond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
