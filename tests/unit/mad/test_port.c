/* SPDX-License-Identifier: BSD-2-Clause */
/* shows M1, M2, M3 of mad/port.h */
#include "wire.h"

#include "mad/smp.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct counter {
	struct mad_agent agent;
	unsigned n;
	struct mad_datagram last;
};

static void count(struct mad_agent *a, const struct mad_datagram *d)
{
	struct counter *c = container_of(a, struct counter, agent);

	c->n++;
	c->last = *d;
}

static struct counter counter(uint8_t mgmt_class, enum mad_method method)
{
	struct counter c = { .agent = { .mgmt_class = mgmt_class,
		                        .class_version = 1,
		                        .receive = count } };

	if (method)
		mad_agent_take(&c.agent, method);
	return c;
}

/* shows M2, M3: who gets what. */
static void test_who_gets_it(void **state)
{
	struct counter client = counter(MAD_CLASS_SUBN_LID, 0);
	struct counter getter = counter(MAD_CLASS_SUBN_LID, MAD_GET);
	struct counter trapper = counter(MAD_CLASS_SUBN_LID, MAD_TRAP);
	struct counter perf = counter(MAD_CLASS_PERF, MAD_GET);
	struct counter *all[] = { &client, &getter, &trapper, &perf };
	struct {
		uint8_t mgmt_class;
		uint8_t method;
		uint64_t tid;
		int error;
		const struct counter *to;
	} rows[] = {
		{ MAD_CLASS_SUBN_LID, MAD_GET, 1, 0, &getter },
		{ MAD_CLASS_SUBN_DIRECTED, MAD_GET, 1, 0, &getter },
		{ MAD_CLASS_SUBN_LID, MAD_TRAP, 1, 0, &trapper },
		{ MAD_CLASS_SUBN_LID, MAD_SET, 1, 0, NULL },
		{ MAD_CLASS_PERF, MAD_GET, 1, 0, &perf },
		{ MAD_CLASS_SA, MAD_GET, 1, 0, NULL },
		{ MAD_CLASS_SUBN_LID, MAD_GET_RESP, 1ull << 32, 0, &client },
		{ MAD_CLASS_SUBN_DIRECTED, MAD_GET_RESP, 1ull << 32, 0,
		  &client },
		{ MAD_CLASS_SUBN_LID, MAD_TRAP_REPRESS, 3ull << 32, 0,
		  &trapper },
		{ MAD_CLASS_PERF, MAD_GET_RESP, 1ull << 32, 0, NULL },
		{ MAD_CLASS_SUBN_LID, MAD_GET_RESP, 0, 0, NULL },
		{ MAD_CLASS_SUBN_LID, MAD_GET_RESP, 33ull << 32, 0, NULL },
		{ MAD_CLASS_SUBN_LID, MAD_GET_RESP, ~0ull, 0, NULL },
		{ MAD_CLASS_SUBN_LID, MAD_GET, 1ull << 32, -ETIMEDOUT,
		  &client },
	};
	struct wire w;

	(void)state;
	wire_start(&w);
	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		assert_int_equal(
			mad_port_attach(&w.end[0].port, &all[i]->agent), 0);
	assert_int_equal(client.agent.id, 1);
	assert_int_equal(trapper.agent.id, 3);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct mad_datagram d = { .error = rows[i].error };
		uint64_t unclaimed = w.end[0].port.stats.unclaimed;

		for (unsigned k = 0; k < ARRAY_LEN(all); k++)
			all[k]->n = 0;
		mad_init(&d.mad, rows[i].mgmt_class, rows[i].method, 0x11, 0);
		d.mad.header.tid = be64_put(rows[i].tid);
		assert_int_equal(mad_port_deliver(&w.end[0].port, &d),
		                 rows[i].to != NULL);
		for (unsigned k = 0; k < ARRAY_LEN(all); k++)
			assert_int_equal(all[k]->n, all[k] == rows[i].to);
		assert_int_equal(w.end[0].port.stats.unclaimed - unclaimed,
		                 rows[i].to == NULL);
	}
	for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
		mad_port_detach(&all[i]->agent);
		mad_port_detach(&all[i]->agent); /* harmless */
	}
	wire_end(&w);
}

/* shows M1, M2: the low half comes back, a response's TID is not touched. */
static void test_tid(void **state)
{
	struct counter client = counter(MAD_CLASS_SUBN_LID, 0);
	struct counter first = counter(MAD_CLASS_PERF, 0);
	struct counter other = counter(MAD_CLASS_SUBN_LID, MAD_GET);
	struct mad_address to = mad_address_smi(2);
	struct wire w;
	struct mad m;

	(void)state;
	wire_start(&w);
	mad_port_attach(&w.end[0].port, &client.agent);
	mad_port_attach(&w.end[1].port, &first.agent);
	mad_port_attach(&w.end[1].port, &other.agent);
	assert_int_not_equal(other.agent.id, client.agent.id);
	mad_init(&m, MAD_CLASS_SUBN_LID, MAD_GET, MAD_ATTR_NODE_INFO, 0);
	m.header.tid = be64_put(UINT64_C(0xffffffffdeadbeef));
	assert_int_equal(mad_port_send(&client.agent, &to, &m, 100), 0);
	assert_int_equal(other.n, 0);
	wire_step(&w);
	assert_int_equal(other.n, 1);
	assert_int_equal(other.last.peer.lid, 1);
	m = other.last.mad;
	assert_int_equal(mad_port_reply(&other.agent, &other.last, &m, 0), 0);
	wire_step(&w);
	assert_int_equal(client.n, 1);
	assert_int_equal(be64_get(client.last.mad.header.tid) & UINT32_MAX,
	                 0xdeadbeef);
	mad_port_detach(&client.agent);
	assert_int_equal(mad_port_send(&client.agent, &to, &m, 0), -ENODEV);
	mad_port_detach(&first.agent);
	mad_port_detach(&other.agent);
	wire_end(&w);
}

static void test_attach_limits(void **state)
{
	struct counter many[MAD_AGENTS + 1];
	struct counter getter = counter(MAD_CLASS_SA, MAD_GET);
	struct counter second = counter(MAD_CLASS_SA, MAD_GET);
	struct wire w;

	(void)state;
	wire_start(&w);
	assert_int_equal(mad_port_attach(&w.end[0].port, &getter.agent), 0);
	assert_int_equal(mad_port_attach(&w.end[0].port, &second.agent),
	                 -EBUSY);
	assert_null(second.agent.port);
	mad_port_detach(&getter.agent);
	assert_int_equal(mad_port_attach(&w.end[0].port, &second.agent), 0);
	for (unsigned i = 0; i < ARRAY_LEN(many); i++) {
		many[i] = counter(MAD_CLASS_SUBN_LID, 0);
		assert_int_equal(
			mad_port_attach(&w.end[0].port, &many[i].agent),
			i < MAD_AGENTS - 1 ? 0 : -EBUSY);
	}
	for (unsigned i = 0; i < ARRAY_LEN(many); i++)
		mad_port_detach(&many[i].agent);
	mad_port_detach(&second.agent);
	wire_end(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_gets_it),
		cmocka_unit_test(test_tid),
		cmocka_unit_test(test_attach_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
