/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process of one node borrows memory of another by libcauseway.
 * shows S1, S2, S19
 */
#include "../test.h"
#include "../window/rig_bridge.h"

#include "base/base.h"
#include "base/clock.h"

#include <causeway/causeway.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RW (CAUSEWAY_READ | CAUSEWAY_WRITE)
#define MIB (UINT64_C(1) << 20)
#define WAIT_MS 20000
#define LEASE_MS 1000u

static struct rig_bridge a, b; /* a borrows of b */

struct setting {
	struct window_offer offer;
	uint64_t within_ms;
	struct window_offer_info info;
};

static void set(void *ctx)
{
	struct setting *s = ctx;

	window_offer_set(b.host, &s->offer, s->within_ms, NULL);
}

static void get(void *ctx)
{
	window_offer_get(b.host, &((struct setting *)ctx)->info);
}

static void offer(uint64_t size, uint64_t within_ms)
{
	struct setting s = { .offer = { .size = size, .lease_ms = LEASE_MS },
		             .within_ms = within_ms };

	rig_bridge_call(&b, set, &s);
}

static uint64_t lent(void)
{
	struct setting s;

	rig_bridge_call(&b, get, &s);
	return s.info.lent;
}

static bool becomes(uint64_t bytes)
{
	for (unsigned i = 0; i < WAIT_MS / 10; i++) {
		if (lent() == bytes)
			return true;
		usleep(10000);
	}
	return false;
}

static uint32_t move(struct causeway_queue *q, struct causeway_region *r,
                     struct causeway_window *w, bool is_write, uint64_t at)
{
	struct causeway_completion c = { 0 };

	assert_true((is_write ? causeway_write(q, 1, r, 0, w, at, 4096)
	                      : causeway_read(q, 1, r, 0, w, at, 4096)) >= 0);
	assert_int_equal(causeway_wait(q, &c, 1, WAIT_MS), 1);
	return c.status;
}

struct borrower {
	struct causeway *context;
	struct causeway_region *region;
	struct causeway_queue *queue;
	struct causeway_window *window;
};

static void open_borrower(struct borrower *x, uint64_t length)
{
	assert_int_equal(causeway_open(a.path, &x->context), 0);
	assert_int_equal(
		causeway_region_create(x->context, 4096, RW, &x->region), 0);
	assert_int_equal(causeway_queue_create(x->context, 8, &x->queue), 0);
	if (causeway_borrow(x->context, "beta", length, NULL, &x->window))
		fail_msg("%s", causeway_error(x->context));
}

static void borrowed_and_given_back(void **state)
{
	char text[CAUSEWAY_DESCRIPTOR_MAX];
	struct causeway_window *none = NULL, *again;
	uint64_t free_there = 7;
	struct borrower x;
	uint8_t *data;

	(void)state;
	offer(16 * MIB, 0);
	open_borrower(&x, 10 * MIB);
	assert_int_equal(causeway_window_length(x.window), 10 * MIB);
	assert_int_equal(causeway_window_rights(x.window), RW);
	assert_int_equal(lent(), 10 * MIB);
	assert_int_equal(
		causeway_borrow(x.context, "beta", 7 * MIB, &free_there, &none),
		-ENOSPC);
	assert_int_equal(free_there, 6 * MIB);
	assert_non_null(strstr(causeway_error(x.context), "6 MiB left"));
	assert_int_equal(causeway_borrow(x.context, "alpha", 1, NULL, &none),
	                 -EINVAL);
	assert_int_equal(causeway_borrow(x.context, "zeta", 1, NULL, &none),
	                 -EHOSTUNREACH);
	assert_int_equal(causeway_borrow(x.context, "a/b", 1, NULL, &none),
	                 -EINVAL);
	assert_null(none);

	data = causeway_region_data(x.region);
	assert_int_equal(move(x.queue, x.region, x.window, false, 0), 0);
	assert_int_equal(data[4095], 0);
	memset(data, 0x77, 4096);
	assert_int_equal(move(x.queue, x.region, x.window, true, 4096), 0);
	/* By its descriptor, as after a restart of the bridge. */
	causeway_window_descriptor(x.window, text);
	assert_int_equal(causeway_import(x.context, text, &again), 0);
	memset(data, 0, 4096);
	assert_int_equal(move(x.queue, x.region, again, false, 4096), 0);
	assert_int_equal(data[9], 0x77);
	/* The lease is renewed. */
	usleep(2 * LEASE_MS * 1000);
	assert_int_equal(move(x.queue, x.region, again, false, 4096), 0);
	causeway_window_close(again);
	causeway_window_close(x.window);
	assert_true(becomes(0));
	causeway_close(x.context);
}

static void a_process_that_dies_gives_back(void **state)
{
	int status, ready[2];
	char c;
	pid_t pid;

	(void)state;
	offer(16 * MIB, 0);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		struct borrower x;

		open_borrower(&x, 16 * MIB);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(lent(), 16 * MIB);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_true(becomes(0));
	close(ready[0]);
	close(ready[1]);
}

static void the_owner_asks_for_it(void **state)
{
	unsigned left_ms = 0;
	struct borrower x;
	uint32_t s;

	(void)state;
	offer(16 * MIB, 0);
	open_borrower(&x, 8 * MIB);
	assert_int_equal(causeway_window_recalled(x.window, &left_ms), 0);
	offer(4 * MIB, 3000);
	for (unsigned i = 0; i < 2000; i++) {
		if (causeway_window_recalled(x.window, &left_ms))
			break;
		usleep(1000);
	}
	assert_int_equal(causeway_window_recalled(x.window, &left_ms), 1);
	assert_in_range(left_ms, 1, 3000);
	assert_int_equal(move(x.queue, x.region, x.window, true, 0), 0);
	/* Nobody gives it back, so it is taken. */
	assert_true(becomes(0));
	s = move(x.queue, x.region, x.window, true, 0);
	assert_true(s == CAUSEWAY_EXPIRED || s == CAUSEWAY_REVOKED);
	causeway_close(x.context);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(borrowed_and_given_back),
		cmocka_unit_test(a_process_that_dies_gives_back),
		cmocka_unit_test(the_owner_asks_for_it),
	};
	int failed;

	rig_bridge_start(&a, "alpha");
	rig_bridge_start(&b, "beta");
	rig_bridge_network(&a, 1);
	rig_bridge_network(&b, 2);
	rig_bridge_introduce(&a, &b, b.port);
	rig_bridge_introduce(&b, &a, a.port);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rig_bridge_stop(&a);
	rig_bridge_stop(&b);
	return failed;
}
