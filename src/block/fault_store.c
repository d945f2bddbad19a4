/* SPDX-License-Identifier: BSD-2-Clause */
#include "block/fault_store_priv.h"

#include "base/base.h"

#include <assert.h>
#include <string.h>

struct page {
	unsigned owners; /* leaves */
	uint8_t bytes[FAULT_PAGE];
};

struct fault_leaf {
	unsigned owners; /* stores */
	struct page *page[FAULT_LEAF];
};

static void *must_have(void *memory)
{
	assert(memory); /* only tests come here */
	return memory;
}

/* -- owners --------------------------------------------------------------- */

static void put_page(struct page *p)
{
	if (p && --p->owners == 0)
		free(p);
}

static void put_leaf(struct fault_leaf *l)
{
	if (!l || --l->owners > 0)
		return;
	for (unsigned i = 0; i < FAULT_LEAF; i++)
		put_page(l->page[i]);
	free(l);
}

void fault_store_init(struct fault_store *s, uint64_t size)
{
	uint64_t pages = (size + FAULT_PAGE - 1) / FAULT_PAGE;

	s->n_leaves = (pages + FAULT_LEAF - 1) / FAULT_LEAF;
	s->leaf = must_have(calloc(s->n_leaves, sizeof(struct fault_leaf *)));
}

void fault_store_share(struct fault_store *s, const struct fault_store *from)
{
	s->n_leaves = from->n_leaves;
	s->leaf = must_have(calloc(s->n_leaves, sizeof(struct fault_leaf *)));
	for (uint64_t i = 0; i < s->n_leaves; i++) {
		s->leaf[i] = from->leaf[i];
		if (s->leaf[i])
			s->leaf[i]->owners++;
	}
}

void fault_store_fini(struct fault_store *s)
{
	for (uint64_t i = 0; i < s->n_leaves; i++)
		put_leaf(s->leaf[i]);
	free(s->leaf);
}

/* -- bytes ---------------------------------------------------------------- */

/* The leaf for page `n`, which nobody else owns. */
static struct fault_leaf *own_leaf(struct fault_store *s, uint64_t n)
{
	struct fault_leaf **slot = &s->leaf[n / FAULT_LEAF];
	struct fault_leaf *old = *slot;
	struct fault_leaf *l;

	if (old && old->owners == 1)
		return old;
	l = must_have(calloc(1, sizeof(*l)));
	l->owners = 1;
	for (unsigned i = 0; old && i < FAULT_LEAF; i++) {
		l->page[i] = old->page[i];
		if (l->page[i])
			l->page[i]->owners++;
	}
	put_leaf(old);
	*slot = l;
	return l;
}

static uint8_t *own_page(struct fault_store *s, uint64_t n)
{
	struct page **slot = &own_leaf(s, n)->page[n % FAULT_LEAF];
	struct page *old = *slot;
	struct page *p;

	if (old && old->owners == 1)
		return old->bytes;
	p = must_have(malloc(sizeof(*p)));
	p->owners = 1;
	if (old)
		memcpy(p->bytes, old->bytes, FAULT_PAGE);
	else
		memset(p->bytes, 0, FAULT_PAGE);
	put_page(old);
	*slot = p;
	return p->bytes;
}

static const struct page *find_page(const struct fault_store *s, uint64_t n)
{
	const struct fault_leaf *l = s->leaf[n / FAULT_LEAF];

	return l ? l->page[n % FAULT_LEAF] : NULL;
}

static void zero(struct fault_store *s, uint64_t n, uint64_t in, uint64_t here)
{
	struct page **slot;

	if (!find_page(s, n))
		return;
	if (here < FAULT_PAGE) {
		memset(own_page(s, n) + in, 0, here);
		return;
	}
	slot = &own_leaf(s, n)->page[n % FAULT_LEAF];
	put_page(*slot);
	*slot = NULL;
}

void fault_store_read(const struct fault_store *s, uint64_t offset,
                      uint64_t length, uint8_t *out)
{
	while (length > 0) {
		const struct page *p = find_page(s, offset / FAULT_PAGE);
		uint64_t in = offset % FAULT_PAGE;
		uint64_t here = FAULT_PAGE - in;

		if (here > length)
			here = length;
		if (p)
			memcpy(out, p->bytes + in, here);
		else
			memset(out, 0, here);
		out += here;
		offset += here;
		length -= here;
	}
}

void fault_store_write(struct fault_store *s, uint64_t offset, uint64_t length,
                       const uint8_t *data)
{
	while (length > 0) {
		uint64_t n = offset / FAULT_PAGE;
		uint64_t in = offset % FAULT_PAGE;
		uint64_t here = FAULT_PAGE - in;

		if (here > length)
			here = length;
		if (data) {
			memcpy(own_page(s, n) + in, data, here);
			data += here;
		} else {
			zero(s, n, in, here);
		}
		offset += here;
		length -= here;
	}
}
