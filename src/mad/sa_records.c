/* SPDX-License-Identifier: BSD-2-Clause */
/* Subnet administration records: IBA 15.2.5. */
#include "mad/sa.h"

#include "mad/rows_priv.h"

#define T struct sa_node_record
static const struct field node_record[] = {
	DEC(lid, 0, 16, 0),
	NESTED(info, 32, &smp_node_info_table, 2),
	NESTED(description, 352, &smp_node_description_table, 14),
};
const struct field_table sa_node_record_table =
	TABLE("NodeRecord", 108, node_record);
#undef T

#define T struct sa_port_info_record
static const struct field port_info_record[] = {
	DEC(lid, 0, 16, 0),
	DEC(port, 16, 8, 1),
	HEX(options, 24, 8, 2),
	NESTED(info, 32, &smp_port_info_table, 3),
};
const struct field_table sa_port_info_record_table =
	TABLE("PortInfoRecord", 68, port_info_record);
#undef T

#define T struct sa_switch_info_record
static const struct field switch_info_record[] = {
	DEC(lid, 0, 16, 0),
	NESTED(info, 32, &smp_switch_info_table, 2),
};
const struct field_table sa_switch_info_record_table =
	TABLE("SwitchInfoRecord", 24, switch_info_record);
#undef T

#define T struct sa_lft_record
static const struct field lft_record[] = {
	DEC(lid, 0, 16, 0),
	DEC(block, 16, 16, 1),
	NESTED(lft, 64, &smp_lft_table, NONE),
};
const struct field_table sa_lft_record_table =
	TABLE("LinearForwardingTableRecord", 72, lft_record);
#undef T

#define T struct sa_mft_record
static const struct field mft_record[] = {
	DEC(lid, 0, 16, 0),
	DEC(position, 16, 4, 1),
	DEC(block, 23, 9, 3),
	NESTED(mft, 64, &smp_mft_table, NONE),
};
const struct field_table sa_mft_record_table =
	TABLE("MulticastForwardingTableRecord", 72, mft_record);
#undef T

#define T struct sa_sm_info_record
static const struct field sm_info_record[] = {
	DEC(lid, 0, 16, 0),
	NESTED(info, 32, &smp_sm_info_table, 2),
};
const struct field_table sa_sm_info_record_table =
	TABLE("SMInfoRecord", 25, sm_info_record);
#undef T

#define T struct sa_link_record
static const struct field link_record[] = {
	DEC(from_lid, 0, 16, 0),
	DEC(from_port, 16, 8, 1),
	DEC(to_port, 24, 8, 2),
	DEC(to_lid, 32, 16, 3),
};
const struct field_table sa_link_record_table =
	TABLE("LinkRecord", 8, link_record);
#undef T

#define T struct sa_guid_info_record
static const struct field guid_info_record[] = {
	DEC(lid, 0, 16, 0),
	DEC(block, 16, 8, 1),
	NESTED(info, 64, &smp_guid_info_table, 4),
};
const struct field_table sa_guid_info_record_table =
	TABLE("GuidInfoRecord", 72, guid_info_record);
#undef T

#define T struct sa_pkey_table_record
static const struct field pkey_table_record[] = {
	DEC(lid, 0, 16, 0),
	DEC(block, 16, 16, 1),
	DEC(port, 32, 8, 2),
	NESTED(table, 64, &smp_pkey_table_table, NONE),
};
const struct field_table sa_pkey_table_record_table =
	TABLE("P_KeyTableRecord", 72, pkey_table_record);
#undef T

#define T struct sa_sl2vl_record
static const struct field sl2vl_record[] = {
	DEC(lid, 0, 16, 0),
	DEC(in_port, 16, 8, 1),
	DEC(out_port, 24, 8, 2),
	NESTED(table, 64, &smp_sl2vl_table, NONE),
};
const struct field_table sa_sl2vl_record_table =
	TABLE("SLtoVLMappingTableRecord", 16, sl2vl_record);
#undef T

#define T struct sa_vlarb_record
static const struct field vlarb_record[] = {
	DEC(lid, 0, 16, 0),
	DEC(port, 16, 8, 1),
	DEC(block, 24, 8, 2),
	NESTED(table, 64, &smp_vlarb_table, NONE),
};
const struct field_table sa_vlarb_record_table =
	TABLE("VLArbitrationTableRecord", 72, vlarb_record);
#undef T

#define T struct sa_service_record
static const struct field service_record[] = {
	HEX(id, 0, 64, 0),
	GID(gid, 64, 1),
	HEX(pkey, 192, 16, 2),
	DEC(lease, 224, 32, 4),
	BYTES(key, 256, 5),
	TEXT(name, 384, 6),
	DECS(data8, 896, 8, 8, 7),
	DECS(data16, 1024, 16, 16, 23),
	DECS(data32, 1152, 32, 32, 31),
	DECS(data64, 1280, 64, 64, 35),
};
const struct field_table sa_service_record_table =
	TABLE("ServiceRecord", 176, service_record);
