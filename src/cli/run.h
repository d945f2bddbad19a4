/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/run - the other way of `causeway run`: the kernel's own swap. */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "cli/cli.h"

/* Whether a swap device of ours is on. */
bool run_can_swap(void);

/* Run the program of this command line with `local` bytes.  @return the exit
 * status. */
int run_by_swap(struct cli *cli, uint64_t local);

#endif /* CLI_RUN_H */
