/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/slow/metalog.h"

#include "base/base.h"
#include "core/log.h"
#include "volume/slow/emit.h"
#include "volume/slow/slow_priv.h"

#include <assert.h>
#include <errno.h>

void metalog_init(struct pool *p)
{
	struct metalog *log = &p->log;

	memset(log, 0, sizeof(*log));
	pending_init(&log->pending);
	list_init(&log->waiting);
	list_init(&log->riding);
}

void metalog_fini(struct pool *p)
{
	pending_fini(&p->log.pending);
	free(p->log.object);
	p->log.object = NULL;
}

uint64_t metalog_where(const struct pool *p, uint64_t seq)
{
	return p->layout.log + seq % p->layout.log_blocks * META_BLOCK;
}

/* -- what is pending ------------------------------------------------------ */

int metalog_reserve(struct pool *p)
{
	return pending_reserve(&p->log.pending);
}

void metalog_change(struct pool *p, uint32_t volume, uint64_t chunk,
                    bool unmapped)
{
	pending_add(&p->log.pending, volume, chunk, unmapped);
	if (p->log.pending.n >= METALOG_PENDING_MAX)
		p->log.wanted = true;
	else
		slow_arm_commit(p->slow);
}

int metalog_object(struct pool *p, const struct record *r)
{
	struct metalog *log = &p->log;
	uint8_t block[META_BLOCK];
	uint32_t used = record_put(block, 0, r);

	if (log->object_bytes + used > log->object_size) {
		uint32_t size = log->object_size * 2 + META_BLOCK;
		uint8_t *object = realloc(log->object, size);

		if (!object)
			return -ENOMEM;
		log->object = object;
		log->object_size = size;
	}
	memcpy(log->object + log->object_bytes,
	       block + sizeof(struct meta_header), used);
	log->object_bytes += used;
	log->objects++;
	slow_arm_commit(p->slow);
	return 0;
}

void metalog_commit(struct pool *p, struct metalog_waiter *w)
{
	struct metalog *log = &p->log;

	log->wanted = true;
	if (!w)
		return;
	w->change = log->pending.added;
	w->object = log->objects;
	list_init(&w->link);
	list_append(&log->waiting, &w->link);
}

bool metalog_dirty(const struct pool *p)
{
	return p->log.pending.n || p->log.object_bytes || p->log.batch_blocks;
}

bool metalog_settled(const struct pool *p)
{
	return p->log.state == METALOG_IDLE && !p->log.batch_blocks;
}

/* -- collect -------------------------------------------------------------- */

struct collector {
	struct emit emit;
	struct pool *pool;
	uint32_t skip; /* blocks of the batch that are there already */
};

static void seal(struct emit *e, void *block, uint32_t n, uint32_t used)
{
	struct collector *c = container_of(e, struct collector, emit);
	const struct metalog *log = &c->pool->log;
	uint64_t seq = log->batch_first + c->skip + n;
	const struct record_place place = {
		.kind = META_LOG,
		.where = metalog_where(c->pool, seq),
		.epoch = log->epoch,
		.seq = seq,
		.first = log->batch_first,
		.pool = c->pool->uuid,
	};

	record_seal(block, &place, used);
}

/* As many objects as fit in `max` blocks; @return whether that was all. */
static bool collect_objects(struct collector *c, uint32_t max)
{
	struct metalog *log = &c->pool->log;
	struct record_reader reader = { log->object, log->object_bytes };
	struct record r;
	uint32_t done;

	log->batch_object = log->objects_taken;
	if (!log->object_bytes)
		return true;

	while (reader.left && c->emit.blocks + 1 < max) {
		int got = record_next(&reader, &r);

		assert(got == 1); /* our own bytes */
		emit_record(&c->emit, &r);
		log->objects_taken++;
	}
	done = log->object_bytes - reader.left;
	memmove(log->object, log->object + done, reader.left);
	log->object_bytes = reader.left;
	log->batch_object = log->objects_taken;
	return !reader.left;
}

