/* SPDX-License-Identifier: BSD-2-Clause */
/* shows Q1, Q2, Q3 of mad/rmpp.h */
#include "base/base.h"
#include "mad/rmpp.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LONGEST 100000u
static uint8_t records[LONGEST];

static struct mad head(void)
{
	struct mad m;

	mad_init(&m, MAD_CLASS_SA, MAD_SA_GET_TABLE_RESP, MAD_ATTR_PATH_RECORD,
	         0);
	m.header.tid = be64_put(77);
	mad_sa(&m)->attr_offset = be16_put(8);
	for (unsigned i = 0; i < LONGEST; i++)
		records[i] = (uint8_t)(i * 31 + i / 256);
	return m;
}

static const struct rmpp_header *rmpp(const struct mad *m)
{
	return &((const struct sa_mad *)m)->rmpp;
}

/* Segment numbers, flags and payload lengths: IBA 13.6.2. */
static void test_segments(void **state)
{
	static const struct {
		size_t length;
		uint32_t n;
		uint32_t first; /* payload of the first segment */
		uint32_t last;
	} rows[] = {
		{ 0, 1, 20, 20 },
		{ 1, 1, 21, 21 },
		{ 200, 1, 220, 220 },
		{ 201, 2, 241, 21 },
		{ 64 * 7, 3, 448 + 60, 68 },
	};
	struct mad h = head(), m, ack, reply;
	bool replies;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct rmpp_sender s;
		uint32_t n = 0;

		assert_int_equal(
			rmpp_sender_init(&s, &h, records, rows[i].length), 0);
		while (rmpp_sender_next(&s, &m)) {
			const struct rmpp_header *r = rmpp(&m);
			unsigned flags = RMPP_ACTIVE;

			n++;
			flags |= n == 1 ? RMPP_FIRST : 0;
			flags |= n == rows[i].n ? RMPP_LAST : 0;
			assert_int_equal(r->version, 1);
			assert_int_equal(r->type, RMPP_DATA);
			assert_int_equal(r->flags, 0xf8 | flags);
			assert_int_equal(be32_get(r->data1), n);
			assert_int_equal(be32_get(r->data2),
			                 n == rows[i].n ? rows[i].last
			                 : n == 1       ? rows[i].first
			                                : 0);
			assert_false(rmpp_sender_next(&s, &reply) && n == 1 &&
			             rows[i].n > 1);
			rmpp_make_ack(&m, n, n + 1, &ack);
			assert_int_equal(ack.header.method, MAD_SA_GET_TABLE);
			assert_int_equal(
				rmpp_sender_receive(&s, &ack, &reply, &replies),
				n == rows[i].n ? RMPP_COMPLETE : RMPP_PROGRESS);
		}
		assert_int_equal(n, rows[i].n);
	}
}

/* shows Q2, Q3: over a channel that loses and doubles, both ways. */
static void test_bad_channel(void **state)
{
	static const size_t lengths[] = { 0, 1, 199, 200, 201, 13000, LONGEST };
	struct mad h = head();
	uint32_t seed = 1;

	(void)state;
	for (unsigned i = 0; i < 5 * ARRAY_LEN(lengths); i++) {
		size_t length = lengths[i % ARRAY_LEN(lengths)];
		enum rmpp_event sent = RMPP_NOTHING, got = RMPP_NOTHING;
		struct rmpp_sender s;
		struct rmpp_receiver r;
		unsigned rounds = 0;

		rmpp_sender_init(&s, &h, records, length);
		rmpp_receiver_init(&r, LONGEST);
		while (sent != RMPP_COMPLETE && rounds++ < 100000) {
			struct mad m, ack, reply;
			bool replies;

			if (!rmpp_sender_next(&s, &m)) {
				rmpp_sender_rewind(&s);
				continue;
			}
			for (unsigned copy = 0; copy < 2; copy++) {
				enum rmpp_event e;

				seed = seed * 1103515245 + 12345;
				if ((seed >> 16) % 100 < 40)
					continue; /* lost */
				e = rmpp_receiver_receive(&r, &m, &ack,
				                          &replies);
				assert_int_not_equal(e, RMPP_FAILED);
				got = e == RMPP_COMPLETE ? e : got;
				seed = seed * 1103515245 + 12345;
				if (!replies || (seed >> 16) % 100 < 20)
					continue;
				e = rmpp_sender_receive(&s, &ack, &reply,
				                        &replies);
				assert_int_not_equal(e, RMPP_FAILED);
				sent = e == RMPP_COMPLETE ? e : sent;
			}
		}
		assert_int_equal(sent, RMPP_COMPLETE);
		assert_int_equal(got, RMPP_COMPLETE);
		assert_int_equal(r.length, length);
		if (length)
			assert_memory_equal(r.data, records, length);
		rmpp_receiver_fini(&r);
	}
}

