/* SPDX-License-Identifier: BSD-2-Clause */
#include "rig.h"

#include "base/base.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* -- drives --------------------------------------------------------------- */

static void complete(struct task *t)
{
	struct rig_drive *d = container_of(t, struct rig_drive, task);
	struct block_request *q = d->done_first;

	d->done_first = NULL;
	d->done_last = &d->done_first;
	while (q) {
		struct block_request *next = q->next;

		q->done(q, (int)q->device_data[0]);
		q = next;
	}
}

static int transfer(struct rig_drive *d, const struct block_request *q)
{
	uint8_t *at = d->bytes + q->offset;
	int err = block_check(&d->device, q);

	assert(!err);
	switch (q->op) {
	case BLOCK_READ:
		d->reads++;
		if (d->fail_reads && d->fail_reads--)
			return -EIO;
		block_iov_from_buffer(q->iov, q->iov_count, at);
		break;
	case BLOCK_WRITE:
		d->writes++;
		if (d->fail_writes && d->fail_writes--)
			return -EIO;
		block_iov_to_buffer(q->iov, q->iov_count, at);
		break;
	case BLOCK_WRITE_ZEROES:
		d->writes++;
		memset(at, 0, q->length);
		break;
	case BLOCK_FLUSH:
		d->flushes++;
		break;
	case BLOCK_DISCARD:
		break;
	}
	return 0;
}

static void drive_submit(struct block_device *dev, struct block_request *q)
{
	struct rig_drive *d = container_of(dev, struct rig_drive, device);

	q->device_data[0] = (uint64_t)(int64_t)transfer(d, q);
	q->next = NULL;
	if (!d->done_first)
		task_defer(reactor_current(), &d->task);
	*d->done_last = q;
	d->done_last = &q->next;
}

static void drive_close(struct block_device *dev)
{
	free(container_of(dev, struct rig_drive, device)->bytes);
}

static const struct block_ops drive_ops = {
	.type = "rig",
	.submit = drive_submit,
	.close = drive_close,
};

static void drive_init(struct rig_drive *d, bool cheap_zeroes)
{
	d->device = (struct block_device){
		.ops = &drive_ops,
		.size = RIG_DATA_START + RIG_EXTENTS * RIG_EXTENT,
		.grain = BLOCK_SECTOR,
		.cheap_zeroes = cheap_zeroes,
	};
	d->bytes = malloc(d->device.size);
	assert(d->bytes);
	memset(d->bytes, 0x5a, d->device.size); /* a used drive */
	d->done_last = &d->done_first;
	d->task.run = complete;
}

/* -- the stand-in --------------------------------------------------------- */

uint64_t rig_random(struct rig *r)
{
	r->seed ^= r->seed << 13;
	r->seed ^= r->seed >> 7;
	r->seed ^= r->seed << 17;
	return r->seed;
}

static void changed(struct rig *r)
{
	struct handoff_volume *v = &r->handoff.volumes[0];

	__atomic_store_n(&v->changes, v->changes + 1, __ATOMIC_RELEASE);
}

static void answer_miss(struct rig *r, const struct handoff_request *q,
                        struct handoff_reply *reply)
{
	uint64_t at =
		r->handoff.volumes[0].table_base + (q->address >> CHUNK_SHIFT);
	uint64_t per_row = geometry_chunks(&r->geometry, RIG_EXTENT);

	if (entry_state(handoff_entry(&r->handoff, at)) == ENTRY_HOLE) {
		if (r->next_chunk == r->chunks) {
			reply->kind = HANDOFF_COMPLETE;
			reply->status = HANDOFF_NO_SPACE;
			return;
		}
		changed(r);
		handoff_set_entry(
			&r->handoff, at,
			entry_make(ENTRY_NEW,
		                   (uint32_t)(r->next_chunk / per_row),
		                   (uint32_t)(r->next_chunk % per_row)));
		r->next_chunk++;
	}
	reply->kind = HANDOFF_RESUME;
}

