/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mad/notice - notices and traps (IBA 13.4.8.2, 14.2.5.1).
 *
 * The same 64 bytes are the attribute of SubnTrap and, with the issuer's GID
 * behind them (80 bytes), of the SA's Report.  `details` depends on the trap;
 * notice_details() names its layout.
 */
#ifndef MAD_NOTICE_H
#define MAD_NOTICE_H

#include "mad/field.h"

#include <stdint.h>

enum notice_trap {
	NOTICE_IN_SERVICE = 64,        /* struct notice_gid; from the SA */
	NOTICE_OUT_OF_SERVICE = 65,    /* struct notice_gid; from the SA */
	NOTICE_MC_CREATED = 66,        /* struct notice_gid; from the SA */
	NOTICE_MC_DELETED = 67,        /* struct notice_gid; from the SA */
	NOTICE_LINK_STATE = 128,       /* struct notice_lid: the switch */
	NOTICE_LINK_INTEGRITY = 129,   /* struct notice_port */
	NOTICE_BUFFER_OVERRUN = 130,   /* struct notice_port */
	NOTICE_FLOW_CONTROL = 131,     /* struct notice_port */
	NOTICE_CAPABILITY = 144,       /* struct notice_capability */
	NOTICE_SYSTEM_GUID = 145,      /* struct notice_system_guid */
	NOTICE_BAD_M_KEY = 256,        /* struct notice_m_key */
	NOTICE_BAD_P_KEY = 257,        /* struct notice_key */
	NOTICE_BAD_Q_KEY = 258,        /* struct notice_key */
	NOTICE_BAD_P_KEY_SWITCH = 259, /* struct notice_switch_key */
};

enum notice_type {
	NOTICE_FATAL = 0,
	NOTICE_URGENT = 1,
	NOTICE_SECURITY = 2,
	NOTICE_SUBN_MGMT = 3,
	NOTICE_INFO = 4,
};

#define NOTICE_DETAILS 54u /* bytes */
#define NOTICE_PRODUCER_CA 1u
#define NOTICE_PRODUCER_SWITCH 2u
#define NOTICE_PRODUCER_ROUTER 3u
#define NOTICE_PRODUCER_CLASS_MANAGER 4u

struct notice {
	uint32_t producer; /* generic: NOTICE_PRODUCER_*; else the vendor */
	uint16_t trap;     /* generic: enum notice_trap; else the device */
	uint16_t issuer_lid;
	uint16_t count; /* 15 bits */
	uint8_t toggle;
	uint8_t generic;
	uint8_t type;                    /* enum notice_type */
	uint8_t details[NOTICE_DETAILS]; /* as on the wire */
	uint8_t issuer_gid[16];          /* Report only */
};

extern const struct field_table notice_table;    /* 64 bytes: SMPs, PMA */
extern const struct field_table notice_sa_table; /* 80 bytes: Report */

struct notice_gid {
	uint8_t gid[16];
};

struct notice_lid {
	uint16_t lid;
};

struct notice_port {
	uint16_t lid;
	uint8_t port;
};

/* notice_capability.local_changes */
#define NOTICE_NODE_DESCRIPTION_CHANGED (1u << 0) /* of change_flags */
#define NOTICE_LINK_WIDTH_CHANGED (1u << 1)
#define NOTICE_LINK_SPEED_CHANGED (1u << 2)

struct notice_capability {
	uint32_t capability_mask;
	uint16_t lid;
	uint16_t change_flags; /* valid when local_changes is set */
	uint16_t capability_mask2;
	uint8_t local_changes;
};

struct notice_system_guid {
	uint64_t system_guid;
	uint16_t lid;
};

#define NOTICE_PATH 30u /* bytes of return path that fit */

struct notice_m_key {
	uint64_t m_key; /* the wrong one */
	uint32_t attr_mod;
	uint16_t lid;
	uint16_t dr_slid;
	uint16_t attr_id;
	uint8_t method;
	uint8_t directed;  /* the offending SMP had a directed route */
	uint8_t truncated; /* the path did not fit */
	uint8_t n_hops;    /* 6 bits */
	uint8_t return_path[NOTICE_PATH];
};

struct notice_key {
	uint32_t key; /* P_Key in the low half, or Q_Key */
	uint32_t qp1; /* 24 bits */
	uint32_t qp2; /* 24 bits */
	uint16_t lid1;
	uint16_t lid2;
	uint8_t sl;
	uint8_t gid1[16];
	uint8_t gid2[16];
};

struct notice_switch_key {
	uint32_t qp1;
	uint32_t qp2;
	uint16_t data_valid;
	uint16_t lid1;
	uint16_t lid2;
	uint16_t pkey;
	uint16_t switch_lid;
	uint8_t sl;
	uint8_t port;
	uint8_t gid1[16];
	uint8_t gid2[16];
};

extern const struct field_table notice_gid_table;
extern const struct field_table notice_lid_table;
extern const struct field_table notice_port_table;
extern const struct field_table notice_capability_table;
extern const struct field_table notice_system_guid_table;
extern const struct field_table notice_m_key_table;
extern const struct field_table notice_key_table;
extern const struct field_table notice_switch_key_table;

/* The layout of a generic trap's details; NULL: none that we know.  Use
 * field_decode(table, n->details, &x) and field_encode(table, &x, ...). */
const struct field_table *notice_details(uint16_t trap);

#endif /* MAD_NOTICE_H */
