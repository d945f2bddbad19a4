/* SPDX-License-Identifier: BSD-2-Clause */
#include "far/store.h"

#include "base/base.h"
#include "base/iov.h"
#include "block/finish.h"
#include "core/slab.h"
#include "volume/raid/raid.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define PARTS_MAX 256u /* at once; more requests wait */

/* A request's part in one chunk. */
struct part {
	struct raid_op op;
	struct store *store;
	struct block_request *request;
	const struct handoff_row *row;
	uint32_t index;
	struct iovec iov[RAID_IOV_IN];
};

struct store {
	struct block_device dev;
	struct block_device *donor[STORE_DONORS_MAX];
	unsigned n_donors;
	void (*lost)(void *ctx, unsigned index, int err);
	void *ctx;
	struct raid_worker worker;
	struct handoff_drive drives[HANDOFF_DRIVES];
	bool suspect[HANDOFF_DRIVES];
	struct handoff_row *row;
	uint32_t n_rows;
	struct slab parts;
	struct block_request *first, **last; /* that wait for parts */
	struct store_donor_info info[STORE_DONORS_MAX];
};

static struct store *store_of(struct block_device *dev)
{
	return container_of(dev, struct store, dev);
}

/* A request counts its parts and keeps the first error in device_data. */
static uint64_t *parts_of(struct block_request *q)
{
	return &q->device_data[0];
}

static int *error_of(struct block_request *q)
{
	return (int *)(void *)&q->device_data[1];
}

static void start_waiting(struct store *s);

static void part_ended(struct part *p, int err)
{
	struct store *s = p->store;
	struct block_request *q = p->request;

	slab_put(&s->parts, p);
	if (err && !*error_of(q))
		*error_of(q) = err;
	if (--*parts_of(q) == 0)
		q->done(q, *error_of(q));
	start_waiting(s);
}

/* -- donors that fail ------------------------------------------------------ */

static void lose(struct store *s, uint16_t slot, int err)
{
	if (s->drives[slot].role == HANDOFF_FAILED)
		return;
	__atomic_store_n(&s->drives[slot].role, HANDOFF_FAILED,
	                 __ATOMIC_RELEASE);
	s->info[slot].lost = true;
	if (s->lost)
		s->lost(s->ctx, slot, err);
}

static void part_done(struct raid_op *op, int err)
{
	struct part *p = container_of(op, struct part, op);
	struct store *s = p->store;

	if (err == -ENODEV) { /* a write has failed there */
		lose(s, op->bad_drive, err);
		raid_decided(&s->worker, op->bad_drive);
		op->flags |= RAID_AGAIN;
	} else if (err == -EAGAIN) { /* redundancy is needed */
		op->flags |= RAID_LOCKED;
	} else {
		part_ended(p, err);
		return;
	}
	err = raid_submit(&s->worker, p->row, p->index, op);
	if (err)
		part_ended(p, err);
}

/* -- requests -------------------------------------------------------------- */

static void start_part(struct store *s, struct block_request *q,
                       uint64_t offset, uint64_t length)
{
	struct part *p = slab_get(&s->parts);
	uint64_t at = q->offset + offset;
	int n, err;

	assert(p);
	p->store = s;
	p->request = q;
	p->row = &s->row[at / STORE_EXTENT];
	p->index = (uint32_t)(at % STORE_EXTENT / CHUNK_BYTES);
	n = iov_slice(q->iov, q->iov_count, offset, length, p->iov,
	              RAID_IOV_IN);
	p->op.kind = q->op == BLOCK_READ ? RAID_READ : RAID_WRITE;
	p->op.flags = 0;
	p->op.offset = (uint32_t)(at % CHUNK_BYTES);
	p->op.length = (uint32_t)length;
	p->op.iov = p->iov;
	p->op.iov_count = n < 0 ? 0 : (unsigned)n;
	p->op.done = part_done;
	err = n < 0 ? n : raid_submit(&s->worker, p->row, p->index, &p->op);
	if (!err)
		return;
	slab_put(&s->parts, p);
	if (!*error_of(q))
		*error_of(q) = err;
	--*parts_of(q);
}

static uint64_t count_parts(const struct block_request *q)
{
	uint64_t first = q->offset / CHUNK_BYTES;
	uint64_t last = (q->offset + q->length - 1) / CHUNK_BYTES;

	return last - first + 1;
}

static void start(struct store *s, struct block_request *q)
{
	uint64_t done = 0;

	*error_of(q) = 0;
	*parts_of(q) = count_parts(q) + 1; /* one for this loop */
	while (done < q->length) {
		uint64_t left = CHUNK_BYTES - (q->offset + done) % CHUNK_BYTES;

		if (left > q->length - done)
			left = q->length - done;
		start_part(s, q, done, left);
		done += left;
	}
	if (--*parts_of(q) == 0)
		block_finish(q, *error_of(q));
}

