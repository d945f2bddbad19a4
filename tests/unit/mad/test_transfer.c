/* SPDX-License-Identifier: BSD-2-Clause */
/* shows X1, X2, X3 of mad/transfer.h */
#include "wire.h"

#include "mad/sa.h"
#include "mad/transfer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LONGEST 300000u
static uint8_t records[LONGEST];

struct answer {
	struct transfer t;
	int err;
	unsigned n_done;
	struct answer *next;
};

/* Answers a GetTable with as many bytes as its modifier says. */
struct server {
	struct mad_agent agent;
	struct transfers transfers;
	struct answer *answers;
	unsigned n_asked;
	unsigned n_long; /* requests in RMPP */
	size_t length;   /* of the last */
	unsigned n_answered;
	unsigned n_failed;
	int last_refusal;
	bool deaf;
};

static void answered(struct transfer *t, int err)
{
	struct answer *a = container_of(t, struct answer, t);
	struct server *s = container_of(t->owner, struct server, transfers);

	a->err = err;
	a->n_done++;
	s->n_answered += err == 0;
	s->n_failed += err != 0;
}

static void serve(struct mad_agent *agent, const struct mad_datagram *d)
{
	struct server *s = container_of(agent, struct server, agent);
	struct mad head = d->mad;
	struct answer *a;
	int err;

	if (s->deaf || transfer_receive(&s->transfers, d))
		return;
	s->n_asked++;
	if (head.header.method == MAD_GET) {
		mad_port_reply(agent, d, &head, MAD_STATUS_SA_NO_RECORDS);
		return;
	}
	a = calloc(1, sizeof(*a));
	a->t.done = answered;
	a->next = s->answers;
	s->answers = a;
	mad_make_response(&head, 0);
	err = transfer_send(&s->transfers, &a->t, &d->peer, &head, records,
	                    mad_attr_mod(&d->mad));
	if (err)
		s->last_refusal = err;
}

static void serve_long(struct transfers *ts, const struct mad_datagram *d,
                       const uint8_t *data, size_t length)
{
	struct server *s = container_of(ts, struct server, transfers);

	assert_int_equal(d->mad.header.method, MAD_SA_GET_MULTI);
	assert_memory_equal(data, records, length);
	s->n_long++;
	s->length = length;
}

struct client {
	struct mad_agent agent;
	struct transfers transfers;
	unsigned n_other;
};

static void take(struct mad_agent *agent, const struct mad_datagram *d)
{
	struct client *c = container_of(agent, struct client, agent);

	c->n_other += !transfer_receive(&c->transfers, d);
}

struct rig {
	struct wire wire;
	struct server server;
	struct client client;
	bool in_call;
	unsigned n_done;
};

struct ask {
	struct transfer_query q;
	struct rig *rig;
	size_t length;
	int err;
	uint16_t status;
	unsigned n_done;
};

static void rig_start(struct rig *r)
{
	static const struct transfer_opts o = { .timeout_ms = 10,
		                                .tries = 8,
		                                .receive_max = LONGEST,
		                                .request = serve_long };

	memset(r, 0, sizeof(*r));
	wire_start(&r->wire);
	r->server.agent.mgmt_class = MAD_CLASS_SA;
	r->server.agent.receive = serve;
	mad_agent_take(&r->server.agent, MAD_GET);
	mad_agent_take(&r->server.agent, MAD_SA_GET_TABLE);
	mad_agent_take(&r->server.agent, MAD_SA_GET_MULTI);
	r->client.agent.mgmt_class = MAD_CLASS_SA;
	r->client.agent.receive = take;
	mad_port_attach(&r->wire.end[1].port, &r->server.agent);
	mad_port_attach(&r->wire.end[0].port, &r->client.agent);
	transfer_init(&r->server.transfers, &r->server.agent, &o);
	transfer_init(&r->client.transfers, &r->client.agent, &o);
	for (unsigned i = 0; i < LONGEST; i++)
		records[i] = (uint8_t)(i * 31 + i / 256);
}

