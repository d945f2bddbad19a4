/* SPDX-License-Identifier: BSD-2-Clause */
/* Link aggregation's attributes and choice of members: docs/wire-lag.md. */
#include "base/base.h"
#include "mad/lag.h"
#include "mad/mad.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* shows L9, L10: a mapping in a GetResp, byte for byte. */
static void test_host_bytes(void **state)
{
	static const uint8_t golden[64] = {
		0x43, 0x57, 0x4c, 0x47, /* magic */
		0x01, 0x07, 0x01, 0x01, /* version, can, active-active, ok */
		0x00, 0x00, 0x00, 0x2a, /* generation 42 */
		0xb0, 0x01, 0x02, 0x01, /* virtual LID, 2 members, self 1 */
		0x00, 0x02, 0xc9, 0x03, 0x00, 0x00, 0x10, 0x03, /* system */
		0x08, 0,    0,    0,    0,    0,    0,    0, /* most members */
		0x00, 0x11, 0x01, 0x03, /* LID 17, port 1, HCA 0 carrying */
		0x01, 0x12, 0x02, 0x11, /* LID 274, port 2, HCA 1 down */
	};
	struct lag_host h = {
		.magic = LAG_MAGIC,
		.version = LAG_VERSION,
		.capabilities =
			LAG_CAN_AGGREGATE | LAG_CAN_BACKUP | LAG_CAN_SKIP,
		.mode = LAG_ACTIVE_ACTIVE,
		.result = LAG_ACCEPTED,
		.generation = 42,
		.virtual_lid = 0xb001,
		.n_members = 2,
		.self = 1,
		.system_guid = UINT64_C(0x0002c90300001003),
		.members_max = 8,
		.lid = { 17, 274 },
		.port = { 1, 2 },
		.node = { 0, 1 },
		.state = { LAG_MEMBER_CARRYING, LAG_MEMBER_DOWN },
	};
	struct lag_host back;
	uint8_t again[64];
	struct mad m;

	(void)state;
	mad_init(&m, MAD_CLASS_SUBN_LID, MAD_GET_RESP, MAD_ATTR_LAG_HOST, 0);
	smp_put(&m, &lag_host_table, &h);
	assert_memory_equal(mad_smp(&m)->data, golden, sizeof(golden));
	smp_get(&m, &lag_host_table, &back);
	assert_int_equal(back.lid[1], 274);
	assert_int_equal(back.state[1], LAG_MEMBER_DOWN);
	field_encode(&lag_host_table, &back, again);
	assert_memory_equal(again, golden, sizeof(golden));
}

/* shows L9, L10 */
static void test_switch_bytes(void **state)
{
	static const uint8_t golden[64] = {
		0x43, 0x57, 0x4c, 0x47, 0x01, 0x01, 0x00,        0x0a, 0x01,
		0x02, 0x03, 0x04, 0xde, 0xad, 0xbe, 0xef,        0x04, 0x00,
		0x00, 0x11, 0x01, 0x00, 0x00, 0x00, 0x00,        0x00, 0x00,
		0x05, 0x00, 0x01, 0x00, 0x00, 0x06, [63] = 0x80,
	};
	struct lag_switch s = { .magic = LAG_MAGIC,
		                .version = 1,
		                .skips_dead = 1,
		                .result = LAG_REFUSED_FORMAT,
		                .generation = 0x01020304,
		                .seed = 0xdeadbeef,
		                .groups_cap = 1024,
		                .groups_used = 17,
		                .members_cap = 256,
		                .dropped = 5,
		                .rerouted = 65536,
		                .ways = { 0x06, [31] = 0x80 } };
	struct lag_skip k = { .magic = LAG_MAGIC,
		              .version = 1,
		              .dead = 1,
		              .n = 2,
		              .lid = { 0x4001, 0x4002, [27] = 0xbfff } };
	struct lag_groups g = { .mask = { { 0x02 }, { [31] = 0x80 } } };
	struct lag_lids l = { .group = { 0x1234, LAG_NO_GROUP } };
	uint8_t wire[64];

	(void)state;
	field_encode(&lag_switch_table, &s, wire);
	assert_memory_equal(wire, golden, sizeof(golden));
	field_encode(&lag_groups_table, &g, wire);
	assert_int_equal(wire[0], 0x02);
	assert_int_equal(wire[63], 0x80);
	field_encode(&lag_lids_table, &l, wire);
	assert_memory_equal(wire, "\x12\x34\xff\xff", 4);
	field_encode(&lag_skip_table, &k, wire);
	assert_memory_equal(wire, "CWLG\x01\x01\x02\0\x40\x01\x40\x02", 12);
	assert_memory_equal(wire + 62, "\xbf\xff", 2);
}

