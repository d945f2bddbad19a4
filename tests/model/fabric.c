/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two nodes that ask each other for everything, over links on which anything
 * happens: delay, jitter, fragments, narrow pipes, black holes of one way or
 * both, bytes that are held back and arrive later, resets, refusals, links
 * that flap, processes that die and come back.
 *
 *     fabric [SEED [SEEDS]]     random runs
 *     fabric late [TIMES]       the late copy, on purpose
 *
 * The real code runs, from frames to nodes, under a simulated network and
 * clock.  The checker demands
 *   - that every operation ends exactly once;
 *   - that writes, messages and additions take effect exactly once if they
 *     were acknowledged, at most once if their fate is unknown, and none
 *     later than what was submitted after they ended;
 *   - that a read shows nothing older than what was acknowledged, or read,
 *     before it was submitted, and nothing that was not written;
 *   - that a flow's messages arrive in order, and that a fenced one finds all
 *     that was submitted before it.
 *
 * A failing seed is printed as the command that repeats it.
 *
 * shows L8, L11, L12, L13, L20 (fabric), M7, M12, M22
 */
#include "../support/fabric_world.h"

#include "core/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REGISTERS 6u
#define COUNTERS 4u
#define FLOWS 12u /* of messages */
#define RECORDS 512u
#define STEPS 250u
#define IN_FLIGHT 60u

/* Bytes of each register; they lie one after the other. */
static const uint64_t sizes[REGISTERS] = { 8, 8, 64, 20000, 70000, 150000 };

struct reg {
	uint64_t at;
	uint64_t submitted; /* the newest stamp */
	uint64_t expected;  /* the newest that was not given up */
	uint64_t acked, seen;
};

struct flow {
	uint32_t next, received;
};

struct record { /* what a fenced message must find */
	uint64_t stamp[REGISTERS];
};

/* One direction: node `from` asks node `to`. */
struct side {
	unsigned from, to;
	struct fabric_peer *peer;
	struct reg regs[REGISTERS];
	struct flow flows[FLOWS];
	uint64_t added[COUNTERS], maybe[COUNTERS];
	uint64_t cas;
	bool cas_busy, cas_unsure;
	struct record records[RECORDS];
	unsigned n_records, n_messages;
	unsigned outstanding;
};

enum kind { WRITE, READ, ADD, SWAP, MESSAGE };

struct work {
	struct fabric_op op;
	struct iovec iov;
	struct side *side;
	enum kind kind;
	unsigned which; /* register, counter or flow */
	uint64_t stamp, floor;
	unsigned ends;
	uint8_t *data;
};

struct message {
	uint32_t flow, number;
	uint32_t record; /* + 1; 0: it is not fenced */
};

static struct fabric_world w;
static struct side sides[2];
static uint64_t seed;
static bool is_late;

static void fail(const char *what, uint64_t a, uint64_t b)
{
	printf("not ok - %s: %ju, %ju\n", what, (uintmax_t)a, (uintmax_t)b);
	if (is_late)
		printf("# repeat with: model_fabric late\n");
	else
		printf("# repeat with: model_fabric %ju 1\n", (uintmax_t)seed);
	fflush(stdout);
	abort();
}

static uint64_t rnd(uint64_t n)
{
	return sim_random(w.sim) % n;
}

/* -- what the memory shows ------------------------------------------------ */

static uint64_t counter_at(unsigned i)
{
	return WORLD_BYTES - 8 * (i + 1);
}

#define SWAP_AT (WORLD_BYTES - 8 * (COUNTERS + 1))

static uint64_t word_at(const struct side *s, uint64_t at)
{
	uint64_t v;

	memcpy(&v, w.nodes[s->to].memory + at, 8);
	return v;
}

static void fill(uint8_t *data, uint64_t n, uint64_t stamp)
{
	for (uint64_t i = 0; i < n; i += 8)
		memcpy(data + i, &stamp, 8);
}

