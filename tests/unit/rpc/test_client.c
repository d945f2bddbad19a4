/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "rpc_fixture.h"

#include <pthread.h>
#include <sys/stat.h>
#include <sys/un.h>

/* -- the reactor's client ------------------------------------------------- */

static struct rpc_client *client;
static unsigned n_client_closed;

struct ask {
	struct rpc_request request;
	unsigned n_done;
	bool destroy; /* the client, from done() */
	bool again;   /* call again from done() */
	struct rpc_error error;
	char text[64];
};

static void asked(struct rpc_request *q, const struct rpc_outcome *outcome)
{
	struct ask *a = container_of(q, struct ask, request);

	assert_true(!outcome->result != !outcome->error);
	a->n_done++;
	if (outcome->error)
		a->error = *outcome->error;
	else if (rpc_has(outcome->result, "text"))
		snprintf(a->text, sizeof(a->text), "%s",
		         rpc_string(outcome->result, "text"));
	if (a->destroy) {
		rpc_client_destroy(client);
		client = NULL;
	} else if (a->again) {
		assert_int_equal(rpc_client_call(client, q, "later", NULL),
		                 -ENOTCONN);
	}
}

static void client_closed(void *ctx)
{
	(void)ctx;
	n_client_closed++;
}

static void make_client(int fd)
{
	n_client_closed = 0;
	assert_int_equal(rpc_client_create(reactor, fd, client_closed, NULL,
	                                   &client, NULL),
	                 0);
}

static int client_setup(void **state)
{
	setup(state);
	make_client(client_fd());
	return 0;
}

static int client_teardown(void **state)
{
	rpc_client_destroy(client);
	client = NULL;
	return teardown(state);
}

static struct json_object *text_params(const char *text)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "text", json_object_new_string(text));
	return o;
}

static void answers_find_their_requests(void **state)
{
	struct ask a[3] = { { .request = { .done = asked } },
		            { .request = { .done = asked } },
		            { .request = { .done = asked } } };

	(void)state;
	assert_int_equal(rpc_client_call(client, &a[0].request, "later", NULL),
	                 0);
	assert_int_equal(rpc_client_call(client, &a[1].request, "echo",
	                                 text_params("one")),
	                 0);
	assert_int_equal(rpc_client_call(client, &a[2].request, "full", NULL),
	                 0);
	assert_int_equal(a[1].n_done, 0);
	pump();
	assert_int_equal(a[0].n_done, 0);
	assert_int_equal(a[1].n_done, 1);
	assert_string_equal(a[1].text, "one");
	assert_int_equal(a[2].n_done, 1);
	assert_int_equal(a[2].error.class, RPC_FULL);
	assert_string_equal(a[2].error.code, "ENOSPC");
	rpc_reply(kept[0], text_params("zero"));
	n_kept = 0;
	pump();
	assert_string_equal(a[0].text, "zero");
}

static void requests_fail_with_try_again_when_the_peer_dies(void **state)
{
	struct ask a[2] = { { .request = { .done = asked }, .again = true },
		            { .request = { .done = asked,
		                           .timeout_ns = 1000000000 } } };

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			rpc_client_call(client, &a[i].request, "later", NULL),
			0);
	pump();
	rpc_server_destroy(server);
	server = NULL;
	pump();
	for (int i = 0; i < 2; i++) {
		assert_int_equal(a[i].n_done, 1);
		assert_int_equal(a[i].error.class, RPC_TRY_AGAIN);
	}
	assert_int_equal(n_client_closed, 1);
	assert_int_equal(rpc_client_call(client, &a[0].request, "later", NULL),
	                 -ENOTCONN);
	assert_int_equal(a[0].n_done, 1);
}

