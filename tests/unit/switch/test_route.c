/* SPDX-License-Identifier: BSD-2-Clause */
#include "net_rig.h"

#include "base/clock.h"
#include "core/reactor.h"
#include "mad/notice.h"
#include "mad/perf.h"

#include <string.h>

#define NET "clos:hosts=16,ports=2,radix=8"

static void make(struct ibnet_mad *m, uint8_t mgmt_class, uint8_t method,
                 uint16_t attr, uint16_t dlid)
{
	*m = (struct ibnet_mad){ .dlid = dlid };
	mad_init(&m->mad, mgmt_class, method, attr, 0);
	m->mad.header.tid = be64_put(UINT64_C(0xffff123456789abc));
	m->dqp = m->sqp = mgmt_class != MAD_CLASS_SUBN_LID &&
	                  mgmt_class != MAD_CLASS_SUBN_DIRECTED;
}

/* -- directed routes ------------------------------------------------------ */

struct found {
	uint64_t guid[64];
	struct smp_route route[64];
	unsigned n;
};

static bool look(struct asker *a, const struct smp_route *route,
                 struct smp_node_info *out)
{
	struct ibnet_mad m;

	make(&m, MAD_CLASS_SUBN_DIRECTED, MAD_GET, MAD_ATTR_NODE_INFO,
	     MAD_LID_PERMISSIVE);
	smp_set_route(&m.mad, route);
	a->n = 0;
	ibnet_send(&a->ep, &m);
	if (!a->n)
		return false;
	assert_int_equal(mad_status(&a->got[0].mad), 0);
	smp_get(&a->got[0].mad, &smp_node_info_table, out);
	return true;
}

/* Before anybody has told a switch anything. */
static void directed_routes_reach_every_node(void **state)
{
	struct found f = { .n = 1 };
	struct smp_node_info i;
	struct asker a;
	struct rig r;

	(void)state;
	rig_init(&r, NET, NULL);
	asker_init(&a, &r, rig_port(&r, "H00000:2"));
	assert_true(look(&a, &f.route[0], &i));
	f.guid[0] = i.node_guid;
	for (unsigned at = 0; at < f.n; at++) {
		assert_true(look(&a, &f.route[at], &i));
		for (unsigned p = 1; p <= i.n_ports; p++) {
			struct smp_route next = f.route[at];
			struct smp_node_info far;
			unsigned k;

			if (i.node_type == SMP_NODE_CA && at)
				break;
			next.out[++next.n_hops] = (uint8_t)p;
			if (!look(&a, &next, &far))
				continue;
			for (k = 0; k < f.n; k++)
				if (f.guid[k] == far.node_guid)
					break;
			if (k < f.n)
				continue;
			f.guid[f.n] = far.node_guid;
			f.route[f.n++] = next;
		}
	}
	assert_int_equal(f.n, ibnet_node_count(r.net));
	/* A path through a host, or out of a port that is not there, ends. */
	{
		struct smp_route bad = { .n_hops = 3, .out = { 0, 2, 1, 1 } };

		assert_false(look(&a, &bad, &i));
		bad = (struct smp_route){ .n_hops = 2, .out = { 0, 2, 99 } };
		assert_false(look(&a, &bad, &i));
		bad = (struct smp_route){ .n_hops = 1, .out = { 0, 1 } };
		assert_false(look(&a, &bad, &i)); /* not its own port */
	}
	asker_fini(&a);
	rig_fini(&r);
}

/* -- LIDs ----------------------------------------------------------------- */

static unsigned ask_lid(struct asker *a, uint16_t lid, uint8_t mgmt_class,
                        uint16_t attr)
{
	struct ibnet_mad m;

	make(&m, mgmt_class, MAD_GET, attr, lid);
	a->n = 0;
	ibnet_send(&a->ep, &m);
	if (!a->n)
		return RIG_SILENCE;
	assert_int_equal(a->n, 1);
	assert_int_equal(a->got[0].slid, lid);
	/* The low 48 bits of a TID come back. */
	assert_int_equal(be64_get(a->got[0].mad.header.tid),
	                 UINT64_C(0x123456789abc));
	return mad_status(&a->got[0].mad);
}

