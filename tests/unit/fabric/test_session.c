/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sessions over a simulated network: several links as one.
 *
 * shows L8, L11, L12, L13, L14, L20, X3 (of the fabric)
 */
#include "../../support/fabric_world.h"
#include "../test.h"

#include <errno.h>

static struct fabric_world w;
static struct fabric_peer *beta; /* as alpha knows it */
static struct session *s;

/* alpha asks beta, over two links. */
static int setup(void **state)
{
	(void)state;
	world_start(&w, 1);
	world_boot(&w, 0, 2);
	world_boot(&w, 1, 2);
	beta = world_introduce(&w, 0, 1, 2);
	s = node_peer_session(beta);
	assert_true(world_wait_state(&w, beta, SESSION_UP, 100));
	world_pass(&w, 5000);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_stop(&w);
	return 0;
}

static void assert_links(unsigned up, unsigned down)
{
	struct session_link_info info[SESSION_LINKS];
	unsigned n = session_links(s, info), n_up = 0, n_down = 0;

	for (unsigned i = 0; i < n; i++) {
		n_up += info[i].state == SESSION_LINK_UP;
		n_down += info[i].state == SESSION_LINK_DOWN;
	}
	assert_int_equal(n_up, up);
	assert_int_equal(n_down, down);
}

/* -- the ordinary --------------------------------------------------------- */

static void test_all_operations(void **state)
{
	uint64_t data = 0x1234, *word = (uint64_t *)w.nodes[1].memory;
	struct world_op o;

	(void)state;
	assert_links(2, 0);
	world_op_init(&w, &o, FABRIC_WRITE, FABRIC_LATENCY, 0, &data, 8);
	assert_int_equal(world_run(&w, s, &o, 100), FABRIC_OK);
	assert_int_equal(*word, 0x1234);
	data = 0;
	world_op_init(&w, &o, FABRIC_READ, FABRIC_BULK, 0, &data, 8);
	assert_int_equal(world_run(&w, s, &o, 100), FABRIC_OK);
	assert_int_equal(data, 0x1234);
	world_op_init(&w, &o, FABRIC_FAA, FABRIC_CONTROL, 0, NULL, 8);
	o.op.operand[0] = 1;
	assert_int_equal(world_run(&w, s, &o, 100), FABRIC_OK);
	assert_int_equal(o.op.result, 0x1234);
	world_op_init(&w, &o, FABRIC_SEND, FABRIC_CONTROL, 0, &data, 8);
	assert_int_equal(world_run(&w, s, &o, 100), FABRIC_OK);
	assert_int_equal(w.nodes[1].service.n_received, 1);
	world_op_init(&w, &o, FABRIC_READ, FABRIC_BULK, 0, &data, 8);
	o.op.key = memory_key(3);
	assert_int_equal(world_run(&w, s, &o, 100), FABRIC_BAD_KEY);
}

/* The acceptor dials back without having been told. */
static void test_other_way(void **state)
{
	struct fabric_peer *alpha = node_peer_find(w.nodes[1].node, "alpha");
	struct world_op o;
	uint64_t data = 7;

	(void)state;
	assert_non_null(alpha);
	assert_false(node_peer_configured(alpha));
	assert_true(world_wait_state(&w, alpha, SESSION_UP, 100));
	world_op_init(&w, &o, FABRIC_WRITE, FABRIC_LATENCY, 64, &data, 8);
	assert_int_equal(world_run(&w, node_peer_session(alpha), &o, 100),
	                 FABRIC_OK);
	assert_int_equal(w.nodes[0].memory[64], 7);
	assert_int_equal(w.nodes[0].service.ups, 1);
	assert_int_equal(w.nodes[1].service.ups, 1);
}

