/* SPDX-License-Identifier: BSD-2-Clause */
/* What the phase under way still has to ask, in order. */
#include "subnet/subnet_priv.h"

#include <stdlib.h>
#include <string.h>

/* Without memory a pass is not complete; the next full one makes it good. */
void subnet_todo(struct subnet *s, enum ask_kind kind, uint32_t at,
                 uint32_t arg)
{
	struct todo_list *l = &s->todo;

	if (l->head > 4096 && l->head * 2 > l->n) {
		memmove(l->item, l->item + l->head,
		        (l->n - l->head) * sizeof(*l->item));
		l->n -= l->head;
		l->head = 0;
	}
	if (l->n == l->room) {
		uint32_t room = l->room ? l->room * 2 : 1024;
		struct todo *item = realloc(l->item, room * sizeof(*item));

		if (!item) {
			subnet_say(s, SUBNET_EVENT_FAULT,
			           "out of memory; trying again");
			subnet_add_work(s, WORK_ALL, 0, 1000);
			return;
		}
		l->item = item;
		l->room = room;
	}
	l->item[l->n++] = (struct todo){ at, arg, (uint8_t)kind };
}

bool subnet_todo_take(struct subnet *s, struct todo *out)
{
	struct todo_list *l = &s->todo;

	if (l->head == l->n) {
		l->head = l->n = 0;
		return false;
	}
	*out = l->item[l->head++];
	return true;
}
