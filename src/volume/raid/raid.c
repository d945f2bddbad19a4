/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/raid/raid_priv.h"

#include "base/base.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

void raid_worker_init(struct raid_worker *w, struct handoff_drive *drives,
                      bool *suspect)
{
	*w = (struct raid_worker){ .drives = drives, .suspect = suspect };
	slab_init(&w->scratch, RAID_SCRATCH, 4096, RAID_SCRATCH_MAX);
	list_init(&w->scratch_waiters);
}

void raid_worker_fini(struct raid_worker *w)
{
	assert(list_empty(&w->scratch_waiters));
	slab_fini(&w->scratch);
}

/* -- members -------------------------------------------------------------- */

bool raid_online(const struct raid_worker *w, uint16_t slot)
{
	return slot < HANDOFF_DRIVES &&
	       __atomic_load_n(&w->drives[slot].role, __ATOMIC_ACQUIRE) ==
	               HANDOFF_ONLINE;
}

enum member_state raid_member_state(const struct raid_op *op, unsigned member)
{
	uint16_t slot = op->row.drive[member];

	if (!raid_online(op->worker, slot))
		return MEMBER_SKIP;
	return op->worker->device[slot] ? MEMBER_USABLE : MEMBER_BAD;
}

bool raid_readable(const struct raid_op *op, unsigned member)
{
	return !(op->unreadable & 1u << member) &&
	       raid_member_state(op, member) == MEMBER_USABLE;
}

unsigned raid_strip_bytes(const struct raid_op *op)
{
	return 1u << op->geometry.strip_shift;
}

/* -- the op's memory ------------------------------------------------------ */

const struct iovec *raid_slice(struct raid_op *op, uint32_t at, uint32_t length,
                               unsigned *n)
{
	struct iovec *out = &op->iovs[op->n_iov];
	int used;

	if (at == 0 && length == op->length) {
		*n = op->iov_count;
		return op->iov;
	}
	used = iov_slice(op->iov, op->iov_count, at, length, out,
	                 RAID_IOV - op->n_iov);
	assert(used > 0);
	op->n_iov = (uint8_t)(op->n_iov + used);
	*n = (unsigned)used;
	return out;
}

const struct iovec *raid_scratch_iov(struct raid_op *op, uint32_t at,
                                     uint32_t length)
{
	struct iovec *out = &op->iovs[op->n_iov++];

	assert(op->n_iov <= RAID_IOV && at + length <= RAID_SCRATCH);
	*out = (struct iovec){ op->scratch + at, length };
	return out;
}

static void advance(struct raid_op *op);

static void run_later(struct task *t)
{
	struct raid_op *op = container_of(t, struct raid_op, task);

	op->in_submit = false;
	advance(op);
}

bool raid_scratch(struct raid_op *op)
{
	if (!op->scratch)
		op->scratch = slab_get(&op->worker->scratch);
	if (!op->scratch && !list_linked(&op->waiting))
		list_append(&op->worker->scratch_waiters, &op->waiting);
	return op->scratch != NULL;
}

static void scratch_put(struct raid_op *op)
{
	struct raid_worker *w = op->worker;
	struct list *node;

	if (!op->scratch)
		return;
	node = list_pop(&w->scratch_waiters);
	if (node) {
		struct raid_op *next =
			container_of(node, struct raid_op, waiting);

		next->scratch = op->scratch;
		next->in_submit = true;
		task_defer(reactor_current(), &next->task);
	} else {
		slab_put(&w->scratch, op->scratch);
	}
	op->scratch = NULL;
}

/* -- drive requests ------------------------------------------------------- */

static void advance(struct raid_op *op)
{
	if (op->kind == RAID_READ)
		raid_read_advance(op);
	else
		raid_write_advance(op);
}

/*
 * One fewer thing to wait for.  Inside raid_submit() the next step is put
 * off, so that done never runs there.
 */
static void settle(struct raid_op *op)
{
	assert(op->pending > 0);
	if (--op->pending > 0 || list_linked(&op->waiting))
		return;
	if (op->in_submit)
		task_defer(reactor_current(), &op->task);
	else
		advance(op);
}

/* Workers share the drives' counters. */
static void count(uint64_t *errors)
{
	__atomic_fetch_add(errors, 1, __ATOMIC_RELAXED);
}

void raid_decided(struct raid_worker *w, uint16_t slot)
{
	__atomic_store_n(&w->suspect[slot], false, __ATOMIC_RELAXED);
}

void raid_suspect(struct raid_worker *w, uint16_t slot)
{
	__atomic_store_n(&w->suspect[slot], true, __ATOMIC_RELAXED);
}

bool raid_is_suspect(const struct raid_worker *w, uint16_t slot)
{
	return __atomic_load_n(&w->suspect[slot], __ATOMIC_RELAXED);
}

void raid_missed(struct raid_op *op, unsigned member)
{
	if (op->bad & 1u << member)
		return;
	op->bad |= (uint16_t)(1u << member);
	raid_suspect(op->worker, op->row.drive[member]);
	op->bad_drive = op->row.drive[member];
	op->n_bad++;
}

static void failed_io(struct raid_op *op, const struct raid_io *io)
{
	struct handoff_drive *shared = &op->worker->drives[io->drive];

	if (io->request.op == BLOCK_READ) {
		count(&shared->read_errors);
		op->unreadable |= (uint16_t)(1u << io->member);
		op->lost |= (uint16_t)(1u << io->piece);
		return;
	}
	count(&shared->write_errors);
	raid_missed(op, io->member);
}

