/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/foreground - a program that this process stands for: it stays beside
 * the program, passes on the signals that are for it, and ends with its exit
 * status.
 */
#ifndef CLI_FOREGROUND_H
#define CLI_FOREGROUND_H

#include "base/err.h"
#include "core/reactor.h"

#include <sys/types.h>

struct foreground {
	struct reactor *reactor;
	pid_t pid;
	struct watch death;
	struct watch signals;
};

/* Before the program is started.  @return 0; -EMFILE with words. */
int foreground_signals(struct foreground *f, struct reactor *r, struct err *e);

/* Have the reactor stop when process `pid` has ended.  @return the same. */
int foreground_watch(struct foreground *f, pid_t pid, struct err *e);

/* Run the reactor until then.  @return the program's exit status, 128 + the
 * signal's number if one ended it. */
int foreground_run(struct foreground *f);

#endif /* CLI_FOREGROUND_H */
