/* SPDX-License-Identifier: BSD-2-Clause */
/* shows V1 (NBD: the handshake, well-formed or not) */
#include "../test.h"

#include "nbd_client.h"

static int setup(void **state)
{
	(void)state;
	start_server(0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stop_server();
	return 0;
}

static struct nbd_server_stats stats(void)
{
	struct nbd_server_stats s;

	nbd_server_stats(fx.server, &s);
	return s;
}

static void an_export_is_found_by_its_name_or_as_the_only_one(void **state)
{
	struct nbd_export *second;
	int fd;

	(void)state;
	fd = attach("disk", false);
	close(fd);
	fd = attach("", false);
	close(fd);
	add_export("other", false, &second);
	fd = greet();
	put_go(fd, "");
	assert_int_equal(last_reply(fd), NBD_REP_ERR_UNKNOWN);
	put_go(fd, "nothing");
	assert_int_equal(last_reply(fd), NBD_REP_ERR_UNKNOWN);
	put_go(fd, "other");
	assert_int_equal(last_reply(fd), NBD_REP_ACK);
	close(fd);
}

static void export_name_ends_the_handshake_with_or_without_zeroes(void **state)
{
	struct nbd_export_reply r;
	struct nbd_greeting g;
	be32 flags = be32_put(NBD_FLAG_FIXED_NEWSTYLE);
	int fd = greet();

	(void)state;
	put_option(fd, NBD_OPT_EXPORT_NAME, "disk", 4);
	assert_int_equal(get(fd, &r, sizeof(r)), 10);
	assert_int_equal(be64_get(r.size), DISK);
	assert_true(be16_get(r.flags) & NBD_FLAG_HAS_FLAGS);
	put_request(fd, 0, NBD_CMD_FLUSH, 0, 0);
	assert_int_equal(get_simple(fd), NBD_OK);
	close(fd);

	fd = dial();
	assert_int_equal(get(fd, &g, sizeof(g)), sizeof(g));
	put(fd, &flags, sizeof(flags));
	put_option(fd, NBD_OPT_EXPORT_NAME, "disk", 4);
	assert_int_equal(get(fd, &r, sizeof(r)), sizeof(r));
	close(fd);

	fd = greet();
	put_option(fd, NBD_OPT_EXPORT_NAME, "none", 4);
	assert_true(is_closed(fd));
	close(fd);
}

static void each_option_gets_the_documents_answer(void **state)
{
	static const struct {
		const char *what;
		uint32_t option;
		const char *data;
		size_t length;
		uint32_t reply;
	} rows[] = {
		{ "unknown", 4711, "", 0, NBD_REP_ERR_UNSUP },
		{ "unknown, with data", 4711, "xyz", 3, NBD_REP_ERR_UNSUP },
		{ "TLS", NBD_OPT_STARTTLS, "", 0, NBD_REP_ERR_UNSUP },
		{ "list", NBD_OPT_LIST, "", 0, NBD_REP_ACK },
		{ "list with data", NBD_OPT_LIST, "x", 1, NBD_REP_ERR_INVALID },
		{ "contexts too early", NBD_OPT_SET_META_CONTEXT,
		  "\0\0\0\4disk\0\0\0\0", 12, NBD_REP_ERR_INVALID },
		{ "structured with data", NBD_OPT_STRUCTURED_REPLY, "x", 1,
		  NBD_REP_ERR_INVALID },
		{ "structured", NBD_OPT_STRUCTURED_REPLY, "", 0, NBD_REP_ACK },
		{ "structured again", NBD_OPT_STRUCTURED_REPLY, "", 0,
		  NBD_REP_ACK },
		{ "contexts", NBD_OPT_SET_META_CONTEXT, "\0\0\0\4disk\0\0\0\0",
		  12, NBD_REP_ACK },
		{ "contexts of nothing", NBD_OPT_LIST_META_CONTEXT,
		  "\0\0\0\4none\0\0\0\0", 12, NBD_REP_ERR_UNKNOWN },
		{ "malformed contexts", NBD_OPT_LIST_META_CONTEXT,
		  "\0\0\0\4disk\0\0\0\1", 12, NBD_REP_ERR_INVALID },
		{ "info", NBD_OPT_INFO, "\0\0\0\4disk\0\0", 10, NBD_REP_ACK },
		{ "malformed info", NBD_OPT_INFO, "\0\0\0\4disk\0", 9,
		  NBD_REP_ERR_INVALID },
		{ "malformed go", NBD_OPT_GO, "", 0, NBD_REP_ERR_INVALID },
	};
	int fd = greet();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		put_option(fd, rows[i].option, rows[i].data, rows[i].length);
		if (last_reply(fd) != rows[i].reply)
			fail_msg("%s", rows[i].what);
	}
	put_option(fd, NBD_OPT_ABORT, "", 0);
	assert_int_equal(last_reply(fd), NBD_REP_ACK);
	assert_true(is_closed(fd));
	close(fd);
}

