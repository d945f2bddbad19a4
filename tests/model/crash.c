/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Power cuts.  Random work on volumes of every profile; at random moments the
 * power fails in many ways; each time the next life must show, for every
 * sector, what a flush has covered or something written since, and nothing
 * else.
 *
 *     crash [SEED [LIVES [STATES]]]
 *
 * Both stacks, metadata, log and checkpoints are the real ones; only the
 * drives are simulated (block/fault.h).  A failing seed is printed as the
 * command that repeats it.
 *
 * shows V20, V9, V22
 */
#include "world.h"

#include "base/base.h"
#include "block/fault.h"

#include <stdio.h>
#include <string.h>

#define DRIVE_BYTES (UINT64_C(16) << 20)
#define DRIVES 5u
#define VOLUMES 3u
#define VOLUME_BYTES (UINT64_C(1) << 20)
#define SECTOR BLOCK_SECTOR
#define SECTORS (VOLUME_BYTES / SECTOR)
#define HISTORY 6u
#define STEPS 60u /* of work in a life */
#define CUTS 8u   /* moments of a life at which the power fails */
#define BURST 6u  /* requests in flight at half of them */
#define BURST_SECTORS 256u

static const enum raid_profile profiles[VOLUMES] = { RAID0, RAID1, RAID5 };

/*
 * What a sector may show after a power cut: any of the stamps in `seen`, the
 * last of which is what it shows now.  Stamp 0 is zeroes.
 */
struct sector {
	uint64_t seen[HISTORY];
	unsigned n;
	bool discarded; /* a hint: the stamp before it stays possible */
};

struct stamp { /* what a sector is filled with */
	uint64_t number;
	uint32_t volume;
	uint32_t sector;
};

static struct sector model[VOLUMES][SECTORS];
static struct world world;
static uint64_t seed, next_stamp, rng, states;
static uint8_t buffer[VOLUME_BYTES];

static uint64_t rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static void fail(const char *what, unsigned volume, uint64_t at, uint64_t got)
{
	printf("not ok - %s: volume %u (%s) sector %ju shows %ju\n", what,
	       volume, geometry_profile_name(profiles[volume]), (uintmax_t)at,
	       (uintmax_t)got);
	printf("# repeat with: crash %ju 1\n", (uintmax_t)seed);
	fflush(stdout);
	abort();
}

static void must(int err, const char *what)
{
	if (!err)
		return;
	printf("not ok - %s: error %d\n# repeat with: crash %ju 1\n", what, err,
	       (uintmax_t)seed);
	fflush(stdout);
	abort();
}

/* -- the model ------------------------------------------------------------- */

static void fill(uint8_t *out, unsigned volume, uint64_t sector, uint64_t n,
                 uint64_t number)
{
	for (uint64_t i = 0; i < n; i++) {
		const struct stamp stamp = { number, volume,
			                     (uint32_t)(sector + i) };

		for (unsigned k = 0; k < SECTOR / sizeof(stamp); k++)
			memcpy(out + i * SECTOR + k * sizeof(stamp), &stamp,
			       sizeof(stamp));
	}
}

/* The stamp of what was read; fails on what is no whole stamp of this place:
 * a torn sector, another volume's data, somebody's old chunk. */
static uint64_t read_stamp(const uint8_t *p, unsigned volume, uint64_t sector)
{
	struct stamp first, other;

	memcpy(&first, p, sizeof(first));
	for (unsigned k = 1; k < SECTOR / sizeof(first); k++) {
		memcpy(&other, p + k * sizeof(first), sizeof(other));
		if (memcmp(&first, &other, sizeof(first)) != 0)
			fail("torn", volume, sector, other.number);
	}
	if (first.number == 0 && first.volume == 0 && first.sector == 0)
		return 0;
	if (first.volume != volume || first.sector != sector)
		fail("another's data", volume, sector, first.number);
	return first.number;
}

