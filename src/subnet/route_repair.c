/* SPDX-License-Identifier: BSD-2-Clause */
/* From the tables of one topology to those of the next. */
#include "base/clock.h"
#include "subnet/route_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIDS (LFT_BLOCKS * LFT_BLOCK)

/* One direction of a link that came or went. */
struct change {
	uint16_t sw;
	uint16_t to;
	uint8_t port;
	bool came;
};

struct repair {
	struct route *r;
	const struct topo *was;
	const struct topo *now;
	struct route_work w;
	struct change *change;
	uint32_t n_changes;
	uint8_t *moved; /* [switch]: its destinations are not what they were */
	uint8_t *row;   /* scratch: distances */
};

static bool same_edge(const struct topo_edge *a, const struct topo_edge *b)
{
	return a && b && a->to == b->to && a->back == b->back;
}

static int find_changes(struct repair *p)
{
	const struct topo *was = p->was, *now = p->now;
	uint32_t room =
		was->first[was->n_switches] + now->first[now->n_switches];

	p->change = malloc((room + 1) * sizeof(*p->change));
	if (!p->change)
		return -ENOMEM;
	for (unsigned s = 0; s < now->n_switches; s++) {
		for (unsigned i = 1; i < now->stride; i++) {
			const struct topo_edge *a = topo_edge_at(was, s, i);
			const struct topo_edge *b = topo_edge_at(now, s, i);

			if ((!a && !b) || same_edge(a, b))
				continue;
			if (a)
				p->change[p->n_changes++] =
					(struct change){ (uint16_t)s, a->to,
					                 (uint8_t)i, false };
			if (b)
				p->change[p->n_changes++] =
					(struct change){ (uint16_t)s, b->to,
					                 (uint8_t)i, true };
		}
	}
	return 0;
}

static void find_moved(struct repair *p)
{
	const struct topo *was = p->was, *now = p->now;

	for (unsigned s = 0; s < now->n_switches; s++) {
		uint32_t a = was->first_dest[s], b = now->first_dest[s];
		uint32_t n = now->first_dest[s + 1] - b;

		p->moved[s] = n != was->first_dest[s + 1] - a;
		for (uint32_t i = 0; i < n && !p->moved[s]; i++)
			p->moved[s] =
				was->dest[a + i].lid != now->dest[b + i].lid ||
				was->dest[a + i].port != now->dest[b + i].port;
	}
}

static bool still_led(struct repair *p, const struct route_rule *rule,
                      const uint8_t *dist, unsigned sw)
{
	const struct topo *t = p->now;

	for (uint32_t e = t->first[sw]; e < t->first[sw + 1]; e++)
		if (rule->leads(p->r, dist, sw, t->edge[e].to))
			return true;
	return false;
}

/* Can the changes make the distances to this destination wrong? */
static bool matters(struct repair *p, const struct route_rule *rule,
                    const uint8_t *dist)
{
	for (uint32_t i = 0; i < p->n_changes; i++) {
		const struct change *c = &p->change[i];

		if (c->came ? rule->betters(p->r, dist, c->sw, c->to)
		            : rule->leads(p->r, dist, c->sw, c->to) &&
		                      !still_led(p, rule, dist, c->sw))
			return true;
	}
	return false;
}

static void mend_ends(struct repair *p, const struct route_rule *rule,
                      const uint8_t *dist, unsigned to, int ud)
{
	for (uint32_t i = 0; i < p->n_changes; i++)
		if (!p->change[i].came)
			route_mend_switch(p->r, &p->w, p->change[i].sw, to,
			                  rule, dist, ud);
}

static void repair_trees(struct repair *p, const struct route_rule *rule,
                         uint8_t *all, int ud)
{
	unsigned n = p->now->n_switches;

	for (unsigned to = 0; to < n; to++) {
		uint8_t *dist = all + (size_t)to * n;
		bool search = dist[to] == ROUTE_FAR || matters(p, rule, dist);

		if (search) {
			rule->search(p->r, p->now, to, p->row, p->w.queue);
			search = memcmp(dist, p->row, n) != 0;
			memcpy(dist, p->row, n);
			p->r->stats.searches += search;
		}
		if (search || p->moved[to])
			route_mend(p->r, &p->w, to, rule, dist, ud);
		else
			mend_ends(p, rule, dist, to, ud);
	}
}

