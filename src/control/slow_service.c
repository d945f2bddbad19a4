/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/slow_service.h"

#include "base/base.h"
#include "control/describe.h"
#include "control/methods.h"
#include "core/log.h"
#include "rpc/server.h"
#include "volume/slow/slow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define SPIN_MAX_US 50

struct service {
	struct reactor *reactor;
	struct handoff handoff;
	struct slow *slow;
	struct rpc_server *rpc;
};

/* A call on its way through the slow stack. */
struct errand {
	struct rpc_call *call;
	struct service *service;
	struct json_object *(*result)(struct errand *x);
	char name[2 * HANDOFF_NAME]; /* of the pool or volume it is about */
};

static void errand_done(void *arg, const struct err *e)
{
	struct errand *x = arg;

	if (e->code)
		rpc_fail(x->call, e, RPC_OK);
	else
		rpc_reply(x->call, x->result ? x->result(x) : NULL);
	free(x);
}

static struct errand *errand_new(struct rpc_call *call, const char *name,
                                 struct json_object *(*result)(struct errand *))
{
	struct errand *x = calloc(1, sizeof(*x));
	struct err e = { 0 };

	if (!x) {
		err_set(&e, -ENOMEM, "no memory for the call");
		rpc_fail(call, &e, RPC_OK);
		return NULL;
	}
	x->call = call;
	x->service = rpc_call_ctx(call);
	x->result = result;
	snprintf(x->name, sizeof(x->name), "%s", name);
	return x;
}

static void fail(struct rpc_call *call, int code, const char *what,
                 const char *name, const char *list)
{
	struct err e = { 0 };

	err_set(&e, code,
	        "there is no %s %s; 'causeway %s list' shows those "
	        "there are",
	        what, name, list);
	rpc_fail(call, &e, RPC_OK);
}

/* -- pools ---------------------------------------------------------------- */

static const char *member_state(enum slow_member_state s)
{
	switch (s) {
	case SLOW_MEMBER_ONLINE:
		return "online";
	case SLOW_MEMBER_FAILED:
		return "failed";
	case SLOW_MEMBER_MISSING:
		return "missing";
	}
	return "unknown";
}

/* The pool with what only the slow stack knows of its members. */
static struct json_object *pool_in_full(struct service *s, unsigned slot)
{
	struct json_object *o = describe_pool(&s->handoff, slot);
	struct json_object *drives = json_object_new_array();
	struct slow_member member[32];
	unsigned n =
		slow_pool_members(s->slow, slot, member, ARRAY_LEN(member));

	for (unsigned i = 0; i < n && i < ARRAY_LEN(member); i++) {
		struct json_object *d = json_object_new_object();

		describe_string(d, "name",
		                member[i].name[0] ? member[i].name : "?");
		describe_string(d, "state", member_state(member[i].state));
		describe_int(d, "size", member[i].size);
		if (member[i].why[0])
			describe_string(d, "why", member[i].why);
		json_object_array_add(drives, d);
	}
	json_object_object_add(o, "drives", drives);
	if (slow_pool_why(s->slow, slot)[0])
		describe_string(o, "why", slow_pool_why(s->slow, slot));
	return o;
}

static struct json_object *pool_result(struct errand *x)
{
	int slot = describe_find_pool(&x->service->handoff, x->name);

	return slot < 0 ? NULL : pool_in_full(x->service, (unsigned)slot);
}

/* Slots of the drives that are named; -1 with the call failed. */
static int named_drives(struct rpc_call *call, struct json_object *params,
                        uint16_t *slots, unsigned max)
{
	struct service *s = rpc_call_ctx(call);
	size_t n = rpc_strings(params, "drives");

	for (size_t i = 0; i < n && i < max; i++) {
		const char *name = rpc_strings_at(params, "drives", i);
		int slot = describe_find_drive(&s->handoff, name);

		if (slot < 0) {
			fail(call, -ENOENT, "drive", name, "drive");
			return -1;
		}
		slots[i] = (uint16_t)slot;
	}
	return (int)(n < max ? n : max);
}

typedef void (*pool_fn)(struct slow *s, const char *pool,
                        const uint16_t *drives, unsigned n, slow_done_fn done,
                        void *arg);

static void with_drives(struct rpc_call *call, struct json_object *params,
                        pool_fn act)
{
	struct service *s = rpc_call_ctx(call);
	const char *pool = rpc_string(params, "pool");
	uint16_t slots[METHODS_DRIVES_MAX];
	int n = named_drives(call, params, slots, ARRAY_LEN(slots));
	struct errand *x;

	if (n < 0)
		return;
	x = errand_new(call, pool, pool_result);
	if (x)
		act(s->slow, pool, slots, (unsigned)n, errand_done, x);
}