static void lids_are_routed_by_the_tables(void **state)
{
	struct ibnet_port *leaf;
	struct smp_lft t;
	struct asker a;
	struct rig r;
	uint16_t lid;

	(void)state;
	rig_init(&r, NET, NULL);
	asker_init(&a, &r, rig_port(&r, "H00000"));
	assert_int_equal(ask_lid(&a, 9, MAD_CLASS_SUBN_LID, MAD_ATTR_NODE_INFO),
	                 RIG_SILENCE);
	rig_bring_up(&r);
	for (lid = 1; lid < r.next_lid; lid++) {
		assert_int_equal(ask_lid(&a, lid, MAD_CLASS_SUBN_LID,
		                         MAD_ATTR_NODE_INFO),
		                 0);
		assert_int_equal(ask_lid(&a, lid, MAD_CLASS_PERF,
		                         MAD_ATTR_CLASS_PORT_INFO),
		                 0);
	}
	/* One wrong entry, and the LID is out of reach from there. */
	lid = rig_lid(rig_port(&r, "H00009"));
	leaf = rig_port(&r, "L0000");
	rig_get(&r, leaf, MAD_ATTR_LFT, 0, &smp_lft_table, &t);
	t.port[lid] = 1;
	rig_set(&r, leaf, MAD_ATTR_LFT, 0, &smp_lft_table, &t);
	assert_int_equal(
		ask_lid(&a, lid, MAD_CLASS_SUBN_LID, MAD_ATTR_NODE_INFO),
		RIG_SILENCE);
	asker_fini(&a);
	rig_fini(&r);
}

/* N1 */
static void only_subnet_management_passes_what_is_not_active(void **state)
{
	struct ibnet_port *p;
	struct smp_port_info i;
	struct asker a;
	struct rig r;
	uint16_t lid;

	(void)state;
	rig_init(&r, NET, NULL);
	rig_bring_up(&r);
	asker_init(&a, &r, rig_port(&r, "H00000"));
	p = rig_port(&r, "H00009");
	lid = rig_lid(p);
	rig_get(&r, p, MAD_ATTR_PORT_INFO, 0, &smp_port_info_table, &i);
	i.port_state = SMP_PORT_DOWN; /* comes back as INIT */
	i.phys_state = SMP_PHYS_NOP;
	rig_set(&r, p, MAD_ATTR_PORT_INFO, 0, &smp_port_info_table, &i);
	assert_int_equal(
		ask_lid(&a, lid, MAD_CLASS_SUBN_LID, MAD_ATTR_NODE_INFO), 0);
	assert_int_equal(
		ask_lid(&a, lid, MAD_CLASS_PERF, MAD_ATTR_CLASS_PORT_INFO),
		RIG_SILENCE);
	rig_activate(&r);
	assert_int_equal(
		ask_lid(&a, lid, MAD_CLASS_PERF, MAD_ATTR_CLASS_PORT_INFO), 0);
	asker_fini(&a);
	rig_fini(&r);
}

/* Ways that mix LIDs and a path (IBA 14.2.2). */
static void a_path_may_start_at_a_lid(void **state)
{
	struct smp_route route = { .n_hops = 1, .out = { 0, 1 } };
	struct smp_node_info i;
	struct ibnet_mad m;
	struct asker a;
	struct rig r;

	(void)state;
	rig_init(&r, NET, NULL);
	rig_bring_up(&r);
	asker_init(&a, &r, rig_port(&r, "H00000"));
	make(&m, MAD_CLASS_SUBN_DIRECTED, MAD_GET, MAD_ATTR_NODE_INFO,
	     rig_lid(rig_port(&r, "L0004")));
	smp_set_route(&m.mad, &route);
	smp_set_route_lids(&m.mad, rig_lid(rig_port(&r, "H00000")),
	                   MAD_LID_PERMISSIVE);
	ibnet_send(&a.ep, &m);
	assert_int_equal(a.n, 1);
	assert_int_equal(mad_status(&a.got[0].mad), 0);
	smp_get(&a.got[0].mad, &smp_node_info_table, &i);
	assert_int_equal(i.node_type, SMP_NODE_CA);
	assert_int_equal(i.local_port, 1);
	asker_fini(&a);
	rig_fini(&r);
}

