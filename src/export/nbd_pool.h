/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * export/nbd_pool - page-aligned buffers for one thread, by powers of two.
 *
 * A buffer that is put back is kept for the next request of its size, so a
 * busy connection allocates nothing; nbd_pool_trim() gives all of that back
 * when traffic has ceased.  `used` and `cached` together never exceed the
 * limit; a pool at its limit is back-pressure for the caller, not an error.
 */
#ifndef EXPORT_NBD_POOL_H
#define EXPORT_NBD_POOL_H

#include <stddef.h>
#include <stdint.h>

#define NBD_POOL_ALIGN 4096u
#define NBD_POOL_CLASSES 14             /* 4 KiB to 32 MiB */
#define NBD_POOL_CACHED_MAX (64u << 20) /* bytes kept for reuse */

struct nbd_pool {
	void *free[NBD_POOL_CLASSES]; /* linked through the buffers */
	size_t limit;                 /* bytes */
	size_t used;                  /* bytes handed out */
	size_t cached;                /* bytes on the free lists */
};

void nbd_pool_init(struct nbd_pool *p, size_t limit);

/* Every buffer must have been put back. */
void nbd_pool_fini(struct nbd_pool *p);

/* Bytes that a buffer for `length` takes.  0 < length <= 32 MiB. */
size_t nbd_pool_size(size_t length);

/* Contents are undefined.  NULL: the limit is reached, or out of memory. */
void *nbd_pool_get(struct nbd_pool *p, size_t length);

/* `length` as it was asked for. */
void nbd_pool_put(struct nbd_pool *p, void *buffer, size_t length);

void nbd_pool_trim(struct nbd_pool *p);

#endif /* EXPORT_NBD_POOL_H */
