/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intrusive doubly linked list.  The head is a node that points to itself
 * when the list is empty; a node that is on no list points to itself too, so
 * list_remove() is idempotent and list_linked() tells the difference.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/base.h"

#include <stdbool.h>

struct list {
	struct list *prev;
	struct list *next;
};

#define LIST_INIT(name)                                                        \
	{                                                                      \
		&(name), &(name)                                               \
	}

#define list_entry(ptr, type, member) container_of(ptr, type, member)

/* The body may remove `node`, and nothing else, from the list. */
#define LIST_FOREACH(node, head)                                               \
	for (struct list *node = (head)->next, *node##_next = node->next;      \
	     node != (head); node = node##_next, node##_next = node->next)

static inline void list_init(struct list *n)
{
	n->prev = n;
	n->next = n;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

static inline bool list_linked(const struct list *n)
{
	return n->next != n;
}

static inline void list_append(struct list *head, struct list *n)
{
	n->prev = head->prev;
	n->next = head;
	head->prev->next = n;
	head->prev = n;
}

static inline void list_prepend(struct list *head, struct list *n)
{
	list_append(head->next, n);
}

static inline void list_remove(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}

/* Take the first node off the list; NULL if there is none. */
static inline struct list *list_pop(struct list *head)
{
	struct list *n = head->next;

	if (n == head)
		return NULL;
	list_remove(n);
	return n;
}

/* Move every node of `from` to the end of `to`. */
static inline void list_splice(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#endif /* BASE_LIST_H */
