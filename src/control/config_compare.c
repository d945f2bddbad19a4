/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/config.h"

#include "base/base.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

/* The element of status[list] whose `key` is `value`. */
static struct json_object *find(struct json_object *status, const char *list,
                                const char *key, const char *value)
{
	struct json_object *array = NULL;

	if (!json_object_object_get_ex(status, list, &array) ||
	    !json_object_is_type(array, json_type_array))
		return NULL;
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		struct json_object *o = json_object_array_get_idx(array, i);
		const char *got = rpc_string(o, key);

		if (got && strcmp(got, value) == 0)
			return o;
	}
	return NULL;
}

static int differs(const struct config_call *call, struct err *e,
                   const char *what, const char *is, const char *wanted)
{
	return err_set(e, -EEXIST,
	               "line %u: %s is there already with %.100s, and the file "
	               "says %.100s; change the file, or remove the old one "
	               "first",
	               call->line, what, is ? is : "something else", wanted);
}

static int compare_drive(const struct config_call *call,
                         struct json_object *status, struct err *e)
{
	const char *name = rpc_string(call->params, "name");
	const char *spec = rpc_string(call->params, "spec");
	struct json_object *there = find(status, "drives", "name", name);
	const char *is = there ? rpc_string(there, "spec") : NULL;
	char what[100];

	if (!there)
		return 1;
	if (is && strcmp(is, spec) == 0)
		return 0;
	snprintf(what, sizeof(what), "drive %s", name);
	return differs(call, e, what, is, spec);
}

/* Whether both lists of strings have the same, in whatever order. */
static bool same_strings(struct json_object *a, struct json_object *b,
                         const char *key)
{
	size_t n = rpc_strings(a, key);

	if (rpc_strings(b, key) != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		const char *text = rpc_strings_at(a, key, i);
		size_t k = 0;

		while (k < n && strcmp(rpc_strings_at(b, key, k), text) != 0)
			k++;
		if (k == n)
			return false;
	}
	return true;
}

static int compare_node(const struct config_call *call,
                        struct json_object *status, struct err *e)
{
	const char *name = rpc_string(call->params, "name");
	struct json_object *there = find(status, "peers", "name", name);
	const char *own = rpc_string(status, "node");
	char what[100];

	if (own && !strcmp(own, name))
		return 0; /* one file for all nodes */
	if (!there || !rpc_bool(there, "configured"))
		return 1; /* it may have come by itself */
	if (same_strings(call->params, there, "addresses"))
		return 0;
	snprintf(what, sizeof(what), "node %s", name);
	return differs(call, e, what, "other addresses", "these");
}

static bool is_granted(struct json_object *window, const char *allow)
{
	char node[METHODS_NAME_MAX + 1];
	struct json_object *grant;
	unsigned rights = 0;
	const char *is;

	if (methods_split_allow(allow, node, &rights))
		return false;
	grant = find(window, "grants", "node", node);
	is = grant ? rpc_string(grant, "rights") : NULL;
	return is && strcmp(is, methods_rights[rights]) == 0;
}

/* Grants that the file does not list are left alone: `window grant` made
 * them. */
static int compare_window(const struct config_call *call,
                          struct json_object *status, struct err *e)
{
	const char *name = rpc_string(call->params, "name");
	const char *file = rpc_string(call->params, "file");
	struct json_object *there = find(status, "windows", "name", name);
	const char *is = there ? rpc_string(there, "file") : NULL;
	char what[100], size[40];

	if (!there)
		return 1;
	snprintf(what, sizeof(what), "window %s", name);
	if (rpc_size(there, "size") != rpc_size(call->params, "size")) {
		snprintf(size, sizeof(size), "size %" PRIu64,
		         rpc_size(there, "size"));
		return differs(call, e, what, size, "another size");
	}
	if (!file != !is || (file && strcmp(file, is) != 0))
		return differs(call, e, what, is ? is : "memory",
		               file ? file : "memory");
	for (size_t i = 0; i < rpc_strings(call->params, "allow"); i++) {
		const char *allow = rpc_strings_at(call->params, "allow", i);

		if (!is_granted(there, allow))
			return differs(call, e, what, "another grant", allow);
	}
	return 0;
}

static bool pool_has(struct json_object *pool, const char *drive)
{
	return find(pool, "drives", "name", drive) != NULL;
}

