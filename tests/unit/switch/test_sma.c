/* SPDX-License-Identifier: BSD-2-Clause */
#include "net_rig.h"

#include "base/clock.h"
#include "core/reactor.h"

#include <string.h>

#define NET "clos:hosts=8,ports=2,radix=8"
#define VLID 1000u

static struct smp_port_info port_info(struct rig *r, struct ibnet_port *p)
{
	struct smp_port_info i;

	assert_int_equal(
		rig_get(r, p, MAD_ATTR_PORT_INFO, 0, &smp_port_info_table, &i),
		0);
	i.port_state = SMP_PORT_NOP;
	i.phys_state = SMP_PHYS_NOP;
	return i;
}

static unsigned set_port(struct rig *r, struct ibnet_port *p,
                         struct smp_port_info i)
{
	return rig_set(r, p, MAD_ATTR_PORT_INFO, 0, &smp_port_info_table, &i);
}

/* shows L2 */
static void switch_and_host_say_what_they_are(void **state)
{
	struct smp_node_description d;
	struct smp_node_info i;
	struct rig r;

	(void)state;
	rig_init(&r, NET, NULL);
	assert_int_equal(rig_get(&r, rig_port(&r, "L0000"), MAD_ATTR_NODE_INFO,
	                         0, &smp_node_info_table, &i),
	                 0);
	assert_int_equal(i.node_type, SMP_NODE_SWITCH);
	assert_int_equal(i.n_ports, 8);
	assert_int_equal(i.local_port, 0);
	assert_int_equal(i.port_guid, i.node_guid);
	assert_int_equal(rig_get(&r, rig_port(&r, "H00001:2"),
	                         MAD_ATTR_NODE_INFO, 0, &smp_node_info_table,
	                         &i),
	                 0);
	assert_int_equal(i.node_type, SMP_NODE_CA);
	assert_int_equal(i.n_ports, 2);
	assert_int_equal(i.local_port, 2);
	assert_int_equal(i.port_guid, i.node_guid + 2);
	assert_int_equal(rig_get(&r, rig_port(&r, "H00001"),
	                         MAD_ATTR_NODE_DESCRIPTION, 0,
	                         &smp_node_description_table, &d),
	                 0);
	assert_string_equal(d.text, "H00001");
	rig_fini(&r);
}

