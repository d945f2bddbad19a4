/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens to a fabric, and what the manager makes of it.
 * shows L3, L5, L11, L12, L13, L14, L15, L16, L18, L19
 */
#include "../test.h"

#include "sm_rig.h"

#include "mad/lag.h"
#include "mad/smp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HOSTS 36u

static struct sm_rig r;

static void begin(const char *spec)
{
	sm_rig_init(&r, spec);
	sm_rig_start(&r, 0, "H00000:1");
	assert_true(sm_rig_settle(&r, 0, 5000) >= 0);
}

static struct ibnet_node *host(unsigned i)
{
	char name[16];

	snprintf(name, sizeof(name), "H%05u", i);
	return ibnet_node(r.net, name);
}

static struct query_lag lag_of(unsigned i)
{
	struct query_lag lag;
	uint32_t at = 0;
	char name[16];

	snprintf(name, sizeof(name), "H%05u", i);
	while (query_lag(r.sm[0].s, &at, &lag))
		if (strcmp(lag.desc, name) == 0)
			return lag;
	memset(&lag, 0, sizeof(lag));
	return lag;
}

/* Flows from each host to the next ones, by virtual LIDs.  More than one a host
 * is more than a host with one port left takes. */
static unsigned start_flows(unsigned per_host)
{
	struct err e = { 0 };
	unsigned n = 0;
	uint32_t id;

	for (unsigned i = 0; i < HOSTS; i++)
		for (unsigned k = 1; k <= per_host; k++, n++)
			assert_int_equal(
				ibnet_flow_add(
					host(i),
					lag_of((i + k * 7) % HOSTS).virtual_lid,
					&id, &e),
				0);
	return n;
}

static struct ibnet_data_stats drain(void)
{
	struct ibnet_data_stats d;

	ibnet_flow_run(r.net, false);
	ibnet_tick(r.net, 5000);
	ibnet_data_get(r.net, &d);
	ibnet_flow_run(r.net, true);
	print_message("sent %lu received %lu reordered %lu; lost: link %lu "
	              "route %lu group %lu stalled %lu hops %lu refused %lu "
	              "unsent %lu\n",
	              d.flows.sent, d.flows.received, d.flows.reordered,
	              d.lost_link, d.lost_no_route, d.lost_group,
	              d.lost_stalled, d.lost_hops, d.lost_refused, d.no_port);
	assert_int_equal(d.flows.duplicated, 0);
	return d;
}

/* The sum of what was lost once the first `link` packets are allowed. */
static uint64_t lost_elsewhere(const struct ibnet_data_stats *d)
{
	return d->lost_no_route + d->lost_group + d->lost_stalled +
	       d->lost_hops + d->lost_refused;
}

/* A member's port dies and comes back; L11, L13: the virtual LID stays, only
 * what was on the link is lost. */
static void a_member_dies_and_returns(void **state)
{
	struct query_lag before, after;
	struct ibnet_data_stats d;
	uint64_t lost;

	(void)state;
	begin("clos:hosts=36,ports=2,radix=12");
	before = lag_of(5);
	assert_int_equal(before.n_members, 2);
	assert_true(before.virtual_lid != 0);
	start_flows(1);
	ibnet_tick(r.net, 200);
	ibnet_cut(ibnet_find(r.net, "H00005:1"));
	sm_rig_run_data(&r, 20, 10);
	ibnet_tick(r.net, 200);
	d = drain();
	/* What was on the link, and on its way to it. */
	assert_int_equal(d.flows.reordered, 0);
	lost = d.lost_link + d.lost_group;
	assert_int_equal(lost_elsewhere(&d), d.lost_group);
	assert_true(lost <= 2 * IBNET_DATA_QUEUE);
	assert_int_equal(d.flows.received + lost, d.flows.sent);
	after = lag_of(5);
	assert_int_equal(after.virtual_lid, before.virtual_lid);
	assert_int_equal(after.member[0].state, LAG_MEMBER_DOWN);
	assert_true(sm_rig_event(&r, 0, SUBNET_EVENT_LINK_DOWN, "H00005"));

	ibnet_restore(ibnet_find(r.net, "H00005:1"));
	sm_rig_run_data(&r, 50, 10);
	ibnet_tick(r.net, 500);
	d = drain();
	assert_int_equal(d.flows.sent - d.flows.received, lost);
	assert_int_equal(d.flows.reordered, 0);
	assert_int_equal(lag_of(5).virtual_lid, before.virtual_lid);
	ibnet_flow_clear(r.net);
	sm_rig_fini(&r);
}

