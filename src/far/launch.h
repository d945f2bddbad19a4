/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far/launch - start a program whose memory a pager keeps.
 *
 * The program runs as usual, in the foreground, with the same standard
 * streams and process group.  It finds the pager by its environment and the
 * agent by LD_PRELOAD, and so do the programs that it starts.  Should the
 * pager die, the kernel kills the program at once: its memory would be lost.
 *
 * Errors     0 or a negative errno with words: -ENOENT: no such program;
 *            -EACCES; -ENOEXEC: a static or a setuid program, which loads no
 *            agent; -ENOENT: the agent's library is not installed.
 * Threads    The thread that starts a program must live as long as it
 *            (PR_SET_PDEATHSIG).
 */
#ifndef FAR_LAUNCH_H
#define FAR_LAUNCH_H

#include "base/err.h"

#include <sys/types.h>

struct pager;

/* Whether the program of this name could be started.  @return 0; as above. */
int launch_check(const char *name, struct err *e);

/* `argv` ends with NULL; argv[0] is looked up in PATH. */
int launch_start(const struct pager *p, char *const argv[], pid_t *pid,
                 struct err *e);

/* The same without a pager or an agent, of any program: it joins the cgroup
 * whose cgroup.procs file is `procs`, and so do the programs that it starts. */
int launch_limited(const char *procs, char *const argv[], pid_t *pid,
                   struct err *e);

#endif /* FAR_LAUNCH_H */