/* Every word of a register must be one of these stamps. */
static void check_range(const uint8_t *data, uint64_t n, uint64_t low,
                        uint64_t high, const char *what)
{
	uint64_t v;

	for (uint64_t i = 0; i < n; i += 8) {
		memcpy(&v, data + i, 8);
		if (v < low)
			fail(what, v, low);
		if (v > high)
			fail("a stamp that nobody wrote", v, high);
	}
}

/* -- ends ----------------------------------------------------------------- */

static bool unknown(enum fabric_status status)
{
	return status == FABRIC_TIMED_OUT || status == FABRIC_PEER_LOST ||
	       status == FABRIC_CANCELLED;
}

static void write_ended(struct work *k, struct reg *r, bool ok)
{
	if (ok && k->stamp > r->acked)
		r->acked = k->stamp;
	if (!ok)
		r->expected = r->acked;
}

static void read_ended(struct work *k, struct reg *r)
{
	uint64_t low = UINT64_MAX, v;

	check_range(k->data, sizes[k->which], k->floor, r->submitted,
	            "a read is older than what was known");
	for (uint64_t i = 0; i < sizes[k->which]; i += 8) {
		memcpy(&v, k->data + i, 8);
		low = v < low ? v : low;
	}
	if (low > r->seen)
		r->seen = low;
}

static void swap_ended(struct work *k, bool ok)
{
	struct side *s = k->side;

	s->cas_busy = false;
	if (!ok) {
		s->cas_unsure = true;
		return;
	}
	if (k->op.result != s->cas &&
	    !(s->cas_unsure && k->op.result == s->cas + 1))
		fail("compare-and-swap found", k->op.result, s->cas);
	/* Either this one made it s->cas + 1 or the unsure one had. */
	s->cas++;
	s->cas_unsure = false;
}

static void ended(struct fabric_op *op, enum fabric_status status)
{
	struct work *k = container_of(op, struct work, op);
	struct side *s = k->side;
	bool ok = status == FABRIC_OK;

	if (k->ends++)
		fail("an operation ended twice", (uint64_t)k->kind, k->which);
	if (!ok && !unknown(status))
		fail("an operation ended with", (uint64_t)status, k->which);
	switch (k->kind) {
	case WRITE:
		write_ended(k, &s->regs[k->which], ok);
		break;
	case READ:
		if (ok)
			read_ended(k, &s->regs[k->which]);
		break;
	case ADD:
		*(ok ? &s->added[k->which] : &s->maybe[k->which]) += k->stamp;
		break;
	case SWAP:
		swap_ended(k, ok);
		break;
	case MESSAGE:
		break;
	}
	s->outstanding--;
	free(k->data);
	free(k);
}

static enum fabric_status received(void *ctx, struct fabric_peer *from,
                                   enum fabric_class class, const void *data,
                                   size_t length)
{
	struct world_node *n = container_of((struct memory_service *)ctx,
	                                    struct world_node, service);
	struct side *s = &sides[n == &w.nodes[0]];
	struct message m;

	(void)from;
	(void)class;
	if (length < sizeof(m))
		fail("a message of", length, sizeof(m));
	memcpy(&m, data, sizeof(m));
	s->n_messages++;
	if (m.number <= s->flows[m.flow].received)
		fail("a message came twice, or too late", m.number,
		     s->flows[m.flow].received);
	s->flows[m.flow].received = m.number;
	for (unsigned i = 0; m.record && i < REGISTERS; i++)
		check_range(n->memory + s->regs[i].at, sizes[i],
		            s->records[(m.record - 1) % RECORDS].stamp[i],
		            s->regs[i].submitted,
		            "a fenced message overtook a write");
	return FABRIC_OK;
}

/* -- submits -------------------------------------------------------------- */

static struct work *new_work(struct side *s, enum kind kind, unsigned which,
                             enum fabric_opcode opcode, uint64_t length)
{
	struct work *k = calloc(1, sizeof(*k));

