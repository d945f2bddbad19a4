/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A management datagram of any class from anybody.
 * Property: what its attribute's table decodes encodes and decodes to the
 * same; it prints; a directed route never leads out of its arrays or to a
 * port that is not there; a port and its requests survive it.
 *
 * Input: five bytes about the node it comes to, then up to 256 bytes.
 */
#include "base/base.h"
#include "core/reactor.h"
#include "mad/lag.h"
#include "mad/mad.h"
#include "mad/notice.h"
#include "mad/port.h"
#include "mad/sa.h"
#include "mad/smp.h"
#include "mad/transact.h"

#define HOST_MAX 1024u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* -- a port that sends to nobody ------------------------------------------- */

static int swallow(struct mad_port *p, struct mad_agent *a,
                   const struct mad_address *to, const struct mad *m,
                   unsigned timeout_ms)
{
	(void)p;
	(void)a;
	(void)to;
	(void)m;
	(void)timeout_ms;
	return 0;
}

static void close_nothing(struct mad_port *p)
{
	(void)p;
}

static const struct mad_port_ops ops = { .type = "fuzz",
	                                 .send = swallow,
	                                 .close = close_nothing };
static struct mad_port port;
static struct transact *transact;
static struct transact_request request;
static bool waiting;

static void done(struct transact_request *q, int err, const struct mad *reply)
{
	(void)q;
	if (!waiting || (!err) != (reply != NULL))
		abort();
	waiting = false;
}

static void start(void)
{
	struct reactor_opts ro = { .name = "fuzz" };
	struct transact_opts to = { .window = 4,
		                    .tries = 2,
		                    .timeout_ms = 1000000,
		                    .mgmt_class = MAD_CLASS_SUBN_LID };
	struct reactor *r;

	if (reactor_create(&ro, &r, NULL))
		abort();
	reactor_bind(r);
	mad_port_init(&port, &ops, r, "fuzz");
	if (transact_create(&port, &to, &transact))
		abort();
}

/* Always one request on the wire, which the input may answer. */
static void to_port(const struct mad *m, bool error)
{
	struct mad_datagram d = { .mad = *m, .error = error ? -1 : 0 };

	if (!waiting) {
		mad_init(&request.mad, MAD_CLASS_SUBN_LID, MAD_GET,
		         MAD_ATTR_NODE_INFO, 0);
		request.done = done;
		waiting = true;
		transact_submit(transact, &request);
	}
	/* Nobody guesses 64 bits of TID. */
	if (m->header.reserved.byte[0] & 1)
		d.mad.header.tid = request.mad.header.tid;
	mad_port_deliver(&port, &d);
	while (reactor_poll(port.reactor))
		;
}

/* -- pure functions -------------------------------------------------------- */

static void attribute(const struct field_table *t, const uint8_t *wire)
{
	uint8_t host[HOST_MAX] = { 0 }, second[HOST_MAX] = { 0 };
	uint8_t again[MAD_LENGTH];

	if (t->size > HOST_MAX || t->length > MAD_LENGTH)
		abort();
	field_decode(t, wire, host);
	field_encode(t, host, again);
	field_decode(t, again, second);
	if (memcmp(host, second, sizeof(host)) != 0)
		abort();
	if (!field_match(t, UINT64_MAX, host, second))
		abort();
}

static void details(const struct mad *m)
{
	const struct field_table *t;
	struct notice n;

	smp_get(m, &notice_table, &n);
	t = notice_details(n.trap);
	if (t)
		attribute(t, n.details);
}

static void look(const struct mad *m)
{
	const struct field_table *t = mad_attribute(m);
	char text[16384], words[MAD_WORDS];
	size_t length;
	const uint8_t *data = mad_data(m, &length);

	mad_check(m);
	mad_status_words(m->header.mgmt_class, mad_status(m), words);
	if (mad_print(m, text, sizeof(text)) != strlen(text))
		abort();
	mad_print(m, text, 20);
	if (t)
		attribute(t, data);
	details(m);
	lag_result_words(m->header.method);
}

static void walk(const struct mad *m, const uint8_t *about)
{
	struct smp_node_view v = { .is_switch = about[0] & 1,
		                   .n_ports = about[1],
		                   .in_port = about[2],
		                   .lid = (uint16_t)(about[3] << 8 |
		                                     about[4]) };
	struct mad copy = *m;

	for (unsigned hops = 0; hops < 3; hops++) {
		uint8_t out = 0;
		uint16_t lid = 0;
		enum smp_step step = smp_step(&copy, &v, &out, &lid);

		if (step == SMP_STEP_PORT && (!out || out > v.n_ports))
			abort();
		if (step == SMP_STEP_LID && (!v.is_switch || lid == v.lid))
			abort();
		if (copy.header.hop_pointer > SMP_PATH_LENGTH &&
		    step != SMP_STEP_DISCARD)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t about[5] = { 0 };
	struct mad *m;

	if (!transact)
		start();
	if (size < sizeof(about))
		return 0;
	memcpy(about, data, sizeof(about));
	data += sizeof(about);
	size -= sizeof(about);
	/* On the heap and of the very size: ASan sees a byte too many. */
	m = calloc(1, sizeof(*m));
	memcpy(m, data, size < sizeof(*m) ? size : sizeof(*m));
	look(m);
	walk(m, about);
	to_port(m, about[0] & 2);
	mad_make_response(m, 0);
	to_port(m, false);
	free(m);
	return 0;
}
