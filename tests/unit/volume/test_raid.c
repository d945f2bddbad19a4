/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RAID arithmetic in one chunk, against a flat copy of it: every loss that a
 * profile tolerates, vectors cut anyhow, more ops than scratch memory.
 * shows V6, V12, V14
 */
#include "../test.h"

#include "raid_row.h"

#include "base/base.h"

#include <errno.h>
#include <string.h>

/* -- ranges --------------------------------------------------------------- */

#define POINTS_MAX 16u

/* Places in a chunk where something begins, ends, or is crossed. */
static unsigned make_points(uint32_t *out)
{
	uint32_t strip = 1u << geometry.strip_shift;
	const uint32_t all[] = {
		0,
		512,
		strip / 2,
		strip - 512,
		strip,
		strip + 512,
		2 * strip - 512,
		2 * strip,
		(uint32_t)CHUNK_BYTES - strip,
		(uint32_t)CHUNK_BYTES - 512,
		(uint32_t)CHUNK_BYTES,
	};
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i] <= CHUNK_BYTES && (n == 0 || all[i] > out[n - 1]))
			out[n++] = all[i];
	return n;
}

typedef void (*range_fn)(uint32_t index, uint32_t offset, uint32_t length);

static void for_each_range(uint32_t index, range_fn f)
{
	uint32_t points[POINTS_MAX];
	unsigned n = make_points(points);

	for (unsigned a = 0; a < n; a++)
		for (unsigned b = a + 1; b < n; b++)
			f(index, points[a], points[b] - points[a]);
}

static void read_range(uint32_t index, uint32_t offset, uint32_t length)
{
	memset(buffer, 0xdd, length);
	assert_int_equal(row_run(RAID_READ, index, offset, length, buffer), 0);
	assert_memory_equal(buffer, model + offset, length);
}

static void write_range(uint32_t index, uint32_t offset, uint32_t length)
{
	row_randomise(model + offset, length);
	assert_int_equal(
		row_run(RAID_WRITE, index, offset, length, model + offset), 0);
	row_check_chunk(index);
}

static void fill_range(uint32_t index, uint32_t offset, uint32_t length)
{
	memset(model, 0, sizeof(model));
	row_randomise(model + offset, length);
	assert_int_equal(
		row_run(RAID_FILL, index, offset, length, model + offset), 0);
	row_check_chunk(index);
}

static void every_range_survives_every_loss(void **state)
{
	static const range_fn kinds[] = { read_range, write_range, fill_range };

	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(shapes); s++) {
		bool redundant = s >= ROW_FIRST_REDUNDANT;

		row_start(s, 0x155);
		for (unsigned lost = 0; lost <= geometry.width; lost++) {
			unsigned drive =
				lost == geometry.width ? ROW_NOBODY : lost;

			if (drive != ROW_NOBODY && !redundant)
				continue;
			for (uint32_t i = 0; i < 2; i++) {
				uint32_t index = i * (geometry.width + 1u);

				for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
					row_fresh_chunk(index);
					row_lose(drive);
					for_each_range(index, kinds[k]);
					row_find_again(drive);
				}
			}
		}
		row_end();
	}
}

static void without_redundancy_a_loss_is_an_error(void **state)
{
	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(shapes); s++) {
		unsigned tolerance = geometry_tolerance(shapes[s].profile);

		row_start(s, 0);
		row_fresh_chunk(0);
		for (unsigned i = 0; i <= tolerance; i++)
			row_lose(i);
		/* What can still be reached is right or refused. */
		for (uint32_t at = 0; at < CHUNK_BYTES; at += 4096) {
			int err = row_run(RAID_READ, 0, at, 4096, buffer);

			assert_true(err == 0 || err == -EIO);
			if (!err && tolerance)
				assert_memory_equal(buffer, model + at, 4096);
		}
		assert_int_equal(row_run(RAID_READ, 0, 0, CHUNK_BYTES, buffer),
		                 -EIO);
		assert_int_equal(row_run(RAID_WRITE, 0, 0, CHUNK_BYTES, buffer),
		                 -EIO);
		assert_int_equal(row_run(RAID_FILL, 0, 512, 512, buffer), -EIO);
		row_end();
	}
}

/* -- vectors -------------------------------------------------------------- */

/* Cut `bytes` into n entries at random multiples of `unit`. */
static void cut(uint8_t *bytes, uint32_t length, uint32_t unit,
                struct iovec *iov, unsigned n)
{
	uint32_t units = length / unit;

