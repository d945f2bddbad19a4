/* SPDX-License-Identifier: BSD-2-Clause */
#include "window_load.h"

#include "base/base.h"
#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define SAMPLES_MAX (UINT32_C(1) << 23)
#define WARM_PART 8u /* the first eighth of the time is not counted */

static const struct load_way *way;
static struct load_opts opts;
static unsigned depth;
static uint32_t size;
static bool with_bulk;
static bool counting, over;
static uint64_t warm_until, end, began, cpu_began, next_offset, n_done;
static uint64_t posted[LOAD_SLOTS];
static uint32_t *samples; /* nanoseconds */
static uint32_t n_samples;

void load_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	_exit(1);
}

void load_serving(unsigned port)
{
	printf("port %u\n", port);
	fflush(stdout);
}

void *load_memory(size_t length)
{
	void *p = mmap(NULL, length, PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		load_die("no memory");
	return p;
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Small reads walk over the region, so that no cache is all of it. */
static void post(unsigned slot)
{
	uint64_t offset = next_offset;

	posted[slot] = clock_now_ns();
	if (slot == LOAD_DEPTH_MAX) {
		way->post(slot, 0, LOAD_BULK);
		return;
	}
	next_offset += size;
	if (next_offset + size > LOAD_REGION)
		next_offset = 0;
	way->post(slot, offset, size);
}

void load_done(unsigned slot)
{
	uint64_t now = clock_now_ns();

	if (slot < LOAD_DEPTH_MAX && counting) {
		if (n_samples < SAMPLES_MAX)
			samples[n_samples++] = (uint32_t)(now - posted[slot]);
		n_done++;
	}
	if (!counting && now >= warm_until) {
		counting = true;
		began = now;
		cpu_began = cpu_ns();
	}
	over = now >= end && n_samples > 0;
	if (!over)
		post(slot);
}

bool load_over(void)
{
	return over;
}

static int by_value(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void report(void)
{
	uint64_t took = clock_now_ns() - began, cpu = cpu_ns() - cpu_began;

	if (!counting || !n_samples)
		load_die("nothing was read in time");
	qsort(samples, n_samples, sizeof(*samples), by_value);
	printf("{\"ops\": %ju, \"seconds\": %.6f, \"p50_ns\": %u, "
	       "\"p99_ns\": %u, \"max_ns\": %u, \"cpu_ns_op\": %.1f}\n",
	       (uintmax_t)n_done, (double)took / 1e9, samples[n_samples / 2],
	       samples[(uint64_t)n_samples * 99 / 100], samples[n_samples - 1],
	       (double)cpu / (double)n_done);
	fflush(stdout);
}

static void run_reads(double seconds)
{
	static void *buffer[LOAD_SLOTS];
	static uint32_t length[LOAD_SLOTS];
	uint64_t now;

	for (unsigned i = 0; i < LOAD_SLOTS; i++) {
		length[i] = i < depth ? size : 0;
		if (i == LOAD_DEPTH_MAX && with_bulk)
			length[i] = LOAD_BULK;
		buffer[i] = length[i] ? load_memory(length[i]) : NULL;
	}
	samples = load_memory(SAMPLES_MAX * sizeof(*samples));
	way->connect(&opts, buffer, length);
	now = clock_now_ns();
	warm_until = now + (uint64_t)(seconds * 1e9) / WARM_PART;
	end = now + (uint64_t)(seconds * 1e9);
	if (with_bulk)
		post(LOAD_DEPTH_MAX);
	for (unsigned i = 0; i < depth; i++)
		post(i);
	way->run();
	report();
}

static void parse_hosts(char *text)
{
	char *save = NULL;

	for (char *host = strtok_r(text, ",", &save);
	     host && opts.n_hosts < LOAD_HOSTS_MAX;
	     host = strtok_r(NULL, ",", &save))
		opts.host[opts.n_hosts++] = host;
}

int load_main(int argc, char **argv, const struct load_way *the_way)
{
	uint64_t bytes = 0;

	way = the_way;
	if (argc > 2)
		parse_hosts(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "serve")) {
		opts.block = !strcmp(argv[3], "block");
		way->serve(&opts);
		return 1;
	}
	if (argc < 8 || strcmp(argv[1], "read") != 0)
		load_die("usage: see bench/window_load.h");
	opts.port = argv[3];
	opts.block = !strcmp(argv[4], "block");
	depth = (unsigned)atoi(argv[5]);
	with_bulk = argc > 8 && !strcmp(argv[8], "hol");
	if (depth == 0 || depth > LOAD_DEPTH_MAX ||
	    base_parse_size(argv[6], &bytes) || !bytes || bytes > LOAD_REGION)
		load_die("a depth of 1 to %u and a size up to 64M are needed",
		         LOAD_DEPTH_MAX);
	size = (uint32_t)bytes;
	run_reads(atof(argv[7]));
	_exit(0); /* reads may still be under way */
}
