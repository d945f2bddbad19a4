/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric/verbs - lanes over RDMA's reliable connection (libibverbs, RC;
 * librdmacm makes the connections).
 *
 * Concept.  A verbs lane (fabric/verbs_lane.c) is a frame lane over a stream
 * of SENDs (fabric/verbs_stream.h), so that everything that a frame lane can
 * do, it can, by the same code; and besides it moves the bytes of READs and
 * WRITEs by RDMA, without the target's CPU, where the target's service says
 * what lies behind a key (service->map):
 *
 *   dialler                                  acceptor
 *      | -- MAP key -------------------------> |  registers memory, in the
 *      | <- MAPPED rights, address, rkey ----- |  protection domain of this
 *      |                                       |  connection
 *      | == RDMA READ =======================> |  its CPU doesn't notice
 *      |                                       |
 *      | == RDMA WRITE, ... =================> |
 *      | -- WRITTEN sequence, key, ... ------> |  remembers the number, counts
 *      | <- WROTE sequence, status ----------- |
 *      |                                       |
 *      | <- UNMAP key ------------------------ |  revoked: deregistered first
 *
 * What stays with the target's CPU, and why:
 *   SEND       it is for a program there;
 *   atomics    an adapter's atomics don't exclude those of the CPU, which
 *              serves the same memory over other links, and nobody can say
 *              after a failure whether one was done;
 *   WRITEs that are sent again, because their number may have been executed;
 *   short WRITEs, which cost one exchange with its CPU either way;
 *   keys that service->map doesn't offer (quotas), and keys over
 *   VERBS_MAPS of a lane.
 *
 * Bytes go through buffers that are registered once for each lane, at both
 * ends of an operation's vector: there is no registration cache, and a
 * vector's memory is touched by the CPU only, when allowed() was asked.
 *
 * Invariants
 *   VB1  memory of regions is registered only for a peer that has
 *        authenticated, in a protection domain that no other connection uses,
 *        with the rights of the key and no more;
 *   VB2  when lane_ops.revoked has returned, the adapter refuses the key's
 *        memory; if the adapter cannot promise that, the queue pair is gone;
 *   VB3  a RDMA operation is posted only while no request that the target's
 *        CPU executes is outstanding on the lane, and the reverse: requests
 *        keep their order (N2);
 *   VB4  receives are posted from before the connection is made until its
 *        end; a peer that sends too much waits (RNR), and nothing is lost.
 */
#ifndef FABRIC_VERBS_H
#define FABRIC_VERBS_H

#include "base/err.h"
#include "fabric/transport.h"

struct reactor;

#define VERBS_MAPS 64u /* keys that a lane has mapped, at each end */

/*
 * A transport for struct node_opts, on one reactor.
 *
 * @return 0; -ENODEV: this host has no RDMA device; -EACCES, -EMFILE,
 *         -ENOMEM; with words that say why RDMA is not used.
 */
int verbs_transport_create(struct reactor *r, struct transport **out,
                           struct err *e);

/* Its lanes and listeners are gone.  NULL is allowed. */
void verbs_transport_destroy(struct transport *t);

/* Whether there is a device, and if not, why not; makes nothing. */
int verbs_available(struct err *e);

#endif /* FABRIC_VERBS_H */