static void test_bad_operations(void **state)
{
	static const struct {
		enum fabric_opcode opcode;
		unsigned class;
		uint64_t offset, length, in_vector;
		enum fabric_status status;
	} rows[] = {
		{ FABRIC_READ, 0, 0, 8, 9, FABRIC_PROTOCOL },
		{ FABRIC_READ, 0, UINT64_MAX, 8, 8, FABRIC_RANGE },
		{ FABRIC_READ, 9, 0, 8, 8, FABRIC_PROTOCOL },
		{ (enum fabric_opcode)0, 0, 0, 8, 8, FABRIC_PROTOCOL },
		{ (enum fabric_opcode)7, 0, 0, 8, 8, FABRIC_PROTOCOL },
		{ FABRIC_SEND, 0, 0, 65537, 65537, FABRIC_TOO_LARGE },
		{ FABRIC_WRITE, 0, 0, (UINT64_C(1) << 40) + 1, 8,
		  FABRIC_TOO_LARGE },
	};
	static uint8_t data[65537];
	struct world_op o;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		world_op_init(&w, &o, rows[i].opcode,
		              (enum fabric_class)rows[i].class, rows[i].offset,
		              data, rows[i].length);
		o.iov.iov_len = rows[i].in_vector;
		session_submit(s, &o.op);
		assert_int_equal(o.done, 0); /* O1 */
		assert_true(world_wait(&w, &o.done, 1, 10));
		assert_int_equal(o.status, rows[i].status);
	}
}

/* L8: flows are spread, and each keeps its order. */
static void test_flows_share_the_links(void **state)
{
	enum { FLOWS = 64, EACH = 30 };
	static struct world_op o[FLOWS * EACH];
	static uint32_t data[FLOWS * EACH];
	struct session_link_info info[SESSION_LINKS];
	uint32_t seen[FLOWS] = { 0 };
	struct memory_service *m = &w.nodes[1].service;

	(void)state;
	world_link(&w, 1, 0)->jitter_ns = 300000;
	world_link(&w, 1, 1)->jitter_ns = 900000;
	for (unsigned i = 0; i < FLOWS * EACH; i++) {
		data[i] = i;
		world_op_init(&w, &o[i], FABRIC_SEND, FABRIC_LATENCY, 0,
		              &data[i], 4);
		o[i].op.flow = 1 + i % FLOWS;
		session_submit(s, &o[i].op);
		if (i % 50 == 0)
			world_pass(&w, 200);
	}
	assert_true(world_wait(&w, &m->n_received, FLOWS * EACH, 1000));
	for (unsigned i = 0; i < m->n_received; i++) {
		unsigned flow = m->sent[i] % FLOWS;

		assert_int_equal(m->sent[i] / FLOWS, seen[flow]);
		seen[flow]++;
	}
	session_links(s, info);
	assert_in_range(info[0].ops, FLOWS * EACH / 4, FLOWS * EACH * 3 / 4);
}

static uint64_t time_to_read(unsigned n)
{
	static struct world_op o[16];
	static uint8_t data[1 << 18];
	const struct clock *clock = sim_clock(w.sim);
	uint64_t began = clock->now_ns(clock);

	for (unsigned i = 0; i < n; i++) {
		world_op_init(&w, &o[i], FABRIC_READ, FABRIC_BULK, 0, data,
		              sizeof(data));
		session_submit(s, &o[i].op);
	}
	for (unsigned i = 0; i < n; i++)
		assert_true(world_wait(&w, &o[i].done, 1, 5000));
	return clock->now_ns(clock) - began;
}

/* Where the links are the limit, two are twice as fast. */
static void test_two_links_are_faster(void **state)
{
	struct fabric_address a = world_address(1, 1);
	uint64_t with_two, with_one;

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		world_link(&w, 1, i)->bytes_per_ms = 10000;
	with_two = time_to_read(16);
	assert_int_equal(node_link_remove(beta, &a), 0);
	with_one = time_to_read(16);
	print_message("# %ju us over two links, %ju us over one\n",
	              (uintmax_t)with_two / 1000, (uintmax_t)with_one / 1000);
	assert_true(with_one * 10 > with_two * 18);
}

