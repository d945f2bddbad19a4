/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block - the one block interface: drives implement it, volumes use it below
 * and implement it above, exports use it.
 *
 * A request is embedded in its issuer's own struct, so issuing one allocates
 * nothing and completing one finds its owner with container_of().
 *
 * Units      Offsets and lengths are bytes, multiples of the device's grain.
 * Errors     0 or a negative errno: -EINVAL (misaligned), -ERANGE (outside
 *            the device), -EIO (medium), -ENOSPC (thin pool full), -ENXIO
 *            (device gone), -EROFS, -ETIMEDOUT.
 * Threads    A device may be used on every reactor thread of the process; a
 *            request lives on the thread that submitted it.
 *
 * Contract
 *   B1  the request and its buffers belong to the device from submit until
 *       done runs;
 *   B2  done runs exactly once, on the submitting thread;
 *   B3  done never runs inside submit, so a caller may submit in a loop and
 *       may hold its own state half-updated across the call;
 *   B4  a read that fails leaves the buffers undefined; a write that fails
 *       leaves each sector old or new, never mixed within a sector;
 *   B5  a completed FLUSH makes every write that completed before the flush
 *       was submitted durable, and nothing else orders requests;
 *   B6  a write or zero with BLOCK_FUA is durable when done runs;
 *   B7  requests on overlapping ranges in flight together have no order: the
 *       issuer serialises what must be;
 *   B8  a device that says `checks` has a read's bytes looked at by its
 *       issuer before done: where they are not what was written they come
 *       from other copies, and what gave them is not used again.
 */
#ifndef BLOCK_BLOCK_H
#define BLOCK_BLOCK_H

#include "base/iov.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define BLOCK_SECTOR 512u /* bytes: the smallest grain, the unit of B4 */

enum block_op {
	BLOCK_READ,
	BLOCK_WRITE,
	BLOCK_FLUSH,
	BLOCK_DISCARD, /* a hint: reads after it return old data or zeroes */
	BLOCK_WRITE_ZEROES, /* reads after it return zeroes */
};
#define BLOCK_OPS 5

#define BLOCK_FUA (1u << 0)      /* WRITE, WRITE_ZEROES: see B6 */
#define BLOCK_NO_UNMAP (1u << 1) /* WRITE_ZEROES: keep the space allocated */
#define BLOCK_WARM (1u << 2) /* WRITE, a hint: the old bytes were just read */

struct block_request;
typedef void (*block_done_fn)(struct block_request *q, int err);
/* Whether [at, at + length) of a read is what was written there; on the
 * submitting thread, and again each time that other bytes have come. */
typedef bool (*block_check_fn)(struct block_request *q, uint64_t at,
                               uint64_t length);

struct block_request {
	enum block_op op;
	unsigned flags;
	uint64_t offset;         /* bytes; 0 for FLUSH */
	uint64_t length;         /* bytes; 0 only for FLUSH */
	const struct iovec *iov; /* READ, WRITE: sums to length; else NULL */
	unsigned iov_count;
	block_done_fn done;
	block_check_fn check; /* READ: see B8; NULL: whatever comes is right */
	uint32_t client;  /* whose request it is, for traces and hand-offs */
	uint32_t command; /* the client's own number for it */

	/* the device's own, from submit until done */
	struct block_request *next;
	uint64_t device_data[2];
};

struct block_device;

struct block_ops {
	const char *type; /* "file", "ram", "volume", "fault" */
	void (*submit)(struct block_device *dev, struct block_request *q);
	/* Nothing is in flight any more; frees `dev`. */
	void (*close)(struct block_device *dev);
};

struct block_device {
	const struct block_ops *ops;
	uint64_t size;     /* bytes; a multiple of the grain */
	uint32_t grain;    /* bytes; a power of two, at least BLOCK_SECTOR */
	bool cheap_zeroes; /* WRITE_ZEROES costs less than a WRITE of zeroes */
	bool checks;       /* see B8 */
};

static inline void block_submit(struct block_device *dev,
                                struct block_request *q)
{
	dev->ops->submit(dev, q);
}

/* NULL is allowed. */
void block_close(struct block_device *dev);

/*
 * Whether `q` is well formed for `dev`: alignment, bounds (which cannot
 * wrap), the vector's sum, flags that fit the operation.
 *
 * @return 0; -EINVAL; -ERANGE.
 */
int block_check(const struct block_device *dev, const struct block_request *q);

const char *block_op_name(enum block_op op);

/* A read-only range of zeroes for write vectors. */
#define BLOCK_ZEROES_LENGTH 65536u
extern const uint8_t block_zeroes[BLOCK_ZEROES_LENGTH];

#endif /* BLOCK_BLOCK_H */
