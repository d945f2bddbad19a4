/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/slow/checkpoint.h"

#include "base/base.h"
#include "core/log.h"
#include "volume/slow/slow_priv.h"

#include <assert.h>
#include <errno.h>

#define GAP_MAX 3u              /* holes that a run goes on over */
#define ENTRIES_PER_STEP 65536u /* looked at before hand-offs are served */

void checkpoint_init(struct pool *p)
{
	struct checkpoint *c = &p->checkpoint;

	memset(c, 0, sizeof(*c));
	list_init(&c->waiting);
	list_init(&c->riding);
}

uint64_t checkpoint_image_bytes(uint64_t pool_bytes)
{
	/* 12 bytes for each chunk, 92 for each row, headers: see emit.h */
	return pool_bytes / CHUNK_BYTES * 14 + pool_bytes / 4096 / 16 +
	       (UINT64_C(512) << 10);
}

void checkpoint_want(struct pool *p, struct checkpoint_waiter *w)
{
	p->checkpoint.wanted = true;
	if (!w)
		return;
	list_init(&w->link);
	list_append(&p->checkpoint.waiting, &w->link);
}

/* -- encode --------------------------------------------------------------- */

static uint64_t image_where(const struct pool *p, uint64_t n)
{
	return p->layout.image[p->checkpoint.image ^ 1] + n * META_BLOCK;
}

static void seal(struct emit *e, void *block, uint32_t n, uint32_t used)
{
	struct checkpoint *c = container_of(e, struct checkpoint, emit);
	struct pool *p = container_of(c, struct pool, checkpoint);
	const struct record_place place = {
		.kind = META_IMAGE,
		.where = image_where(p, c->blocks + n),
		.epoch = c->next_epoch,
		.seq = c->blocks + n,
		.pool = p->uuid,
	};

	record_seal(block, &place, used);
}

static void fill_objects(struct pool *p)
{
	struct checkpoint *c = &p->checkpoint;
	struct record r = {
		.type = META_POOL,
		.pool = { .generation = p->generation,
		          .next_volume_id = p->next_volume_id },
	};

	emit_record(&c->emit, &r);
	for (unsigned i = 0; i < p->n_members; i++) {
		member_record(p, i, &r);
		emit_record(&c->emit, &r);
	}
	for (unsigned i = 0; i < HANDOFF_VOLUMES; i++) {
		const struct volume *v = &p->slow->volume[i];

		if (v->pool != p || v->deletion)
			continue;
		r = (struct record){ .type = META_VOLUME };
		r.volume.id = v->id;
		r.volume.size = v->shared->size;
		r.volume.profile = (uint8_t)v->profile;
		memcpy(r.volume.uuid, v->shared->uuid, sizeof(r.volume.uuid));
		memcpy(r.volume.name, v->shared->name, HANDOFF_NAME);
		emit_record(&c->emit, &r);
	}
}

static bool full(const struct checkpoint *c)
{
	return c->emit.blocks + EMIT_SLACK >= CHECKPOINT_STEP;
}

static bool fill_rows(struct pool *p)
{
	struct checkpoint *c = &p->checkpoint;
	struct record r = { .type = META_ROW };

	for (; c->row < p->alloc.n_rows && !full(c); c->row++) {
		const struct alloc_row *row = alloc_row(&p->alloc, c->row);

		/* one that drains has its end in the log, or will have */
		if (!row || row->state != ALLOC_ROW_LIVE)
			continue;
		alloc_describe_row(&p->alloc, c->row, &r.row);
		emit_record(&c->emit, &r);
	}
	return c->row >= p->alloc.n_rows;
}

/* The mappings of one volume from c->chunk on; @return entries looked at. */
static uint32_t fill_volume(struct checkpoint *c, const struct volume *v)
{
	uint32_t looked = 0;
	uint64_t last = 0;
	bool run = false;

	for (; c->chunk < v->chunks && looked < ENTRIES_PER_STEP && !full(c);
	     c->chunk++) {
		uint64_t entry;

		if (c->chunk % SLOW_LEAF == 0) {
			c->chunk = volume_next_touched(v, c->chunk);
			if (c->chunk >= v->chunks)
				break;
		}
		entry = volume_entry(v, c->chunk);
		looked++;
		if (entry_state(entry) != ENTRY_MAPPED)
			continue;
		if (run && c->chunk - last <= GAP_MAX)
			while (++last < c->chunk)
				emit_map(&c->emit, v->id, last, 0);
		emit_map(&c->emit, v->id, c->chunk, entry);
		last = c->chunk;
		run = true;
	}
	return looked;
}

