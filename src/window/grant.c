/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/grant.h"

#include "base/clock.h"
#include "core/reactor.h"
#include "fabric/service.h"
#include "window/key.h"
#include "window/region.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define CHAINS_AT_FIRST 64u

/* -- the table ------------------------------------------------------------- */

static void leases_due(struct timer *timer);

int grant_table_init(struct grant_table *t, struct reactor *r, unsigned max)
{
	*t = (struct grant_table){ .reactor = r,
		                   .max = max,
		                   .n_chains = CHAINS_AT_FIRST,
		                   .lease_timer.fire = leases_due };
	t->chain = calloc(t->n_chains, sizeof(struct grant *));
	if (!t->chain)
		return -ENOMEM;
	list_init(&t->living);
	list_init(&t->dead);
	list_init(&t->leases);
	return 0;
}

static struct grant **chain_of(struct grant_table *t,
                               const struct fabric_key *key)
{
	return &t->chain[key_hash(key) & (t->n_chains - 1)];
}

/* Longer chains are slower and nothing else, so this may fail. */
static void grow(struct grant_table *t)
{
	unsigned n_before = t->n_chains;
	struct grant **before = t->chain;
	struct grant **chain = calloc((size_t)n_before * 2, sizeof(*chain));

	if (!chain)
		return;
	t->chain = chain;
	t->n_chains = n_before * 2;
	for (unsigned i = 0; i < n_before; i++)
		for (struct grant *g = before[i], *next; g; g = next) {
			struct grant **at = chain_of(t, &g->key);

			next = g->next;
			g->next = *at;
			*at = g;
		}
	free(before);
}

static void detach(struct grant *g)
{
	for (unsigned i = 0; i < g->n_ranges; i++) {
		region_put(g->range[i].region);
		g->range[i].region = NULL;
	}
}

static void forget_oldest(struct grant_table *t)
{
	struct list *oldest = list_pop(&t->dead);
	struct grant *g = list_entry(oldest, struct grant, age_link);
	struct grant **at = chain_of(t, &g->key);

	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	t->n_dead--;
	grant_put(g);
}

void grant_table_fini(struct grant_table *t)
{
	if (!t->chain)
		return;
	LIST_FOREACH (node, &t->living)
		grant_end(t, list_entry(node, struct grant, age_link),
		          GRANT_REVOKED);
	while (!list_empty(&t->dead))
		forget_oldest(t);
	timer_stop(t->reactor, &t->lease_timer);
	free(t->chain);
	t->chain = NULL;
}

/* -- leases ---------------------------------------------------------------- */

/* For the one that ends first; a timer that fails leaves only litter (G2). */
static void watch_leases(struct grant_table *t)
{
	uint64_t now = reactor_now_ns(t->reactor), first = UINT64_MAX;

	timer_stop(t->reactor, &t->lease_timer);
	LIST_FOREACH (node, &t->leases) {
		const struct grant *g =
			list_entry(node, struct grant, lease_link);

		if (g->limits.expires_ns < first)
			first = g->limits.expires_ns;
	}
	if (first != UINT64_MAX)
		(void)timer_start(t->reactor, &t->lease_timer,
		                  first > now ? first - now : 0);
}

static void leases_due(struct timer *timer)
{
	struct grant_table *t =
		container_of(timer, struct grant_table, lease_timer);
	uint64_t now = reactor_now_ns(t->reactor);

	LIST_FOREACH (node, &t->leases) {
		struct grant *g = list_entry(node, struct grant, lease_link);

		if (g->limits.expires_ns <= now)
			grant_end(t, g, GRANT_EXPIRED);
	}
	watch_leases(t);
}

static void add_lease(struct grant_table *t, struct grant *g)
{
	bool first = true;

	LIST_FOREACH (node, &t->leases)
		if (list_entry(node, struct grant, lease_link)
		            ->limits.expires_ns <= g->limits.expires_ns) {
			first = false;
			break;
		}
	list_append(&t->leases, &g->lease_link);
	if (first)
		watch_leases(t);
}

void grant_set_end(struct grant_table *t, struct grant *g, uint64_t expires_ns)
{
	bool sooner = expires_ns < g->limits.expires_ns;

	if (g->state != GRANT_LIVE || !g->limits.expires_ns)
		return;
	g->limits.expires_ns = expires_ns;
	if (sooner) /* else the timer looks once too often */
		watch_leases(t);
}

