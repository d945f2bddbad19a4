/* SPDX-License-Identifier: BSD-2-Clause */
#include "lane_rig.h"

#include "fabric/tcp.h"
#include "fabric/tls.h"
#include "fabric/verbs.h"

#include <stdio.h>

#define TURNS_MAX 20000000u

/* -- transports ----------------------------------------------------------- */

static bool start_tcp(struct lane_rig *rig)
{
	const struct reactor_opts opts = { .name = "lanes" };

	assert_int_equal(reactor_create(&opts, &rig->reactor, NULL), 0);
	rig->transport = &tcp_transport;
	return true;
}

static void stop_tcp(struct lane_rig *rig)
{
	reactor_destroy(rig->reactor);
}

static struct auth_key rig_key;

static bool start_tls(struct lane_rig *rig)
{
	start_tcp(rig);
	assert_int_equal(auth_key_derive("0123456789abcdef0123456789abcdef", 32,
	                                 &rig_key),
	                 0);
	assert_int_equal(tls_transport_create(&rig_key, &rig->transport, NULL),
	                 0);
	return true;
}

static void stop_tls(struct lane_rig *rig)
{
	tls_transport_destroy(rig->transport);
	stop_tcp(rig);
}

static bool start_sim_seeded(struct lane_rig *rig, uint64_t seed)
{
	struct reactor_opts opts = { .name = "lanes" };

	rig->sim = sim_create(seed);
	opts.clock = sim_clock(rig->sim);
	assert_int_equal(reactor_create(&opts, &rig->reactor, NULL), 0);
	sim_attach(rig->sim, rig->reactor);
	rig->transport = sim_transport(rig->sim);
	return true;
}

static bool start_sim(struct lane_rig *rig)
{
	return start_sim_seeded(rig, 1);
}

/* Bytes come late and a few at a time. */
static bool start_slow_sim(struct lane_rig *rig)
{
	start_sim_seeded(rig, 2);
	*sim_link(rig->sim, 0) = (struct sim_link){ .delay_ns = 10000,
		                                    .jitter_ns = 50000,
		                                    .fragments = true };
	return true;
}

static void turn_sim(struct lane_rig *rig)
{
	sim_advance(rig->sim, 5 * NS_PER_US);
}

static void stop_sim(struct lane_rig *rig)
{
	sim_detach(rig->sim);
	reactor_destroy(rig->reactor);
	sim_destroy(rig->sim);
}

/* Where the guest of tests/guest/verbs.sh has its device. */
static bool start_verbs(struct lane_rig *rig)
{
	struct err e = { 0 };

	start_tcp(rig);
	reactor_bind(rig->reactor);
	if (verbs_transport_create(rig->reactor, &rig->transport, &e)) {
		print_message("# %s\n", e.text);
		return false;
	}
	return true;
}

static void stop_verbs(struct lane_rig *rig)
{
	verbs_transport_destroy(rig->transport);
	stop_tcp(rig);
}

const struct lane_transport lane_transports[] = {
	{ "sim", start_sim, turn_sim, stop_sim, "sim:0", false },
	{ "sim-slow", start_slow_sim, turn_sim, stop_sim, "sim:0", false },
	{ "tcp", start_tcp, NULL, stop_tcp, "tcp:127.0.0.1:0", false },
	{ "tcp6", start_tcp, NULL, stop_tcp, "tcp:[::1]:0", false },
	{ "tls", start_tls, NULL, stop_tls, "tls:127.0.0.1:0", false },
	/* the target's CPU moves all bytes, or the adapter most of them */
	{ "verbs-send", start_verbs, NULL, stop_verbs, "verbs:10.77.0.1:0",
	  false },
	{ "verbs", start_verbs, NULL, stop_verbs, "verbs:10.77.0.1:0", true },
};
const unsigned n_lane_transports = ARRAY_LEN(lane_transports);

/* -- the two ends --------------------------------------------------------- */

static struct lane_end *end_of(struct lane *l)
{
	return l->owner_data;
}

static void up(struct lane *l)
{
	end_of(l)->ups++;
}

static void control(struct lane *l, const struct frame *f, const void *body)
{
	struct lane_end *e = end_of(l);

	e->control = *f;
	if (f->length)
		memcpy(e->body, body, f->length);
	e->n_controls++;
}

static void completed(struct lane *l, struct fabric_op *op,
                      enum fabric_status status)
{
	(void)l;
	op->done(op, status);
}

static void failed(struct lane *l, int err)
{
	end_of(l)->failures++;
	end_of(l)->error = err;
}

static const struct lane_owner owner = {
	.up = up, .control = control, .completed = completed, .failed = failed
};

static void own(struct lane_end *e, struct lane *l)
{
	e->lane = l;
	l->owner = &owner;
	l->owner_data = e;
	l->class = FABRIC_LATENCY;
}

static void accepted(struct transport_listener *l, struct lane *lane)
{
	struct lane_rig *rig = l->user;

	own(&rig->in, lane);
}

