/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "base/base.h"
#include "base/crc.h"
#include "drive/label.h"

#include <errno.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define DRIVE_SIZE (64 * MIB + 512) /* not a multiple of a block */
#define SECOND (64 * MIB - 4096)

static struct label good(void)
{
	struct label l = {
		.generation = 7,
		.pool_uuid = "pool of sixteen",
		.drive_uuid = "drive of sixteen",
		.pool_name = "tank",
		.created = 1795000000,
		.drive_size = DRIVE_SIZE,
		.extent_size = MIB,
		.data_offset = 2 * MIB,
		.extents = 50,
		.roots = 4096,
		.log = { 12288, 65536 },
		.image = { { 77824, 4096 }, { 81920, 4096 } },
		.index = 2,
		.drives = 5,
	};

	return l;
}

static void seal(uint8_t *block)
{
	struct label_wire *w = (struct label_wire *)block;

	w->crc = le32_put(base_crc32c(0, block + 4, LABEL_BLOCK - 4));
}

static void survives_encoding(void **state)
{
	struct label l = good(), got = { 0 };
	uint8_t block[LABEL_BLOCK], again[LABEL_BLOCK];

	(void)state;
	label_encode(&l, 0, block);
	assert_int_equal(label_decode(block, 0, &got), 0);
	assert_string_equal(got.pool_name, "tank");
	assert_int_equal(got.image[1].offset, l.image[1].offset);
	label_encode(&got, 0, again);
	assert_memory_equal(block, again, sizeof(block));
	label_encode(&l, SECOND, block);
	assert_int_equal(label_decode(block, SECOND, &got), 0);
}

/* The bytes of the normative text, not what the code happens to write. */
static void lies_as_the_text_says(void **state)
{
	static const struct {
		unsigned offset, length;
		const char *bytes;
	} rows[] = {
		/* clang-format off */
		{ 4,   2, "\x10\x00" },
		{ 6,   2, "\x01\x00" },
		{ 8,   8, "\x00\xf0\xff\x03\x00\x00\x00\x00" },
		{ 16,  8, "CAUSEWAY" },
		{ 24,  8, "\x07\x00\x00\x00\x00\x00\x00\x00" },
		{ 32, 16, "pool of sixteen" },
		{ 48, 16, "drive of sixteen" },
		{ 64,  6, "tank\0" },
		{ 136, 8, "\x00\x02\x00\x04\x00\x00\x00\x00" },
		{ 152, 8, "\x00\x00\x20\x00\x00\x00\x00\x00" },
		{ 160, 8, "\x32\x00\x00\x00\x00\x00\x00\x00" },
		{ 168, 8, "\x00\x10\x00\x00\x00\x00\x00\x00" },
		{ 184, 8, "\x00\x00\x01\x00\x00\x00\x00\x00" },
		{ 208, 8, "\x00\x40\x01\x00\x00\x00\x00\x00" },
		{ 224, 4, "\x02\x00\x05\x00" },
		{ 4088, 8, "\0\0\0\0\0\0\0" },
		/* clang-format on */
	};
	struct label l = good();
	uint8_t block[LABEL_BLOCK];
	uint32_t crc;

	(void)state;
	label_encode(&l, SECOND, block);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_memory_equal(block + rows[i].offset, rows[i].bytes,
		                    rows[i].length);
	crc = base_crc32c(0, block + 4, 4092);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(block[i], (crc >> (8 * i)) & 0xff);
}

/* -- damage --------------------------------------------------------------- */

