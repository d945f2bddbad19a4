/* SPDX-License-Identifier: BSD-2-Clause */
/* window/lookup_decode - messages between nodes to structs and back; pure. */
#ifndef WINDOW_LOOKUP_DECODE_H
#define WINDOW_LOOKUP_DECODE_H

#include "fabric/op.h"
#include "window/lookup_wire.h"

#include <stddef.h>

struct lookup_message {
	enum lookup_type type;
	uint64_t id;
	enum lookup_what what;     /* ASK */
	enum lookup_status status; /* ANSWER */
	unsigned rights;
	struct fabric_key key;
	struct fabric_key process;
	uint64_t length;
	uint64_t lease_ms;
	uint64_t flags;
	char name[64];
};

/* @return 0; -ENOMSG: for another service; -EINVAL: malformed. */
int lookup_decode(const void *data, size_t length, struct lookup_message *out);
void lookup_encode(const struct lookup_message *m, struct lookup_wire *out);

/* A negative errno or 0 for the one who asked, and back. */
int lookup_status_errno(enum lookup_status status);
enum lookup_status lookup_status_from_errno(int err);

#endif /* WINDOW_LOOKUP_DECODE_H */
