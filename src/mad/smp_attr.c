/* SPDX-License-Identifier: BSD-2-Clause */
/* Subnet management attributes: IBA 14.2.5. */
#include "mad/smp.h"

#include "mad/rows_priv.h"

#define T struct smp_node_info
static const struct field node_info[] = {
	DEC(base_version, 0, 8, 0),  DEC(class_version, 8, 8, 1),
	DEC(node_type, 16, 8, 2),    DEC(n_ports, 24, 8, 3),
	HEX(system_guid, 32, 64, 4), HEX(node_guid, 96, 64, 5),
	HEX(port_guid, 160, 64, 6),  DEC(partition_cap, 224, 16, 7),
	HEX(device_id, 240, 16, 8),  HEX(revision, 256, 32, 9),
	DEC(local_port, 288, 8, 10), HEX(vendor_id, 296, 24, 11),
};
const struct field_table smp_node_info_table = TABLE("NodeInfo", 40, node_info);
#undef T

#define T struct smp_node_description
static const struct field node_description[] = {
	TEXT(text, 0, 0),
};
const struct field_table smp_node_description_table =
	TABLE("NodeDescription", 64, node_description);
#undef T

#define T struct smp_switch_info
static const struct field switch_info[] = {
	DEC(linear_cap, 0, 16, 0),
	DEC(random_cap, 16, 16, 1),
	DEC(multicast_cap, 32, 16, 2),
	DEC(linear_top, 48, 16, 3),
	DEC(default_port, 64, 8, 4),
	DEC(default_multicast_primary, 72, 8, 5),
	DEC(default_multicast_other, 80, 8, 6),
	DEC(life_time, 88, 5, 7),
	DEC(port_state_change, 93, 1, 8),
	DEC(optimized_sl2vl, 94, 2, 9),
	DEC(lids_per_port, 96, 16, 10),
	DEC(partition_enforcement_cap, 112, 16, 11),
	DEC(inbound_enforcement, 128, 1, 12),
	DEC(outbound_enforcement, 129, 1, 13),
	DEC(filter_raw_inbound, 130, 1, 14),
	DEC(filter_raw_outbound, 131, 1, 15),
	DEC(enhanced_port0, 132, 1, 16),
	HEX(multicast_top, 144, 16, NONE),
};
const struct field_table smp_switch_info_table =
	TABLE("SwitchInfo", 20, switch_info);
#undef T

/* The components skip the reserved bits, as those of PortInfoRecord do. */
#define T struct smp_port_info
static const struct field port_info[] = {
	HEX(m_key, 0, 64, 0),
	HEX(subnet_prefix, 64, 64, 1),
	DEC(lid, 128, 16, 2),
	DEC(sm_lid, 144, 16, 3),
	HEX(capability_mask, 160, 32, 4),
	HEX(diag_code, 192, 16, 5),
	DEC(m_key_lease, 208, 16, 6),
	DEC(local_port, 224, 8, 7),
	DEC(link_width_enabled, 232, 8, 8),
	DEC(link_width_supported, 240, 8, 9),
	DEC(link_width_active, 248, 8, 10),
	DEC(link_speed_supported, 256, 4, 11),
	DEC(port_state, 260, 4, 12),
	DEC(phys_state, 264, 4, 13),
	DEC(down_default, 268, 4, 14),
	DEC(m_key_protect, 272, 2, 15),
	DEC(lmc, 277, 3, 17),
	DEC(link_speed_active, 280, 4, 18),
	DEC(link_speed_enabled, 284, 4, 19),
	DEC(neighbor_mtu, 288, 4, 20),
	DEC(sm_sl, 292, 4, 21),
	DEC(vl_cap, 296, 4, 22),
	DEC(init_type, 300, 4, 23),
	DEC(vl_high_limit, 304, 8, 24),
	DEC(vl_arb_high_cap, 312, 8, 25),
	DEC(vl_arb_low_cap, 320, 8, 26),
	DEC(init_type_reply, 328, 4, 27),
	DEC(mtu_cap, 332, 4, 28),
	DEC(vl_stall_count, 336, 3, 29),
	DEC(hoq_life, 339, 5, 30),
	DEC(operational_vls, 344, 4, 31),
	DEC(enforce_inbound, 348, 1, 32),
	DEC(enforce_outbound, 349, 1, 33),
	DEC(filter_raw_inbound, 350, 1, 34),
	DEC(filter_raw_outbound, 351, 1, 35),
	DEC(m_key_violations, 352, 16, 36),
	DEC(p_key_violations, 368, 16, 37),
	DEC(q_key_violations, 384, 16, 38),
	DEC(guid_cap, 400, 8, 39),
	DEC(client_reregister, 408, 1, 40),
	DEC(multicast_pkey_trap_suppression, 409, 2, NONE),
	DEC(subnet_timeout, 411, 5, 42),
	DEC(resp_time, 419, 5, 44),
	DEC(local_phy_errors, 424, 4, 45),
	DEC(overrun_errors, 428, 4, 46),
	DEC(max_credit_hint, 432, 16, 47),
	DEC(link_round_trip_latency, 456, 24, 49),
	HEX(capability_mask2, 480, 16, 50),
	DEC(link_speed_ext_active, 496, 4, 51),
	DEC(link_speed_ext_supported, 500, 4, 52),
	DEC(link_speed_ext_enabled, 507, 5, 54),
};
const struct field_table smp_port_info_table = TABLE("PortInfo", 64, port_info);
#undef T

#define T struct smp_guid_info
static const struct field guid_info[] = {
	HEXES(guid, 0, 64, 64, 0),
};
const struct field_table smp_guid_info_table = TABLE("GUIDInfo", 64, guid_info);
#undef T

#define T struct smp_pkey_table
static const struct field pkey_table[] = {
	HEXES(pkey, 0, 16, 16, NONE),
};
const struct field_table smp_pkey_table_table =
	TABLE("P_KeyTable", 64, pkey_table);
#undef T

#define T struct smp_sl2vl
static const struct field sl2vl[] = {
	DECS(vl, 0, 4, 4, NONE),
};
const struct field_table smp_sl2vl_table =
	TABLE("SLtoVLMappingTable", 8, sl2vl);
#undef T

#define T struct smp_vlarb
static const struct field vlarb[] = {
	DECS(vl, 4, 4, 16, NONE),
	DECS(weight, 8, 8, 16, NONE),
};
const struct field_table smp_vlarb_table =
	TABLE("VLArbitrationTable", 64, vlarb);
#undef T

#define T struct smp_lft
static const struct field lft[] = {
	DECS(port, 0, 8, 8, NONE),
};
const struct field_table smp_lft_table =
	TABLE("LinearForwardingTable", 64, lft);
#undef T

#define T struct smp_mft
static const struct field mft[] = {
	HEXES(mask, 0, 16, 16, NONE),
};
const struct field_table smp_mft_table =
	TABLE("MulticastForwardingTable", 64, mft);
#undef T

#define T struct smp_sm_info
static const struct field sm_info[] = {
	HEX(guid, 0, 64, 0),        HEX(sm_key, 64, 64, 1),
	DEC(act_count, 128, 32, 2), DEC(priority, 160, 4, 3),
	DEC(state, 164, 4, 4),
};
const struct field_table smp_sm_info_table = TABLE("SMInfo", 21, sm_info);
#undef T

#define T struct smp_led_info
static const struct field led_info[] = {
	DEC(on, 0, 1, NONE),
};
const struct field_table smp_led_info_table = TABLE("LedInfo", 4, led_info);
#undef T
