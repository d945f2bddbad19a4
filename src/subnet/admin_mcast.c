/* SPDX-License-Identifier: BSD-2-Clause */
/* Multicast groups: looking, joining, leaving. */
#include "subnet/admin_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SCOPE_LINK_LOCAL 2
#define FLAG_TRANSIENT 1 /* the only one there is */
#define QKEY_IPOIB 0x0b1bu
#define LIFE 18u

static void fill(const struct subnet *s, const struct mcast_group *g,
                 uint32_t port, uint8_t join, struct sa_mc_member_record *r)
{
	*r = (struct sa_mc_member_record){
		.qkey = g->qkey,
		.flow_label = g->flow_label,
		.mlid = g->mlid,
		.pkey = g->pkey,
		.mtu_selector = SA_EXACTLY,
		.mtu = g->mtu,
		.tclass = g->tclass,
		.rate_selector = SA_EXACTLY,
		.rate = g->rate,
		.life_selector = SA_EXACTLY,
		.life = g->life,
		.sl = g->sl,
		.hop_limit = g->hop_limit,
		.scope = g->scope,
		.join_state = join,
		.proxy_join = mcast_by_proxy(g, port),
	};
	memcpy(r->mgid, g->mgid, 16);
	if (port != GRAPH_NONE)
		admin_gid(s, s->graph.port[port].guid, r->port_gid);
}

/* A group is one record; who is in it, only for the SM's own host: others
 * could learn of ports that they may not see. */
void admin_mc_records(struct admin_query *q)
{
	const struct mcast *m = &q->s->mcast;
	bool trusted = q->asker == q->s->graph.self;
	struct sa_mc_member_record r;

	for (unsigned i = 0; i < MCAST_GROUPS_MAX; i++) {
		const struct mcast_group *g = &m->group[i];

		if (!g->mlid)
			continue;
		if (!trusted || g->n_members == 0) {
			uint8_t own = q->asker == GRAPH_NONE
			                      ? 0
			                      : mcast_joined(g, q->asker);

			fill(q->s, g, own ? q->asker : GRAPH_NONE, own, &r);
			if (!admin_add(q, &r))
				return;
			continue;
		}
		for (uint32_t k = 0; k < g->n_members; k++) {
			fill(q->s, g, g->member[k].port, g->member[k].join, &r);
			if (!admin_add(q, &r))
				return;
		}
	}
}

/* A host that is one address joins by any of its ports. */
static bool is_own(const struct admin_query *q, uint32_t port)
{
	const struct graph *g = &q->s->graph;

	return g->node[g->port[q->asker].node].sys_guid ==
	       g->node[g->port[port].node].sys_guid;
}

/* Another port than its own is joined for by proxy, with a partition in common
 * (IBA 15.2.5.17.2). */
static bool find_member(struct admin_query *q, uint32_t *port)
{
	const struct graph *g = &q->s->graph;
	const struct sa_mc_member_record *w = q->want;
	const uint64_t needed = SA_MC_PORT_GID | SA_MC_JOIN_STATE;

	if ((q->mask & needed) != needed) {
		q->status = MAD_STATUS_SA_TOO_FEW;
		return false;
	}
	*port = admin_port_of_gid(q->a, w->port_gid);
	if (*port == GRAPH_NONE) {
		q->status = MAD_STATUS_SA_BAD_GID;
		return false;
	}
	if (q->asker == GRAPH_NONE ||
	    (!is_own(q, *port) &&
	     !policy_common(&q->s->policy, g->port[q->asker].guid,
	                    q->asker == g->self, g->port[*port].guid,
	                    *port == g->self, 0))) {
		q->status = MAD_STATUS_SA_DENIED;
		return false;
	}
	if ((w->join_state & 15) == 0) {
		q->status = MAD_STATUS_SA_INVALID;
		return false;
	}
	return true;
}

static bool value_fits(uint64_t mask, uint64_t sel_bit, uint64_t bit,
                       uint8_t selector, uint8_t want, uint8_t have)
{
	if (!(mask & bit))
		return true;
	return sa_selector_fits(mask & sel_bit ? selector : (uint8_t)SA_EXACTLY,
	                        want, have);
}

static bool group_fits(const struct admin_query *q, const struct mcast_group *g)
{
	const struct sa_mc_member_record *w = q->want;
	uint64_t m = q->mask;

	return (!(m & SA_MC_QKEY) || w->qkey == g->qkey) &&
	       (!(m & SA_MC_MLID) || w->mlid == g->mlid) &&
	       (!(m & SA_MC_PKEY) ||
	        (w->pkey & 0x7fff) == (g->pkey & 0x7fff)) &&
	       (!(m & SA_MC_TCLASS) || w->tclass == g->tclass) &&
	       (!(m & SA_MC_SL) || w->sl == g->sl) &&
	       (!(m & SA_MC_FLOW_LABEL) || w->flow_label == g->flow_label) &&
	       value_fits(m, SA_MC_MTU_SELECTOR, SA_MC_MTU, w->mtu_selector,
	                  w->mtu, g->mtu) &&
	       value_fits(m, SA_MC_RATE_SELECTOR, SA_MC_RATE, w->rate_selector,
	                  w->rate, g->rate);
}

