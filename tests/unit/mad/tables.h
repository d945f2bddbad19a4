/* SPDX-License-Identifier: BSD-2-Clause */
/* Every attribute table there is. */
#ifndef TESTS_UNIT_MAD_TABLES_H
#define TESTS_UNIT_MAD_TABLES_H

#include "mad/lag.h"
#include "mad/notice.h"
#include "mad/perf.h"
#include "mad/sa.h"
#include "mad/smp.h"

static const struct field_table *const all_tables[] = {
	&smp_node_info_table,
	&smp_node_description_table,
	&smp_switch_info_table,
	&smp_port_info_table,
	&smp_guid_info_table,
	&smp_pkey_table_table,
	&smp_sl2vl_table,
	&smp_vlarb_table,
	&smp_lft_table,
	&smp_mft_table,
	&smp_sm_info_table,
	&smp_led_info_table,
	&notice_table,
	&notice_sa_table,
	&notice_gid_table,
	&notice_lid_table,
	&notice_port_table,
	&notice_capability_table,
	&notice_system_guid_table,
	&notice_m_key_table,
	&notice_key_table,
	&notice_switch_key_table,
	&perf_class_port_info_table,
	&perf_port_counters_table,
	&perf_port_counters_ext_table,
	&sa_node_record_table,
	&sa_port_info_record_table,
	&sa_switch_info_record_table,
	&sa_lft_record_table,
	&sa_mft_record_table,
	&sa_sm_info_record_table,
	&sa_link_record_table,
	&sa_guid_info_record_table,
	&sa_pkey_table_record_table,
	&sa_sl2vl_record_table,
	&sa_vlarb_record_table,
	&sa_service_record_table,
	&sa_path_record_table,
	&sa_multi_path_record_table,
	&sa_mc_member_record_table,
	&sa_inform_info_table,
	&sa_inform_info_record_table,
	&lag_host_table,
	&lag_switch_table,
	&lag_groups_table,
	&lag_lids_table,
	&lag_skip_table,
};

#define WIRE_MAX 256u
#define HOST_MAX 512u

#endif /* TESTS_UNIT_MAD_TABLES_H */
