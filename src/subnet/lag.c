/* SPDX-License-Identifier: BSD-2-Clause */
/* Asking hosts and switches what they aggregate, and telling hosts. */
#include "subnet/subnet_priv.h"

#include <errno.h>
#include <string.h>

static void retry(struct subnet *s, uint64_t delay_ms)
{
	subnet_add_work(s, WORK_POLICY, 0, delay_ms);
}

static struct aggregate_host *host_of(struct subnet *s, uint32_t port)
{
	const struct graph *g = &s->graph;

	return aggregate_find(&s->lag, g->node[g->port[port].node].sys_guid);
}

static void withdraw(struct subnet *s, struct aggregate_host *h,
                     enum aggregate_state state)
{
	h->state = (uint8_t)state;
	h->tell = false;
	if (!h->vlid)
		return;
	aggregate_withdraw(&s->lag, h, &s->route);
	subnet_add_work(s, WORK_POLICY, 0, 0);
}

/* Does the host have in force what we would propose? */
static bool is_as_wanted(const struct subnet *s, const struct aggregate_host *h,
                         const struct lag_host *said)
{
	if (said->mode == LAG_OFF || said->n_members != h->n_members ||
	    (h->vlid && said->virtual_lid != h->vlid))
		return false;
	for (unsigned i = 0; i < h->n_members; i++)
		if (said->lid[i] != h->lid[i] ||
		    said->port[i] != s->graph.port[h->port[i]].number)
			return false;
	return true;
}

static bool in_virtual_range(const struct subnet *s, uint16_t lid)
{
	return lid >= s->lids.virtual_first && lid <= s->lids.virtual_last;
}

void subnet_got_lag_host(struct subnet *s, const struct todo *t, int err,
                         const struct mad *m)
{
	struct aggregate_host *h = host_of(s, t->at);
	struct lag_host said;

	if (!h)
		return;
	if (err && h->vlid) { /* it could, so it can: the answer was lost */
		h->ask = true;
		retry(s, 1000);
		return;
	}
	if (!err)
		smp_get(m, &lag_host_table, &said);
	if (err || mad_status(m) || !lag_is_ours(said.magic, said.version) ||
	    !(said.capabilities & (LAG_CAN_AGGREGATE | LAG_CAN_BACKUP)) ||
	    said.members_max < 2) {
		withdraw(s, h, AGGREGATE_INCAPABLE);
		return;
	}
	h->capabilities = said.capabilities;
	h->members_max = said.members_max;
	if (h->n_members > said.members_max)
		h->n_members = said.members_max;
	if (said.virtual_lid && in_virtual_range(s, said.virtual_lid))
		h->had_vlid = said.virtual_lid;
	if (h->n_members < 2 && !h->vlid && !h->had_vlid) {
		h->state = AGGREGATE_UNKNOWN; /* until it has two ports */
		h->tell = false;
		return;
	}
	if ((int32_t)(said.generation - h->generation) > 0)
		h->generation = said.generation;
	memcpy(h->said, said.state, sizeof(h->said));
	h->mode = said.mode;
	h->reroute = true;
	s->plan_again = true;
	if (is_as_wanted(s, h, &said) && h->had_vlid) {
		h->state = AGGREGATE_IN_FORCE;
		h->result = LAG_ACCEPTED;
		return;
	}
	if (h->state != AGGREGATE_IN_FORCE)
		h->state = AGGREGATE_PROPOSED;
	h->generation++;
	h->tell = true;
}

void subnet_got_lag_switch(struct subnet *s, const struct todo *t, int err,
                           const struct mad *m)
{
	unsigned sw = s->graph.node[t->at].sw;
	struct lag_switch said;

	s->sw[sw].asked_lag = true;
	if (!err)
		smp_get(m, &lag_switch_table, &said);
	if (err || mad_status(m) || !lag_is_ours(said.magic, said.version)) {
		aggregate_switch_can(&s->lag, sw, 0, 0);
		return;
	}
	s->sw[sw].groups_cap = said.groups_cap;
	s->sw[sw].members_cap = said.members_cap;
	s->sw[sw].lag_seed = said.seed;
	s->sw[sw].lag_generation = said.generation;
	s->sw[sw].adopt_groups = said.groups_used > 0;
	memcpy(s->sw[sw].ways, said.ways, sizeof(said.ways));
	aggregate_switch_can(&s->lag, sw, said.groups_cap, said.members_cap);
	for (uint32_t i = 0; i < s->lag.n; i++)
		s->lag.host[i].reroute = true;
	s->plan_again = true;
}

void subnet_got_group_lids(struct subnet *s, const struct todo *t, int err,
                           const struct mad *m)
{
	struct lag_lids said;

	if (err || mad_status(m))
		return;
	smp_get(m, &lag_lids_table, &said);
	for (unsigned i = 0; i < LAG_LIDS_BLOCK; i++)
		if (aggregate_adopt_lid(&s->lag, t->at,
		                        (uint16_t)(t->arg * LAG_LIDS_BLOCK + i),
		                        said.group[i]))
			subnet_todo(s, ASK_GROUPS, t->at,
			            said.group[i] / LAG_GROUPS_BLOCK);
}

void subnet_got_groups(struct subnet *s, const struct todo *t, int err,
                       const struct mad *m)
{
	/* Without memory it is written once more than it must be. */
	if (!err && !mad_status(m))
		(void)aggregate_adopt_groups(&s->lag, t->at, t->arg,
		                             ((const struct smp *)m)->data);
}

void subnet_lag_switch(const struct subnet *s, uint32_t node,
                       struct lag_switch *out)
{
	const struct graph *g = &s->graph;
	const struct graph_node *n = &g->node[node];

