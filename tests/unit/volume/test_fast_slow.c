/* SPDX-License-Identifier: BSD-2-Clause */
/* The fast stack and a slow stack that sleeps, stops, dies and scribbles.
 * shows V11, V12, V14, V16, V21 */
#include "../test.h"

#include "rig.h"

#include "base/base.h"
#include "base/clock.h"

#include <errno.h>
#include <string.h>

#define CHUNKS 1000u
#define SIZE (CHUNKS * CHUNK_BYTES)
#define TURNS_MAX 2000000u /* a request that takes more has been lost */

static struct rig rig;
static uint8_t bytes[CHUNK_BYTES];

struct pending {
	struct block_request request;
	struct iovec iov;
	int err;
	unsigned answers;
};

static unsigned n_answers;

static void pending_done(struct block_request *q, int err)
{
	struct pending *p = container_of(q, struct pending, request);

	p->answers++;
	p->err = err;
	n_answers++;
}

static void submit(struct pending *p, enum block_op op, unsigned flags,
                   uint64_t offset, uint64_t length, void *data)
{
	p->answers = 0;
	p->iov = (struct iovec){ data, length };
	p->request = (struct block_request){ .op = op,
		                             .flags = flags,
		                             .offset = offset,
		                             .length = length,
		                             .iov = data ? &p->iov : NULL,
		                             .iov_count = data ? 1 : 0,
		                             .done = pending_done };
	block_submit(rig.volume, &p->request);
}

static void wait_for(const struct pending *p)
{
	for (unsigned i = 0; !p->answers; i++) {
		assert_true(i < TURNS_MAX);
		rig_poll(&rig);
	}
}

static void start(enum raid_profile profile, unsigned drives,
                  unsigned timeout_ms)
{
	rig_init_with(&rig,
	              &(struct rig_opts){ .profile = profile,
	                                  .n_drives = drives,
	                                  .size = SIZE,
	                                  .miss_timeout_ms = timeout_ms });
	n_answers = 0;
}

static struct pending misses[CHUNKS];

static void submit_misses(unsigned from, unsigned n)
{
	for (unsigned i = from; i < from + n; i++)
		submit(&misses[i], BLOCK_WRITE, 0, i * CHUNK_BYTES, 4096,
		       bytes);
}

/* The lane has fewer slots than this; the stand-in falls asleep when it has
 * answered those, and must be woken for the others. */
static void handoffs_that_waited_for_a_slot_wake_the_slow_stack(void **state)
{
	(void)state;
	start(RAID5, 5, 0);
	submit_misses(0, CHUNKS);
	for (unsigned i = 0; i < CHUNKS; i++) {
		wait_for(&misses[i]);
		assert_int_equal(misses[i].err, 0);
	}
	assert_int_equal(rig.next_chunk, CHUNKS);
	rig_fini(&rig);
}

static void sleep_ns(uint64_t ns)
{
	for (uint64_t end = clock_now_ns() + ns; clock_now_ns() < end;)
		;
}

static void wait_for_answers(unsigned n)
{
	for (unsigned i = 0; n_answers < n; i++) {
		assert_true(i < 20 * TURNS_MAX);
		rig_poll(&rig);
	}
}

static void all_that_wait_too_long_time_out_together(void **state)
{
	struct fast_stats stats;

	(void)state;
	start(RAID5, 5, 1);
	rig.stopped = true;
	submit_misses(0, CHUNKS);
	sleep_ns(2 * NS_PER_MS);
	wait_for_answers(1);
	assert_int_equal(n_answers, CHUNKS);
	for (unsigned i = 0; i < CHUNKS; i++) {
		assert_int_equal(misses[i].answers, 1);
		assert_int_equal(misses[i].err, -ETIMEDOUT);
	}
	fast_stats(rig.fast, &stats);
	assert_int_equal(stats.timeouts, CHUNKS);
	rig_fini(&rig);
}

