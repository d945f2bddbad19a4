/* SPDX-License-Identifier: BSD-2-Clause */
/* See far/store_priv.h. */
#include "far/store_priv.h"

#include "base/base.h"
#include "volume/raid/xor.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static struct store *store_of_mover(struct mover *m)
{
	return container_of(m, struct store, mover);
}

/* -- what lies where ------------------------------------------------------- */

static bool is_used(const struct store *s, unsigned slot)
{
	for (uint32_t r = 0; r < s->n_rows; r++)
		for (unsigned m = 0; m < s->row[r].map.width; m++)
			if (s->row[r].map.drive[m] == slot)
				return true;
	return s->mover.state != MOVER_IDLE && s->mover.target == slot;
}

/* -- donors that go -------------------------------------------------------- */

static void retire(struct store *s, unsigned slot)
{
	struct store_device *d = &s->device[slot];

	d->state = STORE_DONOR_RETIRING;
	d->is_leaving = true;
	s->mover.n_retiring++;
	d->barrier = s->last_part;
	__atomic_store_n(&s->drives[slot].role, HANDOFF_FAILED,
	                 __ATOMIC_RELEASE);
}

/* N3: close those that no part knows any more. */
static void close_retired(struct store *s)
{
	uint64_t oldest = UINT64_MAX;

	if (!list_empty(&s->active))
		oldest = list_entry(s->active.next, struct store_part, link)
		                 ->number;
	for (unsigned i = 0; i < STORE_DONORS_MAX; i++) {
		struct store_device *d = &s->device[i];
		bool is_leaving = d->is_leaving;

		if (d->state != STORE_DONOR_RETIRING || oldest <= d->barrier ||
		    s->worker.inflight[i] > 0 ||
		    s->mover.state == MOVER_COPYING)
			continue;
		block_close(d->dev);
		*d = (struct store_device){ .state = STORE_DONOR_NONE };
		s->mover.n_retiring--;
		s->worker.device[i] = NULL;
		if (is_leaving && s->watcher.left)
			s->watcher.left(s->watcher.ctx, i);
	}
}

void store_move_lost(struct store *s, unsigned slot)
{
	struct mover *m = &s->mover;

	for (uint32_t r = 0; r < s->n_rows; r++)
		for (unsigned k = 0; k < s->row[r].map.width; k++)
			if (s->row[r].map.drive[k] == slot)
				s->row[r].map.drive[k] = HANDOFF_NO_DRIVE;
	if (m->state != MOVER_IDLE && m->target == slot) {
		m->is_aborted = true;
	} else if (m->state != MOVER_IDLE) {
		for (unsigned k = 0; k < m->both.width; k++)
			if (m->both.drive[k] == slot)
				m->both.drive[k] = HANDOFF_NO_DRIVE;
	}
	m->is_degraded = true;
	m->has_asked = false;
	store_move_look(s);
}

/* -- one move -------------------------------------------------------------- */

static void step(struct store *s);

const struct handoff_row *store_move_map(struct store *s, struct store_part *p)
{
	struct mover *m = &s->mover;

	if (m->state == MOVER_IDLE || m->row != p->row)
		return &s->row[p->row].map;
	if (p->chunk < m->chunk)
		return &m->both;
	if (p->chunk < m->chunk + MOVE_CHUNKS && m->state >= MOVER_QUIET &&
	    p->op.kind != RAID_READ) {
		list_append(&m->held, &p->held);
		store_move_look(s); /* perhaps the move waited for this one */
		return NULL;
	}
	return &s->row[p->row].map;
}

static void release_held(struct store *s)
{
	struct list all, *l;

	list_init(&all);
	list_splice(&all, &s->mover.held);
	while ((l = list_pop(&all))) {
		struct store_part *p = list_entry(l, struct store_part, held);
		int err = store_start_part(p);

		if (err)
			store_end_part(p, err);
	}
}

/*
 * The target is out.  A mirror's member that was to be replaced has missed
 * what went to chunks that had moved, so it counts no more; what a single copy
 * had, it has.
 */
