/* SPDX-License-Identifier: BSD-2-Clause */
#include "net_rig.h"

#include "mad/packet.h"

#include <stdio.h>
#include <string.h>

#define VLID 1000u

static struct ibnet_data_stats stats(const struct rig *r)
{
	struct ibnet_data_stats s;

	ibnet_data_get(r->net, &s);
	return s;
}

static uint64_t lost(const struct ibnet_data_stats *s)
{
	return s->lost_link + s->lost_no_route + s->lost_group +
	       s->lost_stalled + s->lost_hops + s->lost_refused;
}

/* Nothing is unaccounted for. */
static void check_sums(const struct rig *r)
{
	struct ibnet_data_stats s = stats(r);

	assert_int_equal(s.flows.sent, s.flows.received + s.flows.duplicated +
	                                       s.in_flight + lost(&s));
}

static void add_flows(struct rig *r, const char *from, uint16_t lid, unsigned n)
{
	struct err e = { 0 };
	uint32_t id;

	while (n--)
		assert_int_equal(
			ibnet_flow_add(rig_node(r, from), lid, &id, &e), 0);
}

static void assert_even(const struct rig *r, const char *host, unsigned n,
                        bool received)
{
	uint64_t count[IBNET_HOST_PORTS_MAX], sum = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t sent, in;

		ibnet_data_port(ibnet_port(rig_node(r, host), i + 1), &sent,
		                &in);
		count[i] = received ? in : sent;
		sum += count[i];
	}
	for (unsigned i = 0; i < n; i++) {
		assert_true(count[i] * n > sum * 95 / 100);
		assert_true(count[i] * n < sum * 105 / 100);
	}
}

static void flows_arrive_whole_and_in_order(void **state)
{
	static const char *const nets[] = {
		"clos:hosts=16,radix=8",
		"clos:hosts=16,radix=4",
		"dragonfly:groups=5,switches=2,hosts=2,global=2",
		"torus:x=3,y=3,z=2,hosts=2",
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(nets) / sizeof(nets[0]); i++) {
		struct ibnet_data_stats s;
		struct rig r;

		rig_init(&r, nets[i], NULL);
		rig_bring_up(&r);
		add_flows(&r, "H00000", rig_lid(rig_port(&r, "H00009")), 5);
		add_flows(&r, "H00003", rig_lid(rig_port(&r, "H00001")), 5);
		add_flows(&r, "H00009", rig_lid(rig_port(&r, "H00000")), 5);
		ibnet_tick(r.net, 1000);
		rig_drain(&r);
		s = stats(&r);
		assert_true(s.flows.sent > 1500);
		assert_int_equal(s.flows.received, s.flows.sent);
		assert_int_equal(s.flows.reordered, 0);
		check_sums(&r);
		rig_fini(&r);
	}
}

/* Everybody sends to one host: links are lossless, and share what there is. */
static void a_crowd_loses_nothing_and_is_served_evenly(void **state)
{
	struct ibnet_data_stats s;
	struct rig r;
	char name[16];

	(void)state;
	rig_init(&r, "clos:hosts=16,radix=8", NULL);
	rig_bring_up(&r);
	for (unsigned h = 1; h < 16; h++) {
		snprintf(name, sizeof(name), "H%05u", h);
		add_flows(&r, name, rig_lid(rig_port(&r, "H00000")), 1);
	}
	ibnet_tick(r.net, 4000);
	s = stats(&r);
	assert_true(s.flows.received > 3900); /* the last link is full */
	for (uint32_t i = 0; i < 15; i++) {
		struct ibnet_flow_stats f;

		ibnet_flow_get(r.net, i, &f);
		assert_true(f.received > 50); /* nobody starves */
	}
	rig_drain(&r);
	s = stats(&r);
	assert_int_equal(s.flows.received, s.flows.sent);
	assert_int_equal(s.flows.reordered, 0);
	rig_fini(&r);
}

/* shows L8, L7: many flows over two and over three members, out of the
 * host and into it, by the virtual LID alone */
