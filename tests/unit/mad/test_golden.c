/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MADs byte for byte.  The bytes were put together by hand from the tables of
 * IBA vol 1; tests/interop/mad-oracle asks a foreign decoder too.
 */
#include "base/base.h"
#include "mad/mad.h"
#include "mad/notice.h"
#include "mad/perf.h"
#include "mad/sa.h"
#include "mad/smp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* shows L1: Get, 256 bytes, with a directed route. */
static void test_get(void **state)
{
	static const struct smp_route route = { 2, { 0, 1, 7 } };
	uint8_t golden[256] = {
		0x01,        0x81, 0x01, 0x01, 0x00,         0x00, 0x00, 0x02,
		0x00,        0x00, 0x00, 0x00, 0x12,         0x34, 0x56, 0x78,
		0x00,        0x15, 0x00, 0x00, 0x00,         0x00, 0x00, 0x03,
		[32] = 0xff, 0xff, 0xff, 0xff, [129] = 0x01, 0x07,
	};
	struct mad m;

	(void)state;
	mad_init(&m, MAD_CLASS_SUBN_DIRECTED, MAD_GET, MAD_ATTR_PORT_INFO, 3);
	m.header.tid = be64_put(0x12345678);
	smp_set_route(&m, &route);
	assert_memory_equal(&m, golden, sizeof(golden));
}

static void test_make_response(void **state)
{
	static const struct {
		uint8_t mgmt_class;
		uint8_t method;
		uint8_t answer;
		uint16_t status; /* on the wire, of 0x001c */
	} rows[] = {
		{ MAD_CLASS_SUBN_LID, MAD_GET, 0x81, 0x001c },
		{ MAD_CLASS_SUBN_LID, MAD_SET, 0x81, 0x001c },
		{ MAD_CLASS_SUBN_DIRECTED, MAD_SET, 0x81, 0x801c },
		{ MAD_CLASS_SUBN_LID, MAD_TRAP, 0x07, 0x001c },
		{ MAD_CLASS_PERF, MAD_GET, 0x81, 0x001c },
		{ MAD_CLASS_SA, MAD_GET, 0x81, 0x001c },
		{ MAD_CLASS_SA, MAD_REPORT, 0x86, 0x001c },
		{ MAD_CLASS_SA, MAD_SA_GET_TABLE, 0x92, 0x001c },
		{ MAD_CLASS_SA, MAD_SA_GET_TRACE_TABLE, 0x92, 0x001c },
		{ MAD_CLASS_SA, MAD_SA_GET_MULTI, 0x94, 0x001c },
		{ MAD_CLASS_SA, MAD_SA_DELETE, 0x95, 0x001c },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct mad m;

		mad_init(&m, rows[i].mgmt_class, rows[i].method, 0x11, 0);
		assert_int_equal(mad_check(&m), 0);
		assert_false(mad_is_response(&m));
		mad_make_response(&m, MAD_STATUS_BAD_VALUE);
		assert_int_equal(m.header.method, rows[i].answer);
		assert_int_equal(be16_get(m.header.status), rows[i].status);
		assert_int_equal(mad_status(&m), MAD_STATUS_BAD_VALUE);
		assert_true(mad_is_response(&m));
	}
}

static void test_check(void **state)
{
	struct mad m;

	(void)state;
	mad_init(&m, MAD_CLASS_SA, MAD_GET, MAD_ATTR_PATH_RECORD, 0);
	assert_int_equal(m.header.class_version, 2);
	m.header.class_version = 1;
	assert_int_equal(mad_check(&m), MAD_STATUS_BAD_VERSION);
	m.header.class_version = 2;
	m.header.base_version = 2;
	assert_int_equal(mad_check(&m), MAD_STATUS_BAD_VERSION);
	m.header.base_version = 1;
	m.header.mgmt_class = 0x32;
	assert_int_equal(mad_check(&m), MAD_STATUS_BAD_VERSION);
}

