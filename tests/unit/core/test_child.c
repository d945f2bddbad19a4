/* SPDX-License-Identifier: BSD-2-Clause */
/* The children are this program too: see child_main(). */
#include "../test.h"

#include "base/base.h"
#include "base/clock.h"
#include "core/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Open in the tests at 3 and 4, so that a careless shuffle would lose one. */
#define FD_A 3
#define FD_B 4

/* -- the children --------------------------------------------------------- */

/* "0 1 2 3 4 5 A B /dev/null" to descriptor 5. */
static int report_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	bool open_fds[1024] = { false };
	char a[2] = "", b[2] = "", link[64] = "";
	struct dirent *d;

	while ((d = readdir(dir))) {
		int fd = atoi(d->d_name);

		if (d->d_name[0] != '.' && fd != dirfd(dir) && fd < 1024)
			open_fds[fd] = true;
	}
	closedir(dir);
	for (int i = 0; i < 1024; i++) {
		if (open_fds[i])
			dprintf(5, "%d ", i);
	}
	if (pread(3, a, 1, 0) != 1 || pread(4, b, 1, 0) != 1 ||
	    readlink("/proc/self/fd/0", link, sizeof(link) - 1) < 0)
		return 1;
	dprintf(5, "%s %s %s", a, b, link);
	return 0;
}

static int child_main(const char *mode)
{
	sigset_t mask;

	if (!strcmp(mode, "report"))
		return report_descriptors();
	if (!strcmp(mode, "die"))
		return 7;
	sigprocmask(SIG_BLOCK, NULL, &mask);
	if (sigismember(&mask, SIGTERM))
		return 1;
	if (!strcmp(mode, "stubborn"))
		signal(SIGTERM, SIG_IGN);
	if (write(3, "!", 1) != 1)
		return 1;
	for (;;)
		pause();
}

/* -- the tests ------------------------------------------------------------ */

struct fixture {
	struct reactor *r;
	struct child child;
	int fds[CHILD_FDS_MAX];
	int n_fds; /* or what prepare() shall fail with */
	unsigned deaths;
	int status;
	unsigned backoffs[8];
	bool stop_when_died;
};

static struct fixture f;

static int prepare(struct child *c, int fds[CHILD_FDS_MAX])
{
	(void)c;
	memcpy(fds, f.fds, sizeof(f.fds));
	return f.n_fds;
}

static void died(struct child *c, int status)
{
	f.status = status;
	if (f.deaths < ARRAY_LEN(f.backoffs))
		f.backoffs[f.deaths] = c->backoff_ms;
	f.deaths++;
	if (f.stop_when_died)
		child_stop(c, 0);
}

static int setup(void **state)
{
	struct reactor_opts opts = { .name = "test" };

	(void)state;
	memset(&f, 0, sizeof(f));
	f.child.prepare = prepare;
	f.child.died = died;
	f.child.name = "test child";
	return reactor_create(&opts, &f.r, NULL);
}

static int teardown(void **state)
{
	(void)state;
	reactor_destroy(f.r);
	return 0;
}

static void start(char *mode)
{
	static char *argv[4];
	struct err e = { 0 };

	argv[0] = "test-child";
	argv[1] = "--child";
	argv[2] = mode;
	f.child.argv = argv;
	if (child_start(f.r, &f.child, &e))
		fail_msg("%s", e.text);
	assert_int_equal(f.child.state, CHILD_RUNNING);
}

static void wait_for_deaths(unsigned n)
{
	uint64_t end = clock_now_ns() + 20 * NS_PER_S;

	while (f.deaths < n && clock_now_ns() < end) {
		if (!reactor_poll(f.r))
			usleep(1000);
	}
	assert_int_equal(f.deaths, n);
}

static void await_byte(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	assert_int_equal(poll(&p, 1, 20000), 1);
	assert_int_equal(read(fd, &byte, 1), 1);
}

static void passed_descriptors_are_there_and_no_other(void **state)
{
	char text[128] = "";
	int ends[2], extra[100];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	for (unsigned i = 0; i < ARRAY_LEN(extra); i++)
		extra[i] = dup(FD_A); /* inherited, if they were not closed */
	f.fds[0] = FD_B;
	f.fds[1] = FD_A;
	f.fds[2] = ends[1];
	f.n_fds = 3;
	f.stop_when_died = true;
	start("report");
	wait_for_deaths(1);
	assert_int_equal(f.status, 0);
	assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "0 1 2 3 4 5 B A /dev/null");
	for (unsigned i = 0; i < ARRAY_LEN(extra); i++)
		close(extra[i]);
	close(ends[0]);
	close(ends[1]);
}

