/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "base/base.h"
#include "block/block.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define SIZE 65536u

static const struct block_device dev = { .size = SIZE, .grain = 512 };
static const struct block_device coarse = { .size = SIZE, .grain = 4096 };
/* As large as a device can be: only subtraction keeps the bound right. */
static const struct block_device vast = { .size = UINT64_MAX - 511,
	                                  .grain = 512 };

static uint8_t memory[SIZE];

#define TOP (UINT64_MAX - 511)

static const struct {
	const struct block_device *dev;
	enum block_op op;
	unsigned flags;
	uint64_t offset;
	uint64_t length;
	size_t iov[3]; /* lengths */
	unsigned iov_count;
	int want;
} rows[] = {
	/* clang-format off */
	/* well formed */
	{ &dev, BLOCK_READ,  0, 0, 512, { 512 }, 1, 0 },
	{ &dev, BLOCK_READ,  0, 0, SIZE, { SIZE }, 1, 0 },
	{ &dev, BLOCK_READ,  0, SIZE - 512, 512, { 512 }, 1, 0 },
	{ &dev, BLOCK_WRITE, 0, 512, 1024, { 1, 0, 1023 }, 3, 0 },
	{ &dev, BLOCK_WRITE, BLOCK_FUA, 512, 512, { 512 }, 1, 0 },
	{ &dev, BLOCK_FLUSH, 0, 0, 0, { 0 }, 0, 0 },
	{ &dev, BLOCK_DISCARD, 0, 0, SIZE, { 0 }, 0, 0 },
	{ &dev, BLOCK_WRITE_ZEROES, 0, 0, 512, { 0 }, 0, 0 },
	{ &dev, BLOCK_WRITE_ZEROES, BLOCK_FUA | BLOCK_NO_UNMAP, 0, 512, { 0 }, 0, 0 },
	{ &coarse, BLOCK_READ, 0, 4096, 4096, { 4096 }, 1, 0 },
	{ &vast, BLOCK_DISCARD, 0, TOP - 512, 512, { 0 }, 0, 0 },
	{ &vast, BLOCK_DISCARD, 0, 0, TOP, { 0 }, 0, 0 },
	/* alignment */
	{ &dev, BLOCK_READ, 0, 1, 512, { 512 }, 1, -EINVAL },
	{ &dev, BLOCK_READ, 0, 0, 511, { 511 }, 1, -EINVAL },
	{ &dev, BLOCK_READ, 0, 0, 513, { 513 }, 1, -EINVAL },
	{ &dev, BLOCK_READ, 0, 256, 256, { 256 }, 1, -EINVAL },
	{ &coarse, BLOCK_READ, 0, 512, 4096, { 4096 }, 1, -EINVAL },
	{ &coarse, BLOCK_READ, 0, 0, 512, { 512 }, 1, -EINVAL },
	{ &dev, BLOCK_DISCARD, 0, 100, 512, { 0 }, 0, -EINVAL },
	/* length */
	{ &dev, BLOCK_READ, 0, 0, 0, { 0 }, 1, -EINVAL },
	{ &dev, BLOCK_WRITE_ZEROES, 0, 0, 0, { 0 }, 0, -EINVAL },
	{ &dev, BLOCK_DISCARD, 0, 0, 0, { 0 }, 0, -EINVAL },
	{ &dev, BLOCK_FLUSH, 0, 0, 512, { 0 }, 0, -EINVAL },
	{ &dev, BLOCK_FLUSH, 0, 512, 0, { 0 }, 0, -EINVAL },
	/* bounds */
	{ &dev, BLOCK_READ, 0, SIZE, 512, { 512 }, 1, -ERANGE },
	{ &dev, BLOCK_READ, 0, SIZE - 512, 1024, { 1024 }, 1, -ERANGE },
	{ &dev, BLOCK_READ, 0, SIZE + 512, 512, { 512 }, 1, -ERANGE },
	{ &dev, BLOCK_DISCARD, 0, 0, SIZE + 512, { 0 }, 0, -ERANGE },
	{ &dev, BLOCK_DISCARD, 0, 512, TOP, { 0 }, 0, -ERANGE },
	{ &dev, BLOCK_DISCARD, 0, TOP, 512, { 0 }, 0, -ERANGE },
	{ &dev, BLOCK_DISCARD, 0, TOP, TOP, { 0 }, 0, -ERANGE },
	{ &vast, BLOCK_DISCARD, 0, TOP, 512, { 0 }, 0, -ERANGE },
	{ &vast, BLOCK_DISCARD, 0, 512, TOP, { 0 }, 0, -ERANGE },
	/* the vector */
	{ &dev, BLOCK_READ, 0, 0, 1024, { 512 }, 1, -EINVAL },
	{ &dev, BLOCK_READ, 0, 0, 512, { 1024 }, 1, -EINVAL },
	{ &dev, BLOCK_READ, 0, 0, 512, { 512, 512 }, 2, -EINVAL },
	{ &dev, BLOCK_READ, 0, 0, 512, { 512 }, 0, -EINVAL },
	{ &dev, BLOCK_READ, 0, 0, 512, { SIZE_MAX, 513 }, 2, -EINVAL },
	{ &dev, BLOCK_READ, 0, 0, 512, { 513, SIZE_MAX }, 2, -EINVAL },
	{ &dev, BLOCK_DISCARD, 0, 0, 512, { 512 }, 1, -EINVAL },
	{ &dev, BLOCK_WRITE_ZEROES, 0, 0, 512, { 512 }, 1, -EINVAL },
	{ &dev, BLOCK_FLUSH, 0, 0, 0, { 0 }, 1, -EINVAL },
	/* flags and operations */
	{ &dev, BLOCK_READ, BLOCK_FUA, 0, 512, { 512 }, 1, -EINVAL },
	{ &dev, BLOCK_WRITE, BLOCK_NO_UNMAP, 0, 512, { 512 }, 1, -EINVAL },
	{ &dev, BLOCK_READ, BLOCK_WARM, 0, 512, { 512 }, 1, -EINVAL },
	{ &dev, BLOCK_WRITE, BLOCK_WARM | BLOCK_FUA, 0, 512, { 512 }, 1, 0 },
	{ &dev, BLOCK_WRITE, 1u << 31, 0, 512, { 512 }, 1, -EINVAL },
	{ &dev, BLOCK_FLUSH, BLOCK_FUA, 0, 0, { 0 }, 0, -EINVAL },
	{ &dev, BLOCK_DISCARD, BLOCK_FUA, 0, 512, { 0 }, 0, -EINVAL },
	{ &dev, BLOCK_DISCARD, BLOCK_NO_UNMAP, 0, 512, { 0 }, 0, -EINVAL },
	{ &dev, (enum block_op)BLOCK_OPS, 0, 0, 512, { 512 }, 1, -EINVAL },
	{ &dev, (enum block_op)INT_MAX, 0, 0, 512, { 512 }, 1, -EINVAL },
	/* clang-format on */
};