/* shows L1 */
static void test_node_info(void **state)
{
	static const uint8_t golden[40] = {
		0x01, 0x01, 0x02, 0x24, /* versions, switch, 36 ports */
		0x00, 0x02, 0xc9, 0x03, 0x00, 0xa1, 0xb2, 0xc3, /* system */
		0x00, 0x02, 0xc9, 0x03, 0x00, 0xa1, 0xb2, 0xc0, /* node */
		0x00, 0x02, 0xc9, 0x03, 0x00, 0xa1, 0xb2, 0xc1, /* port */
		0x00, 0x08, 0xc7, 0x38, 0x00, 0x00, 0x00, 0xa1, /* cap, dev */
		0x11, 0x00, 0x02, 0xc9, /* port 17, vendor */
	};
	struct smp_node_info n;
	uint8_t again[40];

	(void)state;
	field_decode(&smp_node_info_table, golden, &n);
	assert_int_equal(n.node_type, SMP_NODE_SWITCH);
	assert_int_equal(n.n_ports, 36);
	assert_int_equal(n.system_guid, UINT64_C(0x0002c90300a1b2c3));
	assert_int_equal(n.node_guid, UINT64_C(0x0002c90300a1b2c0));
	assert_int_equal(n.port_guid, UINT64_C(0x0002c90300a1b2c1));
	assert_int_equal(n.partition_cap, 8);
	assert_int_equal(n.device_id, 0xc738);
	assert_int_equal(n.revision, 0xa1);
	assert_int_equal(n.local_port, 17);
	assert_int_equal(n.vendor_id, 0x2c9);
	field_encode(&smp_node_info_table, &n, again);
	assert_memory_equal(again, golden, sizeof(golden));
}

/* shows L1 */
static void test_port_info(void **state)
{
	static const uint8_t golden[64] = {
		0x11, 0x22, 0x33, 0x44, 0x55,
		0x66, 0x77, 0x88, /* M_Key */
		0xfe, 0x80, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00,       /* prefix */
		0x00, 0x07, 0x00, 0x03, /* LID 7, SM's LID 3 */
		0x02, 0x51, 0x48, 0x6a, /* capabilities */
		0x12, 0x34, 0x00, 0x3c, /* diagnosis, lease */
		0x02, 0x0f, 0x0f, 0x02, /* port, widths */
		0x74, 0x52, 0x42, 0x13, /* speed+state, phys, protect+LMC,
		                           speeds */
		0x45, 0x32, 0x04, 0x08, /* MTU+SL, VLs, high limit, high cap */
		0x07, 0x25, 0xea, 0x4b, /* low cap, MTU, stall+HoQ, VLs+bits */
		0x00, 0x01, 0x00, 0x02, 0x00,
		0x03, 0x20, 0x92,       /* violations,
		                   GUIDs, re-register */
		0x13, 0x84, 0x00, 0x09, /* response time, errors, hint */
		0x00, 0x01, 0x02, 0x03, /* round trip */
		0x00, 0x05, 0x21, 0x1f, /* mask 2, extended speeds */
	};
	struct smp_port_info p;
	uint8_t again[64];

	(void)state;
	field_decode(&smp_port_info_table, golden, &p);
	assert_int_equal(p.m_key, UINT64_C(0x1122334455667788));
	assert_int_equal(p.subnet_prefix, UINT64_C(0xfe80000000000000));
	assert_int_equal(p.lid, 7);
	assert_int_equal(p.sm_lid, 3);
	assert_true(p.capability_mask & SMP_CAP_IS_SM);
	assert_int_equal(p.diag_code, 0x1234);
	assert_int_equal(p.m_key_lease, 60);
	assert_int_equal(p.local_port, 2);
	assert_int_equal(p.link_width_active, 2);
	assert_int_equal(p.link_speed_supported, 7);
	assert_int_equal(p.port_state, SMP_PORT_ACTIVE);
	assert_int_equal(p.phys_state, SMP_PHYS_LINK_UP);
	assert_int_equal(p.down_default, 2);
	assert_int_equal(p.m_key_protect, 1);
	assert_int_equal(p.lmc, 2);
	assert_int_equal(p.link_speed_active, 1);
	assert_int_equal(p.link_speed_enabled, 3);
	assert_int_equal(p.neighbor_mtu, 4);
	assert_int_equal(p.sm_sl, 5);
	assert_int_equal(p.vl_cap, 3);
	assert_int_equal(p.init_type, 2);
	assert_int_equal(p.vl_high_limit, 4);
	assert_int_equal(p.vl_arb_high_cap, 8);
	assert_int_equal(p.vl_arb_low_cap, 7);
	assert_int_equal(p.init_type_reply, 2);
	assert_int_equal(p.mtu_cap, 5);
	assert_int_equal(p.vl_stall_count, 7);
	assert_int_equal(p.hoq_life, 10);
	assert_int_equal(p.operational_vls, 4);
	assert_int_equal(p.enforce_inbound, 1);
	assert_int_equal(p.enforce_outbound, 0);
	assert_int_equal(p.filter_raw_inbound, 1);
	assert_int_equal(p.filter_raw_outbound, 1);
	assert_int_equal(p.m_key_violations, 1);
	assert_int_equal(p.p_key_violations, 2);
	assert_int_equal(p.q_key_violations, 3);
	assert_int_equal(p.guid_cap, 32);
	assert_int_equal(p.client_reregister, 1);
	assert_int_equal(p.multicast_pkey_trap_suppression, 0);
	assert_int_equal(p.subnet_timeout, 18);
	assert_int_equal(p.resp_time, 19);
	assert_int_equal(p.local_phy_errors, 8);
	assert_int_equal(p.overrun_errors, 4);
	assert_int_equal(p.max_credit_hint, 9);
	assert_int_equal(p.link_round_trip_latency, 0x010203);
	assert_int_equal(p.capability_mask2, 5);
	assert_int_equal(p.link_speed_ext_active, 2);
	assert_int_equal(p.link_speed_ext_supported, 1);
	assert_int_equal(p.link_speed_ext_enabled, 31);
	field_encode(&smp_port_info_table, &p, again);
	assert_memory_equal(again, golden, sizeof(golden));
}

