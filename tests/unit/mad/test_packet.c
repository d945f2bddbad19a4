/* SPDX-License-Identifier: BSD-2-Clause */
/* shows P1, P2 of mad/packet.h */
#include "base/base.h"
#include "base/wire.h"
#include "mad/packet.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/*
 * The sample packet of IBA 7.8.5, whose ICRC is 0x9625B75A.  The VCRC was
 * computed bit by bit outside of this program.
 */
static const uint8_t sample[] = {
	0x70, 0x12, 0x37, 0x5c, 0x00, 0x0e, 0x17, 0xd2, /* LRH */
	0x0a, 0x20, 0x24, 0x87, 0x00, 0x87, 0xb1, 0xb3, /* BTH */
	0x00, 0x0d, 0xec, 0x2a, 0x01, 0x71, 0x0a, 0x1c, /* RETH */
	0x01, 0x5d, 0x40, 0x02, 0x38, 0xf2, 0x7a, 0x05, /**/
	0x00, 0x00, 0x00, 0x0e, 0xbb, 0x88, 0x4d, 0x85, /* payload */
	0xfd, 0x5c, 0xfb, 0xa4, 0x72, 0x8b, 0xc0, 0x69, /**/
	0x0e, 0xd4, 0x00, 0x00, 0x96, 0x25, 0xb7, 0x5a, /* pad, ICRC */
	0x45, 0xfa,                                     /* VCRC */
};

static void test_sample(void **state)
{
	uint8_t copy[sizeof(sample)];
	struct packet p;

	(void)state;
	assert_int_equal(packet_check(sample, sizeof(sample)), 0);
	assert_int_equal(packet_decode(sample, sizeof(sample), &p), 0);
	assert_int_equal(p.vl, 7);
	assert_int_equal(p.sl, 1);
	assert_int_equal(p.next, PACKET_LOCAL);
	assert_int_equal(p.dlid, 0x375c);
	assert_int_equal(p.slid, 0x17d2);
	assert_int_equal(p.opcode, 0x0a);
	assert_int_equal(p.pkey, 0x2487);
	assert_int_equal(p.dest_qp, 0x87b1b3);
	assert_int_equal(p.psn, 0x0dec2a);
	assert_int_equal(p.payload_length, 16 + 14);

	/* The VL may change on the way, nothing else. */
	memcpy(copy, sample, sizeof(copy));
	packet_set_vl(copy, sizeof(copy), 2);
	assert_int_equal(packet_check(copy, sizeof(copy)), 0);
	for (unsigned i = 0; i < sizeof(sample); i++) {
		memcpy(copy, sample, sizeof(copy));
		copy[i] ^= 0x10;
		assert_int_equal(packet_check(copy, sizeof(copy)), -EBADMSG);
	}
}

static uint64_t seed = 1;

static uint32_t random32(void)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(seed >> 32);
}

static struct packet random_packet(const uint8_t *payload)
{
	struct packet p = {
		.vl = random32() & 15,
		.sl = random32() & 15,
		.next = random32() & 1 ? PACKET_LOCAL : PACKET_GLOBAL,
		.dlid = (uint16_t)random32(),
		.slid = (uint16_t)random32(),
		.opcode = random32() & 1 ? PACKET_OP_UD_SEND
		                         : PACKET_OP_UD_SEND_IMM,
		.solicited = random32() & 1,
		.migrated = random32() & 1,
		.fecn = random32() & 1,
		.becn = random32() & 1,
		.ack = random32() & 1,
		.pkey = (uint16_t)random32(),
		.dest_qp = random32() & 0xffffff,
		.psn = random32() & 0xffffff,
		.qkey = random32(),
		.src_qp = random32() & 0xffffff,
		.payload = payload,
		.payload_length =
			(uint16_t)(random32() % (PACKET_PAYLOAD_MAX + 1)),
	};

	if (p.opcode == PACKET_OP_UD_SEND_IMM)
		p.immediate = random32();
	if (p.next == PACKET_GLOBAL) {
		p.tclass = (uint8_t)random32();
		p.hop_limit = (uint8_t)random32();
		p.flow_label = random32() & 0xfffff;
		p.sgid[3] = (uint8_t)random32();
		p.dgid[15] = (uint8_t)random32();
	}
	return p;
}

