/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far_hammer CASE [CHECKS]: a program that knows what its memory must hold, for
 * tests of far memory.  With "threads" it says how long the longest check took.
 * It uses 48 MiB and more, checks every value that it reads, and exits 0 only
 * if each was the one that it had written last.  With FAR_NOISE in its
 * environment its pages hold noise beside these values, none to too much to be
 * compressed, and that is checked at the end.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096u
#define WORDS (PAGE / sizeof(uint64_t))
#define PAGES (48u * 256)
#define THREADS 4u

static uint64_t *memory;
static atomic_ulong n_bad;
static unsigned long checks = 250000; /* of each thread */
static const char *until;             /* or until this file is there */

static void bad(const char *what, uint64_t page, uint64_t has, uint64_t wants)
{
	if (n_bad++ < 5)
		fprintf(stderr, "%s: page %ju has %jx, wants %jx\n", what,
		        (uintmax_t)page, (uintmax_t)has, (uintmax_t)wants);
}

static bool noisy;

/* Words of noise in a page, from word 16 on: every fourth has none, every
 * fourth so much that it does not compress. */
static unsigned noise_of(uint64_t number)
{
	static const unsigned words[] = { 0, 90, 250, 464 };

	return noisy ? words[number % 4] : 0;
}

static void make_noise(uint64_t *at)
{
	for (uint64_t i = 0; i < PAGES; i++)
		for (uint64_t w = 0; w < noise_of(i); w++)
			at[i * WORDS + 16 + w] = (i * 512 + w + 1) *
			                         UINT64_C(0x9e3779b97f4a7c15);
}

static void check_noise(const uint64_t *at)
{
	for (uint64_t i = 0; i < PAGES; i++)
		for (uint64_t w = 0; w < noise_of(i); w++) {
			uint64_t wants = (i * 512 + w + 1) *
			                 UINT64_C(0x9e3779b97f4a7c15);
			uint64_t has = at[i * WORDS + 16 + w];

			if (has != wants)
				bad("noise", i, has, wants);
		}
}

static void *map(size_t length)
{
	void *at = mmap(NULL, length, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	return at;
}

static uint64_t *page(uint64_t number)
{
	return memory + number * WORDS;
}

static uint32_t next(uint32_t *state)
{
	*state = *state * 1103515245u + 12345u;
	return *state >> 8;
}

/* -- threads --------------------------------------------------------------- */

static atomic_ulong longest_ms; /* of one check */

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void took(uint64_t ms)
{
	unsigned long was = longest_ms;

	while (was < ms && !atomic_compare_exchange_weak(&longest_ms, &was, ms))
		continue;
}

/* Thread t has pages t, t + THREADS, ...: neighbours belong to others. */
static void *write_and_check(void *arg)
{
	uint32_t t = (uint32_t)(uintptr_t)arg, random = t + 1;
	uint64_t *version = calloc(PAGES / THREADS, sizeof(*version));

	for (unsigned long i = 0; until ? access(until, F_OK) : i < checks;
	     i++) {
		uint32_t k = next(&random) % (PAGES / THREADS);
		uint64_t *p = page(k * THREADS + t);
		uint64_t began = now_ms();

		if (p[3] != version[k] || p[500] != version[k])
			bad("thread", k * THREADS + t, p[3], version[k]);
		p[3] = p[500] = ++version[k];
		took(now_ms() - began);
		if (i % 5000 == t) {
			k = next(&random) % (PAGES / THREADS);
			madvise(page(k * THREADS + t), PAGE, MADV_DONTNEED);
			version[k] = 0;
		}
	}
	free(version);
	return NULL;
}

static void threads(void)
{
	pthread_t thread[THREADS];

	memset(memory, 0, (size_t)PAGES * PAGE);
	make_noise(memory);
	puts("checks begin");
	fflush(stdout);
	for (uintptr_t t = 0; t < THREADS; t++)
		pthread_create(&thread[t], NULL, write_and_check, (void *)t);
	for (unsigned t = 0; t < THREADS; t++)
		pthread_join(thread[t], NULL);
	printf("longest %lu ms\n", longest_ms);
}

/* Many threads fault on the same pages at once. */
static void *sweep(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < PAGES; i++)
		if (page(i)[7] != i * 3)
			bad("same", i, page(i)[7], i * 3);
	return NULL;
}

static void same(void)
{
	pthread_t thread[32];

	for (uint64_t i = 0; i < PAGES; i++)
		page(i)[7] = i * 3;
	for (unsigned t = 0; t < 32; t++)
		pthread_create(&thread[t], NULL, sweep, NULL);
	for (unsigned t = 0; t < 32; t++)
		pthread_join(thread[t], NULL);
}

/* All of them want the same page, one after the other, that is away. */
static pthread_barrier_t barrier;