static void test_switch_info(void **state)
{
	static const uint8_t golden[20] = {
		0xc0, 0x00, 0x00, 0x10, 0x10, 0x00, 0x01, 0x23,
		0x01, 0x02, 0x03, 0x94, /* ports, life time 18, change */
		0x00, 0x01, 0x00, 0x20, 0xa8, 0x00, 0xc1, 0x00,
	};
	struct smp_switch_info s;
	uint8_t again[20];

	(void)state;
	field_decode(&smp_switch_info_table, golden, &s);
	assert_int_equal(s.linear_cap, 0xc000);
	assert_int_equal(s.multicast_cap, 0x1000);
	assert_int_equal(s.linear_top, 0x123);
	assert_int_equal(s.default_multicast_other, 3);
	assert_int_equal(s.life_time, 18);
	assert_int_equal(s.port_state_change, 1);
	assert_int_equal(s.optimized_sl2vl, 0);
	assert_int_equal(s.inbound_enforcement, 1);
	assert_int_equal(s.outbound_enforcement, 0);
	assert_int_equal(s.filter_raw_inbound, 1);
	assert_int_equal(s.enhanced_port0, 1);
	assert_int_equal(s.multicast_top, 0xc100);
	field_encode(&smp_switch_info_table, &s, again);
	assert_memory_equal(again, golden, sizeof(golden));
}

static void test_small_tables(void **state)
{
	struct smp_sl2vl sl2vl = { .vl = { 0, 1, 2, 3, [15] = 15 } };
	struct smp_vlarb vlarb = { .vl = { 1, 2 }, .weight = { 64, 128 } };
	struct smp_mft mft = { .mask = { 0x8001, [31] = 0x0102 } };
	struct smp_sm_info sm = { .guid = 1,
		                  .act_count = 5,
		                  .priority = 14,
		                  .state = SMP_SM_MASTER };
	uint8_t wire[64];

	(void)state;
	field_encode(&smp_sl2vl_table, &sl2vl, wire);
	assert_memory_equal(wire, "\x01\x23\0\0\0\0\0\x0f", 8);
	field_encode(&smp_vlarb_table, &vlarb, wire);
	assert_memory_equal(wire, "\x01\x40\x02\x80", 4);
	field_encode(&smp_mft_table, &mft, wire);
	assert_memory_equal(wire, "\x80\x01", 2);
	assert_memory_equal(wire + 62, "\x01\x02", 2);
	field_encode(&smp_sm_info_table, &sm, wire);
	assert_int_equal(wire[7], 1);
	assert_int_equal(wire[19], 5);
	assert_int_equal(wire[20], 0xe3);
}

