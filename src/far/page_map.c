/* SPDX-License-Identifier: BSD-2-Clause */
#include "far/page_map.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#define BITS 9
#define FANOUT (1u << BITS)
#define TOP 3 /* the root's level; leaves are level 0 */

struct leaf {
	struct far_page page[FANOUT];
};

/* A node of level 1 points to leaves, one above to nodes. */
struct node {
	void *child[FANOUT];
};

struct page_map {
	struct node root;
};

static unsigned index_at(uint64_t number, unsigned level)
{
	return (unsigned)(number >> (level * BITS)) & (FANOUT - 1);
}

static struct leaf *leaf_new(void)
{
	struct leaf *l = calloc(1, sizeof(*l));

	for (unsigned i = 0; l && i < FANOUT; i++)
		l->page[i].slot = FAR_NO_SLOT;
	return l;
}

static void *node_new(unsigned level)
{
	return level == 0 ? (void *)leaf_new() : calloc(1, sizeof(struct node));
}

struct page_map *page_map_create(void)
{
	return calloc(1, sizeof(struct page_map));
}

static void free_children(struct node *n, unsigned level)
{
	for (unsigned i = 0; i < FANOUT; i++) {
		if (n->child[i] && level > 1)
			free_children(n->child[i], level - 1);
		free(n->child[i]);
	}
}

void page_map_destroy(struct page_map *m)
{
	if (!m)
		return;
	free_children(&m->root, TOP);
	free(m);
}

struct far_page *page_map_find(const struct page_map *m, uint64_t number)
{
	const struct node *n = &m->root;
	struct leaf *leaf;

	assert(number < FAR_PAGES_MAX);
	for (unsigned level = TOP; level > 1; level--) {
		n = n->child[index_at(number, level)];
		if (!n)
			return NULL;
	}
	leaf = n->child[index_at(number, 1)];
	return leaf ? &leaf->page[index_at(number, 0)] : NULL;
}

struct far_page *page_map_get(struct page_map *m, uint64_t number)
{
	struct node *n = &m->root;

	assert(number < FAR_PAGES_MAX);
	for (unsigned level = TOP; level > 0; level--) {
		void **child = &n->child[index_at(number, level)];

		if (!*child)
			*child = node_new(level - 1);
		if (!*child)
			return NULL;
		n = *child;
	}
	return &((struct leaf *)(void *)n)->page[index_at(number, 0)];
}

struct visit {
	uint64_t first, end;
	void (*call)(void *ctx, uint64_t number, struct far_page *p);
	void *ctx;
};

static void visit_leaf(struct leaf *l, uint64_t base, const struct visit *v)
{
	for (unsigned i = 0; i < FANOUT; i++)
		if (l->page[i].state != FAR_NONE && base + i >= v->first &&
		    base + i < v->end)
			v->call(v->ctx, base + i, &l->page[i]);
}

static void visit_node(const struct node *n, unsigned level, uint64_t base,
                       const struct visit *v)
{
	uint64_t span = UINT64_C(1) << (level * BITS);

	for (unsigned i = 0; i < FANOUT; i++) {
		uint64_t at = base + i * span;

		if (!n->child[i] || at + span <= v->first || at >= v->end)
			continue;
		if (level == 1)
			visit_leaf(n->child[i], at, v);
		else
			visit_node(n->child[i], level - 1, at, v);
	}
}

void page_map_visit(const struct page_map *m, uint64_t first, uint64_t end,
                    void (*visit)(void *ctx, uint64_t number,
                                  struct far_page *p),
                    void *ctx)
{
	const struct visit v = { first, end, visit, ctx };

	visit_node(&m->root, TOP, 0, &v);
}