static void *want(void *arg)
{
	uint32_t random = 1;

	(void)arg;
	for (unsigned i = 0; i < 2000; i++) {
		uint64_t k = next(&random) % PAGES;

		pthread_barrier_wait(&barrier);
		if (page(k)[7] != k * 3)
			bad("one", k, page(k)[7], k * 3);
	}
	return NULL;
}

static void one(void)
{
	pthread_t thread[32];

	pthread_barrier_init(&barrier, NULL, 32);
	for (uint64_t i = 0; i < PAGES; i++)
		page(i)[7] = i * 3;
	for (unsigned t = 0; t < 32; t++)
		pthread_create(&thread[t], NULL, want, NULL);
	for (unsigned t = 0; t < 32; t++)
		pthread_join(thread[t], NULL);
}

/* A part that fits, of what does not: once it is here it stays. */
static void hot(void)
{
	for (uint64_t i = 0; i < PAGES; i++)
		page(i)[5] = i + 8;
	for (unsigned round = 0; round < 200; round++)
		for (uint64_t i = 0; i < PAGES / 8; i++)
			if (page(i)[5] != i + 8)
				bad("hot", i, page(i)[5], i + 8);
}

/* -- fork ------------------------------------------------------------------ */

static int child(unsigned round)
{
	for (uint64_t i = 0; i < PAGES; i++)
		if (page(i)[9] != i + round)
			bad("child", i, page(i)[9], i + round);
	for (uint64_t i = 0; i < PAGES; i++)
		page(i)[9] = 0;
	return n_bad != 0;
}

static void forks(void)
{
	for (unsigned round = 0; round < 5; round++) {
		int status;
		pid_t pid;

		for (uint64_t i = 0; i < PAGES; i++)
			page(i)[9] = i + round;
		fflush(stdout);
		pid = fork();
		if (pid == 0)
			_exit(child(round));
		for (uint64_t i = 0; i < PAGES; i += 7)
			page(i)[9] = ~i;
		waitpid(pid, &status, 0);
		if (status)
			bad("child's status", round, (unsigned)status, 0);
		for (uint64_t i = 0; i < PAGES; i++) {
			uint64_t wants = i % 7 ? i + round : ~i;

			if (page(i)[9] != wants)
				bad("parent", i, page(i)[9], wants);
		}
	}
}

static unsigned long resident_kib(void)
{
	unsigned long kib = 0;
	char line[128];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "RssAnon: %lu", &kib);
	if (f)
		fclose(f);
	return kib;
}

/* The pager may be late, as on a busy machine. */
static unsigned long resident_kib_soon(unsigned long most)
{
	unsigned long kib = resident_kib();

	for (unsigned i = 0; kib > most && i < 100; i++) {
		usleep(20000);
		kib = resident_kib();
	}
	return kib;
}

static void wait_for(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status)
		bad("child's status", 0, (unsigned)status, 0);
}

/* Children and their children keep to the limit too; one that libc does not
 * know of has the right bytes at least. */
static int brood(unsigned depth)
{
	unsigned long kib;
	pid_t pid;
	int failed = child(0);

	for (uint64_t i = 0; i < PAGES; i++)
		page(i)[9] = i;
	kib = resident_kib_soon(24 << 10);
	if (kib > 24 << 10)
		bad("KiB of the child", depth, kib, 16 << 10);
	if (depth == 2)
		return failed || n_bad;
	pid = fork();
	if (pid == 0)
		_exit(brood(depth + 1));
	wait_for(pid);
	return failed || n_bad;
}

static void children(void)
{
	pid_t pid;

	for (uint64_t i = 0; i < PAGES; i++)
		page(i)[9] = i;
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(brood(0));
	wait_for(pid);
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		_exit(child(0));
	wait_for(pid);
	pid = vfork();
	if (pid == 0) {
		execl("/proc/self/exe", "far_hammer", "hot", NULL);
		_exit(9);
	}
	wait_for(pid);
	for (uint64_t i = 0; i < PAGES; i++)
		if (page(i)[9] != i)
			bad("parent", i, page(i)[9], i);
}

/* -- mremap, munmap -------------------------------------------------------- */

static void check_moved(const uint64_t *at, unsigned round)
{
	for (uint64_t i = 0; i < PAGES; i++)
		if (at[i * WORDS] != i * 5 + 1)
			bad("moved", i, at[i * WORDS], i * 5 + 1);
	(void)round;
}