/* -- endpoints ------------------------------------------------------------ */

static void requests_find_who_takes_them(void **state)
{
	struct asker a, sm;
	struct ibnet_stats s;
	struct rig r;
	uint16_t lid;

	(void)state;
	rig_init(&r, NET, NULL);
	rig_bring_up(&r);
	asker_init(&a, &r, rig_port(&r, "H00000"));
	lid = rig_lid(rig_port(&r, "H00009"));
	/* Nobody: answered for it, so that the asker needs not wait. */
	assert_int_equal(ask_lid(&a, lid, MAD_CLASS_SUBN_LID, MAD_ATTR_SM_INFO),
	                 MAD_STATUS_BAD_ATTRIBUTE);
	assert_int_equal(
		ask_lid(&a, lid, MAD_CLASS_SA, MAD_ATTR_CLASS_PORT_INFO),
		MAD_STATUS_BAD_ATTRIBUTE);
	asker_init(&sm, &r, rig_port(&r, "H00009"));
	sm.takes_all = true;
	assert_int_equal(ask_lid(&a, lid, MAD_CLASS_SUBN_LID, MAD_ATTR_SM_INFO),
	                 RIG_SILENCE); /* it is up to the SM now */
	assert_int_equal(sm.n, 1);
	/* Its answer goes to who asked, and to nobody else. */
	sm.got[0].mad.header.method = MAD_GET_RESP;
	sm.got[0].dlid = sm.got[0].slid;
	sm.got[0].slid = 0;
	a.n = 0;
	ibnet_send(&sm.ep, &sm.got[0]);
	assert_int_equal(a.n, 1);
	assert_int_equal(sm.n, 1);
	/* Nor to one that sits elsewhere than where it was sent. */
	sm.got[0].dlid = rig_lid(rig_port(&r, "H00001"));
	ibnet_send(&sm.ep, &sm.got[0]);
	assert_int_equal(a.n, 1);
	sm.got[0].dlid = rig_lid(rig_port(&r, "H00000"));
	asker_fini(&a);
	ibnet_get_stats(r.net, &s);
	ibnet_send(&sm.ep, &sm.got[0]); /* S2: who asked has gone */
	asker_init(&a, &r, rig_port(&r, "H00000"));
	assert_int_equal(a.n, 0);
	asker_fini(&a);
	asker_fini(&sm);
	rig_fini(&r);
}

static void endpoints_are_bounded(void **state)
{
	static struct ibnet_endpoint eps[IBNET_ENDPOINTS_MAX];
	struct ibnet_endpoint more = { 0 };
	struct rig r;
	uint16_t first;

	(void)state;
	rig_init(&r, NET, NULL);
	for (unsigned i = 0; i < IBNET_ENDPOINTS_MAX; i++)
		assert_int_equal(
			ibnet_attach(r.net, rig_port(&r, "H00000"), &eps[i]),
			0);
	assert_int_not_equal(ibnet_attach(r.net, rig_port(&r, "H00000"), &more),
	                     0);
	ibnet_detach(&more);
	first = eps[3].id;
	ibnet_detach(&eps[3]);
	assert_int_equal(ibnet_attach(r.net, rig_port(&r, "H00000"), &more), 0);
	assert_int_equal(more.id, first);
	eps[3].net = NULL;
	ibnet_detach(&more);
	for (unsigned i = 0; i < IBNET_ENDPOINTS_MAX; i++)
		ibnet_detach(&eps[i]);
	rig_fini(&r);
}

