/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Discovery: what the answers say is there, and what to ask next.
 *
 * A fabric that contradicts itself is reported by name, and the link over which
 * it does is isolated; the rest goes on.
 */
#include "subnet/subnet_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FLAPS_MAX 4u
#define CALM_MS 30000u
#define DOUBT_MS 100u /* then we look again */

/* -- links ----------------------------------------------------------------- */

static void isolate(struct subnet *s, uint32_t port)
{
	struct graph_port *p = &s->graph.port[port];

	if (p->isolated)
		return;
	p->isolated = true;
	s->changed = true;
	subnet_add_work(s, WORK_CALM, port, CALM_MS);
}

/* A link that is lost again and again is not used until it has been quiet;
 * except our own, without which there is nothing. */
static void count_flap(struct subnet *s, uint32_t port)
{
	struct graph_port *p = &s->graph.port[port];

	if (port == s->graph.self || p->peer == s->graph.self)
		return;
	if (p->flaps < UINT8_MAX)
		p->flaps++;
	if (p->flaps == 1)
		subnet_add_work(s, WORK_CALM, port, CALM_MS);
	if (p->flaps < FLAPS_MAX || p->isolated)
		return;
	subnet_say(s, SUBNET_EVENT_FAULT,
	           "flapping link: %s was lost %u times in %u s; not used "
	           "until it has been up for as long",
	           subnet_name(s, port), p->flaps, CALM_MS / 1000);
	isolate(s, port);
}

/*
 * A node that is silent, or has lost a link, may have lost all of them.  Its
 * neighbours know, and are asked by ways that don't lead through it.
 */
void subnet_suspect(struct subnet *s, uint32_t node, bool was_way)
{
	struct graph *g = &s->graph;
	struct graph_node *n = &g->node[node];

	if (!n->suspect) {
		n->suspect = true;
		was_way = true;
		subnet_todo(s, ASK_WAIT, 0, 0);
		for (unsigned i = 1; i <= n->n_ports; i++)
			if (g->port[n->first_port + i].peer != GRAPH_NONE)
				subnet_todo(s, ASK_PORT,
				            g->port[n->first_port + i].peer, 0);
		subnet_todo(s, ASK_WAIT, 0, 0);
	}
	if (!was_way)
		return;
	graph_find_ways(g);
	/* Who was silent may have been asked through this link. */
	memset(s->silent, 0, s->room_silent * sizeof(*s->silent));
}

void subnet_link_lost(struct subnet *s, uint32_t port)
{
	struct graph *g = &s->graph;
	uint32_t peer = g->port[port].peer;
	const struct graph_node *far;

	if (peer == GRAPH_NONE)
		return;
	far = &g->node[g->port[peer].node];
	subnet_say(s, SUBNET_EVENT_LINK_DOWN, "%s - %s", subnet_name(s, port),
	           subnet_name(s, peer));
	count_flap(s, port);
	graph_unlink(g, port);
	s->changed = true;
	if (g->node[g->port[port].node].sw != GRAPH_NONE)
		s->focus = g->node[g->port[port].node].sw;
	s->focus_how = far->kind != GRAPH_SWITCH ? FOCUS_LAST : FOCUS_NEAREST;
	if (!s->full)
		subnet_suspect(s, g->port[peer].node, far->way == peer);
	g->port[peer].state = GRAPH_STATE_DOWN;
}

static void focus_first(struct subnet *s, uint32_t at, uint32_t host)
{
	const struct graph *g = &s->graph;

	if (g->node[g->port[at].node].sw == GRAPH_NONE ||
	    g->node[g->port[host].node].kind != GRAPH_CA)
		return;
	s->focus = g->node[g->port[at].node].sw;
	s->focus_how = FOCUS_FIRST;
}

static void link_up(struct subnet *s, uint32_t a, uint32_t b)
{
	struct graph *g = &s->graph;

	g->port[a].seen = s->pass;
	g->port[b].seen = s->pass;
	if (g->port[a].peer == b)
		return;
	subnet_link_lost(s, a);
	subnet_link_lost(s, b);
	graph_link(g, a, b);
	s->changed = true;
	focus_first(s, a, b);
	focus_first(s, b, a);
	if (s->saw_all)
		subnet_say(s, SUBNET_EVENT_LINK_UP, "%s - %s",
		           subnet_name(s, a), subnet_name(s, b));
}

