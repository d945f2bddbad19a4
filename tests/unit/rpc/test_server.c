/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "rpc/frame.h"
#include "rpc_fixture.h"

static void a_call_is_answered_however_it_is_cut(void **state)
{
	static const char text[] = ECHO("1", "a") " \n" ECHO("\"b\"", "c");
	int fd = client_fd();

	(void)state;
	put(fd, text);
	assert_string_equal(take(fd), ECHOED("1", "a") ECHOED("\"b\"", "c"));
	for (size_t i = 0; i + 1 < sizeof(text); i++) {
		assert_int_equal(send(fd, text + i, 1, 0), 1);
		pump();
	}
	assert_string_equal(take(fd), ECHOED("1", "a") ECHOED("\"b\"", "c"));
	close(fd);
	pump();
	assert_int_equal(n_closed, 1);
}

static const struct {
	const char *text;
	const char *words[3];
} refusals[] = {
	{ CALL("1", "ecko"),
	  { "-32601", "did you mean 'echo'?", "\"usage\"" } },
	{ CALL("1", "zzzzzzz"), { "-32601", "'rpc.methods' lists", "usage" } },
	{ CALL("1", "unbound"), { "-32601", "not served", "ENOSYS" } },
	{ CALL("1", "echo"), { "-32602", "'text' is missing", "\"id\":1" } },
	{ CALL("1", "full"), { "-32000", "ENOSPC", "\"class\":\"full\"" } },
	{ "[]", { "-32600", "batches", "\"id\":null" } },
	{ "{\"jsonrpc\":\"2.0\",\"id\":4}",
	  { "-32600", "method", "\"id\":4" } },
};

static void what_is_refused_says_why_and_the_connection_goes_on(void **state)
{
	int fd = client_fd();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		const char *got;

		put(fd, refusals[i].text);
		got = take(fd);
		for (int k = 0; k < 3; k++)
			assert_has(got, refusals[i].words[k]);
	}
	put(fd, ECHO("9", "on"));
	assert_string_equal(take(fd), ECHOED("9", "on"));
	close(fd);
}

static void nonsense_closes_its_own_connection_only(void **state)
{
	static const char *const bytes[] = {
		"GET / HTTP/1.0\r\n\r\n", "\x16\x03\x01", "}", "{]}", "{'a':1}",
		"{\"a\":\"\xff\"}",       "12",
	};
	struct rpc_server_stats stats;
	int good = client_fd();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bytes); i++) {
		int fd = client_fd();

		put(fd, bytes[i]);
		assert_has(take(fd), "-32700");
		assert_string_equal(take(fd), "EOF");
		close(fd);
	}
	assert_int_equal(n_closed, ARRAY_LEN(bytes));
	put(good, ECHO("1", "x"));
	assert_string_equal(take(good), ECHOED("1", "x"));
	close(good);
	rpc_server_stats(server, &stats);
	assert_int_equal(stats.n_protocol, ARRAY_LEN(bytes));
}

static void a_deep_or_rich_or_long_message_is_refused(void **state)
{
	static char text[RPC_MESSAGE_MAX + 4096];
	int fd = client_fd();

	(void)state;
	memset(text, '[', 100);
	text[100] = '\0';
	put(fd, text);
	assert_has(take(fd), "nested deeper than 32");
	close(fd);

	fd = client_fd();
	text[0] = '[';
	for (unsigned i = 0; i < RPC_REQUEST_VALUES + 1; i++)
		memcpy(text + 1 + 3 * i, "{},", 4);
	put(fd, text);
	assert_has(take(fd), "too many values");
	close(fd);

	/* One byte over the limit; the socket takes it in pieces. */
	fd = client_fd();
	memset(text, 'x', sizeof(text));
	memcpy(text, "{\"a\":\"", 6);
	for (size_t sent = 0; sent <= RPC_MESSAGE_MAX;) {
		ssize_t n = send(fd, text + sent, RPC_MESSAGE_MAX + 1 - sent,
		                 MSG_NOSIGNAL);

		assert_true(n > 0);
		sent += (size_t)n;
		pump();
	}
	assert_has(take(fd), "over 1048576 bytes");
	close(fd);
}

