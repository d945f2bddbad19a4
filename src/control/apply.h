/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control/apply - make a configuration's calls, one after the other, through
 * the server of this very process.
 *
 * Before each call the node's `status` is asked for, and what is there and
 * equal is skipped (control/config.h, F1 and F2).  A call that is answered
 * with "try again" is repeated every 200 ms for up to 30 s: after a start the
 * slow stack needs a moment.
 */
#ifndef CONTROL_APPLY_H
#define CONTROL_APPLY_H

#include "control/config.h"

struct apply;
struct reactor;
struct rpc_server;

/* `e` is NULL when everything was applied or was there; else the first
 * failure, and what came before it stays applied. */
typedef void (*apply_done_fn)(void *ctx, const struct err *e);

/*
 * `config` is borrowed until done has run or the whole is cancelled.  done
 * runs once, never inside this call.
 *
 * @return 0; -ENOMEM, -EMFILE with words.
 */
int apply_start(struct reactor *r, struct rpc_server *server,
                const struct config *config, apply_done_fn done, void *ctx,
                struct apply **out, struct err *e);

/* done() has run or will not run.  NULL is allowed.  Not from done(): after
 * it the object is gone. */
void apply_cancel(struct apply *a);

#endif /* CONTROL_APPLY_H */
