/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The subnet manager's process: started by subnet.up, again when it dies and
 * when the daemon starts, ended by subnet.down.
 *
 *     OFF --up--> OPENING --it says so--> UP --down--> LEAVING --> OFF
 *                   ^  |                   |
 *                   |  +-- not by `up` --+ | died
 *                   +--------------------+-+
 *
 * The fabric needs it for changes only: packets go on without it.
 */
#include "control/daemon_priv.h"

#include "base/base.h"
#include "control/describe.h"
#include "core/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define LOOK_NS (20 * NS_PER_MS)
#define STATUS_NS NS_PER_S
#define OPEN_NS (20 * NS_PER_S)
#define LEAVE_NS (2 * NS_PER_S)
#define CALL_NS (30 * NS_PER_S)
#define STOP_GRACE_MS 500

static struct daemon *node_of(struct daemon_subnet *sub)
{
	return container_of(sub, struct daemon, subnet);
}

static void forget_status(struct daemon_subnet *sub)
{
	json_object_put(sub->status);
	sub->status = NULL;
}

static void close_call_fd(struct daemon_subnet *sub)
{
	if (sub->call_fd >= 0)
		close(sub->call_fd);
	sub->call_fd = -1;
}

/* Off: everything is gone but the reason. */
static void end(struct daemon *n)
{
	struct daemon_subnet *sub = &n->subnet;
	struct rpc_call *call = sub->call;

	sub->step = DAEMON_SUBNET_OFF;
	sub->call = NULL;
	timer_stop(n->reactor, &sub->timer);
	child_stop(&sub->child, STOP_GRACE_MS);
	rpc_client_destroy(sub->client);
	sub->client = NULL;
	close_call_fd(sub);
	forget_status(sub);
	if (call)
		rpc_reply(call, NULL);
	daemon_subnet_ended(n);
}

/* -- one life ------------------------------------------------------------- */

static void answered(struct rpc_request *q, const struct rpc_outcome *outcome)
{
	struct daemon_subnet *sub =
		container_of(q, struct daemon_subnet, asking);

	sub->is_asking = false;
	if (!outcome->result)
		return;
	forget_status(sub);
	sub->status = json_object_get(outcome->result);
}

static void look(struct timer *t)
{
	struct daemon_subnet *sub =
		container_of(t, struct daemon_subnet, timer);
	struct daemon *n = node_of(sub);

	close_call_fd(sub); /* the child has its copy by now */
	if (sub->step == DAEMON_SUBNET_LEAVING) {
		end(n); /* it has had its time */
		return;
	}
	if (sub->step != DAEMON_SUBNET_UP)
		return;
	if (!sub->is_asking && sub->client) {
		sub->asking.done = answered;
		sub->asking.timeout_ns = STATUS_NS;
		sub->is_asking = !rpc_client_call(sub->client, &sub->asking,
		                                  "subnet.status", NULL);
	}
	timer_start(n->reactor, t, STATUS_NS);
}

/* What `up` was told, if there is somebody to tell. */
static void refuse(struct daemon *n, const struct rpc_outcome *outcome)
{
	struct daemon_subnet *sub = &n->subnet;
	struct rpc_call *call = sub->call;

	sub->call = NULL;
	json_object_put(sub->params);
	sub->params = NULL;
	if (outcome->error_json)
		rpc_fail_json(call, json_object_get(outcome->error_json));
	else
		daemon_fail(call, -ETIMEDOUT,
		            "the subnet manager could not open its port: %s; "
		            "with ibsim's preload, is there an ibsim?",
		            outcome->error->text);
	end(n);
}

static void opened(struct rpc_request *q, const struct rpc_outcome *outcome)
{
	struct daemon_subnet *sub =
		container_of(q, struct daemon_subnet, opening);
	struct daemon *n = node_of(sub);
	struct err e = { 0 };

	if (sub->step != DAEMON_SUBNET_OPENING)
		return;
	if (outcome->error && sub->call) {
		refuse(n, outcome);
		return;
	}
	if (outcome->error) { /* once more, after the backoff */
		snprintf(sub->why, sizeof(sub->why), "%s",
		         outcome->error->text);
		if (sub->child.pid > 0)
			kill(sub->child.pid, SIGKILL);
		return;
	}
	sub->why[0] = '\0';
	sub->step = DAEMON_SUBNET_UP;
	timer_start(n->reactor, &sub->timer, LOOK_NS);
	if (!sub->call)
		return;
	if (daemon_save(n, &e)) {
		rpc_fail(sub->call, &e, RPC_OK);
		sub->call = NULL;
		json_object_put(sub->params);
		sub->params = NULL;
		end(n);
		return;
	}
	rpc_reply(sub->call, json_object_get(sub->params));
	sub->call = NULL;
}

static void closed(void *ctx)
{
	(void)ctx; /* its process is ending: died() sees to all */
}

