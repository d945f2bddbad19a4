/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/loopback.h"

#include "base/base.h"
#include "base/iov.h"
#include "core/reactor.h"
#include "fabric/service.h"

#include <stdatomic.h>
#include <string.h>

static void run(struct task *task);

void loopback_init(struct loopback *l, struct reactor *r, struct grant_table *t,
                   struct guard *g)
{
	*l = (struct loopback){
		.reactor = r, .table = t, .guard = g, .task.run = run
	};
	list_init(&l->short_ops);
	list_init(&l->bulk_ops);
	list_init(&l->fenced_ops);
}

static void schedule(struct loopback *l)
{
	if (l->scheduled)
		return;
	l->scheduled = true;
	task_defer(l->reactor, &l->task);
}

static void submit(struct loopback *l, struct fabric_op *op,
                   enum fabric_status status)
{
	op->status = l->closed ? FABRIC_CANCELLED : status;
	op->number = ++l->n_submitted;
	op->moved = 0;
	op->sequence = 0;
	op->result = 0;
	list_append(op->flags & FABRIC_FENCED  ? &l->fenced_ops
	            : op->class == FABRIC_BULK ? &l->bulk_ops
	                                       : &l->short_ops,
	            &op->link);
	schedule(l);
}

void loopback_submit(struct loopback *l, struct fabric_op *op)
{
	submit(l, op,
	       op->opcode == FABRIC_SEND ? FABRIC_PROTOCOL
	                                 : fabric_op_check(op));
}

void loopback_fail(struct loopback *l, struct fabric_op *op,
                   enum fabric_status status)
{
	submit(l, op, status);
}

/* -- one operation --------------------------------------------------------- */

static const unsigned rights_of[] = {
	[FABRIC_READ] = FABRIC_RIGHT_READ,
	[FABRIC_WRITE] = FABRIC_RIGHT_WRITE,
	[FABRIC_WRITE_IMM] = FABRIC_RIGHT_WRITE,
	[FABRIC_CAS] = FABRIC_RIGHT_ATOMIC,
	[FABRIC_FAA] = FABRIC_RIGHT_ATOMIC,
};

/* `sequence` says whether the asker has such a key at all. */
static enum fabric_status find(struct loopback *l, struct fabric_op *op,
                               uint64_t offset, uint64_t length,
                               struct iovec *out, unsigned *n)
{
	enum fabric_status status = guard_access(
		l->guard, l->table, &op->key, rights_of[op->opcode], offset,
		length, reactor_now_ns(l->reactor), out, n);

	op->sequence = status != FABRIC_BAD_KEY && status != FABRIC_BUSY;
	return status;
}

/* Between two vectors of the same length, which may lie in the same memory. */
static void copy(const struct iovec *to, const struct iovec *from,
                 uint64_t length)
{
	size_t to_done = 0, from_done = 0;

	while (length > 0) {
		size_t n = to->iov_len - to_done;

		if (n > from->iov_len - from_done)
			n = from->iov_len - from_done;
		memmove((char *)to->iov_base + to_done,
		        (const char *)from->iov_base + from_done, n);
		length -= n;
		to_done += n;
		from_done += n;
		if (to_done == to->iov_len) {
			to++;
			to_done = 0;
		}
		if (from_done == from->iov_len) {
			from++;
			from_done = 0;
		}
	}
}

static void copy_piece(const struct fabric_op *op, const struct iovec *remote,
                       uint64_t length)
{
	struct iovec local[FABRIC_IOV_MAX];

	iov_slice(op->iov, op->n_iov, op->moved, length, local, FABRIC_IOV_MAX);
	if (op->opcode == FABRIC_READ)
		copy(local, remote, length);
	else
		copy(remote, local, length);
}

