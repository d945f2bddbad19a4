/* SPDX-License-Identifier: BSD-2-Clause */
#include "far/tier.h"

#include <assert.h>
#include <errno.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define NONE UINT32_MAX
#define CHUNK 256u /* cells */
#define LOOKS 64u  /* blocks, for one that is nearly empty */

enum cell_state { CELL_FREE, CELL_HERE, CELL_LEAVING, CELL_ELSEWHERE };

struct tier_cell {
	uint32_t holders;
	uint16_t length; /* of the compressed bytes */
	uint8_t state;   /* enum cell_state */
	union {
		struct {
			uint32_t block, object;
			uint32_t colder, hotter; /* HERE */
		};
		struct tier_address address; /* ELSEWHERE */
		uint32_t next_free;
	};
};

/* What every object begins with; then the bytes. */
struct object {
	uint32_t cell;      /* NONE: it is free */
	uint32_t next_free; /* of its block, when it is free */
};
#define HEADER sizeof(uint32_t)

struct tier_block {
	uint16_t class;
	uint16_t used;           /* objects; 0: the block is not in use */
	uint16_t carved;         /* objects that have ever been used */
	uint32_t free;           /* of these, the first free one */
	uint32_t next, previous; /* partial ones of the class; free blocks */
};

static uint32_t size_of(unsigned class)
{
	return (class + 1) * TIER_STEP;
}

static uint32_t capacity(unsigned class)
{
	return (uint32_t)(TIER_BLOCK / size_of(class));
}

static struct object *object_at(const struct tier *t, uint32_t block,
                                uint32_t index)
{
	return (struct object *)(void *)(t->memory + block * TIER_BLOCK +
	                                 index * size_of(t->block[block]
	                                                         .class));
}

static uint8_t *bytes_of(struct object *o)
{
	return (uint8_t *)o + HEADER;
}

static struct tier_cell *cell_at(const struct tier *t, uint32_t cell)
{
	assert(cell / CHUNK < t->n_chunks);
	return &t->chunk[cell / CHUNK][cell % CHUNK];
}

static struct tier_cell *held(const struct tier *t, uint32_t cell)
{
	struct tier_cell *c = cell_at(t, cell);

	assert(c->state != CELL_FREE && c->holders > 0);
	return c;
}

/* -- life ------------------------------------------------------------------ */

int tier_init(struct tier *t, uint64_t max)
{
	uint64_t blocks = max / TIER_BLOCK + 1;

	*t = (struct tier){ .limit = max,
		            .n_blocks = (uint32_t)blocks,
		            .free_cell = NONE,
		            .coldest = NONE,
		            .hottest = NONE };
	t->block = calloc(blocks, sizeof(*t->block));
	t->memory = mmap(NULL, blocks * TIER_BLOCK, PROT_READ | PROT_WRITE,
	                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->memory == MAP_FAILED)
		t->memory = NULL;
	if (!t->block || !t->memory) {
		tier_fini(t);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < blocks; i++)
		t->block[i].next = i + 1 < blocks ? i + 1 : NONE;
	for (unsigned i = 0; i < TIER_CLASSES; i++)
		t->partial[i] = NONE;
	return 0;
}

void tier_fini(struct tier *t)
{
	for (uint32_t i = 0; i < t->n_chunks; i++)
		free(t->chunk[i]);
	free(t->chunk);
	if (t->memory)
		munmap(t->memory, t->n_blocks * TIER_BLOCK);
	free(t->block);
	*t = (struct tier){ 0 };
}

/* -- cells ----------------------------------------------------------------- */

static bool more_cells(struct tier *t)
{
	uint32_t first = t->n_chunks * CHUNK;
	struct tier_cell *c;

	if (first >= TIER_CELLS_MAX || t->bytes + CHUNK * sizeof(*c) > t->limit)
		return false;
	if (t->n_chunks == t->chunks_room) {
		uint32_t room = t->chunks_room ? 2 * t->chunks_room : 64;
		struct tier_cell **more =
			realloc(t->chunk, room * sizeof(*more));

		if (!more)
			return false;
		t->chunk = more;
		t->chunks_room = room;
	}
	c = calloc(CHUNK, sizeof(*c));
	if (!c)
		return false;
	t->chunk[t->n_chunks++] = c;
	t->bytes += CHUNK * sizeof(*c);
	for (uint32_t i = 0; i < CHUNK; i++)
		c[i].next_free = i + 1 < CHUNK ? first + i + 1 : t->free_cell;
	t->free_cell = first;
	return true;
}

static void free_cell(struct tier *t, uint32_t cell)
{
	struct tier_cell *c = cell_at(t, cell);

	c->state = CELL_FREE;
	c->next_free = t->free_cell;
	t->free_cell = cell;
}

static void into_order(struct tier *t, uint32_t cell)
{
	struct tier_cell *c = cell_at(t, cell);

	c->state = CELL_HERE;
	c->colder = t->hottest;
	c->hotter = NONE;
	if (t->hottest == NONE)
		t->coldest = cell;
	else
		cell_at(t, t->hottest)->hotter = cell;
	t->hottest = cell;
}

