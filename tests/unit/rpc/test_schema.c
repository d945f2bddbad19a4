/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "base/base.h"
#include "rpc/schema.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

static bool no_dots(const char *text)
{
	return !strchr(text, '.');
}

static const struct rpc_syntax dotless = { "free of dots", no_dots };
static const char *const colours[] = { "red", "green", "blue", NULL };

static const struct rpc_param rows[] = {
	/* clang-format off */
	{ .name = "need",   .type = RPC_BOOL, .required = true, .doc = "d" },
	{ .name = "count",  .type = RPC_INT, .min = -5, .max = 100, .doc = "d" },
	{ .name = "any",    .type = RPC_INT, .min = INT64_MIN, .doc = "d" },
	{ .name = "size",   .type = RPC_SIZE, .min = 4096, .doc = "d" },
	{ .name = "small",  .type = RPC_SIZE, .max = 10, .doc = "d" },
	{ .name = "text",   .type = RPC_STRING, .min = 2, .max = 4,
	  .syntax = &dotless, .doc = "d" },
	{ .name = "long",   .type = RPC_STRING, .doc = "d" },
	{ .name = "colour", .type = RPC_ENUM, .values = colours, .doc = "d" },
	{ .name = "list",   .type = RPC_STRINGS, .min = 1, .max = 2,
	  .syntax = &dotless, .doc = "d" },
	{ .name = "left",   .type = RPC_BOOL, .one_of = 1, .doc = "d" },
	{ .name = "right",  .type = RPC_BOOL, .one_of = 1, .doc = "d" },
	/* clang-format on */
};

/* `more` is put into an object that is right as it stands. */
static const struct {
	const char *more;
	const char *words; /* NULL: accepted */
} cases[] = {
	/* clang-format off */
	{ "", NULL },
	{ ",\"count\":-5,\"any\":-9223372036854775807", NULL },
	{ ",\"any\":-9223372036854775809", "'any' must be" },
	{ ",\"count\":100,\"any\":9223372036854775807", NULL },
	{ ",\"count\":-6", "'count' must be -5 to 100, not -6" },
	{ ",\"count\":101", "'count' must be -5 to 100, not 101" },
	{ ",\"count\":18446744073709551615", "not 18446744073709551615" },
	{ ",\"any\":9223372036854775808", "not 9223372036854775808" },
	{ ",\"count\":1.0", "'count' must be an integer, not double" },
	{ ",\"count\":\"1\"", "'count' must be an integer, not string" },
	{ ",\"count\":null", "'count' must be an integer, not null" },
	{ ",\"size\":4096", NULL },
	{ ",\"size\":18446744073709551614", NULL },
	{ ",\"size\":18446744073709551616", "'size' must be 4096 to" },
	{ ",\"size\":4095", "'size' must be 4096 to" },
	{ ",\"size\":-1", "bytes, not -1" },
	{ ",\"small\":0", NULL },
	{ ",\"small\":10", NULL },
	{ ",\"small\":11", "'small' must be 0 to 10 bytes, not 11" },
	{ ",\"small\":-1", "'small' must be 0 to 10 bytes, not -1" },
	{ ",\"small\":true", "must be a size in bytes, not boolean" },
	{ ",\"text\":\"ab\"", NULL },
	{ ",\"text\":\"abcd\"", NULL },
	{ ",\"text\":\"a\"", "must have 2 to 4 bytes, not 1" },
	{ ",\"text\":\"abcde\"", "must have 2 to 4 bytes, not 5" },
	{ ",\"text\":\"a.b\"", "'text' must be free of dots; it is 'a.b'" },
	{ ",\"text\":\"a\\u0000b\"", "'text' holds a NUL character" },
	{ ",\"text\":7", "'text' must be a string, not int" },
	{ ",\"text\":{}", "'text' must be a string, not object" },
	{ ",\"colour\":\"blue\"", NULL },
	{ ",\"colour\":\"gren\"", "did you mean 'green'?" },
	{ ",\"colour\":\"x\"", "must be one of red, green, blue, not 'x'" },
	{ ",\"colour\":1", "'colour' must be a string, not int" },
	{ ",\"list\":[\"a\"]", NULL },
	{ ",\"list\":[\"a\",\"b\"]", NULL },
	{ ",\"list\":[]", "'list' must list 1 to 2 strings, not 0" },
	{ ",\"list\":[\"a\",\"b\",\"c\"]", "1 to 2 strings, not 3" },
	{ ",\"list\":[1]", "'list' must be a list of strings, not int" },
	{ ",\"list\":[null]", "'list' must be a list of strings, not null" },
	{ ",\"list\":\"a\"", "'list' must be a list of strings, not string" },
	{ ",\"list\":[\"\"]", "'list' must have 1 to 255 bytes, not 0" },
	{ ",\"list\":[\"a.\"]", "'list' must be free of dots" },
	{ ",\"right\":true", "exactly one of 'left', 'right' is needed, not "
	  "more" },
	{ ",\"colr\":1", "unknown parameter 'colr'; did you mean 'colour'?" },
	{ ",\"szie\":1", "unknown parameter 'szie'; did you mean 'size'?" },
	{ ",\"zzzzzz\":1", "unknown parameter 'zzzzzz'" },
	/* clang-format on */
};

