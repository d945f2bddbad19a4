/* SPDX-License-Identifier: BSD-2-Clause */
#include "subnet/mcast.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int mcast_init(struct mcast *m)
{
	*m = (struct mcast){ .cap = MCAST_GROUPS_MAX };
	m->group = calloc(MCAST_GROUPS_MAX, sizeof(*m->group));
	blocks_init(&m->mft, MCAST_POSITIONS * MCAST_BLOCKS_PER_POSITION, 0);
	return m->group ? 0 : -ENOMEM;
}

void mcast_fini(struct mcast *m)
{
	for (unsigned i = 0; m->group && i < MCAST_GROUPS_MAX; i++)
		free(m->group[i].member);
	free(m->group);
	blocks_fini(&m->mft);
	*m = (struct mcast){ 0 };
}

struct mcast_group *mcast_find(struct mcast *m, const uint8_t mgid[16])
{
	for (unsigned i = 0; i < MCAST_GROUPS_MAX; i++)
		if (m->group[i].mlid && memcmp(m->group[i].mgid, mgid, 16) == 0)
			return &m->group[i];
	return NULL;
}

struct mcast_group *mcast_add(struct mcast *m, const uint8_t mgid[16])
{
	unsigned n = m->cap < MCAST_GROUPS_MAX ? m->cap : MCAST_GROUPS_MAX;

	for (unsigned i = 0; i < n; i++) {
		struct mcast_group *g = &m->group[i];

		/* Not one whose old tree may still be in tables. */
		if (g->mlid || g->dirty)
			continue;
		*g = (struct mcast_group){
			.mlid = (uint16_t)(MCAST_LID_FIRST + i),
			.dirty = true,
		};
		memcpy(g->mgid, mgid, 16);
		m->n++;
		return g;
	}
	return NULL;
}

void mcast_remove(struct mcast *m, struct mcast_group *g)
{
	free(g->member);
	*g = (struct mcast_group){ .dirty = true };
	m->n--;
}

static struct mcast_member *member_of(const struct mcast_group *g,
                                      uint32_t port)
{
	for (uint32_t i = 0; i < g->n_members; i++)
		if (g->member[i].port == port)
			return &g->member[i];
	return NULL;
}

uint8_t mcast_joined(const struct mcast_group *g, uint32_t port)
{
	const struct mcast_member *m = member_of(g, port);

	return m ? m->join : 0;
}

bool mcast_by_proxy(const struct mcast_group *g, uint32_t port)
{
	const struct mcast_member *m = member_of(g, port);

	return m && m->by_proxy;
}

int mcast_join(struct mcast_group *g, uint32_t port, uint8_t join,
               bool by_proxy)
{
	struct mcast_member *m = member_of(g, port);

	if (m) {
		if ((m->join & join) != join)
			g->dirty = true;
		m->join |= join;
		m->by_proxy &= by_proxy;
		return 0;
	}
	if (g->n_members == MCAST_MEMBERS_MAX)
		return -ENOSPC;
	if (g->n_members == g->room) {
		uint32_t room = g->room ? g->room * 2 : 8;
		struct mcast_member *member =
			realloc(g->member, room * sizeof(*member));

		if (!member)
			return -ENOMEM;
		g->member = member;
		g->room = room;
	}
	g->member[g->n_members++] =
		(struct mcast_member){ port, join, by_proxy };
	g->dirty = true;
	return 0;
}

uint8_t mcast_leave(struct mcast_group *g, uint32_t port, uint8_t join)
{
	for (uint32_t i = 0; i < g->n_members; i++) {
		uint8_t left;

		if (g->member[i].port != port)
			continue;
		left = g->member[i].join & (uint8_t)~join;
		g->member[i].join = left;
		if (!left)
			g->member[i] = g->member[--g->n_members];
		g->dirty = true;
		return left;
	}
	return 0;
}

/* -- trees ----------------------------------------------------------------- */

