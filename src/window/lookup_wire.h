/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a node asks another for a window, version 1; docs/wire-window.md.
 * One SEND of class CONTROL each way; integers are little-endian.
 *
 *   0 +---------+---------+
 *     | service |  type   |
 *   8 +---------+---------+
 *     |        id         |
 *  16 +---------+---------+
 *     | what or |  rights |
 *     |  status |         |
 *  24 +---------+---------+
 *     |        key        |
 *  40 +-------------------+
 *     |      process      |
 *  56 +-------------------+
 *     |      length       |
 *  64 +-------------------+
 *     |     lease_ms      |
 *  72 +-------------------+
 *     |       flags       |
 *  80 +-------------------+
 *     |  name, 64 bytes   |
 * 144 +-------------------+
 */
#ifndef WINDOW_LOOKUP_WIRE_H
#define WINDOW_LOOKUP_WIRE_H

#include "base/wire.h"

#define LOOKUP_SERVICE 0x31574357u /* "CWW1": windows, version 1 */

enum lookup_type {
	LOOKUP_ASK = 1,
	LOOKUP_ANSWER = 2,
	LOOKUP_NOTICE = 3, /* of an owner: it takes back what `key` reaches */
};

enum lookup_what {
	LOOKUP_KEY = 1,    /* by key: is `process` its holder? */
	LOOKUP_NAME = 2,   /* by name: the asking node's key */
	LOOKUP_SYNC = 3,   /* by key: make what was written durable */
	LOOKUP_LEND = 4,   /* `length` bytes of what the node offers */
	LOOKUP_RENEW = 5,  /* by key: the lease of what was lent begins anew */
	LOOKUP_RETURN = 6, /* by key: it is not needed any more */
};

/* Of an answer. */
enum lookup_flags {
	LOOKUP_IS_FILE = 1 << 0,  /* it outlives its node's process */
	LOOKUP_IS_LOAN = 1 << 1,  /* it was lent; its lease is to be renewed */
	LOOKUP_RECALLED = 1 << 2, /* the owner takes it back in lease_ms */
};
#define LOOKUP_FLAGS UINT64_C(7)

enum lookup_status {
	LOOKUP_OK = 0,
	LOOKUP_BAD_KEY = 1,   /* no such key, or somebody else's */
	LOOKUP_NOT_FOUND = 2, /* no window of that name */
	LOOKUP_DENIED = 3,    /* not on its list, or without that right */
	LOOKUP_REVOKED = 4,
	LOOKUP_EXPIRED = 5,
	LOOKUP_BUSY = 6,
	LOOKUP_IO_ERROR = 7, /* of SYNC */
	LOOKUP_FULL = 8,     /* of LEND: only `length` bytes are free */
};

struct lookup_wire {
	le32 service;        /*  0 */
	le32 type;           /*  4 */
	le64 id;             /*  8 the answer repeats it */
	le32 what;           /* 16 ANSWER: status; NOTICE: zero */
	le32 rights;         /* 20 wanted, 0: all; ANSWER: granted */
	uint8_t key[16];     /* 24 */
	uint8_t process[16]; /* 40 ASK by key: who asks; else zero */
	le64 length;         /* 56 LEND, ANSWER, else zero */
	le64 lease_ms;       /* 64 ANSWER: left, 0: no end; NOTICE: until it
	                      *    is gone; else zero */
	le64 flags;          /* 72 ANSWER, else zero */
	char name[64];       /* 80 ASK by name, zero to the end; else zero */
};
static_assert(sizeof(struct lookup_wire) == 144, "lookup");

#endif /* WINDOW_LOOKUP_WIRE_H */