static void answer(struct rig *r, const struct handoff_request *q)
{
	struct handoff_volume *v = &r->handoff.volumes[0];
	struct handoff_reply reply = { .tag = q->tag,
		                       .kind = HANDOFF_COMPLETE };
	bool ok;

	r->kinds[q->kind]++;
	switch ((enum handoff_request_kind)q->kind) {
	case HANDOFF_MISS:
		answer_miss(r, q, &reply);
		break;
	case HANDOFF_DISCARD:
		changed(r);
		handoff_set_entry(&r->handoff,
		                  v->table_base + (q->address >> CHUNK_SHIFT),
		                  0);
		break;
	case HANDOFF_BARRIER:
		__atomic_store_n(&v->committed, v->changes, __ATOMIC_RELEASE);
		break;
	case HANDOFF_DRIVE_ERROR:
		if (r->refuse_drive_errors) {
			reply.status = HANDOFF_IO_ERROR;
			break;
		}
		r->handoff.drives[q->drive].role = HANDOFF_FAILED;
		reply.kind = HANDOFF_RESUME;
		break;
	case HANDOFF_NO_VOLUME:
		reply.status = HANDOFF_GONE;
		break;
	case HANDOFF_META_DONE:
	case HANDOFF_REQUEST_KINDS:
		assert(0);
	}
	r->answered++;
	ok = handoff_push_reply(&r->handoff, 0, &reply);
	assert(ok);
}

static void stand_in(struct rig *r)
{
	struct handoff_request q;

	while (!r->stopped && handoff_pop_request(&r->handoff, 0, &q)) {
		r->late[r->n_late].request = q;
		r->late[r->n_late++].polls =
			r->delay ? (unsigned)(rig_random(r) % r->delay) : 0;
	}
	for (unsigned i = 0; i < r->n_late && !r->stopped;) {
		struct rig_late *late = &r->late[i];

		if (late->polls) {
			late->polls--;
			i++;
			continue;
		}
		q = late->request;
		*late = r->late[--r->n_late];
		answer(r, &q);
	}
}

/* -- life ----------------------------------------------------------------- */

void rig_poll(struct rig *r)
{
	reactor_poll(r->reactor);
	stand_in(r);
}

struct signal {
	struct task task;
	bool set;
};

static void set(struct task *t)
{
	container_of(t, struct signal, task)->set = true;
}

static void make_rows(struct rig *r)
{
	const struct geometry *g = &r->geometry;

	r->rows = RIG_EXTENTS;
	for (unsigned row = 0; row < r->rows; row++) {
		struct handoff_row *out = &r->handoff.rows[row];

		*out = (struct handoff_row){
			.profile = (uint8_t)g->profile,
			.width = g->width,
			.data = g->data,
			.strip_shift = g->strip_shift,
			.extent_bytes = RIG_EXTENT,
			.data_start = RIG_DATA_START,
		};
		for (unsigned m = 0; m < g->width; m++) {
			out->drive[m] = (uint16_t)((row + m) % r->n_drives);
			out->extent[m] = row;
		}
		__atomic_store_n(&out->state, 1, __ATOMIC_RELEASE);
	}
	r->chunks = r->rows * geometry_chunks(g, RIG_EXTENT);
}

static void make_volume(struct rig *r, uint64_t size)
{
	struct handoff_volume *v = &r->handoff.volumes[0];

	r->handoff.pools[0].state = HANDOFF_POOL_ONLINE;
	snprintf(r->handoff.pools[0].name, HANDOFF_NAME, "p");
	*v = (struct handoff_volume){
		.generation = 1,
		.size = size,
		.table_base = 512,
		.profile = (uint8_t)r->geometry.profile,
		.id = 1,
		.name = "v",
	};
	__atomic_store_n(&v->state, HANDOFF_VOLUME_ACTIVE, __ATOMIC_RELEASE);
}

static void attach(struct rig *r)
{
	struct signal done = { .task.run = set };

	fast_slow_attach(r->fast, &done.task);
	while (!done.set)
		reactor_poll(r->reactor);
	__atomic_store_n(&r->handoff.header->slow_state, HANDOFF_SERVING,
	                 __ATOMIC_RELEASE);
}

