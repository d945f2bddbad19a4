/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/slow/rebuild.h"

#include "base/base.h"
#include "volume/slow/slow_priv.h"

#include <errno.h>
#include <stdio.h>

/* -- members -------------------------------------------------------------- */

/* The candidate with this uuid, or -1. */
static int find_candidate(const struct load *l, const uint8_t uuid[16])
{
	for (unsigned i = 0; i < l->n_drives; i++)
		if (!memcmp(l->drive[i].label.drive_uuid, uuid, 16))
			return (int)i;
	return -1;
}

static void fill_member(struct load *l, unsigned index)
{
	const struct record_drive *r = &l->apply.drive[index];
	struct member *m = &l->pool->member[index];
	int i = find_candidate(l, r->uuid);

	*m = (struct member){
		.state = (enum handoff_drive_role)r->state,
		.slot = HANDOFF_NO_DRIVE,
		.size = r->size,
		.extents = r->extents,
	};
	memcpy(m->uuid, r->uuid, sizeof(m->uuid));
	if (i < 0)
		return;
	m->slot = l->drive[i].drive;
	memcpy(m->name, l->pool->slow->h->drives[m->slot].name, HANDOFF_NAME);
	m->name[HANDOFF_NAME - 1] = 0;
}

/* While the daemon lives, roles in memory are newer than the image. */
static void adopt_shared(struct load *l)
{
	struct pool *p = l->pool;

	for (uint16_t slot = 0; slot < HANDOFF_DRIVES; slot++) {
		const struct handoff_drive *d = &p->slow->h->drives[slot];
		struct member *m = &p->member[d->index % RECORD_MEMBERS_MAX];

		if (d->role == HANDOFF_UNUSED || d->pool != p->slot ||
		    d->index >= p->n_members)
			continue;
		m->slot = slot;
		memcpy(m->name, d->name, HANDOFF_NAME);
		m->name[HANDOFF_NAME - 1] = 0;
		if (d->role == HANDOFF_FAILED)
			m->state = HANDOFF_FAILED;
	}
	for (unsigned i = 0; i < l->n_drives; i++)
		if (l->drive[i].label.generation > p->generation)
			p->generation = l->drive[i].label.generation;
}

/* What each candidate is to the pool, in words. */
static int identify(struct load *l, struct err *e)
{
	struct pool *p = l->pool;
	struct label_member known[RECORD_MEMBERS_MAX];
	const struct label_pool pool = {
		.name = p->name,
		.generation = p->generation,
		.members = known,
		.n_members = p->n_members,
	};
	struct label_pool *writable = (struct label_pool *)(uintptr_t)&pool;

	memcpy(writable->uuid, p->uuid, sizeof(pool.uuid));
	for (unsigned i = 0; i < p->n_members; i++) {
		memcpy(known[i].uuid, p->member[i].uuid, 16);
		known[i].index = (uint16_t)i;
		known[i].out = p->member[i].state != HANDOFF_ONLINE;
	}
	for (unsigned i = 0; i < l->n_drives; i++) {
		uint16_t slot = l->drive[i].drive;
		struct drive_view *view = &p->slow->view[slot];
		char *words = view->words;
		enum label_verdict v =
			label_identify(&pool, 0, &l->drive[i].label,
		                       p->slow->h->drives[slot].size, words);
		int index = member_find(p, slot);

		view->verdict = v;
		if (v == LABEL_AHEAD)
			return err_set(e, -ESTALE, "drive %s is newer: %s",
			               p->slow->h->drives[slot].name, words);
		if (index < 0 || v == LABEL_MEMBER)
			continue;
		snprintf(p->member[index].why, sizeof(p->member[index].why),
		         "%.150s", words);
		if (v != LABEL_STALE && !l->apply.members_only)
			p->member[index].slot = HANDOFF_NO_DRIVE;
	}
	return 0;
}

/* More than half of those that the newest metadata name: two halves never
 * start apart. */
static int check_majority(const struct pool *p, struct err *e)
{
	unsigned listed = 0, present = 0;
	char missing[160] = "";
	size_t n = 0;

	for (unsigned i = 0; i < p->n_members; i++) {
		const struct member *m = &p->member[i];

		if (m->state != HANDOFF_ONLINE)
			continue;
		listed++;
		present += m->slot != HANDOFF_NO_DRIVE;
		if (m->slot == HANDOFF_NO_DRIVE && n < sizeof(missing))
			n += (size_t)snprintf(missing + n, sizeof(missing) - n,
			                      "%s%u", n ? ", " : "", i);
	}
	if (present * 2 > listed)
		return 0;
	return err_set(e, -ENODEV,
	               "only %u of its %u drives are here; missing: %s. Add "
	               "them with 'causeway drive add'",
	               present, listed, missing);
}