static void what_cannot_be_gets_its_status(void **state)
{
	static const struct {
		uint8_t method;
		uint16_t attr;
		uint32_t mod;
		unsigned status;
		const char *at;
	} rows[] = {
		{ MAD_GET, 0x0030, 0, MAD_STATUS_BAD_ATTRIBUTE, "L0000" },
		{ MAD_GET, 0xff17, 0, MAD_STATUS_BAD_ATTRIBUTE, "H00000" },
		{ MAD_SET, MAD_ATTR_NODE_INFO, 0, MAD_STATUS_BAD_ATTRIBUTE,
		  "L0000" },
		{ MAD_GET, MAD_ATTR_SWITCH_INFO, 0, MAD_STATUS_BAD_ATTRIBUTE,
		  "H00000" },
		{ MAD_GET, MAD_ATTR_LFT, 0, MAD_STATUS_BAD_ATTRIBUTE,
		  "H00000" },
		{ MAD_SET, MAD_ATTR_GUID_INFO, 0, MAD_STATUS_BAD_ATTRIBUTE,
		  "L0000" },
		{ MAD_GET, MAD_ATTR_LAG_HOST, 0, MAD_STATUS_BAD_ATTRIBUTE,
		  "L0000" },
		{ MAD_GET, MAD_ATTR_LAG_SWITCH, 0, MAD_STATUS_BAD_ATTRIBUTE,
		  "H00000" },
		{ MAD_SEND, MAD_ATTR_NODE_INFO, 0, MAD_STATUS_BAD_METHOD,
		  "L0000" },
		{ MAD_GET, MAD_ATTR_PORT_INFO, 9, MAD_STATUS_BAD_VALUE,
		  "L0000" },
		{ MAD_GET, MAD_ATTR_PORT_INFO, 0x100, MAD_STATUS_BAD_VALUE,
		  "L0000" },
		{ MAD_GET, MAD_ATTR_PORT_INFO, 3, MAD_STATUS_BAD_VALUE,
		  "H00000" },
		{ MAD_GET, MAD_ATTR_LFT, 768, MAD_STATUS_BAD_VALUE, "L0000" },
		{ MAD_SET, MAD_ATTR_LFT, UINT32_MAX, MAD_STATUS_BAD_VALUE,
		  "L0000" },
		{ MAD_GET, MAD_ATTR_MFT, 32, MAD_STATUS_BAD_VALUE, "L0000" },
		{ MAD_SET, MAD_ATTR_MFT, 1u << 28, MAD_STATUS_BAD_VALUE,
		  "L0000" },
		{ MAD_SET, MAD_ATTR_MFT, 1u << 20, MAD_STATUS_BAD_VALUE,
		  "L0000" },
		{ MAD_GET, MAD_ATTR_PKEY_TABLE, 2, MAD_STATUS_BAD_VALUE,
		  "H00000" },
		{ MAD_SET, MAD_ATTR_PKEY_TABLE, 1u << 16 | 1,
		  MAD_STATUS_BAD_VALUE, "L0000" },
		{ MAD_SET, MAD_ATTR_PKEY_TABLE, 9u << 16, MAD_STATUS_BAD_VALUE,
		  "L0000" },
		{ MAD_SET, MAD_ATTR_SL2VL, 9, MAD_STATUS_BAD_VALUE, "L0000" },
		{ MAD_SET, MAD_ATTR_SL2VL, 9u << 8, MAD_STATUS_BAD_VALUE,
		  "L0000" },
		{ MAD_GET, MAD_ATTR_VLARB, 0, MAD_STATUS_BAD_VALUE, "L0000" },
		{ MAD_SET, MAD_ATTR_VLARB, 5u << 16, MAD_STATUS_BAD_VALUE,
		  "H00000" },
		{ MAD_GET, MAD_ATTR_GUID_INFO, 4, MAD_STATUS_BAD_VALUE,
		  "H00000" },
		{ MAD_GET, MAD_ATTR_LAG_HOST, 1, MAD_STATUS_BAD_VALUE,
		  "H00000" },
		{ MAD_SET, MAD_ATTR_LAG_GROUPS, IBNET_LAG_GROUPS,
		  MAD_STATUS_BAD_VALUE, "L0000" },
		{ MAD_GET, MAD_ATTR_LAG_LIDS, 1536, MAD_STATUS_BAD_VALUE,
		  "L0000" },
	};
	struct rig r;

	(void)state;
	rig_init(&r, NET, NULL);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mad m;

		mad_init(&m, MAD_CLASS_SUBN_DIRECTED, MAD_GET, rows[i].attr,
		         rows[i].mod);
		m.header.method = rows[i].method;
		assert_int_equal(rig_smp(&r, rig_port(&r, rows[i].at), &m),
		                 rows[i].status);
	}
	rig_fini(&r);
}

static void another_version_is_refused(void **state)
{
	struct mad m;
	struct rig r;

	(void)state;
	rig_init(&r, NET, NULL);
	mad_init(&m, MAD_CLASS_SUBN_DIRECTED, MAD_GET, MAD_ATTR_NODE_INFO, 0);
	m.header.class_version = 9;
	assert_int_equal(rig_smp(&r, rig_port(&r, "L0000"), &m),
	                 MAD_STATUS_BAD_VERSION);
	rig_fini(&r);
}

/* -- port states ---------------------------------------------------------- */

static void states_follow_each_other(void **state)
{
	static const struct {
		uint8_t from, set;
		unsigned status;
		uint8_t to;
	} rows[] = {
		{ SMP_PORT_INIT, SMP_PORT_ACTIVE, MAD_STATUS_BAD_VALUE,
		  SMP_PORT_INIT },
		{ SMP_PORT_INIT, SMP_PORT_INIT, MAD_STATUS_BAD_VALUE,
		  SMP_PORT_INIT },
		{ SMP_PORT_INIT, SMP_PORT_ARMED, 0, SMP_PORT_ARMED },
		{ SMP_PORT_ARMED, SMP_PORT_NOP, 0, SMP_PORT_ARMED },
		{ SMP_PORT_ARMED, SMP_PORT_ACTIVE, 0, SMP_PORT_ACTIVE },
		{ SMP_PORT_ACTIVE, SMP_PORT_ARMED, MAD_STATUS_BAD_VALUE,
		  SMP_PORT_ACTIVE },
		{ SMP_PORT_ACTIVE, SMP_PORT_ACTIVE, 0, SMP_PORT_ACTIVE },
		{ SMP_PORT_ACTIVE, SMP_PORT_DOWN, 0, SMP_PORT_INIT },
	};
	struct rig r;

	(void)state;
	rig_init(&r, NET, NULL);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ibnet_port *p = rig_port(&r, "H00000");
		struct smp_port_info in = port_info(&r, p);

		in.lid = 5;
		assert_int_equal(rig_state(p), rows[i].from);
		in.port_state = rows[i].set;
		assert_int_equal(set_port(&r, p, in), rows[i].status);
		assert_int_equal(rig_state(p), rows[i].to);
		assert_int_equal(rig_state(rig_port(&r, "L0000[1]")),
		                 SMP_PORT_INIT);
	}
	rig_fini(&r);
}