	for (unsigned i = 0; i < n; i++) {
		uint32_t mine =
			i == n - 1 ? units
				   : (uint32_t)(rig_next(&seed) % (units + 1));

		if (rig_next(&seed) % 3 == 0 && i < n - 1 && mine)
			mine = 1;
		iov[i] = (struct iovec){ bytes, (size_t)mine * unit };
		bytes += (size_t)mine * unit;
		units -= mine;
	}
	iov[n - 1].iov_len += length % unit;
}

static void vectors_cut_anyhow_are_one_buffer(void **state)
{
	static const uint32_t units[] = { 512, 4096, 1, 13 };
	struct iovec iov[RAID_IOV_IN];

	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(shapes); s++) {
		row_start(s, 0x0aa);
		for (unsigned step = 0; step < 600; step++) {
			uint64_t r = rig_next(&seed);
			uint32_t offset = (uint32_t)(r % 128) * 512;
			uint32_t length =
				(uint32_t)((r >> 8) % (128 - offset / 512) +
			                   1) *
				512;
			unsigned n = (unsigned)((r >> 16) % RAID_IOV_IN) + 1;
			uint32_t unit = units[(r >> 24) % ARRAY_LEN(units)];
			enum raid_kind kind = (enum raid_kind)((r >> 32) % 3);

			if (step % 100 == 0) {
				if (step == 300 && s >= ROW_FIRST_REDUNDANT)
					row_lose(1);
				row_fresh_chunk(3);
			}
			if (kind == RAID_READ) {
				memset(buffer, 0xdd, length);
				cut(buffer, length, unit, iov, n);
				assert_int_equal(row_run_iov(kind, 3, offset,
				                             length, iov, n),
				                 0);
				assert_memory_equal(buffer, model + offset,
				                    length);
				continue;
			}
			if (kind == RAID_FILL)
				memset(model, 0, sizeof(model));
			row_randomise(model + offset, length);
			cut(model + offset, length, unit, iov, n);
			assert_int_equal(
				row_run_iov(kind, 3, offset, length, iov, n),
				0);
			row_check_chunk(3);
		}
		row_end();
	}
}

/*
 * The bound on entries: RAID_IOV_IN of them, all in one strip or as many as
 * there are in each, on every range of sectors.  raid.c asserts that they
 * fit; here is every way to need many.
 */
static void no_op_needs_more_entries_than_there_are(void **state)
{
	struct iovec iov[RAID_IOV_IN];
	unsigned most = 0;

	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(shapes); s++) {
		row_start(s, 0);
		row_fresh_chunk(0);
		for (unsigned k = 0; k < 128u * 128u; k++) {
			uint32_t from = k / 128 * 512, to = (k % 128 + 1) * 512;
			uint32_t length = to - from;

			if (to <= from || length < RAID_IOV_IN * 16)
				continue;
			for (unsigned way = 0; way < 4; way++) {
				uint32_t small =
					way < 2 ? 16 : length / RAID_IOV_IN;
				uint8_t *at = buffer;

				for (unsigned i = 0; i < RAID_IOV_IN; i++) {
					bool rest =
						way == 0 ? i == 0
							 : i == RAID_IOV_IN - 1;

					iov[i].iov_base = at;
					iov[i].iov_len =
						rest ? length - (RAID_IOV_IN -
					                         1) * small
						     : small;
					at += iov[i].iov_len;
				}
				row_submit(&single,
				           way % 2 ? RAID_FILL : RAID_WRITE,
				           RAID_LOCKED, 0, from, length, iov,
				           RAID_IOV_IN);
				while (!single.done)
					row_turn();
				assert_int_equal(single.err, 0);
				if (single.op.n_iov > most)
					most = single.op.n_iov;
			}
		}
		row_end();
	}
	assert_true(most > 50 && most <= RAID_IOV);
}

/* -- many at once --------------------------------------------------------- */

#define MANY 300u

static void more_ops_than_scratch_memory_all_end(void **state)
{
	static struct run runs[MANY];
	static uint8_t data[MANY][1024];
	static struct iovec iov[MANY];
	unsigned waited = 0;

	(void)state;
	row_start(6, 0);
	for (unsigned i = 0; i < geometry.width; i++)
		drives[i].held = &held;
	for (unsigned round = 0; round < 6; round++) {
		if (round == 3)
			row_lose(2);
		for (uint32_t c = 0; c < 16; c++)
			row_fresh_chunk(c);
		for (unsigned i = 0; i < MANY; i++) {
			/* Columns of their own: nothing excludes anything. */
			uint32_t chunk = i % 16, column = i / 16 * 512;

			row_randomise(data[i], 1024);
			iov[i] = (struct iovec){ data[i], 512 };
			row_submit(&runs[i], RAID_WRITE, RAID_LOCKED, chunk,
			           column + (i % 4) * 16384, 512, &iov[i], 1);
		}
		waited += worker.scratch.used == RAID_SCRATCH_MAX;
		for (unsigned i = 0; i < MANY; i++) {
			while (!runs[i].done)
				row_turn();
			assert_int_equal(runs[i].err, 0);
		}
		assert_int_equal(worker.scratch.used, 0);
		assert_true(worker.scratch.made <= RAID_SCRATCH_MAX);
		for (unsigned i = 0; i < MANY; i++) {
			assert_int_equal(row_run(RAID_READ, i % 16,
			                         i / 16 * 512 + (i % 4) * 16384,
			                         512, buffer),
			                 0);
			assert_memory_equal(buffer, data[i], 512);
		}
	}
	assert_true(waited >= 3);
	row_end();
}

