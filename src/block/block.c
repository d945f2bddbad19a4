/* SPDX-License-Identifier: BSD-2-Clause */
#include "block/block.h"

#include "base/base.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Aligned so that direct I/O can write from it. */
const uint8_t block_zeroes[BLOCK_ZEROES_LENGTH] __attribute__((aligned(4096)));

static const struct {
	const char *name;
	unsigned flags; /* allowed */
	bool data;      /* has a vector */
} ops[BLOCK_OPS] = {
	/* clang-format off */
	[BLOCK_READ]         = { "read",         0,                          true },
	[BLOCK_WRITE]        = { "write",        BLOCK_FUA | BLOCK_WARM,     true },
	[BLOCK_FLUSH]        = { "flush",        0,                          false },
	[BLOCK_DISCARD]      = { "discard",      0,                          false },
	[BLOCK_WRITE_ZEROES] = { "write-zeroes", BLOCK_FUA | BLOCK_NO_UNMAP, false },
	/* clang-format on */
};

void block_close(struct block_device *dev)
{
	if (dev)
		dev->ops->close(dev);
}

/* Whether a vector sums to `length`, without wrapping on the way. */
static bool vector_sums_to(const struct block_request *q)
{
	uint64_t left = q->length;

	if (!q->iov)
		return false;
	for (unsigned i = 0; i < q->iov_count; i++) {
		if (q->iov[i].iov_len > left)
			return false;
		left -= q->iov[i].iov_len;
	}
	return left == 0;
}

int block_check(const struct block_device *dev, const struct block_request *q)
{
	unsigned op = (unsigned)q->op;

	if (op >= BLOCK_OPS || (q->flags & ~ops[op].flags))
		return -EINVAL;
	if (ops[op].data) {
		if (!vector_sums_to(q))
			return -EINVAL;
	} else if (q->iov || q->iov_count) {
		return -EINVAL;
	}
	if (op == BLOCK_FLUSH)
		return q->offset || q->length ? -EINVAL : 0;
	if (!q->length || ((q->offset | q->length) & (dev->grain - 1)))
		return -EINVAL;
	if (q->offset > dev->size || q->length > dev->size - q->offset)
		return -ERANGE;
	return 0;
}

const char *block_op_name(enum block_op op)
{
	return (unsigned)op < BLOCK_OPS ? ops[op].name : "unknown";
}
