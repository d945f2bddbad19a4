/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs with far memory on this node.  Each `causeway run` says once a
 * second how its program fares; who has not been heard of for a while has
 * ended.
 */
#include "control/daemon_priv.h"

#include "base/clock.h"

#include <errno.h>

#define SILENT_NS (3 * NS_PER_S)

static bool is_heard(const struct daemon_program *p, uint64_t now)
{
	return p->report && now - p->heard_ns < SILENT_NS;
}

/* The place of process `pid`, else one that is free; NULL: none is. */
static struct daemon_program *place_of(struct daemon *n, int64_t pid)
{
	uint64_t now = reactor_now_ns(n->reactor);
	struct daemon_program *free = NULL;

	for (size_t i = 0; i < DAEMON_PROGRAMS_MAX; i++) {
		struct daemon_program *p = &n->program[i];

		if (p->report && rpc_int(p->report, "pid") == pid)
			return p;
		if (!is_heard(p, now))
			free = p;
	}
	return free;
}

void daemon_far_report(struct rpc_call *call, struct json_object *params)
{
	struct daemon *n = rpc_call_ctx(call);
	struct daemon_program *p = place_of(n, rpc_int(params, "pid"));

	if (!p) {
		daemon_fail(call, -EBUSY, "more than %u programs report",
		            DAEMON_PROGRAMS_MAX);
		return;
	}
	json_object_put(p->report);
	p->report = json_object_get(params);
	p->heard_ns = reactor_now_ns(n->reactor);
	rpc_reply(call, NULL);
}

struct json_object *daemon_far_json(const struct daemon *n)
{
	struct json_object *out = json_object_new_array();
	uint64_t now = reactor_now_ns(n->reactor);

	for (size_t i = 0; i < DAEMON_PROGRAMS_MAX; i++)
		if (is_heard(&n->program[i], now))
			json_object_array_add(
				out, json_object_get(n->program[i].report));
	return out;
}

void daemon_far_free(void *ctx)
{
	struct daemon *n = ctx;

	for (size_t i = 0; i < DAEMON_PROGRAMS_MAX; i++) {
		json_object_put(n->program[i].report);
		n->program[i].report = NULL;
	}
}
