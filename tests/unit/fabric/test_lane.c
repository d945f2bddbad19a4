/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every lane does, whatever it runs over: one suite, each transport in
 * turn.
 *
 * shows M20 (lanes), M7, M12, M16, M22
 */
#include "lane_rig.h"

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

static void fill(uint8_t *data, uint64_t n, uint64_t seed)
{
	for (uint64_t i = 0; i < n; i++) {
		seed = seed * UINT64_C(6364136223846793005) + 1;
		data[i] = (uint8_t)(seed >> 56);
	}
}

static const uint64_t lengths[] = {
	1,     2,     63,    64,    4096,  4097,   16383,   16384,
	16385, 65535, 65536, 65537, 98304, 131072, 1048576, RIG_BYTES - 7,
};

/* -- moving bytes --------------------------------------------------------- */

static void test_write_then_read(void **state)
{
	struct lane_op o;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
		uint64_t n = lengths[i], at = i % 8 < 7 ? i % 8 : 0;

		fill(rig.local, n, i);
		memset(rig.remote, 0xee, RIG_BYTES);
		lane_op_init(&o, FABRIC_WRITE, at, rig.local, n);
		assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
		assert_memory_equal(rig.remote + at, rig.local, n);
		if (at + n < RIG_BYTES)
			assert_int_equal(rig.remote[at + n], 0xee);
		if (at)
			assert_int_equal(rig.remote[at - 1], 0xee);

		memset(rig.expected, 0x11, RIG_BYTES);
		lane_op_init(&o, FABRIC_READ, at, rig.expected, n);
		assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
		assert_memory_equal(rig.expected, rig.local, n);
		assert_int_equal(rig.expected[n], 0x11);
	}
	if (!kind->rdma)
		assert_int_equal(rig.service.n_finished,
		                 2 * ARRAY_LEN(lengths));
}

/* A vector with empty entries, over several pieces. */
static void test_vectors(void **state)
{
	const uint64_t parts[] = { 100, 0, 70000, 5 };
	struct lane_op o;
	uint64_t sum = 70105, at = 0;

	(void)state;
	fill(rig.local, sum, 3);
	lane_op_init(&o, FABRIC_WRITE, 10, NULL, sum);
	for (unsigned i = 0; i < 4; i++) {
		o.iov[i] = (struct iovec){ rig.local + at, parts[i] };
		at += parts[i];
	}
	o.op.n_iov = 4;
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	assert_memory_equal(rig.remote + 10, rig.local, sum);

	o.op.opcode = FABRIC_READ;
	o.done = 0;
	fill(rig.remote, sum + 10, 4);
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	assert_memory_equal(rig.remote + 10, rig.local, sum);
}

static void test_nothing_to_move(void **state)
{
	struct lane_op o;

	(void)state;
	lane_op_init(&o, FABRIC_READ, 5, NULL, 0);
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	lane_op_init(&o, FABRIC_WRITE, 5, NULL, 0);
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	lane_op_init(&o, FABRIC_WRITE, 5, NULL, 0);
	o.op.key = memory_key(5);
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_BAD_KEY);
	lane_op_init(&o, FABRIC_SEND, 0, NULL, 0);
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	assert_int_equal(rig.service.message_length, 0);
}

static void test_messages(void **state)
{
	const uint64_t sizes[] = { 1, 500, 4096, 65535, 65536 };
	struct lane_op o;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		fill(rig.local, sizes[i], i + 9);
		lane_op_init(&o, FABRIC_SEND, 0, rig.local, sizes[i]);
		assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
		assert_int_equal(rig.service.message_length, sizes[i]);
		assert_memory_equal(rig.service.message, rig.local, sizes[i]);
	}
	assert_int_equal(rig.service.n_received, ARRAY_LEN(sizes));
}