/* shows L11, L12, L13: member after member dies while the manager is frozen;
 * nothing is lost but what was on its way to it, also of hosts at the same
 * leaf, and no flow is out of order.  The manager wakes, and the members come
 * back: nothing is lost at all. */
static void members_die_while_the_manager_is_frozen(void **state)
{
	struct ibnet_data_stats d = { 0 };
	uint64_t lost = 0, in_flight = 0;
	char name[16];

	(void)state;
	begin("clos:hosts=36,ports=2,radix=12");
	start_flows(1);
	for (unsigned i = 0; i < HOSTS; i += 4) {
		snprintf(name, sizeof(name), "H%05u:%u", i, 1 + i / 4 % 2);
		ibnet_tick(r.net, 300);
		ibnet_cut(ibnet_find(r.net, name));
		ibnet_tick(r.net, 1500);
		d = drain();
		in_flight = d.flows.sent - d.flows.received - lost;
		assert_true(in_flight <= 2 * IBNET_DATA_QUEUE);
		lost += in_flight;
		assert_int_equal(lost_elsewhere(&d), d.lost_group);
		assert_int_equal(d.flows.reordered, 0);
		assert_int_equal(ibnet_flow_silent(r.net), 0);
		if (i % 3)
			continue; /* the manager sleeps on */
		sm_rig_run_data(&r, 20, 10);
		ibnet_restore(ibnet_find(r.net, name));
		sm_rig_run_data(&r, 20, 10);
		ibnet_tick(r.net, 300);
		d = drain();
		assert_int_equal(d.flows.sent - d.flows.received, lost);
		assert_int_equal(d.flows.reordered, 0);
	}
	print_message("%u members died, %lu packets lost\n", HOSTS / 4, lost);
	ibnet_flow_clear(r.net);
	sm_rig_fini(&r);
}

/* L15: a leaf dies; every host on it has another member elsewhere. */
static void a_leaf_dies_and_returns(void **state)
{
	struct ibnet_data_stats d;
	uint64_t lost;

	(void)state;
	begin("clos:hosts=36,ports=2,radix=12");
	start_flows(1);
	ibnet_tick(r.net, 200);
	ibnet_set_power(ibnet_node(r.net, "L0003"), false);
	sm_rig_run(&r, 50);
	ibnet_tick(r.net, 300);
	d = drain();
	lost = d.flows.sent - d.flows.received;
	ibnet_tick(r.net, 500);
	d = drain();
	/* None after the first: those were in flight. */
	assert_int_equal(d.flows.sent - d.flows.received, lost);
	assert_true(sm_rig_event(&r, 0, SUBNET_EVENT_NODE_DOWN, "L0003"));
	ibnet_set_power(ibnet_node(r.net, "L0003"), true);
	sm_rig_run(&r, 3000);
	assert_true(sm_rig_settle(&r, 0, 2000) >= 0);
	ibnet_tick(r.net, 500);
	d = drain();
	assert_int_equal(d.flows.sent - d.flows.received, lost);
	ibnet_flow_clear(r.net);
	sm_rig_fini(&r);
}

