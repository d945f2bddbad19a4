/* SPDX-License-Identifier: BSD-2-Clause */
/* shows T1 to T5 of mad/transact.h */
#include "wire.h"

#include "mad/smp.h"
#include "mad/transact.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The other end: answers each Get with its modifier as the data. */
struct responder {
	struct mad_agent agent;
	unsigned n;
	bool silent;
	struct mad_datagram last;
};

static void respond(struct mad_agent *a, const struct mad_datagram *d)
{
	struct responder *r = container_of(a, struct responder, agent);
	struct mad m = d->mad;

	r->n++;
	r->last = *d;
	if (r->silent)
		return;
	*(be32 *)mad_smp(&m)->data = m.header.attr_mod;
	mad_port_reply(a, d, &m, 0);
}

struct rig {
	struct wire wire;
	struct responder responder;
	struct transact *transact;
	struct transact_opts opts;
	bool in_submit;
	unsigned n_done;
	unsigned n_ok;
};

struct call {
	struct transact_request q;
	struct rig *rig;
	uint32_t number;
	unsigned n_done;
	int err;
	unsigned again; /* times to submit it from done */
};

static void rig_start(struct rig *r, unsigned window, unsigned tries)
{
	*r = (struct rig){ .opts = { .window = window,
		                     .tries = tries,
		                     .timeout_ms = 10,
		                     .mgmt_class = MAD_CLASS_SUBN_LID } };
	wire_start(&r->wire);
	r->responder.agent.mgmt_class = MAD_CLASS_SUBN_LID;
	r->responder.agent.receive = respond;
	mad_agent_take(&r->responder.agent, MAD_GET);
	assert_int_equal(
		mad_port_attach(&r->wire.end[1].port, &r->responder.agent), 0);
	assert_int_equal(
		transact_create(&r->wire.end[0].port, &r->opts, &r->transact),
		0);
}

static void rig_end(struct rig *r)
{
	struct transact_stats s;

	transact_get_stats(r->transact, &s);
	assert_int_equal(s.outstanding, 0);
	assert_int_equal(s.queued, 0);
	transact_destroy(r->transact);
	mad_port_detach(&r->responder.agent);
	wire_end(&r->wire);
}

static void submit(struct call *c)
{
	c->rig->in_submit = true;
	transact_submit(c->rig->transact, &c->q);
	c->rig->in_submit = false;
}

static void done(struct transact_request *q, int err, const struct mad *reply)
{
	struct call *c = container_of(q, struct call, q);

	assert_false(c->rig->in_submit);
	assert_true((err == 0) == (reply != NULL));
	if (!err) {
		uint32_t got = be32_get(
			*(const be32 *)((const struct smp *)reply)->data);

		assert_int_equal(got, c->number);
		c->rig->n_ok++;
	}
	c->n_done++;
	c->err = err;
	c->rig->n_done++;
	if (c->again) {
		c->again--;
		submit(c);
	}
}

static void make(struct rig *r, struct call *c, uint32_t number)
{
	*c = (struct call){ .rig = r, .number = number };
	c->q.to = mad_address_smi(2);
	c->q.done = done;
	mad_init(&c->q.mad, MAD_CLASS_SUBN_LID, MAD_GET, MAD_ATTR_NODE_INFO,
	         number);
}

static void run(struct rig *r, unsigned until_done, unsigned steps)
{
	for (unsigned i = 0; i < steps && r->n_done < until_done; i++)
		wire_step(&r->wire);
}

#define CALLS 5000u
static struct call calls[CALLS];

/* shows T1, T2: windows of all sizes. */
static void test_window(void **state)
{
	static const unsigned windows[] = { 1,  2,    7,
		                            64, 1000, TRANSACT_WINDOW_MAX };
	struct rig r;

	(void)state;
	for (unsigned k = 0; k < ARRAY_LEN(windows); k++) {
		rig_start(&r, windows[k], 3);
		for (unsigned i = 0; i < CALLS; i++) {
			make(&r, &calls[i], i);
			submit(&calls[i]);
		}
		assert_int_equal(r.n_done, 0);
		run(&r, CALLS, 100000);
		assert_int_equal(r.n_ok, CALLS);
		for (unsigned i = 0; i < CALLS; i++)
			assert_int_equal(calls[i].n_done, 1);
		assert_int_equal(r.responder.n, CALLS);
		assert_in_range(r.wire.most_flying, 1, windows[k]);
		rig_end(&r);
	}
}