/* -- life ------------------------------------------------------------------ */

int grant_create(struct grant_table *t, const struct grant_spec *spec,
                 struct grant **out)
{
	uint64_t now = reactor_now_ns(t->reactor);
	struct grant *g;
	int err;

	assert(spec->n_ranges > 0 && spec->n_ranges <= GRANT_RANGES);
	if (t->n_living >= t->max)
		return -ENOSPC;
	g = calloc(1, sizeof(*g) + spec->n_ranges * sizeof(g->range[0]));
	if (!g)
		return -ENOMEM;
	err = key_mint(&g->key);
	if (err) {
		free(g);
		return err;
	}
	g->holder = *spec->holder;
	g->limits = spec->limits;
	g->rights = spec->rights;
	g->owner = spec->owner;
	g->n_users = 1;
	g->n_ranges = spec->n_ranges;
	list_init(&g->owner_link);
	list_init(&g->lease_link);
	bucket_init(&g->bytes, g->limits.bytes_per_s, g->limits.bytes_per_s,
	            now);
	bucket_init(&g->ops, g->limits.ops_per_s, g->limits.ops_per_s, now);
	for (unsigned i = 0; i < spec->n_ranges; i++) {
		struct grant_range *r = &g->range[i];

		*r = spec->range[i];
		r->grant = g;
		region_get(r->region);
		list_append(&r->region->ranges, &r->link);
		g->length += r->length;
	}
	if (t->n_living + t->n_dead >= t->n_chains)
		grow(t);
	g->next = *chain_of(t, &g->key);
	*chain_of(t, &g->key) = g;
	list_append(&t->living, &g->age_link);
	list_append(&g->owner->grants, &g->owner_link);
	g->owner->n_grants++;
	t->n_living++;
	if (g->limits.expires_ns)
		add_lease(t, g);
	*out = g;
	return 0;
}

void grant_end(struct grant_table *t, struct grant *g, enum grant_state how)
{
	if (g->state != GRANT_LIVE)
		return;
	g->state = how;
	list_remove(&g->lease_link);
	list_remove(&g->owner_link);
	g->owner->n_grants--;
	list_remove(&g->age_link);
	for (unsigned i = 0; i < g->n_ranges; i++)
		list_remove(&g->range[i].link);
	t->n_living--;
	if (t->died)
		t->died(t->ctx, g);
	g->owner = NULL;
	if (g->n_users == 1)
		detach(g);
	list_append(&t->dead, &g->age_link);
	if (++t->n_dead > GRANT_REMEMBERED)
		forget_oldest(t);
}

void grant_owner_init(struct grant_owner *o, const char *window, int pid)
{
	*o = (struct grant_owner){ .window = window, .pid = pid };
	list_init(&o->grants);
}

void grant_end_owner(struct grant_table *t, struct grant_owner *o)
{
	while (!list_empty(&o->grants))
		grant_end(t,
		          list_entry(o->grants.next, struct grant, owner_link),
		          GRANT_REVOKED);
}

void grant_end_region(struct grant_table *t, struct region *r)
{
	while (!list_empty(&r->ranges))
		grant_end(t,
		          list_entry(r->ranges.next, struct grant_range, link)
		                  ->grant,
		          GRANT_REVOKED);
}

void grant_get(struct grant *g)
{
	g->n_users++;
}

void grant_put(struct grant *g)
{
	assert(g->n_users > 0);
	g->n_users--;
	if (g->n_users <= 1 && g->state != GRANT_LIVE)
		detach(g);
	if (g->n_users == 0)
		free(g);
}

struct grant *grant_find(struct grant_table *t, const struct fabric_key *key)
{
	struct grant *found = NULL;

	for (struct grant *g = *chain_of(t, key); g; g = g->next)
		if (key_equal(&g->key, key))
			found = g;
	return found;
}

bool grant_is_for(const struct grant *g, const struct fabric_key *process)
{
	return key_is_none(&g->holder.process) ||
	       key_equal(&g->holder.process, process);
}

/* -- use ------------------------------------------------------------------- */

enum grant_state grant_state(const struct grant *g, uint64_t now_ns)
{
	if (g->state == GRANT_LIVE && g->limits.expires_ns &&
	    now_ns >= g->limits.expires_ns)
		return GRANT_EXPIRED;
	return g->state;
}

