/* SPDX-License-Identifier: BSD-2-Clause */
/* Thin ops: a request to a volume, cut into parts, and its end. */
#include "volume/fast/fast_priv.h"

#include "base/base.h"

#include <assert.h>
#include <errno.h>

void thin_fill_request(const struct thin_op *op, struct handoff_request *r,
                       enum handoff_request_kind kind)
{
	const struct block_request *q = op->request;

	*r = (struct handoff_request){
		.kind = (uint8_t)kind,
		.pipeline = HANDOFF_THIN,
		.opcode = (uint8_t)q->op,
		.drive = HANDOFF_NO_DRIVE,
		.volume = op->volume->slot,
		.generation = op->volume->generation,
		.address = q->offset,
		.length = q->length,
		.client = q->client,
		.command = q->command,
	};
}

/* -- end ------------------------------------------------------------------ */

static void op_start(struct thin_op *op);

static void start_request(struct fast_worker *w, struct thin_op *op,
                          struct block_request *q)
{
	*op = (struct thin_op){
		.request = q,
		.volume = (struct fast_volume *)(uintptr_t)q->device_data[0],
		.worker = w,
		.next = q->offset,
	};
	list_init(&op->starved);
	op_start(op);
}

void thin_end(struct thin_op *op)
{
	struct fast_worker *w = op->worker;
	struct block_request *q = op->request;
	int err = op->err;

	slab_put(&w->ops, op);
	q->done(q, err);
	thin_feed(w);
}

/* Nothing is in flight any more and no part is left to make. */
static void settled(struct thin_op *op)
{
	if (!op->err && !op->barrier_asked &&
	    (op->request->flags & BLOCK_FUA) && flush_needs_barrier(op))
		flush_barrier(op);
	else
		thin_end(op);
}

static void settle_later(struct task *t)
{
	settled(container_of(t, struct thin_op, task));
}

static void make_parts(struct thin_op *op);

static void put(struct thin_op *op)
{
	if (--op->in_flight > 0 || list_linked(&op->starved))
		return;
	if (op->in_submit) {
		op->task.run = settle_later;
		task_defer(op->worker->reactor, &op->task);
	} else {
		settled(op);
	}
}

void thin_part_ended(struct thin_op *op, int err)
{
	if (err && !op->err)
		op->err = err;
	if (!list_empty(&op->worker->starved))
		thin_feed(op->worker);
	if (!op->making)
		make_parts(op);
	put(op);
}

/* -- parts ---------------------------------------------------------------- */

static bool parts_left(const struct thin_op *op)
{
	const struct block_request *q = op->request;

	return !op->err && op->next < q->offset + q->length;
}

/* The request's bytes from op->next on: up to the chunk's end, and as many as
 * RAID_IOV_IN entries hold. */
static int cut(struct thin_op *op, struct thin_part *part)
{
	const struct block_request *q = op->request;
	uint64_t left = q->offset + q->length - op->next;
	int n = 0;

	part->chunk = op->next >> CHUNK_SHIFT;
	part->offset = (uint32_t)(op->next & (CHUNK_BYTES - 1));
	part->length = (uint32_t)(CHUNK_BYTES - part->offset);
	if (part->length > left)
		part->length = (uint32_t)left;
	if (q->iov) {
		uint64_t at = op->next - q->offset;

		n = iov_slice(q->iov, q->iov_count, at, part->length, part->iov,
		              RAID_IOV_IN);
		for (; n == -E2BIG;
		     n = iov_slice(q->iov, q->iov_count, at, part->length,
		                   part->iov, RAID_IOV_IN)) {
			part->length = part->length / 2 & ~(BLOCK_SECTOR - 1);
			if (!part->length)
				return -EINVAL;
		}
	} else {
		part->iov[0] = (struct iovec){ (void *)(uintptr_t)block_zeroes,
			                       part->length };
		n = 1;
	}
	part->n_iov = (unsigned)n;
	return 0;
}

