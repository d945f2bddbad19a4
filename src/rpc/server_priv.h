/* SPDX-License-Identifier: BSD-2-Clause */
/* rpc/server's structs: listen.c makes connections, server.c serves them. */
#ifndef RPC_SERVER_PRIV_H
#define RPC_SERVER_PRIV_H

#include "base/list.h"
#include "core/listener.h"
#include "core/reactor.h"
#include "rpc/server.h"
#include "rpc/stream_priv.h"

#include <limits.h>

/* Calls that wait for a handler, those whose client has gone included. */
#define RPC_CALLS_TOTAL 1024u

struct rpc_server {
	struct reactor *reactor;
	struct list conns;
	struct list calls;
	unsigned stall_ms;
	struct rpc_server_stats stats;
	struct listener listener;
	size_t n_services;
	struct rpc_service services[];
};

/* A new connection; takes `fd`. */
int rpc_server_accept(struct rpc_server *s, int fd, void (*closed)(void *ctx),
                      void *ctx, struct err *e);
/* Write a line as far as the socket takes it at once. */
void rpc_server_say(int fd, const char *text);

#endif /* RPC_SERVER_PRIV_H */
