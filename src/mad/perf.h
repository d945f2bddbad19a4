/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mad/perf - performance management (IBA 16.1) and ClassPortInfo (13.4.8.1),
 * which SA and PMA share.
 */
#ifndef MAD_PERF_H
#define MAD_PERF_H

#include "mad/field.h"
#include "mad/mad.h"

#include <stdint.h>

#define PERF_ALL_PORTS 0xffu

/* ClassPortInfo:CapabilityMask of the PMA. */
#define PERF_CAP_ALL_PORT_SELECT (1u << 8)
#define PERF_CAP_EXT_WIDTH (1u << 9)         /* PortCountersExtended */
#define PERF_CAP_EXT_WIDTH_NOIETF (1u << 10) /* without the *cast packets */
#define PERF_CAP_XMIT_WAIT (1u << 12)

struct perf_class_port_info {
	uint32_t capability_mask2; /* 27 bits */
	uint32_t redirect_flow_label;
	uint32_t redirect_qp;
	uint32_t redirect_qkey;
	uint32_t trap_flow_label;
	uint32_t trap_qp;
	uint32_t trap_qkey;
	uint16_t capability_mask;
	uint16_t redirect_lid;
	uint16_t redirect_pkey;
	uint16_t trap_lid;
	uint16_t trap_pkey;
	uint8_t base_version;
	uint8_t class_version;
	uint8_t resp_time; /* 4.096 us * 2^x */
	uint8_t redirect_tclass;
	uint8_t redirect_sl;
	uint8_t trap_tclass;
	uint8_t trap_sl;
	uint8_t trap_hop_limit;
	uint8_t redirect_gid[16];
	uint8_t trap_gid[16];
};

/* Bits of counter_select, and of counter_select2: what a Set clears. */
#define PERF_SELECT_ALL 0xffffu
#define PERF_SELECT2_XMIT_WAIT 0x01u

/* 32-bit and smaller counters, which stick at their maximum. */
struct perf_port_counters {
	uint32_t xmit_data; /* units of 4 bytes, as is rcv_data */
	uint32_t rcv_data;
	uint32_t xmit_packets;
	uint32_t rcv_packets;
	uint32_t xmit_wait;
	uint16_t counter_select;
	uint16_t symbol_errors;
	uint16_t rcv_errors;
	uint16_t rcv_remote_physical_errors;
	uint16_t rcv_switch_relay_errors;
	uint16_t xmit_discards;
	uint16_t qp1_dropped;
	uint16_t vl15_dropped;
	uint8_t port_select;
	uint8_t link_error_recovery;
	uint8_t link_downed;
	uint8_t xmit_constraint_errors;
	uint8_t rcv_constraint_errors;
	uint8_t counter_select2;
	uint8_t link_integrity_errors; /* 4 bits */
	uint8_t buffer_overrun_errors; /* 4 bits */
};

struct perf_port_counters_ext {
	uint64_t xmit_data; /* units of 4 bytes, as is rcv_data */
	uint64_t rcv_data;
	uint64_t xmit_packets;
	uint64_t rcv_packets;
	uint64_t unicast_xmit_packets;
	uint64_t unicast_rcv_packets;
	uint64_t multicast_xmit_packets;
	uint64_t multicast_rcv_packets;
	/* valid with the capability "additional extended counters" only */
	uint64_t symbol_errors;
	uint64_t link_error_recovery;
	uint64_t link_downed;
	uint64_t rcv_errors;
	uint64_t rcv_remote_physical_errors;
	uint64_t rcv_switch_relay_errors;
	uint64_t xmit_discards;
	uint64_t xmit_constraint_errors;
	uint64_t rcv_constraint_errors;
	uint64_t link_integrity_errors;
	uint64_t buffer_overrun_errors;
	uint64_t vl15_dropped;
	uint64_t xmit_wait;
	uint64_t qp1_dropped;
	uint32_t counter_select2;
	uint16_t counter_select;
	uint8_t port_select;
};

extern const struct field_table perf_class_port_info_table;
extern const struct field_table perf_port_counters_table;
extern const struct field_table perf_port_counters_ext_table;

static inline void perf_get(const struct mad *m, const struct field_table *t,
                            void *out)
{
	field_decode(t, ((const struct perf_mad *)m)->data, out);
}

static inline void perf_put(struct mad *m, const struct field_table *t,
                            const void *in)
{
	field_encode(t, in, ((struct perf_mad *)m)->data);
}

#endif /* MAD_PERF_H */
