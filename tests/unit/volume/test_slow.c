/* SPDX-License-Identifier: BSD-2-Clause */
/* The slow stack serving: calls and hand-offs on drives that work. */
#include "../test.h"

#include "fake_fast.h"

#include <errno.h>

static struct fake *with_volume(unsigned drives, enum raid_profile profile)
{
	struct fake *f = fake_new(drives, 16 * FAKE_MIB, 1);

	if (fake_pool(f, "p", drives))
		fail_msg("%s", f->err.text);
	if (fake_volume(f, "v", 1024, profile))
		fail_msg("%s", f->err.text);
	assert_int_equal(fake_find(f, "v"), 0);
	return f;
}

/* shows V10, V18 */
static void a_miss_allocates_once(void **state)
{
	struct fake *f = with_volume(3, RAID5);
	uint64_t entry;

	(void)state;
	assert_int_equal(fake_ask(f, fake_request(f, HANDOFF_MISS, 0, 7)),
	                 FAKE_RESUMED);
	entry = f->last.entry;
	assert_int_equal(entry_state(entry), ENTRY_NEW);
	assert_int_equal(*fake_entry(f, 0, 7), entry);
	assert_int_equal(fake_ask(f, fake_request(f, HANDOFF_MISS, 0, 7)),
	                 FAKE_RESUMED);
	assert_int_equal(f->last.entry, entry);
	assert_int_equal(f->h.volumes[0].allocated, 1);
	assert_int_equal(f->h.volumes[0].changes, 1);
	assert_int_equal(f->h.volumes[0].committed, 0);
	fake_free(f);
}

static void a_barrier_commits_what_is_mapped_and_not_what_is_new(void **state)
{
	struct fake *f = with_volume(4, RAID1);

	(void)state;
	assert_true(fake_store(f, 0, 1, 11));
	assert_int_equal(fake_ask(f, fake_request(f, HANDOFF_MISS, 0, 2)),
	                 FAKE_RESUMED);
	assert_true(fake_barrier(f, 0));
	assert_int_equal(f->h.volumes[0].changes, 2);
	assert_int_equal(f->h.volumes[0].committed, 1);
	for (unsigned i = 0; i < 4; i++) /* S2: data flushed as well */
		assert_int_equal(f->drive[i].n_write, 0);
	assert_true(fake_store(f, 0, 2, 12));
	assert_true(fake_barrier(f, 0));
	assert_int_equal(f->h.volumes[0].committed, 2);
	assert_true(fake_barrier(f, 0)); /* nothing to commit */
	fake_free(f);
}

/* shows V19, V22 */
static void a_full_pool_refuses_and_works_again_after_discard(void **state)
{
	static const enum raid_profile profiles[] = { RAID0, RAID1, RAID5 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
		struct fake *f = with_volume(3, profiles[i]);
		uint64_t n = 0;

		while (fake_store(f, 0, n, n + 1))
			n++;
		assert_int_equal(f->last.status, HANDOFF_NO_SPACE);
		assert_true(n > 60);
		fake_check_unique(f);
		for (unsigned round = 0; round < 200; round++) {
			uint64_t at = fake_random(f) % n;

			assert_true(fake_discard(f, 0, at));
			assert_int_equal(fake_load(f, 0, at), 0);
			/* the miss waits for the unmapping, then is served */
			assert_true(fake_store(f, 0, at, 1000 + round));
			assert_false(fake_store(f, 0, n, 1));
		}
		fake_check_unique(f);
		assert_true(fake_barrier(f, 0));
		fake_free(f);
	}
}

static void a_discarded_chunk_waits_for_its_readers(void **state)
{
	struct fake *f = with_volume(1, RAID0);
	uint64_t n = 0;

	(void)state;
	while (fake_store(f, 0, n, n + 1))
		n++;
	f->h.lanes[1].inflight[0][f->h.pools[0].readers & 1] = 1;
	assert_true(fake_discard(f, 0, 0));
	assert_int_equal(fake_ask(f, fake_request(f, HANDOFF_MISS, 0, n)), 0);
	fake_sleep(f, 5);
	assert_int_equal(*fake_entry(f, 0, n), 0);
	memset(f->h.lanes[1].inflight[0], 0, 16);
	fake_sleep(f, 2);
	assert_int_equal(f->last.kind, HANDOFF_RESUME);
	assert_int_not_equal(*fake_entry(f, 0, n), 0);
	fake_free(f);
}

