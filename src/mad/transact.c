/* SPDX-License-Identifier: BSD-2-Clause */
#include "mad/transact.h"

#include "base/base.h"
#include "core/reactor.h"

#include <errno.h>

/* The TID's low half: the slot's turn above its index. */
#define INDEX_BITS 12u
static_assert(1u << INDEX_BITS == TRANSACT_WINDOW_MAX, "an index fits");
#define TURN_MASK ((1u << (32 - INDEX_BITS)) - 1)

/* How long to wait for a port that can't take more and owes us nothing. */
#define AGAIN_NS NS_PER_MS

struct slot {
	struct transact_request *request; /* NULL: free */
	uint32_t turn;
	uint16_t next_free;
};

struct transact {
	struct mad_agent agent;
	struct transact_opts opts;
	struct transact_stats stats;
	struct list queue;   /* TRANSACT_QUEUED, oldest first */
	struct list waiting; /* TRANSACT_SENT, by due_ns */
	struct list failed;  /* TRANSACT_FAILED */
	struct timer timer;
	struct task task; /* runs done of the failed */
	bool timer_armed;
	bool task_pending;
	uint16_t free;
	struct slot slots[TRANSACT_WINDOW_MAX];
};

#define NO_SLOT UINT16_MAX

static uint64_t timeout_ns(const struct transact *t)
{
	return t->opts.timeout_ms * NS_PER_MS;
}

static void arm(struct transact *t, uint64_t delay_ns)
{
	if (t->timer_armed)
		return;
	/* Out of memory for a timer: what is sent later tries again. */
	t->timer_armed =
		timer_start(t->agent.port->reactor, &t->timer, delay_ns) == 0;
}

/* -- slots ----------------------------------------------------------------- */

static void take_slot(struct transact *t, struct transact_request *q)
{
	struct slot *s = &t->slots[t->free];

	q->slot = t->free;
	t->free = s->next_free;
	s->request = q;
	s->turn = (s->turn + 1) & TURN_MASK;
	q->mad.header.tid = be64_put((uint64_t)s->turn << INDEX_BITS | q->slot);
	t->stats.outstanding++;
}

static void give_slot(struct transact *t, struct transact_request *q)
{
	struct slot *s = &t->slots[q->slot];

	s->request = NULL;
	s->next_free = t->free;
	t->free = q->slot;
	t->stats.outstanding--;
}

/* The request that a response, or one of ours that came back, belongs to. */
static struct transact_request *find(struct transact *t, const struct mad *m)
{
	uint32_t tid = (uint32_t)be64_get(m->header.tid);
	const struct slot *s = &t->slots[tid & (TRANSACT_WINDOW_MAX - 1)];
	struct transact_request *q = s->request;

	if (!q || s->turn != tid >> INDEX_BITS ||
	    m->header.mgmt_class != q->mad.header.mgmt_class ||
	    mad_attr_id(m) != mad_attr_id(&q->mad))
		return NULL;
	return q;
}

static bool answers(const struct mad *m, const struct transact_request *q)
{
	struct mad expected = { .header = q->mad.header };

	mad_make_response(&expected, 0);
	return m->header.method == expected.header.method;
}

/* -- the end of a request -------------------------------------------------- */

static void finish(struct transact_request *q, int err, const struct mad *reply)
{
	q->state = TRANSACT_IDLE;
	q->done(q, err, reply);
}

/* done runs in a task, because the caller may be inside submit. */
static void fail(struct transact *t, struct transact_request *q, int err)
{
	list_remove(&q->link);
	q->state = TRANSACT_FAILED;
	q->err = err;
	list_append(&t->failed, &q->link);
	if (t->task_pending)
		return;
	t->task_pending = true;
	task_defer(t->agent.port->reactor, &t->task);
}

static void run_failed(struct task *task)
{
	struct transact *t = container_of(task, struct transact, task);
	struct list batch, *n;

	t->task_pending = false;
	list_init(&batch);
	list_splice(&batch, &t->failed);
	while ((n = list_pop(&batch))) {
		struct transact_request *q =
			list_entry(n, struct transact_request, link);

		finish(q, q->err, NULL);
	}
}

/* -- sending --------------------------------------------------------------- */

/* One try.  @return 0, or why the port did not take it. */
static int send_one(struct transact *t, struct transact_request *q)
{
	int err = mad_port_send(&t->agent, &q->to, &q->mad, t->opts.timeout_ms);

	if (err)
		return err;
	t->stats.sent++;
	q->tries++;
	q->due_ns = reactor_now_ns(t->agent.port->reactor) + timeout_ns(t);
	list_remove(&q->link);
	list_append(&t->waiting, &q->link);
	arm(t, timeout_ns(t));
	return 0;
}

static void pump(struct transact *t)
{
	while (t->stats.outstanding < t->opts.window &&
	       !list_empty(&t->queue)) {
		struct transact_request *q = list_entry(
			t->queue.next, struct transact_request, link);
		int err;

		take_slot(t, q);
		err = send_one(t, q);
		if (!err) {
			q->state = TRANSACT_SENT;
			t->stats.queued--;
			continue;
		}
		give_slot(t, q);
		if (err == -EAGAIN) {
			arm(t, AGAIN_NS);
			return;
		}
		t->stats.queued--;
		fail(t, q, err);
	}
}