static int compare_pool(const struct config_call *call,
                        struct json_object *status, struct err *e)
{
	const char *name = rpc_string(call->params, "pool");
	struct json_object *there = find(status, "pools", "name", name);
	size_t n = rpc_strings(call->params, "drives");

	if (!there)
		return 1;
	for (size_t i = 0; i < n; i++) {
		const char *drive = rpc_strings_at(call->params, "drives", i);

		if (!pool_has(there, drive))
			return err_set(
				e, -EEXIST,
				"line %u: pool %s is there already, "
				"without drive %s; add it with 'causeway "
				"pool grow %s %s', or take it out of the "
				"file",
				call->line, name, drive, name, drive);
	}
	if (rpc_strings(there, "drives") != n)
		return err_set(e, -EEXIST,
		               "line %u: pool %s is there already with %zu "
		               "drives, and the file lists %zu; add the others "
		               "to the file",
		               call->line, name, rpc_strings(there, "drives"),
		               n);
	return 0;
}

static int compare_volume(const struct config_call *call,
                          struct json_object *status, struct err *e)
{
	const char *name = rpc_string(call->params, "volume");
	const char *raid = rpc_string(call->params, "raid");
	uint64_t size = rpc_size(call->params, "size");
	struct json_object *there = find(status, "volumes", "name", name);
	char what[160], is[40], wanted[40];

	if (!there)
		return 1;
	snprintf(what, sizeof(what), "volume %s", name);
	if (rpc_size(there, "size") != size) {
		snprintf(is, sizeof(is), "size %" PRIu64,
		         rpc_size(there, "size"));
		snprintf(wanted, sizeof(wanted), "%" PRIu64, size);
		return differs(call, e, what, is, wanted);
	}
	if (raid && (!rpc_has(there, "raid") ||
	             strcmp(rpc_string(there, "raid"), raid) != 0))
		return differs(call, e, what, rpc_string(there, "raid"), raid);
	return 0;
}

static int compare_export(const struct config_call *call,
                          struct json_object *status, struct err *e)
{
	const char *name = rpc_string(call->params, "name");
	const char *path = rpc_string(call->params, "unix");
	const char *volume = rpc_string(call->params, "volume");
	struct json_object *there;
	char address[280];
	const char *is;

	snprintf(address, sizeof(address), "%s:%s", path ? "unix" : "tcp",
	         path ? path : rpc_string(call->params, "tcp"));
	there = name ? find(status, "exports", "name", name)
	             : find(status, "exports", "address", address);
	if (!there)
		return 1;
	is = rpc_string(there, "volume");
	if (!is || strcmp(is, volume) != 0)
		return differs(call, e, name ? name : address, is, volume);
	is = rpc_string(there, "address");
	if (!is || strcmp(is, address) != 0)
		return differs(call, e, name ? name : volume, is, address);
	return 0;
}

/* `lag_off` is not compared: lag.create and lag.delete change it. */
static int compare_subnet(const struct config_call *call,
                          struct json_object *status, struct err *e)
{
	struct json_object *there = NULL, *asked = NULL;

	if (!json_object_object_get_ex(status, "subnet", &there) ||
	    !json_object_object_get_ex(there, "asked", &asked))
		return 1;
	for (size_t i = 0; i < call->method->n_params; i++) {
		const char *name = call->method->params[i].name;
		struct json_object *a = NULL, *b = NULL;

		json_object_object_get_ex(asked, name, &a);
		json_object_object_get_ex(call->params, name, &b);
		if (strcmp(name, "lag_off") != 0 && !json_object_equal(a, b))
			return differs(call, e, "a subnet manager",
			               a ? json_object_get_string(a)
			                 : "the default",
			               b ? json_object_get_string(b) : name);
	}
	return 0;
}

int config_compare(const struct config_call *call, struct json_object *status,
                   struct err *e)
{
	static const struct {
		const char *method;
		int (*compare)(const struct config_call *call,
		               struct json_object *status, struct err *e);
	} rows[] = {
		{ "node.add", compare_node },
		{ "window.create", compare_window },
		{ "drive.add", compare_drive },
		{ "pool.create", compare_pool },
		{ "volume.create", compare_volume },
		{ "export.create", compare_export },
		{ "subnet.up", compare_subnet },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].method, call->method->name) == 0)
			return rows[i].compare(call, status, e);
	return 1;
}
