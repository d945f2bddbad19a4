/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/slow/assembly.h"

#include "base/base.h"
#include "core/log.h"
#include "volume/slow/rebuild.h"
#include "volume/slow/slow_priv.h"

#include <errno.h>
#include <stdio.h>

/* One pool on its way. */
struct assembly_pool {
	struct assembly *assembly;
	bool warm;
	bool relabel;  /* write the labels before it opens */
	bool settling; /* a warm one, checkpointed: waits for the grace */
	uint64_t ticket;
	uint64_t started_ns;
	unsigned round;
	struct load load;
	struct checkpoint_waiter waiter;
};

struct assembly {
	struct slow *slow;
	struct label_io_scan *scan;
	struct assembly_pool *pool[HANDOFF_POOLS];
	unsigned left;
	bool again;
	struct list calls; /* of assembly_again() */
};

/* -- the end -------------------------------------------------------------- */

static void start_scan(struct assembly *a);

static void ended(struct assembly *a)
{
	struct slow *s = a->slow;
	struct list *node;

	if (a->again) {
		start_scan(a);
		return;
	}
	while ((node = list_pop(&a->calls)) != NULL)
		call_end(list_entry(node, struct slow_call, waiter.link));
	__atomic_store_n(&s->h->header->slow_state, HANDOFF_SERVING,
	                 __ATOMIC_RELEASE);
	for (unsigned i = 0; i < s->h->n_lanes; i++)
		s->pushed |= (uint16_t)(1u << i); /* they may wait for this */
}

static void pool_ended(struct assembly_pool *at)
{
	struct assembly *a = at->assembly;

	a->pool[at->load.pool->slot] = NULL;
	apply_fini(&at->load.apply);
	free(at);
	if (--a->left == 0)
		ended(a);
}

/* The drives of a pool that is known, but out of service. */
static void describe_candidates(const struct load *l)
{
	for (unsigned i = 0; i < l->n_drives; i++) {
		struct drive_view *view =
			&l->pool->slow->view[l->drive[i].drive];

		if (view->verdict != LABEL_FOREIGN)
			continue;
		view->verdict = LABEL_MEMBER;
		snprintf(view->words, sizeof(view->words),
		         "drive %u of pool %s, which is offline",
		         l->drive[i].label.index, l->pool->name);
	}
}

static void go_offline(struct assembly_pool *at, const struct err *e)
{
	struct pool *p = at->load.pool;

	snprintf(p->why, sizeof(p->why), "%.255s", e->text);
	log_event(LOG_LEVEL_WARN, "pool is offline", "pool=%s why=\"%s\"",
	          p->name, p->why);
	p->checkpoint.wanted = false;
	describe_candidates(&at->load);
	if (at->warm) {
		rebuild_forget(p);
	} else {
		rebuild_abandon(p);
		pool_publish_offline(p);
	}
	pool_ended(at);
}

static void activate_volumes(struct assembly_pool *at)
{
	struct pool *p = at->load.pool;

	for (unsigned i = 0; i < HANDOFF_VOLUMES; i++) {
		struct volume *v = &p->slow->volume[i];

		if (v->pool != p)
			continue;
		/* The checkpoint covers what was mapped; NEW is to come. */
		__atomic_store_n(&v->shared->committed,
		                 v->shared->changes - v->unsettled,
		                 __ATOMIC_RELEASE);
		if (!v->deletion)
			__atomic_store_n(&v->shared->state,
			                 HANDOFF_VOLUME_ACTIVE,
			                 __ATOMIC_RELEASE);
	}
}

static void open_pool(struct assembly_pool *at)
{
	struct pool *p = at->load.pool;

	if (!at->warm)
		p->shared->replay_ns = slow_now(p->slow) - at->started_ns;
	pool_open(p);
	activate_volumes(at);
	pool_ended(at);
	volume_step_deletions(p->slow);
}

/* -- settle --------------------------------------------------------------- */

static void labels_written(struct metaio_fan *f)
{
	struct load *l = container_of(f, struct load, fan);
	struct assembly_pool *at = container_of(l, struct assembly_pool, load);
	struct pool *p = l->pool;

	for (unsigned i = 0; i < p->n_members; i++)
		if (f->failed >> i & 1)
			member_lose(p, i, MEMBER_BLAME_META,
			            "its label could not be written");
	if (++at->round < LABEL_IO_COPIES)
		label_io_write_all(p, at->round, f, labels_written);
	else
		open_pool(at);
}

