/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of what there is: nodes, ports, links, tables. */
#include "subnet/admin_priv.h"

#include <stdlib.h>
#include <string.h>

/* Ports that have a LID, from *at on.  With a LID in the query, that one. */
static bool next_port(struct admin_query *q, bool lid_given, uint16_t lid,
                      uint32_t *at)
{
	const struct graph *g = &q->s->graph;

	if (lid_given) {
		const struct lidmap_entry *en = lidmap_owner(&q->s->lids, lid);
		uint32_t port = en && en->kind == LIDMAP_PORT
		                        ? graph_find_port(g, en->guid)
		                        : GRAPH_NONE;

		if (*at > 0 || port == GRAPH_NONE)
			return false;
		*at = port + 1;
		return true;
	}
	while (*at < g->n_ports) {
		const struct graph_port *p = &g->port[(*at)++];

		if (g->node[p->node].present && p->guid &&
		    subnet_lid_of(q->s, *at - 1, NULL))
			return true;
	}
	return false;
}

static void fill_node(const struct subnet *s, uint32_t port,
                      struct sa_node_record *r)
{
	const struct graph_port *p = &s->graph.port[port];
	const struct graph_node *n = &s->graph.node[p->node];

	memset(r, 0, sizeof(*r));
	r->lid = subnet_lid_of((void *)s, port, NULL);
	r->info = (struct smp_node_info){
		.system_guid = n->sys_guid,
		.node_guid = n->guid,
		.port_guid = p->guid,
		.revision = n->revision,
		.vendor_id = n->vendor_id,
		.partition_cap = n->partition_cap,
		.device_id = n->device_id,
		.base_version = MAD_BASE_VERSION,
		.class_version = MAD_CLASS_VERSION,
		.node_type = n->kind,
		.n_ports = n->n_ports,
		.local_port = p->number,
	};
	memcpy(r->description.text, n->desc, GRAPH_DESC);
}

void admin_node_records(struct admin_query *q)
{
	const struct sa_node_record *want = q->want;
	struct sa_node_record r;
	uint32_t at = 0;

	while (next_port(q, q->mask & 1, want->lid, &at)) {
		if (!admin_may_see(q, at - 1))
			continue;
		fill_node(q->s, at - 1, &r);
		if (!admin_add(q, &r))
			return;
	}
}

static void fill_port(const struct subnet *s, uint32_t port,
                      struct smp_port_info *i)
{
	const struct graph_port *p = &s->graph.port[port];

	*i = (struct smp_port_info){
		.subnet_prefix = s->opts.subnet_prefix,
		.capability_mask = p->cap_mask,
		.lid = p->lid,
		.sm_lid = p->sm_lid,
		.lmc = p->lmc,
		.local_port = p->number,
		.link_width_enabled = p->width,
		.link_width_supported = p->width,
		.link_width_active = p->width,
		.port_state = p->state,
		.phys_state = p->phys,
		.mtu_cap = p->mtu_cap,
		.neighbor_mtu = p->mtu,
		.vl_cap = p->vl_cap,
		.operational_vls = p->op_vls,
		.guid_cap = p->guid_cap,
		.local_phy_errors = p->errors >> 4,
		.overrun_errors = p->errors & 15,
		.subnet_timeout = 18,
	};
	i->link_speed_active = p->speed > 16 ? 4 : p->speed;
	i->link_speed_ext_active = p->speed > 16 ? (uint8_t)(p->speed - 16) : 0;
	i->link_speed_supported = i->link_speed_active;
	i->link_speed_enabled = i->link_speed_active;
}

/* M_Keys are nobody's business but the SM's: the field stays zero. */
void admin_port_records(struct admin_query *q)
{
	const struct sa_port_info_record *want = q->want;
	const struct graph *g = &q->s->graph;
	uint32_t at = 0;

	while (next_port(q, q->mask & 1, want->lid, &at)) {
		const struct graph_port *p = &g->port[at - 1];
		const struct graph_node *n = &g->node[p->node];
		bool is_switch = n->kind == GRAPH_SWITCH;

		if (!admin_may_see(q, at - 1))
			continue;
		for (unsigned i = 0; i <= (is_switch ? n->n_ports : 0u); i++) {
			struct sa_port_info_record r = { 0 };
			uint32_t port = at - 1 + i;

			if (!g->port[port].known)
				continue;
			r.lid = subnet_lid_of(q->s, at - 1, NULL);
			r.port = g->port[port].number;
			fill_port(q->s, port, &r.info);
			if (!admin_add(q, &r))
				return;
		}
	}
}

