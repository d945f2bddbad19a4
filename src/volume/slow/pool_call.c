/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making a pool: look at the drives' labels, write the empty pool's metadata,
 * then the labels.  A label is there only when what it points to is.
 *
 * Growing one: labels first, of drives that the pool's metadata do not know
 * yet; then the log, which makes them members; then a checkpoint, so that a
 * slow stack that starts on living memory knows them too; then all labels,
 * with the new generation.  Only then do they get chunks.
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
	unsigned added; /* growing: so many drives */
	struct metaio_fan fan;
	struct checkpoint_waiter waiter;
	struct metalog_waiter commit;
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

/* Also one that is only about to join. */
static bool has_drive(const struct pool *p, uint16_t drive)
{
	for (unsigned i = 0; i < RECORD_MEMBERS_MAX; i++)
		if (p->member[i].slot == drive)
			return true;
	return false;
}

static int check_drive(struct slow *s, uint16_t drive, struct err *e)
{
	const struct handoff_drive *d = &s->h->drives[drive];

	if (drive >= HANDOFF_DRIVES || !d->present)
		return err_set(e, -ENOENT, "there is no drive in slot %u",
		               drive);
	for (unsigned i = 0; i < HANDOFF_POOLS; i++)
		if (s->pool[i] && has_drive(s->pool[i], drive))
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

static int check_drives(struct slow *s, const uint16_t *drives, unsigned n,
                        struct err *e)
{
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
	return check_drives(s, drives, n, e);
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

void pool_creation_free(struct creation *c)
{
	if (!c)
		return;
	free(c->scan);
	free(c);
}

/* -- steps ---------------------------------------------------------------- */

static void finish(struct creation *c)
{
	c->pool->creation = NULL;
	if (c->call->err.code)
		pool_free(c->pool);
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

static void fill_member(struct pool *p, unsigned index, uint16_t drive)
{
	struct slow *s = p->slow;
	struct member *m = &p->member[index];

	memset(m, 0, sizeof(*m));
	m->slot = drive;
	m->size = s->h->drives[drive].size;
	s->random(m->uuid, sizeof(m->uuid));
	memcpy(m->name, s->h->drives[drive].name, HANDOFF_NAME);
	m->name[HANDOFF_NAME - 1] = 0;
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
		fill_member(p, i, drives[i]);
		p->member[i].state = HANDOFF_ONLINE;
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

/* -- growing -------------------------------------------------------------- */

static void grow_end(struct creation *c)
{
	c->pool->creation = NULL;
	call_end(c->call);
	free(c->scan);
	free(c);
}

/* They were never members. */
static void grow_undo(struct creation *c)
{
	struct pool *p = c->pool;

	for (unsigned i = 0; i < c->added; i++) {
		memset(&p->member[p->n_members + i], 0, sizeof(p->member[0]));
		p->member[p->n_members + i].slot = HANDOFF_NO_DRIVE;
	}
	grow_end(c);
}

static void grow_labelled(struct metaio_fan *f)
{
	struct creation *c = container_of(f, struct creation, fan);
	struct pool *p = c->pool;

	for (unsigned i = 0; i < p->n_members; i++)
		if (f->failed >> i & 1)
			member_lose(p, i, MEMBER_BLAME_META,
			            "its label could not be written");
	if (++c->round < LABEL_IO_COPIES) {
		label_io_write_all(p, c->round, f, grow_labelled);
		return;
	}
	for (unsigned i = p->n_members - c->added; i < p->n_members; i++)
		if (p->member[i].state == HANDOFF_ONLINE)
			alloc_set_usable(&p->alloc, i, true);
	member_publish(p);
	pool_usage(p);
	request_retry_space(p);
	grow_end(c);
}

static void grow_failed(struct creation *c)
{
	err_set(&c->call->err, -EIO,
	        "the pool's metadata could not be written; the new drives give "
	        "space after the next start");
	grow_end(c);
}

static void grow_checkpointed(struct checkpoint_waiter *w, int err)
{
	struct creation *c = container_of(w, struct creation, waiter);

	c->round = 0;
	if (err)
		grow_failed(c);
	else
		label_io_write_all(c->pool, 0, &c->fan, grow_labelled);
}

static void grow_committed(struct metalog_waiter *w, int err)
{
	struct creation *c = container_of(w, struct creation, commit);

	c->waiter.done = grow_checkpointed;
	if (err)
		grow_failed(c);
	else
		checkpoint_want(c->pool, &c->waiter);
}

/* The new drives have labels: make them members. */
static void grow_join(struct creation *c)
{
	struct pool *p = c->pool;
	struct record r;
	int err = 0;

	for (unsigned i = 0; i < c->added && !err; i++) {
		unsigned index = p->n_members;

		err = alloc_add_member(&p->alloc, index,
		                       p->member[index].extents);
		if (err)
			break;
		alloc_set_usable(&p->alloc, index, false);
		p->member[index].state = HANDOFF_ONLINE;
		p->n_members++;
		member_record(p, index, &r);
		err = metalog_object(p, &r);
	}
	p->generation++;
	r = (struct record){
		.type = META_POOL,
		.pool = { .generation = p->generation,
		          .next_volume_id = p->next_volume_id },
	};
	if (err || metalog_object(p, &r)) {
		grow_failed(c);
		return;
	}
	c->commit.done = grow_committed;
	metalog_commit(p, &c->commit);
}

static uint32_t grow_set(const struct creation *c)
{
	return (uint32_t)(((UINT64_C(1) << c->added) - 1)
	                  << c->pool->n_members);
}

static void grow_first_labels(struct metaio_fan *f)
{
	struct creation *c = container_of(f, struct creation, fan);

	if (f->failed) {
		err_set(&c->call->err, -EIO,
		        "the label of drive %s could not be written",
		        c->pool->member[__builtin_ctz(f->failed)].name);
		grow_undo(c);
	} else if (++c->round < LABEL_IO_COPIES) {
		label_io_write(c->pool, grow_set(c), c->round, f,
		               grow_first_labels);
	} else {
		grow_join(c);
	}
}

static int grow_check(struct creation *c, struct err *e)
{
	struct pool *p = c->pool;
	uint64_t total = 0;

	for (unsigned i = 0; i < p->n_members + c->added; i++) {
		struct member *m = &p->member[i];
		uint64_t extents = extents_of(&p->layout, m->size);

		total += m->size;
		if (i < p->n_members)
			continue;
		m->extents = (uint32_t)clamp(extents, 0, RECORD_EXTENTS_MAX);
		if (extents < EXTENTS_MIN)
			return err_set(
				e, -EINVAL,
				"drive %s is too small: the drives of pool %s "
				"need at least %ju bytes each",
				m->name, p->name,
				(uintmax_t)(p->layout.data_start +
			                    EXTENTS_MIN *
			                            p->layout.extent_bytes +
			                    LABEL_BLOCK));
	}
	if (checkpoint_image_bytes(total) > p->layout.image_blocks * META_BLOCK)
		return err_set(e, -ENOSPC,
		               "pool %s was made for less: %ju bytes are more "
		               "than its metadata have room for; make another "
		               "pool",
		               p->name, (uintmax_t)total);
	return 0;
}

static void grow_labels_read(struct label_io_scan *scan)
{
	struct creation *c = scan->arg;

	if (check_labels(c->slow, scan, &c->call->err) ||
	    grow_check(c, &c->call->err))
		grow_undo(c);
	else
		label_io_write(c->pool, grow_set(c), 0, &c->fan,
		               grow_first_labels);
}

static struct pool *check_grow(struct slow *s, const char *name,
                               const uint16_t *drives, unsigned n,
                               struct err *e)
{
	int slot = pool_find(s, name);
	struct pool *p = slot < 0 ? NULL : s->pool[slot];

	if (!p)
		err_set(e, -ENOENT,
		        "there is no pool %s; 'causeway pool list' shows those "
		        "there are",
		        name);
	else if (!p->serving)
		err_set(e, -EIO, "pool %s is offline: %s", name, p->why);
	else if (p->creation)
		err_set(e, -EBUSY, "pool %s is growing already", name);
	else if (!n || n > RECORD_MEMBERS_MAX - p->n_members)
		err_set(e, -EINVAL,
		        "a pool has 1 to %u drives: %s can get %u more",
		        RECORD_MEMBERS_MAX, name,
		        RECORD_MEMBERS_MAX - p->n_members);
	else
		check_drives(s, drives, n, e);
	return e->code ? NULL : p;
}

void slow_pool_grow(struct slow *s, const char *pool, const uint16_t *drives,
                    unsigned n_drives, slow_done_fn done, void *arg)
{
	struct slow_call *call = call_new(s, done, arg);
	struct pool *p = check_grow(s, pool, drives, n_drives, &call->err);
	struct creation *c = p ? calloc(1, sizeof(*c)) : NULL;

	if (c)
		c->scan =
			label_io_read(s, drives, n_drives, grow_labels_read, c);
	if (!c || !c->scan) {
		err_set(&call->err, -ENOMEM, "no memory to grow the pool");
		free(c);
		call_end(call);
		return;
	}
	c->slow = s;
	c->call = call;
	c->pool = p;
	c->added = n_drives;
	p->creation = c;
	for (unsigned i = 0; i < n_drives; i++)
		fill_member(p, p->n_members + i, drives[i]);
}