static void members_share_evenly_and_keep_order(void **state)
{
	static const struct {
		const char *net;
		unsigned n;
	} rows[] = { { "clos:hosts=16,ports=2,radix=8", 2 },
		     { "clos:hosts=12,ports=3,radix=12", 3 },
		     { "clos:hosts=12,ports=4,radix=16", 4 } };

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ibnet_data_stats s;
		struct rig r;

		rig_init(&r, rows[i].net, NULL);
		rig_bring_up(&r);
		rig_aggregate(&r, "H00000", VLID, rows[i].n, 1);
		rig_aggregate(&r, "H00009", VLID + 1, rows[i].n, 1);
		add_flows(&r, "H00000", VLID + 1, 30000);
		add_flows(&r, "H00009", VLID, 30000);
		ibnet_tick(r.net, 40000);
		rig_drain(&r);
		s = stats(&r);
		assert_true(s.flows.sent > 60000);
		assert_int_equal(s.flows.received, s.flows.sent);
		assert_int_equal(s.flows.reordered, 0);
		assert_even(&r, "H00000", rows[i].n, false);
		assert_even(&r, "H00000", rows[i].n, true);
		assert_even(&r, "H00009", rows[i].n, false);
		assert_even(&r, "H00009", rows[i].n, true);
		rig_fini(&r);
	}
}

/* shows L16: with a host that does not aggregate, both ways */
static void a_virtual_lid_talks_with_a_plain_host(void **state)
{
	struct ibnet_data_stats s;
	struct rig r;

	(void)state;
	rig_init(&r, "clos:hosts=16,ports=2,radix=8", NULL);
	ibnet_set_faults(rig_node(&r, "H00009"), IBNET_FAULT_NO_LAG);
	rig_bring_up(&r);
	rig_aggregate(&r, "H00000", VLID, 2, 1);
	add_flows(&r, "H00000", rig_lid(rig_port(&r, "H00009:2")), 500);
	add_flows(&r, "H00009", VLID, 500);
	ibnet_tick(r.net, 4000);
	rig_drain(&r);
	s = stats(&r);
	assert_true(s.flows.sent > 4000);
	assert_int_equal(s.flows.received, s.flows.sent);
	assert_int_equal(s.flows.reordered, 0);
	rig_fini(&r);
}

/* shows L12, L11: nobody tells the fabric anything after the cut; only
 * what was on the way over that cable is lost, and later nothing is */
static void a_dead_member_is_skipped_without_the_sm(void **state)
{
	struct ibnet_data_stats s, before;
	struct rig r;

	(void)state;
	rig_init(&r, "clos:hosts=16,ports=2,radix=8", NULL);
	rig_bring_up(&r);
	/* Both ports on one leaf's spines: the leaves skip by
	 * themselves. */
	rig_aggregate(&r, "H00000", VLID, 2, 1);
	rig_aggregate(&r, "H00009", VLID + 1, 2, 1);
	add_flows(&r, "H00000", VLID + 1, 200);
	ibnet_tick(r.net, 2000);
	ibnet_cut(rig_port(&r, "H00000:2"));
	ibnet_tick(r.net, 2000);
	rig_drain(&r);
	s = stats(&r);
	assert_int_equal(lost(&s), s.lost_link);
	assert_true(s.lost_link <= 2 * IBNET_DATA_QUEUE);
	assert_int_equal(s.flows.reordered, 0);
	check_sums(&r);
	before = s;
	ibnet_tick(r.net, 2000);
	rig_drain(&r);
	s = stats(&r);
	assert_true(s.flows.sent - before.flows.sent > 1900);
	assert_int_equal(lost(&s), lost(&before));
	rig_fini(&r);
}

/* shows L12: the switch's side.  Two members on one switch: the switch
 * skips the dead one for what goes down to the host */
