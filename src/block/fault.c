/* SPDX-License-Identifier: BSD-2-Clause */
#include "block/fault.h"

#include "base/base.h"
#include "block/fault_priv.h"
#include "core/reactor.h"

#include <assert.h>
#include <errno.h>

static struct fault *fault_of(const struct block_device *dev)
{
	return container_of((struct block_device *)(uintptr_t)dev, struct fault,
	                    dev);
}

/* -- requests in flight --------------------------------------------------- */

static struct fault_call *get_call(struct fault *f)
{
	struct fault_call *c = f->unused;

	if (c)
		f->unused = c->next;
	else
		c = malloc(sizeof(*c));
	assert(c);
	return c;
}

static void append(struct fault *f, struct fault_call *c)
{
	c->next = NULL;
	*f->last = c;
	f->last = &c->next;
	f->n_calls++;
}

static struct fault_call *take(struct fault *f)
{
	struct fault_call *c = f->first;

	f->first = c->next;
	if (!f->first)
		f->last = &f->first;
	f->n_calls--;
	return c;
}

static void run_later(struct fault *f)
{
	if (f->task_is_due || !f->first)
		return;
	f->task_is_due = true;
	task_defer(reactor_current(), &f->task);
}

/* -- what they do --------------------------------------------------------- */

static void read_out(struct fault *f, const struct block_request *q)
{
	uint64_t at = q->offset;

	for (unsigned i = 0; i < q->iov_count; i++) {
		fault_store_read(&f->cache, at, q->iov[i].iov_len,
		                 q->iov[i].iov_base);
		at += q->iov[i].iov_len;
	}
}

static void flip_a_bit(struct fault *f, const struct block_request *q)
{
	uint64_t bit = fault_random(&f->random) % (q->length * 8);
	struct iovec byte;
	int n = iov_slice(q->iov, q->iov_count, bit / 8, 1, &byte, 1);

	assert(n == 1);
	*(uint8_t *)byte.iov_base ^= (uint8_t)(1u << bit % 8);
}

static void perform_well(struct fault *f, const struct fault_call *c)
{
	const struct block_request *q = c->q;

	switch (q->op) {
	case BLOCK_READ:
		read_out(f, q);
		return;
	case BLOCK_WRITE:
	case BLOCK_WRITE_ZEROES:
		fault_log_request(f, q);
		return;
	case BLOCK_DISCARD:
		if (fault_random(&f->random) % 4)
			fault_log_request(f, q);
		return;
	case BLOCK_FLUSH:
		fault_log_flush(f, c->log_end);
		return;
	}
}

static int perform(struct fault *f, const struct fault_call *c)
{
	const struct block_request *q = c->q;

	if (c->err)
		return c->err;
	if (!c->verdict.hit) {
		perform_well(f, c);
		return 0;
	}
	switch (c->verdict.kind) {
	case FAULT_EIO:
		return -EIO;
	case FAULT_LATE:
		perform_well(f, c);
		return 0;
	case FAULT_LOST:
		return 0;
	case FAULT_MISDIRECTED:
		fault_log_part(f, q, q->length, c->verdict.argument);
		return 0;
	case FAULT_TORN:
		fault_log_part(f, q, c->verdict.argument, 0);
		return -EIO;
	case FAULT_ROT:
		read_out(f, q);
		flip_a_bit(f, q);
		return 0;
	}
	return -EINVAL;
}

/* Move those that are due to the front, in random order if there is a delay.
 * @return how many they are. */
static unsigned sort_out_due(struct fault *f)
{
	struct fault_call *due = NULL, *rest = NULL;
	struct fault_call **due_end = &due, **rest_end = &rest;
	struct fault_call *c, *next;
	unsigned n = 0;

	for (c = f->first; c; c = next) {
		next = c->next;
		if (c->due > f->round) {
			*rest_end = c;
			rest_end = &c->next;
			continue;
		}
		n++;
		if (due && f->delay && fault_random(&f->random) % 2) {
			c->next = due;
			due = c;
		} else {
			*due_end = c;
			due_end = &c->next;
		}
	}
	*rest_end = NULL;
	*due_end = rest;
	f->first = due;
	f->last = rest ? rest_end : due_end;
	if (!f->first)
		f->last = &f->first;
	return n;
}

