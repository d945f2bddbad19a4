/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/verbs_codec.h"

#include <assert.h>
#include <errno.h>

#define HEAD offsetof(struct verbs_wire_mapped, part)

size_t verbs_codec_encode(const struct verbs_map *m,
                          struct verbs_wire_mapped *out)
{
	assert(m->n <= VERBS_WIRE_PARTS);
	out->rights = le32_put(m->rights);
	out->n_parts = le32_put(m->n);
	for (unsigned i = 0; i < m->n; i++)
		out->part[i] = (struct verbs_wire_part){
			.address = le64_put(m->part[i].address),
			.length = le64_put(m->part[i].length),
			.rkey = le32_put(m->part[i].rkey),
		};
	return HEAD + m->n * sizeof(out->part[0]);
}

int verbs_codec_decode(const void *in, size_t length, struct verbs_map *out)
{
	const struct verbs_wire_mapped *w = in;
	struct verbs_map m = { 0 };
	uint64_t sum = 0;

	if (length < HEAD)
		return -EBADMSG;
	m.rights = le32_get(w->rights);
	m.n = le32_get(w->n_parts);
	if (m.n == 0 || m.n > VERBS_WIRE_PARTS ||
	    length != HEAD + m.n * sizeof(w->part[0]))
		return -EBADMSG;
	for (unsigned i = 0; i < m.n; i++) {
		uint64_t address = le64_get(w->part[i].address);
		uint64_t bytes = le64_get(w->part[i].length);

		if (bytes == 0 || address > UINT64_MAX - bytes ||
		    sum > UINT64_MAX - bytes || le32_get(w->part[i].zero))
			return -EBADMSG;
		sum += bytes;
		m.part[i].address = address;
		m.part[i].length = bytes;
		m.part[i].rkey = le32_get(w->part[i].rkey);
	}
	*out = m;
	return 0;
}

bool verbs_codec_covers(const struct verbs_map *m, uint64_t offset,
                        uint64_t length)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < m->n; i++)
		sum += m->part[i].length;
	return length <= sum && offset <= sum - length;
}

int verbs_codec_locate(const struct verbs_map *m, uint64_t offset,
                       uint64_t *length, uint64_t *address)
{
	if (!verbs_codec_covers(m, offset, *length) || *length == 0)
		return -1;
	for (unsigned i = 0; i < m->n; i++) {
		if (offset < m->part[i].length) {
			uint64_t here = m->part[i].length - offset;

			*address = m->part[i].address + offset;
			if (here < *length)
				*length = here;
			return (int)i;
		}
		offset -= m->part[i].length;
	}
	return -1;
}
