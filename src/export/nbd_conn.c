/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection in the transmission phase: its states' ends and its output.
 * Input is nbd_receive.c, requests are nbd_request.c.
 *
 * Only nbd_conn_flush(), which the worker calls with nothing else on the
 * stack, closes a connection; everything else marks it.  So no function here
 * loses its connection under its feet.
 */
#include "base/clock.h"
#include "export/nbd_priv.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOLD_REPLIES 8u /* that keep a client busy for HOLD_NS and longer */
#define HOLD_BYTES (32u << 10)
#define HOLD_NS (30 * NS_PER_US)
#define HOLD_REST_MAX 63u
#define SOCKET_BUFFER 768u /* bytes the kernel counts for a small message */

void nbd_conn_mark(struct nbd_conn *c)
{
	if (!list_linked(&c->dirty_link))
		list_append(&c->worker->dirty, &c->dirty_link);
	nbd_worker_arm(c->worker);
}

void nbd_conn_events(struct nbd_conn *c, uint32_t events)
{
	if (c->events == events)
		return;
	c->events = events;
	watch_modify(c->worker->reactor, &c->watch, events);
}

/* Forget what was being received. */
static void stop_receiving(struct nbd_conn *c)
{
	struct nbd_request *q = c->receiving;

	list_remove(&c->block_link);
	free(c->stash);
	c->stash = NULL;
	c->receiving = NULL;
	if (q)
		nbd_request_release(q);
	nbd_conn_events(c, c->events & ~(uint32_t)EPOLLIN);
}

void nbd_conn_drain(struct nbd_conn *c, bool linger)
{
	if (c->state >= NBD_DRAIN)
		return;
	c->linger = linger;
	c->state = NBD_DRAIN;
	stop_receiving(c);
	nbd_conn_mark(c);
}

void nbd_conn_kill(struct nbd_conn *c)
{
	if (c->state >= NBD_DEAD)
		return;
	c->state = NBD_DEAD;
	stop_receiving(c);
	watch_stop(c->worker->reactor, &c->watch);
	/* The client learns of it now, not when the device is done. */
	shutdown(c->watch.fd, SHUT_RDWR);
	nbd_conn_mark(c);
}

/* -- output --------------------------------------------------------------- */

/*
 * The replies that are due, without the c->out_sent bytes that are sent.
 * The vector is the worker's.
 */
static unsigned gather(const struct nbd_conn *c, struct iovec *iov)
{
	size_t skip = c->out_sent;
	unsigned n = 0;

	for (struct nbd_request *q = c->out; q && n + 2 <= NBD_IOV_MAX;
	     q = q->next) {
		size_t header = q->header_length, payload = q->payload;
		size_t in_header = skip < header ? skip : header;

		if (in_header < header)
			iov[n++] = (struct iovec){ q->header + in_header,
				                   header - in_header };
		skip -= in_header;
		if (skip < payload)
			iov[n++] = (struct iovec){ q->buffer + skip,
				                   payload - skip };
		skip = 0;
	}
	return n;
}

static struct nbd_request *pop_out(struct nbd_conn *c)
{
	struct nbd_request *q = c->out;

	c->out = q->next;
	c->n_out--;
	if (!c->out)
		c->out_end = &c->out;
	return q;
}

static void sent(struct nbd_conn *c, size_t n)
{
	uint64_t now = clock_now_ns();

	c->moved += n;
	c->out_bytes -= n;
	n += c->out_sent;
	while (c->out && n >= c->out->header_length + (size_t)c->out->payload) {
		struct nbd_request *q = pop_out(c);

		n -= q->header_length + (size_t)q->payload;
		nbd_request_answered(q, now);
		nbd_request_release(q);
	}
	c->out_sent = n;
}

static void send_out(struct nbd_conn *c)
{
	while (c->out) {
		struct msghdr m = { .msg_iov = c->worker->iov };
		ssize_t n;

		m.msg_iovlen = gather(c, m.msg_iov);
		n = sendmsg(c->watch.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			nbd_conn_events(c, c->events | EPOLLOUT);
			return;
		}
		if (n < 0) {
			nbd_conn_kill(c);
			return;
		}
		sent(c, (size_t)n);
	}
	nbd_conn_events(c, c->events & ~(uint32_t)EPOLLOUT);
}

/* -- closing -------------------------------------------------------------- */

static void close_now(struct nbd_conn *c)
{
	struct nbd_worker *w = c->worker;

	if (c->state != NBD_DEAD)
		watch_stop(w->reactor, &c->watch);
	timer_stop(w->reactor, &c->timer);
	close(c->watch.fd);
	list_remove(&c->link);
	list_remove(&c->dirty_link);
	assert(!list_linked(&c->block_link) && c->n_requests == 0);
	c->state = NBD_CLOSED;
	c->task.run = nbd_server_closed;
	task_post(w->server->home, &c->task);
}

