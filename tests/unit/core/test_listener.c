/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "base/base.h"
#include "base/clock.h"
#include "core/listener.h"
#include "core/reactor.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define CLIENTS_MAX 8

static uint64_t sim_now;
static struct reactor *reactor;
static char folder[] = "/tmp/causeway-listener-XXXXXX";
static char path[64];

/* An owner that closes after so many connections. */
struct door {
	struct listener listener;
	int fd[CLIENTS_MAX];
	unsigned n;
	unsigned closes_at; /* 0: never */
	bool freed_then;
};

static struct door door;
static uint64_t n_exhausted;

static uint64_t read_sim(const struct clock *clock)
{
	(void)clock;
	return sim_now;
}

static void accepted(struct listener *l, int fd)
{
	struct door *d = container_of(l, struct door, listener);

	assert_true(d->n < CLIENTS_MAX);
	d->fd[d->n++] = fd;
	if (d->n != d->closes_at)
		return;
	listener_close(l);
	if (d->freed_then) {
		close(fd);
		free(d);
	}
}

static int setup(void **state)
{
	static const struct clock clock = { .now_ns = read_sim };
	struct reactor_opts opts = { .name = "test", .clock = &clock };

	(void)state;
	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/sock", folder);
	sim_now = NS_PER_S;
	n_exhausted = 0;
	door = (struct door){ .listener = { .accepted = accepted,
		                            .n_exhausted = &n_exhausted } };
	return reactor_create(&opts, &reactor, NULL);
}

static int teardown(void **state)
{
	(void)state;
	listener_close(&door.listener);
	for (unsigned i = 0; i < door.n; i++)
		close(door.fd[i]);
	reactor_destroy(reactor);
	assert_int_equal(rmdir(folder), 0); /* nothing was left */
	return 0;
}

static void spin(void)
{
	for (int i = 0; i < 100; i++)
		reactor_poll(reactor);
}

static void pass_ms(unsigned ms)
{
	sim_now += ms * NS_PER_MS;
	spin();
}

static int open_door(enum listener_kind kind, const char *text, struct err *e)
{
	*e = (struct err){ 0 };
	return listener_open(reactor, &door.listener, kind, text, e);
}

/* Refused with this code and these words, and closed. */
static void assert_refused(enum listener_kind kind, const char *text, int code,
                           const char *words)
{
	int spare = dup(0), after;
	struct err e;
	int err;

	close(spare);
	err = open_door(kind, text, &e);
	if (err != code || e.code != code || !strstr(e.text, words))
		fail_msg("%s: %d, %s", text, err, e.text);
	assert_null(door.listener.reactor);
	after = dup(0);
	close(after);
	assert_int_equal(after, spare); /* no descriptor was left */
}

static int bind_at(const char *text, int type)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);

	memcpy(sa.sun_path, text, strlen(text));
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* Does not block. @return the descriptor, or a negative errno. */
static int knock(const char *text)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int err;

	memcpy(sa.sun_path, text, strlen(text));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static void assert_heard(int client)
{
	unsigned n = door.n;

	spin();
	assert_int_equal(door.n, n + 1);
	assert_int_equal(send(client, "x", 1, 0), 1);
	assert_int_equal(recv(door.fd[n], &(char){ 0 }, 1, 0), 1);
}

/* -- Unix sockets --------------------------------------------------------- */

