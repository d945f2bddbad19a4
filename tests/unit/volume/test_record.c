/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "base/base.h"
#include "base/crc.h"
#include "volume/slow/record.h"

#include <errno.h>
#include <string.h>

static const uint8_t pool[16] = "pool-uuid-012345";
static const uint8_t other[16] = "another-pool....";

static const struct record_place here = {
	.kind = META_LOG,
	.where = 8192,
	.epoch = 3,
	.seq = 77,
	.first = 70,
	.pool = pool,
};

static void a_sealed_block_verifies_and_tells_its_numbers(void **state)
{
	uint8_t block[META_BLOCK];

	(void)state;
	record_seal(block, &here, 0);
	assert_int_equal(record_verify(block, &here), 0);
	assert_int_equal(record_epoch(block), 3);
	assert_int_equal(record_seq(block), 77);
	assert_int_equal(record_first(block), 70);
}

/* shows V26 for metadata blocks */
static void each_damage_has_its_own_name(void **state)
{
	uint8_t block[META_BLOCK];
	struct record_place want;
	static const struct {
		const char *name;
		int err;
	} cases[] = {
		{ "rot", -EBADMSG },      { "foreign", -EXDEV },
		{ "misplaced", -EILSEQ }, { "misplaced", -EILSEQ },
		{ "stale", -ESTALE },     { "stale", -ESTALE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int err;

		record_seal(block, &here, 0);
		want = here;
		if (i == 0)
			block[1000] ^= 4;
		if (i == 1)
			want.pool = other;
		if (i == 2)
			want.where += META_BLOCK;
		if (i == 3)
			want.kind = META_IMAGE;
		if (i == 4)
			want.epoch++;
		if (i == 5)
			want.seq++;
		err = record_verify(block, &want);
		assert_int_equal(err, cases[i].err);
		assert_string_equal(record_damage(err), cases[i].name);
	}
}

static void every_flipped_bit_is_found(void **state)
{
	uint8_t block[META_BLOCK];

	(void)state;
	record_seal(block, &here, 0);
	for (unsigned bit = 0; bit < META_BLOCK * 8; bit += 7) {
		block[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(record_verify(block, &here), -EBADMSG);
		block[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static const le64 entries[3] = { { { 0 } }, { { 0 } }, { { 0 } } };

static uint32_t put_all(uint8_t *block)
{
	struct record r = { .type = META_POOL,
		            .pool = { .generation = 5, .next_volume_id = 9 } };
	uint32_t used = record_put(block, 0, &r);

	r = (struct record){ .type = META_DRIVE,
		             .drive = { .index = 2,
		                        .state = HANDOFF_FAILED,
		                        .size = 1 << 20,
		                        .extents = 12 } };
	memcpy(r.drive.uuid, other, 16);
	used = record_put(block, used, &r);
	r = (struct record){ .type = META_ROW,
		             .row = { .row = 4,
		                      .geometry = { RAID1, 2, 1, 16 },
		                      .drive = { 0, 2 },
		                      .extent = { 11, 3 } } };
	used = record_put(block, used, &r);
	r = (struct record){ .type = META_ROW_FREE, .row_free = 6 };
	used = record_put(block, used, &r);
	r = (struct record){ .type = META_VOLUME,
		             .volume = { .id = 8,
		                         .size = 1 << 30,
		                         .profile = RAID5,
		                         .name = "data.1" } };
	used = record_put(block, used, &r);
	r = (struct record){ .type = META_VOLUME_DELETE, .volume_delete = 7 };
	used = record_put(block, used, &r);
	r = (struct record){ .type = META_MAP, .map = { 8, 100, 3, entries } };
	return record_put(block, used, &r);
}

static void records_come_back_as_they_were_put(void **state)
{
	uint8_t block[META_BLOCK] = { 0 };
	struct record_reader reader;
	struct record r;
	uint64_t chunk, entry;
	struct meta_pair pair = { le32_put(7),
		                  le64_put(entry_make(ENTRY_MAPPED, 4, 5)) };
	uint32_t used = put_all(block);

	(void)state;
	r = (struct record){
		.type = META_SPARSE,
		.map = { 8, UINT64_C(1) << 32, 1, &pair },
	};
	used = record_put(block, used, &r);
	record_seal(block, &here, used);
	assert_int_equal(record_open(&reader, block), 0);
	assert_int_equal(record_next(&reader, &r), 1);
	assert_int_equal(r.type, META_POOL);
	assert_int_equal(r.pool.generation, 5);
	assert_int_equal(record_next(&reader, &r), 1);
	assert_int_equal(r.drive.extents, 12);
	assert_memory_equal(r.drive.uuid, other, 16);
	assert_int_equal(record_next(&reader, &r), 1);
	assert_int_equal(r.row.drive[1], 2);
	assert_int_equal(r.row.extent[0], 11);
	assert_int_equal(record_next(&reader, &r), 1);
	assert_int_equal(r.row_free, 6);
	assert_int_equal(record_next(&reader, &r), 1);
	assert_string_equal(r.volume.name, "data.1");
	assert_int_equal(r.volume.size, 1 << 30);
	assert_int_equal(record_next(&reader, &r), 1);
	assert_int_equal(r.volume_delete, 7);
	assert_int_equal(record_next(&reader, &r), 1);
	record_item(&r, 2, &chunk, &entry);
	assert_int_equal(chunk, 102);
	assert_int_equal(entry, 0);
	assert_int_equal(record_next(&reader, &r), 1);
	record_item(&r, 0, &chunk, &entry);
	assert_int_equal(chunk, (UINT64_C(1) << 32) + 7);
	assert_int_equal(entry_index(entry), 5);
	assert_int_equal(record_next(&reader, &r), 0);
}

/* Offsets are from the start of the record that put_all() puts there. */
static void a_record_out_of_range_is_refused(void **state)
{
	static const struct {
		const char *what;
		unsigned at; /* byte of the content */
		uint8_t value;
	} cases[] = {
		{ "no such type", 0, 0 },
		{ "type beyond the last", 0, META_RECORD_TYPES },
		{ "flags", 1, 1 },
		{ "length short", 2, 8 },
		{ "length long", 3, 0x20 },
		{ "drive index", 24, 32 },
		{ "drive state", 26, HANDOFF_UNUSED },
		{ "drive state unknown", 26, 9 },
		{ "drive padding", 27, 1 },
		{ "row number", 68 + 3, 1 },
		{ "row profile", 68 + 4, 3 },
		{ "row width", 68 + 5, 3 },
		{ "row strip", 68 + 7, 12 },
		{ "row member", 68 + 8, 99 },
		{ "row member twice", 68 + 8, 2 },
	};
	uint8_t block[META_BLOCK], *content = block + 64;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct record_reader reader;
		struct record r;
		uint32_t used = put_all(block);
		int got;

		record_seal(block, &here, used);
		content[cases[i].at] = cases[i].value;
		assert_int_equal(record_open(&reader, block), 0);
		while ((got = record_next(&reader, &r)) > 0)
			;
		if (got != -EINVAL)
			fail_msg("accepted: %s", cases[i].what);
	}
}

static void names_are_checked(void **state)
{
	static const char *good[] = { "a", "A-1.b_2", "0" };
	static const char *bad[] = { "", ".a", "-a", "a/b", "a b", "\xc3\xa4" };
	char name[HANDOFF_NAME + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(record_name_valid(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(record_name_valid(bad[i]));
	memset(name, 'x', sizeof(name));
	name[HANDOFF_NAME - 1] = 0;
	assert_true(record_name_valid(name));
	name[HANDOFF_NAME - 1] = 'x';
	name[HANDOFF_NAME] = 0;
	assert_false(record_name_valid(name));
}

static void a_root_comes_back_and_nonsense_is_refused(void **state)
{
	struct meta_root root = {
		.log_seq = le64_put(9),
		.image_blocks = le64_put(4),
		.image = le32_put(1),
		.n_drives = le32_put(6),
		.generation = le64_put(2),
	};
	struct record_place place = here;
	uint8_t block[META_BLOCK];
	struct meta_root got;

	(void)state;
	place.kind = META_ROOT;
	record_seal(block, &place, record_put_root(block, &root));
	assert_int_equal(record_get_root(block, &got), 0);
	assert_memory_equal(&got, &root, sizeof(root));
	root.image = le32_put(2);
	record_put_root(block, &root);
	assert_int_equal(record_get_root(block, &got), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sealed_block_verifies_and_tells_its_numbers),
		cmocka_unit_test(each_damage_has_its_own_name),
		cmocka_unit_test(every_flipped_bit_is_found),
		cmocka_unit_test(records_come_back_as_they_were_put),
		cmocka_unit_test(a_record_out_of_range_is_refused),
		cmocka_unit_test(names_are_checked),
		cmocka_unit_test(a_root_comes_back_and_nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
