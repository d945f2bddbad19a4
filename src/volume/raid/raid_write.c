/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/raid/raid_priv.h"

#include "volume/raid/xor.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/*
 * Whether the member takes the write.  Notes what keeps the op from ending
 * well: a drive that the slow stack still believes in is closed or has missed
 * a write, or more members are out than the profile can lose.
 */
static bool takes_write(struct raid_op *op, unsigned member)
{
	enum member_state s = raid_member_state(op, member);

	if (s == MEMBER_USABLE &&
	    raid_is_suspect(op->worker, op->row.drive[member]))
		s = MEMBER_BAD;
	if (s == MEMBER_BAD)
		raid_missed(op, member);
	if (s == MEMBER_SKIP &&
	    ++op->skipped > geometry_tolerance(op->geometry.profile))
		op->err = -EIO;
	return s == MEMBER_USABLE;
}

static unsigned parity_of(const struct raid_op *op)
{
	return geometry_parity_member(&op->geometry, op->index);
}

/* Columns that the pieces [first, last) touch. */
static void columns(const struct raid_op *op, uint32_t *from, uint32_t *to)
{
	*from = UINT32_MAX;
	*to = 0;
	for (unsigned i = op->first; i < op->last; i++) {
		const struct raid_piece *p = &op->piece[i];

		if (p->column < *from)
			*from = p->column;
		if (p->column + p->length > *to)
			*to = p->column + p->length;
	}
}

/* -- whole strips --------------------------------------------------------- */

/* Zeroes in [column, column + length) of a strip of a fresh chunk. */
static void issue_zeroes(struct raid_op *op, unsigned member, uint32_t column,
                         uint32_t length)
{
	if (length)
		raid_issue(op, BLOCK_WRITE_ZEROES, member, 0, column, length,
		           NULL, 0);
}

/*
 * Write a strip of a fresh chunk: `iov` at `column`, zeroes elsewhere.  One
 * request where zeroes cost as much as data, else three.
 */
static void fill_strip(struct raid_op *op, unsigned member, uint32_t column,
                       uint32_t length, const struct iovec *iov, unsigned n)
{
	struct block_device *dev = op->worker->device[op->row.drive[member]];
	uint32_t strip = raid_strip_bytes(op);
	uint32_t after = strip - column - length;
	struct iovec *out = &op->iovs[op->n_iov];
	unsigned used = 0;

	if (dev->cheap_zeroes || !length) {
		issue_zeroes(op, member, 0, length ? column : strip);
		if (!length)
			return;
		raid_issue(op, BLOCK_WRITE, member, 0, column, length, iov, n);
		issue_zeroes(op, member, column + length, after);
		return;
	}
	assert(op->n_iov + n + 2 <= RAID_IOV);
	if (column)
		out[used++] = (struct iovec){ (void *)(uintptr_t)block_zeroes,
			                      column };
	memcpy(&out[used], iov, n * sizeof(*iov));
	used += n;
	if (after)
		out[used++] = (struct iovec){ (void *)(uintptr_t)block_zeroes,
			                      after };
	op->n_iov = (uint8_t)(op->n_iov + used);
	raid_issue(op, BLOCK_WRITE, member, 0, 0, strip, out, used);
}

/* Parity of the pieces in their columns, made at the start of scratch. */
static void make_parity(struct raid_op *op, uint32_t from, uint32_t to)
{
	uint8_t *base = op->iov[0].iov_base;
	void *sources[HANDOFF_WIDTH];

	if (op->iov_count == 1 && op->length == CHUNK_BYTES) {
		for (unsigned i = 0; i < op->n_pieces; i++)
			sources[i] = base + op->piece[i].at;
		xor_all(op->scratch, sources, op->n_pieces, to - from);
		return;
	}
	memset(op->scratch, 0, to - from);
	for (unsigned i = 0; i < op->n_pieces; i++) {
		const struct raid_piece *p = &op->piece[i];
		unsigned mark = op->n_iov, n;
		const struct iovec *iov = raid_slice(op, p->at, p->length, &n);

		xor_iov_into(op->scratch + p->column - from, iov, n);
		op->n_iov = (uint8_t)mark;
	}
}

