/* SPDX-License-Identifier: BSD-2-Clause */
/* When and how a reactor without work sleeps. */
#include "../test.h"

#include "base/base.h"
#include "base/clock.h"
#include "core/reactor.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* -- spinning ------------------------------------------------------------- */

static struct reactor *reactor;
static uint64_t sim_now = 1000 * NS_PER_S;

static uint64_t sim_now_ns(const struct clock *c)
{
	(void)c;
	return sim_now;
}

static const struct clock sim_clock = { sim_now_ns };

/* Work that comes `after_us` into a gap; or only when the reactor sleeps, as
 * when who brings it waits for the same core. */
struct market {
	struct poller poller;
	uint64_t after_us; /* 0: only then */
	uint64_t began;    /* the gap */
	bool slept;
	unsigned gaps;
	unsigned spins;
	unsigned sleeps;
};

static bool poll_market(struct poller *p)
{
	struct market *m = container_of(p, struct market, poller);

	sim_now += NS_PER_US;
	if (m->after_us ? sim_now - m->began < m->after_us * NS_PER_US
	                : !m->slept) {
		m->spins++;
		return false;
	}
	m->slept = false;
	m->began = sim_now;
	if (--m->gaps == 0)
		reactor_stop(reactor);
	return true;
}

static bool visit_market(struct poller *p)
{
	struct market *m = container_of(p, struct market, poller);

	m->slept = true;
	m->sleeps++;
	return false; /* the work is there */
}

static struct market trade(uint64_t after_us, unsigned gaps)
{
	struct market m = { .poller = { .poll = poll_market,
		                        .prepare_sleep = visit_market },
		            .after_us = after_us,
		            .began = sim_now,
		            .gaps = gaps };

	poller_start(reactor, &m.poller);
	reactor_run(reactor);
	poller_stop(reactor, &m.poller);
	return m;
}

static void a_reactor_spins_while_that_pays(void **state)
{
	struct reactor_opts opts = { .name = "test",
		                     .clock = &sim_clock,
		                     .spin_max_us = 50 };
	struct market m;

	(void)state;
	assert_int_equal(reactor_create(&opts, &reactor, NULL), 0);
	m = trade(10, 1000);
	assert_in_range(m.sleeps, 1, 200); /* until it knows the gaps */
	m = trade(10, 1000);
	assert_int_equal(m.sleeps, 0);
	/* In vain each time: a few spins, to see whether that is still so. */
	m = trade(0, 1000);
	assert_in_range(m.spins, 1000, 1000 + 25 * 50);
	m = trade(0, 1000);
	assert_in_range(m.spins, 1000, 1000 + 17 * 50);
	/* And it comes back to them when that has changed. */
	trade(10, 100);
	m = trade(10, 1000);
	assert_int_equal(m.sleeps, 0);
	reactor_destroy(reactor);
}

/* -- how long ------------------------------------------------------------- */

/* As in a container whose filter does not know the call. */
static int forbid_epoll_pwait2(int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		         offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_LEN(filter),
		                      .filter = filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void stop_there(struct timer *t)
{
	(void)t;
	reactor_stop(reactor_current());
}

/* 0 if a timer of 2.5 ms ends a sleep in time and not early. */
static int sleep_without_epoll_pwait2(int error)
{
	struct timer timer = { .fire = stop_there };
	struct reactor_stats stats;
	struct reactor *r;
	uint64_t began;

	if (forbid_epoll_pwait2(error) ||
	    reactor_create(&(struct reactor_opts){ .name = "t" }, &r, NULL))
		return 1;
	began = clock_now_ns();
	timer_start(r, &timer, 2500 * NS_PER_US);
	reactor_run(r);
	reactor_stats(r, &stats);
	if (clock_now_ns() - began < 2500 * NS_PER_US)
		return 2;
	return stats.sleeps == 1 ? 0 : 3;
}

static void a_wait_is_rounded_up_where_nanoseconds_are_not_known(void **state)
{
	static const int errors[] = { ENOSYS, EPERM };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(errors); i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(sleep_without_epoll_pwait2(errors[i]));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reactor_spins_while_that_pays),
		cmocka_unit_test(
			a_wait_is_rounded_up_where_nanoseconds_are_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
