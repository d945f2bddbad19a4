/* SPDX-License-Identifier: BSD-2-Clause */
/* Windows of this node, and the grants of other nodes. */
#include "control/daemon_priv.h"

#include "base/base.h"
#include "control/describe.h"
#include "core/log.h"
#include "fabric/service.h"
#include "window/window.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* In the order of methods_rights.  Who may write may do atomics. */
static const unsigned rights_bits[] = {
	FABRIC_RIGHT_READ,
	FABRIC_RIGHT_WRITE,
	FABRIC_RIGHT_READ | FABRIC_RIGHT_WRITE | FABRIC_RIGHT_ATOMIC,
};

static uint64_t now_s(void)
{
	return (uint64_t)time(NULL);
}

/* -- on the fabric's reactor ----------------------------------------------- */

/* 0 means no end, so one that is just over has a millisecond left. */
static uint64_t left_ms(const struct state_grant *g)
{
	uint64_t now = now_s();

	if (!g->expires_s)
		return 0;
	return g->expires_s > now ? (g->expires_s - now) * 1000 : 1;
}

static int allow(struct daemon *n, const struct state_window *w,
                 const struct state_grant *g, struct err *e)
{
	const struct window_limits limits = {
		.lease_ms = left_ms(g),
		.bytes_per_s = g->bytes_per_s,
		.ops_per_s = g->ops_per_s,
	};

	return window_allow(n->fabric.host, w->name, g->node,
	                    rights_bits[g->rights], &limits, e);
}

static int make(struct daemon *n, struct state_window *w, struct err *e)
{
	int err = window_create(n->fabric.host, w->name, w->size,
	                        w->file[0] ? w->file : NULL, e);

	if (err)
		return err;
	LIST_FOREACH (link, &w->grants) {
		err = allow(n, w, list_entry(link, struct state_grant, link),
		            e);
		if (err) {
			window_remove(n->fabric.host, w->name, NULL);
			return err;
		}
	}
	w->live = w; /* it is served */
	return 0;
}

/* Leases that ended while the node was down have ended. */
static void drop_expired(struct state_window *w)
{
	LIST_FOREACH (link, &w->grants) {
		struct state_grant *g =
			list_entry(link, struct state_grant, link);

		if (g->expires_s && g->expires_s <= now_s())
			state_remove_grant(w, g);
	}
}

void daemon_window_restore(struct daemon *n, struct state_window *w)
{
	struct err e = { 0 };
	char words[512];

	drop_expired(w);
	if (make(n, w, &e))
		log_event(LOG_LEVEL_WARN, "a window cannot be served",
		          "window=%s why=%s", w->name,
		          log_quote(words, sizeof(words), e.text));
}

struct changing {
	struct state_window *window;
	const struct state_grant *grant;
	const char *node; /* NULL: all */
	struct err e;
};

static void make_one(struct daemon *n, void *arg)
{
	struct changing *c = arg;

	make(n, c->window, &c->e);
}

static void remove_one(struct daemon *n, void *arg)
{
	struct changing *c = arg;

	window_remove(n->fabric.host, c->window->name, NULL);
}

static void allow_one(struct daemon *n, void *arg)
{
	struct changing *c = arg;

	allow(n, c->window, c->grant, &c->e);
}

static void revoke_some(struct daemon *n, void *arg)
{
	struct changing *c = arg;

	window_revoke(n->fabric.host, c->window->name, c->node, NULL);
}

/* -- as JSON -------------------------------------------------------------- */

static const char *rights_name(unsigned bits)
{
	bool read = bits & FABRIC_RIGHT_READ, write = bits & FABRIC_RIGHT_WRITE;

	return read && write ? "rw" : write ? "wo" : read ? "ro" : "none";
}

static void add_key(void *ctx, const struct window_key_info *k)
{
	struct json_object *o = json_object_new_object();

	describe_string(o, "id", k->id);
	if (k->window)
		describe_string(o, "window", k->window);
	else
		describe_int(o, "pid", (uint64_t)k->owner);
	describe_string(o, "node", k->holder);
	json_object_object_add(o, "local", json_object_new_boolean(k->local));
	describe_string(o, "rights", rights_name(k->rights));
	describe_int(o, "length", k->length);
	if (k->lease_ms)
		describe_int(o, "lease_ms", k->lease_ms);
	if (k->bytes_per_s)
		describe_int(o, "bytes_per_s", k->bytes_per_s);
	if (k->ops_per_s)
		describe_int(o, "ops_per_s", k->ops_per_s);
	describe_int(o, "reads", k->n_reads);
	describe_int(o, "writes", k->n_writes);
	describe_int(o, "atomics", k->n_atomics);
	describe_int(o, "bytes_read", k->bytes_read);
	describe_int(o, "bytes_written", k->bytes_written);
	describe_int(o, "refused", k->n_refused);
	json_object_array_add(ctx, o);
}

