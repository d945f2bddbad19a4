/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * volume/slow/assembly - from drives, or from shared memory, to pools: at start
 * and when a drive appears.
 *
 *   SCAN    labels of the open drives that are in no pool that serves
 *   LOAD    per pool, side by side: its metadata (load.h), all that is there
 *           counted (rebuild.h)
 *   SETTLE  per pool: a checkpoint; labels, if the members have changed or a
 *           copy was damaged; after a start on living memory a grace period
 *           too, for nobody knows who still reads what was unmapped
 *   then the pool is open, or offline with the reason in words
 */
#ifndef VOLUME_SLOW_ASSEMBLY_H
#define VOLUME_SLOW_ASSEMBLY_H

#include "base/err.h"

struct slow;
struct slow_call;

int assembly_start(struct slow *s, struct err *e);
void assembly_free(struct slow *s);
/* Look again; `c` (ended then) waits for it. */
void assembly_again(struct slow *s, struct slow_call *c);
/* A grace period has ended. */
void assembly_grace(struct slow *s);

#endif /* VOLUME_SLOW_ASSEMBLY_H */