static void connections_are_handed_over_and_the_socket_goes_with_us(void **s)
{
	struct err e;
	int fd[3];

	(void)s;
	assert_int_equal(open_door(LISTENER_UNIX, path, &e), 0);
	for (int i = 0; i < 3; i++)
		fd[i] = knock(path);
	assert_int_equal(door.n, 0); /* not before the reactor runs */
	spin();
	assert_int_equal(door.n, 3);
	for (int i = 0; i < 3; i++) {
		assert_true(fcntl(door.fd[i], F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(door.fd[i], F_GETFD) & FD_CLOEXEC);
		close(fd[i]);
	}
	assert_int_equal(listener_port(&door.listener), 0);
	fd[0] = knock(path);
	listener_close(&door.listener);
	spin();
	assert_int_equal(door.n, 3);
	assert_int_equal(access(path, F_OK), -1);
	close(fd[0]);
	listener_close(&door.listener); /* nothing to do */
	assert_int_equal(open_door(LISTENER_UNIX, path, &e), 0);
	fd[0] = knock(path);
	assert_heard(fd[0]);
	close(fd[0]);
}

static void a_listener_may_be_closed_by_what_it_calls(void **state)
{
	struct door *mortal = calloc(1, sizeof(*mortal));
	int fd[3];

	(void)state;
	mortal->listener.accepted = accepted;
	mortal->closes_at = 1;
	mortal->freed_then = true;
	assert_int_equal(listener_open(reactor, &mortal->listener,
	                               LISTENER_UNIX, path, NULL),
	                 0);
	for (int i = 0; i < 3; i++)
		fd[i] = knock(path);
	spin();
	assert_int_equal(access(path, F_OK), -1);
	for (int i = 0; i < 3; i++) {
		errno = 0;
		assert_true(recv(fd[i], &(char){ 0 }, 1, 0) <= 0);
		assert_int_not_equal(errno, EAGAIN);
		close(fd[i]);
	}
}

static void a_socket_that_a_dead_process_left_is_replaced(void **state)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct err e;
		int fd;

		close(bind_at(path, types[i]));
		assert_int_equal(open_door(LISTENER_UNIX, path, &e), 0);
		fd = knock(path);
		assert_heard(fd);
		close(fd);
		listener_close(&door.listener);
	}
}

static void a_socket_that_lives_is_refused_even_if_it_is_busy(void **state)
{
	static const struct {
		int type;
		int backlog;
	} rows[] = { { SOCK_STREAM, 5 },
		     { SOCK_STREAM, 0 },
		     { SOCK_DGRAM, 0 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int other = bind_at(path, rows[i].type), queued = -1;

		if (rows[i].type == SOCK_STREAM)
			assert_int_equal(listen(other, rows[i].backlog), 0);
		if (rows[i].backlog == 0 && rows[i].type == SOCK_STREAM) {
			queued = knock(path);
			assert_true(queued >= 0);
			assert_int_equal(knock(path), -EAGAIN); /* full */
		}
		assert_refused(LISTENER_UNIX, path, -EADDRINUSE,
		               "another program listens at /tmp/");
		assert_int_equal(access(path, F_OK), 0);
		if (queued >= 0)
			close(queued);
		close(other);
		unlink(path);
	}
}

static void what_is_not_a_socket_is_left_alone(void **state)
{
	char text[8] = "";
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	(void)state;
	assert_int_equal(write(fd, "mine", 4), 4);
	close(fd);
	assert_refused(LISTENER_UNIX, path, -ENOTSOCK, "is not a socket");
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, text, sizeof(text)), 4);
	close(fd);
	unlink(path);

	assert_int_equal(symlink("/nowhere", path), 0);
	assert_refused(LISTENER_UNIX, path, -ENOTSOCK, "choose another path");
	assert_int_equal(unlink(path), 0);
	assert_refused(LISTENER_UNIX, folder, -ENOTSOCK, "is not a socket");
}

static void a_path_must_fit_and_lead_somewhere(void **state)
{
	char text[LISTENER_PATH_MAX + 2];
	size_t n = strlen(path);
	struct err e;
	int fd;

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, path, n);
	text[LISTENER_PATH_MAX + 1] = '\0';
	assert_refused(LISTENER_UNIX, text, -ENAMETOOLONG,
	               "has 108 bytes and a Unix socket takes 107");
	text[LISTENER_PATH_MAX] = '\0';
	assert_int_equal(open_door(LISTENER_UNIX, text, &e), 0);
	fd = knock(text);
	assert_heard(fd);
	close(fd);
	listener_close(&door.listener);
	assert_int_equal(access(text, F_OK), -1);
	assert_refused(LISTENER_UNIX, "", -EINVAL, "is empty");
	assert_refused(LISTENER_UNIX, "/nonexistent/s", -ENOENT,
	               "make it, or choose another path");
}

static void the_mode_is_0660_whatever_the_umask(void **state)
{
	static const mode_t masks[] = { 0, 022, 077, 0777 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
		mode_t before = umask(masks[i]);
		struct err e;
		struct stat st;

		assert_int_equal(open_door(LISTENER_UNIX, path, &e), 0);
		umask(before);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0660);
		/* What bind() gave the file, before any chmod(). */
		assert_int_equal(fstat(door.listener.watch.fd, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0660);
		listener_close(&door.listener);
	}
}