static void abort_move(struct store *s)
{
	struct mover *m = &s->mover;
	struct handoff_row *map = &s->row[m->row].map;

	if (map->width > 1 && m->chunk > 0)
		map->drive[m->member] = HANDOFF_NO_DRIVE;
	m->state = MOVER_IDLE;
	m->is_aborted = false;
	release_held(s);
	store_move_look(s);
}

static void complete_move(struct store *s)
{
	struct mover *m = &s->mover;
	struct handoff_row *map = &s->row[m->row].map;

	map->drive[m->member] = m->target;
	map->extent[m->member] = m->extent;
	m->state = MOVER_IDLE;
	store_move_look(s);
}

/* As long as the chunks took, so that half of what donors can do is left; but
 * an owner that takes its memory back is not kept waiting. */
static void after_chunks(struct store *s)
{
	struct mover *m = &s->mover;
	const struct handoff_row *map = &s->row[m->row].map;
	uint64_t took = reactor_now_ns(s->reactor) - m->began_ns;

	m->chunk += MOVE_CHUNKS;
	m->state = MOVER_PAUSED;
	release_held(s);
	if (m->n_retiring)
		store_move_look(s);
	if (store_state_of(s, map->drive[m->member]) == STORE_DONOR_LEAVING)
		took = 0;
	if (timer_start(s->reactor, &m->pause, took))
		step(s);
}

/*
 * A chunk cannot be read.  If its donor is out, which was the only one, what
 * has moved is what is left; else the row stays where it is.
 */
static void give_up(struct store *s)
{
	struct mover *m = &s->mover;
	struct store_row *row = &s->row[m->row];

	if (row->map.width > 1 || store_has_data(s, row->map.drive[0])) {
		row->is_stuck = true;
		abort_move(s);
		return;
	}
	for (uint32_t c = m->chunk; c < CHUNKS; c++)
		if (store_is_written(row, c))
			row->lost[c / 64] |= UINT64_C(1) << c % 64;
	complete_move(s);
	release_held(s);
}

static void copied(struct store *s)
{
	struct mover *m = &s->mover;

	if (--m->pending > 0)
		return;
	if (m->is_aborted)
		abort_move(s);
	else if (m->has_failed)
		give_up(s);
	else
		after_chunks(s);
}

static void chunk_written(struct block_request *q, int err)
{
	struct mover_copy *c = container_of(q, struct mover_copy, write);
	struct store *s = store_of_mover(c->mover);

	if (err && !c->mover->is_aborted)
		store_lose(&s->dev, c->mover->target, err);
	copied(s);
}

/* What the member that moves has of the chunk, out of all of it. */
static struct iovec strip_of(const struct mover_copy *c)
{
	const struct geometry *g = &store_of_mover(c->mover)->geometry;
	size_t length = (size_t)1 << g->strip_shift;
	uint8_t *data = c->iov.iov_base;

	for (unsigned k = 0; k < g->data; k++)
		if (geometry_data_member(g, c->chunk, k) == c->mover->member)
			return (struct iovec){ data + k * length, length };
	for (unsigned k = 1; k < g->data; k++)
		xor_into(data, data + k * length, length);
	return (struct iovec){ data, length };
}

static void chunk_read(struct raid_op *op, int err)
{
	struct mover_copy *c = container_of(op, struct mover_copy, read);
	struct mover *m = c->mover;
	struct store *s = store_of_mover(m);

	if (err || m->is_aborted) {
		m->has_failed |= err != 0;
		copied(s);
		return;
	}
	c->strip = strip_of(c);
	c->write = (struct block_request){
		.op = BLOCK_WRITE,
		.offset = m->extent * s->extent + c->chunk * c->strip.iov_len,
		.length = c->strip.iov_len,
		.iov = &c->strip,
		.iov_count = 1,
		.done = chunk_written,
	};
	block_submit(s->device[m->target].dev, &c->write);
}

