/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making and deleting volumes.
 *
 * A deletion:  COMMIT  refuses I/O; VOLUME_DELETE in the log: it is gone
 *              GRACE   until nobody reads with an old entry
 *              FREE    chunk by chunk, in steps; each entry is cleared first,
 *                      so that memory never names a chunk that is free
 */
#include "base/base.h"
#include "volume/slow/slow_priv.h"

#include <errno.h>
#include <stdio.h>

#define FREE_STEP 4096u /* entries */

static struct pool *find_pool(struct slow *s, const char *name, struct err *e)
{
	int slot = pool_find(s, name);

	if (slot < 0) {
		err_set(e, -ENOENT,
		        "there is no pool %s; 'causeway pool list' shows those "
		        "there are",
		        name);
		return NULL;
	}
	if (!s->pool[slot]->serving) {
		err_set(e, -EIO, "pool %s is offline: %s", name,
		        s->pool[slot]->why);
		return NULL;
	}
	return s->pool[slot];
}

static struct volume *find_volume(struct pool *p, const char *name)
{
	for (unsigned i = 0; i < HANDOFF_VOLUMES; i++) {
		struct volume *v = &p->slow->volume[i];

		if (v->pool == p && !v->deletion &&
		    !strncmp(v->shared->name, name, HANDOFF_NAME))
			return v;
	}
	return NULL;
}

/* -- create --------------------------------------------------------------- */

static int check_new(struct pool *p, const char *name, uint64_t size,
                     enum raid_profile profile, struct err *e)
{
	unsigned online = (unsigned)__builtin_popcount(member_online(p));

	if (!record_name_valid(name))
		return err_set(e, -EINVAL,
		               "a volume's name has 1 to %u characters of "
		               "A-Z a-z 0-9 . _ - and does not start with . "
		               "or -",
		               HANDOFF_NAME - 1);
	if (find_volume(p, name))
		return err_set(e, -EEXIST,
		               "pool %s has a volume %s already; choose "
		               "another name",
		               p->name, name);
	if (!size || size % META_BLOCK || size > SLOW_VOLUME_BYTES_MAX)
		return err_set(e, -EINVAL,
		               "%ju is no size for a volume: it is a multiple "
		               "of %u bytes, from one to 512 TiB",
		               (uintmax_t)size, META_BLOCK);
	if (!geometry_profile_name(profile))
		return err_set(e, -EINVAL, "no such profile");
	if (online < geometry_min_drives(profile))
		return err_set(e, -EINVAL,
		               "%s needs %u drives and pool %s has %u online; "
		               "grow the pool or choose another profile",
		               geometry_profile_name(profile),
		               geometry_min_drives(profile), p->name, online);
	return 0;
}

static void created(struct metalog_waiter *w, int err)
{
	struct slow_call *c = container_of(w, struct slow_call, waiter);
	struct volume *v = &c->slow->volume[c->slot];

	if (err) {
		err_set(&c->err, -EIO,
		        "the volume could not be written to the pool's log: "
		        "look at the drives with 'causeway status'");
		volume_detach(v);
	} else {
		__atomic_store_n(&v->shared->state, HANDOFF_VOLUME_ACTIVE,
		                 __ATOMIC_RELEASE);
	}
	call_end(c);
}

/* @return the slot; -ENOSPC, -ENOMEM. */
static int make_volume(struct pool *p, struct record *r, struct err *e)
{
	struct slow *s = p->slow;
	uint64_t base;
	int slot = volume_find_slot(s);

	if (slot < 0 ||
	    volume_find_range(s, volume_chunks(r->volume.size), &base))
		return err_set(e, -ENOSPC,
		               "this node holds at most %u volumes of %ju "
		               "bytes together; delete one first",
		               HANDOFF_VOLUMES,
		               (uintmax_t)(s->h->table_entries << CHUNK_SHIFT));
	volume_describe(p, (unsigned)slot, base, &r->volume);
	if (volume_attach(s, (unsigned)slot))
		return err_set(e, -ENOMEM, "no memory for the volume");
	if (metalog_object(p, r)) {
		volume_detach(&s->volume[slot]);
		return err_set(e, -ENOMEM, "no memory for the volume");
	}
	return slot;
}

void slow_volume_create(struct slow *s, const char *pool, const char *volume,
                        uint64_t size, enum raid_profile profile,
                        slow_done_fn done, void *arg)
{
	struct slow_call *c = call_new(s, done, arg);
	struct record r = { .type = META_VOLUME };
	struct pool *p = find_pool(s, pool, &c->err);
	int slot;

	if (!p || check_new(p, volume, size, profile, &c->err)) {
		call_end(c);
		return;
	}
	r.volume.id = p->next_volume_id++;
	r.volume.size = size;
	r.volume.profile = (uint8_t)profile;
	s->random(r.volume.uuid, sizeof(r.volume.uuid));
	snprintf(r.volume.name, sizeof(r.volume.name), "%s", volume);
	slot = make_volume(p, &r, &c->err);
	if (slot < 0) {
		call_end(c);
		return;
	}
	c->slot = (uint32_t)slot;
	c->waiter.done = created;
	metalog_commit(p, &c->waiter);
}