/* shows L9: every result, mode and state has words. */
static void test_words(void **state)
{
	(void)state;
	for (uint8_t r = 0; r <= LAG_REFUSED_FORMAT; r++)
		assert_string_not_equal(lag_result_words(r), "?");
	assert_string_equal(lag_result_words(LAG_REFUSED_FORMAT + 1), "?");
	assert_string_equal(lag_result_words(255), "?");
	assert_string_equal(lag_mode_name(LAG_ACTIVE_BACKUP), "active-backup");
	assert_string_equal(lag_mode_name(3), "?");
	assert_string_equal(lag_member_state_name(LAG_MEMBER_CARRYING),
	                    "carrying");
	assert_string_equal(lag_member_state_name(15), "?");
	assert_true(lag_is_ours(LAG_MAGIC, 1));
	assert_false(lag_is_ours(LAG_MAGIC, 2));
	assert_false(lag_is_ours(LAG_MAGIC ^ 1, 1));
}

/* The table at the end of docs/wire-lag.md. */
static void test_hash(void **state)
{
	static const struct {
		uint64_t hash;
		struct lag_flow flow;
		uint32_t seed;
	} rows[] = {
		{ UINT64_C(0x475ccaabdad5ea12), { 2, 0, 1, 2 }, 0 },
		{ UINT64_C(0x30f1efdf725738d5),
		  { 0x49, 0x48, 0x11, 0x1f40 },
		  0x12345678 },
		{ UINT64_C(0x79300c3a27c16612),
		  { 0xfffffe, 0xffffff, 0xbfff, 0xbffe },
		  0xffffffff },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(lag_hash(rows[i].seed, &rows[i].flow),
		                 rows[i].hash);
}

#define FLOWS 100000u

static struct lag_flow flow(unsigned i)
{
	return (struct lag_flow){ .src_qp = 0x40 + i % 317,
		                  .dest_qp = 0x40 + i / 317 % 13,
		                  .slid = (uint16_t)(1 + i % 997),
		                  .dlid = 0xb001 };
}

/* shows L8: many flows are spread within 5 %, over any number of members. */
static void test_even(void **state)
{
	static const uint64_t all[4] = { UINT64_MAX, UINT64_MAX, UINT64_MAX,
		                         UINT64_MAX };

	(void)state;
	for (unsigned n = 1; n <= 16; n++) {
		unsigned count[16] = { 0 };

		for (unsigned i = 0; i < FLOWS; i++) {
			struct lag_flow f = flow(i);
			bool skipped;
			int m = lag_pick(lag_hash(n, &f), n, all, &skipped);

			assert_false(skipped);
			assert_in_range(m, 0, n - 1);
			count[m]++;
		}
		for (unsigned m = 0; m < n; m++)
			assert_in_range(count[m], FLOWS / n * 95 / 100,
			                FLOWS / n * 105 / 100 + 1);
	}
}

/* shows L8, L12, L14: a death moves the flows of the dead member only, evenly
 * to the others; when it is back, so are they. */
static void test_death(void **state)
{
	const unsigned n = 200, dead = 130;
	uint64_t live[4] = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX };
	unsigned count[200] = { 0 }, moved = 0;

	(void)state;
	for (unsigned i = 0; i < FLOWS; i++) {
		struct lag_flow f = flow(i);
		uint64_t hash = lag_hash(7, &f);
		bool skipped;
		int own = lag_pick(hash, n, live, &skipped), now;

		live[dead / 64] &= ~(UINT64_C(1) << dead % 64);
		now = lag_pick(hash, n, live, &skipped);
		live[dead / 64] |= UINT64_C(1) << dead % 64;
		assert_int_equal(skipped, own == (int)dead);
		if (own != (int)dead) {
			assert_int_equal(now, own);
			continue;
		}
		assert_int_not_equal(now, dead);
		count[now]++;
		moved++;
	}
	assert_in_range(moved, FLOWS / n * 80 / 100, FLOWS / n * 120 / 100);
	for (unsigned m = 0; m < n; m++)
		assert_in_range(count[m], 0, 20);
}

static void test_none_live(void **state)
{
	uint64_t live[4] = { 0 };
	bool skipped = true;

	(void)state;
	assert_int_equal(lag_pick(12345, 8, live, &skipped), -1);
	assert_false(skipped);
	live[0] = 1u << 5;
	for (uint64_t h = 0; h < 64; h++)
		assert_int_equal(lag_pick(h << 58 | h << 26, 8, live, &skipped),
		                 5);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host_bytes),
		cmocka_unit_test(test_switch_bytes),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_even),
		cmocka_unit_test(test_death),
		cmocka_unit_test(test_none_live),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
