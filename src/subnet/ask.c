/* SPDX-License-Identifier: BSD-2-Clause */
/* One SMP after the other, as many at a time as the window allows. */
#include "base/base.h"
#include "subnet/subnet_priv.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

typedef void (*got_fn)(struct subnet *s, const struct todo *t, int err,
                       const struct mad *m);

enum target { TO_NODE, TO_PORT, TO_SWITCH, TO_PEER };

/* A row for each kind: what it asks, whom, and who looks at the answer. */
static const struct row {
	got_fn got;
	uint16_t attr;
	uint8_t method;
	uint8_t target; /* what todo.at is */
} rows[ASK_KINDS] = {
	[ASK_NODE] = { subnet_got_node, MAD_ATTR_NODE_INFO, MAD_GET, TO_PEER },
	[ASK_DESC] = { subnet_got_desc, MAD_ATTR_NODE_DESCRIPTION, MAD_GET,
	               TO_NODE },
	[ASK_SWITCH] = { subnet_got_switch, MAD_ATTR_SWITCH_INFO, MAD_GET,
	                 TO_NODE },
	[ASK_LIGHT] = { subnet_got_switch, MAD_ATTR_SWITCH_INFO, MAD_GET,
	                TO_NODE },
	[ASK_PORT] = { subnet_got_port, MAD_ATTR_PORT_INFO, MAD_GET, TO_PORT },
	[ASK_MANAGER] = { subnet_got_manager, MAD_ATTR_SM_INFO, MAD_GET,
	                  TO_PORT },
	[CHECK_LFT] = { subnet_checked_lft, MAD_ATTR_LFT, MAD_GET, TO_SWITCH },
	[ASK_LFT] = { subnet_got_lft, MAD_ATTR_LFT, MAD_GET, TO_SWITCH },
	[ASK_LAG_HOST] = { subnet_got_lag_host, MAD_ATTR_LAG_HOST, MAD_GET,
	                   TO_PORT },
	[ASK_LAG_SWITCH] = { subnet_got_lag_switch, MAD_ATTR_LAG_SWITCH,
	                     MAD_GET, TO_NODE },
	[ASK_GROUP_LIDS] = { subnet_got_group_lids, MAD_ATTR_LAG_LIDS, MAD_GET,
	                     TO_SWITCH },
	[ASK_GROUPS] = { subnet_got_groups, MAD_ATTR_LAG_GROUPS, MAD_GET,
	                 TO_SWITCH },
	[SET_SWITCH] = { subnet_got_switch, MAD_ATTR_SWITCH_INFO, MAD_SET,
	                 TO_NODE },
	[SET_PORT] = { subnet_set_port, MAD_ATTR_PORT_INFO, MAD_SET, TO_PORT },
	[SET_LAG_SWITCH] = { subnet_set_lag_switch, MAD_ATTR_LAG_SWITCH,
	                     MAD_SET, TO_NODE },
	[SET_LFT] = { subnet_set_table, MAD_ATTR_LFT, MAD_SET, TO_SWITCH },
	[SET_MFT] = { subnet_set_table, MAD_ATTR_MFT, MAD_SET, TO_SWITCH },
	[SET_GROUPS] = { subnet_set_table, MAD_ATTR_LAG_GROUPS, MAD_SET,
	                 TO_SWITCH },
	[SET_GROUP_LIDS] = { subnet_set_table, MAD_ATTR_LAG_LIDS, MAD_SET,
	                     TO_SWITCH },
	[SET_PKEYS] = { subnet_set_table, MAD_ATTR_PKEY_TABLE, MAD_SET,
	                TO_PORT },
	[SET_SL2VL] = { subnet_set_table, MAD_ATTR_SL2VL, MAD_SET, TO_PORT },
	[SET_VLARB] = { subnet_set_table, MAD_ATTR_VLARB, MAD_SET, TO_PORT },
	[SET_LAG_HOST] = { subnet_set_lag_host, MAD_ATTR_LAG_HOST, MAD_SET,
	                   TO_PORT },
};

uint32_t subnet_target(const struct subnet *s, const struct todo *t)
{
	switch (rows[t->kind].target) {
	case TO_NODE:
		return t->at;
	case TO_SWITCH:
		return s->graph.switch_node[t->at];
	default:
		return t->at == GRAPH_NONE ? GRAPH_NONE
		                           : s->graph.port[t->at].node;
	}
}

