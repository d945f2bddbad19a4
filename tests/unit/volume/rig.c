/* SPDX-License-Identifier: BSD-2-Clause */
#include "rig.h"

#include "base/base.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

uint64_t rig_random(struct rig *r)
{
	return rig_next(&r->seed);
}

/* -- life ----------------------------------------------------------------- */

static void poll_reactors(struct rig *r)
{
	for (unsigned i = 0; i < r->n_lanes; i++)
		reactor_poll(r->reactors[i]);
	reactor_bind(r->reactors[0]);
}

void rig_poll(struct rig *r)
{
	poll_reactors(r);
	if (r->held && r->held->n)
		rig_held_run(r->held,
		             1 + (unsigned)(rig_random(r) % r->held->n),
		             &r->seed);
	rig_stand_in(r);
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
		.table_base = RIG_TABLE_BASE,
		.profile = (uint8_t)r->geometry.profile,
		.id = 1,
		.name = "v",
	};
	__atomic_store_n(&v->state, HANDOFF_VOLUME_ACTIVE, __ATOMIC_RELEASE);
}

void rig_attach_slow(struct rig *r)
{
	struct signal done = { .task.run = set };

	fast_slow_attach(r->fast, &done.task);
	while (!done.set)
		poll_reactors(r);
	r->n_late = 0;
	r->asleep = false;
	__atomic_store_n(&r->handoff.header->slow_state, HANDOFF_SERVING,
	                 __ATOMIC_RELEASE);
	for (unsigned i = 0; i < r->n_lanes; i++)
		handoff_wake_lane(&r->handoff, i);
}

void rig_detach_slow(struct rig *r)
{
	struct signal done = { .task.run = set };

	fast_slow_detach(r->fast, &done.task);
	while (!done.set) {
		poll_reactors(r);
		if (r->held)
			rig_held_run(r->held, r->held->n, &r->seed);
	}
}

void rig_replace_slow(struct rig *r)
{
	rig_detach_slow(r);
	rig_attach_slow(r);
}

void rig_reset_memory(struct rig *r)
{
	uint64_t size = r->volume->size;

	handoff_clear_entries(&r->handoff, 0, r->handoff.table_entries);
	make_rows(r);
	make_volume(r, size);
	r->next_chunk = 0;
	for (unsigned i = 0; i < r->n_drives; i++) {
		r->handoff.drives[i].pool = 0;
		r->handoff.drives[i].present = 1;
		rig_set_role(r, i, HANDOFF_ONLINE);
	}
}

static void open_drives(struct rig *r)
{
	for (uint16_t i = 0; i < r->n_drives; i++) {
		struct signal opened = { .task.run = set };

		rig_drive_init(&r->drive[i],
		               RIG_DATA_START + RIG_EXTENTS * RIG_EXTENT,
		               i % 2);
		r->drive[i].held = r->held;
		fast_drive_open(r->fast, i, &r->drive[i].device, "d",
		                &opened.task);
		while (!opened.set)
			poll_reactors(r);
		rig_set_role(r, i, HANDOFF_ONLINE);
	}
}

void rig_init_with(struct rig *r, const struct rig_opts *o)
{
	int err;

	*r = (struct rig){ .n_drives = o->n_drives,
		           .n_lanes = o->n_lanes ? o->n_lanes : 1,
		           .held = o->held,
		           .slow_seed = 2463534242u,
		           .seed = 88172645463325252u };
	for (unsigned i = 0; i < r->n_lanes; i++) {
		err = reactor_create(
			&(struct reactor_opts){ .name = "rig",
		                                .clock = o->clock },
			&r->reactors[i], NULL);
		assert(!err);
	}
	reactor_bind(r->reactors[0]);
	err = handoff_create(r->n_lanes, 4096, &r->handoff, NULL);
	assert(!err);
	err = geometry_choose(o->profile, o->n_drives, &r->geometry);
	assert(!err);
	err = fast_create(
		&(struct fast_opts){ .handoff = &r->handoff,
	                             .reactors = r->reactors,
	                             .n_reactors = r->n_lanes,
	                             .miss_timeout_ms = o->miss_timeout_ms },
		&r->fast, NULL);
	assert(!err);
	open_drives(r);
	make_rows(r);
	make_volume(r, o->size);
	rig_attach_slow(r);
	err = fast_volume_open(r->fast, "p/v", &r->volume, NULL);
	assert(!err);
}

void rig_init(struct rig *r, enum raid_profile profile, unsigned n_drives,
              uint64_t size)
{
	rig_init_with(r, &(struct rig_opts){ .profile = profile,
	                                     .n_drives = n_drives,
	                                     .size = size });
}

void rig_fini(struct rig *r)
{
	assert(!r->held || !r->held->n);
	block_close(r->volume);
	fast_destroy(r->fast);
	handoff_detach(&r->handoff);
	for (unsigned i = 0; i < r->n_lanes; i++)
		reactor_destroy(r->reactors[i]);
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
