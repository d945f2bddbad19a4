/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Both ends of NBD connections in one thread: a server over a memory device
 * on one reactor driven by hand, and clients that are plain sockets.
 */
#ifndef TESTS_UNIT_EXPORT_NBD_CLIENT_H
#define TESTS_UNIT_EXPORT_NBD_CLIENT_H

#include "../../support/memory_device.h"

#include "export/nbd.h"
#include "export/nbd_codec.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define MIB (1u << 20)
#define DISK (64u * MIB)

/* Time that only moves when a test says so. */
struct still_clock {
	struct clock clock;
	uint64_t now_ns;
};

static inline uint64_t still_now(const struct clock *c)
{
	return container_of(c, const struct still_clock, clock)->now_ns;
}

static struct fixture {
	struct still_clock time;
	struct reactor *reactor;
	struct memory_device memory;
	struct nbd_server *server;
	struct nbd_export *export;
	bool export_gone;
	bool stopping;
	bool server_gone;
} fx;

static const struct nbd_address here = { NBD_ADOPT, "test" };

/* Let the server do what it can; half a second of real time at most. */
static inline void spin(void)
{
	for (int idle = 0; idle < 3;)
		idle = reactor_poll(fx.reactor) ? 0 : idle + 1;
}

static inline void pass_ms(uint64_t ms)
{
	fx.time.now_ns += ms * NS_PER_MS;
	spin();
}

static inline void set_true(void *flag)
{
	*(bool *)flag = true;
}

static inline void add_export(const char *name, bool read_only,
                              struct nbd_export **out)
{
	struct nbd_export_info info = { .name = name,
		                        .description = "test disk",
		                        .device = &fx.memory.device,
		                        .read_only = read_only };
	struct err e = { 0 };

	if (nbd_export_add(fx.server, &here, &info, out, &e))
		abort();
}

static inline void start_server(unsigned connections_max)
{
	struct reactor_opts opts = { .name = "test", .clock = &fx.time.clock };
	struct nbd_server_opts server = { .data = &fx.reactor,
		                          .n_data = 1,
		                          .connections_max = connections_max };
	struct err e = { 0 };

	memset(&fx, 0, sizeof(fx));
	fx.time.clock.now_ns = still_now;
	fx.time.now_ns = 1000 * NS_PER_S;
	if (reactor_create(&opts, &fx.reactor, &e))
		abort();
	reactor_bind(fx.reactor);
	server.home = fx.reactor;
	memory_device_init(&fx.memory, calloc(1, DISK), DISK, 512);
	if (nbd_server_create(&server, &fx.server, &e))
		abort();
	add_export("disk", false, &fx.export);
}

static inline void begin_stop(unsigned deadline_ms)
{
	fx.stopping = true;
	nbd_server_stop(fx.server, deadline_ms, set_true, &fx.server_gone);
}

static inline void stop_server(void)
{
	memory_device_release(&fx.memory);
	fx.memory.hold = false;
	if (!fx.stopping)
		begin_stop(1000);
	for (int i = 0; i < 10 && !fx.server_gone; i++)
		pass_ms(NBD_HANDSHAKE_MS);
	if (!fx.server_gone)
		abort();
	free(fx.memory.bytes);
	reactor_destroy(fx.reactor);
}

/* -- a client ------------------------------------------------------------- */

static inline int dial(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair))
		abort();
	if (nbd_server_adopt(fx.server, &here, pair[1])) {
		close(pair[0]);
		return -1;
	}
	return pair[0];
}

static inline void put(int fd, const void *data, size_t length)
{
	const uint8_t *at = data;

	for (int idle = 0; length; idle++) {
		ssize_t n = send(fd, at, length, MSG_NOSIGNAL);

		if (n > 0) {
			at += n;
			length -= (size_t)n;
			idle = 0;
		}
		spin();
		if (n < 0 && (errno != EAGAIN || idle > 10))
			return;
	}
	spin();
}

