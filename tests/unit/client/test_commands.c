/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands through libcauseway and a bridge, within one node. */
#include "../test.h"
#include "../window/rig_bridge.h"

#include "base/base.h"

#include <causeway/causeway.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define RW (CAUSEWAY_READ | CAUSEWAY_WRITE)
#define ALL (RW | CAUSEWAY_ATOMIC)
#define WAIT_MS 20000

static struct rig_bridge bridge;

/* Two processes' worth: `near` reaches `far`'s memory. */
struct pair {
	struct causeway *near, *far;
	struct causeway_region *near_memory, *far_memory;
	struct causeway_window *window; /* over all of far_memory */
	struct causeway_queue *queue;
};

static void grant_to(struct causeway *owner, struct causeway_region *r,
                     struct causeway *holder, unsigned rights,
                     struct causeway_key *key,
                     char text[CAUSEWAY_DESCRIPTOR_MAX])
{
	struct causeway_grant_options o = { .node = causeway_node(holder),
		                            .rights = rights };
	const struct causeway_range range = { .key = *causeway_region_key(r),
		                              .length = causeway_region_length(
						      r) };

	causeway_identity(holder, &o.process);
	assert_int_equal(causeway_grant(owner, &range, 1, &o, key, text), 0);
}

static void open_pair(struct pair *p, size_t bytes, unsigned depth)
{
	char text[CAUSEWAY_DESCRIPTOR_MAX];

	assert_int_equal(causeway_open(bridge.path, &p->near), 0);
	assert_int_equal(causeway_open(bridge.path, &p->far), 0);
	assert_int_equal(
		causeway_region_create(p->near, bytes, ALL, &p->near_memory),
		0);
	assert_int_equal(
		causeway_region_create(p->far, bytes, ALL, &p->far_memory), 0);
	grant_to(p->far, p->far_memory, p->near, ALL, NULL, text);
	assert_int_equal(causeway_import(p->near, text, &p->window), 0);
	assert_int_equal(causeway_queue_create(p->near, depth, &p->queue), 0);
}

static void close_pair(struct pair *p)
{
	causeway_queue_destroy(p->queue);
	causeway_window_close(p->window);
	causeway_region_destroy(p->near_memory);
	causeway_region_destroy(p->far_memory);
	causeway_close(p->near);
	causeway_close(p->far);
}

static struct causeway_completion one(struct causeway_queue *q)
{
	struct causeway_completion c = { 0 };

	assert_int_equal(causeway_wait(q, &c, 1, WAIT_MS), 1);
	return c;
}

static void fill(void *memory, size_t n, unsigned seed)
{
	uint8_t *b = memory;

	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)(seed + i * 7 + (i >> 8) * 13);
}

static bool filled(const void *memory, size_t from, size_t n, unsigned seed)
{
	const uint8_t *b = memory;

	for (size_t i = 0; i < n; i++)
		if (b[i] !=
		    (uint8_t)(seed + (from + i) * 7 + ((from + i) >> 8) * 13))
			return false;
	return true;
}

/* -- moving bytes ---------------------------------------------------------- */

/* shows M3, M7, M12: 1 B to 64 MiB, unaligned, page-crossing, both ways */
static void sizes(void **state)
{
	static const struct {
		uint64_t length, near, far;
	} rows[] = {
		{ 1, 0, 0 },           { 1, 4095, 1 },
		{ 2, 4095, 4095 },     { 7, 1, 8191 },
		{ 8, 4092, 3 },        { 511, 3584, 1 },
		{ 4095, 1, 0 },        { 4096, 0, 0 },
		{ 4096, 1, 4095 },     { 4097, 4095, 2 },
		{ 65535, 1, 1 },       { 65536, 0, 0 },
		{ 65537, 3, 5 },       { 131072, 4097, 1 },
		{ 1 << 20, 1, 65535 }, { (1 << 20) + 1, 4095, 4097 },
		{ 64 << 20, 0, 0 },    { (64 << 20) - 7, 3, 5 },
	};
	struct pair p;
	uint8_t *near, *far;

	(void)state;
	open_pair(&p, (64 << 20) + 8192 * 2, 4);
	near = causeway_region_data(p.near_memory);
	far = causeway_region_data(p.far_memory);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t n = rows[i].length;
		struct causeway_completion c;

		fill(far + rows[i].far, n, i);
		if (rows[i].near)
			near[rows[i].near - 1] = 0xee;
		near[rows[i].near + n] = 0xee;
		assert_true(causeway_read(p.queue, i, p.near_memory,
		                          rows[i].near, p.window, rows[i].far,
		                          n) >= 0);
		c = one(p.queue);
		assert_int_equal(c.status, CAUSEWAY_OK);
		assert_int_equal(c.id, i);
		assert_true(filled(near + rows[i].near, 0, n, i));
		assert_int_equal(near[rows[i].near + n], 0xee);
		if (rows[i].near)
			assert_int_equal(near[rows[i].near - 1], 0xee);

		fill(near + rows[i].near, n, i + 100);
		far[rows[i].far + n] = 0xdd;
		assert_true(causeway_write(p.queue, i, p.near_memory,
		                           rows[i].near, p.window, rows[i].far,
		                           n) >= 0);
		assert_int_equal(one(p.queue).status, CAUSEWAY_OK);
		assert_true(filled(far + rows[i].far, 0, n, i + 100));
		assert_int_equal(far[rows[i].far + n], 0xdd);
	}
	close_pair(&p);
}

