/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/process.h"

#include "base/base.h"
#include "bridge/bridge_decode.h"
#include "window/key.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct list *chain_of(struct process *p, const struct fabric_key *key)
{
	return &p->imports[key_hash(key) % PROCESS_CHAINS];
}

struct import *process_import(struct process *p, const struct fabric_key *key)
{
	LIST_FOREACH (link, chain_of(p, key)) {
		struct import *i = list_entry(link, struct import, link);

		if (key_equal(&i->key, key))
			return i;
	}
	return NULL;
}

void process_import_put(struct import *import)
{
	if (import && --import->n_users == 0)
		free(import);
}

static void close_import(struct process *p, struct import *import)
{
	list_remove(&import->link);
	p->n_imports--;
	process_loan_end(import->loan);
	import->loan = NULL;
	process_import_put(import);
}

void process_close_imports(struct process *p)
{
	for (unsigned i = 0; i < PROCESS_CHAINS; i++)
		while (!list_empty(&p->imports[i]))
			close_import(p, list_entry(p->imports[i].next,
			                           struct import, link));
}

/* @return 0; -ENOMEM. */
static int add_import(struct process *p, const char *node,
                      const struct lookup_message *answer)
{
	struct import *i = process_import(p, &answer->key);

	if (!i) {
		i = calloc(1, sizeof(*i));
		if (!i)
			return -ENOMEM;
		i->n_users = 1;
		i->key = answer->key;
		snprintf(i->node, sizeof(i->node), "%s", node);
		list_append(chain_of(p, &answer->key), &i->link);
		p->n_imports++;
	}
	i->own = !strcmp(node, p->host->node);
	if (answer->flags & LOOKUP_IS_LOAN && !i->own && !i->loan)
		i->loan = process_loan_start(p, node, answer);
	i->ended = FABRIC_OK;
	i->length = answer->length;
	i->rights |= answer->rights;
	i->n_opened++;
	return 0;
}

static const char *why_refused(int err)
{
	switch (-err) {
	case EACCES:
		return "no such key, or not for this process";
	case ENOENT:
		return "no window of that name";
	case ESTALE:
		return "the key was revoked or has expired";
	case EBUSY:
		return "busy, or too many wrong keys";
	case ETIMEDOUT:
		return "no answer in time; it answers to where this node "
		       "listens: see 'causeway doctor'";
	default:
		return strerror(-err);
	}
}

static void refuse_window(struct process *p, enum bridge_type type,
                          const char *node, int err)
{
	process_fail(p, type, err, "node %s: %s", node, why_refused(err));
}

static void refuse_loan(struct process *p, const char *node, int err,
                        const struct lookup_message *answer)
{
	struct bridge_reply reply = {
		.type = BRIDGE_BORROW,
		.status = bridge_status_from_errno(err),
		.length = err == -ENOSPC && answer ? answer->length : 0,
	};

	if (err == -ENOSPC)
		snprintf(reply.words, sizeof(reply.words),
		         "node %s has %llu MiB left to lend", node,
		         (unsigned long long)reply.length >> 20);
	else
		snprintf(reply.words, sizeof(reply.words), "node %s %s", node,
		         err == -EACCES      ? "does not lend to this node"
		         : err == -ENOENT    ? "offers no memory"
		         : err == -EBUSY     ? "is busy"
		         : err == -ETIMEDOUT ? "does not answer"
		         : err == -EPROTO    ? "knows of no lending"
		                             : "cannot be reached");
	process_reply(p, &reply, NULL, 0);
}

static void opened(struct process *p, enum bridge_type type, const char *node,
                   int err, const struct lookup_message *answer)
{
	struct bridge_reply reply = { .type = type };

	if (err == -EBADF)
		err = -EACCES;
	if (err == -EKEYEXPIRED)
		err = -ESTALE;
	if (!err)
		err = add_import(p, node, answer);
	if (err) {
		if (type == BRIDGE_BORROW)
			refuse_loan(p, node, err, answer);
		else
			refuse_window(p, type, node, err);
		return;
	}
	memcpy(reply.key, answer->key.byte, sizeof(reply.key));
	reply.length = answer->length;
	reply.rights = answer->rights;
	process_reply(p, &reply, NULL, 0);
}

static void answered(void *ctx, int err, const struct lookup_message *answer)
{
	struct process *p = ctx;

	p->question = NULL;
	if (err == -EBADF || err == -ENOENT || err == -EACCES)
		guard_was_wrong(&p->guard);
	opened(p, (enum bridge_type)p->question_type, p->question_node, err,
	       answer);
}

static struct lookup_message question_of(const struct process *p,
                                         const struct bridge_request *q)
{
	struct lookup_message ask = { .rights = q->rights };

	if (q->type == BRIDGE_OPEN) {
		ask.what = LOOKUP_NAME;
		memcpy(ask.name, q->name, sizeof(ask.name));
	} else if (q->type == BRIDGE_BORROW) {
		ask.what = LOOKUP_LEND;
		ask.length = q->length;
	} else {
		ask.what = LOOKUP_KEY;
		memcpy(ask.key.byte, q->key, sizeof(ask.key.byte));
		ask.process = p->guard.who.process;
	}
	return ask;
}

void process_open_window(struct process *p, const struct bridge_request *q,
                         int fd)
{
	struct window_host *host = p->host;
	struct lookup_message answer, ask = question_of(p, q);
	struct session *session;
	struct grant *g;

	(void)fd;
	if (p->n_imports >= PROCESS_IMPORTS_MAX) {
		process_fail(p, q->type, -ENOSPC,
		             "a process may open %u windows",
		             PROCESS_IMPORTS_MAX);
		return;
	}
	if (!strcmp(q->node, host->node) && q->type == BRIDGE_BORROW) {
		process_fail(p, q->type, -EINVAL,
		             "node %s is this one: it lends to others",
		             q->node);
		return;
	}
	if (!strcmp(q->node, host->node)) {
		host_answer(host, &p->guard, &ask, &answer, &g);
		opened(p, q->type, q->node, lookup_status_errno(answer.status),
		       &answer);
		return;
	}
	if (!guard_may_try(&p->guard, reactor_now_ns(host->reactor))) {
		opened(p, q->type, q->node, -EBUSY, NULL);
		return;
	}
	session = host_session(host, q->node);
	if (!session) {
		process_fail(p, q->type, -EHOSTUNREACH, "there is no node %s",
		             q->node);
		return;
	}
	p->question_type = q->type;
	memcpy(p->question_node, q->node, sizeof(p->question_node));
	p->question =
		lookup_ask(&host->lookup, session, q->node, &ask, answered, p);
	if (!p->question)
		opened(p, q->type, q->node, -EBUSY, NULL);
}

void process_close_window(struct process *p, const struct bridge_request *q,
                          int fd)
{
	struct fabric_key key;
	struct import *i;

	(void)fd;
	memcpy(key.byte, q->key, sizeof(key.byte));
	i = process_import(p, &key);
	if (!i) {
		process_fail(p, q->type, -EBADF,
		             "not a window of this process");
		return;
	}
	if (--i->n_opened == 0)
		close_import(p, i);
	process_reply(p, &(struct bridge_reply){ .type = q->type }, NULL, 0);
}