/* L5, L16: hosts that refuse or can't are reached by their own LIDs. */
static void those_who_refuse_are_left_alone(void **state)
{
	struct ibnet_port_view pv;
	struct query_lag lag;
	struct err e = { 0 };
	struct ibnet_data_stats d;
	uint32_t id;

	(void)state;
	sm_rig_init(&r, "clos:hosts=36,ports=2,radix=12");
	ibnet_set_faults(host(7), IBNET_FAULT_LAG_POLICY);
	ibnet_set_faults(host(8), IBNET_FAULT_NO_LAG);
	for (unsigned i = 0; i < 4; i++) {
		char name[16];

		snprintf(name, sizeof(name), "L%04u", i);
		ibnet_set_faults(ibnet_node(r.net, name), IBNET_FAULT_NO_LAG);
	}
	sm_rig_start(&r, 0, "H00000:1");
	assert_true(sm_rig_settle(&r, 0, 5000) >= 0);
	lag = lag_of(7);
	assert_int_equal(lag.virtual_lid, 0);
	assert_int_equal(lag.result, LAG_REFUSED_POLICY);
	assert_int_equal(lag_of(8).virtual_lid, 0);
	assert_true(lag_of(9).virtual_lid != 0);
	assert_true(sm_rig_event(&r, 0, SUBNET_EVENT_LAG, "H00007 refuses"));
	/* Non-LAG to LAG, LAG to non-LAG, non-LAG to non-LAG. */
	ibnet_view_port(ibnet_find(r.net, "H00007:1"), &pv);
	assert_int_equal(ibnet_flow_add(host(8), pv.lid, &id, &e), 0);
	assert_int_equal(ibnet_flow_add(host(9), pv.lid, &id, &e), 0);
	assert_int_equal(
		ibnet_flow_add(host(7), lag_of(9).virtual_lid, &id, &e), 0);
	assert_int_equal(
		ibnet_flow_add(host(9), lag_of(20).virtual_lid, &id, &e), 0);
	ibnet_tick(r.net, 300);
	d = drain();
	assert_int_equal(d.flows.received, d.flows.sent);
	assert_int_equal(d.flows.reordered, 0);
	ibnet_flow_clear(r.net);
	sm_rig_fini(&r);
}

/* A manager that starts again keeps every LID and writes no table. */
static void a_restart_changes_nothing(void **state)
{
	struct query_lag before, after;
	struct ibnet_data_stats d;
	struct subnet_status st;
	char path[] = "/tmp/test-lids-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	sm_rig_init(&r, "clos:hosts=36,ports=2,radix=12");
	r.sm[0].opts.lid_file = path;
	sm_rig_start(&r, 0, "H00000:1");
	assert_true(sm_rig_settle(&r, 0, 5000) >= 0);
	before = lag_of(11);
	start_flows(1);
	ibnet_tick(r.net, 100);
	sm_rig_stop(&r, 0);
	ibnet_tick(r.net, 100);
	sm_rig_start(&r, 0, "H00000:1");
	assert_true(sm_rig_settle(&r, 0, 5000) >= 0);
	after = lag_of(11);
	assert_int_equal(after.virtual_lid, before.virtual_lid);
	assert_int_equal(after.member[1].lid, before.member[1].lid);
	subnet_status(r.sm[0].s, &st);
	print_message("restart: %lu SMPs\n", st.smps_sent);
	ibnet_tick(r.net, 100);
	d = drain();
	assert_int_equal(d.flows.received, d.flows.sent);
	assert_int_equal(d.flows.reordered, 0);
	ibnet_flow_clear(r.net);
	sm_rig_fini(&r);
	unlink(path);
}

