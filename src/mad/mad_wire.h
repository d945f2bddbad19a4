/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Management datagrams on the wire (IBA vol 1 rel 1.4: 13.4, 14.2.1, 15.2,
 * 16.1).  256 bytes, big-endian, bit 0 of a word is its most significant.
 *
 *  common header            directed-route SMP       SA MAD
 *   0 +----+----+----+----+  24 +--------------+  24 +----+----+----+----+
 *     |base|cls |vers|mthd|     |    M_Key     |     |RMPP vers,type,flags|
 *   4 +---------+---------+  32 +------+-------+  28 +-------------------+
 *     | status  |  class  |     |DrSLID|DrDLID |     | data 1            |
 *   8 +---------+---------+  36 +------+-------+  32 +-------------------+
 *     |        TID        |     |   reserved   |     | data 2            |
 *  16 +---------+---------+  64 +--------------+  36 +-------------------+
 *     | attr ID |reserved |     | 64 bytes of  |     | SM_Key (8)        |
 *  20 +---------+---------+     | attribute    |  44 +---------+---------+
 *     | attribute modifier|  128+--------------+     | offset  |reserved |
 *  24 +-------------------+     | initial path |  48 +---------+---------+
 *     | data (232)        |  192+--------------+     | component mask (8)|
 * 256 +-------------------+     | return path  |  56 +-------------------+
 *                           256 +--------------+     | data (200)        |
 *                                                256 +-------------------+
 *  A LID-routed SMP has zeroes instead of LIDs and paths.  Performance
 *  management: 40 reserved bytes, then 192 bytes of data at 64.
 */
#ifndef MAD_MAD_WIRE_H
#define MAD_MAD_WIRE_H

#include "base/wire.h"

#include <stddef.h>

#define MAD_LENGTH 256u
#define MAD_BASE_VERSION 1u
#define MAD_LID_PERMISSIVE 0xffffu
#define MAD_LID_UNICAST_MAX 0xbfffu
#define MAD_LID_MULTICAST_MIN 0xc000u
#define MAD_LID_MULTICAST_MAX 0xfffeu
#define MAD_QKEY_GSI UINT32_C(0x80010000)

enum mad_class {
	MAD_CLASS_SUBN_LID = 0x01,
	MAD_CLASS_SA = 0x03,
	MAD_CLASS_PERF = 0x04,
	MAD_CLASS_SUBN_DIRECTED = 0x81,
};

/* Class versions: 1, but 2 for SA. */
#define MAD_CLASS_VERSION 1u
#define MAD_CLASS_VERSION_SA 2u

#define MAD_METHOD_RESPONSE 0x80u
#define MAD_METHODS 128u

enum mad_method {
	MAD_GET = 0x01,
	MAD_SET = 0x02,
	MAD_SEND = 0x03,
	MAD_TRAP = 0x05,
	MAD_REPORT = 0x06,
	MAD_TRAP_REPRESS = 0x07,
	MAD_SA_GET_TABLE = 0x12,
	MAD_SA_GET_TRACE_TABLE = 0x13,
	MAD_SA_GET_MULTI = 0x14,
	MAD_SA_DELETE = 0x15,
	MAD_GET_RESP = 0x81,
	MAD_REPORT_RESP = 0x86,
	MAD_SA_GET_TABLE_RESP = 0x92,
	MAD_SA_GET_MULTI_RESP = 0x94,
	MAD_SA_DELETE_RESP = 0x95,
};

/*
 * Status: bit 15 is the direction of a directed-route SMP; bits 8..14 belong
 * to the class; bits 2..4 are a code for what is invalid.
 */
#define MAD_STATUS_D 0x8000u
#define MAD_STATUS_BUSY 0x0001u
#define MAD_STATUS_REDIRECT 0x0002u
#define MAD_STATUS_CODE 0x001cu
#define MAD_STATUS_BAD_VERSION 0x0004u
#define MAD_STATUS_BAD_METHOD 0x0008u    /* method not supported */
#define MAD_STATUS_BAD_ATTRIBUTE 0x000cu /* not with this method */
#define MAD_STATUS_BAD_VALUE 0x001cu     /* in attribute or modifier */
#define MAD_STATUS_CLASS 0x7f00u

