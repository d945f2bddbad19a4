/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rpc/server - answers JSON-RPC calls on a reactor.
 *
 * Concept.  A server has services; a service is a table of methods, the
 * handlers bound to them by name, and one pointer of its owner's.  Calls come
 * in over connections: a listening Unix socket makes them (rpc_server_listen)
 * or the owner hands over a connected one (rpc_server_serve), as between the
 * daemon and its child.  The method `rpc.methods` is built in and gives the
 * tables as JSON.
 *
 *     bytes -> frame -> parse -> find method -> check params -> handler
 *                                                                 |
 *     bytes <- queue <----------------- rpc_reply() or rpc_fail() +
 *
 * Threads    Everything on the reactor's thread.
 * Ownership  A call is the handler's from the start of the handler until
 *            rpc_reply(), rpc_fail() or rpc_fail_json(), which end it.  The
 *            parameters live as long as the call.
 *
 * Invariants
 *   C1  every call is ended exactly once, in the handler or at any time
 *       later, also when the client has gone meanwhile or the server was
 *       destroyed: ending it is then quiet;
 *   C2  a handler runs only with parameters that its table allows (S1);
 *   C3  replies may leave in another order than the calls came in;
 *   C4  a client that does not read, or sends slowly, costs its own
 *       connection and never more than the limits below.
 */
#ifndef RPC_SERVER_H
#define RPC_SERVER_H

#include "rpc/error.h"
#include "rpc/schema.h"

#include <stdint.h>

struct reactor;
struct rpc_server;
struct rpc_call;

#define RPC_CONNECTIONS_MAX 64u /* one more is told "try again" and closed */
#define RPC_CALLS_MAX 64u       /* per connection unanswered; then no reading */
#define RPC_OUT_MAX (4u << 20)  /* bytes queued to a client; then no reading */
#define RPC_STALL_MS                                                           \
	10000u /* an unfinished message, or a reply that nobody                \
	        * reads, may rest so long without progress */

typedef void (*rpc_handler_fn)(struct rpc_call *call,
                               struct json_object *params);

struct rpc_binding {
	const char *method;
	rpc_handler_fn handler;
};

struct rpc_service {
	const struct rpc_method *methods;
	size_t n_methods;
	const struct rpc_binding *bindings; /* each names one of the methods */
	size_t n_bindings;
	rpc_handler_fn fallback; /* for methods without a binding, such as one
	                          * that forwards; NULL: they are refused */
	void *ctx;               /* rpc_call_ctx() */
};

/* The services are copied, the tables borrowed.
 * @return 0; -ENOMEM with words. */
int rpc_server_create(struct reactor *r, const struct rpc_service *services,
                      size_t n, struct rpc_server **out, struct err *e);

/* Close every connection and the socket.  Calls in flight stay valid (C1).
 * NULL is allowed. */
void rpc_server_destroy(struct rpc_server *s);

/*
 * Listen on a Unix socket with mode 0660.  A socket that a dead process left
 * is replaced; one that somebody answers on is not.  rpc_server_destroy()
 * removes it.
 *
 * @return 0; -EADDRINUSE: another server is alive there; -ENAMETOOLONG;
 *         -ENOTSOCK: the path is something else; or bind's own error; with
 *         words.
 */
int rpc_server_listen(struct rpc_server *s, const char *path, struct err *e);

/*
 * Serve one connected stream socket; takes `fd`, also on failure.  It counts
 * as one connection.
 *
 * @param closed  NULL, or called once when the peer has closed or broken the
 *                protocol; not after rpc_server_destroy()
 */
int rpc_server_serve(struct rpc_server *s, int fd, void (*closed)(void *ctx),
                     void *ctx, struct err *e);

/* Another limit than RPC_STALL_MS, for connections made from now on. */
void rpc_server_set_stall(struct rpc_server *s, unsigned stall_ms);

/* -- calls ---------------------------------------------------------------- */

const char *rpc_call_method(const struct rpc_call *call);
struct json_object *rpc_call_params(const struct rpc_call *call);
void *rpc_call_ctx(const struct rpc_call *call);
/* Whether the client has gone: nobody will see the answer. */
bool rpc_call_orphaned(const struct rpc_call *call);

/* Takes `result`; NULL stands for {}. */
void rpc_reply(struct rpc_call *call, struct json_object *result);
/* `e` is copied.  RPC_OK stands for rpc_class_of(e->code). */
void rpc_fail(struct rpc_call *call, const struct err *e, enum rpc_class class);
/* Takes a JSON-RPC error object as it came from another server. */
void rpc_fail_json(struct rpc_call *call, struct json_object *error);

struct rpc_server_stats {
	unsigned connections;
	unsigned calls; /* in flight */
	uint64_t n_calls;
	uint64_t n_failed;   /* of these */
	uint64_t n_refused;  /* connections beyond the limit */
	uint64_t n_stalled;  /* connections closed by C4 */
	uint64_t n_protocol; /* connections closed for what they sent */
};

void rpc_server_stats(const struct rpc_server *s, struct rpc_server_stats *out);

#endif /* RPC_SERVER_H */
