/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control/daemon - everything that one daemon has: drives, exports, the fast
 * stack on its reactors, the slow stack's process, and the calls that change
 * them.
 *
 *     control reactor (the calling thread): calls, state file, supervision
 *     data reactors (a thread each): drives, volumes, NBD connections
 *     child process: the slow stack
 *
 * What a call accepted is durable when it is answered: drives and exports in
 * DIR/state.json, pools and volumes on the drives.
 *
 * Threads    All on the thread that calls daemon_run().
 */
#ifndef CONTROL_DAEMON_H
#define CONTROL_DAEMON_H

#include "base/err.h"

#define DAEMON_CORES_MAX 16u

struct daemon;

struct daemon_opts {
	const char *state_dir; /* made if missing; locked while the node runs */
	const char *config;    /* file to apply at start, or NULL */
	const char *version;
	int ready_fd; /* gets a line and is closed when the node serves; -1 */
};

/*
 * @return 0; -EBUSY: another daemon has the folder; -EINVAL: the state file or
 *         the configuration; -ENOMEM, -EMFILE, -ENOSYS; words in *e.
 */
int daemon_create(const struct daemon_opts *opts, struct daemon **out,
                  struct err *e);

/* Until daemon.stop, SIGTERM or SIGINT.  @return 0, or why it never served. */
int daemon_run(struct daemon *n, struct err *e);

/* Ends what runs: exports first, then the slow stack, then the drives. */
void daemon_destroy(struct daemon *n);

#endif /* CONTROL_DAEMON_H */