static void settle(struct assembly_pool *at)
{
	struct pool *p = at->load.pool;

	at->settling = at->warm && !grace_passed(p, at->ticket);
	if (at->settling)
		return;
	if (at->relabel)
		label_io_write_all(p, 0, &at->load.fan, labels_written);
	else
		open_pool(at);
}

void assembly_grace(struct slow *s)
{
	for (unsigned i = 0; s->assembly && i < HANDOFF_POOLS; i++) {
		struct assembly_pool *at = s->assembly->pool[i];

		if (at && at->settling)
			settle(at);
	}
}

static void checkpointed(struct checkpoint_waiter *w, int err)
{
	struct assembly_pool *at =
		container_of(w, struct assembly_pool, waiter);
	struct err e = { 0 };

	if (err) {
		err_set(&e, err,
		        "its metadata could not be written: look at the "
		        "drives' errors");
		go_offline(at, &e);
		return;
	}
	settle(at);
}

/* -- load ----------------------------------------------------------------- */

/* Members that the metadata want and that are not here are out from now on. */
static void give_up_missing(struct assembly_pool *at)
{
	struct pool *p = at->load.pool;

	for (unsigned i = 0; i < p->n_members; i++) {
		struct member *m = &p->member[i];

		if (m->state != HANDOFF_ONLINE || m->slot != HANDOFF_NO_DRIVE)
			continue;
		m->state = HANDOFF_FAILED;
		if (!m->why[0])
			snprintf(m->why, sizeof(m->why),
			         "was missing when the pool was started");
		log_event(LOG_LEVEL_WARN, "drive is missing",
		          "pool=%s index=%u", p->name, i);
		if (!at->relabel)
			p->generation++;
		at->relabel = true;
	}
	for (unsigned i = 0; i < at->load.n_drives; i++)
		at->relabel |= at->load.drive[i].repair;
}

static int attach_shared_volumes(struct pool *p, struct err *e)
{
	struct slow *s = p->slow;

	for (unsigned i = 0; i < HANDOFF_VOLUMES; i++) {
		const struct handoff_volume *v = &s->h->volumes[i];
		uint64_t range = volume_range(volume_chunks(v->size));

		if (v->state == HANDOFF_VOLUME_FREE || v->pool != p->slot)
			continue;
		if (!geometry_profile_name(v->profile) || !v->size ||
		    v->size > SLOW_VOLUME_BYTES_MAX ||
		    v->table_base > s->h->table_entries ||
		    range > s->h->table_entries - v->table_base)
			return err_set(e, -EBADMSG,
			               "volume slot %u in memory makes no "
			               "sense: restart the node",
			               i);
		if (volume_attach(s, i) ||
		    (v->state == HANDOFF_VOLUME_DELETING &&
		     volume_resume_deletion(&s->volume[i])))
			return err_set(e, -ENOMEM, "no memory for its volumes");
		if (v->id >= p->next_volume_id)
			p->next_volume_id = v->id + 1;
	}
	return 0;
}

static int rebuild(struct assembly_pool *at, struct err *e)
{
	struct load *l = &at->load;
	struct pool *p = l->pool;
	int err = rebuild_members(l, e);

	if (!err && at->warm)
		err = attach_shared_volumes(p, e);
	if (!err)
		err = at->warm ? rebuild_rows_shared(l, e)
		               : rebuild_rows_loaded(l, e);
	if (!err)
		err = rebuild_mappings(p, at->warm, e);
	if (!err && !at->warm)
		err = rebuild_check_losses(p, e);
	return err;
}

static void loaded(struct load *l, int err)
{
	struct assembly_pool *at = container_of(l, struct assembly_pool, load);
	struct pool *p = l->pool;
	uint64_t ids = (l->epoch + 1) << 32;

	if (err || rebuild(at, &l->err)) {
		go_offline(at, &l->err);
		return;
	}
	if (!at->warm)
		give_up_missing(at);
	if (p->next_volume_id < ids) /* never used twice */
		p->next_volume_id = ids;
	/* Beyond whatever a life before this one wrote: see checkpoint.h. */
	p->checkpoint.epoch = l->epoch + 1;
	p->checkpoint.image = le32_get(l->root.image);
	p->checkpoint.root_slot = l->root_slot;
	p->log.seq = at->warm ? l->log_end + p->layout.log_blocks : l->log_end;
	p->log.base = p->log.seq;
	at->ticket = at->warm ? grace_ticket(p) : 0;
	at->waiter.done = checkpointed;
	checkpoint_want(p, &at->waiter);
}

