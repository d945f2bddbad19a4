/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kswap/fuse_file - a file that a process serves, in no folder.
 *
 * A FUSE file system whose root is a regular file, mounted nowhere
 * (fsmount(2)): it lives as long as somebody has the file open, and cannot be
 * left behind.  When every descriptor of `device` is closed the kernel fails
 * all requests, so a dead server never holds anybody up.
 */
#ifndef KSWAP_FUSE_FILE_H
#define KSWAP_FUSE_FILE_H

#include "base/err.h"

/*
 * *device is /dev/fuse, non-blocking, to be served; *mount stands for the file
 * until fuse_file_open().
 *
 * @return 0; -ENOENT, -ENODEV: no FUSE in this kernel; -EPERM: not root;
 *         with words.
 */
int fuse_file_create(int *device, int *mount, struct err *e);

/* Open the file, for reading and writing past the page cache.  Takes `mount`.
 * Waits for the server.  @return the descriptor, or a negative errno. */
int fuse_file_open(int mount);

#endif /* KSWAP_FUSE_FILE_H */
