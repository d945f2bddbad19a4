/* SPDX-License-Identifier: BSD-2-Clause */
/* The contract of block/block.h, line by line, over every kind of device. */
#include "../test.h"

#include "devices.h"

#include <errno.h>

static const struct device_kind *kind;
static struct block_device *dev;

static int open_device(void **state)
{
	kind = *state;
	dev = kind->open(kind);
	return 0;
}

static int close_device(void **state)
{
	(void)state;
	kind->close(dev);
	return 0;
}

/* -- B1, B2, B3 ----------------------------------------------------------- */

struct heap_call {
	struct block_request q;
	struct iovec iov;
	unsigned *left;
	uint8_t memory[4096];
};

static bool inside_submit;
static int thread_id;

static void free_at_once(struct block_request *q, int err)
{
	struct heap_call *c = container_of(q, struct heap_call, q);
	unsigned *left = c->left;

	assert_int_equal(err, 0);
	assert_false(inside_submit);
	assert_int_equal(gettid(), thread_id);
	memset(c, 0xee, sizeof(*c));
	free(c); /* a second call, or a late copy, is a fault under ASan */
	assert_true(*left > 0);
	--*left;
}

static void submit_heap_call(enum block_op op, uint64_t offset, unsigned *left)
{
	struct heap_call *c = calloc(1, sizeof(*c));
	bool data = op == BLOCK_READ || op == BLOCK_WRITE;

	c->left = left;
	c->iov.iov_base = c->memory;
	c->iov.iov_len = sizeof(c->memory);
	c->q.op = op;
	c->q.offset = op == BLOCK_FLUSH ? 0 : offset;
	c->q.length = op == BLOCK_FLUSH ? 0 : sizeof(c->memory);
	c->q.iov = data ? &c->iov : NULL;
	c->q.iov_count = data;
	c->q.done = free_at_once;
	inside_submit = true;
	block_submit(dev, &c->q);
	inside_submit = false;
}

/* More at a time than an io_uring of the rig holds. */
static void done_runs_once_here_and_never_inside_submit(void **state)
{
	unsigned left = 500;

	(void)state;
	thread_id = gettid();
	for (unsigned i = 0; i < 500; i++)
		submit_heap_call((enum block_op)(i % BLOCK_OPS), i % 8 * 4096,
		                 &left);
	while (left > 0)
		reactor_poll(reactor_current());
	for (unsigned i = 0; i < 10; i++)
		reactor_poll(reactor_current());
}

static void malformed_requests_end_in_done_too(void **state)
{
	static const struct {
		enum block_op op;
		unsigned flags;
		uint64_t offset, length;
		int want;
	} rows[] = {
		{ BLOCK_READ, 0, 100, 4096, -EINVAL },
		{ BLOCK_READ, 0, DEVICE_SIZE, 4096, -ERANGE },
		{ BLOCK_WRITE, 0, DEVICE_SIZE - 4096, 8192, -ERANGE },
		{ BLOCK_WRITE, BLOCK_NO_UNMAP, 0, 4096, -EINVAL },
		{ BLOCK_DISCARD, 0, UINT64_MAX - 4095, 8192, -ERANGE },
		{ BLOCK_WRITE_ZEROES, 0, 0, 0, -EINVAL },
		{ BLOCK_FLUSH, 0, 4096, 0, -EINVAL },
		{ (enum block_op)17, 0, 0, 4096, -EINVAL },
	};
	uint8_t before[4096], after[4096], junk[8192];

	(void)state;
	memset(junk, 0xee, sizeof(junk));
	assert_int_equal(
		rig_do(dev, BLOCK_READ, 0, DEVICE_SIZE - 4096, 4096, before),
		0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool data =
			rows[i].op == BLOCK_READ || rows[i].op == BLOCK_WRITE;
		struct rig_call c;

		rig_submit(&c, dev, rows[i].op, rows[i].flags, rows[i].offset,
		           rows[i].length, data ? junk : NULL);
		assert_int_equal(c.calls, 0);
		assert_int_equal(rig_wait(&c), rows[i].want);
	}
	assert_int_equal(
		rig_do(dev, BLOCK_READ, 0, DEVICE_SIZE - 4096, 4096, after), 0);
	assert_memory_equal(before, after, sizeof(after));
}