static void lingered(struct timer *t)
{
	nbd_conn_kill(container_of(t, struct nbd_conn, timer));
}

/*
 * Closing a TCP socket with unread requests in it resets the connection and
 * throws away replies that are still on their way.  So shut our side and
 * wait, but not long, for the client to hang up.
 */
static void linger(struct nbd_conn *c)
{
	c->state = NBD_LINGER;
	c->timer.fire = lingered;
	if (shutdown(c->watch.fd, SHUT_WR) < 0 ||
	    timer_start(c->worker->reactor, &c->timer,
	                NBD_LINGER_MS * NS_PER_MS)) {
		nbd_conn_kill(c);
		return;
	}
	nbd_conn_events(c, EPOLLIN);
}

/* A hold ends.  If the client has read nothing meanwhile, it did not run: it
 * waits for our core, and holding on to that makes both wait. */
static void judge_hold(struct nbd_conn *c)
{
	int unread;

	if (c->n_out > 1 || ioctl(c->watch.fd, SIOCOUTQ, &unread) ||
	    unread < c->hold_unread)
		c->hold_rest_after = 0;
	else if (c->hold_rest_after < HOLD_REST_MAX)
		c->hold_rest_after = (uint8_t)(2 * c->hold_rest_after + 1);
	c->hold_rest = c->hold_rest_after;
}

/*
 * A client that has much to read gains nothing from one reply more, but has
 * less work with a few in one piece: its reads cost it less, and our sends
 * us.  So hold a reply or two back, for a time in which it cannot run dry.
 */
static bool may_hold(struct nbd_conn *c)
{
	size_t busy = HOLD_REPLIES * (SOCKET_BUFFER + c->out->payload);

	if (ioctl(c->watch.fd, SIOCOUTQ, &c->hold_unread) ||
	    (size_t)c->hold_unread < busy)
		return false;
	if (!c->hold_rest)
		return true;
	c->hold_rest--;
	return false;
}

static bool is_held(struct nbd_conn *c)
{
	uint64_t until = c->hold_until_ns;
	bool enough = !c->out || c->n_out >= HOLD_REPLIES ||
	              c->out_bytes >= HOLD_BYTES || c->state >= NBD_DRAIN ||
	              c->events & EPOLLOUT;

	c->hold_until_ns = 0;
	if (!until) {
		if (enough || !may_hold(c))
			return false;
		until = clock_now_ns() + HOLD_NS;
	} else if (enough || clock_now_ns() >= until) {
		judge_hold(c);
		return false;
	}
	c->hold_until_ns = until;
	return true;
}

void nbd_conn_flush(struct nbd_conn *c)
{
	if (is_held(c)) {
		nbd_conn_mark(c);
		return;
	}
	if (c->state != NBD_DEAD)
		send_out(c);
	if (c->state == NBD_DEAD) {
		while (c->out)
			nbd_request_release(pop_out(c));
		if (c->n_device == 0)
			close_now(c);
		return;
	}
	if (c->state != NBD_DRAIN || c->n_requests)
		return;
	if (c->linger)
		linger(c);
	else
		close_now(c);
}

/* -- events --------------------------------------------------------------- */

static void discard_input(struct nbd_conn *c)
{
	ssize_t n = recv(c->watch.fd, c->worker->scratch, NBD_SCRATCH,
	                 MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		nbd_conn_kill(c);
}

static void ready(struct watch *watch, uint32_t events)
{
	struct nbd_conn *c = container_of(watch, struct nbd_conn, watch);

	if (events & EPOLLOUT)
		nbd_conn_mark(c);
	if (c->state == NBD_LINGER)
		discard_input(c);
	else if (c->state <= NBD_SKIP && events & ~(uint32_t)EPOLLOUT)
		nbd_receive(c);
	else if (events & (EPOLLERR | EPOLLHUP))
		nbd_conn_kill(c); /* nobody to answer, and no read to tell */
}

void nbd_conn_resume(struct nbd_conn *c)
{
	c->state = NBD_HEADER;
	nbd_receive_stash(c);
	if (c->state <= NBD_SKIP)
		nbd_conn_events(c, c->events | EPOLLIN);
}

void nbd_conn_start(struct nbd_conn *c)
{
	list_init(&c->dirty_link);
	list_init(&c->block_link);
	list_append(&c->worker->connections, &c->link);
	c->out_end = &c->out;
	c->state = NBD_HEADER;
	c->events = EPOLLIN;
	c->watch.events = c->events;
	c->watch.ready = ready;
	if (watch_start(c->worker->reactor, &c->watch)) {
		c->state = NBD_DEAD;
		nbd_conn_mark(c);
	}
}