static void a_discard_that_was_given_up_changes_nothing(void **state)
{
	struct fake *f = with_volume(1, RAID0);
	struct handoff_request r;

	(void)state;
	assert_true(fake_store(f, 0, 1, 2));
	r = fake_request(f, HANDOFF_DISCARD, 0, 1);
	r.tag = 0x12340007;
	fake_send(f, 0, r);
	assert_true(handoff_claim_give_up(&f->h, 0, r.tag));
	fake_run(f);
	assert_int_equal(f->last.kind, HANDOFF_COMPLETE);
	assert_int_equal(f->last.status, HANDOFF_TIMED_OUT);
	assert_int_equal(fake_load(f, 0, 1), 2);
	/* One that was carried out can't be given up any more. */
	r.tag += 0x10000;
	assert_int_equal(fake_ask(f, r), FAKE_COMPLETE(HANDOFF_OK));
	assert_int_equal(*fake_entry(f, 0, 1), 0);
	assert_false(handoff_claim_give_up(&f->h, 0, r.tag));
	fake_free(f);
}

/* Their drives may be slow. */
static void another_pools_readers_delay_nothing(void **state)
{
	struct fake *f = with_volume(1, RAID0);
	uint64_t n = 0;

	(void)state;
	while (fake_store(f, 0, n, n + 1))
		n++;
	for (unsigned pool = 1; pool < HANDOFF_POOLS; pool++)
		for (unsigned i = 0; i < 2; i++)
			f->h.lanes[1].inflight[pool][i] = 1;
	assert_true(fake_discard(f, 0, 0));
	assert_true(fake_store(f, 0, n, n + 1));
	fake_free(f);
}

static void a_wait_ends_at_its_deadline(void **state)
{
	struct fake *f = with_volume(1, RAID0);
	struct handoff_request r;
	uint64_t n = 0;

	(void)state;
	while (fake_store(f, 0, n, n + 1))
		n++;
	f->h.lanes[1].inflight[0][f->h.pools[0].readers & 1] = 1;
	assert_true(fake_discard(f, 0, 0));
	r = fake_request(f, HANDOFF_MISS, 0, n);
	r.deadline_ns = f->now_ns + 50 * NS_PER_MS;
	assert_int_equal(fake_ask(f, r), 0);
	fake_sleep(f, 100);
	assert_int_equal(f->last.kind, HANDOFF_COMPLETE);
	assert_int_equal(f->last.status, HANDOFF_TIMED_OUT);
	fake_free(f);
}

static void records_that_make_no_sense_are_refused(void **state)
{
	struct fake *f = with_volume(3, RAID5);
	static const struct {
		uint8_t kind;
		uint32_t volume;
		uint32_t generation;
		uint64_t address;
		uint64_t length;
		uint16_t drive;
		unsigned status;
	} cases[] = {
		{ 0, 0, 0, 0, 0, 0, HANDOFF_INVALID },
		{ HANDOFF_REQUEST_KINDS, 0, 0, 0, 0, 0, HANDOFF_INVALID },
		{ HANDOFF_MISS, HANDOFF_VOLUMES, 0, 0, 4096, 0,
		  HANDOFF_INVALID },
		{ HANDOFF_MISS, 0, 1, 0, 4096, 0, HANDOFF_GONE },
		{ HANDOFF_MISS, 5, 0, 0, 4096, 0, HANDOFF_GONE },
		{ HANDOFF_MISS, 0, 0, 1024 * CHUNK_BYTES, 4096, 0,
		  HANDOFF_INVALID },
		{ HANDOFF_MISS, 0, 0, UINT64_MAX, 4096, 0, HANDOFF_INVALID },
		{ HANDOFF_MISS, 0, 0, CHUNK_BYTES - 512, 1024, 0,
		  HANDOFF_INVALID },
		{ HANDOFF_MISS, 0, 0, 512, UINT64_MAX, 0, HANDOFF_INVALID },
		{ HANDOFF_DISCARD, 0, 0, 0, 4096, 0, HANDOFF_INVALID },
		{ HANDOFF_DISCARD, 0, 0, 512, CHUNK_BYTES, 0, HANDOFF_INVALID },
		{ HANDOFF_BARRIER, 0, 9, 0, 0, 0, HANDOFF_GONE },
		{ HANDOFF_NO_VOLUME, 7, 0, 0, 0, 0, HANDOFF_GONE },
		{ HANDOFF_DRIVE_ERROR, 0, 0, 0, 0, 77, HANDOFF_INVALID },
		{ HANDOFF_DRIVE_ERROR, 0, 0, 0, 0, HANDOFF_NO_DRIVE,
		  HANDOFF_INVALID },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct handoff_request r = {
			.kind = cases[i].kind,
			.volume = cases[i].volume,
			.generation = f->h.volumes[0].generation +
			              cases[i].generation,
			.address = cases[i].address,
			.length = cases[i].length,
			.drive = cases[i].drive,
		};
		unsigned got = fake_ask(f, r);

		if (got != FAKE_COMPLETE(cases[i].status))
			fail_msg("case %zu: %x", i, got);
	}
	assert_int_equal(f->h.volumes[0].changes, 0);
	/* an answer to I/O that nobody asked for */
	assert_int_equal(
		fake_ask(f, (struct handoff_request){ .kind = HANDOFF_META_DONE,
	                                              .tag = 77 }),
		0);
	fake_free(f);
}

