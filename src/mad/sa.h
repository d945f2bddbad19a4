/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mad/sa - subnet administration: records as C structs (IBA 15.2.5) and what
 * a query selects.
 *
 * Each row of a record's table carries its component mask bit; a nested
 * attribute's rows count from the row that nests it.  sa_match() applies a
 * query; selectors ("greater than", "best"), wildcards and trust are the SA's
 * own business.
 */
#ifndef MAD_SA_H
#define MAD_SA_H

#include "mad/field.h"
#include "mad/mad.h"
#include "mad/notice.h"
#include "mad/smp.h"

#include <stdbool.h>
#include <stdint.h>

/* MTU, rate and packet life selectors. */
enum sa_selector {
	SA_GREATER = 0,
	SA_LESS = 1,
	SA_EXACTLY = 2,
	SA_BEST = 3, /* the largest there is; of packet life the smallest */
};

/* ClassPortInfo:CapabilityMask of the SA. */
#define SA_CAP_SUBN_OPTIONAL (1u << 8)
#define SA_CAP_UD_MULTICAST (1u << 9)
#define SA_CAP_MULTI_PATH (1u << 10)
#define SA_CAP_REINIT (1u << 11)

struct sa_node_record {
	uint16_t lid;
	struct smp_node_info info;
	struct smp_node_description description;
};

struct sa_port_info_record {
	uint16_t lid;
	uint8_t port;
	uint8_t options;
	struct smp_port_info info;
};

struct sa_switch_info_record {
	uint16_t lid;
	struct smp_switch_info info;
};

struct sa_lft_record {
	uint16_t lid;
	uint16_t block;
	struct smp_lft lft;
};

struct sa_mft_record {
	uint16_t lid;
	uint16_t block; /* 9 bits */
	uint8_t position;
	struct smp_mft mft;
};

struct sa_sm_info_record {
	uint16_t lid;
	struct smp_sm_info info;
};

struct sa_link_record {
	uint16_t from_lid;
	uint16_t to_lid;
	uint8_t from_port;
	uint8_t to_port;
};

struct sa_guid_info_record {
	uint16_t lid;
	uint8_t block;
	struct smp_guid_info info;
};

struct sa_pkey_table_record {
	uint16_t lid;
	uint16_t block;
	uint8_t port;
	struct smp_pkey_table table;
};

struct sa_sl2vl_record {
	uint16_t lid;
	uint8_t in_port;
	uint8_t out_port;
	struct smp_sl2vl table;
};

struct sa_vlarb_record {
	uint16_t lid;
	uint8_t port;
	uint8_t block;
	struct smp_vlarb table;
};

struct sa_service_record {
	uint64_t id;
	uint32_t lease; /* seconds; all ones: for ever */
	uint16_t pkey;
	uint8_t gid[16];
	uint8_t key[16];
	char name[64]; /* NUL-padded */
	uint8_t data8[16];
	uint16_t data16[8];
	uint32_t data32[4];
	uint64_t data64[2];
};

struct sa_path_record {
	uint64_t service_id;
	uint32_t flow_label; /* 20 bits */
	uint16_t dlid;
	uint16_t slid;
	uint16_t pkey;
	uint16_t qos_class; /* 12 bits */
	uint8_t dgid[16];
	uint8_t sgid[16];
	uint8_t raw_traffic;
	uint8_t hop_limit;
	uint8_t tclass;
	uint8_t reversible;
	uint8_t n_paths; /* 7 bits */
	uint8_t sl;
	uint8_t mtu_selector; /* enum sa_selector, as are the other two */
	uint8_t mtu;          /* 1..5: 256..4096 bytes */
	uint8_t rate_selector;
	uint8_t rate;
	uint8_t life_selector;
	uint8_t life; /* 4.096 us * 2^x */
	uint8_t preference;
};

#define SA_MULTI_PATH_FIXED 24u /* bytes, before the GIDs */
#define SA_MULTI_PATH_GIDS 11u  /* that fit in one MAD */

/* Query of MultiPathRecord; the answers are path records. */
struct sa_multi_path_record {
	uint64_t service_id_low; /* 56 bits; on the wire apart from the top */
	uint32_t flow_label;
	uint16_t pkey;
	uint16_t qos_class;
	uint8_t raw_traffic;
	uint8_t hop_limit;
	uint8_t tclass;
	uint8_t reversible;
	uint8_t n_paths;
	uint8_t sl;
	uint8_t mtu_selector;
	uint8_t mtu;
	uint8_t rate_selector;
	uint8_t rate;
	uint8_t life_selector;
	uint8_t life;
	uint8_t service_id_top;
	uint8_t independence; /* 2 bits */
	uint8_t n_sgids;
	uint8_t n_dgids; /* the sources come first */
	uint8_t gid[SA_MULTI_PATH_GIDS][16];
};

