/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/host.h"

#include "base/base.h"
#include "fabric/session.h"
#include "window/key.h"
#include "window/region.h"
#include "window/sync.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct window_remote {
	struct window_host *host;
	char node[WINDOW_NAME_MAX + 1];
	struct grant *own; /* of this node; NULL: of another */
	struct fabric_key key;
	uint64_t length;
	unsigned rights;
	bool is_file;
};

/* A window_open() that has not called back. */
struct opening {
	struct list link;
	struct window_host *host;
	char node[WINDOW_NAME_MAX + 1];
	char name[WINDOW_NAME_MAX + 1];
	unsigned rights;
	struct lookup_question *question; /* NULL: the task is posted */
	struct task task;
	int err;
	bool ended; /* the task only frees */
	window_opened_fn opened;
	void *ctx;
};

/* -- opening --------------------------------------------------------------- */

static void call_back(struct opening *o, struct window_remote *window, int err)
{
	list_remove(&o->link);
	o->opened(o->ctx, window, err);
}

static struct window_remote *make(const struct opening *o)
{
	struct window_remote *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->host = o->host;
	snprintf(w->node, sizeof(w->node), "%s", o->node);
	return w;
}

/* The daemon may do all with what an operator of its node made. */
static int open_own(struct opening *o, struct window_remote *w)
{
	struct window_host *host = o->host;
	struct named *n = host_named(host, o->name);
	struct grant_holder holder = { 0 };
	struct grant_range range;
	int err;

	if (!n)
		return -ENOENT;
	w->rights = o->rights ? o->rights : HOST_RIGHTS;
	snprintf(holder.node, sizeof(holder.node), "%s", host->node);
	err = key_mint(&holder.process); /* nobody's but ours */
	if (err)
		return err;
	range = (struct grant_range){ .region = n->region,
		                      .length = n->region->length };
	err = grant_create(&host->grants,
	                   &(struct grant_spec){ .holder = &holder,
	                                         .rights = w->rights,
	                                         .owner = &host->self,
	                                         .n_ranges = 1,
	                                         .range = &range },
	                   &w->own);
	if (err)
		return err;
	w->own->is_own = true;
	grant_get(w->own);
	w->key = w->own->key;
	w->length = w->own->length;
	w->is_file = n->region->fd >= 0;
	return 0;
}

static void open_later(struct task *task)
{
	struct opening *o = container_of(task, struct opening, task);
	struct window_remote *w = NULL;
	int err = o->err;

	if (!o->ended) {
		w = err ? NULL : make(o);
		if (!err)
			err = w ? open_own(o, w) : -ENOMEM;
		if (err) {
			free(w);
			w = NULL;
		}
		call_back(o, w, err);
	}
	o->host->n_busy--;
	host_settled(o->host);
	free(o);
}

static int open_error(int err)
{
	return err == -EBADF || err == -EKEYEXPIRED || err == -ESTALE ? -ENOENT
	                                                              : err;
}

static void answered(void *ctx, int err, const struct lookup_message *answer)
{
	struct opening *o = ctx;
	struct window_remote *w = err ? NULL : make(o);

	if (w) {
		w->key = answer->key;
		w->length = answer->length;
		w->rights = answer->rights;
		w->is_file = answer->flags & LOOKUP_IS_FILE;
	} else if (!err) {
		err = -ENOMEM;
	}
	call_back(o, w, open_error(err));
	free(o);
}

static void ask(struct opening *o)
{
	struct session *session = host_session(o->host, o->node);
	struct lookup_message m = { .what = LOOKUP_NAME, .rights = o->rights };

	snprintf(m.name, sizeof(m.name), "%s", o->name);
	if (!session)
		o->err = -EHOSTUNREACH;
	else
		o->question = lookup_ask(&o->host->lookup, session, o->node, &m,
		                         answered, o);
	if (session && !o->question)
		o->err = -EBUSY;
}

