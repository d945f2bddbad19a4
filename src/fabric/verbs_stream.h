/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric/verbs_stream - a byte stream (fabric/stream.h) over the SENDs of a
 * reliable connection, and RDMA beside it.
 *
 *   RESOLVING -> ROUTING -> CONNECTING -> UP -> DEAD
 *   (dialled)                (accepted: from here)
 *
 * Concept.  writev copies into the next free send slot and posts it; a slot
 * is free again when the peer's adapter has acknowledged it.  Receives lie in
 * slots too, which are posted again when they have been read, so a reader
 * that stops makes the peer's adapter wait.  There are few and then, after
 * verbs_stream_grow(), VERBS_SLOTS each way.
 *
 * Threads    The reactor's.  The completion queue is polled in each of its
 *            turns, and before it sleeps it is told to raise an event.
 * Ownership  As of any stream.
 */
#ifndef FABRIC_VERBS_STREAM_H
#define FABRIC_VERBS_STREAM_H

#include "base/err.h"
#include "fabric/stream.h"

#include <stddef.h>
#include <stdint.h>

#define VERBS_SLOT 8192u        /* bytes */
#define VERBS_SLOTS 32u         /* each way */
#define VERBS_SLOTS_STRANGER 2u /* each way, in the handshake */
#define VERBS_PIECES 8u         /* RDMA operations under way */
#define VERBS_PIECE 65536u      /* bytes of each, at most */

struct lane;
struct rdma_cm_id;
struct reactor;
struct ibv_pd;

/* Who posts RDMA on a stream; runs on the reactor, not inside rdma(). */
struct verbs_user {
	/* Piece `i` has been moved; 0 or a negative errno (and then the
	 * stream is dead). */
	void (*moved)(struct verbs_user *u, unsigned i, int err);
};

/*
 * Over a connection request; the id is the stream's, also on failure.
 * @return 0; a negative errno with words.
 */
int verbs_stream_accept(struct reactor *r, struct rdma_cm_id *id,
                        struct stream **out, struct err *e);

/* Over a fresh id with its address not yet resolved; the same. */
int verbs_stream_dial(struct reactor *r, struct rdma_cm_id *id,
                      const struct fabric_address *to, struct stream **out,
                      struct err *e);

/* Keep heard_ns and the bytes of `l` up to date. */
void verbs_stream_count(struct stream *s, struct lane *l);

/* Give it all its slots, and pieces if `pieces`.  @return 0; -ENOMEM. */
int verbs_stream_grow(struct stream *s, bool pieces);

/* The buffer of piece `i`, VERBS_PIECE bytes. */
void *verbs_stream_piece(struct stream *s, unsigned i);

/*
 * Move `length` bytes between piece `i` and the peer's memory; the user is
 * told when it is done.  @return 0; a negative errno.
 */
int verbs_stream_rdma(struct stream *s, struct verbs_user *user, unsigned i,
                      bool write, uint64_t address, uint32_t rkey,
                      uint32_t length);

/* For registering memory that the peer may use. */
struct ibv_pd *verbs_stream_domain(struct stream *s);

/* Destroy the queue pair: nothing moves any more. */
void verbs_stream_cut(struct stream *s);

/* An event of the connection manager for `id`, which was acknowledged. */
void verbs_stream_event(struct rdma_cm_id *id, int event, int status);

#endif /* FABRIC_VERBS_STREAM_H */
