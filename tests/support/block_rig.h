/* SPDX-License-Identifier: BSD-2-Clause */
/* What tests of block devices share: a reactor driven by hand, one request at a
 * time, seeded randomness. */
#ifndef TESTS_SUPPORT_BLOCK_RIG_H
#define TESTS_SUPPORT_BLOCK_RIG_H

#include "base/base.h"
#include "block/block.h"
#include "core/reactor.h"

#include <string.h>

static inline struct reactor *rig_reactor(void)
{
	const struct reactor_opts opts = { .name = "test", .uring_depth = 64 };
	struct reactor *r;
	struct err e = { 0 };

	if (reactor_create(&opts, &r, &e))
		fail_msg("%s", e.text);
	reactor_bind(r);
	return r;
}

struct rig_call {
	struct block_request q;
	struct iovec iov;
	int err;
	unsigned calls;
};

static inline void rig_done(struct block_request *q, int err)
{
	struct rig_call *c = container_of(q, struct rig_call, q);

	c->err = err;
	c->calls++;
}

static inline void rig_submit(struct rig_call *c, struct block_device *dev,
                              enum block_op op, unsigned flags, uint64_t offset,
                              uint64_t length, void *buffer)
{
	memset(c, 0, sizeof(*c));
	c->iov.iov_base = buffer;
	c->iov.iov_len = length;
	c->q.op = op;
	c->q.flags = flags;
	c->q.offset = offset;
	c->q.length = length;
	c->q.iov = buffer ? &c->iov : NULL;
	c->q.iov_count = buffer ? 1 : 0;
	c->q.done = rig_done;
	block_submit(dev, &c->q);
}

static inline int rig_wait(struct rig_call *c)
{
	while (!c->calls)
		reactor_poll(reactor_current());
	assert_int_equal(c->calls, 1);
	return c->err;
}

static inline int rig_do(struct block_device *dev, enum block_op op,
                         unsigned flags, uint64_t offset, uint64_t length,
                         void *buffer)
{
	struct rig_call c;

	rig_submit(&c, dev, op, flags, offset, length, buffer);
	return rig_wait(&c);
}

/* xorshift64*; `*state` is not 0. */
static inline uint64_t rig_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * UINT64_C(2685821657736338717);
}

#endif /* TESTS_SUPPORT_BLOCK_RIG_H */
