/* SPDX-License-Identifier: BSD-2-Clause */
#include "far/store_priv.h"

#include "base/base.h"
#include "base/iov.h"
#include "block/finish.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_MAX 256u /* at once; more requests wait */

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

/* -- a chunk for oneself --------------------------------------------------- */

/* RAID 5: parts of a chunk that share its parity would see each other's
 * halves, so one at a time writes or reads from redundancy.  @return whether
 * it is its turn; else it starts later. */
static bool lock(struct store_part *p)
{
	struct store *s = p->store;
	uint64_t *locked = &s->row[p->row].locked[p->chunk / 64];
	uint64_t bit = UINT64_C(1) << p->chunk % 64;

	if (s->geometry.profile != RAID5 || p->has_lock)
		return true;
	if (*locked & bit) {
		list_append(&s->locked_out, &p->held);
		return false;
	}
	*locked |= bit;
	p->has_lock = true;
	return true;
}

static struct store_part *next_for(const struct store *s, uint32_t row,
                                   uint32_t chunk)
{
	LIST_FOREACH (l, &s->locked_out) {
		struct store_part *p = list_entry(l, struct store_part, held);

		if (p->row == row && p->chunk == chunk)
			return p;
	}
	return NULL;
}

static void unlock(struct store *s, uint32_t row, uint32_t chunk)
{
	struct store_part *next = next_for(s, row, chunk);
	int err;

	if (!next) {
		s->row[row].locked[chunk / 64] &= ~(UINT64_C(1) << chunk % 64);
		return;
	}
	list_remove(&next->held);
	next->has_lock = true;
	err = store_start_part(next);
	if (err)
		store_end_part(next, err);
}

/* -- parts ----------------------------------------------------------------- */

static void part_free(struct store_part *p)
{
	struct store *s = p->store;
	bool had_lock = p->has_lock;
	uint32_t row = p->row, chunk = p->chunk;

	list_remove(&p->link);
	slab_put(&s->parts, p);
	if (had_lock)
		unlock(s, row, chunk);
}

void store_end_part(struct store_part *p, int err)
{
	struct store *s = p->store;
	struct block_request *q = p->request;

	store_move_part_ended(s, p);
	part_free(p);
	if (err && !*error_of(q))
		*error_of(q) = err;
	if (--*parts_of(q) == 0)
		q->done(q, *error_of(q));
	start_waiting(s);
}

/* -- donors that fail ------------------------------------------------------ */

void store_lose(struct block_device *store, unsigned index, int err)
{
	struct store *s = store_of(store);
	struct store_device *d = &s->device[index];

	if (d->state != STORE_DONOR_ONLINE && d->state != STORE_DONOR_LEAVING)
		return;
	d->state = STORE_DONOR_RETIRING;
	d->barrier = s->last_part;
	d->is_leaving = false;
	s->mover.n_retiring++;
	__atomic_store_n(&s->drives[index].role, HANDOFF_FAILED,
	                 __ATOMIC_RELEASE);
	store_move_lost(s, index);
	if (s->watcher.lost)
		s->watcher.lost(s->watcher.ctx, index, err);
}

/* -- donors that lie ------------------------------------------------------- */

static bool is_right(const struct store_part *p)
{
	struct block_request *q = p->request;

	return p->op.kind != RAID_READ || !q->check ||
	       q->check(q, p->at, p->op.length);
}

/* What came was wrong: read it without one more of the members.  @return 0;
 * -EBADMSG: there is no other way to read it. */
static int read_otherwise(struct store_part *p)
{
	if (p->n_avoided == 0)
		p->served = p->op.piece[0].member;
	while (p->n_avoided < p->op.row.width) {
		unsigned k = p->n_avoided++;
		unsigned member = (p->served + k) % p->op.row.width;

		p->suspect = p->op.row.drive[member];
		p->op.flags |= RAID_AVOID;
		p->op.avoid = (uint16_t)(1u << member);
		if (store_start_part(p) == 0)
			return 0;
	}
	return -EBADMSG;
}

/* It failed where its chunk lay when it began; that may be elsewhere now. */
static bool has_moved(struct store_part *p)
{
	const struct handoff_row *map = store_move_map(p->store, p);

	return memcmp(map->drive, p->op.row.drive, sizeof(map->drive)) != 0;
}

