/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/metrics.h"

#include "base/clock.h"

#include <inttypes.h>

/* Buckets that end with a power of two, 2^FIRST to 2^LAST nanoseconds. */
#define FIRST 10u
#define LAST 34u

void metrics_family(FILE *f, const char *name, enum metrics_type type,
                    const char *unit, const char *help)
{
	static const char *const types[] = {
		[METRICS_COUNTER] = "counter",
		[METRICS_GAUGE] = "gauge",
		[METRICS_HISTOGRAM] = "histogram",
	};

	fprintf(f, "# TYPE %s %s\n", name, types[type]);
	if (unit)
		fprintf(f, "# UNIT %s %s\n", name, unit);
	fprintf(f, "# HELP %s %s.\n", name, help);
}

/* OpenMetrics 1.0, "escaped-string". */
static void put_escaped(FILE *f, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", f);
		else if (*text == '"' || *text == '\\')
			fprintf(f, "\\%c", *text);
		else
			fputc(*text, f);
	}
}

/* `le`: one more label, or NULL. */
static void put_labels(FILE *f, const char *const *labels, const char *le)
{
	const char *sep = "{";

	for (; labels && labels[0]; labels += 2) {
		fprintf(f, "%s%s=\"", sep, labels[0]);
		put_escaped(f, labels[1]);
		fputc('"', f);
		sep = ",";
	}
	if (le) {
		fprintf(f, "%sle=\"%s\"", sep, le);
		sep = ",";
	}
	fputs(*sep == ',' ? "} " : " ", f);
}

void metrics_value(FILE *f, const char *name, const char *const *labels,
                   uint64_t value)
{
	fputs(name, f);
	put_labels(f, labels, NULL);
	fprintf(f, "%" PRIu64 "\n", value);
}

void metrics_seconds(FILE *f, const char *name, const char *const *labels,
                     uint64_t ns)
{
	fputs(name, f);
	put_labels(f, labels, NULL);
	fprintf(f, "%" PRIu64 ".%09" PRIu64 "\n", ns / NS_PER_S, ns % NS_PER_S);
}

static uint64_t load(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

/*
 * The count is the sum of what was read of the buckets: the reactor goes on
 * counting meanwhile, and the last bucket must not be less than the others.
 */
void metrics_histogram(FILE *f, const char *name, const char *const *labels,
                       const struct histogram *h)
{
	uint64_t count = 0;
	unsigned next = 0;
	char le[32];

	for (unsigned power = FIRST; power <= LAST; power++) {
		uint64_t edge = UINT64_C(1) << power;

		/* A bucket holds what is less than the edge. */
		for (; histogram_upper(next) < edge; next++)
			count += load(&h->bucket[next]);
		snprintf(le, sizeof(le), "%" PRIu64 ".%09" PRIu64,
		         (edge - 1) / NS_PER_S, (edge - 1) % NS_PER_S);
		fprintf(f, "%s_bucket", name);
		put_labels(f, labels, le);
		fprintf(f, "%" PRIu64 "\n", count);
	}
	for (; next < HISTOGRAM_BUCKETS; next++)
		count += load(&h->bucket[next]);
	fprintf(f, "%s_bucket", name);
	put_labels(f, labels, "+Inf");
	fprintf(f, "%" PRIu64 "\n%s_count", count, name);
	put_labels(f, labels, NULL);
	fprintf(f, "%" PRIu64 "\n%s_sum", count, name);
	put_labels(f, labels, NULL);
	fprintf(f, "%" PRIu64 ".%09" PRIu64 "\n", load(&h->sum_ns) / NS_PER_S,
	        load(&h->sum_ns) % NS_PER_S);
}

void metrics_end(FILE *f)
{
	fputs("# EOF\n", f);
}
