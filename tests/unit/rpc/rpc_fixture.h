/* SPDX-License-Identifier: BSD-2-Clause */
/* A reactor driven by hand and a server with a few calls, for tests/rpc. */
#ifndef TESTS_UNIT_RPC_FIXTURE_H
#define TESTS_UNIT_RPC_FIXTURE_H

#include "base/base.h"
#include "core/reactor.h"
#include "rpc/client.h"
#include "rpc/server.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define KEPT_MAX 2048

static struct reactor *reactor;
static struct rpc_server *server;
static struct rpc_call *kept[KEPT_MAX]; /* what `later` was called for */
static unsigned n_kept;
static unsigned n_closed;

static const struct rpc_param echo_params[] = {
	{ .name = "text", .type = RPC_STRING, .required = true, .doc = "t" },
};

static const struct rpc_param big_params[] = {
	{ .name = "bytes", .type = RPC_SIZE, .required = true, .doc = "n" },
};

static const struct rpc_method methods[] = {
	{ "echo", "Say it back", echo_params, 1 },
	{ "later", "Answer some time", NULL, 0 },
	{ "full", "Fail", NULL, 0 },
	{ "big", "Answer at length", big_params, 1 },
	{ "destroy", "End the server in a handler", NULL, 0 },
	{ "unbound", "Nobody serves this", NULL, 0 },
};

static inline void echo(struct rpc_call *call, struct json_object *params)
{
	rpc_reply(call, json_object_get(params));
}

static inline void later(struct rpc_call *call, struct json_object *params)
{
	(void)params;
	assert_true(n_kept < KEPT_MAX);
	kept[n_kept++] = call;
}

static inline void full(struct rpc_call *call, struct json_object *params)
{
	struct err e = { 0 };

	(void)params;
	err_set(&e, -ENOSPC, "pool tank is full; grow it");
	rpc_fail(call, &e, RPC_OK);
}

static inline void big(struct rpc_call *call, struct json_object *params)
{
	size_t n = rpc_size(params, "bytes");
	char *text = malloc(n + 1);
	struct json_object *o = json_object_new_object();

	memset(text, 'x', n);
	text[n] = '\0';
	json_object_object_add(o, "text", json_object_new_string(text));
	free(text);
	rpc_reply(call, o);
}

static inline void destroy(struct rpc_call *call, struct json_object *params)
{
	(void)params;
	rpc_server_destroy(server);
	server = NULL;
	rpc_reply(call, NULL);
}

static const struct rpc_binding bindings[] = {
	{ "echo", echo }, { "later", later },     { "full", full },
	{ "big", big },   { "destroy", destroy },
};

static inline void count_closed(void *ctx)
{
	(void)ctx;
	n_closed++;
}

static inline int setup(void **state)
{
	const struct rpc_service service = {
		.methods = methods,
		.n_methods = ARRAY_LEN(methods),
		.bindings = bindings,
		.n_bindings = ARRAY_LEN(bindings),
	};
	struct reactor_opts opts = { .name = "test" };

	(void)state;
	n_kept = 0;
	n_closed = 0;
	assert_int_equal(reactor_create(&opts, &reactor, NULL), 0);
	assert_int_equal(rpc_server_create(reactor, &service, 1, &server, NULL),
	                 0);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	while (n_kept)
		rpc_reply(kept[--n_kept], NULL);
	rpc_server_destroy(server);
	reactor_destroy(reactor);
	return 0;
}

static inline void pump(void)
{
	for (int i = 0; i < 8; i++)
		while (reactor_poll(reactor))
			;
}

/* Pump until `ms` have passed. */
static inline void pump_for(unsigned ms)
{
	for (unsigned i = 0; i <= ms; i++) {
		pump();
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
}

/* A client's end of a connection; does not block. */
static inline int client_fd(void)
{
	int fd[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	assert_int_equal(
		rpc_server_serve(server, fd[1], count_closed, NULL, NULL), 0);
	return fd[0];
}

static inline void put(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL),
	                 strlen(text));
}

/* What has come so far; "" if nothing, "EOF" at the end. */
static inline const char *take(int fd)
{
	static char text[RPC_OUT_MAX];
	ssize_t n, got = 0;

	pump();
	while ((n = recv(fd, text + got, sizeof(text) - 1 - (size_t)got,
	                 MSG_DONTWAIT)) > 0) {
		got += n;
		pump();
	}
	if (got == 0 && (n == 0 || errno == ECONNRESET))
		return "EOF";
	text[got] = '\0';
	return text;
}

static inline void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%.300s\" lacks \"%s\"", text, part);
}

#define CALL(id, method)                                                       \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\"}"
#define ECHO(id, text)                                                         \
	"{\"jsonrpc\":\"2.0\",\"id\":" id                                      \
	",\"method\":\"echo\",\"params\":{\"text\":\"" text "\"}}"
#define ECHOED(id, text)                                                       \
	"{\"jsonrpc\":\"2.0\",\"result\":{\"text\":\"" text "\"},\"id\":" id   \
	"}\n"

#endif /* TESTS_UNIT_RPC_FIXTURE_H */