/* L18: with an M_Key set, only who knows it can write. */
static void a_wrong_m_key_is_refused(void **state)
{
	struct subnet_status st;

	(void)state;
	sm_rig_init(&r, "clos:hosts=36,ports=2,radix=12");
	r.sm[0].opts.m_key = 0x1234;
	r.sm[0].opts.m_key_protect = 2;
	sm_rig_start(&r, 0, "H00000:1");
	assert_true(sm_rig_settle(&r, 0, 5000) >= 0);
	/* Another one, that does not know the key and thinks it is better. */
	r.sm[1].opts.m_key = 0x9999;
	r.sm[1].opts.priority = 15;
	sm_rig_start(&r, 1, "H00001:1");
	sm_rig_run(&r, 3000);
	subnet_status(r.sm[1].s, &st);
	assert_true(st.nodes < 5);
	assert_true(sm_rig_event(&r, 0, SUBNET_EVENT_SECURITY, "256"));
	/* That it calls itself master, and better, does not matter. */
	assert_int_equal(st.state, SUBNET_MASTER);
	subnet_sweep(r.sm[0].s);
	sm_rig_run(&r, 1000);
	subnet_status(r.sm[0].s, &st);
	assert_int_equal(st.state, SUBNET_MASTER);
	assert_int_equal(st.nodes, ibnet_node_count(r.net));
	sm_rig_fini(&r);
}

/* A duplicate GUID is named and isolated, the rest works. */
static void a_duplicate_guid_is_isolated(void **state)
{
	struct subnet_status st;
	struct ibnet_node_view v;

	(void)state;
	sm_rig_init(&r, "clos:hosts=36,ports=1,radix=12");
	ibnet_view_node(host(20), &v);
	ibnet_set_guid(host(30), v.guid);
	sm_rig_start(&r, 0, "H00000:1");
	assert_true(sm_rig_settle(&r, 0, 5000) >= 0);
	assert_true(sm_rig_event(&r, 0, SUBNET_EVENT_FAULT, "duplicate GUID"));
	subnet_status(r.sm[0].s, &st);
	assert_int_equal(st.nodes, ibnet_node_count(r.net) - 1);
	assert_int_equal(st.not_sent, 0);
	sm_rig_fini(&r);
}

/* A switch that confirms what it is told and does not do it. */
static void a_switch_that_lies_is_isolated(void **state)
{
	struct ibnet_data_stats d;
	struct ibnet_port_view v;
	struct subnet_status st;
	struct err e = { 0 };
	uint32_t id;

	(void)state;
	sm_rig_init(&r, "clos:hosts=36,ports=1,radix=12");
	ibnet_set_faults(ibnet_node(r.net, "S0000"), IBNET_FAULT_LFT_LIES);
	sm_rig_start(&r, 0, "H00000:1");
	assert_true(sm_rig_settle(&r, 0, 5000) >= 0);
	sm_rig_run(&r, 200);
	assert_true(sm_rig_event(&r, 0, SUBNET_EVENT_FAULT,
	                         "S0000 confirms its forwarding table"));
	for (unsigned from = 0; from < 36; from++)
		for (unsigned to = 0; to < 36; to += 7) {
			ibnet_view_port(ibnet_port(host(to), 1), &v);
			assert_int_equal(
				ibnet_flow_add(host(from), v.lid, &id, &e), 0);
		}
	ibnet_tick(r.net, 200);
	ibnet_flow_run(r.net, false);
	ibnet_tick(r.net, 400);
	ibnet_data_get(r.net, &d);
	assert_true(d.flows.sent > 1000);
	assert_int_equal(d.flows.received, d.flows.sent);
	/* Off and on, it is as good as any other. */
	ibnet_set_faults(ibnet_node(r.net, "S0000"), 0);
	ibnet_set_power(ibnet_node(r.net, "S0000"), false);
	sm_rig_run(&r, 500);
	ibnet_set_power(ibnet_node(r.net, "S0000"), true);
	sm_rig_run(&r, 500);
	assert_true(sm_rig_settle(&r, 0, 5000) >= 0);
	subnet_status(r.sm[0].s, &st);
	assert_int_equal(st.not_sent, 0);
	for (unsigned i = 1; i <= 6; i++) {
		ibnet_view_port(ibnet_port(ibnet_node(r.net, "S0000"), i), &v);
		assert_int_equal(v.state, SMP_PORT_ACTIVE);
	}
	ibnet_flow_clear(r.net);
	ibnet_flow_run(r.net, true);
	sm_rig_fini(&r);
}

