/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/log - one line per event, key=value, to standard error:
 *
 *   2026-11-22T21:58:56.123Z level=warn role=fast what="drive failed" drive=d3
 *
 * Control paths only; data paths bump a counter.  Lines are written with one
 * write(2), so those of several threads and processes never mix.
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* Name of this process in every line; borrowed.  Default "causeway". */
void log_set_role(const char *role);
void log_set_level(enum log_level level); /* default info */

/*
 * `what` is the event; `fmt` makes further pairs ("drive=%s size=%ju"), or
 * is NULL.  Use log_quote() for a value that an operator or a peer chose.
 */
void log_event(enum log_level level, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Write `value` to `out` (n bytes) quoted and escaped, cut if it must be. */
const char *log_quote(char *out, unsigned n, const char *value);

#endif /* CORE_LOG_H */