static void test_atomics(void **state)
{
	uint64_t *word = (uint64_t *)(rig.remote + 64);
	struct lane_op o;

	(void)state;
	*word = 40;
	lane_op_init(&o, FABRIC_FAA, 64, NULL, 8);
	o.op.operand[0] = 2;
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	assert_int_equal(o.op.result, 40);
	assert_int_equal(*word, 42);

	lane_op_init(&o, FABRIC_CAS, 64, NULL, 8);
	o.op.operand[0] = 41;
	o.op.operand[1] = 7;
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	assert_int_equal(o.op.result, 42);
	assert_int_equal(*word, 42);
	lane_op_init(&o, FABRIC_CAS, 64, NULL, 8);
	o.op.operand[0] = 42;
	o.op.operand[1] = 7;
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	assert_int_equal(o.op.result, 42);
	assert_int_equal(*word, 7);

	*word = UINT64_MAX;
	lane_op_init(&o, FABRIC_FAA, 64, NULL, 8);
	o.op.operand[0] = 1;
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	assert_int_equal(*word, 0);

	lane_op_init(&o, FABRIC_FAA, 65, NULL, 8);
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_RANGE);
}

/* -- protection ----------------------------------------------------------- */

struct edge {
	enum fabric_opcode opcode;
	unsigned region;
	uint64_t offset, length;
	enum fabric_status status;
};

#define END RIG_BYTES
static const struct edge edges[] = {
	{ FABRIC_READ, 0, END - 1, 1, FABRIC_OK },
	{ FABRIC_READ, 0, END, 1, FABRIC_RANGE },
	{ FABRIC_READ, 0, END - 1, 2, FABRIC_RANGE },
	{ FABRIC_READ, 0, 1, END, FABRIC_RANGE },
	{ FABRIC_READ, 0, END, 0, FABRIC_OK },
	{ FABRIC_READ, 0, END + 1, 0, FABRIC_RANGE },
	{ FABRIC_READ, 0, UINT64_MAX, 0, FABRIC_RANGE },
	{ FABRIC_READ, 0, UINT64_MAX - 4095, 4095, FABRIC_RANGE },
	{ FABRIC_WRITE, 0, END - 65536, 65536, FABRIC_OK },
	{ FABRIC_WRITE, 0, END - 65536, 65537, FABRIC_RANGE },
	{ FABRIC_WRITE, 0, END - 65536, 131072, FABRIC_RANGE },
	{ FABRIC_WRITE, 0, UINT64_MAX - 65535, 65535, FABRIC_RANGE },
	{ FABRIC_CAS, 0, END - 8, 8, FABRIC_OK },
	{ FABRIC_CAS, 0, END, 8, FABRIC_RANGE },
	{ FABRIC_FAA, 0, UINT64_MAX - 15, 8, FABRIC_RANGE },
	/* region 1 can only be read, region 2 only be written */
	{ FABRIC_READ, 1, 0, 100000, FABRIC_OK },
	{ FABRIC_WRITE, 1, 0, 1, FABRIC_DENIED },
	{ FABRIC_WRITE_IMM, 1, 0, 1, FABRIC_DENIED },
	{ FABRIC_FAA, 1, 0, 8, FABRIC_DENIED },
	{ FABRIC_READ, 2, 0, 1, FABRIC_DENIED },
	{ FABRIC_READ, 2, 0, 100000, FABRIC_DENIED },
	{ FABRIC_WRITE, 2, 0, 100000, FABRIC_OK },
	{ FABRIC_CAS, 2, 0, 8, FABRIC_DENIED },
	/* there is no region 7 */
	{ FABRIC_READ, 7, 0, 1, FABRIC_BAD_KEY },
	{ FABRIC_WRITE, 7, 0, 100000, FABRIC_BAD_KEY },
	{ FABRIC_CAS, 7, 0, 8, FABRIC_BAD_KEY },
};

