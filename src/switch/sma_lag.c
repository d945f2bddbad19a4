/* SPDX-License-Identifier: BSD-2-Clause */
/* Link aggregation: docs/wire-lag.md, in its order. */
#include "base/base.h"
#include "switch/sma_priv.h"

#include <string.h>

#define CAPABILITIES (LAG_CAN_AGGREGATE | LAG_CAN_BACKUP | LAG_CAN_SKIP)
#define NO_SELF 255u

/* -- LagHost -------------------------------------------------------------- */

static uint8_t member_state(const struct lag_host *map, unsigned i,
                            const struct ibnet_node *n, bool *first)
{
	if (!port_is_active(ibnet_port(n, map->port[i])))
		return LAG_MEMBER_DOWN;
	if (map->mode == LAG_ACTIVE_ACTIVE)
		return LAG_MEMBER_CARRYING;
	if (map->mode == LAG_OFF || !*first)
		return LAG_MEMBER_STANDBY;
	*first = false;
	return LAG_MEMBER_CARRYING;
}

/* Without a mapping: the ports that there are. */
static void offer(const struct ibnet_node *n, struct lag_host *out)
{
	for (unsigned i = 0; i < n->n_ports; i++) {
		out->port[i] = (uint8_t)(i + 1);
		out->lid[i] = ibnet_port(n, i + 1)->info.lid;
	}
	out->n_members = n->n_ports;
}

static void put_host(struct sma_call *c, uint8_t result)
{
	struct lag_host out = c->node->host->map;
	bool first = true;

	if (out.mode == LAG_OFF)
		offer(c->node, &out);
	out.magic = LAG_MAGIC;
	out.version = LAG_VERSION;
	out.capabilities = CAPABILITIES;
	out.members_max = c->node->n_ports;
	out.system_guid = c->node->system_guid;
	out.self = NO_SELF;
	out.result = result;
	for (unsigned i = 0; i < out.n_members; i++) {
		out.state[i] = member_state(&out, i, c->node, &first);
		if (out.port[i] == c->at->number)
			out.self = (uint8_t)i;
	}
	smp_put(c->mad, &lag_host_table, &out);
}

uint16_t sma_get_lag_host(struct sma_call *c)
{
	if (c->mod)
		return MAD_STATUS_BAD_VALUE;
	put_host(c, c->node->host->map.result);
	return 0;
}

static bool same_map(const struct lag_host *a, const struct lag_host *b)
{
	if (a->mode != b->mode)
		return false;
	if (a->mode == LAG_OFF)
		return true;
	return a->virtual_lid == b->virtual_lid &&
	       a->n_members == b->n_members &&
	       !memcmp(a->lid, b->lid, a->n_members * sizeof(a->lid[0])) &&
	       !memcmp(a->port, b->port, a->n_members);
}

static bool is_physical(const struct ibnet_node *n, uint16_t lid)
{
	for (unsigned i = 1; i <= n->n_ports; i++) {
		const struct smp_port_info *p = &ibnet_port(n, i)->info;

		if (p->lid && lid >= p->lid && lid < p->lid + (1u << p->lmc))
			return true;
	}
	return false;
}

static bool members_ok(const struct sma_call *c, const struct lag_host *w)
{
	bool self = false;

	for (unsigned i = 0; i < w->n_members; i++) {
		const struct ibnet_port *p = ibnet_port(c->node, w->port[i]);

		if (!p || !w->lid[i] || w->lid[i] != p->info.lid)
			return false;
		for (unsigned k = 0; k < i; k++)
			if (w->port[k] == w->port[i])
				return false;
		self |= p == c->at;
	}
	return self;
}

/* The rules of docs/wire-lag.md, first that fails. */
static enum lag_result judge(const struct sma_call *c, const struct lag_host *w)
{
	const struct lag_host *now = &c->node->host->map;
	int32_t newer = (int32_t)(w->generation - now->generation);

	if (!lag_is_ours(w->magic, w->version))
		return LAG_REFUSED_FORMAT;
	if (c->node->faults & IBNET_FAULT_LAG_POLICY)
		return LAG_REFUSED_POLICY;
	if (now->result == LAG_ACCEPTED &&
	    (newer < 0 || (!newer && !same_map(now, w))))
		return LAG_REFUSED_STALE;
	if (w->mode == LAG_OFF)
		return LAG_ACCEPTED;
	if (w->mode > LAG_ACTIVE_BACKUP)
		return LAG_REFUSED_MODE;
	if (!w->n_members || w->n_members > c->node->n_ports)
		return LAG_REFUSED_COUNT;
	if (!w->virtual_lid || w->virtual_lid > MAD_LID_UNICAST_MAX ||
	    is_physical(c->node, w->virtual_lid))
		return LAG_REFUSED_LID;
	return members_ok(c, w) ? LAG_ACCEPTED : LAG_REFUSED_MEMBER;
}

