/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/foreground.h"

#include "base/base.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

static void died(struct watch *w, uint32_t events)
{
	struct foreground *f = container_of(w, struct foreground, death);

	(void)events;
	reactor_stop(f->reactor);
}

/* Those of the terminal reach the program by themselves. */
static void signalled(struct watch *w, uint32_t events)
{
	struct foreground *f = container_of(w, struct foreground, signals);
	struct signalfd_siginfo info;

	(void)events;
	if (read(w->fd, &info, sizeof(info)) != sizeof(info) || !f->pid)
		return;
	if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGHUP)
		kill(f->pid, (int)info.ssi_signo);
}

int foreground_signals(struct foreground *f, struct reactor *r, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	f->reactor = r;
	f->signals = (struct watch){
		.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
		.events = EPOLLIN,
		.ready = signalled,
	};
	if (f->signals.fd < 0 || watch_start(r, &f->signals))
		return err_set(e, -errno, "no descriptor for signals: %s",
		               strerror(errno));
	return 0;
}

int foreground_watch(struct foreground *f, pid_t pid, struct err *e)
{
	f->pid = pid;
	f->death = (struct watch){ .fd = pidfd_open(pid, 0),
		                   .events = EPOLLIN,
		                   .ready = died };
	if (f->death.fd < 0 || watch_start(f->reactor, &f->death))
		return err_set(e, -errno, "no descriptor for the program: %s",
		               strerror(errno));
	return 0;
}

int foreground_run(struct foreground *f)
{
	int status;

	reactor_run(f->reactor);
	waitpid(f->pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
