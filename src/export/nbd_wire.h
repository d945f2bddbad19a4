/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NBD on the wire, as far as this server speaks it: docs/wire-nbd.md, after
 * the NBD protocol document (NetworkBlockDevice/nbd, doc/proto.md).  All
 * integers are big-endian.
 *
 * Handshake (fixed newstyle)
 *
 *  server greeting          client flags       client option
 *   0 +--------------+       0 +---------+      0 +--------------+
 *     |  "NBDMAGIC"  |         |  flags  |        |  "IHAVEOPT"  |
 *   8 +--------------+       4 +---------+      8 +------+-------+
 *     |  "IHAVEOPT"  |                            |option|length |
 *  16 +-------+------+                         16 +------+-------+
 *     | flags |                                   | length bytes |
 *  18 +-------+
 *
 *  option reply                   reply to EXPORT_NAME
 *   0 +-----------------+          0 +--------------+
 *     |    REP_MAGIC    |            |     size     |
 *   8 +--------+--------+          8 +-------+------+
 *     | option | type   |            | flags |
 *  16 +--------+--------+         10 +-------+------------------+
 *     | length |                     | 124 zeroes, unless both  |
 *  20 +--------+--------+            | sides said NO_ZEROES     |
 *     |  length bytes   |        134 +--------------------------+
 *
 * Transmission
 *
 *  request                 simple reply           structured chunk
 *   0 +-------+----+----+   0 +-------+-------+    0 +-------+-----+----+
 *     | magic |flag|type|     | magic | error |      | magic |flags|type|
 *   8 +-------+----+----+   8 +-------+-------+    8 +-------+-----+----+
 *     |     cookie      |     |    cookie     |      |      cookie      |
 *  16 +-----------------+  16 +---------------+   16 +-------+----------+
 *     |     offset      |     | READ: data    |      |length |
 *  24 +-------+---------+                         20 +-------+----------+
 *     |length |                                      |  length bytes    |
 *  28 +-------+---------+
 *     | WRITE: data     |
 */
#ifndef EXPORT_NBD_WIRE_H
#define EXPORT_NBD_WIRE_H

#include "base/wire.h"

#define NBD_MAGIC UINT64_C(0x4e42444d41474943)        /* "NBDMAGIC" */
#define NBD_OPTION_MAGIC UINT64_C(0x49484156454f5054) /* "IHAVEOPT" */
#define NBD_REPLY_MAGIC UINT64_C(0x0003e889045565a9)
#define NBD_REQUEST_MAGIC UINT32_C(0x25609513)
#define NBD_SIMPLE_MAGIC UINT32_C(0x67446698)
#define NBD_CHUNK_MAGIC UINT32_C(0x668e33ef)

/* Strings of the protocol, export names among them: bytes at most. */
#define NBD_STRING_MAX 4096u

/* Handshake flags of the server, and the client's answer to each. */
#define NBD_FLAG_FIXED_NEWSTYLE (1u << 0)
#define NBD_FLAG_NO_ZEROES (1u << 1)

enum nbd_option {
	NBD_OPT_EXPORT_NAME = 1,
	NBD_OPT_ABORT = 2,
	NBD_OPT_LIST = 3,
	NBD_OPT_STARTTLS = 5,
	NBD_OPT_INFO = 6,
	NBD_OPT_GO = 7,
	NBD_OPT_STRUCTURED_REPLY = 8,
	NBD_OPT_LIST_META_CONTEXT = 9,
	NBD_OPT_SET_META_CONTEXT = 10,
};

/* Types of option replies; not an enum because errors need the top bit. */
#define NBD_REP_ACK UINT32_C(1)
#define NBD_REP_SERVER UINT32_C(2)
#define NBD_REP_INFO UINT32_C(3)
#define NBD_REP_META_CONTEXT UINT32_C(4)
#define NBD_REP_ERR_UNSUP UINT32_C(0x80000001)
#define NBD_REP_ERR_INVALID UINT32_C(0x80000003)
#define NBD_REP_ERR_UNKNOWN UINT32_C(0x80000006)
#define NBD_REP_ERR_SHUTDOWN UINT32_C(0x80000007)
#define NBD_REP_ERR_TOO_BIG UINT32_C(0x80000009)

enum nbd_info {
	NBD_INFO_EXPORT = 0,
	NBD_INFO_NAME = 1,
	NBD_INFO_DESCRIPTION = 2,
	NBD_INFO_BLOCK_SIZE = 3,
};

/* Transmission flags. */
#define NBD_FLAG_HAS_FLAGS (1u << 0)
#define NBD_FLAG_READ_ONLY (1u << 1)
#define NBD_FLAG_SEND_FLUSH (1u << 2)
#define NBD_FLAG_SEND_FUA (1u << 3)
#define NBD_FLAG_SEND_TRIM (1u << 5)
#define NBD_FLAG_SEND_WRITE_ZEROES (1u << 6)
#define NBD_FLAG_SEND_DF (1u << 7)
#define NBD_FLAG_CAN_MULTI_CONN (1u << 8)

enum nbd_cmd {
	NBD_CMD_READ = 0,
	NBD_CMD_WRITE = 1,
	NBD_CMD_DISC = 2,
	NBD_CMD_FLUSH = 3,
	NBD_CMD_TRIM = 4,
	NBD_CMD_CACHE = 5,
	NBD_CMD_WRITE_ZEROES = 6,
	NBD_CMD_BLOCK_STATUS = 7,
	NBD_CMD_END
};

