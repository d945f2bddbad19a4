/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/process.h"

#include "base/base.h"
#include "bridge/bridge_decode.h"
#include "core/log.h"
#include "window/key.h"
#include "window/queue.h"
#include "window/region.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* -- the end --------------------------------------------------------------- */

void process_settled(struct process *p)
{
	if (p->state != PROCESS_ENDING || p->loop_busy || p->n_queues > 0)
		return;
	list_remove(&p->link);
	host_settled(p->host);
	free(p);
}

static void loop_emptied(struct loopback *l)
{
	struct process *p = container_of(l, struct process, loop);

	p->loop_busy = false;
	process_settled(p);
}

static void drop_watch(struct process *p, struct watch *w)
{
	if (w->fd < 0)
		return;
	watch_stop(p->host->reactor, w);
	close(w->fd);
	w->fd = -1;
}

void process_end(struct process *p)
{
	struct window_host *host = p->host;

	if (p->state == PROCESS_ENDING)
		return;
	p->state = PROCESS_ENDING;
	list_remove(&p->link);
	list_append(&host->ending, &p->link);
	host->n_processes--;
	drop_watch(p, &p->connection);
	drop_watch(p, &p->pidfd);
	if (p->question)
		lookup_cancel(p->question);
	p->question = NULL;
	while (!list_empty(&p->regions))
		process_drop_region(p, list_entry(p->regions.next,
		                                  struct process_region, link));
	grant_end_owner(&host->grants, &p->owner);
	process_close_imports(p);
	p->loop_busy = true;
	LIST_FOREACH (link, &p->queues)
		queue_close(list_entry(link, struct queue, link));
	loopback_close(&p->loop, loop_emptied);
}

void process_end_all(struct window_host *host)
{
	while (!list_empty(&host->processes))
		process_end(
			list_entry(host->processes.next, struct process, link));
}

/* -- packets --------------------------------------------------------------- */

/* A packet, who sent it, and a descriptor that came along. */
struct packet {
	struct bridge_request_wire wire;
	size_t length;
	pid_t from;
	int fd; /* -1: none */
};

static void take_control(struct msghdr *msg, struct packet *packet)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR(msg, c)) {
		const unsigned char *data = CMSG_DATA(c);
		size_t n = c->cmsg_len - CMSG_LEN(0);
		struct ucred cred;

		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS && n == sizeof(cred)) {
			memcpy(&cred, data, sizeof(cred));
			packet->from = cred.pid;
		} else if (c->cmsg_type == SCM_RIGHTS) {
			for (; n >= sizeof(int); n -= sizeof(int)) {
				int fd;

				memcpy(&fd, data, sizeof(fd));
				data += sizeof(fd);
				if (packet->fd < 0)
					packet->fd = fd;
				else
					close(fd);
			}
		}
	}
}

/* @return 0; -EAGAIN; else the connection is over. */
static int receive(int fd, struct packet *packet)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(struct ucred)) +
		          CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = &packet->wire,
		             .iov_len = sizeof(packet->wire) };
	struct msghdr msg = { .msg_iov = &iov,
		              .msg_iovlen = 1,
		              .msg_control = &control,
		              .msg_controllen = sizeof(control) };
	ssize_t n;

	packet->fd = -1;
	packet->from = 0;
	n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	take_control(&msg, packet);
	packet->length = msg.msg_flags & MSG_TRUNC ? SIZE_MAX : (size_t)n;
	return n == 0 ? -ECONNRESET : 0;
}

static void readable(struct watch *w, uint32_t events)
{
	struct process *p = container_of(w, struct process, connection);
	struct bridge_request request;
	struct packet packet;
	int err = receive(w->fd, &packet);

	(void)events;
	if (err == -EAGAIN)
		return;
	if (!err && (packet.from != p->pid || p->question))
		err = -EPERM; /* somebody else's words, or out of turn */
	if (err) {
		if (packet.fd >= 0)
			close(packet.fd);
		process_end(p);
		return;
	}
	err = bridge_decode_request(&packet.wire, packet.length, &request);
	if (!err) {
		process_call(p, &request, packet.fd);
		return;
	}
	if (packet.fd >= 0)
		close(packet.fd);
	process_refuse(p, err);
}

static void died(struct watch *w, uint32_t events)
{
	(void)events;
	process_end(container_of(w, struct process, pidfd));
}

/* -- the beginning --------------------------------------------------------- */

/* Of the process that connected, for good: its number may be used again. */
static int pidfd_of(int fd, pid_t pid)
{
	int pidfd = -1;
	socklen_t n = sizeof(pidfd);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &n) == 0)
		return pidfd;
	/* Linux before 6.5. */
	return errno == ENOPROTOOPT ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}

static int identify(struct process *p, int fd)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);
	const int on = 1;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) ||
	    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)))
		return -errno;
	p->pid = cred.pid;
	p->pidfd = (struct watch){ .fd = pidfd_of(fd, cred.pid),
		                   .events = EPOLLIN,
		                   .ready = died };
	return p->pidfd.fd < 0 ? -errno : 0;
}

static struct process *process_new(struct window_host *host, int *err)
{
	struct process *p;
	struct fabric_key id;

	*err = -ENOSPC;
	if (host->stopping || host->n_processes >= WINDOW_PROCESSES_MAX)
		return NULL;
	*err = key_mint(&id);
	p = *err ? NULL : calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->host = host;
	guard_init(&p->guard, GUARD_PROCESS, host->node, &id,
	           reactor_now_ns(host->reactor));
	loopback_init(&p->loop, host->reactor, &host->grants, &p->guard);
	list_init(&p->regions);
	list_init(&p->queues);
	for (unsigned i = 0; i < PROCESS_CHAINS; i++)
		list_init(&p->imports[i]);
	return p;
}

void process_accept(struct window_host *host, int fd)
{
	int err = 0;
	struct process *p = process_new(host, &err);

	if (!p)
		goto refuse;
	p->connection = (struct watch){ .fd = fd,
		                        .events = EPOLLIN,
		                        .ready = readable };
	err = identify(p, fd);
	if (err)
		goto free_process;
	grant_owner_init(&p->owner, NULL, p->pid);
	err = watch_start(host->reactor, &p->pidfd);
	if (err)
		goto close_pidfd;
	err = watch_start(host->reactor, &p->connection);
	if (err)
		goto stop_pidfd;
	list_append(&host->processes, &p->link);
	host->n_processes++;
	return;

stop_pidfd:
	watch_stop(host->reactor, &p->pidfd);
close_pidfd:
	close(p->pidfd.fd);
free_process:
	free(p);
refuse:
	log_event(LOG_LEVEL_WARN, "a process was refused", "error=%s",
	          strerror(-err));
	close(fd);
}
