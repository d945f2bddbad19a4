/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window/region - memory that keys can reach, mapped into the daemon.
 *
 * A region is a process's memfd, a file, or memory of the daemon.  It is
 * mapped while anybody holds it: its owner, and every key over it that lives
 * or that an operation still uses.
 *
 * A process's memory is only taken if it cannot hurt the daemon: a memfd of
 * ordinary pages, sealed against shrinking, since a touch of pages that are
 * not there any more would end the daemon with SIGBUS; and long enough.
 */
#ifndef WINDOW_REGION_H
#define WINDOW_REGION_H

#include "base/err.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

enum region_huge {
	REGION_SMALL,    /* ordinary pages */
	REGION_ADVISED,  /* huge ones where the kernel finds some */
	REGION_RESERVED, /* huge ones, set aside by the operator */
};

struct region {
	uint8_t *base;
	uint64_t length;
	int fd;           /* of a file that is not a process's; else -1 */
	unsigned rights;  /* FABRIC_RIGHT_*, what keys may allow at most */
	unsigned n_users; /* the owner, and keys over it */
	/* of region_make_resident(): what was got */
	enum region_huge huge;
	bool is_locked;
	struct list ranges; /* struct grant_range, of keys that live */
};

/*
 * Map what a process sent.  `fd` stays the caller's.
 *
 * @return 0; -EPERM: not a memfd as above; -EINVAL: offset not of a page, or
 *         nothing, or past its end; -EACCES: it cannot be written, and rights
 *         say so; -ENOMEM.
 */
int region_map(int fd, uint64_t offset, uint64_t length, unsigned rights,
               struct region **out, struct err *e);

/*
 * Memory of the daemon's: zeroes, or the file at `path` (made if absent; 0
 * bytes: as long as it is), whose blocks are allocated.  Rights are all.
 *
 * @return 0; -EINVAL; -ENOSPC, -ENOMEM, or as open().
 */
int region_make(const char *path, uint64_t length, struct region **out,
                struct err *e);

/*
 * Memory of the daemon's that others rely on: of huge pages if there are any,
 * and locked if RLIMIT_MEMLOCK allows, as it is touched.  `length` is a
 * multiple of 2 MiB.  @return 0; -ENOMEM, -EMFILE.
 */
int region_make_resident(uint64_t length, struct region **out);

void region_get(struct region *r);
/* The last one unmaps.  NULL is allowed. */
void region_put(struct region *r);

#endif /* WINDOW_REGION_H */