static void ended(struct store_part *p, int err)
{
	if (err && p->op.kind == RAID_READ && has_moved(p) &&
	    store_start_part(p) == 0)
		return;
	if (!err && is_right(p)) {
		if (p->n_avoided && p->suspect < STORE_DONORS_MAX) /* N5 */
			store_lose(&p->store->dev, p->suspect, -EBADMSG);
	} else if (!err || p->n_avoided) {
		err = read_otherwise(p);
		if (!err)
			return;
	}
	store_end_part(p, err);
}

static void part_done(struct raid_op *op, int err)
{
	struct store_part *p = container_of(op, struct store_part, op);
	struct store *s = p->store;

	if (err == -ENODEV) { /* a write has failed there */
		store_lose(&s->dev, op->bad_drive, err);
		raid_decided(&s->worker, op->bad_drive);
		op->flags |= RAID_AGAIN;
	} else if (err == -EAGAIN) { /* redundancy is needed */
		op->flags |= RAID_LOCKED;
		if (!lock(p))
			return;
	} else {
		ended(p, err);
		return;
	}
	err = store_start_part(p);
	if (err)
		store_end_part(p, err);
}

/* -- requests -------------------------------------------------------------- */

int store_start_part(struct store_part *p)
{
	struct store *s = p->store;
	struct store_row *row = &s->row[p->row];
	const struct handoff_row *map = store_move_map(s, p);

	if (!map)
		return 0;
	if (row->lost[p->chunk / 64] >> p->chunk % 64 & 1)
		return -EIO;
	if (p->op.kind == RAID_WRITE && s->geometry.profile == RAID5 &&
	    !store_is_written(row, p->chunk))
		p->op.kind = RAID_FILL; /* there is no parity yet */
	if (p->op.kind != RAID_READ)
		row->written[p->chunk / 64] |= UINT64_C(1) << p->chunk % 64;
	return raid_submit(&s->worker, map, p->chunk, &p->op);
}

static void start_part(struct store *s, struct block_request *q,
                       uint64_t offset, uint64_t length)
{
	struct store_part *p = slab_get(&s->parts);
	uint64_t at = q->offset + offset;
	int n, err;

	assert(p);
	p->store = s;
	p->request = q;
	p->number = ++s->last_part;
	p->row = (uint32_t)(at / STORE_EXTENT);
	p->chunk = (uint32_t)(at % STORE_EXTENT / CHUNK_BYTES);
	p->at = offset;
	p->n_avoided = 0;
	p->has_lock = false;
	list_init(&p->held);
	list_append(&s->active, &p->link);
	n = iov_slice(q->iov, q->iov_count, offset, length, p->iov,
	              RAID_IOV_IN);
	p->op.kind = q->op == BLOCK_READ ? RAID_READ : RAID_WRITE;
	p->op.flags = 0;
	p->op.offset = (uint32_t)(at % CHUNK_BYTES);
	p->op.length = (uint32_t)length;
	p->op.iov = p->iov;
	p->op.iov_count = n < 0 ? 0 : (unsigned)n;
	p->op.done = part_done;
	if (n >= 0 && p->op.kind != RAID_READ && !lock(p))
		return;
	err = n < 0 ? n : store_start_part(p);
	if (!err)
		return;
	part_free(p);
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

	store_move_fini(s);
	raid_worker_fini(&s->worker);
	for (unsigned i = 0; i < STORE_DONORS_MAX; i++)
		block_close(s->device[i].dev);
	slab_fini(&s->parts);
	free(s->row);
	free(s);
}

static const struct block_ops store_ops = {
	.type = "store",
	.submit = store_submit,
	.close = store_close,
};

int store_take(struct store *s, struct block_device *dev, unsigned domain,
               bool is_spare)
{
	for (unsigned i = 0; i < STORE_DONORS_MAX; i++) {
		if (s->device[i].state != STORE_DONOR_NONE)
			continue;
		s->device[i] = (struct store_device){
			.dev = dev,
			.state = STORE_DONOR_ONLINE,
			.domain = domain,
			.is_spare = is_spare,
			.extents = (uint32_t)(dev->size / s->extent),
		};
		s->worker.device[i] = dev;
		raid_decided(&s->worker, (uint16_t)i);
		__atomic_store_n(&s->drives[i].role, HANDOFF_ONLINE,
		                 __ATOMIC_RELEASE);
		return (int)i;
	}
	return -ENOSPC;
}

