/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS streams over a socket pair; the suite of every lane has the rest. */
#include "../test.h"

#include "base/base.h"
#include "core/reactor.h"
#include "fabric/tcp.h"
#include "fabric/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define TURNS 100000

static struct reactor *reactor;
static struct auth_key key, other_key;
static struct transport *tls, *other_tls;

struct end {
	struct stream *stream;
	int fd; /* of the socket below; the stream's */
	unsigned n_ready;
	int connected;
};

static void ready(struct stream *s)
{
	struct end *e = s->user;

	e->n_ready++;
	e->connected = s->ops->connected(s);
	if (e->connected == 0)
		stream_want(s, false, false);
}

static void make(struct end *e, struct transport *t, int fd, bool dialled)
{
	*e = (struct end){ .fd = fd, .connected = -EAGAIN };
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	e->stream = tls_stream_create(t, reactor,
	                              tcp_stream_create(reactor, fd), dialled);
	assert_non_null(e->stream);
	e->stream->ready = ready;
	e->stream->user = e;
	stream_want(e->stream, false, true);
}

static void pair(struct end e[2], struct transport *acceptors)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	make(&e[0], tls, fds[0], true);
	make(&e[1], acceptors, fds[1], false);
	for (int i = 0; i < TURNS && (e[0].connected == -EAGAIN ||
	                              e[1].connected == -EAGAIN);
	     i++)
		reactor_poll(reactor);
}

static void unpair(struct end e[2])
{
	stream_destroy(e[0].stream);
	stream_destroy(e[1].stream);
}

static ssize_t get(struct end *e, void *to, size_t n)
{
	struct iovec iov = { to, n };
	ssize_t got = -EAGAIN;

	for (int i = 0; i < TURNS && got == -EAGAIN; i++) {
		got = stream_readv(e->stream, &iov, 1);
		reactor_poll(reactor);
	}
	return got;
}

static ssize_t put(struct end *e, const void *from, size_t n)
{
	struct iovec iov = { (void *)from, n };

	return stream_writev(e->stream, &iov, 1);
}

static void members_are_bound_to_their_connection(void **state)
{
	uint8_t a[32], b[32], c[32];
	struct end e[2], f[2];
	char text[16] = "";

	(void)state;
	pair(e, tls);
	pair(f, tls);
	assert_int_equal(e[0].connected | e[1].connected, 0);
	assert_int_equal(e[0].stream->ops->binding(e[0].stream, a), 0);
	assert_int_equal(e[1].stream->ops->binding(e[1].stream, b), 0);
	assert_int_equal(f[0].stream->ops->binding(f[0].stream, c), 0);
	assert_memory_equal(a, b, 32);
	assert_memory_not_equal(a, c, 32);

	assert_int_equal(put(&e[0], "hello", 5), 5);
	assert_int_equal(get(&e[1], text, sizeof(text)), 5);
	assert_string_equal(text, "hello");
	unpair(e);
	unpair(f);
}

static void another_key_is_refused(void **state)
{
	uint8_t out[32];
	struct end e[2];
	char text[4];

	(void)state;
	pair(e, other_tls);
	assert_int_equal(e[0].connected, -EKEYREJECTED);
	assert_int_equal(e[1].connected, -EKEYREJECTED);
	assert_int_equal(put(&e[0], "x", 1), -EKEYREJECTED); /* TL1 */
	assert_int_equal(get(&e[1], text, 1), -EKEYREJECTED);
	assert_int_equal(e[0].stream->ops->binding(e[0].stream, out),
	                 -ENOTCONN);
	unpair(e);
}

