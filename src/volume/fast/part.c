/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A part: what a thin op does in one chunk.
 *
 *   start -> look up -> raid -> end                       a hit
 *   start -> lock -> look up -> hand over -> look up ...  a miss
 *
 * part_start() is entered again after each lock and each answer of the slow
 * stack, and decides from what the table says then.
 */
#include "volume/fast/fast_priv.h"

#include "base/base.h"

#include <assert.h>
#include <errno.h>

/* A part that fails on more drives than this is given up. */
#define REPORTS_MAX 4

static uint64_t table_at(const struct thin_part *part)
{
	return part->op->volume->table_base + part->chunk;
}

static const struct handoff_row *row_of(const struct thin_part *part)
{
	const struct fast_volume *v = part->op->volume;
	uint32_t row = entry_row(part->entry);

	/* A row beyond the pool's share can only be rubbish: its first row
	 * then fails raid_submit() or reads what this pool holds anyway. */
	return &v->fast->handoff->rows[v->row_base + row % HANDOFF_POOL_ROWS];
}

static uint64_t *readers(const struct thin_part *part)
{
	return &part->worker->lane.shared
	                ->inflight[part->op->volume->pool][part->epoch];
}

/*
 * A part is counted among its pool's readers of the epoch it begins in, before
 * it looks the table up, and as long as it relies on what it found; the slow
 * stack reuses no chunk that it may have found (lane.inflight).  One that
 * waits for a lock or for the slow stack relies on nothing: it looks again.
 * So the slow stack can wait for the readers before it answers.
 */
