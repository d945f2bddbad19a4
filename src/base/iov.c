/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/iov.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int iov_slice(const struct iovec *iov, unsigned n, uint64_t offset,
              uint64_t length, struct iovec *out, unsigned max)
{
	unsigned made = 0;

	for (unsigned i = 0; i < n && length > 0; i++) {
		uint64_t here = iov[i].iov_len;

		if (offset >= here) {
			offset -= here;
			continue;
		}
		here -= offset;
		if (here > length)
			here = length;
		if (made == max)
			return -E2BIG;
		out[made].iov_base = (uint8_t *)iov[i].iov_base + offset;
		out[made].iov_len = here;
		made++;
		length -= here;
		offset = 0;
	}
	assert(length == 0); /* the part lies inside the vector */
	return (int)made;
}

void iov_zero(const struct iovec *iov, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (iov[i].iov_len)
			memset(iov[i].iov_base, 0, iov[i].iov_len);
}

void iov_to_buffer(const struct iovec *iov, unsigned n, void *buffer)
{
	uint8_t *to = buffer;

	for (unsigned i = 0; i < n; i++) {
		if (!iov[i].iov_len)
			continue;
		memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
}

void iov_from_buffer(const struct iovec *iov, unsigned n, const void *buffer)
{
	const uint8_t *from = buffer;

	for (unsigned i = 0; i < n; i++) {
		if (!iov[i].iov_len)
			continue;
		memcpy(iov[i].iov_base, from, iov[i].iov_len);
		from += iov[i].iov_len;
	}
}