static void pool_create(struct rpc_call *call, struct json_object *params)
{
	with_drives(call, params, slow_pool_create);
}

static void pool_grow(struct rpc_call *call, struct json_object *params)
{
	with_drives(call, params, slow_pool_grow);
}

static void pool_list(struct rpc_call *call, struct json_object *params)
{
	struct service *s = rpc_call_ctx(call);
	struct json_object *out = json_object_new_object();
	struct json_object *pools = json_object_new_array();

	(void)params;
	for (unsigned i = 0; i < HANDOFF_POOLS; i++)
		if (s->handoff.pools[i].state != HANDOFF_POOL_FREE)
			json_object_array_add(pools, pool_in_full(s, i));
	json_object_object_add(out, "pools", pools);
	rpc_reply(call, out);
}

static void pool_show(struct rpc_call *call, struct json_object *params)
{
	struct service *s = rpc_call_ctx(call);
	const char *name = rpc_string(params, "pool");
	int slot = describe_find_pool(&s->handoff, name);

	if (slot < 0)
		fail(call, -ENOENT, "pool", name, "pool");
	else
		rpc_reply(call, pool_in_full(s, (unsigned)slot));
}

/* -- volumes -------------------------------------------------------------- */

static struct json_object *volume_result(struct errand *x)
{
	int slot = describe_find_volume(&x->service->handoff, x->name);

	return slot < 0 ? NULL
	                : describe_volume(&x->service->handoff, (unsigned)slot);
}

static void volume_create(struct rpc_call *call, struct json_object *params)
{
	struct service *s = rpc_call_ctx(call);
	const char *name = rpc_string(params, "volume");
	char pool[METHODS_NAME_MAX + 1], volume[METHODS_NAME_MAX + 1];
	enum raid_profile profile = RAID5;
	struct errand *x = errand_new(call, name, volume_result);

	if (!x)
		return;
	methods_split_volume(name, pool, volume);
	if (rpc_has(params, "raid"))
		geometry_profile_parse(rpc_string(params, "raid"), &profile);
	slow_volume_create(s->slow, pool, volume, rpc_size(params, "size"),
	                   profile, errand_done, x);
}

static void volume_delete(struct rpc_call *call, struct json_object *params)
{
	struct service *s = rpc_call_ctx(call);
	const char *name = rpc_string(params, "volume");
	char pool[METHODS_NAME_MAX + 1], volume[METHODS_NAME_MAX + 1];
	struct errand *x = errand_new(call, name, NULL);

	if (!x)
		return;
	methods_split_volume(name, pool, volume);
	slow_volume_delete(s->slow, pool, volume, errand_done, x);
}

static void volume_list(struct rpc_call *call, struct json_object *params)
{
	struct service *s = rpc_call_ctx(call);
	struct json_object *out = json_object_new_object();

	(void)params;
	json_object_object_add(out, "volumes", describe_volumes(&s->handoff));
	rpc_reply(call, out);
}

static void volume_show(struct rpc_call *call, struct json_object *params)
{
	struct service *s = rpc_call_ctx(call);
	const char *name = rpc_string(params, "volume");
	int slot = describe_find_volume(&s->handoff, name);

	if (slot < 0)
		fail(call, -ENOENT, "volume", name, "volume");
	else
		rpc_reply(call, describe_volume(&s->handoff, (unsigned)slot));
}

/* -- the daemon's own calls ----------------------------------------------- */

static const struct rpc_param slot_param[] = {
	{ .name = "drive",
	  .type = RPC_INT,
	  .required = true,
	  .min = 0,
	  .max = HANDOFF_DRIVES - 1,
	  .doc = "slot of the drive" },
};

const struct rpc_method slow_service_methods[] = {
	{ .name = "slow.drive_appeared",
	  .doc = "A drive has been opened",
	  .params = slot_param,
	  .n_params = ARRAY_LEN(slot_param) },
	{ .name = "slow.drive_fail",
	  .doc = "Take a member out of its pool",
	  .params = slot_param,
	  .n_params = ARRAY_LEN(slot_param) },
	{ .name = "slow.describe",
	  .doc = "What each drive is, and why a pool is offline" },
	{ .name = "slow.quiesce", .doc = "Commit and write checkpoints" },
};
const size_t slow_service_methods_count = ARRAY_LEN(slow_service_methods);

static void drive_appeared(struct rpc_call *call, struct json_object *params)
{
	struct service *s = rpc_call_ctx(call);
	struct errand *x = errand_new(call, "", NULL);

	if (x)
		slow_drive_appeared(s->slow, (uint16_t)rpc_int(params, "drive"),
		                    errand_done, x);
}

