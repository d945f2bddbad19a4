/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/lend.h"

#include "base/base.h"
#include "core/reactor.h"
#include "fabric/service.h"
#include "window/host.h"
#include "window/region.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* No window has this name; 'window list --peers' shows it. */
static const char label[] = "(lent)";

void lend_init(struct lend *l, struct grant_table *grants)
{
	*l = (struct lend){ .grants = grants };
	list_init(&l->loans);
}

void lend_fini(struct lend *l)
{
	while (!list_empty(&l->loans))
		lend_return(list_entry(l->loans.next, struct loan, link));
	free(l->allowed);
	l->allowed = NULL;
}

static uint64_t now(const struct lend *l)
{
	return reactor_now_ns(l->grants->reactor);
}

/* -- lending --------------------------------------------------------------- */

static bool is_allowed(const struct lend *l, const char *node)
{
	for (unsigned i = 0; i < l->n_allowed; i++)
		if (!strcmp(l->allowed[i], node))
			return true;
	return l->n_allowed == 0;
}

uint64_t lend_free(const struct lend *l)
{
	if (l->lent >= l->offered || l->n_loans >= LEND_LOANS_MAX)
		return 0;
	return (l->offered - l->lent) / LEND_GRAIN * LEND_GRAIN;
}

static int grant_loan(struct loan *loan, const char *node)
{
	struct lend *l = loan->lend;
	struct grant_holder holder = { 0 };
	const struct grant_range range = { .region = loan->region,
		                           .length = loan->region->length };

	snprintf(holder.node, sizeof(holder.node), "%s", node);
	return grant_create(
		l->grants,
		&(struct grant_spec){
			.holder = &holder,
			.rights = FABRIC_RIGHT_READ | FABRIC_RIGHT_WRITE,
			.limits.expires_ns =
				loan->since_ns + l->lease_ms * NS_PER_MS,
			.owner = &loan->owner,
			.n_ranges = 1,
			.range = &range },
		&loan->grant);
}

int lend_give(struct lend *l, const char *node, uint64_t length,
              struct loan **out)
{
	struct loan *loan;
	int err;

	if (l->offered == 0)
		return -ENOENT;
	if (!is_allowed(l, node))
		return -EACCES;
	if (length == 0 || length > lend_free(l))
		return -ENOSPC;
	length = (length + LEND_GRAIN - 1) / LEND_GRAIN * LEND_GRAIN;
	loan = calloc(1, sizeof(*loan));
	if (!loan)
		return -ENOMEM;
	loan->lend = l;
	loan->since_ns = now(l);
	grant_owner_init(&loan->owner, label, 0);
	err = region_make_resident(length, &loan->region);
	if (!err)
		err = grant_loan(loan, node);
	if (err) {
		region_put(loan->region);
		free(loan);
		return err;
	}
	l->lent += length;
	l->n_loans++;
	list_append(&l->loans, &loan->link);
	*out = loan;
	return 0;
}

struct loan *lend_loan(const struct lend *l, const struct grant *g)
{
	(void)l;
	return g->owner && g->owner->window == label
	               ? container_of(g->owner, struct loan, owner)
	               : NULL;
}

void lend_renew(struct loan *loan)
{
	const struct lend *l = loan->lend;
	uint64_t end = now(l) + l->lease_ms * NS_PER_MS;

	if (loan->due_ns && loan->due_ns < end)
		end = loan->due_ns;
	grant_set_end(l->grants, loan->grant, end);
}

void lend_return(struct loan *loan)
{
	grant_end(loan->lend->grants, loan->grant, GRANT_REVOKED);
}

void lend_died(struct lend *l, const struct grant *g)
{
	struct loan *loan = lend_loan(l, g);

	if (!loan)
		return;
	list_remove(&loan->link);
	l->n_loans--;
	l->lent -= loan->region->length;
	region_put(loan->region);
	free(loan);
}

/* -- the offer ------------------------------------------------------------- */

/* The newest first: those that have been there longest stay. */
static void recall(struct window_host *host, uint64_t within_ms)
{
	struct lend *l = &host->lend;
	uint64_t due = now(l) + within_ms * NS_PER_MS, staying = 0;

	LIST_FOREACH (link, &l->loans) {
		struct loan *loan = list_entry(link, struct loan, link);

		if (loan->due_ns)
			continue;
		if (loan->region->length <= l->offered - staying) {
			staying += loan->region->length;
			continue;
		}
		loan->due_ns = due;
		if (due < loan->grant->limits.expires_ns)
			grant_set_end(l->grants, loan->grant, due);
		host_notice(host, loan, within_ms);
	}
}

static int take_allowed(struct lend *l, const struct window_offer *o)
{
	char(*names)[WINDOW_NAME_MAX + 1] = NULL;

	if (o->n_allow > 0)
		names = calloc(o->n_allow, sizeof(*names));
	if (o->n_allow > 0 && !names)
		return -ENOMEM;
	for (unsigned i = 0; i < o->n_allow; i++)
		snprintf(names[i], sizeof(names[i]), "%s", o->allow[i]);
	free(l->allowed);
	l->allowed = names;
	l->n_allowed = o->n_allow;
	return 0;
}

int window_offer_set(struct window_host *host, const struct window_offer *o,
                     uint64_t within_ms, struct err *e)
{
	struct lend *l = &host->lend;

	if (o->n_allow > WINDOW_ALLOWED_MAX || (o->size && !o->lease_ms))
		return err_set(e, -EINVAL,
		               "an offer needs a lease, and goes to %u nodes "
		               "at most",
		               WINDOW_ALLOWED_MAX);
	if (take_allowed(l, o))
		return err_set(e, -ENOMEM, "no memory for an offer");
	l->offered = o->size;
	l->lease_ms = o->lease_ms;
	recall(host, within_ms);
	return 0;
}

void window_offer_get(const struct window_host *host,
                      struct window_offer_info *out)
{
	const struct lend *l = &host->lend;

	*out = (struct window_offer_info){ .offered = l->offered,
		                           .lent = l->lent,
		                           .free = lend_free(l),
		                           .n_loans = l->n_loans };
}

void window_each_loan(const struct window_host *host,
                      void (*visit)(void *ctx,
                                    const struct window_loan_info *loan),
                      void *ctx)
{
	uint64_t at = now(&host->lend);

	LIST_FOREACH (link, &host->lend.loans) {
		const struct loan *loan = list_entry(link, struct loan, link);
		const struct grant *g = loan->grant;
		uint64_t end =
			loan->due_ns ? loan->due_ns : g->limits.expires_ns;

		visit(ctx,
		      &(struct window_loan_info){
			      .node = g->holder.node,
			      .size = loan->region->length,
			      .age_ms = (at - loan->since_ns) / NS_PER_MS,
			      .left_ms = end > at ? (end - at) / NS_PER_MS : 0,
			      .is_recalled = loan->due_ns != 0,
			      .huge = loan->region->huge,
			      .is_locked = loan->region->is_locked,
			      .bytes_read = g->counters.bytes_read,
			      .bytes_written = g->counters.bytes_written,
		      });
	}
}
