/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending tables: what switches lack, nearest to the change first, groups
 * before the LIDs that are bound to them.
 */
#include "base/crc.h"
#include "subnet/subnet_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LANES_SIZE 8u   /* bytes of an SL to VL table */
#define SORT_MAX 65536u /* blocks; beyond, in the order of their numbers */

static struct blocks *store_of(const struct subnet *s, unsigned kind)
{
	struct subnet *w = (struct subnet *)s;

	switch (kind) {
	case SET_LFT:
		return &w->route.lft;
	case SET_MFT:
		return &w->mcast.mft;
	case SET_GROUPS:
		return &w->lag.groups;
	case SET_GROUP_LIDS:
		return &w->lag.lids;
	default:
		return NULL;
	}
}

/* -- lanes of a port ------------------------------------------------------- */

/* Which lane an SL takes.  Routing's own lanes are the SLs of its paths. */
static void lanes_of(const struct subnet *s, uint8_t op_vls, uint8_t vl[16])
{
	static const uint8_t count[] = { 1, 1, 2, 4, 8, 15 };
	unsigned n = op_vls < sizeof(count) ? count[op_vls] : 1;

	for (unsigned sl = 0; sl < 16; sl++) {
		vl[sl] = (uint8_t)sl;
		if (s->policy.has_sl2vl && s->route.n_layers == 1)
			vl[sl] = s->policy.sl2vl[sl];
		if (vl[sl] != 15)
			vl[sl] = (uint8_t)(vl[sl] % n);
	}
}

static uint32_t qos_of(const struct subnet *s, uint32_t port)
{
	const struct graph_port *p = &s->graph.port[port];
	const struct graph_node *n = &s->graph.node[p->node];
	uint8_t vl[16];
	uint32_t sum;

	if (!s->policy.has_sl2vl && s->route.n_layers <= 1 &&
	    !s->policy.high.n && !s->policy.low.n)
		return 0;
	lanes_of(s, p->op_vls, vl);
	sum = base_crc32c(0, vl, sizeof(vl));
	sum = base_crc32c(sum, &s->policy.high, sizeof(s->policy.high));
	sum = base_crc32c(sum, &s->policy.low, sizeof(s->policy.low));
	for (unsigned i = 1; n->kind == GRAPH_SWITCH && i <= n->n_ports; i++)
		if (s->graph.port[n->first_port + i].peer != GRAPH_NONE)
			sum = sum * 31 + i;
	return sum | 1;
}

static void list_lanes(struct subnet *s, uint32_t port)
{
	const struct graph_port *p = &s->graph.port[port];
	const struct graph_node *n = &s->graph.node[p->node];

	if (p->op_vls > 1 && n->kind == GRAPH_SWITCH) {
		for (unsigned in = 0; in <= n->n_ports; in++)
			if (in != p->number &&
			    (in == 0 ||
			     s->graph.port[n->first_port + in].peer !=
			             GRAPH_NONE))
				subnet_todo(s, SET_SL2VL, port,
				            in << 8 | p->number);
	} else if (p->op_vls > 1) {
		subnet_todo(s, SET_SL2VL, port, 0);
	}
	if (s->policy.low.n)
		subnet_todo(s, SET_VLARB, port, 1);
	if (s->policy.high.n)
		subnet_todo(s, SET_VLARB, port, 3);
}

static void list_port(struct subnet *s, uint32_t port)
{
	struct graph_port *p = &s->graph.port[port];
	const struct graph_node *n = &s->graph.node[p->node];
	uint32_t sum;

	if (!n->present || p->peer == GRAPH_NONE || p->isolated)
		return;
	subnet_list_keys(s, port);
	sum = qos_of(s, port);
	if (sum && sum != p->qos)
		list_lanes(s, port);
	p->qos = sum;
}

static uint32_t vlarb_data(const struct subnet *s, const struct todo *t,
                           uint8_t data[64])
{
	const struct policy_arb *a =
		t->arg == 1 ? &s->policy.low : &s->policy.high;
	const struct graph_port *p = &s->graph.port[t->at];
	bool on_switch = s->graph.node[p->node].kind == GRAPH_SWITCH;
	struct smp_vlarb v = { 0 };

	memcpy(v.vl, a->vl, a->n);
	memcpy(v.weight, a->weight, a->n);
	field_encode(&smp_vlarb_table, &v, data);
	return t->arg << 16 | (on_switch ? p->number : 0u);
}