static void out_of_order(struct tier *t, const struct tier_cell *c)
{
	if (c->colder == NONE)
		t->coldest = c->hotter;
	else
		cell_at(t, c->colder)->hotter = c->hotter;
	if (c->hotter == NONE)
		t->hottest = c->colder;
	else
		cell_at(t, c->hotter)->colder = c->colder;
}

/* -- blocks ---------------------------------------------------------------- */

static void link_partial(struct tier *t, uint32_t block)
{
	struct tier_block *b = &t->block[block];

	b->previous = NONE;
	b->next = t->partial[b->class];
	if (b->next != NONE)
		t->block[b->next].previous = block;
	t->partial[b->class] = block;
}

static void unlink_partial(struct tier *t, uint32_t block)
{
	const struct tier_block *b = &t->block[block];

	if (b->previous == NONE)
		t->partial[b->class] = b->next;
	else
		t->block[b->previous].next = b->next;
	if (b->next != NONE)
		t->block[b->next].previous = b->previous;
}

/* An object of a class that has one free.  @return its index in *block. */
static uint32_t take_object(struct tier *t, unsigned class, uint32_t *block)
{
	struct tier_block *b;
	uint32_t index;

	*block = t->partial[class];
	b = &t->block[*block];
	index = b->free;
	if (index == NONE)
		index = b->carved++;
	else
		b->free = object_at(t, *block, index)->next_free;
	t->n_free[class]--;
	if (++b->used == capacity(class))
		unlink_partial(t, *block);
	return index;
}

/* A block that holds nothing and is in no list. */
static void put_block(struct tier *t, uint32_t block)
{
	t->block[block].used = 0;
	t->block[block].next = t->free_block;
	t->free_block = block;
	t->bytes -= TIER_BLOCK;
	madvise(t->memory + block * TIER_BLOCK, TIER_BLOCK, MADV_DONTNEED);
}

static void free_object(struct tier *t, uint32_t block, uint32_t index)
{
	struct tier_block *b = &t->block[block];
	struct object *o = object_at(t, block, index);

	o->cell = NONE;
	o->next_free = b->free;
	b->free = index;
	t->n_free[b->class]++;
	if (b->used-- == capacity(b->class))
		link_partial(t, block);
	if (b->used > 0)
		return;
	unlink_partial(t, block);
	t->n_free[b->class] -= capacity(b->class);
	put_block(t, block);
}

/* The other blocks of its class have room for what is in it. */
static void empty_block(struct tier *t, uint32_t block)
{
	const struct tier_block *b = &t->block[block];

	unlink_partial(t, block);
	t->n_free[b->class] -= capacity(b->class) - b->used;
	for (uint32_t i = 0; i < b->carved; i++) {
		const struct object *from = object_at(t, block, i);
		struct tier_cell *c;

		if (from->cell == NONE)
			continue;
		c = cell_at(t, from->cell);
		c->object = take_object(t, b->class, &c->block);
		memcpy(object_at(t, c->block, c->object), from,
		       HEADER + c->length);
	}
	put_block(t, block);
}

static uint32_t emptiest(const struct tier *t, unsigned class)
{
	uint32_t best = t->partial[class], at = best;

	for (unsigned i = 0; i < LOOKS && at != NONE; i++) {
		if (t->block[at].used < t->block[best].used)
			best = at;
		at = t->block[at].next;
	}
	return best;
}

/* One block less, if a class can do without.  @return whether. */
static bool compact(struct tier *t)
{
	unsigned most = 0;

	for (unsigned i = 1; i < TIER_CLASSES; i++)
		if (t->n_free[i] * size_of(i) > t->n_free[most] * size_of(most))
			most = i;
	if (t->n_free[most] < capacity(most))
		return false;
	empty_block(t, emptiest(t, most));
	return true;
}

static bool take_block(struct tier *t, unsigned class)
{
	uint32_t block;

	while (t->bytes + TIER_BLOCK > t->limit)
		if (!compact(t))
			return false;
	block = t->free_block;
	assert(block != NONE);
	t->free_block = t->block[block].next;
	t->block[block] =
		(struct tier_block){ .class = (uint16_t) class, .free = NONE };
	link_partial(t, block);
	t->n_free[class] += capacity(class);
	t->bytes += TIER_BLOCK;
	return true;
}

/* -- pages ----------------------------------------------------------------- */

size_t tier_pack_size(void)
{
	return (size_t)LZ4_sizeofState();
}

unsigned tier_pack(void *work, const uint8_t page[FAR_PAGE],
                   uint8_t packed[TIER_PACKED])
{
	int n = LZ4_compress_fast_extState(work, (const char *)page,
	                                   (char *)packed, (int)FAR_PAGE,
	                                   (int)TIER_PACKED, 1);

	return n > 0 ? (unsigned)n : 0;
}