static void copy_chunk(struct store *s, struct mover_copy *c)
{
	int err;

	c->read.kind = RAID_READ;
	c->read.flags = RAID_LOCKED; /* nobody writes to it meanwhile */
	c->read.offset = 0;
	c->read.length = CHUNK_BYTES;
	c->read.iov = &c->iov;
	c->read.iov_count = 1;
	c->read.done = chunk_read;
	s->mover.pending++;
	err = raid_submit(&s->worker, &s->row[s->mover.row].map, c->chunk,
	                  &c->read);
	if (err)
		chunk_read(&c->read, err);
}

static void copy_chunks(struct store *s)
{
	struct mover *m = &s->mover;

	m->state = MOVER_COPYING;
	m->has_failed = false;
	m->pending = 1; /* for this loop */
	for (unsigned i = 0; i < MOVE_CHUNKS; i++) {
		m->copy[i].chunk = m->chunk + i;
		if (store_is_written(&s->row[m->row], m->chunk + i))
			copy_chunk(s, &m->copy[i]);
	}
	copied(s);
}

static bool is_being_written(const struct store *s)
{
	const struct mover *m = &s->mover;

	LIST_FOREACH (l, &s->active) {
		const struct store_part *p =
			list_entry(l, struct store_part, link);

		if (p->row == m->row && p->chunk >= m->chunk &&
		    p->chunk < m->chunk + MOVE_CHUNKS &&
		    p->op.kind != RAID_READ && !list_linked(&p->held))
			return true;
	}
	return false;
}

/* None of the next MOVE_CHUNKS has been written. */
static bool is_empty(const struct store *s)
{
	const struct mover *m = &s->mover;

	for (unsigned i = 0; i < MOVE_CHUNKS; i++)
		if (store_is_written(&s->row[m->row], m->chunk + i))
			return false;
	return true;
}

/* On to what has been written, or the end. */
static void step(struct store *s)
{
	struct mover *m = &s->mover;

	if (m->is_aborted) {
		abort_move(s);
		return;
	}
	while (m->chunk < CHUNKS && is_empty(s))
		m->chunk += MOVE_CHUNKS;
	if (m->chunk == CHUNKS) {
		complete_move(s);
		return;
	}
	m->began_ns = reactor_now_ns(s->reactor);
	m->state = MOVER_QUIET;
	if (!is_being_written(s))
		copy_chunks(s);
}

void store_move_part_ended(struct store *s, const struct store_part *p)
{
	const struct mover *m = &s->mover;

	if (m->n_retiring || (m->state == MOVER_QUIET && m->row == p->row))
		store_move_look(s);
}

static void paused(struct timer *t)
{
	step(store_of_mover(container_of(t, struct mover, pause)));
}

static void start_move(struct store *s, uint32_t row, unsigned member,
                       unsigned target)
{
	struct mover *m = &s->mover;
	const struct handoff_row *map = &s->row[row].map;

	m->row = row;
	m->member = member;
	m->chunk = 0;
	m->target = (uint16_t)target;
	m->extent = s->device[target].used++;
	m->is_aborted = false;
	m->both = *map;
	if (map->width == 1) { /* one that leaves: both have all until then */
		m->both.profile = RAID1;
		m->both.width = 2;
		member = 1;
	}
	m->both.drive[member] = m->target;
	m->both.extent[member] = m->extent;
	m->state = MOVER_PAUSED;
	step(s);
}

/* -- what there is to do --------------------------------------------------- */

/* What found no place: rows whose other members are in `domains`. */
struct lacking {
	uint64_t bytes;
	uint64_t domains;
};

static void lack(const struct store *s, const struct handoff_row *row,
                 unsigned member, struct lacking *out)
{
	uint64_t domains = store_other_domains(s, row, member);

	if (row->width == 1)
		domains = store_domain_bit(s->device[row->drive[0]].domain);
	if (out->bytes == 0)
		out->domains = domains;
	if (out->domains == domains)
		out->bytes += s->extent;
}

/* Start the first move of a member that leaves, or is missing.  @return
 * whether one began. */
