/* SPDX-License-Identifier: BSD-2-Clause */
#include "rpc/server.h"

#include "base/base.h"
#include "base/clock.h"
#include "rpc/message.h"
#include "rpc/server_priv.h"

#include <assert.h>
#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#define NAMES_MAX 256 /* method names that did-you-mean looks at */

struct conn {
	struct stream stream;
	struct list link; /* in server->conns */
	struct rpc_server *server;
	void (*closed)(void *ctx);
	void *closed_ctx;
};

struct rpc_call {
	struct list link;          /* in server->calls */
	struct rpc_server *server; /* NULL: destroyed */
	struct conn *conn;         /* NULL: the client has gone */
	struct json_object *message;
	struct rpc_request_view view; /* borrowed from message */
	const struct rpc_service *service;
	void *ctx;
};

/* -- ending a call -------------------------------------------------------- */

/* Send `m`, or if that cannot be, why. */
static void send_or_explain(struct conn *conn, struct json_object *id,
                            struct json_object *m)
{
	struct err e = { 0 };
	int err = m ? rpc_stream_send(&conn->stream, m) : -ENOMEM;

	if (!err)
		return;
	err_set(&e, err,
	        err == -EMSGSIZE ? "the answer is over %u bytes; ask for less"
	                         : "out of memory for the answer (limit %u)",
	        RPC_MESSAGE_MAX);
	m = rpc_failure_new(
		id, rpc_error_json(RPC_CODE_SERVER, &e, rpc_class_of(err)));
	if (m)
		rpc_stream_send(&conn->stream, m);
}

static void free_call(struct rpc_call *call)
{
	if (call->server)
		call->server->stats.calls--;
	list_remove(&call->link);
	json_object_put(call->message);
	free(call);
}

/* Takes `m`: the whole message, or NULL if memory ran out. */
static void end_call(struct rpc_call *call, struct json_object *m)
{
	struct conn *conn = call->conn;

	if (conn && !call->view.notification) {
		conn->stream.owed--;
		send_or_explain(conn, call->view.id, m);
	} else {
		json_object_put(m);
	}
	free_call(call);
}

void rpc_reply(struct rpc_call *call, struct json_object *result)
{
	if (!result)
		result = json_object_new_object();
	end_call(call, rpc_result_new(call->view.id, result));
}

static void fail_call(struct rpc_call *call, enum rpc_code code,
                      const struct err *e, enum rpc_class class)
{
	if (class == RPC_OK)
		class = rpc_class_of(e->code);
	rpc_fail_json(call, rpc_error_json(code, e, class));
}

void rpc_fail(struct rpc_call *call, const struct err *e, enum rpc_class class)
{
	assert(e->code < 0);
	fail_call(call, RPC_CODE_SERVER, e, class);
}

void rpc_fail_json(struct rpc_call *call, struct json_object *error)
{
	if (call->server)
		call->server->stats.n_failed++;
	end_call(call, error ? rpc_failure_new(call->view.id, error) : NULL);
}

const char *rpc_call_method(const struct rpc_call *call)
{
	return call->view.method;
}

struct json_object *rpc_call_params(const struct rpc_call *call)
{
	return call->view.params;
}

void *rpc_call_ctx(const struct rpc_call *call)
{
	return call->ctx;
}

bool rpc_call_orphaned(const struct rpc_call *call)
{
	return !call->conn;
}

/* -- rpc.methods ---------------------------------------------------------- */

static const struct rpc_method builtin = {
	.name = "rpc.methods",
	.doc = "The methods of this server with their parameters",
};

static void describe(struct rpc_call *call, struct json_object *params)
{
	struct json_object *result = json_object_new_object();
	struct json_object *list = json_object_new_array();
	struct rpc_server *s = call->server;

	(void)params;
	for (size_t i = 0; i < s->n_services; i++)
		for (size_t j = 0; j < s->services[i].n_methods; j++)
			json_object_array_add(
				list,
				rpc_method_json(&s->services[i].methods[j]));
	json_object_array_add(list, rpc_method_json(&builtin));
	json_object_object_add(result, "methods", list);
	rpc_reply(call, result);
}

