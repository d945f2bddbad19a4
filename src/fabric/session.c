/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations: from submit to done(), by way of flows, classes and lanes. */
#include "fabric/session.h"

#include "fabric/node_priv.h"
#include "fabric/session_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* What an operation counts, beside its bytes, when links are compared. */
#define OP_WEIGHT 512u

static struct fabric_op *op_of(struct list *l)
{
	return list_entry(l, struct fabric_op, link);
}

/* -- ending --------------------------------------------------------------- */

static void report(struct session *s, struct fabric_op *op,
                   enum fabric_status status)
{
	s->stats.ops++;
	if (status != FABRIC_OK)
		s->stats.failed++;
	else if (op->opcode == FABRIC_READ)
		s->stats.bytes_read += op->length;
	else
		s->stats.bytes_written += op->length;
	if (status == FABRIC_OK)
		histogram_add(&s->latency[op->class],
		              reactor_now_ns(s->reactor) - op->submitted_ns);
	op->done(op, status);
}

static void run_ended(struct task *t)
{
	struct session *s = container_of(t, struct session, end_task);
	struct list ended, *l;

	s->end_queued = false;
	list_init(&ended);
	list_splice(&ended, &s->ended);
	while ((l = list_pop(&ended)))
		report(s, op_of(l), op_of(l)->status);
	if (s->closing && !s->end_queued)
		free(s);
}

/* Never inside submit (O1). */
static void end_later(struct session *s, struct fabric_op *op,
                      enum fabric_status status)
{
	op->status = status;
	list_append(&s->ended, &op->link);
	if (s->end_queued)
		return;
	s->end_queued = true;
	task_defer(s->reactor, &s->end_task);
}

/* -- flows ---------------------------------------------------------------- */

static struct session_flow *flow_of(struct session *s,
                                    const struct fabric_op *op)
{
	uint32_t mixed = op->flow * UINT32_C(0x9e3779b1);

	if (op->flow == 0)
		return NULL;
	return &s->classes[op->class].flows[mixed >> 24 & (SESSION_FLOWS - 1)];
}

static bool is_blocked(const struct session_flow *f)
{
	return !list_empty(&f->waiting) ||
	       (f->lane && f->lane->state == SESSION_LANE_DEAD);
}

/* O6: is everything that was submitted earlier answered? */
static bool fence_holds(const struct session *s, const struct fabric_op *op)
{
	return (op->flags & FABRIC_FENCED) && !list_empty(&s->writes) &&
	       list_entry(s->writes.next, struct fabric_op, write_link)
	                       ->number < op->number;
}

static void park(struct session *s, struct session_flow *f,
                 struct fabric_op *op)
{
	if (!f) {
		list_append(&s->fenced, &op->link);
		return;
	}
	list_append(&f->waiting, &op->link);
	list_append(&s->fenced_flows, &f->fence_link);
}

static void to_front(struct list *class, struct list *ops)
{
	list_splice(ops, class);
	list_splice(class, ops);
}

static void unpark_flow(struct session *s, enum fabric_class class,
                        struct session_flow *f)
{
	list_remove(&f->fence_link);
	to_front(&s->classes[class].waiting, &f->waiting);
}

/* @return whether anything may go on. */
static bool unpark(struct session *s)
{
	bool any = false;

	LIST_FOREACH (l, &s->fenced_flows) {
		struct session_flow *f =
			list_entry(l, struct session_flow, fence_link);
		struct fabric_op *op = op_of(f->waiting.next);

		if (fence_holds(s, op))
			continue;
		unpark_flow(s, op->class, f);
		any = true;
	}
	LIST_FOREACH (l, &s->fenced) {
		struct fabric_op *op = op_of(l);

		if (fence_holds(s, op))
			continue;
		any = true;
		list_remove(l);
		list_prepend(&s->classes[op->class].waiting, l);
	}
	return any;
}

/* -- to a lane ------------------------------------------------------------ */

static uint64_t load_of(const struct session_lane *l)
{
	return l->lane->pending_bytes +
	       (uint64_t)l->lane->n_pending * OP_WEIGHT;
}

/* The least loaded; one that is silent only if there is no other. */
static struct session_lane *choose(struct session *s, enum fabric_class class)
{
	struct session_lane *best = NULL;
	struct list *at = &s->links;

