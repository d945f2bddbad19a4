/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fabric's frames on the wire, version 1; docs/wire-fabric.md says what
 * they mean.  All integers are little-endian.
 *
 * Every frame is one header of 64 bytes and `length` bytes of body.
 *
 *   0 +------+-------+--------+-----------+
 *     | type | flags | status |  length   |
 *   8 +------+-------+--------+-----------+
 *     |              sequence             |
 *  16 +-----------------------------------+
 *     |                key                |
 *     |                                   |
 *  32 +-----------------------------------+
 *     |               offset              |
 *  40 +-----------------------------------+
 *     |    total, or operand 0, result    |
 *  48 +-----------------------------------+
 *     |             operand 1             |
 *  56 +-----------------+-----------------+
 *     |    immediate    | CRC32C of 0..59 |
 *  64 +-----------------+-----------------+
 *
 * Bodies of control frames are below.
 */
#ifndef FABRIC_FABRIC_WIRE_H
#define FABRIC_FABRIC_WIRE_H

#include "base/wire.h"

#define FABRIC_WIRE_VERSION 1u

enum fabric_wire_type {
	/* requests: from the side that dialled */
	FABRIC_WIRE_SEND = 1,
	FABRIC_WIRE_READ = 2,
	FABRIC_WIRE_WRITE = 3,
	FABRIC_WIRE_WRITE_IMM = 4,
	FABRIC_WIRE_CAS = 5,
	FABRIC_WIRE_FAA = 6,
	/* to the side that dialled */
	FABRIC_WIRE_ANSWER = 16,
	/* before anything else */
	FABRIC_WIRE_AUTH = 32,
	FABRIC_WIRE_JOIN = 33,
	FABRIC_WIRE_JOINED = 34,
	FABRIC_WIRE_REFUSED = 35,
	/* at any time after JOINED */
	FABRIC_WIRE_PING = 48,
	FABRIC_WIRE_PONG = 49,
	FABRIC_WIRE_FENCE = 50,
	FABRIC_WIRE_FENCED = 51,
	/* for lanes whose hardware moves the bytes (verbs) */
	FABRIC_WIRE_MAP = 64,
	FABRIC_WIRE_MAPPED = 65,
	FABRIC_WIRE_UNMAP = 66,
};

#define FABRIC_WIRE_LAST (1u << 0) /* the request's or answer's last frame */

#define FABRIC_WIRE_BODY_MAX 65536u   /* of a request or an answer */
#define FABRIC_WIRE_CONTROL_MAX 2048u /* of any other frame */

struct fabric_wire_header {
	uint8_t type;
	uint8_t flags;
	le16 status;
	le32 length;
	le64 sequence;
	uint8_t key[16];
	le64 offset;
	le64 total;
	le64 operand;
	le32 immediate;
	le32 crc;
};
static_assert(sizeof(struct fabric_wire_header) == 64, "layout");

/*
 * Body of JOIN and JOINED; who speaks is known from AUTH.
 *
 *   0 +-------+---+---+---+-----------+
 *     | class | n |   0   |  window   |
 *   8 +-------+---+-------+-----------+
 *     |     epoch of the session      |
 *  16 +-------------------------------+
 *     |      number of the lane       |
 *  24 +-------------------------------+
 *     |   n addresses of 20 bytes:    |
 *     |   where the sender listens    |
 *     +-------------------------------+
 */
#define FABRIC_WIRE_ADDRESSES 16u

struct fabric_wire_join {
	uint8_t class;
	uint8_t n_addresses;
	le16 zero;
	le32 window; /* requests of a class in flight, at most */
	le64 epoch;
	le64 lane;
};
static_assert(sizeof(struct fabric_wire_join) == 24, "layout");

/*
 *   0 +--------+---+------+----------------+
 *     | scheme | 0 | port |  IP, 16 bytes  |   IPv4 as ::ffff:a.b.c.d;
 *  20 +--------+---+------+----------------+   ::  the connection's own
 */
struct fabric_wire_address {
	uint8_t scheme;
	uint8_t reserved;
	le16 port;
	uint8_t ip[16];
};
static_assert(sizeof(struct fabric_wire_address) == 20, "layout");

/* Body of FENCE and FENCED: 1 to FABRIC_WIRE_FENCES lane numbers, le64 each.
 * Body of REFUSED: none; header.status says why.  Body of PING and PONG: none;
 * header.sequence is repeated.  Body of AUTH: bytes of
 * fabric/auth_wire.h. */
#define FABRIC_WIRE_FENCES 64u

#endif /* FABRIC_FABRIC_WIRE_H */
