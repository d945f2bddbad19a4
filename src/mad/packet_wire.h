/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packet headers (IBA 7.7, 8.3, 9.2, 9.3); big-endian.
 *
 *  LRH  0 +----+----+----+--+--+---------+   BTH  0
 * +-------+-+-+---+----+-----+ | VL |LVer| SL |  |LN|  DLID   | |opcode
 * |S|M|pad|TVer|P_Key| 4 +----+--+-+----+--+--+---------+        4
 * +-+-+---+-+-+---+----+-----+ |     | PktLen   |    SLID     |          |F|B|
 * | DestQP          | 8 +-----+----------+-------------+        8
 * +-+-+------+-----------------+ |A|        | PSN             | DETH 0
 * +------------------------------+       12 +-+--------+-----------------+ |
 * Q_Key             | 4 +-------+----------------------+   GRH: IPv6's header.
 *         |       |        SrcQP         |   PktLen: 4-byte words from LRH to
 * ICRC. 8 +-------+----------------------+
 */
#ifndef MAD_PACKET_WIRE_H
#define MAD_PACKET_WIRE_H

#include "base/wire.h"

#define PACKET_IP_VERSION 6u
#define PACKET_NEXT_BTH 0x1bu

struct packet_lrh {
	uint8_t vl_version;
	uint8_t sl_next;
	be16 dlid;
	be16 length; /* low 11 bits */
	be16 slid;
};
static_assert(sizeof(struct packet_lrh) == 8, "LRH: 8 bytes");

struct packet_grh {
	be32 version_class_flow; /* 4, 8 and 20 bits */
	be16 length;             /* bytes behind the GRH, up to ICRC */
	uint8_t next;
	uint8_t hop_limit;
	uint8_t sgid[16];
	uint8_t dgid[16];
};
static_assert(sizeof(struct packet_grh) == 40, "GRH: 40 bytes");

struct packet_bth {
	uint8_t opcode;
	uint8_t flags;
	be16 pkey;
	be32 dest_qp;
	be32 psn;
};
static_assert(sizeof(struct packet_bth) == 12, "BTH: 12 bytes");

struct packet_deth {
	be32 qkey;
	be32 src_qp;
};
static_assert(sizeof(struct packet_deth) == 8, "DETH: 8 bytes");

#endif /* MAD_PACKET_WIRE_H */