static void a_switch_skips_a_dead_member(void **state)
{
	struct ibnet_topo *t = ibnet_topo_create();
	struct ibnet_opts o = { 0 };
	struct ibnet_data_stats s;
	struct lag_switch ls;
	struct err e = { 0 };
	uint32_t sw, a, b;
	struct rig r = { .topo = t, .next_lid = 1 };

	(void)state;
	assert_int_equal(ibnet_topo_add(t, IBNET_SWITCH, "S", 8, &sw, &e), 0);
	assert_int_equal(ibnet_topo_add(t, IBNET_HOST, "A", 3, &a, &e), 0);
	assert_int_equal(ibnet_topo_add(t, IBNET_HOST, "B", 1, &b, &e), 0);
	for (uint8_t i = 1; i <= 3; i++)
		assert_int_equal(
			ibnet_topo_link(t, (struct ibnet_topo_end){ sw, i },
		                        (struct ibnet_topo_end){ a, i }, &e),
			0);
	assert_int_equal(ibnet_topo_link(t, (struct ibnet_topo_end){ sw, 4 },
	                                 (struct ibnet_topo_end){ b, 1 }, &e),
	                 0);
	assert_int_equal(ibnet_create(t, &o, &r.net, &e), 0);
	rig_bring_up(&r);
	rig_aggregate(&r, "A", VLID, 3, 1);
	add_flows(&r, "B", VLID, 900);
	ibnet_tick(r.net, 3000);
	ibnet_cut(rig_port(&r, "S[2]"));
	ibnet_tick(r.net, 3000);
	rig_drain(&r);
	s = stats(&r);
	assert_int_equal(lost(&s), s.lost_link);
	assert_true(s.lost_link <= IBNET_DATA_QUEUE);
	assert_int_equal(s.flows.reordered, 0);
	assert_int_equal(rig_get(&r, rig_port(&r, "S"), MAD_ATTR_LAG_SWITCH, 0,
	                         &lag_switch_table, &ls),
	                 0);
	assert_true(ls.rerouted > 500);
	assert_int_equal(ls.dropped, 0);
	/* With no member left there is nothing to skip to. */
	ibnet_cut(rig_port(&r, "S[1]"));
	ibnet_cut(rig_port(&r, "S[3]"));
	ibnet_tick(r.net, 300);
	rig_drain(&r);
	s = stats(&r);
	assert_true(s.lost_group > 100);
	check_sums(&r);
	rig_fini(&r);
}

/* shows L13, L14: 2, 3, 2 ports under load, then a member that comes
 * back */
static void members_come_and_go_without_reordering(void **state)
{
	struct ibnet_data_stats s;
	struct rig r;

	(void)state;
	rig_init(&r, "clos:hosts=12,ports=3,radix=12", NULL);
	rig_bring_up(&r);
	rig_aggregate(&r, "H00000", VLID, 2, 1);
	rig_aggregate(&r, "H00009", VLID + 1, 3, 1);
	add_flows(&r, "H00009", VLID, 400);
	add_flows(&r, "H00000", VLID + 1, 400);
	ibnet_tick(r.net, 2000);
	rig_aggregate(&r, "H00000", VLID, 3, 2);
	ibnet_tick(r.net, 2000);
	rig_aggregate(&r, "H00000", VLID, 2, 3);
	ibnet_tick(r.net, 2000);
	rig_drain(&r);
	s = stats(&r);
	assert_int_equal(lost(&s), 0);
	assert_int_equal(s.flows.reordered, 0);
	assert_int_equal(s.flows.received, s.flows.sent);

	ibnet_cut(rig_port(&r, "H00000:1"));
	ibnet_tick(r.net, 1000);
	ibnet_restore(rig_port(&r, "H00000:1"));
	rig_activate(&r);
	ibnet_tick(r.net, 2000);
	rig_drain(&r);
	s = stats(&r);
	assert_int_equal(s.flows.reordered, 0);
	check_sums(&r);
	rig_fini(&r);
}

/* shows L15: members on two leaves; one leaf loses its power */
static void a_leaf_dies_and_the_other_member_carries_on(void **state)
{
	struct ibnet_data_stats s, before;
	struct rig r;

	(void)state;
	rig_init(&r, "clos:hosts=16,ports=2,radix=8", NULL);
	rig_bring_up(&r);
	rig_aggregate(&r, "H00000", VLID, 2, 1);
	rig_aggregate(&r, "H00009", VLID + 1, 2, 1);
	add_flows(&r, "H00000", VLID + 1, 200);
	add_flows(&r, "H00009", VLID, 200);
	ibnet_tick(r.net, 2000);
	ibnet_set_power(rig_node(&r, "L0000"), false);
	ibnet_tick(r.net, 500);
	rig_drain(&r);
	/* The leaf's neighbours skip it at once; what is left is for
	 * the SM. */
	rig_aggregate(&r, "H00000", VLID, 2, 2);
	rig_aggregate(&r, "H00009", VLID + 1, 2, 2);
	before = stats(&r);
	assert_int_equal(before.flows.reordered, 0);
	ibnet_tick(r.net, 2000);
	rig_drain(&r);
	s = stats(&r);
	assert_int_equal(lost(&s), lost(&before));
	assert_true(s.flows.received - before.flows.received > 3000);
	check_sums(&r);
	rig_fini(&r);
}

