/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/slab.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_POISON 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SLAB_POISON 1
#endif

#ifdef SLAB_POISON
#include <sanitizer/asan_interface.h>
#define poison(p, n) __asan_poison_memory_region(p, n)
#define unpoison(p, n) __asan_unpoison_memory_region(p, n)
#define is_poisoned(p) (__asan_address_is_poisoned(p) != 0)
#else
#define poison(p, n) ((void)(p), (void)(n))
#define unpoison(p, n) ((void)(p), (void)(n))
#define is_poisoned(p) ((void)(p), false)
#endif

/* Large enough to make malloc's share small, small enough for 1,000 idle
 * pools. */
#define CHUNK_BYTES 16384u

struct slab_chunk {
	struct slab_chunk *next;
};

struct free_object {
	struct free_object *next;
};

static size_t round_up(size_t n, size_t align)
{
	return (n + align - 1) & ~(align - 1);
}

void slab_init(struct slab *s, size_t size, size_t align, unsigned max)
{
	assert(align >= sizeof(void *) && (align & (align - 1)) == 0);
	assert(size > 0 && max > 0);
	*s = (struct slab){
		.size = round_up(size, align),
		.align = align,
		.max = max,
	};
}

void slab_fini(struct slab *s)
{
	assert(s->used == 0);
	while (s->chunks) {
		struct slab_chunk *c = s->chunks;

		s->chunks = c->next;
		free(c);
	}
	*s = (struct slab){ .size = s->size, .align = s->align, .max = s->max };
}

static void push(struct slab *s, void *object)
{
	struct free_object *f = object;

	f->next = s->free;
	s->free = f;
	poison(object, s->size);
}

static bool grow(struct slab *s)
{
	size_t header = round_up(sizeof(struct slab_chunk), s->align);
	size_t n = CHUNK_BYTES / s->size;
	struct slab_chunk *c;

	if (n == 0)
		n = 1;
	if (n > s->max - s->made)
		n = s->max - s->made;
	if (n == 0)
		return false;
	c = aligned_alloc(s->align, header + n * s->size);
	if (!c)
		return false;
	c->next = s->chunks;
	s->chunks = c;
	s->made += (unsigned)n;
	/* Backwards, so that the first objects handed out are neighbours. */
	while (n-- > 0)
		push(s, (char *)c + header + n * s->size);
	return true;
}

void *slab_get(struct slab *s)
{
	struct free_object *f;

	if (!s->free && !grow(s))
		return NULL;
	f = s->free;
	unpoison(f, s->size);
	s->free = f->next;
	s->used++;
	return f;
}

void slab_put(struct slab *s, void *object)
{
	assert(s->used > 0);
	assert(!is_poisoned(object));
	s->used--;
	push(s, object);
}
