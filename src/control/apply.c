/* SPDX-License-Identifier: BSD-2-Clause */
/*
 *   ASK ---- status ----> COMPARE --- is there, equal ---> next call, ASK
 *    ^                       | is not there
 *    |                       v
 *    +--- "try again" ---- CALL --- done ---> next call, ASK
 */
#include "control/apply.h"

#include "base/base.h"
#include "base/clock.h"
#include "core/reactor.h"
#include "rpc/client.h"
#include "rpc/server.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <sys/socket.h>

#define RETRY_NS (200 * NS_PER_MS)
#define PATIENCE_NS (30 * NS_PER_S)

struct apply {
	struct reactor *reactor;
	struct rpc_client *client;
	const struct config *config;
	size_t next; /* call */
	uint64_t since_ns;
	struct rpc_request request;
	struct timer timer;
	apply_done_fn done;
	void *ctx;
	bool cancelled;
};

static void asked(struct rpc_request *q, const struct rpc_outcome *outcome);
static void called(struct rpc_request *q, const struct rpc_outcome *outcome);

static void finish(struct apply *a, const struct err *e)
{
	apply_done_fn done = a->done;
	void *ctx = a->ctx;

	apply_cancel(a);
	done(ctx, e);
}

static void request(struct apply *a, const char *method,
                    struct json_object *params, rpc_done_fn done)
{
	struct err e = { 0 };
	int err;

	a->request.done = done;
	a->request.timeout_ns = PATIENCE_NS;
	err = rpc_client_call(a->client, &a->request, method, params);
	if (err) {
		err_set(&e, err, "the configuration could not be applied");
		finish(a, &e);
	}
}

/* Start on the next call, or on this one again. */
static void go_on(struct timer *t)
{
	struct apply *a = container_of(t, struct apply, timer);

	if (a->next == a->config->n_calls)
		finish(a, NULL);
	else
		request(a, "status", NULL, asked);
}

/* Not at once: a callback is on the stack. */
static void schedule(struct apply *a, uint64_t delay_ns)
{
	struct err e = { 0 };

	if (timer_start(a->reactor, &a->timer, delay_ns) == 0)
		return;
	err_set(&e, -ENOMEM, "out of memory for a timer");
	finish(a, &e);
}

static void advance(struct apply *a)
{
	a->next++;
	a->since_ns = clock_now_ns();
	schedule(a, 0);
}

static void failed(struct apply *a, const struct rpc_error *error)
{
	const struct config_call *call = &a->config->calls[a->next];
	struct err e = { 0 };

	if (error->class == RPC_TRY_AGAIN &&
	    clock_now_ns() - a->since_ns < PATIENCE_NS) {
		schedule(a, RETRY_NS);
		return;
	}
	err_set(&e, -EIO, "line %u: %s: %.300s", call->line, call->method->name,
	        error->text);
	finish(a, &e);
}

static void asked(struct rpc_request *q, const struct rpc_outcome *outcome)
{
	struct apply *a = container_of(q, struct apply, request);
	const struct config_call *call;
	struct err e = { 0 };
	int got;

	if (a->cancelled)
		return;
	if (outcome->error) {
		failed(a, outcome->error);
		return;
	}
	call = &a->config->calls[a->next];
	got = config_compare(call, outcome->result, &e);
	if (got < 0)
		finish(a, &e);
	else if (got == 0)
		advance(a);
	else
		request(a, call->method->name, json_object_get(call->params),
		        called);
}

static void called(struct rpc_request *q, const struct rpc_outcome *outcome)
{
	struct apply *a = container_of(q, struct apply, request);

	if (a->cancelled)
		return;
	if (outcome->error)
		failed(a, outcome->error);
	else
		advance(a);
}

int apply_start(struct reactor *r, struct rpc_server *server,
                const struct config *config, apply_done_fn done, void *ctx,
                struct apply **out, struct err *e)
{
	struct apply *a = calloc(1, sizeof(*a));
	int fd[2], err;

	if (!a)
		return err_set(e, -ENOMEM, "out of memory");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	               fd) != 0) {
		err = err_set(e, -errno,
		              "no descriptor is left to apply the "
		              "configuration with");
		goto free_apply;
	}
	err = rpc_client_create(r, fd[0], NULL, NULL, &a->client, e);
	if (err) {
		close(fd[1]);
		goto free_apply;
	}
	err = rpc_server_serve(server, fd[1], NULL, NULL, e);
	if (err)
		goto destroy_client;
	a->reactor = r;
	a->config = config;
	a->done = done;
	a->ctx = ctx;
	a->since_ns = clock_now_ns();
	a->timer.fire = go_on;
	err = timer_start(r, &a->timer, 0);
	if (err) {
		err_set(e, err, "out of memory for a timer");
		goto destroy_client;
	}
	*out = a;
	return 0;

destroy_client:
	rpc_client_destroy(a->client);
free_apply:
	free(a);
	return err;
}

void apply_cancel(struct apply *a)
{
	if (!a)
		return;
	a->cancelled = true;
	timer_stop(a->reactor, &a->timer);
	rpc_client_destroy(a->client);
	free(a);
}