/* shows M8: only when both keys are good a byte moves, either way */
static void both_keys(void **state)
{
	static const struct {
		bool local, remote;
		enum causeway_status status;
		enum causeway_culprit culprit;
	} rows[] = {
		{ true, true, CAUSEWAY_OK, CAUSEWAY_AT_COMMAND },
		{ false, true, CAUSEWAY_BAD_KEY, CAUSEWAY_AT_LOCAL },
		{ true, false, CAUSEWAY_BAD_KEY, CAUSEWAY_AT_REMOTE },
		{ false, false, CAUSEWAY_BAD_KEY, CAUSEWAY_AT_LOCAL },
	};
	struct causeway_key bad;
	struct pair p;

	(void)state;
	memset(bad.byte, 0x5a, sizeof(bad.byte));
	open_pair(&p, 200000, 4);
	for (unsigned i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		bool write = i >= ARRAY_LEN(rows);
		unsigned row = i % ARRAY_LEN(rows);
		uint8_t *to = causeway_region_data(write ? p.far_memory
		                                         : p.near_memory);
		uint8_t *from = causeway_region_data(write ? p.near_memory
		                                           : p.far_memory);
		struct causeway_error_record e;
		struct causeway_command c = {
			.opcode = write ? CAUSEWAY_OP_WRITE : CAUSEWAY_OP_READ,
			.id = 1000 + i,
			.local = rows[row].local
			                 ? *causeway_region_key(p.near_memory)
			                 : bad,
			.remote = rows[row].remote
			                  ? *causeway_window_key(p.window)
			                  : bad,
			.length = 200000,
		};

		memset(to, 0, 200000);
		fill(from, 200000, i);
		assert_true(causeway_submit(p.queue, &c) >= 0);
		assert_int_equal(one(p.queue).status, rows[row].status);
		if (rows[row].status == CAUSEWAY_OK) {
			assert_true(filled(to, 0, 200000, i));
			assert_int_equal(causeway_errors(p.queue, &e, 1), 0);
			continue;
		}
		for (unsigned b = 0; b < 200000; b++)
			assert_int_equal(to[b], 0);
		assert_int_equal(causeway_errors(p.queue, &e, 1), 1);
		assert_int_equal(e.id, 1000 + i);
		assert_int_equal(e.status, rows[row].status);
		assert_int_equal(e.culprit, rows[row].culprit);
		assert_true(causeway_key_equal(&e.key, &bad));
	}
	close_pair(&p);
}

/* shows M9, M10: a record for each bad command, with its id; the counter
 * counts those that ended well and no other */
static void errors_and_counter(void **state)
{
	struct causeway_error_record e[128];
	struct pair p;
	unsigned bad = 0;

	(void)state;
	open_pair(&p, 4096, 128);
	for (unsigned i = 0; i < 128; i++) {
		struct causeway_command c = {
			.opcode = i % 2 ? CAUSEWAY_OP_READ : CAUSEWAY_OP_WRITE,
			.id = UINT64_C(0xabcd000000000000) + i,
			.local = *causeway_region_key(p.near_memory),
			.remote = *causeway_window_key(p.window),
			.length = 64,
		};

		if (i < 100) /* a key that nobody registered */
			(i % 3 ? &c.local : &c.remote)->byte[i % 16] ^= 1;
		assert_true(causeway_submit(p.queue, &c) >= 0);
	}
	for (unsigned i = 0; i < 128; i++) {
		struct causeway_completion c = one(p.queue);
		bool expect_bad = c.id - UINT64_C(0xabcd000000000000) < 100;

		assert_int_equal(c.status,
		                 expect_bad ? CAUSEWAY_BAD_KEY : CAUSEWAY_OK);
		bad += expect_bad;
	}
	assert_int_equal(bad, 100);
	assert_int_equal(causeway_counter(p.queue), 28);
	assert_int_equal(causeway_errors(p.queue, e, 128), 100);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(e[i].id, UINT64_C(0xabcd000000000000) + i);
		assert_int_equal(e[i].status, CAUSEWAY_BAD_KEY);
		assert_int_equal(e[i].culprit, i % 3 ? CAUSEWAY_AT_LOCAL
		                                     : CAUSEWAY_AT_REMOTE);
	}
	assert_int_equal(causeway_errors(p.queue, e, 128), 0);
	close_pair(&p);
}