/* -- delete --------------------------------------------------------------- */

struct volume_deletion {
	enum { DELETE_COMMIT, DELETE_GRACE, DELETE_FREE } state;
	struct volume *volume;
	struct slow_call *call; /* NULL: nobody waits */
	uint64_t change;        /* durable, so that none is pending */
	uint64_t object;
	uint64_t ticket;
	uint64_t chunk;
	struct task task;
};

bool volume_deleting(const struct pool *p)
{
	for (unsigned i = 0; i < HANDOFF_VOLUMES; i++)
		if (p->slow->volume[i].pool == p && p->slow->volume[i].deletion)
			return true;
	return false;
}

static void deleted(struct volume *v)
{
	struct slow_call *call = v->deletion->call;
	struct pool *p = v->pool;

	handoff_clear_entries(p->slow->h, v->base, volume_range(v->chunks));
	__atomic_store_n(&v->shared->state, HANDOFF_VOLUME_FREE,
	                 __ATOMIC_RELEASE);
	volume_detach(v);
	pool_usage(p);
	if (call)
		call_end(call);
	reclaim_run(p);
}

static void free_step(struct task *t)
{
	struct volume_deletion *d =
		container_of(t, struct volume_deletion, task);
	struct volume *v = d->volume;
	struct pool *p = v->pool;

	for (unsigned n = 0; n < FREE_STEP && d->chunk < v->chunks;
	     n++, d->chunk++) {
		uint64_t entry;

		if (d->chunk % SLOW_LEAF == 0)
			d->chunk = volume_next_touched(v, d->chunk);
		if (d->chunk >= v->chunks)
			break;
		entry = volume_entry(v, d->chunk);
		if (!entry)
			continue;
		handoff_set_entry(p->slow->h, v->base + d->chunk, 0);
		v->shared->allocated--;
		reclaim_free(p, entry_row(entry), entry_index(entry));
	}
	if (d->chunk < v->chunks) {
		pool_usage(p);
		task_defer(p->slow->reactor, &d->task);
	} else {
		deleted(v);
	}
}

static void step(struct volume *v)
{
	struct volume_deletion *d = v->deletion;
	struct slow *s = v->pool->slow;

	switch (d->state) {
	case DELETE_COMMIT:
		if (v->pool->log.durable_object < d->object ||
		    v->pool->log.durable_change < d->change)
			break;
		d->ticket = grace_ticket(v->pool);
		d->state = DELETE_GRACE;
		break;
	case DELETE_GRACE:
		if (!grace_passed(v->pool, d->ticket))
			break;
		d->state = DELETE_FREE;
		d->task.run = free_step;
		task_defer(s->reactor, &d->task);
		break;
	case DELETE_FREE:
		break;
	}
}

void volume_step_deletions(struct slow *s)
{
	for (unsigned i = 0; i < HANDOFF_VOLUMES; i++)
		if (s->volume[i].deletion && s->volume[i].pool->serving)
			step(&s->volume[i]);
}

static void delete_committed(struct metalog_waiter *w, int err)
{
	struct slow_call *c = container_of(w, struct slow_call, waiter);
	struct volume *v = &c->slow->volume[c->slot];

	if (!err)
		return; /* volume_step_deletions() goes on */
	err_set(&c->err, -EIO,
	        "the deletion could not be written to the pool's log; it goes "
	        "on when its drives can be written again");
	v->deletion->call = NULL;
	call_end(c);
}

static struct volume_deletion *begin_deletion(struct volume *v)
{
	struct volume_deletion *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->volume = v;
	d->change = v->pool->log.pending.added;
	d->object = v->pool->log.objects;
	v->deletion = d;
	return d;
}

int volume_resume_deletion(struct volume *v)
{
	return begin_deletion(v) ? 0 : -ENOMEM;
}

void slow_volume_delete(struct slow *s, const char *pool, const char *volume,
                        slow_done_fn done, void *arg)
{
	struct slow_call *c = call_new(s, done, arg);
	struct pool *p = find_pool(s, pool, &c->err);
	struct volume *v = p ? find_volume(p, volume) : NULL;
	struct record r = { .type = META_VOLUME_DELETE };

	if (!v || v->shared->state != HANDOFF_VOLUME_ACTIVE) {
		if (p)
			err_set(&c->err, -ENOENT,
			        "pool %s has no volume %s; 'causeway volume "
			        "list' shows those there are",
			        pool, volume);
		call_end(c);
		return;
	}
	r.volume_delete = v->id;
	if (metalog_object(p, &r) || !begin_deletion(v)) {
		err_set(&c->err, -ENOMEM, "no memory to delete %s", volume);
		call_end(c);
		return;
	}
	__atomic_store_n(&v->shared->state, HANDOFF_VOLUME_DELETING,
	                 __ATOMIC_RELEASE);
	c->slot = v->slot;
	v->deletion->call = c;
	c->waiter.done = delete_committed;
	metalog_commit(p, &c->waiter);
}
