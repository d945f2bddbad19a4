/* SPDX-License-Identifier: BSD-2-Clause */
/* fabric/verbs_codec - bodies of verbs lanes' own frames; pure. */
#ifndef FABRIC_VERBS_CODEC_H
#define FABRIC_VERBS_CODEC_H

#include "fabric/verbs_wire.h"

#include <stdbool.h>
#include <stddef.h>

/* What lies behind a key, for RDMA. */
struct verbs_map {
	unsigned rights;
	unsigned n;
	struct {
		uint64_t address;
		uint64_t length; /* > 0; neither sum wraps */
		uint32_t rkey;
	} part[VERBS_WIRE_PARTS];
};

/* @return bytes of *out that are used. */
size_t verbs_codec_encode(const struct verbs_map *m,
                          struct verbs_wire_mapped *out);

/* @return 0; -EBADMSG, and *out is untouched. */
int verbs_codec_decode(const void *in, size_t length, struct verbs_map *out);

/*
 * Where `offset` of the key is, and how many bytes from there on lie together
 * (at most `*length` is returned in *length).
 *
 * @return the part's number; -1: not all of *length bytes are in the map.
 */
int verbs_codec_locate(const struct verbs_map *m, uint64_t offset,
                       uint64_t *length, uint64_t *address);

/* Whether [offset, offset + length) is in it. */
bool verbs_codec_covers(const struct verbs_map *m, uint64_t offset,
                        uint64_t length);

#endif /* FABRIC_VERBS_CODEC_H */