static void a_disabled_port_keeps_its_link_down(void **state)
{
	struct ibnet_port *host, *far;
	struct smp_port_info i;
	struct rig r;

	(void)state;
	rig_init(&r, NET, NULL);
	rig_bring_up(&r);
	host = rig_port(&r, "H00000");
	far = rig_port(&r, "L0000[1]");
	i = port_info(&r, host);
	i.phys_state = SMP_PHYS_DISABLED;
	assert_int_equal(set_port(&r, host, i), 0);
	assert_int_equal(rig_state(host), SMP_PORT_DOWN);
	assert_int_equal(rig_state(far), SMP_PORT_DOWN);
	ibnet_cut(host);
	ibnet_restore(host);
	assert_int_equal(rig_state(far), SMP_PORT_DOWN);
	i.phys_state = SMP_PHYS_POLLING;
	assert_int_equal(set_port(&r, host, i), 0);
	assert_int_equal(rig_state(host), SMP_PORT_INIT);
	assert_int_equal(rig_state(far), SMP_PORT_INIT);
	assert_int_not_equal(rig_lid(host), 0); /* N4 */
	rig_fini(&r);
}

static void a_bad_address_changes_nothing(void **state)
{
	static const struct {
		uint16_t lid, sm_lid;
		uint8_t lmc, mtu, width;
	} rows[] = {
		{ 0, 1, 0, 4, 0 },      { 0xc000, 1, 0, 4, 0 },
		{ 0xffff, 1, 0, 4, 0 }, { 5, 1, 1, 4, 0 },
		{ 4, 0xc000, 2, 4, 0 }, { 4, 1, 0, 5, 0 },
		{ 4, 1, 0, 4, 0x40 },
	};
	struct rig r;

	(void)state;
	rig_init(&r, NET, NULL);
	for (unsigned k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
		struct ibnet_port *p = rig_port(&r, "H00000");
		struct smp_port_info i = port_info(&r, p);

		i.lid = rows[k].lid;
		i.sm_lid = rows[k].sm_lid;
		i.lmc = rows[k].lmc;
		i.neighbor_mtu = rows[k].mtu;
		i.link_width_enabled = rows[k].width;
		i.m_key = 7;
		assert_int_equal(set_port(&r, p, i), MAD_STATUS_BAD_VALUE);
		i = port_info(&r, p);
		assert_int_equal(i.lid, 0);
		assert_int_equal(i.m_key, 0);
	}
	rig_fini(&r);
}

static void power_off_forgets_all(void **state)
{
	struct smp_lft t;
	struct rig r;

	(void)state;
	rig_init(&r, NET, NULL);
	rig_bring_up(&r);
	ibnet_set_power(rig_node(&r, "L0000"), false);
	assert_int_equal(rig_state(rig_port(&r, "H00000")), SMP_PORT_DOWN);
	assert_int_not_equal(rig_lid(rig_port(&r, "H00000")), 0);
	ibnet_set_power(rig_node(&r, "L0000"), true);
	assert_int_equal(rig_state(rig_port(&r, "H00000")), SMP_PORT_INIT);
	assert_int_equal(rig_lid(rig_port(&r, "L0000")), 0);
	rig_get(&r, rig_port(&r, "L0000"), MAD_ATTR_LFT, 0, &smp_lft_table, &t);
	for (unsigned i = 0; i < SMP_LFT_BLOCK; i++)
		assert_int_equal(t.port[i], SMP_LFT_NO_PORT);
	rig_fini(&r);
}

/* -- tables --------------------------------------------------------------- */

