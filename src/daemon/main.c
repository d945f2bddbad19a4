/* SPDX-License-Identifier: BSD-2-Clause */
/* causewayd: the daemon, and its children: with --slow the slow stack, with
 * --sm the subnet manager. */
#include "control/daemon.h"
#include "control/slow_service.h"
#include "control/subnet_service.h"
#include "volume/handoff_format.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define FIRST_PASSED_FD 3
#define EXIT_USAGE 2

static const char usage[] =
	"usage: causewayd --state DIR [--config FILE] [--listen ADDR:PORT]...\n"
	"                 [--cluster-key FILE | --insecure] [--metrics WHERE]\n"
	"                 [--ready-fd N] [--realtime]\n"
	"\n"
	"  --state DIR    folder of this node's state; DIR/control.sock is "
	"where\n"
	"                 'causeway --socket DIR/control.sock' finds it\n"
	"  --config FILE  YAML: drives, pools, volumes, exports, peers and "
	"windows\n"
	"                 to have\n"
	"  --listen ADDR:PORT\n"
	"                 let other nodes reach this one there; nowhere if not "
	"given\n"
	"  --cluster-key FILE\n"
	"                 the key that all nodes of the cluster share, mode "
	"0600\n"
	"  --insecure     talk to other nodes without a key: for tests only\n"
	"  --metrics WHERE\n"
	"                 serve counters over HTTP: unix:PATH or "
	"127.0.0.1:PORT\n"
	"  --ready-fd N   write a line to descriptor N when all is served\n"
	"  --realtime     lock memory and have real-time threads: for a node "
	"whose\n"
	"                 kernel swaps to other nodes ('causeway swap on')\n"
	"  --version\n"
	"\n"
	"example: causewayd --state /var/lib/causeway\n";

static const struct option longs[] = {
	{ "state", required_argument, NULL, 's' },
	{ "config", required_argument, NULL, 'c' },
	{ "listen", required_argument, NULL, 'l' },
	{ "cluster-key", required_argument, NULL, 'k' },
	{ "insecure", no_argument, NULL, 'i' },
	{ "metrics", required_argument, NULL, 'm' },
	{ "ready-fd", required_argument, NULL, 'r' },
	{ "realtime", no_argument, NULL, 'R' },
	{ "slow", no_argument, NULL, 'S' },
	{ "sm", required_argument, NULL, 'M' },
	{ "version", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* The child has exactly the descriptors that it was passed, from 3 on. */
static int run_slow(void)
{
	int fds[3 + HANDOFF_LANES];
	unsigned n = 0;

	while (n < sizeof(fds) / sizeof(fds[0]) &&
	       fcntl(FIRST_PASSED_FD + (int)n, F_GETFD) >= 0) {
		fds[n] = FIRST_PASSED_FD + (int)n;
		n++;
	}
	return slow_service_run(fds, n);
}

static int parse_fd(const char *text)
{
	char *end;
	long fd = strtol(text, &end, 10);

	return *end || end == text || fd < 0 || fd > 1 << 20 ? -1 : (int)fd;
}

/* Each client and each drive takes a descriptor.  The soft limit is low for
 * the sake of programs that use select(). */
static void raise_open_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l))
		return;
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
}

static int run_node(const struct daemon_opts *opts)
{
	struct err e = { 0 };
	struct daemon *n;
	int err;

	raise_open_files();
	err = daemon_create(opts, &n, &e);
	if (!err) {
		err = daemon_run(n, &e);
		daemon_destroy(n);
	}
	if (err)
		fprintf(stderr, "causewayd: %s\n", e.text);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct daemon_opts opts = { .ready_fd = -1,
		                    .version = CAUSEWAY_VERSION };
	int opt;

	while ((opt = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (opt) {
		case 's':
			opts.state_dir = optarg;
			break;
		case 'c':
			opts.config = optarg;
			break;
		case 'l':
			if (opts.n_listen == DAEMON_LISTEN_MAX) {
				fprintf(stderr,
				        "causewayd: --listen: %u at most\n",
				        DAEMON_LISTEN_MAX);
				return EXIT_USAGE;
			}
			opts.listen[opts.n_listen++] = optarg;
			break;
		case 'k':
			opts.cluster_key = optarg;
			break;
		case 'i':
			opts.insecure = true;
			break;
		case 'm':
			opts.metrics = optarg;
			break;
		case 'r':
			opts.ready_fd = parse_fd(optarg);
			if (opts.ready_fd >= 0)
				break;
			fprintf(stderr,
			        "causewayd: --ready-fd %s: not a descriptor\n",
			        optarg);
			return EXIT_USAGE;
		case 'R':
			opts.realtime = true;
			break;
		case 'S':
			return run_slow();
		case 'M':
			return subnet_service_run(FIRST_PASSED_FD, optarg);
		case 'v':
			puts("causewayd " CAUSEWAY_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (!opts.state_dir || optind != argc) {
		fprintf(stderr, "causewayd: %s\n%s",
		        opts.state_dir ? "arguments that are no options"
		                       : "--state DIR is needed",
		        usage);
		return EXIT_USAGE;
	}
	return run_node(&opts);
}
