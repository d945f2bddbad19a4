/* SPDX-License-Identifier: BSD-2-Clause */
#include "subnet/query.h"

#include "subnet/subnet_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool query_node(const struct subnet *s, uint32_t *at, struct query_node *out)
{
	const struct graph *g = &s->graph;
	const struct graph_node *n;

	if (*at >= g->n_nodes)
		return false;
	n = &g->node[*at];
	*out = (struct query_node){
		.guid = n->guid,
		.sys_guid = n->sys_guid,
		.desc = n->desc,
		.kind = (enum graph_kind)n->kind,
		.n_ports = n->n_ports,
		.present = n->present,
		.lid = subnet_lid_of((void *)s, graph_main_port(g, *at), NULL),
	};
	for (unsigned i = 1; i <= n->n_ports; i++)
		out->links += g->port[n->first_port + i].peer != GRAPH_NONE;
	++*at;
	return true;
}

bool query_link(const struct subnet *s, uint32_t *at, struct query_link *out)
{
	const struct graph *g = &s->graph;

	for (; *at < g->n_ports; ++*at) {
		const struct graph_port *p = &g->port[*at], *q;
		const struct graph_node *a = &g->node[p->node], *b;

		if (p->peer == GRAPH_NONE || p->peer < *at)
			continue;
		q = &g->port[p->peer];
		b = &g->node[q->node];
		*out = (struct query_link){
			.a_guid = a->guid,
			.b_guid = b->guid,
			.a_desc = a->desc,
			.b_desc = b->desc,
			.a_port = p->number,
			.b_port = q->number,
			.a_kind = (enum graph_kind)a->kind,
			.b_kind = (enum graph_kind)b->kind,
			.width = p->width,
			.speed = p->speed,
			.state = p->state,
			.isolated = p->isolated || q->isolated,
		};
		++*at;
		return true;
	}
	return false;
}

bool query_route(const struct subnet *s, uint64_t sw_guid, uint32_t *at,
                 struct query_route *out)
{
	const struct blocks *b = &s->route.lft;
	uint32_t node = graph_find(&s->graph, sw_guid);
	unsigned sw;

	if (node == GRAPH_NONE || s->graph.node[node].sw >= b->n_switches)
		return false;
	sw = s->graph.node[node].sw;
	for (; *at < LIDMAP_LIDS; ++*at) {
		uint16_t lid = (uint16_t)*at;
		uint8_t port = lft_get(b, sw, lid);

		if (port == LFT_NONE)
			continue;
		*out = (struct query_route){
			.lid = lid,
			.port = port,
			.lane = s->route.layer[lid],
			.pending = blocks_is_dirty(b, sw, lid / LFT_BLOCK),
		};
		++*at;
		return true;
	}
	return false;
}

static void fill_member(const struct subnet *s, const struct aggregate_host *h,
                        unsigned i, struct query_lag *out)
{
	const struct graph *g = &s->graph;
	const struct graph_port *p = &g->port[h->port[i]];

	out->member[i].port_guid = p->guid;
	out->member[i].lid = h->lid[i];
	out->member[i].port = p->number;
	out->member[i].state = h->up[i] ? h->said[i] : LAG_MEMBER_DOWN;
	out->member[i].switch_desc = "";
	if (p->peer == GRAPH_NONE)
		return;
	out->member[i].switch_desc = g->node[g->port[p->peer].node].desc;
	out->member[i].sw_port = g->port[p->peer].number;
	out->member[i].switches =
		aggregate_share(&s->lag, h, i, &s->route, &s->topo, g);
}

bool query_lag(const struct subnet *s, uint32_t *at, struct query_lag *out)
{
	const struct aggregate_host *h;

	do { /* not those with one port, which were only asked */
		if (*at >= s->lag.n)
			return false;
		h = &s->lag.host[(*at)++];
	} while (h->n_members < 2 && !h->vlid);
	*out = (struct query_lag){
		.sys_guid = h->sys_guid,
		.desc = s->graph.node[s->graph.port[h->port[0]].node].desc,
		.virtual_lid = h->state == AGGREGATE_IN_FORCE ? h->vlid : 0,
		.mode = h->mode,
		.result = h->result,
		.generation = h->generation,
		.n_members = h->n_members,
	};
	for (unsigned i = 0; i < h->n_members; i++)
		fill_member(s, h, i, out);
	return true;
}

const struct graph *query_graph(const struct subnet *s)
{
	return &s->graph;
}

/* -- what is not sent ------------------------------------------------------ */

bool query_diff(const struct subnet *s, uint64_t *at, struct query_diff *out)
{
	const struct {
		const struct blocks *b;
		const char *name;
	} stores[] = { { &s->route.lft, "lft" },
		       { &s->mcast.mft, "mft" },
		       { &s->lag.groups, "groups" },
		       { &s->lag.lids, "group-lids" } };
	/* *at: store, then block, then switch */
	unsigned store = (unsigned)(*at >> 48);

	for (; store < 4; store++, *at = (uint64_t)store << 48) {
		const struct blocks *b = stores[store].b;
		uint32_t block = (uint32_t)(*at >> 24) & 0xffffff;
		uint32_t sw = (uint32_t)*at & 0xffffff;

		for (; b->n_dirty && block < b->n_blocks; block++, sw = 0) {
			for (; blocks_has(b, block) && sw < b->n_switches;
			     sw++) {
				const struct graph_node *n;

				if (!blocks_is_dirty(b, sw, block))
					continue;
				n = &s->graph.node[s->graph.switch_node[sw]];
				*out = (struct query_diff){ n->guid, n->desc,
					                    stores[store].name,
					                    block };
				*at = (uint64_t)store << 48 |
				      (uint64_t)block << 24 | (sw + 1);
				return true;
			}
		}
	}
	return false;
}
