/* SPDX-License-Identifier: BSD-2-Clause */
/* What the read and write halves of volume/raid share. */
#ifndef VOLUME_RAID_RAID_PRIV_H
#define VOLUME_RAID_RAID_PRIV_H

#include "volume/raid/raid.h"

enum raid_state {
	RAID_ST_READ,    /* pieces are being read from where they lie */
	RAID_ST_REBUILD, /* a piece is being made from the other members */
	RAID_ST_SCRATCH, /* waiting for scratch memory to write with */
	RAID_ST_PREREAD, /* old data, or the rest of the stripe, is read */
	RAID_ST_WRITE,   /* data and parity are being written */
};

enum member_state {
	MEMBER_USABLE,
	MEMBER_SKIP, /* not ONLINE, or out of the row: never touched */
	MEMBER_BAD,  /* ONLINE but closed: the slow stack must decide */
};

enum member_state raid_member_state(const struct raid_op *op, unsigned member);
bool raid_readable(const struct raid_op *op, unsigned member);
unsigned raid_strip_bytes(const struct raid_op *op);

/* Issue one drive request on [column, column + length) of a member's strip;
 * `iov` stays valid until it is done. */
void raid_issue(struct raid_op *op, enum block_op what, unsigned member,
                unsigned piece, uint32_t column, uint32_t length,
                const struct iovec *iov, unsigned n);

/* Part of the op's data, as entries of op->iovs. */
const struct iovec *raid_slice(struct raid_op *op, uint32_t at, uint32_t length,
                               unsigned *n);
/* One entry of op->iovs over scratch memory. */
const struct iovec *raid_scratch_iov(struct raid_op *op, uint32_t at,
                                     uint32_t length);

/* Take scratch memory; false: none now, op->state runs when there is. */
bool raid_scratch(struct raid_op *op);

/* A member that is ONLINE missed the write. */
void raid_missed(struct raid_op *op, unsigned member);

void raid_finish(struct raid_op *op, int err);

/* The next step when nothing is pending. */
void raid_read_advance(struct raid_op *op);
void raid_write_advance(struct raid_op *op);
void raid_read_start(struct raid_op *op);
void raid_write_start(struct raid_op *op);

#endif /* VOLUME_RAID_RAID_PRIV_H */
