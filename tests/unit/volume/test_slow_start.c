/* SPDX-License-Identifier: BSD-2-Clause */
/* The slow stack starting: on living memory, and from the drives. */
#include "../test.h"

#include "fake_fast.h"

#include "volume/slow/record.h"

#include <errno.h>

static struct fake *with_volume(unsigned drives, enum raid_profile profile,
                                uint64_t seed)
{
	struct fake *f = fake_new(drives, 16 * FAKE_MIB, seed);

	if (fake_pool(f, "p", drives))
		fail_msg("%s", f->err.text);
	if (fake_volume(f, "v", 512, profile))
		fail_msg("%s", f->err.text);
	return f;
}

static void expect(struct fake *f, const char *name, uint64_t from, uint64_t to)
{
	int v = fake_find(f, name);

	assert_true(v >= 0);
	for (uint64_t i = from; i < to; i++)
		if (fake_load(f, v, i) != i + 1)
			fail_msg("chunk %ju: %ju", (uintmax_t)i,
			         (uintmax_t)fake_load(f, v, i));
}

/* shows V20 */
static void what_a_barrier_covered_is_there_after_a_power_cut(void **state)
{
	static const enum raid_profile profiles[] = { RAID0, RAID1, RAID5 };

	(void)state;
	for (size_t p = 0; p < ARRAY_LEN(profiles); p++) {
		struct fake *f = with_volume(3, profiles[p], p);
		uint64_t n = 0;

		for (unsigned life = 0; life < 5; life++) {
			int v = fake_find(f, "v");

			for (unsigned i = 0; i < 15; i++, n++)
				assert_true(fake_store(f, v, n, n + 1));
			assert_true(fake_barrier(f, v));
			fake_crash(f);
			fake_run(f);
			assert_int_equal(f->h.header->slow_state,
			                 HANDOFF_SERVING);
			assert_int_equal(f->h.pools[0].state,
			                 HANDOFF_POOL_ONLINE);
			expect(f, "v", 0, n);
			fake_check_unique(f);
		}
		fake_free(f);
	}
}

/* shows V21 */
static void a_successor_goes_on_where_memory_says(void **state)
{
	struct fake *f = with_volume(4, RAID5, 5);
	uint64_t entry;
	int v = 0;

	(void)state;
	for (uint64_t i = 0; i < 60; i++)
		assert_true(fake_store(f, v, i, i + 1));
	assert_int_equal(fake_ask(f, fake_request(f, HANDOFF_MISS, v, 100)),
	                 FAKE_RESUMED);
	entry = *fake_entry(f, v, 100);
	fake_kill(f);
	fake_run(f);
	assert_int_equal(f->h.header->slow_state, HANDOFF_SERVING);
	expect(f, "v", 0, 60);
	assert_int_equal(*fake_entry(f, v, 100), entry);
	assert_int_equal(fake_ask(f, fake_request(f, HANDOFF_MISS, v, 100)),
	                 FAKE_RESUMED);
	assert_int_equal(f->last.entry, entry);
	assert_int_equal(f->h.volumes[0].changes - f->h.volumes[0].committed,
	                 1);
	for (uint64_t i = 60; i < 70; i++)
		assert_true(fake_store(f, v, i, i + 1));
	assert_true(fake_store(f, v, 100, 101));
	assert_true(fake_barrier(f, v));
	assert_int_equal(f->h.volumes[0].changes, f->h.volumes[0].committed);
	fake_check_unique(f);
	fake_crash(f); /* and what it wrote can be read back */
	fake_run(f);
	expect(f, "v", 0, 70);
	expect(f, "v", 100, 101);
	fake_free(f);
}

static void a_deletion_goes_on_after_a_restart(void **state)
{
	(void)state;
	for (unsigned stop = 0; stop < 60; stop++) {
		struct fake *f = with_volume(3, RAID1, stop);

		assert_int_equal(fake_volume(f, "w", 64, RAID1), 0);
		for (uint64_t i = 0; i < 20; i++)
			assert_true(fake_store(f, 1, i, i + 1));
		for (uint64_t i = 0; i < 40; i++)
			assert_true(fake_store(f, 0, i, i + 1));
		assert_true(fake_barrier(f, 0));
		slow_volume_delete(f->slow, "p", "v", fake_done, f);
		for (unsigned i = 0; i < stop; i++)
			fake_step(f);
		fake_kill(f);
		fake_sleep(f, 3);
		assert_int_equal(fake_find(f, "v"), -1);
		assert_int_equal(f->h.volumes[0].state, HANDOFF_VOLUME_FREE);
		assert_int_equal(f->h.pools[0].used_bytes,
		                 20 * 2 * CHUNK_BYTES);
		expect(f, "w", 0, 20);
		fake_crash(f);
		fake_run(f);
		assert_int_equal(fake_find(f, "v"), -1);
		expect(f, "w", 0, 20);
		fake_free(f);
	}
}

