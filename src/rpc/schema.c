/* SPDX-License-Identifier: BSD-2-Clause */
#include "rpc/schema.h"

#include "base/base.h"
#include "rpc/members.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAMES_MAX 64 /* rows of one table that did-you-mean looks at */

static const char *const type_words[] = {
	[RPC_BOOL] = "true or false",
	[RPC_INT] = "an integer",
	[RPC_SIZE] = "a size in bytes",
	[RPC_STRING] = "a string",
	[RPC_ENUM] = "a string",
	[RPC_STRINGS] = "a list of strings",
	[RPC_OBJECTS] = "a list of objects",
};

static const char *const type_names[] = {
	[RPC_BOOL] = "bool",       [RPC_INT] = "int",
	[RPC_SIZE] = "size",       [RPC_STRING] = "string",
	[RPC_ENUM] = "enum",       [RPC_STRINGS] = "strings",
	[RPC_OBJECTS] = "objects",
};

static uint64_t limit(const struct rpc_param *p)
{
	if (p->max)
		return p->max;
	switch (p->type) {
	case RPC_INT:
		return INT64_MAX;
	case RPC_STRING:
		return RPC_STRING_MAX;
	case RPC_STRINGS:
		return 256;
	case RPC_OBJECTS:
		return 4096;
	case RPC_SIZE:
	case RPC_BOOL:
	case RPC_ENUM:
		break;
	}
	return UINT64_MAX - 1;
}

static int bad_type(const struct rpc_param *p, struct json_object *v,
                    struct err *e)
{
	const char *got =
		v ? json_type_to_name(json_object_get_type(v)) : "null";

	return err_set(e, -EINVAL, "'%s' must be %s, not %s", p->name,
	               type_words[p->type], got);
}

static int check_int(const struct rpc_param *p, struct json_object *v,
                     struct err *e)
{
	int64_t n = json_object_get_int64(v);

	if (n < p->min || n == INT64_MIN ||
	    json_object_get_uint64(v) > limit(p))
		return err_set(e, -EINVAL,
		               "'%s' must be %" PRId64 " to %" PRIu64
		               ", not %s",
		               p->name, p->min, limit(p),
		               json_object_to_json_string(v));
	return 0;
}

static int check_size(const struct rpc_param *p, struct json_object *v,
                      struct err *e)
{
	if (json_object_get_int64(v) < 0 ||
	    json_object_get_uint64(v) < (uint64_t)p->min ||
	    json_object_get_uint64(v) > limit(p))
		return err_set(e, -EINVAL,
		               "'%s' must be %" PRId64 " to %" PRIu64
		               " bytes, not %s",
		               p->name, p->min, limit(p),
		               json_object_to_json_string(v));
	return 0;
}

/* The part of a string or of a list's item that both have. */
static int check_text(const struct rpc_param *p, struct json_object *v,
                      uint64_t min, uint64_t max, struct err *e)
{
	const char *text = json_object_get_string(v);
	size_t n = (size_t)json_object_get_string_len(v);

	if (strlen(text) != n)
		return err_set(e, -EINVAL, "'%s' holds a NUL character",
		               p->name);
	if (p->syntax && !p->syntax->valid(text))
		return err_set(e, -EINVAL, "'%s' must be %s; it is '%.80s'",
		               p->name, p->syntax->words, text);
	if (n < min || n > max)
		return err_set(e, -EINVAL,
		               "'%s' must have %" PRIu64 " to %" PRIu64
		               " bytes, not %zu",
		               p->name, min, max, n);
	return 0;
}

static int check_enum(const struct rpc_param *p, struct json_object *v,
                      struct err *e)
{
	const char *text = json_object_get_string(v);
	char allowed[200] = "";
	const char *hint;
	size_t n = 0, used = 0;

