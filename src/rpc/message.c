/* SPDX-License-Identifier: BSD-2-Clause */
#include "rpc/message.h"

#include "base/base.h"
#include "rpc/frame.h"
#include "rpc/members.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

int rpc_parse(const char *text, size_t n, struct json_object **out,
              struct err *e)
{
	enum json_tokener_error why;
	struct json_tokener *tok;
	struct json_object *got;

	if (n > RPC_MESSAGE_MAX)
		return err_set(e, -EBADMSG, "a message of %zu bytes, over %u",
		               n, RPC_MESSAGE_MAX);
	/* json-c counts the innermost scalar as a level of its own. */
	tok = json_tokener_new_ex((int)RPC_DEPTH_MAX + 1);
	if (!tok)
		return err_set(e, -ENOMEM, "out of memory");
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT |
	                                    JSON_TOKENER_VALIDATE_UTF8);
	got = json_tokener_parse_ex(tok, text, (int)n);
	why = json_tokener_get_error(tok);
	if (why != json_tokener_success) {
		err_set(e, -EBADMSG, "not valid JSON at byte %zu: %s",
		        json_tokener_get_parse_end(tok),
		        why == json_tokener_continue
		                ? "it ends too early"
		                : json_tokener_error_desc(why));
		json_tokener_free(tok);
		json_object_put(got);
		return -EBADMSG;
	}
	json_tokener_free(tok);
	if (!json_object_is_type(got, json_type_object) &&
	    !json_object_is_type(got, json_type_array)) {
		json_object_put(got);
		return err_set(e, -EBADMSG, "neither a JSON object nor array");
	}
	*out = got;
	return 0;
}

static bool is_version(struct json_object *message)
{
	struct json_object *v;

	return json_object_object_get_ex(message, "jsonrpc", &v) &&
	       json_object_is_type(v, json_type_string) &&
	       strcmp(json_object_get_string(v), "2.0") == 0;
}

static int read_id(struct json_object *message, struct rpc_request_view *out,
                   struct err *e)
{
	struct json_object *id;

	out->notification = !json_object_object_get_ex(message, "id", &id);
	if (out->notification || !id)
		return 0;
	if (!json_object_is_type(id, json_type_int) &&
	    (!json_object_is_type(id, json_type_string) ||
	     json_object_get_string_len(id) > RPC_ID_MAX))
		return err_set(e, -EPROTO,
		               "\"id\" is neither an integer nor a string of "
		               "at most %d bytes",
		               RPC_ID_MAX);
	out->id = id;
	return 0;
}

int rpc_request_read(struct json_object *message, struct rpc_request_view *out,
                     struct err *e)
{
	static const char *const allowed[] = { "jsonrpc", "method", "params",
		                               "id" };
	struct json_object *method;
	struct members m;
	int err;

	*out = (struct rpc_request_view){ 0 };
	if (!json_object_is_type(message, json_type_object))
		return err_set(e, -EPROTO,
		               "batches are not supported: send the calls one "
		               "after the other");
	err = read_id(message, out, e);
	if (err)
		return err;
	if (!is_version(message))
		return err_set(e, -EPROTO, "\"jsonrpc\" must be \"2.0\"");
	if (!json_object_object_get_ex(message, "method", &method) ||
	    !json_object_is_type(method, json_type_string))
		return err_set(e, -EPROTO, "\"method\" must be a string");
	if (json_object_object_get_ex(message, "params", &out->params) &&
	    !json_object_is_type(out->params, json_type_object))
		return err_set(e, -EPROTO,
		               "\"params\" must be an object: parameters go "
		               "by name");
	m = members_of(message);
	while (members_next(&m)) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
			known |= strcmp(allowed[i], m.key) == 0;
		if (!known)
			return err_set(e, -EPROTO,
			               "unknown member \"%.40s\" in a request",
			               m.key);
	}
	out->method = json_object_get_string(method);
	return 0;
}

int rpc_reply_read(struct json_object *message, struct rpc_reply_view *out,
                   struct err *e)
{
	struct json_object *id, *result = NULL, *error = NULL;

	if (!json_object_is_type(message, json_type_object) ||
	    !is_version(message))
		return err_set(e, -EPROTO, "not a JSON-RPC 2.0 reply");
	if (!json_object_object_get_ex(message, "id", &id) ||
	    (id && !json_object_is_type(id, json_type_int)))
		return err_set(e, -EPROTO, "a reply without a number");
	json_object_object_get_ex(message, "result", &result);
	json_object_object_get_ex(message, "error", &error);
	if (!result == !error)
		return err_set(e, -EPROTO,
		               "a reply needs either a result or an error");
	*out = (struct rpc_reply_view){
		/* id null: the peer could not even read the request */
		.id = id ? json_object_get_uint64(id) : 0,
		.result = result,
		.error = error,
	};
	return 0;
}

/* {"jsonrpc": "2.0", KEY: value, "id": id}; takes all. */
static struct json_object *envelope(const char *key, struct json_object *value,
                                    struct json_object *id)
{
	struct json_object *m = json_object_new_object();

	if (m &&
	    json_object_object_add(m, "jsonrpc",
	                           json_object_new_string("2.0")) == 0 &&
	    (!key || json_object_object_add(m, key, value) == 0)) {
		value = NULL;
		if (json_object_object_add(m, "id", id) == 0)
			return m;
	}
	json_object_put(value);
	json_object_put(id);
	json_object_put(m);
	return NULL;
}

struct json_object *rpc_request_new(const char *method,
                                    struct json_object *params, uint64_t id)
{
	struct json_object *m = envelope(params ? "params" : NULL, params,
	                                 json_object_new_uint64(id));

	if (m && json_object_object_add(m, "method",
	                                json_object_new_string(method)) != 0) {
		json_object_put(m);
		return NULL;
	}
	return m;
}

struct json_object *rpc_result_new(struct json_object *id,
                                   struct json_object *result)
{
	return envelope("result", result, json_object_get(id));
}

struct json_object *rpc_failure_new(struct json_object *id,
                                    struct json_object *error)
{
	return envelope("error", error, json_object_get(id));
}