/* -- the data ------------------------------------------------------------- */

/*
 * Cut [memory, memory + length) into entries of any length and alignment.
 * @return how many.
 */
static unsigned cut_up(uint64_t *seed, uint8_t *memory, uint64_t length,
                       struct iovec *iov, unsigned max)
{
	unsigned n = 0;

	while (length > 0) {
		uint64_t here = rig_random(seed) % (length + 1);

		if (n == max - 1 || rig_random(seed) % 8 == 0)
			here = length;
		iov[n].iov_base = memory;
		iov[n].iov_len = here;
		memory += here;
		length -= here;
		n++;
	}
	return n;
}

static uint8_t model[DEVICE_SIZE];
static uint8_t scratch[DEVICE_SIZE + 64];

/* Discarded data may be old or zero: adopt what is there now. */
static void adopt(uint64_t offset, uint64_t length)
{
	static uint8_t now[DEVICE_SIZE];

	assert_int_equal(rig_do(dev, BLOCK_READ, 0, offset, length, now), 0);
	for (uint64_t s = 0; s < length; s += BLOCK_SECTOR)
		if (memcmp(now + s, model + offset + s, BLOCK_SECTOR) != 0)
			assert_memory_equal(now + s, block_zeroes,
			                    BLOCK_SECTOR);
	memcpy(model + offset, now, length);
}

static void one_random_operation(uint64_t *seed, uint64_t largest)
{
	static const unsigned zero_flags[] = { 0, BLOCK_FUA, BLOCK_NO_UNMAP,
		                               BLOCK_FUA | BLOCK_NO_UNMAP };
	uint64_t grains = DEVICE_SIZE / dev->grain;
	uint64_t offset = rig_random(seed) % grains * dev->grain;
	uint64_t room = (DEVICE_SIZE - offset < largest ? DEVICE_SIZE - offset
	                                                : largest) /
	                dev->grain;
	uint64_t length = (1 + rig_random(seed) % room) * dev->grain;
	uint8_t *memory = scratch + rig_random(seed) % 64;
	struct iovec iov[40];
	struct rig_call c = { .q = { .op = (enum block_op)(rig_random(seed) %
		                                           BLOCK_OPS),
		                     .offset = offset,
		                     .length = length,
		                     .done = rig_done } };

	switch (c.q.op) {
	case BLOCK_WRITE:
		c.q.flags = rig_random(seed) % 4 ? 0 : BLOCK_FUA;
		for (uint64_t i = 0; i < length; i++)
			memory[i] = (uint8_t)rig_random(seed);
		memcpy(model + offset, memory, length);
		__attribute__((fallthrough));
	case BLOCK_READ:
		c.q.iov_count = cut_up(seed, memory, length, iov, 40);
		c.q.iov = iov;
		break;
	case BLOCK_FLUSH:
		c.q.offset = 0;
		c.q.length = 0;
		break;
	case BLOCK_WRITE_ZEROES:
		c.q.flags = zero_flags[rig_random(seed) % 4];
		memset(model + offset, 0, length);
		break;
	case BLOCK_DISCARD:
		break;
	}
	block_submit(dev, &c.q);
	assert_int_equal(rig_wait(&c), 0);
	if (c.q.op == BLOCK_READ)
		assert_memory_equal(memory, model + offset, length);
	else if (c.q.op == BLOCK_DISCARD)
		adopt(offset, length);
}

static void holds_what_an_array_holds(void **state)
{
	uint64_t seed = 42;

	(void)state;
	memset(model, 0, sizeof(model));
	for (unsigned i = 0; i < 600; i++)
		one_random_operation(&seed, i % 10 ? 16384 : DEVICE_SIZE);
	assert_int_equal(rig_do(dev, BLOCK_READ, 0, 0, DEVICE_SIZE, scratch),
	                 0);
	assert_memory_equal(scratch, model, DEVICE_SIZE);
}

