/* SPDX-License-Identifier: BSD-2-Clause */
#include "mad/transfer.h"

#include "base/base.h"
#include "core/reactor.h"

#include <errno.h>

static uint64_t now_ns(const struct transfers *ts)
{
	return reactor_now_ns(ts->agent->port->reactor);
}

static uint64_t next_due(const struct transfers *ts)
{
	return now_ns(ts) + ts->opts.timeout_ms * NS_PER_MS;
}

/* One timer for all: it looks at each of them, four times in a timeout. */
static void arm(struct transfers *ts)
{
	if (!ts->armed)
		ts->armed =
			timer_start(ts->agent->port->reactor, &ts->timer,
		                    ts->opts.timeout_ms * NS_PER_MS / 4) == 0;
}

/* What is lost on the way out is like what is lost on the way: the timer
 * sees to it. */
static void send_mad(struct transfers *ts, const struct mad_address *to,
                     struct mad *m, unsigned timeout_ms)
{
	if (mad_port_send(ts->agent, to, m, timeout_ms))
		ts->n_unsent++;
}

/* -- messages that we send ------------------------------------------------- */

static void pump(struct transfer *t)
{
	struct mad segment;

	while (rmpp_sender_next(&t->sender, &segment))
		send_mad(t->owner, &t->to, &segment, 0);
	t->due_ns = next_due(t->owner);
	arm(t->owner);
}

static void finish_send(struct transfer *t, int err)
{
	list_remove(&t->link);
	t->owner->n--;
	t->done(t, err);
}

static bool same_peer(const struct mad_address *a, const struct mad_address *b)
{
	return a->lid == b->lid && a->qpn == b->qpn;
}

static uint64_t tid_of(const struct mad *m)
{
	return be64_get(m->header.tid);
}

static struct transfer *find_send(struct transfers *ts,
                                  const struct mad_address *peer,
                                  const struct mad *m)
{
	LIST_FOREACH (n, &ts->sends) {
		struct transfer *t = list_entry(n, struct transfer, link);

		if (tid_of(&t->sender.head) == tid_of(m) &&
		    same_peer(&t->to, peer))
			return t;
	}
	return NULL;
}

static unsigned sends_to(struct transfers *ts, const struct mad_address *peer)
{
	unsigned n_sends = 0;

	LIST_FOREACH (n, &ts->sends)
		n_sends += same_peer(&list_entry(n, struct transfer, link)->to,
		                     peer);
	return n_sends;
}

int transfer_send(struct transfers *ts, struct transfer *t,
                  const struct mad_address *to, const struct mad *head,
                  const void *data, size_t length)
{
	int err;

	if (find_send(ts, to, head))
		return -EALREADY;
	if (ts->n >= TRANSFERS_MAX || sends_to(ts, to) >= TRANSFERS_PER_PEER)
		return -EBUSY;
	err = rmpp_sender_init(&t->sender, head, data, length);
	if (err)
		return err;
	t->owner = ts;
	t->to = *to;
	t->tries = 1;
	list_append(&ts->sends, &t->link);
	ts->n++;
	pump(t);
	return 0;
}

static void expire_send(struct transfer *t)
{
	struct mad abort_mad;

	if (t->tries++ < t->owner->opts.tries) {
		rmpp_sender_rewind(&t->sender);
		pump(t);
		return;
	}
	/* The head is a response of ours; its ABORT goes the same way. */
	rmpp_make_abort(&t->sender.head, RMPP_TOO_MANY_RETRIES, &abort_mad);
	abort_mad.header.method = t->sender.head.header.method;
	send_mad(t->owner, &t->to, &abort_mad, 0);
	finish_send(t, -ETIMEDOUT);
}

static void receive_for_send(struct transfer *t, const struct mad_datagram *d)
{
	struct transfers *ts = t->owner;
	struct mad reply;
	bool replies;

	switch (rmpp_sender_receive(&t->sender, &d->mad, &reply, &replies)) {
	case RMPP_NOTHING:
		break;
	case RMPP_PROGRESS:
		t->tries = 1;
		pump(t);
		break;
	case RMPP_COMPLETE:
		finish_send(t, 0);
		break;
	case RMPP_FAILED:
		if (replies)
			send_mad(ts, &t->to, &reply, 0);
		finish_send(t, -ECONNABORTED);
		break;
	}
}

/* -- queries --------------------------------------------------------------- */

/* A try, under a TID of its own: what is still on the way for the last one
 * must not be taken for this one's. */
static void ask(struct transfer_query *q)
{
	struct transfers *ts = q->owner;

	q->tid = ++ts->next_tid;
	q->started = false;
	q->request.header.tid = be64_put(q->tid);
	rmpp_receiver_fini(&q->receiver);
	rmpp_receiver_init(&q->receiver, ts->opts.receive_max);
	q->due_ns = next_due(ts);
	arm(ts);
	send_mad(ts, &q->to, &q->request, ts->opts.timeout_ms);
}

