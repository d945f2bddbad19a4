/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * far/store - one block device out of the memory of several donors.
 *
 * Concept.  Each donor's space is cut into extents, as a pool's drives are;
 * a row takes an extent from `copies` different donors, those with the most
 * extents left, and holds their chunks by volume/raid: with one copy a row is
 * one donor (raid0 of width 1), with two it is a mirror (raid1).  So donors
 * may differ in size and number, and an address decodes to a row, and from
 * there to donors and offsets, by a division.
 *
 * A write ends when every copy that is left has it.  A donor that fails a
 * request is out for good: the others have the data, or, with one copy,
 * nobody has, and reads of its rows fail.
 *
 * Requests   READ and WRITE of up to STORE_REQUEST bytes; FLUSH and DISCARD do
 *            nothing.  The issuer has no two requests on one range in flight
 *            of which one is a write (far/slots, K1 and K2).
 * Errors     -EIO: no copy is left.
 * Threads    One reactor's.
 */
#ifndef FAR_STORE_H
#define FAR_STORE_H

#include "base/err.h"
#include "block/block.h"

#include <stdint.h>

#define STORE_DONORS_MAX 16u
#define STORE_EXTENT (UINT64_C(16) << 20) /* bytes */
#define STORE_REQUEST (UINT64_C(1) << 20) /* bytes */

struct store_opts {
	struct block_device **donors; /* the store's from here on, also on
	                               * failure: it closes them */
	unsigned n_donors;
	unsigned copies; /* 1 or 2 */
	/* A donor is out; `index` counts from 0.  May be NULL. */
	void (*lost)(void *ctx, unsigned index, int err);
	void *ctx;
};

/*
 * The device's size is what the rows hold.
 * @return 0; -EINVAL: fewer donors than copies, or more than
 *         STORE_DONORS_MAX; -ENOSPC: not a row fits; -ENOMEM; with words.
 */
int store_create(const struct store_opts *opts, struct block_device **out,
                 struct err *e);

struct store_donor_info {
	bool lost;
	uint64_t reads;  /* requests */
	uint64_t writes; /* the same */
};

/* @return donors. */
unsigned store_info(const struct block_device *store,
                    struct store_donor_info out[STORE_DONORS_MAX]);

#endif /* FAR_STORE_H */
