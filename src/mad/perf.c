/* SPDX-License-Identifier: BSD-2-Clause */
#include "mad/perf.h"

#include "mad/rows_priv.h"

#define T struct perf_class_port_info
static const struct field class_port_info[] = {
	DEC(base_version, 0, 8, NONE),
	DEC(class_version, 8, 8, NONE),
	HEX(capability_mask, 16, 16, NONE),
	HEX(capability_mask2, 32, 27, NONE),
	DEC(resp_time, 59, 5, NONE),
	GID(redirect_gid, 64, NONE),
	DEC(redirect_tclass, 192, 8, NONE),
	DEC(redirect_sl, 200, 4, NONE),
	DEC(redirect_flow_label, 204, 20, NONE),
	DEC(redirect_lid, 224, 16, NONE),
	HEX(redirect_pkey, 240, 16, NONE),
	HEX(redirect_qp, 264, 24, NONE),
	HEX(redirect_qkey, 288, 32, NONE),
	GID(trap_gid, 320, NONE),
	DEC(trap_tclass, 448, 8, NONE),
	DEC(trap_sl, 456, 4, NONE),
	DEC(trap_flow_label, 460, 20, NONE),
	DEC(trap_lid, 480, 16, NONE),
	HEX(trap_pkey, 496, 16, NONE),
	DEC(trap_hop_limit, 512, 8, NONE),
	HEX(trap_qp, 520, 24, NONE),
	HEX(trap_qkey, 544, 32, NONE),
};
const struct field_table perf_class_port_info_table =
	TABLE("ClassPortInfo", 72, class_port_info);
#undef T

#define T struct perf_port_counters
static const struct field port_counters[] = {
	DEC(port_select, 8, 8, NONE),
	HEX(counter_select, 16, 16, NONE),
	DEC(symbol_errors, 32, 16, NONE),
	DEC(link_error_recovery, 48, 8, NONE),
	DEC(link_downed, 56, 8, NONE),
	DEC(rcv_errors, 64, 16, NONE),
	DEC(rcv_remote_physical_errors, 80, 16, NONE),
	DEC(rcv_switch_relay_errors, 96, 16, NONE),
	DEC(xmit_discards, 112, 16, NONE),
	DEC(xmit_constraint_errors, 128, 8, NONE),
	DEC(rcv_constraint_errors, 136, 8, NONE),
	HEX(counter_select2, 144, 8, NONE),
	DEC(link_integrity_errors, 152, 4, NONE),
	DEC(buffer_overrun_errors, 156, 4, NONE),
	DEC(qp1_dropped, 160, 16, NONE),
	DEC(vl15_dropped, 176, 16, NONE),
	DEC(xmit_data, 192, 32, NONE),
	DEC(rcv_data, 224, 32, NONE),
	DEC(xmit_packets, 256, 32, NONE),
	DEC(rcv_packets, 288, 32, NONE),
	DEC(xmit_wait, 320, 32, NONE),
};
const struct field_table perf_port_counters_table =
	TABLE("PortCounters", 44, port_counters);
#undef T

#define T struct perf_port_counters_ext
static const struct field port_counters_ext[] = {
	DEC(port_select, 8, 8, NONE),
	HEX(counter_select, 16, 16, NONE),
	HEX(counter_select2, 32, 32, NONE),
	DEC(xmit_data, 64, 64, NONE),
	DEC(rcv_data, 128, 64, NONE),
	DEC(xmit_packets, 192, 64, NONE),
	DEC(rcv_packets, 256, 64, NONE),
	DEC(unicast_xmit_packets, 320, 64, NONE),
	DEC(unicast_rcv_packets, 384, 64, NONE),
	DEC(multicast_xmit_packets, 448, 64, NONE),
	DEC(multicast_rcv_packets, 512, 64, NONE),
	DEC(symbol_errors, 576, 64, NONE),
	DEC(link_error_recovery, 640, 64, NONE),
	DEC(link_downed, 704, 64, NONE),
	DEC(rcv_errors, 768, 64, NONE),
	DEC(rcv_remote_physical_errors, 832, 64, NONE),
	DEC(rcv_switch_relay_errors, 896, 64, NONE),
	DEC(xmit_discards, 960, 64, NONE),
	DEC(xmit_constraint_errors, 1024, 64, NONE),
	DEC(rcv_constraint_errors, 1088, 64, NONE),
	DEC(link_integrity_errors, 1152, 64, NONE),
	DEC(buffer_overrun_errors, 1216, 64, NONE),
	DEC(vl15_dropped, 1280, 64, NONE),
	DEC(xmit_wait, 1344, 64, NONE),
	DEC(qp1_dropped, 1408, 64, NONE),
};
const struct field_table perf_port_counters_ext_table =
	TABLE("PortCountersExtended", 184, port_counters_ext);
#undef T