/* A cable from a switch to itself. */
static void a_looped_cable_is_named(void **state)
{
	struct ibnet_topo *t;
	struct err e = { 0 };
	uint32_t sw, h[4];
	struct subnet_status st;

	(void)state;
	t = ibnet_topo_create();
	assert_int_equal(ibnet_topo_add(t, IBNET_SWITCH, "S0", 8, &sw, &e), 0);
	for (unsigned i = 0; i < 4; i++) {
		char name[8];

		snprintf(name, sizeof(name), "H%u", i);
		assert_int_equal(
			ibnet_topo_add(t, IBNET_HOST, name, 1, &h[i], &e), 0);
		assert_int_equal(
			ibnet_topo_link(
				t,
				(struct ibnet_topo_end){ sw, (uint8_t)(i + 1) },
				(struct ibnet_topo_end){ h[i], 1 }, &e),
			0);
	}
	assert_int_equal(ibnet_topo_link(t, (struct ibnet_topo_end){ sw, 5 },
	                                 (struct ibnet_topo_end){ sw, 6 }, &e),
	                 0);
	sm_rig_init_topo(&r, t);
	sm_rig_start(&r, 0, "H0:1");
	assert_true(sm_rig_settle(&r, 0, 5000) >= 0);
	assert_true(sm_rig_event(&r, 0, SUBNET_EVENT_FAULT,
	                         "looped cable: ports 5 and 6 of S0"));
	subnet_status(r.sm[0].s, &st);
	assert_int_equal(st.nodes, 5);
	sm_rig_fini(&r);
}

/* A link that comes and goes is not used until it is quiet. */
static void a_flapping_link_rests(void **state)
{
	struct query_link l;
	uint32_t at = 0;
	unsigned isolated = 0;

	(void)state;
	begin("clos:hosts=36,ports=2,radix=12");
	for (unsigned i = 0; i < 5; i++) {
		ibnet_cut(ibnet_find(r.net, "L0002[8]"));
		sm_rig_run(&r, 30);
		ibnet_restore(ibnet_find(r.net, "L0002[8]"));
		sm_rig_run(&r, 30);
	}
	assert_true(sm_rig_event(&r, 0, SUBNET_EVENT_FAULT, "flapping link"));
	while (query_link(r.sm[0].s, &at, &l))
		isolated += l.isolated;
	assert_int_equal(isolated, 1);
	sm_rig_run(&r, 61000);
	for (isolated = 0, at = 0; query_link(r.sm[0].s, &at, &l);)
		isolated += l.isolated;
	assert_int_equal(isolated, 0);
	sm_rig_fini(&r);
}

/* Losses and duplicates of MADs. */
static void lost_mads_do_not_matter(void **state)
{
	struct subnet_status st;

	(void)state;
	sm_rig_init(&r, "clos:hosts=36,ports=2,radix=12");
	ibnet_set_loss(r.net, 100000, 20000);
	r.sm[0].opts.tries = 8;
	sm_rig_start(&r, 0, "H00000:1");
	assert_true(sm_rig_settle(&r, 0, 60000) >= 0);
	sm_rig_run(&r, 10000);
	ibnet_set_loss(r.net, 0, 0);
	sm_rig_run(&r, 5000);
	subnet_status(r.sm[0].s, &st);
	print_message("%lu sent, %lu retried, %u lags\n", st.smps_sent,
	              st.smps_retried, st.lags);
	assert_true(st.smps_retried > 50);
	assert_int_equal(st.nodes, ibnet_node_count(r.net));
	assert_int_equal(st.lags, HOSTS);
	assert_int_equal(st.not_sent, 0);
	sm_rig_fini(&r);
}

/* shows L14: an operator takes a virtual LID away, and gives it back; nobody
 * else's changes. */