static int prepare(struct child *c, int fds[CHILD_FDS_MAX])
{
	struct daemon_subnet *sub =
		container_of(c, struct daemon_subnet, child);
	struct daemon *n = node_of(sub);
	int pair[2], err;

	close_call_fd(sub);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return -errno;
	rpc_client_destroy(sub->client);
	sub->client = NULL;
	err = rpc_client_create(n->reactor, pair[0], closed, n, &sub->client,
	                        NULL);
	if (!err) {
		sub->opening.done = opened;
		sub->opening.timeout_ns = OPEN_NS;
		sub->step = DAEMON_SUBNET_OPENING;
		err = rpc_client_call(sub->client, &sub->opening, "subnet.up",
		                      json_object_get(sub->params));
	}
	if (err) {
		close(pair[1]);
		return err;
	}
	sub->call_fd = pair[1];
	fds[0] = pair[1];
	timer_start(n->reactor, &sub->timer, LOOK_NS);
	return 1;
}

static void died(struct child *c, int status)
{
	struct daemon_subnet *sub =
		container_of(c, struct daemon_subnet, child);
	struct daemon *n = node_of(sub);

	if (sub->step == DAEMON_SUBNET_LEAVING) {
		end(n);
		return;
	}
	log_event(LOG_LEVEL_WARN, "the subnet manager has died", "status=%d",
	          status);
	sub->step = DAEMON_SUBNET_OPENING;
	forget_status(sub);
}

void daemon_subnet_init(struct daemon *n)
{
	struct daemon_subnet *sub = &n->subnet;

	sub->argv[0] = (char *)"causewayd";
	sub->argv[1] = (char *)"--sm";
	sub->argv[2] = (char *)n->opts->state_dir;
	sub->child = (struct child){ .argv = sub->argv,
		                     .name = "the subnet manager",
		                     .prepare = prepare,
		                     .died = died };
	sub->call_fd = -1;
	sub->timer.fire = look;
}

void daemon_subnet_start(struct daemon *n)
{
	struct err e = { 0 };
	char words[512];

	if (n->subnet.params && n->subnet.step == DAEMON_SUBNET_OFF &&
	    child_start(n->reactor, &n->subnet.child, &e))
		log_event(LOG_LEVEL_ERROR, "the subnet manager cannot start",
		          "why=%s", log_quote(words, sizeof(words), e.text));
}

bool daemon_subnet_is_off(const struct daemon *n)
{
	return n->subnet.step == DAEMON_SUBNET_OFF;
}

static void left(struct rpc_request *q, const struct rpc_outcome *outcome)
{
	(void)q;
	(void)outcome; /* its death is what is waited for */
}

void daemon_subnet_stop(struct daemon *n)
{
	struct daemon_subnet *sub = &n->subnet;

	if (sub->step == DAEMON_SUBNET_OFF ||
	    sub->step == DAEMON_SUBNET_LEAVING)
		return;
	if (sub->step == DAEMON_SUBNET_OPENING) {
		if (sub->call)
			daemon_fail(sub->call, -ECANCELED, "the node stops");
		sub->call = NULL;
		end(n);
		return;
	}
	sub->step = DAEMON_SUBNET_LEAVING;
	sub->leaving.done = left;
	sub->leaving.timeout_ns = LEAVE_NS;
	timer_start(n->reactor, &sub->timer, LEAVE_NS);
	if (rpc_client_call(sub->client, &sub->leaving, "subnet.down", NULL))
		end(n);
}

/* -- calls ----------------------------------------------------------------- */

static void up(struct rpc_call *call, struct json_object *params)
{
	struct daemon *n = rpc_call_ctx(call);
	struct daemon_subnet *sub = &n->subnet;
	struct err e = { 0 };

	if (n->stopping) {
		daemon_fail(call, -EAGAIN, "this node is stopping");
		return;
	}
	if (sub->params || sub->step != DAEMON_SUBNET_OFF) {
		daemon_fail(call, -EEXIST,
		            "a subnet manager is up already; 'causeway subnet "
		            "down' ends it");
		return;
	}
	sub->params =
		params ? json_object_get(params) : json_object_new_object();
	sub->call = call;
	if (!child_start(n->reactor, &sub->child, &e))
		return;
	sub->call = NULL;
	json_object_put(sub->params);
	sub->params = NULL;
	rpc_fail(call, &e, RPC_OK);
	end(n);
}

static bool is_up(struct rpc_call *call)
{
	struct daemon *n = rpc_call_ctx(call);

	if (n->subnet.params)
		return true;
	daemon_fail(call, -ENOENT,
	            "no subnet manager runs here; 'causeway subnet up' starts "
	            "one");
	return false;
}

