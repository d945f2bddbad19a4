/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "base/base.h"
#include "rpc/frame.h"

#include <errno.h>
#include <string.h>

/* Messages of `text`, fed in pieces; @return how many or the error. */
static int count(const char *text, size_t piece, unsigned max_values)
{
	struct rpc_frame f = { .max_values = max_values };
	size_t n = strlen(text), skip, used;
	int found = 0;

	for (size_t i = 0; i < n; i += used) {
		size_t part = n - i < piece ? n - i : piece;
		int got = rpc_frame_scan(&f, text + i, part, &skip, &used);

		if (got < 0)
			return got;
		assert_true(skip <= used && used <= part);
		if (got) {
			found++;
			rpc_frame_next(&f);
		}
	}
	return found;
}

static const struct {
	const char *text;
	int want;
} rows[] = {
	/* clang-format off */
	{ "", 0 },
	{ " \r\n\t", 0 },
	{ "{}", 1 },
	{ "{}{}", 2 },
	{ "{}\n[]\n{}", 3 },
	{ " {\"a\":{\"b\":[1,2]}} ", 1 },
	{ "{\"a\":\"}\"}", 1 },
	{ "{\"a\":\"\\\"}\"}{}", 2 },
	{ "{\"a\":\"\\\\\"}{}", 2 },
	{ "{\"a\":\"", 0 },
	{ "{", 0 },
	{ "x", -EPROTO },
	{ "{}x", -EPROTO },
	{ "}", -EPROTO },
	{ "\"a\"", -EPROTO },
	{ "12", -EPROTO },
	{ "{'}':1}", -EPROTO },
	{ "{/*}*/}", -EPROTO },
	{ "[NaN]", -EPROTO },
	{ "[-Infinity]", -EPROTO },
	{ "{\"'/\":1}", 1 },
	{ "{,,,,,,,,,,,", -E2BIG },
	{ "{\",,,,,,,,,,,,,,\"}", 1 },
	{ "[[[[[[[[[[[[", -E2BIG },
	/* clang-format on */
};

static void messages_end_where_their_brackets_close(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t piece = 1; piece < 20; piece++) {
			int got = count(rows[i].text, piece, 10);

			if (got != rows[i].want)
				fail_msg("\"%s\" by %zu: %d", rows[i].text,
				         piece, got);
		}
}

static void depth_is_limited(void **state)
{
	char text[RPC_DEPTH_MAX + 2];

	(void)state;
	memset(text, '[', sizeof(text));
	text[RPC_DEPTH_MAX] = '\0';
	assert_int_equal(count(text, 7, 0), 0);
	text[RPC_DEPTH_MAX] = '[';
	text[RPC_DEPTH_MAX + 1] = '\0';
	assert_int_equal(count(text, 7, 0), -ELOOP);
}

static void length_is_limited(void **state)
{
	char *text = malloc(RPC_MESSAGE_MAX + 2);

	(void)state;
	memset(text, ' ', RPC_MESSAGE_MAX + 1);
	text[0] = '{';
	text[RPC_MESSAGE_MAX - 1] = '}';
	text[RPC_MESSAGE_MAX] = '\0';
	assert_int_equal(count(text, 4096, 0), 1);
	text[RPC_MESSAGE_MAX - 1] = ' ';
	text[RPC_MESSAGE_MAX] = '}';
	text[RPC_MESSAGE_MAX + 1] = '\0';
	assert_int_equal(count(text, 4096, 0), -EMSGSIZE);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_end_where_their_brackets_close),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(length_is_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