static void calls_refuse_with_words(void **state)
{
	struct fake *f = fake_new(4, 16 * FAKE_MIB, 3);
	uint16_t twice[] = { 1, 1 }, none[] = { 7 };

	(void)state;
	assert_int_equal(fake_pool(f, "-p", 2), -EINVAL);
	slow_pool_create(f->slow, "p", twice, 2, fake_done, f);
	assert_int_equal(fake_wait(f), -EINVAL);
	slow_pool_create(f->slow, "p", none, 1, fake_done, f);
	assert_int_equal(fake_wait(f), -ENOENT);
	assert_int_equal(fake_volume(f, "v", 8, RAID0), -ENOENT);
	assert_int_equal(fake_pool(f, "p", 2), 0);
	assert_int_equal(fake_pool(f, "p", 2), -EEXIST);
	assert_int_equal(fake_pool(f, "q", 2), -EBUSY);
	assert_int_equal(fake_volume(f, "v", 8, RAID5), -EINVAL);
	assert_int_equal(fake_volume(f, "v/w", 8, RAID1), -EINVAL);
	assert_int_equal(fake_volume(f, "v", 0, RAID1), -EINVAL);
	assert_int_equal(fake_volume(f, "v", UINT64_C(1) << 40, RAID1),
	                 -EINVAL);
	assert_int_equal(fake_volume(f, "v", FAKE_TABLE + 1, RAID1), -ENOSPC);
	assert_int_equal(fake_volume(f, "v", 8, RAID1), 0);
	assert_int_equal(fake_volume(f, "v", 8, RAID1), -EEXIST);
	assert_int_equal(fake_delete(f, "w"), -ENOENT);
	assert_true(strlen(f->err.text) > 20);
	fake_free(f);
}

static void a_drive_too_small_is_told_the_minimum(void **state)
{
	struct fake *f = fake_new(2, 5 * FAKE_MIB, 3);

	(void)state;
	assert_int_equal(fake_pool(f, "p", 2), -EINVAL);
	assert_non_null(strstr(f->err.text, "at least"));
	fake_free(f);
}

static void a_deleted_volume_gives_everything_back(void **state)
{
	struct fake *f = with_volume(4, RAID5);
	uint64_t n = 0;

	(void)state;
	assert_int_equal(fake_volume(f, "w", 1024, RAID1), 0);
	for (; n < 30; n++)
		assert_true(fake_store(f, 1, n, n));
	n = 0;
	while (fake_store(f, 0, n, n + 1))
		n++;
	assert_int_equal(fake_delete(f, "v"), 0);
	assert_int_equal(fake_find(f, "v"), -1);
	assert_int_equal(f->h.volumes[0].state, HANDOFF_VOLUME_FREE);
	assert_int_equal(f->h.pools[0].used_bytes, 30 * 2 * CHUNK_BYTES);
	assert_int_equal(fake_ask(f, fake_request(f, HANDOFF_MISS, 0, 1)),
	                 FAKE_COMPLETE(HANDOFF_GONE));
	while (fake_store(f, 1, n, n + 1))
		n++;
	fake_check_unique(f);
	assert_int_equal(fake_volume(f, "x", 1024, RAID5), 0);
	assert_int_equal(fake_find(f, "x"), 0);
	for (uint64_t i = 0; i < 1024; i++)
		assert_int_equal(*fake_entry(f, 0, i), 0);
	fake_free(f);
}

static void a_long_life_wraps_the_log(void **state)
{
	struct fake *f = with_volume(3, RAID1);
	struct slow_stats stats;

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		uint64_t at = fake_random(f) % 64;

		if (*fake_entry(f, 0, at))
			assert_true(fake_discard(f, 0, at));
		else
			assert_true(fake_store(f, 0, at, i));
		if (i % 3 == 0)
			assert_true(fake_barrier(f, 0));
	}
	slow_stats(f->slow, &stats);
	assert_true(stats.commits >= 1000);
	assert_true(stats.checkpoints > 3);
	fake_check_unique(f);
	fake_free(f);
}

