/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shows V20, V21: the slow stack against a model, through power cuts and kills
 * at random points, also of its own I/O.  After each power cut:
 *
 *   - a chunk shows something that was written to it (or discarded) no earlier
 *     than the last barrier that was answered: never another chunk's bytes;
 *   - a volume whose creation was answered is there, one whose deletion was
 *     answered is not;
 *   - no two entries name one chunk.
 *
 *   test_slow_crash [SEEDS [FIRST]]
 */
#include "../test.h"

#include "fake_fast.h"

#include <errno.h>

#define VOLUMES 3u
#define CHUNKS 48u
#define HISTORY 64u
#define LIVES 6u

struct chunk {
	uint64_t value[HISTORY]; /* since `durable`, oldest first */
	unsigned n;
	uint64_t numbered; /* of value[0] */
};

enum existence { ABSENT, PRESENT, PERHAPS };

struct model_volume {
	char name[8];
	enum existence exists;
	int slot;
	struct chunk chunk[CHUNKS];
};

struct barrier {
	uint64_t tag;
	unsigned volume;
	uint64_t numbered[CHUNKS]; /* of the newest value of each chunk */
};

struct model {
	struct fake *f;
	uint64_t fuse; /* steps until the power goes */
	uint64_t stamp;
	struct model_volume volume[VOLUMES];
	struct barrier barrier[32];
	unsigned n_barriers;
	uint64_t tag; /* waited for */
	struct handoff_reply reply;
	bool replied;
	uint64_t seed;
	unsigned names;
};

static uint64_t cuts;

static uint64_t pick(struct model *m, uint64_t n)
{
	return fake_random(m->f) % n;
}

/* -- what may be there ---------------------------------------------------- */

static void set_value(struct chunk *c, uint64_t value)
{
	if (c->n == HISTORY) { /* forget one that may be allowed: never here */
		fail_msg("history is too short");
	}
	c->value[c->n++] = value;
}

static void settle(struct chunk *c, uint64_t numbered)
{
	unsigned drop;

	if (numbered <= c->numbered)
		return;
	drop = (unsigned)(numbered - c->numbered);
	memmove(c->value, c->value + drop, (c->n - drop) * sizeof(c->value[0]));
	c->n -= drop;
	c->numbered = numbered;
}

static void forget_volume(struct model_volume *v)
{
	memset(v->chunk, 0, sizeof(v->chunk));
	for (unsigned i = 0; i < CHUNKS; i++)
		v->chunk[i].n = 1; /* a hole */
}

static void answered(struct fake *f, unsigned lane,
                     const struct handoff_reply *r)
{
	struct model *m = f->arg;

	(void)lane;
	if (r->tag == m->tag) {
		m->reply = *r;
		m->replied = true;
	}
	for (unsigned i = 0; i < m->n_barriers; i++) {
		struct barrier *b = &m->barrier[i];

		if (b->tag != r->tag)
			continue;
		assert_int_equal(r->kind, HANDOFF_COMPLETE);
		if (r->status == HANDOFF_OK)
			for (unsigned c = 0; c < CHUNKS; c++)
				settle(&m->volume[b->volume].chunk[c],
				       b->numbered[c]);
		*b = m->barrier[--m->n_barriers];
		return;
	}
}

/* -- doing ---------------------------------------------------------------- */

static bool step(struct model *m)
{
	if (!m->fuse)
		return false;
	m->fuse--;
	fake_step(m->f);
	if (pick(m, 50) == 0)
		m->f->now_ns += NS_PER_MS;
	return true;
}

static bool ask(struct model *m, unsigned kind, unsigned volume, uint64_t chunk)
{
	struct handoff_request r =
		fake_request(m->f, kind, m->volume[volume].slot, chunk);

	r.tag = m->tag = ++m->f->next_tag;
	m->replied = false;
	fake_send(m->f, (unsigned)pick(m, 2), r);
	while (!m->replied)
		if (!step(m))
			return false;
	return true;
}

