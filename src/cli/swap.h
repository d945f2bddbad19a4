/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/swap - the two processes behind a swap device, and what they tell.
 *
 *      swap on --fork--> keeper --exec--> worker
 *         |                 swap.sock: status
 *         '-- makes the loop device, swapon(2), ends
 */
#ifndef CLI_SWAP_H
#define CLI_SWAP_H

#include "cli/donors.h"
#include "kswap/shared.h"

/* argv[0] of a worker, by which the program knows that it is one. */
#define SWAP_WORKER "causeway-swap-worker"

/* The worker's main().  @return its exit status. */
int swap_worker_main(int argc, char **argv);

struct swap_keeper {
	const char *socket;        /* where it tells its status */
	const char *window_socket; /* of this node's daemon */
	const char *log;           /* a file, appended to */
	const struct donors *donors;
	int device; /* kswap/fuse_file's */
	int shared_fd;
	struct shared *shared;
};

/* Keep the device served until it has gone; ends the process.  What keeps it
 * from beginning is put into the shared memory. */
_Noreturn void swap_keep(const struct swap_keeper *opts);

/* The call that it answers. */
#define SWAP_STATUS "swap.status"

#endif /* CLI_SWAP_H */