#undef T

/* ServiceID is two components; here it is one number, under the second. */
#define T struct sa_path_record
static const struct field path_record[] = {
	HEX(service_id, 0, 64, 1),
	GID(dgid, 64, 2),
	GID(sgid, 192, 3),
	DEC(dlid, 320, 16, 4),
	DEC(slid, 336, 16, 5),
	DEC(raw_traffic, 352, 1, 6),
	DEC(flow_label, 356, 20, 8),
	DEC(hop_limit, 376, 8, 9),
	DEC(tclass, 384, 8, 10),
	DEC(reversible, 392, 1, 11),
	DEC(n_paths, 393, 7, 12),
	HEX(pkey, 400, 16, 13),
	DEC(qos_class, 416, 12, 14),
	DEC(sl, 428, 4, 15),
	DEC(mtu_selector, 432, 2, 16),
	DEC(mtu, 434, 6, 17),
	DEC(rate_selector, 440, 2, 18),
	DEC(rate, 442, 6, 19),
	DEC(life_selector, 448, 2, 20),
	DEC(life, 450, 6, 21),
	DEC(preference, 456, 8, NONE),
};
const struct field_table sa_path_record_table =
	TABLE("PathRecord", 64, path_record);
#undef T

#define T struct sa_multi_path_record
static const struct field multi_path_record[] = {
	DEC(raw_traffic, 0, 1, 0),
	DEC(flow_label, 4, 20, 2),
	DEC(hop_limit, 24, 8, 3),
	DEC(tclass, 32, 8, 4),
	DEC(reversible, 40, 1, 5),
	DEC(n_paths, 41, 7, 6),
	HEX(pkey, 48, 16, 7),
	DEC(qos_class, 64, 12, 8),
	DEC(sl, 76, 4, 9),
	DEC(mtu_selector, 80, 2, 10),
	DEC(mtu, 82, 6, 11),
	DEC(rate_selector, 88, 2, 12),
	DEC(rate, 90, 6, 13),
	DEC(life_selector, 96, 2, 14),
	DEC(life, 98, 6, 15),
	HEX(service_id_top, 104, 8, 16),
	DEC(independence, 112, 2, 17),
	DEC(n_sgids, 120, 8, 19),
	DEC(n_dgids, 128, 8, 20),
	HEX(service_id_low, 136, 56, 21),
	GIDS(gid, 192, NONE),
};
const struct field_table sa_multi_path_record_table =
	TABLE("MultiPathRecord", SA_MULTI_PATH_FIXED + 16 * SA_MULTI_PATH_GIDS,
              multi_path_record);
#undef T

#define T struct sa_mc_member_record
static const struct field mc_member_record[] = {
	GID(mgid, 0, 0),
	GID(port_gid, 128, 1),
	HEX(qkey, 256, 32, 2),
	HEX(mlid, 288, 16, 3),
	DEC(mtu_selector, 304, 2, 4),
	DEC(mtu, 306, 6, 5),
	DEC(tclass, 312, 8, 6),
	HEX(pkey, 320, 16, 7),
	DEC(rate_selector, 336, 2, 8),
	DEC(rate, 338, 6, 9),
	DEC(life_selector, 344, 2, 10),
	DEC(life, 346, 6, 11),
	DEC(sl, 352, 4, 12),
	DEC(flow_label, 356, 20, 13),
	DEC(hop_limit, 376, 8, 14),
	DEC(scope, 384, 4, 15),
	HEX(join_state, 388, 4, 16),
	DEC(proxy_join, 392, 1, 17),
};
const struct field_table sa_mc_member_record_table =
	TABLE("MCMemberRecord", 52, mc_member_record);
#undef T

#define T struct sa_inform_info
static const struct field inform_info[] = {
	GID(gid, 0, 0),
	DEC(lid_begin, 128, 16, 1),
	DEC(lid_end, 144, 16, 2),
	DEC(generic, 176, 8, 4),
	DEC(subscribe, 184, 8, 5),
	DEC(type, 192, 16, 6),
	DEC(trap, 208, 16, 7),
	HEX(qpn, 224, 24, 8),
	DEC(resp_time, 251, 5, 10),
	DEC(producer, 264, 24, 12),
};
const struct field_table sa_inform_info_table =
	TABLE("InformInfo", 36, inform_info);
#undef T

#define T struct sa_inform_info_record
static const struct field inform_info_record[] = {
	GID(gid, 0, 0),
	DEC(number, 128, 16, 1),
	NESTED(info, 192, &sa_inform_info_table, 3),
};
const struct field_table sa_inform_info_record_table =
	TABLE("InformInfoRecord", 60, inform_info_record);
#undef T