/* -- nodes ----------------------------------------------------------------- */

static int make_switch(struct subnet *s, unsigned sw)
{
	struct subnet_switch *all;
	unsigned room = s->graph.room_nodes;

	if (sw < s->room_sw)
		return 0;
	all = realloc(s->sw, room * sizeof(*all));
	if (!all)
		return -ENOMEM;
	memset(all + s->room_sw, 0, (room - s->room_sw) * sizeof(*all));
	s->sw = all;
	s->room_sw = room;
	return 0;
}

static int new_node(struct subnet *s, const struct smp_node_info *i,
                    uint32_t *node)
{
	struct graph *g = &s->graph;
	struct graph_node *n;
	int err;

	if (i->node_type < GRAPH_CA || i->node_type > GRAPH_ROUTER ||
	    i->n_ports == 0 || i->n_ports > 254)
		return -EPROTO;
	err = graph_add(g, i->node_guid, i->node_type, i->n_ports, node);
	if (err)
		return err;
	n = &g->node[*node];
	if (n->sw != GRAPH_NONE) {
		err = make_switch(s, n->sw);
		if (err)
			return err;
		subnet_believe(s, *node);
		/* What it has in its tables is not known. */
		s->sw[n->sw] = (struct subnet_switch){ .fresh = true };
	}
	n->hops = UINT16_MAX;
	n->seen = 0;
	s->changed = true;
	return 0;
}

static void fill_node(struct subnet *s, uint32_t node,
                      const struct smp_node_info *i)
{
	struct graph_node *n = &s->graph.node[node];

	n->sys_guid = i->system_guid ? i->system_guid : i->node_guid;
	n->partition_cap = i->partition_cap;
	n->device_id = i->device_id;
	n->vendor_id = i->vendor_id;
	n->revision = i->revision;
	if (n->kind == GRAPH_SWITCH)
		s->graph.port[n->first_port].guid = i->port_guid;
	else if (i->local_port >= 1 && i->local_port <= n->n_ports)
		s->graph.port[n->first_port + i->local_port].guid =
			i->port_guid;
}

void subnet_read_ports(struct subnet *s, uint32_t node)
{
	const struct graph_node *n = &s->graph.node[node];

	for (unsigned i = 0; i <= n->n_ports; i++)
		subnet_todo(s, ASK_PORT, n->first_port + i, 0);
}

/* What else there is to know of a node that was met for the first time, or in
 * this pass for the first time. */
static void ask_about(struct subnet *s, uint32_t node, bool is_new)
{
	const struct graph_node *n = &s->graph.node[node];

	if (is_new)
		subnet_todo(s, ASK_DESC, node, 0);
	if (n->kind == GRAPH_SWITCH)
		subnet_todo(s, ASK_SWITCH, node, is_new || s->full);
}

/* Is this the node that we know by its GUID?  If not, two have one GUID. */
static bool is_consistent(struct subnet *s, uint32_t node, uint32_t via,
                          const struct smp_node_info *i)
{
	const struct graph *g = &s->graph;
	const struct graph_node *n = &g->node[node];
	uint32_t peer;

	if (n->kind != i->node_type || n->n_ports != i->n_ports) {
		subnet_say(s, SUBNET_EVENT_FAULT,
		           "duplicate GUID 0x%016lx: %s, and another kind of "
		           "node behind %s; the second is isolated",
		           (unsigned long)n->guid, n->desc,
		           subnet_name(s, via));
		return false;
	}
	if (i->local_port > n->n_ports) {
		subnet_say(s, SUBNET_EVENT_FAULT,
		           "%s says it is behind its port %u, but has only %u; "
		           "isolated",
		           n->desc, i->local_port, n->n_ports);
		return false;
	}
	peer = g->port[n->first_port + i->local_port].peer;
	if (peer != GRAPH_NONE && peer != via &&
	    g->port[n->first_port + i->local_port].seen == s->pass) {
		subnet_say(
			s, SUBNET_EVENT_FAULT,
			"duplicate GUID 0x%016lx (%s): its port %u is behind "
			"%s and behind %s; the second is isolated",
			(unsigned long)n->guid, n->desc, i->local_port,
			subnet_name(s, peer), subnet_name(s, via));
		return false;
	}
	return true;
}