static void rig_end(struct rig *r)
{
	transfer_fini(&r->server.transfers);
	transfer_fini(&r->client.transfers);
	mad_port_detach(&r->server.agent);
	mad_port_detach(&r->client.agent);
	wire_end(&r->wire);
	while (r->server.answers) {
		struct answer *a = r->server.answers;

		r->server.answers = a->next;
		assert_in_range(a->n_done, 0, 1);
		free(a);
	}
}

static void asked(struct transfer_query *q, int err, const struct mad *head,
                  const void *data, size_t length)
{
	struct ask *a = container_of(q, struct ask, q);

	assert_false(a->rig->in_call);
	a->n_done++;
	a->err = err;
	a->rig->n_done++;
	if (err)
		return;
	a->status = mad_status(head);
	if (a->status)
		return;
	assert_int_equal(head->header.method, MAD_SA_GET_TABLE_RESP);
	assert_int_equal(length, a->length);
	if (length)
		assert_memory_equal(data, records, length);
}

static void ask(struct rig *r, struct ask *a, enum mad_method method,
                size_t length)
{
	*a = (struct ask){ .rig = r, .length = length };
	a->q.to = mad_address_gsi(2, 0);
	a->q.done = asked;
	mad_init(&a->q.request, MAD_CLASS_SA, method, MAD_ATTR_NODE_RECORD,
	         (uint32_t)length);
	r->in_call = true;
	a->err = transfer_query(&r->client.transfers, &a->q);
	r->in_call = false;
}

static void run(struct rig *r, unsigned until_done, unsigned steps)
{
	for (unsigned i = 0; i < steps && r->n_done < until_done; i++)
		wire_step(&r->wire);
}

static struct ask asks[TRANSFERS_MAX + 1];

/* shows X1 */
static void test_lengths(void **state)
{
	static const size_t lengths[] = { 0,       1,     200,    201,
		                          112 * 7, 12999, LONGEST };
	struct rig r;

	(void)state;
	rig_start(&r);
	for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
		ask(&r, &asks[i], MAD_SA_GET_TABLE, lengths[i]);
		run(&r, i + 1, 10000);
		assert_int_equal(asks[i].n_done, 1);
		assert_int_equal(asks[i].err, 0);
	}
	ask(&r, &asks[0], MAD_GET, 0);
	run(&r, ARRAY_LEN(lengths) + 1, 100);
	assert_int_equal(asks[0].status, MAD_STATUS_SA_NO_RECORDS);
	for (unsigned i = 0; i < 10; i++)
		wire_step(&r.wire);
	assert_int_equal(r.server.n_answered, ARRAY_LEN(lengths));
	assert_int_equal(r.client.n_other, 0);
	rig_end(&r);
}

/* shows X1: several at a time over a bad wire. */
static void test_bad_wire(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r);
	r.wire.lost_percent = 5;
	r.wire.doubled_percent = 5;
	r.wire.delay_ns = 2 * NS_PER_MS;
	for (unsigned i = 0; i < TRANSFERS_PER_PEER; i++)
		ask(&r, &asks[i], MAD_SA_GET_TABLE, 1000 * (i + 1));
	run(&r, TRANSFERS_PER_PEER, 200000);
	for (unsigned i = 0; i < TRANSFERS_PER_PEER; i++) {
		assert_int_equal(asks[i].n_done, 1);
		assert_int_equal(asks[i].err, 0);
	}
	for (unsigned i = 0; i < 2000; i++)
		wire_step(&r.wire);
	assert_int_equal(r.server.transfers.n, 0);
	rig_end(&r);
}

/* shows X3: the server is gone, and so is a client. */
static void test_gone(void **state)
{
	uint64_t start;
	struct rig r;

	(void)state;
	rig_start(&r);
	r.server.deaf = true;
	start = r.wire.now_ns;
	ask(&r, &asks[0], MAD_SA_GET_TABLE, 1000);
	run(&r, 1, 10000);
	assert_int_equal(asks[0].err, -ETIMEDOUT);
	assert_in_range(r.wire.now_ns - start, 80 * NS_PER_MS, 110 * NS_PER_MS);
	r.server.deaf = false;
	r.wire.delay_ns = NS_PER_MS;
	ask(&r, &asks[0], MAD_SA_GET_TABLE, LONGEST);
	for (unsigned i = 0; i < 50; i++)
		wire_step(&r.wire);
	r.wire.end[0].refuse = -ENODEV; /* its ACKs do not get out */
	for (unsigned i = 0; i < 1100; i++)
		wire_step(&r.wire);
	assert_int_equal(r.server.n_failed, 1);
	assert_int_equal(r.server.answers->err, -ETIMEDOUT);
	assert_int_equal(asks[0].n_done, 1);
	assert_int_equal(asks[0].err, -ECONNABORTED);
	r.wire.end[0].refuse = 0;
	rig_end(&r);
}

