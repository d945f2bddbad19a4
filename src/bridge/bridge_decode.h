/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bridge/bridge_decode - packets of STATE/window.sock to structs and back.
 *
 * Pure functions.  Both ends decode with them, so neither trusts the other.
 * What decodes is well formed: names are names, numbers are within their
 * bounds; whether keys and ranges are good is for window/ to say.
 */
#ifndef BRIDGE_BRIDGE_DECODE_H
#define BRIDGE_BRIDGE_DECODE_H

#include "bridge/bridge_wire.h"

#include <stdbool.h>

#define BRIDGE_RIGHTS 7u                      /* all there are */
#define BRIDGE_LENGTH_MAX (UINT64_C(1) << 46) /* bytes of a region */

struct bridge_range {
	uint8_t key[BRIDGE_KEY];
	uint64_t offset;
	uint64_t length;
};

struct bridge_request {
	enum bridge_type type;
	unsigned rights;
	unsigned number;
	uint64_t offset;
	uint64_t length;
	uint64_t lease_ms;
	uint64_t bytes_per_s;
	uint64_t ops_per_s;
	uint8_t key[BRIDGE_KEY];
	uint8_t process[BRIDGE_KEY];
	char node[BRIDGE_NAME];
	char name[BRIDGE_NAME];
	struct bridge_range range[BRIDGE_RANGES];
};

struct bridge_reply {
	enum bridge_type type;
	enum bridge_status status;
	unsigned rights;
	unsigned number;
	uint64_t length;
	uint8_t key[BRIDGE_KEY];
	char node[BRIDGE_NAME];
	char words[BRIDGE_WORDS];
};

/* @return 0; -EPROTO: another version; -EINVAL: malformed. */
int bridge_decode_request(const void *packet, size_t length,
                          struct bridge_request *out);
void bridge_encode_request(const struct bridge_request *request,
                           struct bridge_request_wire *out);

int bridge_decode_reply(const void *packet, size_t length,
                        struct bridge_reply *out);
void bridge_encode_reply(const struct bridge_reply *reply,
                         struct bridge_reply_wire *out);

/* A negative errno or 0; and back, BRIDGE_INVALID for what is not there. */
int bridge_status_errno(enum bridge_status status);
enum bridge_status bridge_status_from_errno(int err);

#endif /* BRIDGE_BRIDGE_DECODE_H */
