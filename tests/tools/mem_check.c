/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mem_check MIB SECONDS [THREADS]: memory that does not fit, checked.
 *
 * Each page holds its number and how often it was written.  Threads touch
 * random pages of their own, check all eight words that they know of one, and
 * write every second one anew.  Says how many there were and the longest that
 * one took; exits 0 only if every word was right.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096u
#define WORDS (PAGE / sizeof(uint64_t))
#define STEP (WORDS / 8)
#define THREADS_MAX 64u

static uint64_t *memory;
static uint32_t *times; /* that a page was written */
static uint64_t n_pages, seconds;
static unsigned n_threads = 1;

static struct thread {
	pthread_t id;
	uint64_t touched, bad, longest_ns;
	uint32_t random;
} thread[THREADS_MAX];

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t word(uint64_t page, uint64_t i)
{
	return (page << 32 | times[page]) * (i + 0x9e3779b97f4a7c15) + i;
}

static void write_page(uint64_t page)
{
	times[page]++;
	for (uint64_t i = 0; i < WORDS; i += STEP)
		memory[page * WORDS + i] = word(page, i);
}

static void check_page(struct thread *t, uint64_t page)
{
	for (uint64_t i = 0; i < WORDS; i += STEP)
		t->bad += memory[page * WORDS + i] != word(page, i);
}

static void touch(struct thread *t, uint64_t page, bool check, bool write)
{
	uint64_t start = now_ns(), took;

	if (check)
		check_page(t, page);
	if (write)
		write_page(page);
	took = now_ns() - start;
	if (took > t->longest_ns)
		t->longest_ns = took;
	t->touched++;
}

static void *run(void *arg)
{
	struct thread *t = arg;
	uint64_t first = (uint64_t)(t - thread), end;

	for (uint64_t p = first; p < n_pages; p += n_threads)
		touch(t, p, false, true);
	end = now_ns() + seconds * 1000000000;
	while (now_ns() < end) {
		t->random = t->random * 1103515245 + 12345;
		touch(t,
		      (t->random >> 4) % (n_pages / n_threads) * n_threads +
		              first,
		      true, t->random >> 3 & 1);
	}
	for (uint64_t p = first; p < n_pages; p += n_threads)
		touch(t, p, true, false);
	return NULL;
}

int main(int argc, char **argv)
{
	uint64_t touched = 0, bad = 0, longest = 0;

	if (argc < 3)
		return 2;
	n_pages = strtoull(argv[1], NULL, 10) * (1 << 20) / PAGE;
	seconds = strtoull(argv[2], NULL, 10);
	if (argc > 3)
		n_threads = (unsigned)atoi(argv[3]);
	memory = mmap(NULL, n_pages * PAGE, PROT_READ | PROT_WRITE,
	              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	times = calloc(n_pages, sizeof(*times));
	if (memory == MAP_FAILED || !times || n_threads < 1 ||
	    n_threads > THREADS_MAX)
		return 2;
	for (unsigned i = 0; i < n_threads; i++) {
		thread[i].random = i + 1;
		pthread_create(&thread[i].id, NULL, run, &thread[i]);
	}
	for (unsigned i = 0; i < n_threads; i++) {
		pthread_join(thread[i].id, NULL);
		touched += thread[i].touched;
		bad += thread[i].bad;
		if (thread[i].longest_ns > longest)
			longest = thread[i].longest_ns;
	}
	printf("mem_check: %ju pages touched, %ju words wrong, longest %ju "
	       "ms\n",
	       (uintmax_t)touched, (uintmax_t)bad,
	       (uintmax_t)longest / 1000000);
	return bad != 0;
}