	assert(k);
	k->side = s;
	k->kind = kind;
	k->which = which;
	k->data = calloc(1, length);
	assert(k->data);
	k->iov = (struct iovec){ k->data, length };
	k->op = (struct fabric_op){ .opcode = opcode,
		                    .key = memory_key(0),
		                    .length = length,
		                    .iov = &k->iov,
		                    .n_iov = 1,
		                    .done = ended };
	return k;
}

static void submit(struct work *k)
{
	k->side->outstanding++;
	session_submit(node_peer_session(k->side->peer), &k->op);
}

static void submit_write(struct side *s)
{
	unsigned i = (unsigned)rnd(REGISTERS);
	struct reg *r = &s->regs[i];
	struct work *k =
		new_work(s, WRITE, i, rnd(5) ? FABRIC_WRITE : FABRIC_WRITE_IMM,
	                 sizes[i]);

	k->stamp = ++r->submitted;
	r->expected = k->stamp;
	fill(k->data, sizes[i], k->stamp);
	k->op.offset = r->at;
	k->op.flow = i + 1; /* one order of writes */
	k->op.class = i < 3 ? FABRIC_LATENCY : FABRIC_BULK;
	submit(k);
}

static void submit_read(struct side *s)
{
	unsigned i = (unsigned)rnd(REGISTERS);
	struct reg *r = &s->regs[i];
	struct work *k = new_work(s, READ, i, FABRIC_READ, sizes[i]);

	k->floor = r->acked > r->seen ? r->acked : r->seen;
	k->op.offset = r->at;
	k->op.flow = rnd(2) ? 100 + i : 0;
	k->op.class = (enum fabric_class)rnd(FABRIC_CLASSES);
	submit(k);
}

static void submit_add(struct side *s)
{
	unsigned i = (unsigned)rnd(COUNTERS);
	struct work *k = new_work(s, ADD, i, FABRIC_FAA, 8);

	k->stamp = 1 + rnd(5);
	k->op.operand[0] = k->stamp;
	k->op.offset = counter_at(i);
	k->op.class = (enum fabric_class)rnd(FABRIC_CLASSES);
	k->op.flow = (uint32_t)rnd(3);
	k->op.iov = NULL;
	k->op.n_iov = 0;
	submit(k);
}

static void submit_swap(struct side *s)
{
	struct work *k;

	if (s->cas_busy)
		return;
	s->cas_busy = true;
	k = new_work(s, SWAP, 0, FABRIC_CAS, 8);
	k->op.operand[0] = s->cas;
	k->op.operand[1] = s->cas + 1;
	k->op.offset = SWAP_AT;
	k->op.class = FABRIC_LATENCY;
	k->op.iov = NULL;
	k->op.n_iov = 0;
	submit(k);
}

static void submit_message(struct side *s)
{
	unsigned f = (unsigned)rnd(FLOWS);
	uint64_t length = sizeof(struct message) + (rnd(4) ? 0 : rnd(40000));
	struct work *k = new_work(s, MESSAGE, f, FABRIC_SEND, length);
	struct message m = { .flow = f, .number = ++s->flows[f].next };

	if (rnd(3) == 0) {
		struct record *c = &s->records[s->n_records++ % RECORDS];

		for (unsigned i = 0; i < REGISTERS; i++)
			c->stamp[i] = s->regs[i].expected;
		m.record = s->n_records;
		k->op.flags = FABRIC_FENCED;
	}
	memcpy(k->data, &m, sizeof(m));
	k->op.flow = 1000 + f;
	k->op.class = f % 3 ? FABRIC_LATENCY : FABRIC_CONTROL;
	submit(k);
}

static void submit_any(struct side *s)
{
	static void (*const kinds[])(struct side *) = {
		submit_write, submit_write,   submit_read, submit_read,
		submit_add,   submit_message, submit_swap,
	};

	if (s->outstanding < IN_FLIGHT && w.nodes[s->from].node)
		kinds[rnd(ARRAY_LEN(kinds))](s);
}