/* What comes down to a leaf whose member is dead is dropped there and
 * counted: it does not turn back up, which can close a credit loop. */
static void a_dead_leaf_drops_what_came_down(void **state)
{
	struct ibnet_data_stats s;
	struct lag_switch ls;
	struct ibnet_port *only;
	struct rig r;

	(void)state;
	rig_init(&r, "clos:hosts=16,ports=2,radix=8", NULL);
	rig_bring_up(&r);
	rig_aggregate(&r, "H00000", VLID, 2, 1);
	/* The spines know of the first leaf alone, and the leaf of a
	 * way up. */
	only = rig_port(&r, "H00000:1");
	rig_route(&r, VLID, &only, 1);
	add_flows(&r, "H00015", VLID, 50);
	ibnet_tick(r.net, 200);
	ibnet_cut(only);
	ibnet_tick(r.net, 2000);
	rig_drain(&r);
	s = stats(&r);
	assert_int_equal(s.lost_hops, 0);
	assert_int_equal(s.lost_stalled, 0);
	assert_true(s.lost_group > 0);
	assert_int_equal(rig_get(&r, rig_port(&r, "L0000"), MAD_ATTR_LAG_SWITCH,
	                         0, &lag_switch_table, &ls),
	                 0);
	assert_int_equal(ls.dropped, s.lost_group);
	rig_fini(&r);
}

/* -- checks on the way
 * -------------------------------------------------------
 */

static void a_loop_in_the_tables_ends(void **state)
{
	struct ibnet_data_stats s;
	struct smp_lft t;
	struct rig r;

	(void)state;
	rig_init(&r, "torus:x=3,y=1,z=1,hosts=1", NULL);
	rig_bring_up(&r);
	/* LID 500 turns in the ring for ever: +x is port 2. */
	for (unsigned i = 0; i < 3; i++) {
		struct ibnet_port *p = ibnet_port(ibnet_node_at(r.net, i), 0);
		struct smp_switch_info si;

		rig_get(&r, p, MAD_ATTR_LFT, 500 / 64, &smp_lft_table, &t);
		t.port[500 % 64] = 2;
		rig_set(&r, p, MAD_ATTR_LFT, 500 / 64, &smp_lft_table, &t);
		rig_get(&r, p, MAD_ATTR_SWITCH_INFO, 0, &smp_switch_info_table,
		        &si);
		si.linear_top = 600;
		rig_set(&r, p, MAD_ATTR_SWITCH_INFO, 0, &smp_switch_info_table,
		        &si);
	}
	add_flows(&r, "H00000", 500, 1);
	ibnet_tick(r.net, 3);
	rig_drain(&r);
	s = stats(&r);
	assert_int_equal(s.lost_hops, s.flows.sent);
	assert_true(s.flows.sent > 0);
	rig_fini(&r);
}

static void partitions_are_kept_apart(void **state)
{
	struct smp_pkey_table keys = { .pkey = { 0x8001 } };
	struct ibnet_data_stats s;
	struct rig r;

	(void)state;
	rig_init(&r, "clos:hosts=4,radix=4", NULL);
	rig_bring_up(&r);
	add_flows(&r, "H00000", rig_lid(rig_port(&r, "H00001")), 1);
	assert_int_equal(rig_set(&r, rig_port(&r, "H00001"),
	                         MAD_ATTR_PKEY_TABLE, 0, &smp_pkey_table_table,
	                         &keys),
	                 0);
	ibnet_tick(r.net, 10);
	rig_drain(&r);
	s = stats(&r);
	assert_int_equal(s.flows.received, 0);
	assert_int_equal(s.lost_refused, s.flows.sent);
	keys = (struct smp_pkey_table){ .pkey = { 0x0001 } }; /* limited */
	assert_int_equal(rig_set(&r, rig_port(&r, "H00000"),
	                         MAD_ATTR_PKEY_TABLE, 0, &smp_pkey_table_table,
	                         &keys),
	                 0);
	ibnet_tick(r.net, 10);
	rig_drain(&r);
	assert_true(stats(&r).flows.received > 0);
	keys = (struct smp_pkey_table){ .pkey = { 0x0001 } };
	rig_set(&r, rig_port(&r, "H00001"), MAD_ATTR_PKEY_TABLE, 0,
	        &smp_pkey_table_table, &keys);
	s = stats(&r);
	ibnet_tick(r.net, 10);
	rig_drain(&r);
	assert_int_equal(stats(&r).flows.received, s.flows.received);
	rig_fini(&r);
}