static bool make_part(struct thin_op *op)
{
	struct fast_worker *w = op->worker;
	struct thin_part *part = slab_get(&w->parts);

	if (!part) {
		if (!list_linked(&op->starved))
			list_append(&w->starved, &op->starved);
		return false;
	}
	part->op = op;
	part->worker = w;
	part->counted = false;
	part->locked = part->whole = part->handed = part->missed = false;
	part->reports = 0;
	part->raid.flags = 0;
	if (cut(op, part)) {
		op->err = -EINVAL;
		slab_put(&w->parts, part);
		return false;
	}
	op->next += part->length;
	op->in_flight++;
	part_start(part);
	return true;
}

static void go_on(struct task *t)
{
	struct thin_op *op = container_of(t, struct thin_op, task);

	op->yielded = false;
	make_parts(op);
	put(op);
}

/* Parts of a hole end at once, so the window alone would not stop a discard
 * of terabytes from being one long call. */
static void make_parts(struct thin_op *op)
{
	unsigned turn = THIN_TURN;

	if (op->yielded)
		return;
	op->making = true;
	while (turn > 0 && parts_left(op) && op->in_flight <= THIN_WINDOW &&
	       make_part(op))
		turn--;
	op->making = false;
	if (turn > 0 || !parts_left(op))
		return;
	op->yielded = true;
	op->in_flight++;
	op->task.run = go_on;
	task_defer(op->worker->reactor, &op->task);
}

static void pump(struct thin_op *op)
{
	op->in_flight++;
	make_parts(op);
	put(op);
}

/* -- start ---------------------------------------------------------------- */

static void no_volume(struct lane_wait *wait, bool resume, int err)
{
	struct thin_op *op = container_of(wait, struct thin_op, wait);

	op->err = resume || !err ? -ENXIO : err;
	thin_end(op);
}

bool thin_volume_is_there(const struct fast_volume *v)
{
	return __atomic_load_n(&v->shared->state, __ATOMIC_ACQUIRE) ==
	               HANDOFF_VOLUME_ACTIVE &&
	       v->shared->generation == v->generation;
}

static void op_start(struct thin_op *op)
{
	if (!thin_volume_is_there(op->volume)) {
		thin_fill_request(op, &op->wait.request, HANDOFF_NO_VOLUME);
		op->wait.request.reason = HANDOFF_GONE;
		op->wait.done = no_volume;
		lane_send(op->worker, &op->wait);
		return;
	}
	if (op->request->op == BLOCK_FLUSH) {
		flush_start(op);
		return;
	}
	op->err = block_check(&op->volume->device, op->request);
	op->in_submit = true;
	pump(op);
	if (op->in_flight > 0 || list_linked(&op->starved))
		op->in_submit = false;
}

void thin_submit(struct block_device *dev, struct block_request *q)
{
	struct fast_volume *v = container_of(dev, struct fast_volume, device);
	struct fast_worker *w = fast_worker_here(v->fast);
	struct thin_op *op;

	q->next = NULL;
	q->device_data[0] = (uintptr_t)v;
	op = w->waiting ? NULL : slab_get(&w->ops);
	if (op) {
		start_request(w, op, q);
	} else {
		*w->waiting_end = q;
		w->waiting_end = &q->next;
	}
}

void thin_feed(struct fast_worker *w)
{
	struct list *node;
	struct thin_op *op;

	while (w->waiting && (op = slab_get(&w->ops)) != NULL) {
		struct block_request *q = w->waiting;

		w->waiting = q->next;
		if (!w->waiting)
			w->waiting_end = &w->waiting;
		start_request(w, op, q);
	}
	node = list_pop(&w->starved);
	if (!node)
		return;
	op = container_of(node, struct thin_op, starved);
	if (op->request->op == BLOCK_FLUSH)
		flush_start(op);
	else
		pump(op);
}