static void a_missing_drive_degrades_and_then_is_stale(void **state)
{
	struct fake *f = with_volume(4, RAID5, 9);
	char words[200];

	(void)state;
	for (uint64_t i = 0; i < 30; i++)
		assert_true(fake_store(f, 0, i, i + 1));
	assert_true(fake_barrier(f, 0));
	/* the disappearing drive is the one without the stamps' first strip of
	 * nothing in particular: the pool must start whatever it is */
	fake_stop(f);
	handoff_detach(&f->h);
	fake_attach(f);
	f->h.drives[2].present = 0;
	fake_start(f);
	fake_run(f);
	assert_int_equal(f->h.pools[0].state, HANDOFF_POOL_DEGRADED);
	assert_true(fake_find(f, "v") >= 0);
	fake_crash(f); /* it comes back, too late */
	fake_run(f);
	assert_int_equal(f->h.pools[0].state, HANDOFF_POOL_DEGRADED);
	assert_int_equal(f->h.drives[2].role, HANDOFF_FAILED);
	slow_drive_describe(f->slow, 2, words, sizeof(words));
	assert_non_null(strstr(words, "old"));
	fake_free(f);
}

static void half_of_the_drives_never_start_a_pool(void **state)
{
	struct fake *f = with_volume(4, RAID1, 9);
	struct slow_member m[4];

	(void)state;
	fake_stop(f);
	handoff_detach(&f->h);
	fake_attach(f);
	f->h.drives[0].present = 0;
	f->h.drives[3].present = 0;
	fake_start(f);
	fake_run(f);
	assert_int_equal(f->h.header->slow_state, HANDOFF_SERVING);
	assert_int_equal(f->h.pools[0].state, HANDOFF_POOL_OFFLINE);
	assert_string_equal(f->h.pools[0].name, "p");
	assert_int_equal(slow_pool_members(f->slow, 0, m, 4), 0);
	assert_non_null(strstr(slow_pool_why(f->slow, 0), "missing: 0, 3"));
	assert_int_equal(fake_volume(f, "w", 8, RAID1), -EIO);
	assert_non_null(strstr(f->err.text, "missing: 0, 3"));
	/* one more is enough */
	f->h.drives[3].present = 1;
	slow_drive_appeared(f->slow, 3, fake_done, f);
	assert_int_equal(fake_wait(f), 0);
	assert_int_equal(f->h.pools[0].state, HANDOFF_POOL_DEGRADED);
	assert_string_equal(slow_pool_why(f->slow, 0), "");
	assert_int_equal(slow_pool_members(f->slow, 0, m, 4), 4);
	assert_true(fake_find(f, "v") >= 0);
	assert_true(fake_store(f, fake_find(f, "v"), 0, 1));
	fake_free(f);
}

static void unprotected_data_on_a_missing_drive_keep_the_pool_down(void **state)
{
	struct fake *f = with_volume(4, RAID0, 9);

	(void)state;
	assert_true(fake_store(f, 0, 0, 1));
	assert_true(fake_barrier(f, 0));
	fake_stop(f);
	handoff_detach(&f->h);
	fake_attach(f);
	f->h.drives[1].present = 0;
	fake_start(f);
	fake_run(f);
	assert_int_equal(f->h.pools[0].state, HANDOFF_POOL_OFFLINE);
	f->h.drives[1].present = 1;
	slow_drive_appeared(f->slow, 1, fake_done, f);
	assert_int_equal(fake_wait(f), 0);
	assert_int_equal(f->h.pools[0].state, HANDOFF_POOL_ONLINE);
	expect(f, "v", 0, 1);
	fake_free(f);
}

/* shows V19 (grow) */
static void a_pool_grows_and_keeps_what_it_has(void **state)
{
	(void)state;
	for (unsigned stop = 0; stop < 50; stop++) {
		struct fake *f = fake_new(5, 16 * FAKE_MIB, stop);
		uint16_t more[] = { 3, 4 }, taken[] = { 1 };
		bool grown = false;
		uint64_t n = 0;
		int v;

		assert_int_equal(fake_pool(f, "p", 3), 0);
		assert_int_equal(fake_volume(f, "v", 1024, RAID1), 0);
		while (fake_store(f, 0, n, n + 1))
			n++;
		assert_true(fake_barrier(f, 0));
		slow_pool_grow(f->slow, "p", taken, 1, fake_done, f);
		assert_int_equal(fake_wait(f), -EBUSY);
		slow_pool_grow(f->slow, "p", more, 2, fake_done, f);
		for (unsigned i = 0; i < stop && !f->done; i++)
			fake_step(f);
		if (stop == 49)
			assert_int_equal(fake_wait(f), 0);
		grown = f->done || stop == 49;
		if (stop % 2) {
			fake_kill(f);
			fake_run(f);
			expect(f, "v", 0, n);
		}
		fake_crash(f);
		fake_run(f);
		assert_true(f->h.pools[0].state == HANDOFF_POOL_ONLINE);
		if (grown)
			assert_int_equal(f->h.pools[0].n_drives, 5);
		expect(f, "v", 0, n);
		v = fake_find(f, "v");
		if (grown)
			assert_true(fake_store(f, v, n, n + 1));
		fake_check_unique(f);
		fake_free(f);
	}
}