/* -- dispatch ------------------------------------------------------------- */

static const struct rpc_method *find_method(struct rpc_call *call)
{
	const struct rpc_server *s = call->server;

	for (size_t i = 0; i < s->n_services; i++) {
		const struct rpc_service *service = &s->services[i];

		for (size_t j = 0; j < service->n_methods; j++)
			if (strcmp(service->methods[j].name,
			           call->view.method) == 0) {
				call->service = service;
				call->ctx = service->ctx;
				return &service->methods[j];
			}
	}
	if (strcmp(builtin.name, call->view.method) == 0)
		return &builtin;
	return NULL;
}

static void refuse_method(struct rpc_call *call)
{
	const struct rpc_server *s = call->server;
	const char *names[NAMES_MAX];
	struct err e = { 0 };
	const char *hint;
	size_t n = 0;

	for (size_t i = 0; i < s->n_services; i++)
		for (size_t j = 0; j < s->services[i].n_methods; j++)
			if (n < NAMES_MAX)
				names[n++] = s->services[i].methods[j].name;
	hint = rpc_closest(call->view.method, names, n);
	if (hint)
		err_set(&e, -ENOSYS,
		        "unknown method '%.60s'; did you mean '%s'?",
		        call->view.method, hint);
	else
		err_set(&e, -ENOSYS,
		        "unknown method '%.60s'; 'rpc.methods' lists those "
		        "that there are",
		        call->view.method);
	fail_call(call, RPC_CODE_METHOD, &e, RPC_USAGE);
}

static rpc_handler_fn find_handler(const struct rpc_call *call)
{
	const struct rpc_service *service = call->service;

	if (!service)
		return describe;
	for (size_t i = 0; i < service->n_bindings; i++)
		if (strcmp(service->bindings[i].method, call->view.method) == 0)
			return service->bindings[i].handler;
	return service->fallback;
}

static void dispatch(struct rpc_call *call)
{
	const struct rpc_method *method = find_method(call);
	rpc_handler_fn handler;
	struct err e = { 0 };

	if (!method) {
		refuse_method(call);
		return;
	}
	if (rpc_check(method->params, method->n_params, call->view.params, NULL,
	              &e) != 0) {
		fail_call(call, RPC_CODE_PARAMS, &e, RPC_USAGE);
		return;
	}
	handler = find_handler(call);
	if (!handler) {
		err_set(&e, -ENOSYS, "'%s' is not served by this process",
		        method->name);
		fail_call(call, RPC_CODE_METHOD, &e, RPC_FAILED);
		return;
	}
	handler(call, call->view.params);
}

/* -- connections ---------------------------------------------------------- */

/* Answer a message that never became a call. */
static void refuse(struct conn *conn, struct json_object *id,
                   enum rpc_code code, const struct err *e,
                   enum rpc_class class)
{
	struct json_object *m =
		rpc_failure_new(id, rpc_error_json(code, e, class));

	conn->server->stats.n_failed++;
	if (m)
		rpc_stream_send(&conn->stream, m);
}

static void on_message(struct stream *stream, struct json_object *message)
{
	struct conn *conn = container_of(stream, struct conn, stream);
	struct rpc_server *s = conn->server;
	struct rpc_request_view view;
	struct err e = { 0 };
	struct rpc_call *call = NULL;

	s->stats.n_calls++;
	if (rpc_request_read(message, &view, &e) != 0) {
		refuse(conn, view.id, RPC_CODE_REQUEST, &e, RPC_USAGE);
		return;
	}
	if (s->stats.calls < RPC_CALLS_TOTAL)
		call = calloc(1, sizeof(*call));
	if (!call) {
		err_set(&e, -EAGAIN,
		        "'%.60s' was not started: %u calls are in progress",
		        view.method, s->stats.calls);
		refuse(conn, view.id, RPC_CODE_SERVER, &e, RPC_TRY_AGAIN);
		return;
	}
	call->server = s;
	call->conn = conn;
	call->message = json_object_get(message);
	call->view = view;
	list_append(&s->calls, &call->link);
	s->stats.calls++;
	if (!view.notification)
		stream->owed++;
	dispatch(call);
}

