/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/daemon_priv.h"

#include "base/base.h"
#include "control/describe.h"
#include "core/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define REMOVE_DEADLINE_MS 5000

/* -- serving -------------------------------------------------------------- */

static int extents(void *arg, uint64_t offset, uint64_t length,
                   struct nbd_extent *out, unsigned max)
{
	struct fast_extent some[64];
	unsigned n = max < ARRAY_LEN(some) ? max : ARRAY_LEN(some);

	n = fast_volume_extents(arg, offset, length, some, n);
	for (unsigned i = 0; i < n; i++)
		out[i] = (struct nbd_extent){ some[i].length, some[i].hole };
	return (int)n;
}

static int start(struct daemon *n, struct daemon_export *x, struct err *e)
{
	const struct nbd_address at = { x->kind, x->address };
	struct nbd_export_info info = { .name = x->volume, .extents = extents };
	int err = fast_volume_open(n->fast, x->volume, &x->device, e);

	if (err)
		return err;
	info.device = x->device;
	info.arg = x->device;
	err = nbd_export_add(n->nbd, &at, &info, &x->nbd, e);
	if (err) {
		block_close(x->device);
		x->device = NULL;
	}
	return err;
}

void daemon_exports_start(struct daemon *n)
{
	LIST_FOREACH (node, &n->exports) {
		struct daemon_export *x =
			list_entry(node, struct daemon_export, link);
		struct err e = { 0 };
		char words[512];

		if (x->nbd || x->gone)
			continue;
		x->why[0] = '\0';
		if (!start(n, x, &e))
			continue;
		snprintf(x->why, sizeof(x->why), "%s", e.text);
		log_event(LOG_LEVEL_WARN, "an export is not served",
		          "export=%s why=%s", x->name,
		          log_quote(words, sizeof(words), e.text));
	}
}

void daemon_exports_leave(struct daemon *n)
{
	LIST_FOREACH (node, &n->exports) {
		struct daemon_export *x =
			list_entry(node, struct daemon_export, link);

		x->gone = true;
		x->nbd = NULL; /* it ends with its last client */
	}
}

/* -- as JSON -------------------------------------------------------------- */

static const char *const op_names[NBD_OPS] = {
	[NBD_OP_READ] = "read",         [NBD_OP_WRITE] = "write",
	[NBD_OP_FLUSH] = "flush",       [NBD_OP_TRIM] = "trim",
	[NBD_OP_WRITE_ZEROES] = "zero", [NBD_OP_BLOCK_STATUS] = "block_status",
};

static void add_stats(struct json_object *o, const struct daemon_export *x)
{
	static struct nbd_export_stats stats; /* large; control thread only */
	struct json_object *ops = json_object_new_object();

	nbd_export_stats(x->nbd, &stats);
	describe_int(o, "clients", stats.connections);
	for (unsigned i = 0; i < NBD_OPS; i++) {
		const struct nbd_op_stats *s = &stats.op[i];
		struct json_object *op = json_object_new_object();

		describe_int(op, "count", s->latency.count);
		describe_int(op, "errors", s->errors);
		describe_int(op, "bytes", s->bytes);
		describe_int(op, "p50_ns",
		             histogram_percentile(&s->latency, 50));
		describe_int(op, "p99_ns",
		             histogram_percentile(&s->latency, 99));
		json_object_object_add(ops, op_names[i], op);
	}
	json_object_object_add(o, "ops", ops);
}

static struct json_object *export_json(const struct daemon_export *x)
{
	struct json_object *o = json_object_new_object();
	char address[DAEMON_ADDRESS_MAX + 16];
	const char *colon = strrchr(x->address, ':');

	if (x->kind == NBD_UNIX)
		snprintf(address, sizeof(address), "unix:%s", x->address);
	else
		snprintf(address, sizeof(address), "tcp:%.*s:%u",
		         (int)(colon - x->address), x->address,
		         x->nbd ? nbd_export_port(x->nbd) : 0u);
	describe_string(o, "name", x->name);
	describe_string(o, "type", "nbd");
	describe_string(o, "volume", x->volume);
	describe_string(o, "address", address);
	describe_string(o, "state", x->nbd ? "online" : "offline");
	if (x->nbd)
		add_stats(o, x);
	else
		describe_string(o, "why", x->why);
	return o;
}

struct json_object *daemon_exports_json(struct daemon *n)
{
	struct json_object *out = json_object_new_array();

	LIST_FOREACH (node, &n->exports) {
		struct daemon_export *x =
			list_entry(node, struct daemon_export, link);

		if (!x->gone)
			json_object_array_add(out, export_json(x));
	}
	return out;
}