/* @return whether it has ended. */
static bool move(struct loopback *l, struct fabric_op *op, uint64_t budget)
{
	if (op->moved == 0)
		op->status =
			find(l, op, op->offset + op->length, 0, NULL, NULL);
	while (op->status == FABRIC_OK && op->moved < op->length && budget) {
		struct iovec remote[FABRIC_ACCESS_IOV];
		unsigned n = FABRIC_ACCESS_IOV;
		uint64_t length = op->length - op->moved;

		if (length > FABRIC_PIECE)
			length = FABRIC_PIECE;
		if (op->allowed && !op->allowed(op))
			op->status = FABRIC_REVOKED;
		else
			op->status = find(l, op, op->offset + op->moved, length,
			                  remote, &n);
		if (op->status != FABRIC_OK)
			break;
		copy_piece(op, remote, length);
		op->moved += length;
		budget -= length < budget ? length : budget;
	}
	return op->status != FABRIC_OK || op->moved == op->length;
}

static void atomic(struct loopback *l, struct fabric_op *op)
{
	struct iovec at[FABRIC_ACCESS_IOV];
	unsigned n = FABRIC_ACCESS_IOV;
	_Atomic uint64_t *word;

	op->status = find(l, op, op->offset, sizeof(*word), at, &n);
	if (op->status != FABRIC_OK)
		return;
	word = at[0].iov_base;
	if (n != 1 || (uintptr_t)word % sizeof(*word)) {
		op->status = FABRIC_RANGE;
	} else if (op->opcode == FABRIC_FAA) {
		op->result = atomic_fetch_add(word, op->operand[0]);
	} else {
		op->result = op->operand[0];
		atomic_compare_exchange_strong(word, &op->result,
		                               op->operand[1]);
	}
}

static void finish(struct loopback *l, struct fabric_op *op)
{
	struct grant *g = grant_find(l->table, &op->key);

	if (g && op->sequence)
		grant_charge(g, op->opcode, op->length, op->status);
	list_remove(&op->link);
	op->done(op, op->status);
}

/* -- all of them ----------------------------------------------------------- */

/* @return whether it has ended. */
static bool advance(struct loopback *l, struct fabric_op *op, uint64_t budget)
{
	bool ended = true;

	if (l->closed && op->status == FABRIC_OK)
		op->status = FABRIC_CANCELLED;
	if (op->status == FABRIC_OK &&
	    (op->opcode == FABRIC_CAS || op->opcode == FABRIC_FAA))
		atomic(l, op);
	else if (op->status == FABRIC_OK)
		ended = move(l, op, budget);
	if (ended)
		finish(l, op);
	return ended;
}

static struct fabric_op *first(struct list *head)
{
	return list_empty(head)
	               ? NULL
	               : list_entry(head->next, struct fabric_op, link);
}

/* O6: when all that was submitted earlier has ended. */
static bool fence_is_down(struct loopback *l, const struct fabric_op *fenced)
{
	const struct fabric_op *bulk = first(&l->bulk_ops);
	const struct fabric_op *other = first(&l->short_ops);

	return (!bulk || bulk->number > fenced->number) &&
	       (!other || other->number > fenced->number);
}

static void run(struct task *task)
{
	struct loopback *l = container_of(task, struct loopback, task);
	struct fabric_op *op;
	struct list now;

	l->scheduled = false;
	/* What done() submits waits for the next round (O1). */
	list_init(&now);
	list_splice(&now, &l->short_ops);
	while ((op = first(&now)))
		advance(l, op, UINT64_MAX);
	while ((op = first(&l->fenced_ops)) && fence_is_down(l, op) &&
	       advance(l, op, LOOPBACK_SLICE))
		;
	op = first(&l->bulk_ops);
	if (op)
		advance(l, op, LOOPBACK_SLICE);
	if (first(&l->short_ops) || first(&l->bulk_ops) ||
	    first(&l->fenced_ops)) {
		if (!l->scheduled) { /* others first: in the next iteration */
			l->scheduled = true;
			task_post(l->reactor, &l->task);
		}
	} else if (l->emptied && !l->scheduled) {
		void (*emptied)(struct loopback *) = l->emptied;

		l->emptied = NULL;
		emptied(l);
	}
}

void loopback_close(struct loopback *l, void (*emptied)(struct loopback *l))
{
	l->closed = true;
	l->emptied = emptied;
	schedule(l);
}
