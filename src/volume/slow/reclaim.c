/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/slow/reclaim.h"

#include "volume/slow/slow_priv.h"

#include <errno.h>

/* -- chunks --------------------------------------------------------------- */

void reclaim_fini(struct pool *p)
{
	free(p->reclaim.item);
	free(p->reclaim.row_object);
	memset(&p->reclaim, 0, sizeof(p->reclaim));
}

static int reserve_row(struct pool *p, uint32_t row)
{
	struct reclaim *r = &p->reclaim;
	uint32_t n = r->n_row_object ? r->n_row_object : 64;
	uint64_t *object;

	if (row < r->n_row_object)
		return 0;
	while (n <= row)
		n *= 2;
	object = realloc(r->row_object, n * sizeof(*object));
	if (!object)
		return -ENOMEM;
	memset(object + r->n_row_object, 0,
	       (n - r->n_row_object) * sizeof(*object));
	r->row_object = object;
	r->n_row_object = n;
	return 0;
}

int reclaim_reserve(struct pool *p)
{
	struct reclaim *r = &p->reclaim;

	if (!r->item)
		r->item = malloc(RECLAIM_MAX * sizeof(*r->item));
	if (!r->item)
		return -ENOMEM;
	return r->n < RECLAIM_MAX ? 0 : -EAGAIN;
}

void reclaim_chunk(struct pool *p, uint32_t row, uint32_t index)
{
	struct reclaim *r = &p->reclaim;
	const struct alloc_row *owner = alloc_row(&p->alloc, row);

	r->item[(r->at + r->n++) % RECLAIM_MAX] = (struct reclaim_item){
		.change = p->log.pending.added,
		.ticket = grace_ticket(p),
		.row = row,
		.index = index,
	};
	r->bytes += alloc_chunk_bytes(&owner->geometry);
}

void reclaim_row(struct pool *p, uint32_t row)
{
	const struct record end = { .type = META_ROW_FREE, .row_free = row };

	/* without memory it is tried again with the next that drains */
	if (reserve_row(p, row) == 0 && metalog_object(p, &end) == 0)
		p->reclaim.row_object[row] = 1 + p->log.objects;
}

void reclaim_free(struct pool *p, uint32_t row, uint32_t index)
{
	if (alloc_free(&p->alloc, row, index))
		reclaim_row(p, row);
}

static bool run_chunks(struct pool *p)
{
	struct reclaim *r = &p->reclaim;
	bool any = false;

	while (r->n) {
		const struct reclaim_item *item = &r->item[r->at];
		const struct alloc_row *row;

		if (item->change > p->log.durable_change ||
		    !grace_passed(p, item->ticket))
			break;
		row = alloc_row(&p->alloc, item->row);
		r->bytes -= alloc_chunk_bytes(&row->geometry);
		reclaim_free(p, item->row, item->index);
		r->at = (r->at + 1) % RECLAIM_MAX;
		r->n--;
		any = true;
	}
	return any;
}

static bool run_rows(struct pool *p)
{
	struct reclaim *r = &p->reclaim;
	bool any = false;

	if (!p->alloc.draining)
		return false;
	for (uint32_t i = 0; i < p->alloc.n_rows; i++) {
		const struct alloc_row *row = alloc_row(&p->alloc, i);

		if (!row || row->state != ALLOC_ROW_DRAINING)
			continue;
		if (i >= r->n_row_object || !r->row_object[i]) {
			reclaim_row(p, i);
		} else if (p->log.durable_object >= r->row_object[i] - 1) {
			r->row_object[i] = 0;
			pool_retract_row(p, i);
			alloc_release_row(&p->alloc, i);
			any = true;
		}
	}
	return any;
}

bool reclaim_pending(const struct pool *p)
{
	return p->reclaim.n || p->alloc.draining || volume_deleting(p);
}

/* Whether what is on its way waits for a commit. */
static bool needs_commit(const struct pool *p)
{
	const struct reclaim *r = &p->reclaim;
	uint32_t last = (r->at + r->n - 1) % RECLAIM_MAX;

	return (r->n && r->item[last].change > p->log.durable_change) ||
	       (p->alloc.draining && p->log.objects > p->log.durable_object);
}

void reclaim_run(struct pool *p)
{
	bool any = run_chunks(p);

	any |= run_rows(p);
	if (any)
		pool_usage(p);
	if (!list_empty(&p->discard_waits))
		request_retry_discards(p);
	if (!list_empty(&p->space_waits)) {
		request_retry_space(p);
		if (!list_empty(&p->space_waits) && needs_commit(p))
			metalog_commit(p, NULL);
	}
}
