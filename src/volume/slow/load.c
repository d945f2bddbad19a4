/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/slow/load.h"

#include "base/base.h"
#include "volume/slow/slow_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#define STEP CHECKPOINT_STEP /* blocks read at a time */

static uint8_t *arena(const struct load *l, uint64_t offset)
{
	return l->pool->slow->h->arena + pool_arena(l->pool) + offset;
}

static const char *drive_name(const struct load *l, unsigned i)
{
	return l->pool->slow->h->drives[l->drive[i].drive].name;
}

static unsigned first_of(uint32_t set)
{
	return (unsigned)__builtin_ctz(set);
}

/* -- roots ---------------------------------------------------------------- */

static void add_damage(struct load_damage *d, const char *drive, int err)
{
	if (d->n < sizeof(d->text))
		d->n += (size_t)snprintf(d->text + d->n, sizeof(d->text) - d->n,
		                         "%s%s: %s", d->n ? ", " : "", drive,
		                         record_damage(err));
}

static int check_root(struct load *l, unsigned i, uint32_t slot,
                      struct meta_root *root, uint64_t *epoch)
{
	const uint8_t *block =
		arena(l, i * LABEL_ROOTS_LENGTH + slot * META_BLOCK);
	const struct record_place place = {
		.kind = META_ROOT,
		.where = l->pool->layout.root + slot * META_BLOCK,
		.pool = l->pool->uuid,
	};
	int err = record_verify(block, &place);

	if (!err)
		err = record_get_root(block, root);
	if (!err && le64_get(root->image_blocks) > l->pool->layout.image_blocks)
		err = -EINVAL;
	*epoch = record_epoch(block);
	return err;
}

static void choose_root(struct load *l, struct load_damage *damage)
{
	for (unsigned n = 0; n < l->n_drives * 2; n++) {
		unsigned i = n / 2, slot = n % 2;
		struct meta_root root;
		uint64_t epoch;
		int err = l->fan.failed >> i & 1
		                  ? -EIO
		                  : check_root(l, i, slot, &root, &epoch);

		if (err) {
			add_damage(damage, drive_name(l, i), err);
			continue;
		}
		if (!l->sources || epoch > l->epoch) {
			l->sources = 0;
			l->epoch = epoch;
			l->root = root;
			l->root_slot = slot;
		}
		if (epoch == l->epoch)
			l->sources |= 1u << i;
	}
}

static void read_next(struct load *l);

static void finish(struct load *l, int err)
{
	l->done(l, err);
}

static void roots_read(struct metaio_fan *f)
{
	struct load *l = container_of(f, struct load, fan);
	struct load_damage damage = { .n = 0 };

	choose_root(l, &damage);
	if (!l->sources) {
		finish(l,
		       err_set(&l->err, -EBADMSG,
		               "no drive has a root block that is whole (%s)",
		               damage.text));
		return;
	}
	l->log_epoch = l->epoch;
	l->source = first_of(l->sources);
	l->state = LOAD_IMAGE;
	read_next(l);
}

void load_start(struct load *l)
{
	bool members_only = l->apply.members_only;

	apply_init(&l->apply, l->pool);
	l->apply.members_only = members_only;
	l->state = LOAD_ROOTS;
	metaio_fan_begin(l->pool->slow, &l->fan, roots_read);
	for (unsigned i = 0; i < l->n_drives; i++) {
		const struct metaio_request q = {
			.op = BLOCK_READ,
			.drive = l->drive[i].drive,
			.offset = l->pool->layout.root,
			.length = LABEL_ROOTS_LENGTH,
			.arena = pool_arena(l->pool) + i * LABEL_ROOTS_LENGTH,
		};

		metaio_fan_add(&l->fan, i, &q);
	}
	metaio_fan_end(&l->fan);
}

/* -- image and log -------------------------------------------------------- */

static uint64_t where(const struct load *l, uint64_t n)
{
	const struct layout *at = &l->pool->layout;

	return l->state == LOAD_IMAGE
	               ? at->image[le32_get(l->root.image)] + n * META_BLOCK
	               : metalog_where(l->pool, n);
}

static void blocks_read(struct metaio_request *q, int err);

/* Read up to `max` blocks from l->at on, as far as they lie together. */
static void read_blocks(struct load *l, uint64_t max)
{
	const struct layout *at = &l->pool->layout;
	uint64_t limit = l->state == LOAD_IMAGE
	                         ? le64_get(l->root.image_blocks) - l->at
	                         : at->log_blocks - l->at % at->log_blocks;

	l->have = max < limit ? max : limit;
	l->buffer = 0;
	l->request = (struct metaio_request){
		.done = blocks_read,
		.op = BLOCK_READ,
		.drive = l->drive[l->source].drive,
		.offset = where(l, l->at),
		.length = l->have * META_BLOCK,
		.arena = pool_arena(l->pool),
	};
	metaio_submit(l->pool->slow, &l->request);
}

static void read_next(struct load *l)
{
	bool one = l->apply.members_only;

	l->tried = 0;
	l->source = first_of(l->sources);
	read_blocks(l, one ? 1 : STEP);
}

