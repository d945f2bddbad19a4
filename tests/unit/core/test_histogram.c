/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "core/histogram.h"

#include <stdlib.h>
#include <string.h>

static struct histogram h;

static void every_value_is_in_a_bucket_that_is_at_most_a_16th_wide(void **state)
{
	unsigned last = 0;

	(void)state;
	for (unsigned power = 0; power < 40; power++) {
		for (unsigned i = 0; i < 1000; i++) {
			uint64_t v = UINT64_C(1) << power;
			unsigned b;

			v += v * i / 1000;
			b = histogram_bucket(v);
			assert_in_range(b, last, HISTOGRAM_BUCKETS - 1);
			assert_true(histogram_upper(b) >= v);
			assert_true(histogram_upper(b) - v <= v / 16);
			assert_int_equal(histogram_bucket(histogram_upper(b)),
			                 b);
			last = b;
		}
	}
	assert_int_equal(last, HISTOGRAM_BUCKETS - 1);
}

static void values_out_of_range_count_at_the_ends(void **state)
{
	(void)state;
	memset(&h, 0, sizeof(h));
	assert_int_equal(histogram_bucket(0), 0);
	assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
	histogram_add(&h, 0);
	assert_int_equal(histogram_percentile(&h, 100), 0);
	histogram_add(&h, UINT64_C(1) << 50);
	assert_true(histogram_percentile(&h, 100) == UINT64_C(1) << 50);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

#define SAMPLES 20000u

static void percentiles_are_off_by_at_most_a_16th(void **state)
{
	static const double percents[] = { 0, 1, 25, 50, 90, 99, 99.9, 100 };
	static uint64_t v[SAMPLES];
	uint64_t seed = 42;

	(void)state;
	memset(&h, 0, sizeof(h));
	for (unsigned i = 0; i < SAMPLES; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		v[i] = (seed >> 30) >> ((seed >> 20) % 34);
		v[i] += v[i] == 0;
		histogram_add(&h, v[i]);
	}
	qsort(v, SAMPLES, sizeof(v[0]), by_value);
	for (unsigned i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
		double exact = SAMPLES * percents[i] / 100;
		unsigned rank = (unsigned)exact;
		uint64_t p = histogram_percentile(&h, percents[i]);

		rank += rank < exact || rank == 0;
		assert_true(p >= v[rank - 1]);
		assert_true(p - v[rank - 1] <= v[rank - 1] / 16);
	}
	assert_true(histogram_percentile(&h, 100) == v[SAMPLES - 1]);
	assert_int_equal(h.count, SAMPLES);
	assert_int_equal(h.max_ns, v[SAMPLES - 1]);
}

static void merging_adds_the_counts(void **state)
{
	static struct histogram a, b;

	(void)state;
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	assert_int_equal(histogram_percentile(&a, 50), 0);
	histogram_add(&a, 100);
	histogram_add(&b, 1000000);
	histogram_add(&b, 10);
	histogram_merge(&a, &b);
	assert_int_equal(a.count, 3);
	assert_int_equal(a.sum_ns, 1000110);
	assert_int_equal(a.max_ns, 1000000);
	assert_int_equal(histogram_percentile(&a, 1), 10);
	assert_in_range(histogram_percentile(&a, 50), 100, 106);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_value_is_in_a_bucket_that_is_at_most_a_16th_wide),
		cmocka_unit_test(values_out_of_range_count_at_the_ends),
		cmocka_unit_test(percentiles_are_off_by_at_most_a_16th),
		cmocka_unit_test(merging_adds_the_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