/* @return whether the item is in the batch, or no longer matters. */
static bool collect_item(struct collector *c, struct pending_item *item)
{
	struct volume *v = &c->pool->slow->volume[item->volume];
	uint64_t entry;

	if (v->pool != c->pool)
		return true; /* deleted */
	if (!v->deletion) {
		entry = volume_entry(v, item->chunk);
		if (entry && entry_state(entry) != ENTRY_MAPPED) {
			if (item->unmapped)
				emit_map(&c->emit, v->id, item->chunk, 0);
			item->unmapped = 0;
			return false;
		}
		emit_map(&c->emit, v->id, item->chunk, entry);
	}
	v->taken += item->count;
	return true;
}

static void collect_changes(struct collector *c)
{
	struct metalog *log = &c->pool->log;
	struct pending *pending = &log->pending;
	uint32_t n = 0;
	uint8_t *keep = calloc(1, pending->n + 1u);

	if (!keep)
		return; /* another time */
	while (n < pending->n && c->emit.blocks + EMIT_SLACK < METALOG_BATCH) {
		keep[n] = !collect_item(c, &pending->item[n]);
		n++;
	}
	log->batch_change =
		n < pending->n ? pending->item[n].number - 1 : pending->added;
	pending_sweep(pending, n, keep);
	free(keep);
}

static struct collector *collector_new(struct pool *p)
{
	struct collector *c = malloc(sizeof(*c));
	uint8_t *buffer = p->slow->h->arena + pool_arena(p) + POOL_ARENA_LOG;

	if (!c)
		return NULL;
	c->pool = p;
	c->skip = p->log.batch_blocks;
	emit_begin(&c->emit, buffer + (size_t)c->skip * META_BLOCK, seal);
	return c;
}

static void collect(struct pool *p)
{
	struct metalog *log = &p->log;
	struct collector *c = collector_new(p);

	log->batch_first = log->seq;
	if (!c)
		return;
	if (collect_objects(c, METALOG_BATCH))
		collect_changes(c);
	emit_end(&c->emit);
	log->batch_blocks = c->emit.blocks;
	free(c);
}

/* What came up while the batch was written goes along with it. */
static void extend(struct pool *p)
{
	struct collector *c;

	if (!p->log.object_bytes ||
	    p->log.batch_blocks >= METALOG_BATCH + METALOG_EXTRA)
		return;
	c = collector_new(p);
	if (!c)
		return;
	collect_objects(c, 2);
	emit_end(&c->emit);
	p->log.batch_blocks += c->emit.blocks;
	free(c);
}

static void take_riders(struct pool *p)
{
	struct metalog *log = &p->log;

	LIST_FOREACH (node, &log->waiting) {
		struct metalog_waiter *w =
			list_entry(node, struct metalog_waiter, link);

		if (w->change > log->batch_change ||
		    w->object > log->batch_object)
			continue;
		list_remove(node);
		list_append(&log->riding, node);
	}
}

/* -- commit --------------------------------------------------------------- */

static void fan_done(struct metaio_fan *f);

static void flush(struct pool *p, uint32_t members)
{
	struct metaio_fan *f = &p->log.fan;

	metaio_fan_begin(p->slow, f, fan_done);
	for (unsigned i = 0; i < p->n_members; i++) {
		const struct metaio_request q = { .op = BLOCK_FLUSH,
			                          .drive = p->member[i].slot };

		if (members >> i & 1)
			metaio_fan_add(f, i, &q);
	}
	metaio_fan_end(f);
}

static void write_batch(struct pool *p)
{
	struct metalog *log = &p->log;
	uint64_t at = log->batch_first % p->layout.log_blocks;
	uint64_t head = p->layout.log_blocks - at;
	uint32_t holders = member_holders(p);
	struct metaio_request q = { .op = BLOCK_WRITE };

	if (head > log->batch_blocks)
		head = log->batch_blocks;
	metaio_fan_begin(p->slow, &log->fan, fan_done);
	for (unsigned i = 0; i < p->n_members; i++) {
		if (!(holders >> i & 1))
			continue;
		q.drive = p->member[i].slot;
		q.offset = metalog_where(p, log->batch_first);
		q.length = head * META_BLOCK;
		q.arena = pool_arena(p) + POOL_ARENA_LOG;
		metaio_fan_add(&log->fan, i, &q);
		if (head == log->batch_blocks)
			continue;
		q.offset = p->layout.log;
		q.arena += q.length;
		q.length = (log->batch_blocks - head) * META_BLOCK;
		metaio_fan_add(&log->fan, i, &q);
	}
	metaio_fan_end(&log->fan);
}