/* shows L1: traps 128, 144 and 256 as switches and hosts send them. */
static void test_traps(void **state)
{
	static const uint8_t trap128[12] = {
		0x81, 0x00, 0x00, 0x02, 0x00, 0x80,
		0x00, 0x09, 0x80, 0x07, 0x00, 0x09
	};
	struct notice n = { .generic = 1,
		            .type = NOTICE_URGENT,
		            .producer = NOTICE_PRODUCER_SWITCH,
		            .trap = NOTICE_LINK_STATE,
		            .issuer_lid = 9,
		            .toggle = 1,
		            .count = 7 };
	struct notice_lid lid = { 9 };
	struct notice_capability cap = { .lid = 0x102,
		                         .local_changes = 1,
		                         .capability_mask = 0x03040506,
		                         .change_flags = 1 };
	struct notice_m_key key = { .m_key = 0x1122,
		                    .lid = 5,
		                    .method = MAD_SET,
		                    .attr_id = 0x15,
		                    .attr_mod = 1,
		                    .directed = 1,
		                    .n_hops = 2,
		                    .return_path = { 0, 3, 4 } };
	uint8_t wire[80], *d = wire + 10;

	(void)state;
	field_encode(&notice_lid_table, &lid, n.details);
	field_encode(&notice_table, &n, wire);
	assert_memory_equal(wire, trap128, sizeof(trap128));
	assert_ptr_equal(notice_details(128), &notice_lid_table);

	field_encode(&notice_capability_table, &cap, n.details);
	field_encode(&notice_table, &n, wire);
	assert_memory_equal(d, "\0\0\x01\x02\0\x01\x03\x04\x05\x06\0\x01", 12);

	field_encode(&notice_m_key_table, &key, n.details);
	field_encode(&notice_sa_table, &n, wire);
	assert_memory_equal(d + 2, "\0\x05\0\0\x02\0\0\x15\0\0\0\x01", 12);
	assert_memory_equal(d + 20, "\x11\x22\0\x82\0\x03\x04", 7);
	assert_null(notice_details(127));
	for (uint16_t t = 64; t <= 67; t++)
		assert_ptr_equal(notice_details(t), &notice_gid_table);
	for (uint16_t t = 129; t <= 131; t++)
		assert_ptr_equal(notice_details(t), &notice_port_table);
}

static void test_counters(void **state)
{
	struct perf_port_counters c = { .port_select = 3,
		                        .counter_select = 0xffff,
		                        .link_downed = 2,
		                        .link_integrity_errors = 1,
		                        .buffer_overrun_errors = 15,
		                        .vl15_dropped = 258,
		                        .xmit_data = 0x01020304,
		                        .xmit_wait = 7 };
	struct perf_port_counters_ext e = { .port_select = 3,
		                            .counter_select = 0xff,
		                            .xmit_data = 0x0102030405060708,
		                            .multicast_rcv_packets = 9 };
	struct mad m;

	(void)state;
	mad_init(&m, MAD_CLASS_PERF, MAD_GET_RESP, MAD_ATTR_PORT_COUNTERS, 0);
	perf_put(&m, &perf_port_counters_table, &c);
	assert_memory_equal(mad_perf(&m)->data, "\0\x03\xff\xff\0\0\0\x02", 8);
	assert_int_equal(mad_perf(&m)->data[19], 0x1f);
	assert_memory_equal(mad_perf(&m)->data + 22, "\x01\x02\x01\x02\x03\x04",
	                    6);
	assert_int_equal(mad_perf(&m)->data[43], 7);
	perf_put(&m, &perf_port_counters_ext_table, &e);
	assert_memory_equal(mad_perf(&m)->data + 8, "\1\2\3\4\5\6\7\x08", 8);
	assert_int_equal(mad_perf(&m)->data[71], 9);
}

