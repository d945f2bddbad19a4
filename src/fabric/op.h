/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric/op - one operation on a peer's memory, as its initiator sees it.
 *
 * Concept.  The operations are those of RDMA's reliable connection, no more:
 * SEND, READ, WRITE, WRITE with a 32-bit immediate, and two 8-byte atomics.
 * An operation is embedded in its issuer's struct and handed to
 * session_submit() (fabric/session.h); nothing is allocated for it.
 *
 * Units      Offsets and lengths are bytes.  An offset counts from the
 *            beginning of what the key names, not from an address.
 * Ownership  The operation, its vector and its buffers belong to the session
 *            from submit until done() runs, which may submit again and
 *            must not remove the peer or destroy the node.
 * Threads    All on the reactor of the session's node.
 * Errors     enum fabric_status; the numbers are those of the wire
 *            (docs/wire-fabric.md).  errno never crosses it:
 *            fabric_status_errno() and fabric_status_from_errno().
 *
 * Invariants
 *   O1  done() runs exactly once for every submit, on the node's reactor,
 *       never inside submit;
 *   O2  what a WRITE, an atomic or a SEND does, it does once, whatever lanes
 *       failed meanwhile; with PEER_LOST, TIMED_OUT or CANCELLED it was done
 *       once or not at all, and will not be done later than any operation
 *       that is submitted after done();
 *   O3  after done() neither the vector's memory nor the operation is touched
 *       again, by no lane that is still open anywhere;
 *   O4  allowed() is asked before each piece of at most FABRIC_PIECE bytes;
 *       once it has said no, no further byte moves to or from the vector and
 *       the operation ends with FABRIC_REVOKED;
 *   O5  operations of one flow (not 0) and class take effect in the order of
 *       their submits; flow 0 has no order, not even with itself;
 *   O6  an operation with FABRIC_FENCED takes effect after every WRITE, SEND
 *       and atomic that was submitted to the session before it, in any flow
 *       and class, has been answered.
 */
#ifndef FABRIC_OP_H
#define FABRIC_OP_H

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

/* Bytes that move between two looks at a key; also a frame's payload. */
#define FABRIC_PIECE 65536u
#define FABRIC_SEND_MAX FABRIC_PIECE          /* bytes of a SEND */
#define FABRIC_LENGTH_MAX (UINT64_C(1) << 40) /* bytes of a READ or WRITE */
#define FABRIC_IOV_MAX 64u                    /* entries of a vector */

/* Wire numbers; a new one goes at the end. */
enum fabric_status {
	FABRIC_OK = 0,
	FABRIC_BAD_KEY = 1,   /* no such key, or not minted for this peer */
	FABRIC_DENIED = 2,    /* the key lacks the right */
	FABRIC_RANGE = 3,     /* outside of what the key covers; misaligned */
	FABRIC_REVOKED = 4,   /* one of the two keys died on the way */
	FABRIC_EXPIRED = 5,   /* its lease is over */
	FABRIC_QUOTA = 6,     /* its bytes or operations per second are used */
	FABRIC_TIMED_OUT = 7, /* nothing was heard of the peer for too long */
	FABRIC_PEER_LOST = 8, /* the peer's process ended or was restarted */
	FABRIC_CANCELLED = 9, /* the session was closed here */
	FABRIC_TOO_LARGE = 10,
	FABRIC_BUSY = 11,     /* a bound of the peer's was reached; try again */
	FABRIC_PROTOCOL = 12, /* one of us has a bug */
};
#define FABRIC_STATUSES 13

enum fabric_opcode { /* wire numbers too */
	             FABRIC_SEND = 1,
	             FABRIC_READ = 2,
	             FABRIC_WRITE = 3,
	             FABRIC_WRITE_IMM = 4,
	             FABRIC_CAS = 5, /* compare operand[0], store operand[1] */
	             FABRIC_FAA = 6, /* add operand[0]; wraps */
};

/*
 * Traffic classes keep their own lanes, so that none waits for another.
 * Long operations go by BULK: within a lane a short one waits for them.
 */
enum fabric_class {
	FABRIC_CONTROL = 0,
	FABRIC_LATENCY = 1,
	FABRIC_BULK = 2,
};
#define FABRIC_CLASSES 3

#define FABRIC_FENCED (1u << 0) /* see O6 */

/* 128 random bits of its owner's; opaque here. */
struct fabric_key {
	uint8_t byte[16];
};

struct fabric_op;
struct lane;
typedef void (*fabric_done_fn)(struct fabric_op *op, enum fabric_status status);

struct fabric_op {
	/* set by the issuer before submit, and unchanged until done() */
	enum fabric_opcode opcode;
	enum fabric_class class;
	unsigned flags;        /* FABRIC_FENCED */
	uint32_t flow;         /* 0: any order; see O5 */
	struct fabric_key key; /* of the peer's memory; SEND: unused */
	uint64_t offset;       /* in what the key covers; atomics: 8-aligned */
	uint64_t length;       /* bytes; atomics: 8 */
	const struct iovec *iov; /* sums to length; atomics: NULL */
	unsigned n_iov;
	uint64_t operand[2];                         /* atomics: host order */
	uint32_t immediate;                          /* WRITE_IMM */
	bool (*allowed)(const struct fabric_op *op); /* NULL: always; see O4 */
	fabric_done_fn done;

	/* valid in done() */
	uint64_t result; /* atomics: what was there before */

	/* the session's and the lane's own, from submit until done */
	struct list link;       /* one of: waiting, on a lane, ended */
	struct list write_link; /* outstanding WRITE, SEND, atomic (O6) */
	uint64_t number;        /* of submission, counts from 1 */
	uint64_t sequence;      /* in its class; 0: never sent */
	uint64_t moved;         /* bytes written to or read from the lane */
	uint64_t submitted_ns;
	enum fabric_status status;
	bool refused; /* allowed() has said no */
	bool resent;  /* an earlier lane may have carried it out */
};

const char *fabric_status_name(enum fabric_status status);
const char *fabric_opcode_name(enum fabric_opcode opcode);
const char *fabric_class_name(enum fabric_class class);

/* 0 or a negative errno; each status but OK has one of its own. */
int fabric_status_errno(enum fabric_status status);
/* The reverse; FABRIC_PROTOCOL for an errno that no status has. */
enum fabric_status fabric_status_from_errno(int err);

/*
 * Whether the issuer's part is well formed: opcode, class, length and
 * vector's sum, alignment of atomics, offset + length that does not wrap.
 *
 * @return FABRIC_OK, FABRIC_RANGE, FABRIC_TOO_LARGE or FABRIC_PROTOCOL.
 */
enum fabric_status fabric_op_check(const struct fabric_op *op);

/* Whether it changes something at the peer: everything but READ. */
static inline bool fabric_op_writes(const struct fabric_op *op)
{
	return op->opcode != FABRIC_READ;
}

#endif /* FABRIC_OP_H */
