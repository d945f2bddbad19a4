/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block/fault_wrap - a device that behaves badly, as told: for tests.
 *
 * Wraps any device.  Rules name requests and what goes wrong with them; with
 * one seed and one order of requests the same ones are hit.  Requests that no
 * rule names go to the lower device untouched.  A drive whose power can be cut
 * is in block/fault.h; wrap it to have both.
 *
 * The lower device stays the caller's, and outlives the wrapper.  Rules may
 * be changed on any thread, also while requests are in flight.
 */
#ifndef BLOCK_FAULT_WRAP_H
#define BLOCK_FAULT_WRAP_H

#include "block/block.h"

#define FAULT_WRAP_RULES 32

enum fault_wrap_kind {
	FAULT_WRAP_ERROR, /* nothing is done, `err` is reported */
	FAULT_WRAP_DELAY, /* done after delay_ns; the next rule that fits counts
	                   * too */
	FAULT_WRAP_TORN,  /* WRITE, WRITE_ZEROES: only a beginning, or some
	                   * sectors,  reach the medium; `err` is reported, 0 is
	                   * a  lie */
	FAULT_WRAP_LOST, /* changes and FLUSH: nothing is done, success reported
	                  */
	FAULT_WRAP_MISDIRECT, /* READ, WRITE: done at another place */
};

struct fault_wrap_rule {
	enum fault_wrap_kind kind;
	unsigned ops;         /* set of 1u << enum block_op; 0: any */
	uint64_t offset;      /* requests that touch this range, ... */
	uint64_t length;      /* 0: anywhere; a FLUSH is everywhere */
	uint64_t skip;        /* ... after so many that did, ... */
	uint64_t count;       /* ... so many times; 0: for ever; */
	uint32_t per_million; /* and then by this chance; 0: always */
	int err;              /* negative errno, or 0 */
	uint64_t delay_ns;
};

/* @return 0; -ENOMEM. */
int fault_wrap_create(struct block_device *lower, uint64_t seed,
                      struct block_device **out);

/* Rules are tried in the order of their making.  @return the rule's number. */
unsigned fault_wrap_add(struct block_device *dev,
                        const struct fault_wrap_rule *rule);
void fault_wrap_clear(struct block_device *dev); /* forget all rules */

/* How many requests a rule has hit. */
uint64_t fault_wrap_hits(struct block_device *dev, unsigned rule);

/* From now on every request fails with -ENXIO, until it is plugged in. */
void fault_wrap_pull(struct block_device *dev);
void fault_wrap_plug(struct block_device *dev);

#endif /* BLOCK_FAULT_WRAP_H */