static void every_type_range_and_key_is_checked(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[200];
		struct json_object *o;
		struct err e = { 0 };
		int err;

		snprintf(text, sizeof(text), "{\"need\":true,\"left\":true%s}",
		         cases[i].more);
		o = json_tokener_parse(text);
		assert_non_null(o);
		err = rpc_check(rows, ARRAY_LEN(rows), o, NULL, &e);
		if (!err != !cases[i].words)
			fail_msg("%s: %d, %s", text, err, e.text);
		if (err && !strstr(e.text, cases[i].words))
			fail_msg("%s: \"%s\" lacks \"%s\"", text, e.text,
			         cases[i].words);
		json_object_put(o);
	}
}

static void what_is_missing_is_named(void **state)
{
	struct json_object *o = json_tokener_parse("{\"left\":true}");
	struct json_object *where = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(rpc_check(rows, ARRAY_LEN(rows), o, &where, &e),
	                 -EINVAL);
	assert_non_null(strstr(e.text, "'need' is missing"));
	assert_ptr_equal(where, o);
	json_object_put(o);

	o = json_tokener_parse("{\"need\":true}");
	e = (struct err){ 0 };
	assert_int_equal(rpc_check(rows, ARRAY_LEN(rows), o, NULL, &e),
	                 -EINVAL);
	assert_non_null(strstr(e.text, "exactly one of 'left', 'right' is "
	                               "needed, not none"));
	json_object_put(o);

	/* No parameters at all count as none. */
	assert_int_equal(rpc_check(rows, ARRAY_LEN(rows), NULL, NULL, NULL),
	                 -EINVAL);
	assert_int_equal(rpc_check(NULL, 0, NULL, NULL, NULL), 0);
}

static void the_fault_is_located(void **state)
{
	struct json_object *o = json_tokener_parse(
		"{\"need\":true,\"left\":true,\"list\":[\"a\",\"b.\"]}");
	struct json_object *where = NULL;

	(void)state;
	assert_int_equal(rpc_check(rows, ARRAY_LEN(rows), o, &where, NULL),
	                 -EINVAL);
	assert_string_equal(json_object_get_string(where), "b.");
	json_object_put(o);
}

static void parameters_that_are_no_object_are_refused(void **state)
{
	struct json_object *o = json_tokener_parse("[1]");

	(void)state;
	assert_int_equal(rpc_check(rows, ARRAY_LEN(rows), o, NULL, NULL),
	                 -EINVAL);
	json_object_put(o);
}

static void the_closest_word_is_found(void **state)
{
	static const char *const words[] = { "status", "volume create",
		                             "pool create", "drive list",
		                             "top" };
	static const struct {
		const char *text, *want;
	} near[] = {
		{ "staus", "status" },
		{ "sttaus", "status" },
		{ "STATUS", "status" },
		{ "volume craete", "volume create" },
		{ "pol create", "pool create" },
		{ "tpo", "top" },
		{ "frobnicate", NULL },
		{ "x", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(near); i++) {
		const char *got =
			rpc_closest(near[i].text, words, ARRAY_LEN(words));

		if (!got != !near[i].want || (got && strcmp(got, near[i].want)))
			fail_msg("%s: %s", near[i].text, got ? got : "none");
	}
}

static void a_table_describes_itself(void **state)
{
	const struct rpc_method m = { "a.b", "Do it", rows, ARRAY_LEN(rows) };
	struct json_object *o = rpc_method_json(&m);
	struct json_object *params, *colour;

	(void)state;
	assert_string_equal(rpc_string(o, "name"), "a.b");
	assert_true(json_object_object_get_ex(o, "params", &params));
	assert_int_equal(json_object_array_length(params), ARRAY_LEN(rows));
	colour = json_object_array_get_idx(params, 7);
	assert_string_equal(rpc_string(colour, "type"), "enum");
	assert_int_equal(rpc_strings(colour, "values"), 3);
	assert_string_equal(rpc_strings_at(colour, "values", 1), "green");
	json_object_put(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_range_and_key_is_checked),
		cmocka_unit_test(what_is_missing_is_named),
		cmocka_unit_test(the_fault_is_located),
		cmocka_unit_test(parameters_that_are_no_object_are_refused),
		cmocka_unit_test(the_closest_word_is_found),
		cmocka_unit_test(a_table_describes_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
