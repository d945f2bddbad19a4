/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"
#include "cli/swap.h"

#include <string.h>

int main(int argc, char **argv)
{
	if (argc > 0 && strcmp(argv[0], SWAP_WORKER) == 0)
		return swap_worker_main(argc, argv);
	return cli_main(argc, argv, stdout, stderr);
}
