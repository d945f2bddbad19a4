/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rpc/message - JSON-RPC 2.0 messages as values.
 *
 * Narrower than JSON-RPC where that costs nobody anything: no batches,
 * parameters by name only, an id is an integer or a string of at most
 * RPC_ID_MAX bytes (or null), unknown members are refused.
 */
#ifndef RPC_MESSAGE_H
#define RPC_MESSAGE_H

#include "rpc/error.h"

#include <stddef.h>
#include <stdint.h>

struct json_object;

#define RPC_ID_MAX 128

/*
 * Parse exactly one object or array: strict JSON, valid UTF-8, depth at most
 * RPC_DEPTH_MAX, nothing after it but blanks.
 *
 * @return 0 and *out, the caller's to put; -EBADMSG with words; -ENOMEM.
 */
int rpc_parse(const char *text, size_t n, struct json_object **out,
              struct err *e);

struct rpc_request_view {
	const char *method;         /* borrowed from the message */
	struct json_object *params; /* borrowed; NULL: none given */
	struct json_object *id;     /* borrowed; NULL: null or a notification */
	bool notification;          /* no answer is wanted */
};

/* @return 0; -EPROTO with words; out->id is set as far as it could be read. */
int rpc_request_read(struct json_object *message, struct rpc_request_view *out,
                     struct err *e);

struct rpc_reply_view {
	uint64_t id;
	struct json_object *result; /* borrowed; NULL if it failed */
	struct json_object *error;  /* borrowed; NULL if it did not */
};

/* For the side that numbers its requests.  @return 0; -EPROTO with words. */
int rpc_reply_read(struct json_object *message, struct rpc_reply_view *out,
                   struct err *e);

/*
 * Messages to send.  Each takes over the JSON values that it is given, also
 * when it returns NULL for want of memory; `id` is borrowed.
 */
struct json_object *rpc_request_new(const char *method,
                                    struct json_object *params, uint64_t id);
struct json_object *rpc_result_new(struct json_object *id,
                                   struct json_object *result);
struct json_object *rpc_failure_new(struct json_object *id,
                                    struct json_object *error);

#endif /* RPC_MESSAGE_H */