/* The port through which the SMP has to go out to reach its target, which is
 * behind it; GRAPH_NONE: the way to the node will do.  A port of a CA is
 * reached through its own link: it guards itself with an M_Key of its own. */
static uint32_t last_port(const struct subnet *s, const struct todo *t)
{
	const struct graph *g = &s->graph;
	const struct graph_port *p = &g->port[t->at];

	if (rows[t->kind].target == TO_PEER)
		return t->at;
	if (rows[t->kind].target != TO_PORT || t->at == g->self ||
	    g->node[p->node].kind == GRAPH_SWITCH)
		return GRAPH_NONE;
	return p->peer;
}

/* The way to whom it is for.  @return 0; -EHOSTUNREACH, -E2BIG. */
static int find_route(const struct subnet *s, const struct todo *t,
                      struct smp_route *route)
{
	const struct graph *g = &s->graph;
	uint32_t node = subnet_target(s, t), last;
	int hops;

	memset(route, 0, sizeof(*route));
	if (node == GRAPH_NONE)
		return 0;
	last = last_port(s, t);
	hops = graph_path(g, last == GRAPH_NONE ? node : g->port[last].node,
	                  route->out);
	if (hops < 0)
		return hops;
	if (last != GRAPH_NONE) {
		if (hops == SMP_PATH_LENGTH - 1)
			return -E2BIG;
		route->out[++hops] = g->port[last].number;
	}
	route->n_hops = (uint8_t)hops;
	return 0;
}

/* A port's own number where its node needs to be told which one is meant. */
static uint32_t port_modifier(const struct subnet *s, uint32_t port)
{
	return s->graph.port[port].number;
}

/* LinearFDBTop, and that the change bit was seen. */
static void put_switch(const struct subnet *s, const struct todo *t,
                       struct mad *m)
{
	const struct subnet_switch *w = &s->sw[s->graph.node[t->at].sw];
	struct smp_switch_info i = w->info;

	i.linear_top = t->arg ? lft_top(&s->route.lft) : w->lft_top;
	if (i.linear_top >= i.linear_cap && i.linear_cap > 0)
		i.linear_top = (uint16_t)(i.linear_cap - 1);
	i.port_state_change = 1; /* written as 1: cleared */
	smp_put(m, &smp_switch_info_table, &i);
}

static void put_lag_host(const struct subnet *s, const struct todo *t,
                         struct mad *m)
{
	const struct graph *g = &s->graph;
	const struct aggregate_host *h =
		aggregate_find(&s->lag, g->node[g->port[t->at].node].sys_guid);
	struct lag_host out = { .magic = LAG_MAGIC, .version = LAG_VERSION };

	if (!h)
		return;
	out.system_guid = h->sys_guid;
	out.generation = h->generation;
	out.virtual_lid = h->vlid;
	out.mode = h->vlid ? LAG_ACTIVE_ACTIVE : LAG_OFF;
	if (h->vlid && !(h->capabilities & LAG_CAN_AGGREGATE))
		out.mode = LAG_ACTIVE_BACKUP;
	out.n_members = h->vlid ? h->n_members : 0;
	for (unsigned i = 0, hca = 0; i < out.n_members; i++) {
		if (i > 0 &&
		    g->port[h->port[i]].node != g->port[h->port[i - 1]].node)
			hca++;
		out.lid[i] = h->lid[i];
		out.port[i] = g->port[h->port[i]].number;
		out.node[i] = (uint8_t)hca;
		out.state[i] = h->up[i] ? LAG_MEMBER_CARRYING : LAG_MEMBER_DOWN;
	}
	smp_put(m, &lag_host_table, &out);
}