uint16_t sma_set_lag_host(struct sma_call *c)
{
	struct lag_host *now = &c->node->host->map, w;
	enum lag_result result;

	if (c->mod)
		return MAD_STATUS_BAD_VALUE;
	smp_get(c->mad, &lag_host_table, &w);
	result = judge(c, &w);
	if (result != LAG_ACCEPTED) {
		put_host(c, (uint8_t)result);
		return MAD_STATUS_BAD_VALUE;
	}
	if (w.mode == LAG_OFF)
		w = (struct lag_host){ .generation = w.generation };
	w.result = LAG_ACCEPTED;
	*now = w;
	put_host(c, LAG_ACCEPTED);
	return 0;
}

/* -- LagSwitch ------------------------------------------------------------ */

static bool mask_ok(const struct ibnet_node *n, const uint8_t mask[32])
{
	for (unsigned p = 0; p < 256; p++)
		if (mask_has(mask, p) && (!p || p > n->n_ports))
			return false;
	return true;
}

static void put_switch(struct sma_call *c, uint8_t result)
{
	const struct switch_part *sw = c->node->sw;
	static const uint8_t none[32];
	struct lag_switch out = {
		.magic = LAG_MAGIC,
		.version = LAG_VERSION,
		.seed = sw->seed,
		.generation = sw->generation,
		.dropped = sw->dropped,
		.rerouted = sw->rerouted,
		.groups_cap = IBNET_LAG_GROUPS,
		.members_cap = c->node->n_ports,
		.skips_dead = 1,
		.result = result,
	};

	memcpy(out.ways, sw->ways, sizeof(out.ways));
	for (unsigned i = 0; i < sw->n_groups; i++)
		if (memcmp(sw->groups[i].mask, none, sizeof(none)) != 0)
			out.groups_used++;
	smp_put(c->mad, &lag_switch_table, &out);
}

uint16_t sma_get_lag_switch(struct sma_call *c)
{
	if (c->mod)
		return MAD_STATUS_BAD_VALUE;
	put_switch(c, LAG_NOTHING_ASKED);
	return 0;
}

uint16_t sma_set_lag_switch(struct sma_call *c)
{
	struct switch_part *sw = c->node->sw;
	struct lag_switch w;

	if (c->mod)
		return MAD_STATUS_BAD_VALUE;
	smp_get(c->mad, &lag_switch_table, &w);
	if (!lag_is_ours(w.magic, w.version)) {
		put_switch(c, LAG_REFUSED_FORMAT);
		return MAD_STATUS_BAD_VALUE;
	}
	if (!mask_ok(c->node, w.ways))
		return MAD_STATUS_BAD_VALUE;
	sw->seed = w.seed;
	sw->generation = w.generation;
	if (memcmp(sw->ways, w.ways, sizeof(sw->ways)) != 0) {
		memcpy(sw->ways, w.ways, sizeof(sw->ways));
		ibnet_skip_ways(c->node);
	}
	put_switch(c, LAG_ACCEPTED);
	return 0;
}

/* -- LagGroups ------------------------------------------------------------ */

uint16_t sma_get_lag_groups(struct sma_call *c)
{
	const struct switch_part *sw = c->node->sw;
	struct lag_groups out = { 0 };

	if (c->mod >= IBNET_LAG_GROUPS / LAG_GROUPS_BLOCK)
		return MAD_STATUS_BAD_VALUE;
	for (unsigned i = 0; i < LAG_GROUPS_BLOCK; i++) {
		unsigned g = c->mod * LAG_GROUPS_BLOCK + i;

		if (g < sw->n_groups)
			memcpy(out.mask[i], sw->groups[g].mask,
			       sizeof(out.mask[i]));
	}
	smp_put(c->mad, &lag_groups_table, &out);
	return 0;
}

static int grow_groups(struct switch_part *sw, unsigned n)
{
	struct switch_group *more;

	if (n <= sw->n_groups)
		return 0;
	more = realloc(sw->groups, n * sizeof(*more));
	if (!more)
		return -1;
	memset(more + sw->n_groups, 0, (n - sw->n_groups) * sizeof(*more));
	sw->groups = more;
	sw->n_groups = n;
	return 0;
}

/* Flows change ports, between old and new ones. */
static void set_group(struct ibnet_node *n, struct switch_group *g,
                      const uint8_t mask[32])
{
	if (!memcmp(g->mask, mask, sizeof(g->mask)))
		return;
	ibnet_settle_group(n, g);
	memcpy(g->mask, mask, sizeof(g->mask));
	ibnet_settle_group(n, g);
	ibnet_skip_group(n, g);
}