static bool find_work(struct store *s, bool is_leaving, struct lacking *lacking,
                      bool *missing)
{
	for (uint32_t r = 0; r < s->n_rows; r++) {
		struct store_row *row = &s->row[r];

		for (unsigned m = 0; m < row->map.width; m++) {
			enum store_donor_state state =
				store_state_of(s, row->map.drive[m]);
			unsigned target;

			*missing |= state == STORE_DONOR_NONE;
			if ((is_leaving ? STORE_DONOR_LEAVING
			                : STORE_DONOR_NONE) != state ||
			    row->is_stuck || !store_can_read(s, &row->map))
				continue;
			target = store_find_target(s, &row->map, m, false);
			if (target == STORE_DONORS_MAX) {
				lack(s, &row->map, m, lacking);
				continue;
			}
			start_move(s, r, m, target);
			return true;
		}
	}
	return false;
}

static void retire_empty(struct store *s)
{
	for (unsigned i = 0; i < STORE_DONORS_MAX; i++)
		if (s->device[i].state == STORE_DONOR_LEAVING && !is_used(s, i))
			retire(s, i);
}

static void look(struct task *t)
{
	struct store *s = store_of_mover(container_of(t, struct mover, look));
	struct mover *m = &s->mover;
	struct lacking lacking = { 0 };
	bool missing = false;

	m->is_looking = false;
	if (m->is_ending)
		return;
	retire_empty(s);
	close_retired(s);
	if (m->state == MOVER_QUIET && !is_being_written(s))
		step(s);
	if (s->is_fixed)
		return;
	if (m->state != MOVER_IDLE || find_work(s, true, &lacking, &missing) ||
	    find_work(s, false, &lacking, &missing))
		return;
	if (lacking.bytes && !m->has_asked && s->watcher.wants) {
		m->has_asked = true;
		s->watcher.wants(s->watcher.ctx, lacking.bytes,
		                 lacking.domains);
	}
	if (m->is_degraded && !missing) {
		m->is_degraded = false;
		if (s->watcher.whole)
			s->watcher.whole(s->watcher.ctx);
	}
}

void store_move_look(struct store *s)
{
	if (s->mover.is_looking)
		return;
	s->mover.is_looking = true;
	task_defer(s->reactor, &s->mover.look);
}

static struct store *store_of(struct block_device *dev)
{
	return container_of(dev, struct store, dev);
}

void store_leave(struct block_device *store, unsigned index)
{
	struct store *s = store_of(store);

	if (s->device[index].state != STORE_DONOR_ONLINE)
		return;
	s->device[index].state = STORE_DONOR_LEAVING;
	s->mover.has_asked = false;
	store_move_look(s);
}

void store_no_room(struct block_device *store)
{
	struct store *s = store_of(store);

	for (uint32_t r = 0; r < s->n_rows; r++) {
		struct handoff_row *map = &s->row[r].map;

		for (unsigned m = 0; m < map->width; m++) {
			if (store_state_of(s, map->drive[m]) !=
			            STORE_DONOR_LEAVING ||
			    !store_can_spare(s, map, m) ||
			    (s->mover.state != MOVER_IDLE && s->mover.row == r))
				continue;
			map->drive[m] = HANDOFF_NO_DRIVE;
			s->mover.is_degraded = true;
		}
	}
	store_move_look(s);
}

void store_ask_again(struct block_device *store)
{
	struct store *s = store_of(store);

	s->mover.has_asked = false;
	store_move_look(s);
}

/* -- life ------------------------------------------------------------------ */

int store_move_init(struct store *s)
{
	struct mover *m = &s->mover;

	list_init(&m->held);
	m->pause.fire = paused;
	m->look.run = look;
	m->buffer = malloc(MOVE_CHUNKS * CHUNK_BYTES);
	for (unsigned i = 0; i < MOVE_CHUNKS; i++) {
		m->copy[i].mover = m;
		m->copy[i].iov = (struct iovec){ m->buffer + i * CHUNK_BYTES,
			                         CHUNK_BYTES };
	}
	return m->buffer ? 0 : -ENOMEM;
}

void store_move_fini(struct store *s)
{
	struct mover *m = &s->mover;

	timer_stop(s->reactor, &m->pause);
	m->is_ending = m->is_aborted = true;
	while (m->state == MOVER_COPYING || m->is_looking)
		reactor_poll(s->reactor);
	timer_stop(s->reactor, &m->pause);
	free(m->buffer);
}