#define NBD_CMD_FLAG_FUA (1u << 0)
#define NBD_CMD_FLAG_NO_HOLE (1u << 1)
#define NBD_CMD_FLAG_DF (1u << 2)
#define NBD_CMD_FLAG_REQ_ONE (1u << 3)
#define NBD_CMD_FLAG_FAST_ZERO (1u << 4)

enum nbd_chunk {
	NBD_CHUNK_NONE = 0,
	NBD_CHUNK_DATA = 1, /* be64 offset, data */
	NBD_CHUNK_STATUS = 5,
	NBD_CHUNK_ERROR = (1 << 15) + 1,
};

#define NBD_CHUNK_DONE (1u << 0) /* flag: the last chunk of its reply */

/* The errors that may be on the wire. */
enum nbd_error {
	NBD_OK = 0,
	NBD_EPERM = 1,
	NBD_EIO = 5,
	NBD_ENOMEM = 12,
	NBD_EINVAL = 22,
	NBD_ENOSPC = 28,
	NBD_EOVERFLOW = 75,
	NBD_ENOTSUP = 95,
	NBD_ESHUTDOWN = 108,
};

#define NBD_STATE_HOLE (1u << 0)
#define NBD_STATE_ZERO (1u << 1)

struct nbd_greeting {
	be64 magic;        /* NBD_MAGIC */
	be64 option_magic; /* NBD_OPTION_MAGIC */
	be16 flags;
};
static_assert(sizeof(struct nbd_greeting) == 18, "greeting is 18 bytes");

struct nbd_option_header {
	be64 magic;  /* NBD_OPTION_MAGIC */
	be32 option; /* enum nbd_option */
	be32 length; /* bytes of data that follow */
};
static_assert(sizeof(struct nbd_option_header) == 16, "option is 16 bytes");

struct nbd_reply_header {
	be64 magic;  /* NBD_REPLY_MAGIC */
	be32 option; /* echoed */
	be32 type;   /* NBD_REP_* */
	be32 length; /* bytes of data that follow */
};
static_assert(sizeof(struct nbd_reply_header) == 20, "reply is 20 bytes");

struct nbd_info_export {
	be16 type; /* NBD_INFO_EXPORT */
	be64 size; /* bytes */
	be16 flags;
};
static_assert(sizeof(struct nbd_info_export) == 12, "info export: 12 bytes");

struct nbd_info_block_size {
	be16 type;      /* NBD_INFO_BLOCK_SIZE */
	be32 minimum;   /* bytes, as are the others */
	be32 preferred; /* a power of two */
	be32 maximum;   /* of READ and WRITE; a multiple of the minimum */
};
static_assert(sizeof(struct nbd_info_block_size) == 14, "sizes: 14 bytes");

/* The reply to EXPORT_NAME, which has no reply header. */
struct nbd_export_reply {
	be64 size;
	be16 flags;
	uint8_t zeroes[124]; /* not sent if NO_ZEROES was agreed */
};
static_assert(sizeof(struct nbd_export_reply) == 134, "134 bytes");

struct nbd_request_header {
	be32 magic; /* NBD_REQUEST_MAGIC */
	be16 flags; /* NBD_CMD_FLAG_* */
	be16 type;  /* enum nbd_cmd */
	be64 cookie;
	be64 offset; /* bytes */
	be32 length; /* bytes */
};
static_assert(sizeof(struct nbd_request_header) == 28, "request: 28 bytes");

struct nbd_simple_reply {
	be32 magic; /* NBD_SIMPLE_MAGIC */
	be32 error; /* enum nbd_error */
	be64 cookie;
};
static_assert(sizeof(struct nbd_simple_reply) == 16, "simple: 16 bytes");

struct nbd_chunk_header {
	be32 magic; /* NBD_CHUNK_MAGIC */
	be16 flags; /* NBD_CHUNK_DONE */
	be16 type;  /* enum nbd_chunk */
	be64 cookie;
	be32 length; /* bytes of payload that follow */
};
static_assert(sizeof(struct nbd_chunk_header) == 20, "chunk: 20 bytes");

struct nbd_data_chunk {
	struct nbd_chunk_header header;
	be64 offset;
};
static_assert(sizeof(struct nbd_data_chunk) == 28, "data chunk: 28 bytes");

struct nbd_error_chunk {
	struct nbd_chunk_header header;
	be32 error;          /* enum nbd_error, never NBD_OK */
	be16 message_length; /* 0: we send no message */
};
static_assert(sizeof(struct nbd_error_chunk) == 26, "error chunk: 26 bytes");

struct nbd_status_chunk {
	struct nbd_chunk_header header;
	be32 context;
};
static_assert(sizeof(struct nbd_status_chunk) == 24, "status chunk: 24 bytes");

/* One of the descriptors that follow a status chunk. */
struct nbd_descriptor {
	be32 length; /* bytes, never 0 */
	be32 flags;  /* NBD_STATE_* */
};
static_assert(sizeof(struct nbd_descriptor) == 8, "descriptor: 8 bytes");

#endif /* EXPORT_NBD_WIRE_H */