/* A switch drops what its port's table does not have, if it is told to. */
static void a_switch_enforces_partitions(void **state)
{
	struct smp_pkey_table keys = { .pkey = { 0x8001 } };
	struct smp_port_info i;
	struct ibnet_data_stats s;
	struct ibnet_port *leaf;
	struct rig r;

	(void)state;
	rig_init(&r, "clos:hosts=4,radix=8", NULL);
	rig_bring_up(&r);
	leaf = rig_port(&r, "L0000");
	add_flows(&r, "H00000", rig_lid(rig_port(&r, "H00001")), 1);
	for (uint8_t out = 0; out < 2; out++) {
		unsigned port = 1u + out; /* the sender's, the receiver's */

		assert_int_equal(rig_set(&r, leaf, MAD_ATTR_PKEY_TABLE,
		                         port << 16, &smp_pkey_table_table,
		                         &keys),
		                 0);
		s = stats(&r);
		ibnet_tick(r.net, 10);
		rig_drain(&r);
		assert_true(stats(&r).flows.received > s.flows.received);
		assert_int_equal(rig_get(&r, leaf, MAD_ATTR_PORT_INFO, port,
		                         &smp_port_info_table, &i),
		                 0);
		i.port_state = i.phys_state = 0;
		i.enforce_inbound = !out;
		i.enforce_outbound = out;
		assert_int_equal(rig_set(&r, leaf, MAD_ATTR_PORT_INFO, port,
		                         &smp_port_info_table, &i),
		                 0);
		s = stats(&r);
		ibnet_tick(r.net, 10);
		rig_drain(&r);
		assert_int_equal(stats(&r).flows.received, s.flows.received);
		assert_true(stats(&r).lost_refused > s.lost_refused);
		i.port_state = i.phys_state = 0;
		i.enforce_inbound = i.enforce_outbound = 0;
		assert_int_equal(rig_set(&r, leaf, MAD_ATTR_PORT_INFO, port,
		                         &smp_port_info_table, &i),
		                 0);
	}
	check_sums(&r);
	rig_fini(&r);
}

static void multicast_reaches_every_member_once(void **state)
{
	static const uint8_t group[16] = { 0xff, 0x12, [15] = 7 };
	struct ibnet_data_stats s;
	struct rig r;
	uint64_t sent, in;

	(void)state;
	rig_init(&r, "clos:hosts=4,radix=8", NULL); /* one leaf, one spine */
	rig_bring_up(&r);
	{
		struct smp_mft t = { .mask = { 1u << 1 | 1u << 3 | 1u << 4 } };

		assert_int_equal(rig_set(&r, rig_port(&r, "L0000"),
		                         MAD_ATTR_MFT, 0, &smp_mft_table, &t),
		                 0);
	}
	add_flows(&r, "H00000", MAD_LID_MULTICAST_MIN, 1);
	ibnet_flow_to_gid(r.net, 0, group);
	ibnet_tick(r.net, 100);
	rig_drain(&r);
	s = stats(&r);
	assert_int_equal(s.flows.sent, 100);
	assert_int_equal(s.flows.received, 100);   /* the first copy */
	assert_int_equal(s.flows.duplicated, 100); /* the second */
	ibnet_data_port(rig_port(&r, "H00001"), &sent, &in);
	assert_int_equal(in, 0);
	ibnet_data_port(rig_port(&r, "H00002"), &sent, &in);
	assert_int_equal(in, 100);
	ibnet_data_port(rig_port(&r, "H00003"), &sent, &in);
	assert_int_equal(in, 100);
	rig_fini(&r);
}