static void tables_keep_what_they_are_told(void **state)
{
	struct smp_pkey_table keys = { .pkey = { 0xffff, 0x8001 } }, keys2;
	struct smp_sl2vl sl = { .vl = { 1, 2, 3, 9 } }, sl2;
	struct smp_vlarb arb = { .vl = { 3 }, .weight = { 200 } }, arb2;
	struct smp_guid_info g = { .guid = { 1, 2, 3 } };
	struct smp_mft mft = { .mask = { 0x10, 0x20 } }, mft2;
	struct ibnet_port *sw, *host;
	struct rig r;

	(void)state;
	rig_init(&r, NET, NULL);
	sw = rig_port(&r, "L0001");
	host = rig_port(&r, "H00003");
	rig_get(&r, host, MAD_ATTR_PKEY_TABLE, 0, &smp_pkey_table_table,
	        &keys2);
	assert_int_equal(keys2.pkey[0], 0xffff);
	assert_int_equal(rig_set(&r, sw, MAD_ATTR_PKEY_TABLE, 3u << 16,
	                         &smp_pkey_table_table, &keys),
	                 0);
	rig_get(&r, sw, MAD_ATTR_PKEY_TABLE, 3u << 16, &smp_pkey_table_table,
	        &keys2);
	assert_memory_equal(&keys, &keys2, sizeof(keys));
	rig_get(&r, sw, MAD_ATTR_PKEY_TABLE, 4u << 16, &smp_pkey_table_table,
	        &keys2);
	assert_int_equal(keys2.pkey[1], 0);

	assert_int_equal(rig_set(&r, sw, MAD_ATTR_SL2VL, 2u << 8 | 3,
	                         &smp_sl2vl_table, &sl),
	                 0);
	rig_get(&r, sw, MAD_ATTR_SL2VL, 2u << 8 | 3, &smp_sl2vl_table, &sl2);
	assert_int_equal(sl2.vl[2], 3);
	assert_int_equal(sl2.vl[3], 15); /* a VL that it does not have */
	rig_get(&r, sw, MAD_ATTR_SL2VL, 3u << 8 | 3, &smp_sl2vl_table, &sl2);
	assert_int_equal(sl2.vl[2], 2);

	assert_int_equal(rig_set(&r, host, MAD_ATTR_VLARB, 3u << 16,
	                         &smp_vlarb_table, &arb),
	                 0);
	rig_get(&r, host, MAD_ATTR_VLARB, 3u << 16, &smp_vlarb_table, &arb2);
	assert_memory_equal(&arb, &arb2, sizeof(arb));

	assert_int_equal(rig_set(&r, host, MAD_ATTR_GUID_INFO, 0,
	                         &smp_guid_info_table, &g),
	                 0);
	assert_int_not_equal(g.guid[0], 1); /* it cannot be changed */
	assert_int_equal(g.guid[2], 3);

	assert_int_equal(rig_set(&r, sw, MAD_ATTR_MFT, 5, &smp_mft_table, &mft),
	                 0);
	rig_get(&r, sw, MAD_ATTR_MFT, 5, &smp_mft_table, &mft2);
	assert_memory_equal(&mft, &mft2, sizeof(mft));
	rig_get(&r, sw, MAD_ATTR_MFT, 4, &smp_mft_table, &mft2);
	assert_int_equal(mft2.mask[0], 0);
	rig_fini(&r);
}

static void a_lying_switch_confirms_and_keeps(void **state)
{
	struct smp_lft t = { .port = { 255, 3 } };
	struct rig r;

	(void)state;
	rig_init(&r, NET, NULL);
	ibnet_set_faults(rig_node(&r, "L0000"), IBNET_FAULT_LFT_LIES);
	assert_int_equal(rig_set(&r, rig_port(&r, "L0000"), MAD_ATTR_LFT, 0,
	                         &smp_lft_table, &t),
	                 0);
	assert_int_equal(t.port[1], 3);
	rig_get(&r, rig_port(&r, "L0000"), MAD_ATTR_LFT, 0, &smp_lft_table, &t);
	assert_int_equal(t.port[1], SMP_LFT_NO_PORT);
	ibnet_set_faults(rig_node(&r, "L0000"), IBNET_FAULT_DEAF);
	assert_int_equal(rig_get(&r, rig_port(&r, "L0000"), MAD_ATTR_LFT, 0,
	                         &smp_lft_table, &t),
	                 RIG_SILENCE);
	rig_fini(&r);
}

/* -- M_Key ---------------------------------------------------------------- */

#define KEY UINT64_C(0x1122334455667788)