/* A try was not answered. */
static void try_again(struct transact *t, struct transact_request *q)
{
	int err = -ETIMEDOUT;

	if (q->tries < t->opts.tries) {
		err = send_one(t, q);
		if (err == -EAGAIN) {
			/* A port that is full has lost this try. */
			q->tries++;
			q->due_ns = reactor_now_ns(t->agent.port->reactor) +
			            timeout_ns(t);
			list_remove(&q->link);
			list_append(&t->waiting, &q->link);
			return;
		}
		if (!err) {
			t->stats.retried++;
			return;
		}
	}
	t->stats.timed_out += err == -ETIMEDOUT;
	give_slot(t, q);
	fail(t, q, err);
}

static void expire(struct timer *timer)
{
	struct transact *t = container_of(timer, struct transact, timer);
	uint64_t now = reactor_now_ns(t->agent.port->reactor);

	t->timer_armed = false;
	while (!list_empty(&t->waiting)) {
		struct transact_request *q = list_entry(
			t->waiting.next, struct transact_request, link);

		if (q->due_ns > now) {
			arm(t, q->due_ns - now);
			break;
		}
		try_again(t, q);
	}
	pump(t);
}

/* -- receiving ------------------------------------------------------------- */

static void receive(struct mad_agent *a, const struct mad_datagram *d)
{
	struct transact *t = container_of(a, struct transact, agent);
	struct transact_request *q = find(t, &d->mad);

	if (!q || (!d->error && !answers(&d->mad, q))) {
		t->stats.stray++;
		return;
	}
	if (d->error) {
		t->stats.bounced++;
		try_again(t, q);
		pump(t);
		return;
	}
	t->stats.answered++;
	list_remove(&q->link);
	give_slot(t, q);
	pump(t);
	finish(q, 0, &d->mad);
}

/* -- the owner's calls ----------------------------------------------------- */

static bool valid(const struct transact_opts *o)
{
	return o->window >= 1 && o->window <= TRANSACT_WINDOW_MAX &&
	       o->tries >= 1 && o->tries <= TRANSACT_TRIES_MAX &&
	       o->timeout_ms >= 1;
}

int transact_create(struct mad_port *p, const struct transact_opts *o,
                    struct transact **out)
{
	struct transact *t;
	int err;

	if (!valid(o))
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->opts = *o;
	t->agent.mgmt_class = o->mgmt_class;
	t->agent.class_version = o->mgmt_class == MAD_CLASS_SA
	                                 ? MAD_CLASS_VERSION_SA
	                                 : MAD_CLASS_VERSION;
	t->agent.receive = receive;
	err = mad_port_attach(p, &t->agent);
	if (err) {
		free(t);
		return err;
	}
	list_init(&t->queue);
	list_init(&t->waiting);
	list_init(&t->failed);
	t->timer.fire = expire;
	t->task.run = run_failed;
	for (unsigned i = 0; i < TRANSACT_WINDOW_MAX; i++)
		t->slots[i].next_free = (uint16_t)(i + 1);
	t->slots[TRANSACT_WINDOW_MAX - 1].next_free = NO_SLOT;
	*out = t;
	return 0;
}

void transact_destroy(struct transact *t)
{
	if (!t)
		return;
	assert(!t->stats.outstanding && list_empty(&t->queue));
	assert(list_empty(&t->failed) && !t->task_pending);
	if (t->timer_armed)
		timer_stop(t->agent.port->reactor, &t->timer);
	mad_port_detach(&t->agent);
	free(t);
}

void transact_submit(struct transact *t, struct transact_request *q)
{
	assert(q->state == TRANSACT_IDLE);
	q->state = TRANSACT_QUEUED;
	q->tries = 0;
	list_init(&q->link);
	list_append(&t->queue, &q->link);
	t->stats.submitted++;
	t->stats.queued++;
	pump(t);
}

static void cancel(struct transact *t, struct transact_request *q)
{
	switch ((enum transact_state)q->state) {
	case TRANSACT_QUEUED:
		t->stats.queued--;
		break;
	case TRANSACT_SENT:
		give_slot(t, q);
		break;
	case TRANSACT_IDLE:
	case TRANSACT_FAILED:
		return;
	}
	fail(t, q, -ECANCELED);
}

void transact_cancel(struct transact *t, struct transact_request *q)
{
	cancel(t, q);
	pump(t);
}

void transact_cancel_all(struct transact *t)
{
	LIST_FOREACH (n, &t->queue)
		cancel(t, list_entry(n, struct transact_request, link));
	LIST_FOREACH (n, &t->waiting)
		cancel(t, list_entry(n, struct transact_request, link));
}

void transact_set_window(struct transact *t, unsigned window)
{
	assert(window >= 1 && window <= TRANSACT_WINDOW_MAX);
	t->opts.window = window;
	pump(t);
}

void transact_get_stats(const struct transact *t, struct transact_stats *out)
{
	*out = t->stats;
}