static void pass_deadlines(void)
{
	for (unsigned i = 0; i < 4; i++) {
		sleep_ns(150 * NS_PER_MS);
		rig_poll(&rig);
	}
}

/* One that the slow stack has begun is answered by it, however late; one that
 * it has not is given up, and then it may not begin. */
static void a_discard_is_carried_out_or_given_up(void **state)
{
	static struct pending write, begun, given_up;
	struct handoff_request r;

	(void)state;
	start(RAID0, 2, 50);
	submit(&write, BLOCK_WRITE, 0, 0, 4096, bytes);
	wait_for(&write);
	assert_int_equal(write.err, 0);
	rig.stopped = true;
	submit(&begun, BLOCK_DISCARD, 0, 0, CHUNK_BYTES, NULL);
	rig_poll(&rig);
	assert_true(handoff_pop_request(&rig.handoff, 0, &r));
	assert_true(handoff_claim_take(&rig.handoff, 0, r.tag));
	pass_deadlines();
	assert_int_equal(begun.answers, 0);
	handoff_push_reply(&rig.handoff, 0,
	                   &(struct handoff_reply){ .tag = r.tag,
	                                            .kind = HANDOFF_COMPLETE });
	wait_for(&begun);
	assert_int_equal(begun.err, 0);

	submit(&given_up, BLOCK_DISCARD, 0, 0, CHUNK_BYTES, NULL);
	pass_deadlines();
	assert_int_equal(given_up.answers, 1);
	assert_int_equal(given_up.err, -ETIMEDOUT);
	assert_true(handoff_pop_request(&rig.handoff, 0, &r));
	assert_false(handoff_claim_take(&rig.handoff, 0, r.tag));
	rig_fini(&rig);
}

/* Records of hand-offs that timed out fill the ring of a stack that is
 * stopped.  When it goes on, what came last gets its turn. */
static void a_full_ring_delays_handoffs_and_loses_none(void **state)
{
	static struct pending last;

	(void)state;
	start(RAID5, 5, 400);
	rig.stopped = true;
	for (unsigned sent = 0; sent < HANDOFF_RING; sent += HANDOFF_RING / 4) {
		n_answers = 0;
		submit_misses(0, HANDOFF_RING / 4);
		wait_for_answers(HANDOFF_RING / 4);
	}
	submit(&last, BLOCK_WRITE, 0, 999 * CHUNK_BYTES, 4096, bytes);
	for (unsigned i = 0; i < 10; i++)
		rig_poll(&rig);
	assert_int_equal(last.answers, 0);
	rig.stopped = false;
	wait_for(&last);
	assert_int_equal(last.err, 0);
	rig_fini(&rig);
}

/* A strip of a fresh chunk takes three requests on a drive whose zeroes are
 * cheap: one failed drive, not three. */
static void a_drive_that_fails_a_first_write_is_one_drive(void **state)
{
	(void)state;
	for (unsigned drives = 2; drives <= 9; drives++) {
		uint64_t strip;

		start(drives == 2 ? RAID1 : RAID5, drives, 0);
		strip = UINT64_C(1) << rig.geometry.strip_shift;
		assert_true(rig.drive[1].device.cheap_zeroes);
		rig.drive[1].fail_writes = 3;
		assert_int_equal(rig_io(&rig, BLOCK_WRITE, 0,
		                        (drives == 2 ? 0 : strip) + 4096, 512,
		                        bytes),
		                 0);
		assert_int_equal(rig.drive[1].fail_writes, 0);
		assert_int_equal(rig.handoff.drives[1].role, HANDOFF_FAILED);
		rig_fini(&rig);
	}
}

/* -- what a scribbling slow stack can and cannot do ----------------------- */

