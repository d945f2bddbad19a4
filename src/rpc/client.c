/* SPDX-License-Identifier: BSD-2-Clause */
#include "rpc/client.h"

#include "base/base.h"
#include "base/clock.h"
#include "core/reactor.h"
#include "rpc/message.h"
#include "rpc/server.h"
#include "rpc/stream_priv.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

struct rpc_client {
	struct stream stream;
	struct reactor *reactor;
	struct timer timer; /* the earliest deadline */
	struct list pending;
	unsigned n_pending;
	uint64_t next_id;
	bool gone;
	void (*closed)(void *ctx);
	void *ctx;
};

/* -- deadlines ------------------------------------------------------------ */

static void arm(struct rpc_client *c)
{
	uint64_t now = clock_now_ns();
	uint64_t due = UINT64_MAX;

	LIST_FOREACH (node, &c->pending) {
		struct rpc_request *q =
			list_entry(node, struct rpc_request, link);

		if (q->due_ns && q->due_ns < due)
			due = q->due_ns;
	}
	if (due == UINT64_MAX)
		timer_stop(c->reactor, &c->timer);
	else
		timer_start(c->reactor, &c->timer, due > now ? due - now : 0);
}

static void fail(struct rpc_client *c, struct rpc_request *q,
                 const struct err *e)
{
	struct rpc_error error;
	struct rpc_outcome outcome = { .error = &error };

	rpc_error_set(&error, e, RPC_TRY_AGAIN);
	list_remove(&q->link);
	c->n_pending--;
	q->done(q, &outcome);
}

static struct rpc_request *next_overdue(struct rpc_client *c, uint64_t now)
{
	LIST_FOREACH (node, &c->pending) {
		struct rpc_request *q =
			list_entry(node, struct rpc_request, link);

		if (q->due_ns && q->due_ns <= now)
			return q;
	}
	return NULL;
}

static void overdue(struct timer *t)
{
	struct rpc_client *c = container_of(t, struct rpc_client, timer);
	uint64_t now = clock_now_ns();
	struct rpc_request *q;
	struct err e = { 0 };

	err_set(&e, -ETIMEDOUT, "no answer in time; try again");
	rpc_stream_hold(&c->stream);
	/* A callback may have changed the list, so look afresh. */
	while (!c->gone && (q = next_overdue(c, now)))
		fail(c, q, &e);
	if (!c->gone)
		arm(c);
	rpc_stream_drop(&c->stream);
}

/* -- the stream's callbacks ----------------------------------------------- */

static struct rpc_request *find(struct rpc_client *c, uint64_t id)
{
	LIST_FOREACH (node, &c->pending) {
		struct rpc_request *q =
			list_entry(node, struct rpc_request, link);

		if (q->id == id)
			return q;
	}
	return NULL;
}

static void on_message(struct stream *s, struct json_object *message)
{
	struct rpc_client *c = container_of(s, struct rpc_client, stream);
	struct rpc_outcome outcome = { 0 };
	struct rpc_reply_view reply;
	struct rpc_request *q;
	struct rpc_error error;

	if (rpc_reply_read(message, &reply, NULL) != 0)
		return; /* its request will time out */
	q = find(c, reply.id);
	if (!q)
		return; /* Q3 */
	list_remove(&q->link);
	c->n_pending--;
	if (list_empty(&c->pending))
		timer_stop(c->reactor, &c->timer);
	if (reply.error) {
		rpc_error_read(reply.error, &error);
		outcome.error = &error;
		outcome.error_json = reply.error;
	} else {
		outcome.result = reply.result;
	}
	q->done(q, &outcome);
}

/* New requests are refused from here on: a done() that tries again at once
 * must not go round for ever. */
static void fail_all(struct rpc_client *c)
{
	struct list pending, *node;
	struct err e = { 0 };

	c->gone = true;
	timer_stop(c->reactor, &c->timer);
	err_set(&e, -ECONNRESET,
	        "the process that was asked went away before it answered; "
	        "try again");
	list_init(&pending);
	list_splice(&pending, &c->pending);
	while ((node = list_pop(&pending)))
		fail(c, list_entry(node, struct rpc_request, link), &e);
}

