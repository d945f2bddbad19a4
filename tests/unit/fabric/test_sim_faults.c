/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every operation under every fault of a network: on one link of two, where
 * the other has to serve, and on both, where it has to wait until the fault
 * is over.  Each operation must succeed and take effect once.
 *
 * shows L11, L12, L20 (fabric), M7, M12, M22
 */
#include "../../support/fabric_world.h"
#include "../test.h"

#include "core/log.h"

#include <errno.h>

#define LARGE 200000u

static struct fabric_world w;
static struct fabric_peer *beta;
static struct session *s;

/* -- faults --------------------------------------------------------------- */

static void delay(struct sim_link *l)
{
	l->delay_ns = 15 * NS_PER_MS;
}

static void jitter(struct sim_link *l)
{
	l->jitter_ns = 20 * NS_PER_MS;
}

static void fragments(struct sim_link *l)
{
	l->fragments = true;
}

static void narrow(struct sim_link *l)
{
	l->bytes_per_ms = 3000;
}

static void black_hole(struct sim_link *l)
{
	l->held[SIM_OUT] = l->held[SIM_BACK] = true;
}

static void lost_requests(struct sim_link *l)
{
	l->held[SIM_OUT] = true;
}

static void lost_answers(struct sim_link *l)
{
	l->held[SIM_BACK] = true;
}

static void refused(struct sim_link *l)
{
	l->refuses = true;
}

static void corrupted(struct sim_link *l)
{
	l->corrupt_one_in = 64; /* headers, when frames have no body */
}

static const struct fault {
	const char *name;
	void (*begin)(struct sim_link *l);
	int cut;     /* connections end with this; 0: they don't */
	bool flaps;  /* and again and again */
	bool bodies; /* may change what has no checksum: no bodies then */
} faults[] = {
	{ "delay", delay, 0, false, false },
	{ "jitter", jitter, 0, false, false },
	{ "fragments", fragments, 0, false, false },
	{ "narrow", narrow, 0, false, false },
	{ "black hole", black_hole, 0, false, false },
	{ "lost requests", lost_requests, 0, false, false },
	{ "lost answers", lost_answers, 0, false, false },
	{ "reset", NULL, -ECONNRESET, false, false },
	{ "orderly end", NULL, -EPIPE, false, false },
	{ "flapping", NULL, -ECONNRESET, true, false },
	{ "reset, then refused", refused, -ECONNRESET, false, false },
	{ "flipped bits", corrupted, 0, false, true },
};

/* -- operations ----------------------------------------------------------- */

static uint8_t data[LARGE];

static const struct kind {
	enum fabric_opcode opcode;
	uint64_t length;
} kinds[] = {
	{ FABRIC_SEND, 64 },      { FABRIC_SEND, FABRIC_SEND_MAX },
	{ FABRIC_READ, 64 },      { FABRIC_READ, LARGE },
	{ FABRIC_WRITE, 64 },     { FABRIC_WRITE, LARGE },
	{ FABRIC_WRITE_IMM, 64 }, { FABRIC_WRITE_IMM, LARGE },
	{ FABRIC_CAS, 8 },        { FABRIC_FAA, 8 },
};

static void prepare(const struct kind *k, struct world_op *o)
{
	memset(data, k->opcode == FABRIC_READ ? 0 : 0x5a, sizeof(data));
	memset(w.nodes[1].memory, k->opcode == FABRIC_READ ? 0x5a : 0, LARGE);
	world_op_init(&w, o, k->opcode, FABRIC_LATENCY, 0, data, k->length);
	o->op.immediate = 7;
	if (k->opcode == FABRIC_FAA)
		o->op.operand[0] = 5;
	if (k->opcode == FABRIC_CAS)
		o->op.operand[1] = 5; /* from 0 */
}

static void check(const struct kind *k, const struct world_op *o)
{
	struct memory_service *m = &w.nodes[1].service;
	uint64_t word;

	assert_int_equal(o->done, 1);
	assert_int_equal(o->status, FABRIC_OK);
	memcpy(&word, w.nodes[1].memory, 8);
	assert_int_equal(m->n_received, k->opcode == FABRIC_SEND);
	assert_int_equal(m->n_immediates, k->opcode == FABRIC_WRITE_IMM);
	if (k->opcode == FABRIC_CAS || k->opcode == FABRIC_FAA) {
		assert_int_equal(word, 5);
		assert_int_equal(o->op.result, 0);
	} else if (k->opcode == FABRIC_SEND) {
		assert_memory_equal(m->message, data, k->length);
	} else {
		assert_memory_equal(w.nodes[1].memory, data, k->length);
		assert_int_equal(data[0], 0x5a);
	}
}

/* -- a run ---------------------------------------------------------------- */

static void strike(const struct fault *f, unsigned links)
{
	for (unsigned i = 0; i < links; i++) {
		if (f->begin)
			f->begin(world_link(&w, 1, i));
		if (f->cut)
			sim_cut(w.sim, WORLD_LINKS + i, f->cut);
	}
}

static void heal(unsigned links)
{
	for (unsigned i = 0; i < links; i++)
		*world_link(&w, 1, i) = (struct sim_link){ 0 };
}

/* `late`: the fault comes while the operation is under way. */
static void one(const struct fault *f, const struct kind *k, unsigned links,
                bool late)
{
	struct world_op o[4]; /* so that each link has one at least */

	world_start(&w, 1);
	world_boot(&w, 0, 2);
	world_boot(&w, 1, 2);
	beta = world_introduce(&w, 0, 1, 2);
	s = node_peer_session(beta);
	assert_true(world_wait_state(&w, beta, SESSION_UP, 100));
	world_pass(&w, 5000);
	memory_service_init(&w.nodes[1].service);
	w.nodes[1].service.region[0] = (struct memory_region){
		.base = w.nodes[1].memory, .length = WORLD_BYTES, .rights = 7
	};
	prepare(k, &o[0]);
	for (unsigned i = 1; i < 4; i++)
		world_op_init(&w, &o[i], FABRIC_READ, FABRIC_LATENCY, LARGE,
		              &data[LARGE - 8], 0);
	if (!late)
		strike(f, links);
	for (unsigned i = 0; i < 4; i++)
		session_submit(s, &o[(i + 1) % 4].op);
	if (late) {
		reactor_poll(w.reactor);
		strike(f, links);
	}
	for (unsigned i = 0; f->flaps && i < 5; i++) {
		world_pass(&w, 3000);
		strike(f, links);
	}
	world_pass(&w, links == 2 ? 150000 : 0);
	if (links == 2)
		heal(2);
	for (unsigned i = 0; i < 4; i++)
		assert_true(world_wait(&w, &o[i].done, 1, 1500));
	check(k, &o[0]);
	/* What was on its way may arrive now, and must not count. */
	heal(2);
	world_pass(&w, 100000);
	check(k, &o[0]);
	world_stop(&w);
}

static void test_all(void **state)
{
	const struct fault *f = *state;

	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
		if (f->bodies && kinds[i].opcode < FABRIC_CAS)
			continue;
		/* Reset and refused on all links is the peer's death, and
		 * ends operations: see test_session.c. */
		for (unsigned links = 1;
		     links <= (f->begin == refused ? 1u : 2u); links++)
			for (unsigned late = 0; late < 2; late++)
				one(f, &kinds[i], links, late);
	}
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(faults)];

	log_set_level(LOG_LEVEL_ERROR);
	for (unsigned i = 0; i < ARRAY_LEN(faults); i++)
		tests[i] = (struct CMUnitTest){ faults[i].name, test_all, NULL,
			                        NULL, (void *)&faults[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
