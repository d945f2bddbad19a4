/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Load on a volume in this process, no network: the fast stack on this
 * thread, the slow stack on another, RAM drives below.
 *
 *     volume_load PROFILE DRIVES DEPTH read|write|touch ROUNDS [degraded]
 *
 * read and write are 4 KiB at random places of a volume that was written to
 * everywhere; touch is the first 4 KiB write to each chunk of a new volume, in
 * random order.  Prints a line per round: operations per second, and the CPU
 * time of one in nanoseconds, of both stacks.
 */
#include "base/base.h"
#include "core/reactor.h"
#include "drive/drive.h"
#include "volume/fast/fast.h"
#include "volume/slow/slow.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BLOCK 4096u
#define VOLUME_BYTES (UINT64_C(256) << 20)
#define DRIVE_SPEC "ram:2G"
#define DEPTH_MAX 256u
#define ROUND_NS NS_PER_S
#define WARM_ROUNDS 2u /* of touch: the drives' own memory comes from there */

enum where {
	EVERYWHERE, /* at random */
	CHUNKS,     /* once in each chunk, in random order */
	BLOCKS,     /* each block once, in order */
};

struct load;

struct slot {
	struct block_request request;
	struct iovec iov;
	struct load *load;
};

struct load {
	struct reactor *reactor;
	struct handoff handoff;
	struct fast *fast;
	struct block_device *volume;
	/* the slow stack and its thread */
	struct reactor *slow_reactor;
	struct slow *slow;
	pthread_t thread;
	enum raid_profile profile;
	/* the round */
	bool write;
	enum where where;
	unsigned depth;
	unsigned in_flight;
	uint64_t done;
	uint64_t limit; /* operations; UINT64_MAX: until the time is up */
	uint64_t started;
	uint64_t random;
	uint32_t *order; /* of the chunks to touch */
	struct slot slot[DEPTH_MAX];
};

static void die(const char *what, const struct err *e)
{
	fprintf(stderr, "volume_load: %s: %s\n", what, e ? e->text : "failed");
	exit(1);
}

/* -- waiting for the other thread ------------------------------------------ */

struct call {
	struct task task;
	struct load *load;
	const char *volume;
	bool done;
	struct err e;
};

static void call_done(void *arg, const struct err *e)
{
	struct call *c = arg;

	c->e = *e;
	__atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
}

static void flag_done(struct task *t)
{
	container_of(t, struct call, task)->done = true;
}

static void wait_for(struct load *l, struct call *c, const char *what)
{
	while (!__atomic_load_n(&c->done, __ATOMIC_ACQUIRE))
		reactor_poll(l->reactor);
	if (c->e.code)
		die(what, &c->e);
}

static void call_slow(struct load *l, struct call *c,
                      void (*run)(struct task *t), const char *what)
{
	c->load = l;
	c->task.run = run;
	task_post(l->slow_reactor, &c->task);
	wait_for(l, c, what);
}

/* -- set-up -----------------------------------------------------------------
 */

static void create_slow(struct task *t)
{
	struct call *c = container_of(t, struct call, task);
	struct load *l = c->load;

	if (slow_create(&(struct slow_opts){ .handoff = &l->handoff,
	                                     .reactor = l->slow_reactor,
	                                     .commit_interval_ms = 1000 },
	                &l->slow, &c->e))
		die("slow stack", &c->e);
	call_done(c, &c->e);
}

static void create_pool(struct task *t)
{
	struct call *c = container_of(t, struct call, task);
	uint16_t drives[HANDOFF_WIDTH];
	unsigned n = 0;

	while (n < HANDOFF_WIDTH && c->load->handoff.drives[n].present) {
		drives[n] = (uint16_t)n;
		n++;
	}
	slow_pool_create(c->load->slow, "pool", drives, n, call_done, c);
}

static void create_volume(struct task *t)
{
	struct call *c = container_of(t, struct call, task);

	slow_volume_create(c->load->slow, "pool", c->volume, VOLUME_BYTES,
	                   c->load->profile, call_done, c);
}

