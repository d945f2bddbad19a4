/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kswap/loop - a file as a block device, by the kernel's loop driver.
 *
 * A loop device that we make has direct I/O, blocks of FAR_PAGE bytes, a name
 * that says whose it is, and goes away with its last user (autoclear).
 */
#ifndef KSWAP_LOOP_H
#define KSWAP_LOOP_H

#include "base/err.h"

#include <stdbool.h>

#define LOOP_PATH 32 /* bytes of "/dev/loop12" with its NUL */
#define LOOP_NAME                                                              \
	"causeway-swap:" /* begins the name of each; a pid follows             \
	                  */

/*
 * Make a loop device over `file`, which is borrowed, in the name of process
 * `owner`.  It lives until *fd is closed and nobody else uses it.
 *
 * @return 0; -ENODEV: no loop driver; -EPERM; -EMFILE; with words.
 */
int loop_attach(int file, int owner, char path[LOOP_PATH], int *fd,
                struct err *e);

/* The owner of the loop device at `path`; 0: it is none of ours. */
int loop_owner(const char *path);

#endif /* KSWAP_LOOP_H */