void rig_init(struct rig *r, enum raid_profile profile, unsigned n_drives,
              uint64_t size)
{
	struct signal opened = { .task.run = set };
	int err;

	*r = (struct rig){ .n_drives = n_drives, .seed = 88172645463325252u };
	err = reactor_create(&(struct reactor_opts){ .name = "rig" },
	                     &r->reactor, NULL);
	assert(!err);
	reactor_bind(r->reactor);
	err = handoff_create(1, 4096, &r->handoff, NULL);
	assert(!err);
	err = geometry_choose(profile, n_drives, &r->geometry);
	assert(!err);
	err = fast_create(&(struct fast_opts){ .handoff = &r->handoff,
	                                       .reactors = &r->reactor,
	                                       .n_reactors = 1 },
	                  &r->fast, NULL);
	assert(!err);
	for (uint16_t i = 0; i < n_drives; i++) {
		drive_init(&r->drive[i], i % 2);
		opened.set = false;
		fast_drive_open(r->fast, i, &r->drive[i].device, "d",
		                &opened.task);
		while (!opened.set)
			reactor_poll(r->reactor);
		r->handoff.drives[i].role = HANDOFF_ONLINE;
	}
	make_rows(r);
	make_volume(r, size);
	attach(r);
	err = fast_volume_open(r->fast, "p/v", &r->volume, NULL);
	assert(!err);
}

void rig_replace_slow(struct rig *r)
{
	struct signal done = { .task.run = set };

	r->n_late = 0;
	fast_slow_detach(r->fast, &done.task);
	while (!done.set)
		reactor_poll(r->reactor);
	attach(r);
}

void rig_fini(struct rig *r)
{
	block_close(r->volume);
	fast_destroy(r->fast);
	handoff_detach(&r->handoff);
	reactor_destroy(r->reactor);
}

struct wait {
	struct block_request request;
	bool done;
	int err;
};

static void wait_done(struct block_request *q, int err)
{
	struct wait *w = container_of(q, struct wait, request);

	assert(!w->done);
	w->done = true;
	w->err = err;
}

int rig_io(struct rig *r, enum block_op op, unsigned flags, uint64_t offset,
           uint64_t length, void *buffer)
{
	const struct iovec iov = { buffer, length };
	struct wait w = { .request = { .op = op,
		                       .flags = flags,
		                       .offset = offset,
		                       .length = length,
		                       .iov = buffer ? &iov : NULL,
		                       .iov_count = buffer ? 1 : 0,
		                       .done = wait_done } };

	block_submit(r->volume, &w.request);
	assert(!w.done); /* B3 */
	while (!w.done)
		rig_poll(r);
	return w.err;
}

/* -- what the drives hold ------------------------------------------------- */

static const uint8_t *strip_of(struct rig *r, const struct handoff_row *row,
                               uint32_t index, unsigned member)
{
	return r->drive[row->drive[member]].bytes + row->data_start +
	       row->extent[member] * row->extent_bytes +
	       ((uint64_t)index << row->strip_shift);
}

static bool chunk_consistent(struct rig *r, uint64_t entry)
{
	const struct handoff_row *row = &r->handoff.rows[entry_row(entry)];
	size_t strip = (size_t)1 << row->strip_shift;
	uint8_t *sum = calloc(1, strip);
	bool zero = true;

	for (unsigned m = 0; m < row->width; m++) {
		const uint8_t *bytes = strip_of(r, row, entry_index(entry), m);

		if (r->handoff.drives[row->drive[m]].role != HANDOFF_ONLINE) {
			free(sum);
			return true; /* nothing to compare with */
		}
		for (size_t i = 0; i < strip; i++)
			sum[i] ^= bytes[i];
	}
	for (size_t i = 0; i < strip; i++)
		zero = zero && sum[i] == 0;
	free(sum);
	return zero;
}

bool rig_consistent(struct rig *r)
{
	const struct handoff_volume *v = &r->handoff.volumes[0];

	for (uint64_t chunk = 0; chunk << CHUNK_SHIFT < v->size; chunk++) {
		uint64_t entry =
			handoff_entry(&r->handoff, v->table_base + chunk);

		if (entry_state(entry) == ENTRY_MAPPED && v->profile != RAID0 &&
		    !chunk_consistent(r, entry))
			return false;
	}
	return true;
}
