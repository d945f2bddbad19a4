/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * volume/slow/rebuild - from the rows, volumes and entries in shared memory
 * (put there by apply, or by a predecessor) to a pool that can allocate: every
 * row and every mapping is counted, and what is there twice is found (S1).
 */
#ifndef VOLUME_SLOW_REBUILD_H
#define VOLUME_SLOW_REBUILD_H

#include "volume/slow/load.h"

/* The members, from the records and the labels.  @return 0; -ENODEV, -ESTALE:
 * too few, or too old, with words. */
int rebuild_members(struct load *l, struct err *e);

/* Cold: rows as the metadata say.  @return 0; -EBADMSG, -ENOMEM. */
int rebuild_rows_loaded(struct load *l, struct err *e);
/* Warm: rows and volumes as they are in memory. */
int rebuild_rows_shared(struct load *l, struct err *e);

/* All mappings of all volumes, then drop rows that are empty.
 * @return 0; -EBADMSG, -ENOMEM. */
int rebuild_mappings(struct pool *p, bool warm, struct err *e);

/* Whether the data that are there can be served without the members that are
 * not.  @return 0; -ENODEV. */
int rebuild_check_losses(const struct pool *p, struct err *e);

/* Forget, but for what is in shared memory. */
void rebuild_forget(struct pool *p);
/* Forget, and what was put into shared memory too. */
void rebuild_abandon(struct pool *p);

#endif /* VOLUME_SLOW_REBUILD_H */
