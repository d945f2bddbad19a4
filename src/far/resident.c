/* SPDX-License-Identifier: BSD-2-Clause */
#include "far/resident.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define FIRST_SIZE 1024u

void resident_init(struct resident *r, struct page_map *map)
{
	*r = (struct resident){ .map = map };
}

void resident_fini(struct resident *r)
{
	free(r->queue[0].entry);
	free(r->queue[1].entry);
}

static struct resident_entry *slot_of(const struct resident_queue *q,
                                      uint64_t at)
{
	return &q->entry[at & (q->size - 1)];
}

/* The page of an entry; NULL if it has gone meanwhile. */
static struct far_page *page_of(const struct resident *r,
                                const struct resident_entry *e)
{
	struct far_page *p = page_map_find(r->map, e->number);

	return p && p->state == FAR_RESIDENT && p->stamp == e->stamp ? p : NULL;
}

/* Drop what is stale; make the ring twice as large if that is not enough. */
static int make_room(struct resident *r, struct resident_queue *q)
{
	uint64_t size = q->size ? q->size : FIRST_SIZE;
	struct resident_entry *entry;
	uint64_t n = 0;

	if (q->live > size / 2)
		size *= 2;
	entry = calloc(size, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	for (uint64_t i = q->head; i != q->tail; i++)
		if (page_of(r, slot_of(q, i)))
			entry[n++] = *slot_of(q, i);
	free(q->entry);
	q->entry = entry;
	q->size = size;
	q->head = 0;
	q->tail = n;
	return 0;
}

int resident_add(struct resident *r, uint64_t number, struct far_page *p)
{
	struct resident_queue *q = &r->queue[p->hot];

	assert(p->state != FAR_RESIDENT);
	p->state = FAR_RESIDENT;
	p->stamp = r->stamp++;
	q->live++;
	if (q->tail - q->head == q->size && make_room(r, q))
		return -ENOMEM;
	*slot_of(q, q->tail++) = (struct resident_entry){ number, p->stamp };
	return 0;
}

void resident_remove(struct resident *r, struct far_page *p,
                     enum far_state state)
{
	assert(p->state == FAR_RESIDENT && state != FAR_RESIDENT);
	r->queue[p->hot].live--;
	p->state = state & 0xfu;
}

uint64_t resident_count(const struct resident *r)
{
	return r->queue[0].live + r->queue[1].live;
}

static struct far_page *pop(struct resident *r, struct resident_queue *q,
                            uint64_t *number)
{
	while (q->head != q->tail) {
		const struct resident_entry e = *slot_of(q, q->head++);
		struct far_page *p = page_of(r, &e);

		if (p) {
			*number = e.number;
			return p;
		}
	}
	return NULL;
}

struct far_page *resident_pick(struct resident *r, uint64_t *number)
{
	unsigned first = r->queue[0].live <= resident_count(r) / 4;
	struct far_page *p = pop(r, &r->queue[first], number);

	if (!p)
		p = pop(r, &r->queue[!first], number);
	if (p)
		resident_remove(r, p, FAR_LEAVING);
	return p;
}

void resident_gone(struct resident *r, struct far_page *p)
{
	p->stamp = r->left++;
}

void resident_back(const struct resident *r, struct far_page *p, uint64_t limit)
{
	p->hot = (uint32_t)(r->left - p->stamp) < limit;
}
