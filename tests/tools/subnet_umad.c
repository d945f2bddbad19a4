/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subnet_umad [-p PRIORITY] [-k] [-n] [-r ENGINE] [-l FILE]: a subnet manager
 * on this host's port, or on ibsim's through its preload.  Prints events and
 * passes; ends when the fabric is ready, or runs on with -k.  -n: no link
 * aggregation.
 */
#include "mad/port_umad.h"
#include "subnet/subnet.h"

#include "core/reactor.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct reactor *reactor;
static struct subnet *subnet;
static struct timer timer;
static bool keep, stopping;
static uint64_t began, seen_passes;
static volatile sig_atomic_t asked;

static void on_signal(int n)
{
	(void)n;
	asked = 1;
}

static void on_event(void *arg, const struct subnet_event *e)
{
	(void)arg;
	printf("%9.3f %s: %s\n", (double)(clock_now_ns() - began) / 1e9,
	       subnet_event_name(e->kind), e->text);
	fflush(stdout);
}

static void on_stopped(void *arg)
{
	(void)arg;
	reactor_stop(reactor);
}

static void report(void)
{
	struct subnet_status st;
	struct rusage u;
	long cpu_ms;

	subnet_status(subnet, &st);
	getrusage(RUSAGE_SELF, &u);
	cpu_ms = (long)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
	         (long)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
	printf("%9.3f %s: first pass %.3f s, last %.3f ms, %lu SMPs; %u nodes "
	       "%u switches %u links %u lags; not sent %lu; CPU %ld.%03ld s, "
	       "%ld KB\n",
	       (double)(clock_now_ns() - began) / 1e9,
	       subnet_state_name(st.state), (double)st.first_pass_ns / 1e9,
	       (double)st.last_pass_ns / 1e6, st.smps_sent, st.nodes,
	       st.switches, st.links, st.lags, st.not_sent, cpu_ms / 1000,
	       cpu_ms % 1000, u.ru_maxrss);
	fflush(stdout);
}

static void look(struct timer *t)
{
	struct subnet_status st;

	subnet_status(subnet, &st);
	if (st.settled && st.passes != seen_passes && !seen_passes) {
		report();
		seen_passes = st.passes;
		if (!keep)
			asked = 1;
	}
	if (asked && !stopping) {
		stopping = true;
		if (keep)
			report();
		subnet_stop(subnet);
	}
	timer_start(reactor, t, 10 * NS_PER_MS);
}

int main(int argc, char **argv)
{
	struct reactor_opts o = { .name = "sm" };
	struct subnet_opts opts = { .event = on_event, .stopped = on_stopped };
	struct mad_port *port;
	struct err e = { 0 };
	int c;

	while ((c = getopt(argc, argv, "p:knr:l:")) != -1) {
		if (c == 'p')
			opts.priority = (uint8_t)atoi(optarg);
		else if (c == 'k')
			keep = true;
		else if (c == 'n')
			opts.no_lag = true;
		else if (c == 'r')
			opts.engine = route_parse(optarg);
		else if (c == 'l')
			opts.lid_file = optarg;
		else
			return 2;
	}
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	began = clock_now_ns();
	opts.virtual_cap = 49152;
	if (reactor_create(&o, &reactor, &e) ||
	    port_umad_open(reactor, NULL, 0, &port, &e) ||
	    subnet_create(reactor, port, &opts, &subnet, &e)) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	timer.fire = look;
	timer_start(reactor, &timer, 10 * NS_PER_MS);
	reactor_run(reactor);
	timer_stop(reactor, &timer);
	subnet_destroy(subnet);
	mad_port_close(port);
	reactor_destroy(reactor);
	return 0;
}
