/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control/daemon - everything that one daemon has: drives, exports, windows and
 * other nodes, the fast stack on its reactors, the slow stack's process, and
 * the calls that change them.
 *
 *     control reactor (the calling thread): calls, state file, supervision
 *     data reactors (a thread each): drives, volumes, NBD connections
 *     the first of these: windows, and sessions with other nodes, too
 *     child process: the slow stack
 *
 * What a call accepted is durable when it is answered: drives, exports, peers
 * and windows in DIR/state.json, pools and volumes on the drives.  What is in
 * a window of memory is not: it ends with the process.
 *
 * A node listens nowhere unless it is told to, and without a cluster key, or
 * `insecure`, it talks to no other.
 *
 * Threads    All on the thread that calls daemon_run().
 */
#ifndef CONTROL_DAEMON_H
#define CONTROL_DAEMON_H

#include "base/err.h"

#include <stdbool.h>

#define DAEMON_CORES_MAX 16u
#define DAEMON_LISTEN_MAX 8u

struct daemon;

struct daemon_opts {
	const char *state_dir; /* made if missing; locked while the node runs */
	const char *config;    /* file to apply at start, or NULL */
	const char *version;
	/* What the configuration may say too; these come first. */
	const char *listen[DAEMON_LISTEN_MAX]; /* where other nodes reach it */
	unsigned n_listen;
	const char *cluster_key; /* file, or NULL */
	const char *metrics;     /* "unix:PATH" or "ADDR:PORT", or NULL */
	bool realtime;           /* its data threads are: core/realtime.h */
	bool insecure; /* talk to other nodes without a key: tests only */
	int ready_fd;  /* gets a line and is closed when the node serves; -1 */
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
