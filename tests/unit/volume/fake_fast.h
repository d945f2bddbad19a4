/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The slow stack alone: this plays the fast stack for it.  Drives are arrays;
 * what is not flushed may be lost, torn or reordered by a crash.  Metadata I/O
 * ends in a random order, one by one, so that a test can stop between any two.
 */
#ifndef TESTS_UNIT_VOLUME_FAKE_FAST_H
#define TESTS_UNIT_VOLUME_FAKE_FAST_H

#include "base/base.h"
#include "block/block.h"
#include "core/log.h"
#include "core/reactor.h"
#include "volume/slow/slow.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define FAKE_DRIVES 8u
#define FAKE_TABLE (UINT64_C(1) << 16)
#define FAKE_MIB (UINT64_C(1) << 20)

struct fake_write {
	uint64_t offset, length;
	uint8_t *data;
};

struct fake_drive {
	uint8_t *now;     /* what reads see */
	uint8_t *durable; /* what a power cut leaves at least */
	uint64_t size;
	struct fake_write *write; /* not flushed */
	unsigned n_write, room;
	bool broken; /* writes and flushes fail */
	uint64_t writes;
};

struct fake {
	struct handoff h;
	struct reactor *reactor;
	struct slow *slow;
	struct clock clock;
	uint64_t now_ns;
	uint64_t seed;
	uint64_t log_bytes;
	unsigned lanes;
	unsigned commit_interval_ms;
	struct fake_drive drive[FAKE_DRIVES];
	unsigned n_drives;
	/* META_IO under way */
	struct handoff_reply io[HANDOFF_META_DEPTH + 1];
	unsigned n_io;
	/* the last answers to hand-offs */
	void (*answer)(struct fake *f, unsigned lane,
	               const struct handoff_reply *r);
	struct handoff_reply last;
	unsigned answers;
	void *arg;
	/* control calls */
	struct err err;
	bool done;
	uint64_t next_tag;
};

static struct fake *fake_current; /* for slow_opts' functions */

static inline uint64_t fake_random(struct fake *f)
{
	f->seed = f->seed * UINT64_C(6364136223846793005) +
	          UINT64_C(1442695040888963407);
	return f->seed >> 33;
}

static inline uint64_t fake_clock(const struct clock *c)
{
	return container_of(c, const struct fake, clock)->now_ns;
}

static inline uint64_t fake_now(void)
{
	return fake_current->now_ns;
}

static inline void fake_fill(void *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)out)[i] =
			(uint8_t)(1 + fake_random(fake_current) % 255);
}

/* -- drives --------------------------------------------------------------- */