int rebuild_members(struct load *l, struct err *e)
{
	struct pool *p = l->pool;
	int err;

	/* the log may have added some since the root */
	p->n_members = le32_get(l->root.n_drives);
	while (p->n_members < RECORD_MEMBERS_MAX &&
	       l->apply.drives >> p->n_members & 1)
		p->n_members++;
	for (unsigned i = 0; i < p->n_members; i++) {
		if (!(l->apply.drives >> i & 1))
			return err_set(e, -EBADMSG,
			               "its metadata lack drive %u", i);
		fill_member(l, i);
	}
	if (l->apply.members_only)
		adopt_shared(l);
	err = identify(l, e);
	if (!err && !l->apply.members_only)
		err = check_majority(p, e);
	if (err)
		return err;
	alloc_fini(&p->alloc);
	alloc_init(&p->alloc, p->layout.extent_bytes);
	for (unsigned i = 0; i < p->n_members; i++) {
		const struct member *m = &p->member[i];

		if (alloc_add_member(&p->alloc, i, m->extents))
			return err_set(e, -ENOMEM, "no memory for its drives");
		if (m->state != HANDOFF_ONLINE || m->slot == HANDOFF_NO_DRIVE)
			alloc_set_usable(&p->alloc, i, false);
	}
	return 0;
}

/* -- rows ----------------------------------------------------------------- */

static int add_row(struct pool *p, const struct record_row *r, struct err *e)
{
	int err = alloc_add_row(&p->alloc, r);

	if (err == -ENOMEM)
		return err_set(e, err, "no memory for its rows");
	if (err)
		return err_set(e, -EBADMSG,
		               "its metadata contradict themselves: row %u %s",
		               r->row,
		               err == -EEXIST ? "shares space with another"
		                              : "is not on its drives");
	return 0;
}

int rebuild_rows_loaded(struct load *l, struct err *e)
{
	for (uint32_t i = 0; i < l->apply.n_rows; i++) {
		int err;

		if (!l->apply.row[i].live)
			continue;
		err = add_row(l->pool, &l->apply.row[i].row, e);
		if (err)
			return err;
		pool_publish_row(l->pool, i);
	}
	return 0;
}

static bool row_from_shared(const struct pool *p, uint32_t row,
                            struct record_row *out)
{
	const struct handoff_row *from =
		&p->slow->h->rows[(uint64_t)p->slot * HANDOFF_POOL_ROWS + row];

	*out = (struct record_row){
		.row = row,
		.geometry = { .profile = (enum raid_profile)from->profile,
		              .width = from->width,
		              .data = from->data,
		              .strip_shift = from->strip_shift },
	};
	if (from->width > HANDOFF_WIDTH || !geometry_valid(&out->geometry))
		return false;
	for (unsigned i = 0; i < from->width; i++) {
		int index = from->drive[i] < HANDOFF_DRIVES
		                    ? member_find(p, from->drive[i])
		                    : from->drive[i] - POOL_ABSENT(0);

		if (index < 0 || index >= (int)p->n_members)
			return false;
		out->drive[i] = (uint16_t)index;
		out->extent[i] = from->extent[i];
	}
	return true;
}

int rebuild_rows_shared(struct load *l, struct err *e)
{
	struct pool *p = l->pool;
	uint64_t first = (uint64_t)p->slot * HANDOFF_POOL_ROWS;
	uint64_t at = (uint64_t)((uint8_t *)&p->slow->h->rows[first] -
	                         (uint8_t *)p->slow->h->header);
	uint64_t end = at + HANDOFF_POOL_ROWS * sizeof(struct handoff_row);

	/* Rows are sparse: look only at pages that were ever touched. */
	for (off_t data = (off_t)at; data < (off_t)end;) {
		off_t hole;

		data = lseek(p->slow->h->fd, data, SEEK_DATA);
		if (data < 0 || data >= (off_t)end)
			break;
		hole = lseek(p->slow->h->fd, data, SEEK_HOLE);
		if (hole < 0 || hole > (off_t)end)
			hole = (off_t)end;
		for (; data < hole; data += (off_t)sizeof(struct handoff_row)) {
			uint32_t row = (uint32_t)(((uint64_t)data - at) /
			                          sizeof(struct handoff_row));
			struct record_row r;

			if (p->slow->h->rows[first + row].state != 1)
				continue;
			if (!row_from_shared(p, row, &r))
				return err_set(e, -EBADMSG,
				               "row %u in memory makes no "
				               "sense: restart the node",
				               row);
			if (add_row(p, &r, e))
				return e->code;
		}
	}
	return 0;
}

/* -- mappings ------------------------------------------------------------- */