static void destroying_the_client_ends_its_requests(void **state)
{
	struct ask a[3] = { { .request = { .done = asked }, .destroy = true },
		            { .request = { .done = asked } },
		            { .request = { .done = asked } } };

	(void)state;
	assert_int_equal(rpc_client_call(client, &a[0].request, "full", NULL),
	                 0);
	for (int i = 1; i < 3; i++)
		assert_int_equal(
			rpc_client_call(client, &a[i].request, "later", NULL),
			0);
	pump();
	assert_null(client);
	assert_int_equal(a[0].error.class, RPC_FULL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(a[i].n_done, 1);
	assert_int_equal(a[2].error.class, RPC_TRY_AGAIN);
	assert_int_equal(n_client_closed, 0);
}

static void the_client_may_be_destroyed_when_its_peer_dies(void **state)
{
	struct ask a[3] = { { .request = { .done = asked } },
		            { .request = { .done = asked }, .destroy = true },
		            { .request = { .done = asked } } };

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			rpc_client_call(client, &a[i].request, "later", NULL),
			0);
	pump();
	rpc_server_destroy(server);
	server = NULL;
	pump();
	for (int i = 0; i < 3; i++)
		assert_int_equal(a[i].n_done, 1);
	assert_int_equal(n_client_closed, 0);
}

static void a_late_answer_is_dropped(void **state)
{
	struct ask slow = { .request = { .done = asked,
		                         .timeout_ns = 10000000 } };
	struct ask fast = { .request = { .done = asked } };

	(void)state;
	assert_int_equal(rpc_client_call(client, &slow.request, "later", NULL),
	                 0);
	pump();
	assert_int_equal(slow.n_done, 0);
	pump_for(20);
	assert_int_equal(slow.n_done, 1);
	assert_int_equal(slow.error.class, RPC_TRY_AGAIN);
	assert_string_equal(slow.error.code, "ETIMEDOUT");
	rpc_reply(kept[0], NULL);
	n_kept = 0;
	assert_int_equal(rpc_client_call(client, &fast.request, "echo",
	                                 text_params("x")),
	                 0);
	pump();
	assert_int_equal(slow.n_done, 1);
	assert_string_equal(fast.text, "x");
}

static void requests_in_flight_are_bounded(void **state)
{
	static struct ask a[RPC_PENDING_MAX + 1];

	(void)state;
	for (unsigned i = 0; i < RPC_PENDING_MAX; i++) {
		a[i] = (struct ask){ .request = { .done = asked } };
		assert_int_equal(
			rpc_client_call(client, &a[i].request, "later", NULL),
			0);
	}
	a[RPC_PENDING_MAX] = (struct ask){ .request = { .done = asked } };
	assert_int_equal(rpc_client_call(client, &a[RPC_PENDING_MAX].request,
	                                 "later", NULL),
	                 -EAGAIN);
	rpc_client_destroy(client);
	client = NULL;
	for (unsigned i = 0; i < RPC_PENDING_MAX; i++)
		assert_int_equal(a[i].n_done, 1);
	assert_int_equal(a[RPC_PENDING_MAX].n_done, 0);
}

static void unsent_bytes_are_bounded(void **state)
{
	static struct ask a[16];
	char *text = malloc(1000001);
	unsigned n = 0;
	int fd[2], err = 0;

	(void)state;
	memset(text, 'x', 1000000);
	text[1000000] = '\0';
	rpc_client_destroy(client);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	make_client(fd[0]);
	while (n < 16 && !err) {
		a[n] = (struct ask){ .request = { .done = asked } };
		err = rpc_client_call(client, &a[n].request, "echo",
		                      text_params(text));
		n += !err;
	}
	assert_int_equal(err, -EAGAIN);
	assert_true(n >= RPC_UNSENT_MAX / 1000000 &&
	            n <= RPC_UNSENT_MAX / 1000000 + 3);
	close(fd[1]);
	free(text);
}

static void nonsense_from_the_peer_ends_the_client(void **state)
{
	struct ask a = { .request = { .done = asked } };
	int fd[2];

	(void)state;
	rpc_client_destroy(client);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	make_client(fd[0]);
	assert_int_equal(rpc_client_call(client, &a.request, "later", NULL), 0);
	/* Answers to nothing, then no JSON at all. */
	put(fd[1], "{}[]{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":1}");
	pump();
	assert_int_equal(a.n_done, 0);
	put(fd[1], "nonsense");
	pump();
	assert_int_equal(a.n_done, 1);
	assert_int_equal(n_client_closed, 1);
	close(fd[1]);
}

/* -- forwarding: front server -> client -> server ------------------------- */

static struct rpc_server *front;
static uint64_t patience_ns;

static void pass_on(struct rpc_call *call, struct json_object *params)
{
	(void)params;
	rpc_forward(call, client, "the slow stack", patience_ns);
}