	*out = (struct lag_switch){
		.magic = LAG_MAGIC,
		.version = LAG_VERSION,
		.seed = s->sw[n->sw].lag_seed,
		.generation = s->sw[n->sw].lag_generation,
	};
	for (unsigned i = 1; i <= n->n_ports; i++) {
		const struct graph_port *p = &g->port[n->first_port + i];
		uint32_t far = p->peer == GRAPH_NONE
		                       ? GRAPH_NONE
		                       : g->node[g->port[p->peer].node].sw;

		if (far != GRAPH_NONE && !p->isolated && s->sw[far].groups_cap)
			out->ways[i / 8] |= (uint8_t)(1u << i % 8);
	}
}

bool subnet_lag_switch_differs(const struct subnet *s, uint32_t node)
{
	const struct subnet_switch *w = &s->sw[s->graph.node[node].sw];
	struct lag_switch want;

	if (!w->groups_cap)
		return false;
	subnet_lag_switch(s, node, &want);
	return memcmp(want.ways, w->ways, sizeof(want.ways)) != 0;
}

void subnet_set_lag_switch(struct subnet *s, const struct todo *t, int err,
                           const struct mad *m)
{
	struct subnet_switch *w = &s->sw[s->graph.node[t->at].sw];
	struct lag_switch said;

	if (err) {
		retry(s, 1000);
		return;
	}
	/* One that refuses skips nothing, and is not told again. */
	subnet_lag_switch(s, t->at, &said);
	memcpy(w->ways, said.ways, sizeof(said.ways));
	if (mad_status(m))
		subnet_say(s, SUBNET_EVENT_FAULT, "%s refuses LagSwitch",
		           subnet_node_name(s, t->at));
}

void subnet_lag_leave(struct subnet *s, struct aggregate_host *h)
{
	withdraw(s, h, AGGREGATE_OFF);
	h->ask = false;
	h->mode = LAG_OFF;
	h->result = LAG_NOTHING_ASKED;
	h->generation++;
	h->tell = true;
}

static void accepted(struct subnet *s, struct aggregate_host *h,
                     const struct lag_host *said, uint32_t port)
{
	memcpy(h->said, said->state, sizeof(h->said));
	h->mode = said->mode;
	h->tell = false;
	if (h->state == AGGREGATE_OFF)
		subnet_say(s, SUBNET_EVENT_LAG, "%s is not aggregated any more",
		           subnet_node_name(s, s->graph.port[port].node));
	if (h->state == AGGREGATE_IN_FORCE || h->state == AGGREGATE_OFF)
		return;
	h->state = AGGREGATE_IN_FORCE;
	subnet_say(s, SUBNET_EVENT_LAG,
	           "%s: virtual LID %u stands for %u ports (%s)",
	           subnet_node_name(s, s->graph.port[port].node), h->vlid,
	           h->n_members, lag_mode_name(h->mode));
}

void subnet_set_lag_host(struct subnet *s, const struct todo *t, int err,
                         const struct mad *m)
{
	struct aggregate_host *h = host_of(s, t->at);
	struct lag_host said;

	if (!h || (!h->vlid && h->state != AGGREGATE_OFF))
		return;
	if (!err)
		smp_get(m, &lag_host_table, &said);
	if (h->state == AGGREGATE_OFF && (err || mad_status(m)) &&
	    !(!err && said.result == LAG_REFUSED_STALE)) {
		h->tell = false; /* it is silent, or knows no aggregation */
		return;
	}
	if (err || !lag_is_ours(said.magic, said.version)) {
		retry(s, 1000);
		return;
	}
	if (!mad_status(m) && said.result == LAG_ACCEPTED) {
		h->result = LAG_ACCEPTED;
		accepted(s, h, &said, t->at);
		return;
	}
	h->result = said.result;
	if (said.result == LAG_REFUSED_STALE) {
		h->generation = said.generation + 1;
		h->tell = true;
		retry(s, 0);
	} else if (said.result == LAG_REFUSED_BUSY) {
		h->tell = true;
		retry(s, 200);
	} else {
		subnet_say(
			s, SUBNET_EVENT_LAG,
			"%s refuses virtual LID %u: %s; it is left as it was",
			subnet_node_name(s, s->graph.port[t->at].node), h->vlid,
			lag_result_words(said.result));
		withdraw(s, h, AGGREGATE_REFUSED);
	}
}

/* -- what the operator wants ----------------------------------------------- */

static unsigned place_off(const struct subnet *s, uint64_t sys_guid)
{
	unsigned i = 0;

	while (i < s->n_lag_off && s->lag_off[i] != sys_guid)
		i++;
	return i;
}

bool subnet_lag_wanted(const struct subnet *s, uint64_t sys_guid)
{
	return place_off(s, sys_guid) == s->n_lag_off;
}

int subnet_lag_want(struct subnet *s, uint64_t sys_guid, bool wanted,
                    struct err *e)
{
	struct aggregate_host *h = aggregate_find(&s->lag, sys_guid);
	unsigned at = place_off(s, sys_guid);

	if (wanted == (at == s->n_lag_off))
		return 0;
	if (!wanted && s->n_lag_off == SUBNET_LAG_OFF_MAX)
		return err_set(e, -ENOSPC,
		               "%u hosts are kept from aggregation, which are "
		               "all that can be; start the manager without "
		               "aggregation instead",
		               SUBNET_LAG_OFF_MAX);
	if (wanted)
		s->lag_off[at] = s->lag_off[--s->n_lag_off];
	else
		s->lag_off[s->n_lag_off++] = sys_guid;
	if (!h)
		return 0;
	h->ask = true; /* a pass sees to the rest */
	if (wanted)
		h->state = AGGREGATE_UNKNOWN;
	subnet_add_work(s, WORK_POLICY, 0, 0);
	return 0;
}