static int verify(const struct load *l, const uint8_t *block)
{
	const struct record_place place = {
		.kind = l->state == LOAD_IMAGE ? META_IMAGE : META_LOG,
		.where = where(l, l->at),
		.epoch = l->log_epoch,
		.seq = l->at,
		.pool = l->pool->uuid,
	};
	int err = record_verify(block, &place);

	/* the image of another checkpoint, written over this one */
	if (!err && l->state == LOAD_IMAGE && record_epoch(block) != l->epoch)
		err = -ESTALE;
	return err;
}

static void image_lost(struct load *l, int err)
{
	finish(l, err_set(&l->err, err,
	                  "block %ju of the image, at byte %ju, is damaged on "
	                  "every drive that has it (%s)",
	                  (uintmax_t)l->at, (uintmax_t)where(l, l->at),
	                  l->damage.text));
}

/* A drive that has lost its root may still have the block. */
static uint32_t all_drives(const struct load *l)
{
	return (uint32_t)((UINT64_C(1) << l->n_drives) - 1);
}

static void read_tail(struct load *l);

/* No block l->at where we look: try the next source. */
static void try_next(struct load *l, int err)
{
	uint32_t left;

	if (!l->tried)
		l->damage.n = 0;
	add_damage(&l->damage, drive_name(l, l->source), err);
	l->tried |= 1u << l->source;
	left = all_drives(l) & ~l->tried;
	if (left) {
		l->source = first_of(left);
		read_blocks(l, 1);
		return;
	}
	if (l->state == LOAD_IMAGE) {
		image_lost(l, err);
		return;
	}
	l->log_end = l->at;
	l->state = LOAD_TAIL;
	l->tried = 0;
	l->source = first_of(l->sources);
	read_tail(l);
}

static bool image_ends(struct load *l)
{
	return l->state == LOAD_IMAGE &&
	       (l->at == le64_get(l->root.image_blocks) ||
	        l->apply.members_only);
}

static void blocks_read(struct metaio_request *q, int err)
{
	struct load *l = container_of(q, struct load, request);

	while (!err && l->have) {
		const uint8_t *block = arena(l, l->buffer);
		int bad = verify(l, block);

		if (bad) {
			try_next(l, bad);
			return;
		}
		l->log_epoch = l->state == LOAD_LOG ? record_epoch(block)
		                                    : l->log_epoch;
		if (apply_block(&l->apply, block, &l->err)) {
			finish(l, l->err.code);
			return;
		}
		l->tried = 0;
		l->at++;
		l->have--;
		l->buffer += META_BLOCK;
	}
	if (err) {
		try_next(l, err);
		return;
	}
	if (image_ends(l)) {
		l->at = le64_get(l->root.log_seq);
		l->log_end = l->at;
		if (l->apply.members_only) {
			finish(l, 0);
			return;
		}
		l->state = LOAD_LOG;
	}
	read_next(l);
}

/* -- the tail ------------------------------------------------------------- */

static void tail_read(struct metaio_request *q, int err);

/* Blocks from the end on, on one source: more than a commit has. */
static void read_tail(struct load *l)
{
	const struct layout *at = &l->pool->layout;
	uint64_t left = l->log_end + METALOG_BATCH + METALOG_EXTRA + 1 - l->at;
	uint64_t limit = at->log_blocks - l->at % at->log_blocks;

	l->have = left < limit ? left : limit;
	l->request = (struct metaio_request){
		.done = tail_read,
		.op = BLOCK_READ,
		.drive = l->drive[l->source].drive,
		.offset = metalog_where(l->pool, l->at),
		.length = l->have * META_BLOCK,
		.arena = pool_arena(l->pool),
	};
	metaio_submit(l->pool->slow, &l->request);
}

/* @return whether this block, where number `n` belongs, says that there was
 * more log than was found. */
static bool contradicts(const struct load *l, const uint8_t *block, uint64_t n)
{
	const struct record_place place = {
		.kind = META_LOG,
		.where = metalog_where(l->pool, n),
		.epoch = l->log_epoch,
		.seq = record_seq(block),
		.pool = l->pool->uuid,
	};

	if (record_verify(block, &place))
		return false;
	return place.seq > n || (place.seq == n && n > l->log_end &&
	                         record_first(block) > l->log_end);
}

static void tail_read(struct metaio_request *q, int err)
{
	struct load *l = container_of(q, struct load, request);

	for (uint64_t i = 0; !err && i < l->have; i++) {
		if (!contradicts(l, arena(l, i * META_BLOCK), l->at + i))
			continue;
		finish(l, err_set(&l->err, -EBADMSG,
		                  "block %ju of the log, at byte %ju, is "
		                  "damaged on every drive that has it (%s), "
		                  "and there are later ones (%ju on %s)",
		                  (uintmax_t)l->log_end,
		                  (uintmax_t)metalog_where(l->pool, l->log_end),
		                  l->damage.text, (uintmax_t)(l->at + i),
		                  drive_name(l, l->source)));
		return;
	}
	l->at += err ? METALOG_BATCH + METALOG_EXTRA + 1 : l->have;
	if (l->at > l->log_end + METALOG_BATCH + METALOG_EXTRA) {
		l->tried |= 1u << l->source;
		if (!(all_drives(l) & ~l->tried)) {
			finish(l, 0);
			return;
		}
		l->source = first_of(all_drives(l) & ~l->tried);
		l->at = l->log_end;
	}
	read_tail(l);
}