static void write_parity_strip(struct raid_op *op)
{
	unsigned parity = parity_of(op);
	const struct iovec *iov;
	uint32_t from, to;
	unsigned n = 1;

	if (!takes_write(op, parity))
		return;
	columns(op, &from, &to);
	if (op->n_pieces == 1) { /* the other strips are zero */
		iov = op->iov;
		n = op->iov_count;
	} else {
		make_parity(op, from, to);
		iov = raid_scratch_iov(op, 0, to - from);
	}
	if (op->kind == RAID_FILL)
		fill_strip(op, parity, from, to - from, iov, n);
	else
		raid_issue(op, BLOCK_WRITE, parity, 0, from, to - from, iov, n);
}

static const struct raid_piece *piece_on(const struct raid_op *op,
                                         unsigned member)
{
	for (unsigned i = 0; i < op->n_pieces; i++)
		if (op->piece[i].member == member)
			return &op->piece[i];
	return NULL;
}

static void write_data_strip(struct raid_op *op, unsigned member)
{
	const struct raid_piece *p = piece_on(op, member);
	const struct iovec *iov = NULL;
	unsigned n = 0;

	if (!takes_write(op, member))
		return;
	if (p)
		iov = raid_slice(op, p->at, p->length, &n);
	if (op->kind == RAID_FILL)
		fill_strip(op, member, p ? p->column : 0, p ? p->length : 0,
		           iov, n);
	else
		raid_issue(op, BLOCK_WRITE, member, 0, p->column, p->length,
		           iov, n);
}

/* Every strip of the chunk, or for raid0 those that the op touches. */
static void write_strips(struct raid_op *op)
{
	const struct geometry *g = &op->geometry;

	op->last = op->n_pieces;
	op->state = RAID_ST_WRITE;
	if (g->profile == RAID5 && op->n_pieces > 1 && !raid_scratch(op)) {
		op->state = RAID_ST_SCRATCH;
		return;
	}
	for (unsigned k = 0; k < g->data; k++) {
		unsigned m = geometry_data_member(g, op->index, k);

		if (op->kind == RAID_FILL || piece_on(op, m))
			write_data_strip(op, m);
	}
	if (g->profile == RAID5)
		write_parity_strip(op);
}

static void write_copies(struct raid_op *op)
{
	op->last = op->n_pieces;
	op->state = RAID_ST_WRITE;
	for (unsigned m = 0; m < op->geometry.width; m++) {
		op->piece[0].member = (uint8_t)m;
		write_data_strip(op, m);
	}
}

/* -- part of a parity stripe ---------------------------------------------- */

/*
 * Choose the pieces to write next.  All at once by read-modify-write when all
 * they need can be read; else one at a time.
 */
static void choose_pieces(struct raid_op *op)
{
	bool parity = raid_readable(op, parity_of(op));
	bool first = raid_readable(op, op->piece[op->first].member);
	bool all = op->first == 0 && parity && first;

	for (unsigned i = 1; i < op->n_pieces && all; i++)
		all = raid_readable(op, op->piece[i].member);
	op->last = all ? op->n_pieces : (uint8_t)(op->first + 1);
	op->rebuild_target = !parity || !first;
}

/* Read-modify-write: old parity at the start of scratch, old data after. */
static void preread_old(struct raid_op *op)
{
	uint32_t from, to, at;

	columns(op, &from, &to);
	raid_issue(op, BLOCK_READ, parity_of(op), 0, from, to - from,
	           raid_scratch_iov(op, 0, to - from), 1);
	at = to - from;
	for (unsigned i = op->first; i < op->last; i++) {
		const struct raid_piece *p = &op->piece[i];

		raid_issue(op, BLOCK_READ, p->member, i, p->column, p->length,
		           raid_scratch_iov(op, at, p->length), 1);
		at += p->length;
	}
}

/* Reconstruct-write: the same columns of all other data strips. */
static void preread_others(struct raid_op *op)
{
	const struct raid_piece *p = &op->piece[op->first];
	uint32_t at = p->length;

	for (unsigned m = 0; m < op->geometry.width; m++) {
		if (m == p->member || m == parity_of(op))
			continue;
		if (!raid_readable(op, m)) {
			op->err = -EIO;
			return;
		}
		raid_issue(op, BLOCK_READ, m, op->first, p->column, p->length,
		           raid_scratch_iov(op, at, p->length), 1);
		at += p->length;
	}
}