/* Somebody who speaks something else, or nothing, to either side. */
static void no_tls_no_stream(void **state)
{
	static const char http[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	struct end e;
	char text[4];
	int fds[2];

	(void)state;
	for (int dialled = 0; dialled < 2; dialled++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		make(&e, tls, fds[0], dialled);
		assert_int_equal(write(fds[1], http, sizeof(http)),
		                 sizeof(http));
		for (int i = 0; i < TURNS && e.connected == -EAGAIN; i++)
			reactor_poll(reactor);
		assert_int_equal(e.connected, -EPROTO);
		assert_int_equal(get(&e, text, 1), -EPROTO);
		stream_destroy(e.stream);
		close(fds[1]);

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		make(&e, tls, fds[0], dialled);
		close(fds[1]);
		for (int i = 0; i < TURNS && e.connected == -EAGAIN; i++)
			reactor_poll(reactor);
		assert_true(e.connected < 0);
		stream_destroy(e.stream);
	}
}

/* TL2 */
static void an_end_without_a_goodbye_is_none(void **state)
{
	struct end e[2];
	char text[4];

	(void)state;
	pair(e, tls);
	assert_int_equal(shutdown(e[0].fd, SHUT_WR), 0);
	assert_int_equal(get(&e[1], text, 1), -ECONNRESET);
	assert_int_equal(get(&e[1], text, 1), -ECONNRESET);
	unpair(e);

	pair(e, tls);
	stream_destroy(e[0].stream);
	assert_int_equal(get(&e[1], text, 1), 0);
	assert_int_equal(get(&e[1], text, 1), 0);
	stream_destroy(e[1].stream);
}

/* A changed bit of a record ends the stream. */
static void what_was_changed_is_not_taken(void **state)
{
	struct end e[2];
	char text[8], wire[256];
	ssize_t n;

	(void)state;
	pair(e, tls);
	/* Between the two: take what e[0] sends, change it, hand it on. */
	assert_int_equal(put(&e[0], "secret", 6), 6);
	n = recv(e[1].fd, wire, sizeof(wire), 0);
	assert_in_range(n, 7, sizeof(wire));
	assert_null(memmem(wire, (size_t)n, "secret", 6));
	wire[n / 2] ^= 1;
	assert_int_equal(send(e[0].fd, wire, (size_t)n, 0), n);
	assert_int_equal(get(&e[1], text, sizeof(text)), -EPROTO);
	unpair(e);
}

/* T1: what OpenSSL has read ahead is told of, again and again. */
static void bytes_read_ahead_are_told_of(void **state)
{
	struct end e[2];
	char text[100] = "";
	unsigned before;

	(void)state;
	pair(e, tls);
	for (int i = 0; i < 10; i++)
		assert_int_equal(put(&e[0], text, 10), 10);
	assert_int_equal(get(&e[1], text, 1), 1);
	for (int i = 1; i < 100; i++) {
		struct iovec iov = { text, 1 };

		before = e[1].n_ready;
		stream_want(e[1].stream, true, false);
		for (int k = 0; k < TURNS && e[1].n_ready == before; k++)
			reactor_poll(reactor);
		assert_int_not_equal(e[1].n_ready, before);
		assert_int_equal(stream_readv(e[1].stream, &iov, 1), 1);
	}
	stream_want(e[1].stream, true, false);
	before = e[1].n_ready;
	for (int k = 0; k < 100; k++)
		reactor_poll(reactor);
	assert_int_equal(e[1].n_ready, before); /* nothing is left */
	unpair(e);
}

static int setup(void **state)
{
	const struct reactor_opts o = { .name = "tls" };

	(void)state;
	if (auth_key_derive("0123456789abcdef0123456789abcdef", 32, &key) ||
	    auth_key_derive("0123456789abcdef0123456789abcdeF", 32,
	                    &other_key) ||
	    tls_transport_create(&key, &tls, NULL) ||
	    tls_transport_create(&other_key, &other_tls, NULL))
		return -1;
	return reactor_create(&o, &reactor, NULL);
}

static int teardown(void **state)
{
	(void)state;
	reactor_poll(reactor);
	tls_transport_destroy(tls);
	tls_transport_destroy(other_tls);
	reactor_destroy(reactor);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_bound_to_their_connection),
		cmocka_unit_test(another_key_is_refused),
		cmocka_unit_test(no_tls_no_stream),
		cmocka_unit_test(an_end_without_a_goodbye_is_none),
		cmocka_unit_test(what_was_changed_is_not_taken),
		cmocka_unit_test(bytes_read_ahead_are_told_of),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