static void each_kind_of_damage_has_its_own_error(void **state)
{
	struct label l = good(), out = { .generation = 99 };
	uint8_t block[LABEL_BLOCK], whole[LABEL_BLOCK];
	struct label_wire *w = (struct label_wire *)block;

	(void)state;
	memset(block, 0, sizeof(block));
	assert_int_equal(label_decode(block, 0, &out), -ENOENT);
	memset(block, 0xa5, sizeof(block));
	assert_int_equal(label_decode(block, 0, &out), -ENOENT);

	label_encode(&l, 0, whole);
	assert_int_equal(label_decode(whole, SECOND, &out), -EILSEQ);
	for (unsigned i = 0; i < LABEL_BLOCK; i++) {
		memcpy(block, whole, sizeof(block));
		block[i] ^= 0x20;
		assert_int_equal(label_decode(block, 0, &out),
		                 i >= 16 && i < 24 ? -ENOENT : -EBADMSG);
	}
	memcpy(block, whole, sizeof(block));
	w->kind = le16_put(2);
	seal(block);
	assert_int_equal(label_decode(block, 0, &out), -EILSEQ);
	memcpy(block, whole, sizeof(block));
	w->format = le16_put(2);
	memset(block + 24, 0xff, LABEL_BLOCK - 24); /* whatever it may hold */
	seal(block);
	assert_int_equal(label_decode(block, 0, &out), -EPROTONOSUPPORT);
	memcpy(block, whole, sizeof(block));
	w->format = le16_put(0);
	seal(block);
	assert_int_equal(label_decode(block, 0, &out), -EBADMSG);
	assert_int_equal(out.generation, 99); /* untouched by any */
}

/* Well sealed nonsense: what a bug of ours, or malice, would make. */
static void what_breaks_a_rule_is_refused(void **state)
{
	static const struct {
		const char *what;
		size_t offset; /* in struct label */
		size_t size;
		uint64_t value;
	} rows[] = {
#define ROW(field, value)                                                      \
	{ #field " = " #value, offsetof(struct label, field),                  \
	  sizeof(((struct label *)0)->field), value }
		ROW(generation, 0),
		ROW(pool_name[0], 0),
		ROW(pool_name[1], ' '),
		ROW(pool_name[1], 0x7f),
		ROW(pool_name[1], 0xff),
		ROW(drive_size, MIB - 1),
		ROW(drive_size, 0),
		ROW(drive_size, 51 * MIB),
		ROW(extent_size, 0),
		ROW(extent_size, MIB - 512),
		ROW(extent_size, UINT64_MAX),
		ROW(extent_size, UINT64_C(1) << 63),
		ROW(extents, 0),
		ROW(extents, 62), /* into the second copy */
		ROW(extents, UINT64_MAX),
		ROW(extents, UINT64_C(1) << 44), /* wraps with MIB */
		ROW(data_offset, 0),
		ROW(data_offset, 2 * MIB + 512),
		ROW(data_offset, 81920), /* over image 1 */
		ROW(data_offset, UINT64_MAX - 4095),
		ROW(roots, 0),
		ROW(roots, 8192), /* into the log */
		ROW(log.offset, 0),
		ROW(log.offset, SECOND),
		ROW(log.length, 0),
		ROW(log.length, 65536 + 4096),
		ROW(log.length, UINT64_MAX - 4095),
		ROW(image[0].offset, 77824 + 512),
		ROW(image[0].offset, UINT64_MAX - 4095),
		ROW(image[1].offset, 77824),
		ROW(image[1].length, 4095),
		ROW(image[1].length, 2 * MIB),
		ROW(index, 5),
		ROW(drives, 2),
		ROW(drives, 0),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct label l = good();
		struct err e = { 0 };

		memcpy((uint8_t *)&l + rows[i].offset, &rows[i].value,
		       rows[i].size); /* little-endian hosts */
		if (label_check(&l, &e) != -EINVAL)
			fail_msg("%s is taken", rows[i].what);
		assert_string_not_equal(e.text, "");
	}
}

static void sealed_nonsense_is_damage(void **state)
{
	static const struct {
		unsigned offset;
		uint8_t value;
	} rows[] = {
		{ 24, 0 },    /* generation 0 */
		{ 64, 0 },    /* no name, but bytes after it */
		{ 69, 'x' },  /* bytes after the name's end */
		{ 127, 'x' }, /* likewise */
		{ 224, 9 },   /* drive 9 of 5 */
		{ 228, 1 },   /* reserved */
		{ 4095, 1 },
	};
	struct label l = good(), out;
	uint8_t block[LABEL_BLOCK];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		label_encode(&l, 0, block);
		block[rows[i].offset] = rows[i].value;
		seal(block);
		assert_int_equal(label_decode(block, 0, &out), -EBADMSG);
	}
}

