/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric/tcp - streams and lanes over TCP.
 *
 * The kernel's own limits on silence (15 minutes) play no part: sessions
 * notice a dead link by themselves (fabric/session.h).
 */
#ifndef FABRIC_TCP_H
#define FABRIC_TCP_H

#include "fabric/stream.h"
#include "fabric/transport.h"

/* A row for struct node_opts; stateless. */
extern struct transport tcp_transport;

/*
 * A stream over a connected, non-blocking socket, which is the stream's from
 * now on, also on failure.  @return NULL: no memory.
 */
struct stream *tcp_stream_create(struct reactor *r, int fd);

/* A stream that is connecting.  @return 0; a negative errno, with words. */
int tcp_stream_dial(struct reactor *r, const struct fabric_address *to,
                    struct stream **out, struct err *e);

/* For transports over TCP: listen, and give accepted sockets to `wrap`, which
 * makes a lane of one or closes it. */
struct tcp_listener;
typedef struct lane *(*tcp_wrap_fn)(struct transport *t, struct reactor *r,
                                    int fd);
int tcp_listen(struct transport *t, struct reactor *r,
               const struct fabric_address *at, tcp_wrap_fn wrap,
               struct transport_listener **out, struct err *e);
void tcp_unlisten(struct transport_listener *l);

#endif /* FABRIC_TCP_H */
