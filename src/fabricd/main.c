/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * causeway-fabric: an InfiniBand subnet in software, for opensm, the
 * infiniband-diags and our subnet manager, which find it with ibsim-run.
 */
#include "base/base.h"
#include "core/reactor.h"
#include "fabricd/control.h"
#include "switch/console.h"
#include "switch/ibnet_file.h"
#include "switch/ibnet_make.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#define EXIT_USAGE 2

static const char usage[] =
	"usage: causeway-fabric --net FILE | --make SPEC [options]\n"
	"\n"
	"  --net FILE       the topology, in ibsim's format\n"
	"  --make SPEC      or made: clos:hosts=36,ports=2,radix=36\n"
	"                   dragonfly:groups=9,switches=4,hosts=2,global=2\n"
	"                   torus:x=4,y=4,z=4,hosts=1\n"
	"  --name NAME      what clients have as IBSIM_SOCKNAME (sim)\n"
	"  --timeout-ms N   a request's, for clients that have none (200)\n"
	"  --tries N        how often it is sent (3)\n"
	"  --seed N         of lost datagrams (1)\n"
	"  --control PATH   JSON-RPC on a Unix socket: fabric.console\n"
	"  --ready-fd N     write a line to descriptor N when all is served\n"
	"  --print          write the topology as a net file and end\n"
	"  --version\n"
	"\n"
	"Commands are read from standard input; 'help' lists them.\n"
	"\n"
	"example: causeway-fabric --make clos:hosts=36 &\n"
	"         SIM_HOST=H00000 ibsim-run opensm -o\n";