static void losses_and_duplicates_are_as_told(void **state)
{
	struct ibnet_stats s;
	struct ibnet_mad m;
	struct asker a;
	struct rig r;

	(void)state;
	rig_init(&r, NET, NULL);
	rig_bring_up(&r);
	asker_init(&a, &r, rig_port(&r, "H00000"));
	make(&m, MAD_CLASS_SUBN_LID, MAD_GET, MAD_ATTR_NODE_INFO, 3);
	ibnet_set_loss(r.net, IBNET_MILLION / 10, 0);
	for (unsigned i = 0; i < 10000; i++)
		ibnet_send(&a.ep, &m);
	/* A request or its answer: 0.9 * 0.9. */
	assert_in_range(a.n, 7900, 8300);
	ibnet_set_loss(r.net, 0, IBNET_MILLION / 10);
	a.n = 0;
	for (unsigned i = 0; i < 10000; i++)
		ibnet_send(&a.ep, &m);
	assert_in_range(a.n, 11900, 12300);
	ibnet_get_stats(r.net, &s);
	assert_true(s.mads_lost > 1500 && s.mads_twice > 1500);
	asker_fini(&a);
	rig_fini(&r);
}

/* -- traps ---------------------------------------------------------------- */

struct test_clock {
	struct clock clock;
	uint64_t now;
};

static uint64_t now_ns(const struct clock *c)
{
	return ((const struct test_clock *)c)->now;
}

struct trap_rig {
	struct test_clock clock;
	struct reactor *reactor;
	struct rig r;
	struct asker sm;
};

static void trap_rig_init(struct trap_rig *t)
{
	struct reactor_opts ro = { .name = "t", .clock = &t->clock.clock };
	struct err e = { 0 };

	t->clock = (struct test_clock){ { now_ns }, 1000 };
	assert_int_equal(reactor_create(&ro, &t->reactor, &e), 0);
	rig_init(&t->r, NET, t->reactor);
	rig_bring_up(&t->r);
	/* LID 1, which rig_bring_up() calls the SM's, is the first switch. */
	asker_init(&t->sm, &t->r, rig_port(&t->r, "L0000"));
	t->sm.takes_all = true;
}

static void trap_rig_fini(struct trap_rig *t)
{
	asker_fini(&t->sm);
	rig_fini(&t->r);
	reactor_destroy(t->reactor);
}

static void pass(struct trap_rig *t, unsigned ms)
{
	while (ms--) {
		t->clock.now += NS_PER_MS;
		reactor_poll(t->reactor);
	}
}

static void repress(struct trap_rig *t, const struct ibnet_mad *trap)
{
	struct ibnet_mad m = *trap;

	mad_make_response(&m.mad, 0);
	assert_int_equal(m.mad.header.method, MAD_TRAP_REPRESS);
	m.dlid = trap->slid;
	m.slid = 0;
	ibnet_send(&t->sm.ep, &m);
}

static void a_lost_link_is_told_until_it_is_repressed(void **state)
{
	struct ibnet_stats s;
	struct notice_lid lid;
	struct trap_rig t;
	struct notice n;

	(void)state;
	trap_rig_init(&t);
	ibnet_cut(rig_port(&t.r, "H00009")); /* on L0004 */
	assert_int_equal(t.sm.n, 1);
	assert_int_equal(t.sm.got[0].mad.header.method, MAD_TRAP);
	smp_get(&t.sm.got[0].mad, &notice_table, &n);
	assert_int_equal(n.trap, NOTICE_LINK_STATE);
	field_decode(&notice_lid_table, n.details, &lid);
	assert_int_equal(lid.lid, rig_lid(rig_port(&t.r, "L0004")));
	pass(&t, IBNET_TRAP_PERIOD_MS * 3 + 50);
	assert_int_equal(t.sm.n, 4);
	repress(&t, &t.sm.got[3]);
	pass(&t, IBNET_TRAP_PERIOD_MS * 3);
	assert_int_equal(t.sm.n, 4);
	/* The next event is a trap of its own, which the old answer does not
	 * silence. */
	ibnet_restore(rig_port(&t.r, "H00009"));
	assert_int_equal(t.sm.n, 5);
	repress(&t, &t.sm.got[3]);
	pass(&t, IBNET_TRAP_PERIOD_MS + 50);
	assert_int_equal(t.sm.n, 6);
	/* It does not go on for ever. */
	pass(&t, IBNET_TRAP_PERIOD_MS * (IBNET_TRAP_REPEATS + 5));
	assert_int_equal(t.sm.n, 5 + IBNET_TRAP_REPEATS);
	ibnet_get_stats(t.r.net, &s);
	assert_int_equal(s.traps_repressed, 1);
	trap_rig_fini(&t);
}

