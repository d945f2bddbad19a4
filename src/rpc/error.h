/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rpc/error - how a call fails, in one form from the handler to the exit
 * status of the command line.
 *
 * On the wire it is a JSON-RPC error object:
 *
 *     {"code": -32000, "message": TEXT,
 *      "data": {"code": "ENOSPC", "text": TEXT, "class": "full"}}
 *
 * "code" is -32700, -32600, -32601 or -32602 as JSON-RPC 2.0, 5.1 says, and
 * -32000 for everything that a handler reports.  errno numbers never cross:
 * data.code is the symbol's name.
 */
#ifndef RPC_ERROR_H
#define RPC_ERROR_H

#include "base/err.h"

struct json_object;

/* Each value is the exit status of a command that ended so. */
enum rpc_class {
	RPC_OK = 0,
	RPC_FAILED = 1,
	RPC_USAGE = 2,     /* the call itself is wrong */
	RPC_NOT_FOUND = 3, /* it names something that does not exist */
	RPC_DEGRADED = 4,  /* it was done, or is so, with less redundancy */
	RPC_DENIED = 5,
	RPC_FULL = 6,
	RPC_TRY_AGAIN = 75, /* the same call may work a little later */
};

/* JSON-RPC 2.0, 5.1. */
enum rpc_code {
	RPC_CODE_PARSE = -32700,
	RPC_CODE_REQUEST = -32600,
	RPC_CODE_METHOD = -32601,
	RPC_CODE_PARAMS = -32602,
	RPC_CODE_SERVER = -32000,
};

/* A failure that came back from the other side. */
struct rpc_error {
	enum rpc_class class;
	char code[32];  /* "ENOSPC"; "" if the peer gave none */
	char text[512]; /* what failed, why, what to do next */
};

/*
 * The class that fits an errno (either sign): -ENOENT not found, -ENOSPC
 * full, -EAGAIN and -ETIMEDOUT try again, -EINVAL usage, -EACCES denied, ...;
 * failed for every other one.
 */
enum rpc_class rpc_class_of(int code);

/* "ok", "failed", "usage", "not found", ...; and back (RPC_FAILED for an
 * unknown word). */
const char *rpc_class_name(enum rpc_class class);
enum rpc_class rpc_class_parse(const char *name);

/* A new JSON-RPC error object; the caller's to put.  NULL: out of memory. */
struct json_object *rpc_error_json(enum rpc_code code, const struct err *e,
                                   enum rpc_class class);

/* Read an error object of a peer that may have written anything. */
void rpc_error_read(struct json_object *error, struct rpc_error *out);

/* Fill `out` on this side, for a failure that no peer reported. */
void rpc_error_set(struct rpc_error *out, const struct err *e,
                   enum rpc_class class);

#endif /* RPC_ERROR_H */
