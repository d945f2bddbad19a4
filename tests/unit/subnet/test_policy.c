/* SPDX-License-Identifier: BSD-2-Clause */
/* Partitions and quality of service from text.  shows L19 */
#include "../test.h"

#include "base/base.h"
#include "subnet/policy.h"

#include <errno.h>
#include <string.h>

static const char good[] = "# who may talk to whom\n"
			   "partition default 0x7fff full=sm limited=all\n"
			   "partition store 0x8010 full=0x11,0x12 "
			   "limited=0x13,0x14 ipoib mtu=2048 sl=3\n"
			   "\n"
			   "sl2vl 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7\n"
			   "vlarb-high 0:64 1:128   # two lanes\n"
			   "vlarb-low 2:1\n"
			   "high-limit 10\n";

static void a_policy_says_who_has_which_keys(void **state)
{
	struct policy p;
	uint16_t key[8];

	(void)state;
	policy_init(&p);
	assert_int_equal(policy_parse(&p, good, strlen(good), NULL), 0);
	assert_int_equal(p.n_partitions, 2);
	assert_int_equal(p.high.n, 2);
	assert_int_equal(p.high.weight[1], 128);
	assert_int_equal(p.sl2vl[9], 1);
	assert_int_equal(p.high_limit, 10);
	assert_int_equal(policy_keys(&p, 0x11, false, key, 8), 2);
	assert_int_equal(key[0], 0x7fff); /* limited */
	assert_int_equal(key[1], 0x8010); /* full */
	assert_int_equal(policy_keys(&p, 0x99, true, key, 8), 1);
	assert_int_equal(key[0], 0xffff);
	assert_int_equal(policy_keys(&p, 0x13, false, key, 1), 1);
	/* Two limited members don't talk, a full one does with either. */
	assert_int_equal(policy_common(&p, 0x13, false, 0x14, false, 0), 0);
	assert_int_equal(policy_common(&p, 0x11, false, 0x14, false, 0),
	                 0x8010);
	assert_int_equal(policy_common(&p, 0x13, false, 0x12, false, 0x10),
	                 0x10);
	assert_int_equal(policy_common(&p, 0x13, false, 0x12, false, 0x20), 0);
	assert_int_equal(policy_common(&p, 0x99, false, 0x98, true, 0), 0x7fff);
	policy_fini(&p);
	/* Without a file everybody is in the default partition. */
	assert_int_equal(policy_common(&p, 1, false, 2, false, 0), 0xffff);
}

static void bad_ones_are_refused_with_line_and_reason(void **state)
{
	static const struct {
		const char *text;
		const char *words;
	} rows[] = {
		{ "partition\n", "line 1: a partition has a name" },
		{ "\npartition a 0x10000\n", "line 2: not a P_Key: 0x10000" },
		{ "partition a 0x8000\n", "not a P_Key" },
		{ "partition a 1\npartition b 0x8001\n",
		  "line 2: this P_Key was there before" },
		{ "partition a 1 full=x\n", "not a port GUID: x" },
		{ "partition a 1 full=0\n", "not a port GUID" },
		{ "partition a 1 full=1,,2\n", "not a port GUID" },
		{ "partition a 1 full=all full=all\n", "given twice" },
		{ "partition a 1 mtu=1000\n", "not understood: mtu=1000" },
		{ "partition a 1 sl=16\n", "not understood" },
		{ "partition a12345678901234567890123456789012 1\n",
		  "too long" },
		{ "sl2vl 1 2 3\n", "16 lanes" },
		{ "sl2vl 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 16\n", "16 lanes" },
		{ "vlarb-high\n", "missing" },
		{ "vlarb-high 15:1\n", "not VL:WEIGHT" },
		{ "vlarb-low 1\n", "not VL:WEIGHT" },
		{ "high-limit 256\n", "0 to 255" },
		{ "high-limit 1 2\n", "too much on this line: 2" },
		{ "partitions a 1\n", "no such statement: partitions" },
	};
	struct policy p;

	(void)state;
	policy_init(&p);
	assert_int_equal(policy_parse(&p, good, strlen(good), NULL), 0);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };

		assert_int_equal(policy_parse(&p, rows[i].text,
		                              strlen(rows[i].text), &e),
		                 -EINVAL);
		if (!strstr(e.text, rows[i].words))
			fail_msg("row %u: %s", i, e.text);
		assert_int_equal(p.n_partitions, 2); /* P1 */
	}
	policy_fini(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_says_who_has_which_keys),
		cmocka_unit_test(bad_ones_are_refused_with_line_and_reason),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
