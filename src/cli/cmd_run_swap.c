/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `causeway run --via swap`: a program with a limit, by a memory cgroup and a
 * swap device that is on (`causeway swap on`).
 */
#include "cli/run.h"

#include "cli/foreground.h"
#include "cli/print.h"
#include "cli/request.h"
#include "far/launch.h"
#include "kswap/area.h"
#include "kswap/limit.h"

#include <errno.h>
#include <inttypes.h>

bool run_can_swap(void)
{
	struct area all[AREAS_MAX];
	unsigned n = area_list(all, AREAS_MAX);

	while (n > 0 && !area_is_served(&all[n - 1]))
		n--;
	return n > 0;
}

struct run {
	struct cli *cli;
	struct reactor *reactor;
	struct limit *limit;
	struct foreground program;
};

static int start(struct run *r, uint64_t local, struct err *e)
{
	const struct reactor_opts ro = { .name = "limit" };
	pid_t pid;
	int err;

	if (!run_can_swap())
		return err_set(e, -ENOENT,
		               "no swap device of ours is on and served: make "
		               "one with 'causeway swap on'");
	err = reactor_create(&ro, &r->reactor, e);
	if (err)
		return err;
	reactor_bind(r->reactor);
	err = limit_create(r->reactor, local, &r->limit, e);
	if (!err)
		err = foreground_signals(&r->program, r->reactor, e);
	if (!err)
		err = launch_limited(limit_procs(r->limit),
		                     (char **)r->cli->words, &pid, e);
	return err ? err : foreground_watch(&r->program, pid, e);
}

static void report(const struct run *r)
{
	struct limit_stats s;
	char pushed[24];

	limit_stats(r->limit, &s);
	if (s.pushed_out == 0)
		return;
	fprintf(r->cli->err,
	        "causeway: %s were swapped out ahead of need; the program "
	        "waited %" PRIu64 " times at its limit\n",
	        print_size(s.pushed_out, pushed), s.waits);
}

int run_by_swap(struct cli *cli, uint64_t local)
{
	struct run r = { .cli = cli };
	struct rpc_error error;
	struct err e = { 0 };
	int status;

	if (start(&r, local, &e)) {
		rpc_error_set(&error, &e, rpc_class_of(e.code));
		status = cli_fail(cli, &error);
	} else {
		status = foreground_run(&r.program);
		report(&r);
	}
	limit_destroy(r.limit);
	return status;
}
