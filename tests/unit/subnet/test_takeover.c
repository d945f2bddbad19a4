/* SPDX-License-Identifier: BSD-2-Clause */
/* Several managers.  shows L4, L17, L18 */
#include "../test.h"

#include "sm_rig.h"

#include "mad/lag.h"

#include <stdio.h>
#include <string.h>

#define HOSTS 24u

static struct sm_rig r;
static uint64_t m_key; /* that all know; 0: none */

static enum subnet_state state_of(unsigned i)
{
	struct subnet_status st;

	subnet_status(r.sm[i].s, &st);
	return st.state;
}

static uint16_t vlid_of(unsigned manager, unsigned i)
{
	struct query_lag lag;
	uint32_t at = 0;
	char name[16];

	snprintf(name, sizeof(name), "H%05u", i);
	while (query_lag(r.sm[manager].s, &at, &lag))
		if (strcmp(lag.desc, name) == 0)
			return lag.virtual_lid;
	return 0;
}

static void begin(unsigned priority_a, unsigned priority_b)
{
	struct err e = { 0 };
	uint32_t id;

	sm_rig_init(&r, "clos:hosts=24,ports=2,radix=12");
	r.sm[0].opts.priority = (uint8_t)priority_a;
	r.sm[1].opts.priority = (uint8_t)priority_b;
	for (unsigned i = 0; i < 2; i++) {
		r.sm[i].opts.m_key = m_key;
		r.sm[i].opts.m_key_protect = m_key ? 2 : 0;
	}
	sm_rig_start(&r, 0, "H00000:1");
	assert_true(sm_rig_settle(&r, 0, 5000) >= 0);
	for (unsigned i = 0; i < HOSTS; i++)
		assert_int_equal(
			ibnet_flow_add(
				ibnet_node(r.net,
		                           (char[16]){ 'H', '0', '0', '0',
		                                       (char)('0' + i / 10),
		                                       (char)('0' + i % 10) }),
				vlid_of(0, (i + 5) % HOSTS), &id, &e),
			0);
}

static void end(void)
{
	struct ibnet_data_stats d;

	ibnet_flow_run(r.net, false);
	ibnet_tick(r.net, 5000);
	ibnet_data_get(r.net, &d);
	print_message("%lu packets, %lu lost, %lu reordered\n", d.flows.sent,
	              d.flows.sent - d.flows.received, d.flows.reordered);
	assert_true(d.flows.sent > 1000);
	assert_int_equal(d.flows.received, d.flows.sent);
	assert_int_equal(d.flows.reordered, 0);
	ibnet_flow_clear(r.net);
	sm_rig_fini(&r);
}

/* One that is not better stands by, and takes over from one that is silent;
 * its host's SMA goes on, so only the manager is gone: killed, or frozen. */
static void a_standby_takes_over(void **state)
{
	uint16_t vlid;
	unsigned ms = 0;

	(void)state;
	begin(5, 5);
	vlid = vlid_of(0, 7);
	assert_true(vlid != 0);
	sm_rig_start(&r, 1, "H00009:1");
	sm_rig_run_data(&r, 1000, 1);
	assert_int_equal(state_of(0), SUBNET_MASTER);
	assert_int_equal(state_of(1), SUBNET_STANDBY);
	sm_rig_stop(&r, 0);
	while (ms++ < 2000) {
		struct subnet_status st;

		sm_rig_run_data(&r, 1, 1);
		subnet_status(r.sm[1].s, &st);
		if (st.settled)
			break;
	}
	print_message("taken over after %u ms\n", ms);
	assert_true(ms < 2000);
	assert_int_equal(state_of(1), SUBNET_MASTER);
	assert_int_equal(vlid_of(1, 7), vlid);
	sm_rig_run_data(&r, 500, 1);
	end();
}

/* shows L4, L14, L17: a host keeps its virtual LID also if one of its ports
 * was down before the new master came, and gets the port back. */
