/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hand-offs: one row per kind.  A record comes from a peer that may be wrong:
 * what it names is checked before it is used, and each is answered exactly
 * once (handoff.h, H1, H4), a second time for one sent again after a restart
 * with the same effect.
 */
#include "base/base.h"
#include "volume/slow/slow_priv.h"

#include <errno.h>

/* -- waits ---------------------------------------------------------------- */

static struct wait *wait_new(struct slow *s, struct pool *p, unsigned lane,
                             const struct handoff_request *r)
{
	struct wait *w = slab_get(&s->waits_slab);

	if (!w)
		return NULL;
	w->pool = p;
	w->lane = lane;
	w->request = *r;
	list_init(&w->link);
	list_init(&w->waiter.link);
	list_append(&s->waits, &w->all);
	slow_arm_tick(s);
	return w;
}

static void wait_free(struct slow *s, struct wait *w)
{
	list_remove(&w->link);
	list_remove(&w->waiter.link);
	list_remove(&w->all);
	slab_put(&s->waits_slab, w);
}

static void wait_complete(struct slow *s, struct wait *w,
                          enum handoff_status status)
{
	slow_complete(s, w->lane, w->request.tag, status);
	wait_free(s, w);
}

static void refuse(struct slow *s, unsigned lane, uint64_t tag,
                   enum handoff_status status)
{
	s->stats.refused++;
	slow_complete(s, lane, tag, status);
}

void request_expire(struct slow *s)
{
	uint64_t now = slow_now(s);

	LIST_FOREACH (node, &s->waits) {
		struct wait *w = list_entry(node, struct wait, all);

		if (w->request.deadline_ns && now > w->request.deadline_ns)
			wait_complete(s, w, HANDOFF_TIMED_OUT);
	}
}

void request_drop_pool(struct pool *p)
{
	LIST_FOREACH (node, &p->slow->waits) {
		struct wait *w = list_entry(node, struct wait, all);

		if (w->pool == p)
			wait_complete(p->slow, w, HANDOFF_GONE);
	}
}

/* -- checks --------------------------------------------------------------- */

/* The volume that a record names, or NULL and why. */
static struct volume *find_volume(struct slow *s,
                                  const struct handoff_request *r,
                                  enum handoff_status *why)
{
	struct volume *v;

	*why = HANDOFF_INVALID;
	if (r->volume >= HANDOFF_VOLUMES)
		return NULL;
	v = &s->volume[r->volume];
	*why = HANDOFF_GONE;
	if (!v->pool || v->deletion || !v->pool->serving ||
	    v->shared->generation != r->generation)
		return NULL;
	return v;
}

/* The chunk of a record that must lie in one. */
static bool find_chunk(const struct volume *v, const struct handoff_request *r,
                       uint64_t *chunk)
{
	*chunk = r->address >> CHUNK_SHIFT;
	return *chunk < v->chunks && r->length <= CHUNK_BYTES &&
	       (r->address & (CHUNK_BYTES - 1)) + r->length <= CHUNK_BYTES;
}

/* -- MISS ----------------------------------------------------------------- */

/* @return 0 and the entry; -ENOSPC; -ENOMEM. */
static int map_chunk(struct volume *v, uint64_t chunk, uint64_t *entry)
{
	struct pool *p = v->pool;
	struct record r = { .type = META_ROW };
	uint32_t row, index;
	bool made;
	int err;

	err = metalog_reserve(p);
	if (!err)
		err = alloc_chunk(&p->alloc, v->profile, &row, &index, &made);
	if (err)
		return err;
	if (made) {
		alloc_describe_row(&p->alloc, row, &r.row);
		err = metalog_object(p, &r);
		if (err) {
			alloc_free(&p->alloc, row, index);
			alloc_release_row(&p->alloc, row);
			return err;
		}
		pool_publish_row(p, row);
	}
	*entry = entry_make(ENTRY_NEW, row, index);
	volume_touch(v, chunk);
	__atomic_store_n(&v->shared->changes, v->shared->changes + 1,
	                 __ATOMIC_RELEASE);
	handoff_set_entry(p->slow->h, v->base + chunk, *entry);
	metalog_change(p, v->slot, chunk, false);
	v->shared->allocated++;
	pool_usage(p);
	return 0;
}