static void gather_keys(struct daemon *n, void *arg)
{
	window_each_key(n->fabric.host, add_key, arg);
}

static struct json_object *keys_json(struct daemon *n)
{
	struct json_object *out = json_object_new_array();

	daemon_on_fabric(n, gather_keys, out);
	return out;
}

/* The key of `node` for `window`, borrowed; NULL: its lease has ended. */
static struct json_object *key_of(struct json_object *keys, const char *window,
                                  const char *node)
{
	for (size_t i = 0; i < json_object_array_length(keys); i++) {
		struct json_object *o = json_object_array_get_idx(keys, i);
		const char *of = rpc_string(o, "window");

		if (of && !strcmp(of, window) &&
		    !strcmp(rpc_string(o, "node"), node))
			return o;
	}
	return NULL;
}

static struct json_object *grants_json(const struct state_window *w,
                                       struct json_object *keys)
{
	struct json_object *out = json_object_new_array();

	LIST_FOREACH (link, &w->grants) {
		const struct state_grant *g =
			list_entry(link, struct state_grant, link);
		struct json_object *key = key_of(keys, w->name, g->node);
		struct json_object *o = json_object_new_object();

		if (key) {
			json_object_put(o);
			o = json_object_get(key);
		} else {
			describe_string(o, "node", g->node);
			describe_string(o, "rights", methods_rights[g->rights]);
			json_object_object_add(o, "expired",
			                       json_object_new_boolean(true));
		}
		json_object_array_add(out, o);
	}
	return out;
}

static struct json_object *window_json(const struct state_window *w,
                                       struct json_object *keys)
{
	struct json_object *o = json_object_new_object();

	describe_string(o, "name", w->name);
	describe_int(o, "size", w->size);
	if (w->file[0])
		describe_string(o, "file", w->file);
	describe_string(o, "state", w->live ? "online" : "offline");
	json_object_object_add(o, "grants", grants_json(w, keys));
	return o;
}

static struct json_object *all_json(struct daemon *n, struct json_object *keys)
{
	struct json_object *out = json_object_new_array();

	LIST_FOREACH (link, &n->fabric.windows)
		json_object_array_add(
			out,
			window_json(list_entry(link, struct state_window, link),
		                    keys));
	return out;
}

struct json_object *daemon_windows_json(struct daemon *n)
{
	struct json_object *keys = keys_json(n);
	struct json_object *out = all_json(n, keys);

	json_object_put(keys);
	return out;
}

static void reply_window(struct rpc_call *call, const struct state_window *w)
{
	struct json_object *keys = keys_json(rpc_call_ctx(call));

	rpc_reply(call, window_json(w, keys));
	json_object_put(keys);
}

/* -- calls ---------------------------------------------------------------- */

static struct state_window *named(struct rpc_call *call,
                                  struct json_object *params)
{
	struct daemon *n = rpc_call_ctx(call);
	const char *name = rpc_string(params, "name");
	struct state_window *w = state_find_window(&n->fabric.windows, name);

	if (!w)
		daemon_fail(
			call, -ENOENT,
			"there is no window %s; 'causeway window list' shows "
			"those there are",
			name);
	return w;
}

static struct state_window *window_new(struct daemon *n,
                                       struct json_object *params,
                                       struct err *e)
{
	struct state_window *w = state_add_window(
		&n->fabric.windows, rpc_string(params, "name"), e);

	if (!w)
		return NULL;
	w->size = rpc_size(params, "size");
	if (rpc_has(params, "file"))
		snprintf(w->file, sizeof(w->file), "%s",
		         rpc_string(params, "file"));
	for (size_t i = 0; i < rpc_strings(params, "allow"); i++) {
		char node[METHODS_NAME_MAX + 1];
		struct state_grant *g;
		unsigned rights = 0;

		methods_split_allow(rpc_strings_at(params, "allow", i), node,
		                    &rights);
		g = state_add_grant(w, node, e);
		if (!g) {
			state_remove_window(w);
			return NULL;
		}
		g->rights = rights;
	}
	return w;
}

