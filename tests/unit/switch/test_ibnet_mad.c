/* SPDX-License-Identifier: BSD-2-Clause */
#include "net_rig.h"

#include "core/reactor.h"
#include "mad/sa.h"
#include "mad/transact.h"
#include "mad/transfer.h"
#include "switch/ibnet_mad.h"

#include <string.h>

struct mad_rig {
	struct reactor *reactor;
	struct rig r;
	struct mad_port *port;
};

struct agent {
	struct mad_agent base;
	struct mad_datagram last;
	unsigned n;
	bool inside; /* a send is on its way */
};

static void receive(struct mad_agent *base, const struct mad_datagram *d)
{
	struct agent *a = (struct agent *)base;

	assert_false(a->inside); /* M1 */
	a->last = *d;
	a->n++;
}

static void mad_rig_init(struct mad_rig *m, const char *port)
{
	struct reactor_opts ro = { .name = "t" };
	struct err e = { 0 };

	assert_int_equal(reactor_create(&ro, &m->reactor, &e), 0);
	rig_init(&m->r, "clos:hosts=8,ports=2,radix=8", m->reactor);
	rig_bring_up(&m->r);
	assert_int_equal(ibnet_mad_open(m->reactor, m->r.net,
	                                rig_port(&m->r, port), &m->port, &e),
	                 0);
}

static void mad_rig_fini(struct mad_rig *m)
{
	mad_port_close(m->port);
	reactor_poll(m->reactor);
	rig_fini(&m->r);
	reactor_destroy(m->reactor);
}

static void attach(struct mad_rig *m, struct agent *a, uint8_t mgmt_class)
{
	memset(a, 0, sizeof(*a));
	a->base.mgmt_class = mgmt_class;
	a->base.class_version = 1;
	a->base.receive = receive;
	assert_int_equal(mad_port_attach(m->port, &a->base), 0);
}

static void answers_come_later_and_whole(void **state)
{
	struct mad_address to = mad_address_smi(3);
	struct mad_port_info info;
	struct mad_rig m;
	struct agent a;
	struct mad out;

	(void)state;
	mad_rig_init(&m, "H00002:2");
	attach(&m, &a, MAD_CLASS_SUBN_LID);
	mad_init(&out, MAD_CLASS_SUBN_LID, MAD_GET, MAD_ATTR_NODE_INFO, 0);
	out.header.tid = be64_put(0x1234);
	a.inside = true;
	assert_int_equal(mad_port_send(&a.base, &to, &out, 100), 0);
	a.inside = false;
	reactor_poll(m.reactor);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.last.peer.lid, 3);
	assert_int_equal((uint32_t)be64_get(a.last.mad.header.tid), 0x1234);
	assert_int_equal(mad_port_query(m.port, &info), 0);
	assert_int_equal(info.port, 2);
	assert_int_equal(info.lid, rig_lid(rig_port(&m.r, "H00002:2")));
	assert_int_equal(info.state, SMP_PORT_ACTIVE);
	mad_port_detach(&a.base);
	mad_rig_fini(&m);
}

