/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What RDMA adds to a lane, over a device that is there: run in the guest of
 * tests/guest/verbs.sh, after the suite of every lane.
 *
 * shows M20, M18 (verbs)
 */
#include "lane_rig.h"

#include "fabric/verbs.h"
#include "fabric/verbs_lane_priv.h"
#include "fabric/verbs_stream_priv.h"

#include <errno.h>
#include <stdio.h>

static struct lane_rig rig;
static const struct lane_transport *kind;

static int setup(void **state)
{
	(void)state;
	lane_rig_start(&rig, kind);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lane_rig_stop(&rig);
	return 0;
}

static void fill(uint8_t *data, uint64_t n, unsigned seed)
{
	for (uint64_t i = 0; i < n; i++)
		data[i] = (uint8_t)(i * 7 + (i >> 9) + seed);
}

/* The target's CPU is not asked, but for one mark of each WRITE. */
static void the_adapter_moves_the_bytes(void **state)
{
	static const uint64_t lengths[] = { 1, 4096, 65537, RIG_BYTES };
	struct lane_op o;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
		uint64_t n = lengths[i];

		rig.service.n_accesses = rig.service.n_finished = 0;
		fill(rig.remote, n, i);
		lane_op_init(&o, FABRIC_READ, 0, rig.local, n);
		assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
		assert_memory_equal(rig.local, rig.remote, n);
		assert_int_equal(rig.service.n_accesses, 0);
		if (n < 4096)
			continue;
		fill(rig.local, n, i + 50);
		lane_op_init(&o, FABRIC_WRITE, 0, rig.local, n);
		assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
		assert_memory_equal(rig.local, rig.remote, n);
		assert_int_equal(rig.service.n_accesses, 1);
		assert_int_equal(rig.service.n_finished, 1);
		assert_int_equal(rig.service.last_length, 0);
	}
}

/* G1: a copy of a WRITE that RDMA did is known by its number. */
static void a_write_is_not_done_twice(void **state)
{
	struct target_stats stats;
	struct lane_op o;

	(void)state;
	memset(rig.local, 1, 8192);
	lane_op_init(&o, FABRIC_WRITE, 0, rig.local, 8192);
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	memset(rig.remote, 2, 8192); /* somebody else's, later */
	o.done = 0;
	o.op.resent = true;
	rig.sequence--;
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	for (unsigned i = 0; i < 8192; i++)
		assert_int_equal(rig.remote[i], 2);
	target_stats(rig.target, &stats);
	assert_int_equal(stats.repeated, 1);
}

/* Numbers go on through thousands of READs that the target never sees. */
static void the_target_keeps_up_with_numbers(void **state)
{
	struct lane_op o;
	uint64_t data = 0;

	(void)state;
	for (unsigned i = 0; i < 3 * SESSION_WINDOW; i++) {
		lane_op_init(&o, FABRIC_READ, 0, &data, 8);
		assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	}
	assert_in_range(rig.service.n_accesses, 1, 12);
	lane_op_init(&o, FABRIC_FAA, 0, NULL, 8);
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	assert_int_equal(rig.in.failures + rig.out.failures, 0);
}

/* RDMA and the target's CPU take turns: each sees what was before it. */
static void order_holds_between_the_two(void **state)
{
	enum { N = 100, LENGTH = 20000 };
	static struct lane_op w[N], f[N], r[N];
	static uint8_t put[N][LENGTH], got[N][LENGTH];
	unsigned order = 0;

	(void)state;
	memset(rig.remote, 0, LENGTH);
	for (unsigned i = 0; i < N; i++) {
		memset(put[i], 0, LENGTH);
		put[i][0] = 100;
		memset(put[i] + 8, (int)i, LENGTH - 8);
		lane_op_init(&w[i], FABRIC_WRITE, 0, put[i], LENGTH);
		lane_op_init(&f[i], FABRIC_FAA, 0, NULL, 8);
		f[i].op.operand[0] = i % 50;
		lane_op_init(&r[i], FABRIC_READ, 0, got[i], LENGTH);
		w[i].order = f[i].order = r[i].order = &order;
		lane_rig_submit(&rig, &w[i]);
		lane_rig_submit(&rig, &f[i]);
		lane_rig_submit(&rig, &r[i]);
	}
	lane_rig_wait(&rig, &order, 3 * N);
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(w[i].place, 3 * i + 1);
		assert_int_equal(f[i].place, 3 * i + 2);
		assert_int_equal(f[i].op.result, 100);
		assert_int_equal(r[i].place, 3 * i + 3);
		assert_int_equal(got[i][0], 100 + i % 50);
		assert_memory_equal(got[i] + 8, put[i] + 8, LENGTH - 8);
	}
}