/* A message that is longer than the client allows. */
static void test_too_long(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r);
	r.client.transfers.opts.receive_max = 1000;
	ask(&r, &asks[0], MAD_SA_GET_TABLE, 1001);
	run(&r, 1, 100);
	wire_step(&r.wire);
	assert_int_equal(asks[0].err, -ECONNABORTED);
	assert_int_equal(r.server.answers->err, -ECONNABORTED);
	rig_end(&r);
}

/* shows X2 */
static void test_limits(void **state)
{
	struct rig r;

	(void)state;
	rig_start(&r);
	r.wire.delay_ns = NS_PER_MS;
	for (unsigned i = 0; i < TRANSFERS_MAX; i++) {
		ask(&r, &asks[i], MAD_SA_GET_TABLE, 100000);
		assert_int_equal(asks[i].err, 0);
	}
	ask(&r, &asks[TRANSFERS_MAX], MAD_SA_GET_TABLE, 1);
	assert_int_equal(asks[TRANSFERS_MAX].err, -EBUSY);
	for (unsigned i = 0; i < 12; i++)
		wire_step(&r.wire);
	assert_int_equal(r.server.last_refusal, -EBUSY);
	assert_int_equal(r.server.transfers.n, TRANSFERS_PER_PEER);
	rig_end(&r);
	for (unsigned i = 0; i < TRANSFERS_MAX; i++)
		assert_int_equal(asks[i].n_done, 1);
	assert_int_equal(asks[0].err, -ECANCELED);
	assert_int_equal(asks[TRANSFERS_MAX].n_done, 0);
}

/* A request that comes twice is answered once at a time. */
static void test_asked_again(void **state)
{
	struct mad_datagram d = { .peer = mad_address_gsi(1, 0) };
	struct rig r;

	(void)state;
	rig_start(&r);
	mad_init(&d.mad, MAD_CLASS_SA, MAD_SA_GET_TABLE, MAD_ATTR_NODE_RECORD,
	         5000);
	d.mad.header.tid = be64_put(99);
	mad_port_deliver(&r.wire.end[1].port, &d);
	assert_int_equal(r.server.last_refusal, 0);
	mad_port_deliver(&r.wire.end[1].port, &d);
	assert_int_equal(r.server.last_refusal, -EALREADY);
	rig_end(&r);
}

/* Requests that are RMPP themselves: all of their segments, from any peer. */
struct long_request {
	struct rmpp_sender sender;
	struct mad_datagram segment;
};

static void long_start(struct long_request *q, uint16_t lid, uint64_t tid,
                       size_t length)
{
	struct mad head;

	*q = (struct long_request){ .segment.peer = mad_address_gsi(lid, 0) };
	mad_init(&head, MAD_CLASS_SA, MAD_SA_GET_MULTI,
	         MAD_ATTR_MULTI_PATH_RECORD, 0);
	head.header.tid = be64_put(tid);
	assert_int_equal(rmpp_sender_init(&q->sender, &head, records, length),
	                 0);
	q->sender.window_last = UINT32_MAX;
}

static bool long_next(struct long_request *q, struct rig *r)
{
	if (!rmpp_sender_next(&q->sender, &q->segment.mad))
		return false;
	mad_port_deliver(&r->wire.end[1].port, &q->segment);
	return true;
}

