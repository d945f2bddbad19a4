/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block/fault - a drive that goes wrong on purpose, the same way for the same
 * seed.
 *
 * Concept.  A fault device is a drive in memory with a volatile write cache.
 * Reads see the newest data.  A write is volatile until a flush that was
 * submitted after the write's completion has completed, or until it completes
 * itself with BLOCK_FUA (B5, B6 of block/block.h, to the letter).
 *
 *    medium    what a power cut cannot take away: one memory object
 *    cache     the writes, zeroes and discards since, in order
 *
 * Power cut.  fault_crash() makes the device that the next life would see: the
 * medium, and of the cached writes any subset, in any order, each whole or
 * torn at sectors of 512 bytes (B4).  It does not disturb the running device,
 * so one moment can be made into many crash states; the medium is shared copy
 * on write, so a state costs the pages that it or its life changes.
 *
 * Everything else goes wrong by rules: the n-th request of a kind from now on
 * fails, is late, is lost, goes elsewhere or is torn.
 *
 * Buffers are read and filled when a request ends, not when it is submitted,
 * so an issuer that touches them too early (B1) is found out.  A discard does
 * something three times in four.  A cache of over FAULT_CACHE_MAX bytes writes
 * its oldest back by itself, as drives do.
 *
 * Threads    One reactor's thread, for a device and all that fault_crash()
 *            makes of it.  They may be closed in any order.
 * Memory     What was written, up to three times; running out of it ends the
 *            process: this is for tests.
 */
#ifndef BLOCK_FAULT_H
#define BLOCK_FAULT_H

#include "block/block.h"

#define FAULT_CACHE_MAX (UINT64_C(256) << 20)

/* A device of `size` bytes of zeroes.  NULL: no memory. */
struct block_device *fault_create(uint64_t size, uint64_t seed);

/* Complete requests in random order and up to this many deferrals late; 0:
 * in order, at the next. */
void fault_set_delay(struct block_device *dev, unsigned rounds);

/*
 * What a power cut now would leave, as a new fault device with an empty cache.
 * Requests in flight count as cached.  The same `seed` gives the same bytes.
 * Costs what the cache holds, not what the device does.  NULL: no memory.
 */
struct block_device *fault_crash(struct block_device *dev, uint64_t seed);

/* From now on every request, those in flight included, gets -ENXIO.  What
 * fault_crash() then makes, counts these as cached. */
void fault_power_off(struct block_device *dev);

enum fault_kind {
	FAULT_EIO,         /* fails, nothing is changed */
	FAULT_LATE,        /* completes after `argument` rounds more */
	FAULT_LOST,        /* a write, or a flush, that reports success and does
	                    * nothing */
	FAULT_MISDIRECTED, /* a write that goes `argument` bytes further on;
	                    * what would go over the end is lost */
	FAULT_TORN, /* a write whose first `argument` bytes arrive, EIO */
	FAULT_ROT,  /* a read that returns one bit flipped */
};

/*
 * Arguments in bytes are rounded down to sectors.
 *
 * The requests of operation `op` that touch [offset, offset + length): after
 * `skip` of them, `count` go wrong.  Rules are looked at in the order of the
 * calls; the first that fits, and has not struck `count` times, counts the
 * request.  A flush touches every range.  @return 0; -ENOSPC: over FAULT_RULES;
 * -EINVAL: such an operation cannot go wrong so.
 */
#define FAULT_RULES 16
int fault_rule(struct block_device *dev, enum fault_kind kind, enum block_op op,
               uint64_t offset, uint64_t length, unsigned skip, unsigned count,
               uint64_t argument);
void fault_clear_rules(struct block_device *dev);

/* Writes, zeroes and discards that are in the cache or in flight. */
unsigned fault_cached(const struct block_device *dev);

/* What reads would return now; inside the device, at any alignment. */
void fault_peek(const struct block_device *dev, uint64_t offset,
                uint64_t length, void *out);

#endif /* BLOCK_FAULT_H */