static void an_answer_that_is_too_long_becomes_an_error(void **state)
{
	int fd = client_fd();

	(void)state;
	put(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\",\"params\":"
	        "{\"bytes\":2000000}}");
	assert_has(take(fd), "the answer is over 1048576 bytes");
	close(fd);
}

static void a_call_may_be_answered_after_its_client_has_gone(void **state)
{
	int fd = client_fd();

	(void)state;
	put(fd, CALL("1", "later") CALL("2", "later"));
	pump();
	assert_int_equal(n_kept, 2);
	assert_false(rpc_call_orphaned(kept[0]));
	rpc_reply(kept[1], NULL);
	assert_string_equal(take(fd),
	                    "{\"jsonrpc\":\"2.0\",\"result\":{},\"id\":2}\n");
	close(fd);
	pump();
	assert_int_equal(n_closed, 1);
	assert_true(rpc_call_orphaned(kept[0]));
	assert_string_equal(rpc_call_method(kept[0]), "later");
	rpc_reply(kept[0], NULL);
	n_kept = 0;
}

static void a_call_may_be_answered_after_the_server_has_gone(void **state)
{
	struct err e = { 0 };
	int fd = client_fd();

	(void)state;
	put(fd, CALL("1", "later") CALL("2", "later") CALL("3", "destroy"));
	pump();
	assert_null(server);
	assert_string_equal(take(fd), "EOF");
	rpc_reply(kept[0], NULL);
	err_set(&e, -EIO, "late");
	rpc_fail(kept[1], &e, RPC_OK);
	n_kept = 0;
	close(fd);
}

static void half_a_close_still_gets_its_answers(void **state)
{
	int fd = client_fd();

	(void)state;
	put(fd, ECHO("1", "x") CALL("2", "later"));
	shutdown(fd, SHUT_WR);
	assert_string_equal(take(fd), ECHOED("1", "x"));
	assert_false(reactor_poll(reactor)); /* waits without spinning */
	assert_int_equal(n_closed, 0);
	rpc_reply(kept[0], NULL);
	n_kept = 0;
	assert_has(take(fd), "\"id\":2");
	assert_string_equal(take(fd), "EOF");
	assert_int_equal(n_closed, 1);
	close(fd);
}

static void a_notification_gets_no_answer(void **state)
{
	int fd = client_fd();

	(void)state;
	put(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"later\"}"
	        "{\"jsonrpc\":\"2.0\",\"method\":\"nope\"}");
	assert_string_equal(take(fd), "");
	assert_int_equal(n_kept, 1);
	close(fd);
}

static void calls_in_flight_are_bounded_per_connection(void **state)
{
	int fd = client_fd();

	(void)state;
	for (unsigned i = 0; i < RPC_CALLS_MAX + 10; i++)
		put(fd, CALL("1", "later"));
	pump();
	assert_int_equal(n_kept, RPC_CALLS_MAX);
	assert_false(reactor_poll(reactor));
	rpc_reply(kept[0], NULL);
	pump();
	assert_int_equal(n_kept, RPC_CALLS_MAX + 1);
	for (unsigned i = 1; i < n_kept; i++) {
		rpc_reply(kept[i], NULL);
		pump();
	}
	assert_int_equal(n_kept, RPC_CALLS_MAX + 10);
	n_kept = 0;
	close(fd);
}

static void calls_in_flight_are_bounded_in_all(void **state)
{
	struct rpc_server_stats stats;
	int fd;

	(void)state;
	/* Clients that call and go: their calls stay until answered. */
	for (unsigned i = 0; i < 1024 / RPC_CALLS_MAX; i++) {
		fd = client_fd();
		for (unsigned k = 0; k < RPC_CALLS_MAX; k++)
			put(fd, CALL("1", "later"));
		pump();
		close(fd);
	}
	pump();
	rpc_server_stats(server, &stats);
	assert_int_equal(stats.calls, 1024);
	assert_int_equal(stats.connections, 0);
	fd = client_fd();
	put(fd, CALL("7", "later"));
	assert_has(take(fd), "\"class\":\"try again\"");
	close(fd);
}

