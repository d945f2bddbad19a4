/* SPDX-License-Identifier: BSD-2-Clause */
/* What threads share: meant for the thread sanitizer as well. */
#include "../test.h"

#include "base/base.h"
#include "core/reactor.h"
#include "core/uring.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct reactor *make(unsigned spin_max_us)
{
	struct reactor_opts opts = {
		.name = "test",
		.spin_max_us = spin_max_us,
	};
	struct reactor *r;

	assert_int_equal(reactor_create(&opts, &r, NULL), 0);
	return r;
}

static void *run(void *r)
{
	reactor_run(r);
	return NULL;
}

/* -- many posters --------------------------------------------------------- */

#define POSTERS 4u
#define POSTS 25000u /* by each */

struct parcel {
	struct task task;
	unsigned poster;
	unsigned number;
};

static struct depot {
	struct reactor *r;
	unsigned next[POSTERS]; /* the reactor's */
	unsigned wrong;
	unsigned arrived;
} depot;

static void arrive(struct task *t)
{
	struct parcel *p = container_of(t, struct parcel, task);

	if (p->number != depot.next[p->poster]++)
		depot.wrong++;
	if (++depot.arrived == POSTERS * POSTS)
		reactor_stop(depot.r);
	free(p);
}

static void *post_all(void *arg)
{
	unsigned poster = (unsigned)(uintptr_t)arg;
	struct reactor_stats stats;

	/* The first post finds it asleep, others may. */
	do {
		usleep(100);
		reactor_stats(depot.r, &stats);
	} while (!stats.sleeps);
	for (unsigned i = 0; i < POSTS; i++) {
		struct parcel *p = malloc(sizeof(*p));

		*p = (struct parcel){ { NULL, arrive }, poster, i };
		task_post(depot.r, &p->task);
		if (i % 256 == 0)
			usleep(100);
		else if (i % 16 == 0)
			sched_yield();
	}
	return NULL;
}

static void posts_of_each_thread_arrive_in_order_and_none_is_lost(void **state)
{
	static const unsigned spins[] = { 0, 50 };

	(void)state;
	for (unsigned s = 0; s < ARRAY_LEN(spins); s++) {
		pthread_t posters[POSTERS];
		struct reactor_stats stats;

		depot = (struct depot){ .r = make(spins[s]) };
		for (unsigned i = 0; i < POSTERS; i++)
			pthread_create(&posters[i], NULL, post_all,
			               (void *)(uintptr_t)i);
		reactor_run(depot.r);
		for (unsigned i = 0; i < POSTERS; i++) {
			pthread_join(posters[i], NULL);
			assert_int_equal(depot.next[i], POSTS);
		}
		reactor_stats(depot.r, &stats);
		assert_int_equal(depot.wrong, 0);
		assert_int_equal(stats.tasks, POSTERS * POSTS);
		reactor_destroy(depot.r);
	}
}

/* -- two reactors and one ball -------------------------------------------- */

#define ROUNDS 20000u

static struct game {
	struct reactor *side[2];
	struct task ball;
	unsigned rounds;
} game;

static void hit(struct task *t)
{
	if (++game.rounds == ROUNDS) {
		reactor_stop(game.side[0]);
		reactor_stop(game.side[1]);
		return;
	}
	task_post(game.side[game.rounds & 1], t);
}

/* Each hit meets the other side just before, in or after its sleep: a single
 * lost wake-up would hang the game. */
static void a_task_posted_to_a_reactor_about_to_sleep_wakes_it(void **state)
{
	pthread_t other;

	(void)state;
	game = (struct game){ .side = { make(0), make(0) } };
	game.ball.run = hit;
	pthread_create(&other, NULL, run, game.side[1]);
	task_post(game.side[0], &game.ball);
	reactor_run(game.side[0]);
	pthread_join(other, NULL);
	assert_int_equal(game.rounds, ROUNDS);
	reactor_destroy(game.side[0]);
	reactor_destroy(game.side[1]);
}

static void a_stop_is_heard_whenever_it_comes(void **state)
{
	struct reactor *r = make(0);

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		pthread_t t;

		pthread_create(&t, NULL, run, r);
		if (i % 3)
			usleep(i % 50);
		reactor_stop(r);
		pthread_join(t, NULL);
	}
	reactor_destroy(r);
}

/* -- a poller whose peer is another thread -------------------------------- */

#define ITEMS 100000u
#define ALONE 20000u /* of these, each waits until the last is consumed */

/* A ring reduced to its counter, with the wake-up protocol of the real one. */
static struct {
	struct reactor *r;
	struct poller poller;
	struct watch watch;
	atomic_uint produced;
	atomic_bool wants_wake;
	atomic_uint consumed;
	unsigned prepared;
	unsigned woken;
} belt;

