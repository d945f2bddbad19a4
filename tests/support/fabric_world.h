/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nodes in one process over a simulated network and clock, for tests of
 * sessions: the code is the real one, from the frames up.
 *
 * Node i listens at sim:4i .. sim:4i + 3 (as many as it has links); a number
 * is a link and has faults of its own (fabric/sim.h).
 */
#ifndef TESTS_FABRIC_WORLD_H
#define TESTS_FABRIC_WORLD_H

#include "memory_service.h"

#include "core/reactor.h"
#include "fabric/auth_key.h"
#include "fabric/node.h"
#include "fabric/sim.h"

#define WORLD_NODES 3u
#define WORLD_LINKS 4u /* of a node */
#define WORLD_BYTES (UINT64_C(1) << 20)

struct world_node {
	struct node *node;
	struct memory_service service;
	uint8_t *memory; /* region 0, WORLD_BYTES */
	uint64_t boot;
};

struct fabric_world {
	struct sim *sim;
	struct reactor *reactor;
	struct auth_key key;
	struct transport *transports[1];
	struct world_node nodes[WORLD_NODES];
	struct session_opts session;
};

void world_start(struct fabric_world *w, uint64_t seed);
void world_stop(struct fabric_world *w);

/* Start node i, or start it again, listening at `n_links` numbers. */
void world_boot(struct fabric_world *w, unsigned i, unsigned n_links);
/* Its process is gone: connections end. */
void world_kill(struct fabric_world *w, unsigned i);
/* `from` gets to know `to` by its first `n_links` links. */
struct fabric_peer *world_introduce(struct fabric_world *w, unsigned from,
                                    unsigned to, unsigned n_links);
struct fabric_address world_address(unsigned node, unsigned link);
static inline struct sim_link *world_link(struct fabric_world *w, unsigned node,
                                          unsigned link)
{
	return sim_link(w->sim, node * WORLD_LINKS + link);
}

/* Let `us` microseconds pass, in steps. */
void world_pass(struct fabric_world *w, uint64_t us);
/* Until *counter is `value`, for at most `ms`.  @return whether it is. */
bool world_wait(struct fabric_world *w, const unsigned *counter, unsigned value,
                unsigned ms);
bool world_wait_state(struct fabric_world *w, struct fabric_peer *p,
                      enum session_state state, unsigned ms);

struct world_op {
	struct fabric_op op;
	struct iovec iov;
	enum fabric_status status;
	unsigned done;
	uint64_t done_ns;
	struct fabric_world *world;
};

void world_op_init(struct fabric_world *w, struct world_op *o,
                   enum fabric_opcode opcode, enum fabric_class class,
                   uint64_t offset, void *data, uint64_t length);
/* Submit and wait for at most `ms`; it must end. */
enum fabric_status world_run(struct fabric_world *w, struct session *s,
                             struct world_op *o, unsigned ms);

#endif /* TESTS_FABRIC_WORLD_H */
