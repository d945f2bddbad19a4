/* SPDX-License-Identifier: BSD-2-Clause */
#include "subnet/work.h"

void work_add(struct work_list *w, enum work_what what, uint32_t scope,
              uint64_t not_before_ns)
{
	for (unsigned i = 0; i < w->n; i++) {
		struct work *k = &w->item[i];

		if (k->what != what || k->scope != scope)
			continue;
		if (k->not_before_ns > not_before_ns)
			k->not_before_ns = not_before_ns;
		return;
	}
	if (w->n == WORK_MAX) {
		w->n = 0;
		what = WORK_ALL;
		scope = 0;
	}
	w->item[w->n++] = (struct work){ what, scope, not_before_ns };
}

bool work_take(struct work_list *w, uint64_t now_ns, struct work *out)
{
	for (unsigned i = 0; i < w->n; i++) {
		if (w->item[i].not_before_ns > now_ns)
			continue;
		*out = w->item[i];
		w->item[i] = w->item[--w->n];
		return true;
	}
	return false;
}

uint64_t work_next_ns(const struct work_list *w)
{
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < w->n; i++)
		if (w->item[i].not_before_ns < next)
			next = w->item[i].not_before_ns;
	return next;
}
