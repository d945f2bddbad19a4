/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "base/base.h"
#include "base/clock.h"
#include "core/reactor.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

/* What happened, one letter per call. */
struct story {
	struct reactor *r;
	char text[64];
};

static struct story story;

static void tell(char c)
{
	size_t n = strlen(story.text);

	assert_true(n + 1 < sizeof(story.text));
	story.text[n] = c;
}

/* -- simulated time ------------------------------------------------------- */

static uint64_t sim_now;

static uint64_t sim_now_ns(const struct clock *c)
{
	(void)c;
	return sim_now;
}

static const struct clock sim_clock = { sim_now_ns };

static int setup(void **state)
{
	struct reactor_opts opts = { .name = "test", .clock = &sim_clock };

	(void)state;
	memset(&story, 0, sizeof(story));
	sim_now = 1000 * NS_PER_S;
	return reactor_create(&opts, &story.r, NULL);
}

static int teardown(void **state)
{
	(void)state;
	reactor_destroy(story.r);
	return 0;
}

/* -- tasks ---------------------------------------------------------------- */

struct letter {
	struct task task;
	char c;
	struct letter *then;
};

static void run_letter(struct task *t)
{
	struct letter *l = container_of(t, struct letter, task);

	assert_ptr_equal(reactor_current(), story.r);
	tell(l->c);
	if (l->then)
		task_defer(story.r, &l->then->task);
}

static void tasks_run_in_order_and_never_inside_the_call(void **state)
{
	struct letter l[] = {
		{ { NULL, run_letter }, 'a', &l[3] },
		{ { NULL, run_letter }, 'b', NULL },
		{ { NULL, run_letter }, 'c', NULL },
		{ { NULL, run_letter }, 'd', NULL },
		{ { NULL, run_letter }, 'x', NULL },
		{ { NULL, run_letter }, 'y', NULL },
	};

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		task_defer(story.r, &l[i].task);
	task_post(story.r, &l[4].task);
	task_post(story.r, &l[5].task);
	assert_string_equal(story.text, "");
	assert_true(reactor_poll(story.r));
	assert_string_equal(story.text, "xyabcd");
	assert_false(reactor_poll(story.r));
	assert_null(reactor_current());
}

static void defer_again(struct task *t)
{
	tell('.');
	task_defer(story.r, t);
}

static void stop_defer(struct task *t)
{
	(void)t;
	tell('!');
}

static void a_task_that_defers_itself_does_not_hold_the_iteration(void **state)
{
	struct task t = { NULL, defer_again };

	(void)state;
	task_defer(story.r, &t);
	assert_true(reactor_poll(story.r));
	assert_in_range(strlen(story.text), 2, 32);
	t.run = stop_defer;
	assert_true(reactor_poll(story.r));
	assert_false(reactor_poll(story.r));
}

/* -- timers --------------------------------------------------------------- */

struct alarm {
	struct timer timer;
	char c;
	unsigned again;
	uint64_t period;
	struct alarm *stops;
};

static void fire_alarm(struct timer *t)
{
	struct alarm *a = container_of(t, struct alarm, timer);

	tell(a->c);
	if (a->again && a->again--)
		assert_int_equal(timer_start(story.r, t, a->period), 0);
	if (a->stops)
		timer_stop(story.r, &a->stops->timer);
}

static void timers_fire_in_order_of_their_times(void **state)
{
	struct alarm a[] = {
		{ .timer.fire = fire_alarm, .c = 'a' },
		{ .timer.fire = fire_alarm, .c = 'b' },
		{ .timer.fire = fire_alarm, .c = 'c' },
		{ .timer.fire = fire_alarm, .c = 'd' },
	};

	(void)state;
	timer_start(story.r, &a[2].timer, 300);
	timer_start(story.r, &a[0].timer, 100);
	timer_start(story.r, &a[3].timer, 400);
	timer_start(story.r, &a[1].timer, 9999);
	timer_start(story.r, &a[1].timer, 200); /* moved forwards */
	assert_false(reactor_poll(story.r));
	sim_now += 250;
	assert_true(reactor_poll(story.r));
	assert_string_equal(story.text, "ab");
	timer_start(story.r, &a[2].timer, 1000); /* and backwards */
	sim_now += 500;
	assert_true(reactor_poll(story.r));
	assert_string_equal(story.text, "abd");
	timer_stop(story.r, &a[2].timer);
	timer_stop(story.r, &a[2].timer);
	sim_now += 5000;
	assert_false(reactor_poll(story.r));
}

static void a_timer_may_start_itself_again_even_without_delay(void **state)
{
	struct alarm a = { .timer.fire = fire_alarm, .c = 't', .again = 3 };

	(void)state;
	timer_start(story.r, &a.timer, 0);
	for (unsigned i = 0; i < 10; i++) {
		sim_now++;
		reactor_poll(story.r);
		assert_int_equal(strlen(story.text), i < 4 ? i + 1 : 4);
	}
}