static void delete_volume(struct task *t)
{
	struct call *c = container_of(t, struct call, task);

	slow_volume_delete(c->load->slow, "pool", c->volume, call_done, c);
}

static void *slow_thread(void *arg)
{
	reactor_run(((struct load *)arg)->slow_reactor);
	return NULL;
}

static void open_drives(struct load *l, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct call opened = { .task.run = flag_done };
		struct block_device *dev;
		char name[16];

		if (drive_open(DRIVE_SPEC, &dev, &opened.e))
			die("drive", &opened.e);
		snprintf(name, sizeof(name), "d%u", i);
		fast_drive_open(l->fast, (uint16_t)i, dev, name, &opened.task);
		wait_for(l, &opened, "drive");
	}
}

static void set_up(struct load *l, unsigned n_drives)
{
	const struct reactor_opts opts = { .name = "slow", .spin_max_us = 100 };
	struct call attached = { .task.run = flag_done };
	struct call slow = { 0 }, pool = { 0 };
	struct err e = { 0 };

	if (reactor_create(&(struct reactor_opts){ .name = "fast" },
	                   &l->reactor, &e) ||
	    reactor_create(&opts, &l->slow_reactor, &e) ||
	    handoff_create(1, 1 << 24, &l->handoff, &e))
		die("set-up", &e);
	reactor_bind(l->reactor);
	if (fast_create(&(struct fast_opts){ .handoff = &l->handoff,
	                                     .reactors = &l->reactor,
	                                     .n_reactors = 1 },
	                &l->fast, &e))
		die("fast stack", &e);
	open_drives(l, n_drives);
	fast_slow_attach(l->fast, &attached.task);
	wait_for(l, &attached, "attach");
	pthread_create(&l->thread, NULL, slow_thread, l);
	call_slow(l, &slow, create_slow, "slow stack");
	while (__atomic_load_n(&l->handoff.header->slow_state,
	                       __ATOMIC_ACQUIRE) != HANDOFF_SERVING)
		reactor_poll(l->reactor);
	call_slow(l, &pool, create_pool, "pool");
}

static void open_volume(struct load *l, const char *name)
{
	struct call made = { .volume = name };
	char full[80];
	struct err e = { 0 };

	call_slow(l, &made, create_volume, "volume");
	snprintf(full, sizeof(full), "pool/%s", name);
	if (fast_volume_open(l->fast, full, &l->volume, &e))
		die("volume", &e);
}

static void drop_volume(struct load *l, const char *name)
{
	struct call gone = { .volume = name };

	block_close(l->volume);
	call_slow(l, &gone, delete_volume, "delete");
}

/* -- load -------------------------------------------------------------------
 */

static uint64_t next_random(struct load *l)
{
	l->random ^= l->random << 13;
	l->random ^= l->random >> 7;
	l->random ^= l->random << 17;
	return l->random;
}

static void submit(struct slot *s);

static void request_done(struct block_request *q, int err)
{
	struct slot *s = container_of(q, struct slot, request);
	struct load *l = s->load;

	if (err)
		die("I/O", NULL);
	l->in_flight--;
	l->done++;
	if (l->started < l->limit)
		submit(s);
}

static uint64_t next_offset(struct load *l)
{
	switch (l->where) {
	case CHUNKS:
		return (uint64_t)l->order[l->started] << CHUNK_SHIFT;
	case BLOCKS:
		return l->started * BLOCK;
	case EVERYWHERE:
		break;
	}
	return next_random(l) % (VOLUME_BYTES / BLOCK) * BLOCK;
}