static void an_option_that_is_too_long_is_skipped_or_cut(void **state)
{
	static const uint8_t big[NBD_OPTION_MAX + 1];
	struct nbd_option_header huge = {
		.magic = be64_put(NBD_OPTION_MAGIC),
		.option = be32_put(NBD_OPT_INFO),
		.length = be32_put(UINT32_MAX),
	};
	int fd = greet();

	(void)state;
	put_option(fd, NBD_OPT_INFO, big, sizeof(big));
	assert_int_equal(last_reply(fd), NBD_REP_ERR_TOO_BIG);
	put_option(fd, NBD_OPT_LIST, "", 0);
	assert_int_equal(last_reply(fd), NBD_REP_ACK);
	put(fd, &huge, sizeof(huge));
	assert_true(is_closed(fd));
	close(fd);
}

static void a_client_that_breaks_the_rules_is_cut(void **state)
{
	be32 flags = be32_put(0x80000000);
	struct nbd_greeting g;
	int fd = dial();

	(void)state;
	assert_int_equal(get(fd, &g, sizeof(g)), sizeof(g));
	put(fd, &flags, sizeof(flags));
	assert_true(is_closed(fd));
	close(fd);
	fd = greet();
	put(fd, "GET / HTTP/1.0\r\n\r\n", 18);
	assert_true(is_closed(fd));
	close(fd);
	assert_int_equal(stats().rejected, 2);
}

static void a_client_that_stalls_is_dropped_after_ten_seconds(void **state)
{
	int silent = dial(), slow = greet(), done = attach("disk", false);

	(void)state;
	put(slow, "IHAVE", 5);
	pass_ms(NBD_HANDSHAKE_MS - 1);
	assert_int_equal(stats().timed_out, 0);
	pass_ms(1);
	assert_int_equal(stats().timed_out, 2);
	assert_int_equal(stats().connections, 1);
	/* One that has finished may be as slow as it likes. */
	pass_ms(10 * NBD_HANDSHAKE_MS);
	put_request(done, 0, NBD_CMD_FLUSH, 0, 0);
	assert_int_equal(get_simple(done), NBD_OK);
	close(silent);
	close(slow);
	close(done);
}

static void a_list_of_many_exports_needs_no_large_buffer(void **state)
{
	static struct nbd_export *many[400];
	char name[NBD_NAME_MAX + 1];
	uint8_t data[1024];
	unsigned n = 0;
	uint32_t type;
	int fd;

	(void)state;
	memset(name, 'x', NBD_NAME_MAX);
	name[NBD_NAME_MAX] = '\0';
	for (unsigned i = 0; i < ARRAY_LEN(many); i++) {
		snprintf(name, 8, "%03u", i);
		name[3] = 'x';
		add_export(name, false, &many[i]);
	}
	fd = greet();
	put_option(fd, NBD_OPT_LIST, "", 0);
	while ((type = get_reply(fd, data, sizeof(data))) == NBD_REP_SERVER)
		n++;
	assert_int_equal(type, NBD_REP_ACK);
	assert_int_equal(n, ARRAY_LEN(many) + 1);
	assert_true(stats().held <= NBD_IDLE_MAX);
	close(fd);
}

static void options_may_come_in_one_piece_or_byte_by_byte(void **state)
{
	struct nbd_option_header list = {
		.magic = be64_put(NBD_OPTION_MAGIC),
		.option = be32_put(NBD_OPT_LIST),
	};
	struct nbd_option_header many[200];
	int fd = greet();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = list;
	put(fd, many, sizeof(many));
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		assert_int_equal(last_reply(fd), NBD_REP_ACK);
	for (size_t i = 0; i < sizeof(list); i++)
		put(fd, (uint8_t *)&list + i, 1);
	assert_int_equal(last_reply(fd), NBD_REP_ACK);
	close(fd);
}

static void a_context_counts_only_for_the_export_it_was_set_for(void **state)
{
	static const char set[] =
		"\0\0\0\5other\0\0\0\1\0\0\0\17base:allocation";
	struct nbd_export *second;
	struct nbd_error_chunk r;
	int fd;

	(void)state;
	add_export("other", false, &second);
	fd = greet();
	put_option(fd, NBD_OPT_STRUCTURED_REPLY, "", 0);
	assert_int_equal(last_reply(fd), NBD_REP_ACK);
	put_option(fd, NBD_OPT_SET_META_CONTEXT, set, sizeof(set) - 1);
	assert_int_equal(last_reply(fd), NBD_REP_ACK);
	put_go(fd, "disk");
	assert_int_equal(last_reply(fd), NBD_REP_ACK);
	put_request(fd, 0, NBD_CMD_BLOCK_STATUS, 0, 4096);
	assert_int_equal(get(fd, &r, sizeof(r)), sizeof(r));
	assert_int_equal(be16_get(r.header.type), NBD_CHUNK_ERROR);
	assert_int_equal(be32_get(r.error), NBD_EINVAL);
	close(fd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_export_is_found_by_its_name_or_as_the_only_one),
		TEST(export_name_ends_the_handshake_with_or_without_zeroes),
		TEST(each_option_gets_the_documents_answer),
		TEST(an_option_that_is_too_long_is_skipped_or_cut),
		TEST(a_client_that_breaks_the_rules_is_cut),
		TEST(a_client_that_stalls_is_dropped_after_ten_seconds),
		TEST(a_list_of_many_exports_needs_no_large_buffer),
		TEST(options_may_come_in_one_piece_or_byte_by_byte),
		TEST(a_context_counts_only_for_the_export_it_was_set_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