static void io_done(struct block_request *q, int err)
{
	struct raid_io *io = container_of(q, struct raid_io, request);
	struct raid_op *op = io->op;

	op->worker->inflight[io->drive]--;
	if (err)
		failed_io(op, io);
	settle(op);
}

void raid_issue(struct raid_op *op, enum block_op what, unsigned member,
                unsigned piece, uint32_t column, uint32_t length,
                const struct iovec *iov, unsigned n)
{
	const struct handoff_row *row = &op->row;
	uint16_t slot = row->drive[member];
	struct block_device *dev = op->worker->device[slot];
	struct raid_io *io = &op->io[op->n_ios++];
	unsigned flags = 0;
	uint64_t strip = row->data_start +
	                 row->extent[member] * row->extent_bytes +
	                 ((uint64_t)op->index << op->geometry.strip_shift);

	assert(op->n_ios <= RAID_IOS && dev);
	/* The row came from the slow stack: its mistake is not the drive's. */
	if (strip & (dev->grain - 1) || strip > dev->size ||
	    column + length > dev->size - strip) {
		op->err = -EIO;
		return;
	}
	if ((op->flags & RAID_FUA) && what != BLOCK_READ)
		flags |= BLOCK_FUA;
	if (op->warm && what == BLOCK_WRITE)
		flags |= BLOCK_WARM;
	io->op = op;
	io->drive = slot;
	io->member = (uint8_t)member;
	io->piece = (uint8_t)piece;
	io->request = (struct block_request){
		.op = what,
		.flags = flags,
		.offset = strip + column,
		.length = length,
		.iov = iov,
		.iov_count = n,
		.done = io_done,
	};
	op->pending++;
	op->worker->inflight[slot]++;
	block_submit(dev, &io->request);
}

void raid_finish(struct raid_op *op, int err)
{
	scratch_put(op);
	op->done(op, err);
}

/* -- submit --------------------------------------------------------------- */

static void cut_pieces(struct raid_op *op)
{
	uint32_t strip = raid_strip_bytes(op);
	uint32_t at = 0;

	op->n_pieces = 0;
	while (at < op->length) {
		uint32_t offset = op->offset + at;
		uint32_t column = offset & (strip - 1);
		uint32_t length = strip - column;
		unsigned k = offset >> op->geometry.strip_shift;

		if (length > op->length - at)
			length = op->length - at;
		op->piece[op->n_pieces++] = (struct raid_piece){
			.member = (uint8_t)geometry_data_member(&op->geometry,
			                                        op->index, k),
			.column = column,
			.length = length,
			.at = at,
		};
		at += length;
	}
}

/* A consistent copy of the row, or -EINVAL if the slow stack's memory does
 * not hold one (H4). */
static int copy_row(struct raid_op *op, const struct handoff_row *row)
{
	if (__atomic_load_n(&row->state, __ATOMIC_ACQUIRE) != 1)
		return -EINVAL;
	op->row = *row;
	/* From here on the copy counts, not what it was made of. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	op->geometry = (struct geometry){
		.profile = (enum raid_profile)op->row.profile,
		.width = op->row.width,
		.data = op->row.data,
		.strip_shift = op->row.strip_shift,
	};
	if (!geometry_valid(&op->geometry) ||
	    op->index >= geometry_chunks(&op->geometry, op->row.extent_bytes))
		return -EINVAL;
	return 0;
}

int raid_submit(struct raid_worker *w, const struct handoff_row *row,
                uint32_t index, struct raid_op *op)
{
	int err;

	assert(op->length && op->offset + op->length <= CHUNK_BYTES);
	assert(op->iov_count <= RAID_IOV_IN);
	op->worker = w;
	op->index = index;
	err = copy_row(op, row);
	if (err)
		return err;
	op->bad_drive = HANDOFF_NO_DRIVE;
	op->n_bad = 0;
	op->first = op->last = 0;
	op->n_iov = 0;
	op->unreadable = op->flags & RAID_AGAIN   ? op->bad
	                 : op->flags & RAID_AVOID ? op->avoid
	                                          : 0;
	op->lost = op->bad = 0;
	op->n_ios = 0;
	op->err = 0;
	op->scratch = NULL;
	op->rebuild_target = op->warm = false;
	op->skipped = 0;
	list_init(&op->waiting);
	op->task.run = run_later;
	cut_pieces(op);
	op->pending = 1;
	op->in_submit = true;
	if (op->kind == RAID_READ)
		raid_read_start(op);
	else
		raid_write_start(op);
	settle(op);
	if (op->pending > 0)
		op->in_submit = false;
	return 0;
}

bool raid_needs_lock(const struct handoff_row *row, enum raid_kind kind)
{
	return kind != RAID_READ && row->profile != RAID0;
}

void raid_lock_range(const struct handoff_row *row, uint32_t offset,
                     uint32_t length, uint32_t *from, uint32_t *to)
{
	uint32_t strip = 1u << (row->strip_shift & 31);

	if (row->profile != RAID5) {
		*from = offset;
		*to = offset + length;
	} else if ((offset & (strip - 1)) + length > strip) {
		*from = 0;
		*to = strip;
	} else {
		*from = offset & (strip - 1);
		*to = *from + length;
	}
}