void daemon_export_list(struct rpc_call *call, struct json_object *params)
{
	struct daemon *n = rpc_call_ctx(call);
	struct json_object *o = json_object_new_object();

	(void)params;
	json_object_object_add(o, "exports", daemon_exports_json(n));
	rpc_reply(call, o);
}

/* -- create --------------------------------------------------------------- */

static struct daemon_export *find(struct daemon *n, const char *name)
{
	LIST_FOREACH (node, &n->exports) {
		struct daemon_export *x =
			list_entry(node, struct daemon_export, link);

		if (!strcmp(x->name, name))
			return x;
	}
	return NULL;
}

const char *daemon_export_of(struct daemon *n, const char *volume)
{
	LIST_FOREACH (node, &n->exports) {
		struct daemon_export *x =
			list_entry(node, struct daemon_export, link);

		if (!x->gone && !strcmp(x->volume, volume))
			return x->name;
	}
	return NULL;
}

static void free_name(struct daemon *n, char *out, size_t size)
{
	for (unsigned i = 1;; i++) {
		snprintf(out, size, "nbd%u", i);
		if (!find(n, out))
			return;
	}
}

static struct daemon_export *export_new(struct daemon *n,
                                        struct json_object *params)
{
	struct daemon_export *x = calloc(1, sizeof(*x));
	bool is_unix = rpc_has(params, "unix");

	if (!x)
		return NULL;
	x->node = n;
	x->kind = is_unix ? NBD_UNIX : NBD_TCP;
	snprintf(x->address, sizeof(x->address), "%s",
	         rpc_string(params, is_unix ? "unix" : "tcp"));
	snprintf(x->volume, sizeof(x->volume), "%s",
	         rpc_string(params, "volume"));
	if (rpc_has(params, "name"))
		snprintf(x->name, sizeof(x->name), "%s",
		         rpc_string(params, "name"));
	else
		free_name(n, x->name, sizeof(x->name));
	return x;
}

static void removed(void *arg);

void daemon_export_create(struct rpc_call *call, struct json_object *params)
{
	struct daemon *n = rpc_call_ctx(call);
	struct daemon_export *x;
	struct err e = { 0 };

	if (n->stopping) {
		daemon_fail(call, -EAGAIN, "this node is stopping");
		return;
	}
	if (n->n_exports == DAEMON_EXPORTS_MAX) {
		daemon_fail(call, -ENOSPC,
		            "%u exports are the most a node has; "
		            "remove one with 'causeway export "
		            "remove NAME'",
		            DAEMON_EXPORTS_MAX);
		return;
	}
	if (rpc_has(params, "name") && find(n, rpc_string(params, "name"))) {
		daemon_fail(
			call, -EEXIST,
			"there is an export %s already; choose another name",
			rpc_string(params, "name"));
		return;
	}
	x = export_new(n, params);
	if (!x) {
		daemon_fail(call, -ENOMEM, "no memory for one more export");
		return;
	}
	if (start(n, x, &e)) {
		free(x);
		rpc_fail(call, &e, RPC_OK);
		return;
	}
	list_append(&n->exports, &x->link);
	n->n_exports++;
	if (daemon_save(n, &e)) {
		x->gone = true;
		nbd_export_remove(x->nbd, 0, removed, x);
		rpc_fail(call, &e, RPC_OK);
		return;
	}
	rpc_reply(call, export_json(x));
}

/* -- remove --------------------------------------------------------------- */

static void removed(void *arg)
{
	struct daemon_export *x = arg;

	block_close(x->device);
	list_remove(&x->link);
	x->node->n_exports--;
	if (x->removing)
		rpc_reply(x->removing, NULL);
	free(x);
}

void daemon_export_remove(struct rpc_call *call, struct json_object *params)
{
	struct daemon *n = rpc_call_ctx(call);
	const char *name = rpc_string(params, "name");
	struct daemon_export *x = find(n, name);
	struct err e = { 0 };

	if (!x || x->gone) {
		daemon_fail(call, -ENOENT,
		            "there is no export %s; 'causeway "
		            "export list' shows those there are",
		            name);
		return;
	}
	x->gone = true;
	if (daemon_save(n, &e)) {
		x->gone = false;
		rpc_fail(call, &e, RPC_OK);
		return;
	}
	x->removing = call;
	if (x->nbd)
		nbd_export_remove(x->nbd, REMOVE_DEADLINE_MS, removed, x);
	else
		removed(x);
}
