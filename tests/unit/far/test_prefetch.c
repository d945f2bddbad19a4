/* SPDX-License-Identifier: BSD-2-Clause */
/* shows S20 */
#include "../test.h"

#include "base/base.h"
#include "far/page_map.h"
#include "far/prefetch.h"

#include <stdbool.h>

/* A program that walks `pages` pages; what was fetched does not fault.
 * @return faults. */
static unsigned walk(struct prefetch *p, uint64_t from, int64_t stride,
                     unsigned pages)
{
	uint64_t fetched_from = 0, fetched_to = 0;
	unsigned faults = 0;

	for (unsigned i = 0; i < pages; i++) {
		uint64_t at = from + (uint64_t)((int64_t)i * stride);
		struct prefetch_plan plan;
		bool fetched = stride > 0
		                       ? at >= fetched_from && at < fetched_to
		                       : at <= fetched_from && at > fetched_to;

		if (fetched)
			continue;
		faults++;
		plan = prefetch_fault(p, at);
		if (plan.count == 0)
			continue;
		assert_int_equal(plan.stride, stride);
		fetched_from = plan.first;
		fetched_to =
			plan.first + (uint64_t)((int64_t)plan.count * stride);
	}
	return faults;
}

static void walks_are_foreseen(void **state)
{
	static const int64_t strides[] = { 1, 2, 7, 64, -1, -3 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(strides); i++) {
		struct prefetch p = { 0 };

		assert_true(walk(&p, UINT64_C(1) << 30, strides[i], 10000) <
		            10000 / 20);
	}
}

static void several_walks_at_once_too(void **state)
{
	struct prefetch p = { 0 };
	unsigned planned = 0;

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		for (uint64_t w = 0; w < PREFETCH_STREAMS; w++)
			planned += prefetch_fault(&p, (w << 20) + i).count;
	assert_true(planned >= 99 * PREFETCH_STREAMS);
}

static void random_faults_fetch_little(void **state)
{
	struct prefetch p = { 0 };
	uint64_t x = 1, fetched = 0;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		fetched += prefetch_fault(&p, x >> 40).count;
	}
	assert_true(fetched < 1000);
}

/* Pairs of neighbours that lead nowhere, then a walk, then pairs again. */
static uint64_t pairs(struct prefetch *p, unsigned n)
{
	uint64_t fetched = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t at = (UINT64_C(1) << 30) + i * 1000;

		fetched += prefetch_fault(p, at).count;
		fetched += prefetch_fault(p, at + 1).count;
	}
	return fetched;
}

static void neighbours_are_trusted_by_experience(void **state)
{
	struct prefetch p = { 0 };

	(void)state;
	pairs(&p, 1000);
	assert_true(pairs(&p, 1000) < 1000);
	assert_true(walk(&p, UINT64_C(1) << 20, 1, 10000) < 10000 / 20);
	assert_true(p.used > 9000 && p.used <= 10000);
	assert_true(pairs(&p, 10) == 40);
}

static void plans_end_where_addresses_do(void **state)
{
	struct prefetch p = { 0 };
	struct prefetch_plan plan;

	(void)state;
	for (uint64_t i = 40; i-- > 0;) {
		plan = prefetch_fault(&p, i);
		for (uint32_t k = 0; k < plan.count; k++)
			assert_true(plan.first - k < FAR_PAGES_MAX);
	}
	for (uint64_t i = FAR_PAGES_MAX - 40; i < FAR_PAGES_MAX; i++) {
		plan = prefetch_fault(&p, i);
		assert_true(plan.first + plan.count <= FAR_PAGES_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks_are_foreseen),
		cmocka_unit_test(several_walks_at_once_too),
		cmocka_unit_test(random_faults_fetch_little),
		cmocka_unit_test(neighbours_are_trusted_by_experience),
		cmocka_unit_test(plans_end_where_addresses_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
