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
#include "cli/foreground.h"
#include "cli/request.h"
#include "cli/run.h"
#include "core/reactor.h"
#include "drive/drive.h"
#include "far/donor.h"
#include "far/launch.h"
#include "far/pager.h"
#include "far/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct run {
	struct cli *cli;
	struct reactor *reactor;
	struct block_device *device;
	struct pager *pager;
	struct foreground program;
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

static int start(struct run *r, uint64_t local, struct err *e)
{
	const struct reactor_opts ro = { .name = "pager",
		                         .spin_max_us = 50,
		                         .uring_depth = 128 };
	struct pager_opts po = { .local = local,
		                 .encrypt = cli_option(r->cli, "encrypt"),
		                 .lost = program_lost,
		                 .ctx = r };
	pid_t pid;
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
		err = foreground_signals(&r->program, r->reactor, e);
	if (!err)
		err = launch_start(r->pager, (char **)r->cli->words, &pid, e);
	return err ? err : foreground_watch(&r->program, pid, e);
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

static int take_local(struct cli *cli, uint64_t *local)
{
	int status = request_size_option(cli, "local", local);

	if (status)
		return status;
	if (!cli_option(cli, "local"))
		return cli_usage(cli, "--local is missing: how much memory may "
		                      "the program keep here?");
	return 0;
}

/* What --via says, or what the program allows. */
static int choose_way(struct cli *cli, bool *by_swap)
{
	const char *via = cli_option(cli, "via");
	struct err e = { 0 };

	*by_swap = via && strcmp(via, "swap") == 0;
	if (via && !*by_swap && strcmp(via, "uffd") != 0)
		return cli_usage(cli, "--via is uffd or swap");
	if (*by_swap && (cli_option(cli, "donor") || cli_option(cli, "store")))
		return cli_usage(cli,
		                 "with --via swap it is 'causeway swap on' "
		                 "that says where the rest goes");
	if (via || !run_can_swap() || !launch_check(cli->words[0], &e))
		return 0;
	fprintf(cli->err,
	        "causeway: it runs by the kernel's swap (--via swap): %s\n",
	        e.text);
	*by_swap = true;
	return 0;
}

int cmd_run(struct cli *cli)
{
	struct run r = { .cli = cli };
	struct err e = { 0 };
	uint64_t local = 0;
	bool by_swap;
	int status = take_local(cli, &local);

	if (!status)
		status = choose_way(cli, &by_swap);
	if (!status && by_swap)
		return run_by_swap(cli, local);
	if (!status)
		status = donors_take(cli, "the program", &r.donors);
	if (!status && start(&r, local, &e))
		status = failed(&r, &e);
	if (!status) {
		status = foreground_run(&r.program);
		report(&r);
	}
	end(&r);
	return status;
}