static void an_sm_takes_what_is_for_it(void **state)
{
	struct mad_address to;
	struct smp_port_info i;
	struct mad_rig m;
	struct agent sm, client;
	struct mad_port *other;
	struct err e = { 0 };
	struct mad out;

	(void)state;
	mad_rig_init(&m, "H00002");
	attach(&m, &sm, MAD_CLASS_SUBN_LID);
	mad_port_detach(&sm.base);
	mad_agent_take(&sm.base, MAD_GET);
	mad_agent_take(&sm.base, MAD_TRAP);
	assert_int_equal(mad_port_attach(m.port, &sm.base), 0);
	assert_int_equal(mad_port_set_is_sm(m.port, true), 0);
	rig_get(&m.r, rig_port(&m.r, "H00002"), MAD_ATTR_PORT_INFO, 0,
	        &smp_port_info_table, &i);
	assert_true(i.capability_mask & SMP_CAP_IS_SM);

	assert_int_equal(ibnet_mad_open(m.reactor, m.r.net,
	                                rig_port(&m.r, "H00005"), &other, &e),
	                 0);
	memset(&client, 0, sizeof(client));
	client.base.mgmt_class = MAD_CLASS_SUBN_LID;
	client.base.class_version = 1;
	client.base.receive = receive;
	assert_int_equal(mad_port_attach(other, &client.base), 0);
	mad_init(&out, MAD_CLASS_SUBN_LID, MAD_GET, MAD_ATTR_SM_INFO, 0);
	to = mad_address_smi(rig_lid(rig_port(&m.r, "H00002")));
	assert_int_equal(mad_port_send(&client.base, &to, &out, 100), 0);
	reactor_poll(m.reactor);
	assert_int_equal(sm.n, 1);
	out = sm.last.mad;
	assert_int_equal(mad_port_reply(&sm.base, &sm.last, &out, 0), 0);
	reactor_poll(m.reactor);
	reactor_poll(m.reactor);
	assert_int_equal(client.n, 1);
	assert_int_equal(client.last.mad.header.method, MAD_GET_RESP);
	/* An attribute of the node's own is not the SM's. */
	mad_init(&out, MAD_CLASS_SUBN_LID, MAD_GET, MAD_ATTR_NODE_INFO, 0);
	mad_port_send(&client.base, &to, &out, 100);
	reactor_poll(m.reactor);
	assert_int_equal(sm.n, 1);
	mad_port_detach(&client.base);
	mad_port_detach(&sm.base);
	mad_port_close(other);
	mad_rig_fini(&m);
}

static void what_does_not_fit_is_dropped_and_counted(void **state)
{
	struct mad_address to = mad_address_smi(3);
	unsigned sent = IBNET_MAD_QUEUE + 100;
	struct mad_rig m;
	struct agent a;
	struct mad out;

	(void)state;
	mad_rig_init(&m, "H00002");
	attach(&m, &a, MAD_CLASS_SUBN_LID);
	for (unsigned i = 0; i < sent; i++) {
		mad_init(&out, MAD_CLASS_SUBN_LID, MAD_GET, MAD_ATTR_NODE_INFO,
		         0);
		assert_int_equal(mad_port_send(&a.base, &to, &out, 100), 0);
	}
	assert_int_equal(m.port->stats.refused, 100);
	reactor_poll(m.reactor);
	assert_int_equal(a.n, IBNET_MAD_QUEUE);
	/* Closed while something waits. */
	mad_port_send(&a.base, &to, &out, 100);
	mad_port_detach(&a.base);
	mad_rig_fini(&m);
}

/* Transactions make good what the fabric loses. */
struct counted {
	struct transact_request q;
	unsigned done;
	int err;
};

static void done(struct transact_request *q, int err, const struct mad *reply)
{
	struct counted *c = (struct counted *)q;

	(void)reply;
	c->done++;
	c->err = err;
}

static void transactions_run_over_it(void **state)
{
	struct transact_opts o = { .window = 32,
		                   .tries = 16,
		                   .timeout_ms = 10,
		                   .mgmt_class = MAD_CLASS_SUBN_LID };
	static struct counted c[200];
	struct transact *t;
	struct mad_rig m;
	bool all = false;
	uint64_t start = clock_now_ns();

	(void)state;
	mad_rig_init(&m, "H00002");
	ibnet_set_loss(m.r.net, IBNET_MILLION / 10, IBNET_MILLION / 50);
	assert_int_equal(transact_create(m.port, &o, &t), 0);
	memset(c, 0, sizeof(c));
	for (unsigned i = 0; i < 200; i++) {
		c[i].q.done = done;
		c[i].q.to = mad_address_smi((uint16_t)(1 + i % 20));
		mad_init(&c[i].q.mad, MAD_CLASS_SUBN_LID, MAD_GET,
		         MAD_ATTR_PORT_INFO, 0);
		transact_submit(t, &c[i].q);
	}
	while (!all) {
		reactor_poll(m.reactor);
		all = true;
		for (unsigned i = 0; i < 200; i++)
			all &= c[i].done == 1;
		assert_true(clock_now_ns() - start < 60 * NS_PER_S);
	}
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(c[i].err, 0);
	transact_destroy(t);
	mad_rig_fini(&m);
}

