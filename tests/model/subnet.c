/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A subnet manager under random link, switch and port events, on twelve
 * topologies.  After each event: every pair that the cables join is reachable,
 * no LID has two owners, no virtual lane has a cycle, and of the paths that the
 * event did not touch at least 90 % are what they were.
 *
 *     EVENTS=1000 LARGE=1 model_subnet [SEED [TOPOLOGY]]
 *
 * LARGE: topologies of up to 2,000 hosts instead of a few dozen.  TOPOLOGY: one
 * of them, from 0; all of them otherwise.
 *
 * shows L4, L6, L11, L19
 */
#include "../unit/test.h"

#include "../unit/subnet/sm_rig.h"

#include "mad/smp.h"
#include "subnet/check.h"
#include "subnet/subnet_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *small, *large;
	enum route_engine engine;
} fabrics[] = {
	{ "clos:hosts=24,ports=1,radix=8",
	  "clos:hosts=2000,ports=1,radix=36,levels=3", ROUTE_AUTO },
	{ "clos:hosts=24,ports=2,radix=8", "clos:hosts=648,ports=2,radix=36",
	  ROUTE_AUTO },
	{ "clos:hosts=72,ports=2,radix=12",
	  "clos:hosts=2000,ports=2,radix=48,levels=3", ROUTE_AUTO },
	{ "clos:hosts=48,ports=1,radix=8,levels=3",
	  "clos:hosts=1024,ports=1,radix=16,levels=3", ROUTE_MINHOP },
	{ "clos:hosts=48,ports=2,radix=8,levels=3",
	  "clos:hosts=512,ports=2,radix=16,levels=3", ROUTE_FATTREE },
	{ "clos:hosts=20,ports=4,radix=16", "clos:hosts=324,ports=4,radix=36",
	  ROUTE_UPDOWN },
	{ "torus:x=6,y=1,z=1,hosts=3", "torus:x=12,y=1,z=1,hosts=16",
	  ROUTE_AUTO },
	{ "torus:x=5,y=5,z=1,hosts=2", "torus:x=10,y=10,z=1,hosts=16",
	  ROUTE_AUTO },
	{ "torus:x=3,y=3,z=3,hosts=1", "torus:x=5,y=5,z=5,hosts=12",
	  ROUTE_LAYERED },
	{ "torus:x=4,y=4,z=2,hosts=2", "torus:x=8,y=8,z=4,hosts=7",
	  ROUTE_UPDOWN },
	{ "dragonfly:groups=5,switches=4,hosts=2,global=1",
	  "dragonfly:groups=17,switches=8,hosts=8,global=2", ROUTE_AUTO },
	{ "dragonfly:groups=9,switches=4,hosts=1,global=2",
	  "dragonfly:groups=33,switches=8,hosts=7,global=4", ROUTE_UPDOWN },
};

#define FABRICS (sizeof(fabrics) / sizeof(fabrics[0]))
#define DOWN_MAX 12u

static uint64_t seed = 1;
static unsigned n_events = 25;
static unsigned only = FABRICS; /* all */
static uint64_t random_state;

