/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kswap/limit - programs that may keep only so much memory, by a memory
 * cgroup; the rest is for the kernel to swap out.
 *
 * Concept.  The kernel's limit alone is not enough.  At it, version 1 kills
 * programs that use all of their memory at random, although swap is free (it
 * finds no page that was not used lately).  So pages are pushed out ahead of
 * need, above LIMIT_HIGH of the limit, and when the kernel finds none it waits
 * for us instead of killing:
 *
 *      0 .......... high ............. limit
 *                   pages are          the kernel reclaims; if it cannot, the
 *                   pushed out         program waits until some were pushed
 *                                      out; if none can be for LIMIT_HANG_MS,
 *                                      it is the kernel's to kill
 *
 * With version 2 of cgroups the limit is memory.high, at which programs are
 * slowed down and not killed, and pushing out is memory.reclaim.
 *
 * Units      Bytes.
 * Threads    One reactor's.
 */
#ifndef KSWAP_LIMIT_H
#define KSWAP_LIMIT_H

#include "base/err.h"

#include <stdint.h>

#define LIMIT_MIN (UINT64_C(8) << 20)
#define LIMIT_HIGH 90 /* percent of the limit */
#define LIMIT_LOW 85  /* where pushing out ends */
#define LIMIT_HANG_MS 5000u

struct limit;
struct reactor;

/*
 * A memory cgroup below this process's own, with nobody in it.
 *
 * @return 0; -EINVAL: under LIMIT_MIN; -ENOSYS: no memory cgroups are mounted;
 *         -EACCES, -EPERM, -EROFS: not ours to make; with words.
 */
int limit_create(struct reactor *r, uint64_t bytes, struct limit **out,
                 struct err *e);

/* Who is still in it goes on without a limit.  NULL is allowed. */
void limit_destroy(struct limit *l);

/* The file that a process writes "0" into to be in it. */
const char *limit_procs(const struct limit *l);

struct limit_stats {
	uint64_t usage;      /* now */
	uint64_t pushed_out; /* by us, ever */
	uint64_t waits;      /* times that the program waited at the limit */
	unsigned version;    /* of cgroups */
};

void limit_stats(const struct limit *l, struct limit_stats *out);

#endif /* KSWAP_LIMIT_H */