/* A cable from a switch to itself.  @return true: it is one. */
static bool is_loop(struct subnet *s, uint32_t via, uint32_t node,
                    unsigned local)
{
	struct graph *g = &s->graph;
	uint32_t at;

	if (g->port[via].node != node || local > g->node[node].n_ports)
		return false;
	at = g->node[node].first_port + local;
	if (!g->port[via].isolated || !g->port[at].isolated)
		subnet_say(s, SUBNET_EVENT_FAULT,
		           "looped cable: ports %u and %u of %s are joined; "
		           "not used",
		           g->port[via].number, local,
		           subnet_node_name(s, node));
	isolate(s, via);
	isolate(s, at);
	g->port[via].seen = g->port[at].seen = s->pass;
	return true;
}

static void meet(struct subnet *s, uint32_t node, uint32_t via, uint32_t at,
                 bool is_new)
{
	struct graph *g = &s->graph;
	struct graph_node *n = &g->node[node];
	bool first = is_new || (s->full && n->seen != s->pass);

	n->seen = s->pass;
	if (n->hops == UINT16_MAX) {
		n->way = at;
		n->hops = via == GRAPH_NONE
		                  ? 0
		                  : (uint16_t)(g->node[g->port[via].node].hops +
		                               1);
	}
	if (first)
		ask_about(s, node, is_new);
	else if (!s->full && n->kind == GRAPH_SWITCH)
		subnet_todo(s, ASK_SWITCH, node, 0);
	if (n->kind != GRAPH_SWITCH || !first)
		subnet_todo(s, ASK_PORT, at, 0);
}

void subnet_got_node(struct subnet *s, const struct todo *t, int err,
                     const struct mad *m)
{
	struct graph *g = &s->graph;
	struct smp_node_info i;
	uint32_t node, at, via = t->at;
	bool is_new;

	if (err || mad_status(m)) {
		if (via != GRAPH_NONE && !g->port[via].isolated)
			subnet_link_lost(s, via);
		return;
	}
	smp_get(m, &smp_node_info_table, &i);
	node = graph_find(g, i.node_guid);
	is_new = node == GRAPH_NONE || !g->node[node].present;
	if (!is_new && via != GRAPH_NONE && is_loop(s, via, node, i.local_port))
		return;
	if (!is_new && !is_consistent(s, node, via, &i)) {
		isolate(s, via);
		g->port[via].seen = s->pass;
		return;
	}
	if (is_new && new_node(s, &i, &node)) {
		subnet_say(s, SUBNET_EVENT_FAULT,
		           "the node behind %s can't be used: %u ports, type "
		           "%u",
		           via == GRAPH_NONE ? "us" : subnet_name(s, via),
		           i.n_ports, i.node_type);
		return;
	}
	if (i.local_port > g->node[node].n_ports)
		i.local_port = 0;
	at = g->node[node].first_port + i.local_port;
	fill_node(s, node, &i);
	if (via == GRAPH_NONE) {
		g->self = at;
		g->node[node].hops = 0;
		g->node[node].way = at;
	} else {
		link_up(s, via, at);
	}
	meet(s, node, via, at, is_new);
	/* From our own node, through our own port. */
	if (via == GRAPH_NONE && g->node[node].kind != GRAPH_SWITCH)
		subnet_todo(s, ASK_NODE, at, 0);
}

void subnet_got_desc(struct subnet *s, const struct todo *t, int err,
                     const struct mad *m)
{
	struct graph_node *n = &s->graph.node[t->at];
	struct smp_node_description d;

	if (err || mad_status(m))
		return;
	smp_get(m, &smp_node_description_table, &d);
	for (unsigned i = 0; i < GRAPH_DESC; i++) {
		char c = d.text[i];

		n->desc[i] = c == '\0' || (c >= ' ' && c != 0x7f) ? c : '?';
	}
	n->desc[GRAPH_DESC] = '\0';
	if (s->saw_all)
		subnet_say(s, SUBNET_EVENT_NODE_UP, "%s", n->desc);
}

/* -- switches -------------------------------------------------------------- */

