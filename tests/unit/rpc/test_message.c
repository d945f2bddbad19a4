/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "base/base.h"
#include "rpc/frame.h"
#include "rpc/message.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

static const struct {
	const char *text;
	int want;
} texts[] = {
	/* clang-format off */
	{ "{}", 0 },
	{ "[1]", 0 },
	{ "{\"a\":18446744073709551615}", 0 },
	{ "{\"a\":\"\\u00e9\"}", 0 },
	{ "", -EBADMSG },
	{ "{", -EBADMSG },
	{ "{}}", -EBADMSG },
	{ "{}{}", -EBADMSG },
	{ "{]", -EBADMSG },
	{ "1", -EBADMSG },
	{ "{\"a\":1,}", -EBADMSG },
	{ "{\"a\":01}", -EBADMSG },
	{ "{\"a\":\"\xff\"}", -EBADMSG },
	/* clang-format on */
};

static void only_strict_json_is_parsed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct json_object *o = NULL;
		struct err e = { 0 };
		int err =
			rpc_parse(texts[i].text, strlen(texts[i].text), &o, &e);

		if (err != texts[i].want || !err != !e.text[0] || !err != !!o)
			fail_msg("%s: %d %s", texts[i].text, err, e.text);
		json_object_put(o);
	}
}

static void what_the_framer_lets_through_is_not_too_deep(void **state)
{
	char text[2 * RPC_DEPTH_MAX];
	struct json_object *o = NULL;

	(void)state;
	memset(text, '[', RPC_DEPTH_MAX);
	memset(text + RPC_DEPTH_MAX, ']', RPC_DEPTH_MAX);
	assert_int_equal(rpc_parse(text, sizeof(text), &o, NULL), 0);
	json_object_put(o);
}

static const struct {
	const char *text;
	int want;
	bool notification;
	const char *words;
} requests[] = {
	/* clang-format off */
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":1}", 0, false, "" },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":null}", 0, false, "" },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":\"x\"}", 0, false, "" },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"m\"}", 0, true, "" },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{},\"id\":1}", 0,
	  false, "" },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":[],\"id\":1}",
	  -EPROTO, false, "by name" },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":null,\"id\":1}",
	  -EPROTO, false, "by name" },
	{ "{\"jsonrpc\":\"1.0\",\"method\":\"m\",\"id\":1}", -EPROTO, false,
	  "jsonrpc" },
	{ "{\"method\":\"m\",\"id\":1}", -EPROTO, false, "jsonrpc" },
	{ "{\"jsonrpc\":\"2.0\",\"id\":1}", -EPROTO, false, "method" },
	{ "{\"jsonrpc\":\"2.0\",\"method\":1,\"id\":1}", -EPROTO, false,
	  "method" },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":{}}", -EPROTO, false,
	  "id" },
	{ "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"parms\":{},\"id\":1}",
	  -EPROTO, false, "parms" },
	{ "[]", -EPROTO, false, "batches" },
	/* clang-format on */
};

static void requests_are_read_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		struct json_object *o = json_tokener_parse(requests[i].text);
		struct rpc_request_view view;
		struct err e = { 0 };
		int err = rpc_request_read(o, &view, &e);

		if (err != requests[i].want ||
		    !strstr(e.text, requests[i].words))
			fail_msg("%s: %d %s", requests[i].text, err, e.text);
		if (!err)
			assert_int_equal(view.notification,
			                 requests[i].notification);
		json_object_put(o);
	}
}

static void a_request_survives_the_round_trip(void **state)
{
	struct json_object *params = json_object_new_object();
	struct json_object *m;
	struct rpc_request_view view;

	(void)state;
	json_object_object_add(params, "a", json_object_new_int(1));
	m = rpc_request_new("x.y", params, UINT64_MAX);
	assert_int_equal(rpc_request_read(m, &view, NULL), 0);
	assert_string_equal(view.method, "x.y");
	assert_ptr_equal(view.params, params);
	assert_true(json_object_get_uint64(view.id) == UINT64_MAX);
	json_object_put(m);
}

static void an_error_survives_the_round_trip(void **state)
{
	struct json_object *id = json_object_new_int(7), *m;
	struct rpc_reply_view view;
	struct rpc_error error;
	struct err e = { 0 };

	(void)state;
	err_set(&e, -ENOSPC, "pool tank is full; grow it");
	m = rpc_failure_new(id, rpc_error_json(RPC_CODE_SERVER, &e, RPC_FULL));
	assert_int_equal(rpc_reply_read(m, &view, NULL), 0);
	assert_int_equal(view.id, 7);
	assert_null(view.result);
	rpc_error_read(view.error, &error);
	assert_int_equal(error.class, RPC_FULL);
	assert_string_equal(error.code, "ENOSPC");
	assert_string_equal(error.text, "pool tank is full; grow it");
	json_object_put(m);
	json_object_put(id);
}

/* A path or a cut word may hold half a character; JSON may not. */
static void words_are_made_valid_utf8(void **state)
{
	static const struct {
		const char *raw, *clean;
	} words[] = {
		/* clang-format off */
		{ "caf\xc3\xa9 \xe2\x82\xac", "caf\xc3\xa9 \xe2\x82\xac" },
		{ "caf\xc3", "caf?" },
		{ "\xff/\xa9x", "?/?x" },
		{ "\xe2\x82", "??" },
		{ "\xc0\x80", "??" },         /* overlong */
		{ "\xed\xa0\x80", "???" },    /* half a surrogate pair */
		{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
		{ "\xf4\x90\x80\x80", "????" }, /* beyond Unicode */
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct json_object *o;
		struct rpc_error error;
		struct err e = { 0 };

		err_set(&e, -EIO, "%s", words[i].raw);
		o = rpc_error_json(RPC_CODE_SERVER, &e, RPC_FAILED);
		rpc_error_read(o, &error);
		assert_string_equal(error.text, words[i].clean);
		json_object_put(o);
	}
}

static void any_error_object_can_be_read(void **state)
{
	static const char *const objects[] = {
		"{}",
		"[]",
		"{\"data\":1}",
		"{\"data\":{\"class\":\"odd\"}}",
		"{\"data\":{\"class\":1,\"code\":[],\"text\":{}}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
		struct json_object *o = json_tokener_parse(objects[i]);
		struct rpc_error error;

		rpc_error_read(o, &error);
		assert_int_equal(error.class, RPC_FAILED);
		assert_true(error.text[0]);
		json_object_put(o);
	}
}

static void each_class_has_a_name_of_its_own(void **state)
{
	static const enum rpc_class classes[] = {
		RPC_FAILED, RPC_USAGE, RPC_NOT_FOUND, RPC_DEGRADED,
		RPC_DENIED, RPC_FULL,  RPC_TRY_AGAIN,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		assert_int_equal(rpc_class_parse(rpc_class_name(classes[i])),
		                 classes[i]);
	assert_int_equal(rpc_class_of(-ENOENT), RPC_NOT_FOUND);
	assert_int_equal(rpc_class_of(ENOSPC), RPC_FULL);
	assert_int_equal(rpc_class_of(-EXDEV), RPC_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_strict_json_is_parsed),
		cmocka_unit_test(what_the_framer_lets_through_is_not_too_deep),
		cmocka_unit_test(requests_are_read_or_refused),
		cmocka_unit_test(a_request_survives_the_round_trip),
		cmocka_unit_test(an_error_survives_the_round_trip),
		cmocka_unit_test(words_are_made_valid_utf8),
		cmocka_unit_test(any_error_object_can_be_read),
		cmocka_unit_test(each_class_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