static void on_ended(struct stream *s, const struct err *e)
{
	struct rpc_client *c = container_of(s, struct rpc_client, stream);

	(void)e;
	fail_all(c);
	if (c->closed && !s->closed)
		c->closed(c->ctx);
}

static void on_released(struct stream *s)
{
	free(container_of(s, struct rpc_client, stream));
}

static const struct stream_ops client_ops = {
	.message = on_message,
	.ended = on_ended,
	.released = on_released,
};

/* -- public --------------------------------------------------------------- */

int rpc_client_create(struct reactor *r, int fd, void (*closed)(void *ctx),
                      void *ctx, struct rpc_client **out, struct err *e)
{
	struct rpc_client *c = calloc(1, sizeof(*c));
	int err;

	if (!c) {
		close(fd);
		return err_set(e, -ENOMEM, "out of memory for an RPC client");
	}
	err = rpc_stream_open(&c->stream, r, fd, &client_ops, RPC_REPLY_VALUES);
	if (err) {
		free(c);
		return err_set(e, err, "cannot watch a connection: %s",
		               strerror(-err));
	}
	c->reactor = r;
	c->timer = (struct timer){ .fire = overdue };
	c->next_id = 1;
	c->closed = closed;
	c->ctx = ctx;
	list_init(&c->pending);
	*out = c;
	return 0;
}

void rpc_client_destroy(struct rpc_client *c)
{
	if (!c)
		return;
	rpc_stream_hold(&c->stream);
	rpc_stream_close(&c->stream);
	fail_all(c);
	rpc_stream_drop(&c->stream);
}

int rpc_client_call(struct rpc_client *c, struct rpc_request *q,
                    const char *method, struct json_object *params)
{
	struct json_object *m;
	int err = 0;

	if (c->gone)
		err = -ENOTCONN;
	else if (c->n_pending >= RPC_PENDING_MAX ||
	         rpc_stream_unsent(&c->stream) >= RPC_UNSENT_MAX)
		err = -EAGAIN;
	if (err) {
		json_object_put(params);
		return err;
	}
	m = rpc_request_new(method, params, c->next_id);
	err = m ? rpc_stream_send(&c->stream, m) : -ENOMEM;
	if (err)
		return err;

	q->id = c->next_id++;
	q->due_ns = q->timeout_ns ? clock_now_ns() + q->timeout_ns : 0;
	list_append(&c->pending, &q->link);
	c->n_pending++;
	if (q->due_ns)
		arm(c);
	return 0;
}

/* -- forwarding ----------------------------------------------------------- */

struct forward {
	struct rpc_request request;
	struct rpc_call *call;
	const char *who;
};

/* `why` says what is wrong with the peer. */
static void fail_forward(struct rpc_call *call, const char *who,
                         const char *why)
{
	struct err e = { 0 };

	err_set(&e, -EAGAIN,
	        "'%.60s' was not answered: %s %s; what it had done by then is "
	        "kept, so look with a list command, then try again",
	        rpc_call_method(call), who, why);
	rpc_fail(call, &e, RPC_TRY_AGAIN);
}

static void forwarded(struct rpc_request *q, const struct rpc_outcome *outcome)
{
	struct forward *f = container_of(q, struct forward, request);

	if (outcome->result)
		rpc_reply(f->call, json_object_get(outcome->result));
	else if (outcome->error_json)
		rpc_fail_json(f->call, json_object_get(outcome->error_json));
	else if (strcmp(outcome->error->code, "ETIMEDOUT") == 0)
		fail_forward(f->call, f->who, "did not answer in time");
	else
		fail_forward(f->call, f->who, "went away and is restarted");
	free(f);
}

void rpc_forward(struct rpc_call *call, struct rpc_client *c, const char *who,
                 uint64_t timeout_ns)
{
	struct forward *f = NULL;
	int err = -ENOTCONN;

	if (c) {
		f = calloc(1, sizeof(*f));
		err = -ENOMEM;
	}
	if (f) {
		f->request.done = forwarded;
		f->request.timeout_ns = timeout_ns;
		f->call = call;
		f->who = who;
		err = rpc_client_call(c, &f->request, rpc_call_method(call),
		                      json_object_get(rpc_call_params(call)));
	}
	if (!err)
		return;
	free(f);
	fail_forward(call, who,
	             err == -ENOTCONN ? "is not running just now"
	                              : "has too much to do");
}