/* A switch that has lost its tables, or whose tables we don't know. */
static void look_at_tables(struct subnet *s, unsigned sw)
{
	struct subnet_switch *w = &s->sw[sw];
	bool lost = w->lft_top && w->info.linear_top < w->lft_top;

	if (!w->fresh && !lost)
		return;
	if (lost)
		subnet_believe(s, s->graph.switch_node[sw]);
	w->fresh = false;
	w->adopt_top = 0;
	w->lft_top = 0;
	if (w->info.linear_top > 0 && w->info.linear_top < LIDMAP_LIDS && !lost)
		w->adopt_top = w->info.linear_top;
	if (sw < s->route.lft.n_switches)
		blocks_mark_switch(&s->route.lft, sw);
	if (sw < s->mcast.mft.n_switches)
		blocks_mark_switch(&s->mcast.mft, sw);
	aggregate_switch_reset(&s->lag, sw);
	w->asked_lag = false;
	s->changed = true;
}

void subnet_got_switch(struct subnet *s, const struct todo *t, int err,
                       const struct mad *m)
{
	struct graph_node *n = &s->graph.node[t->at];
	struct subnet_switch *w = &s->sw[n->sw];
	bool said_change;

	if (err || mad_status(m)) {
		/* Its neighbour knows whether it is still there. */
		if (err && t->kind == ASK_LIGHT && n->way != GRAPH_NONE &&
		    s->graph.port[n->way].peer != GRAPH_NONE)
			subnet_todo(s, ASK_PORT, s->graph.port[n->way].peer, 0);
		return;
	}
	smp_get(m, &smp_switch_info_table, &w->info);
	said_change = w->info.port_state_change;
	n->lft_cap = w->info.linear_cap;
	n->mft_cap = w->info.multicast_cap;
	n->enhanced_port0 = w->info.enhanced_port0;
	if (t->kind == SET_SWITCH) {
		w->lft_top = w->info.linear_top;
		return;
	}
	look_at_tables(s, n->sw);
	w->lft_top = w->info.linear_top;
	if (t->kind == ASK_LIGHT && !said_change)
		return;
	/* First say that the change was seen, then look: what changes later
	 * is a change again. */
	if (said_change && !s->full && subnet_is_master(s)) {
		subnet_todo(s, SET_SWITCH, t->at, 0);
		subnet_todo(s, ASK_WAIT, 0, 0);
	}
	if (t->arg || t->kind == ASK_LIGHT)
		subnet_read_ports(s, t->at);
}

/* -- ports ----------------------------------------------------------------- */

void subnet_fill_port(struct graph_port *p, const struct smp_port_info *i)
{
	p->cap_mask = i->capability_mask;
	p->lid = i->lid;
	p->sm_lid = i->sm_lid;
	p->lmc = i->lmc;
	p->state = i->port_state;
	p->phys = i->phys_state;
	p->width = i->link_width_active;
	p->speed = i->link_speed_ext_active
	                   ? (uint8_t)(16 + i->link_speed_ext_active)
	                   : i->link_speed_active;
	p->mtu_cap = i->mtu_cap;
	p->mtu = i->neighbor_mtu;
	p->vl_cap = i->vl_cap;
	p->op_vls = i->operational_vls;
	p->errors = (uint8_t)(i->local_phy_errors << 4 | i->overrun_errors);
	p->guid_cap = i->guid_cap;
	p->enforces = subnet_enforces(i);
	p->known = true;
}

/* A port of a switch that has a link: is what is behind it known? */
static void look_behind(struct subnet *s, uint32_t at, uint8_t had_state)
{
	const struct graph_port *p = &s->graph.port[at];
	bool settled =
		p->state == GRAPH_STATE_ACTIVE || p->state == GRAPH_STATE_ARMED;
	bool was_down = had_state != GRAPH_STATE_INIT;

	if (p->peer == GRAPH_NONE || (s->full && p->seen != s->pass))
		subnet_todo(s, ASK_NODE, at, 0);
	else if (!s->full && p->seen != s->pass && !settled && was_down)
		/* It went down and came back; perhaps to somebody else. */
		subnet_todo(s, ASK_NODE, at, 0);
}

/* Our own link is back, or another manager came: that takes a pass over
 * everything. */
