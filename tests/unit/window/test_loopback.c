/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations on the own node: what fabric/op.h promises, O1 to O6. */
#include "../test.h"

#include "base/base.h"
#include "core/reactor.h"
#include "fabric/service.h"
#include "window/loopback.h"
#include "window/region.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 4096u
#define FAR (4u << 20)
#define OPS 16u

static struct reactor *reactor;
static struct grant_table table;
static struct grant_owner owner;
static struct guard guard;
static struct loopback loop;
static struct region *far;
static struct grant *grant;
static bool inside, emptied;

struct op {
	struct fabric_op op;
	struct iovec iov[2];
	unsigned n_done;
	unsigned order; /* of its end */
	enum fabric_status status;
	unsigned allow; /* looks that are answered yes */
};

static struct op ops[OPS];
static unsigned n_ended;

static void done(struct fabric_op *op, enum fabric_status status)
{
	struct op *o = container_of(op, struct op, op);

	assert_false(inside); /* O1 */
	o->n_done++;
	o->status = status;
	o->order = ++n_ended;
}

static bool allowed(const struct fabric_op *op)
{
	struct op *o = (struct op *)container_of(op, struct op, op);

	return o->allow-- > 0;
}

static void submit(struct op *o)
{
	inside = true;
	loopback_submit(&loop, &o->op);
	inside = false;
}

static void settle(void)
{
	while (reactor_poll(reactor))
		;
}

static struct op *make(unsigned i, enum fabric_opcode opcode, uint64_t offset,
                       void *memory, uint64_t length)
{
	struct op *o = &ops[i];

	*o = (struct op){ .op = { .opcode = opcode,
		                  .class = length > FABRIC_PIECE
		                                   ? FABRIC_BULK
		                                   : FABRIC_LATENCY,
		                  .key = grant->key,
		                  .offset = offset,
		                  .length = length,
		                  .iov = o->iov,
		                  .n_iov = 1,
		                  .done = done } };
	o->iov[0] = (struct iovec){ memory, length };
	return o;
}

static int setup(void **state)
{
	const struct reactor_opts opts = { .name = "test" };
	const struct grant_holder holder = { .node = "me" };
	struct grant_range range = { .length = FAR };

	(void)state;
	assert_int_equal(reactor_create(&opts, &reactor, NULL), 0);
	reactor_bind(reactor);
	assert_int_equal(grant_table_init(&table, reactor, 100), 0);
	grant_owner_init(&owner, "w", 0);
	assert_int_equal(region_make(NULL, FAR, &far, NULL), 0);
	range.region = far;
	assert_int_equal(grant_create(&table,
	                              &(struct grant_spec){
					      .holder = &holder,
					      .rights = FABRIC_RIGHT_READ |
	                                                FABRIC_RIGHT_WRITE |
	                                                FABRIC_RIGHT_ATOMIC,
					      .owner = &owner,
					      .n_ranges = 1,
					      .range = &range },
	                              &grant),
	                 0);
	guard_init(&guard, GUARD_NODE, "me", NULL, 0);
	loopback_init(&loop, reactor, &table, &guard);
	n_ended = 0;
	emptied = false;
	return 0;
}

static void was_emptied(struct loopback *l)
{
	(void)l;
	emptied = true;
}

static int teardown(void **state)
{
	(void)state;
	loopback_close(&loop, was_emptied);
	settle();
	assert_true(emptied);
	grant_table_fini(&table);
	region_put(far);
	reactor_bind(NULL);
	reactor_destroy(reactor);
	return 0;
}

/* A short one does not wait for a long one that was there before. */
static void short_first(void **state)
{
	uint8_t *big = calloc(1, FAR), small[64];

	(void)state;
	submit(make(0, FABRIC_READ, 0, big, FAR));
	reactor_poll(reactor); /* it is under way */
	submit(make(1, FABRIC_READ, 0, small, sizeof(small)));
	settle();
	assert_int_equal(ops[0].status, FABRIC_OK);
	assert_int_equal(ops[1].order, 1);
	assert_int_equal(ops[0].order, 2);
	free(big);
}

/* O6, with a long write before and a short one behind. */
static void fenced(void **state)
{
	uint8_t *big = malloc(FAR), tail[8] = { 0 }, other[8];

	(void)state;
	memset(big, 0x31, FAR);
	submit(make(0, FABRIC_WRITE, 0, big, FAR));
	make(1, FABRIC_READ, FAR - 8, tail, 8);
	ops[1].op.flags = FABRIC_FENCED;
	submit(&ops[1]);
	submit(make(2, FABRIC_READ, 0, other, 8));
	settle();
	assert_int_equal(ops[1].order, 3);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(tail[i], 0x31);
	free(big);
}

/* O4: after a no, no further byte moves; shows M18 */
static void refused_midway(void **state)
{
	uint8_t *big = calloc(1, FAR);

	(void)state;
	memset(far->base, 0x55, FAR);
	make(0, FABRIC_READ, 0, big, FAR);
	ops[0].op.allowed = allowed;
	ops[0].allow = 3;
	submit(&ops[0]);
	settle();
	assert_int_equal(ops[0].status, FABRIC_REVOKED);
	for (unsigned i = 0; i < FAR; i++)
		assert_int_equal(big[i], i < 3 * FABRIC_PIECE ? 0x55 : 0);
	free(big);
}