	if (s->n_links > 1)
		for (unsigned i = s->rotor++ % s->n_links; i > 0; i--)
			at = at->next;
	for (unsigned i = 0; i < s->n_links; i++) {
		struct session_lane *l;

		at = at->next == &s->links ? s->links.next : at->next;
		l = list_entry(at, struct session_link, link)->slots[class].up;
		if (!l || l->lane->state != LANE_OUTGOING)
			continue;
		if (!best || (best->suspect_ns && !l->suspect_ns) ||
		    (!best->suspect_ns == !l->suspect_ns &&
		     load_of(l) < load_of(best)))
			best = l;
	}
	return best;
}

/* @return false: it must wait for a lane or for room in the window. */
static bool dispatch(struct session *s, struct fabric_op *op)
{
	struct session_class *c = &s->classes[op->class];
	struct session_flow *f = flow_of(s, op);
	struct session_lane *l;

	if (f && is_blocked(f)) {
		list_append(&f->waiting, &op->link);
		return true;
	}
	if (fence_holds(s, op)) {
		park(s, f, op);
		return true;
	}
	if (op->sequence == 0 && c->next - c->lowest >= SESSION_WINDOW)
		return false;
	l = f && f->lane ? f->lane : choose(s, op->class);
	if (!l)
		return false;
	if (op->sequence == 0) {
		op->sequence = c->next++;
		c->slots[op->sequence % SESSION_WINDOW] = op;
		op->resent = false;
		s->n_in_flight++;
	} else {
		op->resent = true;
		s->stats.resent++;
	}
	if (f) {
		f->lane = l;
		f->n++;
	}
	lane_submit(l->lane, op);
	return true;
}

static void run_class(struct session *s, struct session_class *c)
{
	struct list *l;

	while ((l = list_pop(&c->waiting))) {
		if (dispatch(s, op_of(l)))
			continue;
		list_prepend(&c->waiting, l);
		return;
	}
}

void session_run(struct session *s)
{
	for (unsigned i = 0; i < FABRIC_CLASSES; i++)
		run_class(s, &s->classes[i]);
}

void session_submit(struct session *s, struct fabric_op *op)
{
	struct session_class *c = &s->classes[op->class % FABRIC_CLASSES];
	enum fabric_status status = fabric_op_check(op);

	op->sequence = 0;
	list_init(&op->link);
	list_init(&op->write_link);
	if (status == FABRIC_OK && s->closing)
		status = FABRIC_CANCELLED;
	if (status == FABRIC_OK && s->state == SESSION_LOST)
		status = FABRIC_PEER_LOST;
	if (status != FABRIC_OK) {
		end_later(s, op, status);
		return;
	}
	op->number = ++s->n_submitted;
	op->submitted_ns = reactor_now_ns(s->reactor);
	if (s->n_outstanding++ == 0) {
		s->answered_ns = reactor_now_ns(s->reactor);
		session_watch_soon(s);
	}
	if (!list_empty(&c->waiting) || !dispatch(s, op))
		list_append(&c->waiting, &op->link);
	if (fabric_op_writes(op))
		list_append(&s->writes, &op->write_link);
}

/* -- from a lane ---------------------------------------------------------- */

static void leave_flow(struct session *s, const struct fabric_op *op)
{
	struct session_flow *f = flow_of(s, op);

	if (f && --f->n == 0)
		f->lane = NULL;
}

static void forget_number(struct session *s, const struct fabric_op *op)
{
	struct session_class *c = &s->classes[op->class];

	c->slots[op->sequence % SESSION_WINDOW] = NULL;
	while (c->lowest < c->next && !c->slots[c->lowest % SESSION_WINDOW])
		c->lowest++;
	s->n_in_flight--;
}

void session_completed(struct session *s, struct session_lane *lane,
                       struct fabric_op *op, enum fabric_status status)
{
	struct session_class *c = &s->classes[op->class];
	uint64_t now = lane->lane->heard_ns;

	if (now > s->answered_ns &&
	    now - s->answered_ns > s->stats.longest_gap_ns)
		s->stats.longest_gap_ns = now - s->answered_ns;
	s->answered_ns = now;
	s->n_outstanding--;
	leave_flow(s, op);
	forget_number(s, op);
	if (list_linked(&op->write_link)) {
		list_remove(&op->write_link);
		if (unpark(s))
			session_run(s);
	}
	if (!list_empty(&c->waiting))
		run_class(s, c);
	report(s, op, status);
}

