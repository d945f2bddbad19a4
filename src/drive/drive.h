/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drive - the devices at the bottom: files, block devices, memory, here or
 * elsewhere.
 *
 *   file:PATH[,size=SIZE]   a regular file or a block device
 *   ram:SIZE                memory of this process, gone when it ends
 *   remote:NODE/WINDOW      a window of another node (drive/remote.h, which
 *                           opens it too: that takes an exchange with it)
 *
 * A drive may be used on every reactor thread (contract in block/block.h);
 * file drives need a reactor with io_uring.  Opening and closing are control
 * path: they block, and may be called on any thread.
 *
 * file  A regular file is made (sparse) where `size` is given and there is
 *       none; one that exists must have that size.  It is locked with
 *       flock(2), a block device is opened O_EXCL, so that two daemons, or a
 *       daemon and a mounted file system, never share one.  O_DIRECT where
 *       the file system has it, then the grain is what it asks for; else
 *       through the page cache.  Memory of any alignment is taken: what
 *       direct I/O cannot use is copied in pieces of DRIVE_BOUNCE bytes.
 *       FLUSH is fdatasync(2), left out where nothing was written since the
 *       last one; once one failed every later flush fails too, for the
 *       kernel reports a lost write only once.
 *       DISCARD punches a hole.  WRITE_ZEROES punches one too, with
 *       BLOCK_NO_UNMAP it zeroes the range and keeps it allocated; where the
 *       file system can do neither, zeroes are written.
 * ram   Reads of what was never written are zero.  FLUSH and FUA do nothing.
 *       DISCARD and WRITE_ZEROES give whole pages back.
 */
#ifndef DRIVE_DRIVE_H
#define DRIVE_DRIVE_H

#include "base/err.h"
#include "block/block.h"

#include <stdbool.h>
#include <stddef.h>

#define DRIVE_BOUNCE (UINT32_C(1) << 20)
/* How long to wait for a lock: the io_uring of a killed daemon lets its files
 * go only some time after the process is gone. */
#define DRIVE_LOCK_WAIT_MS 1000

/*
 * Open the drive that `spec` names; block_close() closes it.
 *
 * @return 0; -EINVAL: bad specification or size, not a file or block device;
 *         -EBUSY: in use; -ENOENT, -EACCES, -ENOSPC, -EMFILE, -ENOMEM ...;
 *         each with words in *e.
 */
int drive_open(const char *spec, struct block_device **out, struct err *e);

struct drive_info {
	const char *type; /* "file", "ram", "remote" */
	/* file: its path; remote: NODE/WINDOW; else NULL.  Lives as long as
	 * the drive. */
	const char *path;
	uint64_t size;
	uint32_t grain;
	bool block_device; /* the file is one */
	bool direct;       /* past the page cache */
	uint64_t syncs;    /* file: fdatasync(2) calls so far */
};

/* @return 0; -ENOTBLK: `dev` is no drive (a volume, a test's device). */
int drive_info(const struct block_device *dev, struct drive_info *out);

/*
 * One line for the operator: "file:/d/1 (10 GiB, direct, 512 B sectors)".
 * Always NUL-ended; cut at `n`.  @return `out`.
 */
const char *drive_describe(const struct block_device *dev, char *out, size_t n);

#endif /* DRIVE_DRIVE_H */
