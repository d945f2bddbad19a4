/* SPDX-License-Identifier: BSD-2-Clause */
/* LIDs and their file.  shows L4 */
#include "../test.h"

#include "subnet/lidmap.h"

#include "base/crc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void lids_are_unique_and_stay(void **state)
{
	struct lidmap m;
	uint16_t first, again, virtual;

	(void)state;
	assert_int_equal(lidmap_init(&m, 0x3000), 0);
	first = lidmap_assign(&m, LIDMAP_PORT, 100, 0, 0);
	assert_int_equal(first, 1);
	/* A wish that is taken is not granted, a free one is. */
	assert_true(lidmap_assign(&m, LIDMAP_PORT, 101, 0, 1) != 1);
	assert_int_equal(lidmap_assign(&m, LIDMAP_PORT, 102, 0, 77), 77);
	/* Blocks are aligned. */
	again = lidmap_assign(&m, LIDMAP_PORT, 103, 3, 0);
	assert_int_equal(again % 8, 0);
	assert_int_equal(lidmap_owner(&m, (uint16_t)(again + 7))->guid, 103);
	/* The same GUID as a host is somebody else; A1. */
	virtual = lidmap_assign(&m, LIDMAP_HOST, 100, 0, 0);
	assert_true(virtual >= m.virtual_first && virtual <= m.virtual_last);
	assert_true(lidmap_assign(&m, LIDMAP_PORT, 104, 0, virtual) <
	            m.virtual_first);
	assert_true(lidmap_assign(&m, LIDMAP_HOST, 105, 0, 5) >=
	            m.virtual_first);
	assert_int_equal(lidmap_assign(&m, LIDMAP_PORT, 100, 0, 0), first);
	/* A wider LMC takes another block. */
	assert_int_equal(lidmap_assign(&m, LIDMAP_PORT, 100, 2, 0) % 4, 0);
	lidmap_fini(&m);
}

/* Only when none is free do those lose theirs who were away longest. */
static void the_longest_away_gives_way(void **state)
{
	struct lidmap m;
	uint16_t had;

	(void)state;
	assert_int_equal(lidmap_init(&m, 0x3000), 0);
	had = lidmap_assign(&m, LIDMAP_HOST, 1, 0, 0);
	lidmap_tick(&m);
	for (unsigned i = 2; m.virtual_first + i <= m.virtual_last + 1u; i++)
		assert_true(lidmap_assign(&m, LIDMAP_HOST, i, 0, 0) != 0);
	assert_int_equal(lidmap_get(&m, LIDMAP_HOST, 1, NULL), had);
	assert_int_equal(lidmap_assign(&m, LIDMAP_HOST, 99999, 0, 0), had);
	assert_int_equal(lidmap_get(&m, LIDMAP_HOST, 1, NULL), 0);
	/* All are here: none is left. */
	assert_int_equal(lidmap_assign(&m, LIDMAP_HOST, 88888, 0, 0), 0);
	lidmap_fini(&m);
}

static void a_file_says_what_the_map_says(void **state)
{
	char path[] = "/tmp/test-lidmap-XXXXXX";
	struct lidmap m, n;
	struct err e = { 0 };
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(lidmap_init(&m, 0x3000), 0);
	assert_int_equal(lidmap_init(&n, 0x9000), 0);
	for (unsigned i = 0; i < 500; i++) {
		lidmap_assign(&m, LIDMAP_PORT, 1000 + i, (uint8_t)(i % 3), 0);
		lidmap_assign(&m, LIDMAP_HOST, 1000 + i, 0, 0);
	}
	assert_int_equal(lidmap_save(&m, path, &e), 0);
	assert_int_equal(lidmap_load(&n, path, &e), 0);
	assert_int_equal(n.virtual_first, m.virtual_first);
	for (unsigned i = 0; i < 500; i++) {
		uint8_t lmc;

		assert_int_equal(lidmap_get(&n, LIDMAP_PORT, 1000 + i, &lmc),
		                 lidmap_get(&m, LIDMAP_PORT, 1000 + i, NULL));
		assert_int_equal(lmc, i % 3);
		assert_int_equal(lidmap_get(&n, LIDMAP_HOST, 1000 + i, NULL),
		                 lidmap_get(&m, LIDMAP_HOST, 1000 + i, NULL));
	}
	unlink(path);
	lidmap_fini(&m);
	lidmap_fini(&n);
}

