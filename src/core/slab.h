/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/slab - a bounded pool of equal objects for one thread.
 *
 * Objects come in LIFO order, so that the one in cache is the next to be
 * used.  Memory grows in slabs up to `max` objects and is given back only by
 * slab_fini(): a data path that has run at full depth once allocates nothing
 * any more.  An exhausted pool is back-pressure, not an error: the caller
 * queues and is served when something is put back.
 */
#ifndef CORE_SLAB_H
#define CORE_SLAB_H

#include <stddef.h>

struct slab_chunk;

struct slab {
	void *free;                /* singly linked through the objects */
	struct slab_chunk *chunks; /* to free at the end */
	size_t size;
	size_t align;
	unsigned max;
	unsigned made;
	unsigned used;
};

/* `align` is a power of two, at least sizeof(void *). */
void slab_init(struct slab *s, size_t size, size_t align, unsigned max);

/* Every object must have been put back. */
void slab_fini(struct slab *s);

/* Contents are undefined.  NULL: `max` are in use, or out of memory. */
void *slab_get(struct slab *s);
void slab_put(struct slab *s, void *object);

#endif /* CORE_SLAB_H */
