/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flush: a hit when every mapping of the volume is durable, for then only
 * the drives' own caches are between the data and the medium; else a BARRIER,
 * in which the slow stack has the drives flushed and the mappings logged.
 */
#include "volume/fast/fast_priv.h"

#include "base/base.h"

#include <errno.h>

bool flush_needs_barrier(const struct thin_op *op)
{
	const struct handoff_volume *v = op->volume->shared;

	return __atomic_load_n(&v->committed, __ATOMIC_ACQUIRE) !=
	       __atomic_load_n(&v->changes, __ATOMIC_ACQUIRE);
}

static void barrier_done(struct lane_wait *wait, bool resume, int err)
{
	struct thin_op *op = container_of(wait, struct thin_op, wait);

	(void)resume;
	op->err = err;
	thin_end(op);
}

void flush_barrier(struct thin_op *op)
{
	op->barrier_asked = true;
	thin_fill_request(op, &op->wait.request, HANDOFF_BARRIER);
	op->wait.done = barrier_done;
	lane_send(op->worker, &op->wait);
}

static void drive_reported(struct lane_wait *wait, bool resume, int err)
{
	struct thin_op *op = container_of(wait, struct thin_op, wait);

	if (err != -ETIMEDOUT)
		raid_decided(&op->worker->raid, wait->request.drive);
	if (resume) {
		flush_start(op); /* once more, without that drive */
		return;
	}
	op->err = err ? err : -EIO;
	thin_end(op);
}

static void report_drive(struct thin_op *op, uint16_t drive)
{
	struct handoff_request *r = &op->wait.request;

	thin_fill_request(op, r, HANDOFF_DRIVE_ERROR);
	r->pipeline = HANDOFF_RAID;
	r->reason = HANDOFF_IO_ERROR;
	r->drive = drive;
	op->wait.done = drive_reported;
	lane_send(op->worker, &op->wait);
}

static void flush_end(struct thin_op *op)
{
	uint16_t bad = op->flush->bad_drive;

	slab_put(&op->worker->flushes, op->flush);
	op->flush = NULL;
	if (bad != HANDOFF_NO_DRIVE)
		report_drive(op, bad);
	else
		thin_end(op);
}

static void end_later(struct task *t)
{
	flush_end(container_of(t, struct thin_op, task));
}

static void drive_flushed(struct block_request *q, int err)
{
	struct flush_io *io = container_of(q, struct flush_io, request);
	struct flush *flush = io->flush;

	flush->op->worker->raid.inflight[io->drive]--;
	if (err) {
		flush->bad_drive = io->drive;
		raid_suspect(&flush->op->worker->raid, io->drive);
	}
	if (--flush->pending == 0)
		flush_end(flush->op);
}

static void flush_drive(struct flush *flush, unsigned n, uint16_t slot)
{
	struct fast_worker *w = flush->op->worker;
	struct flush_io *io = &flush->io[n];

	io->flush = flush;
	io->drive = slot;
	io->request = (struct block_request){ .op = BLOCK_FLUSH,
		                              .done = drive_flushed };
	flush->pending++;
	w->raid.inflight[slot]++;
	block_submit(w->raid.device[slot], &io->request);
}

static void flush_drives(struct thin_op *op)
{
	struct fast_worker *w = op->worker;
	const struct handoff_drive *drives = w->fast->handoff->drives;
	unsigned n = 0;

	for (uint16_t slot = 0; slot < HANDOFF_DRIVES; slot++) {
		if (drives[slot].pool != op->volume->pool ||
		    !raid_online(&w->raid, slot))
			continue;
		/* Closed, or it has lost writes: it must be out of its pool
		 * before they count as durable without it. */
		if (!w->raid.device[slot] || raid_is_suspect(&w->raid, slot))
			op->flush->bad_drive = slot;
		else if (n < FLUSH_DRIVES) /* no pool is larger */
			flush_drive(op->flush, n++, slot);
	}
}

void flush_start(struct thin_op *op)
{
	struct fast_worker *w = op->worker;

	if (flush_needs_barrier(op)) {
		flush_barrier(op);
		return;
	}
	op->flush = slab_get(&w->flushes);
	if (!op->flush) {
		list_append(&w->starved, &op->starved);
		return;
	}
	op->flush->op = op;
	op->flush->bad_drive = HANDOFF_NO_DRIVE;
	op->flush->pending = 0;
	flush_drives(op);
	if (op->flush->pending == 0) {
		op->task.run = end_later;
		task_defer(w->reactor, &op->task);
	}
}