uint16_t sma_set_lag_groups(struct sma_call *c)
{
	struct switch_part *sw = c->node->sw;
	unsigned first = c->mod * LAG_GROUPS_BLOCK;
	struct lag_groups w;

	if (c->mod >= IBNET_LAG_GROUPS / LAG_GROUPS_BLOCK)
		return MAD_STATUS_BAD_VALUE;
	smp_get(c->mad, &lag_groups_table, &w);
	for (unsigned i = 0; i < LAG_GROUPS_BLOCK; i++)
		if (!mask_ok(c->node, w.mask[i]))
			return MAD_STATUS_BAD_VALUE;
	if (grow_groups(sw, first + LAG_GROUPS_BLOCK))
		return MAD_STATUS_BUSY;
	for (unsigned i = 0; i < LAG_GROUPS_BLOCK; i++)
		set_group(c->node, &sw->groups[first + i], w.mask[i]);
	return 0;
}

/* -- LagLids -------------------------------------------------------------- */

#define LIDS_BLOCKS ((MAD_LID_UNICAST_MAX + 1) / LAG_LIDS_BLOCK)

uint16_t sma_get_lag_lids(struct sma_call *c)
{
	const struct switch_part *sw = c->node->sw;
	unsigned first = c->mod * LAG_LIDS_BLOCK;
	struct lag_lids out;

	if (c->mod >= LIDS_BLOCKS)
		return MAD_STATUS_BAD_VALUE;
	for (unsigned i = 0; i < LAG_LIDS_BLOCK; i++)
		out.group[i] = first + i < sw->lids_room ? sw->lids[first + i]
		                                         : LAG_NO_GROUP;
	smp_put(c->mad, &lag_lids_table, &out);
	return 0;
}

static int grow_lids(struct switch_part *sw, unsigned n)
{
	uint16_t *more;

	if (n <= sw->lids_room)
		return 0;
	if (!sw->lids_room)
		sw->lids_first = n;
	more = realloc(sw->lids, n * sizeof(*more));
	if (!more)
		return -1;
	memset(more + sw->lids_room, 0xff,
	       (n - sw->lids_room) * sizeof(*more)); /* LAG_NO_GROUP */
	sw->lids = more;
	sw->lids_room = n;
	return 0;
}

static void count_use(struct switch_part *sw, unsigned group, int change)
{
	if (group < sw->n_groups)
		sw->groups[group].uses += (uint32_t)change;
}

uint16_t sma_set_lag_lids(struct sma_call *c)
{
	struct switch_part *sw = c->node->sw;
	unsigned first = c->mod * LAG_LIDS_BLOCK;
	struct lag_lids w;

	if (c->mod >= LIDS_BLOCKS)
		return MAD_STATUS_BAD_VALUE;
	smp_get(c->mad, &lag_lids_table, &w);
	for (unsigned i = 0; i < LAG_LIDS_BLOCK; i++)
		if (w.group[i] != LAG_NO_GROUP &&
		    w.group[i] >= IBNET_LAG_GROUPS)
			return MAD_STATUS_BAD_VALUE;
	for (unsigned i = 0; i < LAG_LIDS_BLOCK; i++)
		if (w.group[i] != LAG_NO_GROUP &&
		    grow_groups(sw, w.group[i] + 1u))
			return MAD_STATUS_BUSY;
	if (grow_lids(sw, first + LAG_LIDS_BLOCK))
		return MAD_STATUS_BUSY;
	if (first < sw->lids_first)
		sw->lids_first = first;
	for (unsigned i = 0; i < LAG_LIDS_BLOCK; i++) {
		if (sw->lids[first + i] == w.group[i])
			continue;
		count_use(sw, sw->lids[first + i], -1);
		sw->lids[first + i] = w.group[i];
		count_use(sw, w.group[i], 1);
		if (w.group[i] < sw->n_groups)
			ibnet_settle_group(c->node, &sw->groups[w.group[i]]);
	}
	ibnet_skip_lids(c->node, first, LAG_LIDS_BLOCK);
	return 0;
}

/* -- LagSkip -------------------------------------------------------------- */

uint16_t sma_set_lag_skip(struct sma_call *c)
{
	struct lag_skip w;

	smp_get(c->mad, &lag_skip_table, &w);
	if (c->mod || !lag_is_ours(w.magic, w.version) || w.dead > 1 ||
	    w.n > LAG_SKIP_LIDS || !mask_has(c->node->sw->ways, c->at->number))
		return MAD_STATUS_BAD_VALUE;
	for (unsigned i = 0; i < w.n; i++)
		if (!w.lid[i] || w.lid[i] > MAD_LID_UNICAST_MAX)
			return MAD_STATUS_BAD_VALUE;
	for (unsigned i = 0; i < w.n; i++)
		ibnet_skip_mark(c->at, w.lid[i], w.dead);
	return 0;
}
