/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mad/smp - subnet management: attributes as C structs (IBA 14.2.5) and
 * directed routes (IBA 14.2.2).
 *
 * smp_get() decodes an SMP's attribute, smp_put() encodes it:
 *
 *     struct smp_port_info p;
 *     smp_get(m, &smp_port_info_table, &p);
 */
#ifndef MAD_SMP_H
#define MAD_SMP_H

#include "mad/field.h"
#include "mad/mad.h"

#include <stdbool.h>
#include <stdint.h>

enum smp_node_type {
	SMP_NODE_CA = 1,
	SMP_NODE_SWITCH = 2,
	SMP_NODE_ROUTER = 3,
};

struct smp_node_info {
	uint64_t system_guid;
	uint64_t node_guid;
	uint64_t port_guid;
	uint32_t revision;
	uint32_t vendor_id; /* 24 bits */
	uint16_t partition_cap;
	uint16_t device_id;
	uint8_t base_version;
	uint8_t class_version;
	uint8_t node_type; /* enum smp_node_type */
	uint8_t n_ports;
	uint8_t local_port; /* at which the SMP came in */
};

struct smp_node_description {
	char text[64]; /* UTF-8, NUL-padded, not always ended by NUL */
};

struct smp_switch_info {
	uint16_t linear_cap;
	uint16_t random_cap;
	uint16_t multicast_cap;
	uint16_t linear_top;
	uint16_t lids_per_port;
	uint16_t partition_enforcement_cap;
	uint16_t multicast_top;
	uint8_t default_port;
	uint8_t default_multicast_primary;
	uint8_t default_multicast_other;
	uint8_t life_time;         /* 5 bits */
	uint8_t port_state_change; /* 1 */
	uint8_t optimized_sl2vl;   /* 2 */
	uint8_t inbound_enforcement;
	uint8_t outbound_enforcement;
	uint8_t filter_raw_inbound;
	uint8_t filter_raw_outbound;
	uint8_t enhanced_port0;
};

enum smp_port_state {
	SMP_PORT_NOP = 0, /* Set: no change */
	SMP_PORT_DOWN = 1,
	SMP_PORT_INIT = 2,
	SMP_PORT_ARMED = 3,
	SMP_PORT_ACTIVE = 4,
};

enum smp_phys_state {
	SMP_PHYS_NOP = 0,
	SMP_PHYS_SLEEP = 1,
	SMP_PHYS_POLLING = 2,
	SMP_PHYS_DISABLED = 3,
	SMP_PHYS_TRAINING = 4,
	SMP_PHYS_LINK_UP = 5,
	SMP_PHYS_RECOVERY = 6,
};

/* PortInfo:CapabilityMask. */
#define SMP_CAP_IS_SM (1u << 1)
#define SMP_CAP_NOTICE (1u << 2)
#define SMP_CAP_TRAP (1u << 3)
#define SMP_CAP_AUTO_MIGRATION (1u << 5)
#define SMP_CAP_SL_MAPPING (1u << 6)
#define SMP_CAP_SM_DISABLED (1u << 10)
#define SMP_CAP_SYSTEM_GUID (1u << 11)
#define SMP_CAP_EXTENDED_SPEEDS (1u << 14)
#define SMP_CAP_CAPABILITY_MASK2 (1u << 15)
#define SMP_CAP_VENDOR_CLASS (1u << 18)
#define SMP_CAP_CAPABILITY_NOTICE (1u << 22)
#define SMP_CAP_CLIENT_REREGISTER (1u << 25)
#define SMP_CAP_OTHER_LOCAL_CHANGES (1u << 26)
#define SMP_CAP_LINK_ROUND_TRIP (1u << 24)

struct smp_port_info {
	uint64_t m_key;
	uint64_t subnet_prefix;
	uint32_t capability_mask;
	uint32_t link_round_trip_latency; /* 24 bits */
	uint16_t lid;
	uint16_t sm_lid;
	uint16_t diag_code;
	uint16_t m_key_lease; /* seconds */
	uint16_t m_key_violations;
	uint16_t p_key_violations;
	uint16_t q_key_violations;
	uint16_t max_credit_hint;
	uint16_t capability_mask2;
	uint8_t local_port;
	uint8_t link_width_enabled;
	uint8_t link_width_supported;
	uint8_t link_width_active;
	uint8_t link_speed_supported;
	uint8_t port_state; /* enum smp_port_state */
	uint8_t phys_state; /* enum smp_phys_state */
	uint8_t down_default;
	uint8_t m_key_protect; /* 2 bits */
	uint8_t lmc;           /* 3 bits */
	uint8_t link_speed_active;
	uint8_t link_speed_enabled;
	uint8_t neighbor_mtu; /* 1..5: 256..4096 bytes */
	uint8_t sm_sl;
	uint8_t vl_cap; /* 1..5: VL0, 0-1, 0-3, 0-7, 0-14 */
	uint8_t init_type;
	uint8_t vl_high_limit;
	uint8_t vl_arb_high_cap;
	uint8_t vl_arb_low_cap;
	uint8_t init_type_reply;
	uint8_t mtu_cap;
	uint8_t vl_stall_count;
	uint8_t hoq_life;
	uint8_t operational_vls;
	uint8_t enforce_inbound;
	uint8_t enforce_outbound;
	uint8_t filter_raw_inbound;
	uint8_t filter_raw_outbound;
	uint8_t guid_cap; /* entries of GUIDInfo */
	uint8_t client_reregister;
	uint8_t multicast_pkey_trap_suppression; /* 2 bits */
	uint8_t subnet_timeout;                  /* 4.096 us * 2^x */
	uint8_t resp_time;                       /* 4.096 us * 2^x */
	uint8_t local_phy_errors;
	uint8_t overrun_errors;
	uint8_t link_speed_ext_active;
	uint8_t link_speed_ext_supported;
	uint8_t link_speed_ext_enabled; /* 5 bits */
};