/* shows M18: the far key ends while a long one is under way */
static void revoked_midway(void **state)
{
	uint8_t *big = malloc(FAR), *snapshot = malloc(FAR);

	(void)state;
	memset(big, 0x66, FAR);
	submit(make(0, FABRIC_WRITE, 0, big, FAR));
	reactor_poll(reactor);
	reactor_poll(reactor);
	assert_int_equal(ops[0].n_done, 0);
	grant_end(&table, grant, GRANT_REVOKED);
	memcpy(snapshot, far->base, FAR);
	settle();
	assert_int_equal(ops[0].status, FABRIC_REVOKED);
	assert_memory_equal(snapshot, far->base, FAR);
	assert_int_equal(far->base[0], 0x66);
	assert_int_equal(far->base[FAR - 1], 0);
	free(big);
	free(snapshot);
}

/* shows M8: a range that ends outside moves nothing, however long it is */
static void end_outside(void **state)
{
	uint8_t *big = calloc(1, FAR);

	(void)state;
	memset(far->base, 0x55, FAR);
	submit(make(0, FABRIC_READ, PAGE, big, FAR - PAGE + 1));
	submit(make(1, FABRIC_READ, UINT64_MAX - 7, big, 8));
	settle();
	assert_int_equal(ops[0].status, FABRIC_RANGE);
	assert_int_equal(ops[1].status, FABRIC_RANGE);
	for (unsigned i = 0; i < FAR; i++)
		assert_int_equal(big[i], 0);
	free(big);
}

/* The same memory on both sides, forwards and backwards. */
static void overlapping(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PAGE; i++)
		far->base[i] = (uint8_t)i;
	submit(make(0, FABRIC_READ, 0, far->base + 1, 1000));
	settle();
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(far->base[i + 1], (uint8_t)i);
}

/* Vectors that are cut at other places than the pieces. */
static void scattered(void **state)
{
	uint8_t *big = calloc(1, 300000);
	struct op *o = make(0, FABRIC_READ, 13, big, 300000 - 1);

	(void)state;
	for (unsigned i = 0; i < FAR; i++)
		far->base[i] = (uint8_t)(i * 31 + (i >> 9));
	o->iov[0] = (struct iovec){ big, 99999 };
	o->iov[1] = (struct iovec){ big + 100000, 200000 };
	o->op.n_iov = 2;
	submit(o);
	settle();
	assert_int_equal(o->status, FABRIC_OK);
	assert_memory_equal(big, far->base + 13, 99999);
	assert_int_equal(big[99999], 0);
	assert_memory_equal(big + 100000, far->base + 13 + 99999, 200000);
	free(big);
}

static void atomics(void **state)
{
	static const struct {
		enum fabric_opcode opcode;
		uint64_t operand[2], before, after;
	} rows[] = {
		{ FABRIC_FAA, { 5 }, 10, 15 },
		{ FABRIC_FAA, { UINT64_MAX }, 0, UINT64_MAX },
		{ FABRIC_CAS, { 10, 99 }, 10, 99 },
		{ FABRIC_CAS, { 11, 99 }, 10, 10 },
	};
	uint64_t *word = (uint64_t *)(void *)(far->base + 64);

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct op *o = make(0, rows[i].opcode, 64, NULL, 8);

		o->op.iov = NULL;
		o->op.n_iov = 0;
		o->op.operand[0] = rows[i].operand[0];
		o->op.operand[1] = rows[i].operand[1];
		*word = rows[i].before;
		submit(o);
		settle();
		assert_int_equal(o->status, FABRIC_OK);
		assert_int_equal(o->op.result, rows[i].before);
		assert_int_equal(*word, rows[i].after);
	}
}

/* What is outstanding ends when the loopback does. */
static void closed(void **state)
{
	uint8_t *big = malloc(FAR);

	(void)state;
	submit(make(0, FABRIC_READ, 0, big, FAR));
	submit(make(1, FABRIC_READ, 0, big, FAR));
	reactor_poll(reactor);
	loopback_close(&loop, was_emptied);
	submit(make(2, FABRIC_READ, 0, big, 8));
	settle();
	assert_true(emptied);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(ops[i].n_done, 1);
		assert_int_equal(ops[i].status, FABRIC_CANCELLED);
	}
	free(big);
}

static void no_sends(void **state)
{
	uint8_t text[8] = "hello";

	(void)state;
	submit(make(0, FABRIC_SEND, 0, text, sizeof(text)));
	settle();
	assert_int_equal(ops[0].status, FABRIC_PROTOCOL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(short_first),    CASE(fenced),      CASE(refused_midway),
		CASE(revoked_midway), CASE(end_outside), CASE(overlapping),
		CASE(scattered),      CASE(atomics),     CASE(closed),
		CASE(no_sends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