/* shows T1, T4: whatever the wire does. */
static void test_bad_wire(void **state)
{
	struct transact_stats s;
	struct rig r;

	(void)state;
	rig_start(&r, 64, TRANSACT_TRIES_MAX);
	r.wire.lost_percent = 10;
	r.wire.doubled_percent = 10;
	r.wire.delay_ns = 15 * NS_PER_MS; /* later than the timeout, at times */
	for (unsigned i = 0; i < CALLS; i++) {
		make(&r, &calls[i], i);
		submit(&calls[i]);
	}
	run(&r, CALLS, 1000000);
	assert_int_equal(r.n_ok, CALLS);
	for (unsigned i = 0; i < 2000; i++)
		wire_step(&r.wire);
	for (unsigned i = 0; i < CALLS; i++)
		assert_int_equal(calls[i].n_done, 1);
	transact_get_stats(r.transact, &s);
	assert_int_equal(s.answered, CALLS);
	assert_true(s.retried > CALLS / 10);
	assert_true(s.stray > CALLS / 20);
	rig_end(&r);
}

/* shows T3 */
static void test_silence(void **state)
{
	uint64_t start;
	struct rig r;

	(void)state;
	rig_start(&r, 8, 3);
	r.responder.silent = true;
	start = r.wire.now_ns;
	for (unsigned i = 0; i < 8; i++) {
		make(&r, &calls[i], i);
		submit(&calls[i]);
	}
	run(&r, 8, 1000);
	assert_in_range(r.wire.now_ns - start, 30 * NS_PER_MS, 35 * NS_PER_MS);
	assert_int_equal(r.responder.n, 24);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(calls[i].err, -ETIMEDOUT);
		assert_int_equal(calls[i].q.tries, 3);
	}
	rig_end(&r);
}

/* shows T4: what is not the answer changes nothing. */
static void test_stray(void **state)
{
	struct mad_datagram good;
	struct transact_stats s;
	struct rig r;

	(void)state;
	rig_start(&r, 4, 1);
	r.responder.silent = true;
	make(&r, &calls[0], 1);
	submit(&calls[0]);
	wire_step(&r.wire);
	good = r.responder.last;
	*(be32 *)mad_smp(&good.mad)->data = be32_put(1);
	mad_make_response(&good.mad, 0);
	for (unsigned i = 0; i < 5; i++) {
		struct mad_datagram bad = good;
		uint64_t tid = be64_get(good.mad.header.tid);

		switch (i) {
		case 0:
			bad.mad.header.attr_id = be16_put(0x15);
			break;
		case 1:
			bad.mad.header.method = MAD_REPORT_RESP;
			break;
		case 2:
			bad.mad.header.mgmt_class = MAD_CLASS_SUBN_DIRECTED;
			break;
		case 3: /* another turn of the slot */
			bad.mad.header.tid = be64_put(tid ^ 0x1000);
			break;
		default: /* another slot */
			bad.mad.header.tid = be64_put(tid ^ 1);
		}
		mad_port_deliver(&r.wire.end[0].port, &bad);
		assert_int_equal(r.n_done, 0);
	}
	mad_port_deliver(&r.wire.end[0].port, &good);
	assert_int_equal(r.n_done, 1);

	/* The same again, while the slot has a new owner. */
	make(&r, &calls[1], 2);
	submit(&calls[1]);
	mad_port_deliver(&r.wire.end[0].port, &good);
	assert_int_equal(r.n_done, 1);
	transact_get_stats(r.transact, &s);
	assert_int_equal(s.stray, 6);
	run(&r, 2, 1000);
	assert_int_equal(calls[1].err, -ETIMEDOUT);
	rig_end(&r);
}