static void test_edges(void **state)
{
	struct lane_op o;

	(void)state;
	rig.service.region[1] = rig.service.region[0];
	rig.service.region[1].rights = FABRIC_RIGHT_READ;
	rig.service.region[2] = rig.service.region[0];
	rig.service.region[2].rights = FABRIC_RIGHT_WRITE;
	for (unsigned i = 0; i < ARRAY_LEN(edges); i++) {
		const struct edge *e = &edges[i];

		memset(rig.remote, 0x22, RIG_BYTES);
		memset(rig.local, 0x33, RIG_BYTES);
		lane_op_init(&o, e->opcode, e->offset, rig.local, e->length);
		o.op.key = memory_key(e->region);
		o.op.operand[0] = 1;
		lane_rig_run(&rig, &o);
		if (o.status != e->status)
			print_message("# row %u: %s\n", i,
			              fabric_status_name(o.status));
		assert_int_equal(o.status, e->status);
		assert_int_equal(rig.service.n_immediates, 0);
		if (e->status == FABRIC_OK)
			continue;
		memset(rig.expected, 0x22, RIG_BYTES);
		assert_memory_equal(rig.remote, rig.expected, RIG_BYTES);
		memset(rig.expected, 0x33, RIG_BYTES);
		assert_memory_equal(rig.local, rig.expected, RIG_BYTES);
	}
	assert_int_equal(rig.out.failures + rig.in.failures, 0);
}

/* V1, V2: the key dies after so many bytes. */
static void test_revoked_on_the_way(void **state)
{
	static const enum fabric_opcode opcodes[] = { FABRIC_READ, FABRIC_WRITE,
		                                      FABRIC_WRITE_IMM };
	struct memory_region *g = &rig.service.region[0];
	uint64_t moved;
	struct lane_op o;

	(void)state;
	if (kind->rdma)
		return; /* unit/fabric/test_verbs.c has its like */
	for (unsigned i = 0; i < ARRAY_LEN(opcodes); i++) {
		memset(rig.remote, 1, RIG_BYTES);
		memset(rig.local, 2, RIG_BYTES);
		lane_op_init(&o, opcodes[i], 0, rig.local, RIG_BYTES);
		g->revoke_at = 300000;
		assert_int_equal(lane_rig_run(&rig, &o), FABRIC_REVOKED);
		g->revoked = false;
		g->revoke_at = 0;
		/* All before, nothing after, in both memories. */
		for (moved = 0; moved < RIG_BYTES; moved++)
			if (rig.remote[moved] != rig.local[moved])
				break;
		assert_in_range(moved, 1, 300000);
		for (uint64_t k = moved; k < RIG_BYTES; k++)
			assert_int_not_equal(rig.remote[k], rig.local[k]);
		lane_op_init(&o, FABRIC_READ, 0, rig.local, 100);
		assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	}
	assert_int_equal(rig.service.n_immediates, 0);
}

static unsigned permits; /* so many more pieces are allowed */

static bool allowed(const struct fabric_op *op)
{
	(void)op;
	return permits > 0 && permits--;
}

/* O4: the issuer's own key dies; `after` pieces were allowed. */
static void test_own_key(void **state)
{
	static const struct {
		enum fabric_opcode opcode;
		uint64_t length;
	} rows[] = { { FABRIC_READ, 1000 },         { FABRIC_READ, 1 << 20 },
		     { FABRIC_WRITE, 1000 },        { FABRIC_WRITE, 1 << 20 },
		     { FABRIC_WRITE_IMM, 1 << 20 }, { FABRIC_SEND, 1000 } };
	struct lane_op o;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		for (unsigned after = 0; after < 3; after++) {
			memset(rig.remote, 1, RIG_BYTES);
			memset(rig.local, 2, RIG_BYTES);
			lane_op_init(&o, rows[i].opcode, 0, rig.local,
			             rows[i].length);
			o.op.allowed = allowed;
			permits = after;
			if (after && rows[i].length < FABRIC_PIECE)
				continue;
			assert_int_equal(lane_rig_run(&rig, &o),
			                 FABRIC_REVOKED);
			permits = 1u << 30;
			for (uint64_t k = after * FABRIC_PIECE; k < RIG_BYTES;
			     k++)
				assert_int_not_equal(rig.remote[k],
				                     rig.local[k]);
			lane_op_init(&o, FABRIC_WRITE, 0, rig.local, 100);
			assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
		}
	}
	assert_int_equal(rig.service.n_immediates, 0);
	assert_int_equal(rig.service.n_received, 0);
}

