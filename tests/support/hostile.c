/* SPDX-License-Identifier: BSD-2-Clause */
#include "hostile.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

void hostile_adopt(struct hostile *h, struct socket_world *w, int fd)
{
	memset(h, 0, sizeof(*h));
	h->world = w;
	h->fd = fd;
	/* What it sends in pieces is not held back until the last is confirmed.
	 */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
}

void hostile_dial(struct hostile *h, struct socket_world *w, unsigned net)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct sockaddr_storage to;
	socklen_t n = address_to_socket(&w->direct, &to);
	int err;

	hostile_adopt(h, w, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	assert(h->fd >= 0);
	from.sin_addr.s_addr = htonl(0x7f000001 + (net << 8));
	if (net) {
		err = bind(h->fd, (struct sockaddr *)&from, sizeof(from));
		assert(!err);
	}
	err = connect(h->fd, (struct sockaddr *)&to, n);
	assert(!err);
	reactor_poll(w->reactor);
}

void hostile_close(struct hostile *h)
{
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}

bool hostile_send(struct hostile *h, const void *bytes, size_t n)
{
	const uint8_t *at = bytes;
	uint64_t end = clock_now_ns() + HOSTILE_MS * NS_PER_MS;

	while (n && clock_now_ns() < end) {
		ssize_t sent = send(h->fd, at, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno != EAGAIN)
			return false;
		at += sent > 0 ? sent : 0;
		n -= sent > 0 ? (size_t)sent : 0;
		reactor_poll(h->world->reactor);
	}
	return n == 0;
}

bool hostile_send_frame(struct hostile *h, const struct frame *f,
                        const void *body)
{
	struct fabric_wire_header header;

	frame_encode(f, &header);
	return hostile_send(h, &header, sizeof(header)) &&
	       (!f->length || hostile_send(h, body, f->length));
}

bool hostile_closed(struct hostile *h, unsigned ms)
{
	uint64_t end = clock_now_ns() + ms * NS_PER_MS;
	uint8_t away[4096];

	do {
		ssize_t n = recv(h->fd, away, sizeof(away), MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			return true;
		reactor_poll(h->world->reactor);
	} while (clock_now_ns() < end);
	return false;
}

static bool read_all(struct hostile *h, void *to, size_t n)
{
	uint64_t end = clock_now_ns() + HOSTILE_MS * NS_PER_MS;
	size_t at = 0;

	while (at < n && clock_now_ns() < end) {
		ssize_t got =
			recv(h->fd, (uint8_t *)to + at, n - at, MSG_DONTWAIT);

		if (got == 0 || (got < 0 && errno != EAGAIN))
			return false;
		at += got > 0 ? (size_t)got : 0;
		reactor_poll(h->world->reactor);
	}
	return at == n;
}

bool hostile_read(struct hostile *h, struct frame *f,
                  uint8_t body[FABRIC_WIRE_BODY_MAX])
{
	struct fabric_wire_header header;

	if (!read_all(h, &header, sizeof(header)))
		return false;
	assert(frame_decode(&header, f) == 0);
	return read_all(h, body, f->length);
}

static bool send_auth(struct hostile *h)
{
	const void *bytes;
	struct frame f = { .type = FABRIC_WIRE_AUTH, .last = true };

	f.length = (uint32_t)auth_pending(&h->auth, &bytes);
	if (f.length == 0)
		return true;
	if (!hostile_send_frame(h, &f, bytes))
		return false;
	auth_sent(&h->auth, f.length);
	return true;
}

bool hostile_auth(struct hostile *h, enum auth_role role,
                  const struct auth_key *key, const char *name)
{
	static uint8_t body[FABRIC_WIRE_BODY_MAX];
	struct frame f;

	h->identity = (struct auth_identity){ .boot = 1 };
	snprintf(h->identity.name, sizeof(h->identity.name), "%s", name);
	snprintf((char *)h->identity.id, sizeof(h->identity.id), "h%s", name);
	h->terms = (struct auth_terms){ .key = key,
		                        .self = &h->identity,
		                        .version_min = FABRIC_WIRE_VERSION,
		                        .version_max = FABRIC_WIRE_VERSION,
		                        .binding = AUTH_BIND_NOTHING };
	auth_start(&h->auth, role, &h->terms);
	while (send_auth(h)) {
		if (h->auth.state == AUTH_STATE_DONE)
			return true;
		if (h->auth.state == AUTH_STATE_REFUSED ||
		    !hostile_read(h, &f, body) || f.type != FABRIC_WIRE_AUTH ||
		    auth_feed(&h->auth, body, f.length) != f.length)
			return false;
	}
	return false;
}

enum fabric_status hostile_join(struct hostile *h, enum fabric_class class,
                                uint64_t epoch, uint64_t lane)
{
	static uint8_t body[FABRIC_WIRE_BODY_MAX];
	const struct frame_join j = { .class = class,
		                      .window = SESSION_WINDOW,
		                      .epoch = epoch,
		                      .lane = lane };
	struct frame f = { .type = FABRIC_WIRE_JOIN, .last = true };

	f.length = (uint32_t)frame_encode_join(&j, body);
	if (!hostile_send_frame(h, &f, body) || !hostile_read(h, &f, body))
		return FABRIC_PEER_LOST;
	return f.type == FABRIC_WIRE_JOINED ? FABRIC_OK : f.status;
}
