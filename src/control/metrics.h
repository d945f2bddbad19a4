/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control/metrics - counters as text (OpenMetrics 1.0), one family after the
 * other:
 *
 *     metrics_family(f, "causeway_export_operations", METRICS_COUNTER, NULL,
 *                    "Requests of clients");
 *     metrics_value(f, "causeway_export_operations_total",
 *                   (const char *const[]){ "export", "nbd1", NULL }, 12);
 *     ...
 *     metrics_end(f);
 *
 * Errors of the stream are the stream's (ferror).
 */
#ifndef CONTROL_METRICS_H
#define CONTROL_METRICS_H

#include "core/histogram.h"

#include <stdint.h>
#include <stdio.h>

enum metrics_type {
	METRICS_COUNTER,
	METRICS_GAUGE,
	METRICS_HISTOGRAM,
};

/* What follows belongs to it until the next one.  `unit` is the last part of
 * the name, "bytes" or "seconds", or NULL. */
void metrics_family(FILE *f, const char *name, enum metrics_type type,
                    const char *unit, const char *help);

/* `labels` are names and values in turn, NULL at the end; values may be any
 * text.  A counter's name ends in _total. */
void metrics_value(FILE *f, const char *name, const char *const *labels,
                   uint64_t value);
/* Nanoseconds as seconds. */
void metrics_seconds(FILE *f, const char *name, const char *const *labels,
                     uint64_t ns);

/* The buckets (a power of two each, from 1 us to 17 s), count and sum of
 * latencies, in seconds; `name` is the family's. */
void metrics_histogram(FILE *f, const char *name, const char *const *labels,
                       const struct histogram *h);

void metrics_end(FILE *f);

#endif /* CONTROL_METRICS_H */