/* More entries than readv(2) takes at once, of a sector each. */
static void a_vector_of_thousands_of_entries_is_moved(void **state)
{
	uint64_t n = DEVICE_SIZE / dev->grain;
	struct iovec *iov = calloc(n, sizeof(*iov));
	struct rig_call c = { .q = { .op = BLOCK_WRITE,
		                     .length = DEVICE_SIZE,
		                     .iov = iov,
		                     .iov_count = (unsigned)n,
		                     .done = rig_done } };
	void *aligned = NULL;
	uint8_t *memory;

	(void)state;
	assert_int_equal(posix_memalign(&aligned, 4096, DEVICE_SIZE), 0);
	memory = aligned;
	for (uint64_t i = 0; i < n; i++) {
		memset(memory + i * dev->grain, (int)(i % 251), dev->grain);
		/* entries in the opposite order of memory */
		iov[i].iov_base = memory + (n - 1 - i) * dev->grain;
		iov[i].iov_len = dev->grain;
	}
	block_submit(dev, &c.q);
	assert_int_equal(rig_wait(&c), 0);
	memset(memory, 0, DEVICE_SIZE);
	assert_int_equal(rig_do(dev, BLOCK_READ, 0, 0, DEVICE_SIZE, memory), 0);
	for (uint64_t i = 0; i < n; i++)
		assert_int_equal(memory[i * dev->grain], (n - 1 - i) % 251);
	free(aligned);
	free(iov);
}

/* -- B5, B6, B7 ----------------------------------------------------------- */

static void flush_and_fua_end_well_beside_writes(void **state)
{
	static uint8_t data[64][4096];
	struct rig_call writes[64], flushes[64];

	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		rig_submit(&writes[i], dev, BLOCK_WRITE, i % 2 ? BLOCK_FUA : 0,
		           i * 4096, 4096, data[i]);
		rig_submit(&flushes[i], dev, BLOCK_FLUSH, 0, 0, 0, NULL);
	}
	for (unsigned i = 0; i < 64; i++) {
		assert_int_equal(rig_wait(&writes[i]), 0);
		assert_int_equal(rig_wait(&flushes[i]), 0);
	}
}

/* No order is promised, but every sector is one of the writes'. */
static void overlapping_writes_leave_whole_sectors(void **state)
{
	static uint8_t data[8][65536], got[65536];
	struct rig_call c[8];

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		memset(data[i], (int)i + 1, sizeof(data[i]));
		rig_submit(&c[i], dev, BLOCK_WRITE, 0, 0, sizeof(data[i]),
		           data[i]);
	}
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(rig_wait(&c[i]), 0);
	assert_int_equal(rig_do(dev, BLOCK_READ, 0, 0, sizeof(got), got), 0);
	for (unsigned s = 0; s < sizeof(got); s += BLOCK_SECTOR) {
		assert_in_range(got[s], 1, 8);
		assert_memory_equal(got + s, data[got[s] - 1], BLOCK_SECTOR);
	}
}

#define PER_KIND(k, f)                                                         \
	{                                                                      \
#f " #" #k, f, open_device, close_device,                      \
			(void *)(uintptr_t)&device_kinds[k]                    \
	}
#define SUITE(k)                                                               \
	PER_KIND(k, done_runs_once_here_and_never_inside_submit),              \
		PER_KIND(k, malformed_requests_end_in_done_too),               \
		PER_KIND(k, holds_what_an_array_holds),                        \
		PER_KIND(k, a_vector_of_thousands_of_entries_is_moved),        \
		PER_KIND(k, flush_and_fua_end_well_beside_writes),             \
		PER_KIND(k, overlapping_writes_leave_whole_sectors)

int main(void)
{
	const struct CMUnitTest tests[] = { SUITE(0), SUITE(1), SUITE(2),
		                            SUITE(3), SUITE(4), SUITE(5) };
	struct reactor *r = rig_reactor();
	int failed;

	_Static_assert(ARRAY_LEN(device_kinds) == 6, "a suite for each");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	reactor_destroy(r);
	return failed;
}