void session_take_back(struct session *s, struct session_lane *lane)
{
	struct session_class *c = &s->classes[lane->class];

	LIST_FOREACH (l, &lane->ops)
		leave_flow(s, op_of(l));
	/* Flows that waited for this lane follow what it had. */
	for (unsigned i = 0; i < SESSION_FLOWS; i++) {
		struct session_flow *f = &c->flows[i];

		if (f->lane || list_empty(&f->waiting))
			continue;
		list_remove(&f->fence_link);
		list_splice(&lane->ops, &f->waiting);
	}
	to_front(&c->waiting, &lane->ops);
}

/* -- losing the peer ------------------------------------------------------ */

/* All that is outstanding, into one list. */
static void gather(struct session *s, struct list *all)
{
	struct session_lane *l;
	unsigned at = 0;

	LIST_FOREACH (d, &s->dead)
		list_splice(all,
		            &list_entry(d, struct session_lane, link)->ops);
	while ((l = session_lane_up(s, &at)))
		lane_take_pending(l->lane, all);
	for (unsigned i = 0; i < FABRIC_CLASSES; i++) {
		struct session_class *c = &s->classes[i];

		for (unsigned k = 0; k < SESSION_FLOWS; k++) {
			list_splice(all, &c->flows[k].waiting);
			list_remove(&c->flows[k].fence_link);
		}
		list_splice(all, &c->waiting);
	}
	list_splice(all, &s->fenced);
}

static void reset_classes(struct session *s)
{
	for (unsigned i = 0; i < FABRIC_CLASSES; i++) {
		struct session_class *c = &s->classes[i];

		c->next = c->lowest = 1;
		for (unsigned k = 0; k < SESSION_WINDOW; k++)
			c->slots[k] = NULL;
		for (unsigned k = 0; k < SESSION_FLOWS; k++) {
			c->flows[k].lane = NULL;
			c->flows[k].n = 0;
		}
	}
}

static void set_state(struct session *s, enum session_state next)
{
	bool was_lost = s->state == SESSION_LOST;

	s->state = next;
	if (next == SESSION_LOST && !was_lost && !s->closing)
		node_peer_reached(s->node, s->peer, false);
}

void session_lose(struct session *s, enum fabric_status status,
                  enum session_state next)
{
	struct list all, *l;

	list_init(&all);
	gather(s, &all);
	session_lane_close_all(s);
	reset_classes(s);
	s->epoch++;
	s->peer_boot = 0;
	s->n_outstanding = s->n_in_flight = 0;
	set_state(s, next);
	while ((l = list_pop(&all))) {
		list_remove(&op_of(l)->write_link);
		report(s, op_of(l), status);
	}
	session_watch_dials(s);
}

/* -- making one ----------------------------------------------------------- */

struct session *session_create(struct node *n, struct fabric_peer *peer,
                               const char *peer_name,
                               const struct session_opts *opts)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->node = n;
	s->peer = peer;
	s->peer_name = peer_name;
	s->reactor = n->opts.reactor;
	s->opts = *opts;
	s->epoch = 1;
	s->next_lane = 1;
	list_init(&s->links);
	list_init(&s->dead);
	list_init(&s->writes);
	list_init(&s->fenced);
	list_init(&s->fenced_flows);
	list_init(&s->ended);
	s->end_task.run = run_ended;
	for (unsigned i = 0; i < FABRIC_CLASSES; i++) {
		list_init(&s->classes[i].waiting);
		for (unsigned k = 0; k < SESSION_FLOWS; k++) {
			list_init(&s->classes[i].flows[k].waiting);
			list_init(&s->classes[i].flows[k].fence_link);
		}
	}
	reset_classes(s);
	session_watch_start(s);
	return s;
}

void session_destroy(struct session *s)
{
	if (!s)
		return;
	s->closing = true;
	session_lose(s, FABRIC_CANCELLED, SESSION_LOST);
	session_link_free_all(s);
	timer_stop(s->reactor, &s->tick);
	if (s->end_queued)
		return; /* run_ended() reports and frees */
	free(s);
}

/* -- what the operator sees ----------------------------------------------- */

enum session_state session_state(const struct session *s)
{
	return s->state;
}

void session_stats(const struct session *s, struct session_stats *out)
{
	*out = s->stats;
	out->in_flight = s->n_in_flight;
	out->waiting = s->n_outstanding - s->n_in_flight;
}

const struct histogram *session_latency(const struct session *s,
                                        enum fabric_class class)
{
	return &s->latency[class];
}

const char *session_state_name(enum session_state state)
{
	static const char *const names[] = { [SESSION_CONNECTING] =
		                                     "connecting",
		                             [SESSION_UP] = "up",
		                             [SESSION_LOST] = "lost" };

	return names[state];
}
