/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What libcauseway and the bridge say over STATE/window.sock, version 1.
 * Normative text: docs/bridge.md.
 *
 * SOCK_SEQPACKET: each request and each reply is one packet of fixed size;
 * one request at a time, answered in order.  Fields that a request does not
 * use are zero.
 *
 *      type      uses                                      reply
 *      HELLO     -                                         process, node
 *      REGISTER  rights offset length + a memfd            key
 *      GRANT     rights lease bytes ops node process       key
 *                number range[number]
 *      REVOKE    key                                       -
 *      IMPORT    node key                                  key length rights
 *      OPEN      node name rights                          key length rights
 *      CLOSE     key                                       -
 *      QUEUE     number (depth)                            number (queue),
 *                                                          length + memfd,
 *                                                          socket
 *      UNQUEUE   number (queue)                            -
 *      BORROW    node length                               key length rights
 *                                                          FULL: length free
 *
 * Only NOTICE comes unasked, at any time after the reply that named its key:
 *
 *      NOTICE    key, number: ms until its owner takes the memory back
 */
#ifndef BRIDGE_BRIDGE_WIRE_H
#define BRIDGE_BRIDGE_WIRE_H

#include "base/wire.h"

#define BRIDGE_VERSION 1u
#define BRIDGE_NAME 64u /* bytes with the NUL, zero to the end */
#define BRIDGE_RANGES 16u
#define BRIDGE_KEY 16u
#define BRIDGE_WORDS 192u

enum bridge_type {
	BRIDGE_HELLO = 1,
	BRIDGE_REGISTER = 2,
	BRIDGE_GRANT = 3,
	BRIDGE_REVOKE = 4,
	BRIDGE_IMPORT = 5,
	BRIDGE_OPEN = 6,
	BRIDGE_CLOSE = 7,
	BRIDGE_QUEUE = 8,
	BRIDGE_UNQUEUE = 9,
	BRIDGE_BORROW = 10,
	BRIDGE_NOTICE = 11, /* a reply that nobody asked for */
};

/* Each has an errno; bridge/bridge_decode.h. */
enum bridge_status {
	BRIDGE_OK = 0,
	BRIDGE_INVALID = 1,
	BRIDGE_BAD_KEY = 2,
	BRIDGE_DENIED = 3,
	BRIDGE_RANGE = 4,
	BRIDGE_FULL = 5,
	BRIDGE_NO_MEMORY = 6,
	BRIDGE_NOT_SEALED = 7,
	BRIDGE_NOT_FOUND = 8,
	BRIDGE_UNREACHABLE = 9,
	BRIDGE_BUSY = 10,
	BRIDGE_STALE = 11,
	BRIDGE_TIMED_OUT = 12,
	BRIDGE_OTHER_VERSION = 13,
};

struct bridge_range_wire {
	uint8_t key[BRIDGE_KEY]; /*  0 */
	le64 offset;             /* 16 */
	le64 length;             /* 24 */
};
static_assert(sizeof(struct bridge_range_wire) == 32, "range");

struct bridge_request_wire {
	le32 version;                                  /*   0 */
	le32 type;                                     /*   4 */
	le32 rights;                                   /*   8 */
	le32 number;                                   /*  12 */
	le64 offset;                                   /*  16 */
	le64 length;                                   /*  24 */
	le64 lease_ms;                                 /*  32 */
	le64 bytes_per_s;                              /*  40 */
	le64 ops_per_s;                                /*  48 */
	uint8_t key[BRIDGE_KEY];                       /*  56 */
	uint8_t process[BRIDGE_KEY];                   /*  72 */
	char node[BRIDGE_NAME];                        /*  88 */
	char name[BRIDGE_NAME];                        /* 152 */
	struct bridge_range_wire range[BRIDGE_RANGES]; /* 216 */
};
static_assert(sizeof(struct bridge_request_wire) == 728, "request");

struct bridge_reply_wire {
	le32 version;             /*   0 */
	le32 type;                /*   4 of the request */
	le32 status;              /*   8 */
	le32 rights;              /*  12 */
	le64 length;              /*  16 */
	le32 number;              /*  24 */
	le32 pad;                 /*  28 */
	uint8_t key[BRIDGE_KEY];  /*  32 HELLO: the process */
	char node[BRIDGE_NAME];   /*  48 */
	char words[BRIDGE_WORDS]; /* 112 what went wrong, for people */
};
static_assert(sizeof(struct bridge_reply_wire) == 304, "reply");

#endif /* BRIDGE_BRIDGE_WIRE_H */
