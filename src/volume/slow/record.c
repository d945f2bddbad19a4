/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/slow/record.h"

#include "base/base.h"
#include "base/crc.h"

#include <assert.h>
#include <errno.h>

#define CRC_START offsetof(struct meta_header, kind)

/* -- blocks --------------------------------------------------------------- */

static uint32_t block_crc(const void *block)
{
	const uint8_t *p = block;

	return base_crc32c(0, p + CRC_START, META_BLOCK - CRC_START);
}

void record_seal(void *block, const struct record_place *is, uint32_t used)
{
	struct meta_header *h = block;
	uint8_t *content = (uint8_t *)block + sizeof(*h);

	assert(used <= META_CONTENT);
	memset(h, 0, sizeof(*h));
	memset(content + used, 0, META_CONTENT - used);
	h->kind = le16_put((uint16_t)is->kind);
	h->format = le16_put(META_FORMAT);
	h->where = le64_put(is->where);
	h->epoch = le64_put(is->epoch);
	h->seq = le64_put(is->seq);
	h->first = le64_put(is->first);
	memcpy(h->pool, is->pool, sizeof(h->pool));
	h->used = le32_put(used);
	h->crc = le32_put(block_crc(block));
}

int record_verify(const void *block, const struct record_place *want)
{
	const struct meta_header *h = block;

	if (le32_get(h->crc) != block_crc(block))
		return -EBADMSG;
	if (memcmp(h->pool, want->pool, sizeof(h->pool)) != 0)
		return -EXDEV;
	if (le16_get(h->format) != META_FORMAT ||
	    le16_get(h->kind) != want->kind ||
	    le64_get(h->where) != want->where)
		return -EILSEQ;
	if (le64_get(h->epoch) < want->epoch || le64_get(h->seq) != want->seq)
		return -ESTALE;
	return 0;
}

static const struct {
	int err;
	const char *name;
} damages[] = {
	{ -EBADMSG, "rot" },      { -EXDEV, "foreign" },
	{ -EILSEQ, "misplaced" }, { -ESTALE, "stale" },
	{ -EINVAL, "malformed" },
};

const char *record_damage(int err)
{
	for (size_t i = 0; i < ARRAY_LEN(damages); i++)
		if (damages[i].err == err)
			return damages[i].name;
	return "unreadable";
}

uint64_t record_epoch(const void *block)
{
	return le64_get(((const struct meta_header *)block)->epoch);
}

uint64_t record_seq(const void *block)
{
	return le64_get(((const struct meta_header *)block)->seq);
}

uint64_t record_first(const void *block)
{
	return le64_get(((const struct meta_header *)block)->first);
}

int record_get_root(const void *block, struct meta_root *out)
{
	const struct meta_header *h = block;
	struct meta_root root;

	if (le32_get(h->used) != sizeof(root))
		return -EINVAL;
	memcpy(&root, (const uint8_t *)block + sizeof(*h), sizeof(root));
	if (le32_get(root.image) > 1 || !le32_get(root.n_drives) ||
	    le32_get(root.n_drives) > RECORD_MEMBERS_MAX ||
	    !le64_get(root.image_blocks))
		return -EINVAL;
	*out = root;
	return 0;
}

uint32_t record_put_root(void *block, const struct meta_root *root)
{
	memcpy((uint8_t *)block + sizeof(struct meta_header), root,
	       sizeof(*root));
	return sizeof(*root);
}

/* -- decode --------------------------------------------------------------- */

static bool all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

bool record_name_valid(const char *name)
{
	size_t n = strnlen(name, HANDOFF_NAME);

	if (n == 0 || n >= HANDOFF_NAME || name[0] == '.' || name[0] == '-')
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = name[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
			return false;
	}
	return true;
}

static int get_pool(const void *p, uint32_t n, struct record *out)
{
	const struct meta_pool *m = p;

	if (n != sizeof(*m))
		return -EINVAL;
	out->pool.generation = le64_get(m->generation);
	out->pool.next_volume_id = le64_get(m->next_volume_id);
	return 0;
}

static int get_drive(const void *p, uint32_t n, struct record *out)
{
	const struct meta_drive *m = p;
	struct record_drive *d = &out->drive;

	if (n != sizeof(*m) || !all_zero(m->zero, sizeof(m->zero)) ||
	    le32_get(m->zero2))
		return -EINVAL;
	d->index = le16_get(m->index);
	d->state = m->state;
	d->size = le64_get(m->size);
	d->extents = le32_get(m->extents);
	memcpy(d->uuid, m->uuid, sizeof(d->uuid));
	if (d->index >= RECORD_MEMBERS_MAX ||
	    (d->state != HANDOFF_ONLINE && d->state != HANDOFF_FAILED) ||
	    d->extents > RECORD_EXTENTS_MAX)
		return -EINVAL;
	return 0;
}

