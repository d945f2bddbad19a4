/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "base/base.h"
#include "window/lookup_decode.h"

#include <errno.h>
#include <string.h>

static const struct lookup_message good[] = {
	{ .type = LOOKUP_ASK, .id = 1, .what = LOOKUP_NAME, .name = "scratch" },
	{ .type = LOOKUP_ASK,
	  .id = UINT64_MAX,
	  .what = LOOKUP_KEY,
	  .rights = 3,
	  .key = { { 1, 2, 3 } },
	  .process = { { 9 } } },
	{ .type = LOOKUP_ASK, .what = LOOKUP_SYNC, .key = { { 7 } } },
	{ .type = LOOKUP_ANSWER,
	  .id = 5,
	  .status = LOOKUP_OK,
	  .rights = 7,
	  .key = { { 4 } },
	  .length = UINT64_C(1) << 40,
	  .lease_ms = 1,
	  .flags = LOOKUP_IS_FILE },
	{ .type = LOOKUP_ANSWER, .id = 5, .status = LOOKUP_OK },
	{ .type = LOOKUP_ANSWER, .id = 5, .status = LOOKUP_IO_ERROR },
	{ .type = LOOKUP_ASK, .id = 6, .what = LOOKUP_LEND, .length = 1 },
	{ .type = LOOKUP_ASK, .what = LOOKUP_RENEW, .key = { { 7 } } },
	{ .type = LOOKUP_ASK, .what = LOOKUP_RETURN, .key = { { 7 } } },
	{ .type = LOOKUP_ANSWER,
	  .key = { { 4 } },
	  .length = 9,
	  .lease_ms = 8,
	  .flags = LOOKUP_IS_LOAN | LOOKUP_RECALLED },
	{ .type = LOOKUP_ANSWER, .status = LOOKUP_FULL, .length = 4096 },
	{ .type = LOOKUP_NOTICE, .key = { { 7 } }, .lease_ms = 60000 },
};

static void there_and_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
		struct lookup_message m;
		struct lookup_wire w;

		lookup_encode(&good[i], &w);
		assert_int_equal(lookup_decode(&w, sizeof(w), &m), 0);
		assert_memory_equal(&m, &good[i], sizeof(m));
	}
}

static void cut_short(void **state)
{
	struct lookup_message m;
	struct lookup_wire w;

	(void)state;
	lookup_encode(&good[0], &w);
	for (size_t n = 0; n < sizeof(w); n++)
		assert_int_equal(lookup_decode(&w, n, &m),
		                 n < 4 ? -ENOMSG : -EINVAL);
	w.service = le32_put(1);
	assert_int_equal(lookup_decode(&w, sizeof(w), &m), -ENOMSG);
}

/* Any byte where none belongs is noticed. */
static void stray_bytes(void **state)
{
	static const struct {
		unsigned message;
		size_t offset;
	} rows[] = {
		{ 0, 4 + 3 },                                  /* type */
		{ 0, offsetof(struct lookup_wire, what) + 1 }, /* what */
		{ 0, offsetof(struct lookup_wire, rights) + 1 },
		{ 0, offsetof(struct lookup_wire, key) + 15 },
		{ 0, offsetof(struct lookup_wire, process) },
		{ 0, offsetof(struct lookup_wire, length) + 7 },
		{ 0, offsetof(struct lookup_wire, lease_ms) },
		{ 0, offsetof(struct lookup_wire, flags) },
		{ 0, offsetof(struct lookup_wire, name) + 63 },
		{ 1, offsetof(struct lookup_wire, name) },
		{ 1, offsetof(struct lookup_wire, name) + 63 },
		{ 3, offsetof(struct lookup_wire, what) + 1 },
		{ 3, offsetof(struct lookup_wire, rights) + 3 },
		{ 3, offsetof(struct lookup_wire, flags) + 1 },
		{ 3, offsetof(struct lookup_wire, process) },
		{ 3, offsetof(struct lookup_wire, name) },
		{ 5, offsetof(struct lookup_wire, key) },
		{ 5, offsetof(struct lookup_wire, length) },
		{ 5, offsetof(struct lookup_wire, rights) },
		{ 6, offsetof(struct lookup_wire, rights) },
		{ 6, offsetof(struct lookup_wire, key) },
		{ 6, offsetof(struct lookup_wire, process) },
		{ 6, offsetof(struct lookup_wire, name) },
		{ 7, offsetof(struct lookup_wire, length) },
		{ 8, offsetof(struct lookup_wire, name) },
		{ 9, offsetof(struct lookup_wire, flags) },
		{ 10, offsetof(struct lookup_wire, key) },
		{ 10, offsetof(struct lookup_wire, flags) },
		{ 10, offsetof(struct lookup_wire, lease_ms) },
		{ 11, offsetof(struct lookup_wire, what) },
		{ 11, offsetof(struct lookup_wire, id) },
		{ 11, offsetof(struct lookup_wire, length) },
		{ 11, offsetof(struct lookup_wire, flags) },
		{ 11, offsetof(struct lookup_wire, process) },
		{ 11, offsetof(struct lookup_wire, name) + 5 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct lookup_message m;
		struct lookup_wire w;

		lookup_encode(&good[rows[i].message], &w);
		((uint8_t *)&w)[rows[i].offset] ^= 0x41;
		assert_int_equal(lookup_decode(&w, sizeof(w), &m), -EINVAL);
	}
}

static void names(void **state)
{
	static const char *const bad[] = {
		"", "-x", ".x", "a b", "a/b", "\xff"
	};
	struct lookup_message m = good[0];
	struct lookup_wire w;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		memset(m.name, 0, sizeof(m.name));
		strcpy(m.name, bad[i]);
		lookup_encode(&m, &w);
		assert_int_equal(lookup_decode(&w, sizeof(w), &m), -EINVAL);
		m = good[0];
	}
	memset(m.name, 'x', sizeof(m.name)); /* no room for the NUL */
	lookup_encode(&m, &w);
	assert_int_equal(lookup_decode(&w, sizeof(w), &m), -EINVAL);
}

static void statuses(void **state)
{
	(void)state;
	for (int s = LOOKUP_OK; s <= LOOKUP_FULL; s++)
		assert_int_equal(lookup_status_from_errno(lookup_status_errno(
					 (enum lookup_status)s)),
		                 s);
	assert_int_equal(lookup_status_from_errno(-ENOTTY), LOOKUP_IO_ERROR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back), cmocka_unit_test(cut_short),
		cmocka_unit_test(stray_bytes),    cmocka_unit_test(names),
		cmocka_unit_test(statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