static void a_volume_that_makes_no_sense_is_not_opened(void **state)
{
	static const struct {
		uint64_t size, table_base;
		uint32_t row_base;
		uint16_t pool;
		int err;
	} rows[] = {
		{ SIZE, RIG_TABLE_BASE, 0, 0, 0 },
		{ 0, RIG_TABLE_BASE, 0, 0, -EIO },
		{ SIZE + 1, RIG_TABLE_BASE, 0, 0, -EIO },
		{ SIZE + 511, RIG_TABLE_BASE, 0, 0, -EIO },
		{ UINT64_MAX, RIG_TABLE_BASE, 0, 0, -EIO },
		{ UINT64_MAX - 511, RIG_TABLE_BASE, 0, 0, -EIO },
		{ SIZE, 4096 - CHUNKS, 0, 0, 0 },
		{ SIZE, 4096 - CHUNKS + 1, 0, 0, -EIO },
		{ SIZE, 4097, 0, 0, -EIO },
		{ SIZE, UINT64_MAX - CHUNKS + 1, 0, 0, -EIO },
		{ SIZE, RIG_TABLE_BASE, 15 * HANDOFF_POOL_ROWS, 0, 0 },
		{ SIZE, RIG_TABLE_BASE, 15 * HANDOFF_POOL_ROWS + 1, 0, -EIO },
		{ SIZE, RIG_TABLE_BASE, UINT32_MAX, 0, -EIO },
		{ SIZE, RIG_TABLE_BASE, 0, HANDOFF_POOLS, -ENOENT },
		{ SIZE, RIG_TABLE_BASE, 0, UINT16_MAX, -ENOENT },
	};

	(void)state;
	start(RAID5, 5, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct handoff_volume *v = &rig.handoff.volumes[0];
		struct block_device *dev = NULL;

		v->size = rows[i].size;
		v->table_base = rows[i].table_base;
		v->row_base = rows[i].row_base;
		v->pool = rows[i].pool;
		assert_int_equal(fast_volume_open(rig.fast, "p/v", &dev, NULL),
		                 rows[i].err);
		assert_int_equal(dev != NULL, rows[i].err == 0);
		block_close(dev);
	}
	rig_fini(&rig);
}

/* The grain comes from the drives, not from what memory says of them. */
static void a_scribbled_grain_changes_no_volume(void **state)
{
	struct block_device *dev;

	(void)state;
	start(RAID5, 5, 0);
	for (unsigned i = 0; i < 5; i++)
		rig.handoff.drives[i].grain = i % 2 ? 12345 : 1u << 31;
	assert_int_equal(fast_volume_open(rig.fast, "p/v", &dev, NULL), 0);
	assert_int_equal(dev->grain, BLOCK_SECTOR);
	block_close(dev);
	rig_fini(&rig);
}

static void an_extent_outside_its_drive_is_an_error_of_no_drive(void **state)
{
	static const struct {
		uint64_t data_start, extent_bytes;
		uint32_t extent;
	} rows[] = {
		{ RIG_DATA_START, RIG_EXTENT, RIG_EXTENTS },
		{ RIG_DATA_START, RIG_EXTENT, UINT32_MAX },
		{ RIG_DATA_START, UINT64_C(1) << 32, UINT32_MAX },
		{ UINT64_MAX - 4095, RIG_EXTENT, 0 },
		{ UINT64_MAX, RIG_EXTENT, 0 },
		{ RIG_DATA_START + 1, RIG_EXTENT, 0 },
		{ 0, (UINT64_C(1) << 40) + 256, 1 },
	};
	static const enum block_op ops[] = { BLOCK_READ, BLOCK_WRITE };

	(void)state;
	for (unsigned p = 0; p < 2; p++) {
		start(p ? RAID5 : RAID1, p ? 5 : 2, 0);
		assert_int_equal(
			rig_io(&rig, BLOCK_WRITE, 0, 0, CHUNK_BYTES, bytes), 0);
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			struct handoff_row *row = &rig.handoff.rows[0];

			row->data_start = rows[i].data_start;
			row->extent_bytes = rows[i].extent_bytes;
			for (unsigned m = 0; m < row->width; m++)
				row->extent[m] = rows[i].extent;
			for (unsigned o = 0; o < ARRAY_LEN(ops); o++) {
				assert_int_equal(rig_io(&rig, ops[o], 0, 4096,
				                        4096, bytes),
				                 -EIO);
				assert_int_equal(rig_io(&rig, ops[o], 0, 0,
				                        CHUNK_BYTES, bytes),
				                 -EIO);
			}
		}
		for (unsigned d = 0; d < rig.n_drives; d++) {
			assert_int_equal(rig.drive[d].refused, 0);
			assert_int_equal(rig.handoff.drives[d].role,
			                 HANDOFF_ONLINE);
			assert_int_equal(rig.handoff.drives[d].read_errors, 0);
			assert_int_equal(rig.handoff.drives[d].write_errors, 0);
		}
		rig_fini(&rig);
	}
}

