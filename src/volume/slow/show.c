/* SPDX-License-Identifier: BSD-2-Clause */
/* What the operator sees. */
#include "base/base.h"
#include "volume/slow/slow_priv.h"

#include <stdio.h>

static void show_member(const struct member *m, struct slow_member *out)
{
	memset(out, 0, sizeof(*out));
	out->drive = m->slot;
	out->size = m->size;
	memcpy(out->name, m->name, sizeof(out->name));
	if (m->state == HANDOFF_ONLINE && m->slot != HANDOFF_NO_DRIVE) {
		out->state = SLOW_MEMBER_ONLINE;
		return;
	}
	out->state = m->slot == HANDOFF_NO_DRIVE ? SLOW_MEMBER_MISSING
	                                         : SLOW_MEMBER_FAILED;
	snprintf(out->why, sizeof(out->why), "%s",
	         m->why[0] ? m->why : "no open drive has its label");
}

unsigned slow_pool_members(const struct slow *s, unsigned slot,
                           struct slow_member *out, unsigned max)
{
	const struct pool *p = slot < HANDOFF_POOLS ? s->pool[slot] : NULL;

	for (unsigned i = 0; p && i < p->n_members && i < max; i++)
		show_member(&p->member[i], &out[i]);
	return p ? p->n_members : 0;
}

unsigned slow_drive_describe(const struct slow *s, uint16_t drive, char *out,
                             unsigned n)
{
	const char *words = "there is no such drive";

	if (drive < HANDOFF_DRIVES && s->h->drives[drive].present)
		words = s->drive_words[drive][0] ? s->drive_words[drive]
		                                 : "not looked at yet";
	for (unsigned i = 0; i < HANDOFF_POOLS; i++) {
		const struct pool *p = s->pool[i];
		int index = p ? member_find(p, drive) : -1;
		int length;

		if (index < 0)
			continue;
		length = snprintf(out, n, "drive %d of pool %s%s%s", index,
		                  p->name, p->member[index].why[0] ? ": " : "",
		                  p->member[index].why);
		return length < (int)n ? (unsigned)length : n - 1;
	}
	snprintf(out, n, "%s", words);
	return (unsigned)strnlen(out, n);
}

uint64_t slow_pool_free_bytes(const struct slow *s, unsigned slot,
                              enum raid_profile profile)
{
	const struct pool *p = slot < HANDOFF_POOLS ? s->pool[slot] : NULL;

	return p && p->serving ? alloc_free_bytes(&p->alloc, profile) : 0;
}
