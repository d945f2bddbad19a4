/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/child.h"

#include "base/base.h"
#include "base/clock.h"
#include "core/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FD 3
#define EXEC_FAILED 127
#define LONG_ENOUGH_NS NS_PER_S
#define BACKOFF_MIN_MS 50u
#define BACKOFF_MAX_MS 5000u

extern char **environ;

/* -- in the child, between vfork and exec --------------------------------- */

struct image {
	char *const *argv;
	int fds[CHILD_FDS_MAX];
	int n_fds;
	int null_fd;
	pid_t parent;
};

/*
 * Any of these may sit on the new number of another, so all first move above
 * those numbers.
 */
static int place_descriptors(const struct image *im)
{
	int above[CHILD_FDS_MAX + 1];
	int n = im->n_fds;

	for (int i = 0; i <= n; i++) {
		above[i] = fcntl(i < n ? im->fds[i] : im->null_fd, F_DUPFD,
		                 FIRST_FD + CHILD_FDS_MAX);
		if (above[i] < 0)
			return -1;
	}
	for (int i = 0; i < n; i++) {
		if (dup2(above[i], FIRST_FD + i) < 0)
			return -1;
	}
	if (dup2(above[n], STDIN_FILENO) < 0 ||
	    dup2(above[n], STDOUT_FILENO) < 0)
		return -1;
	return close_range((unsigned)(FIRST_FD + n), ~0u, 0);
}

/*
 * The parent's memory is this process's too, and other threads of the parent
 * run: system calls only.
 */
static _Noreturn void become(const struct image *im)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &sa, NULL); /* two refuse; no matter */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != im->parent)
		_exit(EXEC_FAILED);
	if (place_descriptors(im))
		_exit(EXEC_FAILED);
	execve("/proc/self/exe", im->argv, environ);
	_exit(EXEC_FAILED);
}

/* -- in the parent -------------------------------------------------------- */

/* Signals wait, because a handler would run in both at once. */
static pid_t spawn(const struct image *im)
{
	sigset_t all, before;
	pid_t pid;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = vfork();
	if (pid == 0)
		become(im);
	err = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid < 0 ? -err : pid;
}

static int reap(struct child *c)
{
	int status = 0;

	while (waitpid(c->pid, &status, 0) < 0)
		assert(errno == EINTR);
	watch_stop(c->reactor, &c->watch);
	close(c->watch.fd);
	c->pid = 0;
	return status;
}

static unsigned next_backoff(const struct child *c)
{
	if (c->backoff_ms == 0)
		return BACKOFF_MIN_MS;
	if (c->backoff_ms * 2 > BACKOFF_MAX_MS)
		return BACKOFF_MAX_MS;
	return c->backoff_ms * 2;
}

static void arm_restart(struct child *c)
{
	int err;

	c->state = CHILD_BACKOFF;
	err = timer_start(c->reactor, &c->timer, c->backoff_ms * NS_PER_MS);
	if (err)
		log_event(LOG_LEVEL_ERROR, "child is not restarted",
		          "child=%s error=%d", c->name, -err);
}

static void watch_ready(struct watch *w, uint32_t events)
{
	struct child *c = container_of(w, struct child, watch);
	bool lived = clock_now_ns() - c->started_ns >= LONG_ENOUGH_NS;
	int status = reap(c);

	(void)events;
	if (lived || c->starts == 1)
		c->backoff_ms = 0;
	else
		c->backoff_ms = next_backoff(c);
	arm_restart(c);
	if (c->died)
		c->died(c, status);
}

static int watch_child(struct child *c, pid_t pid)
{
	int err;

	c->watch = (struct watch){
		.fd = pidfd_open(pid, 0),
		.events = EPOLLIN,
		.ready = watch_ready,
	};
	err = c->watch.fd < 0 ? -errno : watch_start(c->reactor, &c->watch);
	if (!err)
		return 0;
	if (c->watch.fd >= 0)
		close(c->watch.fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return err;
}

static int start_once(struct child *c, struct err *e)
{
	AUTO_CLOSE int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct image im = { .argv = c->argv, .parent = getpid() };
	int pid, err;

	if (null_fd < 0)
		return err_set(e, -errno, "cannot open /dev/null: %s",
		               strerror(errno));
	im.null_fd = null_fd;
	if (c->prepare)
		im.n_fds = c->prepare(c, im.fds);
	if (im.n_fds < 0)
		return err_set(e, im.n_fds, "cannot prepare %s: %s", c->name,
		               strerror(-im.n_fds));
	assert(im.n_fds <= CHILD_FDS_MAX);
	pid = spawn(&im);
	if (pid < 0)
		return err_set(e, pid,
		               "cannot start %s: %s; see the limit of "
		               "processes (ulimit -u)",
		               c->name, strerror(-pid));
	err = watch_child(c, pid);
	if (err)
		return err_set(e, err, "cannot watch %s: %s", c->name,
		               strerror(-err));
	c->pid = pid;
	c->state = CHILD_RUNNING;
	c->started_ns = clock_now_ns();
	c->starts++;
	return 0;
}

static void restart(struct timer *t)
{
	struct child *c = container_of(t, struct child, timer);
	struct err e = { 0 };
	char words[sizeof(e.text)];

	if (!start_once(c, &e))
		return;
	c->backoff_ms = next_backoff(c);
	if (e.code != -EAGAIN)
		log_event(LOG_LEVEL_WARN, "child was not started",
		          "child=%s error=%s retry_ms=%u", c->name,
		          log_quote(words, sizeof(words), e.text),
		          c->backoff_ms);
	arm_restart(c);
}

int child_start(struct reactor *r, struct child *c, struct err *e)
{
	c->reactor = r;
	c->state = CHILD_STOPPED;
	c->pid = 0;
	c->starts = 0;
	c->backoff_ms = 0;
	c->timer = (struct timer){ .fire = restart };
	return start_once(c, e);
}

static bool gone_within(const struct child *c, unsigned ms)
{
	uint64_t end = clock_now_ns() + ms * NS_PER_MS;
	struct pollfd p = { .fd = c->watch.fd, .events = POLLIN };

	for (;;) {
		uint64_t now = clock_now_ns();
		uint64_t left = now < end ? (end - now) / NS_PER_MS + 1 : 0;
		int n = poll(&p, 1, left > 60000 ? 60000 : (int)left);

		if (n > 0)
			return true;
		if (left == 0)
			return false;
	}
}

void child_stop(struct child *c, unsigned grace_ms)
{
	if (c->state == CHILD_BACKOFF)
		timer_stop(c->reactor, &c->timer);
	if (c->state == CHILD_RUNNING) {
		kill(c->pid, SIGTERM);
		if (!gone_within(c, grace_ms))
			kill(c->pid, SIGKILL);
		reap(c);
	}
	c->state = CHILD_STOPPED;
}
