/* SPDX-License-Identifier: BSD-2-Clause */
/* From what is there to what should be: LIDs, tables, groups. */
#include "subnet/subnet_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint16_t subnet_lid_of(void *subnet, uint32_t port, uint8_t *lmc)
{
	const struct subnet *s = subnet;
	const struct graph_port *p;

	if (lmc)
		*lmc = 0;
	if (port == GRAPH_NONE)
		return 0;
	p = &s->graph.port[port];
	return p->guid ? lidmap_get(&s->lids, LIDMAP_PORT, p->guid, lmc) : 0;
}

static void assign(struct subnet *s, uint32_t port, uint8_t lmc)
{
	const struct graph_port *p = &s->graph.port[port];

	if (!p->guid || lidmap_assign(&s->lids, LIDMAP_PORT, p->guid, lmc,
	                              p->lmc == lmc ? p->lid : 0))
		return;
	subnet_say(s, SUBNET_EVENT_FAULT, "no LID is left for %s",
	           subnet_name(s, port));
}

/* Switch by switch, so that what is behind one has neighbouring LIDs and a
 * change there is in few blocks. */
void subnet_assign_lids(struct subnet *s)
{
	const struct graph *g = &s->graph;

	for (uint32_t i = 0; i < g->n_switches; i++) {
		const struct graph_node *n = &g->node[g->switch_node[i]];

		if (!n->present)
			continue;
		assign(s, n->first_port, 0);
		for (unsigned k = 1; k <= n->n_ports; k++) {
			uint32_t to = g->port[n->first_port + k].peer;

			if (to != GRAPH_NONE &&
			    g->node[g->port[to].node].kind != GRAPH_SWITCH)
				assign(s, to, s->opts.lmc);
		}
	}
	if (g->self != GRAPH_NONE &&
	    g->node[g->port[g->self].node].kind != GRAPH_SWITCH)
		assign(s, g->self, s->opts.lmc);
}

static unsigned lanes_of(uint8_t code)
{
	static const uint8_t lanes[] = { 1, 1, 2, 4, 8, 15 };

	return code < sizeof(lanes) ? lanes[code] : 1;
}

unsigned subnet_lanes(const struct graph *g)
{
	unsigned least = ROUTE_LAYERS_MAX;

	for (uint32_t i = 0; i < g->n_ports; i++) {
		const struct graph_port *p = &g->port[i];

		if (p->peer == GRAPH_NONE || !p->known ||
		    g->node[p->node].kind != GRAPH_SWITCH ||
		    g->node[g->port[p->peer].node].kind != GRAPH_SWITCH)
			continue;
		if (lanes_of(p->vl_cap) < least)
			least = lanes_of(p->vl_cap);
	}
	return least;
}

/* Whether tables that were read are worth more than those we have: we are new
 * here, or were alone on an island and see the rest again. */
static bool is_newcomer(const struct subnet *s)
{
	uint32_t adopted = 0, present = 0;

	for (uint32_t i = 0; i < s->graph.n_switches; i++) {
		present += s->graph.node[s->graph.switch_node[i]].present;
		adopted += s->sw[i].adopt_top > 0;
	}
	return adopted > (s->planned ? present / 2 : 0);
}

static int plan_routes(struct subnet *s, struct topo *now, struct err *e)
{
	enum route_engine had = s->route.used;
	unsigned lanes = subnet_lanes(&s->graph);
	int err;

	if (is_newcomer(s))
		err = route_adopt(&s->route, now, s->opts.engine, lanes, e);
	else if (!s->planned || lanes < s->route.lanes)
		err = route_build(&s->route, now, s->opts.engine, lanes, e);
	else
		err = route_repair(&s->route, &s->topo, now, e);
	if (!err && s->route.why[0] && (had != s->route.used || !s->planned))
		subnet_say(s, SUBNET_EVENT_ROUTING, "%s", s->route.why);
	return err;
}

/* Switches that came since: they lack everything. */
static void mark_fresh(struct subnet *s)
{
	for (uint32_t i = 0; i < s->graph.n_switches; i++) {
		struct subnet_switch *w = &s->sw[i];

		if (s->graph.node[s->graph.switch_node[i]].present)
			w->adopt_top = 0;
		else
			blocks_forget_switch(&s->route.lft, i);
	}
}

int subnet_plan(struct subnet *s)
{
	bool first = !s->planned;
	struct err e = { 0 };
	struct topo now;
	int err;

	if (s->reregister && s->full)
		for (uint32_t i = 0; i < s->graph.n_ports; i++)
			s->graph.port[i].reregister =
				s->graph.node[s->graph.port[i].node].kind ==
					GRAPH_CA &&
				s->graph.port[i].number > 0;
	for (uint32_t i = 0; s->full && i < s->graph.n_ports; i++)
		s->graph.port[i].refused = false;
	err = topo_build(&now, &s->graph, subnet_lid_of, s);
	if (!err)
		err = plan_routes(s, &now, &e);
	if (err) {
		subnet_say(s, SUBNET_EVENT_ROUTING, "the tables stay: %s",
		           e.code ? e.text : strerror(-err));
		topo_fini(&now);
		subnet_add_work(s, WORK_ALL, 0, 5000);
		return err;
	}
	topo_fini(&s->topo);
	s->topo = now;
	/* The check looks at the view that just moved. */
	if (s->route.check.cdg)
		check_move(&s->route.check, &s->topo);
	s->planned = true;
	mark_fresh(s);
	if (!s->opts.no_lag)
		err = aggregate_plan(
			&s->lag, &s->lids, &s->route, &s->topo, &s->graph,
			first || s->route.recollected ? NULL
						      : s->route.touched);
	s->route.recollected = false;
	s->mcast.all_dirty |= s->changed;
	if (!err)
		err = mcast_plan(&s->mcast, &s->topo, &s->graph, &s->lag);
	if (err)
		subnet_say(s, SUBNET_EVENT_FAULT, "out of memory to plan");
	return err;
}

void subnet_forget_tables(struct subnet *s)
{
	route_fini(&s->route);
	route_init(&s->route);
	s->planned = false;
	s->saw_all = false;
	for (unsigned i = 0; i < s->room_sw; i++)
		s->sw[i].fresh = true;
	for (uint32_t i = 0; i < s->lag.n; i++)
		s->lag.host[i].ask = s->lag.host[i].reroute = true;
	for (uint32_t i = 0; i < s->graph.n_ports; i++)
		s->graph.port[i].has_m_key = false;
}
