/* SPDX-License-Identifier: BSD-2-Clause */
/* shows V1 (NBD: malformed input never reaches a drive) */
#include "../test.h"

#include "base/base.h"
#include "export/nbd_codec.h"

#include <errno.h>
#include <string.h>

#define KIB 1024u
#define MIB (1024u * KIB)

static const struct nbd_terms usual = {
	.size = 10 * MIB,
	.grain = 512,
	.length_max = 1 * MIB,
	.structured = true,
	.context = true,
};

static void a_command_is_checked_before_it_is_executed(void **state)
{
	static const struct {
		const char *what;
		struct nbd_command c;
		enum nbd_error error;
	} rows[] = {
		{ "read", { 0, NBD_CMD_READ, 4096, 1, 0 }, NBD_OK },
		{ "read of the end",
		  { 0, NBD_CMD_READ, 512, 1, 10 * MIB - 512 },
		  NBD_OK },
		{ "read beyond the end",
		  { 0, NBD_CMD_READ, 1024, 1, 10 * MIB - 512 },
		  NBD_EINVAL },
		{ "read that wraps",
		  { 0, NBD_CMD_READ, 1024, 1, UINT64_MAX - 511 },
		  NBD_EINVAL },
		{ "read of nothing", { 0, NBD_CMD_READ, 0, 1, 512 }, NBD_OK },
		{ "read with an odd offset",
		  { 0, NBD_CMD_READ, 512, 1, 1 },
		  NBD_EINVAL },
		{ "read with an odd length",
		  { 0, NBD_CMD_READ, 513, 1, 0 },
		  NBD_EINVAL },
		{ "longest read", { 0, NBD_CMD_READ, MIB, 1, 0 }, NBD_OK },
		{ "too long a read",
		  { 0, NBD_CMD_READ, MIB + 512, 1, 0 },
		  NBD_EINVAL },
		{ "read in one piece",
		  { NBD_CMD_FLAG_DF, NBD_CMD_READ, 512, 1, 0 },
		  NBD_OK },
		{ "read with no-hole",
		  { NBD_CMD_FLAG_NO_HOLE, NBD_CMD_READ, 512, 1, 0 },
		  NBD_EINVAL },
		{ "write with FUA",
		  { NBD_CMD_FLAG_FUA, NBD_CMD_WRITE, 512, 1, 0 },
		  NBD_OK },
		{ "write beyond the end",
		  { 0, NBD_CMD_WRITE, 512, 1, 10 * MIB },
		  NBD_ENOSPC },
		{ "write that wraps",
		  { 0, NBD_CMD_WRITE, 512, 1, UINT64_MAX - 511 },
		  NBD_ENOSPC },
		{ "unknown flag",
		  { 1 << 15, NBD_CMD_WRITE, 512, 1, 0 },
		  NBD_EINVAL },
		{ "disconnect", { 0, NBD_CMD_DISC, 0, 1, 0 }, NBD_OK },
		{ "flush", { 0, NBD_CMD_FLUSH, 0, 1, 0 }, NBD_OK },
		{ "flush of a range",
		  { 0, NBD_CMD_FLUSH, 512, 1, 0 },
		  NBD_EINVAL },
		{ "trim beyond one transfer",
		  { 0, NBD_CMD_TRIM, 10 * MIB, 1, 0 },
		  NBD_OK },
		{ "trim beyond the end",
		  { 0, NBD_CMD_TRIM, 11 * MIB, 1, 0 },
		  NBD_ENOSPC },
		{ "zeroes that keep the space",
		  { NBD_CMD_FLAG_NO_HOLE, NBD_CMD_WRITE_ZEROES, 512, 1, 0 },
		  NBD_OK },
		{ "fast zeroes",
		  { NBD_CMD_FLAG_FAST_ZERO, NBD_CMD_WRITE_ZEROES, 512, 1, 0 },
		  NBD_EINVAL },
		{ "cache", { 0, NBD_CMD_CACHE, 512, 1, 0 }, NBD_EINVAL },
		{ "status of one extent",
		  { NBD_CMD_FLAG_REQ_ONE, NBD_CMD_BLOCK_STATUS, 512, 1, 0 },
		  NBD_OK },
		{ "status of nothing",
		  { 0, NBD_CMD_BLOCK_STATUS, 0, 1, 0 },
		  NBD_EINVAL },
		{ "unknown command", { 0, NBD_CMD_END, 0, 1, 0 }, NBD_EINVAL },
		{ "highest command", { 0, 65535, 0, 1, 0 }, NBD_EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (nbd_command_check(&rows[i].c, &usual) != rows[i].error)
			fail_msg("%s", rows[i].what);
}

static void terms_decide_what_may_be_asked(void **state)
{
	struct nbd_terms terms = usual;
	struct nbd_command write = { .type = NBD_CMD_WRITE, .length = 512 };
	struct nbd_command whole = { .type = NBD_CMD_READ,
		                     .flags = NBD_CMD_FLAG_DF };
	struct nbd_command status = { .type = NBD_CMD_BLOCK_STATUS,
		                      .length = 512 };

	(void)state;
	terms.read_only = true;
	assert_int_equal(nbd_command_check(&write, &terms), NBD_EPERM);
	terms.structured = false;
	assert_int_equal(nbd_command_check(&whole, &terms), NBD_EINVAL);
	terms.context = false;
	assert_int_equal(nbd_command_check(&status, &terms), NBD_EINVAL);
}

static void info_and_go_are_decoded_exactly(void **state)
{
	static const struct {
		const char *what;
		const char *data;
		size_t length;
		int err;
	} rows[] = {
		{ "nothing", "", 0, -EINVAL },
		{ "no name, no requests", "\0\0\0\0\0\0", 6, 0 },
		{ "a name, a request", "\0\0\0\1a\0\1\0\3", 9, 0 },
		{ "request cut off", "\0\0\0\1a\0\1\0", 8, -EINVAL },
		{ "bytes left over", "\0\0\0\1a\0\0\0", 8, -EINVAL },
		{ "name longer than data", "\0\0\0\5a\0\0", 7, -EINVAL },
		{ "name of 4 GiB", "\377\377\377\377a\0\0", 7, -EINVAL },
		{ "NUL in the name", "\0\0\0\1\0\0\0", 7, -EINVAL },
	};
	struct nbd_info_query q;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (nbd_decode_info(rows[i].data, rows[i].length, &q) !=
		    rows[i].err)
			fail_msg("%s", rows[i].what);
	assert_int_equal(nbd_decode_info(rows[2].data, 9, &q), 0);
	assert_true(nbd_view_equals(q.name, "a"));
	assert_true(q.wants_block_size);
	assert_false(q.wants_name || q.wants_description);
}

#define QUERY(n, text) "\0\0\0\1v\0\0\0" n text

static void a_metadata_query_selects_what_we_have(void **state)
{
	static const struct {
		const char *what;
		const char *data;
		size_t length;
		bool list;
		int err;
		bool allocation;
	} rows[] = {
		{ "list of all", QUERY("\0", ""), 9, true, 0, true },
		{ "set of none", QUERY("\0", ""), 9, false, 0, false },
		{ "set by name", QUERY("\1", "\0\0\0\17base:allocation"), 28,
		  false, 0, true },
		{ "list of a namespace", QUERY("\1", "\0\0\0\5base:"), 18, true,
		  0, true },
		{ "set of a namespace", QUERY("\1", "\0\0\0\5base:"), 18, false,
		  0, false },
		{ "somebody else's", QUERY("\1", "\0\0\0\6qemu:x"), 19, true, 0,
		  false },
		{ "query cut off", QUERY("\1", "\0\0\0\6qemu"), 17, true,
		  -EINVAL, false },
		{ "fewer queries than said", QUERY("\2", "\0\0\0\1x"), 14, true,
		  -EINVAL, false },
		{ "bytes left over", QUERY("\0", "x"), 10, true, -EINVAL,
		  false },
	};
	struct nbd_meta_query m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (nbd_decode_meta(rows[i].data, rows[i].length, rows[i].list,
		                    &m) != rows[i].err)
			fail_msg("%s", rows[i].what);
		if (rows[i].err == 0 &&
		    m.wants_allocation != rows[i].allocation)
			fail_msg("%s", rows[i].what);
	}
}

static void messages_have_the_documents_bytes(void **state)
{
	static const uint8_t greeting[18] = "NBDMAGICIHAVEOPT\0\3";
	static const uint8_t simple[16] = {
		0x67, 0x44, 0x66, 0x98, 0, 0, 0, 28, 1, 2, 3, 4, 5, 6, 7, 8
	};
	static const uint8_t data[28] = {
		0x66, 0x8e, 0x33, 0xef, 0, 1, 0, 1, 1, 2, 3, 4, 5, 6,
		7,    8,    0,    0,    2, 8, 0, 0, 0, 0, 0, 0, 2, 0,
	};
	static const uint8_t ack[20] = { 0,    3, 0xe8, 0x89, 4, 0x55, 0x65,
		                         0xa9, 0, 0,    0,    3, 0,    0,
		                         0,    1, 0,    0,    0, 0 };
	uint8_t out[64];
	struct nbd_greeting g;

	(void)state;
	nbd_encode_greeting(&g);
	assert_memory_equal(&g, greeting, sizeof(greeting));
	assert_int_equal(nbd_encode_simple(0x0102030405060708, NBD_ENOSPC, out),
	                 16);
	assert_memory_equal(out, simple, sizeof(simple));
	assert_int_equal(nbd_encode_data(0x0102030405060708, 512, 512, out),
	                 28);
	assert_memory_equal(out, data, sizeof(data));
	assert_int_equal(nbd_encode_reply(NBD_OPT_LIST, NBD_REP_ACK, NULL, out),
	                 20);
	assert_memory_equal(out, ack, sizeof(ack));
}

static void a_wrong_magic_is_refused(void **state)
{
	struct nbd_option_header option = {
		.magic = be64_put(NBD_OPTION_MAGIC + 1),
	};
	struct nbd_request_header request = {
		.magic = be32_put(NBD_REQUEST_MAGIC + 1),
	};
	struct nbd_option_head head;
	struct nbd_command command;
	bool no_zeroes;

	(void)state;
	assert_int_equal(nbd_decode_option(&option, &head), -EPROTO);
	assert_int_equal(nbd_decode_request(&request, &command), -EPROTO);
	assert_int_equal(nbd_decode_client_flags(be32_put(4), &no_zeroes),
	                 -EPROTO);
	assert_int_equal(nbd_decode_client_flags(be32_put(3), &no_zeroes), 0);
	assert_true(no_zeroes);
}

static void an_errno_never_crosses_the_wire_as_it_is(void **state)
{
	static const struct {
		int err;
		enum nbd_error error;
	} rows[] = {
		{ 0, NBD_OK },           { -ENOSPC, NBD_ENOSPC },
		{ -EIO, NBD_EIO },       { -EINVAL, NBD_EINVAL },
		{ -ERANGE, NBD_EINVAL }, { -ENXIO, NBD_ESHUTDOWN },
		{ -EROFS, NBD_EPERM },   { -ENOMEM, NBD_ENOMEM },
		{ -EDQUOT, NBD_ENOSPC }, { -ENOTTY, NBD_EIO },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(nbd_error_from_errno(rows[i].err),
		                 rows[i].error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_is_checked_before_it_is_executed),
		cmocka_unit_test(terms_decide_what_may_be_asked),
		cmocka_unit_test(info_and_go_are_decoded_exactly),
		cmocka_unit_test(a_metadata_query_selects_what_we_have),
		cmocka_unit_test(messages_have_the_documents_bytes),
		cmocka_unit_test(a_wrong_magic_is_refused),
		cmocka_unit_test(an_errno_never_crosses_the_wire_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
