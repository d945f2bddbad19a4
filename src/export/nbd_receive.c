/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes from a client into requests.
 *
 * What arrives goes to the worker's scratch buffer, so a connection that
 * waits holds none; many small requests come with one system call.  The data
 * of a WRITE that has begun goes straight to the request's own buffer, with
 * the scratch buffer behind it for what follows.  After a large WRITE only
 * little is read ahead: what is, has to be copied.
 */
#include "export/nbd_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define LITTLE_AHEAD (4u << 10) /* bytes */
#define TURNS 4                 /* full buffers before others get a turn */

/* Keep what cannot be looked at yet; `at` may lie in the old stash. */
static void block(struct nbd_conn *c, const uint8_t *at, size_t length)
{
	if (c->stash) {
		c->stash_at = (uint32_t)(at - c->stash);
	} else {
		c->stash = malloc(length);
		if (!c->stash) {
			nbd_conn_kill(c);
			return;
		}
		memcpy(c->stash, at, length);
		c->stash_at = 0;
		c->stash_length = (uint32_t)length;
	}
	c->state = NBD_BLOCKED;
	list_append(&c->worker->blocked, &c->block_link);
	nbd_conn_events(c, c->events & ~(uint32_t)EPOLLIN);
}

/* @return bytes used; 0: `c` takes no more now. */
static size_t take_header(struct nbd_conn *c, const uint8_t *at, size_t length)
{
	struct nbd_command command;

	if (length < sizeof(struct nbd_request_header)) {
		memcpy(c->partial, at, length);
		c->partial_length = (uint32_t)length;
		return length;
	}
	if (nbd_decode_request(at, &command)) {
		nbd_conn_kill(c);
		return 0;
	}
	if (command.type == NBD_CMD_DISC) {
		nbd_conn_drain(c, false);
		return 0;
	}
	if (!nbd_request_start(c, &command)) {
		block(c, at, length);
		return 0;
	}
	return sizeof(struct nbd_request_header);
}

/* `n` of the bytes that the state waits for are there. */
static void took(struct nbd_conn *c, size_t n)
{
	struct nbd_request *q = c->receiving;

	c->left -= (uint32_t)n;
	if (c->left)
		return;
	c->state = NBD_HEADER;
	c->receiving = NULL;
	nbd_request_received(q);
}

static size_t take_data(struct nbd_conn *c, const uint8_t *at, size_t length)
{
	struct nbd_request *q = c->receiving;
	size_t n = length < c->left ? length : c->left;

	if (c->state == NBD_PAYLOAD)
		memcpy(q->buffer + (q->command.length - c->left), at, n);
	took(c, n);
	return n;
}

static void parse(struct nbd_conn *c, const uint8_t *at, size_t length)
{
	while (length && c->state <= NBD_SKIP) {
		size_t n = c->state == NBD_HEADER ? take_header(c, at, length)
		                                  : take_data(c, at, length);

		at += n;
		length -= n;
	}
}

void nbd_receive_stash(struct nbd_conn *c)
{
	uint8_t *stash = c->stash;

	parse(c, stash + c->stash_at, c->stash_length - c->stash_at);
	if (c->state != NBD_BLOCKED && c->stash) {
		free(c->stash);
		c->stash = NULL;
	}
}

/* @return whether there may be more to come at once. */
static bool receive_once(struct nbd_conn *c)
{
	struct nbd_request *q = c->receiving;
	uint8_t *scratch = c->worker->scratch;
	size_t kept = c->partial_length;
	size_t direct = c->state == NBD_PAYLOAD ? c->left : 0;
	size_t ahead = c->large ? LITTLE_AHEAD : NBD_SCRATCH;
	struct iovec iov[2];
	struct msghdr m = { .msg_iov = iov };
	ssize_t n;

	if (direct)
		iov[m.msg_iovlen++] = (struct iovec){
			q->buffer + (q->command.length - c->left), direct
		};
	iov[m.msg_iovlen++] = (struct iovec){ scratch + kept, ahead - kept };
	n = recvmsg(c->watch.fd, &m, MSG_DONTWAIT);
	if (n < 0)
		return errno == EINTR ||
		       (errno != EAGAIN && (nbd_conn_kill(c), false));
	if (n == 0) {
		nbd_conn_drain(c, false);
		return false;
	}
	c->moved += (size_t)n;
	if (direct && (size_t)n <= direct) {
		took(c, (size_t)n);
		return (size_t)n == direct;
	}
	if (direct)
		took(c, direct);
	memcpy(scratch, c->partial, kept);
	c->partial_length = 0;
	parse(c, scratch, (size_t)n - direct + kept);
	return (size_t)n == direct + ahead - kept;
}

void nbd_receive(struct nbd_conn *c)
{
	for (int i = 0; i < TURNS && c->state <= NBD_SKIP; i++)
		if (!receive_once(c))
			return;
}
