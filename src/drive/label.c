/* SPDX-License-Identifier: BSD-2-Clause */
#include "drive/label.h"

#include "base/base.h"
#include "base/crc.h"

#include <assert.h>
#include <errno.h>

#define CRC_START offsetof(struct label_wire, kind)

/* -- meaning -------------------------------------------------------------- */

static bool is_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static int check_identity(const struct label *l, struct err *e)
{
	size_t n = strnlen(l->pool_name, LABEL_NAME);

	if (n == 0 || n == LABEL_NAME)
		return err_set(e, -EINVAL,
		               "a pool's name has 1 to %u characters",
		               LABEL_NAME - 1);
	for (size_t i = 0; i < n; i++)
		if (l->pool_name[i] <= ' ' || l->pool_name[i] > '~')
			return err_set(e, -EINVAL,
			               "a pool's name is made of visible "
			               "ASCII characters");
	if (is_zero(l->pool_uuid, 16) || is_zero(l->drive_uuid, 16))
		return err_set(e, -EINVAL, "a label has no uuid");
	if (l->generation == 0)
		return err_set(e, -EINVAL, "generations start at 1");
	if (l->index >= l->drives)
		return err_set(e, -EINVAL, "drive %u of %u", l->index,
		               l->drives);
	return 0;
}

/* Whole blocks inside [LABEL_BLOCK, limit). */
static bool lies_inside(const struct label_area *a, uint64_t limit)
{
	return a->length > 0 &&
	       ((a->offset | a->length) & (LABEL_BLOCK - 1)) == 0 &&
	       a->offset >= LABEL_BLOCK && a->offset <= limit &&
	       a->length <= limit - a->offset;
}

static bool overlap(const struct label_area *a, const struct label_area *b)
{
	return a->offset < b->offset + b->length &&
	       b->offset < a->offset + a->length;
}

static bool has_metadata(const struct label *l)
{
	return l->roots || l->log.offset || l->log.length ||
	       l->image[0].offset || l->image[0].length || l->image[1].offset ||
	       l->image[1].length;
}

static int check_areas(const struct label *l, struct err *e)
{
	static const char *const names[] = { "data", "roots", "log", "image 0",
		                             "image 1" };
	struct label_area areas[] = { { l->data_offset, 0 },
		                      { l->roots, LABEL_ROOTS_LENGTH },
		                      l->log,
		                      l->image[0],
		                      l->image[1] };
	uint64_t limit = label_second(l->drive_size);
	unsigned n = has_metadata(l) ? ARRAY_LEN(areas) : 1;

	if (l->extent_size == 0 || l->extents > limit / l->extent_size)
		return err_set(
			e, -EINVAL, "%ju extents of %ju bytes do not fit",
			(uintmax_t)l->extents, (uintmax_t)l->extent_size);
	if (l->extent_size & (LABEL_BLOCK - 1))
		return err_set(e, -EINVAL,
		               "an extent is a multiple of %u bytes",
		               LABEL_BLOCK);
	areas[0].length = l->extents * l->extent_size;
	for (unsigned i = 0; i < n; i++) {
		if (!lies_inside(&areas[i], limit))
			return err_set(e, -EINVAL,
			               "the area for %s does not lie on whole "
			               "blocks between the labels",
			               names[i]);
		for (unsigned k = 0; k < i; k++)
			if (overlap(&areas[i], &areas[k]))
				return err_set(e, -EINVAL,
				               "the areas for %s and %s "
				               "overlap",
				               names[k], names[i]);
	}
	return 0;
}

int label_check(const struct label *l, struct err *e)
{
	int err = check_identity(l, e);

	if (!err && l->drive_size < LABEL_DRIVE_MIN)
		err = err_set(e, -EINVAL, "a drive has at least %ju bytes",
		              (uintmax_t)LABEL_DRIVE_MIN);
	return err ? err : check_areas(l, e);
}

/* -- bytes ---------------------------------------------------------------- */

static uint32_t block_crc(const uint8_t *block)
{
	return base_crc32c(0, block + CRC_START, LABEL_BLOCK - CRC_START);
}

static struct label_area_wire area_put(struct label_area a)
{
	struct label_area_wire w = { le64_put(a.offset), le64_put(a.length) };

	return w;
}

static struct label_area area_get(struct label_area_wire w)
{
	struct label_area a = { le64_get(w.offset), le64_get(w.length) };

	return a;
}