static void assert_same(const struct packet *a, const struct packet *b)
{
	struct packet x = *a, y = *b;

	assert_memory_equal(x.payload, y.payload, x.payload_length);
	x.payload = y.payload = NULL;
	assert_int_equal(x.vl, y.vl);
	assert_int_equal(x.sl, y.sl);
	assert_int_equal(x.next, y.next);
	assert_int_equal(x.dlid, y.dlid);
	assert_int_equal(x.slid, y.slid);
	assert_int_equal(x.tclass, y.tclass);
	assert_int_equal(x.hop_limit, y.hop_limit);
	assert_int_equal(x.flow_label, y.flow_label);
	assert_memory_equal(x.sgid, y.sgid, 16);
	assert_memory_equal(x.dgid, y.dgid, 16);
	assert_int_equal(x.opcode, y.opcode);
	assert_int_equal(x.solicited, y.solicited);
	assert_int_equal(x.migrated, y.migrated);
	assert_int_equal(x.fecn, y.fecn);
	assert_int_equal(x.becn, y.becn);
	assert_int_equal(x.ack, y.ack);
	assert_int_equal(x.pkey, y.pkey);
	assert_int_equal(x.dest_qp, y.dest_qp);
	assert_int_equal(x.psn, y.psn);
	assert_int_equal(x.qkey, y.qkey);
	assert_int_equal(x.src_qp, y.src_qp);
	assert_int_equal(x.immediate, y.immediate);
	assert_int_equal(x.payload_length, y.payload_length);
}

/* shows P2, and that the brief view agrees */
static void test_round_trip(void **state)
{
	static uint8_t payload[PACKET_PAYLOAD_MAX], bytes[PACKET_MAX];

	(void)state;
	for (unsigned i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 + 1);
	for (unsigned i = 0; i < 2000; i++) {
		struct packet p = random_packet(payload), back;
		struct packet_brief brief;
		int n = packet_encode(&p, bytes, sizeof(bytes));

		assert_true(n > 0);
		assert_int_equal(packet_check(bytes, (size_t)n), 0);
		assert_int_equal(packet_decode(bytes, (size_t)n, &back), 0);
		assert_same(&p, &back);
		assert_true(packet_brief(bytes, (size_t)n, &brief));
		assert_int_equal(brief.dlid, p.dlid);
		assert_int_equal(brief.src_qp, p.src_qp);
		assert_int_equal(brief.dest_qp, p.dest_qp);
		assert_int_equal(brief.pkey, p.pkey);
		assert_int_equal(packet_encode(&p, bytes, (size_t)n - 1),
		                 -EMSGSIZE);
		packet_set_vl(bytes, (size_t)n, (uint8_t)(p.vl ^ 9));
		assert_int_equal(packet_check(bytes, (size_t)n), 0);
	}
}

/* With a GRH, what routers change is not covered by the ICRC. */
static void test_global_invariant(void **state)
{
	static const uint8_t payload[5] = { 1, 2, 3, 4, 5 };
	struct packet p = { .next = PACKET_GLOBAL,
		            .opcode = PACKET_OP_UD_SEND,
		            .payload = payload,
		            .payload_length = 5,
		            .hop_limit = 64 };
	uint8_t bytes[PACKET_MAX];
	int n = packet_encode(&p, bytes, sizeof(bytes));
	uint32_t icrc = packet_icrc(bytes, (size_t)n);

	(void)state;
	bytes[0] ^= 0x30; /* VL */
	bytes[1] ^= 0x40; /* SL */
	bytes[2] ^= 0xff; /* DLID */
	bytes[9] ^= 0x5a; /* traffic class, flow label */
	bytes[11] ^= 1;
	bytes[15] = 63; /* hop limit */
	assert_int_equal(packet_icrc(bytes, (size_t)n), icrc);
	bytes[16] ^= 1; /* SGID */
	assert_int_not_equal(packet_icrc(bytes, (size_t)n), icrc);
}

/* shows P1: what is wrong, one at a time. */
static void test_refused(void **state)
{
	static const struct {
		unsigned at;
		uint8_t value;
	} rows[] = {
		{ 0, 0x01 },      /* link version */
		{ 1, 0x00 },      /* LNH raw */
		{ 1, 0x01 },      /* LNH raw IP */
		{ 5, 0xff },      /* length */
		{ 8, 0x50 },      /* IP version */
		{ 13, 0x00 },     /* GRH's length */
		{ 14, 0x11 },     /* next header: UDP */
		{ 8 + 41, 0x01 }, /* transport version */
	};
	struct packet p = { .next = PACKET_GLOBAL,
		            .opcode = PACKET_OP_UD_SEND };
	uint8_t good[PACKET_MAX], bytes[PACKET_MAX];
	int n = packet_encode(&p, good, sizeof(good));
	struct packet out;

	(void)state;
	assert_int_equal(packet_decode(good, (size_t)n, &out), 0);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		memcpy(bytes, good, sizeof(bytes));
		bytes[rows[i].at] = rows[i].value;
		assert_int_equal(packet_decode(bytes, (size_t)n, &out),
		                 -EINVAL);
	}
	for (int less = 0; less < n; less++)
		assert_int_equal(packet_decode(good, (size_t)less, &out),
		                 -EINVAL);
	/* More padding than there is payload. */
	memcpy(bytes, good, sizeof(bytes));
	bytes[8 + 41] = 0x30;
	assert_int_equal(packet_decode(bytes, (size_t)n, &out), -EINVAL);
	p.payload_length = PACKET_PAYLOAD_MAX + 1;
	assert_int_equal(packet_encode(&p, bytes, sizeof(bytes)), -EMSGSIZE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_global_invariant),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
