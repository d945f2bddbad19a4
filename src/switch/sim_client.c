/* SPDX-License-Identifier: BSD-2-Clause */
/* MADs of one client: in, out, and again when no response comes. */
#include "base/base.h"
#include "switch/sim_server_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#define BATCH 32u /* MADs of a client in one go */

/* -- to the client -------------------------------------------------------- */

static void watch_out(struct sim_client *c, bool on)
{
	uint32_t events = EPOLLIN | (on ? (uint32_t)EPOLLOUT : 0);

	if (c->in.events != events)
		watch_modify(c->server->reactor, &c->in, events);
}

/* @return whether it is off our hands: sent, or never to be. */
static bool push(struct sim_client *c, const uint8_t bytes[SIM_PROTO_MAD])
{
	ssize_t n = send(c->in.fd, bytes, SIM_PROTO_MAD,
	                 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0)
		c->server->stats.dropped++;
	return true;
}

static void to_client(struct sim_client *c, const struct sim_proto_mad *m)
{
	struct sim_server *s = c->server;
	uint8_t bytes[SIM_PROTO_MAD];
	struct sim_out *o;

	s->stats.sent++;
	c->sent++;
	sim_proto_encode_mad(m, bytes);
	if (!c->n_out && push(c, bytes))
		return;
	o = c->n_out < SIM_SERVER_OUT ? slab_get(&s->outs) : NULL;
	if (!o) {
		s->stats.dropped++;
		return;
	}
	memcpy(o->bytes, bytes, sizeof(bytes));
	list_append(&c->out, &o->link);
	c->n_out++;
	watch_out(c, true);
}

static void push_waiting(struct sim_client *c)
{
	while (c->n_out) {
		struct sim_out *o =
			list_entry(c->out.next, struct sim_out, link);

		if (!push(c, o->bytes))
			return;
		list_remove(&o->link);
		slab_put(&c->server->outs, o);
		c->n_out--;
	}
	watch_out(c, false);
}

/* -- requests that wait --------------------------------------------------- */

/* Segments and acknowledgements of RMPP look after themselves. */
static bool is_rmpp(const struct mad *m)
{
	uint8_t mgmt_class = m->header.mgmt_class;
	bool has_header = mgmt_class == MAD_CLASS_SA ||
	                  (mgmt_class >= 0x30 && mgmt_class <= 0x4f);

	return has_header && ((const struct sa_mad *)m)->rmpp.flags & 1;
}

static bool wants_response(const struct mad *m)
{
	switch (m->header.method) {
	case MAD_SEND:
	case MAD_TRAP:
	case MAD_TRAP_REPRESS:
		return false;
	default:
		return !(m->header.method & MAD_METHOD_RESPONSE) && !is_rmpp(m);
	}
}

static void forget(struct sim_pending *p)
{
	list_remove(&p->link);
	list_remove(&p->timed);
	p->client->n_pending--;
	slab_put(&p->client->server->pendings, p);
}

static void arm(struct sim_server *s)
{
	uint64_t now = reactor_now_ns(s->reactor), due;

	if (list_empty(&s->timed)) {
		timer_stop(s->reactor, &s->timer);
		return;
	}
	due = list_entry(s->timed.next, struct sim_pending, timed)->due_ns;
	timer_start(s->reactor, &s->timer, due > now ? due - now : 0);
}

/* All wait equally long, so the end of the list is where it belongs. */
static void schedule(struct sim_server *s, struct sim_pending *p)
{
	p->due_ns = reactor_now_ns(s->reactor) + s->timeout_ns;
	list_remove(&p->timed);
	list_append(&s->timed, &p->timed);
	if (s->timed.next == &p->timed)
		arm(s);
}

static bool remember(struct sim_client *c, const struct ibnet_mad *m)
{
	struct sim_server *s = c->server;
	struct sim_pending *p = c->n_pending < SIM_SERVER_PENDING
	                                ? slab_get(&s->pendings)
	                                : NULL;

	if (!p) {
		s->stats.dropped++;
		return false;
	}
	p->client = c;
	p->mad = *m;
	p->tries = s->tries - 1;
	list_init(&p->timed);
	list_append(&c->pending, &p->link);
	c->n_pending++;
	schedule(s, p);
	return true;
}

/* A kernel matches responses by TID and class; the port's part of the TID
 * is not the client's. */
static bool is_response_to(const struct sim_pending *p, const struct mad *m)
{
	const uint64_t own = (UINT64_C(1) << 48) - 1;

	return p->mad.mad.header.mgmt_class == m->header.mgmt_class &&
	       !((be64_get(p->mad.mad.header.tid) ^ be64_get(m->header.tid)) &
	         own);
}

/* The latest are looked at first: most agents answer at once.
 * @return false: nobody waits for it, or no longer. */
