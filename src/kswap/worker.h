/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kswap/worker - the process that serves a swap device.
 *
 * It opens the donors, or the drive, makes the store over them, goes once
 * through all that a full load needs, so that nothing is allocated later,
 * becomes as safe from a lack of memory as it is allowed to (core/realtime),
 * waits until no other worker serves (shared_is_mine()), and serves until the
 * file system is gone.  It may be killed at any time: the spare goes on, and
 * kswap/keeper starts another (kswap/shared).
 *
 * A donor that failed under a worker before it may lack writes: it is not
 * asked again.  One that cannot be opened again is left out too, if another
 * can: then it is not this node's daemon that is away.  A spare leaves none
 * out: it ends, and the next one may have more luck.
 */
#ifndef KSWAP_WORKER_H
#define KSWAP_WORKER_H

#include "base/err.h"
#include "far/store.h"

/* How long a donor has to answer: where there is another copy, and where
 * there is none. */
#define WORKER_DONOR_MS 1500u
#define WORKER_ALONE_MS 5000u

struct worker_opts {
	int device;          /* kswap/fuse_file's */
	int shared;          /* kswap/shared's */
	const char *store;   /* a drive (drive/drive.h); NULL: donors */
	const char *socket;  /* of this node's daemon, for donors */
	char *const *donors; /* "NODE/WINDOW" */
	unsigned n_donors;
	unsigned copies;
};

/*
 * Serve; returns when the file system is gone.
 *
 * @return 0; a negative errno with words if it could not begin: the first
 *         worker has put it into the shared memory, too.
 */
int worker_run(const struct worker_opts *opts, struct err *e);

#endif /* KSWAP_WORKER_H */
