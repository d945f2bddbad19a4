/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Both CRCs take the least significant bit of each byte first, start from all
 * ones, are inverted, and are sent low byte first (IBA 7.8).
 */
#include "base/wire.h"
#include "mad/packet.h"
#include "mad/packet_wire.h"

#include <pthread.h>

#define ICRC_POLY UINT32_C(0xedb88320) /* 0x04c11db7, bits reversed */
#define VCRC_POLY 0xd008u              /* 0x100b, bits reversed */

/* Eight tables: byte i of eight, followed by 7 - i zero bytes. */
static uint32_t icrc_table[8][256];
static uint16_t vcrc_table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
	for (unsigned b = 0; b < 256; b++) {
		uint32_t i = b, v = b;

		for (unsigned bit = 0; bit < 8; bit++) {
			i = i >> 1 ^ (i & 1 ? ICRC_POLY : 0);
			v = v >> 1 ^ (v & 1 ? VCRC_POLY : 0);
		}
		icrc_table[0][b] = i;
		vcrc_table[0][b] = (uint16_t)v;
	}
	for (unsigned t = 1; t < 8; t++) {
		for (unsigned b = 0; b < 256; b++) {
			uint32_t i = icrc_table[t - 1][b];
			uint32_t v = vcrc_table[t - 1][b];

			icrc_table[t][b] = i >> 8 ^ icrc_table[0][i & 255];
			vcrc_table[t][b] =
				(uint16_t)(v >> 8 ^ vcrc_table[0][v & 255]);
		}
	}
}

static uint32_t icrc_more(uint32_t crc, const uint8_t *at, size_t n)
{
	for (; n >= 8; n -= 8, at += 8) {
		uint64_t x = le64_get(*(const le64 *)at) ^ crc;

		crc = 0;
		for (unsigned i = 0; i < 8; i++)
			crc ^= icrc_table[7 - i][x >> (8 * i) & 255];
	}
	for (; n; n--, at++)
		crc = crc >> 8 ^ icrc_table[0][(crc ^ *at) & 255];
	return crc;
}

static uint32_t vcrc_more(uint32_t crc, const uint8_t *at, size_t n)
{
	for (; n >= 8; n -= 8, at += 8) {
		uint64_t x = le64_get(*(const le64 *)at) ^ crc;

		crc = 0;
		for (unsigned i = 0; i < 8; i++)
			crc ^= vcrc_table[7 - i][x >> (8 * i) & 255];
	}
	for (; n; n--, at++)
		crc = crc >> 8 ^ vcrc_table[0][(crc ^ *at) & 255];
	return crc;
}

/* The headers with what may change on the way as ones; their length. */
static size_t mask_headers(const uint8_t *bytes, size_t length, uint8_t *out)
{
	const struct packet_lrh *lrh = (const struct packet_lrh *)bytes;
	size_t n = sizeof(*lrh) + sizeof(struct packet_bth);
	struct packet_grh *grh = (struct packet_grh *)(out + sizeof(*lrh));
	struct packet_bth *bth = (struct packet_bth *)grh;

	if ((lrh->sl_next & 3) == PACKET_GLOBAL)
		n += sizeof(*grh);
	if (n > length)
		return 0;
	memcpy(out, bytes, n);
	if ((lrh->sl_next & 3) == PACKET_GLOBAL) {
		memset(out, 0xff, sizeof(*lrh));
		grh->version_class_flow.byte[0] |= 0x0f;
		memset(grh->version_class_flow.byte + 1, 0xff, 3);
		grh->hop_limit = 0xff;
		bth = (struct packet_bth *)(grh + 1);
	} else {
		out[0] |= 0xf0; /* VL */
	}
	bth->dest_qp.byte[0] = 0xff; /* FECN, BECN and reserved */
	return n;
}

uint32_t packet_icrc(const void *bytes, size_t length)
{
	uint8_t head[sizeof(struct packet_lrh) + sizeof(struct packet_grh) +
	             sizeof(struct packet_bth)];
	size_t covered = length - 6, n;
	uint32_t crc;

	assert(length >= PACKET_MIN);
	pthread_once(&once, make_tables);
	n = mask_headers(bytes, covered, head);
	crc = icrc_more(UINT32_MAX, head, n);
	return ~icrc_more(crc, (const uint8_t *)bytes + n, covered - n);
}

uint16_t packet_vcrc(const void *bytes, size_t length)
{
	assert(length >= PACKET_MIN);
	pthread_once(&once, make_tables);
	return (uint16_t)~vcrc_more(0xffff, bytes, length - 2);
}