static void bad_files_are_refused_with_the_line(void **state)
{
	static const struct {
		const char *text;
		int err;
		const char *words;
	} rows[] = {
		{ "", -EINVAL, "line 0" },
		{ "causeway-lids 2\n", -EINVAL, "later version" },
		{ "causeway-lids 1\nport 0x12 lid 5 lmc 0", -EINVAL,
		  "line 2: the last line has no end" },
		{ "causeway-lids 1\nport 0x12 lid 5 lmc 0 x\n", -EINVAL,
		  "line 2: not understood" },
		{ "causeway-lids 1\nport 0x12 lid 0 lmc 0\n", -EINVAL,
		  "out of range" },
		{ "causeway-lids 1\nport 0x12 lid 5 lmc 8\n", -EINVAL,
		  "out of range" },
		{ "causeway-lids 1\nport 0x12 lid 5 lmc 0\n"
		  "port 0x13 lid 5 lmc 0\n",
		  -EINVAL, "line 3: this LID is in use" },
		{ "causeway-lids 1\nport 0x12 lid 5 lmc 0\n"
		  "port 0x12 lid 6 lmc 0\n",
		  -EINVAL, "line 3: this GUID was there" },
		{ "causeway-lids 1\nport 0x12 lid 5 lmc 1\n", -EINVAL,
		  "in use, or out of its range" },
		{ "causeway-lids 1\nvirtual-range 100 50\n", -EINVAL,
		  "not a range" },
		{ "causeway-lids 1\nvirtual-range 100 200\n"
		  "host 0x12 lid 99\n",
		  -EINVAL, "out of its range" },
		{ "causeway-lids 1\ncrc32c 00000000\n", -EBADMSG,
		  "checksum on line 2" },
	};
	struct lidmap m;

	(void)state;
	assert_int_equal(lidmap_init(&m, 0x3000), 0);
	lidmap_assign(&m, LIDMAP_PORT, 7, 0, 9);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = { 0 };

		assert_int_equal(lidmap_parse(&m, rows[i].text,
		                              strlen(rows[i].text), &e),
		                 rows[i].err);
		if (!strstr(e.text, rows[i].words))
			fail_msg("row %u: %s", i, e.text);
		assert_int_equal(lidmap_get(&m, LIDMAP_PORT, 7, NULL), 9);
	}
	lidmap_fini(&m);
}

/* Any byte that changes is noticed. */
static void damage_is_noticed(void **state)
{
	struct lidmap m, n;
	size_t length;
	char *text;

	(void)state;
	assert_int_equal(lidmap_init(&m, 0x3000), 0);
	for (unsigned i = 0; i < 10; i++)
		lidmap_assign(&m, LIDMAP_PORT, 0x100 + i, 0, 0);
	text = lidmap_format(&m, &length);
	assert_non_null(text);
	assert_int_equal(lidmap_init(&n, 0x3000), 0);
	assert_int_equal(lidmap_parse(&n, text, length, NULL), 0);
	for (size_t i = 0; i < length; i++) {
		text[i] ^= 1;
		assert_true(lidmap_parse(&n, text, length, NULL) < 0);
		text[i] ^= 1;
	}
	free(text);
	lidmap_fini(&m);
	lidmap_fini(&n);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lids_are_unique_and_stay),
		cmocka_unit_test(the_longest_away_gives_way),
		cmocka_unit_test(a_file_says_what_the_map_says),
		cmocka_unit_test(bad_files_are_refused_with_the_line),
		cmocka_unit_test(damage_is_noticed),
	};

	return cmocka_run_group_tests_name("lidmap", tests, NULL, NULL);
}