static int front_fd(void)
{
	const struct rpc_service service = {
		.methods = methods,
		.n_methods = ARRAY_LEN(methods),
		.fallback = pass_on,
	};
	int fd[2];

	patience_ns = 0;
	assert_int_equal(rpc_server_create(reactor, &service, 1, &front, NULL),
	                 0);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	assert_int_equal(rpc_server_serve(front, fd[1], NULL, NULL, NULL), 0);
	return fd[0];
}

static void a_forwarded_call_gets_the_other_servers_answer(void **state)
{
	int fd = front_fd();

	(void)state;
	put(fd, ECHO("5", "through"));
	assert_string_equal(take(fd), ECHOED("5", "through"));
	put(fd, CALL("6", "full"));
	assert_has(take(fd), "\"message\":\"pool tank is full; grow it\","
	                     "\"data\":{\"code\":\"ENOSPC\"");
	put(fd, CALL("7", "unbound"));
	assert_has(take(fd), "-32601");
	rpc_server_destroy(front);
	close(fd);
}

static void a_forwarded_call_fails_when_nobody_is_there(void **state)
{
	int fd = front_fd();

	(void)state;
	put(fd, CALL("1", "later"));
	pump();
	assert_int_equal(n_kept, 1);
	rpc_server_destroy(server);
	server = NULL;
	assert_has(take(fd), "the slow stack went away and is restarted");
	put(fd, CALL("2", "later"));
	assert_has(take(fd), "is not running just now");
	rpc_client_destroy(client);
	client = NULL;
	put(fd, CALL("3", "later"));
	assert_has(take(fd), "\"class\":\"try again\"");
	rpc_server_destroy(front);
	close(fd);
}

static void a_forwarded_call_does_not_wait_for_ever(void **state)
{
	int fd = front_fd();

	(void)state;
	patience_ns = 5000000;
	put(fd, CALL("1", "later"));
	pump_for(10);
	assert_has(take(fd), "did not answer in time");
	rpc_server_destroy(front);
	close(fd);
}

/* -- listening, and the blocking client ----------------------------------- */

static char path[] = "/tmp/causeway-test-XXXXXX/control.sock";

static int listen_setup(void **state)
{
	char *slash = strrchr(path, '/');

	setup(state);
	*slash = '\0';
	memcpy(slash - 6, "XXXXXX", 6);
	assert_non_null(mkdtemp(path));
	*slash = '/';
	assert_int_equal(rpc_server_listen(server, path, NULL), 0);
	return 0;
}

static int listen_teardown(void **state)
{
	char *slash = strrchr(path, '/');
	struct stat st;

	teardown(state);
	assert_int_equal(stat(path, &st), -1); /* it was removed */
	*slash = '\0';
	assert_int_equal(rmdir(path), 0);
	*slash = '/';
	return 0;
}

struct blocking {
	const char *method;
	unsigned timeout_ms; /* 0: so long that only a hang reaches it */
	struct json_object *params;
	enum rpc_class class;
	struct json_object *result;
	struct rpc_error error;
	bool finished;
};

static void *call_blocking(void *arg)
{
	struct blocking *b = arg;
	struct rpc_sync s;

	b->class = RPC_FAILED;
	if (rpc_sync_open(path, &s, NULL) == 0)
		b->class = rpc_sync_call(&s, b->method, b->params,
		                         b->timeout_ms ? b->timeout_ms : 60000,
		                         &b->result, &b->error);
	rpc_sync_close(&s);
	__atomic_store_n(&b->finished, true, __ATOMIC_RELEASE);
	return NULL;
}

static void run_blocking(struct blocking *b)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, call_blocking, b), 0);
	while (!__atomic_load_n(&b->finished, __ATOMIC_ACQUIRE))
		pump_for(1);
	pthread_join(thread, NULL);
}

static void the_blocking_client_gets_answers_and_errors(void **state)
{
	struct blocking good = { .method = "echo", .params = text_params("x") };
	struct blocking bad = { .method = "full" };
	struct blocking wrong = { .method = "ecko" };
	struct blocking slow = { .method = "later", .timeout_ms = 100 };
	struct blocking cut = { .method = "destroy" };

	(void)state;
	run_blocking(&good);
	assert_int_equal(good.class, RPC_OK);
	assert_string_equal(rpc_string(good.result, "text"), "x");
	json_object_put(good.result);
	run_blocking(&bad);
	assert_int_equal(bad.class, RPC_FULL);
	assert_string_equal(bad.error.text, "pool tank is full; grow it");
	run_blocking(&wrong);
	assert_int_equal(wrong.class, RPC_USAGE);
	run_blocking(&slow);
	assert_int_equal(slow.class, RPC_TRY_AGAIN);
	assert_string_equal(slow.error.code, "ETIMEDOUT");
	run_blocking(&cut);
	assert_int_equal(cut.class, RPC_TRY_AGAIN);
}

