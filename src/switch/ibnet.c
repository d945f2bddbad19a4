/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/ibnet.h"

#include "base/base.h"
#include "core/reactor.h"
#include "switch/ibnet_priv.h"
#include "switch/trap.h"

#include <errno.h>
#include <string.h>

#define DEFAULT_PREFIX UINT64_C(0xfe80000000000000)
#define MTU_2048 4u
#define VLS_8 4u   /* VL0 to VL7 */
#define POLLING 2u /* LinkDownDefaultState */

uint64_t ibnet_random(struct ibnet *net)
{
	uint64_t x = net->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t ibnet_now_ns(const struct ibnet *net)
{
	return net->reactor ? reactor_now_ns(net->reactor) : 0;
}

/* -- power-on ------------------------------------------------------------- */

static void free_tables(struct port_tables *t)
{
	free(t->pkeys);
	free(t->guids);
	free(t->sl2vl);
	free(t->vlarb);
	*t = (struct port_tables){ 0 };
}

/* What a port is after power-on; link widths and speeds it keeps, since they
 * come from the topology, and states belong to ibnet_link.c. */
static void reset_port(struct ibnet_port *p)
{
	struct smp_port_info old = p->info, *i = &p->info;
	bool is_switch = p->node->sw, managed = !is_switch || !p->number;

	free_tables(&p->tables);
	p->lease_end_ns = 0;
	p->disabled = false;
	memset(&p->counters, 0, sizeof(p->counters));
	*i = (struct smp_port_info){
		.local_port = p->number,
		.port_state = old.port_state,
		.phys_state = old.phys_state,
		.link_width_enabled = old.link_width_supported,
		.link_width_supported = old.link_width_supported,
		.link_width_active = old.link_width_active,
		.link_speed_enabled = old.link_speed_supported,
		.link_speed_supported = old.link_speed_supported,
		.link_speed_active = old.link_speed_active,
		.down_default = POLLING,
		.neighbor_mtu = MTU_2048,
		.mtu_cap = MTU_2048,
		.vl_cap = VLS_8,
		.operational_vls = VLS_8,
		.vl_arb_high_cap = 8,
		.vl_arb_low_cap = 8,
		.vl_stall_count = 7,
		.hoq_life = 18,
		.resp_time = 8,
		.subnet_timeout = 18,
		.local_phy_errors = 8,
		.overrun_errors = 8,
	};
	if (!managed)
		return;
	i->subnet_prefix = DEFAULT_PREFIX;
	i->capability_mask = SMP_CAP_TRAP | SMP_CAP_SL_MAPPING |
	                     SMP_CAP_SYSTEM_GUID | SMP_CAP_CAPABILITY_NOTICE |
	                     SMP_CAP_CLIENT_REREGISTER |
	                     SMP_CAP_OTHER_LOCAL_CHANGES;
	i->guid_cap = is_switch ? 1 : IBNET_GUIDS;
	/* Programs at the port are not the node's to forget. */
	LIST_FOREACH (node, &p->endpoints) {
		if (list_entry(node, struct ibnet_endpoint, link)->is_sm)
			i->capability_mask |= SMP_CAP_IS_SM;
	}
}

static void reset_switch(struct ibnet_node *n)
{
	struct switch_part *sw = n->sw;

	free(sw->lft);
	free(sw->mft);
	free(sw->groups);
	free(sw->lids);
	free(sw->skips);
	*sw = (struct switch_part){
		.info = { .linear_cap = IBNET_LFT_CAP,
		          .multicast_cap = IBNET_MFT_CAP,
		          .default_port = 255,
		          .default_multicast_primary = 255,
		          .default_multicast_other = 255,
		          .life_time = 18,
		          .partition_enforcement_cap = IBNET_SWITCH_PKEYS,
		          .inbound_enforcement = 1,
		          .outbound_enforcement = 1 },
		.positions = n->n_ports / SMP_MFT_PORTS + 1u,
		.seed = (uint32_t)n->guid,
	};
}

void ibnet_reset_node(struct ibnet_node *n)
{
	if (n->sw)
		reset_switch(n);
	else
		n->host->map = (struct lag_host){ .mode = LAG_OFF };
	trap_forget(n);
	for (unsigned i = n->sw ? 0 : 1; i <= n->n_ports; i++)
		reset_port(ibnet_port(n, i));
}

/* -- making --------------------------------------------------------------- */

static int by_name(const void *a, const void *b, void *nodes)
{
	const struct ibnet_node *n = nodes;

	return strcmp(n[*(const uint32_t *)a].name,
	              n[*(const uint32_t *)b].name);
}

static int make_node(struct ibnet *net, const struct ibnet_topo *t, uint32_t at,
                     struct ibnet_port *ports)
{
	const struct ibnet_topo_node *from = &t->nodes[at];
	bool is_switch = from->kind == IBNET_SWITCH;
	struct ibnet_node *n = &net->nodes[at];

	*n = (struct ibnet_node){
		.net = net,
		.name = net->names[at].name,
		.guid = from->guid,
		.system_guid = from->system_guid,
		.vendor = from->vendor,
		.device = from->device,
		.kind = from->kind,
		.n_ports = from->n_ports,
		.on = true,
		.ports = ports,
	};
	memcpy(n->description, from->description, sizeof(n->description));
	list_init(&n->link_trap.link);
	list_init(&n->local_trap.link);
	n->sw = is_switch ? calloc(1, sizeof(*n->sw)) : NULL;
	n->host = is_switch ? NULL : calloc(1, sizeof(*n->host));
	if (!n->sw && !n->host)
		return -ENOMEM;
	for (unsigned i = is_switch ? 0 : 1; i <= n->n_ports; i++) {
		struct ibnet_port *p = ibnet_port(n, i);
		const struct ibnet_topo_port *tp = ibnet_topo_port(t, at, i);

		p->node = n;
		p->number = (uint8_t)i;
		list_init(&p->endpoints);
		list_init(&p->queue.active);
		p->info.link_width_supported = tp ? tp->widths : IBNET_WIDTH_4X;
		p->info.link_speed_supported =
			tp ? tp->speeds : IBNET_SPEED_QDR;
		p->info.port_state = SMP_PORT_DOWN;
		p->info.phys_state = SMP_PHYS_POLLING;
		if (!i) { /* a switch's own port has no link */
			p->info.port_state = SMP_PORT_ACTIVE;
			p->info.phys_state = SMP_PHYS_LINK_UP;
			p->info.link_width_active = IBNET_WIDTH_4X;
			p->info.link_speed_active = IBNET_SPEED_QDR;
		}
	}
	ibnet_reset_node(n);
	return 0;
}

static int make_nodes(struct ibnet *net, const struct ibnet_topo *t)
{
	struct ibnet_port *ports = net->ports;

	for (uint32_t i = 0; i < t->n_nodes; i++) {
		int err = make_node(net, t, i, ports);

		if (err)
			return err;
		net->n_nodes++;
		net->by_name[i] = i;
		ports += t->nodes[i].n_ports +
		         (t->nodes[i].kind == IBNET_SWITCH);
	}
	qsort_r(net->by_name, net->n_nodes, sizeof(*net->by_name), by_name,
	        net->nodes);
	return 0;
}

static void connect_all(struct ibnet *net, const struct ibnet_topo *t)
{
	for (uint32_t i = 0; i < t->n_nodes; i++)
		for (unsigned k = 1; k <= t->nodes[i].n_ports; k++) {
			struct ibnet_topo_end to =
				ibnet_topo_port(t, i, k)->peer;

			if (to.node == IBNET_NO_NODE)
				continue;
			ibnet_port(&net->nodes[i], k)->peer =
				ibnet_port(&net->nodes[to.node], to.port);
		}
	for (uint32_t i = 0; i < net->n_ports; i++)
		ibnet_link_update(&net->ports[i]);
}

int ibnet_create(const struct ibnet_topo *t, const struct ibnet_opts *o,
                 struct ibnet **out, struct err *e)
{
	struct ibnet *net = calloc(1, sizeof(*net));
	int err = -ENOMEM;

	if (!net)
		return err_set(e, err, "no memory for a network");
	net->reactor = o->reactor;
	net->random = o->seed;
	list_init(&net->traps);
	net->n_ports = t->n_ports + t->n_switches;
	net->nodes = calloc(t->n_nodes, sizeof(*net->nodes));
	net->ports = calloc(net->n_ports, sizeof(*net->ports));
	net->names = calloc(t->n_nodes, sizeof(*net->names));
	net->by_name = calloc(t->n_nodes, sizeof(*net->by_name));
	if (net->nodes && net->ports && net->names && net->by_name) {
		memcpy(net->names, t->nodes, t->n_nodes * sizeof(*net->names));
		err = make_nodes(net, t);
	}
	if (err) {
		ibnet_destroy(net);
		return err_set(e, err, "no memory for %u nodes", t->n_nodes);
	}
	trap_init(net);
	connect_all(net, t);
	net->stats = (struct ibnet_stats){ 0 };
	*out = net;
	return 0;
}

void ibnet_destroy(struct ibnet *net)
{
	if (!net)
		return;
	if (net->reactor)
		timer_stop(net->reactor, &net->trap_timer);
	ibnet_data_destroy(net);
	for (uint32_t i = 0; i < net->n_nodes; i++) {
		struct switch_part *sw = net->nodes[i].sw;

		if (sw) {
			free(sw->lft);
			free(sw->mft);
			free(sw->groups);
			free(sw->lids);
			free(sw->skips);
		}
		free(sw);
		free(net->nodes[i].host);
	}
	for (uint32_t i = 0; net->ports && i < net->n_ports; i++)
		free_tables(&net->ports[i].tables);
	free(net->nodes);
	free(net->ports);
	free(net->names);
	free(net->by_name);
	free(net);
}

/* -- finding -------------------------------------------------------------- */

struct ibnet_node *ibnet_node(const struct ibnet *net, const char *name)
{
	uint32_t lo = 0, hi = net->n_nodes;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;
		struct ibnet_node *n = &net->nodes[net->by_name[mid]];
		int order = strcmp(name, n->name);

		if (!order)
			return n;
		if (order < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	for (uint32_t i = 0; i < net->n_nodes; i++)
		if (!strcmp(net->nodes[i].description, name))
			return &net->nodes[i];
	return NULL;
}

struct ibnet_node *ibnet_node_at(const struct ibnet *net, uint32_t number)
{
	return number < net->n_nodes ? &net->nodes[number] : NULL;
}

uint32_t ibnet_node_count(const struct ibnet *net)
{
	return net->n_nodes;
}

struct ibnet_port *ibnet_port(const struct ibnet_node *n, unsigned number)
{
	if (number > n->n_ports)
		return NULL;
	if (n->kind == IBNET_SWITCH)
		return &n->ports[number];
	return number ? &n->ports[number - 1] : NULL;
}

/* A decimal number that ends with `end`; -1: not one. */
static int take_port(const char *s, char end)
{
	int value = 0;

	if (!*s || *s == end)
		return -1;
	for (; *s && *s != end; s++) {
		if (*s < '0' || *s > '9' || value > UINT8_MAX)
			return -1;
		value = value * 10 + *s - '0';
	}
	return *s == end && !(end && s[1]) ? value : -1;
}

struct ibnet_port *ibnet_find(const struct ibnet *net, const char *text)
{
	struct ibnet_node *n = ibnet_node(net, text);
	char name[IBNET_NAME_MAX + 1];
	const char *cut;
	int number;

	if (n)
		return ibnet_port(n, n->sw ? 0 : 1);
	cut = strrchr(text, '[');
	number = cut ? take_port(cut + 1, ']') : -1;
	if (number < 0) {
		cut = strrchr(text, ':');
		number = cut ? take_port(cut + 1, '\0') : -1;
	}
	if (number < 0 || (size_t)(cut - text) >= sizeof(name))
		return NULL;
	memcpy(name, text, (size_t)(cut - text));
	name[cut - text] = '\0';
	n = ibnet_node(net, name);
	return n ? ibnet_port(n, (unsigned)number) : NULL;
}

/* -- looking -------------------------------------------------------------- */

void ibnet_view_node(const struct ibnet_node *n, struct ibnet_node_view *out)
{
	*out = (struct ibnet_node_view){ n->name, n->guid, n->kind, n->n_ports,
		                         n->on };
}

void ibnet_view_port(const struct ibnet_port *p, struct ibnet_port_view *out)
{
	const struct ibnet_node *n = p->node;

	*out = (struct ibnet_port_view){
		.node = n,
		.peer = p->peer,
		.number = p->number,
		.state = p->info.port_state,
		.phys_state = p->info.phys_state,
		.lid = p->info.lid,
		.guid = n->guid + (n->sw ? 0 : p->number),
	};
}

void ibnet_set_loss(struct ibnet *net, unsigned lost, unsigned twice)
{
	net->lost = lost;
	net->twice = twice;
}

void ibnet_set_faults(struct ibnet_node *n, unsigned faults)
{
	n->faults = faults;
}

void ibnet_set_guid(struct ibnet_node *n, uint64_t guid)
{
	n->guid = guid;
	n->system_guid = guid;
}

void ibnet_get_stats(const struct ibnet *net, struct ibnet_stats *out)
{
	*out = net->stats;
}
