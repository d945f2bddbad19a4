/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far/donor - a donor's memory as a block device, through the bridge.
 *
 * Concept.  The pager is a process like any other: it reaches the memory of
 * a donor by libcauseway, with a key of its own, through the daemon of its
 * node.  Each donor has a context, a queue and a region there in which the
 * data of its commands lie, so that one that hangs holds up no other.
 *
 *              joined                  the daemon ends
 *      (open) --------> UP -----------------------------> DOWN
 *                       |^    joined again                 |  |
 *        no answer in   |'---------------------------------'  | BRIDGE_MS
 *        time, or an    |                                     v
 *        error          '--------------------------------> GONE: all fails
 *
 * While it is DOWN, requests wait, those that were under way too: the donor
 * has its memory still, and the daemon comes back.  While it is UP a request
 * has a deadline; the place in the region of one that was given up is left
 * alone until the bridge has ended its command.  Time in which this process
 * itself did not run does not count.
 *
 * Device     Grain BLOCK_SECTOR; requests of at most DONOR_REQUEST bytes;
 *            READ, WRITE and WRITE_ZEROES (as bytes that travel); FLUSH and
 *            DISCARD do nothing: a donor's memory
 *            lasts as long as the donor.
 * Errors     -ETIMEDOUT: no answer in time; -ENXIO: the donor is gone, or the
 *            daemon for good; -EACCES: the key is not good any more.
 * Threads    One reactor's; a thread joins, and hands over what it got.
 */
#ifndef FAR_DONOR_H
#define FAR_DONOR_H

#include "base/err.h"
#include "block/block.h"
#include "far/reach.h"

#include <stdint.h>

#define DONOR_REQUEST 65536u   /* bytes */
#define DONOR_COMMANDS 128u    /* at once; more wait */
#define DONOR_DEADLINE_MS 700u /* of a request, where there is another copy */
#define DONOR_ALONE_MS 1500u   /* where there is none */
#define DONOR_BRIDGE_MS 30000u /* how long to wait for the daemon */

struct reactor;

struct donor_opts {
	struct reactor *reactor;
	const char *socket; /* window.sock of this node's daemon; copied */
	const char *name;   /* "NODE/WINDOW", or "NODE", which lends; copied */
	uint64_t length;    /* bytes to borrow of a node */
	unsigned deadline_ms;
	/* It is GONE; not called inside anything.  May be NULL. */
	void (*gone)(void *ctx, int err);
	/* Its owner takes the memory back in so many ms; once.  May be NULL. */
	void (*recalled)(void *ctx, unsigned left_ms);
	void *ctx;
};

/* What to give to reach_open() or reach_start() for it. */
struct reach_spec donor_reach(const struct donor_opts *o);

/*
 * A device out of what is reached, which is the donor's from here on, also on
 * failure.
 *
 * @return 0; -ENOMEM, -EMFILE, with words.
 */
int donor_open(const struct donor_opts *o, struct reach *reach,
               struct block_device **out, struct err *e);

/* For requests that are under way, too. */
void donor_set_deadline(struct block_device *donor, unsigned ms);

#endif /* FAR_DONOR_H */
