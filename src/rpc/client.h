/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rpc/client - calls a server: on a reactor over a connected socket, as the
 * daemon does with its child, or blocking, as the command line does.
 *
 * Requests of the reactor's client are embedded in their issuer's struct.
 *
 *   Q1  after rpc_client_call() returned 0, q->done runs exactly once, on the
 *       reactor's thread, never inside that call;
 *   Q2  when the peer dies, says nonsense or the client is destroyed, every
 *       pending request is done with RPC_TRY_AGAIN; then, unless it was
 *       destroyed, `closed` runs;
 *   Q3  an answer that comes after its request timed out is dropped.
 */
#ifndef RPC_CLIENT_H
#define RPC_CLIENT_H

#include "base/list.h"
#include "rpc/error.h"

#include <stdint.h>

struct json_object;
struct reactor;
struct rpc_call;
struct rpc_client;
struct rpc_request;

#define RPC_PENDING_MAX 1024u     /* requests in flight on one client */
#define RPC_UNSENT_MAX (8u << 20) /* bytes that the peer has not taken yet */

/*
 * Exactly one of `result` (borrowed) and `error` (borrowed) is not NULL.
 * `error_json` is what came over the wire; NULL if the failure was local.
 */
struct rpc_outcome {
	struct json_object *result;
	const struct rpc_error *error;
	struct json_object *error_json;
};

typedef void (*rpc_done_fn)(struct rpc_request *q,
                            const struct rpc_outcome *outcome);

struct rpc_request {
	rpc_done_fn done;
	uint64_t timeout_ns; /* 0: wait as long as the peer lives */
	/* the client's own */
	struct list link;
	uint64_t id;
	uint64_t due_ns;
};

/* Takes `fd`, also on failure.  `closed` (or NULL) runs once, see Q2; it may
 * destroy the client.  @return 0; -ENOMEM, -EMFILE with words. */
int rpc_client_create(struct reactor *r, int fd, void (*closed)(void *ctx),
                      void *ctx, struct rpc_client **out, struct err *e);
void rpc_client_destroy(struct rpc_client *c); /* NULL is allowed */

/*
 * Takes `params` (NULL: none), also on failure.
 *
 * @return 0; -ENOTCONN: the peer is gone; -EAGAIN: RPC_PENDING_MAX or
 *         RPC_UNSENT_MAX; -ENOMEM.  done() runs only after 0.
 */
int rpc_client_call(struct rpc_client *c, struct rpc_request *q,
                    const char *method, struct json_object *params);

/*
 * Send a server's call on and end it with what comes back; `c` may be NULL
 * (no peer now): the call fails with try again.  `who` names the peer in
 * words, "the slow stack".
 */
void rpc_forward(struct rpc_call *call, struct rpc_client *c, const char *who,
                 uint64_t timeout_ns);

/* -- blocking ------------------------------------------------------------- */

struct rpc_sync {
	int fd;
	uint64_t next_id;
};

/* @return 0; -ENOENT, -ECONNREFUSED (nobody listens), -EACCES, ...; words. */
int rpc_sync_open(const char *path, struct rpc_sync *s, struct err *e);
void rpc_sync_close(struct rpc_sync *s);

/*
 * One call.  Takes `params`.
 *
 * @return 0 and *result, the caller's to put; else the class of the failure
 *         with *error filled in: what the peer said, or RPC_TRY_AGAIN for a
 *         time-out or a connection that ended.
 */
enum rpc_class rpc_sync_call(struct rpc_sync *s, const char *method,
                             struct json_object *params, unsigned timeout_ms,
                             struct json_object **result,
                             struct rpc_error *error);

#endif /* RPC_CLIENT_H */
