/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric/target - the serving half of a session: requests of one peer.
 *
 * Concept.  Lanes decode a peer's requests and ask the target what to do;
 * the target asks the service (fabric/service.h) where bytes lie, remembers
 * what was executed, and makes answers.  It belongs to one epoch of a peer's
 * session; a newer epoch gets a new one.
 *
 * A request is the same on all lanes: begin, place as often as there are
 * pieces, end.
 *
 * Bounds     TARGET memory is a slot of 24 bytes for each of SESSION_WINDOW
 *            numbers of each class, whatever the peer sends.
 *
 * Invariants
 *   G1  a number that was executed is never executed again: a copy of the
 *       request gets the answer of the first; READs are executed each time;
 *   G2  a number that is SESSION_WINDOW or more below the highest seen in
 *       its class is FABRIC_PROTOCOL: its lane ends;
 *   G3  after the answer to FENCE nothing that was sent on a fenced lane is
 *       executed, and no byte of it reaches memory: the lane is destroyed
 *       before the answer is written.
 */
#ifndef FABRIC_TARGET_H
#define FABRIC_TARGET_H

#include "fabric/frame.h"
#include "fabric/service.h"
#include "fabric/session.h"

struct target;

struct target_stats {
	uint64_t requests;
	uint64_t repeated;
	uint64_t refused;
	uint64_t bytes_read;
	uint64_t bytes_written;
};

/* @return NULL: no memory. */
struct target *target_create(const struct fabric_service *service,
                             struct fabric_peer *from);
void target_destroy(struct target *t);

/* A request whose first frame is here, until its answer is made. */
struct target_request {
	struct frame first; /* length: of the first body */
	enum fabric_class class;
	enum fabric_status status;
	bool repeated; /* executed before: its bytes are thrown away */
	uint64_t done; /* bytes placed */
	uint64_t result;
};

/*
 * A request's first frame.  @return 0; -EPROTO: end the lane.  A request that
 * is refused still has its bytes, which the lane throws away.
 */
int target_begin(struct target *t, enum fabric_class class,
                 const struct frame *f, struct target_request *q);

/*
 * Where the next `length` bytes (1..FABRIC_PIECE) of a READ or WRITE lie, for
 * use before the lane's callback returns.
 *
 * @return whether they may move; otherwise q->status says why not, for good.
 */
bool target_place(struct target *t, struct target_request *q, uint32_t length,
                  struct iovec out[FABRIC_ACCESS_IOV], unsigned *n);

/* These bytes have moved. */
static inline void target_placed(struct target_request *q, uint64_t length)
{
	q->done += length;
}

/*
 * All bytes are there, or for READ were sent: execute what is left to do
 * (atomics; SEND with its `body`; the immediate), remember, count, and fill
 * in the answer's status and result.
 */
void target_end(struct target *t, struct target_request *q, const void *body,
                struct frame *answer);

/* The lane died in the middle of the request. */
void target_abandon(struct target *t, struct target_request *q);

void target_stats(const struct target *t, struct target_stats *out);
struct fabric_peer *target_peer(const struct target *t);
const struct fabric_service *target_service(const struct target *t);

#endif /* FABRIC_TARGET_H */