/* Whether a port receives what a group sends: no member may be slower than the
 * group, or take smaller packets (IBA 15.2.5.17.2). */
static bool can_receive(const struct admin_query *q, uint32_t port,
                        const struct mcast_group *g)
{
	const struct graph_port *p = &q->s->graph.port[port];

	return g->mtu <= p->mtu_cap &&
	       sa_rate_speed(g->rate) <= sa_rate_speed(admin_rate_of(p));
}

/* What a new group gets where its maker leaves us a choice: the usual, if that
 * fits, else the nearest; 0: nothing does. */
static uint8_t pick_mtu(const struct admin_query *q,
                        const struct sa_mc_member_record *w)
{
	if (!(q->mask & SA_MC_MTU))
		return 4;
	if (!(q->mask & SA_MC_MTU_SELECTOR) || w->mtu_selector == SA_EXACTLY)
		return w->mtu;
	if (w->mtu_selector == SA_GREATER)
		return w->mtu < 4 ? 4 : w->mtu < 5 ? 5 : 0;
	if (w->mtu_selector == SA_LESS)
		return w->mtu > 4 ? 4 : w->mtu > 1 ? (uint8_t)(w->mtu - 1) : 0;
	return 5;
}

static uint8_t pick_rate(const struct admin_query *q,
                         const struct sa_mc_member_record *w, uint32_t port)
{
	unsigned most = sa_rate_speed(admin_rate_of(&q->s->graph.port[port]));
	unsigned wish = sa_rate_speed(w->rate), best = 0;
	uint8_t rate = 0;

	if (!(q->mask & SA_MC_RATE))
		return 3;
	if (!(q->mask & SA_MC_RATE_SELECTOR) || w->rate_selector == SA_EXACTLY)
		return w->rate;
	for (uint8_t i = 2; i <= 22; i++) {
		unsigned speed = sa_rate_speed(i);
		bool fits = w->rate_selector == SA_GREATER ? speed > wish
		            : w->rate_selector == SA_LESS  ? speed < wish
		                                           : true;
		bool nearer = w->rate_selector == SA_GREATER ? speed < best
		                                             : speed > best;

		if (speed && speed <= most && fits && (!rate || nearer)) {
			rate = i;
			best = speed;
		}
	}
	return rate;
}

/* A multicast GID, and not one of those that we choose ourselves. */
static bool may_be_named(const uint8_t mgid[16])
{
	bool is_ours = mgid[2] == 0xa0 && mgid[3] == 0x1b &&
	               (mgid[1] & 15) == SCOPE_LINK_LOCAL;

	return mgid[0] == 0xff && mgid[1] >> 4 <= FLAG_TRANSIENT && !is_ours;
}

/* A host makes a group by joining one that is not there, with what the group
 * shall be. */
static struct mcast_group *create(struct admin_query *q, uint32_t port)
{
	const struct sa_mc_member_record *w = q->want;
	const uint64_t needed = SA_MC_QKEY | SA_MC_TCLASS | SA_MC_PKEY |
	                        SA_MC_SL | SA_MC_FLOW_LABEL;
	static const uint8_t none[16];
	uint8_t mgid[16];
	struct mcast_group *g;

	bool is_named =
		q->mask & SA_MC_MGID && memcmp(w->mgid, none, sizeof(none));

	/* Who names a group and not what it shall be wants to join it, and it
	 * is not there (IBA 15.2.5.17.2, o15.0.1.13). */
	if ((q->mask & needed) != needed || !(w->join_state & SA_JOIN_FULL)) {
		q->status = is_named ? MAD_STATUS_SA_INVALID
		                     : MAD_STATUS_SA_TOO_FEW;
		return NULL;
	}
	memcpy(mgid, w->mgid, 16);
	if (!is_named) {
		/* One that we choose: transient, link-local (IBA 15.2.5.17). */
		be64 unique = be64_put(++q->s->mcast_unique);

		memset(mgid, 0, 16);
		mgid[0] = 0xff;
		mgid[1] = 0x12;
		mgid[2] = 0xa0;
		mgid[3] = 0x1b;
		memcpy(mgid + 8, &unique, 8);
	} else if (!may_be_named(mgid)) {
		q->status = MAD_STATUS_SA_INVALID;
		return NULL;
	}
	g = mcast_add(&q->s->mcast, mgid);
	if (!g) {
		q->status = MAD_STATUS_SA_NO_RESOURCES;
		return NULL;
	}
	g->qkey = w->qkey;
	g->flow_label = w->flow_label;
	g->pkey = w->pkey;
	g->tclass = w->tclass;
	g->sl = w->sl;
	g->hop_limit = q->mask & SA_MC_HOP_LIMIT ? w->hop_limit : 0;
	g->scope = mgid[1] & 15;
	g->mtu = pick_mtu(q, w);
	g->rate = pick_rate(q, w, port);
	g->life = q->mask & SA_MC_LIFE ? w->life : LIFE;
	if (!g->mtu || !g->rate) {
		q->status = MAD_STATUS_SA_INVALID;
		mcast_remove(&q->s->mcast, g);
		return NULL;
	}
	return g;
}