static const struct option longs[] = {
	{ "net", required_argument, NULL, 'n' },
	{ "make", required_argument, NULL, 'm' },
	{ "name", required_argument, NULL, 'N' },
	{ "timeout-ms", required_argument, NULL, 't' },
	{ "tries", required_argument, NULL, 'r' },
	{ "seed", required_argument, NULL, 's' },
	{ "control", required_argument, NULL, 'c' },
	{ "ready-fd", required_argument, NULL, 'R' },
	{ "print", no_argument, NULL, 'p' },
	{ "version", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

struct args {
	const char *net, *make, *control;
	struct sim_server_opts server;
	uint64_t seed;
	int ready_fd;
	bool print;
};

struct fabricd {
	struct reactor *reactor;
	struct ibnet_topo *topo;
	struct ibnet *net;
	struct sim_server *server;
	struct console console;
	struct control *control;
	struct watch signals;
	struct watch input;
	char line[CONSOLE_LINE_MAX + 1];
	size_t n_line;
};

/* -- the console on standard input ---------------------------------------- */

static void run_line(struct fabricd *f)
{
	struct err e = { 0 };

	f->line[f->n_line] = '\0';
	f->n_line = 0;
	if (console_run(&f->console, f->line, stdout, &e))
		printf("error: %s\n", e.text);
	fflush(stdout);
}

static void input_ready(struct watch *w, uint32_t events)
{
	struct fabricd *f = container_of(w, struct fabricd, input);
	char bytes[512];
	ssize_t n = read(w->fd, bytes, sizeof(bytes));

	(void)events;
	if (n <= 0) { /* the fabric goes on without its console */
		if (n < 0 && errno == EINTR)
			return;
		watch_stop(f->reactor, w);
		w->fd = -1;
		return;
	}
	for (ssize_t i = 0; i < n; i++)
		if (bytes[i] == '\n')
			run_line(f);
		else if (f->n_line < CONSOLE_LINE_MAX)
			f->line[f->n_line++] = bytes[i];
}

/* A file or /dev/null cannot be waited for, and needs not be. */
static void watch_input(struct fabricd *f)
{
	f->input.fd = STDIN_FILENO;
	f->input.events = EPOLLIN;
	f->input.ready = input_ready;
	if (watch_start(f->reactor, &f->input))
		f->input.fd = -1;
}

static void signal_ready(struct watch *w, uint32_t events)
{
	(void)events;
	reactor_stop(container_of(w, struct fabricd, signals)->reactor);
}

static int watch_signals(struct fabricd *f, struct err *e)
{
	sigset_t set;
	int err;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	f->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	f->signals.events = EPOLLIN;
	f->signals.ready = signal_ready;
	if (f->signals.fd < 0)
		return err_set(e, -errno, "signals: %s", strerror(errno));
	err = watch_start(f->reactor, &f->signals);
	return err ? err_set(e, err, "signals: %s", strerror(-err)) : 0;
}

/* -- running -------------------------------------------------------------- */

static int start(struct fabricd *f, const struct args *a, struct err *e)
{
	struct reactor_opts ro = { .name = "fabric" };
	struct ibnet_opts no = { .seed = a->seed };
	int err = reactor_create(&ro, &f->reactor, e);

	if (err)
		return err;
	no.reactor = f->reactor;
	err = watch_signals(f, e);
	if (!err)
		err = ibnet_create(f->topo, &no, &f->net, e);
	if (!err)
		err = sim_server_create(f->reactor, f->net, &a->server,
		                        &f->server, e);
	f->console = (struct console){ f->net, f->server, f->topo };
	if (!err && a->control)
		err = control_create(f->reactor, &f->console, a->control,
		                     &f->control, e);
	if (!err)
		watch_input(f);
	return err;
}

static void stop(struct fabricd *f)
{
	if (!f->reactor)
		return;
	if (f->input.fd >= 0)
		watch_stop(f->reactor, &f->input);
	control_destroy(f->control);
	sim_server_destroy(f->server);
	ibnet_destroy(f->net);
	if (f->signals.fd >= 0) {
		watch_stop(f->reactor, &f->signals);
		close(f->signals.fd);
	}
	reactor_destroy(f->reactor);
}

static int load(const struct args *a, struct ibnet_topo **out, struct err *e)
{
	return a->net ? ibnet_file_read(a->net, out, e)
	              : ibnet_make(a->make, out, e);
}

static int run(const struct args *a)
{
	struct fabricd f = { .input.fd = -1, .signals.fd = -1 };
	struct err e = { 0 };
	int err = load(a, &f.topo, &e);

	if (!err && a->print) {
		ibnet_file_write(f.topo, stdout);
		ibnet_topo_destroy(f.topo);
		return EXIT_SUCCESS;
	}
	if (!err)
		err = start(&f, a, &e);
	if (!err) {
		if (a->ready_fd >= 0 && write(a->ready_fd, "ready\n", 6) < 0)
			fprintf(stderr, "causeway-fabric: --ready-fd: %s\n",
			        strerror(errno));
		reactor_run(f.reactor);
	}
	stop(&f);
	ibnet_topo_destroy(f.topo);
	if (err)
		fprintf(stderr, "causeway-fabric: %s\n", e.text);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* -- arguments ------------------------------------------------------------ */

static int refuse(const char *what, const char *why)
{
	fprintf(stderr, "causeway-fabric: %s: %s\n%s", what, why, usage);
	return EXIT_USAGE;
}

static bool number(const char *text, uint64_t max, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	return !errno && !*end && end != text && *value <= max &&
	       text[0] != '-';
}

int main(int argc, char **argv)
{
	struct args a = { .server.name = "sim", .seed = 1, .ready_fd = -1 };
	uint64_t value = 0;
	int opt;

	while ((opt = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (strchr("trsR", opt) && !number(optarg, INT32_MAX, &value))
			return refuse(optarg, "not a number");
		switch (opt) {
		case 'n':
			a.net = optarg;
			break;
		case 'm':
			a.make = optarg;
			break;
		case 'N':
			a.server.name = optarg;
			break;
		case 't':
			a.server.timeout_ms = (unsigned)value;
			break;
		case 'r':
			a.server.tries = (unsigned)value;
			break;
		case 's':
			a.seed = value;
			break;
		case 'c':
			a.control = optarg;
			break;
		case 'R':
			a.ready_fd = (int)value;
			break;
		case 'p':
			a.print = true;
			break;
		case 'v':
			puts("causeway-fabric " CAUSEWAY_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (!a.net == !a.make || optind != argc)
		return refuse("arguments", "one of --net and --make is needed");
	return run(&a);
}
