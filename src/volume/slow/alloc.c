/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/slow/alloc.h"

#include "base/base.h"

#include <assert.h>
#include <errno.h>

#define WORD 64u

static uint32_t words(uint32_t bits)
{
	return (bits + WORD - 1) / WORD;
}

static bool test_bit(const uint64_t *map, uint32_t i)
{
	return map[i / WORD] >> i % WORD & 1;
}

static void set_bit(uint64_t *map, uint32_t i)
{
	map[i / WORD] |= UINT64_C(1) << i % WORD;
}

static void clear_bit(uint64_t *map, uint32_t i)
{
	map[i / WORD] &= ~(UINT64_C(1) << i % WORD);
}

/* Bits beyond the end are set, so that a search never finds them. */
static uint64_t *new_map(uint32_t bits)
{
	uint64_t *map = calloc(words(bits) + !bits, sizeof(*map));

	if (map && bits % WORD)
		map[bits / WORD] = ~UINT64_C(0) << bits % WORD;
	return map;
}

/* Next clear bit from word *cursor on, round the end; there is one. */
static uint32_t find_clear(const uint64_t *map, uint32_t bits, uint32_t *cursor)
{
	uint32_t n = words(bits);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t w = *cursor + i < n ? *cursor + i : *cursor + i - n;

		if (~map[w]) {
			*cursor = w;
			return w * WORD + (uint32_t)__builtin_ctzll(~map[w]);
		}
	}
	assert(0);
	return 0;
}

static unsigned profile_index(enum raid_profile profile)
{
	switch (profile) {
	case RAID0:
		return 0;
	case RAID1:
		return 1;
	case RAID5:
		return 2;
	}
	assert(0);
	return 0;
}

uint64_t alloc_chunk_bytes(const struct geometry *g)
{
	return (uint64_t)g->width << g->strip_shift;
}

/* -- lists of rows with room ---------------------------------------------- */

static void unlist(struct alloc *a, uint32_t row)
{
	struct alloc_row *r = &a->rows[row];

	if (!r->list)
		return;
	if (r->prev != ALLOC_NO_ROW)
		a->rows[r->prev].next = r->next;
	else
		a->list[r->list - 1] = r->next;
	if (r->next != ALLOC_NO_ROW)
		a->rows[r->next].prev = r->prev;
	r->list = 0;
}

/* Put the row on the list that its state asks for. */
static void relist(struct alloc *a, uint32_t row)
{
	struct alloc_row *r = &a->rows[row];
	unsigned list = 0;

	if (r->state == ALLOC_ROW_LIVE && r->used < r->chunks &&
	    r->lost <= geometry_tolerance(r->geometry.profile))
		list = 1 + profile_index(r->geometry.profile) * 2 + !!r->lost;
	if (list == r->list)
		return;
	unlist(a, row);
	if (!list)
		return;
	r->list = (uint8_t)list;
	r->prev = ALLOC_NO_ROW;
	r->next = a->list[list - 1];
	if (r->next != ALLOC_NO_ROW)
		a->rows[r->next].prev = row;
	a->list[list - 1] = row;
}

/* -- members -------------------------------------------------------------- */

void alloc_init(struct alloc *a, uint64_t extent_bytes)
{
	memset(a, 0, sizeof(*a));
	a->extent_bytes = extent_bytes;
	for (size_t i = 0; i < ARRAY_LEN(a->list); i++)
		a->list[i] = ALLOC_NO_ROW;
}

void alloc_fini(struct alloc *a)
{
	for (uint32_t i = 0; i < a->n_rows; i++)
		free(a->rows[i].map);
	free(a->rows);
	for (unsigned i = 0; i < RECORD_MEMBERS_MAX; i++)
		free(a->member[i].map);
	alloc_init(a, a->extent_bytes);
}

int alloc_add_member(struct alloc *a, unsigned index, uint32_t extents)
{
	struct alloc_member *m = &a->member[index];

	assert(!m->map);
	m->map = new_map(extents);
	if (!m->map)
		return -ENOMEM;
	m->extents = extents;
	m->free = extents;
	m->cursor = 0;
	m->usable = true;
	return 0;
}

static unsigned count_lost(const struct alloc *a, const struct alloc_row *r)
{
	unsigned lost = 0;

	for (unsigned i = 0; i < r->geometry.width; i++)
		lost += !a->member[r->member[i]].usable;
	return lost;
}

void alloc_set_usable(struct alloc *a, unsigned index, bool usable)
{
	a->member[index].usable = usable;
	for (uint32_t i = 0; i < a->n_rows; i++) {
		if (a->rows[i].state == ALLOC_ROW_NONE)
			continue;
		a->rows[i].lost = (uint8_t)count_lost(a, &a->rows[i]);
		relist(a, i);
	}
}

