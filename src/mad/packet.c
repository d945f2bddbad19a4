/* SPDX-License-Identifier: BSD-2-Clause */
#include "mad/packet.h"

#include "base/base.h"
#include "base/wire.h"
#include "mad/packet_wire.h"

#include <errno.h>

#define ICRC_LENGTH 4u
#define VCRC_LENGTH 2u

bool packet_is_ud(uint8_t opcode)
{
	return opcode == PACKET_OP_UD_SEND || opcode == PACKET_OP_UD_SEND_IMM;
}

static size_t grh_length(uint8_t next)
{
	return next == PACKET_GLOBAL ? sizeof(struct packet_grh) : 0;
}

/* Headers behind BTH. */
static size_t extension_length(uint8_t opcode)
{
	switch (opcode) {
	case PACKET_OP_UD_SEND:
		return sizeof(struct packet_deth);
	case PACKET_OP_UD_SEND_IMM:
		return sizeof(struct packet_deth) + sizeof(be32);
	default:
		return 0;
	}
}

static uint32_t low24(be32 v)
{
	return be32_get(v) & 0xffffff;
}

/* -- decoding -------------------------------------------------------------- */

static void decode_lrh(const struct packet_lrh *h, struct packet *out)
{
	out->vl = h->vl_version >> 4;
	out->sl = h->sl_next >> 4;
	out->next = h->sl_next & 3;
	out->dlid = be16_get(h->dlid);
	out->slid = be16_get(h->slid);
}

/* The link's view: whole, not raw, as long as it says. */
static int check_lrh(const void *bytes, size_t length)
{
	const struct packet_lrh *h = bytes;
	size_t words;

	if (length < PACKET_MIN || length > PACKET_MAX)
		return -EINVAL;
	words = be16_get(h->length) & 0x7ff;
	if ((h->vl_version & 15) != 0 || (h->sl_next & 3) < PACKET_LOCAL ||
	    words * 4 + VCRC_LENGTH != length)
		return -EINVAL;
	return 0;
}

static int decode_grh(const uint8_t *at, size_t left, struct packet *out)
{
	const struct packet_grh *h = (const struct packet_grh *)at;
	uint32_t word;

	if (left < sizeof(*h))
		return -EINVAL;
	word = be32_get(h->version_class_flow);
	/* The payload is what follows the GRH, ICRC included. */
	if (word >> 28 != PACKET_IP_VERSION || h->next != PACKET_NEXT_BTH ||
	    be16_get(h->length) != left - sizeof(*h) + ICRC_LENGTH)
		return -EINVAL;
	out->tclass = (uint8_t)(word >> 20);
	out->flow_label = word & 0xfffff;
	out->hop_limit = h->hop_limit;
	memcpy(out->sgid, h->sgid, sizeof(out->sgid));
	memcpy(out->dgid, h->dgid, sizeof(out->dgid));
	return 0;
}

static void decode_bth(const struct packet_bth *h, struct packet *out)
{
	out->opcode = h->opcode;
	out->solicited = h->flags >> 7;
	out->migrated = h->flags >> 6 & 1;
	out->pkey = be16_get(h->pkey);
	out->fecn = be32_get(h->dest_qp) >> 31;
	out->becn = be32_get(h->dest_qp) >> 30 & 1;
	out->dest_qp = low24(h->dest_qp);
	out->ack = be32_get(h->psn) >> 31;
	out->psn = low24(h->psn);
}

static void decode_extension(const uint8_t *at, struct packet *out)
{
	const struct packet_deth *h = (const struct packet_deth *)at;

	if (!packet_is_ud(out->opcode))
		return;
	out->qkey = be32_get(h->qkey);
	out->src_qp = low24(h->src_qp);
	if (out->opcode == PACKET_OP_UD_SEND_IMM)
		out->immediate = be32_get(*(const be32 *)(at + sizeof(*h)));
}

int packet_decode(const void *bytes, size_t length, struct packet *out)
{
	const uint8_t *at = bytes;
	const struct packet_bth *bth;
	struct packet p = { 0 };
	size_t left, pad, extension;

	if (check_lrh(bytes, length))
		return -EINVAL;
	decode_lrh(bytes, &p);
	at += sizeof(struct packet_lrh);
	left = length - sizeof(struct packet_lrh) - ICRC_LENGTH - VCRC_LENGTH;
	if (p.next == PACKET_GLOBAL) {
		if (decode_grh(at, left, &p))
			return -EINVAL;
		at += sizeof(struct packet_grh);
		left -= sizeof(struct packet_grh);
	}
	if (left < sizeof(*bth))
		return -EINVAL;
	bth = (const struct packet_bth *)at;
	decode_bth(bth, &p);
	at += sizeof(*bth);
	left -= sizeof(*bth);
	pad = bth->flags >> 4 & 3;
	extension = extension_length(p.opcode);
	if ((bth->flags & 15) != 0 || left < extension + pad ||
	    left - extension - pad > PACKET_PAYLOAD_MAX)
		return -EINVAL;
	decode_extension(at, &p);
	p.payload = at + extension;
	p.payload_length = (uint16_t)(left - extension - pad);
	*out = p;
	return 0;
}