/* @return -EINVAL with words. */
static int set_geometry(struct store *s, const struct store_opts *o,
                        struct err *e)
{
	unsigned width = o->raid5 ? o->raid5 : o->copies;

	enum raid_profile profile = o->raid5         ? RAID5
	                            : o->copies == 1 ? RAID0
	                                             : RAID1;

	if (geometry_choose(profile, width, &s->geometry) ||
	    s->geometry.width != width)
		return err_set(e, -EINVAL,
		               "%u donors do not make a row of pages; 1 or 2 "
		               "copies do, or 3, 5 or 9 with parity",
		               width);
	s->extent = STORE_EXTENT / s->geometry.data;
	return 0;
}

/* @return 0; -EINVAL, -ENOMEM, -ENOSPC with words. */
static int make_rows(struct store *s, const struct store_opts *o, struct err *e)
{
	if (o->n_donors < s->geometry.width || o->n_donors > STORE_DONORS_MAX)
		return err_set(e, -EINVAL,
		               "each page takes %u donors, and there are %u; "
		               "name more, or say --copies 1",
		               s->geometry.width, o->n_donors);
	store_make_rows(s);
	if (!s->row)
		return err_set(e, -ENOMEM, "no memory for a store");
	s->dev.size = s->n_rows * STORE_EXTENT;
	return s->n_rows ? 0
	                 : err_set(e, -ENOSPC,
	                           "the donors have no room: it takes at least "
	                           "%" PRIu64 " MiB on each of %u nodes",
	                           s->extent >> 20, s->geometry.width);
}

static int init(struct store *s, const struct store_opts *o, struct err *e)
{
	int err = set_geometry(s, o, e);

	if (err)
		s->extent = STORE_EXTENT;
	s->dev = (struct block_device){ .ops = &store_ops,
		                        .grain = BLOCK_SECTOR,
		                        .checks = true };
	s->reactor = reactor_current();
	s->watcher = o->watcher;
	s->is_fixed = o->is_fixed;
	s->last = &s->first;
	list_init(&s->active);
	list_init(&s->locked_out);
	raid_worker_init(&s->worker, s->drives, s->suspect);
	slab_init(&s->parts, sizeof(struct store_part), 64, PARTS_MAX);
	for (unsigned i = 0; i < o->n_donors; i++)
		if (store_take(s, o->donors[i], o->domain ? o->domain[i] : i,
		               false) < 0)
			block_close(o->donors[i]);
	if (store_move_init(s))
		return err_set(e, -ENOMEM, "no memory for a store");
	return err ? err : make_rows(s, o, e);
}

int store_create(const struct store_opts *o, struct block_device **out,
                 struct err *e)
{
	struct store *s = calloc(1, sizeof(*s));
	int err;

	if (!s) {
		for (unsigned i = 0; i < o->n_donors; i++)
			block_close(o->donors[i]);
		return err_set(e, -ENOMEM, "no memory for a store");
	}
	err = init(s, o, e);
	if (err) {
		store_close(&s->dev);
		return err;
	}
	*out = &s->dev;
	return 0;
}

int store_add(struct block_device *store, struct block_device *donor,
              unsigned domain, bool is_spare)
{
	struct store *s = store_of(store);
	int index = store_take(s, donor, domain, is_spare);

	if (index < 0) {
		block_close(donor);
		return index;
	}
	s->mover.has_asked = false;
	store_move_look(s);
	return index;
}

void store_info(const struct block_device *store,
                struct store_donor_info out[STORE_DONORS_MAX])
{
	const struct store *s =
		store_of((struct block_device *)(uintptr_t)store);

	for (unsigned i = 0; i < STORE_DONORS_MAX; i++) {
		const struct store_device *d = &s->device[i];

		out[i] = (struct store_donor_info){
			.state = d->state,
			.domain = d->domain,
			.size = d->extents * s->extent,
		};
	}
	for (uint32_t r = 0; r < s->n_rows; r++)
		for (unsigned m = 0; m < s->row[r].map.width; m++)
			if (s->row[r].map.drive[m] < STORE_DONORS_MAX)
				out[s->row[r].map.drive[m]].used += s->extent;
}
