/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/histogram - log-linear counts of latencies, in nanoseconds.
 *
 * Each power of two is cut into 16 equal steps, so a percentile is off by at
 * most 1/16 of itself; 1 ns to 2^40 ns (18 min) take 640 counters.  Longer
 * ones count in the last, 0 in the first.  One writer adds without atomics'
 * cost (relaxed stores); any thread may read.
 */
#ifndef CORE_HISTOGRAM_H
#define CORE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 16u
#define HISTOGRAM_BUCKETS (HISTOGRAM_STEPS * 40u)

struct histogram {
	uint64_t count;
	uint64_t sum_ns;
	uint64_t max_ns;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t ns);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* Upper edge of the bucket that holds the `percent` (0..100) quantile, but no
 * more than the largest value; 0 if nothing was counted. */
uint64_t histogram_percentile(const struct histogram *h, double percent);

/* For tests and exporters: the bucket of a value and its upper edge, which
 * is the largest value that it counts. */
unsigned histogram_bucket(uint64_t ns);
uint64_t histogram_upper(unsigned bucket);

#endif /* CORE_HISTOGRAM_H */