void window_open(struct window_host *host, const char *node, const char *name,
                 unsigned rights, window_opened_fn opened, void *ctx)
{
	struct opening *o = calloc(1, sizeof(*o));

	if (!o)
		abort(); /* there is nobody to tell */
	*o = (struct opening){ .host = host,
		               .rights = rights,
		               .task.run = open_later,
		               .opened = opened,
		               .ctx = ctx };
	snprintf(o->node, sizeof(o->node), "%s", node);
	snprintf(o->name, sizeof(o->name), "%s", name);
	list_append(&host->openings, &o->link);
	if (host->stopping)
		o->err = -ECANCELED;
	else if (!base_is_name(name, strlen(name)))
		o->err = -ENOENT;
	else if (strcmp(node, host->node) != 0)
		ask(o);
	if (!o->question) {
		host->n_busy++;
		task_defer(host->reactor, &o->task);
	}
}

void host_end_openings(struct window_host *host)
{
	LIST_FOREACH (link, &host->openings) {
		struct opening *o = list_entry(link, struct opening, link);

		call_back(o, NULL, -ECANCELED);
		if (o->question) {
			lookup_cancel(o->question);
			free(o);
		} else {
			o->ended = true;
		}
	}
}

/* -- use ------------------------------------------------------------------- */

void window_close(struct window_remote *w)
{
	if (!w)
		return;
	if (w->own) {
		grant_end(&w->host->grants, w->own, GRANT_REVOKED);
		grant_put(w->own);
	}
	free(w);
}

uint64_t window_length(const struct window_remote *w)
{
	return w->length;
}

unsigned window_rights(const struct window_remote *w)
{
	return w->rights;
}

bool window_is_file(const struct window_remote *w)
{
	return w->is_file;
}

void window_submit(struct window_remote *w, struct fabric_op *op)
{
	struct session *session;

	op->key = w->key;
	if (w->own) {
		loopback_submit(&w->host->loop, op);
		return;
	}
	session = host_session(w->host, w->node);
	if (session)
		session_submit(session, op);
	else
		loopback_fail(&w->host->loop, op, FABRIC_PEER_LOST);
}

/* -- sync ------------------------------------------------------------------ */

struct window_syncing {
	struct task task;
	int err;
	void (*synced)(void *ctx, int err);
	void *ctx;
};

static void sync_end(void *ctx, int err)
{
	struct window_syncing *s = ctx;
	void (*synced)(void *, int) = s->synced;
	void *of = s->ctx;

	free(s);
	synced(of, err);
}

static void sync_later(struct task *task)
{
	struct window_syncing *s =
		container_of(task, struct window_syncing, task);

	sync_end(s, s->err);
}

static void sync_answered(void *ctx, int err,
                          const struct lookup_message *answer)
{
	(void)answer;
	sync_end(ctx, err == -EBADF || err == -EKEYEXPIRED ? -ESTALE : err);
}

static int sync_ask(struct window_remote *w, struct window_syncing *s)
{
	struct session *session = host_session(w->host, w->node);
	const struct lookup_message m = { .what = LOOKUP_SYNC, .key = w->key };

	if (!session)
		return -EHOSTUNREACH;
	return lookup_ask(&w->host->lookup, session, w->node, &m, sync_answered,
	                  s)
	               ? 0
	               : -EBUSY;
}

void window_sync(struct window_remote *w, void (*synced)(void *ctx, int err),
                 void *ctx)
{
	struct window_syncing *s = calloc(1, sizeof(*s));

	if (!s)
		abort(); /* there is nobody to tell */
	*s = (struct window_syncing){ .task.run = sync_later,
		                      .synced = synced,
		                      .ctx = ctx };
	if (w->own)
		s->err =
			grant_state(w->own, reactor_now_ns(w->host->reactor)) ==
					GRANT_LIVE
				? sync_start(w->host->reactor, w->own, sync_end,
		                             s)
				: -ESTALE;
	else if (w->is_file)
		s->err = sync_ask(w, s);
	if (s->err || (!w->own && !w->is_file))
		task_defer(w->host->reactor, &s->task);
}