/* Up and down trees for destinations that fit in no lane any more. */
static int mend_rest(struct repair *p)
{
	struct route *r = p->r;
	unsigned n = p->now->n_switches;

	if (!r->dist_ud) {
		int err = route_rank(r, p->now, false);

		if (err)
			return err;
		r->dist_ud = malloc((size_t)n * n + 1);
		if (!r->dist_ud)
			return -ENOMEM;
		memset(r->dist_ud, ROUTE_FAR, (size_t)n * n);
	}
	for (unsigned to = 0; to < n; to++) {
		uint8_t *dist = r->dist_ud + (size_t)to * n;

		route_rule_updown.search(r, p->now, to, dist, p->w.queue);
		route_mend(r, &p->w, to, &route_rule_updown, dist, 1);
	}
	return 0;
}

static int keep_lanes(struct repair *p)
{
	struct route *r = p->r;
	uint8_t *keep = malloc(LIDS);
	int err;

	if (!keep)
		return -ENOMEM;
	for (unsigned lid = 0; lid < LIDS; lid++)
		keep[lid] = !p->r->touched[lid];
	for (unsigned s = 0; s < p->now->n_switches; s++)
		for (uint32_t d = p->now->first_dest[s];
		     p->moved[s] && d < p->now->first_dest[s + 1]; d++)
			keep[p->now->dest[d].lid] = 0;
	err = route_layers(r, p->now, keep);
	free(keep);
	return err == -ENOSPC ? mend_rest(p) : err;
}

static const struct route_rule *rule_of(const struct route *r)
{
	if (r->used == ROUTE_UPDOWN || r->used == ROUTE_FATTREE)
		return &route_rule_updown;
	return &route_rule_minhop;
}

/* A destination that was not touched must not go by a link that is gone. */
static bool uses_gone(struct repair *p, const struct topo_dest *d)
{
	for (uint32_t i = 0; i < p->n_changes; i++)
		if (!p->change[i].came &&
		    lft_get(&p->r->lft, p->change[i].sw, d->lid) ==
		            p->change[i].port &&
		    p->now->first[p->change[i].sw] !=
		            p->now->first[p->change[i].sw + 1])
			return true;
	return false;
}

/* A switch has hosts and had none: ways from there were never walked. */
static bool has_new_sources(const struct repair *p)
{
	for (unsigned s = 0; s < p->now->n_switches; s++)
		if (p->now->n_hosts[s] && !p->was->n_hosts[s])
			return true;
	return false;
}

/*
 * What was right before and has not changed need not be walked again; all
 * dependencies count, old ones too.  Anything odd is looked at as a whole.
 */
static int verify_changes(struct repair *p, struct check_result *res)
{
	struct route *r = p->r;
	const struct topo *now = p->now;
	int err = 0;

	if (!r->check.cdg || r->check.n_layers < r->n_layers ||
	    has_new_sources(p))
		return route_verify(r, now, res);
	check_move(&r->check, now);
	for (uint32_t i = 0; i < now->n_dests && !err; i++) {
		const struct topo_dest *d = &now->dest[i];
		struct check_end end = { d->sw, d->port };

		if (p->r->touched[d->lid] || p->moved[d->sw] || uses_gone(p, d))
			err = check_lid(&r->check, d->lid, &end, 1, res);
	}
	if (!err)
		err = check_cycles(&r->check, res);
	return err ? route_verify(r, now, res) : 0;
}

/*
 * In the old order of switches some have no way up and down any more: one with
 * the same top, in which what is still right stays.
 */
static int rank_anew(struct repair *p, struct check_result *res)
{
	struct route *r = p->r;
	unsigned n = p->now->n_switches;
	uint8_t *all = rule_of(r) == &route_rule_updown ? r->dist : r->dist_ud;
	int err = all ? route_rank(r, p->now, false) : -EINVAL;

	for (unsigned to = 0; to < n && !err; to++) {
		uint8_t *dist = all + (size_t)to * n;

		route_rule_updown.search(r, p->now, to, dist, p->w.queue);
		route_mend(r, &p->w, to, &route_rule_updown, dist,
		           all == r->dist_ud);
	}
	r->stats.searches = n;
	*res = (struct check_result){ 0 };
	if (!err)
		err = route_verify(r, p->now, res);
	return err;
}