static void look_for_managers(struct subnet *s, uint32_t at, uint8_t had_state,
                              uint32_t had_mask)
{
	const struct graph_port *p = &s->graph.port[at];
	bool up = p->phys == GRAPH_PHYS_LINK_UP && p->state >= GRAPH_STATE_INIT;

	if (s->full || !up)
		return;
	if (at == s->graph.self && p->peer == GRAPH_NONE)
		subnet_add_work(s, WORK_ALL, 0, 0);
	else if (at != s->graph.self && (p->cap_mask & SMP_CAP_IS_SM) &&
	         (!(had_mask & SMP_CAP_IS_SM) || had_state < GRAPH_STATE_ARMED))
		subnet_add_work(s, WORK_ALL, 0, 100);
}

void subnet_got_port(struct subnet *s, const struct todo *t, int err,
                     const struct mad *m)
{
	struct graph *g = &s->graph;
	struct graph_port *p = &g->port[t->at];
	const struct graph_node *n = &g->node[p->node];
	struct smp_port_info i;
	uint8_t had = p->state;
	uint32_t had_mask = p->cap_mask;
	bool up;

	if (err || mad_status(m))
		return;
	smp_get(m, &smp_port_info_table, &i);
	subnet_fill_port(p, &i);
	p->looked = s->pass;
	if (p->number == 0)
		return;
	up = p->phys == GRAPH_PHYS_LINK_UP && p->state >= GRAPH_STATE_INIT;
	if (p->peer != GRAPH_NONE && !up && !(s->full && p->seen == s->pass)) {
		subnet_link_lost(s, t->at);
		return;
	}
	if (n->kind != GRAPH_SWITCH)
		look_for_managers(s, t->at, had, had_mask);
	else if (up)
		look_behind(s, t->at, had);
}

/* -- the end --------------------------------------------------------------- */

/* One end of a link says that it has none, and yet answers through it: twice,
 * as it may have come back between two questions. */
static void find_liars(struct subnet *s)
{
	struct graph *g = &s->graph;

	for (uint32_t i = 0; i < g->n_ports; i++) {
		struct graph_port *p = &g->port[i];

		if (p->phys == GRAPH_PHYS_LINK_UP)
			p->doubted = false;
		if (p->peer == GRAPH_NONE || !p->known || p->isolated ||
		    p->seen != s->pass || p->phys == GRAPH_PHYS_LINK_UP ||
		    g->port[p->peer].phys != GRAPH_PHYS_LINK_UP ||
		    p->looked != s->pass || g->port[p->peer].looked != s->pass)
			continue;
		if (!p->doubted) {
			p->doubted = true;
			subnet_add_work(s, WORK_ALL, 0, DOUBT_MS);
			continue;
		}
		subnet_say(s, SUBNET_EVENT_FAULT,
		           "%s says its link is down, yet answers through it "
		           "(behind %s); isolated",
		           subnet_name(s, i), subnet_name(s, p->peer));
		isolate(s, p->peer);
	}
}

static void drop_gone(struct subnet *s)
{
	struct graph *g = &s->graph;

	for (uint32_t i = 0; i < g->n_nodes; i++) {
		struct graph_node *n = &g->node[i];

		if (!n->present || n->hops != UINT16_MAX)
			continue;
		subnet_say(s, SUBNET_EVENT_NODE_DOWN, "%s",
		           subnet_node_name(s, i));
		graph_drop(g, i);
		if (n->sw != GRAPH_NONE) {
			if (n->sw < s->route.lft.n_switches)
				blocks_forget_switch(&s->route.lft, n->sw);
			blocks_forget_switch(&s->mcast.mft, n->sw);
			blocks_forget_switch(&s->lag.groups, n->sw);
			blocks_forget_switch(&s->lag.lids, n->sw);
		}
		s->changed = true;
	}
}

void subnet_discovered(struct subnet *s)
{
	struct graph *g = &s->graph;

	for (uint32_t i = 0; i < g->n_nodes; i++)
		g->node[i].suspect = false;
	/* Links that a pass over everything did not meet. */
	for (uint32_t i = 0; s->full && i < g->n_ports; i++)
		if (g->port[i].peer != GRAPH_NONE && g->port[i].seen != s->pass)
			subnet_link_lost(s, i);
	find_liars(s);
	if (s->full || s->changed) {
		graph_find_ways(g);
		drop_gone(s);
	}
}
