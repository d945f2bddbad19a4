/* SPDX-License-Identifier: BSD-2-Clause */
/* Pools in memory: made, published, dropped. */
#include "base/base.h"
#include "core/log.h"
#include "volume/slow/slow_priv.h"

#include <errno.h>

struct pool *pool_new(struct slow *s, unsigned slot)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->slow = s;
	p->slot = slot;
	p->shared = &s->h->pools[slot];
	p->generation = 1;
	for (unsigned i = 0; i < RECORD_MEMBERS_MAX; i++)
		p->member[i].slot = HANDOFF_NO_DRIVE;
	list_init(&p->drive_waits);
	list_init(&p->settle_calls);
	list_init(&p->space_waits);
	list_init(&p->discard_waits);
	alloc_init(&p->alloc, 0);
	metalog_init(p);
	checkpoint_init(p);
	s->pool[slot] = p;
	return p;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < HANDOFF_VOLUMES; i++)
		if (p->slow->volume[i].pool == p)
			volume_detach(&p->slow->volume[i]);
	request_drop_pool(p);
	pool_creation_free(p->creation);
	reclaim_fini(p);
	metalog_fini(p);
	alloc_fini(&p->alloc);
	p->slow->pool[p->slot] = NULL;
	free(p);
}

int pool_find(const struct slow *s, const char *name)
{
	for (int i = 0; i < (int)HANDOFF_POOLS; i++)
		if (s->pool[i] && !strcmp(s->pool[i]->name, name))
			return i;
	return -ENOENT;
}

void pool_open(struct pool *p)
{
	memset(p->shared->name, 0, sizeof(p->shared->name));
	memcpy(p->shared->name, p->name, strlen(p->name));
	memcpy(p->shared->uuid, p->uuid, sizeof(p->shared->uuid));
	member_publish(p);
	pool_usage(p);
	p->serving = true;
}

void pool_publish_offline(struct pool *p)
{
	memset(p->shared->name, 0, sizeof(p->shared->name));
	memcpy(p->shared->name, p->name, strlen(p->name));
	memcpy(p->shared->uuid, p->uuid, sizeof(p->shared->uuid));
	p->shared->n_drives = p->n_members;
	p->shared->capacity_bytes = 0;
	p->shared->used_bytes = 0;
	__atomic_store_n(&p->shared->state, HANDOFF_POOL_OFFLINE,
	                 __ATOMIC_RELEASE);
}

void pool_retract_offline(struct pool *p)
{
	__atomic_store_n(&p->shared->state, HANDOFF_POOL_FREE,
	                 __ATOMIC_RELEASE);
}

uint64_t pool_arena(const struct pool *p)
{
	return p->slot * METAIO_POOL_BYTES;
}

/* -- rows ----------------------------------------------------------------- */

static struct handoff_row *shared_row(const struct pool *p, uint32_t row)
{
	return &p->slow->h->rows[(uint64_t)p->slot * HANDOFF_POOL_ROWS + row];
}

void pool_publish_row(struct pool *p, uint32_t row)
{
	const struct alloc_row *from = alloc_row(&p->alloc, row);
	struct handoff_row *to = shared_row(p, row);

	to->profile = (uint8_t)from->geometry.profile;
	to->width = from->geometry.width;
	to->data = from->geometry.data;
	to->strip_shift = from->geometry.strip_shift;
	to->extent_bytes = p->layout.extent_bytes;
	to->data_start = p->layout.data_start;
	for (unsigned i = 0; i < HANDOFF_WIDTH; i++) {
		bool there = i < from->geometry.width;

		to->drive[i] = HANDOFF_NO_DRIVE;
		if (there)
			to->drive[i] = p->member[from->member[i]].slot;
		if (there && to->drive[i] == HANDOFF_NO_DRIVE)
			to->drive[i] = POOL_ABSENT(from->member[i]);
		to->extent[i] = there ? from->extent[i] : 0;
	}
	__atomic_store_n(&to->state, 1, __ATOMIC_RELEASE);
}

void pool_retract_row(struct pool *p, uint32_t row)
{
	__atomic_store_n(&shared_row(p, row)->state, 0, __ATOMIC_RELEASE);
}

/* -- how full ------------------------------------------------------------- */

/* Warn when usage rises past a threshold, and again only after it has fallen
 * by some percent below. */
static const unsigned thresholds[] = { 70, 80, 90 };
#define HYSTERESIS 3u

void pool_usage(struct pool *p)
{
	uint64_t used = p->alloc.used_bytes - p->reclaim.bytes;
	uint64_t capacity = p->shared->capacity_bytes;
	unsigned percent = capacity ? (unsigned)(used * 100 / capacity) : 0;
	unsigned *level = &p->usage_level;

	__atomic_store_n(&p->shared->used_bytes, used, __ATOMIC_RELAXED);
	while (*level < ARRAY_LEN(thresholds) &&
	       percent >= thresholds[*level]) {
		log_event(LOG_LEVEL_WARN, "pool is filling up",
		          "pool=%s used_percent=%u threshold=%u", p->name,
		          percent, thresholds[*level]);
		(*level)++;
	}
	while (*level && percent + HYSTERESIS < thresholds[*level - 1])
		(*level)--;
}