static void a_child_that_keeps_dying_is_restarted_ever_later(void **state)
{
	uint64_t begun = clock_now_ns();

	(void)state;
	start("die");
	wait_for_deaths(5);
	assert_true(WIFEXITED(f.status) && WEXITSTATUS(f.status) == 7);
	assert_int_equal(f.backoffs[0], 0);
	assert_int_equal(f.backoffs[1], 50);
	assert_int_equal(f.backoffs[2], 100);
	assert_int_equal(f.backoffs[3], 200);
	assert_int_equal(f.backoffs[4], 400);
	assert_true(clock_now_ns() - begun >= 350 * NS_PER_MS);
	assert_int_equal(f.child.starts, 5);
	assert_int_equal(f.child.state, CHILD_BACKOFF);
	f.child.backoff_ms = 4000; /* as if it had gone on */
	child_stop(&f.child, 1000);
	assert_int_equal(f.child.state, CHILD_STOPPED);
	assert_int_equal(f.child.pid, 0);
	child_stop(&f.child, 1000);
}

static void a_killed_child_that_had_lived_is_back_at_once(void **state)
{
	int ends[2];
	pid_t first;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	f.fds[0] = ends[1];
	f.n_fds = 1;
	start("sleep");
	for (unsigned i = 0; i < 2; i++) {
		await_byte(ends[0]);
		/* As if it had run for long. */
		f.child.started_ns -= 2 * NS_PER_S;
		f.child.backoff_ms = 3200;
		first = f.child.pid;
		assert_int_equal(kill(first, SIGKILL), 0);
		wait_for_deaths(i + 1);
		assert_true(WIFSIGNALED(f.status));
		assert_int_equal(WTERMSIG(f.status), SIGKILL);
		assert_int_equal(f.backoffs[i], 0);
		while (f.child.state != CHILD_RUNNING)
			reactor_poll(f.r);
		assert_int_not_equal(f.child.pid, first);
	}
	await_byte(ends[0]);
	child_stop(&f.child, 10000);
	assert_int_equal(f.deaths, 2);
	close(ends[0]);
	close(ends[1]);
}

static void stop_waits_for_the_grace_and_no_longer(void **state)
{
	static const struct {
		char *mode;
		unsigned grace_ms, least_ms, most_ms;
	} rows[] = {
		{ "sleep", 10000, 0, 5000 },
		{ "stubborn", 200, 200, 5000 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t begun, ms;
		int ends[2];
		pid_t pid;

		assert_int_equal(pipe(ends), 0);
		f.fds[0] = ends[1];
		f.n_fds = 1;
		start(rows[i].mode);
		await_byte(ends[0]);
		pid = f.child.pid;
		begun = clock_now_ns();
		child_stop(&f.child, rows[i].grace_ms);
		ms = (clock_now_ns() - begun) / NS_PER_MS;
		assert_in_range(ms, rows[i].least_ms, rows[i].most_ms);
		assert_int_equal(kill(pid, 0), -1);
		assert_int_equal(errno, ESRCH);
		assert_false(reactor_poll(f.r));
		close(ends[0]);
		close(ends[1]);
	}
	assert_int_equal(f.deaths, 0);
}

static void a_failed_prepare_fails_the_start_and_delays_a_restart(void **state)
{
	char *argv[] = { "test-child", "--child", "die", NULL };
	struct err e = { 0 };

	(void)state;
	f.child.argv = argv;
	f.n_fds = -EMFILE;
	assert_int_equal(child_start(f.r, &f.child, &e), -EMFILE);
	assert_non_null(strstr(e.text, "test child"));
	assert_int_equal(f.child.state, CHILD_STOPPED);
	child_stop(&f.child, 0);

	f.n_fds = 0;
	start("die");
	f.n_fds = -EMFILE;
	wait_for_deaths(1);
	while (f.child.backoff_ms == 0)
		reactor_poll(f.r);
	assert_int_equal(f.child.state, CHILD_BACKOFF);
	assert_int_equal(f.child.starts, 1);
	f.n_fds = 0;
	wait_for_deaths(2);
	child_stop(&f.child, 0);
}

static void a_child_does_not_outlive_its_parent(void **state)
{
	int ends[2];
	char byte;
	pid_t parent;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	parent = fork();
	if (parent == 0) {
		f.fds[0] = ends[1];
		f.n_fds = 1;
		start("stubborn");
		pause();
	}
	close(ends[1]);
	await_byte(ends[0]);
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	assert_int_equal(read(ends[0], &byte, 1), 0); /* closed by death */
	close(ends[0]);
}

static int make_memfd(const char *text, int want)
{
	int fd = memfd_create(text, 0);

	if (write(fd, text, 1) != 1 || (fd != want && dup2(fd, want) != want))
		return -1;
	if (fd != want)
		close(fd);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(passed_descriptors_are_there_and_no_other),
		TEST(a_child_that_keeps_dying_is_restarted_ever_later),
		TEST(a_killed_child_that_had_lived_is_back_at_once),
		TEST(stop_waits_for_the_grace_and_no_longer),
		TEST(a_failed_prepare_fails_the_start_and_delays_a_restart),
		TEST(a_child_does_not_outlive_its_parent),
	};

	if (argc == 3 && !strcmp(argv[1], "--child"))
		return child_main(argv[2]);
	if (make_memfd("A", FD_A) || make_memfd("B", FD_B))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
