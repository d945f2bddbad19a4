/* SPDX-License-Identifier: BSD-2-Clause */
/* An idle reactor costs nearly nothing, in CPU time and not in wall time. */
#include "../test.h"

#include "base/base.h"
#include "base/clock.h"
#include "core/reactor.h"
#include "core/uring.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define SECONDS 10u
#define TICK_NS NS_PER_S

static struct {
	struct reactor *r;
	struct watch watch;
	struct poller poller;
	struct timer timer;
	struct uring_request read;
	int pipe[2];
	char byte;
	unsigned ticks;
	unsigned polls;
	atomic_uint rings;
	atomic_uint reads;
} node;

static void ready(struct watch *w, uint32_t events)
{
	uint64_t count;

	(void)events;
	assert_int_equal(read(w->fd, &count, 8), 8);
	atomic_fetch_add(&node.rings, 1);
}

static bool poll_nothing(struct poller *p)
{
	(void)p;
	node.polls++;
	return false;
}

static void tick(struct timer *t)
{
	node.ticks++;
	timer_start(node.r, t, TICK_NS);
}

static void read_done(struct uring_request *q, int result)
{
	(void)q;
	assert_int_equal(result, 1);
	atomic_fetch_add(&node.reads, 1);
}

static void *run(void *arg)
{
	struct iovec v = { &node.byte, 1 };

	timer_start(node.r, &node.timer, TICK_NS);
	/* In flight for the whole time. */
	uring_readv(node.r, &node.read, node.pipe[0], &v, 1, (uint64_t)-1);
	reactor_run(node.r);
	timer_stop(node.r, &node.timer);
	return arg;
}

static uint64_t cpu_ns(pthread_t thread)
{
	struct timespec t;
	clockid_t id;

	assert_int_equal(pthread_getcpuclockid(thread, &id), 0);
	assert_int_equal(clock_gettime(id, &t), 0);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static bool within_a_second(atomic_uint *what, unsigned want)
{
	for (unsigned i = 0; i < 1000 && atomic_load(what) < want; i++)
		usleep(1000);
	return atomic_load(what) == want;
}

static int setup(void **state)
{
	struct reactor_opts opts = {
		.name = "idle",
		.spin_max_us = 50,
		.uring_depth = 64,
	};

	(void)state;
	node.watch.fd = eventfd(0, EFD_CLOEXEC);
	node.watch.events = EPOLLIN;
	node.watch.ready = ready;
	node.poller.poll = poll_nothing;
	node.timer.fire = tick;
	node.read.done = read_done;
	return pipe(node.pipe) || reactor_create(&opts, &node.r, NULL) ||
	       watch_start(node.r, &node.watch);
}

static void an_idle_reactor_sleeps_and_still_reacts(void **state)
{
	struct reactor_stats stats;
	uint64_t used, begun, one = 1;
	pthread_t thread;

	(void)state;
	poller_start(node.r, &node.poller);
	pthread_create(&thread, NULL, run, NULL);
	usleep(10000);
	begun = clock_now_ns();
	used = cpu_ns(thread);
	while (clock_now_ns() - begun < SECONDS * NS_PER_S)
		usleep(100000);
	used = cpu_ns(thread) - used;
	print_message("# %.4f %% of a core\n",
	              (double)used * 100 / (SECONDS * (double)NS_PER_S));
	assert_true(used < SECONDS * NS_PER_S / 200);

	assert_int_equal(write(node.watch.fd, &one, 8), 8);
	assert_true(within_a_second(&node.rings, 1));
	assert_int_equal(write(node.pipe[1], "!", 1), 1);
	assert_true(within_a_second(&node.reads, 1));
	reactor_stop(node.r);
	pthread_join(thread, NULL);
	assert_in_range(node.ticks, SECONDS - 1, SECONDS + 1);
	reactor_stats(node.r, &stats);
	assert_in_range(stats.sleeps, SECONDS - 1, 5 * SECONDS);
	poller_stop(node.r, &node.poller);
	watch_stop(node.r, &node.watch);
	reactor_destroy(node.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_idle_reactor_sleeps_and_still_reacts,
		                       setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
