/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window/lend - memory of this node that other nodes may borrow.
 *
 * Concept.  An operator offers an amount.  A node that asks for a part of it
 * gets a *loan*: memory made for it alone, with a key and a lease.
 *
 *            asked for         renewed
 *                  \            |   |      returned, revoked, or not
 *                   v           v   |      renewed: its lease ends
 *                  LENT ----------------------------------------> gone
 *                   |                                              ^
 *                   | the offer shrinks                            | the same,
 *                   '--> RECALLED ----------------------------------' or its
 *                        the borrower is told; no lease            time is up
 *                        goes beyond the time limit
 *
 * Nothing is set aside for an offer: memory is the kernel's until a borrower
 * writes to it.  Huge pages are taken where the operator has reserved some
 * (vm.nr_hugepages), else asked for; what can be locked is.
 *
 *   L1  loans that are not recalled are never more than what is offered, and
 *       none is given that would bring all of them above it;
 *   L2  nobody sees what was another's: each loan is memory fresh from the
 *       kernel, zeroed, and goes back to it with its last user;
 *   L3  a loan ends with its key, however that ended, and its key with it.
 *
 * Threads    One, the grant table's.
 * Bounds     LEND_LOANS_MAX loans.
 */
#ifndef WINDOW_LEND_H
#define WINDOW_LEND_H

#include "base/list.h"
#include "window/grant.h"
#include "window/window.h"

#define LEND_LOANS_MAX 1024u
#define LEND_GRAIN (UINT64_C(2) << 20) /* bytes; loans are a multiple of it */

struct lend {
	struct grant_table *grants;
	uint64_t offered;
	uint64_t lent; /* recalled ones too */
	unsigned lease_ms;
	unsigned n_allowed; /* 0: any node */
	char (*allowed)[WINDOW_NAME_MAX + 1];
	struct list loans; /* oldest first */
	unsigned n_loans;
};

struct loan {
	struct list link;
	struct lend *lend;
	struct grant_owner owner; /* of one grant */
	struct grant *grant;
	struct region *region;
	uint64_t since_ns;
	uint64_t due_ns; /* when it is taken back; 0: it is not recalled */
};

void lend_init(struct lend *l, struct grant_table *grants);
/* All loans end. */
void lend_fini(struct lend *l);

/*
 * Lend `length` bytes, rounded up to LEND_GRAIN, to `node`.
 *
 * @return 0; -ENOENT: nothing is offered; -EACCES: not to that node; -ENOSPC:
 *         more than lend_free(), or LEND_LOANS_MAX; -ENOMEM and errors of
 *         mmap() and getrandom().
 */
int lend_give(struct lend *l, const char *node, uint64_t length,
              struct loan **out);

/* What could be lent now, in LEND_GRAIN. */
uint64_t lend_free(const struct lend *l);

/* NULL: not the key of a loan, or of none that lives. */
struct loan *lend_loan(const struct lend *l, const struct grant *g);

/* Its lease begins anew. */
void lend_renew(struct loan *loan);
/* L3.  The loan is freed. */
void lend_return(struct loan *loan);

/* A key of the table has died: perhaps it was a loan's, which is freed. */
void lend_died(struct lend *l, const struct grant *g);

#endif /* WINDOW_LEND_H */
