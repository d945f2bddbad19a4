/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile peer of multi-packet messages: segments for a query of ours, ACKs
 * for a table that we send, requests, in any order.
 * Property: a receiver keeps to its limit, and data and length agree (Q1); each
 * done runs once (X1); what is sent stays inside the message.
 *
 * Input: 10 bytes for each MAD.
 */
#include "base/base.h"
#include "core/reactor.h"
#include "mad/transfer.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECEIVE_MAX 5000u
#define TABLE_LENGTH 3000u
#define EVENT_LENGTH 10u

static struct mad_port port;
static struct mad_agent agent;
static struct transfers transfers;
static struct transfer transfer;
static struct transfer_query query;
static bool sending, asking;
static uint8_t table[TABLE_LENGTH];
static uint64_t now_ns = NS_PER_S;

static uint64_t now(const struct clock *c)
{
	(void)c;
	return now_ns;
}

static int swallow(struct mad_port *p, struct mad_agent *a,
                   const struct mad_address *to, const struct mad *m,
                   unsigned timeout_ms)
{
	const struct sa_mad *s = (const struct sa_mad *)m;

	(void)p;
	(void)a;
	(void)to;
	(void)timeout_ms;
	if (rmpp_is_active(m) && s->rmpp.type == RMPP_DATA &&
	    be32_get(s->rmpp.data1) > (TABLE_LENGTH + 199) / 200)
		abort();
	return 0;
}

static void close_nothing(struct mad_port *p)
{
	(void)p;
}

static void receive(struct mad_agent *a, const struct mad_datagram *d)
{
	(void)a;
	transfer_receive(&transfers, d);
}

static void sent(struct transfer *t, int err)
{
	(void)t;
	(void)err;
	if (!sending)
		abort();
	sending = false;
}

static void requested(struct transfers *ts, const struct mad_datagram *d,
                      const uint8_t *data, size_t length)
{
	(void)ts;
	if (mad_is_response(&d->mad) || length > RECEIVE_MAX)
		abort();
	for (size_t i = 0; i < length; i++)
		table[0] ^= data[i];
}

static void answered(struct transfer_query *q, int err, const struct mad *head,
                     const void *data, size_t length)
{
	uint8_t sum = 0;

	(void)q;
	if (!asking || (!err) != (head != NULL) || length > RECEIVE_MAX)
		abort();
	for (size_t i = 0; i < length; i++)
		sum ^= ((const uint8_t *)data)[i];
	table[0] = sum;
	asking = false;
}

static void start(void)
{
	static const struct clock clock = { now };
	static const struct mad_port_ops ops = { .type = "fuzz",
		                                 .send = swallow,
		                                 .close = close_nothing };
	static const struct transfer_opts opts = { .timeout_ms = 10,
		                                   .tries = 3,
		                                   .receive_max = RECEIVE_MAX,
		                                   .request = requested };
	struct reactor_opts ro = { .name = "fuzz", .clock = &clock };
	struct reactor *r;

	if (reactor_create(&ro, &r, NULL))
		abort();
	reactor_bind(r);
	mad_port_init(&port, &ops, r, "fuzz");
	agent.mgmt_class = MAD_CLASS_SA;
	agent.receive = receive;
	mad_agent_take(&agent, MAD_SA_GET_TABLE);
	mad_agent_take(&agent, MAD_SA_GET_MULTI);
	if (mad_port_attach(&port, &agent))
		abort();
	transfer_init(&transfers, &agent, &opts);
	transfer.done = sent;
	query.done = answered;
}

/* Both are always under way. */
static void keep_busy(void)
{
	struct mad_address to = mad_address_gsi(7, 0);
	struct mad head;

	if (!sending) {
		mad_init(&head, MAD_CLASS_SA, MAD_SA_GET_TABLE_RESP,
		         MAD_ATTR_NODE_RECORD, 0);
		head.header.tid = be64_put(77);
		sending = true;
		if (transfer_send(&transfers, &transfer, &to, &head, table,
		                  sizeof(table)))
			abort();
	}
	if (!asking) {
		mad_init(&query.request, MAD_CLASS_SA, MAD_SA_GET_TABLE,
		         MAD_ATTR_NODE_RECORD, 0);
		query.to = to;
		asking = true;
		if (transfer_query(&transfers, &query))
			abort();
	}
}

static void make(const uint8_t *e, struct mad_datagram *d)
{
	static const uint8_t methods[] = { MAD_SA_GET_TABLE,
		                           MAD_SA_GET_TABLE_RESP,
		                           MAD_SA_GET_MULTI,
		                           MAD_SA_GET_MULTI_RESP };
	struct sa_mad *s = mad_sa(&d->mad);

	*d = (struct mad_datagram){ .peer = mad_address_gsi(7, 0) };
	mad_init(&d->mad, MAD_CLASS_SA, methods[e[0] & 3], MAD_ATTR_NODE_RECORD,
	         0);
	d->error = (e[0] & 0x70) == 0x70 ? -ETIMEDOUT : 0;
	d->mad.header.tid = e[0] & 4 ? query.request.header.tid
	                             : be64_put(77 + (e[0] >> 7));
	memset(s->data, e[9], sizeof(s->data));
	s->rmpp.version = e[0] & 8 ? e[1] : RMPP_VERSION;
	s->rmpp.type = e[2] % 6;
	s->rmpp.flags = e[3];
	s->rmpp.status = e[4] < 200 ? 0 : e[4];
	s->rmpp.data1 = be32_put(e[5] == 255 ? UINT32_MAX : e[5] & 63);
	s->rmpp.data2 = be32_put(e[6] == 255 ? UINT32_MAX
	                                     : (uint32_t)e[6] << (e[7] & 7));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!port.reactor)
		start();
	for (; size >= EVENT_LENGTH; data += EVENT_LENGTH) {
		struct mad_datagram d;

		keep_busy();
		make(data, &d);
		mad_port_deliver(&port, &d);
		now_ns += data[8] * NS_PER_MS / 16;
		while (reactor_poll(port.reactor))
			;
		if (query.receiver.length > RECEIVE_MAX ||
		    query.receiver.room > RECEIVE_MAX)
			abort();
		size -= EVENT_LENGTH;
	}
	/* Each input starts from nothing. */
	now_ns += NS_PER_S;
	transfer_fini(&transfers);
	transfer_init(&transfers, &agent, &transfers.opts);
	return 0;
}
