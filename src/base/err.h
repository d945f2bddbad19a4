/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

/*
 * What went wrong on a control path, in words for the operator: what failed,
 * why, and what to do next.  Data paths use a negative errno alone.
 *
 * Set once, where the cause is known; a NULL `struct err *` is allowed
 * everywhere and means that the caller wants no words.
 */
struct err {
	int code; /* negative errno; 0 while nothing failed */
	char text[384];
};

/*
 * Record the failure and return `code`, so that a caller can write
 * `return err_set(e, -EINVAL, "...")`.  The first failure wins.
 */
int err_set(struct err *e, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif /* BASE_ERR_H */