/* The last words to a client that is cut off. */
static void say_why(struct stream *stream, const struct err *e)
{
	struct json_object *m = rpc_failure_new(
		NULL, rpc_error_json(RPC_CODE_PARSE, e, RPC_USAGE));
	const char *text = json_object_to_json_string_ext(
		m, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	/* Not in the middle of a reply, and without waiting. */
	if (m && text && rpc_stream_unsent(stream) == 0)
		rpc_server_say(stream->watch.fd, text);
	json_object_put(m);
}

static void on_ended(struct stream *stream, const struct err *e)
{
	struct conn *conn = container_of(stream, struct conn, stream);
	struct rpc_server *s = conn->server;
	void (*closed)(void *ctx) = conn->closed;
	void *closed_ctx = conn->closed_ctx;

	if (e->code)
		say_why(stream, e);
	if (e->code == -ETIMEDOUT)
		s->stats.n_stalled++;
	else if (e->code)
		s->stats.n_protocol++;
	list_remove(&conn->link);
	s->stats.connections--;
	LIST_FOREACH (node, &s->calls) {
		struct rpc_call *call = list_entry(node, struct rpc_call, link);

		if (call->conn == conn)
			call->conn = NULL;
	}
	rpc_stream_close(stream);
	if (closed)
		closed(closed_ctx);
}

static void on_released(struct stream *stream)
{
	free(container_of(stream, struct conn, stream));
}

static const struct stream_ops conn_ops = {
	.message = on_message,
	.ended = on_ended,
	.released = on_released,
};

int rpc_server_accept(struct rpc_server *s, int fd, void (*closed)(void *ctx),
                      void *ctx, struct err *e)
{
	struct conn *conn = calloc(1, sizeof(*conn));
	int err;

	if (!conn) {
		close(fd);
		return err_set(e, -ENOMEM, "out of memory for a connection");
	}
	err = rpc_stream_open(&conn->stream, s->reactor, fd, &conn_ops,
	                      RPC_REQUEST_VALUES);
	if (err) {
		free(conn);
		return err_set(e, err, "cannot watch a connection: %s",
		               strerror(-err));
	}
	conn->stream.max_owed = RPC_CALLS_MAX;
	conn->stream.max_unsent = RPC_OUT_MAX;
	conn->stream.stall_ns = s->stall_ms * NS_PER_MS;
	conn->server = s;
	conn->closed = closed;
	conn->closed_ctx = ctx;
	list_append(&s->conns, &conn->link);
	s->stats.connections++;
	return 0;
}

/* -- the server ----------------------------------------------------------- */

int rpc_server_create(struct reactor *r, const struct rpc_service *services,
                      size_t n, struct rpc_server **out, struct err *e)
{
	struct rpc_server *s = calloc(1, sizeof(*s) + n * sizeof(*services));

	if (!s)
		return err_set(e, -ENOMEM, "out of memory for an RPC server");
	s->reactor = r;
	s->stall_ms = RPC_STALL_MS;
	list_init(&s->conns);
	list_init(&s->calls);
	s->n_services = n;
	if (n)
		memcpy(s->services, services, n * sizeof(*services));
	*out = s;
	return 0;
}

void rpc_server_destroy(struct rpc_server *s)
{
	struct list *node;

	if (!s)
		return;
	listener_close(&s->listener);
	while ((node = list_pop(&s->calls))) {
		struct rpc_call *call = list_entry(node, struct rpc_call, link);

		call->server = NULL;
		call->conn = NULL;
		call->service = NULL;
	}
	while ((node = list_pop(&s->conns)))
		rpc_stream_close(&list_entry(node, struct conn, link)->stream);
	free(s);
}

void rpc_server_stats(const struct rpc_server *s, struct rpc_server_stats *out)
{
	*out = s->stats;
}

void rpc_server_set_stall(struct rpc_server *s, unsigned stall_ms)
{
	s->stall_ms = stall_ms;
}
