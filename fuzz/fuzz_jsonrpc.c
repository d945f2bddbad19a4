/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Feed bytes to a server's connection and to a client's.
 * Properties: a handler runs only with parameters that its table allows; the
 * server answers in whole messages; cutting the bytes elsewhere changes no
 * answer.
 */
#include "base/base.h"
#include "control/methods.h"
#include "core/reactor.h"
#include "rpc/client.h"
#include "rpc/frame.h"
#include "rpc/message.h"
#include "rpc/server.h"

#include <json-c/json.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ANSWERS_MAX (256u << 10)

static struct reactor *reactor;

static void handler(struct rpc_call *call, struct json_object *params)
{
	const struct rpc_method *m = methods_find(rpc_call_method(call));

	if (rpc_check(m->params, m->n_params, params, NULL, NULL) != 0)
		abort();
	rpc_reply(call, NULL);
}

static void spin(void)
{
	while (reactor_poll(reactor))
		;
}

/* Everything that comes back for `size` bytes sent `piece` at a time. */
static size_t answers(const uint8_t *data, size_t size, size_t piece, char *out)
{
	const struct rpc_service services[] = {
		{ .methods = methods_fast,
		  .n_methods = methods_fast_count,
		  .fallback = handler },
		{ .methods = methods_slow,
		  .n_methods = methods_slow_count,
		  .fallback = handler },
		{ .methods = methods_subnet,
		  .n_methods = methods_subnet_count,
		  .fallback = handler },
	};
	struct rpc_server *server;
	size_t got = 0;
	ssize_t n;
	int fd[2];

	if (rpc_server_create(reactor, services, 3, &server, NULL) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) ||
	    rpc_server_serve(server, fd[1], NULL, NULL, NULL))
		abort();
	for (size_t i = 0; i < size; i += (size_t)n) {
		size_t part = size - i < piece ? size - i : piece;

		n = send(fd[0], data + i, part, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		spin();
	}
	while ((n = recv(fd[0], out + got, ANSWERS_MAX - got, 0)) > 0) {
		got += (size_t)n;
		spin();
	}
	close(fd[0]);
	spin();
	rpc_server_destroy(server);
	return got;
}

static void check_answers(const char *text, size_t n)
{
	struct rpc_frame f = { 0 };
	size_t skip, used;

	for (size_t i = 0; i < n; i += used) {
		struct json_object *o = NULL;
		int got = rpc_frame_scan(&f, text + i, n - i, &skip, &used);

		if (got < 0)
			abort();
		if (got == 0)
			return; /* a last newline, or the room was over */
		if (rpc_parse(text + i + skip, f.length, &o, NULL) != 0)
			abort();
		json_object_put(o);
		rpc_frame_next(&f);
	}
}

static void done(struct rpc_request *q, const struct rpc_outcome *outcome)
{
	if (!outcome->result == !outcome->error)
		abort();
	q->id = 0;
}

/* The same bytes, as if they came from a server. */
static void as_reply(const uint8_t *data, size_t size)
{
	struct rpc_request q = { .done = done };
	struct rpc_client *client;
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) ||
	    rpc_client_create(reactor, fd[0], NULL, NULL, &client, NULL) ||
	    rpc_client_call(client, &q, "status", NULL))
		abort();
	send(fd[1], data, size, MSG_NOSIGNAL);
	close(fd[1]);
	spin();
	if (q.id != 0)
		abort(); /* the peer has gone: it must be done */
	rpc_client_destroy(client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char first[ANSWERS_MAX], second[ANSWERS_MAX];
	const struct reactor_opts opts = { .name = "fuzz" };
	size_t n, m;

	if (!reactor && reactor_create(&opts, &reactor, NULL) != 0)
		abort();
	if (size > 4096)
		return 0; /* what fits into the socket at once */
	n = answers(data, size, size + 1, first);
	check_answers(first, n);
	m = answers(data, size, 7, second);
	if (n != m || memcmp(first, second, n) != 0)
		abort();
	as_reply(data, size);
	return 0;
}