static void remaps(void)
{
	size_t length = (size_t)PAGES * PAGE;
	uint64_t *places[3], *at = map(length);

	for (unsigned i = 0; i < 3; i++)
		places[i] = map(length + 8 * PAGE);
	make_noise(at);
	for (uint64_t i = 0; i < PAGES; i++)
		at[i * WORDS] = i * 5 + 1;
	/* Up and down, and over what was there. */
	for (unsigned round = 0; round < 9; round++) {
		uint64_t *to = places[round * 2 % 3];

		memset(to, 0xee, 64 * PAGE);
		at = mremap(at, length, length, MREMAP_MAYMOVE | MREMAP_FIXED,
		            to);
		places[round * 2 % 3] = map(length);
		check_moved(at, round);
	}
	check_noise(at);
}

/* Memory that is given back and taken anew reads as zeroes. */
static void unmaps(void)
{
	for (unsigned round = 0; round < 40; round++) {
		size_t length = 8u << 20;
		uint64_t *at = map(length);

		for (size_t i = 0; i < length / PAGE; i++) {
			if (at[i * WORDS] || at[i * WORDS + 100])
				bad("fresh", i, at[i * WORDS], 0);
			at[i * WORDS] = at[i * WORDS + 100] = i + 1;
		}
		for (size_t i = 0; i < length / PAGE; i++)
			if (at[i * WORDS] != i + 1)
				bad("again", i, at[i * WORDS], i + 1);
		if (round % 4)
			munmap(at, length);
	}
}

/* System calls that touch pages which are away. */
static void syscalls(void)
{
	int pipes[2];

	if (pipe(pipes))
		exit(2);
	for (uint64_t i = 0; i < PAGES; i++)
		memset(page(i), (int)(i % 251), PAGE);
	for (uint64_t i = 0; i < PAGES; i++) {
		uint64_t to = (i * 7919) % PAGES;
		uint8_t first;

		if (write(pipes[1], page(i), PAGE) != PAGE ||
		    read(pipes[0], page(to), PAGE) != PAGE)
			bad("pipe", i, 0, PAGE);
		first = *(uint8_t *)page(i);
		if (to != i && *(uint8_t *)page(to) != first)
			bad("pipe", to, *(uint8_t *)page(to), first);
	}
}

/* -- cores ----------------------------------------------------------------- */

static cpu_set_t cores; /* that it may use */

static bool has_cores(void)
{
	cpu_set_t now;

	return sched_getaffinity(0, sizeof(now), &now) == 0 &&
	       CPU_EQUAL(&now, &cores);
}

static bool gets_cores(void)
{
	for (unsigned i = 0; i < 200 && !has_cores(); i++)
		usleep(10000);
	return has_cores();
}

static void *want_cores(void *arg)
{
	(void)arg;
	if (!gets_cores())
		bad("cores of a thread", 0, 0, 0);
	return NULL;
}

/* A thread that faults may be held on one core; what it begins meanwhile has
 * all of them again soon, and so has it when it faults no more. */
static void hold(void)
{
	pthread_t thread = 0;
	pid_t pid[2] = { 0 };
	uint32_t random = 1;

	for (uint64_t i = 0; i < PAGES; i++)
		page(i)[9] = i;
	for (unsigned i = 0; i < 400000; i++) {
		uint64_t k = next(&random) % PAGES;

		if (page(k)[9] != k)
			bad("hold", k, page(k)[9], k);
		if (thread || i % 64 || has_cores())
			continue;
		puts("held");
		fflush(stdout);
		pthread_create(&thread, NULL, want_cores, NULL);
		pid[0] = fork();
		if (pid[0] == 0)
			_exit(!gets_cores());
		pid[1] = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		if (pid[1] == 0)
			_exit(!gets_cores());
	}
	if (thread) {
		wait_for(pid[0]);
		wait_for(pid[1]);
		pthread_join(thread, NULL);
	}
	if (!gets_cores())
		bad("cores", 0, 0, 0);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {
		{ "threads", threads },   { "until", threads },
		{ "same", same },         { "one", one },
		{ "hot", hot },           { "forks", forks },
		{ "children", children }, { "remaps", remaps },
		{ "unmaps", unmaps },     { "syscalls", syscalls },
		{ "hold", hold },
	};

	if (argc == 3 && strcmp(argv[1], "until") == 0)
		until = argv[2];
	else if (argc == 3)
		checks = strtoul(argv[2], NULL, 10);
	noisy = getenv("FAR_NOISE") != NULL;
	sched_getaffinity(0, sizeof(cores), &cores);
	memory = map((size_t)PAGES * PAGE);
	make_noise(memory);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (argc < 2 || strcmp(argv[1], cases[i].name) != 0)
			continue;
		cases[i].run();
		if (cases[i].run != threads && cases[i].run != syscalls)
			check_noise(memory);
		return n_bad != 0;
	}
	fprintf(stderr,
	        "usage: far_hammer threads|until FILE|same|one|hot|forks|"
	        "children|remaps|unmaps|syscalls|hold [CHECKS]\n");
	return 2;
}