void label_encode(const struct label *l, uint64_t where,
                  uint8_t block[LABEL_BLOCK])
{
	struct label_wire *w = (struct label_wire *)block;

	assert(label_check(l, NULL) == 0);
	memset(w, 0, sizeof(*w));
	w->kind = le16_put(LABEL_KIND);
	w->format = le16_put(LABEL_FORMAT);
	w->where = le64_put(where);
	memcpy(w->magic, LABEL_MAGIC, sizeof(w->magic));
	w->generation = le64_put(l->generation);
	memcpy(w->pool_uuid, l->pool_uuid, sizeof(w->pool_uuid));
	memcpy(w->drive_uuid, l->drive_uuid, sizeof(w->drive_uuid));
	/* Bytes after the NUL would be somebody's memory. */
	memcpy(w->pool_name, l->pool_name, strlen(l->pool_name));
	w->created = le64_put(l->created);
	w->drive_size = le64_put(l->drive_size);
	w->extent_size = le64_put(l->extent_size);
	w->data_offset = le64_put(l->data_offset);
	w->extents = le64_put(l->extents);
	w->roots = le64_put(l->roots);
	w->log = area_put(l->log);
	w->image[0] = area_put(l->image[0]);
	w->image[1] = area_put(l->image[1]);
	w->index = le16_put(l->index);
	w->drives = le16_put(l->drives);
	w->crc = le32_put(block_crc(block));
}

static void decode_fields(const struct label_wire *w, struct label *l)
{
	memset(l, 0, sizeof(*l));
	l->generation = le64_get(w->generation);
	memcpy(l->pool_uuid, w->pool_uuid, sizeof(l->pool_uuid));
	memcpy(l->drive_uuid, w->drive_uuid, sizeof(l->drive_uuid));
	memcpy(l->pool_name, w->pool_name, sizeof(l->pool_name));
	l->created = le64_get(w->created);
	l->drive_size = le64_get(w->drive_size);
	l->extent_size = le64_get(w->extent_size);
	l->data_offset = le64_get(w->data_offset);
	l->extents = le64_get(w->extents);
	l->roots = le64_get(w->roots);
	l->log = area_get(w->log);
	l->image[0] = area_get(w->image[0]);
	l->image[1] = area_get(w->image[1]);
	l->index = le16_get(w->index);
	l->drives = le16_get(w->drives);
}

/* One meaning has one encoding: what is unused is zero. */
static bool is_canonical(const struct label_wire *w)
{
	size_t n = strnlen((const char *)w->pool_name, LABEL_NAME);

	return is_zero(w->pool_name + n, LABEL_NAME - n) &&
	       is_zero(w->zero, sizeof(w->zero));
}

int label_decode(const uint8_t block[LABEL_BLOCK], uint64_t where,
                 struct label *out)
{
	const struct label_wire *w = (const struct label_wire *)block;
	struct label l;

	if (memcmp(w->magic, LABEL_MAGIC, sizeof(w->magic)) != 0)
		return -ENOENT;
	if (le32_get(w->crc) != block_crc(block))
		return -EBADMSG;
	if (le16_get(w->kind) != LABEL_KIND || le64_get(w->where) != where)
		return -EILSEQ;
	if (le16_get(w->format) > LABEL_FORMAT)
		return -EPROTONOSUPPORT;
	decode_fields(w, &l);
	if (le16_get(w->format) != LABEL_FORMAT || !is_canonical(w) ||
	    label_check(&l, NULL))
		return -EBADMSG;
	*out = l;
	return 0;
}

const char *label_error(int err)
{
	switch (err) {
	case 0:
		return "good";
	case -ENOENT:
		return "blank";
	case -EBADMSG:
		return "rotten (wrong checksum or content)";
	case -EILSEQ:
		return "misplaced (written for another place)";
	case -EPROTONOSUPPORT:
		return "of a newer format";
	default:
		return "unreadable";
	}
}

/* -- two copies ----------------------------------------------------------- */

static int graver(int a, int b)
{
	static const int order[] = { -EPROTONOSUPPORT, -EBADMSG, -EILSEQ };

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return -ENOENT;
}

int label_choose(const uint8_t *first, const uint8_t *second,
                 uint64_t drive_size, struct label *out, bool *repair)
{
	uint64_t where = label_second(drive_size);
	struct label a, b;
	int err_a = first ? label_decode(first, 0, &a) : -EBADMSG;
	int err_b = second ? label_decode(second, where, &b) : -EBADMSG;
	uint8_t again[LABEL_BLOCK];

	if (err_a == -EPROTONOSUPPORT || err_b == -EPROTONOSUPPORT)
		return -EPROTONOSUPPORT;
	if (err_a && err_b)
		return graver(err_a, err_b);
	if (err_a || err_b) {
		*out = err_a ? b : a;
		*repair = true;
		return 0;
	}
	*out = b.generation > a.generation ? b : a;
	/* Equal copies differ only in what depends on their place. */
	label_encode(&a, where, again);
	*repair = memcmp(again, second, LABEL_BLOCK) != 0;
	return 0;
}
