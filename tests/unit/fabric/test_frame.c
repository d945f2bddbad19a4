/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames, statuses and addresses: pure functions over bytes. */
#include "../test.h"

#include "base/base.h"
#include "fabric/address.h"
#include "fabric/frame.h"

#include <errno.h>
#include <string.h>

/* -- headers -------------------------------------------------------------- */

static const struct frame good[] = {
	{ .type = FABRIC_WIRE_SEND,
	  .last = true,
	  .sequence = 1,
	  .length = 9,
	  .total = 9 },
	{ .type = FABRIC_WIRE_SEND,
	  .last = true,
	  .sequence = 1,
	  .status = FABRIC_REVOKED },
	{ .type = FABRIC_WIRE_READ,
	  .last = true,
	  .sequence = UINT64_MAX,
	  .key = { { 1 } },
	  .offset = 5,
	  .total = UINT64_C(1) << 40 },
	{ .type = FABRIC_WIRE_WRITE,
	  .sequence = 7,
	  .key = { { 1 } },
	  .offset = UINT64_MAX - 65536,
	  .length = 65536,
	  .total = 70000 },
	{ .type = FABRIC_WIRE_WRITE_IMM,
	  .last = true,
	  .sequence = 7,
	  .immediate = UINT32_MAX },
	{ .type = FABRIC_WIRE_CAS,
	  .last = true,
	  .sequence = 7,
	  .total = 1,
	  .operand = UINT64_MAX },
	{ .type = FABRIC_WIRE_FAA,
	  .last = true,
	  .sequence = 7,
	  .total = UINT64_MAX },
	{ .type = FABRIC_WIRE_ANSWER,
	  .sequence = 3,
	  .offset = 65536,
	  .length = 65536 },
	{ .type = FABRIC_WIRE_ANSWER,
	  .last = true,
	  .sequence = 3,
	  .status = FABRIC_PROTOCOL,
	  .total = 1 },
	{ .type = FABRIC_WIRE_AUTH, .last = true, .length = 2048 },
	{ .type = FABRIC_WIRE_JOIN, .last = true, .length = 24 },
	{ .type = FABRIC_WIRE_REFUSED, .last = true, .status = FABRIC_BUSY },
	{ .type = FABRIC_WIRE_PING, .last = true, .sequence = 1 },
	{ .type = FABRIC_WIRE_FENCE, .last = true, .length = 512 },
};

static void test_round_trip(void **state)
{
	struct fabric_wire_header h;
	struct frame f;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
		frame_encode(&good[i], &h);
		assert_int_equal(frame_decode(&h, &f), 0);
		assert_int_equal(f.type, good[i].type);
		assert_int_equal(f.last, good[i].last);
		assert_int_equal(f.status, good[i].status);
		assert_int_equal(f.length, good[i].length);
		assert_int_equal(f.sequence, good[i].sequence);
		assert_memory_equal(&f.key, &good[i].key, sizeof(f.key));
		assert_int_equal(f.offset, good[i].offset);
		assert_int_equal(f.total, good[i].total);
		assert_int_equal(f.operand, good[i].operand);
		assert_int_equal(f.immediate, good[i].immediate);
	}
}

/* Every bit of a header is looked at. */
static void test_any_bit(void **state)
{
	struct fabric_wire_header h;
	struct frame f;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
		for (unsigned bit = 0; bit < 8 * sizeof(h); bit++) {
			frame_encode(&good[i], &h);
			((uint8_t *)&h)[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_equal(frame_decode(&h, &f), -EBADMSG);
		}
	}
}

