/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/host.h"

#include "base/base.h"
#include "window/key.h"
#include "window/region.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct named *host_named(struct window_host *host, const char *name)
{
	LIST_FOREACH (link, &host->named) {
		struct named *n = list_entry(link, struct named, link);

		if (!strcmp(n->name, name))
			return n;
	}
	return NULL;
}

static int no_window(const char *name, struct err *e)
{
	return err_set(e, -ENOENT,
	               "there is no window %s; 'causeway window list' shows "
	               "those that are",
	               name);
}

static bool is_name(const char *text)
{
	return base_is_name(text, strlen(text));
}

/* -- windows --------------------------------------------------------------- */

static void insert(struct window_host *host, struct named *n)
{
	struct list *before = &host->named;

	LIST_FOREACH (link, &host->named)
		if (strcmp(list_entry(link, struct named, link)->name,
		           n->name) > 0) {
			before = link;
			break;
		}
	list_append(before, &n->link);
	host->n_named++;
}

static void free_named(struct named *n)
{
	region_put(n->region);
	free(n->file);
	free(n);
}

int window_create(struct window_host *host, const char *name, uint64_t size,
                  const char *file, struct err *e)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct named *n;
	int err;

	if (!is_name(name) || size % page || (size == 0 && !file) ||
	    (file && file[0] != '/'))
		return err_set(e, -EINVAL,
		               "a window needs a name, a size that is a "
		               "multiple of %llu, and a file, if any, by its "
		               "absolute path",
		               (unsigned long long)page);
	if (host_named(host, name))
		return err_set(e, -EEXIST, "there is a window %s already",
		               name);
	if (host->n_named >= WINDOW_NAMED_MAX)
		return err_set(e, -ENOSPC,
		               "this node has %u windows, and no room for more",
		               WINDOW_NAMED_MAX);
	n = calloc(1, sizeof(*n));
	if (!n)
		return err_set(e, -ENOMEM, "no memory for window %s", name);
	snprintf(n->name, sizeof(n->name), "%s", name);
	n->file = file ? strdup(file) : NULL;
	err = file && !n->file ? err_set(e, -ENOMEM, "no memory for a path")
	                       : region_make(file, size, &n->region, e);
	if (err) {
		free_named(n);
		return err;
	}
	grant_owner_init(&n->owner, n->name, 0);
	insert(host, n);
	return 0;
}

static void remove_named(struct window_host *host, struct named *n)
{
	/* Those of other owners too, such as the daemon's own. */
	grant_end_region(&host->grants, n->region);
	list_remove(&n->link);
	host->n_named--;
	free_named(n);
}

int window_remove(struct window_host *host, const char *name, struct err *e)
{
	struct named *n = host_named(host, name);

	if (!n)
		return no_window(name, e);
	remove_named(host, n);
	return 0;
}

void host_remove_all(struct window_host *host)
{
	while (!list_empty(&host->named))
		remove_named(host,
		             list_entry(host->named.next, struct named, link));
}

/* -- access lists ---------------------------------------------------------- */

/* @return how many were there.  node NULL: all. */
static unsigned end_for(struct window_host *host, struct named *n,
                        const char *node)
{
	unsigned ended = 0;

	LIST_FOREACH (link, &n->owner.grants) {
		struct grant *g = list_entry(link, struct grant, owner_link);

		if (!node || !strcmp(g->holder.node, node)) {
			grant_end(&host->grants, g, GRANT_REVOKED);
			ended++;
		}
	}
	return ended;
}

int window_allow(struct window_host *host, const char *name, const char *node,
                 unsigned rights, const struct window_limits *limits,
                 struct err *e)
{
	static const struct window_limits none;
	struct named *n = host_named(host, name);
	struct grant_holder holder = { 0 };
	struct grant_range range;
	struct grant *g;
	int err;

