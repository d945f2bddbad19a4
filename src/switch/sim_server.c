/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/sim_server.h"

#include "base/base.h"
#include "core/log.h"
#include "switch/sim_server_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#define DEFAULT_TIMEOUT_MS 200u
#define DEFAULT_TRIES 3u
#define CTL_BATCH 16u /* messages in one go */

/* -- sockets -------------------------------------------------------------- */

/* "\0BASE:KINDn\0", or without a number. */
static socklen_t make_name(struct sockaddr_un *a, const char *base,
                           const char *kind, int64_t number)
{
	char *at = a->sun_path + 1;
	size_t room = sizeof(a->sun_path) - 1;
	int n;

	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	if (number < 0)
		n = snprintf(at, room, "%s:%s", base, kind);
	else
		n = snprintf(at, room, "%s:%s%jd", base, kind,
		             (intmax_t)number);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
	                   (size_t)n + 1);
}

static int open_socket(const char *base, const char *kind, int64_t number)
{
	struct sockaddr_un a;
	socklen_t n = make_name(&a, base, kind, number);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err;

	if (fd < 0)
		return -errno;
	if (!bind(fd, (const struct sockaddr *)&a, n))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* -- clients -------------------------------------------------------------- */

/* The process has ended. */
static void died(struct watch *w, uint32_t events)
{
	struct sim_client *c = container_of(w, struct sim_client, death);

	(void)events;
	c->server->stats.died++;
	sim_server_remove(c);
}

static void watch_process(struct sim_client *c)
{
	c->death.fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (c->death.fd < 0)
		return; /* another namespace: a failing send tells */
	c->death.events = EPOLLIN;
	c->death.ready = died;
	if (watch_start(c->server->reactor, &c->death)) {
		close(c->death.fd);
		c->death.fd = -1;
	}
}

void sim_server_remove(struct sim_client *c)
{
	struct sim_server *s = c->server;

	sim_server_client_fini(c);
	ibnet_detach(&c->endpoint);
	watch_stop(s->reactor, &c->in);
	close(c->in.fd);
	if (c->death.fd >= 0) {
		watch_stop(s->reactor, &c->death);
		close(c->death.fd);
	}
	s->clients[c->number] = NULL;
	s->stats.clients--;
	free(c);
}

static bool free_number(struct sim_server *s, unsigned *number)
{
	for (unsigned i = 1; i <= SIM_SERVER_CLIENTS; i++) {
		*number = (s->last_number + i) % SIM_SERVER_CLIENTS;
		if (!s->clients[*number])
			return true;
	}
	return false;
}

static int connect_data(struct sim_client *c, uint32_t id)
{
	struct sockaddr_un a;
	socklen_t n = make_name(&a, c->server->name, "in", id);

	c->in.fd = open_socket(c->server->name, "out", c->number);
	if (c->in.fd < 0)
		return c->in.fd;
	if (connect(c->in.fd, (const struct sockaddr *)&a, n))
		return -errno;
	c->in.events = EPOLLIN;
	c->in.ready = sim_server_client_ready;
	return watch_start(c->server->reactor, &c->in);
}

int sim_server_add(struct sim_server *s, const struct sim_proto_connect *want,
                   struct ibnet_port *p, pid_t pid,
                   const struct sockaddr_un *from, socklen_t length,
                   struct sim_client **out)
{
	struct sim_client *c;
	unsigned number;
	int err;

	if (!free_number(s, &number))
		return -ENOSPC;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->server = s;
	c->number = number;
	c->pid = pid;
	c->ctl = *from;
	c->ctl_length = length;
	c->in.fd = c->death.fd = -1;
	sim_server_client_init(c);
	err = connect_data(c, want->id);
	if (err)
		goto close;
	err = ibnet_attach(s->net, p, &c->endpoint);
	if (err)
		goto unwatch;
	watch_process(c);
	s->clients[number] = c;
	s->last_number = number;
	s->stats.clients++;
	s->stats.connected++;
	*out = c;
	return 0;
unwatch:
	watch_stop(s->reactor, &c->in);
close:
	if (c->in.fd >= 0)
		close(c->in.fd);
	free(c);
	return err;
}

/* -- control -------------------------------------------------------------- */

/* What the kernel says about the sender: the message could say anything. */
static pid_t sender(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		struct ucred cred;

		if (c->cmsg_level != SOL_SOCKET ||
		    c->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&cred, CMSG_DATA(c), sizeof(cred));
		return cred.pid;
	}
	return 0;
}

