/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Three reactors in three threads: connections, exports and the server come
 * and go while requests are in flight.  Meant for the thread sanitizer.
 */
#include "../test.h"

#include "nbd_client.h"

#include <pthread.h>
#include <stdatomic.h>

#define DATA 2
#define CLIENTS 4
#define ROUNDS 60

static struct {
	struct reactor *home, *data[DATA];
	pthread_t thread[DATA + 1];
	struct memory_device memory;
	struct nbd_server *server;
	struct nbd_export *kept, *passing;
	struct timer timer;
	unsigned adds;
	bool stopping, passing_out;
	int to_adopt[2]; /* a client's end of the pipe, and home's */
	struct watch adopt;
	atomic_uint served, cut;
} t;

static void *run(void *reactor)
{
	reactor_run(reactor);
	return NULL;
}

static void add(const char *name, struct nbd_export **out)
{
	struct nbd_export_info info = { .name = name,
		                        .device = &t.memory.device };
	struct err e = { 0 };

	if (nbd_export_add(t.server, &here, &info, out, &e))
		abort();
}

static void passed(void *arg)
{
	(void)arg;
	t.passing = NULL;
}

/* Every millisecond an export comes or goes. */
static void come_and_go(struct timer *timer)
{
	static struct nbd_export_stats s;

	if (t.stopping)
		return; /* the exports go as the server stops */
	nbd_export_stats(t.kept, &s);
	if (!t.passing) {
		add("passing", &t.passing);
		t.passing_out = false;
		t.adds++;
	} else if (!t.passing_out) {
		t.passing_out = true;
		nbd_export_remove(t.passing, 1, passed, NULL);
	}
	timer_start(t.home, timer, NS_PER_MS);
}

static void stopped(void *arg)
{
	(void)arg;
	reactor_stop(t.home);
}

/* A descriptor's number to adopt; -1: the end. */
static void adopt(struct watch *w, uint32_t events)
{
	int fd;

	(void)events;
	if (recv(w->fd, &fd, sizeof(fd), 0) != sizeof(fd))
		return;
	if (fd >= 0) {
		nbd_server_adopt(t.server, &here, fd);
		return;
	}
	t.stopping = true;
	watch_stop(t.home, w);
	nbd_server_stop(t.server, 5000, stopped, NULL);
}

static void say(int fd)
{
	if (send(t.to_adopt[0], &fd, sizeof(fd), 0) != sizeof(fd))
		abort();
}

static bool all(int fd, void *data, size_t length, bool out)
{
	for (size_t at = 0; at < length;) {
		uint8_t *p = (uint8_t *)data + at;
		ssize_t n = out ? send(fd, p, length - at, MSG_NOSIGNAL)
		                : recv(fd, p, length - at, 0);

		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

static bool handshake(int fd, const char *name)
{
	be32 flags = be32_put(NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
	struct nbd_option_header h = {
		.magic = be64_put(NBD_OPTION_MAGIC),
		.option = be32_put(NBD_OPT_EXPORT_NAME),
		.length = be32_put((uint32_t)strlen(name)),
	};
	char copy[16];
	uint8_t reply[10];
	struct nbd_greeting g;

	strcpy(copy, name);
	return all(fd, &g, sizeof(g), false) &&
	       all(fd, &flags, sizeof(flags), true) &&
	       all(fd, &h, sizeof(h), true) &&
	       all(fd, copy, strlen(name), true) &&
	       all(fd, reply, sizeof(reply), false);
}

/* Writes and reads back its own place, several requests at a time. */
static bool traffic(int fd, unsigned client)
{
	enum { LENGTH = 8192, DEPTH = 8 };
	static _Thread_local uint8_t data[LENGTH];
	struct nbd_simple_reply r;

	for (unsigned i = 0; i < DEPTH; i++) {
		uint64_t offset = ((uint64_t)client * DEPTH + i) * LENGTH;
		struct nbd_request_header h =
			header(NBD_CMD_WRITE, offset, LENGTH);

		memset(data, (int)(client * DEPTH + i), LENGTH);
		if (!all(fd, &h, sizeof(h), true) ||
		    !all(fd, data, LENGTH, true))
			return false;
	}
	for (unsigned i = 0; i < DEPTH; i++)
		if (!all(fd, &r, sizeof(r), false) || be32_get(r.error))
			return false;
	for (unsigned i = 0; i < DEPTH; i++) {
		uint64_t offset = ((uint64_t)client * DEPTH + i) * LENGTH;
		struct nbd_request_header h =
			header(NBD_CMD_READ, offset, LENGTH);

		if (!all(fd, &h, sizeof(h), true) ||
		    !all(fd, &r, sizeof(r), false) || be32_get(r.error) ||
		    !all(fd, data, LENGTH, false))
			return false;
		if (data[0] != (uint8_t)(client * DEPTH + i) ||
		    data[LENGTH - 1] != data[0])
			abort();
	}
	return true;
}

static void *client(void *arg)
{
	unsigned number = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		/* The passing export may vanish; the kept one may not. */
		const char *name = i % 2 ? "passing" : "kept";
		bool whole;
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
			abort();
		say(pair[1]);
		whole = handshake(pair[0], name) && traffic(pair[0], number);
		if (!whole && i % 2 == 0)
			abort();
		atomic_fetch_add(whole ? &t.served : &t.cut, 1);
		close(pair[0]);
	}
	return NULL;
}

static void start(void)
{
	struct reactor_opts opts = { .name = "test" };
	struct nbd_server_opts server = { .data = t.data, .n_data = DATA };
	struct err e = { 0 };

	memory_device_init(&t.memory, calloc(1, MIB), MIB, 512);
	if (reactor_create(&opts, &t.home, &e))
		abort();
	for (unsigned i = 0; i < DATA; i++)
		if (reactor_create(&opts, &t.data[i], &e))
			abort();
	server.home = t.home;
	if (nbd_server_create(&server, &t.server, &e))
		abort();
	add("kept", &t.kept);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, t.to_adopt))
		abort();
	t.adopt = (struct watch){ .fd = t.to_adopt[1],
		                  .events = 1, /* EPOLLIN */
		                  .ready = adopt };
	t.timer.fire = come_and_go;
	if (watch_start(t.home, &t.adopt) ||
	    timer_start(t.home, &t.timer, NS_PER_MS))
		abort();
	pthread_create(&t.thread[DATA], NULL, run, t.home);
	for (unsigned i = 0; i < DATA; i++)
		pthread_create(&t.thread[i], NULL, run, t.data[i]);
}

static void exports_come_and_go_under_load(void **state)
{
	pthread_t clients[CLIENTS];

	(void)state;
	start();
	for (uintptr_t i = 0; i < CLIENTS; i++)
		pthread_create(&clients[i], NULL, client, (void *)i);
	for (unsigned i = 0; i < CLIENTS; i++)
		pthread_join(clients[i], NULL);
	say(-1);
	pthread_join(t.thread[DATA], NULL);
	for (unsigned i = 0; i < DATA; i++) {
		reactor_stop(t.data[i]);
		pthread_join(t.thread[i], NULL);
		reactor_destroy(t.data[i]);
	}
	timer_stop(t.home, &t.timer);
	reactor_destroy(t.home);
	close(t.to_adopt[0]);
	close(t.to_adopt[1]);
	free(t.memory.bytes);
	assert_true(t.served >= CLIENTS * ROUNDS / 2);
	assert_true(t.adds > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exports_come_and_go_under_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
