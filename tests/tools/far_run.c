/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far_run LOCAL DRIVE PROGRAM ARG...: run a program with LOCAL bytes of
 * memory here and the rest on a drive; its exit status, and what happened.
 */
#include "base/base.h"
#include "core/reactor.h"
#include "drive/drive.h"
#include "far/launch.h"
#include "far/pager.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct reactor *reactor;

static void ended(struct watch *w, uint32_t events)
{
	(void)w;
	(void)events;
	reactor_stop(reactor);
}

static void lost(void *ctx, pid_t pid, const char *why)
{
	(void)ctx;
	fprintf(stderr, "far_run: process %d is lost: %s\n", pid, why);
}

static void stuck(void *ctx, const char *why)
{
	(void)ctx;
	fprintf(stderr, "far_run: pages stay: %s\n", why);
}

static void report(const struct pager *p)
{
	struct pager_stats s;

	pager_stats(p, &s);
	fprintf(stderr,
	        "far_run: faults %" PRIu64 " zero %" PRIu64 " joined %" PRIu64
	        " from_parcel %" PRIu64 " read %" PRIu64 " prefetched %" PRIu64
	        " moved_out %" PRIu64 " written %" PRIu64 " clean %" PRIu64
	        " dropped_zero %" PRIu64 " kept %" PRIu64 " strays %" PRIu64
	        " peak %" PRIu64 " compressed %" PRIu64 " from_tier %" PRIu64
	        " refused %" PRIu64 " packed %" PRIu64 " p50 %.1f us p99 "
	        "%.1f us\n",
	        s.faults, s.zero, s.joined, s.from_parcel, s.read, s.prefetched,
	        s.moved_out, s.written, s.clean, s.dropped_zero, s.kept,
	        s.strays, s.peak, s.compressed, s.from_tier, s.not_compressed,
	        s.packed, (double)histogram_percentile(&s.fault, 50) / 1000,
	        (double)histogram_percentile(&s.fault, 99) / 1000);
}

int main(int argc, char **argv)
{
	const struct reactor_opts ro = { .name = "pager",
		                         .spin_max_us = 50,
		                         .uring_depth = 128 };
	struct watch death = { .events = EPOLLIN, .ready = ended };
	struct pager_opts o = { .lost = lost, .stuck = stuck };
	struct block_device *device;
	struct pager *p;
	struct err e = { 0 };
	int status;
	pid_t pid;

	if (argc < 4 || base_parse_size(argv[1], &o.local)) {
		fprintf(stderr, "usage: far_run LOCAL DRIVE PROGRAM ARG...\n");
		return 2;
	}
	o.encrypt = getenv("FAR_ENCRYPT") != NULL;
	o.compress = getenv("FAR_COMPRESS") != NULL;
	if (reactor_create(&ro, &reactor, &e) ||
	    drive_open(argv[2], &device, &e))
		goto failed;
	reactor_bind(reactor);
	o.reactor = reactor;
	o.device = device;
	if (pager_create(&o, &p, &e) || launch_start(p, argv + 3, &pid, &e))
		goto failed;
	death.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (death.fd < 0 || watch_start(reactor, &death))
		return 1;
	reactor_run(reactor);
	waitpid(pid, &status, 0);
	watch_stop(reactor, &death);
	report(p);
	pager_destroy(p);
	block_close(device);
	reactor_destroy(reactor);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
failed:
	fprintf(stderr, "far_run: %s\n", e.text);
	return 1;
}
