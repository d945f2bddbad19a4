/* SPDX-License-Identifier: BSD-2-Clause */
#include "rpc/server_priv.h"

#include "base/base.h"
#include "rpc/message.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/socket.h>

void rpc_server_say(int fd, const char *text)
{
	struct iovec iov[2] = {
		{ .iov_base = (void *)(uintptr_t)text,
		  .iov_len = strlen(text) },
		{ .iov_base = (char[]){ '\n' }, .iov_len = 1 },
	};
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void turn_away(int fd, const struct err *e)
{
	struct json_object *m = rpc_failure_new(
		NULL, rpc_error_json(RPC_CODE_SERVER, e, RPC_TRY_AGAIN));

	if (m)
		rpc_server_say(fd, json_object_to_json_string_ext(
					   m, JSON_C_TO_STRING_PLAIN));
	json_object_put(m);
	close(fd);
}

static void incoming(struct listener *l, int fd)
{
	struct rpc_server *s = container_of(l, struct rpc_server, listener);
	struct err e = { 0 };

	if (s->stats.connections >= RPC_CONNECTIONS_MAX) {
		s->stats.n_refused++;
		err_set(&e, -EAGAIN,
		        "%u control connections are open, which is the limit; "
		        "try again when one has closed",
		        s->stats.connections);
		turn_away(fd, &e);
		return;
	}
	if (rpc_server_accept(s, fd, NULL, NULL, NULL) != 0)
		s->stats.n_refused++;
}

int rpc_server_listen(struct rpc_server *s, const char *path, struct err *e)
{
	struct err why = { 0 };
	int err;

	s->listener.accepted = incoming;
	s->listener.n_exhausted = &s->stats.n_refused;
	err = listener_open(s->reactor, &s->listener, LISTENER_UNIX, path,
	                    &why);
	if (err == -EADDRINUSE)
		return err_set(e, err,
		               "another process serves %s; stop it first "
		               "(causeway --socket %s status)",
		               path, path);
	return err ? err_set(e, err, "%s", why.text) : 0;
}

int rpc_server_serve(struct rpc_server *s, int fd, void (*closed)(void *ctx),
                     void *ctx, struct err *e)
{
	return rpc_server_accept(s, fd, closed, ctx, e);
}