static void a_new_sm_is_told_of(void **state)
{
	struct notice_capability c;
	struct smp_port_info i;
	struct asker other;
	struct trap_rig t;
	struct notice n;

	(void)state;
	trap_rig_init(&t);
	asker_init(&other, &t.r, rig_port(&t.r, "H00005"));
	ibnet_set_sm(&other.ep, true);
	assert_int_equal(t.sm.n, 1);
	smp_get(&t.sm.got[0].mad, &notice_table, &n);
	assert_int_equal(n.trap, NOTICE_CAPABILITY);
	field_decode(&notice_capability_table, n.details, &c);
	assert_int_equal(c.lid, rig_lid(rig_port(&t.r, "H00005")));
	assert_true(c.capability_mask & SMP_CAP_IS_SM);
	repress(&t, &t.sm.got[0]);
	asker_fini(&other); /* and so it is when it goes */
	assert_int_equal(t.sm.n, 2);
	/* The bit is there while the SM is, whatever happens to the node. */
	asker_init(&other, &t.r, rig_port(&t.r, "H00005"));
	ibnet_set_sm(&other.ep, true);
	ibnet_set_power(rig_node(&t.r, "H00005"), false);
	ibnet_set_power(rig_node(&t.r, "H00005"), true);
	rig_get(&t.r, rig_port(&t.r, "H00005"), MAD_ATTR_PORT_INFO, 0,
	        &smp_port_info_table, &i);
	assert_true(i.capability_mask & SMP_CAP_IS_SM);
	asker_fini(&other);
	trap_rig_fini(&t);
}

/* shows L18 */
static void a_wrong_key_is_told(void **state)
{
	struct notice_m_key k;
	struct smp_port_info i;
	struct ibnet_port *p;
	struct trap_rig t;
	struct notice n;

	(void)state;
	trap_rig_init(&t);
	p = rig_port(&t.r, "H00005");
	rig_get(&t.r, p, MAD_ATTR_PORT_INFO, 0, &smp_port_info_table, &i);
	i.m_key = 77;
	i.port_state = i.phys_state = 0;
	rig_set(&t.r, p, MAD_ATTR_PORT_INFO, 0, &smp_port_info_table, &i);
	t.r.m_key = 66;
	assert_int_equal(rig_set(&t.r, p, MAD_ATTR_PORT_INFO, 0,
	                         &smp_port_info_table, &i),
	                 RIG_SILENCE);
	assert_int_equal(t.sm.n, 1);
	smp_get(&t.sm.got[0].mad, &notice_table, &n);
	assert_int_equal(n.trap, NOTICE_BAD_M_KEY);
	field_decode(&notice_m_key_table, n.details, &k);
	assert_int_equal(k.m_key, 66);
	assert_int_equal(k.attr_id, MAD_ATTR_PORT_INFO);
	trap_rig_fini(&t);
}

/* -- counters ------------------------------------------------------------- */

static unsigned perf(struct asker *a, uint16_t lid, uint8_t method,
                     uint16_t attr, const struct field_table *t, void *io)
{
	struct ibnet_mad m;

	make(&m, MAD_CLASS_PERF, method, attr, lid);
	perf_put(&m.mad, t, io);
	a->n = 0;
	ibnet_send(&a->ep, &m);
	if (!a->n)
		return RIG_SILENCE;
	perf_get(&a->got[0].mad, t, io);
	return mad_status(&a->got[0].mad);
}

