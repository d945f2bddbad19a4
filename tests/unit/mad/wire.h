/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two ports with a wire between them that loses, doubles, delays and
 * reorders; time is simulated.  Port i has LID i + 1.
 */
#ifndef TESTS_UNIT_MAD_WIRE_H
#define TESTS_UNIT_MAD_WIRE_H

#include "base/base.h"
#include "core/reactor.h"
#include "mad/port.h"

struct wire_port {
	struct mad_port port;
	struct wire *wire;
	uint16_t lid;
	int refuse; /* what send answers; 0: it takes the MAD */
};

struct wire {
	struct clock clock;
	uint64_t now_ns;
	struct reactor *reactor;
	struct wire_port end[2];
	struct list flying; /* by due_ns */
	unsigned lost_percent;
	unsigned doubled_percent;
	uint64_t delay_ns; /* up to this, at random */
	uint64_t seed;
	unsigned n_sent;
	unsigned n_flying;
	unsigned most_flying;
};

struct wire_mad {
	struct list link;
	uint64_t due_ns;
	struct wire_port *to;
	struct mad_datagram datagram;
};

static inline uint64_t wire_now(const struct clock *c)
{
	return container_of(c, const struct wire, clock)->now_ns;
}

static inline uint32_t wire_random(struct wire *w)
{
	w->seed =
		w->seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(w->seed >> 33);
}

static inline void wire_put(struct wire *w, struct wire_port *to,
                            const struct mad_datagram *d)
{
	struct wire_mad *m = malloc(sizeof(*m));
	struct list *at = &w->flying;

	m->to = to;
	m->datagram = *d;
	m->due_ns =
		w->now_ns + (w->delay_ns ? wire_random(w) % w->delay_ns : 0);
	while (at->prev != &w->flying &&
	       list_entry(at->prev, struct wire_mad, link)->due_ns > m->due_ns)
		at = at->prev;
	list_append(at, &m->link); /* before `at` */
	if (++w->n_flying > w->most_flying)
		w->most_flying = w->n_flying;
}

static inline int wire_send(struct mad_port *p, struct mad_agent *a,
                            const struct mad_address *to, const struct mad *m,
                            unsigned timeout_ms)
{
	struct wire_port *from = container_of(p, struct wire_port, port);
	struct wire *w = from->wire;
	struct mad_datagram d = { .peer = *to, .mad = *m };

	(void)a;
	(void)timeout_ms;
	if (from->refuse)
		return from->refuse;
	w->n_sent++;
	d.peer.lid = from->lid;
	if (wire_random(w) % 100 >= w->lost_percent)
		wire_put(w, &w->end[2 - from->lid], &d);
	if (wire_random(w) % 100 < w->doubled_percent)
		wire_put(w, &w->end[2 - from->lid], &d);
	return 0;
}

static inline void wire_close_end(struct mad_port *p)
{
	(void)p;
}

static inline void wire_start(struct wire *w)
{
	static const struct mad_port_ops ops = { .type = "wire",
		                                 .send = wire_send,
		                                 .close = wire_close_end };
	struct reactor_opts o = { .name = "wire", .clock = &w->clock };

	*w = (struct wire){ .clock = { wire_now }, .seed = 1 };
	w->now_ns = NS_PER_S;
	list_init(&w->flying);
	if (reactor_create(&o, &w->reactor, NULL))
		abort();
	for (unsigned i = 0; i < 2; i++) {
		w->end[i].wire = w;
		w->end[i].lid = (uint16_t)(i + 1);
		mad_port_init(&w->end[i].port, &ops, w->reactor, "wire");
	}
}

static inline void wire_end(struct wire *w)
{
	struct list *n;

	while ((n = list_pop(&w->flying)))
		free(list_entry(n, struct wire_mad, link));
	mad_port_close(&w->end[0].port);
	mad_port_close(&w->end[1].port);
	while (reactor_poll(w->reactor))
		;
	reactor_destroy(w->reactor);
}

/* Everything that is to happen now, then 0.1 ms later. */
static inline void wire_step(struct wire *w)
{
	while (!list_empty(&w->flying)) {
		struct wire_mad *m =
			list_entry(w->flying.next, struct wire_mad, link);

		if (m->due_ns > w->now_ns)
			break;
		list_remove(&m->link);
		w->n_flying--;
		mad_port_deliver(&m->to->port, &m->datagram);
		free(m);
	}
	while (reactor_poll(w->reactor))
		;
	w->now_ns += NS_PER_MS / 10;
}

#endif /* TESTS_UNIT_MAD_WIRE_H */
