/* SPDX-License-Identifier: BSD-2-Clause */
/* volume/fast/meta_io - metadata I/O done for the slow stack. */
#ifndef VOLUME_FAST_META_IO_H
#define VOLUME_FAST_META_IO_H

#include "block/block.h"
#include "volume/handoff.h"

#include "base/list.h"

struct fast_worker;

struct meta_io {
	struct block_request request;
	struct iovec iov;
	struct fast_worker *worker;
	struct list link; /* while its answer finds the ring full */
	uint64_t tag;
	uint8_t status;
};

/* Start what the record asks for, if it is allowed to. */
void meta_io_submit(struct fast_worker *w, const struct handoff_reply *r);
/* Send the answers that are due; @return whether there were any. */
bool meta_io_answer(struct fast_worker *w);

#endif /* VOLUME_FAST_META_IO_H */
