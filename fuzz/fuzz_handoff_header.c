/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Feed a header and an object's size to the check behind handoff_attach().
 * Property: what passes has regions in order, apart from each other and
 * inside the object, aligned for what lies in them.
 */
#include "volume/handoff.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t at_least(bool fine, uint64_t end)
{
	if (!fine)
		abort();
	return end;
}

static void check_regions(const struct handoff_header *h, uint64_t bytes)
{
	const struct {
		uint64_t offset, item, n;
	} r[] = {
		{ h->lanes_offset, sizeof(struct handoff_lane), h->n_lanes },
		{ h->drives_offset, sizeof(struct handoff_drive),
		  HANDOFF_DRIVES },
		{ h->pools_offset, sizeof(struct handoff_pool), HANDOFF_POOLS },
		{ h->volumes_offset, sizeof(struct handoff_volume),
		  HANDOFF_VOLUMES },
		{ h->rows_offset, sizeof(struct handoff_row),
		  (uint64_t)HANDOFF_POOLS * HANDOFF_POOL_ROWS },
		{ h->arena_offset, 1, h->arena_bytes },
		{ h->table_offset, sizeof(uint64_t), h->table_entries },
	};
	unsigned __int128 end = sizeof(*h);

	at_least(h->magic == HANDOFF_MAGIC, 0);
	at_least(h->version == HANDOFF_VERSION, 0);
	at_least(h->n_lanes >= 1 && h->n_lanes <= HANDOFF_LANES, 0);
	for (size_t i = 0; i < sizeof(r) / sizeof(r[0]); i++) {
		at_least(r[i].n > 0 && r[i].offset % 4096 == 0, 0);
		at_least(r[i].offset >= end, 0);
		end = (unsigned __int128)r[i].item * r[i].n + r[i].offset;
	}
	at_least(end <= bytes && bytes == h->total_bytes, 0);
}

/* A good header, so that a few flipped bytes get past the first checks. */
static struct handoff_header *good_header(void)
{
	static struct handoff_header good;
	struct handoff h;

	if (good.magic || handoff_create(2, 4096, &h, NULL))
		return &good;
	good = *h.header;
	handoff_detach(&h);
	return &good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct handoff_header *h = calloc(1, sizeof(*h));
	uint64_t bytes = good_header()->total_bytes;

	if (!h || size < 1)
		goto out;
	if (data[0] & 1)
		*h = *good_header();
	if (data[0] & 2 && size >= 9)
		memcpy(&bytes, data + 1, 8);
	/* Patches: offset in the first 96 bytes, then 8 bytes to add. */
	for (size_t i = 9; i + 9 <= size; i += 9) {
		uint8_t *at = (uint8_t *)h + data[i] % 12 * 8;
		uint64_t v, add;

		memcpy(&v, at, 8);
		memcpy(&add, data + i + 1, 8);
		v += add;
		memcpy(at, &v, 8);
	}
	if (data[0] & 4)
		bytes = h->total_bytes;
	if (handoff_check_header(h, bytes) == 0)
		check_regions(h, bytes);
out:
	free(h);
	return 0;
}
