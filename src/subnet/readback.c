/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does a switch keep what it confirms?  Of each switch the first block of its
 * forwarding table is read back, and then one in SAMPLE; where one is not what
 * was set it is set once more, and all are read back until it is.  A switch
 * that drops it again is named, and its links are not used until it has been
 * switched off and on.
 */
#include "subnet/subnet_priv.h"

#include <string.h>

#define SAMPLE 256u

void subnet_check_lft(struct subnet *s, uint32_t sw, uint32_t block)
{
	struct subnet_switch *w = &s->sw[sw];

	if (!w->lies && (w->doubted || w->confirmed++ % SAMPLE == 0))
		subnet_todo(s, CHECK_LFT, sw, block);
}

/* Without our own leaf there is nothing. */
static bool is_needed(const struct subnet *s, uint32_t node)
{
	const struct graph *g = &s->graph;
	uint32_t peer;

	if (g->port[g->self].node == node)
		return true;
	peer = g->port[g->self].peer;
	return peer != GRAPH_NONE && g->port[peer].node == node;
}

static void expose(struct subnet *s, uint32_t sw, uint32_t block)
{
	const struct graph_node *n = &s->graph.node[s->graph.switch_node[sw]];
	bool stays = is_needed(s, s->graph.switch_node[sw]);

	s->sw[sw].lies = true;
	subnet_say(s, SUBNET_EVENT_FAULT,
	           "%s confirms its forwarding table and does not keep it "
	           "(block %u); %s",
	           n->desc, block,
	           stays ? "it is between us and the rest, so it stays in use"
	                 : "isolated until it has been switched off and on");
	for (unsigned i = 1; !stays && i <= n->n_ports; i++)
		s->graph.port[n->first_port + i].isolated = true;
	s->plan_again = true;
	subnet_add_work(s, WORK_POLICY, 0, 0);
}

void subnet_checked_lft(struct subnet *s, const struct todo *t, int err,
                        const struct mad *m)
{
	const struct blocks *lft = &s->route.lft;
	struct subnet_switch *w = &s->sw[t->at];

	if (err || mad_status(m) || w->lies || !blocks_has(lft, t->arg) ||
	    blocks_is_dirty(lft, t->at, t->arg))
		return;
	if (!memcmp(((const struct smp *)m)->data,
	            blocks_at(lft, t->at, t->arg), BLOCKS_SIZE)) {
		/* Perhaps another manager had been there. */
		w->doubted &= w->doubted_block != t->arg;
		return;
	}
	if (w->doubted && w->doubted_block == t->arg) {
		expose(s, t->at, t->arg);
		return;
	}
	w->doubted = true; /* once more */
	w->doubted_block = t->arg;
	subnet_todo(s, SET_LFT, t->at, t->arg);
}

void subnet_believe(struct subnet *s, uint32_t node)
{
	const struct graph_node *n = &s->graph.node[node];
	struct subnet_switch *w = &s->sw[n->sw];

	for (unsigned i = 1; w->lies && i <= n->n_ports; i++)
		s->graph.port[n->first_port + i].isolated = false;
	w->lies = w->doubted = w->own_lanes = false;
	w->confirmed = 0;
}
