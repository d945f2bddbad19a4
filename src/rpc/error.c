/* SPDX-License-Identifier: BSD-2-Clause */
#include "rpc/error.h"

#include "base/base.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

static const struct {
	enum rpc_class class;
	const char *name;
} names[] = {
	{ RPC_OK, "ok" },
	{ RPC_FAILED, "failed" },
	{ RPC_USAGE, "usage" },
	{ RPC_NOT_FOUND, "not found" },
	{ RPC_DEGRADED, "degraded" },
	{ RPC_DENIED, "denied" },
	{ RPC_FULL, "full" },
	{ RPC_TRY_AGAIN, "try again" },
};

static const struct {
	int code;
	enum rpc_class class;
} classes[] = {
	{ ENOENT, RPC_NOT_FOUND },    { ENODEV, RPC_NOT_FOUND },
	{ ENXIO, RPC_NOT_FOUND },     { EINVAL, RPC_USAGE },
	{ ERANGE, RPC_USAGE },        { ENAMETOOLONG, RPC_USAGE },
	{ EACCES, RPC_DENIED },       { EPERM, RPC_DENIED },
	{ EROFS, RPC_DENIED },        { ENOSPC, RPC_FULL },
	{ EDQUOT, RPC_FULL },         { EMFILE, RPC_FULL },
	{ ENFILE, RPC_FULL },         { EAGAIN, RPC_TRY_AGAIN },
	{ ETIMEDOUT, RPC_TRY_AGAIN }, { ECONNREFUSED, RPC_TRY_AGAIN },
	{ ENOTCONN, RPC_TRY_AGAIN },  { ECONNRESET, RPC_TRY_AGAIN },
	{ ENOMEM, RPC_TRY_AGAIN },
};

enum rpc_class rpc_class_of(int code)
{
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		if (classes[i].code == abs(code))
			return classes[i].class;
	return RPC_FAILED;
}

const char *rpc_class_name(enum rpc_class class)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].class == class)
			return names[i].name;
	return "failed";
}

enum rpc_class rpc_class_parse(const char *name)
{
	for (size_t i = 1; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i].name, name) == 0)
			return names[i].class;
	return RPC_FAILED;
}

/* "ENOSPC" for -ENOSPC. */
static const char *code_name(int code)
{
	const char *name = strerrorname_np(abs(code));

	return name ? name : "EIO";
}

/* Bytes of the UTF-8 character (RFC 3629) that `s` starts with; 0: none. */
static size_t utf8_length(const unsigned char *s)
{
	size_t n = s[0] < 0x80   ? 1
	           : s[0] < 0xc2 ? 0
	           : s[0] < 0xe0 ? 2
	           : s[0] < 0xf0 ? 3
	           : s[0] < 0xf5 ? 4
	                         : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

/* Words may hold a path of any bytes, or be cut inside a character. */
static void make_utf8(char *text)
{
	while (*text) {
		size_t n = utf8_length((const unsigned char *)text);

		if (n == 0)
			*text = '?';
		text += n ? n : 1;
	}
}

struct json_object *rpc_error_json(enum rpc_code code, const struct err *e,
                                   enum rpc_class class)
{
	struct json_object *error = json_object_new_object();
	struct json_object *data = json_object_new_object();
	struct err clean = *e;
	int bad = 0;

	if (!error || !data) {
		json_object_put(error);
		json_object_put(data);
		return NULL;
	}
	make_utf8(clean.text);
	bad |= json_object_object_add(error, "code", json_object_new_int(code));
	bad |= json_object_object_add(error, "message",
	                              json_object_new_string(clean.text));
	bad |= json_object_object_add(
		data, "code", json_object_new_string(code_name(e->code)));
	bad |= json_object_object_add(data, "text",
	                              json_object_new_string(clean.text));
	bad |= json_object_object_add(
		data, "class", json_object_new_string(rpc_class_name(class)));
	if (json_object_object_add(error, "data", data) != 0) {
		json_object_put(data);
		bad = 1;
	}
	if (bad) {
		json_object_put(error);
		return NULL;
	}
	return error;
}

static const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *v;

	if (!json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, key, &v) ||
	    !json_object_is_type(v, json_type_string))
		return NULL;
	return json_object_get_string(v);
}

void rpc_error_read(struct json_object *error, struct rpc_error *out)
{
	struct json_object *data = NULL;
	const char *text, *code, *class;

	if (json_object_is_type(error, json_type_object))
		json_object_object_get_ex(error, "data", &data);
	code = text_of(data, "code");
	class = text_of(data, "class");
	text = text_of(data, "text");
	if (!text)
		text = text_of(error, "message");

	*out = (struct rpc_error){ .class = RPC_FAILED };
	if (class)
		out->class = rpc_class_parse(class);
	snprintf(out->code, sizeof(out->code), "%s", code ? code : "");
	snprintf(out->text, sizeof(out->text), "%s",
	         text ? text : "the other side failed and did not say why");
}

void rpc_error_set(struct rpc_error *out, const struct err *e,
                   enum rpc_class class)
{
	out->class = class;
	snprintf(out->code, sizeof(out->code), "%s", code_name(e->code));
	snprintf(out->text, sizeof(out->text), "%s", e->text);
}
