/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What verbs lanes say beside other lanes (docs/wire-verbs.md), little-
 * endian.  MAP and UNMAP have a key and no body; MAPPED has the key, a status
 * and, if that is OK, this body.
 *
 *   0 +--------+-------+
 *     | rights |   n   |   rights: of service->map
 *   8 +--------+-------+
 *     | n parts of 24 bytes, in the order of the key's offsets:
 *     |   0 +------------------+
 *     |     |     address      |   for RDMA, not for anything else
 *     |   8 +------------------+
 *     |     |      length      |   bytes
 *     |  16 +--------+---------+
 *     |     |  rkey  |  zero   |
 *     |  24 +--------+---------+
 */
#ifndef FABRIC_VERBS_WIRE_H
#define FABRIC_VERBS_WIRE_H

#include "base/wire.h"

#define VERBS_WIRE_PARTS 16u

struct verbs_wire_part {
	le64 address;
	le64 length;
	le32 rkey;
	le32 zero;
};
static_assert(sizeof(struct verbs_wire_part) == 24, "layout");

struct verbs_wire_mapped {
	le32 rights;
	le32 n_parts;
	struct verbs_wire_part part[VERBS_WIRE_PARTS]; /* as many as n_parts */
};
static_assert(sizeof(struct verbs_wire_mapped) == 392, "layout");

#endif /* FABRIC_VERBS_WIRE_H */
