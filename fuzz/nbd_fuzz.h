/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole NBD server in one thread, a memory device behind it and a
 * socket pair in front: what the NBD fuzz targets share.
 */
#ifndef FUZZ_NBD_FUZZ_H
#define FUZZ_NBD_FUZZ_H

#include "../tests/support/memory_device.h"

#include "export/nbd.h"
#include "export/nbd_codec.h"

#include <stdlib.h>
#include <sys/socket.h>

#define NBD_FUZZ_DISK 65536u

static struct {
	struct reactor *reactor;
	struct memory_device memory;
	struct nbd_server *server;
	struct nbd_export *export;
} nbd_fuzz;

static const struct nbd_address nbd_fuzz_at = { NBD_ADOPT, "fuzz" };

static int nbd_fuzz_extents(void *arg, uint64_t offset, uint64_t length,
                            struct nbd_extent *out, unsigned max)
{
	unsigned n = 0;

	(void)arg;
	while (length && n < max) {
		uint64_t left = 4096 - offset % 4096;

		if (left > length)
			left = length;
		out[n].length = left;
		out[n++].hole = offset / 4096 % 2;
		offset += left;
		length -= left;
	}
	return (int)n;
}

static void nbd_fuzz_start(void)
{
	struct reactor_opts opts = { .name = "fuzz" };
	struct nbd_server_opts server = { .data = &nbd_fuzz.reactor,
		                          .n_data = 1 };
	struct nbd_export_info info = { .name = "disk",
		                        .description = "of a fuzzer",
		                        .device = &nbd_fuzz.memory.device,
		                        .extents = nbd_fuzz_extents };

	if (nbd_fuzz.server)
		return;
	memory_device_init(&nbd_fuzz.memory, calloc(1, NBD_FUZZ_DISK),
	                   NBD_FUZZ_DISK, BLOCK_SECTOR);
	if (reactor_create(&opts, &nbd_fuzz.reactor, NULL))
		abort();
	reactor_bind(nbd_fuzz.reactor);
	server.home = nbd_fuzz.reactor;
	if (nbd_server_create(&server, &nbd_fuzz.server, NULL) ||
	    nbd_export_add(nbd_fuzz.server, &nbd_fuzz_at, &info,
	                   &nbd_fuzz.export, NULL))
		abort();
}

static int nbd_fuzz_dial(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) ||
	    nbd_server_adopt(nbd_fuzz.server, &nbd_fuzz_at, pair[1]))
		abort();
	return pair[0];
}

/* Poll until nothing happens; throw away what the server says. */
static void nbd_fuzz_settle(int fd)
{
	static uint8_t sink[1 << 18];
	bool heard = true, worked = true;

	while (heard || worked) {
		worked = reactor_poll(nbd_fuzz.reactor);
		heard = recv(fd, sink, sizeof(sink), 0) > 0;
	}
}

/* Send all in two pieces, hang up, and see the connection's end. */
static void nbd_fuzz_session(int fd, const uint8_t *data, size_t size)
{
	struct nbd_server_stats s;
	size_t first = size ? data[0] % (size + 1) : 0;

	if (send(fd, data, first, MSG_NOSIGNAL) > 0)
		nbd_fuzz_settle(fd);
	if (send(fd, data + first, size - first, MSG_NOSIGNAL) > 0)
		nbd_fuzz_settle(fd);
	shutdown(fd, SHUT_WR);
	nbd_fuzz_settle(fd);
	close(fd);
	while (reactor_poll(nbd_fuzz.reactor))
		;
	nbd_server_stats(nbd_fuzz.server, &s);
	if (s.connections || s.held)
		abort();
}

#endif /* FUZZ_NBD_FUZZ_H */
