/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/sma.h"

#include "base/base.h"
#include "base/clock.h"
#include "switch/sma_priv.h"
#include "switch/trap.h"

#include <string.h>

static uint16_t get_description(struct sma_call *c)
{
	struct smp_node_description d = { 0 };

	memcpy(d.text, c->node->description,
	       strnlen(c->node->description, sizeof(d.text)));
	smp_put(c->mad, &smp_node_description_table, &d);
	return 0;
}

void sma_node_info(const struct ibnet_port *at, struct smp_node_info *out)
{
	const struct ibnet_node *n = at->node;

	*out = (struct smp_node_info){
		.base_version = MAD_BASE_VERSION,
		.class_version = MAD_CLASS_VERSION,
		.node_type = n->sw ? SMP_NODE_SWITCH : SMP_NODE_CA,
		.n_ports = n->n_ports,
		.system_guid = n->system_guid,
		.node_guid = n->guid,
		.port_guid = n->guid + (n->sw ? 0 : at->number),
		.partition_cap = IBNET_PKEYS,
		.device_id = n->device,
		.revision = 1,
		.vendor_id = n->vendor,
		.local_port = at->number,
	};
}

static uint16_t get_node_info(struct sma_call *c)
{
	struct smp_node_info i;

	sma_node_info(c->at, &i);
	smp_put(c->mad, &smp_node_info_table, &i);
	return 0;
}

enum { ON_SWITCH = 1, ON_HOST = 2, LAG_ONLY = 4 };

static const struct row {
	uint16_t attr;
	unsigned on;
	sma_fn get; /* NULL: not this method */
	sma_fn set;
} rows[] = {
	{ MAD_ATTR_NODE_DESCRIPTION, ON_SWITCH | ON_HOST, get_description,
	  NULL },
	{ MAD_ATTR_NODE_INFO, ON_SWITCH | ON_HOST, get_node_info, NULL },
	{ MAD_ATTR_SWITCH_INFO, ON_SWITCH, sma_get_switch_info,
	  sma_set_switch_info },
	{ MAD_ATTR_GUID_INFO, ON_SWITCH, sma_get_guids, NULL },
	{ MAD_ATTR_GUID_INFO, ON_HOST, sma_get_guids, sma_set_guids },
	{ MAD_ATTR_PORT_INFO, ON_SWITCH | ON_HOST, sma_get_port_info,
	  sma_set_port_info },
	{ MAD_ATTR_PKEY_TABLE, ON_SWITCH | ON_HOST, sma_get_pkeys,
	  sma_set_pkeys },
	{ MAD_ATTR_SL2VL, ON_SWITCH | ON_HOST, sma_get_sl2vl, sma_set_sl2vl },
	{ MAD_ATTR_VLARB, ON_SWITCH | ON_HOST, sma_get_vlarb, sma_set_vlarb },
	{ MAD_ATTR_LFT, ON_SWITCH, sma_get_lft, sma_set_lft },
	{ MAD_ATTR_MFT, ON_SWITCH, sma_get_mft, sma_set_mft },
	{ MAD_ATTR_LAG_HOST, ON_HOST | LAG_ONLY, sma_get_lag_host,
	  sma_set_lag_host },
	{ MAD_ATTR_LAG_SWITCH, ON_SWITCH | LAG_ONLY, sma_get_lag_switch,
	  sma_set_lag_switch },
	{ MAD_ATTR_LAG_GROUPS, ON_SWITCH | LAG_ONLY, sma_get_lag_groups,
	  sma_set_lag_groups },
	{ MAD_ATTR_LAG_LIDS, ON_SWITCH | LAG_ONLY, sma_get_lag_lids,
	  sma_set_lag_lids },
	{ MAD_ATTR_LAG_SKIP, ON_SWITCH | LAG_ONLY, NULL, sma_set_lag_skip },
};

static const struct row *find_row(const struct ibnet_node *n, uint16_t attr)
{
	unsigned on = n->sw ? ON_SWITCH : ON_HOST;

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].attr == attr && rows[i].on & on)
			return rows[i].on & LAG_ONLY && !node_has_lag(n)
			               ? NULL
			               : &rows[i];
	return NULL;
}

/* -- M_Key (IBA 14.2.4) --------------------------------------------------- */

static bool key_fits(const struct ibnet_port *manager, const struct mad *m)
{
	uint64_t key = manager->info.m_key;

	return !key || key == be64_get(((const struct smp *)m)->m_key);
}

/* A lease that ran out opens the port again. */
static void end_lease(struct ibnet_port *manager)
{
	uint64_t now = ibnet_now_ns(manager->node->net);

	if (!manager->lease_end_ns || now < manager->lease_end_ns)
		return;
	manager->lease_end_ns = 0;
	manager->info.m_key_protect = 0;
}

bool sma_admit(struct ibnet_port *at, const struct ibnet_mad *m)
{
	struct ibnet_port *manager = port_manager(at);
	struct smp_port_info *i = &manager->info;
	struct ibnet *net = at->node->net;

	end_lease(manager);
	if (key_fits(manager, &m->mad)) {
		manager->lease_end_ns = 0;
		return true;
	}
	if (m->mad.header.method == MAD_GET && i->m_key_protect < 2)
		return true;
	if (i->m_key_violations != UINT16_MAX)
		i->m_key_violations++;
	if (i->m_key_lease && !manager->lease_end_ns && net->reactor)
		manager->lease_end_ns =
			ibnet_now_ns(net) + i->m_key_lease * NS_PER_S;
	net->stats.mads_bad_m_key++;
	trap_bad_m_key(at, &m->mad, m->slid);
	return false;
}

/* A Set is answered with what is in force after it; where that is nothing
 * else than what was asked, its handler leaves the data as they are. */
static uint16_t call(const struct row *row, struct sma_call *c)
{
	uint8_t method = c->mad->header.method;

	if (method != MAD_GET && method != MAD_SET)
		return MAD_STATUS_BAD_METHOD;
	if (!row || !(method == MAD_SET ? row->set : row->get))
		return MAD_STATUS_BAD_ATTRIBUTE;
	if (method == MAD_SET)
		return row->set(c);
	memset(mad_smp(c->mad)->data, 0, SMP_DATA_LENGTH);
	return row->get(c);
}

bool sma_handle(struct ibnet_port *at, struct ibnet_mad *m)
{
	struct sma_call c = {
		.node = at->node,
		.at = at,
		.mad = &m->mad,
		.mod = mad_attr_mod(&m->mad),
		.key_fits = key_fits(port_manager(at), &m->mad),
	};
	uint8_t method = m->mad.header.method;
	uint16_t status = mad_check(&m->mad);
	const struct row *row = find_row(c.node, mad_attr_id(&m->mad));

	if (c.node->faults & IBNET_FAULT_DEAF || !c.node->on)
		return false;
	if (!sma_admit(at, m))
		return false;
	if (!status && method == MAD_TRAP_REPRESS) {
		trap_repress(c.node, &m->mad);
		return false;
	}
	if (!status)
		status = call(row, &c);
	mad_make_response(&m->mad, status);
	return true;
}