void admin_mc_join(struct admin_query *q)
{
	const struct sa_mc_member_record *w = q->want;
	struct sa_mc_member_record r;
	struct mcast_group *g = NULL;
	uint32_t port;
	bool is_new = false;
	int err;

	if (!find_member(q, &port))
		return;
	if (q->mask & SA_MC_MGID)
		g = mcast_find(&q->s->mcast, w->mgid);
	if (!g) {
		g = create(q, port);
		is_new = true;
	}
	if (!g)
		return;
	if ((!is_new && !group_fits(q, g)) || !can_receive(q, port, g) ||
	    !policy_common(&q->s->policy, q->s->graph.port[port].guid,
	                   port == q->s->graph.self,
	                   q->s->graph.port[port].guid,
	                   port == q->s->graph.self, g->pkey)) {
		q->status = MAD_STATUS_SA_INVALID;
		if (is_new)
			mcast_remove(&q->s->mcast, g);
		return;
	}
	err = mcast_join(g, port, w->join_state & 15, !is_own(q, port));
	if (err) {
		q->status = MAD_STATUS_SA_NO_RESOURCES;
		return;
	}
	if (is_new)
		admin_gid_notice(q->a, NOTICE_MC_CREATED, g->mgid);
	subnet_add_work(q->s, WORK_POLICY, 0, 0);
	fill(q->s, g, port, mcast_joined(g, port), &r);
	admin_put(q, &r);
}

static bool has_full(const struct mcast_group *g)
{
	for (uint32_t i = 0; i < g->n_members; i++)
		if (g->member[i].join & SA_JOIN_FULL)
			return true;
	return false;
}

void admin_mc_leave(struct admin_query *q)
{
	const struct sa_mc_member_record *w = q->want;
	struct sa_mc_member_record r;
	struct mcast_group *g;
	uint32_t port;

	if (!(q->mask & SA_MC_MGID)) {
		q->status = MAD_STATUS_SA_TOO_FEW;
		return;
	}
	if (!find_member(q, &port))
		return;
	g = mcast_find(&q->s->mcast, w->mgid);
	/* Only what it has joined as (IBA 15.2.5.17.2, o15.0.1.14). */
	if (!g || (w->join_state & 15 & ~mcast_joined(g, port))) {
		q->status = MAD_STATUS_SA_INVALID;
		return;
	}
	if (!is_own(q, port) && !mcast_by_proxy(g, port)) {
		q->status = MAD_STATUS_SA_DENIED; /* it has joined itself */
		return;
	}
	fill(q->s, g, port, w->join_state, &r);
	r.join_state = mcast_leave(g, port, w->join_state & 15);
	if (!g->fixed && !has_full(g)) {
		admin_gid_notice(q->a, NOTICE_MC_DELETED, g->mgid);
		mcast_remove(&q->s->mcast, g);
	}
	subnet_add_work(q->s, WORK_POLICY, 0, 0);
	admin_put(q, &r);
}

/* -- groups of the policy -------------------------------------------------- */

/* RFC 4391, 4: the IPv4 broadcast group of a partition. */
static void broadcast_gid(uint16_t pkey, uint8_t mgid[16])
{
	static const uint8_t form[16] = { 0xff, 0x12, 0x40, 0x1b, 0, 0,
		                          0,    0,    0,    0,    0, 0,
		                          0xff, 0xff, 0xff, 0xff };

	memcpy(mgid, form, 16);
	mgid[4] = (uint8_t)(pkey >> 8 | 0x80);
	mgid[5] = (uint8_t)pkey;
}

void admin_policy(struct admin *a)
{
	struct subnet *s = a->s;

	for (uint32_t i = 0; i < s->policy.n_partitions; i++) {
		const struct policy_partition *p = &s->policy.partition[i];
		uint8_t mgid[16];
		struct mcast_group *g;

		if (!p->ipoib)
			continue;
		broadcast_gid(p->pkey, mgid);
		g = mcast_find(&s->mcast, mgid);
		if (!g)
			g = mcast_add(&s->mcast, mgid);
		if (!g)
			return;
		g->fixed = true;
		g->qkey = QKEY_IPOIB;
		g->pkey = p->pkey | POLICY_PKEY_FULL;
		g->mtu = p->mtu ? p->mtu : 4;
		g->rate = p->rate ? p->rate : 3;
		g->life = LIFE;
		g->sl = p->sl;
		g->scope = 2;
	}
}
