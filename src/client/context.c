/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/client_priv.h"

#include "base/base.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define DEFAULT_PATH "/var/lib/causeway/window.sock"

int client_fail(struct causeway *c, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->error, sizeof(c->error), fmt, ap);
	va_end(ap);
	return err;
}

/* -- one request, one reply ------------------------------------------------ */

static int send_request(struct causeway *c, const struct bridge_request *r,
                        int fd)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct bridge_request_wire wire;
	struct iovec iov = { .iov_base = &wire, .iov_len = sizeof(wire) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	bridge_encode_request(r, &wire);
	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	}
	while (sendmsg(c->fd, &msg, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return client_fail(c, -errno, "the bridge is gone: %s",
			                   strerror(errno));
	return 0;
}

/* @return how many came; extra ones are closed. */
static int take_fds(struct msghdr *msg, int fds[CLIENT_FDS])
{
	int taken = 0;

	for (struct cmsghdr *m = CMSG_FIRSTHDR(msg); m;
	     m = CMSG_NXTHDR(msg, m)) {
		size_t n = m->cmsg_len - CMSG_LEN(0);

		if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n / sizeof(int); i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(m) + i * sizeof(int), sizeof(fd));
			if (taken < CLIENT_FDS)
				fds[taken++] = fd;
			else
				close(fd);
		}
	}
	return taken;
}

/* Signals do not prolong it. */
static int wait_readable(struct causeway *c)
{
	uint64_t end = clock_now_ns() + CAUSEWAY_TIMEOUT_MS * NS_PER_MS;
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	for (;;) {
		uint64_t now = clock_now_ns();
		int n = now < end ? poll(&p, 1,
		                         (int)((end - now) / NS_PER_MS) + 1)
		                  : 0;

		if (n > 0)
			return 0;
		if (n == 0)
			return client_fail(c, -ETIMEDOUT,
			                   "the bridge does not answer");
		if (errno != EINTR)
			return client_fail(c, -errno, "poll: %s",
			                   strerror(errno));
	}
}

static int receive_reply(struct causeway *c, struct bridge_reply *reply,
                         int fds[CLIENT_FDS], int *n_fds)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(CLIENT_FDS * sizeof(int))];
	} control;
	struct bridge_reply_wire wire;
	struct iovec iov = { .iov_base = &wire, .iov_len = sizeof(wire) };
	struct msghdr msg = { .msg_iov = &iov,
		              .msg_iovlen = 1,
		              .msg_control = &control,
		              .msg_controllen = sizeof(control) };
	ssize_t n;
	int err = wait_readable(c);

	if (err)
		return err;
	do
		n = recvmsg(c->fd, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return client_fail(c, -EPIPE, "the bridge is gone");
	*n_fds = take_fds(&msg, fds);
	err = bridge_decode_reply(&wire, (size_t)n, reply);
	return err ? client_fail(c, -EPROTO,
	                         "the bridge speaks another version")
	           : 0;
}

static void take_notice(struct causeway *c, const struct bridge_reply *notice)
{
	LIST_FOREACH (link, &c->windows) {
		struct causeway_window *w =
			list_entry(link, struct causeway_window, link);

		if (memcmp(w->key.byte, notice->key, BRIDGE_KEY) == 0)
			w->due_ns =
				clock_now_ns() + notice->number * NS_PER_MS + 1;
	}
}

int client_take_notices(struct causeway *c)
{
	struct bridge_reply_wire wire;
	struct bridge_reply notice;
	ssize_t n;

	for (;;) {
		n = recv(c->fd, &wire, sizeof(wire), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0)
			return -EPIPE;
		if (bridge_decode_reply(&wire, (size_t)n, &notice) == 0 &&
		    notice.type == BRIDGE_NOTICE)
			take_notice(c, &notice);
	}
}

/* After a failure in the middle the two are out of step: no more of it. */
static void give_up(struct causeway *c)
{
	shutdown(c->fd, SHUT_RDWR);
}