static bool one_message(struct sim_server *s)
{
	uint8_t bytes[SIM_PROTO_CTL + 1];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct sockaddr_un from;
	struct iovec iov = { bytes, sizeof(bytes) };
	struct msghdr m = { .msg_name = &from,
		            .msg_namelen = sizeof(from),
		            .msg_iov = &iov,
		            .msg_iovlen = 1,
		            .msg_control = control.bytes,
		            .msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(s->ctl.fd, &m, MSG_CMSG_CLOEXEC);
	struct sim_proto_ctl ctl;

	if (n < 0)
		return false;
	if (sim_proto_decode_ctl(bytes, (size_t)n, &ctl)) {
		s->stats.bad++;
		return true;
	}
	sim_server_answer(s, &ctl, sender(&m), &from, m.msg_namelen);
	sim_proto_encode_ctl(&ctl, bytes);
	/* A client that does not read its one answer goes without. */
	sendto(s->ctl.fd, bytes, SIM_PROTO_CTL, MSG_DONTWAIT | MSG_NOSIGNAL,
	       (const struct sockaddr *)&from, m.msg_namelen);
	return true;
}

static void ctl_ready(struct watch *w, uint32_t events)
{
	struct sim_server *s = container_of(w, struct sim_server, ctl);

	(void)events;
	for (unsigned i = 0; i < CTL_BATCH && one_message(s); i++)
		;
}

/* -- the server ----------------------------------------------------------- */

static int open_ctl(struct sim_server *s, struct err *e)
{
	const int on = 1;
	int err;

	s->ctl.fd = open_socket(s->name, "ctl", -1);
	if (s->ctl.fd == -EADDRINUSE)
		return err_set(e, -EADDRINUSE,
		               "another simulator is called \"%s\"; choose a "
		               "name and set IBSIM_SOCKNAME to it",
		               s->name);
	if (s->ctl.fd < 0)
		return err_set(e, s->ctl.fd, "no socket: %s",
		               strerror(-s->ctl.fd));
	s->ctl.events = EPOLLIN;
	s->ctl.ready = ctl_ready;
	err = setsockopt(s->ctl.fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on))
	              ? -errno
	              : watch_start(s->reactor, &s->ctl);
	if (!err)
		return 0;
	close(s->ctl.fd);
	return err_set(e, err, "no socket: %s", strerror(-err));
}

int sim_server_create(struct reactor *r, struct ibnet *net,
                      const struct sim_server_opts *o, struct sim_server **out,
                      struct err *e)
{
	struct sim_server *s;
	int err;

	if (!o->name[0] || strlen(o->name) > SIM_SERVER_NAME_MAX)
		return err_set(e, -ENAMETOOLONG,
		               "a simulator's name has 1 to %u bytes",
		               SIM_SERVER_NAME_MAX);
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(e, -ENOMEM, "no memory for a server");
	memcpy(s->name, o->name, strlen(o->name) + 1);
	s->reactor = r;
	s->net = net;
	s->port = o->port ? o->port
	                  : ibnet_find(net, ibnet_node_at(net, 0)->name);
	s->timeout_ns = (o->timeout_ms ? o->timeout_ms : DEFAULT_TIMEOUT_MS) *
	                NS_PER_MS;
	s->tries = o->tries ? o->tries : DEFAULT_TRIES;
	s->timer.fire = sim_server_client_timer;
	list_init(&s->timed);
	slab_init(&s->outs, sizeof(struct sim_out), _Alignof(struct sim_out),
	          SIM_SERVER_CLIENTS * SIM_SERVER_OUT);
	slab_init(&s->pendings, sizeof(struct sim_pending),
	          _Alignof(struct sim_pending),
	          SIM_SERVER_CLIENTS * SIM_SERVER_PENDING);
	err = open_ctl(s, e);
	if (err)
		free(s);
	else
		*out = s;
	return err;
}

void sim_server_destroy(struct sim_server *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < SIM_SERVER_CLIENTS; i++)
		sim_server_drop(s, i);
	watch_stop(s->reactor, &s->ctl);
	close(s->ctl.fd);
	timer_stop(s->reactor, &s->timer);
	slab_fini(&s->outs);
	slab_fini(&s->pendings);
	free(s);
}

void sim_server_get_stats(const struct sim_server *s,
                          struct sim_server_stats *out)
{
	*out = s->stats;
}

bool sim_server_client(const struct sim_server *s, unsigned number,
                       struct sim_server_client *out)
{
	const struct sim_client *c =
		number < SIM_SERVER_CLIENTS ? s->clients[number] : NULL;

	if (!c)
		return false;
	*out = (struct sim_server_client){
		.number = c->number,
		.pid = c->pid,
		.port = c->endpoint.port,
		.is_sm = c->endpoint.is_sm,
		.received = c->received,
		.sent = c->sent,
	};
	return true;
}

bool sim_server_drop(struct sim_server *s, unsigned number)
{
	if (number >= SIM_SERVER_CLIENTS || !s->clients[number])
		return false;
	sim_server_remove(s->clients[number]);
	return true;
}
