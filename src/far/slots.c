/* SPDX-License-Identifier: BSD-2-Clause */
#include "far/slots.h"

#include "far/page_map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FOR_EVER UINT8_MAX

int slots_init(struct slots *s, uint64_t n)
{
	if (n == 0 || n >= FAR_NO_SLOT)
		return -EINVAL;
	*s = (struct slots){ .n = (uint32_t)n };
	s->holders = calloc(n, 1);
	return s->holders ? 0 : -ENOMEM;
}

void slots_fini(struct slots *s)
{
	free(s->holders);
	s->holders = NULL;
}

/* @return the first free slot in [from, end); `end`: there is none. */
static uint32_t find_free(const struct slots *s, uint32_t from, uint32_t end)
{
	const uint8_t *at = memchr(s->holders + from, 0, end - from);

	return at ? (uint32_t)(at - s->holders) : end;
}

uint32_t slots_take(struct slots *s, uint32_t want, uint32_t *first)
{
	uint32_t at, n = 0;

	if (want == 0 || s->used == s->n)
		return 0;
	at = find_free(s, s->next, s->n);
	if (at == s->n)
		at = find_free(s, 0, s->next);
	*first = at;
	while (n < want && at + n < s->n && s->holders[at + n] == 0)
		s->holders[at + n++] = 1;
	s->used += n;
	s->next = at + n < s->n ? at + n : 0;
	return n;
}

void slots_hold(struct slots *s, uint32_t slot)
{
	if (slot == FAR_NO_SLOT)
		return;
	assert(slot < s->n && s->holders[slot] > 0);
	if (s->holders[slot] != FOR_EVER)
		s->holders[slot]++;
}

void slots_put(struct slots *s, uint32_t slot)
{
	if (slot == FAR_NO_SLOT)
		return;
	assert(slot < s->n && s->holders[slot] > 0);
	if (s->holders[slot] == FOR_EVER)
		return;
	if (--s->holders[slot] == 0)
		s->used--;
}