struct tree {
	const struct topo *t;
	const struct graph *g;
	const struct aggregate *lag;
	uint16_t *parent; /* [switch]: towards the root */
	uint8_t *up;      /* [switch]: port to the parent */
	uint8_t *down;    /* [switch]: the parent's port to it */
	uint16_t *queue;
	uint16_t (*mask)[MCAST_POSITIONS]; /* [switch]: ports of one group */
};

static unsigned choose_root(const struct topo *t)
{
	unsigned best = 0, most = 0;

	for (unsigned s = 0; s < t->n_switches; s++) {
		unsigned links = t->first[s + 1] - t->first[s];
		unsigned score =
			links * 2 + (links && !t->n_hosts[s] ? 1024u : 0u);

		if (score > most) {
			most = score;
			best = s;
		}
	}
	return best;
}

static void grow_tree(struct tree *w)
{
	const struct topo *t = w->t;
	unsigned root = choose_root(t), head = 0, tail = 0;

	memset(w->parent, 0xff, t->n_switches * sizeof(*w->parent));
	w->parent[root] = (uint16_t)root;
	w->queue[tail++] = (uint16_t)root;
	while (head < tail) {
		unsigned s = w->queue[head++];

		for (uint32_t e = t->first[s]; e < t->first[s + 1]; e++) {
			unsigned to = t->edge[e].to;

			if (w->parent[to] != TOPO_NONE)
				continue;
			w->parent[to] = (uint16_t)s;
			w->up[to] = t->edge[e].back;
			w->down[to] = t->edge[e].port;
			w->queue[tail++] = (uint16_t)to;
		}
	}
}

static bool add_port(struct tree *w, unsigned sw, unsigned port)
{
	uint16_t *at = &w->mask[sw][port / 16],
		 bit = (uint16_t)(1 << port % 16);
	bool had = *at & bit;

	*at |= bit;
	return !had;
}

/* A switch leads to members already if one of its ports does. */
static bool is_empty(const struct tree *w, unsigned sw)
{
	for (unsigned i = 0; i < MCAST_POSITIONS; i++)
		if (w->mask[sw][i])
			return false;
	return true;
}

/* The member's port, and all links from there to the root.  That the branch
 * at the root may lead to nobody else costs copies, not correctness; it is
 * cut off below. */
static void add_member(struct tree *w, uint32_t port)
{
	uint32_t peer = w->g->port[port].peer;
	const struct graph_node *n;
	unsigned sw;
	bool had;

	if (w->g->node[w->g->port[port].node].kind == GRAPH_SWITCH)
		peer = port; /* port 0 of a switch joined */
	if (peer == GRAPH_NONE)
		return;
	n = &w->g->node[w->g->port[peer].node];
	if (n->kind != GRAPH_SWITCH || w->parent[n->sw] == TOPO_NONE)
		return;
	sw = n->sw;
	had = !is_empty(w, sw);
	add_port(w, sw, w->g->port[peer].number);
	while (!had && w->parent[sw] != sw) {
		unsigned to = w->parent[sw];

		had = !is_empty(w, to);
		add_port(w, sw, w->up[sw]);
		add_port(w, to, w->down[sw]);
		sw = to;
	}
}

static unsigned count_ports(const struct tree *w, unsigned sw)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MCAST_POSITIONS; i++)
		n += (unsigned)__builtin_popcount(w->mask[sw][i]);
	return n;
}

/* From the root down to where the tree forks or somebody lives, nothing has
 * to be copied.  @return the switch where it begins. */
static unsigned cut_root(struct tree *w)
{
	unsigned n = w->t->n_switches, sw = w->queue[0], next;

	while (count_ports(w, sw) == 1) {
		for (next = 0; next < n; next++)
			if (w->parent[next] == sw && next != sw &&
			    w->mask[sw][w->down[next] / 16] >>
			                    w->down[next] % 16 &
			            1)
				break;
		if (next == n)
			return sw; /* its one port is a host's */
		memset(w->mask[sw], 0, sizeof(w->mask[sw]));
		w->mask[next][w->up[next] / 16] &=
			(uint16_t) ~(1 << w->up[next] % 16);
		sw = next;
	}
	return sw;
}

