/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every network fault against every operation, over real sockets through a
 * proxy that spoils one link: beside a good link, and alone until it heals.
 *
 * shows L11, L13, L14, L20, X3 (over TCP and TLS)
 */
#include "../../support/socket_world.h"
#include "../test.h"

#include <stdio.h>

#define N 12u /* operations of a kind, at the same time */
#define EACH (UINT64_C(256) << 10)
#define HEAL_MS 120u
#define PATIENCE_MS 60000u

static struct socket_world w;

/* -- faults --------------------------------------------------------------- */

static void cut(void)
{
	fault_proxy_cut(&w.proxy, true);
}

static void end(void)
{
	fault_proxy_cut(&w.proxy, false);
}

static void half_close_out(void)
{
	fault_proxy_half_close(&w.proxy, FAULT_OUT);
}

static void half_close_back(void)
{
	fault_proxy_half_close(&w.proxy, FAULT_BACK);
}

static void refuse(void)
{
	w.proxy.faults.refuses = true;
	fault_proxy_cut(&w.proxy, true);
}

static const struct fault {
	const char *name;
	struct faults faults;
	void (*strike)(void); /* in mid-traffic, once */
	/* Bytes that change on the way: TCP lets none through, so for these
	 * the proxy stands for an attacker, against whom there is TLS. */
	bool attack;
} all_faults[] = {
	{ "none", { 0 }, NULL, false },
	{ "late", { .delay_ms = 4 }, NULL, false },
	{ "jitter", { .jitter_ms = 8 }, NULL, false },
	{ "stalled", { .held = { true, true } }, NULL, false },
	{ "one way out", { .held = { false, true } }, NULL, false },
	{ "one way back", { .held = { true, false } }, NULL, false },
	{ "reset", { 0 }, cut, false },
	{ "ended", { 0 }, end, false },
	{ "half closed out", { 0 }, half_close_out, false },
	{ "half closed back", { 0 }, half_close_back, false },
	{ "slow, few bytes at once",
	  { .bytes_per_ms = 3000, .piece = 7 },
	  NULL,
	  false },
	{ "refused", { 0 }, refuse, false },
	{ "flipped bits", { .flip_one_in = 100000 }, NULL, true },
	{ "bytes twice", { .twice_one_in = 100000 }, NULL, true },
	{ "bytes lost", { .lose_one_in = 100000 }, NULL, true },
};

/* -- operations ----------------------------------------------------------- */

static const struct kind {
	enum fabric_opcode opcode;
	uint64_t length;
} kinds[] = {
	{ FABRIC_READ, 8 },         { FABRIC_READ, EACH },
	{ FABRIC_WRITE, 8 },        { FABRIC_WRITE, EACH },
	{ FABRIC_WRITE_IMM, 4096 }, { FABRIC_SEND, 1000 },
	{ FABRIC_CAS, 8 },          { FABRIC_FAA, 8 },
};

struct job {
	struct fabric_op op;
	struct iovec iov;
	enum fabric_status status;
};

static struct job jobs[N];
static uint8_t *local; /* N times EACH */
static unsigned n_done;

static void job_done(struct fabric_op *op, enum fabric_status status)
{
	container_of(op, struct job, op)->status = status;
	n_done++;
}

static void fill(uint8_t *to, uint64_t n, uint64_t seed)
{
	for (uint64_t i = 0; i < n; i++)
		to[i] = (uint8_t)((i * 31 + (i >> 8)) ^ seed);
}

static bool is_atomic(const struct kind *k)
{
	return k->opcode == FABRIC_CAS || k->opcode == FABRIC_FAA;
}

static void prepare(const struct kind *k)
{
	memset(w.memory, 0, SOCKET_BYTES);
	w.service.n_received = w.service.n_immediates = 0;
	n_done = 0;
	for (unsigned i = 0; i < N; i++) {
		struct job *j = &jobs[i];
		bool reads = k->opcode == FABRIC_READ;

		*j = (struct job){ .op = { .opcode = k->opcode,
			                   .class = k->length == EACH
			                                    ? FABRIC_BULK
			                                    : FABRIC_LATENCY,
			                   .key = memory_key(0),
			                   .offset = i * EACH,
			                   .length = k->length,
			                   .done = job_done } };
		fill(local + i * EACH, k->length, reads ? 99 : i);
		if (reads)
			fill(w.memory + i * EACH, k->length, i);
		j->iov = (struct iovec){ local + i * EACH, k->length };
		j->op.iov = is_atomic(k) ? NULL : &j->iov;
		j->op.n_iov = !is_atomic(k);
		j->op.operand[0] = k->opcode == FABRIC_FAA ? 7 : 0;
		j->op.operand[1] = 7;
		if (k->opcode == FABRIC_FAA)
			j->op.offset = 0; /* all on one word */
	}
}

