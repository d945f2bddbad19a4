/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef VOLUME_RAID_XOR_H
#define VOLUME_RAID_XOR_H

#include <stddef.h>
#include <sys/uio.h>

/* dst ^= src; any alignment. */
void xor_into(void *dst, const void *src, size_t length);

/* dst ^= the bytes of the vector. */
void xor_iov_into(void *dst, const struct iovec *iov, unsigned n);

/* dst = src[0] ^ ... ^ src[n - 1], n >= 2, in one pass over memory. */
void xor_all(void *dst, void *const *src, unsigned n, size_t length);

#endif /* VOLUME_RAID_XOR_H */