bool packet_brief(const void *bytes, size_t length, struct packet_brief *out)
{
	const struct packet_lrh *lrh = bytes;
	const uint8_t *at = (const uint8_t *)bytes + sizeof(*lrh);
	const struct packet_bth *bth;
	size_t need = sizeof(*lrh) + sizeof(*bth);

	if (length < PACKET_MIN)
		return false;
	need += grh_length(lrh->sl_next & 3);
	at += grh_length(lrh->sl_next & 3);
	if (length < need)
		return false;
	bth = (const struct packet_bth *)at;
	at += sizeof(*bth);
	need += sizeof(struct packet_deth);
	out->slid = be16_get(lrh->slid);
	out->dlid = be16_get(lrh->dlid);
	out->vl = lrh->vl_version >> 4;
	out->sl = lrh->sl_next >> 4;
	out->pkey = be16_get(bth->pkey);
	out->dest_qp = low24(bth->dest_qp);
	out->src_qp = 0;
	if (packet_is_ud(bth->opcode) && length >= need)
		out->src_qp = low24(((const struct packet_deth *)at)->src_qp);
	return true;
}

/* -- encoding -------------------------------------------------------------- */

static uint8_t *encode_headers(const struct packet *p, size_t after_lrh,
                               unsigned pad, uint8_t *at)
{
	size_t grh = grh_length(p->next);
	size_t words = (sizeof(struct packet_lrh) + after_lrh) / 4;

	*(struct packet_lrh *)at = (struct packet_lrh){
		.vl_version = (uint8_t)(p->vl << 4),
		.sl_next = (uint8_t)(p->sl << 4 | (p->next & 3)),
		.dlid = be16_put(p->dlid),
		.length = be16_put((uint16_t)(words & 0x7ff)),
		.slid = be16_put(p->slid),
	};
	at += sizeof(struct packet_lrh);
	if (grh) {
		struct packet_grh *h = (struct packet_grh *)at;

		h->version_class_flow = be32_put(
			(uint32_t)PACKET_IP_VERSION << 28 |
			(uint32_t)p->tclass << 20 | (p->flow_label & 0xfffff));
		h->length = be16_put((uint16_t)(after_lrh - grh));
		h->next = PACKET_NEXT_BTH;
		h->hop_limit = p->hop_limit;
		memcpy(h->sgid, p->sgid, sizeof(h->sgid));
		memcpy(h->dgid, p->dgid, sizeof(h->dgid));
		at += grh;
	}
	*(struct packet_bth *)at = (struct packet_bth){
		.opcode = p->opcode,
		.flags = (uint8_t)((unsigned)p->solicited << 7 |
		                   (unsigned)p->migrated << 6 | pad << 4),
		.pkey = be16_put(p->pkey),
		.dest_qp = be32_put((uint32_t)p->fecn << 31 |
		                    (uint32_t)p->becn << 30 |
		                    (p->dest_qp & 0xffffff)),
		.psn = be32_put((uint32_t)p->ack << 31 | (p->psn & 0xffffff)),
	};
	at += sizeof(struct packet_bth);
	if (packet_is_ud(p->opcode)) {
		*(struct packet_deth *)at = (struct packet_deth){
			.qkey = be32_put(p->qkey),
			.src_qp = be32_put(p->src_qp & 0xffffff),
		};
		at += sizeof(struct packet_deth);
	}
	if (p->opcode == PACKET_OP_UD_SEND_IMM) {
		*(be32 *)at = be32_put(p->immediate);
		at += sizeof(be32);
	}
	return at;
}

int packet_encode(const struct packet *p, void *bytes, size_t max)
{
	unsigned pad = -p->payload_length & 3u;
	size_t after_lrh = grh_length(p->next) + sizeof(struct packet_bth) +
	                   extension_length(p->opcode) + p->payload_length +
	                   pad + ICRC_LENGTH;
	size_t length = sizeof(struct packet_lrh) + after_lrh + VCRC_LENGTH;
	uint8_t *at = bytes;

	assert(p->next >= PACKET_LOCAL && p->next <= PACKET_GLOBAL);
	if (p->payload_length > PACKET_PAYLOAD_MAX || length > max)
		return -EMSGSIZE;
	at = encode_headers(p, after_lrh, pad, at);
	if (p->payload_length)
		memcpy(at, p->payload, p->payload_length);
	memset(at + p->payload_length, 0, pad);
	at += p->payload_length + pad;
	*(le32 *)at = le32_put(packet_icrc(bytes, length));
	at += ICRC_LENGTH;
	*(le16 *)at = le16_put(packet_vcrc(bytes, length));
	return (int)length;
}

void packet_set_vl(void *bytes, size_t length, uint8_t vl)
{
	struct packet_lrh *h = bytes;
	uint8_t *end = (uint8_t *)bytes + length;

	assert(length >= PACKET_MIN);
	h->vl_version = (uint8_t)(vl << 4 | (h->vl_version & 15));
	*(le16 *)(end - VCRC_LENGTH) = le16_put(packet_vcrc(bytes, length));
}

int packet_check(const void *bytes, size_t length)
{
	const uint8_t *end = (const uint8_t *)bytes + length;

	if (length < PACKET_MIN)
		return -EBADMSG;
	if (le16_get(*(const le16 *)(end - VCRC_LENGTH)) !=
	    packet_vcrc(bytes, length))
		return -EBADMSG;
	if (le32_get(*(const le32 *)(end - VCRC_LENGTH - ICRC_LENGTH)) !=
	    packet_icrc(bytes, length))
		return -EBADMSG;
	return 0;
}