/* Each stays in the list until its turn: a callback may cut the power. */
static void end_some(struct task *t)
{
	struct fault *f = container_of(t, struct fault, task);

	f->task_is_due = false;
	f->round++;
	for (unsigned n = sort_out_due(f); n > 0; n--) {
		struct fault_call *c = take(f);
		struct block_request *q = c->q;
		int err = perform(f, c);

		c->next = f->unused;
		f->unused = c;
		q->done(q, err);
	}
	run_later(f);
}

static void fault_submit(struct block_device *dev, struct block_request *q)
{
	struct fault *f = fault_of(dev);
	struct fault_call *c = get_call(f);

	c->q = q;
	c->err = f->off ? -ENXIO : block_check(dev, q);
	c->log_end = f->log_base + f->n_log;
	c->verdict = c->err ? (struct fault_verdict){ 0 } : fault_judge(f, q);
	c->due = f->round + 1;
	if (f->delay)
		c->due += fault_random(&f->random) % (f->delay + 1);
	if (c->verdict.hit && c->verdict.kind == FAULT_LATE)
		c->due += c->verdict.argument;
	append(f, c);
	run_later(f);
}

/* -- the device ----------------------------------------------------------- */

static void fault_close(struct block_device *dev)
{
	struct fault *f = fault_of(dev);

	assert(!f->first);
	while (f->unused) {
		struct fault_call *next = f->unused->next;

		free(f->unused);
		f->unused = next;
	}
	fault_log_clear(f);
	fault_store_fini(&f->cache);
	fault_store_fini(&f->medium);
	free(f);
}

static const struct block_ops fault_device_ops = {
	.type = "fault",
	.submit = fault_submit,
	.close = fault_close,
};

/* All but its stores. */
static struct fault *make(uint64_t size, uint64_t seed)
{
	struct fault *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->dev.ops = &fault_device_ops;
	f->dev.size = size;
	f->dev.grain = BLOCK_SECTOR;
	f->random = seed;
	f->last = &f->first;
	f->task.run = end_some;
	return f;
}

struct block_device *fault_create(uint64_t size, uint64_t seed)
{
	struct fault *f = make(size, seed);

	assert(size > 0 && size % BLOCK_SECTOR == 0);
	if (!f)
		return NULL;
	fault_store_init(&f->medium, size);
	fault_store_init(&f->cache, size);
	return &f->dev;
}

struct block_device *fault_crash(struct block_device *dev, uint64_t seed)
{
	const struct fault *f = fault_of(dev);
	struct fault *next = make(f->dev.size, seed);

	if (!next)
		return NULL;
	fault_store_share(&next->medium, &f->medium);
	fault_log_crash(f, &next->medium, seed);
	fault_store_share(&next->cache, &next->medium);
	return &next->dev;
}

void fault_set_delay(struct block_device *dev, unsigned rounds)
{
	fault_of(dev)->delay = rounds;
}

void fault_power_off(struct block_device *dev)
{
	struct fault *f = fault_of(dev);

	f->off = true;
	for (struct fault_call *c = f->first; c; c = c->next) {
		if (fault_is_change(c)) {
			fault_log_request(f, c->q);
			/* It was not done, so nothing was promised. */
			f->log[f->n_log - 1].durable = false;
		}
		if (!c->err)
			c->err = -ENXIO;
	}
}

unsigned fault_cached(const struct block_device *dev)
{
	const struct fault *f = fault_of(dev);
	unsigned n = f->n_log;

	for (const struct fault_call *c = f->first; c; c = c->next)
		n += fault_is_change(c);
	return n;
}

void fault_peek(const struct block_device *dev, uint64_t offset,
                uint64_t length, void *out)
{
	fault_store_read(&fault_of(dev)->cache, offset, length, out);
}
