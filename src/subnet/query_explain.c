/* SPDX-License-Identifier: BSD-2-Clause */
/* Following packets, and saying why they go on as they do. */
#include "subnet/admin_priv.h"
#include "subnet/query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct end {
	uint32_t port;
	uint16_t lid;
};

static bool number(const char *text, uint64_t *out)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 0);
	return !*end && !errno;
}

/* By GUID of a port or node, or by a host's system image GUID. */
static uint32_t by_guid(const struct graph *g, uint64_t guid)
{
	uint32_t at = graph_find_port(g, guid);

	if (at != GRAPH_NONE)
		return at;
	at = graph_find(g, guid);
	for (uint32_t i = 0; at == GRAPH_NONE && i < g->n_nodes; i++)
		if (g->node[i].present && g->node[i].sys_guid == guid)
			at = i;
	return at == GRAPH_NONE ? GRAPH_NONE : graph_main_port(g, at);
}

static uint32_t by_name(const struct graph *g, const char *name)
{
	for (uint32_t i = 0; i < g->n_nodes; i++)
		if (g->node[i].present && strcmp(g->node[i].desc, name) == 0)
			return graph_main_port(g, i);
	return GRAPH_NONE;
}

static bool find_end(const struct subnet *s, const char *text, struct end *out)
{
	const struct graph *g = &s->graph;
	uint64_t v;

	out->lid = 0;
	out->port = by_name(g, text);
	if (out->port == GRAPH_NONE && number(text, &v) && v < LIDMAP_LIDS) {
		out->lid = (uint16_t)v;
		out->port = admin_port_of_lid(s, out->lid);
	}
	if (out->port == GRAPH_NONE && number(text, &v))
		out->port = by_guid(g, v);
	if (out->port == GRAPH_NONE)
		return false;
	if (!out->lid) {
		const struct graph_node *n = &g->node[g->port[out->port].node];

		out->lid = n->kind == GRAPH_CA
		                   ? aggregate_vlid(&s->lag, n->sys_guid)
		                   : 0;
	}
	if (!out->lid)
		out->lid = subnet_lid_of((void *)s, out->port, NULL);
	return out->lid != 0;
}

struct explanation {
	const struct subnet *s;
	struct query_hop *hop;
	unsigned n;
	uint16_t lid;
	const struct aggregate_host *lag; /* whom a virtual LID stands for */
};

static struct query_hop *add_hop(struct explanation *x, uint32_t node,
                                 unsigned in, unsigned out)
{
	struct query_hop *h = &x->hop[x->n++];
	const struct graph_node *n = &x->s->graph.node[node];

	*h = (struct query_hop){
		.desc = n->desc, .guid = n->guid, .in_port = in, .out_port = out
	};
	return h;
}

/* How many of a switch's links would have done as well. */
static unsigned alternatives(const struct subnet *s, unsigned sw, unsigned to)
{
	const struct topo *t = &s->topo;
	const uint8_t *dist = s->route.dist + (size_t)to * t->n_switches;
	unsigned n = 0;

	for (uint32_t e = t->first[sw]; e < t->first[sw + 1]; e++)
		n += route_hops(dist[t->edge[e].to]) + 1 ==
		     route_hops(dist[sw]);
	return n;
}

static void why_group(const struct explanation *x, unsigned sw,
                      struct query_hop *h)
{
	const struct aggregate *a = &x->s->lag;
	const uint8_t *bytes;
	unsigned group, ports = 0;

	if (sw >= a->n_switches || !a->sw[sw].cap ||
	    !blocks_has(&a->lids, x->lid / 32u)) {
		snprintf(h->why, sizeof(h->why),
		         "virtual LID %u: this switch has a plain table, one "
		         "member's way: port %u",
		         x->lid, h->out_port);
		return;
	}
	bytes = blocks_at(&a->lids, sw, x->lid / 32u) + x->lid % 32 * 2;
	group = (unsigned)(bytes[0] << 8 | bytes[1]);
	for (unsigned i = 0; group < a->sw[sw].n && i < 32; i++)
		ports += (unsigned)__builtin_popcount(
			a->sw[sw].group[group].mask[i]);
	if (ports > 1)
		snprintf(h->why, sizeof(h->why),
		         "virtual LID %u: group %u of %u ports, each flow "
		         "keeps one; port %u stands in the plain table",
		         x->lid, group, ports, h->out_port);
	else
		snprintf(h->why, sizeof(h->why),
		         "virtual LID %u: only port %u leads nearer to a "
		         "member",
		         x->lid, h->out_port);
}