static void commits_happen_by_themselves_in_time(void **state)
{
	struct fake *f = fake_new(2, 16 * FAKE_MIB, 1);

	(void)state;
	fake_stop(f);
	f->commit_interval_ms = 1000;
	f->h.header->slow_state = 0;
	fake_start(f);
	assert_int_equal(fake_pool(f, "p", 2), 0);
	assert_int_equal(fake_volume(f, "v", 64, RAID1), 0);
	fake_sleep(f, 1100);
	assert_true(fake_store(f, 0, 1, 1));
	fake_sleep(f, 500);
	assert_int_equal(f->h.volumes[0].committed, 0);
	fake_sleep(f, 600);
	assert_int_equal(f->h.volumes[0].committed, 1);
	fake_free(f);
}

/* shows V12 */
static void a_failed_drive_is_out_once_that_is_durable(void **state)
{
	struct fake *f = with_volume(4, RAID5);
	struct handoff_request r;
	struct slow_member members[4];

	(void)state;
	for (uint64_t i = 0; i < 20; i++)
		assert_true(fake_store(f, 0, i, i));
	r = fake_request(f, HANDOFF_DRIVE_ERROR, 0, 3);
	r.drive = 1;
	assert_int_equal(fake_ask(f, r), FAKE_RESUMED);
	assert_int_equal(f->h.drives[1].role, HANDOFF_FAILED);
	assert_int_equal(f->h.pools[0].state, HANDOFF_POOL_DEGRADED);
	assert_int_equal(fake_ask(f, r), FAKE_RESUMED); /* again */
	r.drive = 2; /* a second one is one too many */
	assert_int_equal(fake_ask(f, r), FAKE_COMPLETE(HANDOFF_IO_ERROR));
	assert_int_equal(f->h.drives[2].role, HANDOFF_ONLINE);
	slow_drive_fail(f->slow, 2, fake_done, f);
	assert_int_equal(fake_wait(f), -EBUSY);
	assert_int_equal(slow_pool_members(f->slow, 0, members, 4), 4);
	assert_int_equal(members[1].state, SLOW_MEMBER_FAILED);
	assert_true(fake_store(f, 0, 100, 1));
	assert_true(fake_barrier(f, 0));
	fake_free(f);
}

static void a_holder_that_fails_takes_nothing_with_it(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct fake *f = with_volume(5, RAID5);
		unsigned bad = (unsigned)seed % 5;
		uint64_t i = 0;

		f->seed += seed;
		for (; i < 10 + seed; i++)
			assert_true(fake_store(f, 0, i, i));
		f->drive[bad].broken = true;
		assert_true(fake_barrier(f, 0));
		assert_int_equal(f->h.drives[bad].role, HANDOFF_FAILED);
		for (; i < 200; i++)
			assert_true(fake_store(f, 0, i, i));
		assert_true(fake_barrier(f, 0));
		assert_int_equal(f->h.volumes[0].changes,
		                 f->h.volumes[0].committed);
		/* one more cannot be spared: a barrier says so */
		f->drive[(bad + 1) % 5].broken = true;
		assert_true(fake_store(f, 0, 300, 1));
		assert_false(fake_barrier(f, 0));
		f->drive[(bad + 1) % 5].broken = false;
		assert_true(fake_barrier(f, 0));
		fake_free(f);
	}
}

static void a_clean_stop_leaves_nothing_to_commit(void **state)
{
	struct fake *f = with_volume(3, RAID1);

	(void)state;
	assert_true(fake_store(f, 0, 1, 1));
	slow_quiesce(f->slow, fake_done, f);
	assert_int_equal(fake_wait(f), 0);
	assert_int_equal(f->h.volumes[0].committed, 1);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(f->drive[i].n_write, 0);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_miss_allocates_once),
		cmocka_unit_test(
			a_barrier_commits_what_is_mapped_and_not_what_is_new),
		cmocka_unit_test(
			a_full_pool_refuses_and_works_again_after_discard),
		cmocka_unit_test(a_discarded_chunk_waits_for_its_readers),
		cmocka_unit_test(a_discard_that_was_given_up_changes_nothing),
		cmocka_unit_test(another_pools_readers_delay_nothing),
		cmocka_unit_test(a_wait_ends_at_its_deadline),
		cmocka_unit_test(records_that_make_no_sense_are_refused),
		cmocka_unit_test(calls_refuse_with_words),
		cmocka_unit_test(a_drive_too_small_is_told_the_minimum),
		cmocka_unit_test(a_deleted_volume_gives_everything_back),
		cmocka_unit_test(a_long_life_wraps_the_log),
		cmocka_unit_test(commits_happen_by_themselves_in_time),
		cmocka_unit_test(a_failed_drive_is_out_once_that_is_durable),
		cmocka_unit_test(a_holder_that_fails_takes_nothing_with_it),
		cmocka_unit_test(a_clean_stop_leaves_nothing_to_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