/* shows L18 */
static void a_wrong_key_changes_nothing(void **state)
{
	static const struct {
		uint8_t protect;
		bool get_answered, key_shown;
	} rows[] = {
		{ 0, true, true },
		{ 1, true, false },
		{ 2, false, false },
		{ 3, false, false },
	};

	(void)state;
	for (unsigned k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
		struct ibnet_port *p;
		struct smp_port_info i;
		struct ibnet_stats s;
		struct lag_host h = { .magic = LAG_MAGIC };
		struct rig r;
		unsigned status;

		rig_init(&r, NET, NULL);
		rig_bring_up(&r);
		p = rig_port(&r, "H00000");
		i = port_info(&r, p);
		i.m_key = KEY;
		i.m_key_protect = rows[k].protect;
		assert_int_equal(set_port(&r, p, i), 0);

		r.m_key = KEY + 1;
		i.lid = 99;
		assert_int_equal(set_port(&r, p, i), RIG_SILENCE);
		assert_int_equal(rig_set(&r, p, MAD_ATTR_LAG_HOST, 0,
		                         &lag_host_table, &h),
		                 RIG_SILENCE);
		status = rig_get(&r, p, MAD_ATTR_PORT_INFO, 0,
		                 &smp_port_info_table, &i);
		assert_int_equal(status == 0, rows[k].get_answered);
		if (!status)
			assert_int_equal(i.m_key == KEY, rows[k].key_shown);

		r.m_key = KEY;
		i = port_info(&r, p);
		assert_int_not_equal(i.lid, 99);
		assert_int_equal(i.m_key, KEY);
		assert_int_equal(i.m_key_violations,
		                 rows[k].get_answered ? 2 : 3);
		ibnet_get_stats(r.net, &s);
		assert_int_equal(s.mads_bad_m_key, i.m_key_violations);
		/* The host's other port has its own. */
		r.m_key = 0;
		assert_int_equal(port_info(&r, rig_port(&r, "H00000:2")).m_key,
		                 0);
		rig_fini(&r);
	}
}

struct test_clock {
	struct clock clock;
	uint64_t now;
};

static uint64_t now_ns(const struct clock *c)
{
	return ((const struct test_clock *)c)->now;
}

static void a_lease_ends_protection(void **state)
{
	struct test_clock clock = { { now_ns }, 1000 };
	struct reactor_opts ro = { .name = "t", .clock = &clock.clock };
	struct reactor *reactor;
	struct smp_port_info i;
	struct ibnet_port *p;
	struct err e = { 0 };
	struct rig r;

	(void)state;
	assert_int_equal(reactor_create(&ro, &reactor, &e), 0);
	rig_init(&r, NET, reactor);
	rig_bring_up(&r);
	p = rig_port(&r, "L0000");
	i = port_info(&r, p);
	i.m_key = KEY;
	i.m_key_protect = 2;
	i.m_key_lease = 10;
	assert_int_equal(set_port(&r, p, i), 0);
	assert_int_equal(
		rig_get(&r, p, MAD_ATTR_PORT_INFO, 0, &smp_port_info_table, &i),
		RIG_SILENCE);
	clock.now += 9 * NS_PER_S;
	reactor_poll(reactor);
	assert_int_equal(
		rig_get(&r, p, MAD_ATTR_PORT_INFO, 0, &smp_port_info_table, &i),
		RIG_SILENCE);
	/* The holder of the key is alive: the lease is as good as new. */
	r.m_key = KEY;
	port_info(&r, p);
	r.m_key = 0;
	clock.now += 9 * NS_PER_S;
	reactor_poll(reactor);
	assert_int_equal(
		rig_get(&r, p, MAD_ATTR_PORT_INFO, 0, &smp_port_info_table, &i),
		RIG_SILENCE);
	clock.now += 10 * NS_PER_S;
	reactor_poll(reactor);
	assert_int_equal(
		rig_get(&r, p, MAD_ATTR_PORT_INFO, 0, &smp_port_info_table, &i),
		0);
	assert_int_equal(i.m_key_protect, 0);
	rig_fini(&r);
	reactor_destroy(reactor);
}

/* -- aggregation ---------------------------------------------------------- */

struct lag_row {
	const char *what;
	enum lag_result result;
	unsigned faults;
	uint32_t magic;
	uint32_t generation;
	uint16_t vlid;
	uint8_t mode;
	uint8_t n;
	uint8_t port[3];
	bool wrong_lid;
};

static unsigned set_lag(struct rig *r, const struct lag_row *row)
{
	struct ibnet_port *p = rig_port(r, "H00000");
	struct lag_host h = {
		.magic = row->magic,
		.version = LAG_VERSION,
		.mode = row->mode,
		.generation = row->generation,
		.virtual_lid = row->vlid == 1 ? rig_lid(p) : row->vlid,
		.n_members = row->n,
	};
	unsigned status;

	for (unsigned i = 0; i < row->n && i < 3; i++) {
		struct ibnet_port *m =
			ibnet_port(rig_node(r, "H00000"), row->port[i]);

		h.port[i] = row->port[i];
		h.lid[i] = m ? rig_lid(m) : 77;
		if (row->wrong_lid)
			h.lid[i]++;
	}
	status = rig_set(r, p, MAD_ATTR_LAG_HOST, 0, &lag_host_table, &h);
	assert_int_equal(status,
	                 h.result == LAG_ACCEPTED ? 0 : MAD_STATUS_BAD_VALUE);
	return h.result;
}

