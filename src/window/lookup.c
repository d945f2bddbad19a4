/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/lookup.h"

#include "base/base.h"
#include "core/reactor.h"
#include "fabric/session.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* What goes out, either way. */
struct letter {
	struct fabric_op op;
	struct iovec iov;
	struct lookup_wire wire;
};

/* Freed when it was answered or given up, and the session is done with it. */
struct lookup_question {
	struct list link;
	struct lookup *lookup;
	struct letter letter;
	struct timer timer;
	char node[64];
	uint64_t id;
	lookup_done_fn done; /* NULL: has been called, or cancelled */
	void *ctx;
	bool sent; /* the session is done with it */
};

/* Freed when it was sent, or given up. */
struct answer {
	struct list link;
	struct letter letter;
	struct lookup *lookup;
	struct lookup_message message;
	struct timer again;
	uint64_t until_ns; /* nobody waits for it any more */
	char node[64];
};

int lookup_init(struct lookup *l, struct reactor *r, unsigned timeout_ms,
                lookup_session_fn session, void *ctx)
{
	uint64_t first;

	if (getrandom(&first, sizeof(first), 0) != sizeof(first))
		return -EIO;
	*l = (struct lookup){ .reactor = r,
		              .session = session,
		              .ctx = ctx,
		              .last_id = first,
		              .timeout_ns = timeout_ms * NS_PER_MS };
	list_init(&l->questions);
	list_init(&l->answers);
	return 0;
}

static void post(struct letter *letter, struct session *session,
                 const struct lookup_message *m, fabric_done_fn done)
{
	lookup_encode(m, &letter->wire);
	letter->iov = (struct iovec){ .iov_base = &letter->wire,
		                      .iov_len = sizeof(letter->wire) };
	letter->op = (struct fabric_op){ .opcode = FABRIC_SEND,
		                         .class = FABRIC_CONTROL,
		                         .length = sizeof(letter->wire),
		                         .iov = &letter->iov,
		                         .n_iov = 1,
		                         .done = done };
	session_submit(session, &letter->op);
}

/* -- questions ------------------------------------------------------------- */

static void forget(struct lookup_question *q)
{
	if (q->done || !q->sent)
		return;
	timer_stop(q->lookup->reactor, &q->timer);
	list_remove(&q->link);
	q->lookup->n_questions--;
	free(q);
}

/* May free `q`. */
static void end(struct lookup_question *q, int err,
                const struct lookup_message *answer)
{
	lookup_done_fn done = q->done;
	void *ctx = q->ctx;

	timer_stop(q->lookup->reactor, &q->timer);
	q->done = NULL;
	forget(q);
	if (done)
		done(ctx, err, answer);
}

static int failure(enum fabric_status status)
{
	if (status == FABRIC_PEER_LOST || status == FABRIC_CANCELLED)
		return -EHOSTUNREACH;
	return fabric_status_errno(status);
}

static void question_sent(struct fabric_op *op, enum fabric_status status)
{
	struct lookup_question *q =
		container_of(op, struct lookup_question, letter.op);

	q->sent = true;
	if (status == FABRIC_OK)
		forget(q);
	else
		end(q, failure(status), NULL);
}

static void question_late(struct timer *timer)
{
	end(container_of(timer, struct lookup_question, timer), -ETIMEDOUT,
	    NULL);
}

struct lookup_question *lookup_ask(struct lookup *l, struct session *session,
                                   const char *node,
                                   const struct lookup_message *ask,
                                   lookup_done_fn done, void *ctx)
{
	struct lookup_message m = *ask;
	struct lookup_question *q;

	if (l->n_questions >= LOOKUP_OPEN)
		return NULL;
	q = calloc(1, sizeof(*q));
	if (!q)
		return NULL;
	q->lookup = l;
	q->timer.fire = question_late;
	if (timer_start(l->reactor, &q->timer,
	                ask->what == LOOKUP_SYNC ? LOOKUP_SYNC_MS * NS_PER_MS
	                                         : l->timeout_ns)) {
		free(q);
		return NULL;
	}
	q->id = ++l->last_id;
	q->done = done;
	q->ctx = ctx;
	snprintf(q->node, sizeof(q->node), "%s", node);
	list_append(&l->questions, &q->link);
	l->n_questions++;
	m.type = LOOKUP_ASK;
	m.id = q->id;
	post(&q->letter, session, &m, question_sent);
	return q;
}

void lookup_cancel(struct lookup_question *q)
{
	q->done = NULL;
	forget(q);
}

void lookup_end_all(struct lookup *l, const char *node, int err)
{
	struct list all;

	list_init(&all);
	list_splice(&all, &l->questions);
	while (!list_empty(&all)) {
		struct lookup_question *q = list_entry(
			list_pop(&all), struct lookup_question, link);

		/* What a session still has goes when that is done. */
		list_append(&l->questions, &q->link);
		if (!node || !strcmp(q->node, node))
			end(q, err, NULL);
	}
}

void lookup_answered(struct lookup *l, const char *node,
                     const struct lookup_message *answer)
{
	LIST_FOREACH (link, &l->questions) {
		struct lookup_question *q =
			list_entry(link, struct lookup_question, link);

		if (q->id != answer->id || strcmp(q->node, node) != 0)
			continue;
		end(q, lookup_status_errno(answer->status), answer);
		return;
	}
}

/* -- answers --------------------------------------------------------------- */

static void drop(struct answer *a)
{
	list_remove(&a->link);
	a->lookup->n_answers--;
	free(a);
}

static void answer_sent(struct fabric_op *op, enum fabric_status status)
{
	struct answer *a = container_of(op, struct answer, letter.op);
	struct reactor *r = a->lookup->reactor;

	if (status != FABRIC_PEER_LOST || reactor_now_ns(r) >= a->until_ns ||
	    timer_start(r, &a->again, LOOKUP_AGAIN_MS * NS_PER_MS))
		drop(a);
}

/* @return whether the node is known. */
static bool send_answer(struct answer *a)
{
	struct session *s = a->lookup->session(a->lookup->ctx, a->node);

	if (s)
		post(&a->letter, s, &a->message, answer_sent);
	return s;
}

static void answer_again(struct timer *timer)
{
	struct answer *a = container_of(timer, struct answer, again);

	if (!send_answer(a))
		drop(a);
}

bool lookup_answer(struct lookup *l, const char *node,
                   const struct lookup_message *answer)
{
	struct answer *a;

	if (l->n_answers >= LOOKUP_ANSWERS)
		return false;
	a = calloc(1, sizeof(*a));
	if (!a)
		return false;
	a->lookup = l;
	a->message = *answer;
	a->again.fire = answer_again;
	a->until_ns = reactor_now_ns(l->reactor) + l->timeout_ns;
	snprintf(a->node, sizeof(a->node), "%s", node);
	list_append(&l->answers, &a->link);
	l->n_answers++;
	if (send_answer(a))
		return true;
	drop(a);
	return false;
}

/* -- the end --------------------------------------------------------------- */

void lookup_fini(struct lookup *l)
{
	LIST_FOREACH (link, &l->questions) {
		struct lookup_question *q =
			list_entry(link, struct lookup_question, link);

		assert(q->sent);
		lookup_cancel(q);
	}
	LIST_FOREACH (link, &l->answers) {
		struct answer *a = list_entry(link, struct answer, link);

		timer_stop(l->reactor, &a->again);
		drop(a);
	}
}