/* One way from a port of a member's host into the tree. */
static void add_sender(struct tree *w, uint32_t port, unsigned top)
{
	uint32_t peer = w->g->port[port].peer;
	const struct graph_node *n;
	unsigned sw;

	if (peer == GRAPH_NONE)
		return;
	n = &w->g->node[w->g->port[peer].node];
	if (n->kind != GRAPH_SWITCH || w->parent[n->sw] == TOPO_NONE ||
	    !is_empty(w, n->sw))
		return;
	/* From above, down to where the tree begins. */
	for (sw = top; w->parent[sw] != sw; sw = w->parent[sw])
		add_port(w, w->parent[sw], w->down[sw]);
	for (sw = n->sw; is_empty(w, sw); sw = w->parent[sw])
		add_port(w, sw, w->up[sw]);
}

static void add_senders(struct tree *w, const struct mcast_group *g,
                        unsigned top)
{
	for (uint32_t i = 0; i < g->n_members; i++) {
		const struct graph_node *n =
			&w->g->node[w->g->port[g->member[i].port].node];
		const struct aggregate_host *h =
			n->kind == GRAPH_CA
				? aggregate_find(w->lag, n->sys_guid)
				: NULL;

		for (unsigned k = 0; h && h->vlid && k < h->n_members; k++)
			add_sender(w, h->port[k], top);
	}
}

static int write_group(struct mcast *m, struct tree *w, unsigned index)
{
	unsigned block = index / MCAST_BLOCK_LIDS, at = index % 32 * 2;

	for (unsigned pos = 0; pos * 16 < w->t->stride; pos++) {
		unsigned number = pos * MCAST_BLOCKS_PER_POSITION + block;

		if (blocks_need(&m->mft, number))
			return -ENOMEM;
		for (unsigned sw = 0; sw < w->t->n_switches; sw++) {
			uint8_t *had = blocks_at(&m->mft, sw, number) + at;
			uint16_t mask = w->mask[sw][pos];

			if (had[0] == mask >> 8 && had[1] == (uint8_t)mask)
				continue;
			had[0] = (uint8_t)(mask >> 8);
			had[1] = (uint8_t)mask;
			blocks_mark(&m->mft, sw, number);
		}
	}
	return 0;
}

static int plan_group(struct mcast *m, struct tree *w, unsigned index)
{
	struct mcast_group *g = &m->group[index];
	int err;

	memset(w->mask, 0, w->t->n_switches * sizeof(*w->mask));
	for (uint32_t i = 0; i < g->n_members; i++)
		add_member(w, g->member[i].port);
	if (g->n_members > 0)
		add_senders(w, g, cut_root(w));
	err = write_group(m, w, index);
	if (!err)
		g->dirty = false;
	return err;
}

int mcast_plan(struct mcast *m, const struct topo *t, const struct graph *g,
               const struct aggregate *lag)
{
	size_t n = t->n_switches + 1u;
	struct tree w = { .t = t, .g = g, .lag = lag };
	int err = 0;
	bool any = false;

	for (unsigned i = 0; i < MCAST_GROUPS_MAX; i++) {
		if (m->all_dirty && m->group[i].mlid)
			m->group[i].dirty = true;
		any |= m->group[i].dirty;
	}
	m->all_dirty = false;
	if (!any || t->n_switches == 0)
		return 0;
	w.parent = malloc(n * sizeof(*w.parent));
	w.up = calloc(1, n);
	w.down = calloc(1, n);
	w.queue = malloc(n * sizeof(*w.queue));
	w.mask = malloc(n * sizeof(*w.mask));
	if (!w.parent || !w.up || !w.down || !w.queue || !w.mask ||
	    blocks_resize(&m->mft, t->n_switches))
		err = -ENOMEM;
	if (!err)
		grow_tree(&w);
	for (unsigned i = 0; i < MCAST_GROUPS_MAX && !err; i++)
		if (m->group[i].dirty)
			err = plan_group(m, &w, i);
	free(w.parent);
	free(w.up);
	free(w.down);
	free(w.queue);
	free(w.mask);
	return err;
}
