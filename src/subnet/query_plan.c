/* SPDX-License-Identifier: BSD-2-Clause */
/* What a pass would change: planned on copies, nothing is sent. */
#include "subnet/query.h"

#include "subnet/subnet_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int copy_bytes(void *to, const void *from, size_t n)
{
	uint8_t **out = to;

	*out = NULL;
	if (!from)
		return 0;
	*out = malloc(n);
	if (!*out)
		return -ENOMEM;
	memcpy(*out, from, n);
	return 0;
}

static int copy_route(struct route *to, const struct route *from)
{
	size_t n = from->n_switches, lids = LFT_BLOCKS * LFT_BLOCK;
	int err;

	*to = *from;
	to->dist = to->layer = to->updown = to->dist_ud = to->touched = NULL;
	to->rank = NULL;
	to->check = (struct check){ 0 };
	err = blocks_copy(&to->lft, &from->lft);
	if (!err)
		err = copy_bytes(&to->dist, from->dist, n * n + 1);
	if (!err)
		err = copy_bytes(&to->dist_ud, from->dist_ud, n * n + 1);
	if (!err)
		err = copy_bytes(&to->layer, from->layer, lids);
	if (!err)
		err = copy_bytes(&to->updown, from->updown, lids);
	if (!err)
		err = copy_bytes(&to->touched, from->touched, lids);
	if (!err)
		err = copy_bytes(&to->rank, from->rank,
		                 (n + 1) * sizeof(*from->rank));
	if (err)
		route_fini(to);
	return err;
}

static void count_changes(const struct route *was, const struct route *now,
                          struct query_plan *out)
{
	for (unsigned sw = 0; sw < now->lft.n_switches; sw++) {
		bool any = false;

		for (unsigned b = 0; b < LFT_BLOCKS; b++) {
			unsigned n = 0;

			for (unsigned i = 0;
			     blocks_has(&now->lft, b) && i < LFT_BLOCK; i++) {
				uint16_t lid = (uint16_t)(b * LFT_BLOCK + i);

				n += lft_get(&was->lft, sw, lid) !=
				     lft_get(&now->lft, sw, lid);
			}
			out->entries += n;
			out->blocks += n > 0;
			any |= n > 0;
		}
		out->switches += any;
	}
}

static int cut(struct graph *g, uint64_t guid, unsigned port, struct err *e)
{
	uint32_t node = graph_find(g, guid);

	if (node == GRAPH_NONE || port == 0 || port > g->node[node].n_ports ||
	    g->port[graph_port(g, node, port)].peer == GRAPH_NONE)
		return err_set(e, -ENOENT,
		               "there is no link at port %u of 0x%016lx; "
		               "`links` lists what is there",
		               port, (unsigned long)guid);
	graph_unlink(g, graph_port(g, node, port));
	return 0;
}

struct lids {
	const struct subnet *s;
	const struct graph *g;
};

static uint16_t lid_of(void *arg, uint32_t port, uint8_t *lmc)
{
	return subnet_lid_of((void *)((struct lids *)arg)->s, port, lmc);
}

static int replan(const struct subnet *s, const struct graph *g, bool anew,
                  struct query_plan *out, struct err *e)
{
	struct lids lids = { s, g };
	struct route r;
	struct topo t;
	int err = topo_build(&t, g, lid_of, &lids);

	if (err)
		return err_set(e, err, "out of memory to plan");
	if (anew) {
		route_init(&r);
		err = route_build(&r, &t, s->opts.engine,
		                  subnet_lanes(&s->graph), e);
	} else {
		err = copy_route(&r, &s->route);
		if (err)
			err_set(e, err, "out of memory to plan");
		else
			err = route_repair(&r, &s->topo, &t, e);
	}
	if (!err) {
		out->engine = r.used;
		snprintf(out->why, sizeof(out->why), "%s", r.why);
		/* Virtual LIDs follow their members; a new route lacks them. */
		if (!anew)
			count_changes(&s->route, &r, out);
		else
			for (uint32_t i = 0; i < t.n_dests; i++)
				for (unsigned sw = 0; sw < t.n_switches; sw++)
					out->entries +=
						lft_get(&r.lft, sw,
					                t.dest[i].lid) !=
						lft_get(&s->route.lft, sw,
					                t.dest[i].lid);
		route_fini(&r);
	}
	topo_fini(&t);
	return err;
}

int query_plan(const struct subnet *s, uint64_t without_guid,
               unsigned without_port, bool anew, struct query_plan *out,
               struct err *e)
{
	struct graph g = s->graph;
	int err = 0;

	if (!s->planned)
		return err_set(e, -EAGAIN,
		               "there are no tables yet; try again "
		               "when `status` says master");
	memset(out, 0, sizeof(*out));
	g.port = malloc((g.n_ports + 1) * sizeof(*g.port));
	if (!g.port)
		return err_set(e, -ENOMEM, "out of memory to plan");
	memcpy(g.port, s->graph.port, g.n_ports * sizeof(*g.port));
	for (uint32_t i = 0; i < g.n_ports; i++) {
		const struct graph_port *p = &g.port[i];
		uint16_t lid = subnet_lid_of((void *)s, i, NULL);

		out->lids += g.node[p->node].present && lid && lid != p->lid;
		out->ports += subnet_port_wants(s, i, false, NULL) ||
		              subnet_port_wants(s, i, true, NULL);
	}
	for (uint32_t i = 0; i < s->lag.n; i++)
		out->lags += s->lag.host[i].tell;
	if (without_guid)
		err = cut(&g, without_guid, without_port, e);
	if (!err)
		err = replan(s, &g, anew, out, e);
	free(g.port);
	return err;
}
