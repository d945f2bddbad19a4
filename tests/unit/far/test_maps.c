/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "base/base.h"
#include "far/maps.h"

#include <unistd.h>

static void lines_are_told_apart(void **state)
{
	static const struct {
		const char *line;
		bool ok, capturable, swappable;
	} rows[] = {
		{ "7f00000000-7f00021000 rw-p 00000000 00:00 0 \n", true, true,
		  true },
		{ "5555000-5576000 rw-p 00000000 00:00 0   [heap]\n", true,
		  true, true },
		{ "5555000-5576000 rw-p 00000000 00:00 0   [anon: arena]\n",
		  true, true, true },
		{ "7ffc000-7ffd000 rw-p 00000000 00:00 0   [stack]\n", true,
		  false, false },
		{ "7f000-80000 rw-p 00000000 fe:01 1234 /lib/x.so\n", true,
		  false, false },
		{ "7f000-80000 rw-s 00000000 00:01 77 /dev/zero (deleted)\n",
		  true, false, true },
		{ "7f000-80000 rw-s 00000000 00:01 77 /memfd:ram (deleted)\n",
		  true, false, true },
		{ "7f000-80000 rw-s 00000000 00:19 7 /dev/shm/x\n", true, false,
		  true },
		{ "7f000-80000 rw-s 00000000 00:01 7 /SYSV00000001\n", true,
		  false, true },
		{ "7f000-80000 r--s 00000000 00:01 7 /memfd:x\n", true, false,
		  false },
		{ "7f000-80000 rw-s 00000000 fe:01 7 /var/lib/x\n", true, false,
		  false },
		{ "7f000-80000 ---p 00000000 00:00 0 \n", true, false, false },
		{ "7f000-80000 r--p 00000000 00:00 0 [vvar]\n", true, false,
		  false },
		{ "80000-7f000 rw-p 00000000 00:00 0 \n", false, false, false },
		{ "80000-80000 rw-p 00000000 00:00 0 \n", false, false, false },
		{ "7f000 rw-p 00000000 00:00 0 \n", false, false, false },
		{ "7f000-80000 rw\n", false, false, false },
		{ "", false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct maps_line m;

		assert_int_equal(maps_decode(rows[i].line, &m), rows[i].ok);
		if (rows[i].ok)
			assert_int_equal(maps_is_capturable(&m),
			                 rows[i].capturable);
		if (rows[i].ok)
			assert_int_equal(maps_is_swappable(&m),
			                 rows[i].swappable);
	}
}

static void note_heap(void *ctx, const struct maps_line *m)
{
	uint64_t here = (uint64_t)(uintptr_t)ctx;

	if (m->start <= here && here < m->end && maps_is_capturable(m))
		*(volatile uint64_t *)ctx = 1;
}

static void this_process_can_be_read(void **state)
{
	uint64_t *p = calloc(1, 1 << 20);

	(void)state;
	assert_int_equal(maps_read(getpid(), note_heap, p), 0);
	assert_int_equal(*p, 1);
	assert_true(maps_read(-1, note_heap, p) < 0);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_told_apart),
		cmocka_unit_test(this_process_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