static void drive_fail(struct rpc_call *call, struct json_object *params)
{
	struct service *s = rpc_call_ctx(call);
	struct errand *x = errand_new(call, "", NULL);

	if (x)
		slow_drive_fail(s->slow, (uint16_t)rpc_int(params, "drive"),
		                errand_done, x);
}

static struct json_object *words_of_drives(const struct service *s)
{
	struct json_object *out = json_object_new_object();
	char words[512];

	for (unsigned i = 0; i < HANDOFF_DRIVES; i++) {
		const struct handoff_drive *d = &s->handoff.drives[i];

		if (!__atomic_load_n(&d->present, __ATOMIC_ACQUIRE))
			continue;
		slow_drive_describe(s->slow, (uint16_t)i, words, sizeof(words));
		describe_string(out, d->name, words);
	}
	return out;
}

static struct json_object *words_of_pools(const struct service *s)
{
	struct json_object *out = json_object_new_object();

	for (unsigned i = 0; i < HANDOFF_POOLS; i++)
		if (slow_pool_why(s->slow, i)[0])
			describe_string(out, s->handoff.pools[i].name,
			                slow_pool_why(s->slow, i));
	return out;
}

static void describe(struct rpc_call *call, struct json_object *params)
{
	struct service *s = rpc_call_ctx(call);
	struct json_object *out = json_object_new_object();

	(void)params;
	json_object_object_add(out, "drives", words_of_drives(s));
	json_object_object_add(out, "pools", words_of_pools(s));
	rpc_reply(call, out);
}

static void quiesce(struct rpc_call *call, struct json_object *params)
{
	struct service *s = rpc_call_ctx(call);
	struct errand *x = errand_new(call, "", NULL);

	(void)params;
	if (x)
		slow_quiesce(s->slow, errand_done, x);
}

/* -- life ----------------------------------------------------------------- */

static const struct rpc_binding bindings[] = {
	{ "pool.create", pool_create },     { "pool.list", pool_list },
	{ "pool.show", pool_show },         { "pool.grow", pool_grow },
	{ "volume.create", volume_create }, { "volume.list", volume_list },
	{ "volume.show", volume_show },     { "volume.delete", volume_delete },
};

static const struct rpc_binding own_bindings[] = {
	{ "slow.drive_appeared", drive_appeared },
	{ "slow.drive_fail", drive_fail },
	{ "slow.describe", describe },
	{ "slow.quiesce", quiesce },
};

/* The daemon is gone or wants us gone: there is nothing to save. */
static void daemon_left(void *ctx)
{
	struct service *s = ctx;

	reactor_stop(s->reactor);
}

static int serve(struct service *s, int fd, struct err *e)
{
	const struct rpc_service services[] = {
		{ .methods = methods_slow,
		  .n_methods = methods_slow_count,
		  .bindings = bindings,
		  .n_bindings = ARRAY_LEN(bindings),
		  .ctx = s },
		{ .methods = slow_service_methods,
		  .n_methods = slow_service_methods_count,
		  .bindings = own_bindings,
		  .n_bindings = ARRAY_LEN(own_bindings),
		  .ctx = s },
	};
	int err = rpc_server_create(s->reactor, services, ARRAY_LEN(services),
	                            &s->rpc, e);

	return err ? err : rpc_server_serve(s->rpc, fd, daemon_left, s, e);
}

int slow_service_run(const int *fds, unsigned n_fds)
{
	const struct reactor_opts opts = { .name = "slow",
		                           .spin_max_us = SPIN_MAX_US };
	struct service s = { 0 };
	struct err e = { 0 };
	char words[512];
	int err;

	log_set_role("slow");
	for (unsigned i = 0; i < n_fds; i++)
		fcntl(fds[i], F_SETFD, FD_CLOEXEC);
	err = reactor_create(&opts, &s.reactor, &e);
	if (!err)
		reactor_bind(s.reactor);
	if (!err)
		err = handoff_attach(fds + 1, n_fds - 1, &s.handoff, &e);
	if (!err)
		err = slow_create(
			&(struct slow_opts){ .handoff = &s.handoff,
		                             .reactor = s.reactor,
		                             .commit_interval_ms = 1000 },
			&s.slow, &e);
	if (!err)
		err = serve(&s, fds[0], &e);
	if (err) {
		log_event(LOG_LEVEL_ERROR, "the slow stack cannot start",
		          "why=%s", log_quote(words, sizeof(words), e.text));
		return 1;
	}
	reactor_run(s.reactor);
	return 0;
}