/* -- drives that go ------------------------------------------------------- */

struct signal {
	struct task task;
	bool set;
};

static void set(struct task *t)
{
	container_of(t, struct signal, task)->set = true;
}

/* Writes that it has in its cache are neither durable nor lost until the slow
 * stack has taken it out of its pool. */
static void a_flush_reports_a_member_that_was_closed(void **state)
{
	struct signal closed = { .task.run = set };

	(void)state;
	start(RAID5, 5, 0);
	assert_int_equal(rig_io(&rig, BLOCK_WRITE, 0, 0, 4096, bytes), 0);
	assert_int_equal(rig_io(&rig, BLOCK_FLUSH, 0, 0, 0, NULL), 0);
	fast_drive_close(rig.fast, 2, &closed.task);
	while (!closed.set)
		rig_poll(&rig);
	assert_int_equal(rig_io(&rig, BLOCK_FLUSH, 0, 0, 0, NULL), 0);
	assert_int_equal(rig.kinds[HANDOFF_DRIVE_ERROR], 1);
	assert_int_equal(rig.handoff.drives[2].role, HANDOFF_FAILED);
	assert_int_equal(rig_io(&rig, BLOCK_FLUSH, 0, 0, 0, NULL), 0);
	assert_int_equal(rig.kinds[HANDOFF_DRIVE_ERROR], 1);
	rig_fini(&rig);
}

static void a_flush_that_a_drive_fails_is_reported(void **state)
{
	(void)state;
	start(RAID5, 5, 0);
	rig.drive[3].fail_flushes = 1;
	assert_int_equal(rig_io(&rig, BLOCK_FLUSH, 0, 0, 0, NULL), 0);
	assert_int_equal(rig.handoff.drives[3].role, HANDOFF_FAILED);
	rig.drive[2].fail_flushes = 1;
	rig.refuse_drive_errors = true;
	assert_int_equal(rig_io(&rig, BLOCK_FLUSH, 0, 0, 0, NULL), -EIO);
	rig_fini(&rig);
}

/* The slow stack waits for readers before it gives a chunk out again: those
 * whom it keeps waiting must not be among them. */
static void who_waits_for_the_slow_stack_reads_nothing(void **state)
{
	const struct handoff_lane *lane;
	struct pending p[3];

	(void)state;
	start(RAID1, 2, 0);
	lane = &rig.handoff.lanes[0];
	rig.stopped = true;
	submit(&p[0], BLOCK_WRITE, 0, 0, 4096, bytes);
	submit(&p[1], BLOCK_WRITE, 0, 0, 8192, bytes); /* for its lock */
	rig.handoff.volumes[0].changes++;
	submit(&p[2], BLOCK_FLUSH, 0, 0, 0, NULL);
	for (unsigned i = 0; i < 100; i++)
		rig_poll(&rig);
	assert_int_equal(p[0].answers + p[1].answers + p[2].answers, 0);
	assert_int_equal(lane->inflight[0][0] + lane->inflight[0][1], 0);
	rig.stopped = false;
	while (p[0].answers + p[1].answers + p[2].answers < 3)
		rig_poll(&rig);
	assert_int_equal(p[0].err | p[1].err | p[2].err, 0);
	assert_int_equal(lane->inflight[0][0] + lane->inflight[0][1], 0);
	rig_fini(&rig);
}