static void test_path_record(void **state)
{
	static const uint8_t golden[64] = {
		0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, /* service */
		0xfe, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* DGID */
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02,
		0xfe, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* SGID */
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01,
		0xb0, 0x01, 0x00, 0x11, /* DLID, SLID */
		0x8a, 0xbc, 0xde, 0x40, /* raw, flow label, hop limit */
		0x05, 0x87, 0xff, 0xff, /* class, reversible, 7 paths, P_Key */
		0x12, 0x34, 0x84, 0x87, /* QoS class + SL, MTU, rate */
		0x92, 0x01,             /* life, preference */
	};
	struct sa_path_record p;
	struct mad m;

	(void)state;
	mad_init(&m, MAD_CLASS_SA, MAD_GET_RESP, MAD_ATTR_PATH_RECORD, 0);
	memcpy(mad_sa(&m)->data, golden, sizeof(golden));
	sa_get(&m, &sa_path_record_table, &p);
	assert_int_equal(p.service_id, UINT64_C(0x0102030405060708));
	assert_int_equal(p.dlid, 0xb001);
	assert_int_equal(p.slid, 0x11);
	assert_int_equal(p.raw_traffic, 1);
	assert_int_equal(p.flow_label, 0xabcde);
	assert_int_equal(p.hop_limit, 64);
	assert_int_equal(p.reversible, 1);
	assert_int_equal(p.n_paths, 7);
	assert_int_equal(p.qos_class, 0x123);
	assert_int_equal(p.sl, 4);
	assert_int_equal(p.mtu_selector, SA_EXACTLY);
	assert_int_equal(p.mtu, 4);
	assert_int_equal(p.rate, 7);
	assert_int_equal(p.life, 18);
	assert_int_equal(p.preference, 1);
	memset(mad_sa(&m)->data, 0, sizeof(golden));
	sa_put(&m, &sa_path_record_table, &p);
	assert_memory_equal(mad_sa(&m)->data, golden, sizeof(golden));
	assert_int_equal(be16_get(mad_sa(&m)->attr_offset), 8);
}

