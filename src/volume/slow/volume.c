/* SPDX-License-Identifier: BSD-2-Clause */
/* Volumes in memory: slots, ranges of the table, leaves in use. */
#include "base/base.h"
#include "volume/slow/slow_priv.h"

#include <errno.h>

#define WORD 64u

uint64_t volume_chunks(uint64_t bytes)
{
	return (bytes + CHUNK_BYTES - 1) >> CHUNK_SHIFT;
}

uint64_t volume_range(uint64_t chunks)
{
	return (chunks + SLOW_LEAF - 1) / SLOW_LEAF * SLOW_LEAF;
}

int volume_find_range(const struct slow *s, uint64_t chunks, uint64_t *base)
{
	uint64_t n = volume_range(chunks), at = 0;
	bool moved = true;

	while (moved) {
		moved = false;
		for (unsigned i = 0; i < HANDOFF_VOLUMES; i++) {
			const struct volume *v = &s->volume[i];

			if (v->pool && at < v->base + volume_range(v->chunks) &&
			    v->base < at + n) {
				at = v->base + volume_range(v->chunks);
				moved = true;
			}
		}
	}
	if (at > s->h->table_entries || n > s->h->table_entries - at)
		return -ENOSPC;
	*base = at;
	return 0;
}

int volume_find_slot(const struct slow *s)
{
	for (int i = 0; i < (int)HANDOFF_VOLUMES; i++)
		if (!s->volume[i].pool)
			return i;
	return -ENOSPC;
}

int volume_attach(struct slow *s, unsigned slot)
{
	struct volume *v = &s->volume[slot];
	struct handoff_volume *shared = &s->h->volumes[slot];
	uint64_t chunks = volume_chunks(shared->size);
	uint64_t leaves = volume_range(chunks) / SLOW_LEAF;
	uint64_t *touched = calloc(leaves / WORD + 1, sizeof(*touched));

	if (!touched)
		return -ENOMEM;
	*v = (struct volume){
		.pool = s->pool[shared->pool],
		.shared = shared,
		.id = shared->id,
		.base = shared->table_base,
		.chunks = chunks,
		.touched = touched,
		.profile = (enum raid_profile)shared->profile,
		.slot = slot,
	};
	return 0;
}

void volume_detach(struct volume *v)
{
	free(v->touched);
	free(v->deletion);
	memset(v, 0, sizeof(*v));
}

void volume_describe(struct pool *p, unsigned slot, uint64_t base,
                     const struct record_volume *r)
{
	struct handoff_volume *v = &p->slow->h->volumes[slot];

	handoff_clear_entries(p->slow->h, base,
	                      volume_range(volume_chunks(r->size)));
	__atomic_store_n(&v->generation, v->generation + 1, __ATOMIC_RELEASE);
	v->size = r->size;
	v->table_base = base;
	v->row_base = p->slot * HANDOFF_POOL_ROWS;
	v->pool = (uint16_t)p->slot;
	v->profile = r->profile;
	v->id = r->id;
	v->allocated = 0;
	__atomic_store_n(&v->changes, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&v->committed, 0, __ATOMIC_RELAXED);
	memcpy(v->uuid, r->uuid, sizeof(v->uuid));
	memset(v->name, 0, sizeof(v->name));
	memcpy(v->name, r->name, strlen(r->name));
}

uint64_t volume_entry(const struct volume *v, uint64_t chunk)
{
	return handoff_entry(v->pool->slow->h, v->base + chunk);
}

void volume_touch(struct volume *v, uint64_t chunk)
{
	uint64_t leaf = chunk / SLOW_LEAF;

	v->touched[leaf / WORD] |= UINT64_C(1) << leaf % WORD;
}

uint64_t volume_next_touched(const struct volume *v, uint64_t from)
{
	uint64_t leaf = (from + SLOW_LEAF - 1) / SLOW_LEAF;
	uint64_t leaves = volume_range(v->chunks) / SLOW_LEAF;

	while (leaf < leaves) {
		uint64_t word = v->touched[leaf / WORD] >> leaf % WORD;

		if (word) {
			leaf += (unsigned)__builtin_ctzll(word);
			break;
		}
		leaf = (leaf / WORD + 1) * WORD;
	}
	return leaf < leaves ? leaf * SLOW_LEAF : v->chunks;
}
