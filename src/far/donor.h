/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far/donor - a donor's window as a block device, through the bridge.
 *
 * Concept.  The pager is a process like any other: it reaches the memory of
 * a donor by libcauseway, with a key of its own, through the daemon of its
 * node.  Each donor has a context, a queue and a region there in which the
 * data of its commands lie, so that one that hangs holds up no other.
 *
 *              joined                  the daemon ends
 *      (open) --------> UP -----------------------------> DOWN
 *                        ^    joined again                 |  |
 *                        '---------------------------------'  | BRIDGE_MS
 *                                                             v
 *                                          all fails       GONE
 *
 * While it is DOWN, requests wait, those that were under way too: the donor
 * has its memory still, and the daemon comes back.  While it is UP a request
 * has a deadline; the place in the region of one that was given up is left
 * alone until the bridge has ended its command.
 *
 * Device     Grain BLOCK_SECTOR; requests of at most DONOR_REQUEST bytes;
 *            READ and WRITE; FLUSH and DISCARD do nothing: a donor's memory
 *            lasts as long as the donor.
 * Errors     -ETIMEDOUT: no answer in DONOR_DEADLINE_MS; -ENXIO: the donor
 *            is gone, or the daemon for good; -EACCES: the key is not good
 *            any more.
 * Threads    One reactor's.
 */
#ifndef FAR_DONOR_H
#define FAR_DONOR_H

#include "base/err.h"
#include "block/block.h"

#include <stdint.h>

#define DONOR_REQUEST 65536u   /* bytes */
#define DONOR_COMMANDS 128u    /* at once; more wait */
#define DONOR_DEADLINE_MS 400u /* of a request that was started */
#define DONOR_BRIDGE_MS 30000u /* how long to wait for the daemon */

struct reactor;

/*
 * Open the window "NODE/NAME" by the bridge at `socket` (window.sock of this
 * node's daemon); both are copied.  Blocks for CAUSEWAY_TIMEOUT_MS at most.
 *
 * @return 0; -ENOENT: no such window, or no daemon; -ECONNREFUSED; -EACCES:
 *         not for this node, or not to read and write; -EHOSTUNREACH; -ENOMEM,
 *         -EMFILE; with words.
 */
int donor_open(struct reactor *r, const char *socket, const char *window,
               struct block_device **out, struct err *e);

#endif /* FAR_DONOR_H */