static void start_waiting(struct store *s)
{
	while (s->first) {
		struct block_request *q = s->first;

		if (s->parts.used + count_parts(q) > PARTS_MAX)
			return;
		s->first = q->next;
		if (!s->first)
			s->last = &s->first;
		start(s, q);
	}
}

static void store_submit(struct block_device *dev, struct block_request *q)
{
	struct store *s = store_of(dev);
	int err = block_check(dev, q);

	if (!err && q->length > STORE_REQUEST)
		err = -EINVAL;
	if (!err && q->op == BLOCK_WRITE_ZEROES)
		err = -EOPNOTSUPP;
	if (err || (q->op != BLOCK_READ && q->op != BLOCK_WRITE)) {
		block_finish(q, err);
		return;
	}
	q->next = NULL;
	*s->last = q;
	s->last = &q->next;
	start_waiting(s);
}

/* -- life ------------------------------------------------------------------ */

static void store_close(struct block_device *dev)
{
	struct store *s = store_of(dev);

	raid_worker_fini(&s->worker);
	for (unsigned i = 0; i < s->n_donors; i++)
		block_close(s->donor[i]);
	slab_fini(&s->parts);
	free(s->row);
	free(s);
}

static const struct block_ops store_ops = {
	.type = "store",
	.submit = store_submit,
	.close = store_close,
};

/* The donor with the most extents left, not in the row yet. */
static unsigned roomiest(const uint32_t *left, unsigned n,
                         const struct handoff_row *row, unsigned width)
{
	unsigned best = n;

	for (unsigned i = 0; i < n; i++) {
		bool taken = false;

		for (unsigned k = 0; k < width; k++)
			taken |= row->drive[k] == i;
		if (!taken && left[i] && (best == n || left[i] > left[best]))
			best = i;
	}
	return best;
}

static void make_rows(struct store *s, unsigned copies)
{
	uint32_t left[STORE_DONORS_MAX], used[STORE_DONORS_MAX] = { 0 };
	uint64_t most = 0;

	for (unsigned i = 0; i < s->n_donors; i++) {
		left[i] = (uint32_t)(s->donor[i]->size / STORE_EXTENT);
		most += left[i];
	}
	s->row = calloc(most, sizeof(*s->row));
	while (s->row && s->n_rows < most) {
		struct handoff_row *row = &s->row[s->n_rows];

		*row = (struct handoff_row){
			.state = 1,
			.profile = copies == 1 ? RAID0 : RAID1,
			.width = (uint8_t)copies,
			.data = 1,
			.strip_shift = CHUNK_SHIFT,
			.extent_bytes = STORE_EXTENT,
		};
		for (unsigned m = 0; m < copies; m++) {
			unsigned i = roomiest(left, s->n_donors, row, m);

			if (i == s->n_donors)
				return;
			row->drive[m] = (uint16_t)i;
			row->extent[m] = used[i]++;
			left[i]--;
		}
		s->n_rows++;
	}
}

int store_create(const struct store_opts *o, struct block_device **out,
                 struct err *e)
{
	struct store *s = calloc(1, sizeof(*s));

	if (!s) {
		for (unsigned i = 0; i < o->n_donors; i++)
			block_close(o->donors[i]);
		return err_set(e, -ENOMEM, "no memory for a store");
	}
	s->lost = o->lost;
	s->ctx = o->ctx;
	s->last = &s->first;
	s->n_donors = o->n_donors;
	raid_worker_init(&s->worker, s->drives, s->suspect);
	slab_init(&s->parts, sizeof(struct part), 64, PARTS_MAX);
	for (unsigned i = 0; i < o->n_donors && i < STORE_DONORS_MAX; i++) {
		s->donor[i] = s->worker.device[i] = o->donors[i];
		s->drives[i].role = HANDOFF_ONLINE;
	}
	s->dev = (struct block_device){ .ops = &store_ops,
		                        .grain = BLOCK_SECTOR };
	if (o->copies < 1 || o->copies > 2 || o->n_donors < o->copies ||
	    o->n_donors > STORE_DONORS_MAX) {
		store_close(&s->dev);
		return err_set(e, -EINVAL,
		               "%u copies need as many donors, and there are "
		               "%u; name more, or say --copies 1",
		               o->copies, o->n_donors);
	}
	make_rows(s, o->copies);
	s->dev.size = s->n_rows * STORE_EXTENT;
	if (s->n_rows == 0) {
		store_close(&s->dev);
		return err_set(e, -ENOSPC,
		               "the donors have no room: each of %u copies "
		               "takes at least %" PRIu64 " MiB",
		               o->copies, STORE_EXTENT >> 20);
	}
	*out = &s->dev;
	return 0;
}

unsigned store_info(const struct block_device *store,
                    struct store_donor_info out[STORE_DONORS_MAX])
{
	const struct store *s =
		store_of((struct block_device *)(uintptr_t)store);

	for (unsigned i = 0; i < s->n_donors; i++)
		out[i] = s->info[i];
	return s->n_donors;
}