	for (; p->values[n]; n++) {
		if (strcmp(p->values[n], text) == 0)
			return 0;
		if (used < sizeof(allowed))
			used += (size_t)snprintf(allowed + used,
			                         sizeof(allowed) - used, "%s%s",
			                         n ? ", " : "", p->values[n]);
	}
	hint = rpc_closest(text, p->values, n);
	return err_set(e, -EINVAL, "'%s' must be one of %s, not '%.40s'%s%s%s",
	               p->name, allowed, text, hint ? "; did you mean '" : "",
	               hint ? hint : "", hint ? "'?" : "");
}

static int check_list(const struct rpc_param *p, struct json_object *v,
                      struct json_object **where, struct err *e)
{
	bool strings = p->type == RPC_STRINGS;
	size_t n = json_object_array_length(v);
	int err;

	if (n < (uint64_t)p->min || n > limit(p))
		return err_set(
			e, -EINVAL,
			"'%s' must list %" PRId64 " to %" PRIu64 " %s, not %zu",
			p->name, p->min, limit(p), type_names[p->type], n);
	for (size_t i = 0; i < n; i++) {
		struct json_object *item = json_object_array_get_idx(v, i);

		if (item)
			*where = item;
		if (!json_object_is_type(item, strings ? json_type_string
		                                       : json_type_object))
			return bad_type(p, item, e);
		err = strings ? check_text(p, item, 1, RPC_ITEM_MAX, e) : 0;
		if (err)
			return err;
	}
	return 0;
}

static int check_value(const struct rpc_param *p, struct json_object *v,
                       struct json_object **where, struct err *e)
{
	static const enum json_type wanted[] = {
		[RPC_BOOL] = json_type_boolean,
		[RPC_INT] = json_type_int,
		[RPC_SIZE] = json_type_int,
		[RPC_STRING] = json_type_string,
		[RPC_ENUM] = json_type_string,
		[RPC_STRINGS] = json_type_array,
		[RPC_OBJECTS] = json_type_array,
	};

	if (!json_object_is_type(v, wanted[p->type]))
		return bad_type(p, v, e);
	switch (p->type) {
	case RPC_INT:
		return check_int(p, v, e);
	case RPC_SIZE:
		return check_size(p, v, e);
	case RPC_STRING:
		return check_text(p, v, (uint64_t)p->min, limit(p), e);
	case RPC_ENUM:
		return check_enum(p, v, e);
	case RPC_STRINGS:
	case RPC_OBJECTS:
		return check_list(p, v, where, e);
	case RPC_BOOL:
		break;
	}
	return 0;
}

static int refuse_unknown(const struct rpc_param *rows, size_t n,
                          const char *key, struct err *e)
{
	const char *names[NAMES_MAX];
	const char *hint;

	assert(n <= NAMES_MAX);
	for (size_t i = 0; i < n; i++)
		names[i] = rows[i].name;
	hint = rpc_closest(key, names, n);
	if (hint)
		return err_set(e, -EINVAL,
		               "unknown parameter '%.40s'; did you mean '%s'?",
		               key, hint);
	return err_set(e, -EINVAL, "unknown parameter '%.40s'", key);
}

/* Whatever one_of's group of rows[i] demands; asked at its first row only. */
static int check_group(const struct rpc_param *rows, size_t n, size_t i,
                       struct json_object *params, struct err *e)
{
	char names[120] = "";
	unsigned given = 0;
	size_t used = 0;

	for (size_t j = 0; j < n; j++) {
		if (rows[j].one_of != rows[i].one_of)
			continue;
		if (j < i)
			return 0;
		given += rpc_has(params, rows[j].name);
		if (used < sizeof(names))
			used += (size_t)snprintf(
				names + used, sizeof(names) - used, "%s'%s'",
				used ? ", " : "", rows[j].name);
	}
	if (given == 1)
		return 0;
	return err_set(e, -EINVAL, "exactly one of %s is needed, not %s", names,
	               given ? "more" : "none");
}