/* -- scan ----------------------------------------------------------------- */

static struct pool *find_uuid(struct slow *s, const uint8_t uuid[16])
{
	for (unsigned i = 0; i < HANDOFF_POOLS; i++)
		if (s->pool[i] && !memcmp(s->pool[i]->uuid, uuid, 16))
			return s->pool[i];
	return NULL;
}

static struct assembly_pool *begin_pool(struct assembly *a, struct pool *p,
                                        bool warm)
{
	struct assembly_pool *at = calloc(1, sizeof(*at));

	if (!at)
		return NULL;
	at->assembly = a;
	at->warm = warm;
	at->started_ns = slow_now(a->slow);
	at->load.pool = p;
	at->load.done = loaded;
	at->load.apply.members_only = warm;
	a->pool[p->slot] = at;
	a->left++;
	return at;
}

/* A pool that is only known from labels; NULL: no room. */
static struct assembly_pool *discover(struct assembly *a, const struct label *l)
{
	struct slow *s = a->slow;

	for (unsigned i = 0; i < HANDOFF_POOLS; i++) {
		struct pool *p;

		if (s->pool[i])
			continue;
		p = pool_new(s, i);
		if (!p)
			return NULL;
		memcpy(p->uuid, l->pool_uuid, sizeof(p->uuid));
		return begin_pool(a, p, false);
	}
	return NULL;
}

static void add_drive(struct assembly *a, const struct label_io_drive *d)
{
	struct pool *p = find_uuid(a->slow, d->label.pool_uuid);
	struct assembly_pool *at = p ? a->pool[p->slot] : NULL;
	struct load *l;

	if (!p)
		at = discover(a, &d->label);
	if (!at || at->load.n_drives == RECORD_MEMBERS_MAX)
		return; /* serves already, or no room: it stays described */
	l = &at->load;
	for (unsigned i = 0; i < l->n_drives; i++)
		if (!memcmp(l->drive[i].label.drive_uuid, d->label.drive_uuid,
		            16))
			err_set(&l->err, -EEXIST,
			        "drives %s and %s have the same identity: one "
			        "is a copy; remove it",
			        a->slow->h->drives[l->drive[i].drive].name,
			        a->slow->h->drives[d->drive].name);
	l->drive[l->n_drives++] = (struct load_drive){
		.drive = d->drive,
		.label = d->label,
		.repair = d->repair,
	};
}

/* A drive of a pool that serves without it. */
static void describe_late(struct slow *s, const struct label_io_drive *d)
{
	struct pool *p = find_uuid(s, d->label.pool_uuid);

	for (unsigned i = 0; p && p->serving && i < p->n_members; i++) {
		struct member *m = &p->member[i];

		if (memcmp(m->uuid, d->label.drive_uuid, 16) != 0 ||
		    m->slot != HANDOFF_NO_DRIVE)
			continue;
		m->slot = d->drive;
		memcpy(m->name, s->h->drives[d->drive].name, HANDOFF_NAME);
		m->name[HANDOFF_NAME - 1] = 0;
		snprintf(m->why, sizeof(m->why),
		         "the pool has gone on without it: its data are old; "
		         "replace it");
		s->view[d->drive].verdict = LABEL_STALE;
		member_publish(p);
	}
}

/* The label that knows most says what the pool is. */
static void start_load(struct assembly_pool *at)
{
	struct load *l = &at->load;
	struct pool *p = l->pool;
	const struct label *best = NULL;
	int same;

	for (unsigned i = 0; i < l->n_drives; i++)
		if (!best || l->drive[i].label.generation > best->generation)
			best = &l->drive[i].label;
	if (!best) {
		err_set(&l->err, -ENODEV, "no drive has a label of it");
		go_offline(at, &l->err);
		return;
	}
	same = pool_find(p->slow, best->pool_name);
	if (same >= 0 && p->slow->pool[same] != p)
		err_set(&l->err, -EEXIST,
		        "another pool has the name %s: rename one on a node of "
		        "its own",
		        best->pool_name);
	memcpy(p->name, best->pool_name, HANDOFF_NAME);
	p->created = best->created;
	p->n_members = best->drives;
	p->generation = best->generation;
	if (!l->err.code &&
	    (!record_name_valid(p->name) || label_io_layout(best, &p->layout)))
		err_set(&l->err, -EINVAL, "its labels say what cannot be");
	if (l->err.code) {
		p->n_members = 0;
		go_offline(at, &l->err);
		return;
	}
	load_start(l);
}