static void note(unsigned volume, uint64_t sector, uint64_t n, uint64_t number,
                 bool discard)
{
	for (uint64_t i = sector; i < sector + n; i++) {
		struct sector *s = &model[volume][i];

		if (s->n == HISTORY) { /* forget one in the middle */
			s->n--;
			memmove(&s->seen[1], &s->seen[2],
			        (HISTORY - 2) * sizeof(s->seen[0]));
		}
		s->seen[s->n++] = number;
		s->discarded = discard;
	}
}

static void flushed(unsigned volume)
{
	for (uint64_t i = 0; i < SECTORS; i++) {
		struct sector *s = &model[volume][i];

		if (s->discarded)
			continue;
		s->seen[0] = s->seen[s->n - 1];
		s->n = 1;
	}
}

static bool possible(const struct sector *s, uint64_t number)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->seen[i] == number)
			return true;
	return false;
}

/* -- work ------------------------------------------------------------------ */

/* History is short: flush before it would have to forget. */
static bool history_full(unsigned volume, uint64_t sector, uint64_t n)
{
	for (uint64_t i = sector; i < sector + n; i++)
		if (model[volume][i].n >= HISTORY - 1)
			return true;
	return false;
}

static void flush(struct world *w, unsigned v)
{
	must(world_io(w, v, BLOCK_FLUSH, 0, 0, 0, NULL), "flush");
	flushed(v);
}

static void random_range(uint64_t *sector, uint64_t *n)
{
	uint64_t r = rnd();

	switch (r % 4) {
	case 0: /* whole chunks */
		*n = CHUNK_BYTES / SECTOR * (1 + (r >> 8) % 2);
		*sector = (r >> 16) % (SECTORS / 128) * 128;
		break;
	case 1: /* anything */
		*n = 1 + (r >> 8) % 200;
		*sector = (r >> 16) % SECTORS;
		break;
	default: /* a 4 KiB block */
		*n = 8;
		*sector = (r >> 16) % (SECTORS / 8) * 8;
	}
	if (*n > SECTORS - *sector)
		*n = SECTORS - *sector;
}

static void write_some(struct world *w, unsigned v)
{
	uint64_t sector, n, number = ++next_stamp;
	unsigned flags = rnd() % 16 ? 0 : BLOCK_FUA;

	random_range(&sector, &n);
	if (history_full(v, sector, n))
		flush(w, v);
	fill(buffer, v, sector, n, number);
	must(world_io(w, v, BLOCK_WRITE, flags, sector * SECTOR, n * SECTOR,
	              buffer),
	     "write");
	note(v, sector, n, number, false);
	if (!flags)
		return;
	for (uint64_t i = sector; i < sector + n; i++) {
		model[v][i].seen[0] = number;
		model[v][i].n = 1;
	}
}

static void zero_some(struct world *w, unsigned v, enum block_op op)
{
	unsigned flags =
		op == BLOCK_WRITE_ZEROES && rnd() % 2 ? BLOCK_NO_UNMAP : 0;
	uint64_t sector, n;

	random_range(&sector, &n);
	if (history_full(v, sector, n))
		flush(w, v);
	must(world_io(w, v, op, flags, sector * SECTOR, n * SECTOR, NULL),
	     "zero");
	note(v, sector, n, 0, op == BLOCK_DISCARD);
}

static void step(struct world *w)
{
	unsigned v = (unsigned)(rnd() % VOLUMES);
	unsigned what = (unsigned)(rnd() % 32);

	if (what < 22)
		write_some(w, v);
	else if (what < 25)
		zero_some(w, v, BLOCK_WRITE_ZEROES);
	else if (what < 27)
		zero_some(w, v, BLOCK_DISCARD);
	else if (what < 31)
		flush(w, v);
	else
		world_replace_slow(w);
}

/* -- requests in flight ------------------------------------------------------
 */

static struct flight {
	struct block_request request;
	struct iovec iov;
	unsigned volume;
	uint64_t sector, n;
	bool done;
	uint8_t bytes[BURST_SECTORS * SECTOR];
} flight[BURST];

static void landed(struct block_request *q, int err)
{
	must(err, "a request in flight");
	container_of(q, struct flight, request)->done = true;
}