/* Lengths in tables of records: IBA 15.2.5. */
static void test_pitch(void **state)
{
	static const struct {
		uint16_t attr;
		unsigned pitch;
	} rows[] = {
		{ MAD_ATTR_NODE_RECORD, 112 },
		{ MAD_ATTR_PORT_INFO_RECORD, 72 },
		{ MAD_ATTR_SWITCH_INFO_RECORD, 24 },
		{ MAD_ATTR_LFT_RECORD, 72 },
		{ MAD_ATTR_SM_INFO_RECORD, 32 },
		{ MAD_ATTR_LINK_RECORD, 8 },
		{ MAD_ATTR_PATH_RECORD, 64 },
		{ MAD_ATTR_MC_MEMBER_RECORD, 56 },
		{ MAD_ATTR_SERVICE_RECORD, 176 },
		{ MAD_ATTR_INFORM_INFO_RECORD, 64 },
		{ MAD_ATTR_SL2VL_RECORD, 16 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(sa_record_pitch(sa_record(rows[i].attr)),
		                 rows[i].pitch);
	assert_null(sa_record(0x77));
}

static void test_selectors(void **state)
{
	(void)state;
	assert_true(sa_selector_fits(SA_GREATER, 3, 4));
	assert_false(sa_selector_fits(SA_GREATER, 4, 4));
	assert_true(sa_selector_fits(SA_LESS, 4, 3));
	assert_true(sa_selector_fits(SA_EXACTLY, 4, 4));
	assert_false(sa_selector_fits(SA_EXACTLY, 4, 5));
	assert_true(sa_selector_fits(SA_BEST, 5, 1));
	assert_false(sa_selector_fits(4, 1, 1));
	assert_int_equal(sa_rate_speed(2), 25);
	assert_int_equal(sa_rate_speed(16), 1000);
	assert_int_equal(sa_rate_speed(24), 12000);
	assert_int_equal(sa_rate_speed(25), 0);
	assert_int_equal(sa_rate_speed(0), 0);
}

static void test_inform(void **state)
{
	struct sa_inform_info any = { .generic = 1,
		                      .type = 0xffff,
		                      .trap = 0xffff,
		                      .producer = 0xffffff,
		                      .lid_begin = 0xffff };
	struct notice n = { .generic = 1,
		            .trap = 64,
		            .producer = 4,
		            .type = 4,
		            .issuer_lid = 9,
		            .issuer_gid = { 0xfe, [15] = 1 } };
	struct sa_inform_info s = any;

	(void)state;
	assert_true(sa_inform_fits(&any, &n));
	s.trap = 65;
	assert_false(sa_inform_fits(&s, &n));
	s = any;
	s.type = 3;
	assert_false(sa_inform_fits(&s, &n));
	s = any;
	s.producer = 2;
	assert_false(sa_inform_fits(&s, &n));
	s = any;
	s.generic = 0;
	assert_false(sa_inform_fits(&s, &n));
	s = any;
	s.lid_begin = 8;
	s.lid_end = 10;
	assert_true(sa_inform_fits(&s, &n));
	s.lid_begin = 10;
	s.lid_end = 0;
	assert_false(sa_inform_fits(&s, &n));
	s.gid[0] = 0xfe;
	assert_false(sa_inform_fits(&s, &n));
	s.gid[15] = 1;
	assert_true(sa_inform_fits(&s, &n));
}

static void test_words(void **state)
{
	static const struct {
		uint8_t mgmt_class;
		uint16_t status;
		const char *words;
	} rows[] = {
		{ MAD_CLASS_SUBN_LID, 0, "ok (0x0000)" },
		{ MAD_CLASS_SUBN_LID, 1, "busy (0x0001)" },
		{ MAD_CLASS_SUBN_LID, 0x0c,
		  "attribute not supported (0x000c)" },
		{ MAD_CLASS_SUBN_LID, 0x1c, "invalid value (0x001c)" },
		{ MAD_CLASS_SA, 0x0300, "no records (0x0300)" },
		{ MAD_CLASS_SA, 0x7f00, "class-specific error (0x7f00)" },
		{ MAD_CLASS_PERF, 0x0300, "class-specific error (0x0300)" },
		{ MAD_CLASS_PERF, 0x0020, "? (0x0020)" },
	};
	char words[MAD_WORDS], text[4096];
	struct mad m;
	size_t n;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(mad_status_words(rows[i].mgmt_class,
		                                     rows[i].status, words),
		                    rows[i].words);
	assert_string_equal(mad_method_name(MAD_CLASS_SA, 0x92),
	                    "GetTableResp");
	assert_string_equal(mad_method_name(MAD_CLASS_PERF, 0x92), "?");
	assert_string_equal(mad_attr_name(MAD_CLASS_SA, 0x12),
	                    "PortInfoRecord");
	assert_string_equal(mad_attr_name(MAD_CLASS_PERF, 0x12),
	                    "PortCounters");
	assert_string_equal(mad_attr_name(MAD_CLASS_SUBN_DIRECTED, 0x12),
	                    "SwitchInfo");
	mad_init(&m, MAD_CLASS_SUBN_DIRECTED, MAD_GET, MAD_ATTR_NODE_INFO, 0);
	n = mad_print(&m, text, sizeof(text));
	assert_int_equal(n, strlen(text));
	assert_non_null(strstr(text, "method 0x01 Get\n"));
	assert_non_null(strstr(text, "n_ports 0\n"));
	assert_true(mad_print(&m, text, 10) > 10);
	assert_int_equal(strlen(text), 9);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_make_response),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_node_info),
		cmocka_unit_test(test_port_info),
		cmocka_unit_test(test_switch_info),
		cmocka_unit_test(test_small_tables),
		cmocka_unit_test(test_traps),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_path_record),
		cmocka_unit_test(test_pitch),
		cmocka_unit_test(test_selectors),
		cmocka_unit_test(test_inform),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
