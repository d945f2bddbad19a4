/* SPDX-License-Identifier: BSD-2-Clause */
#include "subnet/route.h"

#include "base/clock.h"
#include "subnet/route_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIDS (LFT_BLOCKS * LFT_BLOCK)

static const char *const names[ROUTE_ENGINES] = {
	[ROUTE_AUTO] = "auto",       [ROUTE_MINHOP] = "minhop",
	[ROUTE_UPDOWN] = "updown",   [ROUTE_FATTREE] = "fattree",
	[ROUTE_LAYERED] = "layered",
};

const char *route_name(enum route_engine e)
{
	return e < ROUTE_ENGINES ? names[e] : "?";
}

enum route_engine route_parse(const char *name)
{
	unsigned e = 0;

	while (e < ROUTE_ENGINES && strcmp(names[e], name) != 0)
		e++;
	return e;
}

void route_init(struct route *r)
{
	memset(r, 0, sizeof(*r));
	lft_init(&r->lft);
}

void route_fini(struct route *r)
{
	blocks_fini(&r->lft);
	check_fini(&r->check);
	free(r->dist);
	free(r->rank);
	free(r->layer);
	free(r->updown);
	free(r->dist_ud);
	free(r->touched);
	route_init(r);
}

int route_room(struct route *r, const struct topo *t)
{
	size_t n = t->n_switches;

	if (!r->layer)
		r->layer = calloc(1, LIDS);
	if (!r->updown)
		r->updown = calloc(1, LIDS);
	if (!r->touched)
		r->touched = calloc(1, LIDS);
	if (!r->layer || !r->updown || !r->touched ||
	    blocks_resize(&r->lft, t->n_switches))
		return -ENOMEM;
	if (r->n_switches != n || !r->dist) {
		free(r->dist);
		free(r->rank);
		free(r->dist_ud);
		r->dist_ud = NULL;
		r->dist = malloc(n * n + 1);
		r->rank = calloc(n + 1, sizeof(*r->rank));
		if (!r->dist || !r->rank)
			return -ENOMEM;
		memset(r->dist, ROUTE_FAR, n * n);
		r->n_switches = t->n_switches;
	}
	for (uint32_t i = 0; i < t->n_dests; i++)
		if (blocks_need(&r->lft, t->dest[i].lid / LFT_BLOCK))
			return -ENOMEM;
	return 0;
}

static const struct route_rule *rule_of(const struct route *r)
{
	if (r->used == ROUTE_UPDOWN || r->used == ROUTE_FATTREE)
		return &route_rule_updown;
	return &route_rule_minhop;
}

int route_verify(struct route *r, const struct topo *t,
                 struct check_result *res)
{
	int err;

	check_fini(&r->check);
	err = check_init(&r->check, t, &r->lft, r->layer, r->n_layers);
	if (!err)
		err = check_all(&r->check, res);
	if (err)
		check_fini(&r->check);
	r->recollected = true;
	return err;
}

static void search_all(struct route *r, struct route_work *w,
                       const struct route_rule *rule, uint8_t *dist, int ud,
                       bool modulo)
{
	const struct topo *t = w->t;

	for (unsigned to = 0; to < t->n_switches; to++) {
		uint8_t *row = dist + (size_t)to * t->n_switches;

		rule->search(r, t, to, row, w->queue);
		if (t->first_dest[to] != t->first_dest[to + 1])
			route_trees(r, w, to, rule, row, ud, modulo);
	}
}

/* Trees for the destinations that fit in no lane. */
static int build_rest(struct route *r, struct route_work *w)
{
	size_t n = w->t->n_switches;

	if (!r->dist_ud) {
		r->dist_ud = malloc(n * n + 1);
		if (!r->dist_ud || route_rank(r, w->t, false))
			return -ENOMEM;
	}
	search_all(r, w, &route_rule_updown, r->dist_ud, 1, false);
	return 0;
}

static int build_layers(struct route *r, struct route_work *w)
{
	int err;

	memset(r->updown, 0, LIDS);
	memset(r->layer, 0, LIDS);
	err = route_layers(r, w->t, NULL);
	return err == -ENOSPC ? build_rest(r, w) : err;
}

/* One engine, and is it right?  @return -ELOOP, -EINVAL: it is not. */
static int build_with(struct route *r, const struct topo *t,
                      enum route_engine engine, struct check_result *res)
{
	struct route_work w;
	int err;

	memset(r->updown, 0, LIDS);
	memset(r->layer, 0, LIDS);
	r->used = engine;
	r->n_layers = 1;
	err = route_work_init(&w, t);
	if (err)
		return err;
	if (engine == ROUTE_FATTREE) {
		err = route_rank(r, t, true);
	} else if (engine == ROUTE_UPDOWN) {
		err = route_rank(r, t, true);
		if (err == -EINVAL)
			err = route_rank(r, t, false);
	}
	if (!err && engine == ROUTE_FATTREE)
		route_fan(r, &w);
	if (!err)
		search_all(r, &w, rule_of(r), r->dist, 0,
		           engine == ROUTE_FATTREE);
	if (!err && engine == ROUTE_LAYERED)
		err = build_layers(r, &w);
	route_work_fini(&w);
	if (!err)
		err = route_verify(r, t, res);
	/* Links may be missing in a tree: then ranks from a centre. */
	if (err == -EINVAL && engine == ROUTE_UPDOWN) {
		err = route_work_init(&w, t);
		if (!err)
			err = route_rank(r, t, false);
		if (!err)
			search_all(r, &w, rule_of(r), r->dist, 0, false);
		route_work_fini(&w);
		if (!err)
			err = route_verify(r, t, res);
	}
	return err;
}

/* What to try after an engine whose tables are not right. */
static enum route_engine next_engine(const struct route *r)
{
	if (r->used == ROUTE_MINHOP && r->lanes > 1)
		return ROUTE_LAYERED;
	return r->used == ROUTE_UPDOWN ? ROUTE_ENGINES : ROUTE_UPDOWN;
}

int route_build(struct route *r, const struct topo *t, enum route_engine asked,
                unsigned lanes, struct err *e)
{
	uint64_t start = clock_now_ns();
	struct check_result res = { 0 };
	int err = route_room(r, t);

	if (err)
		return err_set(e, err,
		               "out of memory for the tables of %u "
		               "switches",
		               t->n_switches);
	r->asked = asked;
	r->lanes = lanes > ROUTE_LAYERS_MAX ? ROUTE_LAYERS_MAX : lanes;
	r->why[0] = '\0';
	r->stats = (struct route_stats){ .searches = t->n_switches };
	r->used = asked == ROUTE_AUTO ? ROUTE_MINHOP : asked;
	if (r->used == ROUTE_LAYERED && r->lanes < 2)
		r->used = ROUTE_UPDOWN;
	for (;;) {
		err = build_with(r, t, r->used, &res);
		if (err != -ELOOP && err != -EINVAL)
			break;
		if (next_engine(r) == ROUTE_ENGINES)
			return err_set(e, err,
			               "no engine finds tables for this "
			               "fabric; this is a defect");
		snprintf(r->why, sizeof(r->why), "%s %s; %s is used",
		         route_name(r->used),
		         err == -ELOOP ? "would let credits wait in a cycle"
		                       : "does not fit this fabric",
		         route_name(next_engine(r)));
		r->used = next_engine(r);
	}
	if (err)
		return err_set(e, err, "out of memory for routing");
	memset(r->touched, 1, LIDS);
	r->stats.unreachable = (uint32_t)res.unreachable;
	r->stats.took_ns = clock_now_ns() - start;
	return 0;
}
