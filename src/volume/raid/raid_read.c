/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/raid/raid_priv.h"

#include "volume/raid/xor.h"

#include <assert.h>
#include <errno.h>

/*
 * Mirrors: the copy that this piece is read from; -1 if none is left.
 * Neighbouring chunks prefer different copies, which spreads the load.
 */
static int pick_copy(const struct raid_op *op)
{
	unsigned width = op->geometry.width;

	for (unsigned i = 0; i < width; i++) {
		unsigned member = (op->index + i) % width;

		if (raid_readable(op, member))
			return (int)member;
	}
	return -1;
}

static void read_piece(struct raid_op *op, unsigned i)
{
	struct raid_piece *p = &op->piece[i];
	const struct iovec *iov;
	unsigned n;

	if (op->geometry.profile == RAID1) {
		int copy = pick_copy(op);

		if (copy < 0) {
			op->err = -EIO;
			return;
		}
		p->member = (uint8_t)copy;
	}
	if (!raid_readable(op, p->member)) {
		op->lost |= (uint16_t)(1u << i);
		return;
	}
	iov = raid_slice(op, p->at, p->length, &n);
	raid_issue(op, BLOCK_READ, p->member, i, p->column, p->length, iov, n);
}

void raid_read_start(struct raid_op *op)
{
	op->state = RAID_ST_READ;
	for (unsigned i = 0; i < op->n_pieces; i++)
		read_piece(op, i);
}

/* Read what all other members hold in the columns of the first lost piece. */
static void rebuild_start(struct raid_op *op)
{
	unsigned i = (unsigned)__builtin_ctz(op->lost);
	const struct raid_piece *p = &op->piece[i];
	uint32_t at = 0;

	op->state = RAID_ST_REBUILD;
	op->n_ios = 0;
	op->n_iov = 0;
	if (!raid_scratch(op))
		return;
	for (unsigned m = 0; m < op->geometry.width; m++) {
		if (m == p->member)
			continue;
		if (!raid_readable(op, m)) {
			op->err = -EIO;
			return;
		}
	}
	for (unsigned m = 0; m < op->geometry.width; m++) {
		if (m == p->member)
			continue;
		raid_issue(op, BLOCK_READ, m, i, p->column, p->length,
		           raid_scratch_iov(op, at, p->length), 1);
		at += p->length;
	}
}

static void rebuild_done(struct raid_op *op)
{
	unsigned i = (unsigned)__builtin_ctz(op->lost);
	const struct raid_piece *p = &op->piece[i];
	const struct iovec *iov;
	void *sources[HANDOFF_WIDTH];
	unsigned n = op->geometry.width - 1u;

	for (unsigned k = 0; k < n; k++)
		sources[k] = op->scratch + (size_t)k * p->length;
	xor_all(op->scratch, sources, n, p->length);
	iov = raid_slice(op, p->at, p->length, &n);
	iov_from_buffer(iov, n, op->scratch);
	op->lost &= (uint16_t) ~(1u << i);
}

static void retry_copies(struct raid_op *op)
{
	unsigned lost = op->lost;

	op->lost = 0;
	op->n_ios = 0;
	op->n_iov = 0;
	for (unsigned i = 0; i < op->n_pieces; i++)
		if (lost & 1u << i)
			read_piece(op, i);
}

void raid_read_advance(struct raid_op *op)
{
	while (!op->err && op->pending == 0) {
		unsigned before = op->unreadable;

		if (op->state == RAID_ST_REBUILD && op->n_ios > 0) {
			unsigned piece = (unsigned)__builtin_ctz(op->lost);

			/* A member that fails now is one too many. */
			if (op->unreadable & ~(1u << op->piece[piece].member)) {
				op->err = -EIO;
				break;
			}
			rebuild_done(op);
		}
		if (!op->lost)
			break;
		if (op->geometry.profile == RAID0) {
			op->err = -EIO;
		} else if (op->geometry.profile == RAID1) {
			assert(before);
			retry_copies(op);
		} else if (!(op->flags & RAID_LOCKED)) {
			op->err = -EAGAIN;
		} else {
			rebuild_start(op);
			if (!op->scratch)
				return; /* runs again when there is some */
		}
	}
	if (op->pending == 0)
		raid_finish(op, op->err);
}