/* Overwrite on every drive what the newest root says; see the layout in
 * docs/format-meta.md. */
static void rot(struct fake *f, uint64_t offset)
{
	for (unsigned i = 0; i < f->n_drives; i++) {
		f->drive[i].now[offset + 100] ^= 1;
		f->drive[i].durable[offset + 100] ^= 1;
	}
}

#define ROOTS UINT64_C(4096)
#define LOG UINT64_C(12288)
#define IMAGE(i) (LOG + FAKE_MIB + (i)*FAKE_MIB)

static void restart(struct fake *f)
{
	fake_stop(f);
	for (unsigned i = 0; i < f->n_drives; i++)
		fake_flush(&f->drive[i]);
	handoff_detach(&f->h);
	fake_attach(f);
	fake_start(f);
	fake_run(f);
}

static void expect_offline(struct fake *f, const char *words)
{
	assert_int_equal(f->h.pools[0].state, HANDOFF_POOL_OFFLINE);
	fake_volume(f, "w", 8, RAID1);
	if (!strstr(f->err.text, words))
		fail_msg("not \"%s\": %s", words, f->err.text);
}

/* shows V26 for metadata */
static void damage_of_each_kind_is_named(void **state)
{
	uint64_t image, root;
	struct fake *f;

	(void)state;
	f = with_volume(3, RAID1, 4);
	rot(f, ROOTS);
	rot(f, ROOTS + 4096);
	restart(f);
	expect_offline(f, "no drive has a root block that is whole (d0: rot");
	fake_free(f);

	f = with_volume(3, RAID1, 4);
	memcpy(f->drive[0].now + ROOTS, f->drive[0].now + ROOTS + 4096, 4096);
	memcpy(f->drive[1].now + ROOTS + 4096, f->drive[0].now + ROOTS, 4096);
	for (unsigned i = 0; i < 2; i++) {
		memcpy(f->drive[i].now + ROOTS, f->drive[0].now + LOG, 4096);
		memcpy(f->drive[i].now + ROOTS + 4096, f->drive[0].now + LOG,
		       4096);
	}
	memset(f->drive[2].now + ROOTS, 0, 8192);
	restart(f);
	expect_offline(f, "misplaced");
	fake_free(f);

	/* a pool just made: root slot 1 and image area 1 are in use */
	f = with_volume(3, RAID1, 4);
	image = IMAGE(1);
	root = ROOTS + 4096;
	rot(f, image);
	restart(f);
	expect_offline(f, "block 0 of the image");
	expect_offline(f, "rot");
	fake_free(f);

	f = with_volume(3, RAID1, 4);
	for (unsigned i = 0; i < 3; i++)
		memcpy(f->drive[i].now + image, f->drive[i].now + root, 4096);
	restart(f);
	expect_offline(f, "misplaced");
	fake_free(f);
}

/* Seal the block at `offset` again as something else. */
static void forge(struct fake *f, uint64_t offset, const char *damage)
{
	for (unsigned i = 0; i < f->n_drives; i++) {
		uint8_t *block = f->drive[i].now + offset;
		struct meta_header *h = (struct meta_header *)block;
		uint8_t pool[16];
		struct record_place as = {
			.kind = (enum meta_kind)le16_get(h->kind),
			.where = offset,
			.epoch = record_epoch(block),
			.seq = record_seq(block),
			.first = record_first(block),
			.pool = pool,
		};

		memcpy(pool, h->pool, sizeof(pool));
		if (!strcmp(damage, "foreign"))
			pool[3] ^= 0x10;
		else if (!strcmp(damage, "misplaced"))
			as.where += 4096;
		else if (!strcmp(damage, "stale"))
			as.epoch--;
		record_seal(block, &as, le32_get(h->used));
		if (!strcmp(damage, "rot"))
			block[100] ^= 1;
		memcpy(f->drive[i].durable + offset, block, 4096);
	}
}

