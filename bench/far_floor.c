/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a far page fault is made of, for bench/far:
 *
 *     far_floor transport SOCKET NODE/WINDOW COUNT   4 KiB reads, one by one
 *     far_floor mechanism COUNT     faults that a thread on the same core
 *                                   answers at once (userfaultfd)
 *
 * Prints one line of JSON.
 */
#include "base/clock.h"
#include "far/uffd.h"

#include <causeway/causeway.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)

static uint64_t *took;
static uint64_t n_took;

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "far_floor: %s\n", what);
	exit(1);
}

/* -- transport ------------------------------------------------------------- */

static void transport(const char *socket, const char *name, uint64_t count)
{
	struct causeway *c;
	struct causeway_region *region;
	struct causeway_queue *queue;
	struct causeway_window *window;
	struct causeway_completion done;
	uint64_t pages, state = 88172645463325252u;

	must(causeway_open(socket, &c) == 0, "no daemon");
	must(causeway_region_create(c, PAGE, CAUSEWAY_READ | CAUSEWAY_WRITE,
	                            &region) == 0 &&
	             causeway_queue_create(c, 16, &queue) == 0 &&
	             causeway_window_open(c, name, CAUSEWAY_READ, &window) == 0,
	     causeway_error(c));
	pages = causeway_window_length(window) / PAGE;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t began = clock_now_ns();

		state = state * 6364136223846793005u + 1442695040888963407u;
		must(causeway_read(queue, i, region, 0, window,
		                   (state >> 20) % pages * PAGE, PAGE) >= 0 &&
		             causeway_wait(queue, &done, 1, 5000) == 1 &&
		             done.status == CAUSEWAY_OK,
		     "a read failed");
		took[n_took++] = clock_now_ns() - began;
	}
	causeway_close(c);
}

/* -- mechanism ------------------------------------------------------------- */

static uint8_t source[PAGE] __attribute__((aligned(4096)));

static void *answer(void *arg)
{
	int fd = *(int *)arg;
	struct uffd_msg m;

	while (read(fd, &m, sizeof(m)) == sizeof(m))
		uffd_copy(fd, m.arg.pagefault.address & ~(PAGE - 1), source,
		          PAGE);
	return NULL;
}

static void mechanism(uint64_t count)
{
	int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	int fd = uffd_open(device);
	pthread_t thread;
	cpu_set_t one;
	uint8_t *at;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	fcntl(fd, F_SETFL, 0);
	must(fd >= 0 && uffd_api(fd, 0) == 0, "no userfaultfd");
	at = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE,
	          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(at != MAP_FAILED && uffd_register(fd, (uint64_t)(uintptr_t)at,
	                                       count * PAGE) == 0,
	     "no memory to fault on");
	must(pthread_create(&thread, NULL, answer, &fd) == 0, "no thread");
	for (uint64_t i = 0; i < count; i++) {
		uint64_t began = clock_now_ns();

		*(volatile uint8_t *)(at + i * PAGE);
		took[n_took++] = clock_now_ns() - began;
	}
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	bool far = argc == 5 && !strcmp(argv[1], "transport");
	uint64_t count;

	if (!far && (argc != 3 || strcmp(argv[1], "mechanism") != 0)) {
		fprintf(stderr, "usage: far_floor transport SOCKET WINDOW "
		                "COUNT | mechanism COUNT\n");
		return 2;
	}
	count = strtoull(argv[argc - 1], NULL, 10);
	took = calloc(count, sizeof(*took));
	must(took && count, "no counts");
	memset(took, 1, count * sizeof(*took));
	if (far)
		transport(argv[2], argv[3], count);
	else
		mechanism(count);
	qsort(took, n_took, sizeof(took[0]), by_value);
	printf("{\"p50_ns\": %" PRIu64 ", \"p99_ns\": %" PRIu64 "}\n",
	       took[n_took / 2], took[n_took * 99 / 100]);
	return 0;
}