/*
 * A drive misses a write, or loses what it had cached, while nobody is there
 * to decide; its client is told.  When it does what it is asked again, its
 * parity is stale all the same: it must not be relied on before the slow
 * stack has heard of it.
 */
static void a_failed_write_is_not_forgotten_by_a_timeout(void **state)
{
	(void)state;
	for (unsigned d = 0; d < 5; d++) {
		start(RAID5, 5, 1);
		assert_int_equal(rig_io(&rig, BLOCK_WRITE, 0, 0, 4096, bytes),
		                 0);
		rig.stopped = true;
		rig.drive[d].fail_writes = 1;
		memset(bytes, 1 + (int)d, sizeof(bytes));
		for (unsigned i = 0; i < 4 && rig.drive[d].fail_writes; i++)
			rig_io(&rig, BLOCK_WRITE, 0, i * 16384u, 4096, bytes);
		assert_int_equal(rig.drive[d].fail_writes, 0);
		assert_int_equal(rig.handoff.drives[d].role, HANDOFF_ONLINE);
		rig.stopped = false;
		rig_replace_slow(&rig);
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(rig_io(&rig, BLOCK_WRITE, 0,
			                        i * 16384u, 4096, bytes),
			                 0);
		assert_int_equal(rig.handoff.drives[d].role, HANDOFF_FAILED);
		rig_fini(&rig);
	}
}

static void a_failed_flush_is_not_forgotten_by_a_timeout(void **state)
{
	(void)state;
	start(RAID5, 5, 1);
	rig.stopped = true;
	rig.drive[3].fail_flushes = 1;
	assert_int_equal(rig_io(&rig, BLOCK_FLUSH, 0, 0, 0, NULL), -ETIMEDOUT);
	assert_int_equal(rig_io(&rig, BLOCK_FLUSH, 0, 0, 0, NULL), -ETIMEDOUT);
	rig.stopped = false;
	assert_int_equal(rig_io(&rig, BLOCK_FLUSH, 0, 0, 0, NULL), 0);
	assert_int_equal(rig.handoff.drives[3].role, HANDOFF_FAILED);
	rig_fini(&rig);
}

/* Reads that need redundancy wait for their columns; when they get them the
 * chunk is gone.  They must not wait for each other then. */
static void reads_of_a_chunk_that_went_while_they_waited_end(void **state)
{
	static struct pending discard, reads[3];
	static uint8_t data[3][CHUNK_BYTES];

	(void)state;
	start(RAID5, 5, 0);
	memset(bytes, 7, sizeof(bytes));
	assert_int_equal(rig_io(&rig, BLOCK_WRITE, 0, 0, CHUNK_BYTES, bytes),
	                 0);
	rig_set_role(&rig, 1, HANDOFF_FAILED);
	rig.stopped = true;
	submit(&discard, BLOCK_DISCARD, 0, 0, CHUNK_BYTES, NULL);
	for (unsigned i = 0; i < 3; i++)
		submit(&reads[i], BLOCK_READ, 0, 0, CHUNK_BYTES, data[i]);
	for (unsigned i = 0; i < 20; i++)
		rig_poll(&rig);
	assert_int_equal(discard.answers + reads[0].answers, 0);
	rig.stopped = false;
	for (unsigned i = 0; i < 3; i++) {
		wait_for(&reads[i]);
		assert_int_equal(reads[i].err, 0);
		for (unsigned k = 0; k < CHUNK_BYTES; k++)
			assert_int_equal(data[i][k], 0);
	}
	wait_for(&discard);
	rig_fini(&rig);
}