static int repair(struct repair *p)
{
	struct route *r = p->r;
	const struct route_rule *rule = rule_of(r);
	struct check_result res = { 0 };
	int err = find_changes(p);

	if (err)
		return err;
	find_moved(p);
	repair_trees(p, rule, r->dist, 0);
	if (r->dist_ud)
		repair_trees(p, &route_rule_updown, r->dist_ud, 1);
	for (uint32_t i = 0; i < p->n_changes; i++)
		if (p->change[i].came)
			route_spread(r, &p->w, p->change[i].sw,
			             p->change[i].port, rule);
	if (r->used == ROUTE_LAYERED)
		err = keep_lanes(p);
	if (!err)
		err = verify_changes(p, &res);
	if (err == -EINVAL)
		err = rank_anew(p, &res);
	r->stats.unreachable = (uint32_t)res.unreachable;
	return err;
}

int route_repair(struct route *r, const struct topo *was,
                 const struct topo *now, struct err *e)
{
	struct repair p = { .r = r, .was = was, .now = now };
	uint64_t start = clock_now_ns();
	int err = 0;

	if (was->n_switches != now->n_switches || was->stride != now->stride ||
	    !r->dist)
		return route_adopt(r, now, r->asked, r->lanes, e);
	r->stats = (struct route_stats){ 0 };
	memset(r->touched, 0, LIDS);
	for (uint32_t i = 0; i < now->n_dests && !err; i++)
		err = blocks_need(&r->lft, now->dest[i].lid / LFT_BLOCK);
	p.moved = malloc(now->n_switches + 1u);
	p.row = malloc(now->n_switches + 1u);
	if (!err)
		err = route_work_init(&p.w, now);
	if (!err && p.moved && p.row)
		err = repair(&p);
	else
		err = -ENOMEM;
	if (p.w.t)
		route_work_fini(&p.w);
	free(p.change);
	free(p.moved);
	free(p.row);
	if (err == -ELOOP || err == -EINVAL)
		return route_build(r, now, r->asked, r->lanes, e);
	if (err)
		return err_set(e, err, "out of memory for routing");
	r->stats.took_ns = clock_now_ns() - start;
	return 0;
}

/* -- taking over ----------------------------------------------------------- */

/* Distances for the engine in `used`, and entries that fit them. */
static int adopt(struct repair *p)
{
	struct route *r = p->r;
	const struct route_rule *rule = rule_of(r);
	unsigned n = p->now->n_switches;
	struct check_result res = { 0 };
	int err = 0;

	memset(r->updown, 0, LIDS);
	memset(r->layer, 0, LIDS);
	r->n_layers = 1;
	if (rule == &route_rule_updown) {
		err = route_rank(r, p->now, true);
		if (err == -EINVAL && r->used == ROUTE_UPDOWN)
			err = route_rank(r, p->now, false);
	}
	for (unsigned to = 0; to < n && !err; to++) {
		uint8_t *dist = r->dist + (size_t)to * n;

		rule->search(r, p->now, to, dist, p->w.queue);
		route_mend(r, &p->w, to, rule, dist, 0);
	}
	if (!err && r->used == ROUTE_LAYERED) {
		err = route_layers(r, p->now, NULL);
		if (err == -ENOSPC)
			err = mend_rest(p);
	}
	return err ? err : route_verify(r, p->now, &res);
}

int route_adopt(struct route *r, const struct topo *t, enum route_engine asked,
                unsigned lanes, struct err *e)
{
	struct repair p = { .r = r, .now = t };
	int err = route_room(r, t);

	if (!err)
		err = route_work_init(&p.w, t);
	if (err)
		return err_set(e, err, "out of memory for routing");
	r->asked = asked;
	r->lanes = lanes > ROUTE_LAYERS_MAX ? ROUTE_LAYERS_MAX : lanes;
	r->why[0] = '\0';
	r->stats = (struct route_stats){ .searches = t->n_switches };
	r->used = asked == ROUTE_AUTO ? ROUTE_MINHOP : asked;
	if (r->used == ROUTE_LAYERED && r->lanes < 2)
		r->used = ROUTE_UPDOWN;
	err = adopt(&p);
	if (err == -ELOOP && asked == ROUTE_AUTO && r->lanes > 1) {
		r->used = ROUTE_LAYERED;
		err = adopt(&p);
	}
	route_work_fini(&p.w);
	if (err)
		return route_build(r, t, asked, lanes, e);
	memset(r->touched, 1, LIDS);
	return 0;
}