/* shows M9: things that are no commands */
static void no_commands(void **state)
{
	static const struct {
		uint32_t opcode, flags;
		uint64_t offset, length;
		enum causeway_status status;
	} rows[] = {
		{ 0, 0, 0, 8, CAUSEWAY_INVALID },
		{ 5, 0, 0, 8, CAUSEWAY_INVALID },
		{ UINT32_MAX, 0, 0, 8, CAUSEWAY_INVALID },
		{ CAUSEWAY_OP_READ, 8, 0, 8, CAUSEWAY_INVALID },
		{ CAUSEWAY_OP_READ, 0, 0, 0, CAUSEWAY_INVALID },
		{ CAUSEWAY_OP_FAA, 0, 1, 8, CAUSEWAY_INVALID },
		{ CAUSEWAY_OP_CAS, 0, 4, 8, CAUSEWAY_INVALID },
		{ CAUSEWAY_OP_FAA, 0, 4096, 8, CAUSEWAY_RANGE },
		{ CAUSEWAY_OP_WRITE, 0, 0, UINT64_MAX, CAUSEWAY_TOO_LARGE },
		{ CAUSEWAY_OP_WRITE, 0, 0, 4097, CAUSEWAY_RANGE },
		{ CAUSEWAY_OP_READ, 0, 4096, 1, CAUSEWAY_RANGE },
		{ CAUSEWAY_OP_READ, 0, UINT64_MAX, 2, CAUSEWAY_RANGE },
	};
	struct pair p;

	(void)state;
	open_pair(&p, 4096, 4);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct causeway_error_record e;
		struct causeway_command c = {
			.opcode = rows[i].opcode,
			.flags = rows[i].flags,
			.id = i,
			.local = *causeway_region_key(p.near_memory),
			.remote = *causeway_window_key(p.window),
			.remote_offset = rows[i].offset,
			.length = rows[i].length,
		};

		assert_true(causeway_submit(p.queue, &c) >= 0);
		assert_int_equal(one(p.queue).status, rows[i].status);
		assert_int_equal(causeway_errors(p.queue, &e, 1), 1);
		assert_int_equal(e.id, i);
		assert_int_equal(e.status, rows[i].status);
	}
	assert_int_equal(causeway_counter(p.queue), 0);
	close_pair(&p);
}

/* shows M11: when the bit is seen the data are there; M12 for writes */
static void bit_after_data(void **state)
{
	const unsigned depth = 64, rounds = 1000000 / 64 + 1;
	struct causeway_completion done[64];
	uint64_t *near, *far;
	struct pair p;
	unsigned n = 0;

	(void)state;
	open_pair(&p, 64 * 4096, depth);
	near = causeway_region_data(p.near_memory);
	far = causeway_region_data(p.far_memory);
	for (unsigned round = 1; round <= rounds; round++) {
		bool write = round % 2;
		volatile uint64_t *to = write ? far : near;
		uint64_t *from = write ? near : far;
		int slot[64];
		int left = (int)depth;

		for (unsigned i = 0; i < depth; i++)
			from[i * 512 + 511] = (uint64_t)round << 8 | i;
		for (unsigned i = 0; i < depth; i++) {
			slot[i] = (write ? causeway_write : causeway_read)(
				p.queue, i, p.near_memory, i * 4096 + 8,
				p.window, i * 4096 + 8, 4088);
			assert_true(slot[i] >= 0);
		}
		for (unsigned i = 0; i < depth; i++) {
			while (!causeway_done(p.queue, (unsigned)slot[i]))
				sched_yield(); /* cores are few here */
			if (to[i * 512 + 511] != ((uint64_t)round << 8 | i))
				fail_msg("round %u, slot %d", round, slot[i]);
			n++;
		}
		while (left > 0) {
			int got = causeway_poll(p.queue, done, depth);

			assert_true(got >= 0);
			left -= got;
		}
	}
	assert_true(n >= 1000000);
	assert_int_equal(causeway_counter(p.queue), rounds * depth);
	close_pair(&p);
}