/* Of the SA, in the class's bits (table 185). */
#define MAD_STATUS_SA_NO_RESOURCES 0x0100u
#define MAD_STATUS_SA_INVALID 0x0200u
#define MAD_STATUS_SA_NO_RECORDS 0x0300u
#define MAD_STATUS_SA_TOO_MANY 0x0400u
#define MAD_STATUS_SA_BAD_GID 0x0500u
#define MAD_STATUS_SA_TOO_FEW 0x0600u /* insufficient components */
#define MAD_STATUS_SA_DENIED 0x0700u
#define MAD_STATUS_SA_PRIORITY 0x0800u /* priority suggested */

enum mad_attr {
	/* all classes */
	MAD_ATTR_CLASS_PORT_INFO = 0x0001,
	MAD_ATTR_NOTICE = 0x0002,
	MAD_ATTR_INFORM_INFO = 0x0003,
	/* subnet management */
	MAD_ATTR_NODE_DESCRIPTION = 0x0010,
	MAD_ATTR_NODE_INFO = 0x0011,
	MAD_ATTR_SWITCH_INFO = 0x0012,
	MAD_ATTR_GUID_INFO = 0x0014,
	MAD_ATTR_PORT_INFO = 0x0015,
	MAD_ATTR_PKEY_TABLE = 0x0016,
	MAD_ATTR_SL2VL = 0x0017,
	MAD_ATTR_VLARB = 0x0018,
	MAD_ATTR_LFT = 0x0019,
	MAD_ATTR_MFT = 0x001b,
	MAD_ATTR_SM_INFO = 0x0020,
	MAD_ATTR_LED_INFO = 0x0031,
	/* subnet management, ours: docs/wire-lag.md */
	MAD_ATTR_LAG_HOST = 0xffe0,
	MAD_ATTR_LAG_SWITCH = 0xffe1,
	MAD_ATTR_LAG_GROUPS = 0xffe2,
	MAD_ATTR_LAG_LIDS = 0xffe3,
	MAD_ATTR_LAG_SKIP = 0xffe4,
	/* performance management */
	MAD_ATTR_PORT_COUNTERS = 0x0012,
	MAD_ATTR_PORT_COUNTERS_EXT = 0x001d,
	/* subnet administration */
	MAD_ATTR_NODE_RECORD = 0x0011,
	MAD_ATTR_PORT_INFO_RECORD = 0x0012,
	MAD_ATTR_SL2VL_RECORD = 0x0013,
	MAD_ATTR_SWITCH_INFO_RECORD = 0x0014,
	MAD_ATTR_LFT_RECORD = 0x0015,
	MAD_ATTR_MFT_RECORD = 0x0017,
	MAD_ATTR_SM_INFO_RECORD = 0x0018,
	MAD_ATTR_LINK_RECORD = 0x0020,
	MAD_ATTR_GUID_INFO_RECORD = 0x0030,
	MAD_ATTR_SERVICE_RECORD = 0x0031,
	MAD_ATTR_PKEY_TABLE_RECORD = 0x0033,
	MAD_ATTR_PATH_RECORD = 0x0035,
	MAD_ATTR_VLARB_RECORD = 0x0036,
	MAD_ATTR_MC_MEMBER_RECORD = 0x0038,
	MAD_ATTR_TRACE_RECORD = 0x0039,
	MAD_ATTR_MULTI_PATH_RECORD = 0x003a,
	MAD_ATTR_SERVICE_ASSOCIATION_RECORD = 0x003b,
	MAD_ATTR_INFORM_INFO_RECORD = 0x00f3,
};

struct mad_header {
	uint8_t base_version;
	uint8_t mgmt_class;
	uint8_t class_version;
	uint8_t method;
	be16 status;
	union {
		be16 class_specific;
		struct { /* directed-route SMP */
			uint8_t hop_pointer;
			uint8_t hop_count;
		};
	};
	be64 tid;
	be16 attr_id;
	be16 reserved;
	be32 attr_mod;
};
static_assert(sizeof(struct mad_header) == 24, "common header: 24 bytes");