/* Without parity there is nothing to keep: data go to where they belong. */
static void write_plain(struct raid_op *op)
{
	op->state = RAID_ST_WRITE;
	op->last = op->n_pieces;
	op->skipped = 1; /* the parity */
	for (unsigned i = 0; i < op->n_pieces; i++)
		write_data_strip(op, op->piece[i].member);
}

static void write_next(struct raid_op *op)
{
	op->n_ios = 0;
	op->n_iov = 0;
	op->lost = 0;
	op->skipped = 0;
	if (raid_member_state(op, parity_of(op)) == MEMBER_SKIP) {
		write_plain(op);
		return;
	}
	if (!raid_scratch(op)) {
		op->state = RAID_ST_SCRATCH;
		return;
	}
	op->state = RAID_ST_PREREAD;
	choose_pieces(op);
	if (op->rebuild_target)
		preread_others(op);
	else
		preread_old(op);
}

/* New parity in scratch from what was read and what is to be written. */
static void update_parity(struct raid_op *op, uint32_t from, uint32_t to)
{
	uint32_t at = to - from;

	if (op->rebuild_target) {
		memset(op->scratch, 0, to - from);
		for (unsigned k = 1; k < op->geometry.data; k++) {
			xor_into(op->scratch, op->scratch + at, to - from);
			at += to - from;
		}
	}
	for (unsigned i = op->first; i < op->last; i++) {
		const struct raid_piece *p = &op->piece[i];
		uint8_t *parity = op->scratch + p->column - from;
		unsigned n;
		const struct iovec *iov = raid_slice(op, p->at, p->length, &n);

		if (!op->rebuild_target) {
			xor_into(parity, op->scratch + at, p->length);
			at += p->length;
		}
		xor_iov_into(parity, iov, n);
	}
}

static void write_pieces(struct raid_op *op)
{
	unsigned parity = parity_of(op);
	uint32_t from, to;

	columns(op, &from, &to);
	op->n_iov = 0;
	update_parity(op, from, to);
	op->state = RAID_ST_WRITE;
	op->warm = !op->rebuild_target;
	op->n_ios = 0;
	op->n_iov = 0;
	for (unsigned i = op->first; i < op->last; i++) {
		const struct raid_piece *p = &op->piece[i];
		const struct iovec *iov;
		unsigned n;

		if (!takes_write(op, p->member))
			continue;
		iov = raid_slice(op, p->at, p->length, &n);
		raid_issue(op, BLOCK_WRITE, p->member, i, p->column, p->length,
		           iov, n);
	}
	if (takes_write(op, parity))
		raid_issue(op, BLOCK_WRITE, parity, 0, from, to - from,
		           raid_scratch_iov(op, 0, to - from), 1);
}

/* -- states --------------------------------------------------------------- */

void raid_write_start(struct raid_op *op)
{
	bool whole = op->kind == RAID_FILL || op->length == CHUNK_BYTES;

	if (op->geometry.profile == RAID1) {
		write_copies(op);
	} else if (op->geometry.profile == RAID0 || whole) {
		write_strips(op);
	} else {
		write_next(op);
	}
}

static void after_preread(struct raid_op *op)
{
	if (!op->lost) {
		write_pieces(op);
	} else if (op->rebuild_target) {
		op->err = -EIO;
	} else {
		write_next(op); /* one at a time, round what failed */
	}
}

void raid_write_advance(struct raid_op *op)
{
	while (!op->err && !op->n_bad && op->pending == 0) {
		switch ((enum raid_state)op->state) {
		case RAID_ST_SCRATCH:
			raid_write_start(op);
			if (op->state == RAID_ST_SCRATCH)
				return;
			break;
		case RAID_ST_PREREAD:
			after_preread(op);
			if (op->state == RAID_ST_SCRATCH)
				return;
			break;
		case RAID_ST_WRITE:
			op->first = op->last;
			if (op->first >= op->n_pieces) {
				raid_finish(op, 0);
				return;
			}
			write_next(op);
			break;
		case RAID_ST_READ:
		case RAID_ST_REBUILD:
			assert(0);
		}
	}
	if (op->pending == 0)
		raid_finish(op, op->n_bad ? -ENODEV : op->err);
}