/* O6: an interrupt that overtakes its data waits; others don't. */
static void test_fence(void **state)
{
	static uint8_t big[1 << 20];
	struct world_op data, fenced, behind, other;
	uint8_t small = 1;

	(void)state;
	memset(big, 9, sizeof(big));
	world_link(&w, 1, 0)->bytes_per_ms = 20000;
	world_link(&w, 1, 1)->bytes_per_ms = 20000;
	world_op_init(&w, &data, FABRIC_WRITE, FABRIC_BULK, 0, big,
	              sizeof(big));
	world_op_init(&w, &fenced, FABRIC_WRITE_IMM, FABRIC_LATENCY, 0, &small,
	              0);
	fenced.op.flags = FABRIC_FENCED;
	fenced.op.flow = 5;
	world_op_init(&w, &behind, FABRIC_SEND, FABRIC_LATENCY, 0, &small, 1);
	behind.op.flow = 5;
	world_op_init(&w, &other, FABRIC_SEND, FABRIC_LATENCY, 0, &small, 1);
	other.op.flow = 6;
	session_submit(s, &data.op);
	session_submit(s, &fenced.op);
	session_submit(s, &behind.op);
	session_submit(s, &other.op);
	assert_true(world_wait(&w, &other.done, 1, 20));
	assert_int_equal(data.done + fenced.done + behind.done, 0);
	assert_true(world_wait(&w, &fenced.done, 1, 2000));
	assert_int_equal(data.done, 1);
	assert_true(world_wait(&w, &behind.done, 1, 20));
	assert_true(data.done_ns < fenced.done_ns);
}

/* More than the window is a queue, not an error. */
static void test_more_than_the_window(void **state)
{
	enum { N = 3 * SESSION_WINDOW };
	static struct world_op o[N];
	static uint64_t data[N];
	struct session_stats stats;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		world_op_init(&w, &o[i], FABRIC_FAA, FABRIC_LATENCY, 0, NULL,
		              8);
		o[i].op.operand[0] = 1;
		session_submit(s, &o[i].op);
	}
	session_stats(s, &stats);
	assert_int_equal(stats.in_flight, SESSION_WINDOW);
	assert_int_equal(stats.waiting, N - SESSION_WINDOW);
	assert_true(world_wait(&w, &o[N - 1].done, 1, 1000));
	memcpy(data, w.nodes[1].memory, 8);
	assert_int_equal(data[0], N);
}

/* -- links die ------------------------------------------------------------ */

/* S4, L11, L12: a black hole under load; nothing lost, nothing twice. */
static void test_black_hole(void **state)
{
	enum { N = 400 };
	static struct world_op o[N];
	struct session_stats stats;
	unsigned n = 0;

	(void)state;
	for (; n < N / 2; n++) {
		world_op_init(&w, &o[n], FABRIC_FAA, FABRIC_LATENCY, 0, NULL,
		              8);
		o[n].op.operand[0] = 1;
		o[n].op.flow = n % 9;
		session_submit(s, &o[n].op);
		if (n == N / 4)
			world_link(&w, 1, 0)->held[SIM_OUT] =
				world_link(&w, 1, 0)->held[SIM_BACK] = true;
		world_pass(&w, 100);
	}
	for (unsigned i = 0; i < n; i++)
		assert_true(world_wait(&w, &o[i].done, 1, 100));
	assert_int_equal(*(uint64_t *)w.nodes[1].memory, n);
	session_stats(s, &stats);
	assert_true(stats.resent > 0);
	print_message("# longest gap %ju us\n",
	              (uintmax_t)(stats.longest_gap_ns / 1000));
	assert_true(stats.longest_gap_ns < 100 * NS_PER_MS);
	world_pass(&w, 100000);
	assert_links(1, 1);

	/* L13: it comes back and is used again. */
	world_link(&w, 1, 0)->held[SIM_OUT] = false;
	world_link(&w, 1, 0)->held[SIM_BACK] = false;
	world_pass(&w, 2500000);
	assert_links(2, 0);
	for (; n < N; n++) {
		world_op_init(&w, &o[n], FABRIC_FAA, FABRIC_LATENCY, 0, NULL,
		              8);
		o[n].op.operand[0] = 1;
		assert_int_equal(world_run(&w, s, &o[n], 50), FABRIC_OK);
	}
	assert_int_equal(*(uint64_t *)w.nodes[1].memory, N);
}

/* A reset is seen at once, not after a deadline. */
static void test_reset(void **state)
{
	struct world_op o;
	uint64_t data = 1;

	(void)state;
	world_op_init(&w, &o, FABRIC_WRITE, FABRIC_LATENCY, 0, &data, 8);
	session_submit(s, &o.op);
	sim_cut(w.sim, 4, -ECONNRESET);
	sim_cut(w.sim, 5, -ECONNRESET);
	assert_true(world_wait(&w, &o.done, 1, 10));
	assert_int_equal(o.status, FABRIC_OK);
}

