/* SPDX-License-Identifier: BSD-2-Clause */
#include "rig_drive.h"

#include "base/base.h"
#include "block/finish.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

uint64_t rig_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void count(uint64_t *n)
{
	__atomic_fetch_add(n, 1, __ATOMIC_RELAXED);
}

static bool fault(struct rig_drive *d, unsigned *planned,
                  const struct block_request *q)
{
	if (*planned) {
		--*planned;
		return true;
	}
	return d->fails && d->fails(d, q);
}

static int transfer(struct rig_drive *d, const struct block_request *q)
{
	uint8_t *at = d->bytes + q->offset;

	switch (q->op) {
	case BLOCK_READ:
		count(&d->reads);
		if (fault(d, &d->fail_reads, q))
			return -EIO;
		iov_from_buffer(q->iov, q->iov_count, at);
		break;
	case BLOCK_WRITE:
		count(&d->writes);
		if (q->flags & BLOCK_WARM)
			count(&d->warm);
		if (fault(d, &d->fail_writes, q))
			return -EIO;
		iov_to_buffer(q->iov, q->iov_count, at);
		break;
	case BLOCK_WRITE_ZEROES:
		count(&d->writes);
		if (fault(d, &d->fail_writes, q))
			return -EIO;
		memset(at, 0, q->length);
		break;
	case BLOCK_FLUSH:
		count(&d->flushes);
		if (fault(d, &d->fail_flushes, q))
			return -EIO;
		break;
	case BLOCK_DISCARD:
		break;
	}
	return 0;
}

static void drive_submit(struct block_device *dev, struct block_request *q)
{
	struct rig_drive *d = container_of(dev, struct rig_drive, device);
	int err = block_check(dev, q);

	if (err) {
		count(&d->refused);
		block_finish(q, err);
	} else if (d->held) {
		assert(d->held->n < RIG_HELD_MAX);
		d->held->at[d->held->n++] = (struct rig_held_request){ d, q };
	} else {
		block_finish(q, transfer(d, q));
	}
}

void rig_held_run(struct rig_held *held, unsigned n, uint64_t *seed)
{
	for (; n > 0 && held->n > 0; n--) {
		unsigned i = (unsigned)(rig_next(seed) % held->n);
		struct rig_held_request r = held->at[i];

		held->at[i] = held->at[--held->n];
		block_finish(r.request, transfer(r.drive, r.request));
	}
}

static void drive_close(struct block_device *dev)
{
	rig_drive_fini(container_of(dev, struct rig_drive, device));
}

static const struct block_ops drive_ops = {
	.type = "rig",
	.submit = drive_submit,
	.close = drive_close,
};

void rig_drive_init(struct rig_drive *d, uint64_t size, bool cheap_zeroes)
{
	*d = (struct rig_drive){
		.device = { .ops = &drive_ops,
		            .size = size,
		            .grain = BLOCK_SECTOR,
		            .cheap_zeroes = cheap_zeroes },
		.bytes = malloc(size),
	};
	assert(d->bytes);
	memset(d->bytes, 0x5a, size);
}

void rig_drive_fini(struct rig_drive *d)
{
	free(d->bytes);
	d->bytes = NULL;
}