static void counters_count_and_are_cleared(void **state)
{
	struct perf_port_counters c = { .port_select = 1 };
	struct perf_port_counters_ext x = { .port_select = 1 };
	struct asker a;
	struct rig r;
	uint16_t leaf;

	(void)state;
	rig_init(&r, NET, NULL);
	rig_bring_up(&r);
	asker_init(&a, &r, rig_port(&r, "H00000"));
	leaf = rig_lid(rig_port(&r, "L0000"));
	for (unsigned i = 0; i < 50; i++)
		ask_lid(&a, leaf, MAD_CLASS_SUBN_LID, MAD_ATTR_NODE_INFO);
	assert_int_equal(perf(&a, leaf, MAD_GET, MAD_ATTR_PORT_COUNTERS,
	                      &perf_port_counters_table, &c),
	                 0);
	/* The request has come in, its answer has not gone out. */
	assert_int_equal(c.rcv_packets, 51);
	assert_int_equal(c.xmit_packets, 50);
	assert_int_equal(c.rcv_data, 51 * 72);
	assert_int_equal(perf(&a, leaf, MAD_GET, MAD_ATTR_PORT_COUNTERS_EXT,
	                      &perf_port_counters_ext_table, &x),
	                 0);
	assert_int_equal(x.unicast_rcv_packets, 52);
	c = (struct perf_port_counters){ .port_select = 1,
		                         .counter_select = 1u << 15 };
	assert_int_equal(perf(&a, leaf, MAD_SET, MAD_ATTR_PORT_COUNTERS,
	                      &perf_port_counters_table, &c),
	                 0);
	assert_int_equal(c.rcv_packets, 0);
	assert_int_not_equal(c.xmit_packets, 0);
	c = (struct perf_port_counters){ .port_select = PERF_ALL_PORTS };
	assert_int_equal(perf(&a, leaf, MAD_GET, MAD_ATTR_PORT_COUNTERS,
	                      &perf_port_counters_table, &c),
	                 0);
	c.port_select = 9;
	assert_int_equal(perf(&a, leaf, MAD_GET, MAD_ATTR_PORT_COUNTERS,
	                      &perf_port_counters_table, &c),
	                 MAD_STATUS_BAD_VALUE);
	/* What a counter cannot hold, it holds its maximum of. */
	for (unsigned i = 0; i < 300; i++) {
		ibnet_cut(rig_port(&r, "L0000[2]"));
		ibnet_restore(rig_port(&r, "L0000[2]"));
	}
	c = (struct perf_port_counters){ .port_select = 2 };
	perf(&a, leaf, MAD_GET, MAD_ATTR_PORT_COUNTERS,
	     &perf_port_counters_table, &c);
	assert_int_equal(c.link_downed, 255);
	asker_fini(&a);
	rig_fini(&r);
}

/* A general service of a host that aggregates: by its virtual LID, and by
 * the port that is left. */
static void a_virtual_lid_answers_by_any_port(void **state)
{
	struct asker a, server;
	struct rig r;

	(void)state;
	rig_init(&r, NET, NULL);
	rig_bring_up(&r);
	rig_aggregate(&r, "H00009", 1000, 2, 1);
	asker_init(&a, &r, rig_port(&r, "H00000"));
	asker_init(&server, &r, rig_port(&r, "H00009"));
	server.takes_all = true;
	ibnet_cut(rig_port(&r, "H00009:1")); /* the server's own port */
	for (unsigned i = 0; i < 20; i++) {
		struct ibnet_mad m;

		make(&m, 0x32, MAD_GET, 0, 1000);
		m.sqp = 1 + i; /* another flow */
		ibnet_send(&a.ep, &m);
		/* What goes to the dead leaf's switch is lost there. */
		if (server.n) {
			server.n = 0;
			m = server.got[0];
			mad_make_response(&m.mad, 0);
			m.dlid = m.slid;
			m.slid = 0;
			ibnet_send(&server.ep, &m);
		}
	}
	assert_true(a.n > 0);
	assert_int_equal(a.got[0].slid, 1000);
	asker_fini(&server);
	asker_fini(&a);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(directed_routes_reach_every_node),
		cmocka_unit_test(lids_are_routed_by_the_tables),
		cmocka_unit_test(
			only_subnet_management_passes_what_is_not_active),
		cmocka_unit_test(a_path_may_start_at_a_lid),
		cmocka_unit_test(requests_find_who_takes_them),
		cmocka_unit_test(endpoints_are_bounded),
		cmocka_unit_test(losses_and_duplicates_are_as_told),
		cmocka_unit_test(a_lost_link_is_told_until_it_is_repressed),
		cmocka_unit_test(a_new_sm_is_told_of),
		cmocka_unit_test(a_wrong_key_is_told),
		cmocka_unit_test(counters_count_and_are_cleared),
		cmocka_unit_test(a_virtual_lid_answers_by_any_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