static bool belt_poll(struct poller *p)
{
	unsigned n = atomic_load(&belt.produced);

	(void)p;
	if (n == belt.consumed)
		return false;
	belt.consumed = n;
	if (n == ITEMS)
		reactor_stop(belt.r);
	return true;
}

static bool belt_prepare_sleep(struct poller *p)
{
	(void)p;
	belt.prepared++;
	atomic_store(&belt.wants_wake, true);
	return atomic_load(&belt.produced) == belt.consumed;
}

static void belt_woken(struct poller *p)
{
	(void)p;
	belt.woken++;
	atomic_store(&belt.wants_wake, false);
}

static void belt_ready(struct watch *w, uint32_t events)
{
	uint64_t count;

	assert_int_equal(events, EPOLLIN);
	assert_int_equal(read(w->fd, &count, sizeof(count)), 8);
}

static void *produce(void *arg)
{
	uint64_t one = 1;

	for (unsigned i = 0; i < ITEMS; i++) {
		atomic_fetch_add(&belt.produced, 1);
		if (atomic_exchange(&belt.wants_wake, false))
			assert_int_equal(write(belt.watch.fd, &one, 8), 8);
		if (i % 1000 == 0)
			usleep(200);
		/* A single lost wake-up would hang here. */
		while (i < ALONE && atomic_load(&belt.consumed) != i + 1)
			sched_yield();
	}
	return arg;
}

static void a_poller_that_prepares_its_sleep_misses_nothing(void **state)
{
	pthread_t producer;

	(void)state;
	belt.r = make(0);
	belt.poller = (struct poller){
		.poll = belt_poll,
		.prepare_sleep = belt_prepare_sleep,
		.woken = belt_woken,
	};
	belt.watch = (struct watch){
		.fd = eventfd(0, EFD_CLOEXEC),
		.events = EPOLLIN,
		.ready = belt_ready,
	};
	poller_start(belt.r, &belt.poller);
	assert_int_equal(watch_start(belt.r, &belt.watch), 0);
	pthread_create(&producer, NULL, produce, NULL);
	reactor_run(belt.r);
	pthread_join(producer, NULL);
	assert_int_equal(belt.consumed, ITEMS);
	assert_true(belt.prepared > 0);
	assert_int_equal(belt.prepared, belt.woken);
	poller_stop(belt.r, &belt.poller);
	watch_stop(belt.r, &belt.watch);
	close(belt.watch.fd);
	reactor_destroy(belt.r);
}

/* -- io_uring and sleep --------------------------------------------------- */

#define BYTES 10000u

static struct line {
	struct reactor *r;
	struct uring_request read;
	struct iovec v;
	char byte;
	int pipe[2];
	atomic_uint got;
} line;

static void got_byte(struct uring_request *q, int result)
{
	assert_int_equal(result, 1);
	if (atomic_fetch_add(&line.got, 1) + 1 == BYTES)
		reactor_stop(line.r);
	else
		uring_readv(line.r, q, line.pipe[0], &line.v, 1, (uint64_t)-1);
}

static void *send_bytes(void *arg)
{
	for (unsigned i = 0; i < BYTES; i++) {
		assert_int_equal(write(line.pipe[1], "!", 1), 1);
		while (atomic_load(&line.got) != i + 1)
			sched_yield();
	}
	return arg;
}

static void a_completion_on_the_way_to_sleep_is_not_missed(void **state)
{
	struct reactor_opts opts = { .name = "test", .uring_depth = 4 };
	pthread_t sender;

	(void)state;
	line.read.done = got_byte;
	line.v = (struct iovec){ &line.byte, 1 };
	assert_int_equal(pipe(line.pipe), 0);
	assert_int_equal(reactor_create(&opts, &line.r, NULL), 0);
	uring_readv(line.r, &line.read, line.pipe[0], &line.v, 1, (uint64_t)-1);
	pthread_create(&sender, NULL, send_bytes, NULL);
	reactor_run(line.r);
	pthread_join(sender, NULL);
	assert_int_equal(line.got, BYTES);
	reactor_destroy(line.r);
	close(line.pipe[0]);
	close(line.pipe[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			posts_of_each_thread_arrive_in_order_and_none_is_lost),
		cmocka_unit_test(
			a_task_posted_to_a_reactor_about_to_sleep_wakes_it),
		cmocka_unit_test(a_stop_is_heard_whenever_it_comes),
		cmocka_unit_test(
			a_poller_that_prepares_its_sleep_misses_nothing),
		cmocka_unit_test(
			a_completion_on_the_way_to_sleep_is_not_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
