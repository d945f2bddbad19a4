/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * P_Keys: of hosts' ports, and of the switches' ports before them, which let
 * nothing else in or out (IBA 10.9.4).  A host that sets its own table aside
 * gains nothing by that.
 *
 * A switch's port enforces only what it has acknowledged: its table is set in
 * one pass, its PortInfo in the next.
 */
#include "base/crc.h"
#include "subnet/subnet_priv.h"

/* The port whose P_Keys `port` has; GRAPH_NONE: it has none to be set. */
static uint32_t member(const struct subnet *s, uint32_t port)
{
	const struct graph *g = &s->graph;
	const struct graph_port *p = &g->port[port];

	if (g->node[p->node].kind == GRAPH_CA)
		return port;
	if (g->node[p->node].kind != GRAPH_SWITCH || p->number == 0 ||
	    p->peer == GRAPH_NONE ||
	    g->node[g->port[p->peer].node].kind != GRAPH_CA)
		return GRAPH_NONE;
	return p->peer;
}

static unsigned keys_of(const struct subnet *s, uint32_t port,
                        uint16_t key[POLICY_PARTITIONS + 1])
{
	uint32_t who = member(s, port);

	return who == GRAPH_NONE
	               ? 0
	               : policy_keys(&s->policy, s->graph.port[who].guid,
	                             who == s->graph.self, key,
	                             POLICY_PARTITIONS + 1);
}

static bool has_room(const struct subnet *s, uint32_t port, unsigned n)
{
	const struct graph_node *node =
		&s->graph.node[s->graph.port[port].node];

	return node->kind != GRAPH_SWITCH ||
	       n <= s->sw[node->sw].info.partition_enforcement_cap;
}

void subnet_list_keys(struct subnet *s, uint32_t port)
{
	struct graph_port *p = &s->graph.port[port];
	uint16_t key[POLICY_PARTITIONS + 1];
	unsigned n;
	uint32_t sum;

	if (!s->policy.n_partitions && !p->keys)
		return;
	n = keys_of(s, port, key);
	if (n == 0 || !has_room(s, port, n)) {
		p->keys = 0;
		if (n > 0)
			subnet_set_keys(s, port, false);
		return;
	}
	sum = base_crc32c(1, key, n * sizeof(*key)) | 1;
	if (sum != p->keys)
		for (unsigned b = 0; b <= (n - 1) / 32; b++)
			subnet_todo(s, SET_PKEYS, port, b);
	p->keys = sum;
}

uint32_t subnet_keys_data(const struct subnet *s, const struct todo *t,
                          uint8_t data[64])
{
	const struct graph_port *port = &s->graph.port[t->at];
	bool on_switch = s->graph.node[port->node].kind == GRAPH_SWITCH;
	uint16_t key[POLICY_PARTITIONS + 1];
	unsigned n = keys_of(s, t->at, key);
	struct smp_pkey_table p = { 0 };

	for (unsigned i = 0; i < 32 && t->arg * 32 + i < n; i++)
		p.pkey[i] = key[t->arg * 32 + i];
	field_encode(&smp_pkey_table_table, &p, data);
	return (on_switch ? (uint32_t)port->number << 16 : 0) | t->arg;
}

void subnet_set_keys(struct subnet *s, uint32_t port, bool accepted)
{
	struct graph_port *p = &s->graph.port[port];

	p->no_keys = !accepted;
	if (subnet_enforcement(s, port) != p->enforces)
		subnet_add_work(s, WORK_PORT, port, 0);
}

uint8_t subnet_enforces(const struct smp_port_info *i)
{
	return (uint8_t)((i->enforce_inbound ? GRAPH_ENFORCES_IN : 0) |
	                 (i->enforce_outbound ? GRAPH_ENFORCES_OUT : 0));
}

uint8_t subnet_enforcement(const struct subnet *s, uint32_t port)
{
	const struct graph_port *p = &s->graph.port[port];
	const struct graph_node *n = &s->graph.node[p->node];
	const struct smp_switch_info *i;

	if (n->kind != GRAPH_SWITCH || member(s, port) == GRAPH_NONE ||
	    !s->policy.n_partitions || p->no_keys)
		return 0;
	if (!p->keys) /* not set yet; another manager may have seen to it */
		return p->enforces;
	i = &s->sw[n->sw].info;
	return (uint8_t)((i->inbound_enforcement ? GRAPH_ENFORCES_IN : 0) |
	                 (i->outbound_enforcement ? GRAPH_ENFORCES_OUT : 0));
}