/* The attribute modifier is the block's number; GUIDInfo has 8 to a block. */
struct smp_guid_info {
	uint64_t guid[8];
};

/* Modifier: block in the low half, a switch's port in the high half. */
struct smp_pkey_table {
	uint16_t pkey[32]; /* bit 15: full member; 0: free */
};
#define SMP_PKEY_DEFAULT 0xffffu
#define SMP_PKEY_FULL 0x8000u

/* Modifier: input port << 8 | output port on a switch; 0 on a CA. */
struct smp_sl2vl {
	uint8_t vl[16]; /* by SL; 15: drop */
};

/* Modifier: block << 16 | output port; blocks 1, 2 low, 3, 4 high priority. */
struct smp_vlarb {
	uint8_t vl[32];
	uint8_t weight[32]; /* units of 64 bytes */
};

#define SMP_LFT_BLOCK 64u    /* LIDs in an LFT block; modifier: the block */
#define SMP_LFT_NO_PORT 255u /* drop */
#define SMP_MFT_BLOCK 32u    /* LIDs in an MFT block */
#define SMP_MFT_PORTS 16u    /* ports in an MFT position */

struct smp_lft {
	uint8_t port[SMP_LFT_BLOCK];
};

/* Modifier: position << 28 | block; ports 16 * position + bit. */
struct smp_mft {
	uint16_t mask[SMP_MFT_BLOCK];
};

enum smp_sm_state {
	SMP_SM_NOT_ACTIVE = 0,
	SMP_SM_DISCOVERING = 1,
	SMP_SM_STANDBY = 2,
	SMP_SM_MASTER = 3,
};

/* SubnSet(SMInfo): the modifier says what happened (IBA 14.4.1). */
enum smp_sm_control {
	SMP_SM_HANDOVER = 1,
	SMP_SM_ACKNOWLEDGE = 2,
	SMP_SM_DISABLE = 3,
	SMP_SM_TO_STANDBY = 4,
	SMP_SM_DISCOVER = 5,
};

struct smp_sm_info {
	uint64_t guid;
	uint64_t sm_key;
	uint32_t act_count;
	uint8_t priority; /* 4 bits */
	uint8_t state;    /* enum smp_sm_state */
};

struct smp_led_info {
	uint8_t on;
};

extern const struct field_table smp_node_info_table;
extern const struct field_table smp_node_description_table;
extern const struct field_table smp_switch_info_table;
extern const struct field_table smp_port_info_table;
extern const struct field_table smp_guid_info_table;
extern const struct field_table smp_pkey_table_table;
extern const struct field_table smp_sl2vl_table;
extern const struct field_table smp_vlarb_table;
extern const struct field_table smp_lft_table;
extern const struct field_table smp_mft_table;
extern const struct field_table smp_sm_info_table;
extern const struct field_table smp_led_info_table;

static inline void smp_get(const struct mad *m, const struct field_table *t,
                           void *out)
{
	field_decode(t, ((const struct smp *)m)->data, out);
}

/* The rest of the 64 bytes is left as it is. */
static inline void smp_put(struct mad *m, const struct field_table *t,
                           const void *in)
{
	field_encode(t, in, ((struct smp *)m)->data);
}

/* -- directed routes ------------------------------------------------------ */

/* A route from some port: out of out[1] first.  out[0] is not used. */
struct smp_route {
	uint8_t n_hops; /* at most SMP_PATH_LENGTH - 1 */
	uint8_t out[SMP_PATH_LENGTH];
};

/*
 * Make `m`, which mad_init() has made, follow `route` from end to end (both
 * LIDs permissive).
 */
void smp_set_route(struct mad *m, const struct smp_route *route);

/*
 * LID-routed to `dr_slid`'s switch and from there along the route, or along
 * the route and then to dr_dlid; either is MAD_LID_PERMISSIVE for none.
 */
void smp_set_route_lids(struct mad *m, uint16_t dr_slid, uint16_t dr_dlid);

enum smp_step {
	SMP_STEP_LOCAL,   /* for this node's SMA or SM */
	SMP_STEP_PORT,    /* out of *port */
	SMP_STEP_LID,     /* out of the port to which *lid leads */
	SMP_STEP_DISCARD, /* a route that can't be */
};

struct smp_node_view {
	bool is_switch;
	uint8_t n_ports;
	uint8_t in_port; /* at which it arrived; 0: made by this node itself */
	uint16_t lid;    /* of that port (of port 0 on a switch) */
};

/*
 * What the node's SMI does with a directed-route SMP, request or response,
 * one of its own (in_port 0: IBA 14.2.2.1, 14.2.2.3) or one that came in
 * (14.2.2.2, 14.2.2.4).  It moves the hop pointer and fills in the return
 * path.
 */
enum smp_step smp_step(struct mad *m, const struct smp_node_view *node,
                       uint8_t *port, uint16_t *lid);

const char *smp_port_state_name(uint8_t state);
const char *smp_phys_state_name(uint8_t state);
const char *smp_node_type_name(uint8_t type);
const char *smp_sm_state_name(uint8_t state);

#endif /* MAD_SMP_H */