static void end_riders(struct pool *p, int err, bool plain_only)
{
	struct list done = LIST_INIT(done), *node;

	LIST_FOREACH (at, &p->log.riding) {
		if (plain_only &&
		    !list_entry(at, struct metalog_waiter, link)->plain)
			continue;
		list_remove(at);
		list_append(&done, at);
	}
	while ((node = list_pop(&done)) != NULL) {
		struct metalog_waiter *w =
			list_entry(node, struct metalog_waiter, link);

		w->done(w, err);
	}
}

static void fail_commit(struct pool *p)
{
	p->log.state = METALOG_IDLE;
	p->log.wanted = false;
	list_splice(&p->log.riding, &p->log.waiting);
	end_riders(p, -EIO, false);
	slow_arm_commit(p->slow);
}

static void count_committed(struct pool *p)
{
	for (unsigned i = 0; i < HANDOFF_VOLUMES; i++) {
		struct volume *v = &p->slow->volume[i];

		if (v->pool != p || !v->taken)
			continue;
		__atomic_store_n(&v->shared->committed,
		                 v->shared->committed + v->taken,
		                 __ATOMIC_RELEASE);
		v->taken = 0;
	}
}

static void finish(struct pool *p)
{
	struct metalog *log = &p->log;

	log->state = METALOG_IDLE;
	log->seq = log->batch_first + log->batch_blocks;
	if (log->batch_blocks) {
		p->shared->commits++;
		p->slow->stats.commits++;
	}
	log->batch_blocks = 0;
	log->durable_change = log->batch_change;
	log->durable_object = log->batch_object;
	count_committed(p);
	end_riders(p, 0, false);
	if (!list_empty(&log->waiting))
		log->wanted = true;
	else if (metalog_dirty(p))
		slow_arm_commit(p->slow);
	if (log->seq - log->base > p->layout.log_blocks / 2)
		checkpoint_want(p, NULL);
	reclaim_run(p);
	volume_step_deletions(p->slow);
}

static int lose(struct pool *p, uint32_t failed, enum member_blame blame)
{
	int err = 0;

	for (unsigned i = 0; i < p->n_members && !err; i++)
		if (failed >> i & 1)
			err = member_lose(p, i, blame,
			                  blame == MEMBER_BLAME_META
			                          ? "a metadata write failed"
			                          : "a flush failed");
	return err;
}

static void advance(struct pool *p, uint32_t failed)
{
	struct metalog *log = &p->log;
	bool data = log->state == METALOG_FLUSH_DATA;

	if (failed &&
	    lose(p, failed, data ? MEMBER_BLAME_VOLUME : MEMBER_BLAME_META)) {
		fail_commit(p);
		return;
	}
	switch (log->state) {
	case METALOG_IDLE:
		assert(0);
		break;
	case METALOG_FLUSH_DATA:
		if (failed)
			end_riders(p, -EIO, true);
		if (!log->batch_blocks) {
			finish(p);
			break;
		}
		extend(p);
		log->state = METALOG_WRITE;
		write_batch(p);
		break;
	case METALOG_WRITE:
		if (failed) {
			extend(p);
			write_batch(p);
			break;
		}
		log->state = METALOG_FLUSH;
		flush(p, member_holders(p));
		break;
	case METALOG_FLUSH:
		if (failed) {
			extend(p);
			log->state = METALOG_WRITE;
			write_batch(p);
			break;
		}
		finish(p);
		break;
	}
}

static void fan_done(struct metaio_fan *f)
{
	struct metalog *log = container_of(f, struct metalog, fan);

	advance(container_of(log, struct pool, log), f->failed);
}

void metalog_kick(struct pool *p)
{
	struct metalog *log = &p->log;
	bool again = log->batch_blocks > 0;

	if (log->state != METALOG_IDLE || !log->open || !log->wanted)
		return;
	if (!again && log->seq + METALOG_BATCH + METALOG_EXTRA + 2 - log->base >
	                      p->layout.log_blocks) {
		checkpoint_want(p, NULL);
		return;
	}
	log->wanted = again;
	if (!again) {
		collect(p);
		take_riders(p);
	}
	log->state = METALOG_FLUSH_DATA;
	flush(p, member_online(p));
}