/* Answer a miss, or say -ENOSPC, -ENOMEM. */
static int try_miss(struct slow *s, struct volume *v, unsigned lane,
                    const struct handoff_request *r)
{
	uint64_t chunk = r->address >> CHUNK_SHIFT;
	uint64_t entry = volume_entry(v, chunk);
	int err = 0;

	if (!entry)
		err = map_chunk(v, chunk, &entry);
	if (!err)
		slow_resume(s, lane, r->tag, entry);
	return err;
}

static void handle_miss(struct slow *s, unsigned lane,
                        const struct handoff_request *r)
{
	enum handoff_status why;
	struct volume *v = find_volume(s, r, &why);
	uint64_t chunk;
	struct wait *w;
	int err;

	s->stats.misses++;
	if (!v || !find_chunk(v, r, &chunk)) {
		refuse(s, lane, r->tag, v ? HANDOFF_INVALID : why);
		return;
	}
	err = try_miss(s, v, lane, r);
	if (!err)
		return;
	w = err == -ENOSPC && reclaim_pending(v->pool)
	            ? wait_new(s, v->pool, lane, r)
	            : NULL;
	if (!w) {
		refuse(s, lane, r->tag, HANDOFF_NO_SPACE);
		return;
	}
	list_append(&v->pool->space_waits, &w->link);
	reclaim_run(v->pool);
}

void request_retry_space(struct pool *p)
{
	struct slow *s = p->slow;

	LIST_FOREACH (node, &p->space_waits) {
		struct wait *w = list_entry(node, struct wait, link);
		enum handoff_status why;
		struct volume *v = find_volume(s, &w->request, &why);
		int err;

		if (!v) {
			wait_complete(s, w, HANDOFF_GONE);
			continue;
		}
		err = try_miss(s, v, w->lane, &w->request);
		if (!err) {
			wait_free(s, w);
		} else if (!reclaim_pending(p)) {
			s->stats.refused++;
			wait_complete(s, w, HANDOFF_NO_SPACE);
		} else {
			break;
		}
	}
}

/* -- DISCARD -------------------------------------------------------------- */

/* @return 0, answered; -EAGAIN, -ENOMEM. */
static int try_discard(struct slow *s, struct volume *v, unsigned lane,
                       const struct handoff_request *r)
{
	struct pool *p = v->pool;
	uint64_t chunk = r->address >> CHUNK_SHIFT;
	uint64_t entry = volume_entry(v, chunk);
	int err = 0;

	if (!entry) {
		slow_complete(s, lane, r->tag, HANDOFF_OK);
		return 0;
	}
	err = metalog_reserve(p);
	if (!err)
		err = reclaim_reserve(p);
	if (err)
		return err;
	if (!handoff_claim_take(s->h, lane, r->tag)) {
		refuse(s, lane, r->tag, HANDOFF_TIMED_OUT);
		return 0;
	}
	__atomic_store_n(&v->shared->changes, v->shared->changes + 1,
	                 __ATOMIC_RELEASE);
	handoff_set_entry(s->h, v->base + chunk, 0);
	metalog_change(p, v->slot, chunk, true);
	reclaim_chunk(p, entry_row(entry), entry_index(entry));
	v->shared->allocated--;
	pool_usage(p);
	slow_complete(s, lane, r->tag, HANDOFF_OK);
	return 0;
}

static void handle_discard(struct slow *s, unsigned lane,
                           const struct handoff_request *r)
{
	enum handoff_status why;
	struct volume *v = find_volume(s, r, &why);
	uint64_t chunk;
	struct wait *w;

	s->stats.discards++;
	if (!v || !find_chunk(v, r, &chunk) || r->length != CHUNK_BYTES) {
		refuse(s, lane, r->tag, v ? HANDOFF_INVALID : why);
		return;
	}
	if (!try_discard(s, v, lane, r))
		return;
	w = wait_new(s, v->pool, lane, r);
	if (!w) {
		refuse(s, lane, r->tag, HANDOFF_TIMED_OUT);
		return;
	}
	list_append(&v->pool->discard_waits, &w->link);
	metalog_commit(v->pool, NULL);
}

void request_retry_discards(struct pool *p)
{
	struct slow *s = p->slow;

	LIST_FOREACH (node, &p->discard_waits) {
		struct wait *w = list_entry(node, struct wait, link);
		enum handoff_status why;
		struct volume *v = find_volume(s, &w->request, &why);

		if (!v)
			wait_complete(s, w, HANDOFF_GONE);
		else if (!try_discard(s, v, w->lane, &w->request))
			wait_free(s, w);
		else
			break;
	}
}