static void checks_requests_at_their_edges(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct iovec iov[3];
		struct block_request q = {
			.op = rows[i].op,
			.flags = rows[i].flags,
			.offset = rows[i].offset,
			.length = rows[i].length,
			.iov_count = rows[i].iov_count,
		};
		int err;

		for (unsigned k = 0; k < 3; k++) {
			iov[k].iov_base = memory;
			iov[k].iov_len = rows[i].iov[k];
		}
		q.iov = rows[i].iov_count || rows[i].iov[0] ? iov : NULL;
		err = block_check(rows[i].dev, &q);
		if (err != rows[i].want)
			fail_msg("row %zu (%s): got %d, want %d", i,
			         block_op_name(q.op), err, rows[i].want);
	}
}

static void data_without_a_vector_is_refused(void **state)
{
	struct block_request q = { .op = BLOCK_READ,
		                   .length = 512,
		                   .iov_count = 1 };

	(void)state;
	assert_int_equal(block_check(&dev, &q), -EINVAL);
}

static void names_every_operation(void **state)
{
	(void)state;
	assert_string_equal(block_op_name(BLOCK_READ), "read");
	assert_string_equal(block_op_name(BLOCK_WRITE_ZEROES), "write-zeroes");
	assert_string_equal(block_op_name((enum block_op)99), "unknown");
}

