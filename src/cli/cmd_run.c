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
#include "cli/run_report.h"
#include "core/reactor.h"
#include "drive/drive.h"
#include "far/backing.h"
#include "far/launch.h"
#include "far/page_map.h"
#include "far/pager.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FAR_BY_LOCAL 4u /* what may be away, if it is not said */

struct run {
	struct cli *cli;
	struct reactor *reactor;
	struct block_device *device;
	struct pager *pager;
	struct foreground program;
	struct run_report report;
	bool by_swap;
	uint64_t local;
	uint64_t far;
	unsigned copies;
	bool raid5;           /* instead of copies */
	unsigned deadline_ms; /* 0: by itself */
};

static int failed(struct run *r, const struct err *e)
{
	struct rpc_error error;

	rpc_error_set(&error, e, rpc_class_of(e->code));
	return cli_fail(r->cli, &error);
}

/* -- what goes wrong on the way -------------------------------------------- */

static void say(void *ctx, const char *words)
{
	const struct run *r = ctx;

	fprintf(r->cli->err, "causeway: %s\n", words);
}

static bool is_redundant(const struct run *r)
{
	return r->copies > 1 || r->raid5;
}

static void program_lost(void *ctx, pid_t pid, const char *why)
{
	const struct run *r = ctx;

	fprintf(r->cli->err, "causeway: process %d had to be killed: %s; %s\n",
	        pid, why,
	        is_redundant(r) ? "more than one donor has failed"
	                        : "two donors keep a program alive when one of "
	                          "them dies");
}

static void pages_stay(void *ctx, const char *why)
{
	const struct run *r = ctx;

	fprintf(r->cli->err,
	        "causeway: pages stay here, and the program may grow beyond "
	        "its limit: %s on the donors\n",
	        why);
}

/* -- where pages go -------------------------------------------------------- */

/* Where pages go that no donor has room for: what the user says, or, for the
 * only copy, back home. */
static int open_spare(const struct run *r, struct block_device **out,
                      struct err *e)
{
	const char *store = cli_option(r->cli, "store");
	char home[48];

	snprintf(home, sizeof(home), "ram:%" PRIu64 "M", (r->far >> 20) + 1);
	if (!store && is_redundant(r))
		return 0;
	return drive_open(store ? store : home, out, e);
}

static int open_donors(struct run *r, struct err *e)
{
	AUTO_FREE char *socket = request_window_socket(r->cli);
	struct backing_opts o = {
		.reactor = r->reactor,
		.socket = socket,
		.donors = cli_option(r->cli, "donor"),
		.copies = r->copies,
		.raid5 = r->raid5,
		.deadline_ms = r->deadline_ms,
		.size = r->far,
		.or_less = !cli_option(r->cli, "far"),
		.say = say,
		.ctx = r,
	};
	int err;

	if (!socket)
		return err_set(e, -ENOMEM, "out of memory");
	err = open_spare(r, &o.spare, e);
	return err ? err : backing_open(&o, &r->device, e);
}

static int open_device(struct run *r, struct err *e)
{
	if (!cli_option(r->cli, "donor"))
		return drive_open(cli_option(r->cli, "store"), &r->device, e);
	return open_donors(r, e);
}

/* -- the program ----------------------------------------------------------- */

static int start(struct run *r, struct err *e)
{
	const struct reactor_opts ro = { .name = "pager",
		                         .spin_max_us = 50,
		                         .uring_depth = 128 };
	struct pager_opts po = { .local = r->local,
		                 .encrypt = cli_option(r->cli, "encrypt"),
		                 .compress = cli_option(r->cli, "compress"),
		                 .lost = program_lost,
		                 .stuck = pages_stay,
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
	if (!err)
		err = foreground_watch(&r->program, pid, e);
	if (err)
		return err;
	r->report = (struct run_report){
		.reactor = r->reactor,
		.pager = r->pager,
		.socket = r->cli->socket,
		.program = r->cli->words[0],
		.donors = cli_option(r->cli, "donor"),
	};
	if (!r->report.donors)
		r->report.donors = cli_option(r->cli, "store");
	run_report_start(&r->report);
	return 0;
}

static void end(struct run *r)
{
	run_report_stop(&r->report);
	pager_destroy(r->pager);
	block_close(r->device);
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
	        " pages left, %" PRIu64 " written, %" PRIu64
	        " unchanged; at most %" PRIu64 " MiB here\n",
	        s.faults, (double)histogram_percentile(&s.fault, 50) / 1000,
	        (double)histogram_percentile(&s.fault, 99) / 1000, s.read,
	        s.prefetched, s.moved_out, s.written, s.clean, s.peak >> 20);
	if (s.compressed)
		fprintf(r->cli->err,
		        "causeway: compressed: %" PRIu64
		        " pages, %.1f to 1; %" PRIu64
		        " pages came from there\n",
		        s.compressed,
		        (double)(s.compressed * FAR_PAGE) /
		                (double)s.compressed_to,
		        s.from_tier);
	if (s.strays)
		fprintf(r->cli->err,
		        "causeway: %" PRIu64 " children were made without "
		        "libc: they kept all that they fetched\n",
		        s.strays);
}

