/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `causeway run`: a program with part of its memory on other nodes.
 *
 * This process is the pager: it stays in the foreground beside the program,
 * passes on the signals that are for it, and ends with its exit status.
 */
#include "cli/cli.h"

#include "base/base.h"
#include "cli/donors.h"
#include "cli/request.h"
#include "core/reactor.h"
#include "drive/drive.h"
#include "far/donor.h"
#include "far/launch.h"
#include "far/pager.h"
#include "far/store.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct run {
	struct cli *cli;
	struct reactor *reactor;
	struct block_device *device;
	struct pager *pager;
	pid_t pid;
	struct watch death;
	struct watch signals;
	struct donors donors;
};

static int failed(struct run *r, const struct err *e)
{
	struct rpc_error error;

	rpc_error_set(&error, e, rpc_class_of(e->code));
	return cli_fail(r->cli, &error);
}

/* -- what goes wrong on the way -------------------------------------------- */

static void donor_lost(void *ctx, unsigned index, int err)
{
	const struct run *r = ctx;

	fprintf(r->cli->err, "causeway: donor %s fails (%s): %s\n",
	        r->donors.names[index], strerror(-err),
	        r->donors.copies > 1 ? "what it had comes from the other copies"
	                             : "what it had is lost");
}

static void program_lost(void *ctx, pid_t pid, const char *why)
{
	const struct run *r = ctx;

	fprintf(r->cli->err,
	        "causeway: process %d had to be killed: %s; two donors keep "
	        "a program alive when one of them dies\n",
	        pid, why);
}

/* -- where pages go -------------------------------------------------------- */

static int open_donors(struct run *r, struct err *e)
{
	struct block_device *donors[STORE_DONORS_MAX];
	AUTO_FREE char *socket = request_window_socket(r->cli);
	struct store_opts o = { .donors = donors,
		                .copies = r->donors.copies,
		                .lost = donor_lost,
		                .ctx = r };
	int err;

	if (!socket)
		return err_set(e, -ENOMEM, "out of memory");
	for (; o.n_donors < r->donors.n; o.n_donors++) {
		err = donor_open(r->reactor, socket,
		                 r->donors.names[o.n_donors],
		                 &donors[o.n_donors], e);
		if (err) {
			while (o.n_donors-- > 0)
				block_close(donors[o.n_donors]);
			return err;
		}
	}
	return store_create(&o, &r->device, e);
}

static int open_device(struct run *r, struct err *e)
{
	if (r->donors.store)
		return drive_open(r->donors.store, &r->device, e);
	return open_donors(r, e);
}

/* -- the program ----------------------------------------------------------- */

static void died(struct watch *w, uint32_t events)
{
	struct run *r = container_of(w, struct run, death);

	(void)events;
	reactor_stop(r->reactor);
}

/* Those of the terminal reach the program by themselves. */
static void signalled(struct watch *w, uint32_t events)
{
	struct run *r = container_of(w, struct run, signals);
	struct signalfd_siginfo info;

	(void)events;
	if (read(w->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGHUP)
		kill(r->pid, (int)info.ssi_signo);
}

static int watch_signals(struct run *r, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	r->signals = (struct watch){
		.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
		.events = EPOLLIN,
		.ready = signalled,
	};
	if (r->signals.fd < 0 || watch_start(r->reactor, &r->signals))
		return err_set(e, -errno, "no descriptor for signals: %s",
		               strerror(errno));
	return 0;
}

static int start(struct run *r, uint64_t local, struct err *e)
{
	const struct reactor_opts ro = { .name = "pager",
		                         .spin_max_us = 50,
		                         .uring_depth = 128 };
	struct pager_opts po = { .local = local,
		                 .encrypt = cli_option(r->cli, "encrypt"),
		                 .lost = program_lost,
		                 .ctx = r };
	int err = reactor_create(&ro, &r->reactor, e);

	if (err)
		return err;
	reactor_bind(r->reactor);
	err = open_device(r, e);
	if (err)
		return err;
	po.reactor = r->reactor;
	po.device = r->device;
	err = pager_create(&po, &r->pager, e);
	if (!err)
		err = watch_signals(r, e);
	if (!err)
		err = launch_start(r->pager, (char **)r->cli->words, &r->pid,
		                   e);
	if (err)
		return err;
	r->death =
		(struct watch){ .fd = (int)syscall(SYS_pidfd_open, r->pid, 0),
		                .events = EPOLLIN,
		                .ready = died };
	if (r->death.fd < 0 || watch_start(r->reactor, &r->death))
		return err_set(e, -errno, "no descriptor for the program: %s",
		               strerror(errno));
	return 0;
}

static void end(struct run *r)
{
	pager_destroy(r->pager);
	block_close(r->device);
	donors_free(&r->donors);
}

static void report(const struct run *r)
{
	struct pager_stats s;

	pager_stats(r->pager, &s);
	if (s.moved_out == 0)
		return;
	fprintf(r->cli->err,
	        "causeway: %" PRIu64 " faults (p50 %.0f us, p99 %.0f us), "
	        "%" PRIu64 " pages read, %" PRIu64 " ahead of time; %" PRIu64
	        " pages left, %" PRIu64 " written, %" PRIu64 " unchanged\n",
	        s.faults, (double)histogram_percentile(&s.fault, 50) / 1000,
	        (double)histogram_percentile(&s.fault, 99) / 1000, s.read,
	        s.prefetched, s.moved_out, s.written, s.clean);
}

/* -- the command line ------------------------------------------------------ */

static int take_options(struct run *r, uint64_t *local)
{
	struct cli *cli = r->cli;
	int status = request_size_option(cli, "local", local);

	if (status)
		return status;
	if (!cli_option(cli, "local"))
		return cli_usage(cli, "--local is missing: how much memory may "
		                      "the program keep here?");
	return donors_take(cli, "the program", &r->donors);
}

int cmd_run(struct cli *cli)
{
	struct run r = { .cli = cli };
	struct err e = { 0 };
	uint64_t local = 0;
	int status = take_options(&r, &local);

	if (!status && start(&r, local, &e))
		status = failed(&r, &e);
	if (!status) {
		reactor_run(r.reactor);
		waitpid(r.pid, &status, 0);
		status = WIFEXITED(status) ? WEXITSTATUS(status)
		                           : 128 + WTERMSIG(status);
		report(&r);
	}
	end(&r);
	return status;
}