static void scanned(struct label_io_scan *scan)
{
	struct assembly *a = scan->arg;
	struct assembly_pool *begun[HANDOFF_POOLS];

	for (unsigned i = 0; i < scan->n; i++) {
		struct label_io_drive *d = &scan->drive[i];
		struct drive_view *view = &a->slow->view[d->drive];

		view->verdict = label_identify(
			NULL, d->err, &d->label,
			a->slow->h->drives[d->drive].size, view->words);
		if (d->err)
			continue;
		describe_late(a->slow, d);
		add_drive(a, d);
	}
	a->scan = NULL;
	free(scan);
	memcpy(begun, a->pool, sizeof(begun));
	a->left++; /* held until all have begun */
	for (unsigned i = 0; i < HANDOFF_POOLS; i++)
		if (begun[i])
			start_load(begun[i]);
	if (--a->left == 0)
		ended(a);
}

/* In a pool that serves, or is being made. */
static bool in_use(const struct slow *s, uint16_t drive)
{
	for (unsigned i = 0; i < HANDOFF_POOLS; i++)
		if (s->pool[i] &&
		    (s->pool[i]->serving || s->pool[i]->creation) &&
		    member_find(s->pool[i], drive) >= 0)
			return true;
	return false;
}

static void start_scan(struct assembly *a)
{
	struct slow *s = a->slow;
	uint16_t drives[HANDOFF_DRIVES];
	unsigned n = 0;

	a->again = false;
	for (unsigned i = 0; i < HANDOFF_POOLS; i++) {
		struct pool *p = s->pool[i];

		if (!p || p->serving || p->creation || a->pool[i])
			continue;
		if (p->shared->state == HANDOFF_POOL_OFFLINE) {
			pool_retract_offline(p); /* once more from the labels */
			pool_free(p);
		} else {
			begin_pool(a, p, true);
		}
	}
	for (uint16_t i = 0; i < HANDOFF_DRIVES; i++)
		if (s->h->drives[i].present && !in_use(s, i))
			drives[n++] = i;
	a->scan = label_io_read(s, drives, n, scanned, a);
	if (!a->scan)
		ended(a);
}

void assembly_again(struct slow *s, struct slow_call *c)
{
	struct assembly *a = s->assembly;

	list_init(&c->waiter.link);
	list_append(&a->calls, &c->waiter.link);
	if (a->scan || a->left)
		a->again = true;
	else
		start_scan(a);
}

int assembly_start(struct slow *s, struct err *e)
{
	struct assembly *a = calloc(1, sizeof(*a));

	if (!a)
		return err_set(e, -ENOMEM, "no memory to look at the drives");
	s->assembly = a;
	a->slow = s;
	list_init(&a->calls);
	for (unsigned i = 0; i < HANDOFF_POOLS; i++) {
		struct handoff_pool *shared = &s->h->pools[i];
		struct pool *p;

		if (shared->state == HANDOFF_POOL_FREE)
			continue;
		p = pool_new(s, i);
		if (!p)
			return err_set(e, -ENOMEM, "no memory for the pools");
		memcpy(p->uuid, shared->uuid, sizeof(p->uuid));
		memcpy(p->name, shared->name, HANDOFF_NAME);
		p->name[HANDOFF_NAME - 1] = 0;
	}
	start_scan(a);
	return 0;
}

void assembly_free(struct slow *s)
{
	struct assembly *a = s->assembly;

	if (!a)
		return;
	for (unsigned i = 0; i < HANDOFF_POOLS; i++) {
		if (!a->pool[i])
			continue;
		apply_fini(&a->pool[i]->load.apply);
		free(a->pool[i]);
	}
	free(a->scan);
	free(a);
	s->assembly = NULL;
}
