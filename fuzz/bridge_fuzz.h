/* SPDX-License-Identifier: BSD-2-Clause */
/* A bridge in one thread and a hostile process at its socket. */
#ifndef FUZZ_BRIDGE_FUZZ_H
#define FUZZ_BRIDGE_FUZZ_H

#include "bridge/bridge_decode.h"
#include "window/process.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static struct reactor *reactor;
static struct window_host *host;

static inline void spin(void)
{
	for (unsigned i = 0; i < 1000 && reactor_poll(reactor); i++)
		;
}

static inline void prepare(void)
{
	const struct reactor_opts opts = { .name = "fuzz" };

	if (host)
		return;
	if (reactor_create(&opts, &reactor, NULL))
		abort();
	reactor_bind(reactor);
	if (window_host_create(&(struct window_host_opts){ .reactor = reactor,
	                                                   .node = "here" },
	                       &host, NULL) ||
	    window_create(host, "w", 4096, NULL, NULL) ||
	    window_allow(host, "w", "here", HOST_RIGHTS, NULL, NULL))
		abort();
}

/* @return the process's end of a new connection. */
static inline int join(void)
{
	int pair[2];
	const int on = 1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) ||
	    setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)))
		abort();
	process_accept(host, pair[1]);
	return pair[0];
}

/* It leaves, and nothing of it stays. */
static inline void leave(int fd)
{
	close(fd);
	spin();
	if (!list_empty(&host->processes) || !list_empty(&host->ending) ||
	    host->n_regions || host->grants.n_living != 1)
		abort();
}

static inline void send_packet(int fd, const void *packet, size_t n, int with)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)packet, n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (with >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &with, sizeof(with));
	}
	(void)!sendmsg(fd, &msg, MSG_NOSIGNAL);
	spin();
}

/* @return whether there was a reply; descriptors in it are `fds`, or closed. */
static inline bool take_reply(int fd, struct bridge_reply *out, int fds[2])
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct bridge_reply_wire wire;
	struct iovec iov = { &wire, sizeof(wire) };
	struct msghdr msg = { .msg_iov = &iov,
		              .msg_iovlen = 1,
		              .msg_control = &control,
		              .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	if (n <= 0)
		return false;
	if (bridge_decode_reply(&wire, (size_t)n, out))
		abort();
	if (!c)
		return true;
	if (out->type != BRIDGE_QUEUE ||
	    c->cmsg_len != CMSG_LEN(2 * sizeof(int)))
		abort();
	for (unsigned i = 0; i < 2; i++) {
		int got;

		memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(got));
		if (fds)
			fds[i] = got;
		else
			close(got);
	}
	return true;
}

static inline int sealed_memory(size_t bytes)
{
	int fd = memfd_create("fuzz", MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)bytes) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK))
		abort();
	return fd;
}

/* A well-formed request that must succeed. */
static inline void request(int fd, const struct bridge_request *r, int with,
                           struct bridge_reply *reply, int fds[2])
{
	struct bridge_request_wire wire;

	bridge_encode_request(r, &wire);
	send_packet(fd, &wire, sizeof(wire), with);
	if (!take_reply(fd, reply, fds) || reply->status != BRIDGE_OK)
		abort();
}

#endif /* FUZZ_BRIDGE_FUZZ_H */
