/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far/backing - where far pages go: donors by their names, as one device.
 *
 * Concept.  A donor is named as a node, which is asked to lend (its operator
 * has said `causeway donor offer`), or as NODE/WINDOW, which somebody made and
 * granted.  Each piece of memory that is had like that is a block device
 * (far/donor.h), all of them make up a store (far/store.h), and this part
 * watches over it:
 *
 *      a donor is out           its copies are made again on another node that
 *                               has room, which is asked for it
 *      a donor takes memory     its blocks move first, in this order: to other
 *      back                     donors; with two copies the other one serves
 *                               alone; with one they move to the spare
 *
 * A node lends under a lease that its borrower's daemon renews for as long as
 * this process lives; block_close() gives everything back, and so does the
 * death of this process.
 *
 * Blocks     backing_open() blocks; later, donors are asked and joined by a
 *            thread of their own, and the reactor never waits for them.
 * Device     As far/store.h's.
 * Threads    One reactor's.
 *
 * Invariants
 *   D1  the copies of a block, or of its row in RAID 5, are on different nodes;
 *       the spare counts as one;
 *   D2  memory is given back only when nothing of the store is on it any more.
 */
#ifndef FAR_BACKING_H
#define FAR_BACKING_H

#include "base/err.h"
#include "block/block.h"

#include <stdbool.h>
#include <stdint.h>

struct reactor;

struct backing_opts {
	struct reactor *reactor;
	const char *socket;   /* window.sock of this node's daemon */
	const char *donors;   /* "beta,gamma/far,delta" */
	unsigned copies;      /* 1 or 2 */
	bool raid5;           /* instead: over 3 nodes, or 5 or 9 where one more
	                       * is named, which can then take a lost part */
	unsigned deadline_ms; /* a donor that is silent longer is out; 0:
	                       * DONOR_DEADLINE_MS, DONOR_ALONE_MS if nobody
	                       * else has what it has */
	uint64_t size;        /* bytes that nodes are asked to keep, once */
	bool or_less;         /* be content with what they have */
	/* Where blocks go that no donor has room for; a drive.  The backing's
	 * from here on, also on failure.  NULL: nowhere. */
	struct block_device *spare;
	/* Something happened that its user should know.  May be NULL. */
	void (*say)(void *ctx, const char *words);
	void *ctx;
};

/*
 * Windows count with all that they have, nodes with what `size` needs beyond
 * that.
 *
 * @return 0; -EINVAL: no such list, or fewer donors than it takes; -ENOSPC:
 *         `size` is more than the donors have; or as donor_open(); with words.
 */
int backing_open(const struct backing_opts *opts, struct block_device **out,
                 struct err *e);

#endif /* FAR_BACKING_H */