/* Switches, or the one whose LID is asked for. */
static bool next_switch(struct admin_query *q, bool lid_given, uint16_t lid,
                        uint32_t *at, uint16_t *its_lid)
{
	const struct graph *g = &q->s->graph;

	while (*at < g->n_switches) {
		const struct graph_node *n = &g->node[g->switch_node[(*at)++]];

		*its_lid = subnet_lid_of(q->s, n->first_port, NULL);
		if (n->present && *its_lid && (!lid_given || *its_lid == lid))
			return true;
	}
	return false;
}

void admin_switch_records(struct admin_query *q)
{
	const struct sa_switch_info_record *want = q->want;
	struct sa_switch_info_record r;
	uint32_t at = 0;

	while (next_switch(q, q->mask & 1, want->lid, &at, &r.lid)) {
		r.info = q->s->sw[at - 1].info;
		r.info.linear_top = q->s->sw[at - 1].lft_top;
		if (!admin_add(q, &r))
			return;
	}
}

void admin_lft_records(struct admin_query *q)
{
	const struct sa_lft_record *want = q->want;
	const struct blocks *b = &q->s->route.lft;
	struct sa_lft_record r;
	uint32_t at = 0;

	while (next_switch(q, q->mask & 1, want->lid, &at, &r.lid)) {
		for (unsigned i = 0; i < LFT_BLOCKS; i++) {
			if (!blocks_has(b, i) || at > b->n_switches)
				continue;
			r.block = (uint16_t)i;
			memcpy(r.lft.port, blocks_at(b, at - 1, i), LFT_BLOCK);
			if (!admin_add(q, &r))
				return;
		}
	}
}

void admin_mft_records(struct admin_query *q)
{
	const struct sa_mft_record *want = q->want;
	const struct blocks *b = &q->s->mcast.mft;
	struct sa_mft_record r;
	uint32_t at = 0;

	while (next_switch(q, q->mask & 1, want->lid, &at, &r.lid)) {
		for (unsigned i = 0; i < b->n_blocks; i++) {
			if (!blocks_has(b, i) || at > b->n_switches)
				continue;
			r.block = i % MCAST_BLOCKS_PER_POSITION;
			r.position = (uint8_t)(i / MCAST_BLOCKS_PER_POSITION);
			field_decode(&smp_mft_table, blocks_at(b, at - 1, i),
			             &r.mft);
			if (!admin_add(q, &r))
				return;
		}
	}
}

void admin_sm_records(struct admin_query *q)
{
	const struct election *e = &q->s->election;
	struct sa_sm_info_record r = { 0 };

	r.lid = subnet_lid_of(q->s, q->s->graph.self, NULL);
	r.info.guid = q->s->own_guid;
	r.info.priority = e->priority;
	r.info.state = (uint8_t)e->state;
	if (!admin_add(q, &r))
		return;
	for (unsigned i = 0; i < e->n_peers; i++) {
		r.lid = e->peer[i].lid;
		r.info.guid = e->peer[i].guid;
		r.info.priority = e->peer[i].priority;
		r.info.state = e->peer[i].state;
		if (!admin_add(q, &r))
			return;
	}
}

static uint16_t node_lid(const struct subnet *s, uint32_t port)
{
	const struct graph *g = &s->graph;
	const struct graph_node *n = &g->node[g->port[port].node];

	return subnet_lid_of((void *)s,
	                     n->kind == GRAPH_SWITCH ? n->first_port : port,
	                     NULL);
}

void admin_link_records(struct admin_query *q)
{
	const struct graph *g = &q->s->graph;

	for (uint32_t i = 0; i < g->n_ports; i++) {
		const struct graph_port *p = &g->port[i];
		struct sa_link_record r;

		if (p->peer == GRAPH_NONE || !admin_may_see(q, i) ||
		    !admin_may_see(q, p->peer))
			continue;
		r.from_lid = node_lid(q->s, i);
		r.from_port = p->number;
		r.to_lid = node_lid(q->s, p->peer);
		r.to_port = g->port[p->peer].number;
		if (!admin_add(q, &r))
			return;
	}
}

void admin_pkey_records(struct admin_query *q)
{
	const struct sa_pkey_table_record *want = q->want;
	const struct graph *g = &q->s->graph;
	const struct sa_mad *m = (const struct sa_mad *)&q->d->mad;
	uint16_t key[POLICY_PARTITIONS + 1];
	uint32_t at = 0;

	/* Only for who is trusted (IBA 15.2.5.11), which the SM_Key shows. */
	if (be64_get(m->sm_key) != q->s->opts.sm_key) {
		q->status = MAD_STATUS_SA_INVALID;
		return;
	}
	while (next_port(q, q->mask & 1, want->lid, &at)) {
		struct sa_pkey_table_record r = { 0 };
		unsigned n;

		if (!admin_may_see(q, at - 1))
			continue;
		n = policy_keys(&q->s->policy, g->port[at - 1].guid,
		                at - 1 == g->self, key, POLICY_PARTITIONS + 1);
		r.lid = subnet_lid_of(q->s, at - 1, NULL);
		r.port = g->port[at - 1].number;
		for (unsigned b = 0; b * 32 < n; b++) {
			memset(&r.table, 0, sizeof(r.table));
			for (unsigned i = 0; i < 32 && b * 32 + i < n; i++)
				r.table.pkey[i] = key[b * 32 + i];
			r.block = (uint16_t)b;
			if (!admin_add(q, &r))
				return;
		}
	}
}