static void submit(struct slot *s)
{
	struct load *l = s->load;

	s->request = (struct block_request){
		.op = l->write ? BLOCK_WRITE : BLOCK_READ,
		.offset = next_offset(l),
		.length = BLOCK,
		.iov = &s->iov,
		.iov_count = 1,
		.done = request_done,
	};
	l->started++;
	l->in_flight++;
	block_submit(l->volume, &s->request);
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

struct result {
	double rate; /* operations per second */
	double cpu;  /* CPU nanoseconds per operation */
};

/* For a second, or until `limit` operations are done. */
static struct result run_round(struct load *l, uint64_t limit)
{
	uint64_t cpu = cpu_ns();
	uint64_t began = clock_now_ns(), now;

	l->done = l->started = 0;
	l->limit = limit;
	for (unsigned i = 0; i < l->depth; i++)
		submit(&l->slot[i]);
	do {
		reactor_poll(l->reactor);
		now = clock_now_ns();
		if (now - began > ROUND_NS && limit == UINT64_MAX)
			l->limit = 0;
	} while (l->in_flight > 0);
	return (struct result){
		(double)l->done * (double)NS_PER_S / (double)(now - began),
		(double)(cpu_ns() - cpu) / (double)l->done,
	};
}

static void print(struct result r)
{
	printf("%.0f %.1f\n", r.rate, r.cpu);
}

/* Map every chunk, and write every block: none of the drives' memory comes
 * from the kernel later, in the rounds that are measured. */
static void write_all(struct load *l)
{
	unsigned depth = l->depth;

	l->write = true;
	l->depth = 32;
	l->where = CHUNKS;
	run_round(l, VOLUME_BYTES / CHUNK_BYTES);
	l->where = BLOCKS;
	run_round(l, VOLUME_BYTES / BLOCK);
	l->where = EVERYWHERE;
	l->depth = depth;
}

static void shuffle(struct load *l)
{
	uint32_t n = (uint32_t)(VOLUME_BYTES / CHUNK_BYTES);

	l->order = calloc(n, sizeof(*l->order));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t j = (uint32_t)(next_random(l) % (i + 1));

		l->order[i] = l->order[j];
		l->order[j] = i;
	}
}

static void touch_rounds(struct load *l, unsigned rounds)
{
	l->write = true;
	l->where = CHUNKS;
	for (unsigned i = 0; i < WARM_ROUNDS + rounds; i++) {
		struct result r;
		char name[16];

		snprintf(name, sizeof(name), "v%u", i);
		open_volume(l, name);
		r = run_round(l, VOLUME_BYTES / CHUNK_BYTES);
		if (i >= WARM_ROUNDS)
			print(r);
		drop_volume(l, name);
	}
}

int main(int argc, char **argv)
{
	static struct load l = { .random = 88172645463325252 };
	unsigned drives, rounds;
	uint8_t *buffers;

	if (argc < 6 || geometry_profile_parse(argv[1], &l.profile)) {
		fprintf(stderr, "usage: volume_load PROFILE DRIVES DEPTH "
		                "read|write|touch ROUNDS [degraded]\n");
		return 2;
	}
	drives = (unsigned)atoi(argv[2]);
	l.depth = (unsigned)atoi(argv[3]);
	rounds = (unsigned)atoi(argv[5]);
	if (!drives || drives > HANDOFF_WIDTH || !l.depth ||
	    l.depth > DEPTH_MAX)
		return 2;
	buffers = aligned_alloc(BLOCK, (size_t)DEPTH_MAX * BLOCK);
	memset(buffers, 0x5a, (size_t)DEPTH_MAX * BLOCK);
	for (unsigned i = 0; i < DEPTH_MAX; i++) {
		l.slot[i].load = &l;
		l.slot[i].iov = (struct iovec){ buffers + i * BLOCK, BLOCK };
	}
	set_up(&l, drives);
	shuffle(&l);
	if (!strcmp(argv[4], "touch")) {
		touch_rounds(&l, rounds);
	} else {
		open_volume(&l, "v");
		write_all(&l);
		if (argc > 6)
			l.handoff.drives[0].role = HANDOFF_FAILED;
		l.write = !strcmp(argv[4], "write");
		for (unsigned i = 0; i < rounds; i++)
			print(run_round(&l, UINT64_MAX));
	}
	fflush(stdout);
	_exit(0); /* the slow stack's thread has nothing to save */
}