static void a_drive_may_hold_no_metadata(void **state)
{
	struct label l = good();
	struct label_area none = { 0, 0 };

	(void)state;
	l.roots = 0;
	l.log = none;
	l.image[0] = none;
	l.image[1] = none;
	assert_int_equal(label_check(&l, NULL), 0);
	l.image[1].length = 4096;
	assert_int_equal(label_check(&l, NULL), -EINVAL);
}

static void a_name_may_have_63_characters(void **state)
{
	struct label l = good(), out;
	uint8_t block[LABEL_BLOCK];

	(void)state;
	memset(l.pool_name, 'x', 63);
	l.pool_name[63] = '\0';
	label_encode(&l, 0, block);
	assert_int_equal(label_decode(block, 0, &out), 0);
	assert_string_equal(out.pool_name, l.pool_name);
	l.pool_name[63] = 'x';
	assert_int_equal(label_check(&l, NULL), -EINVAL);
}

/* -- two copies ----------------------------------------------------------- */

enum copy { GOOD, NEW, BLANK, ROT, MOVED, NEWER, UNREAD };

static uint8_t *make(enum copy kind, uint64_t where, uint8_t *block)
{
	struct label l = good();

	if (kind == NEW)
		l.generation = 8;
	label_encode(&l, kind == MOVED ? where + 4096 : where, block);
	if (kind == BLANK)
		memset(block, 0, LABEL_BLOCK);
	if (kind == ROT)
		block[1000] ^= 1;
	if (kind == NEWER) {
		block[6] = 2;
		seal(block);
	}
	return kind == UNREAD ? NULL : block;
}

static void the_better_copy_is_taken(void **state)
{
	static const struct {
		enum copy first, second;
		int err;
		uint64_t generation;
		bool repair;
	} rows[] = {
		{ GOOD, GOOD, 0, 7, false },
		{ NEW, NEW, 0, 8, false },
		{ NEW, GOOD, 0, 8, true },
		{ GOOD, NEW, 0, 8, true },
		{ GOOD, BLANK, 0, 7, true },
		{ GOOD, ROT, 0, 7, true },
		{ GOOD, MOVED, 0, 7, true },
		{ GOOD, UNREAD, 0, 7, true },
		{ BLANK, GOOD, 0, 7, true },
		{ ROT, NEW, 0, 8, true },
		{ MOVED, GOOD, 0, 7, true },
		{ UNREAD, GOOD, 0, 7, true },
		{ GOOD, NEWER, -EPROTONOSUPPORT, 0, false },
		{ NEWER, GOOD, -EPROTONOSUPPORT, 0, false },
		{ NEWER, ROT, -EPROTONOSUPPORT, 0, false },
		{ BLANK, BLANK, -ENOENT, 0, false },
		{ BLANK, ROT, -EBADMSG, 0, false },
		{ ROT, BLANK, -EBADMSG, 0, false },
		{ ROT, MOVED, -EBADMSG, 0, false },
		{ MOVED, BLANK, -EILSEQ, 0, false },
		{ UNREAD, BLANK, -EBADMSG, 0, false },
		{ UNREAD, UNREAD, -EBADMSG, 0, false },
	};
	uint8_t first[LABEL_BLOCK], second[LABEL_BLOCK];

	(void)state;
	assert_int_equal(label_second(DRIVE_SIZE), SECOND);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct label out = { .generation = 99 };
		bool repair = false;
		int err = label_choose(make(rows[i].first, 0, first),
		                       make(rows[i].second, SECOND, second),
		                       DRIVE_SIZE, &out, &repair);

		if (err != rows[i].err || repair != rows[i].repair ||
		    out.generation != (err ? 99 : rows[i].generation))
			fail_msg("row %zu: %d, generation %ju, repair %d", i,
			         err, (uintmax_t)out.generation, repair);
	}
}

/* -- who is it? ----------------------------------------------------------- */