static int take_entry(struct volume *v, uint64_t chunk, uint64_t entry,
                      struct err *e)
{
	struct pool *p = v->pool;
	int err = alloc_take(&p->alloc, entry_row(entry), entry_index(entry));

	if (err)
		return err_set(e, -EBADMSG,
		               "its metadata contradict themselves: chunk %ju "
		               "of volume %s %s",
		               (uintmax_t)chunk, v->shared->name,
		               err == -EEXIST ? "is where another one is"
		                              : "is in no row");
	v->shared->allocated++;
	if (entry_state(entry) == ENTRY_MAPPED || v->deletion)
		return 0;
	if (metalog_reserve(p))
		return err_set(e, -ENOMEM, "no memory for its mappings");
	metalog_change(p, v->slot, chunk, false);
	v->unsettled++;
	return 0;
}

/* Which leaves of a volume have memory. */
static void find_touched(struct volume *v)
{
	const struct handoff *h = v->pool->slow->h;
	uint64_t table = (uint64_t)((uint8_t *)h->table - (uint8_t *)h->header);
	off_t at = (off_t)(table + v->base * sizeof(uint64_t));
	off_t start = at;
	off_t end = at + (off_t)(volume_range(v->chunks) * sizeof(uint64_t));

	while (at < end) {
		off_t hole;

		at = lseek(h->fd, at, SEEK_DATA);
		if (at < 0 || at >= end)
			break;
		hole = lseek(h->fd, at, SEEK_HOLE);
		if (hole < 0 || hole > end)
			hole = end;
		for (; at < hole; at += (off_t)(SLOW_LEAF * sizeof(uint64_t)))
			volume_touch(v,
			             (uint64_t)(at - start) / sizeof(uint64_t));
	}
}

static int take_volume(struct volume *v, struct err *e)
{
	uint64_t chunk = volume_next_touched(v, 0);

	v->shared->allocated = 0;
	v->unsettled = 0;
	while (chunk < v->chunks) {
		uint64_t entry = volume_entry(v, chunk);

		if (entry && take_entry(v, chunk, entry, e))
			return e->code;
		if (++chunk % SLOW_LEAF == 0)
			chunk = volume_next_touched(v, chunk);
	}
	return 0;
}

int rebuild_mappings(struct pool *p, bool warm, struct err *e)
{
	for (unsigned i = 0; i < HANDOFF_VOLUMES; i++) {
		struct volume *v = &p->slow->volume[i];

		if (v->pool != p)
			continue;
		if (warm)
			find_touched(v);
		if (take_volume(v, e))
			return e->code;
	}
	for (uint32_t i = 0; i < p->alloc.n_rows; i++) {
		const struct alloc_row *row = alloc_row(&p->alloc, i);

		if (!row || row->used)
			continue;
		alloc_drain_row(&p->alloc, i);
		alloc_release_row(&p->alloc, i);
		pool_retract_row(p, i);
	}
	return 0;
}

int rebuild_check_losses(const struct pool *p, struct err *e)
{
	for (uint32_t i = 0; i < p->alloc.n_rows; i++) {
		const struct alloc_row *row = alloc_row(&p->alloc, i);
		enum raid_profile profile;

		if (!row || !row->lost)
			continue;
		profile = row->geometry.profile;
		for (unsigned m = 0; m < row->geometry.width; m++) {
			const struct member *member =
				&p->member[row->member[m]];

			/* Those that failed before were given up then. */
			if (row->lost > geometry_tolerance(profile) &&
			    member->state == HANDOFF_ONLINE &&
			    member->slot == HANDOFF_NO_DRIVE)
				return err_set(
					e, -ENODEV,
					"drive %u is missing and has data of "
					"%s volumes that are nowhere else; "
					"add it with 'causeway drive add'",
					row->member[m],
					geometry_profile_name(profile));
		}
	}
	return 0;
}

void rebuild_forget(struct pool *p)
{
	for (unsigned i = 0; i < HANDOFF_VOLUMES; i++)
		if (p->slow->volume[i].pool == p)
			volume_detach(&p->slow->volume[i]);
	metalog_fini(p);
	metalog_init(p);
	alloc_fini(&p->alloc);
}

void rebuild_abandon(struct pool *p)
{
	for (uint32_t i = 0; i < p->alloc.n_rows; i++)
		if (alloc_row(&p->alloc, i))
			pool_retract_row(p, i);
	for (unsigned i = 0; i < HANDOFF_VOLUMES; i++) {
		struct volume *v = &p->slow->volume[i];

		if (v->pool != p)
			continue;
		handoff_clear_entries(p->slow->h, v->base,
		                      volume_range(v->chunks));
	}
	rebuild_forget(p);
}