/* -- faults --------------------------------------------------------------- */

static void hook(unsigned node)
{
	w.nodes[node].service.service.received = received;
}

static void introduce(struct side *s, unsigned links)
{
	s->peer = world_introduce(&w, s->from, s->to, links);
}

static unsigned n_links, danger; /* of this run */

/* Process 1 dies and comes back; its memory is kept. */
static void restart(void)
{
	world_kill(&w, 1);
	world_pass(&w, rnd(3) * 1000);
	world_boot(&w, 1, n_links);
	hook(1);
	introduce(&sides[1], n_links);
}

static void set_delays(struct sim_link *l)
{
	l->delay_ns = rnd(4) ? rnd(200000) : 0;
	l->jitter_ns = rnd(3) ? rnd(1000000) : 0;
	l->fragments = rnd(3) == 0;
	l->bytes_per_ms = rnd(4) ? 0 : 20000 + rnd(200000);
}

static void any_fault(void)
{
	unsigned node = (unsigned)rnd(2), link = (unsigned)rnd(n_links);
	struct sim_link *l = world_link(&w, node, link);

	switch (rnd(danger)) {
	case 0:
		l->held[SIM_OUT] = l->held[SIM_BACK] = false;
		l->refuses = false;
		break;
	case 1:
		set_delays(l);
		break;
	case 2:
	case 3:
		l->held[rnd(2)] = true;
		break;
	case 4:
		l->held[SIM_OUT] = l->held[SIM_BACK] = true;
		break;
	case 5:
		l->held[rnd(2)] = false;
		break;
	case 6:
		sim_cut(w.sim, node * WORLD_LINKS + link, -ECONNRESET);
		break;
	case 7:
		l->refuses = !l->refuses;
		break;
	case 8: /* a link that flaps */
		for (unsigned i = 0; i < 4; i++) {
			sim_cut(w.sim, node * WORLD_LINKS + link, -EPIPE);
			world_pass(&w, 1000);
		}
		break;
	default:
		if (rnd(6) == 0)
			restart();
	}
}

/* -- a run ---------------------------------------------------------------- */

static void begin(void)
{
	uint64_t at = 0;

	world_start(&w, seed);
	w.session =
		(struct session_opts){ .deadline_ms = rnd(2) ? 50 : 10,
		                       .lost_after_ms = rnd(3) ? 60000 : 300 };
	n_links = 1 + (unsigned)rnd(3);
	danger = 1 + (unsigned)rnd(10);
	for (unsigned i = 0; i < 2; i++) {
		sides[i] = (struct side){ .from = i, .to = !i };
		at = 0;
		for (unsigned r = 0; r < REGISTERS; r++) {
			sides[i].regs[r].at = at;
			at += (sizes[r] + 63) / 64 * 64;
		}
		world_boot(&w, i, n_links);
		hook(i);
	}
	for (unsigned i = 0; i < 2; i++)
		introduce(&sides[i], n_links);
}

static void heal(void)
{
	for (unsigned n = 0; n < 2; n++)
		for (unsigned l = 0; l < WORLD_LINKS; l++)
			*world_link(&w, n, l) = (struct sim_link){ 0 };
	for (unsigned ms = 0;
	     ms < 70000 && sides[0].outstanding + sides[1].outstanding; ms++)
		world_pass(&w, 1000);
	/* What was held back may still come. */
	world_pass(&w, 20000);
}

