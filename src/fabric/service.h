/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric/service - what a node offers to its peers; window/ implements it.
 *
 * Concept.  The fabric's serving half (fabric/target.h) decodes a peer's
 * requests and asks the service where their bytes are.  It copies between
 * region and lane inside the very call that asked, so an answer of access()
 * is used before anything else runs on the reactor.
 *
 * Threads    Every call comes on the reactor of the node.
 * Lifetime   The service outlives the node that it was given to.
 *
 * Invariants
 *   V1  access() is asked before each piece of at most FABRIC_PIECE bytes;
 *       its vector is used only until the fabric's callback returns.  So
 *       when a region was marked as revoked and then a task posted to the
 *       node's reactor has run, no copy is under way and none will start.
 *       Lanes whose hardware copies (map) need node_revoked() in that task;
 *   V2  access() without FABRIC_OK ends the request with that status; bytes
 *       that came before it have moved;
 *   V3  finished() runs exactly once for each request for which access() or
 *       map() was asked or received() called, repeated copies of a request
 *       not counted again;
 *   V4  received() and immediate() run once per SEND and WRITE_IMM, after
 *       the data of that request and of everything before it in its lane is
 *       visible;
 *   V5  a callback may submit operations and post tasks, and must not
 *       destroy the node or remove the peer it was called for.
 */
#ifndef FABRIC_SERVICE_H
#define FABRIC_SERVICE_H

#include "fabric/op.h"

#include <stddef.h>

/* A key's rights, as a request needs them; bits can be combined. */
#define FABRIC_RIGHT_READ (1u << 0)
#define FABRIC_RIGHT_WRITE (1u << 1)
#define FABRIC_RIGHT_ATOMIC (1u << 2)

#define FABRIC_ACCESS_IOV 16u /* entries that access() may return */

struct fabric_peer; /* fabric/node.h: who it is, authenticated */

struct fabric_service {
	void *ctx;

	/*
	 * Where [offset, offset + length) of `key` lies.  `*n` is the room in
	 * `out` on entry (FABRIC_ACCESS_IOV) and the entries used on return;
	 * length is 1..FABRIC_PIECE then.  With `out` and `n` NULL it only
	 * asks whether the key allows that range, of any length; it is not
	 * counted against quotas then.
	 */
	enum fabric_status (*access)(void *ctx, struct fabric_peer *from,
	                             const struct fabric_key *key,
	                             unsigned rights, uint64_t offset,
	                             uint64_t length, struct iovec *out,
	                             unsigned *n);

	/* A request ended; for counters.  `length` bytes were asked for. */
	void (*finished)(void *ctx, struct fabric_peer *from,
	                 const struct fabric_key *key,
	                 enum fabric_opcode opcode, uint64_t length,
	                 enum fabric_status status);

	/* A SEND; at most FABRIC_SEND_MAX bytes, gone after the call. */
	enum fabric_status (*received)(void *ctx, struct fabric_peer *from,
	                               enum fabric_class class,
	                               const void *data, size_t length);

	/* A WRITE_IMM whose bytes are all there. */
	void (*immediate)(void *ctx, struct fabric_peer *from,
	                  const struct fabric_key *key, uint32_t immediate,
	                  uint64_t offset, uint64_t length);

	/* The node can, or can no longer, reach the peer's process. */
	void (*peer_state)(void *ctx, struct fabric_peer *peer, bool up);

	/*
	 * For lanes whose hardware copies: all that `key` covers and its
	 * rights.  Whoever keeps the answer drops it in node_revoked().
	 * NULL: no such lanes for this service.
	 */
	enum fabric_status (*map)(void *ctx, struct fabric_peer *from,
	                          const struct fabric_key *key,
	                          unsigned *rights, struct iovec *out,
	                          unsigned *n);
};

#endif /* FABRIC_SERVICE_H */