int transfer_query(struct transfers *ts, struct transfer_query *q)
{
	if (ts->n >= TRANSFERS_MAX)
		return -EBUSY;
	q->owner = ts;
	q->tries = 1;
	rmpp_receiver_init(&q->receiver, ts->opts.receive_max);
	list_append(&ts->queries, &q->link);
	ts->n++;
	ask(q);
	return 0;
}

/* The buffer lives until done returns; the query may be asked again there. */
static void finish_query(struct transfer_query *q, int err,
                         const struct mad *head, const void *data,
                         size_t length)
{
	struct rmpp_receiver r = q->receiver;

	list_remove(&q->link);
	q->owner->n--;
	rmpp_receiver_init(&q->receiver, 0);
	q->done(q, err, err ? NULL : head, data, length);
	rmpp_receiver_fini(&r);
}

static void fail_query(struct transfer_query *q, int err)
{
	finish_query(q, err, NULL, NULL, 0);
}

static void expire_query(struct transfer_query *q)
{
	if (q->tries++ >= q->owner->opts.tries)
		fail_query(q, -ETIMEDOUT);
	else if (q->started) /* the peer's turn: it sends again */
		q->due_ns = next_due(q->owner);
	else
		ask(q);
}

static struct transfer_query *find_query(struct transfers *ts,
                                         const struct mad *m)
{
	LIST_FOREACH (n, &ts->queries) {
		struct transfer_query *q =
			list_entry(n, struct transfer_query, link);

		if (q->tid == (uint32_t)tid_of(m) &&
		    mad_attr_id(&q->request) == mad_attr_id(m))
			return q;
	}
	return NULL;
}

static void receive_segment(struct transfer_query *q,
                            const struct mad_datagram *d)
{
	struct transfers *ts = q->owner;
	struct rmpp_receiver *r = &q->receiver;
	struct mad reply, head;
	bool replies;
	enum rmpp_event event =
		rmpp_receiver_receive(r, &d->mad, &reply, &replies);

	if (replies)
		send_mad(ts, &d->peer, &reply, 0);
	switch (event) {
	case RMPP_NOTHING:
		break;
	case RMPP_PROGRESS:
		q->started = true;
		q->tries = 1;
		q->due_ns = next_due(ts);
		break;
	case RMPP_COMPLETE:
		head = r->head;
		finish_query(q, 0, &head, r->data, r->length);
		break;
	case RMPP_FAILED:
		fail_query(q, -ECONNABORTED);
		break;
	}
}

static void receive_for_query(struct transfer_query *q,
                              const struct mad_datagram *d)
{
	const struct sa_mad *s = (const struct sa_mad *)&d->mad;

	/* An ACK of ours that got lost: the peer sends again. */
	if (d->error && rmpp_is_active(&d->mad))
		return;
	if (d->error)
		expire_query(q);
	else if (rmpp_is_active(&d->mad))
		receive_segment(q, d);
	else
		finish_query(q, 0, &d->mad, s->data, sizeof(s->data));
}

/* A segment that nobody waits for: one that we had already, or too late. */
static void receive_stray(struct transfers *ts, const struct mad_datagram *d)
{
	const struct sa_mad *s = (const struct sa_mad *)&d->mad;
	uint32_t segment = be32_get(s->rmpp.data1);
	struct mad reply;

	if (s->rmpp.type != RMPP_DATA || !(rmpp_flags(&d->mad) & RMPP_LAST))
		return;
	rmpp_make_ack(&d->mad, segment, segment, &reply);
	send_mad(ts, &d->peer, &reply, 0);
}

/* -- requests in RMPP ------------------------------------------------------ */

struct request {
	struct list link;
	struct mad_address peer;
	uint64_t tid;
	struct rmpp_receiver receiver;
	uint64_t due_ns; /* no segment by then: forgotten */
};

static void forget(struct transfers *ts, struct request *q)
{
	list_remove(&q->link);
	ts->n--;
	rmpp_receiver_fini(&q->receiver);
	free(q);
}

/* @param count  gets how many there are of this peer */
static struct request *find_request(struct transfers *ts,
                                    const struct mad_datagram *d,
                                    unsigned *count)
{
	*count = 0;
	LIST_FOREACH (n, &ts->requests) {
		struct request *q = list_entry(n, struct request, link);

		if (!same_peer(&q->peer, &d->peer))
			continue;
		if (q->tid == tid_of(&d->mad))
			return q;
		++*count;
	}
	return NULL;
}

static struct request *begin_request(struct transfers *ts,
                                     const struct mad_datagram *d)
{
	struct request *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->peer = d->peer;
	q->tid = tid_of(&d->mad);
	rmpp_receiver_init(&q->receiver, ts->opts.receive_max);
	list_append(&ts->requests, &q->link);
	ts->n++;
	arm(ts);
	return q;
}