static int get_row(const void *p, uint32_t n, struct record *out)
{
	const struct meta_row *m = p;
	const struct meta_member *members = (const void *)(m + 1);
	struct record_row *r = &out->row;

	if (n < sizeof(*m))
		return -EINVAL;
	r->row = le32_get(m->row);
	r->geometry = (struct geometry){
		.profile = (enum raid_profile)m->profile,
		.width = m->width,
		.data = m->data,
		.strip_shift = m->strip_shift,
	};
	if (r->row >= HANDOFF_POOL_ROWS || !geometry_valid(&r->geometry) ||
	    m->width > HANDOFF_WIDTH ||
	    n != sizeof(*m) + m->width * sizeof(*members))
		return -EINVAL;
	for (unsigned i = 0; i < m->width; i++) {
		r->drive[i] = le16_get(members[i].drive);
		r->extent[i] = le32_get(members[i].extent);
		if (r->drive[i] >= RECORD_MEMBERS_MAX ||
		    le16_get(members[i].zero) ||
		    r->extent[i] >= RECORD_EXTENTS_MAX)
			return -EINVAL;
		for (unsigned j = 0; j < i; j++)
			if (r->drive[j] == r->drive[i])
				return -EINVAL;
	}
	return 0;
}

static int get_row_free(const void *p, uint32_t n, struct record *out)
{
	const struct meta_row_free *m = p;

	if (n != sizeof(*m) || le32_get(m->row) >= HANDOFF_POOL_ROWS)
		return -EINVAL;
	out->row_free = le32_get(m->row);
	return 0;
}

static int get_volume(const void *p, uint32_t n, struct record *out)
{
	const struct meta_volume *m = p;
	struct record_volume *v = &out->volume;

	if (n < sizeof(*m) || m->name_length >= HANDOFF_NAME ||
	    n != sizeof(*m) + m->name_length ||
	    !all_zero(m->zero, sizeof(m->zero)))
		return -EINVAL;
	v->id = le64_get(m->id);
	v->size = le64_get(m->size);
	v->profile = m->profile;
	memcpy(v->uuid, m->uuid, sizeof(v->uuid));
	memcpy(v->name, m + 1, m->name_length);
	v->name[m->name_length] = 0;
	if (!v->size || v->size % META_BLOCK ||
	    v->size > RECORD_VOLUME_BYTES_MAX ||
	    !geometry_profile_name(v->profile) || !record_name_valid(v->name) ||
	    strlen(v->name) != m->name_length)
		return -EINVAL;
	return 0;
}

static int get_volume_delete(const void *p, uint32_t n, struct record *out)
{
	const struct meta_volume_delete *m = p;

	if (n != sizeof(*m))
		return -EINVAL;
	out->volume_delete = le64_get(m->id);
	return 0;
}

/* What may be on a drive; the row's own limits are checked when it is known. */
static bool entry_valid(uint64_t e)
{
	return !e ||
	       e == entry_make(ENTRY_MAPPED, entry_row(e), entry_index(e));
}

static int get_map(const void *p, uint32_t n, struct record *out)
{
	const struct meta_map *m = p;
	size_t item =
		out->type == META_MAP ? sizeof(le64) : sizeof(struct meta_pair);
	struct record_map *r = &out->map;

	static_assert(sizeof(struct meta_map) == sizeof(struct meta_sparse) &&
	                      offsetof(struct meta_map, count) ==
	                              offsetof(struct meta_sparse, count),
	              "both kinds start alike");
	if (n < sizeof(*m) || !all_zero(m->zero, sizeof(m->zero)))
		return -EINVAL;
	r->volume = le64_get(m->volume);
	r->first = le64_get(m->first);
	r->count = le16_get(m->count);
	r->items = m + 1;
	if (!r->count || n != sizeof(*m) + r->count * item ||
	    r->first >= RECORD_VOLUME_BYTES_MAX >> CHUNK_SHIFT ||
	    (out->type == META_SPARSE && (uint32_t)r->first))
		return -EINVAL;
	for (unsigned i = 0; i < r->count; i++) {
		uint64_t chunk, entry;

		record_item(out, i, &chunk, &entry);
		if (!entry_valid(entry) ||
		    chunk >= RECORD_VOLUME_BYTES_MAX >> CHUNK_SHIFT)
			return -EINVAL;
	}
	return 0;
}

typedef int (*get_fn)(const void *p, uint32_t n, struct record *out);

static const get_fn getters[] = {
	[META_POOL] = get_pool,     [META_DRIVE] = get_drive,
	[META_ROW] = get_row,       [META_ROW_FREE] = get_row_free,
	[META_VOLUME] = get_volume, [META_VOLUME_DELETE] = get_volume_delete,
	[META_MAP] = get_map,       [META_SPARSE] = get_map,
};
static_assert(ARRAY_LEN(getters) == META_RECORD_TYPES, "decode every type");

void record_item(const struct record *r, unsigned i, uint64_t *chunk,
                 uint64_t *entry)
{
	if (r->type == META_MAP) {
		*chunk = r->map.first + i;
		*entry = le64_get(((const le64 *)r->map.items)[i]);
	} else {
		const struct meta_pair *pair = r->map.items;

		*chunk = r->map.first + le32_get(pair[i].chunk);
		*entry = le64_get(pair[i].entry);
	}
}

