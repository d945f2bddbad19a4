/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "far/page_map.h"
#include "far/slots.h"

#include <errno.h>

static void sizes_have_bounds(void **state)
{
	struct slots s;

	(void)state;
	assert_int_equal(slots_init(&s, 0), -EINVAL);
	assert_int_equal(slots_init(&s, FAR_NO_SLOT), -EINVAL);
	assert_int_equal(slots_init(&s, UINT64_C(1) << 40), -EINVAL);
}

static void runs_are_given_until_all_are_taken(void **state)
{
	struct slots s;
	uint32_t first;

	(void)state;
	assert_int_equal(slots_init(&s, 100), 0);
	assert_int_equal(slots_take(&s, 0, &first), 0);
	assert_int_equal(slots_take(&s, 64, &first), 64);
	assert_int_equal(first, 0);
	assert_int_equal(slots_take(&s, 64, &first), 36);
	assert_int_equal(first, 64);
	assert_int_equal(slots_take(&s, 1, &first), 0);
	for (uint32_t i = 10; i < 15; i++)
		slots_put(&s, i);
	assert_int_equal(slots_take(&s, 64, &first), 5);
	assert_int_equal(first, 10);
	slots_put(&s, FAR_NO_SLOT);
	assert_int_equal(s.used, 100);
	slots_fini(&s);
}

/* K1, K2 */
static void a_slot_is_given_again_when_nobody_holds_it(void **state)
{
	struct slots s;
	uint32_t first;

	(void)state;
	assert_int_equal(slots_init(&s, 1), 0);
	assert_int_equal(slots_take(&s, 1, &first), 1);
	slots_hold(&s, first);
	slots_put(&s, first);
	assert_int_equal(slots_take(&s, 1, &first), 0);
	slots_put(&s, 0);
	assert_int_equal(slots_take(&s, 1, &first), 1);
	slots_fini(&s);
}

static void too_many_holders_keep_it_for_ever(void **state)
{
	struct slots s;
	uint32_t first;

	(void)state;
	assert_int_equal(slots_init(&s, 2), 0);
	assert_int_equal(slots_take(&s, 1, &first), 1);
	for (unsigned i = 0; i < 1000; i++)
		slots_hold(&s, first);
	for (unsigned i = 0; i < 2000; i++)
		slots_put(&s, first);
	assert_int_equal(s.used, 1);
	assert_int_equal(slots_take(&s, 2, &first), 1);
	assert_int_equal(first, 1);
	slots_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_have_bounds),
		cmocka_unit_test(runs_are_given_until_all_are_taken),
		cmocka_unit_test(a_slot_is_given_again_when_nobody_holds_it),
		cmocka_unit_test(too_many_holders_keep_it_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