uint32_t subnet_table_data(const struct subnet *s, const struct todo *t,
                           uint8_t data[64])
{
	struct smp_sl2vl l;
	uint32_t position;

	switch (t->kind) {
	case SET_PKEYS:
		return subnet_keys_data(s, t, data);
	case SET_SL2VL:
		lanes_of(s, s->graph.port[t->at].op_vls, l.vl);
		field_encode(&smp_sl2vl_table, &l, data);
		return t->arg;
	case SET_VLARB:
		return vlarb_data(s, t, data);
	default:
		memcpy(data, blocks_at(store_of(s, t->kind), t->at, t->arg),
		       BLOCKS_SIZE);
	}
	if (t->kind != SET_MFT)
		return t->arg;
	position = t->arg / MCAST_BLOCKS_PER_POSITION;
	return position << 28 | t->arg % MCAST_BLOCKS_PER_POSITION;
}

/* The answer to a Set has what is in force then. */
static void check_lanes(struct subnet *s, const struct todo *t,
                        const struct mad *m)
{
	uint32_t node = s->graph.port[t->at].node;
	const struct graph_node *n = &s->graph.node[node];
	struct subnet_switch *w =
		n->kind == GRAPH_SWITCH ? &s->sw[n->sw] : NULL;
	uint8_t want[BLOCKS_SIZE] = { 0 };

	subnet_table_data(s, t, want);
	if (!memcmp(((const struct smp *)m)->data, want, LANES_SIZE) ||
	    (w && w->own_lanes))
		return;
	if (w)
		w->own_lanes = true;
	subnet_say(
		s, SUBNET_EVENT_FAULT,
		"%s, port %u, keeps other lanes than it is told (SL to VL)%s",
		n->desc, s->graph.port[t->at].number,
		s->route.n_layers > 1
			? "; routes that need lanes may stand still there"
			: "");
}

void subnet_set_table(struct subnet *s, const struct todo *t, int err,
                      const struct mad *m)
{
	struct blocks *store = store_of(s, t->kind);
	char words[MAD_WORDS];
	uint32_t node = subnet_target(s, t);

	if (err) {
		/* The marks stay; so does the work. */
		if (!store)
			s->graph.port[t->at].keys = s->graph.port[t->at].qos =
				0;
		subnet_add_work(s, WORK_POLICY, 0, 1000);
		return;
	}
	if (t->kind == SET_PKEYS)
		subnet_set_keys(s, t->at, !mad_status(m));
	if (!mad_status(m)) {
		if (store)
			blocks_sent(store, t->at, t->arg);
		if (t->kind == SET_LFT)
			subnet_check_lft(s, t->at, t->arg);
		if (t->kind == SET_SL2VL)
			check_lanes(s, t, m);
		return;
	}
	if (!store || !s->sw[t->at].refuses)
		subnet_say(s, SUBNET_EVENT_FAULT, "%s refuses %s, block %u: %s",
		           subnet_node_name(s, node),
		           mad_attr_name(m->header.mgmt_class, mad_attr_id(m)),
		           t->arg,
		           mad_status_words(m->header.mgmt_class, mad_status(m),
		                            words));
	if (store)
		s->sw[t->at].refuses = true;
}

void subnet_got_lft(struct subnet *s, const struct todo *t, int err,
                    const struct mad *m)
{
	struct blocks *lft = &s->route.lft;
	uint16_t lid = (uint16_t)(t->arg * LFT_BLOCK);
	const uint8_t *data;
	bool empty = true;

	if (err || mad_status(m) || lid / LFT_BLOCK >= LFT_BLOCKS)
		return;
	data = ((const struct smp *)m)->data;
	for (unsigned i = 0; i < LFT_BLOCK && empty; i++)
		empty = data[i] == LFT_NONE;
	/* Blocks that nobody uses need no room here. */
	if (empty && !blocks_has(lft, t->arg))
		return;
	if (blocks_resize(lft, s->graph.n_switches) || blocks_need(lft, t->arg))
		return;
	blocks_put(lft, t->at, t->arg, data);
	blocks_sent(lft, t->at, t->arg);
}

/* -- the list -------------------------------------------------------------- */

static bool can_send(const struct subnet *s, unsigned sw)
{
	const struct graph_node *n = &s->graph.node[s->graph.switch_node[sw]];

	return n->present && n->hops != UINT16_MAX && !s->sw[sw].refuses;
}

/* Which switches a list is for. */
enum which { ALL, FOCUS_ONLY, ALL_BUT_FOCUS };

static bool is_meant(const struct subnet *s, enum which which, unsigned sw)
{
	return which == ALL || (which == FOCUS_ONLY) == (sw == s->focus);
}

