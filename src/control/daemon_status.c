/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/daemon_priv.h"

#include "base/base.h"
#include "control/describe.h"

#include <string.h>

#define WORDS_NS (2 * NS_PER_S)

/* A status that waits for the slow stack's words: slow.describe. */
struct asking {
	struct rpc_request request;
	struct rpc_call *call;
	struct daemon *node;
};

static struct json_object *process(const char *role, pid_t pid,
                                   const char *state)
{
	struct json_object *o = json_object_new_object();

	describe_string(o, "role", role);
	if (pid > 0)
		describe_int(o, "pid", (uint64_t)pid);
	describe_string(o, "state", state);
	return o;
}

static struct json_object *processes(struct daemon *n, bool answers)
{
	struct json_object *out = json_object_new_array();
	struct json_object *slow;
	const char *state = daemon_slow_state(n);

	json_object_array_add(out, process("fast", getpid(), "running"));
	if (!answers && !strcmp(state, "running"))
		state = "not answering";
	slow = process("slow", n->slow.child.pid, state);
	describe_int(slow, "starts", n->slow.child.starts);
	json_object_array_add(out, slow);
	if (n->subnet.params)
		json_object_array_add(out, daemon_subnet_process(n));
	return out;
}

static struct json_object *stacks(struct daemon *n)
{
	struct json_object *o = json_object_new_object();
	struct fast_stats s;

	fast_stats(n->fast, &s);
	describe_int(o, "hits", s.hits);
	describe_int(o, "handoffs", s.handoffs);
	describe_int(o, "misses", s.misses);
	describe_int(o, "discards", s.discards);
	describe_int(o, "barriers", s.barriers);
	describe_int(o, "drive_errors", s.errors);
	describe_int(o, "timeouts", s.timeouts);
	return o;
}

/* With why one is offline, which only the slow stack knows. */
static struct json_object *pools(const struct daemon *n,
                                 struct json_object *words)
{
	struct json_object *out = describe_pools(&n->handoff);
	struct json_object *of = NULL, *name, *why;

	if (words)
		json_object_object_get_ex(words, "pools", &of);
	for (size_t i = 0; of && i < json_object_array_length(out); i++) {
		struct json_object *o = json_object_array_get_idx(out, i);

		if (json_object_object_get_ex(o, "name", &name) &&
		    json_object_object_get_ex(of, json_object_get_string(name),
		                              &why))
			describe_string(o, "why", json_object_get_string(why));
	}
	return out;
}

static void reply(struct daemon *n, struct rpc_call *call,
                  struct json_object *words)
{
	struct json_object *o = json_object_new_object();

	describe_string(o, "version", n->opts->version);
	describe_string(o, "node", n->name);
	json_object_object_add(o, "processes", processes(n, words != NULL));
	json_object_object_add(o, "drives", daemon_drives_json(n, words));
	json_object_object_add(o, "pools", pools(n, words));
	json_object_object_add(o, "volumes", describe_volumes(&n->handoff));
	json_object_object_add(o, "exports", daemon_exports_json(n));
	json_object_object_add(o, "peers", daemon_peers_json(n));
	json_object_object_add(o, "windows", daemon_windows_json(n));
	json_object_object_add(o, "programs", daemon_far_json(n));
	json_object_object_add(o, "stacks", stacks(n));
	if (n->subnet.params)
		json_object_object_add(o, "subnet", daemon_subnet_json(n));
	rpc_reply(call, o);
}

static void answered(struct rpc_request *q, const struct rpc_outcome *outcome)
{
	struct asking *a = container_of(q, struct asking, request);

	reply(a->node, a->call, outcome->result);
	free(a);
}

void daemon_status(struct rpc_call *call, struct json_object *params)
{
	struct daemon *n = rpc_call_ctx(call);
	struct asking *a = calloc(1, sizeof(*a));

	(void)params;
	if (a && n->slow.client && daemon_slow_serves(n)) {
		a->call = call;
		a->node = n;
		a->request.done = answered;
		a->request.timeout_ns = WORDS_NS;
		if (!rpc_client_call(n->slow.client, &a->request,
		                     "slow.describe", NULL))
			return;
	}
	free(a);
	reply(n, call, NULL);
}
