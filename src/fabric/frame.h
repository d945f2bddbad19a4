/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric/frame - frames between bytes and host order; pure.
 *
 * A decoded frame is trusted as far as this file checked it: the checksum,
 * a known type, a length within its type's bound, flags and fields that the
 * type may have.  Whether the peer may send it now is its receiver's matter.
 */
#ifndef FABRIC_FRAME_H
#define FABRIC_FRAME_H

#include "fabric/address.h"
#include "fabric/fabric_wire.h"
#include "fabric/op.h"

#include <stddef.h>

struct frame {
	enum fabric_wire_type type;
	bool last;
	enum fabric_status status; /* ANSWER, REFUSED; WRITE: see LAST */
	uint32_t length;           /* bytes of body */
	uint64_t sequence;
	struct fabric_key key;
	uint64_t offset; /* of this frame's bytes; ANSWER: in the request */
	/* Bytes of the whole request; CAS: compare, FAA: addend; ANSWER: the
	 * atomic's result. */
	uint64_t total;
	uint64_t operand; /* CAS: swap */
	uint32_t immediate;
};

void frame_encode(const struct frame *f, struct fabric_wire_header *out);

/* @return 0; -EBADMSG: not a frame of ours. */
int frame_decode(const struct fabric_wire_header *in, struct frame *out);

/* Whether it is SEND .. FAA. */
bool frame_is_request(const struct frame *f);

struct frame_join {
	enum fabric_class class;
	uint32_t window;
	uint64_t epoch;
	uint64_t lane;
	unsigned n_addresses;
	struct fabric_address address[FABRIC_WIRE_ADDRESSES];
};

/* @return bytes written, at most FABRIC_WIRE_CONTROL_MAX. */
size_t frame_encode_join(const struct frame_join *j,
                         uint8_t out[FABRIC_WIRE_CONTROL_MAX]);
/* @return 0; -EBADMSG. */
int frame_decode_join(const void *in, size_t length, struct frame_join *out);

size_t frame_encode_fence(const uint64_t *lanes, unsigned n,
                          uint8_t out[FABRIC_WIRE_CONTROL_MAX]);
/* @return how many; -EBADMSG. */
int frame_decode_fence(const void *in, size_t length,
                       uint64_t lanes[FABRIC_WIRE_FENCES]);

#endif /* FABRIC_FRAME_H */