static void an_operator_may_not_want_it(void **state)
{
	uint16_t vlid, other;
	struct err e = { 0 };
	uint64_t guid;

	(void)state;
	begin("clos:hosts=36,ports=2,radix=12");
	vlid = lag_of(5).virtual_lid;
	other = lag_of(6).virtual_lid;
	guid = lag_of(5).sys_guid;
	assert_true(vlid != 0 && other != 0);
	assert_int_equal(subnet_lag_want(r.sm[0].s, guid, false, &e), 0);
	sm_rig_run(&r, 10);
	assert_true(sm_rig_settle(&r, 0, 5000) >= 0);
	assert_false(subnet_lag_wanted(r.sm[0].s, guid));
	assert_int_equal(lag_of(5).virtual_lid, 0);
	assert_int_equal(lag_of(5).mode, LAG_OFF);
	assert_int_equal(lag_of(6).virtual_lid, other);
	assert_non_null(sm_rig_event(&r, 0, SUBNET_EVENT_LAG,
	                             "H00005 is not aggregated any more"));
	/* A full pass does not bring it back. */
	subnet_sweep(r.sm[0].s);
	sm_rig_run(&r, 10);
	assert_true(sm_rig_settle(&r, 0, 5000) >= 0);
	assert_int_equal(lag_of(5).virtual_lid, 0);
	assert_int_equal(subnet_lag_want(r.sm[0].s, guid, true, &e), 0);
	sm_rig_run(&r, 10);
	assert_true(sm_rig_settle(&r, 0, 5000) >= 0);
	assert_int_equal(lag_of(5).virtual_lid, vlid);
	assert_int_equal(lag_of(5).mode, LAG_ACTIVE_ACTIVE);
	/* There is a limit to what is remembered. */
	for (unsigned i = 0; i < SUBNET_LAG_OFF_MAX; i++)
		assert_int_equal(
			subnet_lag_want(r.sm[0].s, 1000 + i, false, &e), 0);
	assert_int_equal(subnet_lag_want(r.sm[0].s, guid, false, &e), -ENOSPC);
	sm_rig_fini(&r);
}

/* shows L13, L14: the same under load.  The host's own flows change their
 * source address, and with it their member; nobody's is lost or overtaken. */
static void an_operator_changes_it_under_load(void **state)
{
	struct ibnet_data_stats d;
	struct err e = { 0 };
	uint64_t guid;
	uint32_t id;

	(void)state;
	begin("clos:hosts=36,ports=2,radix=12");
	guid = lag_of(5).sys_guid;
	for (unsigned i = 0; i < HOSTS; i++)
		if ((i + 7) % HOSTS != 5)
			assert_int_equal(
				ibnet_flow_add(
					host(i),
					lag_of((i + 7) % HOSTS).virtual_lid,
					&id, &e),
				0);
	for (unsigned k = 0; k < 6; k++) {
		ibnet_tick(r.net, 300);
		assert_int_equal(subnet_lag_want(r.sm[0].s, guid, k % 2, &e),
		                 0);
		sm_rig_run_data(&r, 20, 10);
		assert_true(sm_rig_settle(&r, 0, 1000) >= 0);
		assert_int_equal(lag_of(5).virtual_lid != 0, k % 2);
	}
	ibnet_tick(r.net, 300);
	d = drain();
	assert_int_equal(d.flows.received, d.flows.sent);
	assert_int_equal(d.flows.reordered, 0);
	ibnet_flow_clear(r.net);
	sm_rig_fini(&r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_member_dies_and_returns),
		cmocka_unit_test(members_die_while_the_manager_is_frozen),
		cmocka_unit_test(a_leaf_dies_and_returns),
		cmocka_unit_test(those_who_refuse_are_left_alone),
		cmocka_unit_test(a_restart_changes_nothing),
		cmocka_unit_test(a_wrong_m_key_is_refused),
		cmocka_unit_test(a_duplicate_guid_is_isolated),
		cmocka_unit_test(a_switch_that_lies_is_isolated),
		cmocka_unit_test(a_looped_cable_is_named),
		cmocka_unit_test(a_flapping_link_rests),
		cmocka_unit_test(lost_mads_do_not_matter),
		cmocka_unit_test(an_operator_may_not_want_it),
		cmocka_unit_test(an_operator_changes_it_under_load),
	};

	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
