/* SPDX-License-Identifier: BSD-2-Clause */
/* base/iov - parts and contents of vectors. */
#ifndef BASE_IOV_H
#define BASE_IOV_H

#include <stdint.h>
#include <sys/uio.h>

/*
 * The part [offset, offset + length) of a vector, as up to `max` entries in
 * `out`.  @return entries written; -E2BIG if `max` are too few.
 */
int iov_slice(const struct iovec *iov, unsigned n, uint64_t offset,
              uint64_t length, struct iovec *out, unsigned max);
void iov_zero(const struct iovec *iov, unsigned n);
void iov_to_buffer(const struct iovec *iov, unsigned n, void *buffer);
void iov_from_buffer(const struct iovec *iov, unsigned n, const void *buffer);

#endif /* BASE_IOV_H */
