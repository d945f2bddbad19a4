/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/slow/apply.h"

#include "base/base.h"
#include "volume/slow/slow_priv.h"

#include <errno.h>

void apply_init(struct apply *a, struct pool *p)
{
	memset(a, 0, sizeof(*a));
	a->pool = p;
}

void apply_fini(struct apply *a)
{
	free(a->row);
	a->row = NULL;
}

static struct volume *find_volume(struct apply *a, uint64_t id)
{
	struct volume *volumes = a->pool->slow->volume;

	if (volumes[a->last].pool == a->pool && volumes[a->last].id == id)
		return &volumes[a->last];
	for (unsigned i = 0; i < HANDOFF_VOLUMES; i++) {
		if (volumes[i].pool == a->pool && volumes[i].id == id) {
			a->last = i;
			return &volumes[i];
		}
	}
	return NULL;
}

static int apply_pool(struct apply *a, const struct record *r, struct err *e)
{
	(void)e;
	a->pool->generation = r->pool.generation;
	if (r->pool.next_volume_id > a->pool->next_volume_id)
		a->pool->next_volume_id = r->pool.next_volume_id;
	return 0;
}

static int apply_drive(struct apply *a, const struct record *r, struct err *e)
{
	(void)e;
	a->drive[r->drive.index] = r->drive;
	a->drives |= 1u << r->drive.index;
	return 0;
}

static int apply_row(struct apply *a, const struct record *r, struct err *e)
{
	uint32_t n = a->n_rows ? a->n_rows : 64;
	struct apply_row *rows;

	while (n <= r->row.row)
		n *= 2;
	if (n > a->n_rows) {
		rows = realloc(a->row, n * sizeof(*rows));
		if (!rows)
			return err_set(e, -ENOMEM, "no memory for its rows");
		memset(rows + a->n_rows, 0, (n - a->n_rows) * sizeof(*rows));
		a->row = rows;
		a->n_rows = n;
	}
	a->row[r->row.row] = (struct apply_row){ true, r->row };
	return 0;
}

static int apply_row_free(struct apply *a, const struct record *r,
                          struct err *e)
{
	(void)e;
	if (r->row_free < a->n_rows)
		a->row[r->row_free].live = false;
	return 0;
}

static int apply_volume(struct apply *a, const struct record *r, struct err *e)
{
	struct slow *s = a->pool->slow;
	struct volume *v = find_volume(a, r->volume.id);
	uint64_t base;
	int slot;

	if (v) /* in the image, and in the log since */
		return v->shared->size == r->volume.size
		               ? 0
		               : err_set(e, -EINVAL, "volume %s has two sizes",
		                         r->volume.name);
	slot = volume_find_slot(s);
	if (slot < 0 ||
	    volume_find_range(s, volume_chunks(r->volume.size), &base))
		return err_set(e, -ENOSPC,
		               "its volumes do not fit beside those of the "
		               "other pools");
	volume_describe(a->pool, (unsigned)slot, base, &r->volume);
	if (volume_attach(s, (unsigned)slot))
		return err_set(e, -ENOMEM, "no memory for its volumes");
	if (r->volume.id >= a->pool->next_volume_id)
		a->pool->next_volume_id = r->volume.id + 1;
	return 0;
}

static int apply_volume_delete(struct apply *a, const struct record *r,
                               struct err *e)
{
	struct volume *v = find_volume(a, r->volume_delete);

	(void)e;
	if (!v)
		return 0; /* on its way out when the image was made */
	handoff_clear_entries(a->pool->slow->h, v->base,
	                      volume_range(v->chunks));
	volume_detach(v);
	return 0;
}

static int apply_map(struct apply *a, const struct record *r, struct err *e)
{
	struct volume *v = find_volume(a, r->map.volume);

	if (!v)
		return err_set(e, -EINVAL, "a mapping names volume %ju",
		               (uintmax_t)r->map.volume);
	for (unsigned i = 0; i < r->map.count; i++) {
		uint64_t chunk, entry;

		record_item(r, i, &chunk, &entry);
		if (chunk >= v->chunks)
			return err_set(e, -EINVAL,
			               "a mapping names chunk %ju of %ju",
			               (uintmax_t)chunk, (uintmax_t)v->chunks);
		volume_touch(v, chunk);
		handoff_set_entry(a->pool->slow->h, v->base + chunk, entry);
	}
	return 0;
}

static const struct {
	int (*apply)(struct apply *a, const struct record *r, struct err *e);
	bool member;
} appliers[] = {
	[META_POOL] = { apply_pool, true },
	[META_DRIVE] = { apply_drive, true },
	[META_ROW] = { apply_row, false },
	[META_ROW_FREE] = { apply_row_free, false },
	[META_VOLUME] = { apply_volume, false },
	[META_VOLUME_DELETE] = { apply_volume_delete, false },
	[META_MAP] = { apply_map, false },
	[META_SPARSE] = { apply_map, false },
};
static_assert(ARRAY_LEN(appliers) == META_RECORD_TYPES, "apply every type");

int apply_block(struct apply *a, const void *block, struct err *e)
{
	struct record_reader reader;
	struct record r;
	int got = record_open(&reader, block);

	if (got == 0)
		got = record_next(&reader, &r);
	for (; got > 0; got = record_next(&reader, &r)) {
		int err;

		if (a->members_only && !appliers[r.type].member)
			continue;
		err = appliers[r.type].apply(a, &r, e);
		if (err)
			return err;
	}
	return got < 0 ? err_set(e, got, "a record is malformed") : 0;
}
