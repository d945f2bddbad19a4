/* SPDX-License-Identifier: BSD-2-Clause */
/* Metadata I/O that the fast stack does for the slow one, checked (F4). */
#include "volume/fast/fast_priv.h"

#include "base/base.h"

#include <errno.h>

static void answer_later(struct meta_io *io, int err)
{
	io->status = (uint8_t)handoff_errno_status(err);
	list_append(&io->worker->lane.meta_done, &io->link);
}

static void meta_done(struct block_request *q, int err)
{
	struct meta_io *io = container_of(q, struct meta_io, request);

	answer_later(io, err);
}

/* @return 0 and io->request filled in, or -EINVAL, -ENXIO. */
static int check(struct fast_worker *w, const struct handoff_reply *r,
                 struct meta_io *io)
{
	const struct handoff *h = w->fast->handoff;
	bool data = r->opcode == BLOCK_READ || r->opcode == BLOCK_WRITE;

	if (r->drive >= HANDOFF_DRIVES || !w->raid.device[r->drive])
		return -ENXIO;
	if (!data && r->opcode != BLOCK_FLUSH)
		return -EINVAL;
	if (data &&
	    (r->length > HANDOFF_META_BYTES || r->length > h->arena_bytes ||
	     r->arena > h->arena_bytes - r->length))
		return -EINVAL;
	io->iov = (struct iovec){ h->arena + (data ? r->arena : 0), r->length };
	io->request = (struct block_request){
		.op = (enum block_op)r->opcode,
		.flags = r->opcode == BLOCK_WRITE ? r->flags & BLOCK_FUA : 0,
		.offset = r->offset,
		.length = r->length,
		.iov = data ? &io->iov : NULL,
		.iov_count = data,
		.done = meta_done,
	};
	return block_check(w->raid.device[r->drive], &io->request);
}

void meta_io_submit(struct fast_worker *w, const struct handoff_reply *r)
{
	struct meta_io *io = NULL;
	int err;

	if (w->number == 0)
		io = slab_get(&w->lane.meta);
	if (!io) { /* more than the agreed depth, or not on lane 0 */
		fast_count(&w->stats.bad_replies, 1);
		return;
	}
	fast_count(&w->stats.meta_ios, 1);
	w->lane.meta_inflight++;
	io->worker = w;
	io->tag = r->tag;
	err = check(w, r, io);
	if (err)
		answer_later(io, err);
	else
		block_submit(w->raid.device[r->drive], &io->request);
}

bool meta_io_answer(struct fast_worker *w)
{
	struct lane *l = &w->lane;
	bool any = false;

	while (l->enabled && !list_empty(&l->meta_done)) {
		struct meta_io *io =
			container_of(l->meta_done.next, struct meta_io, link);
		const struct handoff_request r = {
			.tag = io->tag,
			.kind = HANDOFF_META_DONE,
			.pipeline = HANDOFF_DRIVE,
			.reason = io->status,
		};

		if (!handoff_push_request(w->fast->handoff, w->number, &r))
			break;
		list_remove(&io->link);
		slab_put(&l->meta, io);
		l->meta_inflight--;
		any = true;
	}
	if (any)
		handoff_wake_slow(w->fast->handoff);
	return any;
}