/* With a checksum that is right: what no honest sender makes. */
static const struct frame bad[] = {
	{ .type = (enum fabric_wire_type)0, .last = true },
	{ .type = (enum fabric_wire_type)7, .last = true, .sequence = 1 },
	{ .type = (enum fabric_wire_type)255, .last = true },
	{ .type = FABRIC_WIRE_SEND,
	  .last = true,
	  .sequence = 1,
	  .length = 9,
	  .total = 8 },
	{ .type = FABRIC_WIRE_SEND, .sequence = 1 }, /* not LAST */
	{ .type = FABRIC_WIRE_SEND,
	  .last = true,
	  .sequence = 1,
	  .length = 65537,
	  .total = 65537 },
	{ .type = FABRIC_WIRE_SEND,
	  .last = true,
	  .sequence = 1,
	  .key = { { 1 } } },
	{ .type = FABRIC_WIRE_READ, .last = true }, /* number 0 */
	{ .type = FABRIC_WIRE_READ, .last = true, .sequence = 1, .length = 1 },
	{ .type = FABRIC_WIRE_READ,
	  .last = true,
	  .sequence = 1,
	  .total = (UINT64_C(1) << 40) + 1 },
	{ .type = FABRIC_WIRE_READ,
	  .last = true,
	  .sequence = 1,
	  .offset = UINT64_MAX,
	  .total = 1 },
	{ .type = FABRIC_WIRE_READ,
	  .last = true,
	  .sequence = 1,
	  .immediate = 1 },
	{ .type = FABRIC_WIRE_READ,
	  .last = true,
	  .sequence = 1,
	  .status = FABRIC_REVOKED },
	{ .type = FABRIC_WIRE_WRITE, .sequence = 1, .length = 9, .total = 8 },
	{ .type = FABRIC_WIRE_WRITE,
	  .sequence = 1,
	  .length = 65537,
	  .total = 70000 },
	{ .type = FABRIC_WIRE_WRITE,
	  .sequence = 1,
	  .offset = UINT64_MAX,
	  .length = 1,
	  .total = 1 },
	{ .type = FABRIC_WIRE_WRITE, .sequence = 1, .operand = 1 },
	{ .type = FABRIC_WIRE_CAS,
	  .last = true,
	  .sequence = 1,
	  .offset = UINT64_MAX },
	{ .type = FABRIC_WIRE_FAA, .last = true, .sequence = 1, .operand = 1 },
	{ .type = FABRIC_WIRE_ANSWER, .length = 65537 },
	{ .type = FABRIC_WIRE_AUTH, .last = true },
	{ .type = FABRIC_WIRE_AUTH, .last = true, .length = 2049 },
	{ .type = FABRIC_WIRE_JOIN, .last = true, .length = 23 },
	{ .type = FABRIC_WIRE_PING, .last = true, .length = 1 },
	{ .type = FABRIC_WIRE_PING, .last = true, .total = 1 },
	{ .type = FABRIC_WIRE_FENCE, .last = true },
	{ .type = FABRIC_WIRE_FENCE, .last = true, .length = 513 },
};

static void test_bad_headers(void **state)
{
	struct fabric_wire_header h;
	struct frame f = { .immediate = 77 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		frame_encode(&bad[i], &h);
		if (frame_decode(&h, &f) != -EBADMSG)
			fail_msg("row %u", i);
		assert_int_equal(f.immediate, 77); /* untouched */
	}
}

/* -- bodies --------------------------------------------------------------- */

static void test_join(void **state)
{
	uint8_t body[FABRIC_WIRE_CONTROL_MAX];
	struct frame_join j = { .class = FABRIC_BULK,
		                .window = 1024,
		                .epoch = 3,
		                .lane = 4,
		                .n_addresses = 2 };
	struct frame_join got;
	size_t n;

	(void)state;
	assert_int_equal(address_parse("tcp:10.0.0.1:7", &j.address[0], NULL),
	                 0);
	assert_int_equal(address_parse("tls:*:9", &j.address[1], NULL), 0);
	n = frame_encode_join(&j, body);
	assert_int_equal(n, 24 + 2 * 20);
	assert_int_equal(frame_decode_join(body, n, &got), 0);
	assert_int_equal(got.class, FABRIC_BULK);
	assert_int_equal(got.window, 1024);
	assert_int_equal(got.epoch, 3);
	assert_int_equal(got.lane, 4);
	assert_int_equal(got.n_addresses, 2);
	assert_true(address_equal(&got.address[0], &j.address[0]));
	assert_true(got.address[1].any);
	assert_int_equal(got.address[1].port, 9);

	for (size_t k = 0; k < n; k++)
		assert_int_equal(frame_decode_join(body, k, &got), -EBADMSG);
	body[1] = 17; /* more addresses than there may be */
	assert_int_equal(frame_decode_join(body, 24 + 17 * 20, &got), -EBADMSG);
	body[1] = 2;
	body[0] = 3; /* no such class */
	assert_int_equal(frame_decode_join(body, n, &got), -EBADMSG);
	body[0] = 0;
	body[24] = 9; /* no such scheme */
	assert_int_equal(frame_decode_join(body, n, &got), -EBADMSG);
}