/* shows L9, L5: each reason once, and the mapping in force stays */
static void a_host_says_why_it_refuses(void **state)
{
#define AA LAG_ACTIVE_ACTIVE
#define M LAG_MAGIC
	static const struct lag_row rows[] = {
		{ "magic",
		  LAG_REFUSED_FORMAT,
		  0,
		  7,
		  9,
		  900,
		  AA,
		  2,
		  { 1, 2 },
		  0 },
		{ "policy",
		  LAG_REFUSED_POLICY,
		  IBNET_FAULT_LAG_POLICY,
		  M,
		  9,
		  900,
		  AA,
		  2,
		  { 1, 2 },
		  0 },
		{ "older",
		  LAG_REFUSED_STALE,
		  0,
		  M,
		  4,
		  900,
		  AA,
		  2,
		  { 1, 2 },
		  0 },
		{ "same, but another",
		  LAG_REFUSED_STALE,
		  0,
		  M,
		  5,
		  900,
		  AA,
		  1,
		  { 1 },
		  0 },
		{ "mode", LAG_REFUSED_MODE, 0, M, 9, 900, 7, 2, { 1, 2 }, 0 },
		{ "none", LAG_REFUSED_COUNT, 0, M, 9, 900, AA, 0, { 0 }, 0 },
		{ "three of two",
		  LAG_REFUSED_COUNT,
		  0,
		  M,
		  9,
		  900,
		  AA,
		  3,
		  { 1, 2, 3 },
		  0 },
		{ "LID 0", LAG_REFUSED_LID, 0, M, 9, 0, AA, 2, { 1, 2 }, 0 },
		{ "multicast",
		  LAG_REFUSED_LID,
		  0,
		  M,
		  9,
		  0xc000,
		  AA,
		  2,
		  { 1, 2 },
		  0 },
		{ "its own", LAG_REFUSED_LID, 0, M, 9, 1, AA, 2, { 1, 2 }, 0 },
		{ "twice",
		  LAG_REFUSED_MEMBER,
		  0,
		  M,
		  9,
		  900,
		  AA,
		  2,
		  { 1, 1 },
		  0 },
		{ "no port",
		  LAG_REFUSED_MEMBER,
		  0,
		  M,
		  9,
		  900,
		  AA,
		  2,
		  { 1, 9 },
		  0 },
		{ "LIDs",
		  LAG_REFUSED_MEMBER,
		  0,
		  M,
		  9,
		  900,
		  AA,
		  2,
		  { 1, 2 },
		  1 },
		{ "not itself",
		  LAG_REFUSED_MEMBER,
		  0,
		  M,
		  9,
		  900,
		  AA,
		  1,
		  { 2 },
		  0 },
		{ "the same again",
		  LAG_ACCEPTED,
		  0,
		  M,
		  5,
		  900,
		  AA,
		  2,
		  { 1, 2 },
		  0 },
		{ "backup",
		  LAG_ACCEPTED,
		  0,
		  M,
		  6,
		  900,
		  LAG_ACTIVE_BACKUP,
		  2,
		  { 1, 2 },
		  0 },
	};
	struct lag_host h;
	struct rig r;

	(void)state;
	rig_init(&r, NET, NULL);
	rig_bring_up(&r);
	assert_int_equal(
		rig_lag_host(&r, rig_port(&r, "H00000"), 900, 2, 5, AA),
		LAG_ACCEPTED);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ibnet_set_faults(rig_node(&r, "H00000"), rows[i].faults);
		assert_int_equal(set_lag(&r, &rows[i]), rows[i].result);
		ibnet_set_faults(rig_node(&r, "H00000"), 0);
		if (rows[i].result == LAG_ACCEPTED)
			continue;
		assert_int_equal(rig_get(&r, rig_port(&r, "H00000:2"),
		                         MAD_ATTR_LAG_HOST, 0, &lag_host_table,
		                         &h),
		                 0);
		assert_int_equal(h.generation, 5);
		assert_int_equal(h.virtual_lid, 900);
		assert_int_equal(h.mode, AA);
		assert_int_equal(h.n_members, 2);
		assert_int_equal(h.self, 1);
	}
	rig_fini(&r);
}

