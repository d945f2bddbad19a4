/* SPDX-License-Identifier: BSD-2-Clause */
/* A hostile target's MAPPED: what is taken covers what it says, and no sum
 * wraps. */
#include "base/base.h"
#include "fabric/verbs_codec.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct verbs_map *m, uint64_t offset, uint64_t length)
{
	while (length) {
		uint64_t piece = length, address;
		int i = verbs_codec_locate(m, offset, &piece, &address);

		if (i < 0 || piece == 0 || piece > length ||
		    address < m->part[i].address ||
		    piece > m->part[i].length - (address - m->part[i].address))
			abort();
		offset += piece;
		length -= piece;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct verbs_wire_mapped again;
	uint64_t offset, length, end, sum = 0;
	struct verbs_map m;

	if (size < 16)
		return 0;
	memcpy(&offset, data, 8);
	memcpy(&length, data + 8, 8);
	if (verbs_codec_decode(data + 16, size - 16, &m))
		return 0;
	if (verbs_codec_encode(&m, &again) != size - 16 ||
	    memcmp(&again, data + 16, size - 16) != 0)
		abort();
	for (unsigned i = 0; i < m.n; i++)
		sum += m.part[i].length;
	walk(&m, 0, sum);
	if (verbs_codec_covers(&m, offset, length))
		walk(&m, offset, length);
	else if (!__builtin_add_overflow(offset, length, &end) && end <= sum)
		abort();
	return 0;
}