static void store(struct model *m, unsigned volume, uint64_t chunk)
{
	struct model_volume *v = &m->volume[volume];
	uint64_t *entry = fake_entry(m->f, v->slot, chunk), offset;
	uint64_t sector[64] = { ++m->stamp };
	unsigned drive;

	if (!*entry) {
		if (!ask(m, HANDOFF_MISS, volume, chunk))
			return;
		if (m->reply.kind != HANDOFF_RESUME) {
			assert_int_equal(m->reply.status, HANDOFF_NO_SPACE);
			return;
		}
	}
	for (uint64_t i = pick(m, 4); i > 0; i--) /* it takes a while */
		if (!step(m))
			return;
	fake_place(m->f, v->slot, *entry, &drive, &offset);
	/* from here on it may be read, whatever becomes of us */
	set_value(&v->chunk[chunk], m->stamp);
	fake_write(&m->f->drive[drive], offset, sector, sizeof(sector), false);
	*entry = entry_make(ENTRY_MAPPED, entry_row(*entry),
	                    entry_index(*entry));
}

static void discard(struct model *m, unsigned volume, uint64_t chunk)
{
	struct model_volume *v = &m->volume[volume];

	if (!*fake_entry(m->f, v->slot, chunk))
		return;
	set_value(&v->chunk[chunk], 0);
	ask(m, HANDOFF_DISCARD, volume, chunk);
}

static void send_barrier(struct model *m, unsigned volume)
{
	struct barrier *b = &m->barrier[m->n_barriers];
	struct handoff_request r;

	if (m->n_barriers == ARRAY_LEN(m->barrier))
		return;
	m->n_barriers++;
	r = fake_request(m->f, HANDOFF_BARRIER, m->volume[volume].slot, 0);
	r.tag = ++m->f->next_tag;
	b->tag = r.tag;
	b->volume = volume;
	for (unsigned i = 0; i < CHUNKS; i++) {
		const struct chunk *c = &m->volume[volume].chunk[i];

		b->numbered[i] = c->numbered + c->n - 1;
	}
	fake_send(m->f, 0, r);
}

static void finish_barriers(struct model *m)
{
	while (m->n_barriers && step(m))
		;
}

static bool wait_call(struct model *m)
{
	m->f->done = false;
	while (!m->f->done)
		if (!step(m))
			return false;
	m->f->done = false;
	return true;
}

static void create(struct model *m, unsigned volume)
{
	static const enum raid_profile profiles[] = { RAID0, RAID1, RAID5 };
	struct model_volume *v = &m->volume[volume];

	snprintf(v->name, sizeof(v->name), "v%u", m->names++);
	forget_volume(v);
	v->exists = PERHAPS;
	slow_volume_create(m->f->slow, "p", v->name, CHUNKS * CHUNK_BYTES,
	                   profiles[pick(m, 3)], fake_done, m->f);
	if (!wait_call(m))
		return;
	assert_int_equal(m->f->err.code, 0);
	v->exists = PRESENT;
	v->slot = fake_find(m->f, v->name);
	assert_true(v->slot >= 0);
}

static void delete (struct model *m, unsigned volume)
{
	struct model_volume *v = &m->volume[volume];

	finish_barriers(m);
	if (!m->fuse)
		return;
	v->exists = PERHAPS;
	slow_volume_delete(m->f->slow, "p", v->name, fake_done, m->f);
	if (!wait_call(m))
		return;
	assert_int_equal(m->f->err.code, 0);
	v->exists = ABSENT;
}

/* Kill the slow stack; requests that it had not answered come again. */
static void kill_slow(struct model *m)
{
	uint64_t tags[32];
	unsigned n = 0;

	fake_kill(m->f);
	for (unsigned i = 0; i < m->n_barriers; i++) {
		struct handoff_request r =
			fake_request(m->f, HANDOFF_BARRIER,
		                     m->volume[m->barrier[i].volume].slot, 0);

		r.tag = tags[n++] = m->barrier[i].tag;
		while (m->f->h.header->slow_state != HANDOFF_SERVING)
			if (!step(m))
				return;
		fake_send(m->f, 0, r);
	}
	while (m->f->h.header->slow_state != HANDOFF_SERVING)
		if (!step(m))
			return;
	fake_check_unique(m->f);
}

static void checkpointed(void *arg, const struct err *e)
{
	(void)arg;
	assert_int_equal(e->code, 0);
}

