/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabricd/control - the console over JSON-RPC on a Unix socket, for scripts
 * that want to know whether a command worked and when it is done.
 *
 *     fabric.console {"line": "cut H00000:1"} -> {"output": "..."}
 */
#ifndef FABRICD_CONTROL_H
#define FABRICD_CONTROL_H

#include "base/err.h"
#include "switch/console.h"

struct control;
struct reactor;

/* `c` is borrowed.  @return 0; rpc_server_listen()'s errors, with words. */
int control_create(struct reactor *r, const struct console *c, const char *path,
                   struct control **out, struct err *e);
void control_destroy(struct control *c); /* NULL is allowed */

#endif /* FABRICD_CONTROL_H */