static void test_long_requests(void **state)
{
	static const size_t lengths[] = { 1, 200, 201, 9000 };
	struct long_request q[2];
	unsigned n_sent;
	struct rig r;

	(void)state;
	rig_start(&r);
	for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
		long_start(&q[0], 1, 5, lengths[i]);
		while (long_next(&q[0], &r))
			continue;
		assert_int_equal(r.server.n_long, i + 1);
		assert_int_equal(r.server.length, lengths[i]);
	}
	/* Our ACK was lost: another one. */
	n_sent = r.wire.n_sent;
	mad_port_deliver(&r.wire.end[1].port, &q[0].segment);
	assert_int_equal(r.wire.n_sent, n_sent + 1);
	/* Two at once, with one name. */
	long_start(&q[0], 1, 5, 450);
	long_start(&q[1], 7, 5, 650);
	while (long_next(&q[1], &r))
		long_next(&q[0], &r);
	assert_int_equal(r.server.n_long, ARRAY_LEN(lengths) + 2);
	assert_int_equal(r.server.n_asked, 0);
	assert_int_equal(r.server.transfers.n, 0);
	rig_end(&r);
}

/* shows X2, X3: those that begin and do not go on. */
static void test_long_requests_end(void **state)
{
	struct long_request q;
	struct rig r;

	(void)state;
	rig_start(&r);
	for (unsigned i = 0; i < TRANSFERS_PER_PEER + 5; i++) {
		long_start(&q, 1, i, 1000);
		long_next(&q, &r);
	}
	assert_int_equal(r.server.transfers.n, TRANSFERS_PER_PEER);
	long_start(&q, 1, 0, 1000);
	long_next(&q, &r); /* the first segment again: still there */
	q.segment.mad.header.tid = be64_put(1);
	mad_sa(&q.segment.mad)->rmpp.type = RMPP_ABORT;
	mad_port_deliver(&r.wire.end[1].port, &q.segment);
	assert_int_equal(r.server.transfers.n, TRANSFERS_PER_PEER - 1);
	for (unsigned i = 0; i < 700; i++)
		wire_step(&r.wire);
	assert_int_equal(r.server.transfers.n, TRANSFERS_PER_PEER - 1);
	for (unsigned i = 0; i < 400; i++)
		wire_step(&r.wire);
	assert_int_equal(r.server.transfers.n, 0);
	/* Longer than is allowed, and not wanted at all. */
	r.server.transfers.opts.receive_max = 500;
	long_start(&q, 1, 5, 501);
	while (long_next(&q, &r))
		continue;
	r.server.transfers.opts.request = NULL;
	long_start(&q, 1, 5, 1);
	long_next(&q, &r);
	assert_int_equal(r.server.transfers.n, 0);
	assert_int_equal(r.server.n_long, 0);
	long_start(&q, 1, 5, 501);
	r.server.transfers.opts.request = serve_long;
	long_next(&q, &r); /* under way at the end */
	rig_end(&r);
}

/* The last segment again, because our ACK was lost: it is acknowledged, and
 * nothing else is. */
static void test_last_again(void **state)
{
	struct mad_datagram d = { .peer = mad_address_gsi(2, 0) };
	unsigned n_sent;
	struct rig r;

	(void)state;
	rig_start(&r);
	mad_init(&d.mad, MAD_CLASS_SA, MAD_SA_GET_TABLE_RESP,
	         MAD_ATTR_NODE_RECORD, 0);
	d.mad.header.tid = be64_put((uint64_t)r.client.agent.id << 32 | 999);
	mad_sa(&d.mad)->rmpp = (struct rmpp_header){
		.version = 1,
		.type = RMPP_DATA,
		.flags = RMPP_ACTIVE,
		.data1 = be32_put(5),
	};
	n_sent = r.wire.n_sent;
	mad_port_deliver(&r.wire.end[0].port, &d);
	assert_int_equal(r.wire.n_sent, n_sent);
	mad_sa(&d.mad)->rmpp.flags = RMPP_ACTIVE | RMPP_LAST;
	mad_port_deliver(&r.wire.end[0].port, &d);
	assert_int_equal(r.wire.n_sent, n_sent + 1);
	mad_sa(&d.mad)->rmpp.type = RMPP_ABORT;
	mad_port_deliver(&r.wire.end[0].port, &d);
	assert_int_equal(r.wire.n_sent, n_sent + 1);
	assert_int_equal(r.client.n_other, 0);
	rig_end(&r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_bad_wire),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_asked_again),
		cmocka_unit_test(test_long_requests),
		cmocka_unit_test(test_long_requests_end),
		cmocka_unit_test(test_last_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