/* -- RMPP ----------------------------------------------------------------- */

#define RECORDS 60000u /* bytes: 300 segments */

struct sa_end {
	struct mad_agent agent;
	struct transfers transfers;
	struct transfer answer;
	uint8_t data[RECORDS];
	unsigned done;
	int err;
};

static void answered(struct transfer *t, int err)
{
	(void)t;
	(void)err;
}

static void sa_receive(struct mad_agent *agent, const struct mad_datagram *d)
{
	struct sa_end *end = (struct sa_end *)agent;
	struct mad head = d->mad;

	if (transfer_receive(&end->transfers, d) || d->error ||
	    d->mad.header.method != MAD_SA_GET_TABLE)
		return;
	mad_make_response(&head, 0);
	mad_sa(&head)->attr_offset = be16_put(SA_DATA_LENGTH / 8);
	end->answer.done = answered;
	transfer_send(&end->transfers, &end->answer, &d->peer, &head, end->data,
	              sizeof(end->data));
}

static void sa_end_init(struct sa_end *end, struct mad_port *port, bool server)
{
	struct transfer_opts o = { .timeout_ms = 20,
		                   .tries = 50,
		                   .receive_max = 2 * RECORDS };

	memset(end, 0, sizeof(*end));
	end->agent.mgmt_class = MAD_CLASS_SA;
	end->agent.class_version = MAD_CLASS_VERSION_SA;
	end->agent.receive = sa_receive;
	if (server)
		mad_agent_take(&end->agent, MAD_SA_GET_TABLE);
	assert_int_equal(mad_port_attach(port, &end->agent), 0);
	transfer_init(&end->transfers, &end->agent, &o);
}

static struct sa_end sa, client;

static void table_came(struct transfer_query *q, int err,
                       const struct mad *head, const void *data, size_t length)
{
	(void)q;
	(void)head;
	client.done++;
	client.err = err;
	if (!err && (length != RECORDS || memcmp(data, sa.data, RECORDS) != 0))
		client.err = 1;
}

/* Segments and acknowledgements pass, also where some get lost or doubled. */
static void a_table_of_many_segments_passes(void **state)
{
	struct transfer_query q = { .done = table_came };
	uint64_t start = clock_now_ns();
	struct mad_port *other;
	struct err e = { 0 };
	struct mad_rig m;

	(void)state;
	mad_rig_init(&m, "H00002:2");
	assert_int_equal(ibnet_mad_open(m.reactor, m.r.net,
	                                rig_port(&m.r, "H00005"), &other, &e),
	                 0);
	sa_end_init(&sa, other, true);
	sa_end_init(&client, m.port, false);
	for (unsigned i = 0; i < RECORDS; i++)
		sa.data[i] = (uint8_t)(i * 7 + i / 256);
	ibnet_set_loss(m.r.net, IBNET_MILLION / 100, IBNET_MILLION / 100);
	q.to = mad_address_gsi(rig_lid(rig_port(&m.r, "H00005")), 0);
	mad_init(&q.request, MAD_CLASS_SA, MAD_SA_GET_TABLE,
	         MAD_ATTR_NODE_RECORD, 0);
	assert_int_equal(transfer_query(&client.transfers, &q), 0);
	while (!client.done) {
		reactor_poll(m.reactor);
		assert_true(clock_now_ns() - start < 60 * NS_PER_S);
	}
	assert_int_equal(client.err, 0);
	transfer_fini(&client.transfers);
	transfer_fini(&sa.transfers);
	mad_port_detach(&client.agent);
	mad_port_detach(&sa.agent);
	mad_port_close(other);
	mad_rig_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_come_later_and_whole),
		cmocka_unit_test(an_sm_takes_what_is_for_it),
		cmocka_unit_test(what_does_not_fit_is_dropped_and_counted),
		cmocka_unit_test(transactions_run_over_it),
		cmocka_unit_test(a_table_of_many_segments_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
