/* SPDX-License-Identifier: BSD-2-Clause */
/* A descriptor that a thread waits for: here a pipe, which poll(2) knows. */
#include "base/base.h"
#include "core/reactor.h"
#include "mad/umad_waiter.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BYTES 300u

struct rig {
	struct reactor *reactor;
	struct umad_waiter *waiter;
	int fd[2];
	unsigned n;
};

static bool take(void *arg)
{
	struct rig *r = arg;
	char bytes[7];
	ssize_t n = read(r->fd[0], bytes, sizeof(bytes));

	if (n <= 0)
		return false;
	r->n += (unsigned)n;
	if (r->n == BYTES)
		reactor_stop(r->reactor);
	return true;
}

/* At times in bursts, at times when the reactor has gone to sleep. */
static void *write_all(void *arg)
{
	struct rig *r = arg;

	for (unsigned i = 0; i < BYTES; i++) {
		if (write(r->fd[1], "x", 1) != 1)
			abort();
		if (i % 10 == 0)
			usleep(2000);
	}
	return NULL;
}

static void start(struct rig *r)
{
	struct reactor_opts o = { .name = "waiter" };

	memset(r, 0, sizeof(*r));
	assert_int_equal(pipe2(r->fd, O_NONBLOCK), 0);
	assert_int_equal(reactor_create(&o, &r->reactor, NULL), 0);
	assert_int_equal(
		umad_waiter_create(r->reactor, r->fd[0], take, r, &r->waiter),
		0);
}

static void end(struct rig *r)
{
	umad_waiter_destroy(r->waiter);
	while (reactor_poll(r->reactor))
		;
	reactor_destroy(r->reactor);
	close(r->fd[0]);
	close(r->fd[1]);
}

static void test_wakes(void **state)
{
	struct reactor_stats stats;
	pthread_t writer;
	struct rig r;

	(void)state;
	start(&r);
	assert_int_equal(pthread_create(&writer, NULL, write_all, &r), 0);
	reactor_run(r.reactor);
	pthread_join(writer, NULL);
	assert_int_equal(r.n, BYTES);
	reactor_stats(r.reactor, &stats);
	assert_true(stats.sleeps > 0);
	end(&r);
}

static void stop(struct timer *t)
{
	(void)t;
	reactor_stop(reactor_current());
}

/* The end while the thread waits, and while it has just woken the reactor. */
static void test_end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct timer t = { .fire = stop };
		struct rig r;

		start(&r);
		timer_start(r.reactor, &t, NS_PER_MS);
		reactor_run(r.reactor);
		if (i % 2) {
			assert_int_equal(write(r.fd[1], "x", 1), 1);
			usleep(20000);
		}
		end(&r);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wakes),
		cmocka_unit_test(test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