/* Both links are silent for a while: wait, do not storm, lose nothing. */
static void test_all_silent(void **state)
{
	struct session_stats stats;
	struct world_op o;
	uint64_t data = 1;

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		world_link(&w, 1, i)->held[SIM_OUT] = true;
	world_op_init(&w, &o, FABRIC_FAA, FABRIC_LATENCY, 0, &data, 8);
	o.op.operand[0] = 1;
	session_submit(s, &o.op);
	world_pass(&w, 2000000);
	assert_int_equal(o.done, 0);
	session_stats(s, &stats);
	assert_int_equal(stats.lanes_lost, 0);
	for (unsigned i = 0; i < 2; i++)
		world_link(&w, 1, i)->held[SIM_OUT] = false;
	assert_true(world_wait(&w, &o.done, 1, 100));
	assert_int_equal(o.status, FABRIC_OK);
	world_pass(&w, 2000000);
	assert_int_equal(*(uint64_t *)w.nodes[1].memory, 1);
	assert_links(2, 0);
}

/* For too long: the operations end, and later ones at once. */
static void test_silent_for_ever(void **state)
{
	enum { N = 8 };
	static struct world_op o[N];
	static uint64_t data[N];
	struct world_op later;

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		world_link(&w, 1, i)->held[SIM_OUT] = true;
	for (unsigned i = 0; i < N; i++) {
		data[i] = 1;
		world_op_init(&w, &o[i], FABRIC_WRITE, FABRIC_BULK, 8 * i,
		              &data[i], 8);
		session_submit(s, &o[i].op);
	}
	assert_true(world_wait(&w, &o[N - 1].done, 1, 5600));
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(o[i].status, FABRIC_TIMED_OUT);
	assert_int_equal(session_state(s), SESSION_LOST);
	assert_int_equal(w.nodes[0].service.downs, 1);
	world_op_init(&w, &later, FABRIC_WRITE, FABRIC_BULK, 8, &data[0], 8);
	assert_int_equal(world_run(&w, s, &later, 1), FABRIC_PEER_LOST);

	/* O2: what was given up does not come after what follows it: one link
	 * is back, the other still holds its bytes. */
	world_link(&w, 1, 1)->held[SIM_OUT] = false;
	assert_true(world_wait_state(&w, beta, SESSION_UP, 3000));
	assert_int_equal(w.nodes[0].service.ups, 2);
	for (unsigned i = 0; i < N; i++) {
		data[i] = 2;
		o[i].done = 0;
		assert_int_equal(world_run(&w, s, &o[i], 100), FABRIC_OK);
	}
	world_link(&w, 1, 0)->held[SIM_OUT] = false;
	world_pass(&w, 3000000);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(((uint64_t *)w.nodes[1].memory)[i], 2);
}

/* The peer's process is killed: seen at once; and a new one is another. */
static void test_peer_killed(void **state)
{
	enum { N = 20 };
	static struct world_op o[N];
	static uint8_t data[N][1 << 16];
	unsigned ended = 0;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		world_op_init(&w, &o[i], FABRIC_WRITE, FABRIC_BULK, 0, data[i],
		              sizeof(data[i]));
		session_submit(s, &o[i].op);
	}
	world_kill(&w, 1);
	world_pass(&w, 1000);
	for (unsigned i = 0; i < N; i++) {
		ended += o[i].done;
		assert_int_equal(o[i].status, FABRIC_PEER_LOST);
	}
	assert_int_equal(ended, N);
	assert_int_equal(session_state(s), SESSION_LOST);

	world_boot(&w, 1, 2);
	assert_true(world_wait_state(&w, beta, SESSION_UP, 2000));
	o[0].done = 0;
	assert_int_equal(world_run(&w, s, &o[0], 100), FABRIC_OK);
}

