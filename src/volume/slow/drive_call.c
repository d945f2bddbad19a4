/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls about drives, and the clean stop. */
#include "base/base.h"
#include "volume/slow/assembly.h"
#include "volume/slow/slow_priv.h"

#include <errno.h>

/* -- quiesce -------------------------------------------------------------- */

struct quiesce_pool {
	struct quiesce *all;
	struct pool *pool;
	struct metalog_waiter commit;
	struct checkpoint_waiter checkpoint;
};

struct quiesce {
	struct slow_call *call;
	unsigned left;
	struct quiesce_pool pool[HANDOFF_POOLS];
};

static void quiesce_put(struct quiesce *q, const struct pool *p, int err)
{
	if (err)
		err_set(&q->call->err, err,
		        "the metadata of pool %s could not be written; it is "
		        "recovered from its log at the next start",
		        p->name);
	if (--q->left == 0)
		call_end(q->call);
}

static void checkpointed(struct checkpoint_waiter *w, int err)
{
	struct quiesce_pool *at =
		container_of(w, struct quiesce_pool, checkpoint);

	quiesce_put(at->all, at->pool, err);
}

static void committed(struct metalog_waiter *w, int err)
{
	struct quiesce_pool *at = container_of(w, struct quiesce_pool, commit);

	if (err) {
		quiesce_put(at->all, at->pool, err);
		return;
	}
	at->checkpoint.done = checkpointed;
	checkpoint_want(at->pool, &at->checkpoint);
}

void slow_quiesce(struct slow *s, slow_done_fn done, void *arg)
{
	struct slow_call *call = call_new(s, done, arg);
	struct quiesce *q = calloc(1, sizeof(*q));

	if (!q) {
		err_set(&call->err, -ENOMEM, "no memory to stop cleanly");
		call_end(call);
		return;
	}
	q->call = call;
	call->state = q;
	for (unsigned i = 0; i < HANDOFF_POOLS; i++)
		q->left += s->pool[i] && s->pool[i]->serving;
	if (!q->left) {
		call_end(call);
		return;
	}
	for (unsigned i = 0; i < HANDOFF_POOLS; i++) {
		struct quiesce_pool *at = &q->pool[i];

		if (!s->pool[i] || !s->pool[i]->serving)
			continue;
		at->all = q;
		at->pool = s->pool[i];
		at->commit.done = committed;
		metalog_commit(at->pool, &at->commit);
	}
}

/* -- failing a drive ------------------------------------------------------ */

static void failed(struct metalog_waiter *w, int err)
{
	struct slow_call *c = container_of(w, struct slow_call, waiter);

	if (err)
		err_set(&c->err, -EIO,
		        "the failure could not be written to the pool's log: "
		        "look at its other drives with 'causeway pool show'");
	call_end(c);
}

static int check_fail(struct slow *s, uint16_t drive, struct pool **pool,
                      struct err *e)
{
	int index = -ENOENT;

	for (unsigned i = 0; i < HANDOFF_POOLS && index < 0; i++) {
		*pool = s->pool[i];
		if (*pool)
			index = member_find(*pool, drive);
	}
	if (index < 0)
		return err_set(e, -ENOENT,
		               "the drive is in no pool: remove it instead");
	if (!(*pool)->serving)
		return err_set(e, -EIO, "pool %s is offline: %s", (*pool)->name,
		               (*pool)->why);
	if ((*pool)->member[index].state == HANDOFF_ONLINE &&
	    alloc_needs(&(*pool)->alloc, (unsigned)index, true))
		return err_set(e, -EBUSY,
		               "volumes without redundancy have data on drive "
		               "%s: move or delete them first",
		               (*pool)->member[index].name);
	if (member_lose(*pool, (unsigned)index, MEMBER_BLAME_VOLUME,
	                "failed by the operator"))
		return err_set(e, -EBUSY,
		               "pool %s cannot lose drive %s: data would be "
		               "lost with it; replace the failed drive first",
		               (*pool)->name, (*pool)->member[index].name);
	return 0;
}

void slow_drive_fail(struct slow *s, uint16_t drive, slow_done_fn done,
                     void *arg)
{
	struct slow_call *c = call_new(s, done, arg);
	struct pool *p;

	if (check_fail(s, drive, &p, &c->err)) {
		call_end(c);
		return;
	}
	c->waiter.done = failed;
	list_append(&p->settle_calls, &c->waiter.link);
	if (p->announcement.state == ANNOUNCE_IDLE)
		member_announce(p);
}

void member_calls_settled(struct pool *p, int err)
{
	struct list ready = LIST_INIT(ready), *node;

	list_splice(&ready, &p->settle_calls);
	while ((node = list_pop(&ready)) != NULL) {
		struct metalog_waiter *w =
			list_entry(node, struct metalog_waiter, link);

		w->done(w, err);
	}
}

/* -- a drive that was opened ----------------------------------------------- */

void slow_drive_appeared(struct slow *s, uint16_t drive, slow_done_fn done,
                         void *arg)
{
	struct slow_call *c = call_new(s, done, arg);

	if (drive >= HANDOFF_DRIVES || !s->h->drives[drive].present) {
		err_set(&c->err, -ENOENT, "there is no drive in slot %u",
		        drive);
		call_end(c);
		return;
	}
	assembly_again(s, c);
}
