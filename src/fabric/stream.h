/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric/stream - a two-way byte stream that never blocks.
 *
 * Concept.  The frame lane (fabric/frame_lane.h) speaks our framing over any
 * of these: a TCP connection (fabric/tcp.h), TLS over one, or a simulated
 * link (fabric/sim.h) under which the real code runs in tests.
 *
 * Use        Try first, wait afterwards: call readv or writev, and when it
 *            says -EAGAIN, stream_want() and wait for ready().  A lane that
 *            is hot polls with readv alone and wants nothing.
 * Threads    The reactor's.
 * Ownership  create functions of the transports allocate; destroy() closes
 *            and frees, at any time but inside readv and writev.
 *
 * Invariants
 *   T1  ready() runs on the reactor, never inside readv, writev or want, nor
 *       after destroy();
 *   T2  readv returns bytes in order and each once; 0 is the orderly end;
 *       after the end or an error every call returns it again;
 *   T3  a stream that is still connecting answers -EAGAIN, and is writable
 *       when connected() has something to say.
 */
#ifndef FABRIC_STREAM_H
#define FABRIC_STREAM_H

#include "fabric/address.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct stream;

struct stream_ops {
	enum fabric_scheme scheme;

	/* @return bytes > 0; 0: the end (readv only); -EAGAIN; else a
	 * negative errno and the stream is dead. */
	ssize_t (*readv)(struct stream *s, const struct iovec *iov, unsigned n);
	ssize_t (*writev)(struct stream *s, const struct iovec *iov,
	                  unsigned n);

	/* @return 0; -EAGAIN: still connecting; why it could not. */
	int (*connected)(struct stream *s);

	/* Call ready() when it can be read and/or written, level-triggered;
	 * both false: never, and arrivals cost less.  Cheap when nothing
	 * changes.  @return false: the system has no memory to wait with, as
	 * if nothing were wanted; try now and then. */
	bool (*want)(struct stream *s, bool readable, bool writable);

	/* Bytes that were written and that the other end's machine has not
	 * acknowledged; falls while the link makes progress. */
	uint64_t (*unacknowledged)(struct stream *s);

	/* As in struct lane_ops (fabric/lane.h). */
	int (*addresses)(struct stream *s, struct sockaddr_storage *local,
	                 struct sockaddr_storage *peer);
	int (*binding)(struct stream *s, uint8_t out[32]);

	void (*destroy)(struct stream *s);
};

struct stream {
	const struct stream_ops *ops;
	/* the user's, set before the first want */
	void (*ready)(struct stream *s);
	void *user;
};

static inline ssize_t stream_readv(struct stream *s, const struct iovec *iov,
                                   unsigned n)
{
	return s->ops->readv(s, iov, n);
}

static inline ssize_t stream_writev(struct stream *s, const struct iovec *iov,
                                    unsigned n)
{
	return s->ops->writev(s, iov, n);
}

static inline bool stream_want(struct stream *s, bool readable, bool writable)
{
	return s->ops->want(s, readable, writable);
}

static inline void stream_destroy(struct stream *s)
{
	s->ops->destroy(s);
}

#endif /* FABRIC_STREAM_H */
