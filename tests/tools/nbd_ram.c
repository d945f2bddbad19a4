/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nbd_ram ADDRESS SIZE [OPTION...]: serve memory over NBD, for developers.
 *
 * ADDRESS is unix:PATH or tcp:ADDR:PORT; the export's name is "ram".
 * Options: `null` (no memory behind it), `grain=N`, `spin=US`, `threads=N`.
 * Prints "ready PORT" when it listens (PORT is 0 on a Unix socket).  Stops
 * cleanly on SIGTERM and SIGINT and then prints what it has served.
 */
#include "../support/memory_device.h"

#include "base/clock.h"
#include "export/nbd.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>

#define THREADS_MAX 16

static struct {
	struct reactor *home;
	struct reactor *data[THREADS_MAX];
	pthread_t thread[THREADS_MAX];
	unsigned n_data;
	unsigned spin_us;
	struct memory_device memory;
	struct nbd_server *server;
	struct nbd_export *export;
	struct watch signals;
} app;

static const char *const op_names[NBD_OPS] = {
	"read", "write", "flush", "trim", "write-zeroes", "block-status",
};

static void *run(void *reactor)
{
	reactor_run(reactor);
	return NULL;
}

static void stopped(void *arg)
{
	(void)arg;
	reactor_stop(app.home);
}

static void report(void)
{
	static struct nbd_export_stats x;
	struct nbd_server_stats s;

	nbd_export_stats(app.export, &x);
	nbd_server_stats(app.server, &s);
	fprintf(stderr, "connections %ju, refused %ju, timed out %ju\n",
	        (uintmax_t)x.connected, (uintmax_t)s.refused,
	        (uintmax_t)s.timed_out);
	for (unsigned i = 0; i < NBD_OPS; i++)
		if (x.op[i].latency.count)
			fprintf(stderr,
			        "%s: %ju, %ju errors, %ju bytes, "
			        "p50 %ju ns, p99 %ju ns\n",
			        op_names[i], (uintmax_t)x.op[i].latency.count,
			        (uintmax_t)x.op[i].errors,
			        (uintmax_t)x.op[i].bytes,
			        (uintmax_t)histogram_percentile(
					&x.op[i].latency, 50),
			        (uintmax_t)histogram_percentile(
					&x.op[i].latency, 99));
}

static void on_signal(struct watch *w, uint32_t events)
{
	(void)events;
	report();
	watch_stop(app.home, w);
	nbd_server_stop(app.server, 5000, stopped, NULL);
}

static int fail(const struct err *e)
{
	fprintf(stderr, "nbd_ram: %s\n", e->text);
	return 1;
}

/* Half of the space is a hole, in pieces of 64 KiB, for the null device. */
static int extents(void *arg, uint64_t offset, uint64_t length,
                   struct nbd_extent *out, unsigned max)
{
	unsigned n = 0;

	(void)arg;
	while (length && n < max) {
		uint64_t left = 65536 - offset % 65536;

		if (left > length)
			left = length;
		out[n].length = left;
		out[n++].hole = offset / 65536 % 2;
		offset += left;
		length -= left;
	}
	return (int)n;
}

static bool parse(int argc, char **argv, uint64_t *size, uint32_t *grain,
                  bool *null)
{
	if (argc < 3 || base_parse_size(argv[2], size))
		return false;
	for (int i = 3; i < argc; i++) {
		unsigned n;

		if (strcmp(argv[i], "null") == 0)
			*null = true;
		else if (sscanf(argv[i], "grain=%u", &n) == 1)
			*grain = n;
		else if (sscanf(argv[i], "spin=%u", &n) == 1)
			app.spin_us = n;
		else if (sscanf(argv[i], "threads=%u", &n) == 1 && n > 0 &&
		         n <= THREADS_MAX)
			app.n_data = n;
		else
			return false;
	}
	return true;
}

static int make_reactors(struct err *e)
{
	struct reactor_opts opts = { .name = "home" };
	int err = reactor_create(&opts, &app.home, e);

	opts = (struct reactor_opts){ "data", .spin_max_us = app.spin_us };
	for (unsigned i = 0; !err && i < app.n_data; i++)
		err = reactor_create(&opts, &app.data[i], e);
	for (unsigned i = 0; !err && i < app.n_data; i++)
		pthread_create(&app.thread[i], NULL, run, app.data[i]);
	return err;
}

static int serve(const struct nbd_address *at, bool null, struct err *e)
{
	struct nbd_server_opts opts = { .home = app.home,
		                        .data = app.data,
		                        .n_data = app.n_data };
	struct nbd_export_info info = { .name = "ram",
		                        .description = "memory, for tests",
		                        .device = &app.memory.device,
		                        .extents = null ? extents : NULL };
	int err = nbd_server_create(&opts, &app.server, e);

	return err ? err
	           : nbd_export_add(app.server, at, &info, &app.export, e);
}

static void watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	app.signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	app.signals.events = EPOLLIN;
	app.signals.ready = on_signal;
}

int main(int argc, char **argv)
{
	struct err e = { 0 };
	struct nbd_address at;
	uint64_t size = 0;
	uint32_t grain = BLOCK_SECTOR;
	bool null = false;
	void *bytes = NULL;

	app.spin_us = 50;
	app.n_data = 1;
	if (!parse(argc, argv, &size, &grain, &null)) {
		fprintf(stderr, "usage: nbd_ram unix:PATH|tcp:ADDR:PORT SIZE "
		                "[null] [grain=N] [spin=US] [threads=N]\n");
		return 2;
	}
	at.kind = strncmp(argv[1], "unix:", 5) == 0 ? NBD_UNIX : NBD_TCP;
	at.text = strchr(argv[1], ':') ? strchr(argv[1], ':') + 1 : "";
	if (!null)
		bytes = mmap(NULL, size, PROT_READ | PROT_WRITE,
		             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		             0);
	if (bytes == MAP_FAILED)
		return 1;
	if (bytes)
		madvise(bytes, size, MADV_HUGEPAGE);
	memory_device_init(&app.memory, bytes, size, grain);
	watch_signals();
	if (make_reactors(&e) || serve(&at, null, &e))
		return fail(&e);
	watch_start(app.home, &app.signals);
	printf("ready %u\n", nbd_export_port(app.export));
	fflush(stdout);
	reactor_run(app.home);
	for (unsigned i = 0; i < app.n_data; i++) {
		reactor_stop(app.data[i]);
		pthread_join(app.thread[i], NULL);
		reactor_destroy(app.data[i]);
	}
	reactor_destroy(app.home);
	return 0;
}
