/* SPDX-License-Identifier: BSD-2-Clause */
#include "export/nbd_pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST 12u /* log2 of NBD_POOL_ALIGN */

static unsigned class_of(size_t length)
{
	unsigned bits;

	assert(length > 0 && length <= (size_t)NBD_POOL_ALIGN
	                                       << (NBD_POOL_CLASSES - 1));
	if (length <= NBD_POOL_ALIGN)
		return 0;
	bits = 64u - (unsigned)__builtin_clzll(length - 1);
	return bits - SMALLEST;
}

static size_t class_size(unsigned class)
{
	return (size_t)NBD_POOL_ALIGN << class;
}

/* The link is copied: a buffer has no type of its own. */
static void *pop(void **head)
{
	void *buffer = *head;

	if (buffer)
		memcpy(head, buffer, sizeof(*head));
	return buffer;
}

static void push(void **head, void *buffer)
{
	memcpy(buffer, head, sizeof(*head));
	*head = buffer;
}

size_t nbd_pool_size(size_t length)
{
	return class_size(class_of(length));
}

void nbd_pool_init(struct nbd_pool *p, size_t limit)
{
	*p = (struct nbd_pool){ .limit = limit };
}

void nbd_pool_fini(struct nbd_pool *p)
{
	assert(p->used == 0);
	nbd_pool_trim(p);
}

void *nbd_pool_get(struct nbd_pool *p, size_t length)
{
	unsigned class = class_of(length);
	size_t size = class_size(class);
	void *buffer = pop(&p->free[class]);

	if (buffer) {
		p->cached -= size;
		p->used += size;
		return buffer;
	}
	if (p->used + size > p->limit)
		return NULL;
	if (p->used + p->cached + size > p->limit)
		nbd_pool_trim(p);
	buffer = aligned_alloc(NBD_POOL_ALIGN, size);
	if (buffer)
		p->used += size;
	return buffer;
}

void nbd_pool_put(struct nbd_pool *p, void *buffer, size_t length)
{
	unsigned class = class_of(length);
	size_t size = class_size(class);

	assert(p->used >= size);
	p->used -= size;
	if (p->cached + size > NBD_POOL_CACHED_MAX) {
		free(buffer);
		return;
	}
	push(&p->free[class], buffer);
	p->cached += size;
}

void nbd_pool_trim(struct nbd_pool *p)
{
	for (unsigned c = 0; c < NBD_POOL_CLASSES; c++)
		for (void *b = pop(&p->free[c]); b; b = pop(&p->free[c]))
			free(b);
	p->cached = 0;
}
