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

static const struct pool *pool_at(const struct slow *s, unsigned slot)
{
	return slot < HANDOFF_POOLS ? s->pool[slot] : NULL;
}

unsigned slow_pool_members(const struct slow *s, unsigned slot,
                           struct slow_member *out, unsigned max)
{
	const struct pool *p = pool_at(s, slot);

	if (!p || !p->serving)
		return 0;
	for (unsigned i = 0; i < p->n_members && i < max; i++)
		show_member(&p->member[i], &out[i]);
	return p->n_members;
}

const char *slow_pool_why(const struct slow *s, unsigned slot)
{
	const struct pool *p = pool_at(s, slot);

	return p && !p->serving ? p->why : "";
}

/* @return whether the drive is a member of a pool. */
static bool describe_member(const struct slow *s, uint16_t drive, char *out,
                            unsigned n)
{
	bool stale = s->view[drive].verdict == LABEL_STALE;

	for (unsigned i = 0; i < HANDOFF_POOLS; i++) {
		const struct pool *p = s->pool[i];
		int index = p ? member_find(p, drive) : -1;
		const struct member *m;

		if (index < 0)
			continue;
		m = &p->member[index];
		if (stale && m->state != HANDOFF_ONLINE)
			snprintf(out, n, "stale: %s", m->why);
		else
			snprintf(out, n, "drive %d of pool %s%s%s", index,
			         p->name, m->why[0] ? ": " : "", m->why);
		return true;
	}
	return false;
}

static void describe_view(const struct drive_view *view, char *out, unsigned n)
{
	if (!view->words[0])
		snprintf(out, n, "not looked at yet");
	else if (view->verdict == LABEL_MEMBER || view->verdict == LABEL_BLANK)
		snprintf(out, n, "%s", view->words);
	else
		snprintf(out, n, "%s: %s", label_verdict_name(view->verdict),
		         view->words);
}

unsigned slow_drive_describe(const struct slow *s, uint16_t drive, char *out,
                             unsigned n)
{
	if (drive >= HANDOFF_DRIVES || !s->h->drives[drive].present)
		snprintf(out, n, "there is no such drive");
	else if (!describe_member(s, drive, out, n))
		describe_view(&s->view[drive], out, n);
	return (unsigned)strnlen(out, n);
}

uint64_t slow_pool_free_bytes(const struct slow *s, unsigned slot,
                              enum raid_profile profile)
{
	const struct pool *p = pool_at(s, slot);

	return p && p->serving ? alloc_free_bytes(&p->alloc, profile) : 0;
}
