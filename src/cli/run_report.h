/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/run_report - what `causeway run` tells this node's daemon of its
 * program, once a second, for `causeway top`, status and metrics.  Where no
 * daemon answers nothing is said, and it is tried again.
 */
#ifndef CLI_RUN_REPORT_H
#define CLI_RUN_REPORT_H

#include "core/reactor.h"
#include "rpc/client.h"

#include <stdbool.h>

struct pager;

struct run_report {
	/* the caller's; all borrowed */
	struct reactor *reactor;
	const struct pager *pager;
	const char *socket; /* the daemon's */
	const char *program;
	const char *donors;
	/* its own */
	struct timer timer;
	struct rpc_client *client;
	struct rpc_request request;
	bool waits; /* for an answer */
};

void run_report_start(struct run_report *r);
/* One that was not started (its reactor is NULL) is left alone. */
void run_report_stop(struct run_report *r);

#endif /* CLI_RUN_REPORT_H */
