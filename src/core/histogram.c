/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/histogram.h"

#define STEP_BITS 4u
_Static_assert(HISTOGRAM_STEPS == 1u << STEP_BITS, "STEP_BITS");

static uint64_t load(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static void add(uint64_t *p, uint64_t n)
{
	__atomic_store_n(p, *p + n, __ATOMIC_RELAXED);
}

unsigned histogram_bucket(uint64_t ns)
{
	unsigned power;

	if (ns == 0)
		return 0;
	power = 63u - (unsigned)__builtin_clzll(ns);
	if (power >= HISTOGRAM_BUCKETS / HISTOGRAM_STEPS)
		return HISTOGRAM_BUCKETS - 1;
	/* The STEP_BITS bits below the leading one. */
	return power * HISTOGRAM_STEPS +
	       (unsigned)((ns << STEP_BITS >> power) & (HISTOGRAM_STEPS - 1));
}

uint64_t histogram_upper(unsigned bucket)
{
	unsigned power = bucket / HISTOGRAM_STEPS;
	uint64_t steps = bucket % HISTOGRAM_STEPS + 1;
	uint64_t part = steps << power;

	/* The next bucket's first value, less one. */
	return (UINT64_C(1) << power) +
	       ((part + HISTOGRAM_STEPS - 1) >> STEP_BITS) - 1;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
	add(&h->bucket[histogram_bucket(ns)], 1);
	add(&h->count, 1);
	add(&h->sum_ns, ns);
	if (ns > h->max_ns)
		__atomic_store_n(&h->max_ns, ns, __ATOMIC_RELAXED);
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	uint64_t max = load(&from->max_ns);

	add(&into->count, load(&from->count));
	add(&into->sum_ns, load(&from->sum_ns));
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		add(&into->bucket[i], load(&from->bucket[i]));
	if (max > into->max_ns)
		__atomic_store_n(&into->max_ns, max, __ATOMIC_RELAXED);
}

uint64_t histogram_percentile(const struct histogram *h, double percent)
{
	uint64_t total = 0, seen = 0, max = load(&h->max_ns), rank;

	/* Not h->count, which another thread may be ahead with. */
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		total += load(&h->bucket[i]);
	rank = (uint64_t)((double)total * percent / 100.0);
	if ((double)rank < (double)total * percent / 100.0 || rank == 0)
		rank++;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += load(&h->bucket[i]);
		if (seen >= rank && i < HISTOGRAM_BUCKETS - 1 &&
		    histogram_upper(i) < max)
			return histogram_upper(i);
		if (seen >= rank)
			break;
	}
	return total ? max : 0;
}