/* It is restarted behind our back, while the links were silent. */
static void test_peer_restarted(void **state)
{
	struct session_stats stats;
	struct world_op o;
	uint64_t data = 1;

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		world_link(&w, 1, i)->held[SIM_OUT] =
			world_link(&w, 1, i)->held[SIM_BACK] = true;
	world_op_init(&w, &o, FABRIC_FAA, FABRIC_LATENCY, 0, &data, 8);
	session_submit(s, &o.op);
	world_pass(&w, 10000);
	world_kill(&w, 1);
	world_boot(&w, 1, 2);
	for (unsigned i = 0; i < 2; i++)
		world_link(&w, 1, i)->held[SIM_OUT] =
			world_link(&w, 1, i)->held[SIM_BACK] = false;
	assert_true(world_wait(&w, &o.done, 1, 2000));
	assert_int_equal(o.status, FABRIC_PEER_LOST);
	assert_true(world_wait_state(&w, beta, SESSION_UP, 2000));
	o.done = 0;
	assert_int_equal(world_run(&w, s, &o, 100), FABRIC_OK);
	session_stats(s, &stats);
	assert_true(stats.restarts <= 1);
}

/* L14: 1, 2, 1 links under load, in order. */
static void test_links_come_and_go(void **state)
{
	enum { N = 600 };
	static struct world_op o[N];
	static uint32_t data[N];
	struct fabric_address a = world_address(1, 1), b = world_address(1, 0);
	struct memory_service *m = &w.nodes[1].service;

	(void)state;
	assert_int_equal(node_link_remove(beta, &a), 0);
	assert_int_equal(node_link_remove(beta, &a), -ENOENT);
	for (unsigned i = 0; i < N; i++) {
		data[i] = i;
		world_op_init(&w, &o[i], FABRIC_SEND, FABRIC_LATENCY, 0,
		              &data[i], 4);
		o[i].op.flow = 3;
		session_submit(s, &o[i].op);
		if (i == 200)
			assert_int_equal(node_link_add(beta, &a, NULL), 0);
		if (i == 400)
			assert_int_equal(node_link_remove(beta, &b), 0);
		world_pass(&w, 100);
	}
	assert_true(world_wait(&w, &o[N - 1].done, 1, 100));
	assert_int_equal(m->n_received, N);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(m->sent[i], i);
	assert_int_equal(node_link_add(beta, &a, NULL), -EEXIST);
	assert_links(1, 0);
}

/* A slow link is not a dead one. */
static void test_slow_is_not_dead(void **state)
{
	static uint8_t big[1 << 20];
	struct session_stats stats;
	struct world_op o[4];

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		world_link(&w, 1, i)->bytes_per_ms = 2000; /* 16 Mbit/s */
	for (unsigned i = 0; i < 4; i++) {
		world_op_init(&w, &o[i], i % 2 ? FABRIC_READ : FABRIC_WRITE,
		              FABRIC_BULK, 0, big, sizeof(big));
		session_submit(s, &o[i].op);
	}
	for (unsigned i = 0; i < 4; i++)
		assert_true(world_wait(&w, &o[i].done, 1, 4000));
	session_stats(s, &stats);
	assert_int_equal(stats.lanes_lost, 0);
}

/* An idle session notices too, by its keep-alive. */
static void test_keepalive(void **state)
{
	(void)state;
	world_link(&w, 1, 0)->held[SIM_BACK] = true;
	world_pass(&w, 1200000);
	assert_links(1, 1);
	assert_int_equal(session_state(s), SESSION_UP);
}

static void test_removed_peer(void **state)
{
	struct world_op o;
	uint64_t data = 1;

	(void)state;
	world_op_init(&w, &o, FABRIC_WRITE, FABRIC_LATENCY, 0, &data, 8);
	session_submit(s, &o.op);
	node_peer_remove(w.nodes[0].node, beta);
	assert_int_equal(o.done, 1);
	assert_int_equal(o.status, FABRIC_CANCELLED);
	assert_null(node_peer_find(w.nodes[0].node, "beta"));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_all_operations),
		CASE(test_other_way),
		CASE(test_bad_operations),
		CASE(test_flows_share_the_links),
		CASE(test_two_links_are_faster),
		CASE(test_fence),
		CASE(test_more_than_the_window),
		CASE(test_black_hole),
		CASE(test_reset),
		CASE(test_all_silent),
		CASE(test_silent_for_ever),
		CASE(test_peer_killed),
		CASE(test_peer_restarted),
		CASE(test_links_come_and_go),
		CASE(test_slow_is_not_dead),
		CASE(test_keepalive),
		CASE(test_removed_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
