/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/slow/pending.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MIN 256u

void pending_init(struct pending *p)
{
	memset(p, 0, sizeof(*p));
}

void pending_fini(struct pending *p)
{
	free(p->item);
	free(p->hash);
	pending_init(p);
}

static uint32_t bucket(const struct pending *p, uint32_t volume, uint64_t chunk)
{
	uint64_t h =
		(chunk ^ (uint64_t)volume << 40) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint32_t)(h >> 32) & (p->hash_size - 1);
}

/* The bucket that holds the chunk, or the empty one where it belongs. */
static uint32_t *find(struct pending *p, uint32_t volume, uint64_t chunk)
{
	uint32_t b = bucket(p, volume, chunk);

	for (;; b = (b + 1) & (p->hash_size - 1)) {
		const struct pending_item *item;

		if (!p->hash[b])
			return &p->hash[b];
		item = &p->item[p->hash[b] - 1];
		if (item->chunk == chunk && item->volume == volume)
			return &p->hash[b];
	}
}

static void index_all(struct pending *p)
{
	memset(p->hash, 0, p->hash_size * sizeof(*p->hash));
	for (uint32_t i = 0; i < p->n; i++)
		*find(p, p->item[i].volume, p->item[i].chunk) = i + 1;
}

int pending_reserve(struct pending *p)
{
	uint32_t size = p->size ? p->size * 2 : SIZE_MIN;
	struct pending_item *item;
	uint32_t *hash;

	if (p->n < p->size)
		return 0;
	item = realloc(p->item, size * sizeof(*item));
	if (!item)
		return -ENOMEM;
	p->item = item;
	hash = malloc(size * 2 * sizeof(*hash));
	if (!hash)
		return -ENOMEM;
	free(p->hash);
	p->hash = hash;
	p->hash_size = size * 2;
	p->size = size;
	index_all(p);
	return 0;
}

void pending_add(struct pending *p, uint32_t volume, uint64_t chunk,
                 bool unmapped)
{
	uint32_t *b;

	assert(p->n < p->size);
	b = find(p, volume, chunk);
	p->added++;
	if (*b) {
		p->item[*b - 1].count++;
		p->item[*b - 1].unmapped |= unmapped;
		return;
	}
	p->item[p->n] = (struct pending_item){
		.number = p->added,
		.chunk = chunk,
		.volume = volume,
		.count = 1,
		.unmapped = unmapped,
	};
	*b = ++p->n;
}

void pending_sweep(struct pending *p, uint32_t n, const uint8_t *keep)
{
	uint32_t to = 0;

	if (!n)
		return;
	for (uint32_t i = 0; i < p->n; i++)
		if (i >= n || keep[i])
			p->item[to++] = p->item[i];
	p->n = to;
	index_all(p);
}
