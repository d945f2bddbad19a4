/* SPDX-License-Identifier: BSD-2-Clause */
/* shows S16: what the kernel says to a swap device's server */
#include "../test.h"

#include "base/base.h"
#include "kswap/fuse_decode.h"
#include "kswap/procfs_decode.h"

#include <errno.h>
#include <linux/falloc.h>
#include <linux/fuse.h>
#include <string.h>

static uint8_t bytes[8192];

static size_t message(uint32_t opcode, const void *body, size_t n)
{
	struct fuse_in_header h = { .len = (uint32_t)(sizeof(h) + n),
		                    .opcode = opcode,
		                    .unique = 7,
		                    .nodeid = FUSE_ROOT_ID };

	memcpy(bytes, &h, sizeof(h));
	if (n)
		memcpy(bytes + sizeof(h), body, n);
	return h.len;
}

static void requests_are_known(void **state)
{
	static const struct {
		uint32_t opcode;
		enum fuse_decode_op op;
	} rows[] = {
		{ FUSE_GETATTR, FUSE_DECODE_GETATTR },
		{ FUSE_OPEN, FUSE_DECODE_OPEN },
		{ FUSE_STATFS, FUSE_DECODE_STATFS },
		{ FUSE_FSYNC, FUSE_DECODE_DONE },
		{ FUSE_RELEASE, FUSE_DECODE_DONE },
		{ FUSE_DESTROY, FUSE_DECODE_DONE },
		{ FUSE_FORGET, FUSE_DECODE_QUIET },
		{ FUSE_INTERRUPT, FUSE_DECODE_QUIET },
		{ FUSE_GETXATTR, FUSE_DECODE_UNKNOWN },
		{ FUSE_LOOKUP, FUSE_DECODE_UNKNOWN },
		{ 4711, FUSE_DECODE_UNKNOWN },
	};
	struct fuse_decode_call c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n = message(rows[i].opcode, NULL, 0);

		assert_int_equal(fuse_decode_request(bytes, n, &c), 0);
		assert_int_equal(c.op, rows[i].op);
		assert_int_equal(c.unique, 7);
	}
}

static void a_write_has_its_data(void **state)
{
	struct {
		struct fuse_write_in in;
		uint8_t data[4096];
	} w = { .in = { .offset = 8192, .size = 4096 } };
	struct fuse_decode_call c;
	size_t n = message(FUSE_WRITE, &w, sizeof(w));

	(void)state;
	assert_int_equal(fuse_decode_request(bytes, n, &c), 0);
	assert_int_equal(c.op, FUSE_DECODE_WRITE);
	assert_int_equal(c.offset, 8192);
	assert_int_equal(c.length, 4096);
	assert_ptr_equal(c.data, bytes + 80);
	w.in.size = 4097; /* more than there are */
	n = message(FUSE_WRITE, &w, sizeof(w));
	assert_int_equal(fuse_decode_request(bytes, n, &c), -EINVAL);
	assert_int_equal(c.unique, 7);
	assert_null(c.data);
}

static void ranges_do_not_wrap(void **state)
{
	struct fuse_read_in r = { .offset = UINT64_MAX - 4095, .size = 8192 };
	struct fuse_fallocate_in f = { .offset = UINT64_MAX,
		                       .length = 1,
		                       .mode = FALLOC_FL_PUNCH_HOLE };
	struct fuse_decode_call c;

	(void)state;
	assert_int_equal(fuse_decode_request(
				 bytes, message(FUSE_READ, &r, sizeof(r)), &c),
	                 -EINVAL);
	assert_int_equal(
		fuse_decode_request(bytes,
	                            message(FUSE_FALLOCATE, &f, sizeof(f)), &c),
		-EINVAL);
}

static void only_holes_are_discards(void **state)
{
	static const struct {
		uint32_t mode;
		enum fuse_decode_op op;
	} rows[] = {
		{ FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		  FUSE_DECODE_DISCARD },
		{ FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
		  FUSE_DECODE_DISCARD },
		{ 0, FUSE_DECODE_UNKNOWN },
		{ FALLOC_FL_COLLAPSE_RANGE, FUSE_DECODE_UNKNOWN },
		{ FALLOC_FL_PUNCH_HOLE | FALLOC_FL_INSERT_RANGE,
		  FUSE_DECODE_UNKNOWN },
	};
	struct fuse_decode_call c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fuse_fallocate_in f = { .offset = 4096,
			                       .length = 8192,
			                       .mode = rows[i].mode };
		size_t n = message(FUSE_FALLOCATE, &f, sizeof(f));

		assert_int_equal(fuse_decode_request(bytes, n, &c), 0);
		assert_int_equal(c.op, rows[i].op);
	}
}

static void what_is_no_request_is_refused(void **state)
{
	struct fuse_decode_call c;
	size_t n = message(FUSE_INIT, NULL, 0);

	(void)state;
	assert_int_equal(fuse_decode_request(bytes, n, &c), -EINVAL);
	assert_int_equal(fuse_decode_request(bytes, n - 1, &c), -EPROTO);
	assert_int_equal(fuse_decode_request(bytes, n + 1, &c), -EPROTO);
	memset(bytes + 8, 0, 8); /* nobody to answer */
	assert_int_equal(fuse_decode_request(bytes, n, &c), -EPROTO);
}

static void swaps_are_read(void **state)
{
	static const struct {
		const char *line;
		uint64_t used; /* UINT64_MAX: no area */
	} rows[] = {
		{ "/dev/loop0                              partition\t65532"
		  "\t\t12\t\t-2\n",
		  12 << 10 },
		{ "/dev/vda2 file 10 10 5\n", 10 << 10 },
		{ "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n",
		  UINT64_MAX },
		{ "/dev/vda2 file 10 11 5\n", UINT64_MAX },
		{ "/dev/vda2 file 99999999999999999999 0 5\n", UINT64_MAX },
		{ "/dev/vda2 file 10\n", UINT64_MAX },
		{ "", UINT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct procfs_decode_swap s = { .used = UINT64_MAX };

		assert_int_equal(procfs_decode_swap(rows[i].line, &s),
		                 rows[i].used != UINT64_MAX);
		assert_int_equal(s.used, rows[i].used);
	}
}

static void memory_is_read(void **state)
{
	uint64_t bytes_there = 1;

	(void)state;
	assert_true(procfs_decode_memory("MemAvailable:   22000 kB\n",
	                                 "MemAvailable", &bytes_there));
	assert_int_equal(bytes_there, 22000 << 10);
	assert_false(procfs_decode_memory("MemAvailable: x kB\n",
	                                  "MemAvailable", &bytes_there));
	assert_false(procfs_decode_memory("MemFree: 1 kB\n", "MemFre",
	                                  &bytes_there));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_known),
		cmocka_unit_test(a_write_has_its_data),
		cmocka_unit_test(ranges_do_not_wrap),
		cmocka_unit_test(only_holes_are_discards),
		cmocka_unit_test(what_is_no_request_is_refused),
		cmocka_unit_test(swaps_are_read),
		cmocka_unit_test(memory_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
