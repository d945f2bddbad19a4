/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control/metrics_http - GET /metrics, over a Unix socket or the loopback.
 *
 * There is no authentication, so there is no other network: whoever may open
 * the socket (mode 0660), or any user of this machine, may read what it says.
 *
 * Threads    All on the reactor's thread; nothing waits for a client.
 * Bounds     METRICS_HTTP_CLIENTS at a time, each for at most
 *            METRICS_HTTP_TIMEOUT_S without a byte.
 */
#ifndef CONTROL_METRICS_HTTP_H
#define CONTROL_METRICS_HTTP_H

#include "base/err.h"

#include <stdio.h>

#define METRICS_HTTP_CLIENTS 16u
#define METRICS_HTTP_TIMEOUT_S 10u

struct metrics_http;
struct reactor;

/*
 * `render` writes the whole text, once for each request.
 *
 * @param address  "unix:PATH", or "ADDR:PORT" of the loopback
 * @return 0; -EINVAL: another address; errors of listener_open(); -ENOMEM;
 *         with words.
 */
int metrics_http_open(struct reactor *r, const char *address,
                      void (*render)(void *ctx, FILE *f), void *ctx,
                      struct metrics_http **out, struct err *e);

/* The TCP port that is listened on; 0 for a Unix socket. */
unsigned metrics_http_port(const struct metrics_http *m);

/* NULL is allowed. */
void metrics_http_close(struct metrics_http *m);

#endif /* CONTROL_METRICS_HTTP_H */