/* shows D5: a GID has to be the receiver's, and a group's has to be there. */
static void a_packet_is_for_whom_its_gid_names(void **state)
{
	struct ibnet_port_view to;
	struct ibnet_data_stats s;
	uint8_t gid[16] = { 0xfe, 0x80 };
	struct rig r;
	be64 guid;

	(void)state;
	rig_init(&r, "clos:hosts=4,radix=8", NULL);
	rig_bring_up(&r);
	ibnet_view_port(rig_port(&r, "H00001"), &to);
	for (unsigned i = 0; i < 5; i++) {
		/* Its own, one that it is not given yet, then is, a group's. */
		guid = be64_put(i == 0 ? to.guid : UINT64_C(0x77));
		memcpy(gid + 8, &guid, 8);
		if (i == 2) {
			struct smp_guid_info g = { .guid = { 0, 0x77 } };

			assert_int_equal(rig_set(&r, rig_port(&r, "H00001"),
			                         MAD_ATTR_GUID_INFO, 0,
			                         &smp_guid_info_table, &g),
			                 0);
		}
		gid[0] = i == 3 ? 0xff : 0xfe;
		if (i == 4)
			gid[1] = 0xc0; /* another subnet's */
		add_flows(&r, "H00000", to.lid, 1);
		ibnet_flow_to_gid(r.net, 0, gid);
		ibnet_tick(r.net, 100);
		rig_drain(&r);
		s = stats(&r);
		assert_int_equal(s.flows.sent, 100);
		assert_int_equal(s.flows.received, i % 2 ? 0 : i < 4 ? 100 : 0);
		assert_int_equal(s.lost_refused, 100 - s.flows.received);
		check_sums(&r);
		ibnet_flow_clear(r.net);
		ibnet_flow_run(r.net, true);
	}
	rig_fini(&r);
}

/* -- what a tap sees
 * ---------------------------------------------------------
 */

struct seen {
	unsigned n;
	unsigned bad;
};

static void look(void *ctx, const struct ibnet_port *from, const void *bytes,
                 unsigned length)
{
	struct seen *s = ctx;
	struct packet p;

	(void)from;
	s->n++;
	if (packet_check(bytes, length) || packet_decode(bytes, length, &p) ||
	    p.slid != VLID || p.dlid != VLID + 1)
		s->bad++;
}

/* shows L7: on the wire there are virtual LIDs and nothing else */
static void packets_carry_virtual_lids_only(void **state)
{
	struct seen seen = { 0 };
	struct rig r;

	(void)state;
	rig_init(&r, "clos:hosts=16,ports=2,radix=8", NULL);
	rig_bring_up(&r);
	rig_aggregate(&r, "H00000", VLID, 2, 1);
	rig_aggregate(&r, "H00009", VLID + 1, 2, 1);
	ibnet_data_tap(r.net, look, &seen);
	add_flows(&r, "H00000", VLID + 1, 20);
	ibnet_tick(r.net, 100);
	rig_drain(&r);
	assert_true(seen.n > 300); /* several hops each */
	assert_int_equal(seen.bad, 0);
	rig_fini(&r);
}

static void backup_mode_uses_one_member_at_a_time(void **state)
{
	uint64_t sent[2], in;
	struct rig r;

	(void)state;
	rig_init(&r, "clos:hosts=16,ports=2,radix=8", NULL);
	rig_bring_up(&r);
	rig_aggregate(&r, "H00000", VLID, 2, 1);
	assert_int_equal(rig_lag_host(&r, rig_port(&r, "H00000"), VLID, 2, 2,
	                              LAG_ACTIVE_BACKUP),
	                 LAG_ACCEPTED);
	add_flows(&r, "H00000", rig_lid(rig_port(&r, "H00009")), 50);
	ibnet_tick(r.net, 500);
	for (unsigned i = 0; i < 2; i++)
		ibnet_data_port(ibnet_port(rig_node(&r, "H00000"), i + 1),
		                &sent[i], &in);
	assert_true(sent[0] > 400);
	assert_int_equal(sent[1], 0);
	ibnet_cut(rig_port(&r, "H00000:1"));
	ibnet_tick(r.net, 500);
	ibnet_data_port(rig_port(&r, "H00000:2"), &sent[1], &in);
	assert_true(sent[1] > 300);
	rig_drain(&r);
	assert_int_equal(stats(&r).flows.reordered, 0);
	rig_fini(&r);
}

/* -- anything ------------------------------------------------------------- */

static uint32_t next_random(uint64_t *x)
{
	*x = *x * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(*x >> 33);
}