/* shows T1, T5 */
static void test_again_in_done(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, 2, 1);
	for (unsigned i = 0; i < 3; i++) {
		make(&r, &calls[i], i);
		calls[i].again = 100;
		submit(&calls[i]);
	}
	run(&r, 303, 10000);
	assert_int_equal(r.n_ok, 303);
	rig_end(&r);
}

/* shows T1 */
static void test_cancel(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, 2, 3);
	r.responder.silent = true;
	for (unsigned i = 0; i < 6; i++) {
		make(&r, &calls[i], i);
		submit(&calls[i]);
	}
	transact_cancel(r.transact, &calls[0].q); /* sent */
	transact_cancel(r.transact, &calls[4].q); /* queued */
	transact_cancel(r.transact, &calls[4].q); /* no harm */
	assert_int_equal(r.n_done, 0);
	wire_step(&r.wire);
	assert_int_equal(r.n_done, 2);
	assert_int_equal(calls[0].err, -ECANCELED);
	assert_int_equal(calls[4].err, -ECANCELED);
	assert_int_equal(r.responder.n, 3); /* the third took the place */
	transact_cancel_all(r.transact);
	wire_step(&r.wire);
	assert_int_equal(r.n_done, 6);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(calls[i].n_done, 1);
	transact_cancel(r.transact, &calls[0].q);
	wire_step(&r.wire);
	assert_int_equal(r.n_done, 6);
	rig_end(&r);
}

static void test_port_refuses(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r, 4, 2);
	r.wire.end[0].refuse = -EAGAIN;
	for (unsigned i = 0; i < 4; i++) {
		make(&r, &calls[i], i);
		submit(&calls[i]);
	}
	for (unsigned i = 0; i < 100; i++)
		wire_step(&r.wire);
	assert_int_equal(r.n_done, 0);
	r.wire.end[0].refuse = 0;
	run(&r, 4, 100);
	assert_int_equal(r.n_ok, 4);
	r.wire.end[0].refuse = -ENODEV;
	submit(&calls[0]);
	assert_int_equal(r.n_done, 4);
	run(&r, 5, 100);
	assert_int_equal(calls[0].err, -ENODEV);
	/* While a try is on the wire, later ones can't be sent. */
	r.wire.end[0].refuse = 0;
	r.responder.silent = true;
	submit(&calls[0]);
	r.wire.end[0].refuse = -EAGAIN;
	run(&r, 6, 1000);
	assert_int_equal(calls[0].err, -ETIMEDOUT);
	rig_end(&r);
}

/* A port that knows that a request is lost gives it back. */
static void test_bounce(void **state)
{
	struct mad_datagram back = { .error = -ETIMEDOUT };
	uint64_t start;
	struct rig r;

	(void)state;
	rig_start(&r, 4, 3);
	r.responder.silent = true;
	make(&r, &calls[0], 1);
	submit(&calls[0]);
	start = r.wire.now_ns;
	for (unsigned i = 0; i < 3; i++) {
		back.mad = calls[0].q.mad;
		mad_port_deliver(&r.wire.end[0].port, &back);
	}
	run(&r, 1, 1000);
	assert_true(r.wire.now_ns - start < 2 * NS_PER_MS);
	assert_int_equal(calls[0].err, -ETIMEDOUT);
	rig_end(&r);
}

static void test_options(void **state)
{
	static const struct transact_opts bad[] = {
		{ 0, 1, 1, MAD_CLASS_SUBN_LID },
		{ TRANSACT_WINDOW_MAX + 1, 1, 1, MAD_CLASS_SUBN_LID },
		{ 1, 0, 1, MAD_CLASS_SUBN_LID },
		{ 1, TRANSACT_TRIES_MAX + 1, 1, MAD_CLASS_SUBN_LID },
		{ 1, 1, 0, MAD_CLASS_SUBN_LID },
	};
	struct transact *t = NULL;
	struct wire w;

	(void)state;
	wire_start(&w);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(transact_create(&w.end[0].port, &bad[i], &t),
		                 -EINVAL);
	assert_null(t);
	transact_destroy(NULL);
	wire_end(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_bad_wire),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_stray),
		cmocka_unit_test(test_again_in_done),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_port_refuses),
		cmocka_unit_test(test_bounce),
		cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