bool tier_put(struct tier *t, const uint8_t *packed, unsigned length,
              uint32_t *cell)
{
	unsigned class = (length + (unsigned)HEADER - 1) / TIER_STEP;
	struct tier_cell *c;

	assert(length > 0 && length <= TIER_PACKED);
	if (t->free_cell == NONE && !more_cells(t))
		return false;
	if (t->partial[class] == NONE && !take_block(t, class))
		return false;
	*cell = t->free_cell;
	c = cell_at(t, *cell);
	t->free_cell = c->next_free;
	c->holders = 1;
	c->length = (uint16_t)length;
	c->object = take_object(t, class, &c->block);
	object_at(t, c->block, c->object)->cell = *cell;
	memcpy(bytes_of(object_at(t, c->block, c->object)), packed, length);
	into_order(t, *cell);
	t->pages++;
	t->packed += length;
	return true;
}

void tier_get(const struct tier *t, uint32_t cell, uint8_t page[FAR_PAGE])
{
	const struct tier_cell *c = held(t, cell);
	struct object *o;
	int n;

	assert(c->state != CELL_ELSEWHERE);
	o = object_at(t, c->block, c->object);
	assert(o->cell == cell);
	n = LZ4_decompress_safe((const char *)bytes_of(o), (char *)page,
	                        c->length, (int)FAR_PAGE);
	assert(n == (int)FAR_PAGE);
}

static void drop_bytes(struct tier *t, struct tier_cell *c)
{
	t->pages--;
	t->packed -= c->length;
	free_object(t, c->block, c->object);
}

const struct tier_address *tier_elsewhere(const struct tier *t, uint32_t cell)
{
	const struct tier_cell *c = held(t, cell);

	return c->state == CELL_ELSEWHERE ? &c->address : NULL;
}

void tier_hold(struct tier *t, uint32_t cell)
{
	held(t, cell)->holders++;
}

uint32_t tier_release(struct tier *t, uint32_t cell)
{
	struct tier_cell *c = held(t, cell);
	uint32_t slot = FAR_NO_SLOT;

	if (--c->holders > 0)
		return FAR_NO_SLOT;
	assert(c->state != CELL_LEAVING); /* its writer holds it */
	if (c->state == CELL_ELSEWHERE) {
		slot = c->address.slot;
	} else {
		out_of_order(t, c);
		drop_bytes(t, c);
	}
	free_cell(t, cell);
	return slot;
}

/* -- leaving --------------------------------------------------------------- */

unsigned tier_coldest(struct tier *t, unsigned want, uint32_t *cell)
{
	unsigned n = 0;

	for (; n < want && t->coldest != NONE; n++) {
		struct tier_cell *c = cell_at(t, t->coldest);

		cell[n] = t->coldest;
		out_of_order(t, c);
		c->state = CELL_LEAVING;
		c->holders++;
	}
	return n;
}

bool tier_stored(struct tier *t, uint32_t cell,
                 const struct tier_address *address)
{
	struct tier_cell *c = held(t, cell);

	assert(c->state == CELL_LEAVING);
	drop_bytes(t, c);
	if (--c->holders == 0) {
		free_cell(t, cell);
		return false;
	}
	c->state = CELL_ELSEWHERE;
	c->address = *address;
	return true;
}

void tier_kept(struct tier *t, uint32_t cell)
{
	assert(held(t, cell)->state == CELL_LEAVING);
	into_order(t, cell);
	tier_release(t, cell);
}

void tier_shrink(struct tier *t)
{
	while (t->bytes > t->limit && compact(t))
		continue;
}

/* -- for tests ------------------------------------------------------------- */

/* @return objects that are in use in a block, each of a cell that says so. */
static unsigned check_block(const struct tier *t, uint32_t block)
{
	const struct tier_block *b = &t->block[block];
	unsigned used = 0;

	for (uint32_t i = 0; i < b->carved; i++) {
		const struct object *o = object_at(t, block, i);
		const struct tier_cell *c;

		if (o->cell == NONE)
			continue;
		c = held(t, o->cell);
		assert(c->state == CELL_HERE || c->state == CELL_LEAVING);
		assert(c->block == block && c->object == i);
		used++;
	}
	assert(used == b->used);
	return used;
}

void tier_check(const struct tier *t)
{
	uint64_t pages = 0,
		 bytes = t->n_chunks * CHUNK * sizeof(struct tier_cell);
	uint64_t n_free[TIER_CLASSES] = { 0 };

	for (uint32_t i = 0; i < t->n_blocks; i++) {
		const struct tier_block *b = &t->block[i];

		if (b->used == 0)
			continue;
		bytes += TIER_BLOCK;
		pages += check_block(t, i);
		n_free[b->class] += capacity(b->class) - b->used;
	}
	assert(bytes == t->bytes && pages == t->pages);
	assert(memcmp(n_free, t->n_free, sizeof(n_free)) == 0);
}
