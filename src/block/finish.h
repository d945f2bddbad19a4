/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block/finish - end a request soon, but not inside submit (contract B3).
 *
 * For devices that know the answer at once: drives in memory, refused
 * requests, reads of what was never written.  Finished requests wait in one
 * list per thread and one deferred task ends them all in the order of the
 * calls, so that each costs some 10 ns.
 */
#ifndef BLOCK_FINISH_H
#define BLOCK_FINISH_H

#include "block/block.h"

/*
 * Have q->done(q, err) run later on the calling thread's current reactor.
 * Uses q->next and q->device_data[0].
 */
void block_finish(struct block_request *q, int err);

#endif /* BLOCK_FINISH_H */