int record_open(struct record_reader *r, const void *block)
{
	const struct meta_header *h = block;
	uint32_t used = le32_get(h->used);

	if (used > META_CONTENT)
		return -EINVAL;
	r->at = (const uint8_t *)block + sizeof(*h);
	r->left = used;
	return 0;
}

int record_next(struct record_reader *r, struct record *out)
{
	const struct meta_record *m = (const void *)r->at;
	uint32_t length;
	int err;

	if (!r->left)
		return 0;
	if (r->left < sizeof(*m))
		return -EINVAL;
	length = le16_get(m->length);
	if (m->flags || m->type >= META_RECORD_TYPES || !getters[m->type] ||
	    length > r->left - sizeof(*m))
		return -EINVAL;
	out->type = (enum meta_record_type)m->type;
	err = getters[m->type](m + 1, length, out);
	if (err)
		return err;
	r->at += sizeof(*m) + length;
	r->left -= (uint32_t)sizeof(*m) + length;
	return 1;
}

/* -- encode --------------------------------------------------------------- */

static uint32_t body_length(const struct record *r)
{
	switch (r->type) {
	case META_POOL:
		return sizeof(struct meta_pool);
	case META_DRIVE:
		return sizeof(struct meta_drive);
	case META_ROW:
		return (uint32_t)(sizeof(struct meta_row) +
		                  r->row.geometry.width *
		                          sizeof(struct meta_member));
	case META_ROW_FREE:
		return sizeof(struct meta_row_free);
	case META_VOLUME:
		return (uint32_t)(sizeof(struct meta_volume) +
		                  strlen(r->volume.name));
	case META_VOLUME_DELETE:
		return sizeof(struct meta_volume_delete);
	case META_MAP:
		return (uint32_t)(sizeof(struct meta_map) +
		                  r->map.count * sizeof(le64));
	case META_SPARSE:
		return (uint32_t)(sizeof(struct meta_sparse) +
		                  r->map.count * sizeof(struct meta_pair));
	case META_RECORD_TYPES:
		break;
	}
	assert(0);
	return 0;
}

uint32_t record_length(const struct record *r)
{
	return (uint32_t)sizeof(struct meta_record) + body_length(r);
}

static void put_drive(struct meta_drive *m, const struct record_drive *d)
{
	*m = (struct meta_drive){
		.index = le16_put(d->index),
		.state = d->state,
		.size = le64_put(d->size),
		.extents = le32_put(d->extents),
	};
	memcpy(m->uuid, d->uuid, sizeof(m->uuid));
}

static void put_row(struct meta_row *m, const struct record_row *r)
{
	struct meta_member *members = (void *)(m + 1);

	*m = (struct meta_row){
		.row = le32_put(r->row),
		.profile = (uint8_t)r->geometry.profile,
		.width = r->geometry.width,
		.data = r->geometry.data,
		.strip_shift = r->geometry.strip_shift,
	};
	for (unsigned i = 0; i < r->geometry.width; i++)
		members[i] = (struct meta_member){
			.drive = le16_put(r->drive[i]),
			.extent = le32_put(r->extent[i]),
		};
}

static void put_volume(struct meta_volume *m, const struct record_volume *v)
{
	size_t n = strlen(v->name);

	*m = (struct meta_volume){
		.id = le64_put(v->id),
		.size = le64_put(v->size),
		.profile = v->profile,
		.name_length = (uint8_t)n,
	};
	memcpy(m->uuid, v->uuid, sizeof(m->uuid));
	memcpy(m + 1, v->name, n);
}

static void put_map(struct meta_map *m, const struct record_map *r,
                    uint32_t bytes)
{
	*m = (struct meta_map){
		.volume = le64_put(r->volume),
		.first = le64_put(r->first),
		.count = le16_put(r->count),
	};
	memcpy(m + 1, r->items, bytes - sizeof(*m));
}

uint32_t record_put(void *block, uint32_t used, const struct record *r)
{
	uint32_t length = body_length(r);
	uint8_t *at = (uint8_t *)block + sizeof(struct meta_header) + used;
	struct meta_record *m = (void *)at;
	void *body = m + 1;

	assert(used + sizeof(*m) + length <= META_CONTENT);
	*m = (struct meta_record){ .type = (uint8_t)r->type,
		                   .length = le16_put((uint16_t)length) };
	switch (r->type) {
	case META_POOL:
		*(struct meta_pool *)body = (struct meta_pool){
			.generation = le64_put(r->pool.generation),
			.next_volume_id = le64_put(r->pool.next_volume_id),
		};
		break;
	case META_DRIVE:
		put_drive(body, &r->drive);
		break;
	case META_ROW:
		put_row(body, &r->row);
		break;
	case META_ROW_FREE:
		((struct meta_row_free *)body)->row = le32_put(r->row_free);
		break;
	case META_VOLUME:
		put_volume(body, &r->volume);
		break;
	case META_VOLUME_DELETE:
		((struct meta_volume_delete *)body)->id =
			le64_put(r->volume_delete);
		break;
	case META_MAP:
	case META_SPARSE:
		put_map(body, &r->map, length);
		break;
	case META_RECORD_TYPES:
		assert(0);
	}
	return used + (uint32_t)sizeof(*m) + length;
}
