/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kswap/keeper - keeps a swap device served while its workers come and go.
 *
 *              worker serves           killed
 *      START ----------------> UP ----------------> DOWN
 *        |                      ^                     |  | KEEPER_DOWN_MS
 *        | it cannot            '-- the spare serves -'  v
 *        '----------------------------------------------> ended
 *
 * Two workers run: one serves, and the spare has all that it needs and waits
 * for the other's end (kswap/worker).  It has to be so: where no page is free,
 * a worker that begins then waits for memory, and memory for the worker.
 *
 * The keeper holds the file system's descriptor and the shared memory, locked,
 * and does nothing else.  When it ends, its descriptors close and the kernel
 * fails every request: nobody waits for a device that nobody serves.  When the
 * loop device lets the file go (swapoff), the file system ends and the keeper
 * with it.
 */
#ifndef KSWAP_KEEPER_H
#define KSWAP_KEEPER_H

#include "core/child.h"
#include "kswap/shared.h"

#define KEEPER_WORKERS 2u
#define KEEPER_START_MS 60000u /* for the first worker to serve */
#define KEEPER_DOWN_MS 15000u  /* then, without one that does */

struct keeper {
	/* set by the owner */
	struct reactor *reactor;
	int device; /* kswap/fuse_file's */
	int shared_fd;
	struct shared *shared;
	char *const *argv; /* of a worker: it gets `device` and `shared_fd`
	                    * as 3 and 4 */
	/* Nobody is to be served any more (0), or the device could not be
	 * (-ETIMEDOUT, or what the first worker says). */
	void (*ended)(struct keeper *k, int err);
	/* the keeper's own */
	struct child child[KEEPER_WORKERS];
	unsigned n_children;
	struct watch watch;
	struct timer timer;
	uint64_t down_ns;
	uint64_t retry_ns; /* not before, a spare that could not be started */
	bool over;
};

/* @return 0; a negative errno with words: the first worker was not started. */
int keeper_start(struct keeper *k, struct err *e);

/* End the worker. */
void keeper_stop(struct keeper *k);

/* The process that serves; 0: none does now. */
int keeper_worker(const struct keeper *k);
/* The one that stands by, ready to; 0: none is. */
int keeper_spare(const struct keeper *k);

#endif /* KSWAP_KEEPER_H */