static void why_port(const struct explanation *x, unsigned sw, unsigned to,
                     struct query_hop *h)
{
	const struct subnet *s = x->s;
	const uint8_t *dist = s->route.dist + (size_t)to * s->route.n_switches;

	if (x->lag) {
		why_group(x, sw, h);
		return;
	}
	if (sw == to) {
		snprintf(h->why, sizeof(h->why),
		         "LID %u is behind port %u of this switch", x->lid,
		         h->out_port);
		return;
	}
	snprintf(h->why, sizeof(h->why),
	         "%s: %u hops from here, port %u is one of %u that lead "
	         "nearer; lane %u",
	         route_name(s->route.used), route_hops(dist[sw]), h->out_port,
	         alternatives(s, sw, to), s->route.layer[x->lid]);
}

static int stop(struct explanation *x, uint32_t node, unsigned in, int err,
                const char *why)
{
	struct query_hop *h = add_hop(x, node, in, LFT_NONE);

	snprintf(h->why, sizeof(h->why), "%s", why);
	return err;
}

static int follow(struct explanation *x, uint32_t at, unsigned to)
{
	const struct subnet *s = x->s;
	const struct graph *g = &s->graph;

	while (x->n + 2 < QUERY_HOPS) {
		uint32_t peer = g->port[at].peer, node;
		const struct graph_node *n;
		struct query_hop *h;
		uint8_t out;

		if (peer == GRAPH_NONE)
			return stop(x, g->port[at].node, 0, -EHOSTUNREACH,
			            "this port has no link");
		node = g->port[peer].node;
		n = &g->node[node];
		if (n->kind != GRAPH_SWITCH) {
			h = add_hop(x, node, g->port[peer].number, 0);
			snprintf(h->why, sizeof(h->why), "arrived at LID %u",
			         x->lid);
			return 0;
		}
		out = lft_get(&s->route.lft, n->sw, x->lid);
		if (out == LFT_NONE || out > n->n_ports)
			return stop(x, node, g->port[peer].number,
			            -EHOSTUNREACH,
			            "its table has no entry for this LID");
		h = add_hop(x, node, g->port[peer].number, out);
		if (out == 0) {
			snprintf(h->why, sizeof(h->why),
			         "arrived: LID %u is the switch itself",
			         x->lid);
			return 0;
		}
		why_port(x, n->sw, to, h);
		at = n->first_port + out;
	}
	return -ELOOP;
}

int query_explain(const struct subnet *s, const char *from, const char *to,
                  struct query_hop hop[QUERY_HOPS], unsigned *n, struct err *e)
{
	const struct graph *g = &s->graph;
	struct explanation x = { .s = s, .hop = hop };
	struct end a, b;
	const struct lidmap_entry *en;
	struct query_hop *h;
	uint32_t target;
	int err;

	*n = 0;
	if (!s->planned)
		return err_set(e, -EAGAIN,
		               "there are no tables yet; try again "
		               "when `status` says master");
	if (!find_end(s, from, &a))
		return err_set(e, -ENOENT,
		               "nothing here is called %s; `nodes` "
		               "lists what is",
		               from);
	if (!find_end(s, to, &b))
		return err_set(e, -ENOENT,
		               "nothing here is called %s; `nodes` "
		               "lists what is",
		               to);
	x.lid = b.lid;
	en = lidmap_owner(&s->lids, b.lid);
	if (en && en->kind == LIDMAP_HOST)
		x.lag = aggregate_find(&s->lag, en->guid);
	target = g->port[b.port].peer == GRAPH_NONE ||
	                         g->node[g->port[b.port].node].kind ==
	                                 GRAPH_SWITCH
	                 ? b.port
	                 : g->port[b.port].peer;
	if (g->node[g->port[a.port].node].kind == GRAPH_SWITCH) {
		uint8_t out = lft_get(&s->route.lft,
		                      g->node[g->port[a.port].node].sw, b.lid);

		if (out == 0 || out > g->node[g->port[a.port].node].n_ports)
			return err_set(e, -EHOSTUNREACH,
			               "%s has no way to LID %u", from, b.lid);
		a.port += out;
	}
	h = add_hop(&x, g->port[a.port].node, 0, g->port[a.port].number);
	snprintf(h->why, sizeof(h->why), "sends to LID %u%s", b.lid,
	         x.lag ? ", a virtual one; its flows are spread over the "
	                 "members of its own"
	               : "");
	err = follow(&x, a.port, g->node[g->port[target].node].sw);
	*n = x.n;
	if (err)
		return err_set(e, err, "no way from %s to %s", from, to);
	return 0;
}