static void a_client_that_does_not_read_is_not_read(void **state)
{
	static const char call[] =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\",\"params\":"
		"{\"bytes\":1000000}}";
	struct rpc_server_stats stats;
	size_t got = 0;
	int fd = client_fd();

	(void)state;
	for (int i = 0; i < 40; i++)
		put(fd, call);
	pump();
	rpc_server_stats(server, &stats);
	assert_true(stats.n_calls <= RPC_OUT_MAX / 1000000 + 3);
	assert_false(reactor_poll(reactor));
	while (got < 40u * 1000000)
		got += strlen(take(fd));
	rpc_server_stats(server, &stats);
	assert_int_equal(stats.n_calls, 40);
	close(fd);
}

static void a_client_that_rests_in_a_message_is_dropped(void **state)
{
	struct rpc_server_stats stats;
	int slow, idle, waiting;

	(void)state;
	rpc_server_set_stall(server, 30);
	slow = client_fd();
	idle = client_fd();
	waiting = client_fd();
	put(slow, "{\"jsonrpc\":");
	put(waiting, CALL("1", "later"));
	pump_for(60);
	assert_has(take(slow), "not finished in time");
	assert_string_equal(take(slow), "EOF");
	/* Waiting for us, or having nothing to say, is no stall. */
	put(idle, ECHO("1", "x"));
	assert_string_equal(take(idle), ECHOED("1", "x"));
	rpc_reply(kept[0], NULL);
	n_kept = 0;
	assert_has(take(waiting), "\"id\":1");
	rpc_server_stats(server, &stats);
	assert_int_equal(stats.n_stalled, 1);
	close(slow);
	close(idle);
	close(waiting);
}

/* While replies wait for the client we read nothing, so the message that it
 * has begun cannot be finished: that is no stall. */
static void a_client_that_reads_slowly_keeps_its_half_message(void **state)
{
	static const char last[] = ECHO("9", "x");
	static char text[100000];
	struct json_object *params = json_tokener_parse("{\"bytes\":1000000}");
	struct rpc_server_stats stats;
	const char *got;
	int fd;

	(void)state;
	rpc_server_set_stall(server, 1500);
	fd = client_fd();
	for (int i = 0; i < 6; i++)
		put(fd, CALL("1", "later"));
	assert_int_equal(send(fd, last, 9, 0), 9);
	pump();
	while (n_kept)
		big(kept[--n_kept], params);
	json_object_put(params);
	for (int i = 0; i < 6; i++) {
		pump_for(300);
		assert_true(recv(fd, text, sizeof(text), 0) > 0);
		while (recv(fd, text, sizeof(text), 0) > 0)
			;
	}
	rpc_server_stats(server, &stats);
	assert_int_equal(stats.n_stalled, 0);
	do {
		got = take(fd);
	} while (*got);
	put(fd, last + 9);
	assert_string_equal(take(fd), ECHOED("9", "x"));
	close(fd);
}

static void a_client_that_rests_on_its_replies_is_dropped(void **state)
{
	int fd;

	(void)state;
	rpc_server_set_stall(server, 30);
	fd = client_fd();
	put(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\",\"params\":"
	        "{\"bytes\":1000000}}");
	pump_for(60);
	assert_int_equal(n_closed, 1);
	close(fd);
}

static void the_tables_can_be_asked_for(void **state)
{
	int fd = client_fd();
	const char *text;

	(void)state;
	put(fd, CALL("1", "rpc.methods"));
	text = take(fd);
	assert_has(text, "\"name\":\"echo\"");
	assert_has(text, "\"name\":\"text\",\"type\":\"string\"");
	assert_has(text, "\"name\":\"rpc.methods\"");
	close(fd);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_call_is_answered_however_it_is_cut),
		T(what_is_refused_says_why_and_the_connection_goes_on),
		T(nonsense_closes_its_own_connection_only),
		T(a_deep_or_rich_or_long_message_is_refused),
		T(an_answer_that_is_too_long_becomes_an_error),
		T(a_call_may_be_answered_after_its_client_has_gone),
		T(a_call_may_be_answered_after_the_server_has_gone),
		T(half_a_close_still_gets_its_answers),
		T(a_notification_gets_no_answer),
		T(calls_in_flight_are_bounded_per_connection),
		T(calls_in_flight_are_bounded_in_all),
		T(a_client_that_does_not_read_is_not_read),
		T(a_client_that_rests_in_a_message_is_dropped),
		T(a_client_that_rests_on_its_replies_is_dropped),
		T(a_client_that_reads_slowly_keeps_its_half_message),
		T(the_tables_can_be_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