static void test_fence(void **state)
{
	uint64_t lanes[FABRIC_WIRE_FENCES], got[FABRIC_WIRE_FENCES];
	uint8_t body[FABRIC_WIRE_CONTROL_MAX];
	size_t n;

	(void)state;
	for (unsigned i = 0; i < FABRIC_WIRE_FENCES; i++)
		lanes[i] = i * UINT64_C(0x123456789a);
	n = frame_encode_fence(lanes, FABRIC_WIRE_FENCES, body);
	assert_int_equal(frame_decode_fence(body, n, got), FABRIC_WIRE_FENCES);
	assert_memory_equal(lanes, got, sizeof(lanes));
	assert_int_equal(frame_decode_fence(body, 0, got), -EBADMSG);
	assert_int_equal(frame_decode_fence(body, 9, got), -EBADMSG);
	assert_int_equal(frame_decode_fence(body, n + 8, got), -EBADMSG);
}

/* -- statuses ------------------------------------------------------------- */

static void test_statuses(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FABRIC_STATUSES; i++) {
		enum fabric_status s = (enum fabric_status)i;

		assert_int_equal(
			fabric_status_from_errno(fabric_status_errno(s)), s);
		assert_string_not_equal(fabric_status_name(s), "unknown");
	}
	assert_int_equal(fabric_status_errno(FABRIC_OK), 0);
	assert_int_equal(fabric_status_from_errno(-EFAULT), FABRIC_PROTOCOL);
	assert_string_equal(fabric_status_name((enum fabric_status)99),
	                    "unknown");
}

/* -- addresses ------------------------------------------------------------ */

static void test_addresses(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "10.0.0.2:7420", "tcp:10.0.0.2:7420" },
		{ "tcp:10.0.0.2:0", "tcp:10.0.0.2:0" },
		{ "tls:[fd00::2]:65535", "tls:[fd00::2]:65535" },
		{ "verbs:10.0.0.2:1", "verbs:10.0.0.2:1" },
		{ "localhost:5", "tcp:127.0.0.1:5" },
		{ "*:5", "tcp:*:5" },
		{ ":5", "tcp:*:5" },
		{ "0.0.0.0:5", "tcp:*:5" },
		{ "[::]:5", "tcp:[::]:5" },
		{ "sim:3", "sim:3" },
		{ "sim:4294967295", "sim:4294967295" },
		{ "", NULL },
		{ "10.0.0.2", NULL },
		{ "10.0.0.2:", NULL },
		{ "10.0.0.2:65536", NULL },
		{ "10.0.0.2:-1", NULL },
		{ "10.0.0.2:1x", NULL },
		{ "10.0.0.256:1", NULL },
		{ "[fd00::2:1", NULL },
		{ "[fd00::2]1", NULL },
		{ "fd00::2:1", NULL },
		{ "udp:10.0.0.2:1", NULL },
		{ "host.example:1", NULL },
		{ "sim:", NULL },
		{ "sim:4294967296", NULL },
	};
	char text[FABRIC_ADDRESS_TEXT];
	struct sockaddr_storage sa;
	struct fabric_address a, b;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };

		if (!rows[i].out) {
			if (address_parse(rows[i].in, &a, &e) != -EINVAL)
				fail_msg("row %u", i);
			assert_true(e.text[0] != '\0');
			continue;
		}
		assert_int_equal(address_parse(rows[i].in, &a, &e), 0);
		assert_string_equal(address_format(&a, text), rows[i].out);
		assert_int_equal(address_parse(text, &b, NULL), 0);
		assert_true(address_equal(&a, &b));
		if (a.scheme == FABRIC_SIM)
			continue;
		b = (struct fabric_address){ .scheme = a.scheme };
		address_to_socket(&a, &sa);
		assert_int_equal(address_from_socket(&sa, &b), 0);
		assert_true(address_equal(&a, &b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_any_bit),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_join),
		cmocka_unit_test(test_fence),
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