void daemon_window_create(struct rpc_call *call, struct json_object *params)
{
	struct daemon *n = rpc_call_ctx(call);
	struct changing c = { 0 };

	if (rpc_size(params, "size") % 4096) {
		daemon_fail(call, -EINVAL,
		            "a window's size is a multiple of 4096 bytes");
		return;
	}
	c.window = window_new(n, params, &c.e);
	if (c.window)
		daemon_on_fabric(n, make_one, &c);
	if (c.window && !c.e.code && daemon_save(n, &c.e))
		daemon_on_fabric(n, remove_one, &c);
	if (c.e.code) {
		if (c.window)
			state_remove_window(c.window);
		rpc_fail(call, &c.e, RPC_OK);
		return;
	}
	reply_window(call, c.window);
}

static void read_grant(struct state_grant *g, struct json_object *params)
{
	const char *rights = rpc_string(params, "rights");

	while (strcmp(methods_rights[g->rights], rights) != 0)
		g->rights++;
	if (rpc_has(params, "lease_s"))
		g->expires_s = now_s() + (uint64_t)rpc_int(params, "lease_s");
	g->bytes_per_s = rpc_size(params, "bytes_per_s");
	g->ops_per_s = (uint64_t)rpc_int(params, "ops_per_s");
}

/*
 * On disk first: what a crash in between leaves is a grant that comes into
 * force with the next start, as it was asked for.
 */
void daemon_window_grant(struct rpc_call *call, struct json_object *params)
{
	struct daemon *n = rpc_call_ctx(call);
	struct changing c = { .window = named(call, params) };
	const char *node = rpc_string(params, "node");
	struct state_grant *g, old;
	bool is_new;

	if (!c.window)
		return;
	g = state_find_grant(c.window, node);
	is_new = !g;
	if (is_new)
		g = state_add_grant(c.window, node, &c.e);
	if (!g) {
		rpc_fail(call, &c.e, RPC_OK);
		return;
	}
	old = *g;
	g->rights = 0;
	g->expires_s = 0;
	read_grant(g, params);
	c.grant = g;
	if (!daemon_save(n, &c.e))
		daemon_on_fabric(n, allow_one, &c);
	if (!c.e.code) {
		reply_window(call, c.window);
		return;
	}
	if (is_new) {
		state_remove_grant(c.window, g);
	} else {
		g->rights = old.rights;
		g->expires_s = old.expires_s;
		g->bytes_per_s = old.bytes_per_s;
		g->ops_per_s = old.ops_per_s;
	}
	daemon_save(n, NULL);
	rpc_fail(call, &c.e, RPC_OK);
}

/* On disk first: a grant that was revoked never comes back. */
void daemon_window_revoke(struct rpc_call *call, struct json_object *params)
{
	struct daemon *n = rpc_call_ctx(call);
	struct changing c = { .window = named(call, params) };
	struct list gone = LIST_INIT(gone);
	struct state_grant *g = NULL;

	if (!c.window)
		return;
	if (rpc_has(params, "node")) {
		c.node = rpc_string(params, "node");
		g = state_find_grant(c.window, c.node);
		if (!g) {
			daemon_fail(call, -ENOENT,
			            "node %s may not reach window %s anyway",
			            c.node, c.window->name);
			return;
		}
		list_remove(&g->link);
		list_append(&gone, &g->link);
	} else {
		list_splice(&gone, &c.window->grants);
	}
	if (daemon_save(n, &c.e)) {
		list_splice(&c.window->grants, &gone);
		rpc_fail(call, &c.e, RPC_OK);
		return;
	}
	daemon_on_fabric(n, revoke_some, &c);
	LIST_FOREACH (link, &gone)
		state_remove_grant(c.window,
		                   list_entry(link, struct state_grant, link));
	reply_window(call, c.window);
}

void daemon_window_list(struct rpc_call *call, struct json_object *params)
{
	struct daemon *n = rpc_call_ctx(call);
	struct json_object *o = json_object_new_object();
	struct json_object *keys = keys_json(n);

	(void)params;
	json_object_object_add(o, "windows", all_json(n, keys));
	json_object_object_add(o, "keys", keys);
	rpc_reply(call, o);
}

void daemon_window_remove(struct rpc_call *call, struct json_object *params)
{
	struct daemon *n = rpc_call_ctx(call);
	struct changing c = { .window = named(call, params) };

	if (!c.window)
		return;
	list_remove(&c.window->link);
	if (daemon_save(n, &c.e)) {
		list_append(&n->fabric.windows, &c.window->link);
		rpc_fail(call, &c.e, RPC_OK);
		return;
	}
	daemon_on_fabric(n, remove_one, &c);
	state_remove_window(c.window);
	rpc_reply(call, NULL);
}
