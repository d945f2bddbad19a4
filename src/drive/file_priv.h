/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVE_FILE_PRIV_H
#define DRIVE_FILE_PRIV_H

#include "drive/drive_priv.h"

#include <stdatomic.h>

struct file {
	struct block_device dev;
	int fd;
	char *path;
	bool is_block_device;
	bool direct;
	uint32_t memory_align; /* of each vector entry, where direct */

	/* What the file system turned out not to have. */
	atomic_bool no_punch;
	atomic_bool no_zero_range;

	/*
	 * `changed` counts finished changes, `synced` is what it was before
	 * the newest fdatasync that went well: a flush that finds both equal
	 * has nothing to do.  A file starts changed, for what an earlier
	 * process wrote may still be only in the page cache.
	 */
	_Atomic uint64_t changed;
	_Atomic uint64_t synced;
	_Atomic uint64_t syncs;
	atomic_int sync_err; /* the first failure; it stays */
};

/* The file that `s` names, made if need be, locked; sets all of *f but its
 * operations. */
int drive_file_attach(struct file *f, const struct drive_spec *s,
                      struct err *e);

#endif /* DRIVE_FILE_PRIV_H */
