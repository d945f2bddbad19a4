/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mad/packet - InfiniBand packets on a link (IBA chapters 5 to 9): LRH, GRH,
 * BTH, DETH, payload, ICRC, VCRC.  Unreliable datagrams are built and taken
 * apart; of other packets the headers up to BTH are understood, which is all
 * that a switch needs.
 *
 *   LRH 8 | GRH 40, if LNH is 3 | BTH 12 | DETH 8 | ImmDt 4, if the opcode
 *   says so | payload | pad 0..3 | ICRC 4 | VCRC 2
 *
 *   P1  packet_decode() trusts nothing: every length is checked against the
 *       bytes that are there;
 *   P2  packet_encode() makes what packet_decode() and packet_check() accept.
 */
#ifndef MAD_PACKET_H
#define MAD_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_PAYLOAD_MAX 4096u
#define PACKET_MAX (8u + 40u + 12u + 8u + 4u + PACKET_PAYLOAD_MAX + 4u + 2u)
#define PACKET_MIN 26u /* LRH, BTH, ICRC, VCRC */

/* LRH:LNH */
enum packet_next {
	PACKET_RAW = 0,
	PACKET_RAW_IP = 1,
	PACKET_LOCAL = 2,  /* BTH follows */
	PACKET_GLOBAL = 3, /* GRH, then BTH */
};

#define PACKET_OP_UD_SEND 0x64u
#define PACKET_OP_UD_SEND_IMM 0x65u

struct packet {
	/* LRH */
	uint8_t vl;
	uint8_t sl;
	uint8_t next; /* enum packet_next */
	uint16_t dlid;
	uint16_t slid;
	/* GRH; when next is PACKET_GLOBAL */
	uint8_t tclass;
	uint8_t hop_limit;
	uint32_t flow_label;
	uint8_t sgid[16];
	uint8_t dgid[16];
	/* BTH */
	uint8_t opcode;
	bool solicited;
	bool migrated;
	bool fecn;
	bool becn;
	bool ack;
	uint16_t pkey;
	uint32_t dest_qp; /* 24 bits, as are psn and src_qp */
	uint32_t psn;
	/* DETH; when packet_is_ud() */
	uint32_t qkey;
	uint32_t src_qp;
	uint32_t immediate; /* PACKET_OP_UD_SEND_IMM */

	/* After the headers that are decoded; a view into the packet, or what
	 * encode copies. */
	const uint8_t *payload;
	uint16_t payload_length;
};

bool packet_is_ud(uint8_t opcode);

/*
 * @return 0; -EINVAL: not a packet that we understand (too short, lengths that
 *         disagree, unknown version, raw).
 */
int packet_decode(const void *bytes, size_t length, struct packet *out);

/* ICRC and VCRC.  @return 0; -EBADMSG. */
int packet_check(const void *bytes, size_t length);

/*
 * Whole, CRCs included.  @return bytes written; -EMSGSIZE: does not fit `max`
 * or has too long a payload.
 */
int packet_encode(const struct packet *p, void *bytes, size_t max);

/*
 * A switch's fast path: LIDs, VL and QPs without taking the rest apart.
 * @return false: too short for that.
 */
struct packet_brief {
	uint16_t slid;
	uint16_t dlid;
	uint8_t vl;
	uint8_t sl;
	uint16_t pkey;
	uint32_t dest_qp;
	uint32_t src_qp; /* 0 unless it is UD */
};
bool packet_brief(const void *bytes, size_t length, struct packet_brief *out);

/* Change the VL in place and mend the VCRC; the ICRC does not cover it. */
void packet_set_vl(void *bytes, size_t length, uint8_t vl);

/* CRC-32 of 802.3 with the variant fields as ones (IBA 7.8.1); the value as
 * the four bytes are sent, first byte in the low bits. */
uint32_t packet_icrc(const void *bytes, size_t length);
/* CRC-16, polynomial 0x100b (IBA 7.8.2), over LRH to ICRC. */
uint16_t packet_vcrc(const void *bytes, size_t length);

#endif /* MAD_PACKET_H */
