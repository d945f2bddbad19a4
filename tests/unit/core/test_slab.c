/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "core/slab.h"

#include <string.h>

static void an_exhausted_pool_gives_null_and_serves_again(void **state)
{
	struct slab s;
	void *objects[1000];

	(void)state;
	slab_init(&s, 100, 8, 1000);
	for (unsigned i = 0; i < 1000; i++) {
		objects[i] = slab_get(&s);
		assert_non_null(objects[i]);
		memset(objects[i], (int)i, 100);
	}
	assert_null(slab_get(&s));
	for (unsigned i = 0; i < 1000; i++) {
		const unsigned char *bytes = objects[i];

		for (unsigned k = 0; k < 100; k++)
			assert_int_equal(bytes[k], i & 255);
	}
	slab_put(&s, objects[500]);
	assert_ptr_equal(slab_get(&s), objects[500]);
	assert_null(slab_get(&s));
	for (unsigned i = 0; i < 1000; i++)
		slab_put(&s, objects[i]);
	slab_fini(&s);
}

static void objects_are_aligned_and_the_last_put_comes_first(void **state)
{
	static const struct {
		size_t size, align;
	} rows[] = { { 1, 8 }, { 24, 16 }, { 65, 64 }, { 40000, 4096 } };

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slab s;
		void *a, *b;

		slab_init(&s, rows[i].size, rows[i].align, 7);
		a = slab_get(&s);
		b = slab_get(&s);
		assert_int_equal((uintptr_t)a % rows[i].align, 0);
		assert_int_equal((uintptr_t)b % rows[i].align, 0);
		memset(a, 1, rows[i].size);
		memset(b, 2, rows[i].size);
		slab_put(&s, a);
		slab_put(&s, b);
		assert_ptr_equal(slab_get(&s), b);
		assert_ptr_equal(slab_get(&s), a);
		slab_put(&s, a);
		slab_put(&s, b);
		slab_fini(&s);
	}
}

static void a_pool_never_makes_more_than_its_limit(void **state)
{
	struct slab s;
	void *one;

	(void)state;
	slab_init(&s, 64, 64, 1);
	for (unsigned i = 0; i < 100; i++) {
		one = slab_get(&s);
		assert_non_null(one);
		assert_null(slab_get(&s));
		slab_put(&s, one);
	}
	assert_int_equal(s.made, 1);
	slab_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exhausted_pool_gives_null_and_serves_again),
		cmocka_unit_test(
			objects_are_aligned_and_the_last_put_comes_first),
		cmocka_unit_test(a_pool_never_makes_more_than_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
