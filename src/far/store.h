/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far/store - one block device out of the memory of several donors.
 *
 * Concept.  Each donor's space is cut into extents, as a pool's drives are;
 * a row takes an extent from several donors, those with the most extents left,
 * and holds their chunks by volume/raid: with one copy a row is one donor
 * (raid0 of width 1), with two it is a mirror (raid1), with parity it is 2 or
 * more donors' data and the parity (raid5).  So donors may differ in size and
 * number, and an address decodes to a row, and from there to donors and
 * offsets, by a division.
 *
 * A write ends when every copy that is left, and the parity, has it.  A donor
 * that fails a request is out for good, and donors may come and go:
 *
 *               store_leave()            nothing is on it
 *      ONLINE ----------------> LEAVING -----------------.
 *        |                        |                      v
 *        '---- it fails, or store_lose() ----> RETIRING ----> closed: its
 *                                              older requests     number may
 *                                              end                be used again
 *
 * Whatever lacks a member, or has one on a donor that leaves, is moved in the
 * background (far/store_move.c), chunk by chunk, while requests go on.
 *
 * Requests   READ and WRITE of up to STORE_REQUEST bytes; FLUSH and DISCARD do
 *            nothing.  The issuer has no two requests on one range in flight
 *            of which one is a write (far/slots, K1 and K2).
 * Errors     -EIO: no copy is left; -EBADMSG: none is right (block.h, B8).
 * Threads    One reactor's, the one that is current in store_create().
 *
 * Invariants
 *   N1  the members of a row are in different domains (hosts);
 *   N2  a chunk is read only from where all its writes have gone;
 *   N3  a donor is closed, which gives its memory back, only when nothing is
 *       on it and no request can touch it;
 *   N4  a write waits at most for the move of its own chunk and the three
 *       beside it, reads for none;
 *   N5  a donor is lost for a wrong answer only when the right one was found
 *       without it.
 */
#ifndef FAR_STORE_H
#define FAR_STORE_H

#include "base/err.h"
#include "block/block.h"

#include <stdint.h>

#define STORE_DONORS_MAX 64u              /* at a time */
#define STORE_EXTENT (UINT64_C(16) << 20) /* bytes of a row, and of a copy */
#define STORE_REQUEST (UINT64_C(1) << 20) /* bytes */
#define STORE_RAID5_MIN 3u                /* members */

/* What its owner should know; only lost() may run inside a call of its own,
 * store_lose().  Each may be NULL. */
struct store_watcher {
	/* A donor is out; it is closed a little later. */
	void (*lost)(void *ctx, unsigned index, int err);
	/* A donor that was to leave has left, and was closed. */
	void (*left)(void *ctx, unsigned index);
	/* Members need `bytes` more than there is room for, elsewhere than in
	 * `domains` (store_domain_bit()): answer with store_add(), in time, or
	 * store_no_room(). */
	void (*wants)(void *ctx, uint64_t bytes, uint64_t domains);
	/* Every row has all its members again. */
	void (*whole)(void *ctx);
	void *ctx;
};

struct store_opts {
	struct block_device **donors; /* the store's from here on, also on
	                               * failure: it closes them */
	const unsigned *domain;       /* of each; NULL: its own */
	unsigned n_donors;
	unsigned copies; /* 1 or 2 */
	unsigned raid5;  /* 3, 5 or 9: so many members instead, one of which is
	                  * parity; 0: copies.  Not with is_fixed. */
	/* Nothing is ever moved: where rows are follows from the sizes of the
	 * donors, so that another process finds what this one wrote. */
	bool is_fixed;
	struct store_watcher watcher;
};

/*
 * The device's size is what the rows hold, for good.
 * @return 0; -EINVAL: fewer donors than members, or more than
 *         STORE_DONORS_MAX; -ENOSPC: not a row fits; -ENOMEM; with words.
 */
int store_create(const struct store_opts *opts, struct block_device **out,
                 struct err *e);

static inline uint64_t store_domain_bit(unsigned domain)
{
	return domain < STORE_DONORS_MAX ? UINT64_C(1) << domain : 0;
}

/*
 * One more donor, for members that are missing or to be moved.  A spare takes
 * only what cannot be had without it and has no other place.
 *
 * @return its number; -ENOSPC: STORE_DONORS_MAX, and it is closed.
 */
int store_add(struct block_device *store, struct block_device *donor,
              unsigned domain, bool is_spare);

/* Move what is on it; left() or lost() follows. */
void store_leave(struct block_device *store, unsigned index);

/* It is out now, if it was not; lost() has run. */
void store_lose(struct block_device *store, unsigned index, int err);

/* Nobody has the room that was wanted: where the others can do without a donor
 * that leaves, they do.  Call store_ask_again() later. */
void store_no_room(struct block_device *store);

/* wants() runs again, if it is still so. */
void store_ask_again(struct block_device *store);

enum store_donor_state {
	STORE_DONOR_NONE,
	STORE_DONOR_ONLINE,
	STORE_DONOR_LEAVING,
	STORE_DONOR_RETIRING,
};

struct store_donor_info {
	enum store_donor_state state;
	unsigned domain;
	uint64_t size; /* bytes */
	uint64_t used; /* of these, that rows have */
};

void store_info(const struct block_device *store,
                struct store_donor_info out[STORE_DONORS_MAX]);

#endif /* FAR_STORE_H */
