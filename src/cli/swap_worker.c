/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker's command line: SOCKET COPIES STORE DONOR..., STORE "" for none;
 * its descriptors are the file system's and the shared memory's. */
#include "cli/swap.h"

#include "core/log.h"
#include "kswap/worker.h"

#include <stdlib.h>

#define DEVICE_FD 3
#define SHARED_FD 4
#define FIRST_DONOR 4

int swap_worker_main(int argc, char **argv)
{
	struct worker_opts o = { .device = DEVICE_FD, .shared = SHARED_FD };
	char words[512];
	struct err e = { 0 };

	log_set_role("swap");
	if (argc < FIRST_DONOR)
		return RPC_USAGE;
	o.socket = argv[1];
	o.copies = (unsigned)atoi(argv[2]);
	o.store = argv[3][0] ? argv[3] : NULL;
	o.donors = argv + FIRST_DONOR;
	o.n_donors = (unsigned)(argc - FIRST_DONOR);
	if (worker_run(&o, &e) == 0)
		return RPC_OK;
	log_event(LOG_LEVEL_ERROR, "a swap worker cannot serve", "text=%s",
	          log_quote(words, sizeof(words), e.text));
	return RPC_FAILED;
}
