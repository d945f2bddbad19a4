/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * switch/console - what an operator of the software fabric types.
 *
 * A line is a command and its words; ports are written H00000:2 or L0000[3],
 * or as in ibsim "L0000"[3].  Unlink and Relink are ibsim's names for cut and
 * restore, and its X drops a client.  `help` lists all.
 */
#ifndef SWITCH_CONSOLE_H
#define SWITCH_CONSOLE_H

#include "base/err.h"
#include "switch/ibnet.h"
#include "switch/sim_server.h"

#include <stdio.h>

#define CONSOLE_LINE_MAX 4095u
#define CONSOLE_TICKS_MAX 1000000u /* of one `run` */

struct console {
	struct ibnet *net;
	struct sim_server *server;     /* NULL: there is none */
	const struct ibnet_topo *topo; /* for `net`; NULL: not kept */
};

/*
 * Run one line; what it says goes to `out`.  An empty one does nothing.
 *
 * @return 0; -EINVAL: not understood; -ENOENT: no such node, port or client;
 *         with words.
 */
int console_run(const struct console *c, const char *line, FILE *out,
                struct err *e);

#endif /* SWITCH_CONSOLE_H */