/* shows L9, L10 */
static void a_host_tells_capability_and_member_states(void **state)
{
	struct ibnet_port *p;
	struct lag_host h;
	struct rig r;

	(void)state;
	rig_init(&r, NET, NULL);
	rig_bring_up(&r);
	p = rig_port(&r, "H00000");
	rig_get(&r, p, MAD_ATTR_LAG_HOST, 0, &lag_host_table, &h);
	assert_int_equal(h.magic, LAG_MAGIC);
	assert_int_equal(h.mode, LAG_OFF);
	assert_int_equal(h.members_max, 2);
	assert_int_equal(h.n_members, 2);
	assert_int_equal(h.lid[1], rig_lid(rig_port(&r, "H00000:2")));
	assert_int_equal(h.state[0], LAG_MEMBER_STANDBY);
	rig_lag_host(&r, p, VLID, 2, 1, LAG_ACTIVE_BACKUP);
	ibnet_cut(p);
	rig_get(&r, p, MAD_ATTR_LAG_HOST, 0, &lag_host_table, &h);
	assert_int_equal(h.result, LAG_ACCEPTED);
	assert_int_equal(h.state[0], LAG_MEMBER_DOWN);
	assert_int_equal(h.state[1], LAG_MEMBER_CARRYING);
	/* Switched off again; an older one cannot bring it back. */
	assert_int_equal(rig_lag_host(&r, p, 0, 0, 2, LAG_OFF), LAG_ACCEPTED);
	rig_get(&r, p, MAD_ATTR_LAG_HOST, 0, &lag_host_table, &h);
	assert_int_equal(h.mode, LAG_OFF);
	assert_int_equal(rig_lag_host(&r, p, VLID, 2, 1, LAG_ACTIVE_ACTIVE),
	                 LAG_REFUSED_STALE);
	rig_fini(&r);
}

static void stock_nodes_know_nothing_of_it(void **state)
{
	struct lag_switch s;
	struct lag_host h;
	struct rig r;

	(void)state;
	rig_init(&r, NET, NULL);
	ibnet_set_faults(rig_node(&r, "H00000"), IBNET_FAULT_NO_LAG);
	ibnet_set_faults(rig_node(&r, "L0000"), IBNET_FAULT_NO_LAG);
	assert_int_equal(rig_get(&r, rig_port(&r, "H00000"), MAD_ATTR_LAG_HOST,
	                         0, &lag_host_table, &h),
	                 MAD_STATUS_BAD_ATTRIBUTE);
	assert_int_equal(rig_get(&r, rig_port(&r, "L0000"), MAD_ATTR_LAG_SWITCH,
	                         0, &lag_switch_table, &s),
	                 MAD_STATUS_BAD_ATTRIBUTE);
	rig_fini(&r);
}

static void a_switch_keeps_groups(void **state)
{
	struct lag_switch s = { .magic = LAG_MAGIC,
		                .version = LAG_VERSION,
		                .seed = 42,
		                .generation = 3 };
	struct lag_groups g = { .mask = { { 0x06 }, { 0, 0x01 } } }, g2;
	struct lag_lids l, l2;
	struct ibnet_port *p;
	struct rig r;

	(void)state;
	rig_init(&r, NET, NULL);
	p = rig_port(&r, "L0000");
	assert_int_equal(
		rig_set(&r, p, MAD_ATTR_LAG_SWITCH, 0, &lag_switch_table, &s),
		0);
	assert_int_equal(s.result, LAG_ACCEPTED);
	assert_int_equal(s.groups_cap, IBNET_LAG_GROUPS);
	assert_int_equal(
		rig_set(&r, p, MAD_ATTR_LAG_GROUPS, 5, &lag_groups_table, &g),
		0);
	rig_get(&r, p, MAD_ATTR_LAG_GROUPS, 5, &lag_groups_table, &g2);
	assert_memory_equal(&g, &g2, sizeof(g));
	g.mask[0][1] = 0x02; /* port 9 of 8 */
	assert_int_equal(
		rig_set(&r, p, MAD_ATTR_LAG_GROUPS, 5, &lag_groups_table, &g),
		MAD_STATUS_BAD_VALUE);
	g.mask[0][1] = 0;
	g.mask[0][0] = 0x01; /* port 0 */
	assert_int_equal(
		rig_set(&r, p, MAD_ATTR_LAG_GROUPS, 5, &lag_groups_table, &g),
		MAD_STATUS_BAD_VALUE);
	rig_get(&r, p, MAD_ATTR_LAG_GROUPS, 5, &lag_groups_table, &g);
	assert_memory_equal(&g, &g2, sizeof(g));
	rig_get(&r, p, MAD_ATTR_LAG_LIDS, 7, &lag_lids_table, &l);
	assert_int_equal(l.group[3], LAG_NO_GROUP);
	l.group[3] = 10;
	assert_int_equal(
		rig_set(&r, p, MAD_ATTR_LAG_LIDS, 7, &lag_lids_table, &l), 0);
	l2 = l;
	l2.group[4] = IBNET_LAG_GROUPS;
	assert_int_equal(
		rig_set(&r, p, MAD_ATTR_LAG_LIDS, 7, &lag_lids_table, &l2),
		MAD_STATUS_BAD_VALUE);
	rig_get(&r, p, MAD_ATTR_LAG_LIDS, 7, &lag_lids_table, &l2);
	assert_memory_equal(&l, &l2, sizeof(l));
	rig_get(&r, p, MAD_ATTR_LAG_SWITCH, 0, &lag_switch_table, &s);
	assert_int_equal(s.seed, 42);
	assert_int_equal(s.groups_used, 2);
	s.magic = 0;
	assert_int_equal(
		rig_set(&r, p, MAD_ATTR_LAG_SWITCH, 0, &lag_switch_table, &s),
		MAD_STATUS_BAD_VALUE);
	assert_int_equal(s.result, LAG_REFUSED_FORMAT);
	rig_fini(&r);
}