	if (!n)
		return no_window(name, e);
	if (rights == 0 || rights & ~HOST_RIGHTS || !is_name(node))
		return err_set(e, -EINVAL,
		               "window %s: a node's name and rights are needed",
		               name);
	if (n->owner.n_grants >= WINDOW_ALLOWED_MAX)
		return err_set(e, -ENOSPC,
		               "window %s is open to %u nodes, and no more can "
		               "be",
		               name, WINDOW_ALLOWED_MAX);
	if (!limits)
		limits = &none;
	snprintf(holder.node, sizeof(holder.node), "%s", node);
	range = (struct grant_range){ .region = n->region,
		                      .length = n->region->length };
	end_for(host, n, node);
	err = grant_create(
		&host->grants,
		&(struct grant_spec){
			.holder = &holder,
			.rights = rights,
			.limits = {
				.expires_ns = limits->lease_ms
		                              ? reactor_now_ns(host->reactor) +
		                                        limits->lease_ms *
		                                                NS_PER_MS
		                              : 0,
				.bytes_per_s = limits->bytes_per_s,
				.ops_per_s = limits->ops_per_s,
			},
			.owner = &n->owner,
			.n_ranges = 1,
			.range = &range },
		&g);
	return err ? err_set(e, err, "window %s: no key for %s: %s", name, node,
	                     strerror(-err))
	           : 0;
}

int window_revoke(struct window_host *host, const char *name, const char *node,
                  struct err *e)
{
	struct named *n = host_named(host, name);

	if (!n)
		return no_window(name, e);
	if (end_for(host, n, node) == 0 && node)
		return err_set(e, -ENOENT, "window %s is not open to %s", name,
		               node);
	return 0;
}

/* -- who reaches what ------------------------------------------------------ */

void window_each(const struct window_host *host,
                 void (*visit)(void *ctx, const struct window_info *info),
                 void *ctx)
{
	LIST_FOREACH (link, &host->named) {
		const struct named *n = list_entry(link, struct named, link);

		visit(ctx,
		      &(struct window_info){ .name = n->name,
		                             .file = n->file,
		                             .size = n->region->length,
		                             .n_allowed = n->owner.n_grants });
	}
}

static void id_of(const struct grant *g, char out[9])
{
	char text[KEY_TEXT];

	key_format(&g->key, text);
	snprintf(out, 9, "%.8s", text);
}

static void show(const struct window_host *host, const struct grant *g,
                 uint64_t now, struct window_key_info *out)
{
	uint64_t expires = g->limits.expires_ns;
	const struct grant_counters *c = &g->counters;

	*out = (struct window_key_info){
		.window = g->owner->window,
		.owner = g->owner->pid,
		.holder = g->holder.node,
		.local = !strcmp(g->holder.node, host->node),
		.is_loan = lend_loan(&host->lend, g) != NULL,
		.rights = g->rights,
		.length = g->length,
		.lease_ms = expires > now ? (expires - now) / NS_PER_MS + 1 : 0,
		.bytes_per_s = g->limits.bytes_per_s,
		.ops_per_s = g->limits.ops_per_s,
		.n_reads = c->n_reads,
		.n_writes = c->n_writes,
		.n_atomics = c->n_atomics,
		.bytes_read = c->bytes_read,
		.bytes_written = c->bytes_written,
		.n_refused = c->n_refused,
	};
	id_of(g, out->id);
}

void window_each_key(const struct window_host *host,
                     void (*visit)(void *ctx, const struct window_key_info *k),
                     void *ctx)
{
	uint64_t now = reactor_now_ns(host->reactor);

	LIST_FOREACH (link, &host->grants.living) {
		const struct grant *g =
			list_entry(link, struct grant, age_link);
		struct window_key_info info;

		if (g->is_own || grant_state(g, now) != GRANT_LIVE)
			continue;
		show(host, g, now, &info);
		visit(ctx, &info);
	}
}

int window_revoke_key(struct window_host *host, const char *id, struct err *e)
{
	LIST_FOREACH (link, &host->grants.living) {
		struct grant *g = list_entry(link, struct grant, age_link);
		char is[9];

		id_of(g, is);
		if (g->is_own || strcmp(is, id) != 0)
			continue;
		grant_end(&host->grants, g, GRANT_REVOKED);
		return 0;
	}
	return err_set(e, -ENOENT,
	               "there is no key %s; 'causeway window list --peers' "
	               "shows those that are",
	               id);
}
