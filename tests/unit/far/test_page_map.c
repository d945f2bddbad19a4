/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "base/base.h"
#include "far/page_map.h"

static const uint64_t numbers[] = {
	0,
	1,
	511,
	512,
	513,
	262143,
	262144,
	134217727,
	134217728,
	UINT64_C(0x7ffff7fff),
	FAR_PAGES_MAX / 2,
	FAR_PAGES_MAX - 1,
};

static void what_was_never_put_is_not_there(void **state)
{
	struct page_map *m = page_map_create();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		assert_null(page_map_find(m, numbers[i]));
	page_map_destroy(m);
	page_map_destroy(NULL);
}

static void an_entry_stays_where_it_is(void **state)
{
	struct far_page *at[ARRAY_LEN(numbers)];
	struct page_map *m = page_map_create();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		at[i] = page_map_get(m, numbers[i]);
		assert_int_equal(at[i]->state, FAR_NONE);
		assert_int_equal(at[i]->slot, FAR_NO_SLOT);
		at[i]->slot = (uint32_t)i;
	}
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		assert_ptr_equal(page_map_get(m, numbers[i]), at[i]);
		assert_ptr_equal(page_map_find(m, numbers[i]), at[i]);
		assert_int_equal(at[i]->slot, i);
	}
	page_map_destroy(m);
}

struct seen {
	uint64_t number[ARRAY_LEN(numbers)];
	size_t n;
};

static void see(void *ctx, uint64_t number, struct far_page *p)
{
	struct seen *s = ctx;

	(void)p;
	s->number[s->n++] = number;
}

static void a_visit_sees_each_page_of_the_range_in_order(void **state)
{
	struct page_map *m = page_map_create();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		page_map_get(m, numbers[i])->state = FAR_AWAY;
	page_map_get(m, 5); /* stays FAR_NONE: not seen */
	for (size_t a = 0; a < ARRAY_LEN(numbers); a++) {
		for (size_t b = a; b <= ARRAY_LEN(numbers); b++) {
			struct seen s = { .n = 0 };
			uint64_t end = b < ARRAY_LEN(numbers) ? numbers[b]
			                                      : FAR_PAGES_MAX;

			page_map_visit(m, numbers[a], end, see, &s);
			assert_int_equal(s.n, b - a);
			for (size_t i = 0; i < s.n; i++)
				assert_int_equal(s.number[i], numbers[a + i]);
		}
	}
	page_map_destroy(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_never_put_is_not_there),
		cmocka_unit_test(an_entry_stays_where_it_is),
		cmocka_unit_test(a_visit_sees_each_page_of_the_range_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
