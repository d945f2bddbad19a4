/* SPDX-License-Identifier: BSD-2-Clause */
/* shows L19: tables of every engine on twelve topologies, checked. */
#include "../test.h"

#include "base/clock.h"
#include "subnet/balance.h"
#include "subnet/check.h"
#include "subnet/route.h"

#include "nets.h"

#include <errno.h>
#include <stdio.h>

struct fabric {
	struct graph g;
	struct topo t;
	struct route r;
};

static void make(struct fabric *f, const struct net *net)
{
	graph_init(&f->g);
	net->build(&f->g);
	net_number(&f->g);
	net_topo(&f->t, &f->g);
	route_init(&f->r);
}

static void unmake(struct fabric *f)
{
	route_fini(&f->r);
	topo_fini(&f->t);
	graph_fini(&f->g);
}

static void every_engine_is_right_on_every_topology(void **state)
{
	(void)state;
	for (const struct net *net = nets; net->name; net++) {
		for (unsigned e = 0; e < ROUTE_ENGINES; e++) {
			struct check_result res;
			struct fabric f;
			struct err err = { 0 };

			make(&f, net);
			assert_int_equal(route_build(&f.r, &f.t, e, 8, &err),
			                 0);
			assert_int_equal(check_tables(&f.t, &f.r.lft, f.r.layer,
			                              f.r.n_layers, &res),
			                 0);
			assert_int_equal(res.unreachable, 0);
			assert_true(res.paths > 0);
			print_message("%s %s -> %s, %u lanes, %u hops %s\n",
			              net->name, route_name(e),
			              route_name(f.r.used), f.r.n_layers,
			              res.longest, f.r.why);
			unmake(&f);
		}
	}
}

static void one_lane_is_enough_for_updown(void **state)
{
	(void)state;
	for (const struct net *net = nets; net->name; net++) {
		struct fabric f;

		make(&f, net);
		assert_int_equal(route_build(&f.r, &f.t, ROUTE_AUTO, 1, NULL),
		                 0);
		assert_int_equal(f.r.n_layers, 1);
		unmake(&f);
	}
}

/* On a ring shortest paths close a cycle: minhop must not be used. */
static void a_cycle_is_found(void **state)
{
	struct check_result res = { 0 };
	struct fabric f;
	struct check c;

	(void)state;
	graph_init(&f.g);
	net_torus(&f.g, 6, 1, 1, 1, true);
	net_number(&f.g);
	net_topo(&f.t, &f.g);
	route_init(&f.r);
	assert_int_equal(route_build(&f.r, &f.t, ROUTE_MINHOP, 8, NULL), 0);
	assert_int_equal(f.r.used, ROUTE_LAYERED);
	assert_true(f.r.n_layers > 1);

	/* The same tables, all in one lane. */
	assert_int_equal(check_init(&c, &f.t, &f.r.lft, NULL, 1), 0);
	for (uint32_t i = 0; i < f.t.n_dests; i++) {
		struct check_end end = { f.t.dest[i].sw, f.t.dest[i].port };

		assert_int_equal(check_lid(&c, f.t.dest[i].lid, &end, 1, &res),
		                 0);
	}
	assert_int_equal(check_cycles(&c, &res), -ELOOP);
	assert_int_equal(res.fault, CHECK_CYCLE);
	check_fini(&c);
	unmake(&f);
}

/* Planted faults are named. */
static void wrong_entries_are_found(void **state)
{
	struct check_result res;
	struct fabric f;
	uint16_t lid;

	(void)state;
	make(&f, &nets[0]);
	assert_int_equal(route_build(&f.r, &f.t, ROUTE_AUTO, 8, NULL), 0);
	lid = f.t.dest[1].lid;
	assert_int_equal(f.t.dest[1].sw, 0);

	lft_set(&f.r.lft, 3, lid, LFT_NONE);
	assert_int_equal(check_tables(&f.t, &f.r.lft, f.r.layer, 1, &res),
	                 -EINVAL);
	assert_int_equal(res.fault, CHECK_NO_ROUTE);
	assert_int_equal(res.sw, 3);
	assert_int_equal(res.lid, lid);

	/* Down again to where it came from. */
	lft_set(&f.r.lft, 3, lid, 1);
	lft_set(&f.r.lft, topo_edge_at(&f.t, 3, 1)->to, lid,
	        topo_edge_at(&f.t, 3, 1)->back);
	assert_int_equal(check_tables(&f.t, &f.r.lft, f.r.layer, 1, &res),
	                 -EINVAL);
	assert_int_equal(res.fault, CHECK_LOOP);

	/* A host's port that is not the LID's. */
	lft_set(&f.r.lft, 3, lid, 4);
	assert_null(topo_edge_at(&f.t, 3, 4));
	assert_int_equal(check_tables(&f.t, &f.r.lft, f.r.layer, 1, &res),
	                 -EINVAL);
	assert_int_equal(res.fault, CHECK_WRONG_PORT);
	unmake(&f);
}

static void a_full_clos_is_perfectly_even(void **state)
{
	static const enum route_engine engine[] = { ROUTE_MINHOP, ROUTE_UPDOWN,
		                                    ROUTE_FATTREE };
	struct balance b;
	struct fabric f;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		graph_init(&f.g);
		net_clos(&f.g, 36, 18, 18, 1);
		net_number(&f.g);
		net_topo(&f.t, &f.g);
		route_init(&f.r);
		assert_int_equal(route_build(&f.r, &f.t, engine[i], 8, NULL),
		                 0);
		assert_int_equal(balance_measure(&f.t, &f.r.lft, 10, 1, &b), 0);
		print_message("%s max %lu mean %.1f permutation %.3f\n",
		              route_name(engine[i]), b.max, b.mean,
		              b.permutation);
		assert_true((double)b.max <= b.mean * 1.001);
		unmake(&f);
	}
}

/* A cut costs few entries, and bringing the link back leaves all right. */
static void repair_changes_little(void **state)
{
	(void)state;
	for (const struct net *net = nets; net->name; net++) {
		struct fabric f;
		struct topo now;
		uint32_t total, a, b;
		unsigned sw = 0;

		make(&f, net);
		assert_int_equal(route_build(&f.r, &f.t, ROUTE_AUTO, 8, NULL),
		                 0);
		total = f.t.n_dests * f.t.n_switches;
		a = graph_port(&f.g, f.g.switch_node[sw],
		               f.t.edge[f.t.first[sw]].port);
		b = f.g.port[a].peer;
		graph_unlink(&f.g, a);
		net_topo(&now, &f.g);
		assert_int_equal(route_repair(&f.r, &f.t, &now, NULL), 0);
		print_message("%s: %u of %u changed, %u searches, %lu us\n",
		              net->name, f.r.stats.changed, total,
		              f.r.stats.searches, f.r.stats.took_ns / 1000);
		if (f.r.stats.searches < f.t.n_switches && total > 5000)
			assert_true(f.r.stats.changed * 10 < total);
		topo_fini(&f.t);
		f.t = now;
		graph_link(&f.g, a, b);
		net_topo(&now, &f.g);
		assert_int_equal(route_repair(&f.r, &f.t, &now, NULL), 0);
		topo_fini(&f.t);
		f.t = now;
		unmake(&f);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_engine_is_right_on_every_topology),
		cmocka_unit_test(one_lane_is_enough_for_updown),
		cmocka_unit_test(a_cycle_is_found),
		cmocka_unit_test(wrong_entries_are_found),
		cmocka_unit_test(a_full_clos_is_perfectly_even),
		cmocka_unit_test(repair_changes_little),
	};

	return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
