/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control/slow_service - the calls that the slow stack's process answers, over
 * the socket that the daemon gave it: pool.*, volume.*, and some that only
 * the daemon makes (slow.*).
 */
#ifndef CONTROL_SLOW_SERVICE_H
#define CONTROL_SLOW_SERVICE_H

#include "rpc/schema.h"

/* The daemon's own calls, beside methods_slow. */
extern const struct rpc_method slow_service_methods[];
extern const size_t slow_service_methods_count;

/*
 * The life of the slow stack's process: `fds` are the socket for calls and
 * what handoff_attach() wants.  Returns when the daemon has closed the socket
 * or asked for it, with the process's exit status.
 */
int slow_service_run(const int *fds, unsigned n_fds);

#endif /* CONTROL_SLOW_SERVICE_H */