/* @return whether all is encoded. */
static bool fill_maps(struct pool *p)
{
	struct checkpoint *c = &p->checkpoint;
	uint32_t looked = 0;

	while (c->volume < HANDOFF_VOLUMES) {
		const struct volume *v = &p->slow->volume[c->volume];

		/* one made since the start is in the log, with its chunks */
		if (v->pool == p && !v->deletion && v->id < c->volume_ids)
			looked += fill_volume(c, v);
		if (full(c) || looked >= ENTRIES_PER_STEP)
			return false;
		c->volume++;
		c->chunk = 0;
	}
	return true;
}

/* -- steps ---------------------------------------------------------------- */

static void advance(struct pool *p);

static void fan_done(struct metaio_fan *f)
{
	struct checkpoint *c = container_of(f, struct checkpoint, fan);

	advance(container_of(c, struct pool, checkpoint));
}

static void task_run(struct task *t)
{
	struct checkpoint *c = container_of(t, struct checkpoint, task);

	advance(container_of(c, struct pool, checkpoint));
}

static void send(struct pool *p, uint32_t members, struct metaio_request q)
{
	struct checkpoint *c = &p->checkpoint;

	metaio_fan_begin(p->slow, &c->fan, fan_done);
	for (unsigned i = 0; i < p->n_members; i++) {
		q.drive = p->member[i].slot;
		if (members >> i & 1)
			metaio_fan_add(&c->fan, i, &q);
	}
	metaio_fan_end(&c->fan);
}

static void flush(struct pool *p)
{
	send(p, member_online(p), (struct metaio_request){ .op = BLOCK_FLUSH });
}

/* Some blocks are encoded: write them. */
static void write_image(struct pool *p)
{
	struct checkpoint *c = &p->checkpoint;

	send(p, c->holders,
	     (struct metaio_request){
		     .op = BLOCK_WRITE,
		     .offset = image_where(p, c->blocks),
		     .length = (uint64_t)c->emit.blocks * META_BLOCK,
		     .arena = pool_arena(p) + POOL_ARENA_IMAGE,
	     });
}

static void write_root(struct pool *p)
{
	struct checkpoint *c = &p->checkpoint;
	uint8_t *block = p->slow->h->arena + pool_arena(p) + POOL_ARENA_ROOT;
	const struct meta_root root = {
		.log_seq = le64_put(c->log_seq),
		.image_blocks = le64_put(c->blocks),
		.image = le32_put(c->image ^ 1),
		.n_drives = le32_put(p->n_members),
		.generation = le64_put(p->generation),
	};
	const struct record_place place = {
		.kind = META_ROOT,
		.where = p->layout.root + (c->root_slot ^ 1) * META_BLOCK,
		.epoch = c->next_epoch,
		.pool = p->uuid,
	};

	record_seal(block, &place, record_put_root(block, &root));
	send(p, c->holders,
	     (struct metaio_request){
		     .op = BLOCK_WRITE,
		     .flags = BLOCK_FUA,
		     .offset = place.where,
		     .length = META_BLOCK,
		     .arena = pool_arena(p) + POOL_ARENA_ROOT,
	     });
}

static void end(struct pool *p, int err)
{
	struct list done = LIST_INIT(done), *node;

	p->checkpoint.state = CHECKPOINT_IDLE;
	list_splice(&done, &p->checkpoint.riding);
	while ((node = list_pop(&done)) != NULL) {
		struct checkpoint_waiter *w =
			list_entry(node, struct checkpoint_waiter, link);

		w->done(w, err);
	}
}

static void succeed(struct pool *p)
{
	struct checkpoint *c = &p->checkpoint;

	c->epoch = c->next_epoch;
	c->image ^= 1;
	c->root_slot ^= 1;
	c->root_tried = false;
	p->log.base = c->log_seq;
	p->log.open = true;
	__atomic_store_n(&p->shared->epoch, c->epoch, __ATOMIC_RELAXED);
	p->slow->stats.checkpoints++;
	if (c->holders != member_holders(p))
		c->wanted = true;
	end(p, 0);
}

