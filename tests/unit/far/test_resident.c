/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "far/resident.h"

static struct far_page *add(struct resident *r, uint64_t number)
{
	struct far_page *p = page_map_get(r->map, number);

	assert_int_equal(resident_add(r, number, p), 0);
	return p;
}

static void first_in_first_out(void **state)
{
	struct page_map *m = page_map_create();
	struct resident r;
	uint64_t number;

	(void)state;
	resident_init(&r, m);
	assert_null(resident_pick(&r, &number));
	for (uint64_t i = 0; i < 5000; i++)
		add(&r, i * 3);
	assert_int_equal(resident_count(&r), 5000);
	for (uint64_t i = 0; i < 5000; i++) {
		struct far_page *p = resident_pick(&r, &number);

		assert_int_equal(number, i * 3);
		assert_int_equal(p->state, FAR_LEAVING);
	}
	assert_null(resident_pick(&r, &number));
	resident_fini(&r);
	page_map_destroy(m);
}

/* The ring does not grow with what has gone otherwise. */
static void what_was_dropped_is_not_picked(void **state)
{
	struct page_map *m = page_map_create();
	struct resident r;
	uint64_t number;

	(void)state;
	resident_init(&r, m);
	for (unsigned round = 0; round < 100; round++)
		for (uint64_t i = 0; i < 700; i++)
			resident_remove(&r, add(&r, i), FAR_NONE);
	assert_int_equal(resident_count(&r), 0);
	assert_true(r.queue[0].size <= 2048);
	add(&r, 9);
	resident_remove(&r, add(&r, 8), FAR_NONE);
	add(&r, 8);
	assert_non_null(resident_pick(&r, &number));
	assert_int_equal(number, 9);
	assert_non_null(resident_pick(&r, &number));
	assert_int_equal(number, 8);
	assert_null(resident_pick(&r, &number));
	resident_fini(&r);
	page_map_destroy(m);
}

static void what_came_back_soon_stays_longer(void **state)
{
	struct page_map *m = page_map_create();
	struct resident r;
	struct far_page *p;
	uint64_t number;

	(void)state;
	resident_init(&r, m);
	add(&r, 1);
	p = resident_pick(&r, &number);
	resident_gone(&r, p);
	p->state = FAR_AWAY;
	resident_back(&r, p, 10);
	assert_true(p->hot);
	resident_add(&r, 1, p);
	for (uint64_t i = 10; i < 20; i++)
		add(&r, i);
	for (unsigned i = 0; i < 9; i++) {
		assert_non_null(resident_pick(&r, &number));
		assert_true(number >= 10);
	}
	resident_fini(&r);
	page_map_destroy(m);
}

static void what_came_back_late_does_not(void **state)
{
	struct page_map *m = page_map_create();
	struct resident r;
	struct far_page *p;
	uint64_t number;

	(void)state;
	resident_init(&r, m);
	add(&r, 1);
	p = resident_pick(&r, &number);
	resident_gone(&r, p);
	for (uint64_t i = 2; i < 12; i++) {
		add(&r, i);
		resident_gone(&r, resident_pick(&r, &number));
	}
	resident_back(&r, p, 10);
	assert_false(p->hot);
	resident_fini(&r);
	page_map_destroy(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_in_first_out),
		cmocka_unit_test(what_was_dropped_is_not_picked),
		cmocka_unit_test(what_came_back_soon_stays_longer),
		cmocka_unit_test(what_came_back_late_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