/* -- order ---------------------------------------------------------------- */

static unsigned violations;

/* A stamp and what follows it were written before. */
static void look(struct memory_service *m, uint32_t immediate, uint64_t offset,
                 uint64_t length)
{
	(void)offset;
	(void)length;
	for (uint64_t at = 0; at < 100000; at += 4096)
		violations += m->region[0].base[at] != (uint8_t)immediate;
}

/* V4: a WRITE is visible before a later immediate. */
static void test_write_before_immediate(void **state)
{
	enum { N = 20 };
	static uint8_t data[N][100000];
	struct lane_op w[N], i[N];

	(void)state;
	rig.service.on_immediate = look;
	violations = 0;
	for (unsigned k = 0; k < N; k++) {
		memset(data[k], (int)k + 1, sizeof(data[k]));
		lane_op_init(&w[k], FABRIC_WRITE, 0, data[k], sizeof(data[k]));
		lane_op_init(&i[k], FABRIC_WRITE_IMM, 200000, data[k], k % 2);
		i[k].op.immediate = k + 1;
		lane_rig_submit(&rig, &w[k]);
		lane_rig_submit(&rig, &i[k]);
	}
	lane_rig_wait(&rig, &i[N - 1].done, 1);
	assert_int_equal(rig.service.n_immediates, N);
	assert_int_equal(violations, 0);
	for (unsigned k = 0; k < N; k++)
		assert_int_equal(rig.service.immediate[k], k + 1);
}

/* N1, N2: many outstanding, of all kinds. */
static void test_many(void **state)
{
	enum { N = SESSION_WINDOW };
	static struct lane_op o[N];
	static uint64_t value[N];
	unsigned order = 0, n_sends = 0;

	(void)state;
	memset(rig.remote, 0, RIG_BYTES);
	for (unsigned i = 0; i < N; i++) {
		static const enum fabric_opcode kinds[] = {
			FABRIC_WRITE, FABRIC_READ, FABRIC_FAA, FABRIC_SEND
		};
		unsigned what = i % 4;

		value[i] = i + 1;
		lane_op_init(&o[i], kinds[what], 8 * (i / 4), &value[i], 8);
		o[i].op.operand[0] = 1000;
		o[i].order = &order;
		if (what == 1)
			value[i] = 0;
		n_sends += what == 3;
		lane_rig_submit(&rig, &o[i]);
	}
	assert_int_equal(order, 0); /* N4 */
	lane_rig_wait(&rig, &order, N);
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(o[i].status, FABRIC_OK);
		assert_int_equal(o[i].done, 1);
		assert_int_equal(o[i].place, i + 1);
		if (i % 4 == 1)
			assert_int_equal(value[i], i); /* what i - 1 wrote */
		if (i % 4 == 2)
			assert_int_equal(o[i].op.result, i - 1);
	}
	assert_int_equal(rig.service.n_received, n_sends);
}

/* A READ is answered with what was there before a later WRITE. */
static void test_read_before_write(void **state)
{
	enum { N = 40, LENGTH = 90000 };
	static struct lane_op r[N], w[N];
	static uint8_t got[N][LENGTH], put[N][LENGTH];

	(void)state;
	memset(rig.remote, 0, LENGTH);
	for (unsigned k = 0; k < N; k++) {
		uint64_t n = k % 2 ? LENGTH : 500;

		memset(put[k], (int)k + 1, LENGTH);
		lane_op_init(&r[k], FABRIC_READ, 0, got[k], n);
		lane_op_init(&w[k], FABRIC_WRITE, 0, put[k], LENGTH);
		lane_rig_submit(&rig, &r[k]);
		lane_rig_submit(&rig, &w[k]);
	}
	lane_rig_wait(&rig, &w[N - 1].done, 1);
	for (unsigned k = 0; k < N; k++)
		for (unsigned i = 0; i < (k % 2 ? LENGTH : 500); i++)
			assert_int_equal(got[k][i], k);
}