static uint64_t draw(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

#define HOLDS(what)                                                            \
	do {                                                                   \
		if (!(what))                                                   \
			fail_msg("%s: seed %lu, event %u: %s", w->spec, seed,  \
			         w->event, #what);                             \
	} while (0)

/* What is broken at the moment. */
struct damage {
	struct ibnet_port *port;
	struct ibnet_node *node;
};

struct world {
	const char *spec;
	struct sm_rig rig;
	struct damage down[DOWN_MAX];
	unsigned n_down;
	unsigned event;
	uint64_t paths, kept; /* that no event touched; of these unchanged */
};

/* -- events ---------------------------------------------------------------- */

static struct ibnet_port *random_port(struct world *w)
{
	for (;;) {
		struct ibnet_node *n = ibnet_node_at(
			w->rig.net,
			(uint32_t)(draw() % ibnet_node_count(w->rig.net)));
		struct ibnet_node_view v;
		struct ibnet_port_view pv;
		struct ibnet_port *p;

		ibnet_view_node(n, &v);
		p = ibnet_port(n, 1 + (unsigned)(draw() % v.n_ports));
		ibnet_view_port(p, &pv);
		/* The manager's own way out stays. */
		if (pv.peer && strcmp(v.name, "H00000") != 0 &&
		    pv.phys_state == SMP_PHYS_LINK_UP) {
			struct ibnet_port_view peer;

			ibnet_view_port(pv.peer, &peer);
			ibnet_view_node(peer.node, &v);
			if (strcmp(v.name, "H00000") != 0)
				return p;
		}
	}
}

static bool is_managers_switch(struct world *w, const struct ibnet_node *n)
{
	struct ibnet_port_view v, peer;

	for (unsigned i = 1; i <= 4; i++) {
		struct ibnet_port *p =
			ibnet_port(ibnet_node(w->rig.net, "H00000"), i);

		if (!p)
			return false;
		ibnet_view_port(p, &v);
		if (!v.peer)
			continue;
		ibnet_view_port(v.peer, &peer);
		if (peer.node == n)
			return true;
	}
	return false;
}

static void mend_one(struct world *w)
{
	unsigned i = (unsigned)(draw() % w->n_down);

	if (w->down[i].node)
		ibnet_set_power(w->down[i].node, true);
	else
		ibnet_restore(w->down[i].port);
	w->down[i] = w->down[--w->n_down];
}

static void break_one(struct world *w)
{
	struct damage *d = &w->down[w->n_down];
	struct ibnet_node_view v;
	struct ibnet_port_view pv;

	*d = (struct damage){ .port = random_port(w) };
	ibnet_view_port(d->port, &pv);
	ibnet_view_node(pv.node, &v);
	w->n_down++;
	if (draw() % 5 == 0 && v.kind == IBNET_SWITCH &&
	    !is_managers_switch(w, pv.node)) {
		d->node = (struct ibnet_node *)pv.node;
		ibnet_set_power(d->node, false);
	} else {
		ibnet_cut(d->port);
	}
}

static void happen(struct world *w)
{
	if (w->n_down > 0 && (w->n_down == DOWN_MAX || draw() % 2))
		mend_one(w);
	else
		break_one(w);
}

/* -- what must hold -------------------------------------------------------- */

static void check_lids(struct world *w)
{
	static uint64_t owner[LIDMAP_LIDS];

	memset(owner, 0, sizeof(owner));
	for (uint32_t i = 0; i < ibnet_node_count(w->rig.net); i++) {
		struct ibnet_node *n = ibnet_node_at(w->rig.net, i);
		struct ibnet_node_view v;

		ibnet_view_node(n, &v);
		for (unsigned k = 0; k <= v.n_ports; k++) {
			struct ibnet_port *p = ibnet_port(n, k);
			struct ibnet_port_view pv;

			if (!p || (v.kind == IBNET_SWITCH && k > 0))
				continue;
			ibnet_view_port(p, &pv);
			if (!pv.lid || !v.on)
				continue;
			HOLDS(owner[pv.lid] == 0);
			owner[pv.lid] = pv.guid;
		}
	}
	for (uint32_t i = 0; i < w->rig.sm[0].s->lag.n; i++)
		HOLDS(owner[w->rig.sm[0].s->lag.host[i].vlid] == 0);
}

/* The tables that the manager believes in, walked as switches do; that they
 * are what switches have is shown by packets in other tests, and by
 * not_sent. */
static void check_routes(struct world *w)
{
	const struct subnet *s = w->rig.sm[0].s;
	struct check_result res;
	struct check c;
	char text[200];

	if (check_tables(&s->topo, &s->route.lft, s->route.layer,
	                 s->route.n_layers, &res)) {
		check_describe(&res, &s->graph, text, sizeof(text));
		fail_msg("%s: seed %lu, event %u: %s", w->spec, seed, w->event,
		         text);
	}
	HOLDS(check_init(&c, &s->topo, &s->route.lft, s->route.layer,
	                 s->route.n_layers) == 0);
	for (uint32_t i = 0; i < s->topo.n_dests; i++) {
		struct check_end end = { s->topo.dest[i].sw,
			                 s->topo.dest[i].port };

		HOLDS(check_lid(&c, s->topo.dest[i].lid, &end, 1, &res) == 0);
	}
	for (uint32_t i = 0; i < s->lag.n; i++) {
		const struct aggregate_host *h = &s->lag.host[i];
		struct check_end end[AGGREGATE_MEMBERS];
		unsigned n = 0;

		for (unsigned k = 0; h->vlid && k < h->n_members; k++) {
			uint32_t peer = s->graph.port[h->port[k]].peer;

			if (!h->up[k])
				continue;
			end[n].sw = (uint16_t)s->graph
			                    .node[s->graph.port[peer].node]
			                    .sw;
			end[n++].port = s->graph.port[peer].number;
		}
		if (n > 0 && check_lid(&c, h->vlid, end, n, &res)) {
			check_describe(&res, &s->graph, text, sizeof(text));
			fail_msg("%s: seed %lu, event %u: %s", w->spec, seed,
			         w->event, text);
		}
	}
	HOLDS(check_cycles(&c, &res) == 0);
	check_fini(&c);
}

/* The manager sees exactly the links that are there. */
static void check_picture(struct world *w)
{
	struct subnet_status st;
	unsigned linked = 0, active = 0;

	for (uint32_t i = 0; i < ibnet_node_count(w->rig.net); i++) {
		struct ibnet_node *n = ibnet_node_at(w->rig.net, i);
		struct ibnet_node_view v;

		ibnet_view_node(n, &v);
		for (unsigned k = 1; k <= v.n_ports; k++) {
			struct ibnet_port_view pv;

			ibnet_view_port(ibnet_port(n, k), &pv);
			linked += pv.phys_state == SMP_PHYS_LINK_UP;
			active += pv.state == SMP_PORT_ACTIVE;
		}
	}
	subnet_status(w->rig.sm[0].s, &st);
	HOLDS(st.not_sent == 0);
	/* Islands and flapping links are not seen, or not used. */
	HOLDS(st.links * 2 <= linked);
	if (st.nodes == ibnet_node_count(w->rig.net))
		HOLDS(st.links * 2 == linked);
	(void)active;
}

struct path {
	uint8_t n;
	uint32_t hop[20]; /* switch << 8 | port */
};

static void walk(const struct topo *t, const struct blocks *lft, unsigned from,
                 uint16_t lid, struct path *out)
{
	unsigned sw = from;

	out->n = 0;
	while (out->n < 20) {
		uint8_t port = lft_get(lft, sw, lid);
		const struct topo_edge *e =
			port < t->stride ? topo_edge_at(t, sw, port) : NULL;

		out->hop[out->n++] = sw << 8 | port;
		if (!e)
			return;
		sw = e->to;
	}
}

/* Paths whose links are all still there should be what they were. */
static void compare_paths(struct world *w, const struct topo *was,
                          const struct blocks *lft)
{
	const struct subnet *s = w->rig.sm[0].s;

	for (uint32_t i = 0; i < was->n_dests; i++) {
		uint16_t lid = was->dest[i].lid;

		for (unsigned from = 0; from < was->n_switches; from++) {
			struct path a, b;
			bool touched = false;

			if (!was->n_hosts[from])
				continue;
			walk(was, lft, from, lid, &a);
			for (unsigned k = 0; k + 1 < a.n; k++)
				touched |=
					!topo_edge_at(&s->topo, a.hop[k] >> 8,
				                      a.hop[k] & 255);
			if (touched)
				continue;
			walk(&s->topo, &s->route.lft, from, lid, &b);
			w->paths++;
			w->kept += a.n == b.n &&
			           memcmp(a.hop, b.hop,
			                  a.n * sizeof(a.hop[0])) == 0;
		}
	}
}

static void one_event(struct world *w)
{
	struct subnet *s = w->rig.sm[0].s;
	struct topo was;
	struct blocks lft;

	HOLDS(blocks_copy(&lft, &s->route.lft) == 0);
	HOLDS(topo_build(&was, &s->graph, subnet_lid_of, s) == 0);
	happen(w);
	sm_rig_run(&w->rig, 3);
	sm_rig_settle(&w->rig, 0, 5000);
	check_lids(w);
	check_routes(w);
	check_picture(w);
	compare_paths(w, &was, &lft);
	topo_fini(&was);
	blocks_fini(&lft);
}

static void run_fabric(unsigned i)
{
	static struct world world;
	struct world *w = &world;

	memset(w, 0, sizeof(*w));
	w->spec = getenv("LARGE") ? fabrics[i].large : fabrics[i].small;
	random_state = seed * 2654435761u + i + 1;
	sm_rig_init(&w->rig, w->spec);
	w->rig.sm[0].opts.engine = fabrics[i].engine;
	sm_rig_start(&w->rig, 0, "H00000:1");
	HOLDS(sm_rig_settle(&w->rig, 0, 5000) >= 0);
	for (w->event = 0; w->event < n_events; w->event++)
		one_event(w);
	print_message("%s: %u events, %.1f %% of %lu untouched paths kept\n",
	              w->spec, n_events,
	              w->paths ? 100.0 * (double)w->kept / (double)w->paths
	                       : 100.0,
	              w->paths);
	if (w->paths > 0)
		HOLDS(w->kept * 10 >= w->paths * 9);
	sm_rig_fini(&w->rig);
}

static void everything_holds_after_every_event(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FABRICS; i++)
		if (only == FABRICS || only == i)
			run_fabric(i);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_holds_after_every_event),
	};
	const char *events = getenv("EVENTS");

	if (argc > 1)
		seed = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		only = (unsigned)strtoul(argv[2], NULL, 0);
	if (events)
		n_events = (unsigned)strtoul(events, NULL, 0);
	return cmocka_run_group_tests_name("model/subnet", tests, NULL, NULL);
}