static void act(struct model *m)
{
	unsigned volume = (unsigned)pick(m, VOLUMES);
	uint64_t chunk = pick(m, CHUNKS), what = pick(m, 1000);
	struct model_volume *v = &m->volume[volume];

	if (v->chunk[chunk].n > HISTORY - 4) {
		send_barrier(m, volume);
		finish_barriers(m);
		return;
	}
	if (v->exists == ABSENT)
		create(m, volume);
	else if (what < 600)
		store(m, volume, chunk);
	else if (what < 900)
		discard(m, volume, chunk);
	else if (what < 980)
		send_barrier(m, volume);
	else if (what < 990)
		delete (m, volume);
	else if (what < 994)
		kill_slow(m);
	else
		slow_quiesce(m->f->slow, checkpointed, NULL);
}

/* -- checking ------------------------------------------------------------- */

static void check_chunk(struct model *m, struct model_volume *v, uint64_t chunk)
{
	struct chunk *c = &v->chunk[chunk];
	uint64_t got = fake_load(m->f, v->slot, chunk);

	for (unsigned i = 0; i < c->n; i++) {
		if (c->value[i] != got)
			continue;
		/* what was read once stays */
		c->value[0] = got;
		c->numbered += c->n - 1;
		c->n = 1;
		return;
	}
	fail_msg("seed %ju: chunk %ju of %s shows %ju, newest is %ju",
	         (uintmax_t)m->seed, (uintmax_t)chunk, v->name, (uintmax_t)got,
	         (uintmax_t)c->value[c->n - 1]);
}

static void check(struct model *m)
{
	if (m->f->h.pools[0].state != HANDOFF_POOL_ONLINE) {
		fake_volume(m->f, "x", 8, RAID0);
		fail_msg("seed %ju: %s", (uintmax_t)m->seed, m->f->err.text);
	}
	fake_check_unique(m->f);
	for (unsigned i = 0; i < VOLUMES; i++) {
		struct model_volume *v = &m->volume[i];

		v->slot = fake_find(m->f, v->name);
		if (v->slot >= 0 ? v->exists == ABSENT : v->exists == PRESENT)
			fail_msg("seed %ju: volume %s", (uintmax_t)m->seed,
			         v->name);
		v->exists = v->slot >= 0 ? PRESENT : ABSENT;
		for (unsigned c = 0; v->slot >= 0 && c < CHUNKS; c++)
			check_chunk(m, v, c);
	}
}

/* Everything given back is free again. */
static void check_leaks(struct model *m)
{
	uint64_t bytes = m->f->h.pools[0].capacity_bytes;

	m->fuse = UINT64_MAX;
	for (unsigned i = 0; i < VOLUMES; i++)
		if (m->volume[i].exists == PRESENT)
			delete (m, i);
	fake_sleep(m->f, 5);
	assert_int_equal(fake_volume(m->f, "last", 8, RAID0), 0);
	assert_true(fake_barrier(m->f, fake_find(m->f, "last")));
	fake_sleep(m->f, 5);
	assert_int_equal(m->f->h.pools[0].used_bytes, 0);
	assert_int_equal(slow_pool_free_bytes(m->f->slow, 0, RAID0), bytes);
}

static void run_seed(uint64_t seed)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->seed = seed;
	m->f = fake_new(3, 12 * FAKE_MIB, seed);
	m->f->arg = m;
	assert_int_equal(fake_pool(m->f, "p", 3), 0);
	m->f->answer = answered;
	for (unsigned life = 0; life < LIVES; life++) {
		m->fuse = 1 + pick(m, life ? 600 : 3000);
		while (m->fuse)
			act(m);
		m->n_barriers = 0;
		m->tag = 0;
		fake_crash(m->f);
		cuts++;
		if (pick(m, 4) == 0) { /* again, while it recovers */
			m->fuse = 1 + pick(m, 60);
			while (step(m))
				;
			fake_crash(m->f);
			cuts++;
		}
		fake_run(m->f);
		check(m);
	}
	m->f->answer = NULL;
	check_leaks(m);
	fake_free(m->f);
	free(m);
}

static uint64_t seeds = 100, first = 1;

static void power_cuts_anywhere_lose_nothing(void **state)
{
	uint64_t start = clock_now_ns(), ms;

	(void)state;
	for (uint64_t i = 0; i < seeds; i++)
		run_seed(first + i);
	ms = (clock_now_ns() - start) / NS_PER_MS + 1;
	printf("# %ju power cuts, %ju per second\n", (uintmax_t)cuts,
	       (uintmax_t)(cuts * 1000 / ms));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(power_cuts_anywhere_lose_nothing),
	};

	if (argc > 1)
		seeds = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		first = strtoull(argv[2], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
