/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rpc/stream - JSON messages over one connected socket, both directions; what
 * the server's connections and the client have in common.
 *
 * The owner embeds a stream and is called back:
 *
 *   message   a whole message came in; borrowed
 *   ended     the connection is over: the peer closed it (code 0), or a
 *             failure in *e; called at most once, never after
 * rpc_stream_close(); the owner calls rpc_stream_close() in it or later
 *   released  after rpc_stream_close(), when no callback is on the stack any
 *             more: the owner may free the struct
 *
 * No callback runs inside rpc_stream_send().  While the owner owes max_owed
 * answers or more than max_unsent bytes wait for the peer, nothing is read.  A
 * peer that closes its sending half is kept until every answer owed has left.
 */
#ifndef RPC_STREAM_PRIV_H
#define RPC_STREAM_PRIV_H

#include "core/reactor.h"
#include "rpc/frame.h"

#include <stddef.h>

struct json_object;
struct stream;

struct stream_ops {
	void (*message)(struct stream *s, struct json_object *message);
	void (*ended)(struct stream *s, const struct err *e);
	void (*released)(struct stream *s);
};

struct stream_buffer {
	char *data;
	size_t start; /* first byte still wanted */
	size_t end;   /* one after the last byte */
	size_t size;
};

struct stream {
	const struct stream_ops *ops;
	struct reactor *reactor;
	struct watch watch;
	struct timer timer;
	struct rpc_frame frame;
	struct stream_buffer in;
	struct stream_buffer out;
	size_t scanned;        /* bytes of `in` that the framer has seen */
	uint64_t in_since_ns;  /* when the unfinished message began; 0: none */
	uint64_t out_since_ns; /* when a byte was last taken; 0: none waits */
	uint64_t stall_ns;     /* how long either may rest; 0: for ever */
	unsigned held;         /* callbacks on the stack */
	unsigned owed;         /* the owner's: answers that will be sent */
	unsigned max_owed;     /* 0: no limit */
	size_t max_unsent;     /* 0: no limit */
	bool eof;              /* the peer sends nothing more */
	bool ended;
	bool closed;
};

/* Takes `fd`, also on failure.  @return 0; -ENOMEM, -EMFILE, ... */
int rpc_stream_open(struct stream *s, struct reactor *r, int fd,
                    const struct stream_ops *ops, unsigned max_values);

/* Stop everything and close the descriptor; released() follows at once or
 * when the callbacks on the stack have returned. */
void rpc_stream_close(struct stream *s);

/* Queue a message; takes it.  @return 0; -EMSGSIZE: over RPC_MESSAGE_MAX;
 * -ENOMEM. */
int rpc_stream_send(struct stream *s, struct json_object *message);
size_t rpc_stream_unsent(const struct stream *s);

/* Bracket a call into the owner from outside a stream's callback, so that
 * the owner may close the stream in it. */
void rpc_stream_hold(struct stream *s);
void rpc_stream_drop(struct stream *s);

#endif /* RPC_STREAM_PRIV_H */