static void a_timer_stopped_by_another_of_the_same_time_is_quiet(void **state)
{
	struct alarm a[2] = {
		{ .timer.fire = fire_alarm, .c = 'a', .stops = &a[1] },
		{ .timer.fire = fire_alarm, .c = 'b', .stops = &a[0] },
	};

	(void)state;
	timer_start(story.r, &a[0].timer, 10);
	timer_start(story.r, &a[1].timer, 10);
	sim_now += 100;
	assert_true(reactor_poll(story.r));
	assert_int_equal(strlen(story.text), 1);
	assert_false(reactor_poll(story.r));
}

#define TIMERS 2000

static uint64_t last_due;
static unsigned fired;

static void fire_in_order(struct timer *t)
{
	assert_true(t->due_ns >= last_due);
	last_due = t->due_ns;
	fired++;
}

static void many_timers_keep_their_order_when_some_are_stopped(void **state)
{
	static struct timer timers[TIMERS];
	uint64_t seed = 1;
	unsigned stopped = 0;

	(void)state;
	last_due = 0;
	fired = 0;
	for (unsigned i = 0; i < TIMERS; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		timers[i].fire = fire_in_order;
		timer_start(story.r, &timers[i], (seed >> 40) % 100000);
	}
	for (unsigned i = 0; i < TIMERS; i += 3, stopped++)
		timer_stop(story.r, &timers[i]);
	for (unsigned i = 0; i < 110; i++) {
		sim_now += 1000;
		reactor_poll(story.r);
	}
	assert_int_equal(fired, TIMERS - stopped);
}

/* -- watches -------------------------------------------------------------- */

struct bell {
	struct watch watch;
	char c;
	struct bell *stops;
};

static void ring_bell(struct watch *w, uint32_t events)
{
	struct bell *b = container_of(w, struct bell, watch);

	assert_int_equal(events, EPOLLIN);
	tell(b->c);
	if (b->stops)
		watch_stop(story.r, &b->stops->watch);
	b->stops = NULL;
}

static void bell_start(struct bell *b, char c)
{
	*b = (struct bell){
		.watch = { .fd = eventfd(1, EFD_CLOEXEC),
		           .events = EPOLLIN,
		           .ready = ring_bell },
		.c = c,
	};
	assert_int_equal(watch_start(story.r, &b->watch), 0);
}

static void a_watch_is_called_while_its_descriptor_is_ready(void **state)
{
	struct bell b;
	uint64_t count;

	(void)state;
	bell_start(&b, 'b');
	assert_true(reactor_poll(story.r));
	assert_true(reactor_poll(story.r));
	assert_string_equal(story.text, "bb");
	assert_int_equal(read(b.watch.fd, &count, 8), 8);
	assert_false(reactor_poll(story.r));
	watch_stop(story.r, &b.watch);
	close(b.watch.fd);
}

static void a_watch_stopped_by_another_of_its_batch_is_not_called(void **state)
{
	struct bell b[2];

	(void)state;
	bell_start(&b[0], 'a');
	bell_start(&b[1], 'b');
	b[0].stops = &b[1]; /* whichever comes first stops the other */
	b[1].stops = &b[0];
	assert_true(reactor_poll(story.r));
	assert_int_equal(strlen(story.text), 1);
	watch_stop(story.r, &b[story.text[0] == 'a' ? 0 : 1].watch);
	assert_false(reactor_poll(story.r));
	close(b[0].watch.fd);
	close(b[1].watch.fd);
}

static void a_modified_watch_hears_only_what_it_asked_for(void **state)
{
	struct bell b;

	(void)state;
	bell_start(&b, 'b');
	watch_modify(story.r, &b.watch, 0);
	assert_false(reactor_poll(story.r));
	watch_modify(story.r, &b.watch, EPOLLIN);
	assert_true(reactor_poll(story.r));
	assert_string_equal(story.text, "b");
	watch_stop(story.r, &b.watch);
	close(b.watch.fd);
}

static void a_regular_file_cannot_be_watched(void **state)
{
	struct watch w = { .fd = 0, .events = EPOLLIN, .ready = ring_bell };
	char path[] = "/tmp/causeway-watch-XXXXXX";

	(void)state;
	w.fd = mkstemp(path);
	unlink(path);
	assert_int_equal(watch_start(story.r, &w), -EPERM);
	close(w.fd);
}

/* -- pollers -------------------------------------------------------------- */

struct source {
	struct poller poller;
	char c;
	unsigned work;
	struct source *stops;
};

static bool poll_source(struct poller *p)
{
	struct source *s = container_of(p, struct source, poller);

	tell(s->c);
	if (s->stops)
		poller_stop(story.r, &s->stops->poller);
	s->stops = NULL;
	return s->work && s->work--;
}