/* -- a million hand-offs, and a stack that keeps dying -------------------- */

#define HANDOFFS 1000000u
#define AT_ONCE 600u

static uint64_t n_submitted;

static void submit_something(struct pending *p)
{
	uint64_t r = rig_random(&rig);
	uint64_t chunk = (r >> 8) % CHUNKS;

	n_submitted++;
	if (r % 32 == 0)
		submit(p, BLOCK_WRITE, 0, chunk * CHUNK_BYTES, 4096, bytes);
	else if (r % 32 == 1)
		submit(p, BLOCK_DISCARD, 0, chunk * CHUNK_BYTES, CHUNK_BYTES,
		       NULL);
	else if (r % 32 == 2)
		submit(p, BLOCK_WRITE_ZEROES, BLOCK_FUA, chunk * CHUNK_BYTES,
		       CHUNK_BYTES, NULL);
	else
		submit(p, BLOCK_FLUSH, 0, 0, 0, NULL);
}

static void a_million_handoffs_to_a_mortal_stack_are_answered_once(void **state)
{
	static struct pending p[AT_ONCE];
	struct fast_stats stats = { 0 };
	uint64_t polls = 0, deaths = 0, answers = 0;

	(void)state;
	start(RAID5, 5, 0);
	rig.delay = 8;
	rig.fixed_places = true;
	rig.restless = true;
	rig.handoff.volumes[0].changes = 1;
	for (unsigned i = 0; i < AT_ONCE; i++)
		submit_something(&p[i]);
	while (answers < n_submitted) {
		rig_poll(&rig);
		fast_stats(rig.fast, &stats);
		for (unsigned i = 0; i < AT_ONCE; i++) {
			if (!p[i].request.done || !p[i].answers)
				continue;
			assert_int_equal(p[i].answers, 1);
			assert_int_equal(p[i].err, 0);
			answers++;
			p[i].request.done = NULL;
			if (stats.handoffs < HANDOFFS)
				submit_something(&p[i]);
		}
		if (++polls % 64 == 0 && rig_random(&rig) % 4 == 0) {
			rig_replace_slow(&rig);
			deaths++;
		}
	}
	assert_int_equal(answers, n_answers);
	assert_true(stats.handoffs >= HANDOFFS);
	assert_int_equal(stats.timeouts, 0);
	assert_int_equal(stats.bad_replies, 0);
	assert_true(stats.misses > 5000 && stats.discards > 5000);
	assert_true(deaths > 20);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			handoffs_that_waited_for_a_slot_wake_the_slow_stack),
		cmocka_unit_test(all_that_wait_too_long_time_out_together),
		cmocka_unit_test(a_discard_is_carried_out_or_given_up),
		cmocka_unit_test(a_full_ring_delays_handoffs_and_loses_none),
		cmocka_unit_test(a_drive_that_fails_a_first_write_is_one_drive),
		cmocka_unit_test(who_waits_for_the_slow_stack_reads_nothing),
		cmocka_unit_test(a_volume_that_makes_no_sense_is_not_opened),
		cmocka_unit_test(a_scribbled_grain_changes_no_volume),
		cmocka_unit_test(
			an_extent_outside_its_drive_is_an_error_of_no_drive),
		cmocka_unit_test(a_flush_reports_a_member_that_was_closed),
		cmocka_unit_test(a_flush_that_a_drive_fails_is_reported),
		cmocka_unit_test(a_failed_write_is_not_forgotten_by_a_timeout),
		cmocka_unit_test(a_failed_flush_is_not_forgotten_by_a_timeout),
		cmocka_unit_test(
			reads_of_a_chunk_that_went_while_they_waited_end),
		cmocka_unit_test(
			a_million_handoffs_to_a_mortal_stack_are_answered_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
