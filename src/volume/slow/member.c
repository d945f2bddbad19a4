/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The drives of a pool, and how one leaves.
 *
 *   member_lose: out of use for metadata and allocation, at once
 *        |
 *     COMMIT   DRIVE and POOL records in the log: now it is decided
 *        |
 *     LABELS   the new generation on the drives that are left
 *        |
 *      IDLE    role FAILED in shared memory; those who waited are answered
 */
#include "base/base.h"
#include "core/log.h"
#include "volume/slow/label_io.h"
#include "volume/slow/slow_priv.h"

#include <errno.h>
#include <stdio.h>

uint32_t member_online(const struct pool *p)
{
	uint32_t set = 0;

	for (unsigned i = 0; i < p->n_members; i++)
		if (p->member[i].state == HANDOFF_ONLINE &&
		    p->member[i].slot != HANDOFF_NO_DRIVE)
			set |= 1u << i;
	return set;
}

static uint32_t may_hold(const struct pool *p)
{
	uint32_t set = member_online(p);

	for (unsigned i = 0; i < p->n_members; i++)
		if (p->member[i].no_meta)
			set &= ~(1u << i);
	return set;
}

uint32_t member_holders(const struct pool *p)
{
	uint32_t left = may_hold(p), set = 0;

	for (unsigned n = 0; left && n < SLOW_META_COPIES; n++) {
		set |= left & -left;
		left &= left - 1;
	}
	return set;
}

int member_find(const struct pool *p, uint16_t drive)
{
	for (unsigned i = 0; i < p->n_members; i++)
		if (p->member[i].state != HANDOFF_UNUSED &&
		    p->member[i].slot == drive)
			return (int)i;
	return -ENOENT;
}

void member_record(const struct pool *p, unsigned index, struct record *out)
{
	const struct member *m = &p->member[index];

	*out = (struct record){ .type = META_DRIVE };
	out->drive.index = (uint16_t)index;
	out->drive.state = (uint8_t)m->state;
	out->drive.size = m->size;
	out->drive.extents = m->extents;
	memcpy(out->drive.uuid, m->uuid, sizeof(out->drive.uuid));
}

void member_publish(struct pool *p)
{
	uint64_t capacity = 0;
	bool degraded = false;

	for (unsigned i = 0; i < p->n_members; i++) {
		const struct member *m = &p->member[i];
		struct handoff_drive *d;

		if (m->state == HANDOFF_ONLINE)
			capacity += m->extents * p->layout.extent_bytes;
		else
			degraded = true;
		if (m->slot == HANDOFF_NO_DRIVE)
			continue;
		d = &p->slow->h->drives[m->slot];
		d->pool = (uint16_t)p->slot;
		d->index = (uint16_t)i;
		__atomic_store_n(&d->role, m->state, __ATOMIC_RELEASE);
	}
	p->shared->n_drives = p->n_members;
	p->shared->extent_bytes = p->layout.extent_bytes;
	__atomic_store_n(&p->shared->capacity_bytes, capacity,
	                 __ATOMIC_RELAXED);
	__atomic_store_n(&p->shared->state,
	                 degraded ? HANDOFF_POOL_DEGRADED : HANDOFF_POOL_ONLINE,
	                 __ATOMIC_RELEASE);
}

/* -- losing one ----------------------------------------------------------- */

static bool may_lose(const struct pool *p, unsigned index,
                     enum member_blame blame)
{
	uint32_t others = member_online(p) & ~(1u << index);

	if (!others || alloc_needs(&p->alloc, index, false))
		return false;
	/* Its unprotected data are lost either way: let the others go on. */
	return !alloc_needs(&p->alloc, index, true) ||
	       (blame == MEMBER_BLAME_VOLUME &&
	        alloc_protects(&p->alloc, index));
}

int member_lose(struct pool *p, unsigned index, enum member_blame blame,
                const char *why)
{
	struct member *m = &p->member[index];
	uint32_t holders = member_holders(p);
	struct record r;
	int err;

	if (m->state != HANDOFF_ONLINE)
		return 0;
	if (!may_lose(p, index, blame)) {
		if (blame != MEMBER_BLAME_META ||
		    !(may_hold(p) & ~(1u << index)))
			return -EBUSY;
		log_event(LOG_LEVEL_WARN, "metadata moves off a drive",
		          "pool=%s drive=%s why=\"%s\"", p->name, m->name, why);
		m->no_meta = true;
		checkpoint_want(p, NULL);
		return 0;
	}
	m->state = HANDOFF_FAILED;
	member_record(p, index, &r);
	err = metalog_object(p, &r);
	if (!err) {
		p->generation++;
		r = (struct record){
			.type = META_POOL,
			.pool = { .generation = p->generation,
			          .next_volume_id = p->next_volume_id },
		};
		err = metalog_object(p, &r);
	}
	if (err) { /* out of memory: the next error will tell again */
		m->state = HANDOFF_ONLINE;
		return err;
	}
	log_event(LOG_LEVEL_WARN, "drive failed",
	          "pool=%s drive=%s index=%u why=\"%s\"", p->name, m->name,
	          index, why);
	snprintf(m->why, sizeof(m->why), "%s; replace it", why);
	alloc_set_usable(&p->alloc, index, false);
	if (holders >> index & 1)
		checkpoint_want(p, NULL);
	member_announce(p);
	return 0;
}

/* -- telling the drives --------------------------------------------------- */

static void settled(struct pool *p, int err)
{
	struct announcement *a = &p->announcement;

	a->state = ANNOUNCE_IDLE;
	if (!err && a->again) {
		member_announce(p);
		return;
	}
	if (!err)
		member_publish(p);
	request_drives_settled(p, err);
	member_calls_settled(p, err);
}

static void labels_written(struct metaio_fan *f)
{
	struct announcement *a = container_of(f, struct announcement, fan);
	struct pool *p = container_of(a, struct pool, announcement);

	/* A label that cannot be written is a drive that fails next. */
	for (unsigned i = 0; i < p->n_members; i++)
		if (f->failed >> i & 1)
			member_lose(p, i, MEMBER_BLAME_META,
			            "its label could not be written");
	if (++a->copy < LABEL_IO_COPIES)
		label_io_write_all(p, a->copy, f, labels_written);
	else
		settled(p, 0);
}

static void committed(struct metalog_waiter *w, int err)
{
	struct announcement *a = container_of(w, struct announcement, waiter);
	struct pool *p = container_of(a, struct pool, announcement);

	if (err) {
		settled(p, err);
		return;
	}
	a->state = ANNOUNCE_LABELS;
	a->copy = 0;
	label_io_write_all(p, 0, &a->fan, labels_written);
}

void member_announce(struct pool *p)
{
	struct announcement *a = &p->announcement;

	a->again = a->state != ANNOUNCE_IDLE;
	if (a->again)
		return;
	a->state = ANNOUNCE_COMMIT;
	a->waiter.done = committed;
	a->waiter.plain = false;
	metalog_commit(p, &a->waiter);
}