/* N3 */
static void check_links(const struct rig *r)
{
	for (uint32_t k = 0; k < ibnet_node_count(r->net); k++) {
		struct ibnet_node_view n;

		ibnet_view_node(ibnet_node_at(r->net, k), &n);
		for (unsigned i = 1; i <= n.n_ports; i++) {
			struct ibnet_port_view v, far;

			ibnet_view_port(ibnet_port(ibnet_node_at(r->net, k), i),
			                &v);
			if (!v.peer)
				continue;
			ibnet_view_port(v.peer, &far);
			assert_int_equal(v.state == SMP_PORT_DOWN,
			                 far.state == SMP_PORT_DOWN);
			assert_int_equal(v.phys_state == SMP_PHYS_LINK_UP,
			                 far.phys_state == SMP_PHYS_LINK_UP);
		}
	}
}

static void one_event(struct rig *r, uint64_t *x)
{
	uint32_t n = ibnet_node_count(r->net);
	struct ibnet_node *node = ibnet_node_at(r->net, next_random(x) % n);
	struct ibnet_node_view v;
	struct ibnet_port *p;

	ibnet_view_node(node, &v);
	p = ibnet_port(node, 1 + next_random(x) % v.n_ports);
	switch (next_random(x) % 8) {
	case 0:
	case 1:
		ibnet_cut(p);
		break;
	case 2:
	case 3:
	case 4:
		ibnet_restore(p);
		break;
	case 5:
		ibnet_set_power(node, false);
		break;
	default:
		ibnet_set_power(node, true);
	}
}

static void storm(uint64_t seed, unsigned ticks_between, bool in_order)
{
	struct ibnet_data_stats s;
	uint64_t x = seed;
	struct rig r;
	char name[16];

	rig_init(&r, "clos:hosts=12,ports=2,radix=8", NULL);
	rig_bring_up(&r);
	for (unsigned h = 0; h < 12; h++) {
		snprintf(name, sizeof(name), "H%05u", h);
		rig_aggregate(&r, name, (uint16_t)(VLID + h), 2, 1);
	}
	for (unsigned h = 0; h < 12; h++) {
		snprintf(name, sizeof(name), "H%05u", h);
		add_flows(&r, name, (uint16_t)(VLID + (h + 5) % 12), 20);
	}
	for (unsigned i = 0; i < 200; i++) {
		one_event(&r, &x);
		if (i % 3 == 0)
			rig_activate(&r);
		ibnet_tick(r.net, ticks_between);
		check_links(&r);
		check_sums(&r);
	}
	rig_drain(&r);
	s = stats(&r);
	assert_true(s.flows.received > 1000);
	assert_int_equal(s.flows.duplicated, 0);
	if (in_order)
		assert_int_equal(s.flows.reordered, 0);
	check_sums(&r);
	rig_fini(&r);
}

/* Cables and power at random, under load, and no SM that would help: every
 * packet is accounted for, links agree; and while events leave each other time
 * to settle (D4), no flow gets out of order. */
static void a_storm_leaves_nothing_unaccounted_for(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++)
		storm(seed, 20, false);
	for (uint64_t seed = 11; seed <= 12; seed++)
		storm(seed, 600, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows_arrive_whole_and_in_order),
		cmocka_unit_test(a_crowd_loses_nothing_and_is_served_evenly),
		cmocka_unit_test(members_share_evenly_and_keep_order),
		cmocka_unit_test(a_virtual_lid_talks_with_a_plain_host),
		cmocka_unit_test(a_dead_member_is_skipped_without_the_sm),
		cmocka_unit_test(a_switch_skips_a_dead_member),
		cmocka_unit_test(members_come_and_go_without_reordering),
		cmocka_unit_test(a_leaf_dies_and_the_other_member_carries_on),
		cmocka_unit_test(a_dead_leaf_drops_what_came_down),
		cmocka_unit_test(a_loop_in_the_tables_ends),
		cmocka_unit_test(partitions_are_kept_apart),
		cmocka_unit_test(a_switch_enforces_partitions),
		cmocka_unit_test(multicast_reaches_every_member_once),
		cmocka_unit_test(a_packet_is_for_whom_its_gid_names),
		cmocka_unit_test(packets_carry_virtual_lids_only),
		cmocka_unit_test(backup_mode_uses_one_member_at_a_time),
		cmocka_unit_test(a_storm_leaves_nothing_unaccounted_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
