/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shows M18: keys are taken back in the middle of transfers.  RACES=100000
 * runs them all (`tools/dev test revoke`); CI runs some.
 */
#include "../test.h"
#include "../window/rig_bridge.h"

#include "base/base.h"
#include "base/clock.h"
#include "core/histogram.h"

#include <causeway/causeway.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RW (CAUSEWAY_READ | CAUSEWAY_WRITE)
#define WAIT_MS 20000
#define BYTES (256u << 10)
#define COMMANDS 4u

static struct rig_bridge bridge;

/* Which memory is written, and whose key ends. */
struct race {
	struct causeway *near, *far;
	struct causeway_region *from, *to; /* near's */
	struct causeway_region *target;    /* far's */
	struct causeway_queue *queue;
	uint8_t *snapshot;
	unsigned n_cut; /* races in which something did not move */
};

static unsigned races(void)
{
	const char *text = getenv("RACES");

	return text ? (unsigned)strtoul(text, NULL, 10) : 1000;
}

static struct causeway_key far_key(struct race *r,
                                   struct causeway_window **window)
{
	const struct causeway_range range = { *causeway_region_key(r->target),
		                              0, BYTES };
	struct causeway_grant_options o = { .node = causeway_node(r->far),
		                            .rights = RW };
	char text[CAUSEWAY_DESCRIPTOR_MAX];
	struct causeway_key key;

	causeway_identity(r->near, &o.process);
	assert_int_equal(causeway_grant(r->far, &range, 1, &o, &key, text), 0);
	assert_int_equal(causeway_import(r->near, text, window), 0);
	return key;
}

static struct causeway_key near_key(struct race *r)
{
	const struct causeway_range range = { *causeway_region_key(r->to), 0,
		                              BYTES };
	const struct causeway_grant_options o = { .rights = RW };
	struct causeway_key key;

	assert_int_equal(causeway_grant(r->near, &range, 1, &o, &key, NULL), 0);
	return key;
}

static void wait_a_moment(unsigned n)
{
	for (volatile unsigned i = 0; i < n; i++)
		;
}

/* `local`: READs, and the local key ends; else WRITEs, and the remote one. */
static void one_race(struct race *r, unsigned n, bool local,
                     struct histogram *took)
{
	struct causeway_window *window;
	struct causeway_key remote = far_key(r, &window);
	struct causeway_key mine = near_key(r);
	uint8_t *written = causeway_region_data(local ? r->to : r->target);
	uint8_t *source = causeway_region_data(local ? r->target : r->from);
	struct causeway_completion done[COMMANDS];
	struct causeway_command c = {
		.opcode = local ? CAUSEWAY_OP_READ : CAUSEWAY_OP_WRITE,
		.local = local ? mine : *causeway_region_key(r->from),
		.remote = *causeway_window_key(window),
		.length = BYTES,
	};
	unsigned left = COMMANDS, n_ok = 0;
	uint64_t began;

	memset(source, (int)(n % 251 + 1), BYTES);
	for (unsigned i = 0; i < COMMANDS; i++)
		assert_true(causeway_submit(r->queue, &c) >= 0);
	wait_a_moment(n * 7919 % 40000);
	began = clock_now_ns();
	assert_int_equal(local ? causeway_revoke(r->near, &mine)
	                       : causeway_revoke(r->far, &remote),
	                 0);
	histogram_add(took, clock_now_ns() - began);
	memcpy(r->snapshot, written, BYTES);
	while (left > 0) {
		int got = causeway_wait(r->queue, done, COMMANDS, WAIT_MS);

		assert_true(got > 0);
		for (int i = 0; i < got; i++) {
			n_ok += done[i].status == CAUSEWAY_OK;
			assert_true(done[i].status == CAUSEWAY_OK ||
			            done[i].status == CAUSEWAY_REVOKED);
		}
		left -= (unsigned)got;
	}
	if (memcmp(r->snapshot, written, BYTES) != 0)
		fail_msg("race %u: bytes moved after the revoke", n);
	r->n_cut += n_ok < COMMANDS;
	if (!local)
		assert_int_equal(causeway_revoke(r->near, &mine), 0);
	else
		assert_int_equal(causeway_revoke(r->far, &remote), 0);
	causeway_window_close(window);
}

static void race(bool local)
{
	struct race r = { .snapshot = malloc(BYTES) };
	struct histogram *took = calloc(1, sizeof(*took));
	unsigned n = races();

	assert_int_equal(causeway_open(bridge.path, &r.near), 0);
	assert_int_equal(causeway_open(bridge.path, &r.far), 0);
	assert_int_equal(causeway_region_create(r.near, BYTES, RW, &r.from), 0);
	assert_int_equal(causeway_region_create(r.near, BYTES, RW, &r.to), 0);
	assert_int_equal(causeway_region_create(r.far, BYTES, RW, &r.target),
	                 0);
	assert_int_equal(causeway_queue_create(r.near, COMMANDS, &r.queue), 0);
	for (unsigned i = 0; i < n; i++)
		one_race(&r, i, local, took);
	print_message("# %u of %u races were cut short; revoke p99 %llu us\n",
	              r.n_cut, n,
	              (unsigned long long)histogram_percentile(took, 99) /
	                      NS_PER_US);
	/* Otherwise there was no race. */
	assert_true(r.n_cut > 0);
	causeway_close(r.near);
	causeway_close(r.far);
	free(r.snapshot);
	free(took);
}

static void far_key_ends(void **state)
{
	(void)state;
	race(false);
}

static void near_key_ends(void **state)
{
	(void)state;
	race(true);
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
		cmocka_unit_test(far_key_ends),
		cmocka_unit_test(near_key_ends),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