/* @return how many of `length` bytes came; fewer at the end of the stream
 * or when the server sends no more. */
static inline size_t get(int fd, void *data, size_t length)
{
	size_t got = 0;

	for (int idle = 0; got < length && idle < 10; idle++) {
		ssize_t n = recv(fd, (uint8_t *)data + got, length - got, 0);

		if (n == 0)
			return got;
		if (n > 0) {
			got += (size_t)n;
			idle = 0;
		}
		spin();
	}
	return got;
}

static inline bool is_closed(int fd)
{
	uint8_t byte;
	ssize_t n;

	spin();
	n = recv(fd, &byte, 1, MSG_PEEK);
	return n == 0 || (n < 0 && errno != EAGAIN);
}

static inline void put_option(int fd, uint32_t option, const void *data,
                              size_t length)
{
	struct nbd_option_header h = {
		.magic = be64_put(NBD_OPTION_MAGIC),
		.option = be32_put(option),
		.length = be32_put((uint32_t)length),
	};

	put(fd, &h, sizeof(h));
	put(fd, data, length);
}

/* @return the next reply's type, its data in `data`; 0 if none came. */
static inline uint32_t get_reply(int fd, void *data, size_t room)
{
	struct nbd_reply_header h;
	uint32_t length;

	if (get(fd, &h, sizeof(h)) != sizeof(h) ||
	    be64_get(h.magic) != NBD_REPLY_MAGIC)
		return 0;
	length = be32_get(h.length);
	if (length > room || get(fd, data, length) != length)
		return 0;
	return be32_get(h.type);
}

/* The last reply to an option, its information skipped. */
static inline uint32_t last_reply(int fd)
{
	uint8_t data[8192];
	uint32_t type;

	do {
		type = get_reply(fd, data, sizeof(data));
	} while (type == NBD_REP_SERVER || type == NBD_REP_INFO ||
	         type == NBD_REP_META_CONTEXT);
	return type;
}

static inline int greet(void)
{
	be32 flags = be32_put(NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
	struct nbd_greeting g;
	int fd = dial();

	if (fd < 0 || get(fd, &g, sizeof(g)) != sizeof(g))
		abort();
	put(fd, &flags, sizeof(flags));
	return fd;
}

static inline void put_go(int fd, const char *name)
{
	uint8_t data[512] = { 0 };
	size_t n = strlen(name);

	data[3] = (uint8_t)n;
	memcpy(data + 4, name, n);
	put_option(fd, NBD_OPT_GO, data, n + 6);
}

/* Connected to `name` and in the transmission phase. */
static inline int attach(const char *name, bool structured)
{
	int fd = greet();

	if (structured) {
		put_option(fd, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
		if (last_reply(fd) != NBD_REP_ACK)
			abort();
	}
	put_go(fd, name);
	if (last_reply(fd) != NBD_REP_ACK)
		abort();
	return fd;
}

static inline struct nbd_request_header header(uint16_t type, uint64_t offset,
                                               uint32_t length)
{
	return (struct nbd_request_header){
		.magic = be32_put(NBD_REQUEST_MAGIC),
		.type = be16_put(type),
		.cookie = be64_put(offset ^ 0xc00c1e),
		.offset = be64_put(offset),
		.length = be32_put(length),
	};
}

static inline void put_request(int fd, uint16_t flags, uint16_t type,
                               uint64_t offset, uint32_t length)
{
	struct nbd_request_header h = header(type, offset, length);

	h.flags = be16_put(flags);
	put(fd, &h, sizeof(h));
}

/* @return a simple reply's error; -1 if none came. */
static inline int get_simple(int fd)
{
	struct nbd_simple_reply r;

	if (get(fd, &r, sizeof(r)) != sizeof(r) ||
	    be32_get(r.magic) != NBD_SIMPLE_MAGIC)
		return -1;
	return (int)be32_get(r.error);
}

#endif /* TESTS_UNIT_EXPORT_NBD_CLIENT_H */
