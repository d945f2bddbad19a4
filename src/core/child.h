/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/child - a child process that is started, watched and started again.
 *
 *               start                 exits or is killed
 *    STOPPED ----------> RUNNING ---------------------------> BACKOFF
 *       ^                  |  ^                                  |
 *       |      stop        |  |        backoff timer, restart    |
 *       +------------------+  +----------------------------------+
 *
 * The child is this very program (/proc/self/exe) with other arguments.  It
 * inherits standard error, the descriptors that are passed and nothing else:
 * every other one is closed before exec, whatever its flags.  Passed
 * descriptors become 3, 4, ... in the child; standard input and output are
 * /dev/null; signals have their default action and none is blocked.
 *
 * It gets SIGKILL when the thread that started it ends (PR_SET_PDEATHSIG), so
 * that thread, the reactor's, should live as long as the process.  Death is
 * noticed by a pidfd, not by SIGCHLD.  Memory is not copied (vfork), so a
 * restart costs a large parent no more than a small one.
 *
 * The first restart is immediate, and so is that of a child which has run for
 * a second; one that dies sooner is restarted after 50 ms, doubling to 5 s.
 */
#ifndef CORE_CHILD_H
#define CORE_CHILD_H

#include "core/reactor.h"

#include <sys/types.h>

#define CHILD_FDS_MAX 24

enum child_state { CHILD_STOPPED, CHILD_RUNNING, CHILD_BACKOFF };

struct child {
	/* set by the owner before child_start() */
	char *const *argv; /* NULL-ended; argv[0] is only a name */
	const char *name;  /* for logs */
	void *owner;       /* whose it is; may be NULL */
	/*
	 * Called before every start; fills in the descriptors to pass and
	 * returns how many, or a negative errno (then the start is tried
	 * again after the backoff; the first start fails), -EAGAIN if it is
	 * only too early.  They stay the owner's.  NULL: none.
	 */
	int (*prepare)(struct child *c, int fds[CHILD_FDS_MAX]);
	/* The child has died with this wait status; a restart will follow
	 * unless child_stop() is called, here or later.  NULL: no matter. */
	void (*died)(struct child *c, int status);

	/* child's own */
	enum child_state state;
	pid_t pid; /* 0 unless RUNNING */
	unsigned starts;
	uint64_t started_ns;
	unsigned backoff_ms;
	struct reactor *reactor;
	struct watch watch; /* its fd is the pidfd */
	struct timer timer;
};

/* @return 0; a negative errno with words in *e if the first start failed. */
int child_start(struct reactor *r, struct child *c, struct err *e);

/* SIGTERM, then SIGKILL after `grace_ms`; returns when it is gone, without a
 * call of died().  Nothing to do for a stopped child. */
void child_stop(struct child *c, unsigned grace_ms);

#endif /* CORE_CHILD_H */