static void a_socket_that_somebody_has_replaced_is_not_unlinked(void **state)
{
	struct err e;
	int other, fd;

	(void)state;
	assert_int_equal(open_door(LISTENER_UNIX, path, &e), 0);
	unlink(path);
	other = bind_at(path, SOCK_STREAM);
	listen(other, 5);
	listener_close(&door.listener);
	fd = knock(path);
	assert_true(fd >= 0);
	close(fd);
	close(other);
	assert_int_equal(unlink(path), 0);
	/* Nor is anything missed if nobody has. */
	assert_int_equal(open_door(LISTENER_UNIX, path, &e), 0);
	unlink(path);
	listener_close(&door.listener);
}

/* -- out of descriptors --------------------------------------------------- */

static struct rlimit before_limit;

/* No descriptor can be opened from now on. */
static void take_descriptors(void)
{
	struct rlimit few;
	int spare = dup(0);

	close(spare);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before_limit), 0);
	few = before_limit;
	few.rlim_cur = (rlim_t)spare;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
}

static void give_descriptors(void)
{
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before_limit), 0);
}

static void without_descriptors_it_rests_and_then_serves_again(void **state)
{
	struct err e;
	int fd;

	(void)state;
	assert_int_equal(open_door(LISTENER_UNIX, path, &e), 0);
	fd = knock(path);
	take_descriptors();
	spin();
	assert_int_equal(n_exhausted, 1);
	assert_false(reactor_poll(reactor)); /* it sleeps */
	pass_ms(LISTENER_PAUSE_MS - 1);
	assert_int_equal(n_exhausted, 1);
	pass_ms(1);
	assert_int_equal(n_exhausted, 2);
	assert_false(reactor_poll(reactor));
	give_descriptors();
	spin();
	assert_int_equal(door.n, 0);
	pass_ms(LISTENER_PAUSE_MS);
	assert_int_equal(door.n, 1);
	close(fd);
	/* And goes on without a pause. */
	fd = knock(path);
	assert_heard(fd);
	assert_int_equal(n_exhausted, 2);
	close(fd);
}

static void it_may_be_closed_while_it_rests(void **state)
{
	struct err e;
	int fd;

	(void)state;
	door.listener.n_exhausted = NULL;
	assert_int_equal(open_door(LISTENER_UNIX, path, &e), 0);
	fd = knock(path);
	take_descriptors();
	spin();
	listener_close(&door.listener);
	give_descriptors();
	pass_ms(LISTENER_PAUSE_MS);
	assert_int_equal(door.n, 0);
	close(fd);
}

static void opening_without_descriptors_is_refused(void **state)
{
	struct err e;

	(void)state;
	take_descriptors();
	assert_int_equal(open_door(LISTENER_UNIX, path, &e), -EMFILE);
	assert_non_null(strstr(e.text, "open files"));
	assert_int_equal(open_door(LISTENER_TCP, "127.0.0.1:0", &e), -EMFILE);
	assert_non_null(strstr(e.text, "open files"));
	give_descriptors();
	assert_null(door.listener.reactor);
	assert_int_equal(access(path, F_OK), -1);
}

/* -- TCP ------------------------------------------------------------------ */

static const struct {
	const char *text;
	int family;
} addresses[] = {
	{ "127.0.0.1:0", AF_INET },   { "localhost:0", AF_INET },
	{ "*:0", AF_INET },           { ":0", AF_INET },
	{ "0.0.0.0:00000", AF_INET }, { "[::1]:0", AF_INET6 },
	{ "[::]:0", AF_INET6 },
};

static const char *const no_addresses[] = {
	/* clang-format off */
	"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:nbd", "127.0.0.1:1x",
	"127.0.0.1:-1", "127.0.0.1:+80", "127.0.0.1: 80", "127.0.0.1:65536",
	"127.0.0.1:18446744073709551616", "127.0.0.256:0", " 127.0.0.1:0",
	"example.org:0", "::1:0", "::1", "[::1]", "[::1]0", "[::1:0", "::1]:0",
	"[]:0", "[:0", "[[::1]]:0", "[::1]x:0", "[localhost]:0",
	/* clang-format on */
};

static void tcp_addresses_are_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(no_addresses); i++)
		assert_refused(LISTENER_TCP, no_addresses[i], -EINVAL,
		               "is not ADDR:PORT");
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		const char *text = addresses[i].text;
		struct sockaddr_storage ss;
		socklen_t length = sizeof(ss);
		struct err e;
		int err = open_door(LISTENER_TCP, text, &e);

		if (addresses[i].family == AF_INET6 && err)
			continue; /* a machine without IPv6 */
		if (err)
			fail_msg("%s: %d, %s", text, err, e.text);
		assert_int_equal(getsockname(door.listener.watch.fd,
		                             (struct sockaddr *)&ss, &length),
		                 0);
		assert_int_equal(ss.ss_family, addresses[i].family);
		assert_int_not_equal(listener_port(&door.listener), 0);
		listener_close(&door.listener);
		assert_int_equal(listener_port(&door.listener), 0);
	}
}