static uint8_t source[64];

/* Entries of 10, 0, 1, 30 and 23 bytes: every kind of edge. */
static unsigned cut_up(struct iovec iov[5])
{
	static const size_t lengths[] = { 10, 0, 1, 30, 23 };
	uint8_t *p = source;

	for (unsigned i = 0; i < 5; i++) {
		iov[i].iov_base = p;
		iov[i].iov_len = lengths[i];
		p += lengths[i];
	}
	return 5;
}

static void every_slice_of_a_vector_is_that_part_of_it(void **state)
{
	struct iovec iov[5], out[5];
	unsigned n = cut_up(iov);
	uint8_t got[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(source); i++)
		source[i] = (uint8_t)(i + 1);
	for (unsigned from = 0; from <= 64; from++) {
		for (unsigned len = 0; from + len <= 64; len++) {
			int made = iov_slice(iov, n, from, len, out, 5);

			assert_in_range(made, len ? 1 : 0, 4);
			memset(got, 0, sizeof(got));
			iov_to_buffer(out, (unsigned)made, got);
			assert_memory_equal(got, source + from, len);
			for (unsigned k = len; k < 64; k++)
				assert_int_equal(got[k], 0);
		}
	}
}

static void a_slice_in_too_many_parts_is_refused(void **state)
{
	struct iovec iov[5], out[4];
	unsigned n = cut_up(iov);

	(void)state;
	out[3].iov_base = NULL;
	assert_int_equal(iov_slice(iov, n, 0, 64, out, 3), -E2BIG);
	assert_null(out[3].iov_base);
	assert_int_equal(iov_slice(iov, n, 0, 64, out, 4), 4);
	assert_int_equal(iov_slice(iov, n, 0, 41, out, 3), 3);
	assert_int_equal(iov_slice(iov, n, 9, 1, out, 1), 1);
	assert_int_equal(iov_slice(iov, n, 10, 1, out, 1), 1);
	assert_int_equal(iov_slice(iov, n, 0, 64, out, 0), -E2BIG);
	assert_int_equal(iov_slice(NULL, 0, 0, 0, out, 0), 0);
}

static void vectors_are_filled_copied_and_zeroed(void **state)
{
	struct iovec iov[5];
	unsigned n = cut_up(iov);
	uint8_t buffer[64], got[64];

	(void)state;
	memset(buffer, 0x5a, sizeof(buffer));
	iov_from_buffer(iov, n, buffer);
	assert_memory_equal(source, buffer, 64);
	iov_to_buffer(iov, n, got);
	assert_memory_equal(got, buffer, 64);
	iov_zero(iov, n);
	assert_memory_equal(source, block_zeroes, 64);
}

static void the_zeroes_are_zero_and_fit_direct_io(void **state)
{
	(void)state;
	assert_int_equal((uintptr_t)block_zeroes % 4096, 0);
	for (unsigned i = 0; i < BLOCK_ZEROES_LENGTH; i++)
		assert_int_equal(block_zeroes[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checks_requests_at_their_edges),
		cmocka_unit_test(data_without_a_vector_is_refused),
		cmocka_unit_test(names_every_operation),
		cmocka_unit_test(every_slice_of_a_vector_is_that_part_of_it),
		cmocka_unit_test(a_slice_in_too_many_parts_is_refused),
		cmocka_unit_test(vectors_are_filled_copied_and_zeroed),
		cmocka_unit_test(the_zeroes_are_zero_and_fit_direct_io),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