static int connect_path(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(
		connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	pump();
	return fd;
}

static void connections_are_bounded(void **state)
{
	int fd[RPC_CONNECTIONS_MAX], extra;

	(void)state;
	for (unsigned i = 0; i < RPC_CONNECTIONS_MAX; i++)
		fd[i] = connect_path();
	extra = connect_path();
	assert_has(take(extra), "\"class\":\"try again\"");
	assert_string_equal(take(extra), "EOF");
	close(extra);
	close(fd[0]);
	pump();
	fd[0] = connect_path();
	put(fd[0], ECHO("1", "in"));
	assert_string_equal(take(fd[0]), ECHOED("1", "in"));
	for (unsigned i = 0; i < RPC_CONNECTIONS_MAX; i++)
		close(fd[i]);
}

static void the_client_that_is_turned_away_learns_why(void **state)
{
	struct blocking b = { .method = "echo", .params = text_params("x") };
	int fd[RPC_CONNECTIONS_MAX];

	(void)state;
	for (unsigned i = 0; i < RPC_CONNECTIONS_MAX; i++)
		fd[i] = connect_path();
	run_blocking(&b);
	assert_int_equal(b.class, RPC_TRY_AGAIN);
	assert_has(b.error.text, "64 control connections are open");
	for (unsigned i = 0; i < RPC_CONNECTIONS_MAX; i++)
		close(fd[i]);
}

static void a_socket_is_taken_over_only_from_the_dead(void **state)
{
	struct err e = { 0 };
	struct rpc_server *second;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(rpc_server_create(reactor, NULL, 0, &second, NULL), 0);
	assert_int_equal(rpc_server_listen(second, path, &e), -EADDRINUSE);
	assert_has(e.text, "another process serves");
	rpc_server_destroy(second);
	assert_int_equal(stat(path, &st), 0);

	/* A dead process leaves a socket that nobody listens on. */
	rpc_server_destroy(server);
	assert_int_equal(rpc_server_create(reactor, NULL, 0, &server, NULL), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)),
	                 0);
	close(fd);
	assert_int_equal(rpc_server_listen(server, path, NULL), 0);

	/* Somebody's file is left alone. */
	rpc_server_destroy(server);
	assert_int_equal(rpc_server_create(reactor, NULL, 0, &server, NULL), 0);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	e = (struct err){ 0 };
	assert_int_equal(rpc_server_listen(server, path, &e), -ENOTSOCK);
	assert_has(e.text, "is not a socket");
	unlink(path);
}

static void a_missing_daemon_is_told(void **state)
{
	struct rpc_sync s;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(rpc_sync_open("/nonexistent/sock", &s, &e), -ENOENT);
	assert_has(e.text, "/nonexistent/sock");
}

#define C(f) cmocka_unit_test_setup_teardown(f, client_setup, client_teardown)
#define L(f) cmocka_unit_test_setup_teardown(f, listen_setup, listen_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		C(answers_find_their_requests),
		C(requests_fail_with_try_again_when_the_peer_dies),
		C(destroying_the_client_ends_its_requests),
		C(the_client_may_be_destroyed_when_its_peer_dies),
		C(a_late_answer_is_dropped),
		C(requests_in_flight_are_bounded),
		C(unsent_bytes_are_bounded),
		C(nonsense_from_the_peer_ends_the_client),
		C(a_forwarded_call_gets_the_other_servers_answer),
		C(a_forwarded_call_fails_when_nobody_is_there),
		C(a_forwarded_call_does_not_wait_for_ever),
		L(the_blocking_client_gets_answers_and_errors),
		L(connections_are_bounded),
		L(the_client_that_is_turned_away_learns_why),
		L(a_socket_is_taken_over_only_from_the_dead),
		cmocka_unit_test(a_missing_daemon_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