/* An ACK that is repeated starts again behind it, but once only. */
static void test_repeated_ack(void **state)
{
	struct mad h = head(), m, ack, reply;
	struct rmpp_sender s;
	bool replies;

	(void)state;
	rmpp_sender_init(&s, &h, records, 2000);
	rmpp_sender_next(&s, &m);
	rmpp_make_ack(&m, 1, 8, &ack);
	assert_int_equal(rmpp_sender_receive(&s, &ack, &reply, &replies),
	                 RMPP_PROGRESS);
	while (rmpp_sender_next(&s, &m))
		;
	assert_int_equal(s.next, 9);
	assert_int_equal(rmpp_sender_receive(&s, &ack, &reply, &replies),
	                 RMPP_PROGRESS);
	assert_int_equal(s.next, 2);
	while (rmpp_sender_next(&s, &m))
		;
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(
			rmpp_sender_receive(&s, &ack, &reply, &replies),
			RMPP_NOTHING);
	assert_int_equal(s.next, 9);
	rmpp_make_ack(&m, 8, 8, &ack); /* and the window is what it was */
	assert_int_equal(rmpp_sender_receive(&s, &ack, &reply, &replies),
	                 RMPP_PROGRESS);
	assert_false(rmpp_sender_next(&s, &m));
}

/* shows Q1: a receiver takes no more than it was allowed. */
static void test_limit(void **state)
{
	struct mad h = head(), m, ack;
	struct rmpp_receiver r;
	struct rmpp_sender s;
	bool replies;

	(void)state;
	assert_int_equal(
		rmpp_sender_init(&s, &h, records, RMPP_LENGTH_MAX + 1u),
		-EMSGSIZE);
	rmpp_sender_init(&s, &h, records, 2001);
	s.window_last = 100;
	rmpp_receiver_init(&r, 2000);
	for (unsigned i = 1; i <= 10; i++) {
		rmpp_sender_next(&s, &m);
		assert_int_equal(rmpp_receiver_receive(&r, &m, &ack, &replies),
		                 RMPP_PROGRESS);
		assert_in_range(r.room, r.length, 2000);
	}
	rmpp_sender_next(&s, &m);
	assert_int_equal(rmpp_receiver_receive(&r, &m, &ack, &replies),
	                 RMPP_FAILED);
	assert_int_equal(r.status, RMPP_RESOURCES_EXHAUSTED);
	assert_true(replies);
	assert_int_equal(rmpp(&ack)->type, RMPP_ABORT);
	assert_int_equal(rmpp(&ack)->status, RMPP_RESOURCES_EXHAUSTED);
	rmpp_receiver_fini(&r);
}