static void a_host_with_one_port_is_known_to_a_new_master(void **state)
{
	struct query_lag lag;
	uint32_t at = 0;
	uint16_t vlid;

	(void)state;
	begin(5, 5);
	vlid = vlid_of(0, 7);
	ibnet_cut(ibnet_find(r.net, "H00007:1"));
	sm_rig_run(&r, 5);
	assert_true(sm_rig_settle(&r, 0, 5000) >= 0);
	sm_rig_start(&r, 1, "H00009:1");
	sm_rig_run(&r, 1000);
	assert_int_equal(state_of(1), SUBNET_STANDBY);
	sm_rig_stop(&r, 0);
	assert_true(sm_rig_settle(&r, 1, 5000) >= 0);
	assert_int_equal(vlid_of(1, 7), vlid);
	ibnet_restore(ibnet_find(r.net, "H00007:1"));
	sm_rig_run(&r, 5);
	assert_true(sm_rig_settle(&r, 1, 5000) >= 0);
	assert_int_equal(vlid_of(1, 7), vlid);
	while (query_lag(r.sm[1].s, &at, &lag))
		if (lag.virtual_lid == vlid)
			break;
	assert_int_equal(lag.n_members, 2);
	ibnet_flow_clear(r.net);
	sm_rig_fini(&r);
}

static int without_a_key(void **state)
{
	(void)state;
	m_key = 0;
	return 0;
}

static int with_a_key(void **state)
{
	(void)state;
	m_key = 0x1234;
	return 0;
}

/* The master hands over to a better one that appears. */
static void a_better_one_is_handed_over_to(void **state)
{
	uint16_t vlid;

	(void)state;
	begin(3, 9);
	vlid = vlid_of(0, 7);
	sm_rig_start(&r, 1, "H00009:1");
	sm_rig_run_data(&r, 5000, 1);
	assert_int_equal(state_of(0), SUBNET_STANDBY);
	assert_int_equal(state_of(1), SUBNET_MASTER);
	assert_int_equal(vlid_of(1, 7), vlid);
	end();
}

/* Two masters whose halves are joined again end as one. */
static void two_masters_become_one(void **state)
{
	unsigned masters = 0;

	(void)state;
	begin(5, 5);
	sm_rig_start(&r, 1, "H00009:1");
	sm_rig_run_data(&r, 1000, 1);
	/* The standby's way out is cut: it is master of its own port. */
	ibnet_cut(ibnet_find(r.net, "H00009:1"));
	sm_rig_run(&r, 5000);
	assert_int_equal(state_of(0), SUBNET_MASTER);
	ibnet_restore(ibnet_find(r.net, "H00009:1"));
	sm_rig_run(&r, 5000);
	for (unsigned i = 0; i < 2; i++)
		masters += state_of(i) == SUBNET_MASTER;
	assert_int_equal(masters, 1);
	sm_rig_fini(&r);
}

/* With an allow-list, a stranger with a higher priority changes nothing. */
static void a_rogue_manager_is_refused(void **state)
{
	struct ibnet_port_view v;

	(void)state;
	sm_rig_init(&r, "clos:hosts=24,ports=2,radix=12");
	ibnet_view_port(ibnet_find(r.net, "H00000:1"), &v);
	r.sm[0].opts.allow[0] = v.guid;
	r.sm[0].opts.n_allow = 1;
	r.sm[0].opts.priority = 1;
	r.sm[1].opts.priority = 15;
	sm_rig_start(&r, 0, "H00000:1");
	assert_true(sm_rig_settle(&r, 0, 5000) >= 0);
	sm_rig_start(&r, 1, "H00009:1");
	sm_rig_run(&r, 5000);
	subnet_sweep(r.sm[0].s);
	sm_rig_run(&r, 1000);
	assert_int_equal(state_of(0), SUBNET_MASTER);
	assert_true(sm_rig_event(&r, 0, SUBNET_EVENT_SECURITY, "allow-list"));
	sm_rig_fini(&r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_standby_takes_over),
		cmocka_unit_test(a_host_with_one_port_is_known_to_a_new_master),
		cmocka_unit_test(a_better_one_is_handed_over_to),
		cmocka_unit_test_setup_teardown(a_better_one_is_handed_over_to,
		                                with_a_key, without_a_key),
		cmocka_unit_test(two_masters_become_one),
		cmocka_unit_test_setup_teardown(two_masters_become_one,
		                                with_a_key, without_a_key),
		cmocka_unit_test(a_rogue_manager_is_refused),
	};

	return cmocka_run_group_tests_name("takeover", tests, NULL, NULL);
}
