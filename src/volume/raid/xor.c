/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/raid/xor.h"

#include <assert.h>
#include <isa-l/raid.h>
#include <stdint.h>
#include <string.h>

#define ISAL_ALIGN 32u   /* xor_gen() wants buffers aligned so */
#define ISAL_VECTORS 32u /* more than any row has */

/* Sixteen bytes at any address, whatever was stored there. */
typedef uint64_t lane __attribute__((vector_size(16), aligned(1), may_alias));

void xor_into(void *dst, const void *src, size_t length)
{
	unsigned char *d = dst;
	const unsigned char *s = src;

	for (; length >= 4 * sizeof(lane); length -= 4 * sizeof(lane)) {
		lane *to = (lane *)d;
		const lane *from = (const lane *)s;

		to[0] ^= from[0];
		to[1] ^= from[1];
		to[2] ^= from[2];
		to[3] ^= from[3];
		d += 4 * sizeof(lane);
		s += 4 * sizeof(lane);
	}
	for (; length > 0; length--)
		*d++ ^= *s++;
}

void xor_iov_into(void *dst, const struct iovec *iov, unsigned n)
{
	unsigned char *d = dst;

	for (unsigned i = 0; i < n; i++) {
		xor_into(d, iov[i].iov_base, iov[i].iov_len);
		d += iov[i].iov_len;
	}
}

void xor_all(void *dst, void *const *src, unsigned n, size_t length)
{
	void *vectors[ISAL_VECTORS + 1];
	uintptr_t all = (uintptr_t)dst | length;

	assert(n >= 2 && n <= ISAL_VECTORS);
	for (unsigned i = 0; i < n; i++) {
		all |= (uintptr_t)src[i];
		vectors[i] = src[i];
	}
	vectors[n] = dst;
	if (all % ISAL_ALIGN == 0 &&
	    xor_gen((int)n + 1, (int)length, vectors) == 0)
		return;
	memmove(dst, src[0], length);
	for (unsigned i = 1; i < n; i++)
		xor_into(dst, src[i], length);
}
