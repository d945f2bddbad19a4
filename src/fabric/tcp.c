/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/tcp.h"

#include "base/base.h"
#include "core/listener.h"
#include "core/reactor.h"
#include "fabric/frame_lane.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

struct tcp_stream {
	struct stream stream;
	struct reactor *reactor;
	struct watch watch;
};

static struct tcp_stream *tcp_of(struct stream *s)
{
	return container_of(s, struct tcp_stream, stream);
}

static void stop_watching(struct tcp_stream *t)
{
	if (t->watch.events)
		watch_stop(t->reactor, &t->watch);
	t->watch.events = 0;
}

/* -- moving bytes --------------------------------------------------------- */

static int tcp_connected(struct stream *s)
{
	struct tcp_stream *t = tcp_of(s);
	struct sockaddr_storage peer;
	socklen_t n = sizeof(int);
	int err = 0;

	if (getsockopt(t->watch.fd, SOL_SOCKET, SO_ERROR, &err, &n))
		return -errno;
	if (err)
		return -err;
	n = sizeof(peer);
	if (getpeername(t->watch.fd, (struct sockaddr *)&peer, &n))
		return errno == ENOTCONN ? -EAGAIN : -errno;
	return 0;
}

static ssize_t tcp_readv(struct stream *s, const struct iovec *iov, unsigned n)
{
	struct tcp_stream *t = tcp_of(s);
	struct msghdr m = { .msg_iov = (struct iovec *)iov, .msg_iovlen = n };
	ssize_t got;

	do {
		got = n == 1 ? recv(t->watch.fd, iov->iov_base, iov->iov_len,
		                    MSG_DONTWAIT)
		             : recvmsg(t->watch.fd, &m, MSG_DONTWAIT);
	} while (got < 0 && errno == EINTR);
	return got >= 0 ? got : -errno;
}

static ssize_t tcp_writev(struct stream *s, const struct iovec *iov, unsigned n)
{
	struct tcp_stream *t = tcp_of(s);
	struct msghdr m = { .msg_iov = (struct iovec *)iov, .msg_iovlen = n };
	ssize_t sent;

	do {
		sent = n == 1 ? send(t->watch.fd, iov->iov_base, iov->iov_len,
		                     MSG_DONTWAIT | MSG_NOSIGNAL)
		              : sendmsg(t->watch.fd, &m,
		                        MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent >= 0 ? sent : -errno;
}

/* Nothing wanted is no watch: else each arrival takes epoll's lock, in the
 * sender's system call on the same host. */
static bool tcp_want(struct stream *s, bool readable, bool writable)
{
	struct tcp_stream *t = tcp_of(s);
	uint32_t events =
		(readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);

	if (events && t->watch.events) {
		watch_modify(t->reactor, &t->watch, events);
	} else if (events) {
		t->watch.events = events;
		if (watch_start(t->reactor, &t->watch))
			t->watch.events = 0;
	} else {
		stop_watching(t);
	}
	return t->watch.events == events;
}

static uint64_t tcp_unacknowledged(struct stream *s)
{
	int n = 0;

	if (ioctl(tcp_of(s)->watch.fd, SIOCOUTQ, &n))
		return 0;
	return (uint64_t)n;
}

static int tcp_addresses(struct stream *s, struct sockaddr_storage *local,
                         struct sockaddr_storage *peer)
{
	socklen_t n = sizeof(*local);

	if (getsockname(tcp_of(s)->watch.fd, (struct sockaddr *)local, &n))
		return -errno;
	n = sizeof(*peer);
	if (getpeername(tcp_of(s)->watch.fd, (struct sockaddr *)peer, &n))
		return -errno;
	return 0;
}

static void tcp_destroy(struct stream *s)
{
	struct tcp_stream *t = tcp_of(s);

	stop_watching(t);
	close(t->watch.fd);
	free(t);
}

static const struct stream_ops tcp_ops = {
	.scheme = FABRIC_TCP,
	.readv = tcp_readv,
	.writev = tcp_writev,
	.connected = tcp_connected,
	.want = tcp_want,
	.unacknowledged = tcp_unacknowledged,
	.addresses = tcp_addresses,
	.destroy = tcp_destroy,
};

static void socket_ready(struct watch *w, uint32_t events)
{
	struct tcp_stream *t = container_of(w, struct tcp_stream, watch);

	(void)events;
	t->stream.ready(&t->stream);
}

/*
 * BBR paces what it sends by a timer, which costs microseconds for each burst,
 * and takes a lane that is idle between requests for a slow one.  Links are
 * within a data centre: where it is the host's default, lanes take CUBIC.
 */
static void leave_pacing(int fd)
{
	char name[16] = "";
	socklen_t n = sizeof(name) - 1;

	if (!getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &n) &&
	    strncmp(name, "bbr", 3) == 0)
		setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic",
		           strlen("cubic"));
}

