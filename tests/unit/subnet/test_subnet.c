/* SPDX-License-Identifier: BSD-2-Clause */
/* The manager on a software fabric.  shows L3, L4, L5, L6, L7, L19 */
#include "../test.h"

#include "sm_rig.h"

#include "mad/smp.h"

#include <stdio.h>
#include <string.h>

static unsigned count_active(struct sm_rig *r, unsigned *linked)
{
	unsigned active = 0;

	*linked = 0;
	for (uint32_t n = 0; n < ibnet_node_count(r->net); n++) {
		struct ibnet_node *node = ibnet_node_at(r->net, n);
		struct ibnet_node_view nv;

		ibnet_view_node(node, &nv);
		for (unsigned i = 1; i <= nv.n_ports; i++) {
			struct ibnet_port_view pv;

			ibnet_view_port(ibnet_port(node, i), &pv);
			*linked += pv.phys_state == SMP_PHYS_LINK_UP;
			active += pv.state == SMP_PORT_ACTIVE;
		}
	}
	return active;
}

/* Everybody sends to everybody, by virtual LIDs where there are some. */
static void all_pairs(struct sm_rig *r, unsigned hosts)
{
	struct ibnet_data_stats d;
	struct query_lag lag;
	struct err e = { 0 };
	uint16_t lid[512] = { 0 };
	unsigned n = 0;
	uint32_t at = 0, id;
	char name[16];

	while (query_lag(r->sm[0].s, &at, &lag))
		if (lag.virtual_lid && n < 512)
			lid[n++] = lag.virtual_lid;
	for (unsigned i = 0; n == 0 && i < hosts; i++) {
		struct ibnet_port_view pv;

		snprintf(name, sizeof(name), "H%05u:1", i);
		ibnet_view_port(ibnet_find(r->net, name), &pv);
		lid[i] = pv.lid;
	}
	n = n ? n : hosts;
	for (unsigned i = 0; i < hosts; i++) {
		snprintf(name, sizeof(name), "H%05u", i);
		for (unsigned k = 0; k < n; k++)
			assert_int_equal(
				ibnet_flow_add(ibnet_node(r->net, name), lid[k],
			                       &id, &e),
				0);
	}
	ibnet_tick(r->net, 400);
	ibnet_flow_run(r->net, false);
	ibnet_tick(r->net, 600);
	ibnet_flow_run(r->net, true);
	ibnet_data_get(r->net, &d);
	print_message("sent %lu received %lu reordered %lu lost: link %lu "
	              "route %lu group %lu stalled %lu hops %lu refused %lu\n",
	              d.flows.sent, d.flows.received, d.flows.reordered,
	              d.lost_link, d.lost_no_route, d.lost_group,
	              d.lost_stalled, d.lost_hops, d.lost_refused);
	assert_true(d.flows.sent > 1000);
	assert_int_equal(d.flows.received, d.flows.sent);
	assert_int_equal(d.flows.reordered, 0);
	ibnet_flow_clear(r->net);
}

static const char *first_host(struct sm_rig *r)
{
	for (uint32_t i = 0; i < ibnet_node_count(r->net); i++) {
		struct ibnet_node_view v;

		ibnet_view_node(ibnet_node_at(r->net, i), &v);
		if (v.kind == IBNET_HOST)
			return v.name;
	}
	return NULL;
}

static void bring_up(const char *spec, unsigned hosts, enum route_engine engine)
{
	static struct sm_rig r;
	struct subnet_status st;
	struct query_diff diff;
	uint64_t at = 0;
	unsigned linked, active;

	sm_rig_init(&r, spec);
	r.sm[0].opts.engine = engine;
	sm_rig_start(&r, 0, first_host(&r));
	assert_true(sm_rig_settle(&r, 0, 5000) >= 0);
	subnet_status(r.sm[0].s, &st);
	assert_int_equal(st.state, SUBNET_MASTER);
	assert_int_equal(st.nodes, ibnet_node_count(r.net));
	while (query_diff(r.sm[0].s, &at, &diff))
		print_message("%s lacks %s %u\n", diff.desc, diff.table,
		              diff.block);
	assert_int_equal(st.not_sent, 0);
	active = count_active(&r, &linked);
	assert_int_equal(active, linked);
	assert_int_equal(st.links * 2, linked);
	print_message("%s: %u nodes %u links %u lags, %lu SMPs, %s\n", spec,
	              st.nodes, st.links, st.lags, st.smps_sent,
	              route_name(st.engine));
	all_pairs(&r, hosts);
	sm_rig_fini(&r);
}

static void fabrics_come_up_and_carry_packets(void **state)
{
	(void)state;
	bring_up("clos:hosts=36,ports=1,radix=12", 36, ROUTE_AUTO);
	bring_up("clos:hosts=36,ports=2,radix=12", 36, ROUTE_AUTO);
	bring_up("clos:hosts=30,ports=4,radix=16", 30, ROUTE_FATTREE);
	/* The fabric's lanes share a buffer, so routing has to do with one. */
	bring_up("torus:x=4,y=4,z=1,hosts=2", 32, ROUTE_UPDOWN);
	bring_up("dragonfly:groups=5,switches=4,hosts=2,global=1", 40,
	         ROUTE_UPDOWN);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(fabrics_come_up_and_carry_packets),
	};

	return cmocka_run_group_tests_name("subnet", tests, NULL, NULL);
}
