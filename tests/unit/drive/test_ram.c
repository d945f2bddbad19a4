/* SPDX-License-Identifier: BSD-2-Clause */
/* What is particular to memory; the contract is in test_conformance. */
#include "../test.h"

#include "../../support/block_rig.h"

#include "drive/drive.h"

#include <errno.h>
#include <stdio.h>

#define MIB (UINT64_C(1) << 20)

/* Resident pages of this process, as bytes. */
static uint64_t resident(void)
{
	unsigned long size, pages;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_int_equal(fscanf(f, "%lu %lu", &size, &pages), 2);
	fclose(f);
	return pages * 4096;
}

static struct block_device *must_open(const char *spec)
{
	struct block_device *dev;
	struct err e = { 0 };

	if (drive_open(spec, &dev, &e))
		fail_msg("%s", e.text);
	return dev;
}

static void memory_is_taken_when_written_and_given_back(void **state)
{
	struct block_device *dev = must_open("ram:1T");
	uint8_t *data = malloc(32 * MIB);
	uint64_t before, full;

	(void)state;
	memset(data, 1, 32 * MIB);
	before = resident();
	/* Zero already: nothing is touched. */
	assert_int_equal(
		rig_do(dev, BLOCK_WRITE_ZEROES, 0, 0, dev->size / 64, NULL), 0);
	assert_int_equal(rig_do(dev, BLOCK_DISCARD, 0, 0, dev->size / 64, NULL),
	                 0);
	assert_true(resident() < before + 4 * MIB);
	assert_int_equal(rig_do(dev, BLOCK_WRITE, 0, MIB, 32 * MIB, data), 0);
	full = resident();
	assert_true(full > before + 30 * MIB);
	assert_int_equal(rig_do(dev, BLOCK_DISCARD, 0, MIB, 16 * MIB, NULL), 0);
	assert_true(resident() < full - 14 * MIB);
	assert_int_equal(
		rig_do(dev, BLOCK_WRITE_ZEROES, 0, 17 * MIB, 16 * MIB, NULL),
		0);
	assert_true(resident() < full - 28 * MIB);
	assert_int_equal(rig_do(dev, BLOCK_READ, 0, MIB, 32 * MIB, data), 0);
	for (uint64_t i = 0; i < 32 * MIB; i++)
		assert_int_equal(data[i], 0);
	free(data);
	block_close(dev);
}

/* Edges inside, at and across the pieces in which memory is given back. */
static void zeroes_end_where_they_should(void **state)
{
	static const uint64_t edges[] = { 0,      512,    16384 - 512,
		                          16384,  16896,  262144,
		                          300032, 524288, MIB };
	struct block_device *dev = must_open("ram:1M");
	uint8_t *data = malloc(MIB), *got = malloc(MIB);

	(void)state;
	memset(data, 9, MIB);
	for (size_t a = 0; a < ARRAY_LEN(edges); a++) {
		for (size_t b = a + 1; b < ARRAY_LEN(edges); b++) {
			rig_do(dev, BLOCK_WRITE, 0, 0, MIB, data);
			assert_int_equal(rig_do(dev, BLOCK_WRITE_ZEROES, 0,
			                        edges[a], edges[b] - edges[a],
			                        NULL),
			                 0);
			rig_do(dev, BLOCK_READ, 0, 0, MIB, got);
			assert_memory_equal(got, data, edges[a]);
			for (uint64_t i = edges[a]; i < edges[b]; i++)
				if (got[i])
					fail_msg("%ju..%ju: %ju is not zero",
					         edges[a], edges[b], i);
			assert_memory_equal(got + edges[b], data,
			                    MIB - edges[b]);
		}
	}
	free(data);
	free(got);
	block_close(dev);
}

/* Long entries and short ones, at any address; each from a fresh place. */
static void data_go_in_however_they_are_cut(void **state)
{
	static const size_t lengths[] = {
		4096,  4096 + 16, 1,  4096 + 15, 8191,
		16384, 4095,      63, 4096 + 64, 5000
	};
	struct block_device *dev = must_open("ram:1M");
	uint8_t *data = malloc(MIB), *got = malloc(MIB);
	uint64_t seed = 7;

	(void)state;
	for (unsigned round = 0; round < 400; round++) {
		struct iovec iov[9];
		struct rig_call c = {
			.q = { .op = BLOCK_WRITE,
			       .flags = round % 4 ? 0 : BLOCK_WARM,
			       .offset = rig_random(&seed) % 100 * BLOCK_SECTOR,
			       .iov = iov,
			       .iov_count = ARRAY_LEN(iov),
			       .done = rig_done }
		};
		uint8_t *at = data + rig_random(&seed) % 4096;

		for (size_t i = 0; i < MIB; i += sizeof(seed))
			memcpy(data + i, &(uint64_t){ rig_random(&seed) },
			       sizeof(seed));
		for (unsigned i = 0; i < ARRAY_LEN(iov); i++) {
			uint64_t left = c.q.length % BLOCK_SECTOR;
			size_t length =
				lengths[rig_random(&seed) % ARRAY_LEN(lengths)];

			if (i == ARRAY_LEN(iov) - 1) /* a whole number */
				length = BLOCK_SECTOR - left;
			iov[i] = (struct iovec){ at + c.q.length, length };
			c.q.length += length;
		}
		block_submit(dev, &c.q);
		assert_int_equal(rig_wait(&c), 0);
		assert_int_equal(
			rig_do(dev, BLOCK_READ, 0, c.q.offset, c.q.length, got),
			0);
		assert_memory_equal(got, at, c.q.length);
	}
	free(data);
	free(got);
	block_close(dev);
}

static void drives_describe_themselves(void **state)
{
	static const struct {
		const char *spec, *words;
	} rows[] = {
		{ "ram:1M", "ram (1 MiB)" },
		{ "ram:1536k", "ram (1536 KiB)" },
		{ "ram:10G", "ram (10 GiB)" },
		{ "ram:1T", "ram (1 TiB)" },
	};
	const struct block_ops ops = { .type = "volume" };
	const struct block_device other = { .ops = &ops, .size = 4096 };
	struct drive_info info;
	char words[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct block_device *dev = must_open(rows[i].spec);

		assert_string_equal(drive_describe(dev, words, sizeof(words)),
		                    rows[i].words);
		assert_int_equal(drive_info(dev, &info), 0);
		assert_string_equal(info.type, "ram");
		assert_null(info.path);
		assert_string_equal(drive_describe(dev, words, 5), "ram ");
		block_close(dev);
	}
	assert_int_equal(drive_info(&other, &info), -ENOTBLK);
	assert_string_equal(drive_describe(&other, words, sizeof(words)),
	                    "volume (4 KiB)");
}

static void a_bad_specification_has_words(void **state)
{
	struct block_device *dev = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(drive_open("nvme0", &dev, &e), -EINVAL);
	assert_non_null(strstr(e.text, "file:PATH"));
	assert_null(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_taken_when_written_and_given_back),
		cmocka_unit_test(zeroes_end_where_they_should),
		cmocka_unit_test(data_go_in_however_they_are_cut),
		cmocka_unit_test(drives_describe_themselves),
		cmocka_unit_test(a_bad_specification_has_words),
	};
	struct reactor *r = rig_reactor();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	reactor_destroy(r);
	return failed;
}