static bool within(uint64_t offset, uint64_t length, uint64_t whole)
{
	return length <= whole && offset <= whole - length;
}

enum fabric_status grant_check(struct grant *g, unsigned rights,
                               uint64_t offset, uint64_t length,
                               uint64_t now_ns)
{
	enum fabric_status status = FABRIC_OK;

	switch (grant_state(g, now_ns)) {
	case GRANT_LIVE:
		break;
	case GRANT_REVOKED:
		return FABRIC_REVOKED;
	case GRANT_EXPIRED:
		return FABRIC_EXPIRED;
	}
	if ((rights & g->rights) != rights)
		status = FABRIC_DENIED;
	else if (!within(offset, length, g->length))
		status = FABRIC_RANGE;
	else if (!bucket_ready(&g->ops, now_ns) ||
	         !bucket_ready(&g->bytes, now_ns))
		status = FABRIC_QUOTA;
	return status;
}

/* Calls `take` with each piece of the range, until it says no. */
static bool walk(const struct grant *g, uint64_t offset, uint64_t length,
                 bool (*take)(void *ctx, const struct grant_range *r,
                              uint64_t skip, uint64_t n),
                 void *ctx)
{
	for (unsigned i = 0; i < g->n_ranges && length > 0; i++) {
		const struct grant_range *r = &g->range[i];
		uint64_t n;

		if (offset >= r->length) {
			offset -= r->length;
			continue;
		}
		n = r->length - offset < length ? r->length - offset : length;
		if (!take(ctx, r, offset, n))
			return false;
		length -= n;
		offset = 0;
	}
	return true;
}

struct resolving {
	struct iovec *out;
	unsigned n, room;
};

static bool to_iovec(void *ctx, const struct grant_range *r, uint64_t skip,
                     uint64_t n)
{
	struct resolving *to = ctx;

	if (to->n == to->room)
		return false;
	to->out[to->n++] =
		(struct iovec){ .iov_base = r->region->base + r->offset + skip,
		                .iov_len = n };
	return true;
}

enum fabric_status grant_resolve(const struct grant *g, uint64_t offset,
                                 uint64_t length, struct iovec *out,
                                 unsigned *n)
{
	struct resolving to = { .out = out, .room = *n };

	if (!walk(g, offset, length, to_iovec, &to))
		return FABRIC_RANGE;
	*n = to.n;
	return FABRIC_OK;
}

struct narrowing {
	struct grant_range *out;
	unsigned n;
};

static bool to_range(void *ctx, const struct grant_range *r, uint64_t skip,
                     uint64_t n)
{
	struct narrowing *to = ctx;

	if (to->n == GRANT_RANGES)
		return false;
	to->out[to->n++] = (struct grant_range){ .region = r->region,
		                                 .offset = r->offset + skip,
		                                 .length = n };
	return true;
}

int grant_narrow(const struct grant *g, uint64_t offset, uint64_t length,
                 struct grant_range *out, unsigned *n)
{
	struct narrowing to = { .out = out, .n = *n };

	if (length == 0 || !within(offset, length, g->length))
		return -ERANGE;
	if (!walk(g, offset, length, to_range, &to))
		return -ENOSPC;
	*n = to.n;
	return 0;
}

/* Not one whose lane died: it is sent again, or its issuer is gone. */
static bool is_refusal(enum fabric_status status)
{
	return status != FABRIC_OK && status != FABRIC_TIMED_OUT &&
	       status != FABRIC_PEER_LOST && status != FABRIC_CANCELLED;
}

void grant_charge(struct grant *g, enum fabric_opcode opcode, uint64_t length,
                  enum fabric_status status)
{
	struct grant_counters *c = &g->counters;

	if (is_refusal(status))
		c->n_refused++;
	if (status != FABRIC_OK)
		return;
	bucket_take(&g->ops, 1);
	bucket_take(&g->bytes, length);
	switch (opcode) {
	case FABRIC_READ:
		c->n_reads++;
		c->bytes_read += length;
		break;
	case FABRIC_WRITE:
	case FABRIC_WRITE_IMM:
		c->n_writes++;
		c->bytes_written += length;
		break;
	case FABRIC_CAS:
	case FABRIC_FAA:
		c->n_atomics++;
		break;
	case FABRIC_SEND:
		break;
	}
}