int rpc_check(const struct rpc_param *rows, size_t n,
              struct json_object *params, struct json_object **where,
              struct err *e)
{
	struct members m = members_of(params);
	struct json_object *at = params;
	int err = 0;

	if (params && !json_object_is_type(params, json_type_object)) {
		err = err_set(e, -EINVAL, "parameters go by name, as in {}");
		goto out;
	}
	while (members_next(&m)) {
		const struct rpc_param *p = NULL;

		for (size_t i = 0; i < n && !p; i++)
			if (strcmp(rows[i].name, m.key) == 0)
				p = &rows[i];
		at = m.value ? m.value : params;
		err = p ? check_value(p, m.value, &at, e)
		        : refuse_unknown(rows, n, m.key, e);
		if (err)
			goto out;
	}
	at = params;
	for (size_t i = 0; i < n && !err; i++) {
		if (rows[i].required && !rpc_has(params, rows[i].name))
			err = err_set(e, -EINVAL, "'%s' is missing: %s, %s",
			              rows[i].name, type_words[rows[i].type],
			              rows[i].doc);
		else if (rows[i].one_of)
			err = check_group(rows, n, i, params, e);
	}
out:
	if (err && where)
		*where = at;
	return err;
}

static struct json_object *param_json(const struct rpc_param *p)
{
	struct json_object *o = json_object_new_object();
	struct json_object *values;

#define ADD(key, value) json_object_object_add(o, key, value)
	ADD("name", json_object_new_string(p->name));
	ADD("type", json_object_new_string(type_names[p->type]));
	ADD("required", json_object_new_boolean(p->required));
	if (p->one_of)
		ADD("one_of", json_object_new_int((int)p->one_of));
	if (p->type != RPC_BOOL && p->type != RPC_ENUM) {
		ADD("min", json_object_new_int64(p->min));
		ADD("max", json_object_new_uint64(limit(p)));
	}
	if (p->syntax)
		ADD("syntax", json_object_new_string(p->syntax->words));
	if (p->type == RPC_ENUM) {
		values = json_object_new_array();
		for (size_t i = 0; p->values[i]; i++)
			json_object_array_add(
				values, json_object_new_string(p->values[i]));
		ADD("values", values);
	}
	ADD("doc", json_object_new_string(p->doc));
#undef ADD
	return o;
}

struct json_object *rpc_method_json(const struct rpc_method *m)
{
	struct json_object *o = json_object_new_object();
	struct json_object *params = json_object_new_array();

	for (size_t i = 0; i < m->n_params; i++)
		json_object_array_add(params, param_json(&m->params[i]));
	json_object_object_add(o, "name", json_object_new_string(m->name));
	json_object_object_add(o, "doc", json_object_new_string(m->doc));
	json_object_object_add(o, "params", params);
	return o;
}

bool rpc_has(struct json_object *params, const char *name)
{
	return params && json_object_object_get_ex(params, name, NULL);
}

static struct json_object *get(struct json_object *params, const char *name)
{
	struct json_object *v = NULL;

	if (params)
		json_object_object_get_ex(params, name, &v);
	return v;
}

const char *rpc_string(struct json_object *params, const char *name)
{
	struct json_object *v = get(params, name);

	return v ? json_object_get_string(v) : NULL;
}

uint64_t rpc_size(struct json_object *params, const char *name)
{
	return json_object_get_uint64(get(params, name));
}

int64_t rpc_int(struct json_object *params, const char *name)
{
	return json_object_get_int64(get(params, name));
}

bool rpc_bool(struct json_object *params, const char *name)
{
	return json_object_get_boolean(get(params, name));
}

size_t rpc_strings(struct json_object *params, const char *name)
{
	struct json_object *v = get(params, name);

	return json_object_is_type(v, json_type_array)
	               ? json_object_array_length(v)
	               : 0;
}

const char *rpc_strings_at(struct json_object *params, const char *name,
                           size_t i)
{
	return json_object_get_string(
		json_object_array_get_idx(get(params, name), i));
}
