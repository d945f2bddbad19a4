/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/slow/label_io.h"

#include "base/base.h"
#include "core/log.h"
#include "volume/slow/slow_priv.h"

#include <errno.h>

/* -- writing -------------------------------------------------------------- */

static uint64_t copy_offset(unsigned copy, uint64_t size)
{
	return copy ? label_second(size) : 0;
}

static void fill(const struct pool *p, unsigned index, struct label *l)
{
	const struct layout *at = &p->layout;
	const struct member *m = &p->member[index];

	*l = (struct label){
		.generation = p->generation,
		.created = p->created,
		.drive_size = m->size,
		.extent_size = at->extent_bytes,
		.data_offset = at->data_start,
		.extents = m->extents,
		.roots = at->root,
		.log = { at->log, at->log_blocks * META_BLOCK },
		.image = { { at->image[0], at->image_blocks * META_BLOCK },
		           { at->image[1], at->image_blocks * META_BLOCK } },
		.index = (uint16_t)index,
		/* one that is about to join is not counted yet */
		.drives = (uint16_t)(index < p->n_members ? p->n_members
		                                          : index + 1),
	};
	memcpy(l->pool_uuid, p->uuid, sizeof(l->pool_uuid));
	memcpy(l->drive_uuid, m->uuid, sizeof(l->drive_uuid));
	memcpy(l->pool_name, p->name, sizeof(l->pool_name));
}

void label_io_write(struct pool *p, uint32_t members, unsigned round,
                    struct metaio_fan *f, void (*done)(struct metaio_fan *f))
{
	metaio_fan_begin(p->slow, f, done);
	for (unsigned i = 0; i < RECORD_MEMBERS_MAX; i++) {
		struct metaio_request q = {
			.op = BLOCK_WRITE,
			.flags = BLOCK_FUA,
			.drive = p->member[i].slot,
			.offset = copy_offset(1 - round, p->member[i].size),
			.length = LABEL_BLOCK,
			.arena = pool_arena(p) + POOL_ARENA_LABELS +
			         i * LABEL_BLOCK,
		};
		struct label l;

		if (!(members >> i & 1))
			continue;
		fill(p, i, &l);
		label_encode(&l, q.offset, p->slow->h->arena + q.arena);
		metaio_fan_add(f, i, &q);
	}
	metaio_fan_end(f);
}

void label_io_write_all(struct pool *p, unsigned round, struct metaio_fan *f,
                        void (*done)(struct metaio_fan *f))
{
	label_io_write(p, member_online(p), round, f, done);
}

/* -- reading -------------------------------------------------------------- */

static uint64_t drive_arena(uint16_t drive)
{
	return METAIO_POOL_BYTES * HANDOFF_POOLS + drive * METAIO_DRIVE_BYTES;
}

static void read_done(struct metaio_request *q, int err);

static void read_round(struct label_io_scan *scan)
{
	scan->left = scan->n;
	for (unsigned i = 0; i < scan->n; i++) {
		struct label_io_drive *d = &scan->drive[i];
		uint64_t size = scan->slow->h->drives[d->drive].size;

		d->request = (struct metaio_request){
			.done = read_done,
			.op = BLOCK_READ,
			.drive = d->drive,
			.offset = copy_offset(scan->round, size),
			.length = LABEL_BLOCK,
			.arena = drive_arena(d->drive),
		};
		metaio_submit(scan->slow, &d->request);
	}
}

/* The other copy counts, and this one will be written again. */
static void log_bad_copies(const struct label_io_scan *scan,
                           const struct label_io_drive *d)
{
	const struct handoff_drive *shared = &scan->slow->h->drives[d->drive];
	struct label l;

	for (unsigned i = 0; i < 2; i++) {
		uint64_t at = copy_offset(i, shared->size);
		int err = d->read[i] ? label_decode(d->copy[i], at, &l) : -EIO;

		if (err)
			log_event(
				LOG_LEVEL_WARN, "a copy of a label is no good",
				"drive=%s offset=%ju damage=\"%s\"",
				shared->name, (uintmax_t)at, label_error(err));
	}
}

static void choose(struct label_io_scan *scan)
{
	for (unsigned i = 0; i < scan->n; i++) {
		struct label_io_drive *d = &scan->drive[i];

		if (!d->read[0] && !d->read[1])
			d->err = -EIO;
		else
			d->err = label_choose(
				d->read[0] ? d->copy[0] : NULL,
				d->read[1] ? d->copy[1] : NULL,
				scan->slow->h->drives[d->drive].size, &d->label,
				&d->repair);
		if (!d->err && d->repair)
			log_bad_copies(scan, d);
	}
	scan->done(scan);
}

static void read_done(struct metaio_request *q, int err)
{
	struct label_io_drive *d =
		container_of(q, struct label_io_drive, request);
	struct label_io_scan *scan = d->scan;

	d->read[scan->round] = !err;
	if (!err)
		memcpy(d->copy[scan->round],
		       scan->slow->h->arena + drive_arena(d->drive),
		       LABEL_BLOCK);
	if (--scan->left > 0)
		return;
	if (++scan->round < LABEL_IO_COPIES)
		read_round(scan);
	else
		choose(scan);
}

static void scan_nothing(struct task *t)
{
	struct label_io_scan *scan =
		container_of(t, struct label_io_scan, task);

	scan->done(scan);
}

struct label_io_scan *label_io_read(struct slow *s, const uint16_t *drives,
                                    unsigned n,
                                    void (*done)(struct label_io_scan *s),
                                    void *arg)
{
	struct label_io_scan *scan =
		calloc(1, sizeof(*scan) + n * sizeof(scan->drive[0]));

	if (!scan)
		return NULL;
	scan->slow = s;
	scan->done = done;
	scan->arg = arg;
	scan->n = n;
	for (unsigned i = 0; i < n; i++) {
		scan->drive[i].drive = drives[i];
		scan->drive[i].scan = scan;
	}
	if (n) {
		read_round(scan);
	} else {
		scan->task.run = scan_nothing;
		task_defer(s->reactor, &scan->task);
	}
	return scan;
}

/* -- where things lie ----------------------------------------------------- */

int label_io_layout(const struct label *l, struct layout *out)
{
	if (!l->roots || l->image[0].length != l->image[1].length ||
	    l->log.length < 2 * METALOG_BATCH * META_BLOCK ||
	    l->extent_size % CHUNK_BYTES || l->extents > RECORD_EXTENTS_MAX ||
	    l->drives > RECORD_MEMBERS_MAX)
		return -EINVAL;
	*out = (struct layout){
		.root = l->roots,
		.log = l->log.offset,
		.log_blocks = l->log.length / META_BLOCK,
		.image = { l->image[0].offset, l->image[1].offset },
		.image_blocks = l->image[0].length / META_BLOCK,
		.data_start = l->data_offset,
		.extent_bytes = l->extent_size,
	};
	return 0;
}