static void final_check(struct side *s)
{
	if (s->outstanding)
		fail("operations that never ended", s->outstanding, s->from);
	for (unsigned i = 0; i < REGISTERS; i++) {
		struct reg *r = &s->regs[i];
		bool sure = r->expected == r->submitted;

		check_range(w.nodes[s->to].memory + r->at, sizes[i],
		            sure ? r->submitted : r->acked, r->submitted,
		            "memory is older than what was acknowledged");
	}
	for (unsigned i = 0; i < COUNTERS; i++) {
		uint64_t v = word_at(s, counter_at(i));

		if (v < s->added[i] || v > s->added[i] + s->maybe[i])
			fail("a counter", v, s->added[i]);
	}
	if (word_at(s, SWAP_AT) != s->cas &&
	    !(s->cas_unsure && word_at(s, SWAP_AT) == s->cas + 1))
		fail("the swapped word", word_at(s, SWAP_AT), s->cas);
}

static void run(void)
{
	begin();
	for (unsigned i = 0; i < STEPS; i++) {
		uint64_t what = rnd(10);

		if (what < 7)
			submit_any(&sides[rnd(2)]);
		else if (what < 9)
			world_pass(&w, 100 * (1 + rnd(rnd(8) ? 10 : 300)));
		else
			any_fault();
	}
	heal();
	final_check(&sides[0]);
	final_check(&sides[1]);
	world_stop(&w);
}

/* -- the late copy -------------------------------------------------------- */

/*
 * Link 0's bytes are held, some of a write among them; the session moves the
 * write to link 1; another write to the same place is acknowledged; then the
 * held bytes arrive.  They must not land.
 */
static void late_once(struct side *s)
{
	struct sim_link *l = world_link(&w, 1, 0);
	struct session_stats stats;
	uint64_t resent;

	session_stats(node_peer_session(s->peer), &stats);
	resent = stats.resent;
	l->bytes_per_ms = rnd(2) ? 0 : 10000 + rnd(100000);
	for (unsigned i = 0; i < 12; i++)
		submit_write(s);
	world_pass(&w, 100 * rnd(8));
	l->held[SIM_OUT] = true;
	for (unsigned i = 0; i < 6; i++)
		submit_write(s);
	for (unsigned ms = 0; s->outstanding && ms < 1000; ms++)
		world_pass(&w, 1000);
	for (unsigned i = 0; i < 12; i++)
		submit_write(s);
	for (unsigned ms = 0; s->outstanding && ms < 1000; ms++)
		world_pass(&w, 1000);
	final_check(s);
	l->held[SIM_OUT] = false;
	l->bytes_per_ms = 0;
	world_pass(&w, 3000 + 100 * rnd(50));
	final_check(s);
	session_stats(node_peer_session(s->peer), &stats);
	is_late = stats.resent > resent || is_late;
}

static int late(unsigned times)
{
	struct session_stats stats;

	seed = 1;
	begin();
	world_stop(&w);
	world_start(&w, seed);
	w.session = (struct session_opts){ .deadline_ms = 10 };
	n_links = 2;
	for (unsigned i = 0; i < 2; i++) {
		w.nodes[i].memory = NULL;
		world_boot(&w, i, 2);
		hook(i);
	}
	introduce(&sides[0], 2);
	is_late = true;
	for (unsigned i = 0; i < times; i++)
		late_once(&sides[0]);
	session_stats(node_peer_session(sides[0].peer), &stats);
	printf("# %ju writes moved, %ju lanes lost\n", (uintmax_t)stats.resent,
	       (uintmax_t)stats.lanes_lost);
	if (stats.lanes_lost < times / 2 || stats.resent < times / 2)
		fail("too few copies were late", stats.resent, times);
	world_stop(&w);
	printf("ok 1 - no late copy landed, %u times\n", times);
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t first = 1, n = 2000;

	printf("1..1\n");
	log_set_level(LOG_LEVEL_ERROR);
	if (argc > 1 && strcmp(argv[1], "late") == 0)
		return late(argc > 2 ? (unsigned)atoi(argv[2]) : 5000);
	if (argc > 1)
		first = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		n = strtoull(argv[2], NULL, 0);
	for (seed = first; seed < first + n; seed++)
		run();
	printf("ok 1 - %ju runs\n", (uintmax_t)n);
	return 0;
}