struct mad {
	struct mad_header header;
	uint8_t data[232];
};
static_assert(sizeof(struct mad) == MAD_LENGTH, "a MAD is 256 bytes");

#define SMP_DATA_LENGTH 64u
#define SMP_PATH_LENGTH 64u /* entry 0 is not used: at most 63 hops */

struct smp { /* overlays struct mad */
	struct mad_header header;
	be64 m_key;
	be16 dr_slid; /* these two and the paths: directed route only */
	be16 dr_dlid;
	uint8_t reserved[28];
	uint8_t data[SMP_DATA_LENGTH];
	uint8_t initial_path[SMP_PATH_LENGTH];
	uint8_t return_path[SMP_PATH_LENGTH];
};
static_assert(sizeof(struct smp) == MAD_LENGTH, "an SMP is a MAD");
static_assert(offsetof(struct smp, dr_slid) == 32, "DrSLID at 32");
static_assert(offsetof(struct smp, data) == 64, "SMP data at 64");
static_assert(offsetof(struct smp, return_path) == 192, "return path at 192");

#define PERF_DATA_LENGTH 192u

struct perf_mad { /* overlays struct mad */
	struct mad_header header;
	uint8_t reserved[40];
	uint8_t data[PERF_DATA_LENGTH];
};
static_assert(sizeof(struct perf_mad) == MAD_LENGTH, "a PMA MAD is a MAD");

#define SA_DATA_LENGTH 200u
#define SA_HEADER_LENGTH 20u /* in each RMPP segment, before its data */

#define RMPP_VERSION 1u
#define RMPP_ACTIVE 0x01u
#define RMPP_FIRST 0x02u
#define RMPP_LAST 0x04u

enum rmpp_type {
	RMPP_DATA = 1,
	RMPP_ACK = 2,
	RMPP_STOP = 3,
	RMPP_ABORT = 4,
};

enum rmpp_status {
	RMPP_NORMAL = 0,
	RMPP_RESOURCES_EXHAUSTED = 1,
	RMPP_TIMEOUT = 118,    /* total transaction time too long */
	RMPP_BAD_LENGTH = 119, /* inconsistent last and payload length */
	RMPP_BAD_FIRST = 120,  /* inconsistent first and segment number */
	RMPP_BAD_TYPE = 121,
	RMPP_WINDOW_TOO_SMALL = 122, /* NewWindowLast too small */
	RMPP_SEGMENT_TOO_BIG = 123,
	RMPP_ILLEGAL_STATUS = 124,
	RMPP_BAD_VERSION = 125,
	RMPP_TOO_MANY_RETRIES = 126,
	RMPP_UNSPECIFIED = 127,
};

struct rmpp_header {
	uint8_t version; /* 1; 0: not RMPP */
	uint8_t type;    /* enum rmpp_type */
	uint8_t flags;   /* low three bits RMPP_*; above them response time */
	uint8_t status;  /* enum rmpp_status */
	be32 data1;      /* DATA: segment, from 1; ACK: the last one received */
	be32 data2;      /* DATA: payload bytes; ACK: last one welcome */
};
static_assert(sizeof(struct rmpp_header) == 12, "RMPP header: 12 bytes");

struct sa_mad { /* overlays struct mad */
	struct mad_header header;
	struct rmpp_header rmpp;
	be64 sm_key;
	be16 attr_offset; /* from one record to the next, in 8 bytes */
	be16 reserved;
	be64 comp_mask;
	uint8_t data[SA_DATA_LENGTH];
};
static_assert(sizeof(struct sa_mad) == MAD_LENGTH, "an SA MAD is a MAD");
static_assert(offsetof(struct sa_mad, sm_key) == 36, "SM_Key at 36");
static_assert(offsetof(struct sa_mad, data) == 56, "SA data at 56");

#endif /* MAD_MAD_WIRE_H */