/* A failed holder leaves; -EBUSY: it cannot. */
static int lose(struct pool *p, uint32_t failed, bool data)
{
	int err = 0;

	for (unsigned i = 0; i < p->n_members && !err; i++)
		if (failed >> i & 1)
			err = member_lose(
				p, i,
				data && !(p->checkpoint.holders >> i & 1)
					? MEMBER_BLAME_VOLUME
					: MEMBER_BLAME_META,
				data ? "a flush failed"
				     : "a metadata write failed");
	return err;
}

static void begin(struct pool *p)
{
	struct checkpoint *c = &p->checkpoint;

	c->next_epoch = c->epoch + 1;
	c->log_seq = p->log.seq;
	c->volume_ids = p->next_volume_id;
	c->holders = member_holders(p);
	c->blocks = 0;
	c->row = 0;
	c->volume = 0;
	c->chunk = 0;
	c->filled = false;
	p->log.epoch = c->next_epoch;
	emit_begin(&c->emit,
	           p->slow->h->arena + pool_arena(p) + POOL_ARENA_IMAGE, seal);
	fill_objects(p);
	c->state = CHECKPOINT_FILL;
}

/* @return whether there is something to write. */
static bool fill(struct pool *p)
{
	struct checkpoint *c = &p->checkpoint;

	if (!full(c) && fill_rows(p) && fill_maps(p)) {
		emit_end(&c->emit);
		c->filled = true;
	}
	return c->filled || full(c);
}

/*
 * The end of a step: go on, from the start if a holder has left.  The task
 * and the fan are never under way together.
 */
static void advance(struct pool *p)
{
	struct checkpoint *c = &p->checkpoint;
	uint32_t failed = c->state == CHECKPOINT_FILL ? 0 : c->fan.failed;

	if (failed && lose(p, failed,
	                   c->state == CHECKPOINT_FLUSH ||
	                           c->state == CHECKPOINT_PREPARE)) {
		end(p, -EIO);
		return;
	}
	if (c->state == CHECKPOINT_ROOT)
		c->holders &= ~failed;
	if (c->state != CHECKPOINT_ROOT && c->state != CHECKPOINT_PREPARE &&
	    c->holders != member_holders(p)) {
		c->state = CHECKPOINT_IDLE;
		list_splice(&c->waiting, &c->riding);
		c->wanted = true;
		return;
	}
	switch (c->state) {
	case CHECKPOINT_IDLE:
		assert(0);
		break;
	case CHECKPOINT_PREPARE:
		c->flushed = true;
		begin(p);
		task_defer(p->slow->reactor, &c->task);
		break;
	case CHECKPOINT_FILL:
		if (!fill(p)) {
			task_defer(p->slow->reactor, &c->task);
			break;
		}
		if (c->blocks + c->emit.blocks > p->layout.image_blocks) {
			log_event(LOG_LEVEL_ERROR, "image area is too small",
			          "pool=%s", p->name);
			end(p, -ENOSPC);
			break;
		}
		c->state = CHECKPOINT_WRITE;
		write_image(p);
		break;
	case CHECKPOINT_WRITE:
		c->blocks += c->emit.blocks;
		emit_rewind(&c->emit);
		if (!c->filled) {
			c->state = CHECKPOINT_FILL;
			task_defer(p->slow->reactor, &c->task);
			break;
		}
		c->state = CHECKPOINT_FLUSH;
		flush(p);
		break;
	case CHECKPOINT_FLUSH:
		c->state = CHECKPOINT_ROOT;
		c->root_tried = true;
		write_root(p);
		break;
	case CHECKPOINT_ROOT:
		if (c->holders) {
			succeed(p);
			break;
		}
		/* Those that may have it are out: as if it had not been. */
		c->root_tried = false;
		c->epoch = c->next_epoch;
		c->wanted = true;
		end(p, -EIO);
		break;
	}
}

void checkpoint_kick(struct pool *p)
{
	struct checkpoint *c = &p->checkpoint;

	if (!c->wanted || c->state != CHECKPOINT_IDLE || !metalog_settled(p))
		return;
	c->wanted = false;
	list_splice(&c->riding, &c->waiting);
	c->task.run = task_run;
	if (c->root_tried) { /* it may be on a drive: it must be on all */
		c->wanted = true;
		c->state = CHECKPOINT_ROOT;
		write_root(p);
	} else if (!c->flushed) {
		c->state = CHECKPOINT_PREPARE;
		flush(p);
	} else {
		begin(p);
		task_defer(p->slow->reactor, &c->task);
	}
}
