/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/slow/emit.h"

void emit_begin(struct emit *e, uint8_t *buffer,
                void (*seal)(struct emit *e, void *block, uint32_t n,
                             uint32_t used))
{
	e->buffer = buffer;
	e->blocks = 0;
	e->used = 0;
	e->seal = seal;
	e->run_n = 0;
	e->pair_n = 0;
}

static uint8_t *current(const struct emit *e)
{
	return e->buffer + (size_t)e->blocks * META_BLOCK;
}

static void finish_block(struct emit *e)
{
	if (!e->used)
		return;
	e->seal(e, current(e), e->blocks, e->used);
	e->blocks++;
	e->used = 0;
}

static void put(struct emit *e, const struct record *r)
{
	if (e->used + record_length(r) > META_CONTENT)
		finish_block(e);
	e->used = record_put(current(e), e->used, r);
}

/* Put `n` items of `item` bytes, in as many records as it takes. */
static void put_items(struct emit *e, enum meta_record_type type,
                      uint64_t first, const uint8_t *items, uint32_t n,
                      uint32_t item)
{
	const uint32_t head =
		sizeof(struct meta_record) + sizeof(struct meta_map);

	while (n > 0) {
		uint32_t room = META_CONTENT - e->used;
		uint32_t fit = room > head ? (room - head) / item : 0;
		struct record r = {
			.type = type,
			.map = { .volume = e->volume,
			         .first = first,
			         .items = items },
		};

		if (fit < EMIT_RUN_MIN && fit < n) {
			finish_block(e);
			continue;
		}
		r.map.count = (uint16_t)(fit < n ? fit : n);
		put(e, &r);
		items += (size_t)r.map.count * item;
		n -= r.map.count;
		if (type == META_MAP)
			first += r.map.count;
	}
}

static void flush_pairs(struct emit *e)
{
	put_items(e, META_SPARSE, e->base, (const uint8_t *)e->pair, e->pair_n,
	          sizeof(*e->pair));
	e->pair_n = 0;
}

static void add_pair(struct emit *e, uint64_t chunk, le64 entry)
{
	uint64_t base = chunk & ~UINT64_C(0xffffffff);

	if (e->pair_n == RECORD_SPARSE_MAX || (e->pair_n && e->base != base))
		flush_pairs(e);
	e->base = base;
	e->pair[e->pair_n++] = (struct meta_pair){
		.chunk = le32_put((uint32_t)chunk),
		.entry = entry,
	};
}

static void flush_run(struct emit *e)
{
	if (e->run_n >= EMIT_RUN_MIN) {
		put_items(e, META_MAP, e->run_first, (const uint8_t *)e->run,
		          e->run_n, sizeof(*e->run));
	} else {
		for (unsigned i = 0; i < e->run_n; i++)
			add_pair(e, e->run_first + i, e->run[i]);
	}
	e->run_n = 0;
}

static void flush_maps(struct emit *e)
{
	flush_run(e);
	flush_pairs(e);
}

void emit_record(struct emit *e, const struct record *r)
{
	flush_maps(e);
	put(e, r);
}

void emit_map(struct emit *e, uint64_t volume, uint64_t chunk, uint64_t entry)
{
	if ((e->run_n || e->pair_n) && e->volume != volume)
		flush_maps(e);
	else if (e->run_n && (chunk != e->run_first + e->run_n ||
	                      e->run_n == RECORD_MAP_MAX))
		flush_run(e);
	e->volume = volume;
	if (!e->run_n)
		e->run_first = chunk;
	e->run[e->run_n++] = le64_put(entry);
}

void emit_end(struct emit *e)
{
	flush_maps(e);
	finish_block(e);
}

void emit_rewind(struct emit *e)
{
	if (e->used && e->blocks)
		memmove(e->buffer, current(e), META_BLOCK);
	e->blocks = 0;
}
