/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kswap/fuse_decode - what the kernel asks of a FUSE file system, from bytes.
 *
 * Pure: reads at most the bytes that it is given and trusts none of them.
 * The file system has one inode, its root, which is a regular file
 * (kswap/fuse_file); so only what a file is asked is known here.  Layouts
 * are <linux/fuse.h>'s, protocol 7.
 */
#ifndef KSWAP_FUSE_DECODE_H
#define KSWAP_FUSE_DECODE_H

#include <stddef.h>
#include <stdint.h>

enum fuse_decode_op {
	FUSE_DECODE_UNKNOWN, /* well formed, but nothing that we do: ENOSYS */
	FUSE_DECODE_QUIET,   /* to forget, or an interrupt: no answer at all */
	FUSE_DECODE_INIT,
	FUSE_DECODE_GETATTR,
	FUSE_DECODE_OPEN,
	FUSE_DECODE_DONE, /* FSYNC, FLUSH, RELEASE, DESTROY: answered with 0 */
	FUSE_DECODE_STATFS,
	FUSE_DECODE_READ,
	FUSE_DECODE_WRITE,
	FUSE_DECODE_DISCARD, /* FALLOCATE that punches a hole or zeroes */
};

struct fuse_decode_call {
	enum fuse_decode_op op;
	uint64_t unique;  /* the answer names it */
	uint64_t offset;  /* READ, WRITE, DISCARD: bytes; ... */
	uint64_t length;  /* ... offset + length does not wrap */
	const void *data; /* WRITE: `length` bytes, in the caller's */
	uint32_t minor;   /* INIT: of the protocol's version 7 */
	uint64_t flags;   /* INIT: what the kernel can do, FUSE_* */
};

/*
 * @return 0; -EPROTO: not a request, there is nobody to answer; -EINVAL: a
 *         request that makes no sense: *out has its `unique`, to refuse it.
 */
int fuse_decode_request(const void *bytes, size_t n,
                        struct fuse_decode_call *out);

#endif /* KSWAP_FUSE_DECODE_H */
