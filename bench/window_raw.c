/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The least that TCP can do: one connection, no checks, no keys, no counters.
 * Requests and answers are batched: as many as are there in one system call.
 */
#include "window_load.h"

#include "base/base.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct message { /* a request, and the header of its answer */
	uint32_t slot;
	uint32_t length;
	uint64_t offset;
};

#define DIRECT_FROM 16384u /* bytes; smaller answers are copied */

static int fd;
static bool block;
static void *const *buffers;
static struct message out[LOAD_SLOTS];
static unsigned n_out;

static struct sockaddr_in address(const char *host, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		                 .sin_port = htons((uint16_t)atoi(port)) };

	if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
		load_die("%s is no IPv4 address", host);
	return a;
}

/* Bytes got, at least one; spins or sleeps until then. */
static size_t receive(void *to, size_t room)
{
	for (;;) {
		ssize_t n = recv(fd, to, room, block ? 0 : MSG_DONTWAIT);

		if (n > 0)
			return (size_t)n;
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			_exit(0); /* the other side has finished */
		if (errno != EAGAIN && errno != EINTR)
			load_die("recv: %s", strerror(errno));
	}
}

static void send_all(struct iovec *iov, unsigned n)
{
	while (n) {
		ssize_t sent = writev(fd, iov, (int)n);

		if (sent < 0)
			load_die("send: %s", strerror(errno));
		for (; n && (size_t)sent >= iov->iov_len; iov++, n--)
			sent -= (ssize_t)iov->iov_len;
		if (n) {
			iov->iov_base = (char *)iov->iov_base + sent;
			iov->iov_len -= (size_t)sent;
		}
	}
}

static void no_delay(void)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void serve(const struct load_opts *o)
{
	void *region = load_memory(LOAD_REGION);
	struct sockaddr_in a = address(o->host[0], "0");
	socklen_t length = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	static struct message in[256];
	static struct iovec iov[2 * ARRAY_LEN(in)];
	size_t have = 0;

	block = o->block;
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&a, &length))
		load_die("cannot listen: %s", strerror(errno));
	load_serving(ntohs(a.sin_port));
	fd = accept(listener, NULL, NULL);
	no_delay();
	for (;;) {
		size_t n, left;

		have += receive((char *)in + have, sizeof(in) - have);
		n = have / sizeof(*in);
		left = have % sizeof(*in);
		for (size_t i = 0; i < n; i++) {
			iov[2 * i] = (struct iovec){ &in[i], sizeof(*in) };
			iov[2 * i + 1].iov_base = (char *)region + in[i].offset;
			iov[2 * i + 1].iov_len = in[i].length;
		}
		send_all(iov, 2 * (unsigned)n);
		memmove(in, in + n, left);
		have = left;
	}
}

static void connect_to(const struct load_opts *o, void *const buffer[],
                       const uint32_t length[])
{
	struct sockaddr_in a = address(o->host[0], o->port);

	(void)length;
	block = o->block;
	buffers = buffer;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		load_die("connect: %s", strerror(errno));
	no_delay();
}

static void post(unsigned slot, uint64_t offset, uint32_t length)
{
	out[n_out++] = (struct message){ slot, length, offset };
}

static void flush(void)
{
	struct iovec iov = { out, n_out * sizeof(*out) };

	if (n_out)
		send_all(&iov, 1);
	n_out = 0;
}

/* The answer that is being received. */
static struct message head;
static size_t head_have, body_have;

/* Take what is in the buffer; answers that end here are done. */
static void take(const char *in, size_t n)
{
	while (n) {
		size_t some;

		if (head_have < sizeof(head)) {
			some = sizeof(head) - head_have;
			some = some < n ? some : n;
			memcpy((char *)&head + head_have, in, some);
			head_have += some;
		} else {
			some = head.length - body_have;
			some = some < n ? some : n;
			memcpy((char *)buffers[head.slot] + body_have, in,
			       some);
			body_have += some;
		}
		in += some;
		n -= some;
		if (head_have == sizeof(head) && body_have == head.length) {
			head_have = body_have = 0;
			load_done(head.slot);
		}
	}
}

static void run(void)
{
	static char in[256 * 1024];

	while (!load_over()) {
		flush();
		if (head_have == sizeof(head) && head.length >= DIRECT_FROM) {
			body_have +=
				receive((char *)buffers[head.slot] + body_have,
			                head.length - body_have);
			if (body_have < head.length)
				continue;
			head_have = body_have = 0;
			load_done(head.slot);
		} else {
			take(in, receive(in, sizeof(in)));
		}
	}
}

int main(int argc, char **argv)
{
	static const struct load_way raw = { serve, connect_to, post, run };

	return load_main(argc, argv, &raw);
}
