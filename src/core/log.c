/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024u
#define WHAT_MAX_BYTES 256u

static _Atomic(const char *) log_role = "causeway";
static _Atomic(enum log_level) log_max = LOG_LEVEL_INFO;

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

void log_set_role(const char *role)
{
	atomic_store(&log_role, role);
}

void log_set_level(enum log_level level)
{
	atomic_store(&log_max, level);
}

/* At most 4 characters and a NUL. */
static unsigned escape(char out[5], unsigned char c)
{
	static const char hex[] = "0123456789abcdef";

	if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
		out[0] = (char)c;
		return 1;
	}
	out[0] = '\\';
	out[1] = (char)c;
	if (c == '\n')
		out[1] = 'n';
	if (c == '\t')
		out[1] = 't';
	if (out[1] != (char)c || c == '"' || c == '\\')
		return 2;
	out[1] = 'x';
	out[2] = hex[c >> 4];
	out[3] = hex[c & 15];
	return 4;
}

const char *log_quote(char *out, unsigned n, const char *value)
{
	unsigned at = 0;
	char piece[5];

	if (n == 0)
		return "";
	if (n < 3) {
		out[0] = '\0';
		return out;
	}
	out[at++] = '"';
	for (; *value; value++) {
		unsigned len = escape(piece, (unsigned char)*value);

		if (at + len + 2 > n)
			break;
		for (unsigned i = 0; i < len; i++)
			out[at++] = piece[i];
	}
	out[at++] = '"';
	out[at] = '\0';
	return out;
}

/* What was written, given snprintf's answer and the room that it had. */
static size_t written(int wanted, size_t room)
{
	if (wanted < 0)
		return 0;
	return (size_t)wanted < room ? (size_t)wanted : room - 1;
}

static size_t head(char *line, size_t room, enum log_level level,
                   const char *what)
{
	char quoted[WHAT_MAX_BYTES];
	struct timespec t;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &t);
	gmtime_r(&t.tv_sec, &tm);
	n = strftime(line, room, "%Y-%m-%dT%H:%M:%S", &tm);
	n += written(snprintf(line + n, room - n,
	                      ".%03ldZ level=%s role=%s what=%s",
	                      t.tv_nsec / 1000000, level_names[level],
	                      atomic_load(&log_role),
	                      log_quote(quoted, sizeof(quoted), what)),
	             room - n);
	return n;
}

void log_event(enum log_level level, const char *what, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	size_t n;
	va_list ap;

	if (level > atomic_load_explicit(&log_max, memory_order_relaxed))
		return;
	n = head(line, sizeof(line) - 1, level, what);
	if (fmt) {
		size_t room = sizeof(line) - 2 - n;

		line[n++] = ' ';
		va_start(ap, fmt);
		n += written(vsnprintf(line + n, room, fmt, ap), room);
		va_end(ap);
	}
	/* One event is one line, whatever the caller forgot to quote. */
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)line[i] < 0x20)
			line[i] = ' ';
	}
	line[n++] = '\n';
	/* Nothing can be done about a log that cannot be written. */
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}