/* VB2: a READ or WRITE is under way when its key is revoked. */
static void after_revoke_no_byte_moves(void **state)
{
	struct fabric_key key = memory_key(0);
	struct lane_op o;

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		bool write = i % 2;

		if (i) {
			lane_rig_stop(&rig);
			lane_rig_start(&rig, kind);
		}
		memset(rig.remote, 1, RIG_BYTES);
		memset(rig.local, 2, RIG_BYTES);
		lane_op_init(&o, write ? FABRIC_WRITE : FABRIC_READ, 0,
		             rig.local, RIG_BYTES);
		lane_rig_submit(&rig, &o);
		lane_rig_turn(&rig, 1 + 40 * i);
		rig.service.region[0].revoked = true;
		rig.in.lane->ops->revoked(rig.in.lane, &key);
		/* What the adapter would still read or write now shows. */
		memcpy(rig.expected, rig.remote, RIG_BYTES);
		if (!write)
			memset(rig.remote, 9, RIG_BYTES);
		while (!o.done && !rig.out.failures)
			lane_rig_turn(&rig, 1);
		lane_rig_turn(&rig, 200);
		if (write)
			assert_memory_equal(rig.remote, rig.expected,
			                    RIG_BYTES);
		else
			assert_null(memchr(rig.local, 9, RIG_BYTES));
		if (!o.done)
			list_remove(&o.op.link);
	}
}

/* The lane is as good as before when nothing was under way. */
static void a_revoked_key_ends_with_its_status(void **state)
{
	struct fabric_key key = memory_key(0);
	struct lane_op o;

	(void)state;
	rig.service.region[0].revoked = true;
	rig.in.lane->ops->revoked(rig.in.lane, &key);
	lane_rig_turn(&rig, 2000);
	lane_op_init(&o, FABRIC_READ, 0, rig.local, 4096);
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_REVOKED);
	lane_op_init(&o, FABRIC_SEND, 0, rig.local, 100);
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	assert_int_equal(rig.out.failures, 0);
}

/* More keys than a lane maps, and keys that are none. */
static void keys_beyond_the_limit_go_by_the_cpu(void **state)
{
	struct lane_op o;

	(void)state;
	for (unsigned i = 0; i < 3 * VERBS_MAPS; i++) {
		lane_op_init(&o, FABRIC_READ, 0, rig.local, 100);
		o.op.key = memory_key(8 + i);
		assert_int_equal(lane_rig_run(&rig, &o), FABRIC_BAD_KEY);
	}
	fill(rig.remote, 100, 3);
	lane_op_init(&o, FABRIC_READ, 0, rig.local, 100);
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	assert_memory_equal(rig.local, rig.remote, 100);
}

/* Who tries an rkey on its own is cut off; nothing was moved. */
static void the_adapter_keeps_rights(void **state)
{
	struct lane_op o;

	(void)state;
	rig.service.region[1] = rig.service.region[0];
	rig.service.region[1].rights = FABRIC_RIGHT_READ;
	for (unsigned i = 0; i < 20; i++) {
		lane_op_init(&o, FABRIC_READ, 0, rig.local, 8192);
		o.op.key = memory_key(1);
		assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
		lane_op_init(&o, FABRIC_WRITE, 0, rig.local, 8192);
		o.op.key = memory_key(1);
		assert_int_equal(lane_rig_run(&rig, &o), FABRIC_DENIED);
	}
	assert_int_equal(rig.out.failures, 0);
}

static void assert_short_rnr_timer(struct lane *l)
{
	struct verbs_lane *v = container_of(l, struct verbs_lane, lane);
	struct verbs_stream *s =
		container_of(v->stream, struct verbs_stream, stream);
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;

	assert_int_equal(
		ibv_query_qp(s->id->qp, &attr, IBV_QP_MIN_RNR_TIMER, &init), 0);
	/* 0 is the longest: to a session the lane would seem dead */
	assert_in_range(attr.min_rnr_timer, 1, 12);
}

static void who_is_held_back_goes_on_soon(void **state)
{
	(void)state;
	lane_rig_turn(&rig, 100);
	assert_short_rnr_timer(rig.out.lane);
	assert_short_rnr_timer(rig.in.lane);
}

/* Nobody listens there. */
static void a_refused_dial_says_so(void **state)
{
	static struct lane_end end;
	struct fabric_address at = rig.listener->address;
	struct lane *l;

	(void)state;
	end = (struct lane_end){ 0 };
	at.port = 1;
	assert_int_equal(
		rig.transport->dial(rig.transport, rig.reactor, &at, &l, NULL),
		0);
	l->owner = rig.out.lane->owner;
	l->owner_data = &end;
	lane_rig_wait(&rig, &end.failures, 1);
	assert_int_equal(end.error, -ECONNREFUSED);
	assert_int_equal(end.ups, 0);
	lane_destroy(l);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_adapter_moves_the_bytes),
		CASE(a_write_is_not_done_twice),
		CASE(the_target_keeps_up_with_numbers),
		CASE(order_holds_between_the_two),
		CASE(after_revoke_no_byte_moves),
		CASE(a_revoked_key_ends_with_its_status),
		CASE(keys_beyond_the_limit_go_by_the_cpu),
		CASE(the_adapter_keeps_rights),
		CASE(who_is_held_back_goes_on_soon),
		CASE(a_refused_dial_says_so),
	};
	struct err e = { 0 };

	if (verbs_available(&e)) {
		printf("1..0 # SKIP %s\n", e.text);
		return 0;
	}
	for (unsigned i = 0; i < n_lane_transports; i++)
		if (lane_transports[i].rdma)
			kind = &lane_transports[i];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
