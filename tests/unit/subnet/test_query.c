/* SPDX-License-Identifier: BSD-2-Clause */
/* What operators ask.  shows L19 */
#include "../test.h"

#include "sm_rig.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct sm_rig r;

static void an_explanation_follows_the_tables(void **state)
{
	struct query_hop hop[QUERY_HOPS];
	struct err e = { 0 };
	unsigned n;

	(void)state;
	sm_rig_init(&r, "clos:hosts=36,ports=2,radix=12");
	ibnet_set_faults(ibnet_node(r.net, "H00030"), IBNET_FAULT_NO_LAG);
	sm_rig_start(&r, 0, "H00000:1");
	assert_true(sm_rig_settle(&r, 0, 5000) >= 0);

	assert_int_equal(
		query_explain(r.sm[0].s, "H00003", "H00030", hop, &n, &e), 0);
	assert_string_equal(hop[0].desc, "H00003");
	assert_string_equal(hop[n - 1].desc, "H00030");
	assert_true(n >= 3 && n <= 5);
	for (unsigned i = 0; i < n; i++)
		print_message("%s %u->%u: %s\n", hop[i].desc, hop[i].in_port,
		              hop[i].out_port, hop[i].why);
	assert_true(strstr(hop[1].why, "minhop") ||
	            strstr(hop[1].why, "behind port"));

	assert_int_equal(
		query_explain(r.sm[0].s, "H00003", "H00020", hop, &n, &e), 0);
	assert_true(strstr(hop[0].why, "virtual"));
	assert_true(strstr(hop[1].why, "virtual LID"));
	for (unsigned i = 0; i < n; i++)
		print_message("%s %u->%u: %s\n", hop[i].desc, hop[i].in_port,
		              hop[i].out_port, hop[i].why);

	assert_int_equal(
		query_explain(r.sm[0].s, "nobody", "H00020", hop, &n, &e),
		-ENOENT);
	assert_true(strstr(e.text, "nobody"));
	sm_rig_fini(&r);
}

/* A plan says what would happen, and then just that happens. */
static void a_plan_comes_true(void **state)
{
	struct query_plan plan, none;
	struct query_node node;
	struct subnet_status st;
	struct err e = { 0 };
	uint32_t at = 0;
	uint64_t sent;
	char words[64];

	(void)state;
	sm_rig_init(&r, "clos:hosts=36,ports=1,radix=12");
	sm_rig_start(&r, 0, "H00000:1");
	assert_true(sm_rig_settle(&r, 0, 5000) >= 0);
	while (query_node(r.sm[0].s, &at, &node))
		if (strcmp(node.desc, "L0002") == 0)
			break;
	subnet_status(r.sm[0].s, &st);
	sent = st.smps_sent;
	assert_int_equal(query_plan(r.sm[0].s, 0, 0, false, &none, &e), 0);
	assert_int_equal(none.blocks + none.entries + none.ports + none.lids,
	                 0);
	assert_int_equal(query_plan(r.sm[0].s, node.guid, 8, false, &plan, &e),
	                 0);
	assert_true(plan.entries > 0 && plan.blocks > 0);
	subnet_status(r.sm[0].s, &st);
	assert_int_equal(st.smps_sent, sent); /* nothing was sent */

	ibnet_cut(ibnet_find(r.net, "L0002[8]"));
	sm_rig_run(&r, 10);
	snprintf(words, sizeof(words), ", %u entries changed", plan.entries);
	assert_true(sm_rig_event(&r, 0, SUBNET_EVENT_SWEEP, words));
	/* The plan of nothing is still nothing, after. */
	assert_int_equal(query_plan(r.sm[0].s, 0, 0, false, &none, &e), 0);
	assert_int_equal(none.blocks, 0);
	assert_int_equal(query_plan(r.sm[0].s, node.guid, 8, false, &plan, &e),
	                 -ENOENT);
	sm_rig_fini(&r);
}

static void lists_are_complete(void **state)
{
	struct subnet_event e[8];
	struct query_route route;
	struct query_link link;
	struct query_node node;
	struct subnet_status st;
	unsigned nodes = 0, links = 0, routes = 0;
	uint64_t guid = 0;
	uint32_t at;

	(void)state;
	sm_rig_init(&r, "clos:hosts=36,ports=2,radix=12");
	sm_rig_start(&r, 0, "H00000:1");
	assert_true(sm_rig_settle(&r, 0, 5000) >= 0);
	subnet_status(r.sm[0].s, &st);
	for (at = 0; query_node(r.sm[0].s, &at, &node); nodes++)
		if (node.kind == GRAPH_SWITCH)
			guid = node.guid;
	for (at = 0; query_link(r.sm[0].s, &at, &link);)
		links++;
	for (at = 0; query_route(r.sm[0].s, guid, &at, &route); routes++)
		assert_false(route.pending);
	assert_int_equal(nodes, st.nodes);
	assert_int_equal(links, st.links);
	/* Physical and virtual LIDs of hosts, and those of switches. */
	assert_int_equal(routes, 36 * 3 + st.switches);
	assert_int_equal(subnet_events(r.sm[0].s, 0, e, 8), 8);
	assert_int_equal(e[0].number, 1);
	sm_rig_fini(&r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_explanation_follows_the_tables),
		cmocka_unit_test(a_plan_comes_true),
		cmocka_unit_test(lists_are_complete),
	};

	return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
