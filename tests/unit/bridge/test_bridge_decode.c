/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "base/base.h"
#include "bridge/bridge_decode.h"

#include <errno.h>
#include <string.h>

static const struct bridge_request good[] = {
	{ .type = BRIDGE_HELLO },
	{ .type = BRIDGE_REGISTER, .rights = 7, .offset = 4096, .length = 1 },
	{ .type = BRIDGE_GRANT,
	  .rights = 1,
	  .number = 2,
	  .lease_ms = 5,
	  .bytes_per_s = 6,
	  .ops_per_s = INT64_MAX,
	  .node = "there",
	  .process = { 1 },
	  .range = { { { 1 }, 2, 3 }, { { 4 }, UINT64_MAX, 6 } } },
	{ .type = BRIDGE_GRANT, .rights = 1, .number = BRIDGE_RANGES },
	{ .type = BRIDGE_REVOKE, .key = { 1, 2 } },
	{ .type = BRIDGE_IMPORT, .node = "n", .key = { 9 } },
	{ .type = BRIDGE_OPEN, .node = "n", .name = "w", .rights = 2 },
	{ .type = BRIDGE_CLOSE, .key = { 1 } },
	{ .type = BRIDGE_QUEUE, .number = 1024 },
	{ .type = BRIDGE_UNQUEUE, .number = UINT32_MAX },
	{ .type = BRIDGE_BORROW, .node = "n", .length = 1 },
};

static void there_and_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
		struct bridge_request r;
		struct bridge_request_wire w;

		bridge_encode_request(&good[i], &w);
		assert_int_equal(bridge_decode_request(&w, sizeof(w), &r), 0);
		assert_memory_equal(&r, &good[i], sizeof(r));
	}
}

static void malformed(void **state)
{
	static const struct bridge_request bad[] = {
		{ .type = 0 },
		{ .type = BRIDGE_NOTICE },
		{ .type = BRIDGE_NOTICE + 1 },
		{ .type = BRIDGE_BORROW, .node = "n" },
		{ .type = BRIDGE_BORROW, .length = 1 },
		{ .type = BRIDGE_BORROW,
		  .node = "n",
		  .length = 1,
		  .rights = 1 },
		{ .type = BRIDGE_HELLO, .rights = 1 },
		{ .type = BRIDGE_HELLO, .number = 1 },
		{ .type = BRIDGE_HELLO, .node = "n" },
		{ .type = BRIDGE_REGISTER, .rights = 8 },
		{ .type = BRIDGE_REGISTER, .length = BRIDGE_LENGTH_MAX + 1 },
		{ .type = BRIDGE_REGISTER, .offset = UINT64_MAX },
		{ .type = BRIDGE_GRANT, .rights = 1 },
		{ .type = BRIDGE_GRANT, .number = BRIDGE_RANGES + 1 },
		{ .type = BRIDGE_GRANT, .number = 1, .node = "a/b" },
		{ .type = BRIDGE_GRANT, .number = 1, .lease_ms = 1ull << 32 },
		{ .type = BRIDGE_GRANT, .number = 1, .ops_per_s = UINT64_MAX },
		{ .type = BRIDGE_IMPORT },
		{ .type = BRIDGE_OPEN, .node = "n" },
		{ .type = BRIDGE_OPEN, .name = "n" },
		{ .type = BRIDGE_QUEUE },
	};
	struct bridge_request_wire w;
	struct bridge_request r;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		bridge_encode_request(&bad[i], &w);
		assert_int_equal(bridge_decode_request(&w, sizeof(w), &r),
		                 -EINVAL);
	}
	bridge_encode_request(&good[5], &w);
	w.node[BRIDGE_NAME - 1] = 'x'; /* after the NUL */
	assert_int_equal(bridge_decode_request(&w, sizeof(w), &r), -EINVAL);
	bridge_encode_request(&good[0], &w);
	for (size_t n = 0; n < sizeof(w); n += 13)
		assert_int_equal(bridge_decode_request(&w, n, &r), -EINVAL);
	w.version = le32_put(BRIDGE_VERSION + 1);
	assert_int_equal(bridge_decode_request(&w, sizeof(w), &r), -EPROTO);
}

static void replies(void **state)
{
	const struct bridge_reply reply = { .type = BRIDGE_IMPORT,
		                            .status = BRIDGE_STALE,
		                            .rights = 3,
		                            .number = 4,
		                            .length = 5,
		                            .key = { 6 },
		                            .node = "n",
		                            .words = "too late" };
	struct bridge_reply_wire w;
	struct bridge_reply r;

	(void)state;
	bridge_encode_reply(&reply, &w);
	assert_int_equal(bridge_decode_reply(&w, sizeof(w), &r), 0);
	assert_memory_equal(&r, &reply, sizeof(r));
	memset(w.words, 'x', sizeof(w.words));
	assert_int_equal(bridge_decode_reply(&w, sizeof(w), &r), -EINVAL);
	bridge_encode_reply(&reply, &w);
	w.status = le32_put(BRIDGE_OTHER_VERSION + 1);
	assert_int_equal(bridge_decode_reply(&w, sizeof(w), &r), -EINVAL);
	assert_int_equal(bridge_decode_reply(&w, sizeof(w) - 1, &r), -EINVAL);
}

static void statuses(void **state)
{
	(void)state;
	for (int s = BRIDGE_OK; s <= BRIDGE_OTHER_VERSION; s++)
		assert_int_equal(bridge_status_from_errno(bridge_status_errno(
					 (enum bridge_status)s)),
		                 s);
	assert_int_equal(bridge_status_from_errno(-ENOTTY), BRIDGE_INVALID);
	assert_int_equal(bridge_status_errno((enum bridge_status)1000),
	                 -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(malformed),
		cmocka_unit_test(replies),
		cmocka_unit_test(statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