int client_call(struct causeway *c, const struct bridge_request *request,
                int send_fd, struct bridge_reply *reply, int *fds)
{
	int got[CLIENT_FDS] = { -1, -1 }, n = 0;
	int err = send_request(c, request, send_fd);

	while (!err) {
		err = receive_reply(c, reply, got, &n);
		if (err || reply->type != BRIDGE_NOTICE)
			break;
		take_notice(c, reply);
	}
	if (!err && reply->status != BRIDGE_OK)
		err = client_fail(c, bridge_status_errno(reply->status), "%s",
		                  reply->words);
	else if (err)
		give_up(c);
	else if (reply->type != request->type || n != (fds ? CLIENT_FDS : 0))
		err = client_fail(c, -EPROTO, "the bridge's reply is none");
	for (int i = 0; i < CLIENT_FDS; i++)
		if (!err && fds)
			fds[i] = got[i];
		else if (got[i] >= 0)
			close(got[i]);
	return err;
}

/* -- the context ----------------------------------------------------------- */

static int connect_to(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd;

	if (!path)
		path = getenv("CAUSEWAY_WINDOW_SOCKET");
	if (!path || !*path)
		path = DEFAULT_PATH;
	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa))) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

int causeway_open(const char *path, struct causeway **out)
{
	const struct bridge_request hello = { .type = BRIDGE_HELLO };
	struct bridge_reply reply;
	struct causeway *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	list_init(&c->regions);
	list_init(&c->windows);
	list_init(&c->queues);
	c->fd = connect_to(path);
	if (c->fd < 0) {
		err = c->fd;
		free(c);
		return err;
	}
	err = client_call(c, &hello, -1, &reply, NULL);
	if (err) {
		causeway_close(c);
		return err;
	}
	memcpy(c->identity.byte, reply.key, sizeof(reply.key));
	memcpy(c->node, reply.node, sizeof(c->node));
	*out = c;
	return 0;
}

void causeway_close(struct causeway *c)
{
	if (!c)
		return;
	close(c->fd);
	while (!list_empty(&c->queues))
		client_free_queue(c->queues.next);
	while (!list_empty(&c->windows))
		client_free_window(c->windows.next);
	while (!list_empty(&c->regions))
		client_free_region(c->regions.next);
	free(c);
}

const char *causeway_error(const struct causeway *c)
{
	return c->error;
}

void causeway_identity(const struct causeway *c, struct causeway_key *out)
{
	*out = c->identity;
}

const char *causeway_node(const struct causeway *c)
{
	return c->node;
}

int causeway_key_equal(const struct causeway_key *a,
                       const struct causeway_key *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

const char *causeway_status_text(enum causeway_status status)
{
	static const char *const texts[] = {
		[CAUSEWAY_OK] = "done",
		[CAUSEWAY_BAD_KEY] = "no such key, or not yours",
		[CAUSEWAY_DENIED] = "the key lacks the right",
		[CAUSEWAY_RANGE] = "outside the key's range",
		[CAUSEWAY_REVOKED] = "the key was revoked",
		[CAUSEWAY_EXPIRED] = "the key's lease has ended",
		[CAUSEWAY_QUOTA] = "more per second than the key allows",
		[CAUSEWAY_TIMED_OUT] = "the other node did not answer",
		[CAUSEWAY_PEER_LOST] = "the other node was lost",
		[CAUSEWAY_CANCELLED] = "cancelled",
		[CAUSEWAY_TOO_LARGE] = "too large",
		[CAUSEWAY_BUSY] = "busy; try again",
		[CAUSEWAY_PROTOCOL] = "the nodes do not understand each other",
		[CAUSEWAY_INVALID] = "not a command",
	};

	return (unsigned)status < ARRAY_LEN(texts) ? texts[status]
	                                           : "unknown status";
}