static void fill(struct subnet *s, struct ask *a)
{
	const struct todo *t = &a->todo;
	const struct row *row = &rows[t->kind];
	struct mad *m = &a->q.mad;
	struct lag_switch w;
	struct smp_port_info p;
	uint32_t mod = 0;

	if (row->attr == MAD_ATTR_PORT_INFO)
		mod = port_modifier(s, t->at);
	else if (t->kind == ASK_LFT || t->kind == CHECK_LFT ||
	         t->kind == ASK_GROUP_LIDS || t->kind == ASK_GROUPS)
		mod = t->arg;
	mad_init(m, MAD_CLASS_SUBN_DIRECTED, row->method, row->attr, mod);
	if (t->kind == SET_SWITCH) {
		put_switch(s, t, m);
	} else if (t->kind == SET_PORT) {
		subnet_port_wants(s, t->at, t->arg, &p);
		smp_put(m, &smp_port_info_table, &p);
	} else if (t->kind == SET_LAG_HOST) {
		put_lag_host(s, t, m);
	} else if (t->kind == SET_LAG_SWITCH) {
		subnet_lag_switch(s, t->at, &w);
		smp_put(m, &lag_switch_table, &w);
	} else if (t->kind >= SET_LFT && t->kind <= SET_VLARB) {
		mod = subnet_table_data(s, t, mad_smp(m)->data);
		m->header.attr_mod = be32_put(mod);
	}
	mad_smp(m)->m_key = be64_put(s->opts.m_key);
}

/* A node that does not answer is not asked about everything: its other
 * questions of this pass fail at once. */
static void note_silence(struct subnet *s, const struct todo *t, int err)
{
	uint32_t node = subnet_target(s, t);

	s->stats.smps_lost++;
	if (rows[t->kind].target == TO_PEER) {
		subnet_say(s, SUBNET_EVENT_NO_ANSWER,
		           "nothing answers through %s: %s",
		           t->at == GRAPH_NONE ? "our own port"
		                               : subnet_name(s, t->at),
		           strerror(-err));
		return;
	}
	if (s->silent[node] == s->pass)
		return;
	s->silent[node] = s->pass;
	subnet_say(s, SUBNET_EVENT_NO_ANSWER, "%s does not answer",
	           subnet_node_name(s, node));
	if (s->phase == PHASE_DISCOVER && !s->full) {
		subnet_suspect(s, node, true);
		s->silent[node] = s->pass;
	}
}

static bool known_silent(const struct subnet *s, const struct todo *t)
{
	uint32_t node = subnet_target(s, t);

	return rows[t->kind].target != TO_PEER && node < s->room_silent &&
	       s->silent[node] == s->pass;
}

/* What is not answered by an agent that does not know it, or by a manager that
 * is frozen, says nothing about the node. */
static bool is_telling(uint8_t kind)
{
	return kind != ASK_LAG_HOST && kind != ASK_LAG_SWITCH &&
	       kind != ASK_MANAGER;
}

static void answered(struct transact_request *q, int err,
                     const struct mad *reply)
{
	struct ask *a = container_of(q, struct ask, q);
	struct subnet *s = a->s;
	struct todo t = a->todo;

	a->next_free = s->free_ask;
	s->free_ask = a;
	s->in_flight--;
	if (err != -ECANCELED) {
		if (err && is_telling(t.kind))
			note_silence(s, &t, err);
		rows[t.kind].got(s, &t, err, reply);
	}
	/* A full window is refilled by each answer; the rest, and the end of
	 * a phase, by a task, so that replies of one batch come first. */
	if (s->in_flight == 0)
		subnet_step(s);
	else
		subnet_pump(s);
}

static int grow_silent(struct subnet *s)
{
	uint32_t room = s->graph.room_nodes;
	uint32_t *silent;

	if (s->room_silent >= s->graph.n_nodes)
		return 0;
	silent = realloc(s->silent, room * sizeof(*silent));
	if (!silent)
		return -ENOMEM;
	memset(silent + s->room_silent, 0,
	       (room - s->room_silent) * sizeof(*silent));
	s->silent = silent;
	s->room_silent = room;
	return 0;
}

void subnet_pump(struct subnet *s)
{
	struct todo t;

	while (s->free_ask && !s->stopping && !grow_silent(s)) {
		struct ask *a = s->free_ask;
		struct smp_route route;
		int err;

		if (!subnet_pass_next(s, &t))
			return;
		assert(rows[t.kind].got);
		err = known_silent(s, &t) ? -ETIMEDOUT
		                          : find_route(s, &t, &route);
		if (err) {
			rows[t.kind].got(s, &t, err, NULL);
			continue;
		}
		s->free_ask = a->next_free;
		a->todo = t;
		fill(s, a);
		smp_set_route(&a->q.mad, &route);
		a->q.to = mad_address_directed();
		a->q.done = answered;
		s->in_flight++;
		transact_submit(s->smp, &a->q);
	}
}
