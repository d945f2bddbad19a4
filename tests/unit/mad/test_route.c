/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Directed routes, step by step, over a small net of nodes: a chain of
 * switches between two hosts (IBA 14.2.2).
 *
 *   host 0 [1]--[1] switch 1 [2]--[1] switch 2 [2]-- ... --[1] host N
 */
#include "base/base.h"
#include "mad/smp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LID_OF(node) ((uint16_t)((node) + 100))

static unsigned last; /* the node at the right end */

static struct smp_node_view view(unsigned node, uint8_t in_port)
{
	return (struct smp_node_view){
		.is_switch = node != 0 && node != last,
		.n_ports = 2,
		.in_port = in_port,
		.lid = LID_OF(node),
	};
}

/* Follow `m` from `*node`; where it ends, or -1: discarded. */
static int follow(struct mad *m, unsigned node, uint8_t in_port)
{
	for (unsigned hops = 0; hops < 200; hops++) {
		struct smp_node_view v = view(node, in_port);
		uint8_t port = 0;
		uint16_t lid = 0;

		switch (smp_step(m, &v, &port, &lid)) {
		case SMP_STEP_LOCAL:
			return (int)node;
		case SMP_STEP_DISCARD:
			return -1;
		case SMP_STEP_LID:
			node = lid - 100u;
			in_port = 1;
			break;
		case SMP_STEP_PORT:
			if (node == 0 || port == 2)
				in_port = 1, node++;
			else
				in_port = node == 1 ? 1 : 2, node--;
			if (node > last)
				return -1;
			break;
		}
	}
	return -1;
}

static void make(struct mad *m, unsigned n_hops)
{
	struct smp_route route = { .n_hops = (uint8_t)n_hops };

	for (unsigned i = 1; i <= n_hops; i++)
		route.out[i] = i == 1 ? 1 : 2;
	mad_init(m, MAD_CLASS_SUBN_DIRECTED, MAD_GET, MAD_ATTR_NODE_INFO, 0);
	smp_set_route(m, &route);
}

/* There and back, for every length that fits. */
static void test_there_and_back(void **state)
{
	(void)state;
	last = SMP_PATH_LENGTH - 1;
	for (unsigned n = 0; n < SMP_PATH_LENGTH; n++) {
		struct mad m;

		make(&m, n);
		assert_int_equal(follow(&m, 0, 0), n);
		assert_int_equal(m.header.hop_pointer, n + 1);
		for (unsigned i = 1; i <= n; i++)
			assert_int_equal(mad_smp(&m)->return_path[i], 1);
		mad_make_response(&m, 0);
		assert_int_equal(follow(&m, n, 0), 0);
		assert_int_equal(m.header.hop_pointer, 0);
	}
}

/* LID-routed before and after the directed part. */
static void test_lids(void **state)
{
	struct mad m;

	(void)state;
	last = 9;
	make(&m, 3);
	smp_set_route_lids(&m, MAD_LID_PERMISSIVE, LID_OF(8));
	assert_int_equal(follow(&m, 0, 0), 8);
	assert_int_equal(m.header.hop_pointer, 4);

	/* From host 0 by LID to switch 4, then two hops on. */
	make(&m, 2);
	mad_smp(&m)->initial_path[1] = 2;
	smp_set_route_lids(&m, LID_OF(0), MAD_LID_PERMISSIVE);
	assert_int_equal(follow(&m, 4, 1), 6);
	mad_make_response(&m, 0);
	assert_int_equal(follow(&m, 6, 0), 0);

	/* A route that ends where its last LID is. */
	make(&m, 3);
	smp_set_route_lids(&m, MAD_LID_PERMISSIVE, LID_OF(3));
	assert_int_equal(follow(&m, 0, 0), 3);
}

/* What can't be is dropped, not followed. */
static void test_discard(void **state)
{
	struct smp_node_view v;
	uint16_t lid = 0;
	uint8_t port = 0;
	struct mad m;

	(void)state;
	last = 4;
	make(&m, 2); /* a port that the switch has not */
	mad_smp(&m)->initial_path[2] = 3;
	assert_int_equal(follow(&m, 0, 0), -1);
	make(&m, 2); /* port 0 */
	mad_smp(&m)->initial_path[2] = 0;
	assert_int_equal(follow(&m, 0, 0), -1);
	make(&m, 5); /* through a host */
	assert_int_equal(follow(&m, 0, 0), -1);
	make(&m, 3); /* pointer behind the end */
	m.header.hop_pointer = 5;
	assert_int_equal(follow(&m, 1, 1), -1);
	make(&m, 3); /* more hops than the path has room for */
	m.header.hop_count = 64;
	m.header.hop_pointer = 64;
	v = view(1, 1);
	assert_int_equal(smp_step(&m, &v, &port, &lid), SMP_STEP_DISCARD);
	make(&m, 3); /* one that came in, but says it starts here */
	assert_int_equal(smp_step(&m, &v, &port, &lid), SMP_STEP_DISCARD);
	make(&m, 4); /* a host does not forward by LID */
	smp_set_route_lids(&m, MAD_LID_PERMISSIVE, LID_OF(2));
	assert_int_equal(follow(&m, 0, 0), -1);
	make(&m, 2); /* back, with a wrong pointer */
	assert_int_equal(follow(&m, 0, 0), 2);
	mad_make_response(&m, 0);
	m.header.hop_pointer = 4;
	assert_int_equal(follow(&m, 2, 0), -1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_lids),
		cmocka_unit_test(test_discard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
