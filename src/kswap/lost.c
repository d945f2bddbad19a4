/* SPDX-License-Identifier: BSD-2-Clause */
#include "kswap/lost.h"

#include "block/finish.h"

#include <errno.h>
#include <stdlib.h>

static void lost_submit(struct block_device *dev, struct block_request *q)
{
	(void)dev;
	block_finish(q, -ENXIO);
}

static void lost_close(struct block_device *dev)
{
	free(dev);
}

static const struct block_ops lost_ops = {
	.type = "lost",
	.submit = lost_submit,
	.close = lost_close,
};

struct block_device *lost_create(uint64_t size)
{
	struct block_device *dev = malloc(sizeof(*dev));

	if (dev)
		*dev = (struct block_device){ .ops = &lost_ops,
			                      .size = size,
			                      .grain = BLOCK_SECTOR };
	return dev;
}