void lane_rig_turn(struct lane_rig *rig, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		reactor_poll(rig->reactor);
		if (rig->kind->turn)
			rig->kind->turn(rig);
	}
}

void lane_rig_wait(struct lane_rig *rig, const unsigned *counter,
                   unsigned value)
{
	for (unsigned i = 0; *counter < value; i++) {
		assert_true(i < TURNS_MAX);
		lane_rig_turn(rig, 1);
	}
}

void lane_rig_greet(struct lane_rig *rig, const struct lane_transport *kind)
{
	struct fabric_address at;
	struct lane *l;
	struct err e = { 0 };

	memset(rig, 0, sizeof(*rig));
	rig->kind = kind;
	if (!kind->start(rig))
		skip();
	reactor_bind(rig->reactor);
	memory_service_init(&rig->service);
	if (!kind->rdma)
		rig->service.service.map = NULL;
	assert_int_equal(address_parse(kind->address, &at, &e), 0);
	assert_int_equal(rig->transport->listen(rig->transport, rig->reactor,
	                                        &at, &rig->listener, &e),
	                 0);
	rig->listener->accepted = accepted;
	rig->listener->user = rig;
	at.port = rig->listener->address.port;
	assert_int_equal(
		rig->transport->dial(rig->transport, rig->reactor, &at, &l, &e),
		0);
	own(&rig->out, l);
	lane_rig_wait(rig, &rig->out.ups, 1);
	for (unsigned i = 0;
	     !rig->in.lane || rig->in.lane->state == LANE_CONNECTING; i++) {
		assert_true(i < TURNS_MAX);
		lane_rig_turn(rig, 1);
	}
}

void lane_rig_open(struct lane_rig *rig)
{
	rig->remote = calloc(3, RIG_BYTES);
	assert_non_null(rig->remote);
	rig->local = rig->remote + RIG_BYTES;
	rig->expected = rig->local + RIG_BYTES;
	rig->service.region[0] = (struct memory_region){
		.base = rig->remote,
		.length = RIG_BYTES,
		.rights = FABRIC_RIGHT_READ | FABRIC_RIGHT_WRITE |
		          FABRIC_RIGHT_ATOMIC,
		.split = RIG_BYTES / 2 + 100,
	};
	rig->target = target_create(&rig->service.service, NULL);
	assert_non_null(rig->target);
	assert_int_equal(lane_open(rig->in.lane, rig->target), 0);
	assert_int_equal(lane_open(rig->out.lane, NULL), 0);
}

/* The first operations with a key go without RDMA: have them done. */
static void warm_up(struct lane_rig *rig)
{
	unsigned before;
	uint64_t word;

	do {
		struct lane_op o;

		before = rig->service.n_accesses;
		lane_op_init(&o, FABRIC_READ, 0, &word, sizeof(word));
		assert_int_equal(lane_rig_run(rig, &o), FABRIC_OK);
		assert_true(rig->sequence < 1000);
	} while (rig->service.n_accesses != before);
	rig->service.n_accesses = rig->service.n_finished = 0;
}

void lane_rig_start(struct lane_rig *rig, const struct lane_transport *kind)
{
	lane_rig_greet(rig, kind);
	lane_rig_open(rig);
	if (kind->rdma)
		warm_up(rig);
}

void lane_rig_stop(struct lane_rig *rig)
{
	lane_destroy(rig->out.lane);
	lane_destroy(rig->in.lane);
	rig->transport->unlisten(rig->listener);
	lane_rig_turn(rig, 3);
	target_destroy(rig->target);
	free(rig->remote);
	rig->kind->stop(rig);
}

/* -- operations ----------------------------------------------------------- */

static void op_done(struct fabric_op *op, enum fabric_status status)
{
	struct lane_op *o = container_of(op, struct lane_op, op);

	o->status = status;
	o->done++;
	if (o->order)
		o->place = ++*o->order;
}

void lane_op_init(struct lane_op *o, enum fabric_opcode opcode, uint64_t offset,
                  void *data, uint64_t length)
{
	*o = (struct lane_op){ .op = { .opcode = opcode,
		                       .class = FABRIC_LATENCY,
		                       .key = memory_key(0),
		                       .offset = offset,
		                       .length = length,
		                       .done = op_done } };
	if (opcode == FABRIC_CAS || opcode == FABRIC_FAA)
		return;
	o->iov[0] = (struct iovec){ data, length };
	o->op.iov = o->iov;
	o->op.n_iov = 1;
}

void lane_rig_submit(struct lane_rig *rig, struct lane_op *o)
{
	o->op.sequence = ++rig->sequence;
	lane_submit(rig->out.lane, &o->op);
}

enum fabric_status lane_rig_run(struct lane_rig *rig, struct lane_op *o)
{
	lane_rig_submit(rig, o);
	lane_rig_wait(rig, &o->done, 1);
	return o->status;
}