static void finish_request(struct transfers *ts, struct request *q)
{
	struct mad_datagram d = { .peer = q->peer, .mad = q->receiver.head };

	ts->opts.request(ts, &d, q->receiver.data, q->receiver.length);
	forget(ts, q);
}

static void receive_request(struct transfers *ts, const struct mad_datagram *d)
{
	unsigned count;
	struct request *q = find_request(ts, d, &count);
	enum rmpp_event event;
	struct mad reply;
	bool replies;

	if (!q && !(rmpp_flags(&d->mad) & RMPP_FIRST)) {
		receive_stray(ts, d);
		return;
	}
	if (!q && ((const struct sa_mad *)&d->mad)->rmpp.type != RMPP_DATA)
		return;
	if (!q && ts->opts.request && ts->n < TRANSFERS_MAX &&
	    count < TRANSFERS_PER_PEER)
		q = begin_request(ts, d);
	if (!q) {
		rmpp_make_abort(&d->mad, RMPP_RESOURCES_EXHAUSTED, &reply);
		send_mad(ts, &d->peer, &reply, 0);
		return;
	}
	event = rmpp_receiver_receive(&q->receiver, &d->mad, &reply, &replies);
	if (replies)
		send_mad(ts, &d->peer, &reply, 0);
	if (event == RMPP_PROGRESS)
		q->due_ns = next_due(ts) + (ts->opts.tries - 1) *
		                                   ts->opts.timeout_ms *
		                                   NS_PER_MS;
	else if (event == RMPP_COMPLETE)
		finish_request(ts, q);
	else if (event == RMPP_FAILED)
		forget(ts, q);
}

/* -- what comes in --------------------------------------------------------- */

bool transfer_receive(struct transfers *ts, const struct mad_datagram *d)
{
	bool active = rmpp_is_active(&d->mad);
	bool answer = d->error || mad_is_response(&d->mad);
	struct transfer_query *q = answer ? find_query(ts, &d->mad) : NULL;
	struct transfer *t;

	if (q) {
		receive_for_query(q, d);
		return true;
	}
	if (!active)
		return false;
	/* The ACK of a response has the method of its request. */
	t = d->error ? NULL : find_send(ts, &d->peer, &d->mad);
	if (t && !mad_is_response(&d->mad) &&
	    ((const struct sa_mad *)&d->mad)->rmpp.type != RMPP_DATA) {
		receive_for_send(t, d);
		return true;
	}
	if (!answer)
		receive_request(ts, d);
	else if (!d->error)
		receive_stray(ts, d);
	return true;
}

/* -- life ------------------------------------------------------------------ */

static void expire(struct timer *timer)
{
	struct transfers *ts = container_of(timer, struct transfers, timer);
	uint64_t now = now_ns(ts);
	struct list late, *n;

	ts->armed = false;
	list_init(&late);
	LIST_FOREACH (s, &ts->sends) {
		if (list_entry(s, struct transfer, link)->due_ns <= now) {
			list_remove(s);
			list_append(&late, s);
		}
	}
	while ((n = list_pop(&late))) {
		list_append(&ts->sends, n);
		expire_send(list_entry(n, struct transfer, link));
	}
	LIST_FOREACH (s, &ts->queries) {
		if (list_entry(s, struct transfer_query, link)->due_ns <= now) {
			list_remove(s);
			list_append(&late, s);
		}
	}
	while ((n = list_pop(&late))) {
		list_append(&ts->queries, n);
		expire_query(list_entry(n, struct transfer_query, link));
	}
	/* Nobody is told of these, so the list stays as it is meanwhile. */
	LIST_FOREACH (r, &ts->requests) {
		struct request *q = list_entry(r, struct request, link);

		if (q->due_ns <= now)
			forget(ts, q);
	}
	if (ts->n)
		arm(ts);
}

void transfer_init(struct transfers *ts, struct mad_agent *agent,
                   const struct transfer_opts *o)
{
	assert(o->tries >= 1 && o->timeout_ms >= 1);
	assert(o->receive_max <= RMPP_LENGTH_MAX);
	*ts = (struct transfers){ .agent = agent, .opts = *o };
	list_init(&ts->sends);
	list_init(&ts->queries);
	list_init(&ts->requests);
	ts->timer.fire = expire;
}

void transfer_fini(struct transfers *ts)
{
	while (!list_empty(&ts->sends))
		finish_send(list_entry(ts->sends.next, struct transfer, link),
		            -ECANCELED);
	while (!list_empty(&ts->queries))
		fail_query(list_entry(ts->queries.next, struct transfer_query,
		                      link),
		           -ECANCELED);
	while (!list_empty(&ts->requests))
		forget(ts, list_entry(ts->requests.next, struct request, link));
	if (ts->armed)
		timer_stop(ts->agent->port->reactor, &ts->timer);
}