static bool clear_of(const struct flight *f, unsigned others)
{
	for (unsigned i = 0; i < others; i++)
		if (flight[i].volume == f->volume &&
		    flight[i].sector < f->sector + f->n &&
		    f->sector < flight[i].sector + flight[i].n)
			return false;
	return true;
}

static void take_off(struct world *w, unsigned i)
{
	static const enum block_op ops[] = {
		BLOCK_WRITE,
		BLOCK_WRITE,
		BLOCK_WRITE_ZEROES,
		BLOCK_FLUSH,
	};
	struct flight *f = &flight[i];
	enum block_op op = ops[rnd() % ARRAY_LEN(ops)];
	uint64_t number = op == BLOCK_WRITE ? ++next_stamp : 0;

	do {
		f->volume = (unsigned)(rnd() % VOLUMES);
		random_range(&f->sector, &f->n);
		if (op == BLOCK_FLUSH)
			f->n = 0;
	} while (!clear_of(f, i) || history_full(f->volume, f->sector, f->n));
	f->iov = (struct iovec){ f->bytes, f->n * SECTOR };
	f->done = false;
	f->request = (struct block_request){ .op = op,
		                             .length = f->n * SECTOR,
		                             .done = landed };
	if (op != BLOCK_FLUSH) {
		f->request.offset = f->sector * SECTOR;
		note(f->volume, f->sector, f->n, number, false);
	}
	if (op == BLOCK_WRITE) {
		fill(f->bytes, f->volume, f->sector, f->n, number);
		f->request.iov = &f->iov;
		f->request.iov_count = 1;
	}
	block_submit(w->volume[f->volume], &f->request);
}

static void land(struct world *w)
{
	for (unsigned i = 0; i < BURST; i++)
		while (!flight[i].done)
			world_poll(w);
}

/* -- after the cut ----------------------------------------------------------
 */

static void open_all(struct world *w)
{
	char name[8];

	for (unsigned v = 0; v < VOLUMES; v++) {
		snprintf(name, sizeof(name), "v%u", v);
		must(world_open(w, v, name), "open after recovery");
	}
}

/* @param settle  make what was found the only possibility, for a life that
 *                goes on */
static void compare(struct world *w, bool settle)
{
	for (unsigned v = 0; v < VOLUMES; v++) {
		must(world_io(w, v, BLOCK_READ, 0, 0, VOLUME_BYTES, buffer),
		     "read after recovery");
		for (uint64_t i = 0; i < SECTORS; i++) {
			struct sector *s = &model[v][i];
			uint64_t got = read_stamp(buffer + i * SECTOR, v, i);

			if (!possible(s, got))
				fail(got ? "stale" : "lost", v, i, got);
			if (!settle)
				continue;
			*s = (struct sector){ .seen = { got }, .n = 1 };
		}
	}
}

/* Space is neither lost nor counted twice. */
static void count_space(struct world *w)
{
	uint64_t mapped = 0, said = 0;

	for (unsigned i = 0; i < HANDOFF_VOLUMES; i++) {
		const struct handoff_volume *v = &w->handoff.volumes[i];

		if (v->state != HANDOFF_VOLUME_ACTIVE)
			continue;
		said += v->allocated;
		for (uint64_t c = 0; c << CHUNK_SHIFT < v->size; c++)
			mapped += handoff_entry(&w->handoff,
			                        v->table_base + c) != 0;
	}
	if (mapped != said)
		fail("leaked chunks", 0, mapped, said);
}

static void revive(struct world *w, struct block_device *const *dead,
                   struct block_device **alive, uint64_t how)
{
	for (unsigned i = 0; i < DRIVES; i++) {
		alive[i] = fault_crash(dead[i], how * DRIVES + i + 1);
		if (!alive[i])
			must(-1, "memory for a crash state");
	}
	world_start(w, alive, DRIVES);
	open_all(w);
}

static void cut_power(struct block_device *const *drives, unsigned n)
{
	struct block_device *alive[DRIVES];
	struct world after;

	for (unsigned i = 0; i < n; i++) {
		revive(&after, drives, alive, rnd());
		compare(&after, false);
		count_space(&after);
		world_end(&after);
		states++;
	}
	reactor_bind(world.reactor);
}