struct sa_mc_member_record {
	uint32_t qkey;
	uint32_t flow_label;
	uint16_t mlid;
	uint16_t pkey;
	uint8_t mgid[16];
	uint8_t port_gid[16];
	uint8_t mtu_selector;
	uint8_t mtu;
	uint8_t tclass;
	uint8_t rate_selector;
	uint8_t rate;
	uint8_t life_selector;
	uint8_t life;
	uint8_t sl;
	uint8_t hop_limit;
	uint8_t scope;
	uint8_t join_state; /* SA_JOIN_* */
	uint8_t proxy_join;
};
#define SA_JOIN_FULL 1u
#define SA_JOIN_NON 2u
#define SA_JOIN_SEND_ONLY 4u
#define SA_JOIN_SEND_ONLY_FULL 8u

struct sa_inform_info {
	uint32_t qpn;       /* 24 bits */
	uint32_t producer;  /* or the vendor; 24 bits, all ones: any */
	uint16_t lid_begin; /* all ones: any */
	uint16_t lid_end;
	uint16_t type; /* all ones: any */
	uint16_t trap; /* or the device; all ones: any */
	uint8_t gid[16];
	uint8_t generic;
	uint8_t subscribe;
	uint8_t resp_time;
};

struct sa_inform_info_record {
	uint16_t number;
	uint8_t gid[16];
	struct sa_inform_info info;
};

extern const struct field_table sa_node_record_table;
extern const struct field_table sa_port_info_record_table;
extern const struct field_table sa_switch_info_record_table;
extern const struct field_table sa_lft_record_table;
extern const struct field_table sa_mft_record_table;
extern const struct field_table sa_sm_info_record_table;
extern const struct field_table sa_link_record_table;
extern const struct field_table sa_guid_info_record_table;
extern const struct field_table sa_pkey_table_record_table;
extern const struct field_table sa_sl2vl_record_table;
extern const struct field_table sa_vlarb_record_table;
extern const struct field_table sa_service_record_table;
extern const struct field_table sa_path_record_table;
extern const struct field_table sa_multi_path_record_table;
extern const struct field_table sa_mc_member_record_table;
extern const struct field_table sa_inform_info_table;
extern const struct field_table sa_inform_info_record_table;

/* Component masks that an SA looks at by name; the rest is in the tables. */
#define SA_COMPONENT(n) (UINT64_C(1) << (n))

#define SA_PATH_SERVICE_ID (SA_COMPONENT(0) | SA_COMPONENT(1))
#define SA_PATH_DGID SA_COMPONENT(2)
#define SA_PATH_SGID SA_COMPONENT(3)
#define SA_PATH_DLID SA_COMPONENT(4)
#define SA_PATH_SLID SA_COMPONENT(5)
#define SA_PATH_RAW_TRAFFIC SA_COMPONENT(6)
#define SA_PATH_FLOW_LABEL SA_COMPONENT(8)
#define SA_PATH_HOP_LIMIT SA_COMPONENT(9)
#define SA_PATH_TCLASS SA_COMPONENT(10)
#define SA_PATH_REVERSIBLE SA_COMPONENT(11)
#define SA_PATH_N_PATHS SA_COMPONENT(12)
#define SA_PATH_PKEY SA_COMPONENT(13)
#define SA_PATH_QOS_CLASS SA_COMPONENT(14)
#define SA_PATH_SL SA_COMPONENT(15)
#define SA_PATH_MTU_SELECTOR SA_COMPONENT(16)
#define SA_PATH_MTU SA_COMPONENT(17)
#define SA_PATH_RATE_SELECTOR SA_COMPONENT(18)
#define SA_PATH_RATE SA_COMPONENT(19)
#define SA_PATH_LIFE_SELECTOR SA_COMPONENT(20)
#define SA_PATH_LIFE SA_COMPONENT(21)