struct stream *tcp_stream_create(struct reactor *r, int fd)
{
	struct tcp_stream *t = calloc(1, sizeof(*t));

	if (!t) {
		close(fd);
		return NULL;
	}
	leave_pacing(fd);
	t->stream.ops = &tcp_ops;
	t->reactor = r;
	t->watch = (struct watch){ .fd = fd, .ready = socket_ready };
	return &t->stream;
}

int tcp_stream_dial(struct reactor *r, const struct fabric_address *to,
                    struct stream **out, struct err *e)
{
	int fd, one = 1, err;
	struct sockaddr_storage sa;
	socklen_t n = address_to_socket(to, &sa);
	char text[FABRIC_ADDRESS_TEXT];

	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	            0);
	if (fd < 0)
		return err_set(e, -errno, "cannot make a socket: %s",
		               strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&sa, n) && errno != EINPROGRESS) {
		err = -errno;
		close(fd);
		return err_set(e, err, "cannot connect to %s: %s",
		               address_format(to, text), strerror(-err));
	}
	*out = tcp_stream_create(r, fd);
	if (!*out)
		return err_set(e, -ENOMEM, "no memory for a connection");
	return 0;
}

/* -- listening ------------------------------------------------------------ */

struct tcp_listener {
	struct transport_listener base;
	struct listener listener;
	struct reactor *reactor;
	tcp_wrap_fn wrap;
};

static void tcp_accepted(struct listener *l, int fd)
{
	struct tcp_listener *t = container_of(l, struct tcp_listener, listener);
	struct lane *lane = t->wrap(t->base.transport, t->reactor, fd);

	if (lane)
		t->base.accepted(&t->base, lane);
}

int tcp_listen(struct transport *t, struct reactor *r,
               const struct fabric_address *at, tcp_wrap_fn wrap,
               struct transport_listener **out, struct err *e)
{
	struct tcp_listener *l = calloc(1, sizeof(*l));
	char text[FABRIC_ADDRESS_TEXT];
	const char *host_port;
	int err;

	if (!l)
		return err_set(e, -ENOMEM, "no memory for a listener");
	l->base.transport = t;
	l->base.address = *at;
	l->reactor = r;
	l->wrap = wrap;
	l->listener.accepted = tcp_accepted;
	host_port = strchr(address_format(at, text), ':') + 1;
	err = listener_open(r, &l->listener, LISTENER_TCP, host_port, e);
	if (err) {
		free(l);
		return err;
	}
	l->base.address.port = (uint16_t)listener_port(&l->listener);
	*out = &l->base;
	return 0;
}

void tcp_unlisten(struct transport_listener *l)
{
	struct tcp_listener *t = container_of(l, struct tcp_listener, base);

	listener_close(&t->listener);
	free(t);
}

/* -- the transport -------------------------------------------------------- */

static int dial(struct transport *t, struct reactor *r,
                const struct fabric_address *to, struct lane **out,
                struct err *e)
{
	struct stream *s;
	int err = tcp_stream_dial(r, to, &s, e);

	(void)t;
	if (err)
		return err;
	if (frame_lane_create(r, s, true, out))
		return err_set(e, -ENOMEM, "no memory for a connection");
	return 0;
}

static struct lane *wrap(struct transport *t, struct reactor *r, int fd)
{
	struct stream *s = tcp_stream_create(r, fd);
	struct lane *lane;

	(void)t;
	if (!s || frame_lane_create(r, s, false, &lane))
		return NULL;
	return lane;
}

static int listen_at(struct transport *t, struct reactor *r,
                     const struct fabric_address *at,
                     struct transport_listener **out, struct err *e)
{
	return tcp_listen(t, r, at, wrap, out, e);
}

struct transport tcp_transport = {
	.scheme = FABRIC_TCP,
	.dial = dial,
	.listen = listen_at,
	.unlisten = tcp_unlisten,
};
