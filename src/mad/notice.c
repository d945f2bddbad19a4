/* SPDX-License-Identifier: BSD-2-Clause */
#include "mad/notice.h"

#include "mad/rows_priv.h"

#define T struct notice
#define NOTICE_ROWS                                                            \
	DEC(generic, 0, 1, NONE), DEC(type, 1, 7, NONE),                       \
		DEC(producer, 8, 24, NONE), DEC(trap, 32, 16, NONE),           \
		DEC(issuer_lid, 48, 16, NONE), DEC(toggle, 64, 1, NONE),       \
		DEC(count, 65, 15, NONE), BYTES(details, 80, NONE)
static const struct field notice[] = { NOTICE_ROWS };
const struct field_table notice_table = TABLE("Notice", 64, notice);

static const struct field notice_sa[] = {
	NOTICE_ROWS,
	GID(issuer_gid, 512, NONE),
};
const struct field_table notice_sa_table = TABLE("Notice", 80, notice_sa);
#undef T

/* Details: 54 bytes, whose bits are counted from their start. */

#define T struct notice_gid
static const struct field gid_details[] = {
	GID(gid, 48, NONE),
};
const struct field_table notice_gid_table =
	TABLE("Trap64-67", NOTICE_DETAILS, gid_details);
#undef T

#define T struct notice_lid
static const struct field lid_details[] = {
	DEC(lid, 0, 16, NONE),
};
const struct field_table notice_lid_table =
	TABLE("Trap128", NOTICE_DETAILS, lid_details);
#undef T

#define T struct notice_port
static const struct field port_details[] = {
	DEC(lid, 16, 16, NONE),
	DEC(port, 32, 8, NONE),
};
const struct field_table notice_port_table =
	TABLE("Trap129-131", NOTICE_DETAILS, port_details);
#undef T

#define T struct notice_capability
static const struct field capability_details[] = {
	DEC(lid, 16, 16, NONE),
	DEC(local_changes, 47, 1, NONE),
	HEX(capability_mask, 48, 32, NONE),
	HEX(change_flags, 80, 16, NONE),
	HEX(capability_mask2, 96, 16, NONE),
};
const struct field_table notice_capability_table =
	TABLE("Trap144", NOTICE_DETAILS, capability_details);
#undef T

#define T struct notice_system_guid
static const struct field system_guid_details[] = {
	DEC(lid, 16, 16, NONE),
	HEX(system_guid, 48, 64, NONE),
};
const struct field_table notice_system_guid_table =
	TABLE("Trap145", NOTICE_DETAILS, system_guid_details);
#undef T

#define T struct notice_m_key
static const struct field m_key_details[] = {
	DEC(lid, 16, 16, NONE),      DEC(dr_slid, 32, 16, NONE),
	HEX(method, 48, 8, NONE),    HEX(attr_id, 64, 16, NONE),
	HEX(attr_mod, 80, 32, NONE), HEX(m_key, 112, 64, NONE),
	DEC(directed, 184, 1, NONE), DEC(truncated, 185, 1, NONE),
	DEC(n_hops, 186, 6, NONE),   BYTES(return_path, 192, NONE),
};
const struct field_table notice_m_key_table =
	TABLE("Trap256", NOTICE_DETAILS, m_key_details);
#undef T

#define T struct notice_key
static const struct field key_details[] = {
	DEC(lid1, 16, 16, NONE), DEC(lid2, 32, 16, NONE),
	HEX(key, 48, 32, NONE),  DEC(sl, 80, 4, NONE),
	HEX(qp1, 88, 24, NONE),  HEX(qp2, 120, 24, NONE),
	GID(gid1, 144, NONE),    GID(gid2, 272, NONE),
};
const struct field_table notice_key_table =
	TABLE("Trap257-258", NOTICE_DETAILS, key_details);
#undef T

#define T struct notice_switch_key
static const struct field switch_key_details[] = {
	HEX(data_valid, 0, 16, NONE), DEC(lid1, 16, 16, NONE),
	DEC(lid2, 32, 16, NONE),      HEX(pkey, 48, 16, NONE),
	DEC(sl, 64, 4, NONE),         HEX(qp1, 72, 24, NONE),
	HEX(qp2, 104, 24, NONE),      GID(gid1, 128, NONE),
	GID(gid2, 256, NONE),         DEC(switch_lid, 384, 16, NONE),
	DEC(port, 400, 8, NONE),
};
const struct field_table notice_switch_key_table =
	TABLE("Trap259", NOTICE_DETAILS, switch_key_details);
#undef T

const struct field_table *notice_details(uint16_t trap)
{
	switch (trap) {
	case NOTICE_IN_SERVICE:
	case NOTICE_OUT_OF_SERVICE:
	case NOTICE_MC_CREATED:
	case NOTICE_MC_DELETED:
		return &notice_gid_table;
	case NOTICE_LINK_STATE:
		return &notice_lid_table;
	case NOTICE_LINK_INTEGRITY:
	case NOTICE_BUFFER_OVERRUN:
	case NOTICE_FLOW_CONTROL:
		return &notice_port_table;
	case NOTICE_CAPABILITY:
		return &notice_capability_table;
	case NOTICE_SYSTEM_GUID:
		return &notice_system_guid_table;
	case NOTICE_BAD_M_KEY:
		return &notice_m_key_table;
	case NOTICE_BAD_P_KEY:
	case NOTICE_BAD_Q_KEY:
		return &notice_key_table;
	case NOTICE_BAD_P_KEY_SWITCH:
		return &notice_switch_key_table;
	default:
		return NULL;
	}
}