#define SA_MULTI_FLOW_LABEL SA_COMPONENT(2)
#define SA_MULTI_HOP_LIMIT SA_COMPONENT(3)
#define SA_MULTI_TCLASS SA_COMPONENT(4)
#define SA_MULTI_REVERSIBLE SA_COMPONENT(5)
#define SA_MULTI_N_PATHS SA_COMPONENT(6)
#define SA_MULTI_PKEY SA_COMPONENT(7)
#define SA_MULTI_QOS_CLASS SA_COMPONENT(8)
#define SA_MULTI_SL SA_COMPONENT(9)
#define SA_MULTI_MTU_SELECTOR SA_COMPONENT(10)
#define SA_MULTI_MTU SA_COMPONENT(11)
#define SA_MULTI_RATE_SELECTOR SA_COMPONENT(12)
#define SA_MULTI_RATE SA_COMPONENT(13)
#define SA_MULTI_LIFE_SELECTOR SA_COMPONENT(14)
#define SA_MULTI_LIFE SA_COMPONENT(15)
#define SA_MULTI_SERVICE_ID (SA_COMPONENT(16) | SA_COMPONENT(21))
#define SA_MULTI_INDEPENDENCE SA_COMPONENT(17)
#define SA_MULTI_N_SGIDS SA_COMPONENT(19)
#define SA_MULTI_N_DGIDS SA_COMPONENT(20)

#define SA_MC_MGID SA_COMPONENT(0)
#define SA_MC_PORT_GID SA_COMPONENT(1)
#define SA_MC_QKEY SA_COMPONENT(2)
#define SA_MC_MLID SA_COMPONENT(3)
#define SA_MC_MTU_SELECTOR SA_COMPONENT(4)
#define SA_MC_MTU SA_COMPONENT(5)
#define SA_MC_TCLASS SA_COMPONENT(6)
#define SA_MC_PKEY SA_COMPONENT(7)
#define SA_MC_RATE_SELECTOR SA_COMPONENT(8)
#define SA_MC_RATE SA_COMPONENT(9)
#define SA_MC_LIFE_SELECTOR SA_COMPONENT(10)
#define SA_MC_LIFE SA_COMPONENT(11)
#define SA_MC_SL SA_COMPONENT(12)
#define SA_MC_FLOW_LABEL SA_COMPONENT(13)
#define SA_MC_HOP_LIMIT SA_COMPONENT(14)
#define SA_MC_SCOPE SA_COMPONENT(15)
#define SA_MC_JOIN_STATE SA_COMPONENT(16)
#define SA_MC_PROXY_JOIN SA_COMPONENT(17)

#define SA_GUID_INFO_LID SA_COMPONENT(0)
#define SA_GUID_INFO_BLOCK SA_COMPONENT(1)
#define SA_GUID_INFO_GUID(i) SA_COMPONENT(4 + (i))

/* The record that an attribute of the SA is made of; NULL: none we know. */
const struct field_table *sa_record(uint16_t attr_id);

/*
 * A record's place in a table reply: its length rounded up to 8 bytes.
 * AttributeOffset is this divided by 8.
 */
static inline unsigned sa_record_pitch(const struct field_table *t)
{
	return (t->length + 7u) & ~7u;
}

/* Decode the one record of a query, Set or GetResp. */
static inline void sa_get(const struct mad *m, const struct field_table *t,
                          void *out)
{
	field_decode(t, ((const struct sa_mad *)m)->data, out);
}

/* Encode one record, and set AttributeOffset as GetResp wants it. */
void sa_put(struct mad *m, const struct field_table *t, const void *in);

static inline uint64_t sa_mask(const struct mad *m)
{
	return be64_get(((const struct sa_mad *)m)->comp_mask);
}

/* Whether the record is one that the query selects. */
static inline bool sa_match(const struct field_table *t, uint64_t mask,
                            const void *query, const void *record)
{
	return field_match(t, mask, query, record);
}

/*
 * Whether a value fits a selector; SA_BEST fits always, the caller then takes
 * the best.  Out-of-range selectors (more than 2 bits) fit nothing.
 */
bool sa_selector_fits(uint8_t selector, uint8_t wanted, uint8_t have);

/*
 * Rates are codes whose order is not that of the speeds.
 * @return Gb/s times 10 (2.5 Gb/s: 25); 0: not a rate.
 */
unsigned sa_rate_speed(uint8_t rate);

/* Whether notice `n` is one for which a subscription asks. */
bool sa_inform_fits(const struct sa_inform_info *s, const struct notice *n);

#endif /* MAD_SA_H */
