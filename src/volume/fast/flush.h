/* SPDX-License-Identifier: BSD-2-Clause */
/* volume/fast/flush - a volume's data and mappings made durable. */
#ifndef VOLUME_FAST_FLUSH_H
#define VOLUME_FAST_FLUSH_H

#include "block/block.h"

#include "volume/fast/thin.h"

#define FLUSH_DRIVES 32u /* of a pool, at most */

struct flush {
	struct thin_op *op;
	unsigned pending;
	uint16_t bad_drive;
	struct flush_io {
		struct block_request request;
		struct flush *flush;
		uint16_t drive;
	} io[FLUSH_DRIVES];
};

void flush_start(struct thin_op *op);

/* Whether the volume has mappings that are not durable. */
bool flush_needs_barrier(const struct thin_op *op);
/* End the op when they are. */
void flush_barrier(struct thin_op *op);

#endif /* VOLUME_FAST_FLUSH_H */