static void enter(struct thin_part *part)
{
	const struct fast_volume *v = part->op->volume;
	uint64_t *count;

	if (part->counted)
		return;
	part->epoch = __atomic_load_n(&v->fast->handoff->pools[v->pool].readers,
	                              __ATOMIC_ACQUIRE) &
	              1;
	part->counted = true;
	count = readers(part);
	__atomic_store_n(count, *count + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void leave(struct thin_part *part)
{
	uint64_t *count;

	if (!part->counted)
		return;
	count = readers(part);
	part->counted = false;
	__atomic_store_n(count, *count - 1, __ATOMIC_RELEASE);
}

/* -- end ------------------------------------------------------------------ */

static void granted(struct lock_range *r)
{
	struct thin_part *part = container_of(r, struct thin_part, lock);

	part->locked = true;
	task_defer(part->worker->reactor, &part->task);
}

static void unlock(struct thin_part *part)
{
	if (!part->locked)
		return;
	part->locked = false;
	lock_release(&part->worker->locks, &part->lock, granted);
}

static void ended_at_home(struct task *t)
{
	struct thin_part *part = container_of(t, struct thin_part, task);
	struct thin_op *op = part->op;
	int err = part->err;

	fast_count(&op->worker->stats.hits, !part->handed);
	slab_put(&op->worker->parts, part);
	thin_part_ended(op, err);
}

static void part_end(struct thin_part *part, int err)
{
	struct fast_worker *home = part->op->worker;

	leave(part);
	unlock(part);
	part->err = err;
	part->task.run = ended_at_home;
	if (part->worker == home) {
		ended_at_home(&part->task);
	} else {
		part->worker = home;
		task_post(home->reactor, &part->task);
	}
}

/* -- lock ----------------------------------------------------------------- */

static void run(struct task *t)
{
	part_start(container_of(t, struct thin_part, task));
}

/*
 * Hold the part's range, or the whole chunk: @return whether it is held now.
 * If not, part_start() runs again when it is, on the chunk's own worker.
 */
static bool hold(struct thin_part *part, bool whole)
{
	struct fast_worker *owner =
		fast_owner(part->op->volume->fast, table_at(part));

	if (part->locked && (part->whole || !whole))
		return true;
	unlock(part);
	part->task.run = run;
	if (part->worker != owner) {
		leave(part);
		part->worker = owner;
		task_post(owner->reactor, &part->task);
		return false;
	}
	part->whole = whole;
	part->lock.chunk = table_at(part);
	part->lock.from = 0;
	part->lock.to = CHUNK_BYTES;
	if (!whole)
		raid_lock_range(row_of(part), part->offset, part->length,
		                &part->lock.from, &part->lock.to);
	part->locked = lock_acquire(&part->worker->locks, &part->lock);
	if (!part->locked)
		leave(part);
	return part->locked;
}

/* -- hand over ------------------------------------------------------------ */

static void answered(struct lane_wait *wait, bool resume, int err)
{
	struct thin_part *part = container_of(wait, struct thin_part, wait);
	unsigned kind = wait->request.kind;

	if (!resume && !err && kind != HANDOFF_DISCARD)
		err = -EIO; /* "done" is no answer to the others */
	if (kind == HANDOFF_DRIVE_ERROR && err != -ETIMEDOUT)
		raid_decided(&part->worker->raid, wait->request.drive);
	if (kind == HANDOFF_DISCARD || err)
		part_end(part, err);
	else if (kind == HANDOFF_DRIVE_ERROR && part->raid.n_bad > 1)
		part_end(part, -EIO); /* the second loss broke the stripe */
	else
		part_start(part);
}

static void hand_over(struct thin_part *part, enum handoff_request_kind kind)
{
	struct handoff_request *r = &part->wait.request;

	thin_fill_request(part->op, r, kind);
	r->address = (part->chunk << CHUNK_SHIFT) + part->offset;
	r->length = part->length;
	r->buffer = (uintptr_t)part;
	part->wait.done = answered;
	part->handed = true;
	leave(part);
	lane_send(part->worker, &part->wait);
}

static void report_drive(struct thin_part *part)
{
	struct handoff_request *r = &part->wait.request;

	if (++part->reports > REPORTS_MAX) {
		part_end(part, -EIO);
		return;
	}
	thin_fill_request(part->op, r, HANDOFF_DRIVE_ERROR);
	r->pipeline = HANDOFF_RAID;
	r->reason = HANDOFF_IO_ERROR;
	r->drive = part->raid.bad_drive;
	r->address = (part->chunk << CHUNK_SHIFT) + part->offset;
	r->length = part->length;
	part->wait.done = answered;
	part->handed = true;
	leave(part);
	part->raid.flags |= RAID_AGAIN;
	lane_send(part->worker, &part->wait);
}

/* -- raid ----------------------------------------------------------------- */

/* The chunk's first write is on the drives: the one store that the fast stack
 * makes in the table. */
static void publish(struct thin_part *part)
{
	uint64_t entry = entry_make(ENTRY_MAPPED, entry_row(part->entry),
	                            entry_index(part->entry));

	if (handoff_entry(part->op->volume->fast->handoff, table_at(part)) ==
	    part->entry)
		handoff_set_entry(part->op->volume->fast->handoff,
		                  table_at(part), entry);
}

static void raid_done(struct raid_op *raid, int err)
{
	struct thin_part *part = container_of(raid, struct thin_part, raid);

	if (err == -EAGAIN) { /* redundancy is needed, so is the lock */
		part->raid.flags |= RAID_LOCKED;
		if (hold(part, false))
			part_start(part);
		return;
	}
	if (err == -ENODEV) {
		report_drive(part);
		return;
	}
	if (!err && raid->kind == RAID_FILL)
		publish(part);
	part_end(part, err);
}

static void submit_raid(struct thin_part *part, enum raid_kind kind)
{
	struct raid_op *raid = &part->raid;
	int err;

	raid->kind = kind;
	raid->flags &= RAID_LOCKED | RAID_AGAIN;
	if (part->op->request->flags & BLOCK_FUA)
		raid->flags |= RAID_FUA;
	raid->offset = part->offset;
	raid->length = part->length;
	raid->iov = part->iov;
	raid->iov_count = part->n_iov;
	raid->done = raid_done;
	err = raid_submit(&part->worker->raid, row_of(part),
	                  entry_index(part->entry), raid);
	if (err)
		part_end(part, -EIO);
}

/* -- operations ----------------------------------------------------------- */

static void start_read(struct thin_part *part)
{
	if (entry_state(part->entry) != ENTRY_MAPPED) {
		iov_zero(part->iov, part->n_iov);
		part_end(part, 0);
		return;
	}
	/* What redundancy must rebuild is read under the lock. */
	if (!(part->raid.flags & RAID_LOCKED) || hold(part, false))
		submit_raid(part, RAID_READ);
}

static void start_write(struct thin_part *part)
{
	switch (entry_state(part->entry)) {
	case ENTRY_MAPPED:
		if (raid_needs_lock(row_of(part), RAID_WRITE) &&
		    !hold(part, false))
			return;
		submit_raid(part, RAID_WRITE);
		return;
	case ENTRY_NEW:
		if (hold(part, true))
			submit_raid(part, RAID_FILL);
		return;
	case ENTRY_HOLE:
		if (!hold(part, true))
			return;
		if (part->missed)
			break; /* resumed, but nothing was installed */
		part->missed = true;
		hand_over(part, HANDOFF_MISS);
		return;
	}
	part_end(part, -EIO); /* a state that no table has */
}

/* Release the chunk, or zero a part of it. */
static void start_zero(struct thin_part *part)
{
	const struct block_request *q = part->op->request;
	bool unmap = !(q->flags & BLOCK_NO_UNMAP);

	if (entry_state(part->entry) == ENTRY_HOLE && unmap) {
		part_end(part, 0);
	} else if (unmap && part->length == CHUNK_BYTES) {
		if (hold(part, true))
			hand_over(part, HANDOFF_DISCARD);
	} else if (q->op == BLOCK_DISCARD) {
		part_end(part, 0);
	} else {
		start_write(part);
	}
}

void part_start(struct thin_part *part)
{
	struct fast_volume *v = part->op->volume;

	enter(part);
	if (!thin_volume_is_there(v)) { /* deleted while it waited */
		part_end(part, -ENXIO);
		return;
	}
	part->entry = handoff_entry(v->fast->handoff, table_at(part));
	if (part->locked && !part->whole &&
	    entry_state(part->entry) != ENTRY_MAPPED)
		unlock(part); /* it was released while we waited */
	switch (part->op->request->op) {
	case BLOCK_READ:
		start_read(part);
		break;
	case BLOCK_WRITE:
		start_write(part);
		break;
	case BLOCK_DISCARD:
	case BLOCK_WRITE_ZEROES:
		start_zero(part);
		break;
	case BLOCK_FLUSH:
		assert(0);
	}
}