/* -- exactly once --------------------------------------------------------- */

/* G1: the same number again, as after a resend. */
static void test_repeated(void **state)
{
	uint64_t *word = (uint64_t *)rig.remote;
	struct target_stats stats;
	struct lane_op o;
	uint64_t data = 9;

	(void)state;
	*word = 0;
	lane_op_init(&o, FABRIC_FAA, 0, NULL, 8);
	o.op.operand[0] = 5;
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	o.done = 0;
	rig.sequence--;
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	assert_int_equal(o.op.result, 0); /* of the first time */
	assert_int_equal(*word, 5);

	lane_op_init(&o, FABRIC_WRITE_IMM, 0, &data, 8);
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	data = 10;
	o.done = 0;
	rig.sequence--;
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	assert_int_equal(*word, 9);
	assert_int_equal(rig.service.n_immediates, 1);

	lane_op_init(&o, FABRIC_SEND, 0, &data, 8);
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	o.done = 0;
	rig.sequence--;
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	assert_int_equal(rig.service.n_received, 1);

	/* A refusal is remembered too. */
	lane_op_init(&o, FABRIC_WRITE, 0, &data, 8);
	o.op.key = memory_key(6);
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_BAD_KEY);
	o.op.key = memory_key(0);
	o.done = 0;
	rig.sequence--;
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_BAD_KEY);

	/* A READ is executed again. */
	lane_op_init(&o, FABRIC_READ, 0, &data, 8);
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	*word = 77;
	o.done = 0;
	rig.sequence--;
	assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
	assert_int_equal(data, 77);

	target_stats(rig.target, &stats);
	assert_int_equal(stats.repeated, 4);
}

/* G2: numbers that an honest session cannot send. */
static void test_numbers_out_of_the_window(void **state)
{
	static const uint64_t numbers[] = { 2000 + SESSION_WINDOW + 1,
		                            2000 - SESSION_WINDOW, 1,
		                            UINT64_MAX };
	struct lane_op o;
	uint64_t data;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(numbers); i++) {
		if (i) {
			lane_rig_stop(&rig);
			lane_rig_start(&rig, kind);
		}
		for (rig.sequence = 999; rig.sequence <= 1999;
		     rig.sequence += 999) {
			lane_op_init(&o, FABRIC_READ, 0, &data, 8);
			assert_int_equal(lane_rig_run(&rig, &o), FABRIC_OK);
		}
		lane_op_init(&o, FABRIC_READ, 0, &data, 8);
		rig.sequence = numbers[i] - 1;
		lane_rig_submit(&rig, &o);
		lane_rig_wait(&rig, &rig.in.failures, 1);
		assert_int_equal(rig.in.error, -EPROTO);
		if (!kind->rdma)
			assert_int_equal(o.done, 0);
		list_remove(&o.op.link);
	}
}

/* -- control frames and ends ---------------------------------------------- */

static void test_ping(void **state)
{
	struct frame ping = { .type = FABRIC_WIRE_PING,
		              .sequence = 77,
		              .last = true };
	struct lane_op o;

	(void)state;
	lane_op_init(&o, FABRIC_WRITE, 0, rig.local, RIG_BYTES);
	lane_rig_submit(&rig, &o);
	assert_int_equal(lane_control(rig.out.lane, &ping, NULL), 0);
	lane_rig_wait(&rig, &rig.out.n_controls, 1);
	assert_int_equal(rig.out.control.type, FABRIC_WIRE_PONG);
	assert_int_equal(rig.out.control.sequence, 77);
	lane_rig_wait(&rig, &o.done, 1);
}