/* shows M22 */
static void atomics(void **state)
{
	struct causeway_completion c;
	uint64_t *word;
	struct pair p;

	(void)state;
	open_pair(&p, 4096, 512);
	word = causeway_region_data(p.far_memory);
	word[3] = 40;
	causeway_fetch_and_add(p.queue, 1, p.window, 24, 2);
	c = one(p.queue);
	assert_int_equal(c.status, CAUSEWAY_OK);
	assert_int_equal(c.result, 40);
	assert_int_equal(word[3], 42);
	causeway_fetch_and_add(p.queue, 1, p.window, 24, UINT64_MAX);
	assert_int_equal(one(p.queue).result, 42);
	assert_int_equal(word[3], 41);
	causeway_compare_and_swap(p.queue, 2, p.window, 24, 41, 7);
	assert_int_equal(one(p.queue).result, 41);
	assert_int_equal(word[3], 7);
	causeway_compare_and_swap(p.queue, 3, p.window, 24, 41, 9);
	assert_int_equal(one(p.queue).result, 7);
	assert_int_equal(word[3], 7);
	/* Each once, however many are under way. */
	word[0] = 0;
	for (unsigned i = 0; i < 512; i++)
		assert_true(causeway_fetch_and_add(p.queue, i, p.window, 0,
		                                   1) >= 0);
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(one(p.queue).status, CAUSEWAY_OK);
	assert_int_equal(word[0], 512);
	close_pair(&p);
}

/* -- waiting --------------------------------------------------------------- */

/* shows M13: completion by a descriptor, and many outstanding */
static void by_descriptor(void **state)
{
	struct causeway_completion done[64];
	struct pollfd fd = { .events = POLLIN };
	struct pair p;
	unsigned n = 0;

	(void)state;
	open_pair(&p, 1 << 20, 1024);
	fd.fd = causeway_queue_fd(p.queue);
	assert_int_equal(causeway_arm(p.queue), 0);
	assert_int_equal(poll(&fd, 1, 0), 0);
	for (unsigned i = 0; i < 1024; i++)
		assert_true(causeway_read(p.queue, i, p.near_memory, i,
		                          p.window, i, 4096) >= 0);
	assert_int_equal(
		causeway_read(p.queue, 0, p.near_memory, 0, p.window, 0, 1),
		-EAGAIN);
	while (n < 1024) {
		int got;

		if (causeway_arm(p.queue) == 0)
			assert_true(poll(&fd, 1, WAIT_MS) == 1);
		while ((got = causeway_poll(p.queue, done, 64)) > 0)
			n += (unsigned)got;
		assert_int_equal(got, 0);
	}
	assert_int_equal(causeway_counter(p.queue), 1024);
	close_pair(&p);
}

/* A queue that sleeps at both ends loses no wake-up. */
static void wakes(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p, 4096, 2);
	for (unsigned i = 0; i < 300; i++) {
		/* Around the time after which the bridge sleeps. */
		usleep(i % 60 * 5);
		assert_true(causeway_read(p.queue, i, p.near_memory, 0,
		                          p.window, 0, 64) >= 0);
		assert_int_equal(one(p.queue).id, i);
	}
	close_pair(&p);
}

/* Order where it is asked for: a write is there before what is fenced. */
static void fences(void **state)
{
	struct causeway_completion c[3];
	uint64_t *near;
	struct pair p;

	(void)state;
	open_pair(&p, 8 << 20, 4);
	near = causeway_region_data(p.near_memory);
	for (uint64_t i = 1; i <= 20; i++) {
		struct causeway_command read = {
			.opcode = CAUSEWAY_OP_READ,
			.flags = CAUSEWAY_FENCE,
			.id = 2,
			.local = *causeway_region_key(p.near_memory),
			.remote = *causeway_window_key(p.window),
			.local_offset = 0,
			.remote_offset = (8 << 20) - 8,
			.length = 8,
		};
		int n = 0;

		near[0] = 0;
		near[(8 << 20) / 8 - 1] = i;
		causeway_write(p.queue, 1, p.near_memory, 8, p.window, 8,
		               (8 << 20) - 8);
		assert_true(causeway_submit(p.queue, &read) >= 0);
		while (n < 2) {
			int got = causeway_wait(p.queue, c, 3, WAIT_MS);

			assert_true(got > 0);
			n += got;
		}
		assert_int_equal(near[0], i);
	}
	close_pair(&p);
}

static int setup(void **state)
{
	(void)state;
	rig_bridge_start(&bridge, "here");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_bridge_stop(&bridge);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(both_keys),
		cmocka_unit_test(errors_and_counter),
		cmocka_unit_test(no_commands),
		cmocka_unit_test(bit_after_data),
		cmocka_unit_test(atomics),
		cmocka_unit_test(by_descriptor),
		cmocka_unit_test(wakes),
		cmocka_unit_test(fences),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