/* -- the command line ------------------------------------------------------ */

static unsigned count_names(const char *list)
{
	unsigned n = 1;

	for (; *list; list++)
		n += *list == ',';
	return n;
}

static int take_raid(struct run *r, unsigned n_donors)
{
	struct cli *cli = r->cli;

	if (strcmp(cli_option(cli, "raid"), "raid5") != 0)
		return cli_usage(cli, "--raid is raid5; --copies 1 and 2 are "
		                      "the other choices");
	if (cli_option(cli, "copies"))
		return cli_usage(cli, "--raid stands instead of --copies: say "
		                      "one of them");
	if (n_donors < STORE_RAID5_MIN)
		return cli_usage(cli,
		                 "raid5 takes %u nodes, and there are %u: name "
		                 "more, or say --copies instead",
		                 STORE_RAID5_MIN, n_donors);
	r->raid5 = true;
	return 0;
}

static int take_donors(struct run *r)
{
	struct cli *cli = r->cli;
	uint64_t deadline = 0;
	unsigned n;
	int status = request_number_option(cli, "deadline", &deadline);

	if (status)
		return status;
	if (cli_option(cli, "deadline") && (deadline < 50 || deadline > 60000))
		return cli_usage(cli, "--deadline is 50 to 60000 ms");
	r->deadline_ms = (unsigned)deadline;
	n = count_names(cli_option(cli, "donor"));
	return cli_option(cli, "raid")
	               ? take_raid(r, n)
	               : donors_copies(cli, "the program", n, &r->copies);
}

/* What --via says, or what the program allows. */
static int choose_way(struct run *r)
{
	struct cli *cli = r->cli;
	const char *via = cli_option(cli, "via");
	bool compress = cli_option(cli, "compress");
	struct err e = { 0 };

	r->by_swap = via && strcmp(via, "swap") == 0;
	if (via && !r->by_swap && strcmp(via, "uffd") != 0)
		return cli_usage(cli, "--via is uffd or swap");
	if (r->by_swap &&
	    (cli_option(cli, "donor") || cli_option(cli, "store")))
		return cli_usage(cli,
		                 "with --via swap it is 'causeway swap on' "
		                 "that says where the rest goes");
	if (r->by_swap && compress)
		return cli_usage(cli,
		                 "--compress is for --via uffd: with --via "
		                 "swap, zswap of the kernel does that");
	if (via || compress || !run_can_swap() ||
	    !launch_check(cli->words[0], &e))
		return 0;
	fprintf(cli->err,
	        "causeway: it runs by the kernel's swap (--via swap): %s\n",
	        e.text);
	r->by_swap = true;
	return 0;
}

static int take_options(struct run *r)
{
	struct cli *cli = r->cli;
	int status = choose_way(r);

	if (!status)
		status = request_size_option(cli, "local", &r->local);
	if (!status)
		status = request_size_option(cli, "far", &r->far);
	if (status)
		return status;
	if (!cli_option(cli, "local"))
		return cli_usage(cli, "--local is missing: how much memory may "
		                      "the program keep here?");
	if (r->by_swap)
		return 0;
	if (!cli_option(cli, "donor") && !cli_option(cli, "store"))
		return cli_usage(cli,
		                 "--donor or --store says where the rest goes");
	if (!r->far)
		r->far = FAR_BY_LOCAL * r->local;
	return cli_option(cli, "donor") ? take_donors(r) : 0;
}

int cmd_run(struct cli *cli)
{
	struct run r = { .cli = cli, .copies = 1 };
	struct err e = { 0 };
	int status = take_options(&r);

	if (!status && r.by_swap)
		return run_by_swap(cli, r.local);
	if (!status && start(&r, &e))
		status = failed(&r, &e);
	if (!status) {
		status = foreground_run(&r.program);
		report(&r);
	}
	end(&r);
	return status;
}