/* -- BARRIER -------------------------------------------------------------- */

static void barrier_done(struct metalog_waiter *waiter, int err)
{
	struct wait *w = container_of(waiter, struct wait, waiter);

	wait_complete(w->pool->slow, w, err ? HANDOFF_IO_ERROR : HANDOFF_OK);
}

static void handle_barrier(struct slow *s, unsigned lane,
                           const struct handoff_request *r)
{
	enum handoff_status why;
	struct volume *v = find_volume(s, r, &why);
	struct wait *w;

	s->stats.barriers++;
	if (!v) {
		refuse(s, lane, r->tag, why);
		return;
	}
	w = wait_new(s, v->pool, lane, r);
	if (!w) {
		refuse(s, lane, r->tag, HANDOFF_TIMED_OUT);
		return;
	}
	w->waiter.done = barrier_done;
	w->waiter.plain = !geometry_tolerance(v->profile);
	metalog_commit(v->pool, &w->waiter);
}

/* -- DRIVE_ERROR ---------------------------------------------------------- */

void request_drives_settled(struct pool *p, int err)
{
	struct list ready = LIST_INIT(ready);
	struct slow *s = p->slow;
	struct list *node;

	list_splice(&ready, &p->drive_waits);
	while ((node = list_pop(&ready)) != NULL) {
		struct wait *w = list_entry(node, struct wait, link);

		if (err) {
			wait_complete(s, w, HANDOFF_IO_ERROR);
			continue;
		}
		slow_resume(s, w->lane, w->request.tag, 0);
		wait_free(s, w);
	}
}

static void handle_drive_error(struct slow *s, unsigned lane,
                               const struct handoff_request *r)
{
	enum handoff_status why;
	struct volume *v = find_volume(s, r, &why);
	struct pool *p = v ? v->pool : NULL;
	int index = -ENOENT;
	struct wait *w;

	if (p && r->drive < HANDOFF_DRIVES)
		index = member_find(p, r->drive);
	if (index < 0) {
		refuse(s, lane, r->tag, v ? HANDOFF_INVALID : why);
		return;
	}
	if (s->h->drives[r->drive].role == HANDOFF_FAILED) {
		slow_resume(s, lane, r->tag, 0);
		return;
	}
	if ((p->member[index].state == HANDOFF_ONLINE &&
	     !geometry_tolerance(v->profile)) ||
	    member_lose(p, (unsigned)index, MEMBER_BLAME_VOLUME,
	                s->h->drives[r->drive].present ? "a write to it failed"
	                                               : "it has gone")) {
		slow_complete(s, lane, r->tag, HANDOFF_IO_ERROR);
		return;
	}
	w = wait_new(s, p, lane, r);
	if (!w) {
		refuse(s, lane, r->tag, HANDOFF_TIMED_OUT);
		return;
	}
	list_append(&p->drive_waits, &w->link);
	if (p->announcement.state == ANNOUNCE_IDLE)
		member_announce(p);
}

/* -- the others ----------------------------------------------------------- */

static void handle_no_volume(struct slow *s, unsigned lane,
                             const struct handoff_request *r)
{
	enum handoff_status why;

	if (find_volume(s, r, &why))
		slow_resume(s, lane, r->tag, 0); /* it is back */
	else
		refuse(s, lane, r->tag, why);
}

static void handle_meta_done(struct slow *s, unsigned lane,
                             const struct handoff_request *r)
{
	if (lane != 0 || !metaio_answer(s, r))
		s->stats.refused++;
}

typedef void (*handle_fn)(struct slow *s, unsigned lane,
                          const struct handoff_request *r);

static const handle_fn handlers[] = {
	[HANDOFF_MISS] = handle_miss,
	[HANDOFF_DISCARD] = handle_discard,
	[HANDOFF_BARRIER] = handle_barrier,
	[HANDOFF_DRIVE_ERROR] = handle_drive_error,
	[HANDOFF_NO_VOLUME] = handle_no_volume,
	[HANDOFF_META_DONE] = handle_meta_done,
};
static_assert(ARRAY_LEN(handlers) == HANDOFF_REQUEST_KINDS, "all kinds");

void request_handle(struct slow *s, unsigned lane,
                    const struct handoff_request *r)
{
	if (r->kind < ARRAY_LEN(handlers) && handlers[r->kind])
		handlers[r->kind](s, lane, r);
	else
		refuse(s, lane, r->tag, HANDOFF_INVALID);
}
