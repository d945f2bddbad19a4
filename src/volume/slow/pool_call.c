/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making a pool: look at the drives' labels, write the empty pool's metadata,
 * then the labels.  A label is there only when what it points to is.
 */
#include "base/base.h"
#include "volume/slow/label_io.h"
#include "volume/slow/slow_priv.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#define MIB (UINT64_C(1) << 20)
#define EXTENT_MIN MIB
#define EXTENT_MAX (UINT64_C(1) << 30)
#define EXTENTS_WANTED 256u /* on the smallest drive */
#define EXTENTS_MIN 4u
#define LOG_MIN (4 * MIB)
#define LOG_MAX (64 * MIB)
#define GROWTH 4u /* times the first capacity that the image has room for */

struct creation {
	struct slow_call *call;
	struct slow *slow;
	struct pool *pool;
	unsigned round;
	struct metaio_fan fan;
	struct checkpoint_waiter waiter;
	struct label_io_scan *scan;
};

/* -- sizes ---------------------------------------------------------------- */

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

static uint64_t clamp(uint64_t n, uint64_t low, uint64_t high)
{
	return n < low ? low : n > high ? high : n;
}

static uint64_t power_below(uint64_t n)
{
	return UINT64_C(1) << (63 - __builtin_clzll(n | 1));
}

/* Where things go on every drive of a pool of `total` bytes. */
static void make_layout(const struct slow *s, uint64_t smallest, uint64_t total,
                        struct layout *out)
{
	uint64_t log = clamp(round_up(total / 1024, MIB), LOG_MIN, LOG_MAX);
	uint64_t image =
		round_up(GROWTH * (total / 8192) + 64 * META_BLOCK, MIB);

	if (s->log_bytes)
		log = round_up(s->log_bytes, META_BLOCK);
	out->root = LABEL_BLOCK;
	out->log = out->root + LABEL_ROOTS_LENGTH;
	out->log_blocks = log / META_BLOCK;
	out->image[0] = out->log + log;
	out->image[1] = out->image[0] + image;
	out->image_blocks = image / META_BLOCK;
	out->data_start = round_up(out->image[1] + image, MIB);
	out->extent_bytes = clamp(power_below(smallest / EXTENTS_WANTED),
	                          EXTENT_MIN, EXTENT_MAX);
}

static uint64_t extents_of(const struct layout *at, uint64_t size)
{
	uint64_t end = label_second(size);

	return end < at->data_start ? 0
	                            : (end - at->data_start) / at->extent_bytes;
}

/* -- checks --------------------------------------------------------------- */

static int check_drive(struct slow *s, uint16_t drive, struct err *e)
{
	const struct handoff_drive *d = &s->h->drives[drive];

	if (drive >= HANDOFF_DRIVES || !d->present)
		return err_set(e, -ENOENT, "there is no drive in slot %u",
		               drive);
	for (unsigned i = 0; i < HANDOFF_POOLS; i++)
		if (s->pool[i] && member_find(s->pool[i], drive) >= 0)
			return err_set(e, -EBUSY,
			               "drive %s is in pool %s; choose a drive "
			               "that is in none",
			               d->name, s->pool[i]->name);
	if (d->size < LABEL_DRIVE_MIN || META_BLOCK % d->grain)
		return err_set(e, -EINVAL,
		               "drive %s is too small or writes more than %u "
		               "bytes at a time",
		               d->name, META_BLOCK);
	return 0;
}

static int check_create(struct slow *s, const char *name,
                        const uint16_t *drives, unsigned n, struct err *e)
{
	if (!record_name_valid(name))
		return err_set(e, -EINVAL,
		               "a pool's name has 1 to %u characters of "
		               "A-Z a-z 0-9 . _ - and does not start with . "
		               "or -",
		               HANDOFF_NAME - 1);
	if (pool_find(s, name) >= 0)
		return err_set(e, -EEXIST,
		               "there is a pool %s already; choose another "
		               "name",
		               name);
	if (!n || n > RECORD_MEMBERS_MAX)
		return err_set(e, -EINVAL, "a pool has 1 to %u drives, not %u",
		               RECORD_MEMBERS_MAX, n);
	for (unsigned i = 0; i < n; i++) {
		int err = check_drive(s, drives[i], e);

		if (err)
			return err;
		for (unsigned j = 0; j < i; j++)
			if (drives[j] == drives[i])
				return err_set(e, -EINVAL,
				               "drive %s is named twice",
				               s->h->drives[drives[i]].name);
	}
	return 0;
}

/* What is on the drives already. */
static int check_labels(struct slow *s, const struct label_io_scan *scan,
                        struct err *e)
{
	char words[LABEL_WORDS];

	for (unsigned i = 0; i < scan->n; i++) {
		const struct label_io_drive *d = &scan->drive[i];
		const struct handoff_drive *shared = &s->h->drives[d->drive];

		if (d->err == -EIO)
			return err_set(e, -EIO, "drive %s cannot be read",
			               shared->name);
		if (label_identify(NULL, d->err, &d->label, shared->size,
		                   words) != LABEL_BLANK &&
		    (d->err == 0 || d->err == -EPROTONOSUPPORT))
			return err_set(e, -EBUSY,
			               "drive %s has data of a pool on it: "
			               "%s; to use it, overwrite its first and "
			               "last MiB",
			               shared->name, words);
	}
	return 0;
}