/* Each was done, whole, once. */
static void check(const struct kind *k)
{
	uint64_t word, sum = 0;

	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(jobs[i].status, FABRIC_OK);
		sum += jobs[i].op.result;
		if (k->opcode == FABRIC_CAS) {
			memcpy(&word, w.memory + i * EACH, 8);
			assert_int_equal(word, 7);
			assert_int_equal(jobs[i].op.result, 0);
		} else if (k->opcode != FABRIC_FAA &&
		           k->opcode != FABRIC_SEND) {
			assert_memory_equal(w.memory + i * EACH,
			                    local + i * EACH, k->length);
		}
	}
	memcpy(&word, w.memory, 8);
	if (k->opcode == FABRIC_FAA) {
		assert_int_equal(word, 7 * N);
		assert_int_equal(sum, 7 * (N * (N - 1) / 2));
	}
	assert_int_equal(w.service.n_received,
	                 k->opcode == FABRIC_SEND ? N : 0);
	assert_int_equal(w.service.n_immediates,
	                 k->opcode == FABRIC_WRITE_IMM ? N : 0);
}

/* -- one against the other ------------------------------------------------ */

static void heal(void)
{
	w.proxy.faults = (struct faults){ 0 };
}

static void run(const struct fault *f, const struct kind *k, bool alone)
{
	uint64_t spoiled;

	prepare(k);
	w.proxy.faults = f->faults;
	for (unsigned i = 0; i < N; i++)
		session_submit(w.session, &jobs[i].op);
	for (unsigned i = 0; i < 3; i++)
		reactor_poll(w.reactor);
	if (f->strike)
		f->strike();
	if (alone) {
		spoiled = w.proxy.n_spoiled;
		socket_world_wait(&w, &n_done, N, HEAL_MS);
		if (f->attack && k->length == EACH)
			assert_true(w.proxy.n_spoiled > spoiled);
		heal();
	}
	if (!socket_world_wait(&w, &n_done, N, PATIENCE_MS))
		fail_msg("%u of %u ended", n_done, N);
	heal();
	check(k);
}

static void run_all(enum fabric_scheme scheme, bool attacks, bool alone)
{
	socket_world_start(&w, scheme, 1);
	for (unsigned i = 0; i < ARRAY_LEN(all_faults); i++) {
		const struct fault *f = &all_faults[i];

		if (f->attack != attacks)
			continue;
		socket_world_join(&w, !alone);
		for (unsigned k = 0; k < ARRAY_LEN(kinds); k++) {
			print_message("# %s: %s of %ju\n", f->name,
			              fabric_opcode_name(kinds[k].opcode),
			              (uintmax_t)kinds[k].length);
			run(f, &kinds[k], alone);
		}
		socket_world_part(&w);
	}
	socket_world_stop(&w);
}

static void beside_a_good_link(void **state)
{
	(void)state;
	run_all(FABRIC_TCP, false, false);
}

static void alone_until_it_heals(void **state)
{
	(void)state;
	run_all(FABRIC_TCP, false, true);
}

static void attacks_beside_a_good_link(void **state)
{
	(void)state;
	run_all(FABRIC_TLS, true, false);
}

static void attacks_alone(void **state)
{
	(void)state;
	run_all(FABRIC_TLS, true, true);
}

/* The rest of what TLS has to live with. */
static void faults_under_tls(void **state)
{
	(void)state;
	run_all(FABRIC_TLS, false, true);
}

/* On a busy machine all comes late, and at once: nobody is lost for that. */
static void a_reactor_that_is_late(void **state)
{
	(void)state;
	socket_world_start(&w, FABRIC_TCP, 1);
	socket_world_dial(&w, true);
	prepare(&kinds[0]);
	for (unsigned i = 0; i < N; i++)
		session_submit(w.session, &jobs[i].op);
	for (unsigned i = 0; i < 40; i++) {
		usleep(35000);
		reactor_poll(w.reactor);
		assert_int_not_equal(session_state(w.session), SESSION_LOST);
	}
	assert_true(socket_world_wait(&w, &n_done, N, PATIENCE_MS));
	check(&kinds[0]);
	socket_world_stop(&w);
}

static int setup(void **state)
{
	(void)state;
	local = malloc(N * EACH);
	return local ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(local);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reactor_that_is_late),
		cmocka_unit_test(beside_a_good_link),
		cmocka_unit_test(alone_until_it_heals),
		cmocka_unit_test(attacks_beside_a_good_link),
		cmocka_unit_test(attacks_alone),
		cmocka_unit_test(faults_under_tls),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