static bool answered(struct sim_client *c, const struct mad *m)
{
	for (struct list *n = c->pending.prev; n != &c->pending; n = n->prev) {
		struct sim_pending *p = list_entry(n, struct sim_pending, link);

		if (!is_response_to(p, m))
			continue;
		forget(p);
		return true;
	}
	return false;
}

static void give_up(struct sim_pending *p)
{
	struct sim_client *c = p->client;
	struct sim_proto_mad m = {
		.dlid = p->mad.slid,
		.slid = p->mad.dlid,
		.dqp = p->mad.sqp,
		.sqp = p->mad.dqp,
		.status = SIM_PROTO_TIMED_OUT,
		.mad = p->mad.mad,
	};

	c->server->stats.timed_out++;
	forget(p);
	to_client(c, &m);
}

void sim_server_client_timer(struct timer *t)
{
	struct sim_server *s = container_of(t, struct sim_server, timer);
	uint64_t now = reactor_now_ns(s->reactor);

	while (!list_empty(&s->timed)) {
		struct sim_pending *p =
			list_entry(s->timed.next, struct sim_pending, timed);
		struct ibnet_mad again;
		struct sim_client *c = p->client;

		if (p->due_ns > now)
			break;
		if (!p->tries) {
			give_up(p);
			continue;
		}
		p->tries--;
		s->stats.retried++;
		again = p->mad;
		schedule(s, p);
		ibnet_send(&c->endpoint, &again); /* may end `p` */
	}
	arm(s);
}

/* -- from the fabric ------------------------------------------------------ */

static void receive(struct ibnet_endpoint *ep, const struct ibnet_mad *m)
{
	struct sim_client *c = container_of(ep, struct sim_client, endpoint);
	struct sim_proto_mad out = {
		.dlid = m->dlid,
		.slid = m->slid,
		.dqp = m->dqp,
		.sqp = m->sqp,
		.mad = m->mad,
	};

	/* A kernel keeps from its clients what comes twice, or too late; but
	 * one request can have many segments for its response. */
	if (m->mad.header.method & MAD_METHOD_RESPONSE &&
	    !answered(c, &m->mad) && !is_rmpp(&m->mad)) {
		c->server->stats.stray++;
		return;
	}
	to_client(c, &out);
}

static bool takes(struct ibnet_endpoint *ep, const struct mad *m)
{
	const struct sim_client *c =
		container_of(ep, struct sim_client, endpoint);
	uint8_t k = m->header.mgmt_class;

	switch (k) {
	case MAD_CLASS_SUBN_LID:
	case MAD_CLASS_SUBN_DIRECTED:
		return ep->is_sm;
	case MAD_CLASS_SA:
		return m->header.method == MAD_REPORT ? c->asked_sa : ep->is_sm;
	default:
		return c->answered[k / 8] >> k % 8 & 1 ||
		       (!c->asked && !ep->is_sm);
	}
}

/* -- from the client ------------------------------------------------------ */

static void note_use(struct sim_client *c, const struct mad *m)
{
	uint8_t k = m->header.mgmt_class;

	if (m->header.method & MAD_METHOD_RESPONSE) {
		c->answered[k / 8] |= (uint8_t)(1u << k % 8);
		return;
	}
	c->asked = true;
	c->asked_sa |= k == MAD_CLASS_SA;
}

/* Its source LID is the port's, whatever it says. */
static void from_client(struct sim_client *c, const struct sim_proto_mad *m)
{
	struct ibnet_mad out = {
		.dlid = m->dlid,
		.dqp = m->dqp,
		.sqp = m->sqp,
		.mad = m->mad,
	};

	c->server->stats.received++;
	c->received++;
	note_use(c, &m->mad);
	if (wants_response(&m->mad) && !remember(c, &out))
		return;
	ibnet_send(&c->endpoint, &out);
}

void sim_server_client_ready(struct watch *w, uint32_t events)
{
	struct sim_client *c = container_of(w, struct sim_client, in);
	uint8_t bytes[SIM_PROTO_MAD + 1];
	struct sim_proto_mad m;

	if (events & EPOLLOUT)
		push_waiting(c);
	for (unsigned i = 0; i < BATCH; i++) {
		ssize_t n = recv(w->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (n < 0)
			return;
		if (sim_proto_decode_mad(bytes, (size_t)n, &m))
			c->server->stats.bad++;
		else
			from_client(c, &m);
	}
}

void sim_server_client_init(struct sim_client *c)
{
	list_init(&c->out);
	list_init(&c->pending);
	c->endpoint.receive = receive;
	c->endpoint.takes = takes;
}

void sim_server_client_fini(struct sim_client *c)
{
	struct list *n;

	while ((n = list_pop(&c->out)))
		slab_put(&c->server->outs, list_entry(n, struct sim_out, link));
	while (!list_empty(&c->pending))
		forget(list_entry(c->pending.next, struct sim_pending, link));
	arm(c->server);
}