/* @return the descriptor, or a negative errno. */
static int knock_tcp(int family, unsigned port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET,
		                  .sin_port = htons((uint16_t)port),
		                  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
		                   .sin6_port = htons((uint16_t)port),
		                   .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(family, SOCK_STREAM, 0);
	int err;

	if (family == AF_INET)
		err = connect(fd, (struct sockaddr *)&v4, sizeof(v4));
	else
		err = connect(fd, (struct sockaddr *)&v6, sizeof(v6));
	if (err == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int option_of(int fd, int level, int option)
{
	int value = 0;
	socklen_t length = sizeof(value);

	assert_int_equal(getsockopt(fd, level, option, &value, &length), 0);
	return value;
}

static void a_client_is_served(const char *text, int family)
{
	struct err e;
	int fd;

	if (open_door(LISTENER_TCP, text, &e) != 0 && family == AF_INET6)
		return; /* a machine without IPv6 */
	assert_int_equal(e.code, 0);
	fd = knock_tcp(family, listener_port(&door.listener));
	assert_true(fd >= 0);
	assert_heard(fd);
	close(fd);
	fd = door.fd[door.n - 1];
	assert_true(option_of(fd, IPPROTO_TCP, TCP_NODELAY));
	assert_true(option_of(fd, SOL_SOCKET, SO_KEEPALIVE));
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	listener_close(&door.listener);
}

static void tcp_clients_are_served_without_delay(void **state)
{
	(void)state;
	a_client_is_served("127.0.0.1:0", AF_INET);
	a_client_is_served("*:0", AF_INET);
	a_client_is_served("[::1]:0", AF_INET6);
	a_client_is_served("[::]:0", AF_INET6);
}

static void a_v6_listener_serves_no_v4_clients(void **state)
{
	struct err e;

	(void)state;
	if (open_door(LISTENER_TCP, "[::]:0", &e))
		skip();
	assert_int_equal(knock_tcp(AF_INET, listener_port(&door.listener)),
	                 -ECONNREFUSED);
}

static void a_port_can_be_had_again_at_once_but_not_twice(void **state)
{
	struct listener second = { .accepted = accepted };
	char text[32];
	struct err e;
	int fd;

	(void)state;
	assert_int_equal(open_door(LISTENER_TCP, "127.0.0.1:0", &e), 0);
	snprintf(text, sizeof(text), "127.0.0.1:%u",
	         listener_port(&door.listener));
	fd = knock_tcp(AF_INET, listener_port(&door.listener));
	assert_heard(fd);
	/* We hang up first, so that the port is in TIME_WAIT. */
	close(door.fd[--door.n]);
	close(fd);
	listener_close(&door.listener);
	assert_int_equal(open_door(LISTENER_TCP, text, &e), 0);
	assert_int_equal(
		listener_open(reactor, &second, LISTENER_TCP, text, &e),
		-EADDRINUSE);
	assert_non_null(strstr(e.text, "choose another port"));
	listener_close(&door.listener);
	assert_refused(LISTENER_TCP, "192.0.2.1:0", -EADDRNOTAVAIL,
	               "no such address");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(connections_are_handed_over_and_the_socket_goes_with_us),
		TEST(a_listener_may_be_closed_by_what_it_calls),
		TEST(a_socket_that_a_dead_process_left_is_replaced),
		TEST(a_socket_that_lives_is_refused_even_if_it_is_busy),
		TEST(what_is_not_a_socket_is_left_alone),
		TEST(a_path_must_fit_and_lead_somewhere),
		TEST(the_mode_is_0660_whatever_the_umask),
		TEST(a_socket_that_somebody_has_replaced_is_not_unlinked),
		TEST(without_descriptors_it_rests_and_then_serves_again),
		TEST(it_may_be_closed_while_it_rests),
		TEST(opening_without_descriptors_is_refused),
		TEST(tcp_addresses_are_numbers),
		TEST(tcp_clients_are_served_without_delay),
		TEST(a_v6_listener_serves_no_v4_clients),
		TEST(a_port_can_be_had_again_at_once_but_not_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