static uint64_t warm_writes(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < ROW_DRIVES; i++) {
		n += drives[i].warm;
		drives[i].warm = 0;
	}
	return n;
}

/* Data and parity are read first where part of a parity stripe is written and
 * all of it is there, and nowhere else. */
static void a_write_is_warm_where_the_old_data_were_read(void **state)
{
	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(shapes); s++) {
		unsigned part = shapes[s].profile == RAID5 ? 2 : 0;

		row_start(s, 0);
		row_fresh_chunk(0);
		warm_writes();
		row_run(RAID_WRITE, 0, 0, 4096, buffer);
		assert_int_equal(warm_writes(), part);
		row_run(RAID_WRITE, 0, 0, CHUNK_BYTES, buffer);
		row_run(RAID_FILL, 0, 512, 4096, buffer);
		assert_int_equal(warm_writes(), 0);
		row_lose(row.drive[geometry_data_member(&geometry, 0, 0)]);
		row_run(RAID_WRITE, 0, 0, 4096, buffer);
		assert_int_equal(warm_writes(), 0);
		row_end();
	}
}

static void never_done(struct raid_op *op, int err)
{
	(void)op;
	(void)err;
	fail();
}

static void rows_that_make_no_sense_are_refused(void **state)
{
	static const struct iovec iov = { buffer, 512 };
	struct handoff_row good;
	struct run r;

	(void)state;
	row_start(6, 0);
	good = row;
	r.op.kind = RAID_READ;
	r.op.flags = 0;
	r.op.offset = 0;
	r.op.length = 512;
	r.op.iov = &iov;
	r.op.iov_count = 1;
	r.op.done = never_done;
#define REFUSED(field, value, index)                                           \
	do {                                                                   \
		row = good;                                                    \
		row.field = value;                                             \
		assert_int_equal(raid_submit(&worker, &row, index, &r.op),     \
		                 -EINVAL);                                     \
	} while (0)
	REFUSED(state, 0, 0);
	REFUSED(state, 2, 0);
	REFUSED(profile, 2, 0);
	REFUSED(profile, RAID0, 0);
	REFUSED(width, 0, 0);
	REFUSED(width, 6, 0);
	REFUSED(width, 255, 0);
	REFUSED(data, 0, 0);
	REFUSED(data, 8, 0);
	REFUSED(strip_shift, 0, 0);
	REFUSED(strip_shift, 63, 0);
	REFUSED(strip_shift, 255, 0);
	REFUSED(extent_bytes, 0, 0);
	REFUSED(extent_bytes, ROW_EXTENT, ROW_EXTENT >> good.strip_shift);
	REFUSED(extent_bytes, ROW_EXTENT, UINT32_MAX);
#undef REFUSED
	row_end();
}

static void drives_that_do_not_exist_take_no_part(void **state)
{
	(void)state;
	row_start(6, 0);
	row_fresh_chunk(0);
	drives[row.drive[2]].reads = 0;
	row.drive[2] = HANDOFF_NO_DRIVE;
	read_range(0, 0, CHUNK_BYTES);
	row.drive[3] = HANDOFF_DRIVES;
	assert_int_equal(row_run(RAID_READ, 0, 0, CHUNK_BYTES, buffer), -EIO);
	assert_int_equal(row_run(RAID_WRITE, 0, 0, CHUNK_BYTES, buffer), -EIO);
	row_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_range_survives_every_loss),
		cmocka_unit_test(without_redundancy_a_loss_is_an_error),
		cmocka_unit_test(vectors_cut_anyhow_are_one_buffer),
		cmocka_unit_test(no_op_needs_more_entries_than_there_are),
		cmocka_unit_test(more_ops_than_scratch_memory_all_end),
		cmocka_unit_test(a_write_is_warm_where_the_old_data_were_read),
		cmocka_unit_test(rows_that_make_no_sense_are_refused),
		cmocka_unit_test(drives_that_do_not_exist_take_no_part),
	};

	return row_run_tests(tests, ARRAY_LEN(tests));
}