static void pollers_are_asked_every_time_and_may_stop_each_other(void **state)
{
	struct source s[] = {
		{ .poller.poll = poll_source, .c = 'a', .work = 1 },
		{ .poller.poll = poll_source, .c = 'b' },
		{ .poller.poll = poll_source, .c = 'c' },
	};

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		poller_start(story.r, &s[i].poller);
	assert_true(reactor_poll(story.r));
	assert_false(reactor_poll(story.r));
	assert_string_equal(story.text, "abcabc");
	s[0].stops = &s[1];
	reactor_poll(story.r);
	assert_string_equal(story.text, "abcabcac");
	s[2].stops = &s[2];
	reactor_poll(story.r);
	reactor_poll(story.r);
	assert_string_equal(story.text, "abcabcacaca");
	poller_stop(story.r, &s[0].poller);
}

struct sleeper {
	struct poller poller;
	unsigned prepared;
	unsigned woken;
	unsigned busy; /* so many times it finds itself not idle */
};

static bool poll_idle(struct poller *p)
{
	(void)p;
	return false;
}

static bool prepare(struct poller *p)
{
	struct sleeper *s = container_of(p, struct sleeper, poller);

	s->prepared++;
	if (s->busy && s->busy--)
		return false;
	return true;
}

static bool prepare_and_stop(struct poller *p)
{
	reactor_stop(story.r);
	return prepare(p);
}

static void woken(struct poller *p)
{
	container_of(p, struct sleeper, poller)->woken++;
}

static void a_poller_that_is_not_idle_cancels_the_sleep(void **state)
{
	struct sleeper s[] = {
		{ .poller = { poll_idle, prepare, woken, .link = { 0 } },
		  .busy = 5 },
		{ .poller = { poll_idle, prepare_and_stop, woken,
		              .link = { 0 } } },
	};
	struct reactor_stats stats;

	(void)state;
	poller_start(story.r, &s[0].poller);
	poller_start(story.r, &s[1].poller);
	reactor_run(story.r);
	reactor_stats(story.r, &stats);
	assert_int_equal(stats.sleeps, 0);
	assert_int_equal(s[0].prepared, 6);
	assert_int_equal(s[0].woken, 6);
	assert_int_equal(s[1].prepared, 1);
	assert_int_equal(s[1].woken, 1);
	poller_stop(story.r, &s[0].poller);
	poller_stop(story.r, &s[1].poller);
}

static int lowest_free_fd(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

static void a_reactor_without_descriptors_is_refused_with_a_reason(void **state)
{
	struct reactor_opts opts = { .name = "test", .uring_depth = 8 };
	struct rlimit before, tight;
	int free_fd = lowest_free_fd();
	unsigned refused = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (;; refused++) {
		struct reactor *r = NULL;
		struct err e = { 0 };
		int err;

		tight = before;
		tight.rlim_cur = (rlim_t)free_fd + refused;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
		err = reactor_create(&opts, &r, &e);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		reactor_destroy(r);
		assert_int_equal(lowest_free_fd(), free_fd);
		if (!err)
			break;
		assert_int_equal(err, -EMFILE);
		assert_int_equal(e.code, -EMFILE);
		assert_non_null(strstr(e.text, "open files"));
		assert_null(r);
	}
	assert_int_equal(refused, 3); /* epoll, eventfd, io_uring */
}

static void a_bound_reactor_is_current_outside_of_it_too(void **state)
{
	(void)state;
	assert_null(reactor_current());
	reactor_bind(story.r);
	assert_ptr_equal(reactor_current(), story.r);
	reactor_poll(story.r);
	assert_ptr_equal(reactor_current(), story.r);
	reactor_bind(NULL);
	assert_null(reactor_current());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tasks_run_in_order_and_never_inside_the_call),
		TEST(a_task_that_defers_itself_does_not_hold_the_iteration),
		TEST(timers_fire_in_order_of_their_times),
		TEST(a_timer_may_start_itself_again_even_without_delay),
		TEST(a_timer_stopped_by_another_of_the_same_time_is_quiet),
		TEST(many_timers_keep_their_order_when_some_are_stopped),
		TEST(a_watch_is_called_while_its_descriptor_is_ready),
		TEST(a_watch_stopped_by_another_of_its_batch_is_not_called),
		TEST(a_modified_watch_hears_only_what_it_asked_for),
		TEST(a_regular_file_cannot_be_watched),
		TEST(pollers_are_asked_every_time_and_may_stop_each_other),
		TEST(a_poller_that_is_not_idle_cancels_the_sleep),
		TEST(a_reactor_without_descriptors_is_refused_with_a_reason),
		TEST(a_bound_reactor_is_current_outside_of_it_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