static void test_fence_frames(void **state)
{
	const uint64_t lanes[] = { 1, UINT64_MAX };
	uint8_t body[FABRIC_WIRE_CONTROL_MAX];
	uint64_t got[FABRIC_WIRE_FENCES];
	struct frame f = { .type = FABRIC_WIRE_FENCE, .last = true };

	(void)state;
	f.length = (uint32_t)frame_encode_fence(lanes, 2, body);
	assert_int_equal(lane_control(rig.out.lane, &f, body), 0);
	lane_rig_wait(&rig, &rig.in.n_controls, 1);
	assert_int_equal(rig.in.control.type, FABRIC_WIRE_FENCE);
	assert_int_equal(
		frame_decode_fence(rig.in.body, rig.in.control.length, got), 2);
	assert_memory_equal(got, lanes, sizeof(lanes));
	f.type = FABRIC_WIRE_FENCED;
	assert_int_equal(lane_control(rig.in.lane, &f, body), 0);
	lane_rig_wait(&rig, &rig.out.n_controls, 1);
	assert_int_equal(rig.out.control.type, FABRIC_WIRE_FENCED);
}

/* The other end goes away in the middle of everything. */
static void test_target_ends(void **state)
{
	enum { N = 10 };
	static struct lane_op o[N];
	static uint8_t data[N][1 << 20];
	unsigned done = 0;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		lane_op_init(&o[i], i % 2 ? FABRIC_READ : FABRIC_WRITE, 0,
		             data[i], sizeof(data[i]));
		lane_rig_submit(&rig, &o[i]);
	}
	lane_rig_turn(&rig, 4);
	lane_destroy(rig.in.lane);
	rig.in.lane = NULL;
	lane_rig_wait(&rig, &rig.out.failures, 1);
	assert_true(rig.out.error == -EPIPE || rig.out.error == -ECONNRESET);
	for (unsigned i = 0; i < N; i++)
		done += o[i].done;
	assert_int_equal(rig.out.lane->n_pending, N - done);
	assert_true(done < N);
	while (list_pop(&rig.out.lane->pending))
		;
	lane_rig_turn(&rig, 10);
	assert_int_equal(rig.out.failures, 1);
}

/* N3: what comes for a lane that was destroyed goes nowhere. */
static void test_initiator_ends(void **state)
{
	static uint8_t data[RIG_BYTES];
	struct lane_op o;

	(void)state;
	memset(rig.remote, 5, RIG_BYTES);
	lane_op_init(&o, FABRIC_READ, 0, data, sizeof(data));
	lane_rig_submit(&rig, &o);
	lane_rig_turn(&rig, 6);
	list_remove(&o.op.link);
	lane_destroy(rig.out.lane);
	rig.out.lane = NULL;
	memset(data, 0, sizeof(data));
	lane_rig_wait(&rig, &rig.in.failures, 1);
	lane_rig_turn(&rig, 100);
	for (unsigned i = 0; i < sizeof(data); i++)
		assert_int_equal(data[i], 0);
	assert_int_equal(o.done, 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(test_write_then_read),
		CASE(test_vectors),
		CASE(test_nothing_to_move),
		CASE(test_messages),
		CASE(test_atomics),
		CASE(test_edges),
		CASE(test_revoked_on_the_way),
		CASE(test_own_key),
		CASE(test_write_before_immediate),
		CASE(test_many),
		CASE(test_read_before_write),
		CASE(test_repeated),
		CASE(test_numbers_out_of_the_window),
		CASE(test_ping),
		CASE(test_fence_frames),
		CASE(test_target_ends),
		CASE(test_initiator_ends),
	};

	for (unsigned i = 0; i < n_lane_transports; i++)
		if (argc == 2 && strcmp(argv[1], lane_transports[i].name) == 0)
			kind = &lane_transports[i];
	if (!kind) {
		fprintf(stderr, "usage: test_lane TRANSPORT\n");
		return 2;
	}
	return cmocka_run_group_tests_name(kind->name, tests, NULL, NULL);
}