static void a_drive_is_told_who_it_is(void **state)
{
	static const struct label_member members[] = {
		{ "drive of sixteen", 2, false },
		{ "drive that faile", 3, true },
		{ "drive elsewhere.", 4, false },
	};
	static const struct label_pool tank = { "pool of sixteen", "tank", 9,
		                                members, ARRAY_LEN(members) };
	static const struct {
		int err;
		const char *pool_uuid, *drive_uuid;
		uint64_t generation;
		uint64_t size;
		enum label_verdict want;
		const char *words;
	} rows[] = {
		/* clang-format off */
		{ 0, "pool of sixteen", "drive of sixteen", 9, DRIVE_SIZE,
		  LABEL_MEMBER, "drive 2 of pool tank" },
		{ 0, "pool of sixteen", "drive of sixteen", 8, DRIVE_SIZE + MIB,
		  LABEL_MEMBER, "drive 2 of pool tank" },
		{ 0, "pool of sixteen", "drive of sixteen", 10, DRIVE_SIZE,
		  LABEL_AHEAD, "knows generation 10, the pool only 9" },
		{ 0, "pool of sixteen", "drive that faile", 8, DRIVE_SIZE,
		  LABEL_STALE, "until generation 8, now 9: it has been failed" },
		{ 0, "pool of sixteen", "drive long gone.", 3, DRIVE_SIZE,
		  LABEL_STALE, "it has been removed" },
		{ 0, "pool of sixteen", "drive elsewhere.", 9, DRIVE_SIZE,
		  LABEL_DAMAGED, "says drive 2 of pool tank, the pool says drive 4" },
		{ 0, "another pool...", "drive of sixteen", 99, DRIVE_SIZE,
		  LABEL_FOREIGN, "belongs to pool other as drive 2 of 5" },
		{ 0, "pool of sixteen", "drive of sixteen", 9, DRIVE_SIZE - 512,
		  LABEL_DAMAGED, "its label says 67109376" },
		{ -ENOENT, "", "", 0, DRIVE_SIZE, LABEL_BLANK, "no pool" },
		{ -EBADMSG, "", "", 0, DRIVE_SIZE, LABEL_DAMAGED, "checksum" },
		{ -EILSEQ, "", "", 0, DRIVE_SIZE, LABEL_DAMAGED, "misplaced" },
		{ -EPROTONOSUPPORT, "", "", 0, DRIVE_SIZE, LABEL_NEWER, "upgrade" },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char words[LABEL_WORDS] = "";
		struct label l = good();
		enum label_verdict v;

		memcpy(l.pool_uuid, rows[i].pool_uuid,
		       strnlen(rows[i].pool_uuid, 16));
		memcpy(l.drive_uuid, rows[i].drive_uuid,
		       strnlen(rows[i].drive_uuid, 16));
		if (rows[i].want == LABEL_FOREIGN)
			strcpy(l.pool_name, "other");
		l.generation = rows[i].generation;
		v = label_identify(&tank, rows[i].err, &l, rows[i].size, words);
		if (v != rows[i].want || !strstr(words, rows[i].words))
			fail_msg("row %zu: %s, \"%s\"", i,
			         label_verdict_name(v), words);
	}
}

static void without_a_pool_every_label_is_foreign(void **state)
{
	char words[LABEL_WORDS];
	struct label l = good();

	(void)state;
	assert_int_equal(label_identify(NULL, 0, &l, DRIVE_SIZE, words),
	                 LABEL_FOREIGN);
	assert_non_null(strstr(words, "tank"));
	assert_int_equal(label_identify(NULL, -ENOENT, NULL, DRIVE_SIZE, words),
	                 LABEL_BLANK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_encoding),
		cmocka_unit_test(lies_as_the_text_says),
		cmocka_unit_test(each_kind_of_damage_has_its_own_error),
		cmocka_unit_test(what_breaks_a_rule_is_refused),
		cmocka_unit_test(sealed_nonsense_is_damage),
		cmocka_unit_test(a_drive_may_hold_no_metadata),
		cmocka_unit_test(a_name_may_have_63_characters),
		cmocka_unit_test(the_better_copy_is_taken),
		cmocka_unit_test(a_drive_is_told_who_it_is),
		cmocka_unit_test(without_a_pool_every_label_is_foreign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