/* shows L18: nobody but a neighbour that the SM named is believed. */
static void a_switch_believes_its_neighbours_only(void **state)
{
	struct lag_switch s = { .magic = LAG_MAGIC, .version = LAG_VERSION };
	const struct lag_skip good = { .magic = LAG_MAGIC,
		                       .version = LAG_VERSION,
		                       .dead = 1,
		                       .n = 1,
		                       .lid = { 0x4001 } };
	const struct {
		struct lag_skip k;
		bool named; /* by the SM */
		unsigned status;
	} rows[] = {
		{ good, false, MAD_STATUS_BAD_VALUE },
		{ good, true, 0 },
		{ { LAG_MAGIC, 2, 1, 1, { 0x4001 } },
		  true,
		  MAD_STATUS_BAD_VALUE },
		{ { LAG_MAGIC, 1, 2, 1, { 0x4001 } },
		  true,
		  MAD_STATUS_BAD_VALUE },
		{ { LAG_MAGIC, 1, 1, LAG_SKIP_LIDS + 1, { 0x4001 } },
		  true,
		  MAD_STATUS_BAD_VALUE },
		{ { LAG_MAGIC, 1, 1, 2, { 0x4001, 0xc000 } },
		  true,
		  MAD_STATUS_BAD_VALUE },
	};
	struct ibnet_port *p;
	struct lag_skip k;
	struct rig r;

	rig_init(&r, NET, NULL);
	/* Where SMPs come in. */
	p = rig_port(&r, "L0000[1]");
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(s.ways, 0, sizeof(s.ways));
		s.ways[0] = rows[i].named ? 1u << 1 : 1u << 2;
		assert_int_equal(rig_set(&r, p, MAD_ATTR_LAG_SWITCH, 0,
		                         &lag_switch_table, &s),
		                 0);
		k = rows[i].k;
		assert_int_equal(rig_set(&r, p, MAD_ATTR_LAG_SKIP, 0,
		                         &lag_skip_table, &k),
		                 rows[i].status);
	}
	s.ways[0] = 1; /* port 0 is no way */
	assert_int_equal(
		rig_set(&r, p, MAD_ATTR_LAG_SWITCH, 0, &lag_switch_table, &s),
		MAD_STATUS_BAD_VALUE);
	assert_int_equal(
		rig_get(&r, p, MAD_ATTR_LAG_SKIP, 0, &lag_skip_table, &k),
		MAD_STATUS_BAD_ATTRIBUTE);
	(void)state;
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(switch_and_host_say_what_they_are),
		cmocka_unit_test(what_cannot_be_gets_its_status),
		cmocka_unit_test(another_version_is_refused),
		cmocka_unit_test(states_follow_each_other),
		cmocka_unit_test(a_disabled_port_keeps_its_link_down),
		cmocka_unit_test(a_bad_address_changes_nothing),
		cmocka_unit_test(power_off_forgets_all),
		cmocka_unit_test(tables_keep_what_they_are_told),
		cmocka_unit_test(a_lying_switch_confirms_and_keeps),
		cmocka_unit_test(a_wrong_key_changes_nothing),
		cmocka_unit_test(a_lease_ends_protection),
		cmocka_unit_test(a_host_says_why_it_refuses),
		cmocka_unit_test(a_host_tells_capability_and_member_states),
		cmocka_unit_test(stock_nodes_know_nothing_of_it),
		cmocka_unit_test(a_switch_keeps_groups),
		cmocka_unit_test(a_switch_believes_its_neighbours_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