/* What a receiver aborts for. */
static void test_bad_segments(void **state)
{
	static const struct {
		uint8_t version;
		uint8_t type;
		uint8_t flags;
		uint8_t status;
		uint32_t segment;
		uint32_t payload;
		enum rmpp_status why;
	} rows[] = {
		{ 2, RMPP_DATA, 3, 0, 1, 500, RMPP_BAD_VERSION },
		{ 1, 5, 3, 0, 1, 500, RMPP_BAD_TYPE },
		{ 1, 0, 3, 0, 1, 500, RMPP_BAD_TYPE },
		{ 1, RMPP_DATA, 3, 9, 1, 500, RMPP_ILLEGAL_STATUS },
		{ 1, RMPP_DATA, 1, 0, 1, 500, RMPP_BAD_FIRST },
		{ 1, RMPP_DATA, 3, 0, 2, 500, RMPP_BAD_FIRST },
		{ 1, RMPP_DATA, 1, 0, 0, 500, RMPP_BAD_FIRST },
		{ 1, RMPP_DATA, 7, 0, 1, 19, RMPP_BAD_LENGTH },
		{ 1, RMPP_DATA, 7, 0, 1, 221, RMPP_BAD_LENGTH },
		{ 1, RMPP_DATA, 7, 0, 1, 0, RMPP_BAD_LENGTH },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct rmpp_receiver r;
		struct mad m = head(), reply;
		bool replies;

		rmpp_receiver_init(&r, 1000);
		mad_sa(&m)->rmpp = (struct rmpp_header){
			rows[i].version,
			rows[i].type,
			rows[i].flags,
			rows[i].status,
			be32_put(rows[i].segment),
			be32_put(rows[i].payload),
		};
		assert_int_equal(
			rmpp_receiver_receive(&r, &m, &reply, &replies),
			RMPP_FAILED);
		assert_int_equal(r.status, rows[i].why);
		assert_true(replies);
		assert_int_equal(rmpp(&reply)->status, rows[i].why);
		rmpp_receiver_fini(&r);
	}
}

/* What a sender aborts for, and what it takes from its peer. */
static void test_bad_acks(void **state)
{
	static const struct {
		uint8_t type;
		uint8_t status;
		uint32_t last;
		uint32_t window;
		enum rmpp_event event;
		enum rmpp_status why;
	} rows[] = {
		{ RMPP_ACK, 0, 1, 5, RMPP_PROGRESS, 0 },
		{ RMPP_ACK, 0, 0, 5, RMPP_PROGRESS, 0 }, /* lost: again */
		{ RMPP_ACK, 0, 2, 5, RMPP_FAILED, RMPP_SEGMENT_TOO_BIG },
		{ RMPP_ACK, 0, 1, 0, RMPP_FAILED, RMPP_WINDOW_TOO_SMALL },
		{ RMPP_ACK, 1, 1, 5, RMPP_FAILED, RMPP_ILLEGAL_STATUS },
		{ RMPP_DATA, 0, 1, 5, RMPP_FAILED, RMPP_BAD_TYPE },
		{ RMPP_STOP, 1, 0, 0, RMPP_FAILED, RMPP_RESOURCES_EXHAUSTED },
		{ RMPP_ABORT, 126, 0, 0, RMPP_FAILED, RMPP_TOO_MANY_RETRIES },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct mad h = head(), m, reply;
		struct rmpp_sender s;
		bool replies;

		rmpp_sender_init(&s, &h, records, 1000);
		rmpp_sender_next(&s, &m);
		rmpp_make_ack(&m, rows[i].last, rows[i].window, &m);
		mad_sa(&m)->rmpp.type = rows[i].type;
		mad_sa(&m)->rmpp.status = rows[i].status;
		assert_int_equal(rmpp_sender_receive(&s, &m, &reply, &replies),
		                 rows[i].event);
		assert_int_equal(s.status, rows[i].why);
		assert_int_equal(replies, rows[i].event == RMPP_FAILED &&
		                                  rows[i].type < RMPP_STOP);
		assert_string_not_equal(rmpp_status_words(s.status), "?");
	}
	assert_string_equal(rmpp_status_words(2), "?");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_bad_channel),
		cmocka_unit_test(test_repeated_ack),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_bad_segments),
		cmocka_unit_test(test_bad_acks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
