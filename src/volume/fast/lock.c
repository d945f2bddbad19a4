/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/fast/lock.h"

#include <assert.h>

void lock_table_init(struct lock_table *t)
{
	for (unsigned i = 0; i < LOCK_BUCKETS; i++)
		list_init(&t->bucket[i]);
}

static struct list *bucket(struct lock_table *t, uint64_t chunk)
{
	return &t->bucket[(chunk * UINT64_C(0x9e3779b97f4a7c15)) >> 56];
}
static_assert(LOCK_BUCKETS == 1u << 8, "the hash's top 8 bits");

static bool conflict(const struct lock_range *a, const struct lock_range *b)
{
	return a->chunk == b->chunk && a->from < b->to && b->from < a->to;
}

bool lock_acquire(struct lock_table *t, struct lock_range *r)
{
	struct list *head = bucket(t, r->chunk);

	assert(r->from < r->to);
	r->blockers = 0;
	LIST_FOREACH (node, head)
		r->blockers +=
			conflict(list_entry(node, struct lock_range, link), r);
	list_append(head, &r->link);
	return r->blockers == 0;
}

void lock_release(struct lock_table *t, struct lock_range *r,
                  lock_granted_fn granted)
{
	struct list *head = bucket(t, r->chunk);
	struct list *next = r->link.next;

	assert(r->blockers == 0);
	list_remove(&r->link);
	for (; next != head; next = next->next) {
		struct lock_range *later =
			list_entry(next, struct lock_range, link);

		if (conflict(later, r) && --later->blockers == 0)
			granted(later);
	}
}
