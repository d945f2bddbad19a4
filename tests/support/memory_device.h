/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block device for tests, fuzzers and the NBD test program: some memory,
 * or nothing at all (`bytes` NULL: reads give whatever the buffer holds).
 * It completes in the reactor's next deferred tasks, or when it is told to.
 */
#ifndef TESTS_SUPPORT_MEMORY_DEVICE_H
#define TESTS_SUPPORT_MEMORY_DEVICE_H

#include "base/base.h"
#include "block/block.h"
#include "core/reactor.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

struct memory_device {
	struct block_device device;
	uint8_t *bytes;
	bool hold;                  /* complete nothing until it is released */
	struct block_request *held; /* newest first */
	unsigned n_held;
	int fail[BLOCK_OPS]; /* error for requests of this kind */
	unsigned count[BLOCK_OPS];
	unsigned last_flags;
};

static inline int memory_device_move(struct memory_device *m,
                                     const struct block_request *q)
{
	if (m->fail[q->op])
		return m->fail[q->op];
	if (!m->bytes)
		return 0;
	if (q->op == BLOCK_READ)
		iov_from_buffer(q->iov, q->iov_count, m->bytes + q->offset);
	else if (q->op == BLOCK_WRITE)
		iov_to_buffer(q->iov, q->iov_count, m->bytes + q->offset);
	else if (q->op != BLOCK_FLUSH)
		memset(m->bytes + q->offset, 0, q->length);
	return 0;
}

/* The request's own space for the device holds a task and the device. */
struct memory_device_task {
	void (*run)(struct task *t);
	struct memory_device *device;
};
static_assert(sizeof(struct memory_device_task) <= 16, "fits device_data");

static inline void memory_device_done(struct task *t)
{
	struct block_request *q =
		container_of((void *)t, struct block_request, next);
	struct memory_device_task mt;

	memcpy(&mt, q->device_data, sizeof(mt));
	q->done(q, memory_device_move(mt.device, q));
}

static inline void memory_device_complete(struct memory_device *m,
                                          struct block_request *q)
{
	struct memory_device_task mt = { memory_device_done, m };

	/* `next` and the first word of device_data make up a struct task. */
	static_assert(offsetof(struct block_request, device_data) ==
	                      offsetof(struct block_request, next) +
	                              offsetof(struct task, run),
	              "a task lies in a request");
	memcpy(q->device_data, &mt, sizeof(mt));
	task_defer(reactor_current(), (struct task *)(void *)&q->next);
}

static inline void memory_device_submit(struct block_device *dev,
                                        struct block_request *q)
{
	struct memory_device *m =
		container_of(dev, struct memory_device, device);

	assert(block_check(dev, q) == 0);
	__atomic_fetch_add(&m->count[q->op], 1, __ATOMIC_RELAXED);
	__atomic_store_n(&m->last_flags, q->flags, __ATOMIC_RELAXED);
	if (!m->hold) {
		memory_device_complete(m, q);
		return;
	}
	q->next = m->held;
	m->held = q;
	m->n_held++;
}

/* Complete what was held; on the thread that submitted it. */
static inline void memory_device_release(struct memory_device *m)
{
	struct block_request *q = m->held;

	m->held = NULL;
	m->n_held = 0;
	while (q) {
		struct block_request *next = q->next;

		memory_device_complete(m, q);
		q = next;
	}
}

static inline void memory_device_init(struct memory_device *m, void *bytes,
                                      uint64_t size, uint32_t grain)
{
	static const struct block_ops ops = {
		.type = "memory",
		.submit = memory_device_submit,
	};

	*m = (struct memory_device){
		.device = { .ops = &ops, .size = size, .grain = grain },
		.bytes = bytes,
	};
}

#endif /* TESTS_SUPPORT_MEMORY_DEVICE_H */
