/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/donors - where far memory goes, as --donor, --store and --copies say. */
#ifndef CLI_DONORS_H
#define CLI_DONORS_H

#include "cli/cli.h"
#include "far/store.h"

struct donors {
	const char *store; /* a drive; NULL: donors; borrowed */
	/* "NODE/WINDOW", and NULL after the last */
	char *names[STORE_DONORS_MAX + 1];
	unsigned n;
	unsigned copies;
};

/*
 * Read the options; warn of a single copy, whose loss ends `what`.
 *
 * @return 0; RPC_USAGE, reported.  donors_free() in both cases.
 */
int donors_take(struct cli *cli, const char *what, struct donors *d);
void donors_free(struct donors *d);

/*
 * --copies alone, for `n_donors` that were named; 2 if it is not given.  Warns
 * like donors_take().
 *
 * @return 0; RPC_USAGE, reported, and *out is untouched.
 */
int donors_copies(struct cli *cli, const char *what, unsigned n_donors,
                  unsigned *out);

#endif /* CLI_DONORS_H */
