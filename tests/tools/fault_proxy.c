/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The proxy of tests/support/fault_proxy.h, for scripts:
 *
 *     fault_proxy SEED LISTEN TARGET      e.g. 1 127.0.0.1:0 127.0.0.1:7420
 *
 * It prints its port and then obeys lines from standard input, until that
 * ends.  A line replaces the faults that hold:
 *
 *     none | delay MS | jitter MS | rate BYTES_PER_MS | piece BYTES
 *     hold out | hold back | hold both | refuse
 *     flip ONE_IN | twice ONE_IN | lose ONE_IN
 *
 * or strikes once: reset, end, half out, half back.
 */
#include "../support/fault_proxy.h"

#include "base/base.h"
#include "core/reactor.h"

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

static struct reactor *reactor;
static struct fault_proxy proxy;

static bool set_number(struct faults *f, const char *word, uint64_t n)
{
	const struct {
		const char *word;
		uint64_t *to;
	} rows[] = {
		{ "delay", &f->delay_ms },     { "jitter", &f->jitter_ms },
		{ "rate", &f->bytes_per_ms },  { "flip", &f->flip_one_in },
		{ "twice", &f->twice_one_in }, { "lose", &f->lose_one_in },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(word, rows[i].word) != 0)
			continue;
		*rows[i].to = n;
		return true;
	}
	if (strcmp(word, "piece") != 0)
		return false;
	f->piece = (unsigned)n;
	return true;
}

static void obey(const char *line)
{
	char word[16] = "", what[16] = "";
	struct faults f = { 0 };
	bool both;

	sscanf(line, "%15s %15s", word, what);
	both = strcmp(what, "both") == 0;
	if (strcmp(word, "reset") == 0 || strcmp(word, "end") == 0) {
		fault_proxy_cut(&proxy, word[0] == 'r');
		return;
	}
	if (strcmp(word, "half") == 0) {
		fault_proxy_half_close(&proxy, strcmp(what, "out") == 0
		                                       ? FAULT_OUT
		                                       : FAULT_BACK);
		return;
	}
	if (strcmp(word, "hold") == 0) {
		f.held[FAULT_OUT] = both || strcmp(what, "out") == 0;
		f.held[FAULT_BACK] = both || strcmp(what, "back") == 0;
	} else if (strcmp(word, "refuse") == 0) {
		f.refuses = true;
	} else if (strcmp(word, "none") != 0 &&
	           !set_number(&f, word, strtoull(what, NULL, 10))) {
		warnx("no such fault: %s", line);
		return;
	}
	proxy.faults = f;
}

static void input(struct watch *w, uint32_t events)
{
	char line[128];

	(void)w;
	(void)events;
	if (!fgets(line, sizeof(line), stdin)) {
		reactor_stop(reactor);
		return;
	}
	line[strcspn(line, "\n")] = '\0';
	obey(line);
}

int main(int argc, char **argv)
{
	const struct reactor_opts o = { .name = "fault-proxy" };
	struct watch w = { .events = EPOLLIN, .ready = input };
	struct err e = { 0 };

	if (argc != 4)
		errx(2, "usage: fault_proxy SEED LISTEN TARGET");
	setvbuf(stdin, NULL, _IONBF, 0); /* or lines hide from epoll */
	if (reactor_create(&o, &reactor, &e) || watch_start(reactor, &w) ||
	    fault_proxy_start(&proxy, reactor, strtoull(argv[1], NULL, 10),
	                      argv[2], argv[3], &e))
		errx(1, "%s", e.text);
	printf("%u\n", fault_proxy_port(&proxy));
	fflush(stdout);
	reactor_run(reactor);
	fault_proxy_stop(&proxy);
	watch_stop(reactor, &w);
	reactor_destroy(reactor);
	fprintf(stderr, "%" PRIu64 " connections, %" PRIu64 " spoiled\n",
	        proxy.n_connections, proxy.n_spoiled);
	return 0;
}
