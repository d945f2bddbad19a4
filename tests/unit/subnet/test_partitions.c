/* SPDX-License-Identifier: BSD-2-Clause */
/* Switches let a host's packets through only in its partitions, whatever the
 * host says of itself; and what they do not take of a policy.  shows L19 */
#include "../test.h"

#include "sm_rig.h"

#include "../switch/net_rig.h"
#include "mad/smp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IN_BOTH 0x8001

static struct sm_rig sm;
static struct rig net; /* the same fabric, asked by hand */
static char policy[] = "/tmp/causeway-policy-XXXXXX";

static uint64_t guid_of(const char *port)
{
	struct ibnet_port_view v;

	ibnet_view_port(ibnet_find(sm.net, port), &v);
	return v.guid;
}

static void write_policy(const char *text)
{
	FILE *f = fopen(policy, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* H00001 and H00002 are in one partition, H00003 in none. */
static void begin(void)
{
	char text[128];

	sm_rig_init(&sm, "clos:hosts=8,radix=8");
	net = (struct rig){ .net = sm.net };
	snprintf(text, sizeof(text), "partition two 0x8001 full=0x%lx,0x%lx\n",
	         (unsigned long)guid_of("H00001:1"),
	         (unsigned long)guid_of("H00002:1"));
	write_policy(text);
	sm.sm[0].opts.policy_file = policy;
	sm_rig_start(&sm, 0, "H00000:1");
	assert_true(sm_rig_settle(&sm, 0, 5000) >= 0);
	sm_rig_run(&sm, 100); /* what the first pass left for a second */
}

/* The port of the leaf that a host is behind. */
static void leaf_of(const char *host, struct ibnet_port **agent,
                    unsigned *number)
{
	struct ibnet_port_view v;

	ibnet_view_port(ibnet_find(sm.net, host), &v);
	ibnet_view_port(v.peer, &v);
	*agent = ibnet_port((struct ibnet_node *)(uintptr_t)v.node, 0);
	*number = v.number;
}

static unsigned enforces(const char *host)
{
	struct ibnet_port *agent;
	struct smp_port_info i;
	unsigned number;

	leaf_of(host, &agent, &number);
	assert_int_equal(rig_get(&net, agent, MAD_ATTR_PORT_INFO, number,
	                         &smp_port_info_table, &i),
	                 0);
	return i.enforce_inbound * 2u + i.enforce_outbound;
}

static bool leaf_has(const char *host, uint16_t key)
{
	struct smp_pkey_table keys;
	struct ibnet_port *agent;
	unsigned number;

	leaf_of(host, &agent, &number);
	assert_int_equal(rig_get(&net, agent, MAD_ATTR_PKEY_TABLE, number << 16,
	                         &smp_pkey_table_table, &keys),
	                 0);
	for (unsigned i = 0; i < 32; i++)
		if (keys.pkey[i] == key)
			return true;
	return false;
}

static void claim(const char *host, uint16_t key)
{
	struct smp_pkey_table keys = { .pkey = { key } };

	assert_int_equal(rig_set(&net, ibnet_find(sm.net, host),
	                         MAD_ATTR_PKEY_TABLE, 0, &smp_pkey_table_table,
	                         &keys),
	                 0);
}

/* How many packets of a flow come, of those that were sent. */
static uint64_t received(const char *from, const char *to, uint64_t *refused)
{
	struct ibnet_data_stats was, is;
	struct ibnet_port_view v;
	struct err e;
	uint32_t id;

	ibnet_view_port(ibnet_find(sm.net, to), &v);
	ibnet_data_get(sm.net, &was);
	assert_int_equal(
		ibnet_flow_add(ibnet_node(sm.net, from), v.lid, &id, &e), 0);
	ibnet_tick(sm.net, 50);
	ibnet_flow_run(sm.net, false);
	ibnet_tick(sm.net, 100);
	ibnet_data_get(sm.net, &is);
	assert_true(is.flows.sent > was.flows.sent);
	*refused = is.lost_refused - was.lost_refused;
	ibnet_flow_clear(sm.net);
	ibnet_flow_run(sm.net, true);
	return is.flows.received - was.flows.received;
}

static void members_reach_each_other_and_nobody_else_does(void **state)
{
	uint64_t refused;

	(void)state;
	begin();
	assert_int_equal(enforces("H00001:1"), 3);
	assert_int_equal(enforces("H00003:1"), 3);
	assert_true(leaf_has("H00001:1", IN_BOTH));
	assert_false(leaf_has("H00003:1", IN_BOTH));
	/* What hosts say of themselves decides nothing. */
	for (unsigned i = 1; i <= 3; i++) {
		char host[16];

		snprintf(host, sizeof(host), "H0000%u:1", i);
		claim(host, IN_BOTH);
	}
	assert_true(received("H00001", "H00002:1", &refused) > 0);
	assert_int_equal(refused, 0);
	assert_int_equal(received("H00003", "H00001:1", &refused), 0);
	assert_true(refused > 0);
	assert_int_equal(received("H00001", "H00003:1", &refused), 0);
	assert_true(refused > 0);
	sm_rig_fini(&sm);
}

/* A member more, and then no partitions at all. */
static void switches_follow_the_policy(void **state)
{
	struct err e = { 0 };
	uint64_t refused;

	(void)state;
	begin();
	write_policy("partition all 0x8001 full=all\n");
	assert_int_equal(subnet_reload(sm.sm[0].s, &e), 0);
	sm_rig_run(&sm, 500);
	assert_true(leaf_has("H00003:1", IN_BOTH));
	claim("H00003:1", IN_BOTH);
	claim("H00001:1", IN_BOTH);
	assert_true(received("H00003", "H00001:1", &refused) > 0);
	write_policy("");
	assert_int_equal(subnet_reload(sm.sm[0].s, &e), 0);
	sm_rig_run(&sm, 500);
	assert_int_equal(enforces("H00003:1"), 0);
	assert_false(leaf_has("H00003:1", IN_BOTH));
	sm_rig_fini(&sm);
}

/* Another manager takes over and goes on with the same policy: nothing is
 * let through meanwhile. */
static void a_new_master_does_not_open_the_gates(void **state)
{
	uint64_t refused;

	(void)state;
	begin();
	claim("H00003:1", IN_BOTH);
	claim("H00001:1", IN_BOTH);
	sm_rig_stop(&sm, 0);
	sm.sm[1].opts.policy_file = policy;
	sm_rig_start(&sm, 1, "H00004:1");
	for (unsigned ms = 0; ms < 5000; ms++) {
		while (sm_rig_poll(&sm))
			assert_int_equal(enforces("H00003:1"), 3);
		sm_rig_run(&sm, 1);
	}
	claim("H00003:1", IN_BOTH);
	assert_int_equal(received("H00003", "H00001:1", &refused), 0);
	assert_true(refused > 0);
	sm_rig_fini(&sm);
}

/* A switch that keeps its lanes, whatever the policy says, is named, and no
 * other is. */
static void a_switch_with_lanes_of_its_own_is_named(void **state)
{
	(void)state;
	sm_rig_init(&sm, "clos:hosts=36,radix=12");
	write_policy("sl2vl 1 1 1 1 1 1 1 1 0 0 0 0 0 0 0 0\n");
	sm.sm[0].opts.policy_file = policy;
	ibnet_set_faults(ibnet_node(sm.net, "S0000"), IBNET_FAULT_OWN_LANES);
	sm_rig_start(&sm, 0, "H00000:1");
	assert_true(sm_rig_settle(&sm, 0, 5000) >= 0);
	sm_rig_run(&sm, 200);
	assert_non_null(
		sm_rig_event(&sm, 0, SUBNET_EVENT_FAULT, "S0000, port"));
	assert_null(sm_rig_event(&sm, 0, SUBNET_EVENT_FAULT, "S0001, port"));
	sm_rig_fini(&sm);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_reach_each_other_and_nobody_else_does),
		cmocka_unit_test(switches_follow_the_policy),
		cmocka_unit_test(a_new_master_does_not_open_the_gates),
		cmocka_unit_test(a_switch_with_lanes_of_its_own_is_named),
	};
	int fd = mkstemp(policy), failed;

	assert_true(fd >= 0);
	close(fd);
	failed = cmocka_run_group_tests_name("partitions", tests, NULL, NULL);
	unlink(policy);
	return failed;
}