bool alloc_needs(const struct alloc *a, unsigned index, bool plain)
{
	for (uint32_t i = 0; i < a->n_rows; i++) {
		const struct alloc_row *r = &a->rows[i];
		unsigned tolerance;

		if (r->state != ALLOC_ROW_LIVE || !r->used)
			continue;
		tolerance = geometry_tolerance(r->geometry.profile);
		if (plain != (tolerance == 0) || r->lost < tolerance)
			continue;
		for (unsigned m = 0; m < r->geometry.width; m++)
			if (r->member[m] == index)
				return true;
	}
	return false;
}

bool alloc_protects(const struct alloc *a, unsigned index)
{
	for (uint32_t i = 0; i < a->n_rows; i++) {
		const struct alloc_row *r = &a->rows[i];

		if (r->state != ALLOC_ROW_LIVE || !r->used ||
		    !geometry_tolerance(r->geometry.profile))
			continue;
		for (unsigned m = 0; m < r->geometry.width; m++)
			if (r->member[m] == index)
				return true;
	}
	return false;
}

/* -- rows ----------------------------------------------------------------- */

static int grow_rows(struct alloc *a, uint32_t row)
{
	uint32_t n = a->n_rows ? a->n_rows : 16;
	struct alloc_row *rows;

	if (row < a->n_rows)
		return 0;
	while (n <= row)
		n *= 2;
	rows = realloc(a->rows, n * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	memset(rows + a->n_rows, 0, (n - a->n_rows) * sizeof(*rows));
	a->rows = rows;
	a->n_rows = n;
	return 0;
}

static int check_row(const struct alloc *a, const struct record_row *r)
{
	uint64_t chunks = geometry_chunks(&r->geometry, a->extent_bytes);

	if (r->row >= HANDOFF_POOL_ROWS || !chunks ||
	    chunks > 1u << ENTRY_INDEX_BITS)
		return -EINVAL;
	if (r->row < a->n_rows && a->rows[r->row].state != ALLOC_ROW_NONE)
		return -EEXIST;
	for (unsigned i = 0; i < r->geometry.width; i++) {
		const struct alloc_member *m = &a->member[r->drive[i]];

		if (!m->map || r->extent[i] >= m->extents)
			return -EINVAL;
		if (test_bit(m->map, r->extent[i]))
			return -EEXIST;
		for (unsigned j = 0; j < i; j++)
			if (r->drive[j] == r->drive[i])
				return -EINVAL;
	}
	return 0;
}

int alloc_add_row(struct alloc *a, const struct record_row *r)
{
	int err = check_row(a, r);
	struct alloc_row *row;
	uint64_t *map;

	if (!err)
		err = grow_rows(a, r->row);
	if (err)
		return err;
	row = &a->rows[r->row];
	*row = (struct alloc_row){
		.chunks = (uint32_t)geometry_chunks(&r->geometry,
		                                    a->extent_bytes),
		.geometry = r->geometry,
		.state = ALLOC_ROW_LIVE,
	};
	map = new_map(row->chunks);
	if (!map) {
		row->state = ALLOC_ROW_NONE;
		return -ENOMEM;
	}
	row->map = map;
	for (unsigned i = 0; i < r->geometry.width; i++) {
		row->member[i] = r->drive[i];
		row->extent[i] = r->extent[i];
		set_bit(a->member[r->drive[i]].map, r->extent[i]);
		a->member[r->drive[i]].free--;
	}
	row->lost = (uint8_t)count_lost(a, row);
	a->live++;
	a->free_chunk_bytes[profile_index(row->geometry.profile)] +=
		row->chunks * alloc_chunk_bytes(&row->geometry);
	relist(a, r->row);
	return 0;
}

static void taken(struct alloc *a, uint32_t row, uint32_t index)
{
	struct alloc_row *r = &a->rows[row];
	uint64_t bytes = alloc_chunk_bytes(&r->geometry);

	set_bit(r->map, index);
	r->used++;
	a->used_bytes += bytes;
	a->free_chunk_bytes[profile_index(r->geometry.profile)] -= bytes;
	if (r->used == r->chunks)
		relist(a, row);
}

int alloc_take(struct alloc *a, uint32_t row, uint32_t index)
{
	if (row >= a->n_rows || a->rows[row].state != ALLOC_ROW_LIVE ||
	    index >= a->rows[row].chunks)
		return -EINVAL;
	if (test_bit(a->rows[row].map, index))
		return -EEXIST;
	taken(a, row, index);
	return 0;
}

/* The usable members with free extents, those with the most first. */
static unsigned rank_members(const struct alloc *a,
                             uint16_t out[RECORD_MEMBERS_MAX])
{
	unsigned n = 0;

	for (uint16_t i = 0; i < RECORD_MEMBERS_MAX; i++) {
		unsigned at = n;

		if (!a->member[i].usable || !a->member[i].free)
			continue;
		for (;
		     at > 0 && a->member[out[at - 1]].free < a->member[i].free;
		     at--)
			out[at] = out[at - 1];
		out[at] = i;
		n++;
	}
	return n;
}

static int make_row(struct alloc *a, enum raid_profile profile)
{
	uint16_t ranked[RECORD_MEMBERS_MAX];
	struct record_row r;
	unsigned n = rank_members(a, ranked);

	if (geometry_choose(profile, n, &r.geometry))
		return -ENOSPC;
	while (a->row_hint < a->n_rows &&
	       a->rows[a->row_hint].state != ALLOC_ROW_NONE)
		a->row_hint++;
	r.row = a->row_hint;
	if (r.row >= HANDOFF_POOL_ROWS)
		return -ENOSPC;
	for (unsigned i = 0; i < r.geometry.width; i++) {
		struct alloc_member *m = &a->member[ranked[i]];

		r.drive[i] = ranked[i];
		r.extent[i] = find_clear(m->map, m->extents, &m->cursor);
	}
	return alloc_add_row(a, &r);
}

int alloc_chunk(struct alloc *a, enum raid_profile profile, uint32_t *row,
                uint32_t *index, bool *new_row)
{
	const uint32_t *list = &a->list[profile_index(profile) * 2];
	struct alloc_row *r;

	*new_row = false;
	if (list[0] == ALLOC_NO_ROW) {
		int err = make_row(a, profile);

		*new_row = !err;
		if (err && (err != -ENOSPC || list[1] == ALLOC_NO_ROW))
			return err;
	}
	*row = list[0] != ALLOC_NO_ROW ? list[0] : list[1];
	r = &a->rows[*row];
	*index = find_clear(r->map, r->chunks, &r->cursor);
	taken(a, *row, *index);
	return 0;
}

bool alloc_free(struct alloc *a, uint32_t row, uint32_t index)
{
	struct alloc_row *r = &a->rows[row];
	uint64_t bytes = alloc_chunk_bytes(&r->geometry);

	assert(row < a->n_rows && r->state == ALLOC_ROW_LIVE &&
	       index < r->chunks && test_bit(r->map, index));
	clear_bit(r->map, index);
	r->used--;
	a->used_bytes -= bytes;
	a->free_chunk_bytes[profile_index(r->geometry.profile)] += bytes;
	if (!r->used) {
		alloc_drain_row(a, row);
		return true;
	}
	relist(a, row);
	return false;
}

void alloc_drain_row(struct alloc *a, uint32_t row)
{
	struct alloc_row *r = &a->rows[row];

	assert(r->state == ALLOC_ROW_LIVE && !r->used);
	r->state = ALLOC_ROW_DRAINING;
	a->draining++;
	a->free_chunk_bytes[profile_index(r->geometry.profile)] -=
		r->chunks * alloc_chunk_bytes(&r->geometry);
	relist(a, row);
}

void alloc_release_row(struct alloc *a, uint32_t row)
{
	struct alloc_row *r = &a->rows[row];

	assert(r->state == ALLOC_ROW_DRAINING);
	for (unsigned i = 0; i < r->geometry.width; i++) {
		clear_bit(a->member[r->member[i]].map, r->extent[i]);
		a->member[r->member[i]].free++;
	}
	free(r->map);
	memset(r, 0, sizeof(*r));
	a->draining--;
	a->live--;
	if (row < a->row_hint)
		a->row_hint = row;
}

/* -- looking -------------------------------------------------------------- */

const struct alloc_row *alloc_row(const struct alloc *a, uint32_t row)
{
	return row < a->n_rows && a->rows[row].state != ALLOC_ROW_NONE
	               ? &a->rows[row]
	               : NULL;
}

void alloc_describe_row(const struct alloc *a, uint32_t row,
                        struct record_row *out)
{
	const struct alloc_row *r = &a->rows[row];

	out->row = row;
	out->geometry = r->geometry;
	memcpy(out->drive, r->member, sizeof(out->drive));
	memcpy(out->extent, r->extent, sizeof(out->extent));
}

uint64_t alloc_free_bytes(const struct alloc *a, enum raid_profile profile)
{
	uint64_t bytes = a->free_chunk_bytes[profile_index(profile)];

	for (unsigned i = 0; i < RECORD_MEMBERS_MAX; i++)
		if (a->member[i].usable)
			bytes += a->member[i].free * a->extent_bytes;
	return bytes;
}
