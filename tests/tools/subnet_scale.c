/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subnet_scale RADIX PODS [ENGINE]: time and memory of routing a three-level
 * Clos without MADs: build, check, a link cut and repaired, balance.
 */
#include "base/clock.h"
#include "subnet/balance.h"
#include "subnet/check.h"
#include "subnet/route.h"

#include "../unit/subnet/nets.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static uint64_t began;

static void say(const char *what)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	printf("%-8s %8.1f ms  %6.1f MB\n", what,
	       (double)(clock_now_ns() - began) / 1e6,
	       (double)u.ru_maxrss / 1024);
	began = clock_now_ns();
}

int main(int argc, char **argv)
{
	unsigned radix = argc > 1 ? (unsigned)atoi(argv[1]) : 36;
	unsigned pods = argc > 2 ? (unsigned)atoi(argv[2]) : 31;
	enum route_engine engine = argc > 3 ? route_parse(argv[3]) : ROUTE_AUTO;
	struct check_result res;
	struct topo was, now;
	struct balance b;
	struct err e = { 0 };
	struct graph g;
	struct route r;
	uint32_t cut;

	began = clock_now_ns();
	graph_init(&g);
	net_clos3(&g, radix, pods);
	net_number(&g);
	say("graph");
	net_topo(&was, &g);
	say("topo");
	route_init(&r);
	if (route_build(&r, &was, engine, 8, &e)) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	say("build");
	check_tables(&was, &r.lft, r.layer, r.n_layers, &res);
	say("check");
	for (uint32_t i = 0; i < was.n_switches; i++)
		for (unsigned k = 0; k < LFT_BLOCKS; k++)
			if (r.lft.block[k])
				blocks_sent(&r.lft, i, k);
	/* The first link up of a leaf. */
	cut = g.switch_node[was.n_switches - 1];
	cut = graph_port(&g, cut, was.edge[was.first[g.node[cut].sw]].port);
	graph_unlink(&g, cut);
	net_topo(&now, &g);
	say("topo");
	if (route_repair(&r, &was, &now, &e)) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	say("repair");
	printf("%u switches, %u LIDs, %s; repair: %u searches, %u entries, "
	       "%u blocks\n",
	       now.n_switches, now.n_dests, route_name(r.used),
	       r.stats.searches, r.stats.changed, r.lft.n_dirty);
	balance_measure(&now, &r.lft, 5, 1, &b);
	printf("load: max %lu, mean %.1f, permutations %.3f\n", b.max, b.mean,
	       b.permutation);
	say("balance");
	topo_fini(&was);
	topo_fini(&now);
	route_fini(&r);
	graph_fini(&g);
	return 0;
}