static void list_store(struct subnet *s, enum ask_kind kind, enum which which)
{
	const struct blocks *b = store_of(s, kind);

	for (unsigned i = 0; b->n_dirty && i < b->n_blocks; i++) {
		for (unsigned sw = 0; blocks_has(b, i) && sw < b->n_switches;
		     sw += 64) {
			uint64_t bits = b->dirty[i][sw / 64];

			for (; bits; bits &= bits - 1) {
				unsigned at =
					sw + (unsigned)__builtin_ctzll(bits);

				if (at < s->graph.n_switches &&
				    is_meant(s, which, at) && can_send(s, at))
					subnet_todo(s, kind, at, i);
			}
		}
	}
}

/* The nearer to the change, the earlier. */
static unsigned distance(const struct subnet *s, uint32_t sw)
{
	return route_hops(
		s->route.dist[(size_t)s->focus * s->route.n_switches + sw]);
}

static int by_distance(const void *a, const void *b, void *subnet)
{
	const struct todo *x = a, *y = b;
	unsigned dx = distance(subnet, x->at), dy = distance(subnet, y->at);

	if (dx != dy)
		return dx < dy ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* Nothing is sent to a switch before it has the groups that are bound. */
static void list_some(struct subnet *s, enum which which)
{
	uint32_t start;

	list_store(s, SET_GROUPS, which);
	subnet_todo(s, ASK_WAIT, 0, 0);
	if (s->route.lft.n_dirty <= SORT_MAX) {
		start = s->todo.n;
		list_store(s, SET_LFT, which);
		if (s->focus < s->route.n_switches && s->todo.n > start)
			qsort_r(s->todo.item + start, s->todo.n - start,
			        sizeof(*s->todo.item), by_distance, s);
		s->cursor = UINT64_MAX;
	}
	list_store(s, SET_GROUP_LIDS, which);
	list_store(s, SET_MFT, which);
}

static void list_tops(struct subnet *s)
{
	uint16_t top = lft_top(&s->route.lft);

	for (uint32_t i = 0; i < s->graph.n_switches; i++) {
		struct subnet_switch *w = &s->sw[i];
		uint16_t want = top;

		if (s->full)
			w->refuses = false;
		if (!can_send(s, i))
			continue;
		if (want >= w->info.linear_cap && w->info.linear_cap > 0)
			want = (uint16_t)(w->info.linear_cap - 1);
		if (w->lft_top < want || w->info.port_state_change)
			subnet_todo(s, SET_SWITCH, s->graph.switch_node[i], 1);
	}
}

static void list_lag_switches(struct subnet *s)
{
	const struct graph *g = &s->graph;

	for (uint32_t i = 0; i < g->n_switches; i++)
		if (can_send(s, i) &&
		    subnet_lag_switch_differs(s, g->switch_node[i]))
			subnet_todo(s, SET_LAG_SWITCH, g->switch_node[i], 0);
	subnet_todo(s, ASK_WAIT, 0, 0);
}

void subnet_list_tables(struct subnet *s)
{
	enum which first = ALL;

	s->cursor = 0;
	if (!s->planned)
		return;
	list_tops(s);
	list_lag_switches(s);
	for (uint32_t i = 0; i < s->graph.n_ports; i++)
		list_port(s, i);
	if (s->focus < s->route.n_switches && s->focus_how != FOCUS_NEAREST &&
	    s->route.lft.n_dirty <= SORT_MAX)
		first = s->focus_how == FOCUS_FIRST ? FOCUS_ONLY
		                                    : ALL_BUT_FOCUS;
	list_some(s, first);
	if (first != ALL) {
		subnet_todo(s, ASK_WAIT, 0, 0);
		list_some(s, first == FOCUS_ONLY ? ALL_BUT_FOCUS : FOCUS_ONLY);
	}
	s->focus = GRAPH_NONE;
}

bool subnet_next_table(struct subnet *s, struct todo *out)
{
	const struct blocks *b = &s->route.lft;

	while (b->n_switches && s->cursor / b->n_switches < b->n_blocks) {
		unsigned block = (unsigned)(s->cursor / b->n_switches);
		unsigned sw = (unsigned)(s->cursor % b->n_switches);

		if (!blocks_has(b, block)) {
			s->cursor = (uint64_t)(block + 1) * b->n_switches;
			continue;
		}
		s->cursor++;
		if (!blocks_is_dirty(b, sw, block) || !can_send(s, sw))
			continue;
		*out = (struct todo){ sw, block, SET_LFT };
		return true;
	}
	return false;
}