static inline uint8_t *fake_bytes(uint64_t n)
{
	uint8_t *p = mmap(NULL, n, PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static inline void fake_write(struct fake_drive *d, uint64_t offset,
                              const void *data, uint64_t length, bool fua)
{
	memcpy(d->now + offset, data, length);
	d->writes++;
	if (fua) {
		memcpy(d->durable + offset, data, length);
		return;
	}
	if (d->n_write == d->room) {
		d->room = d->room * 2 + 64;
		d->write = realloc(d->write, d->room * sizeof(*d->write));
		assert_non_null(d->write);
	}
	d->write[d->n_write] =
		(struct fake_write){ offset, length, malloc(length) };
	assert_non_null(d->write[d->n_write].data);
	memcpy(d->write[d->n_write++].data, data, length);
}

static inline void fake_flush(struct fake_drive *d)
{
	for (unsigned i = 0; i < d->n_write; i++) {
		memcpy(d->durable + d->write[i].offset, d->write[i].data,
		       d->write[i].length);
		free(d->write[i].data);
	}
	d->n_write = 0;
}

/* Power cut: of what was not flushed, any sectors survive. */
static inline void fake_cut(struct fake *f, struct fake_drive *d)
{
	unsigned mode = (unsigned)fake_random(f) % 4;

	for (unsigned i = 0; i < d->n_write; i++) {
		struct fake_write *w = &d->write[i];

		for (uint64_t at = 0; at < w->length; at += 512) {
			bool kept = mode == 0   ? false
			            : mode == 1 ? true
			            : mode == 2 ? fake_random(f) % 2
			                        : fake_random(f) % 16 != 0;
			uint64_t n =
				w->length - at < 512 ? w->length - at : 512;

			if (kept)
				memcpy(d->durable + w->offset + at,
				       w->data + at, n);
		}
	}
	for (unsigned i = 0; i < d->n_write; i++) {
		memcpy(d->now + d->write[i].offset,
		       d->durable + d->write[i].offset, d->write[i].length);
		free(d->write[i].data);
	}
	d->n_write = 0;
}

/* -- metadata I/O --------------------------------------------------------- */

static inline unsigned fake_io(struct fake *f, const struct handoff_reply *r)
{
	struct fake_drive *d = &f->drive[r->drive];
	uint8_t *buffer = f->h.arena + r->arena;

	if (r->drive >= f->n_drives || !f->h.drives[r->drive].present)
		return HANDOFF_GONE;
	if (r->opcode != BLOCK_FLUSH)
		assert_true(r->offset + r->length <= d->size &&
		            r->offset % 512 == 0 && r->length % 512 == 0 &&
		            r->length && r->length <= HANDOFF_META_BYTES &&
		            r->arena + r->length <= HANDOFF_ARENA_BYTES);
	if (d->broken && r->opcode != BLOCK_READ)
		return HANDOFF_IO_ERROR;
	if (r->opcode == BLOCK_READ)
		memcpy(buffer, d->now + r->offset, r->length);
	else if (r->opcode == BLOCK_WRITE)
		fake_write(d, r->offset, buffer, r->length,
		           r->flags & BLOCK_FUA);
	else
		fake_flush(d);
	return HANDOFF_OK;
}

static inline void fake_end_io(struct fake *f, unsigned i)
{
	struct handoff_request done = { .kind = HANDOFF_META_DONE,
		                        .pipeline = HANDOFF_DRIVE };

	done.tag = f->io[i].tag;
	done.reason = (uint8_t)fake_io(f, &f->io[i]);
	f->io[i] = f->io[--f->n_io];
	assert_true(handoff_push_request(&f->h, 0, &done));
}

static inline bool fake_pull(struct fake *f)
{
	struct handoff_reply r;
	bool any = false;

	for (unsigned lane = 0; lane < f->h.n_lanes; lane++) {
		while (handoff_pop_reply(&f->h, lane, &r)) {
			any = true;
			if (r.kind == HANDOFF_META_IO) {
				assert_int_equal(lane, 0);
				assert_true(f->n_io < HANDOFF_META_DEPTH);
				f->io[f->n_io++] = r;
				continue;
			}
			f->last = r;
			f->answers++;
			if (f->answer)
				f->answer(f, lane, &r);
		}
	}
	return any;
}

/* One small step; @return false if nothing moves any more. */
static inline bool fake_step(struct fake *f)
{
	bool any;

	fake_current = f;
	any = reactor_poll(f->reactor);
	any |= fake_pull(f);
	while (f->n_io) {
		fake_end_io(f, (unsigned)(fake_random(f) % f->n_io));
		any = true;
		if (fake_random(f) % 4 == 0)
			break;
	}
	return any;
}

static inline void fake_run(struct fake *f)
{
	for (unsigned idle = 0; idle < 4;)
		idle = fake_step(f) ? 0 : idle + 1;
}

/* Let time pass. */
static inline void fake_sleep(struct fake *f, uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i++) {
		f->now_ns += NS_PER_MS;
		fake_run(f);
	}
}

/* -- life ----------------------------------------------------------------- */

static inline void fake_start(struct fake *f)
{
	struct reactor_opts ropts = { .name = "slow", .clock = &f->clock };
	struct slow_opts opts = {
		.handoff = &f->h,
		.now_ns = fake_now,
		.random = fake_fill,
		.commit_interval_ms = f->commit_interval_ms,
		.log_bytes = f->log_bytes,
	};
	struct err e = { 0 };

	fake_current = f;
	f->clock.now_ns = fake_clock;
	f->h.header->generation++;
	if (reactor_create(&ropts, &f->reactor, &e))
		fail_msg("%s", e.text);
	opts.reactor = f->reactor;
	if (slow_create(&opts, &f->slow, &e))
		fail_msg("%s", e.text);
}

static inline void fake_attach(struct fake *f)
{
	struct err e = { 0 };

	if (handoff_create(f->lanes, FAKE_TABLE, &f->h, &e))
		fail_msg("%s", e.text);
	for (unsigned i = 0; i < f->n_drives; i++) {
		struct handoff_drive *d = &f->h.drives[i];

		d->size = f->drive[i].size;
		d->grain = 512;
		snprintf(d->name, sizeof(d->name), "d%u", i);
		d->present = 1;
	}
}

static inline struct fake *fake_new(unsigned n_drives, uint64_t bytes,
                                    uint64_t seed)
{
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	log_set_level(LOG_LEVEL_ERROR);
	f->seed = seed * 2 + 1;
	f->now_ns = NS_PER_S;
	f->lanes = 2;
	f->n_drives = n_drives;
	f->log_bytes = FAKE_MIB;
	for (unsigned i = 0; i < n_drives; i++) {
		f->drive[i].size = bytes;
		f->drive[i].now = fake_bytes(bytes);
		f->drive[i].durable = fake_bytes(bytes);
	}
	fake_attach(f);
	fake_start(f);
	fake_run(f);
	return f;
}

static inline void fake_stop(struct fake *f)
{
	slow_destroy(f->slow);
	reactor_destroy(f->reactor);
	f->slow = NULL;
	f->reactor = NULL;
}

static inline void fake_free(struct fake *f)
{
	fake_stop(f);
	handoff_detach(&f->h);
	for (unsigned i = 0; i < f->n_drives; i++) {
		fake_flush(&f->drive[i]);
		free(f->drive[i].write);
		munmap(f->drive[i].now, f->drive[i].size);
		munmap(f->drive[i].durable, f->drive[i].size);
	}
	free(f);
}

/* The slow stack is killed; its successor finds the memory as it is. */
static inline void fake_kill(struct fake *f)
{
	fake_stop(f);
	for (unsigned lane = 0; lane < f->h.n_lanes; lane++) {
		struct handoff_reply r;

		while (handoff_pop_reply(&f->h, lane, &r))
			if (r.kind != HANDOFF_META_IO && f->answer)
				f->answer(f, lane, &r);
	}
	while (f->n_io) /* those that were submitted end */
		fake_io(f, &f->io[--f->n_io]);
	for (unsigned lane = 0; lane < f->h.n_lanes; lane++)
		handoff_reset_lane(&f->h, lane);
	f->h.header->slow_state = HANDOFF_DETACHED;
	fake_start(f);
}

/* Everything stops; what is in flight is lost or not. */
static inline void fake_crash(struct fake *f)
{
	fake_stop(f);
	while (f->n_io) {
		f->n_io--;
		if (f->io[f->n_io].opcode == BLOCK_WRITE &&
		    fake_random(f) % 2) {
			f->io[f->n_io].flags = 0;
			fake_io(f, &f->io[f->n_io]);
		}
	}
	for (unsigned i = 0; i < f->n_drives; i++)
		fake_cut(f, &f->drive[i]);
	handoff_detach(&f->h);
	fake_attach(f);
	fake_start(f);
}

/* -- calls and hand-offs -------------------------------------------------- */

static inline void fake_done(void *arg, const struct err *e)
{
	struct fake *f = arg;

	f->err = *e;
	f->done = true;
}

/* Run until the call that was just made ends; @return its code. */
static inline int fake_wait(struct fake *f)
{
	for (unsigned i = 0; !f->done && i < 1000; i++) {
		fake_run(f);
		f->now_ns += NS_PER_MS;
	}
	assert_true(f->done);
	f->done = false;
	return f->err.code;
}

static inline int fake_pool(struct fake *f, const char *name, unsigned n)
{
	uint16_t drives[FAKE_DRIVES];

	for (uint16_t i = 0; i < n; i++)
		drives[i] = i;
	slow_pool_create(f->slow, name, drives, n, fake_done, f);
	return fake_wait(f);
}

static inline int fake_volume(struct fake *f, const char *name, uint64_t chunks,
                              enum raid_profile profile)
{
	slow_volume_create(f->slow, "p", name, chunks * CHUNK_BYTES, profile,
	                   fake_done, f);
	return fake_wait(f);
}

static inline int fake_delete(struct fake *f, const char *name)
{
	slow_volume_delete(f->slow, "p", name, fake_done, f);
	return fake_wait(f);
}

/* Slot of a volume by name, or -1. */
static inline int fake_find(const struct fake *f, const char *name)
{
	for (int i = 0; i < (int)HANDOFF_VOLUMES; i++)
		if (f->h.volumes[i].state == HANDOFF_VOLUME_ACTIVE &&
		    !strcmp(f->h.volumes[i].name, name))
			return i;
	return -1;
}

static inline uint64_t *fake_entry(const struct fake *f, int volume,
                                   uint64_t chunk)
{
	return &f->h.table[f->h.volumes[volume].table_base + chunk];
}

static inline struct handoff_request fake_request(const struct fake *f,
                                                  unsigned kind, int volume,
                                                  uint64_t chunk)
{
	return (struct handoff_request){
		.kind = (uint8_t)kind,
		.pipeline = HANDOFF_THIN,
		.drive = HANDOFF_NO_DRIVE,
		.volume = (uint32_t)volume,
		.generation = f->h.volumes[volume].generation,
		.address = chunk * CHUNK_BYTES,
		.length = kind == HANDOFF_BARRIER ? 0 : CHUNK_BYTES,
	};
}

static inline void fake_send(struct fake *f, unsigned lane,
                             struct handoff_request r)
{
	if (!r.tag)
		r.tag = ++f->next_tag;
	assert_true(handoff_push_request(&f->h, lane, &r));
}

/* Send and run until everything is still; @return kind << 8 | status. */
static inline unsigned fake_ask(struct fake *f, struct handoff_request r)
{
	unsigned before = f->answers;

	fake_send(f, 0, r);
	fake_run(f);
	if (f->answers == before)
		return 0;
	assert_int_equal(f->answers, before + 1);
	return (unsigned)f->last.kind << 8 | f->last.status;
}

#define FAKE_RESUMED (HANDOFF_RESUME << 8)
#define FAKE_COMPLETE(status) (HANDOFF_COMPLETE << 8 | (status))

/* Where the first byte of a chunk is. */
static inline uint8_t *fake_place(const struct fake *f, int volume,
                                  uint64_t entry, unsigned *drive,
                                  uint64_t *offset)
{
	const struct handoff_row *row =
		&f->h.rows[f->h.volumes[volume].row_base + entry_row(entry)];
	const struct geometry g = {
		.profile = (enum raid_profile)row->profile,
		.width = row->width,
		.data = row->data,
		.strip_shift = row->strip_shift,
	};
	unsigned m = geometry_data_member(&g, entry_index(entry), 0);

	assert_int_equal(row->state, 1);
	*drive = row->drive[m];
	*offset = row->data_start + row->extent[m] * row->extent_bytes +
	          ((uint64_t)entry_index(entry) << row->strip_shift);
	return f->drive[*drive].now + *offset;
}

/* What a write does: ask if need be, write a stamp, publish. */
static inline bool fake_store(struct fake *f, int volume, uint64_t chunk,
                              uint64_t stamp)
{
	uint64_t *entry = fake_entry(f, volume, chunk), sector[64] = { 0 };
	uint64_t offset;
	unsigned drive;

	if (!*entry && fake_ask(f, fake_request(f, HANDOFF_MISS, volume,
	                                        chunk)) != FAKE_RESUMED)
		return false;
	assert_int_not_equal(*entry, 0);
	fake_place(f, volume, *entry, &drive, &offset);
	sector[0] = stamp;
	fake_write(&f->drive[drive], offset, sector, sizeof(sector), false);
	*entry = entry_make(ENTRY_MAPPED, entry_row(*entry),
	                    entry_index(*entry));
	return true;
}

static inline uint64_t fake_load(const struct fake *f, int volume,
                                 uint64_t chunk)
{
	uint64_t entry = *fake_entry(f, volume, chunk), offset, stamp;
	unsigned drive;

	if (entry_state(entry) != ENTRY_MAPPED)
		return 0;
	memcpy(&stamp, fake_place(f, volume, entry, &drive, &offset), 8);
	return stamp;
}

static inline bool fake_discard(struct fake *f, int volume, uint64_t chunk)
{
	return fake_ask(f, fake_request(f, HANDOFF_DISCARD, volume, chunk)) ==
	       FAKE_COMPLETE(HANDOFF_OK);
}

static inline bool fake_barrier(struct fake *f, int volume)
{
	return fake_ask(f, fake_request(f, HANDOFF_BARRIER, volume, 0)) ==
	       FAKE_COMPLETE(HANDOFF_OK);
}

/* No two entries name one chunk, and every entry names a live row. */
static inline void fake_check_unique(const struct fake *f)
{
	static uint8_t seen[1u << 22];
	unsigned n = 0;

	memset(seen, 0, sizeof(seen));
	for (unsigned i = 0; i < HANDOFF_VOLUMES; i++) {
		const struct handoff_volume *v = &f->h.volumes[i];
		uint64_t chunks = (v->size + CHUNK_BYTES - 1) >> CHUNK_SHIFT;

		if (v->state == HANDOFF_VOLUME_FREE)
			continue;
		for (uint64_t c = 0; c < chunks; c++) {
			uint64_t e = f->h.table[v->table_base + c];
			uint32_t at = entry_row(e) << 8 | entry_index(e);

			if (!e)
				continue;
			assert_true(entry_index(e) < 256 && at < sizeof(seen));
			assert_int_equal(
				f->h.rows[v->row_base + entry_row(e)].state, 1);
			if (seen[at])
				fail_msg("chunk %ju of %s is mapped twice",
				         (uintmax_t)c, v->name);
			seen[at] = 1;
			n++;
		}
	}
}

#endif /* TESTS_UNIT_VOLUME_FAKE_FAST_H */