/* shows V26 for metadata */
static void damage_is_named_by_block_drive_and_kind(void **state)
{
	static const char *const kinds[] = { "rot", "misplaced", "stale",
		                             "foreign" };
	static const struct {
		uint64_t offset;
		const char *words;
	} blocks[] = {
		{ IMAGE(1), "block 0 of the image" },
		{ LOG + 4 * 4096, "block 4 of the log" },
	};

	(void)state;
	for (size_t b = 0; b < ARRAY_LEN(blocks); b++) {
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
			struct fake *f = with_volume(3, RAID1, 4);
			char words[64];

			for (uint64_t i = 0; i < 10; i++) {
				assert_true(fake_store(f, 0, i, i + 1));
				assert_true(fake_barrier(f, 0));
			}
			forge(f, blocks[b].offset, kinds[k]);
			restart(f);
			expect_offline(f, blocks[b].words);
			snprintf(words, sizeof(words),
			         "(d0: %s, d1: %s, d2: %s)", kinds[k], kinds[k],
			         kinds[k]);
			expect_offline(f, words);
			fake_free(f);
		}
	}
}

static void damage_in_the_middle_of_the_log_is_no_torn_end(void **state)
{
	struct fake *f = with_volume(3, RAID1, 4);

	(void)state;
	for (uint64_t i = 0; i < 10; i++) {
		assert_true(fake_store(f, 0, i, i + 1));
		assert_true(fake_barrier(f, 0));
	}
	rot(f, LOG + 4 * 4096);
	restart(f);
	expect_offline(f, "block 4 of the log");
	rot(f, LOG + 4 * 4096); /* mend it */
	restart(f);
	assert_int_equal(f->h.pools[0].state, HANDOFF_POOL_ONLINE);
	expect(f, "v", 0, 10);
	fake_free(f);
}

static void one_good_copy_of_each_block_is_enough(void **state)
{
	struct fake *f = with_volume(3, RAID1, 4);

	(void)state;
	for (uint64_t i = 0; i < 10; i++) {
		assert_true(fake_store(f, 0, i, i + 1));
		assert_true(fake_barrier(f, 0));
	}
	for (uint64_t at = 0; at < 12; at++)
		for (unsigned i = 0; i < 3; i++)
			if (i != at % 3) {
				f->drive[i].now[LOG + at * 4096 + 70] ^= 1;
				f->drive[i].now[IMAGE(1) + at * 4096 + 70] ^= 1;
			}
	f->drive[0].now[ROOTS + 4096] ^= 1;
	f->drive[1].now[100] ^= 1; /* a label's first copy */
	restart(f);
	assert_int_equal(f->h.pools[0].state, HANDOFF_POOL_ONLINE);
	expect(f, "v", 0, 10);
	restart(f);
	expect(f, "v", 0, 10);
	/* the label was written again */
	memset(f->drive[1].now + f->drive[1].size - 4096, 0, 4096);
	restart(f);
	assert_int_equal(f->h.pools[0].state, HANDOFF_POOL_ONLINE);
	fake_free(f);
}

static void a_root_that_was_lost_is_noticed(void **state)
{
	struct fake *f = with_volume(2, RAID1, 4);
	uint8_t *old[2];
	unsigned i;

	(void)state;
	/* both roots of an early time, by drives that forgot later writes */
	for (i = 0; i < 2; i++) {
		old[i] = malloc(8192);
		memcpy(old[i], f->drive[i].now + ROOTS, 8192);
	}
	for (i = 0; i < 2000; i++) {
		if (*fake_entry(f, 0, i % 30))
			assert_true(fake_discard(f, 0, i % 30));
		else
			assert_true(fake_store(f, 0, i % 30, i));
		assert_true(fake_barrier(f, 0));
	}
	for (i = 0; i < 2; i++) {
		memcpy(f->drive[i].now + ROOTS, old[i], 8192);
		free(old[i]);
	}
	restart(f);
	expect_offline(f, "stale");
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			what_a_barrier_covered_is_there_after_a_power_cut),
		cmocka_unit_test(a_successor_goes_on_where_memory_says),
		cmocka_unit_test(a_deletion_goes_on_after_a_restart),
		cmocka_unit_test(a_missing_drive_degrades_and_then_is_stale),
		cmocka_unit_test(half_of_the_drives_never_start_a_pool),
		cmocka_unit_test(
			unprotected_data_on_a_missing_drive_keep_the_pool_down),
		cmocka_unit_test(a_pool_grows_and_keeps_what_it_has),
		cmocka_unit_test(damage_of_each_kind_is_named),
		cmocka_unit_test(damage_is_named_by_block_drive_and_kind),
		cmocka_unit_test(
			damage_in_the_middle_of_the_log_is_no_torn_end),
		cmocka_unit_test(one_good_copy_of_each_block_is_enough),
		cmocka_unit_test(a_root_that_was_lost_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
