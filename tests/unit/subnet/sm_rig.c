/* SPDX-License-Identifier: BSD-2-Clause */
#include "sm_rig.h"

#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what)                                                            \
	do {                                                                   \
		if (!(what)) {                                                 \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__,     \
			        #what);                                        \
			abort();                                               \
		}                                                              \
	} while (0)

static uint64_t now(const struct clock *c)
{
	return container_of(c, struct sm_rig, clock)->now_ns;
}

static struct reactor *make_reactor(struct sm_rig *r)
{
	struct reactor_opts o = { .name = "rig", .clock = &r->clock };
	struct reactor *reactor;
	struct err e = { 0 };

	CHECK(reactor_create(&o, &reactor, &e) == 0);
	return reactor;
}

void sm_rig_init_topo(struct sm_rig *r, struct ibnet_topo *t)
{
	struct ibnet_opts n = { .seed = 1 };
	struct err e = { 0 };

	memset(r, 0, sizeof(*r));
	r->clock.now_ns = now;
	r->now_ns = NS_PER_S;
	r->reactor = make_reactor(r);
	n.reactor = r->reactor;
	CHECK(ibnet_create(t, &n, &r->net, &e) == 0);
	ibnet_topo_destroy(t);
	for (unsigned i = 0; i < SM_RIG_MANAGERS; i++)
		r->sm[i].rig = r;
}

void sm_rig_init(struct sm_rig *r, const char *spec)
{
	struct ibnet_topo *t;
	struct err e = { 0 };

	if (ibnet_make(spec, &t, &e)) {
		fprintf(stderr, "%s\n", e.text);
		abort();
	}
	sm_rig_init_topo(r, t);
}

void sm_rig_fini(struct sm_rig *r)
{
	for (unsigned i = 0; i < SM_RIG_MANAGERS; i++)
		sm_rig_stop(r, i);
	ibnet_destroy(r->net);
	reactor_destroy(r->reactor);
}

static void on_event(void *arg, const struct subnet_event *e)
{
	struct sm_rig_manager *m = arg;

	if (m->loud)
		fprintf(stderr, "%8.3f %s: %s\n", (double)m->rig->now_ns / 1e9,
		        subnet_event_name(e->kind), e->text);
}

static void on_stopped(void *arg)
{
	((struct sm_rig_manager *)arg)->stopped = true;
}

void sm_rig_start(struct sm_rig *r, unsigned i, const char *where)
{
	struct sm_rig_manager *m = &r->sm[i];
	struct err e = { 0 };

	m->opts.event = on_event;
	m->opts.stopped = on_stopped;
	m->opts.arg = m;
	m->stopped = false;
	m->frozen = false;
	m->reactor = m->apart ? make_reactor(r) : r->reactor;
	m->loud = getenv("SM_RIG_LOUD") != NULL;
	CHECK(ibnet_mad_open(m->reactor, r->net, ibnet_find(r->net, where),
	                     &m->port, &e) == 0);
	if (subnet_create(m->reactor, m->port, &m->opts, &m->s, &e)) {
		fprintf(stderr, "%s\n", e.text);
		abort();
	}
}

void sm_rig_stop(struct sm_rig *r, unsigned i)
{
	struct sm_rig_manager *m = &r->sm[i];

	if (!m->s)
		return;
	subnet_stop(m->s);
	for (unsigned n = 0; n < 100000 && !m->stopped; n++)
		sm_rig_run(r, 1);
	CHECK(m->stopped);
	subnet_destroy(m->s);
	mad_port_close(m->port);
	m->s = NULL;
	if (!m->apart)
		return;
	while (reactor_poll(m->reactor)) /* the port goes by a task */
		;
	reactor_destroy(m->reactor);
}

bool sm_rig_poll(struct sm_rig *r)
{
	bool any = reactor_poll(r->reactor);

	for (unsigned i = 0; i < SM_RIG_MANAGERS; i++) {
		struct sm_rig_manager *m = &r->sm[i];

		if (m->s && m->apart && !m->frozen)
			any |= reactor_poll(m->reactor);
	}
	return any;
}

void sm_rig_run(struct sm_rig *r, unsigned ms)
{
	while (ms-- > 0) {
		while (sm_rig_poll(r))
			;
		r->now_ns += NS_PER_MS;
	}
	while (sm_rig_poll(r))
		;
}

void sm_rig_run_data(struct sm_rig *r, unsigned ms, unsigned ticks)
{
	while (ms-- > 0) {
		while (sm_rig_poll(r))
			ibnet_tick(r->net, ticks);
		ibnet_tick(r->net, ticks);
		r->now_ns += NS_PER_MS;
	}
}

int sm_rig_settle(struct sm_rig *r, unsigned i, unsigned ms)
{
	struct subnet_status st;

	for (unsigned n = 0; n < ms; n++) {
		while (sm_rig_poll(r))
			;
		subnet_status(r->sm[i].s, &st);
		if (st.settled)
			return (int)n;
		r->now_ns += NS_PER_MS;
	}
	return -1;
}

const struct subnet_event *sm_rig_event(struct sm_rig *r, unsigned i,
                                        enum subnet_event_kind kind,
                                        const char *text)
{
	static struct subnet_event e[SUBNET_EVENTS];
	unsigned n = subnet_events(r->sm[i].s, 0, e, SUBNET_EVENTS);

	for (unsigned k = 0; k < n; k++)
		if (e[k].kind == kind && strstr(e[k].text, text))
			return &e[k];
	return NULL;
}