/* -- further GUIDs of a port ----------------------------------------------- */

static uint64_t alias_of(const struct admin *a, uint32_t port, unsigned index)
{
	for (uint32_t i = 0; i < a->n_aliases; i++)
		if (a->alias[i].port == port && a->alias[i].index == index)
			return a->alias[i].guid;
	return 0;
}

static void fill_guids(const struct admin *a, uint32_t port, unsigned block,
                       struct sa_guid_info_record *r)
{
	memset(r, 0, sizeof(*r));
	r->lid = subnet_lid_of(a->s, port, NULL);
	r->block = (uint8_t)block;
	for (unsigned i = 0; i < 8; i++)
		r->info.guid[i] = alias_of(a, port, block * 8 + i);
	if (block == 0)
		r->info.guid[0] = a->s->graph.port[port].guid;
}

void admin_guid_records(struct admin_query *q)
{
	const struct sa_guid_info_record *want = q->want;
	const struct graph *g = &q->s->graph;
	struct sa_guid_info_record r;
	uint32_t at = 0;

	while (next_port(q, q->mask & SA_GUID_INFO_LID, want->lid, &at)) {
		unsigned blocks = (g->port[at - 1].guid_cap + 7u) / 8;

		if (!admin_may_see(q, at - 1))
			continue;
		for (unsigned b = 0; b < (blocks ? blocks : 1); b++) {
			fill_guids(q->a, at - 1, b, &r);
			if (!admin_add(q, &r))
				return;
		}
	}
}

static bool guid_taken(const struct admin *a, uint64_t guid)
{
	for (uint32_t i = 0; i < a->n_aliases; i++)
		if (a->alias[i].guid == guid)
			return true;
	return graph_find_port(&a->s->graph, guid) != GRAPH_NONE;
}

static void remove_alias(struct admin *a, uint32_t port, unsigned index)
{
	for (uint32_t i = 0; i < a->n_aliases; i++)
		if (a->alias[i].port == port && a->alias[i].index == index)
			a->alias[i--] = a->alias[--a->n_aliases];
}

/* Only a port itself changes its GUIDs; others could take its place. */
static bool find_own(struct admin_query *q, uint32_t *port)
{
	const struct sa_guid_info_record *want = q->want;
	const uint64_t needed = SA_GUID_INFO_LID | SA_GUID_INFO_BLOCK;

	if ((q->mask & needed) != needed) {
		q->status = MAD_STATUS_SA_TOO_FEW;
		return false;
	}
	*port = admin_port_of_lid(q->s, want->lid);
	if (*port == GRAPH_NONE || *port != q->asker ||
	    want->block * 8u >= 256) {
		q->status = MAD_STATUS_SA_DENIED;
		return false;
	}
	return true;
}

void admin_guid_set(struct admin_query *q)
{
	const struct sa_guid_info_record *want = q->want;
	struct sa_guid_info_record r;
	uint32_t port;

	if (!find_own(q, &port))
		return;
	for (unsigned i = 0; i < 8; i++) {
		unsigned index = want->block * 8u + i;
		uint64_t guid = want->info.guid[i];

		if (!(q->mask & SA_GUID_INFO_GUID(i)) || index == 0 ||
		    guid == alias_of(q->a, port, index))
			continue;
		if (!guid)
			guid = UINT64_C(0x0200000000000000) |
			       (q->s->graph.port[port].guid << 8 &
			        UINT64_C(0xffffffffffff00)) |
			       index;
		if (guid_taken(q->a, guid) ||
		    q->a->n_aliases == ADMIN_ALIASES_MAX)
			continue; /* the answer shows what is in force */
		remove_alias(q->a, port, index);
		q->a->alias[q->a->n_aliases++] =
			(struct admin_alias){ guid, port, (uint8_t)index };
	}
	fill_guids(q->a, port, want->block, &r);
	admin_put(q, &r);
}

void admin_guid_delete(struct admin_query *q)
{
	const struct sa_guid_info_record *want = q->want;
	struct sa_guid_info_record r;
	uint32_t port;

	if (!find_own(q, &port))
		return;
	for (unsigned i = 0; i < 8; i++)
		if (q->mask & SA_GUID_INFO_GUID(i))
			remove_alias(q->a, port, want->block * 8u + i);
	fill_guids(q->a, port, want->block, &r);
	admin_put(q, &r);
}