/* A drive with a past: what was on it must never show. */
static struct block_device *new_drive(struct reactor *r)
{
	static uint8_t past[1 << 20];
	struct block_device *dev = fault_create(DRIVE_BYTES, rnd());
	struct flight *f = &flight[0];

	must(dev ? 0 : -1, "memory for a drive");
	memset(past, 0xee, sizeof(past));
	f->iov = (struct iovec){ past, sizeof(past) };
	for (uint64_t at = 0; at < DRIVE_BYTES; at += sizeof(past)) {
		f->done = false;
		f->request = (struct block_request){ .op = BLOCK_WRITE,
			                             .flags = BLOCK_FUA,
			                             .offset = at,
			                             .length = sizeof(past),
			                             .iov = &f->iov,
			                             .iov_count = 1,
			                             .done = landed };
		block_submit(dev, &f->request);
		while (!f->done)
			reactor_poll(r);
	}
	fault_set_delay(dev, (unsigned)(rnd() % 4));
	return dev;
}

static void poll_some(unsigned max)
{
	for (uint64_t n = rnd() % max; n > 0; n--)
		world_poll(&world);
}

/* Requests of which nobody was told are old or new. */
static void cut_in_flight(struct block_device *const *drives, unsigned n)
{
	for (unsigned v = 0; v < VOLUMES; v++)
		flush(&world, v); /* room in the histories */
	for (unsigned i = 0; i < BURST; i++) {
		take_off(&world, i);
		poll_some(8);
	}
	poll_some(60);
	cut_power(drives, n);
	land(&world);
}

static void first_life(struct block_device **drives)
{
	struct reactor *r;
	char name[8];

	must(reactor_create(&(struct reactor_opts){ .name = "past" }, &r, NULL),
	     "a reactor");
	reactor_bind(r);
	for (unsigned i = 0; i < DRIVES; i++)
		drives[i] = new_drive(r);
	reactor_destroy(r);
	world_start(&world, drives, DRIVES);
	must(world_create_pool(&world, "pool"), "create the pool");
	for (unsigned v = 0; v < VOLUMES; v++) {
		snprintf(name, sizeof(name), "v%u", v);
		must(world_create_volume(&world, name, VOLUME_BYTES,
		                         profiles[v]),
		     "create a volume");
	}
	open_all(&world);
	for (unsigned v = 0; v < VOLUMES; v++)
		for (uint64_t i = 0; i < SECTORS; i++)
			model[v][i] = (struct sector){ .n = 1 };
}

/* Two lives in a row on the same drives: the second begins with a recovery. */
static void run(unsigned states_per_cut)
{
	struct block_device *drives[DRIVES], *next[DRIVES];
	struct world second;

	rng = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	next_stamp = 0;
	first_life(drives);
	for (unsigned life = 0; life < 2; life++) {
		for (unsigned cut = 0; cut < CUTS; cut++) {
			for (unsigned i = 0; i < STEPS / CUTS; i++)
				step(&world);
			if (cut % 2)
				cut_in_flight(drives, states_per_cut);
			else
				cut_power(drives, states_per_cut);
		}
		if (life == 1)
			break;
		revive(&second, drives, next, rnd());
		reactor_bind(world.reactor);
		world_end(&world);
		world = second;
		memcpy(drives, next, sizeof(drives));
		reactor_bind(world.reactor);
		compare(&world, true);
	}
	world_end(&world);
}

int main(int argc, char **argv)
{
	uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	uint64_t lives = argc > 2 ? strtoull(argv[2], NULL, 0) : 105;
	unsigned per_cut = argc > 3 ? (unsigned)atoi(argv[3]) : 12;

	printf("1..1\n");
	for (seed = first; seed < first + lives; seed++)
		run(per_cut);
	printf("# %ju crash states\nok 1 - every crash state is one that a "
	       "flush allows\n",
	       (uintmax_t)states);
	return 0;
}
