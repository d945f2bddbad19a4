/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program for bench/far that knows nothing of far memory.  It fills SIZE
 * bytes with pages that compress to half and do not repeat, then
 *
 *     far_load random SIZE COUNT     reads COUNT pages at random
 *     far_load scan SIZE PASSES      reads all of it PASSES times in order
 *     far_load hot SIZE HOT COUNT    reads COUNT pages at random among HOT
 *                                    bytes of it
 *     far_load idle SIZE SECONDS     does nothing
 *
 * It checks what it reads and prints one line of JSON.
 */
#include "base/base.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)
#define WORDS (PAGE / sizeof(uint64_t))

static uint64_t *memory;
static uint64_t n_pages;
static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void fill(void)
{
	for (uint64_t i = 0; i < n_pages; i++) {
		uint64_t *page = memory + i * WORDS;

		for (unsigned w = 0; w < WORDS / 2; w++)
			page[w] = next_random();
		memset(page + WORDS / 2, (int)(i % 255) + 1, PAGE / 2);
		page[0] = i;
	}
}

static void touch(uint64_t number)
{
	if (*(volatile uint64_t *)(memory + number * WORDS) == number)
		return;
	fprintf(stderr, "far_load: page %" PRIu64 " is wrong\n", number);
	exit(3);
}

static uint64_t major_faults(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (uint64_t)r.ru_majflt;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* `took` keeps a time for each read, over the ones that were faults. */
static void read_random(uint64_t pages, uint64_t count)
{
	uint64_t *took = calloc(count, sizeof(*took));
	uint64_t began = clock_now_ns(), total, n = 0, before, after;
	uint64_t faults = major_faults();

	for (uint64_t i = 0; i < count; i++) {
		before = clock_now_ns();
		touch(next_random() % pages);
		after = clock_now_ns();
		/* What was here takes far less than any fault. */
		if (after - before > 1500)
			took[n++] = after - before;
	}
	total = clock_now_ns() - began;
	qsort(took, n, sizeof(took[0]), by_value);
	printf("{\"seconds\": %.6f, \"reads\": %" PRIu64 ", \"slow\": %" PRIu64
	       ", \"faults\": %" PRIu64 ", \"p50_ns\": %" PRIu64
	       ", \"p99_ns\": %" PRIu64 "}\n",
	       (double)total / NS_PER_S, count, n, major_faults() - faults,
	       n ? took[n / 2] : 0, n ? took[n * 99 / 100] : 0);
}

static void scan(uint64_t passes)
{
	uint64_t began = clock_now_ns(), faults = major_faults();

	for (uint64_t k = 0; k < passes; k++)
		for (uint64_t i = 0; i < n_pages; i++)
			touch(i);
	printf("{\"seconds\": %.6f, \"pages\": %" PRIu64
	       ", \"faults\": %" PRIu64 "}\n",
	       (double)(clock_now_ns() - began) / NS_PER_S, passes * n_pages,
	       major_faults() - faults);
}

/* Once in order, so that it is here, and then again and again. */
static void hot(uint64_t pages, uint64_t count)
{
	for (uint64_t i = 0; i < 8 * pages; i++)
		touch(next_random() % pages);
	read_random(pages, count);
}

int main(int argc, char **argv)
{
	uint64_t size, a = 0, b = 0;

	if (argc < 4 || base_parse_size(argv[2], &size) ||
	    base_parse_size(argv[3], &a) ||
	    (argc > 4 && base_parse_size(argv[4], &b))) {
		fprintf(stderr,
		        "usage: far_load random|scan|hot|idle SIZE ...\n");
		return 2;
	}
	n_pages = size / PAGE;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
	              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	fill();
	if (!strcmp(argv[1], "random"))
		read_random(n_pages, a);
	else if (!strcmp(argv[1], "scan"))
		scan(a);
	else if (!strcmp(argv[1], "hot"))
		hot(a / PAGE, b);
	else
		sleep((unsigned)a);
	return 0;
}