/* -- steps ---------------------------------------------------------------- */

static void finish(struct creation *c)
{
	if (c->call->err.code)
		pool_free(c->pool);
	else
		c->pool->creation = NULL;
	call_end(c->call);
	free(c->scan);
	free(c);
}

static void labels_written(struct metaio_fan *f)
{
	struct creation *c = container_of(f, struct creation, fan);

	if (f->failed) {
		err_set(&c->call->err, -EIO,
		        "the label of drive %s could not be written",
		        c->pool->member[__builtin_ctz(f->failed)].name);
		finish(c);
		return;
	}
	if (++c->round < LABEL_IO_COPIES) {
		label_io_write_all(c->pool, c->round, f, labels_written);
		return;
	}
	pool_open(c->pool);
	finish(c);
}

static void metadata_written(struct checkpoint_waiter *w, int err)
{
	struct creation *c = container_of(w, struct creation, waiter);

	if (err ||
	    member_online(c->pool) != (UINT64_C(1) << c->pool->n_members) - 1) {
		err_set(&c->call->err, -EIO,
		        "a drive could not be written: 'causeway drive list' "
		        "counts the errors of each");
		finish(c);
		return;
	}
	label_io_write_all(c->pool, 0, &c->fan, labels_written);
}

static int lay_out(struct creation *c, struct err *e)
{
	struct pool *p = c->pool;
	uint64_t smallest = UINT64_MAX, total = 0;

	for (unsigned i = 0; i < p->n_members; i++) {
		total += p->member[i].size;
		if (p->member[i].size < smallest)
			smallest = p->member[i].size;
	}
	make_layout(c->slow, smallest, total, &p->layout);
	if (extents_of(&p->layout, smallest) < EXTENTS_MIN)
		return err_set(
			e, -EINVAL,
			"a drive of %ju bytes is too small for this pool: its "
			"drives need at least %ju bytes each",
			(uintmax_t)smallest,
			(uintmax_t)(p->layout.data_start +
		                    EXTENTS_MIN * p->layout.extent_bytes +
		                    LABEL_BLOCK));
	alloc_init(&p->alloc, p->layout.extent_bytes);
	for (unsigned i = 0; i < p->n_members; i++) {
		struct member *m = &p->member[i];
		uint64_t extents = extents_of(&p->layout, m->size);

		m->extents = (uint32_t)clamp(extents, 0, RECORD_EXTENTS_MAX);
		if (alloc_add_member(&p->alloc, i, m->extents))
			return err_set(e, -ENOMEM, "no memory for the pool");
	}
	return 0;
}

static void labels_read(struct label_io_scan *scan)
{
	struct slow *s = scan->slow;
	struct creation *c = scan->arg;

	if (check_labels(s, scan, &c->call->err) || lay_out(c, &c->call->err)) {
		finish(c);
		return;
	}
	c->waiter.done = metadata_written;
	checkpoint_want(c->pool, &c->waiter);
	checkpoint_kick(c->pool);
}

static struct pool *make_pool(struct slow *s, const char *name,
                              const uint16_t *drives, unsigned n)
{
	struct pool *p = NULL;

	for (unsigned i = 0; i < HANDOFF_POOLS && !p; i++)
		if (!s->pool[i])
			p = pool_new(s, i);
	if (!p)
		return NULL;
	snprintf(p->name, sizeof(p->name), "%s", name);
	s->random(p->uuid, sizeof(p->uuid));
	p->created = (uint64_t)time(NULL);
	p->next_volume_id = 1;
	p->n_members = n;
	for (unsigned i = 0; i < n; i++) {
		struct member *m = &p->member[i];

		m->state = HANDOFF_ONLINE;
		m->slot = drives[i];
		m->size = s->h->drives[drives[i]].size;
		s->random(m->uuid, sizeof(m->uuid));
		memcpy(m->name, s->h->drives[drives[i]].name, HANDOFF_NAME);
		m->name[HANDOFF_NAME - 1] = 0;
	}
	return p;
}

void slow_pool_create(struct slow *s, const char *pool, const uint16_t *drives,
                      unsigned n_drives, slow_done_fn done, void *arg)
{
	struct slow_call *call = call_new(s, done, arg);
	struct creation *c;

	if (check_create(s, pool, drives, n_drives, &call->err)) {
		call_end(call);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (c) {
		c->slow = s;
		c->call = call;
		c->pool = make_pool(s, pool, drives, n_drives);
		c->scan = c->pool ? label_io_read(s, drives, n_drives,
		                                  labels_read, c)
		                  : NULL;
	}
	if (!c || !c->scan) {
		err_set(&call->err, -ENOSPC,
		        "no memory for the pool, or this node has %u already",
		        HANDOFF_POOLS);
		if (c)
			pool_free(c->pool);
		free(c);
		call_end(call);
		return;
	}
	c->pool->creation = c;
}
