/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The handshake that opens every connection between two nodes, on the wire:
 * docs/wire-auth.md.  All integers are little-endian; every message has the
 * one length that its type has.
 *
 *   dialler                              acceptor
 *      | ---- HELLO: who, whom, what ----> |
 *      | <--- CHALLENGE: terms, nonce ---- |
 *      | ---- PROOF: MAC ----------------> |  the acceptor knows the dialler
 *      | <--- WELCOME: who, MAC ---------- |  the dialler knows the acceptor
 *
 * Either side may say REFUSED instead, and then closes.
 *
 *  every message        CHALLENGE                 WELCOME
 *   0 +-------+          8 +----+--+--+-------+    8 +--------------+
 *     | magic |            |vers|me|bi| zero  |      |     boot     |
 *   4 +--+--+-+--+      16 +----+--+--+-------+   16 +--------------+
 *     |ty| 0|len |         |     options      |      |  id, 16 B    |
 *   8 +--+--+----+      24 +------------------+   32 +--------------+
 *                          |   nonce, 32 B    |      |  name, 64 B  |
 *  HELLO                56 +------------------+   96 +--------------+
 *   8 +----+----+--+--+---+                          |  MAC, 32 B   |
 *     |vmin|vmax|me|bi| 0 |                      128 +--------------+
 *  16 +----+----+--+--+---+
 *     |     options       |     PROOF                REFUSED
 *  24 +-------------------+      8 +-----------+      8 +--------+------+
 *     |       boot        |        | MAC, 32 B |        | reason | zero |
 *  32 +-------------------+     40 +-----------+     16 +--------+------+
 *     |     id, 16 B      |
 *  48 +-------------------+     name
 *     |    nonce, 32 B    |      0 +---+----------------------+
 *  80 +-------------------+        | n | n bytes, then zeroes |
 *     |    name, 64 B     |     64 +---+----------------------+
 * 144 +-------------------+
 *     |   expect, 64 B    |
 * 208 +-------------------+
 */
#ifndef FABRIC_AUTH_WIRE_H
#define FABRIC_AUTH_WIRE_H

#include "base/wire.h"

#define AUTH_MAGIC UINT32_C(0x55415743) /* "CWAU" */

#define AUTH_ID_LENGTH 16u
#define AUTH_NONCE_LENGTH 32u
#define AUTH_MAC_LENGTH 32u
#define AUTH_NAME_MAX 63u

enum auth_type {
	AUTH_HELLO = 1,
	AUTH_CHALLENGE = 2,
	AUTH_PROOF = 3,
	AUTH_WELCOME = 4,
	AUTH_REFUSED = 5,
};

/* How the two prove themselves; both must ask for the same. */
enum auth_method {
	AUTH_INSECURE = 1, /* not at all: every MAC is zero */
	AUTH_HMAC_SHA256 = 2,
};

/* What the proofs tie the connection to; both must ask for the same. */
enum auth_binding {
	AUTH_BIND_NOTHING = 1,
	AUTH_BIND_TLS = 2, /* exported keying material, RFC 8446, 7.5 */
};

/*
 * All that a stranger is told.  What was wrong with a proof is not among it:
 * the refusing side's log says that.
 */
enum auth_reason {
	AUTH_REASON_DENIED = 1,
	AUTH_REASON_VERSION = 2, /* no version or option in common */
	AUTH_REASON_BUSY = 3,    /* too many strangers at the door */
};

struct auth_header {
	le32 magic;
	uint8_t type;
	uint8_t zero;
	le16 length; /* bytes of the whole message */
};
static_assert(sizeof(struct auth_header) == 8, "layout");

struct auth_name {
	uint8_t length;
	char text[AUTH_NAME_MAX]; /* zeroes after `length` bytes */
};
static_assert(sizeof(struct auth_name) == 64, "layout");

struct auth_hello {
	struct auth_header header;
	le16 version_min;
	le16 version_max;
	uint8_t method;
	uint8_t binding;
	le16 zero;
	le64 options; /* of the fabric's protocol: offered */
	le64 boot;
	uint8_t id[AUTH_ID_LENGTH];
	uint8_t nonce[AUTH_NONCE_LENGTH];
	struct auth_name name;
	struct auth_name expect; /* whom the dialler wants; may be empty */
};
static_assert(sizeof(struct auth_hello) == 208, "layout");

struct auth_challenge {
	struct auth_header header;
	le16 version; /* chosen */
	uint8_t method;
	uint8_t binding;
	le32 zero;
	le64 options; /* chosen: a subset of those offered */
	uint8_t nonce[AUTH_NONCE_LENGTH];
};
static_assert(sizeof(struct auth_challenge) == 56, "layout");

struct auth_proof {
	struct auth_header header;
	uint8_t mac[AUTH_MAC_LENGTH];
};
static_assert(sizeof(struct auth_proof) == 40, "layout");

struct auth_welcome {
	struct auth_header header;
	le64 boot;
	uint8_t id[AUTH_ID_LENGTH];
	struct auth_name name;
	uint8_t mac[AUTH_MAC_LENGTH];
};
static_assert(sizeof(struct auth_welcome) == 128, "layout");

struct auth_refused {
	struct auth_header header;
	le32 reason;
	le32 zero;
};
static_assert(sizeof(struct auth_refused) == 16, "layout");

#define AUTH_MESSAGE_MAX sizeof(struct auth_hello)

#endif /* FABRIC_AUTH_WIRE_H */
