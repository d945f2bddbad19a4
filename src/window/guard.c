/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/guard.h"

#include "base/base.h"

#include <stdio.h>
#include <string.h>

void guard_init(struct guard *g, enum guard_kind kind, const char *node,
                const struct fabric_key *process, uint64_t now_ns)
{
	static const struct {
		unsigned at_once, per_s;
	} limits[] = {
		[GUARD_PROCESS] = { 256, 2 },
		[GUARD_NODE] = { 256, 16 },
		[GUARD_QUESTIONS] = { 1024, 64 },
	};

	*g = (struct guard){ .is_node = !process };
	snprintf(g->who.node, sizeof(g->who.node), "%s", node);
	if (process)
		g->who.process = *process;
	bucket_init(&g->guesses, limits[kind].per_s, limits[kind].at_once,
	            now_ns);
}

bool guard_may_try(struct guard *g, uint64_t now_ns)
{
	if (bucket_ready(&g->guesses, now_ns))
		return true;
	g->n_refused++;
	g->n_guesses++;
	g->n_unheard++;
	return false;
}

void guard_was_wrong(struct guard *g)
{
	bucket_take(&g->guesses, 1);
	g->n_refused++;
	g->n_guesses++;
}

static bool holds(const struct guard *g, const struct grant *grant)
{
	return !strcmp(grant->holder.node, g->who.node) &&
	       (g->is_node || grant_is_for(grant, &g->who.process));
}

enum fabric_status guard_find(struct guard *g, struct grant_table *t,
                              const struct fabric_key *key, uint64_t now_ns,
                              struct grant **out)
{
	struct grant *found;

	if (!guard_may_try(g, now_ns))
		return FABRIC_BUSY;
	found = grant_find(t, key);
	if (!found || !holds(g, found)) {
		guard_was_wrong(g);
		return FABRIC_BAD_KEY;
	}
	*out = found;
	return FABRIC_OK;
}

enum fabric_status guard_access(struct guard *g, struct grant_table *t,
                                const struct fabric_key *key, unsigned rights,
                                uint64_t offset, uint64_t length,
                                uint64_t now_ns, struct iovec *out, unsigned *n)
{
	struct grant *grant = NULL;
	enum fabric_status status = guard_find(g, t, key, now_ns, &grant);

	if (status != FABRIC_OK)
		return status;
	status = grant_check(grant, rights, offset, length, now_ns);
	if (status == FABRIC_OK && out)
		status = grant_resolve(grant, offset, length, out, n);
	if (status != FABRIC_OK)
		g->n_refused++;
	return status;
}