static void down(struct rpc_call *call, struct json_object *params)
{
	struct daemon *n = rpc_call_ctx(call);
	struct daemon_subnet *sub = &n->subnet;
	struct json_object *asked = sub->params;
	struct err e = { 0 };

	(void)params;
	if (!is_up(call))
		return;
	if (sub->call || n->stopping) {
		daemon_fail(call, -EAGAIN, "the subnet manager is starting");
		return;
	}
	sub->params = NULL;
	if (daemon_save(n, &e)) {
		sub->params = asked;
		rpc_fail(call, &e, RPC_OK);
		return;
	}
	json_object_put(asked);
	if (sub->step == DAEMON_SUBNET_OPENING) {
		end(n);
		rpc_reply(call, NULL);
		return;
	}
	daemon_subnet_stop(n);
	if (sub->step == DAEMON_SUBNET_LEAVING)
		sub->call = call;
	else
		rpc_reply(call, NULL);
}

/* -- which hosts are aggregated: kept here, done there ----------------------
 */

struct errand {
	struct rpc_request request;
	struct rpc_call *call;
	struct daemon *node;
};

/* A new list with this GUID, or without it. */
static void note_host(struct daemon *n, const char *guid, bool off)
{
	struct json_object *was = NULL, *now = json_object_new_array();

	json_object_object_get_ex(n->subnet.params, "lag_off", &was);
	for (size_t i = 0; i < rpc_strings(n->subnet.params, "lag_off"); i++) {
		struct json_object *g = json_object_array_get_idx(was, i);

		if (strcmp(json_object_get_string(g), guid) != 0)
			json_object_array_add(now, json_object_get(g));
	}
	if (off)
		json_object_array_add(now, json_object_new_string(guid));
	json_object_object_add(n->subnet.params, "lag_off", now);
}

static void lag_changed(struct rpc_request *q,
                        const struct rpc_outcome *outcome)
{
	struct errand *x = container_of(q, struct errand, request);
	bool off = !strcmp(rpc_call_method(x->call), "lag.delete");
	struct daemon *n = x->node;
	struct err e = { 0 };

	if (outcome->error_json) {
		rpc_fail_json(x->call, json_object_get(outcome->error_json));
	} else if (outcome->error || !n->subnet.params) {
		daemon_fail(x->call, -EAGAIN, "the subnet manager is away");
	} else {
		note_host(n, rpc_string(outcome->result, "system"), off);
		if (daemon_save(n, &e))
			rpc_fail(x->call, &e, RPC_OK);
		else
			rpc_reply(x->call, json_object_get(outcome->result));
	}
	free(x);
}

static void change_lag(struct rpc_call *call, struct json_object *params)
{
	struct daemon *n = rpc_call_ctx(call);
	struct errand *x;

	if (!is_up(call))
		return;
	x = n->subnet.client ? calloc(1, sizeof(*x)) : NULL;
	if (x) {
		x->call = call;
		x->node = n;
		x->request.done = lag_changed;
		x->request.timeout_ns = CALL_NS;
	}
	if (!x ||
	    rpc_client_call(n->subnet.client, &x->request,
	                    rpc_call_method(call), json_object_get(params))) {
		free(x);
		daemon_fail(call, -EAGAIN, "the subnet manager is starting");
	}
}

static void forward(struct rpc_call *call, struct json_object *params)
{
	struct daemon *n = rpc_call_ctx(call);

	(void)params;
	if (is_up(call))
		rpc_forward(call, n->subnet.client, "the subnet manager",
		            CALL_NS);
}

static const struct rpc_binding bindings[] = {
	{ "subnet.up", up },
	{ "subnet.down", down },
	{ "lag.create", change_lag },
	{ "lag.delete", change_lag },
};

struct rpc_service daemon_subnet_service(struct daemon *n)
{
	return (struct rpc_service){ .methods = methods_subnet,
		                     .n_methods = methods_subnet_count,
		                     .bindings = bindings,
		                     .n_bindings = ARRAY_LEN(bindings),
		                     .fallback = forward,
		                     .ctx = n };
}

/* -- looking --------------------------------------------------------------- */

struct json_object *daemon_subnet_process(const struct daemon *n)
{
	const struct daemon_subnet *sub = &n->subnet;
	struct json_object *o;

	if (!sub->params)
		return NULL;
	o = json_object_new_object();
	describe_string(o, "role", "sm");
	if (sub->child.pid > 0)
		describe_int(o, "pid", (uint64_t)sub->child.pid);
	describe_string(o, "state",
	                sub->step == DAEMON_SUBNET_UP ? "running" : "starting");
	describe_int(o, "starts", sub->child.starts);
	if (sub->why[0])
		describe_string(o, "why", sub->why);
	return o;
}

struct json_object *daemon_subnet_json(const struct daemon *n)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "asked", json_object_get(n->subnet.params));
	if (n->subnet.status)
		json_object_object_add(o, "status",
		                       json_object_get(n->subnet.status));
	return o;
}
