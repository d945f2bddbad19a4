/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far/maps - lines of /proc/PID/maps.
 *
 * Source: proc(5).  Decoding is pure; a line that is none is skipped.
 */
#ifndef FAR_MAPS_H
#define FAR_MAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct maps_line {
	uint64_t start, end; /* addresses */
	bool readable, writable, shared;
	uint64_t inode;
	char name[16]; /* the beginning; "" for none */
};

/* `line` is NUL-ended.  @return whether it is such a line. */
bool maps_decode(const char *line, struct maps_line *out);

/* Private, anonymous, written to, and not the main stack, which grows. */
bool maps_is_capturable(const struct maps_line *m);

/* That, or memory that may be shared: a memfd, POSIX or System V shared
 * memory, MAP_ANONYMOUS.  The kernel swaps it, too. */
bool maps_is_swappable(const struct maps_line *m);

/* Call `visit` for each line.  @return 0; a negative errno of open(). */
int maps_read(pid_t pid, void (*visit)(void *ctx, const struct maps_line *m),
              void *ctx);

#endif /* FAR_MAPS_H */
