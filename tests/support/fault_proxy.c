/* SPDX-License-Identifier: BSD-2-Clause */
#include "fault_proxy.h"

#include "base/base.h"
#include "core/reactor.h"
#include "fabric/address.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>

#define BUFFER 65536u
#define TICK_NS NS_PER_MS
#define MARKS 256u

/* One direction of a connection. */
struct way {
	unsigned from, to; /* which of the two sockets */
	uint8_t data[BUFFER + FAULT_ROOM];
	size_t length;
	struct {
		size_t length;
		uint64_t due_ns;
	} mark[MARKS]; /* when which bytes may go; oldest first */
	unsigned first, n;
	uint64_t allowance; /* bytes that bytes_per_ms lets go now */
	bool ended;         /* the sender has; told when all is sent */
	bool told;
};

struct connection {
	struct list link;
	struct fault_proxy *proxy;
	struct watch watch[2]; /* 0: the dialler, 1: the target */
	struct way way[2];
	bool connected; /* to the target */
};

static uint64_t next_random(struct fault_proxy *p)
{
	uint64_t z = p->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static bool once_in(struct fault_proxy *p, uint64_t n)
{
	return n && next_random(p) % n == 0;
}

size_t fault_proxy_spoil(struct fault_proxy *p, uint8_t *data, size_t n)
{
	const struct faults *f = &p->faults;

	if (!f->flip_one_in && !f->twice_one_in && !f->lose_one_in)
		return n;
	for (size_t i = 0; i < n; i++) {
		size_t some = next_random(p) % FAULT_ROOM + 1;

		if (some > n - i)
			some = n - i;
		if (once_in(p, f->flip_one_in)) {
			data[i] ^= (uint8_t)(1u << next_random(p) % 8);
			p->n_spoiled++;
		}
		if (once_in(p, f->lose_one_in)) {
			memmove(data + i, data + i + some, n - i - some);
			n -= some;
			p->n_spoiled++;
		} else if (once_in(p, f->twice_one_in)) {
			memmove(data + i + some, data + i, n - i);
			p->n_spoiled++;
			return n + some; /* there is room for one */
		}
	}
	return n;
}

/* -- a connection --------------------------------------------------------- */

static void drop(struct connection *c, bool reset)
{
	const struct linger now = { .l_onoff = 1 };

	for (int i = 0; i < 2; i++) {
		if (reset)
			setsockopt(c->watch[i].fd, SOL_SOCKET, SO_LINGER, &now,
			           sizeof(now));
		watch_stop(c->proxy->reactor, &c->watch[i]);
		close(c->watch[i].fd);
	}
	list_remove(&c->link);
	free(c);
}

static bool has_room(const struct way *w)
{
	return !w->ended && w->length < BUFFER && w->n < MARKS;
}

/* @return false: the connection is dead. */
static bool receive(struct connection *c, struct way *w)
{
	struct fault_proxy *p = c->proxy;
	uint64_t due = reactor_now_ns(p->reactor);
	uint8_t *to = w->data + w->length;
	ssize_t n;

	if (!has_room(w))
		return true;
	n = recv(c->watch[w->from].fd, to, BUFFER - w->length, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN;
	if (n == 0) {
		w->ended = true;
		return true;
	}
	n = (ssize_t)fault_proxy_spoil(p, to, (size_t)n);
	due += p->faults.delay_ms * NS_PER_MS;
	if (p->faults.jitter_ms)
		due += next_random(p) % (p->faults.jitter_ms * NS_PER_MS);
	w->length += (size_t)n;
	w->mark[(w->first + w->n) % MARKS].length = (size_t)n;
	w->mark[(w->first + w->n++) % MARKS].due_ns = due;
	return true;
}

/* Bytes of the oldest mark that may go now. */
static size_t may_go(struct connection *c, struct way *w)
{
	const struct faults *f = &c->proxy->faults;
	size_t n;

	if (f->held[w - c->way] || w->n == 0 || (w->to == 1 && !c->connected) ||
	    w->mark[w->first].due_ns > reactor_now_ns(c->proxy->reactor))
		return 0;
	n = w->mark[w->first].length;
	if (f->piece && n > f->piece)
		n = f->piece;
	if (f->bytes_per_ms && n > w->allowance)
		n = w->allowance;
	return n;
}

static void took(struct way *w, size_t n)
{
	memmove(w->data, w->data + n, w->length - n);
	w->length -= n;
	w->allowance -= n < w->allowance ? n : w->allowance;
	w->mark[w->first].length -= n;
	if (w->mark[w->first].length == 0) {
		w->first = (w->first + 1) % MARKS;
		w->n--;
	}
}

static bool pass_on(struct connection *c, struct way *w)
{
	size_t n;

	while ((n = may_go(c, w)) > 0) {
		ssize_t sent = send(c->watch[w->to].fd, w->data, n,
		                    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0)
			return errno == EAGAIN;
		took(w, (size_t)sent);
	}
	if (w->ended && w->length == 0 && !w->told &&
	    !c->proxy->faults.held[w - c->way]) {
		w->told = true;
		shutdown(c->watch[w->to].fd, SHUT_WR);
	}
	return !(c->way[0].told && c->way[1].told);
}

static void pump(struct connection *c)
{
	if (!receive(c, &c->way[0]) || !receive(c, &c->way[1]) ||
	    !pass_on(c, &c->way[0]) || !pass_on(c, &c->way[1])) {
		drop(c, false);
		return;
	}
	for (unsigned i = 0; i < 2; i++)
		watch_modify(c->proxy->reactor, &c->watch[i],
		             has_room(&c->way[i]) ? EPOLLIN : 0u);
}

static void dialler_ready(struct watch *w, uint32_t events)
{
	(void)events;
	pump(container_of(w, struct connection, watch[0]));
}

static void target_ready(struct watch *w, uint32_t events)
{
	struct connection *c = container_of(w, struct connection, watch[1]);

	if (!c->connected) {
		int err = 0;
		socklen_t n = sizeof(err);

		getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &err, &n);
		if (err) {
			drop(c, true);
			return;
		}
		c->connected = events & EPOLLOUT;
	}
	pump(c);
}

/* What was late, held, or waited for room in a socket. */
static void tick(struct timer *t)
{
	struct fault_proxy *p = container_of(t, struct fault_proxy, tick);

	LIST_FOREACH (l, &p->connections) {
		struct connection *c = list_entry(l, struct connection, link);

		for (int i = 0; i < 2; i++)
			c->way[i].allowance = p->faults.bytes_per_ms;
		if (c->connected)
			pump(c);
	}
	if (!list_empty(&p->connections))
		timer_start(p->reactor, t, TICK_NS);
}

/* -- the proxy ------------------------------------------------------------ */

static int dial_target(struct fault_proxy *p)
{
	int fd = socket(p->target.ss_family,
	                SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&p->target, p->target_length) &&
	    errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	return fd;
}

static void accepted(struct listener *l, int fd)
{
	struct fault_proxy *p = container_of(l, struct fault_proxy, listener);
	struct connection *c = NULL;
	int target = p->faults.refuses ? -1 : dial_target(p);

	p->n_connections++;
	if (target >= 0)
		c = calloc(1, sizeof(*c));
	if (!c) {
		if (target >= 0)
			close(target);
		close(fd);
		return;
	}
	c->proxy = p;
	c->way[FAULT_OUT].to = 1;
	c->way[FAULT_BACK].from = 1;
	c->watch[0] = (struct watch){ .fd = fd, .ready = dialler_ready };
	c->watch[1] = (struct watch){ .fd = target,
		                      .events = EPOLLOUT,
		                      .ready = target_ready };
	watch_start(p->reactor, &c->watch[0]);
	watch_start(p->reactor, &c->watch[1]);
	list_append(&p->connections, &c->link);
	timer_start(p->reactor, &p->tick, TICK_NS);
}

int fault_proxy_start(struct fault_proxy *p, struct reactor *r, uint64_t seed,
                      const char *address, const char *target, struct err *e)
{
	struct fabric_address to;
	int err = address_parse(target, &to, e);

	if (err)
		return err;
	*p = (struct fault_proxy){ .reactor = r,
		                   .random = seed,
		                   .listener.accepted = accepted,
		                   .tick.fire = tick };
	p->target_length = address_to_socket(&to, &p->target);
	list_init(&p->connections);
	return listener_open(r, &p->listener, LISTENER_TCP, address, e);
}

void fault_proxy_stop(struct fault_proxy *p)
{
	fault_proxy_cut(p, true);
	timer_stop(p->reactor, &p->tick);
	listener_close(&p->listener);
}

unsigned fault_proxy_port(const struct fault_proxy *p)
{
	return listener_port(&p->listener);
}

void fault_proxy_cut(struct fault_proxy *p, bool reset)
{
	LIST_FOREACH (l, &p->connections)
		drop(list_entry(l, struct connection, link), reset);
}

void fault_proxy_half_close(struct fault_proxy *p, enum fault_way way)
{
	LIST_FOREACH (l, &p->connections) {
		struct connection *c = list_entry(l, struct connection, link);
		struct way *w = &c->way[way];

		if (w->told)
			continue;
		w->ended = w->told = true;
		w->length = w->n = 0;
		shutdown(c->watch[w->to].fd, SHUT_WR);
	}
}
