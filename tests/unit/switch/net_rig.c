/* SPDX-License-Identifier: BSD-2-Clause */
#include "net_rig.h"

#include <stdlib.h>
#include <string.h>

#define FAR UINT32_MAX

void rig_init(struct rig *r, const char *spec, struct reactor *reactor)
{
	struct ibnet_opts o = { .reactor = reactor, .seed = 1 };
	struct err e = { 0 };

	*r = (struct rig){ .next_lid = 1 };
	assert_int_equal(ibnet_make(spec, &r->topo, &e), 0);
	assert_int_equal(ibnet_create(r->topo, &o, &r->net, &e), 0);
}

void rig_fini(struct rig *r)
{
	ibnet_destroy(r->net);
	ibnet_topo_destroy(r->topo);
}

struct ibnet_node *rig_node(const struct rig *r, const char *name)
{
	struct ibnet_node *n = ibnet_node(r->net, name);

	assert_non_null(n);
	return n;
}

struct ibnet_port *rig_port(const struct rig *r, const char *name)
{
	struct ibnet_port *p = ibnet_find(r->net, name);

	assert_non_null(p);
	return p;
}

/* -- asking --------------------------------------------------------------- */

static void keep(struct ibnet_endpoint *ep, const struct ibnet_mad *m)
{
	struct asker *a = (struct asker *)ep;

	if (a->n < sizeof(a->got) / sizeof(a->got[0]))
		a->got[a->n] = *m;
	a->n++;
}

static bool takes(struct ibnet_endpoint *ep, const struct mad *m)
{
	(void)m;
	return ((struct asker *)ep)->takes_all;
}

void asker_init(struct asker *a, struct rig *r, struct ibnet_port *p)
{
	memset(a, 0, sizeof(*a));
	a->ep.receive = keep;
	a->ep.takes = takes;
	assert_int_equal(ibnet_attach(r->net, p, &a->ep), 0);
}

void asker_fini(struct asker *a)
{
	ibnet_detach(&a->ep);
}

unsigned rig_smp(struct rig *r, struct ibnet_port *p, struct mad *m)
{
	struct smp_route here = { 0 };
	struct ibnet_mad out = { .dlid = MAD_LID_PERMISSIVE };
	struct asker a;
	unsigned n;

	asker_init(&a, r, p);
	smp_set_route(m, &here);
	mad_smp(m)->m_key = be64_put(r->m_key);
	out.mad = *m;
	ibnet_send(&a.ep, &out);
	n = a.n;
	asker_fini(&a);
	if (!n)
		return RIG_SILENCE;
	assert_int_equal(n, 1);
	*m = a.got[0].mad;
	assert_true(m->header.method & MAD_METHOD_RESPONSE);
	return mad_status(m);
}

unsigned rig_get(struct rig *r, struct ibnet_port *p, uint16_t attr,
                 uint32_t mod, const struct field_table *t, void *out)
{
	struct mad m;
	unsigned status;

	mad_init(&m, MAD_CLASS_SUBN_DIRECTED, MAD_GET, attr, mod);
	status = rig_smp(r, p, &m);
	if (status != RIG_SILENCE)
		smp_get(&m, t, out);
	return status;
}

unsigned rig_set(struct rig *r, struct ibnet_port *p, uint16_t attr,
                 uint32_t mod, const struct field_table *t, void *io)
{
	struct mad m;
	unsigned status;

	mad_init(&m, MAD_CLASS_SUBN_DIRECTED, MAD_SET, attr, mod);
	smp_put(&m, t, io);
	status = rig_smp(r, p, &m);
	if (status != RIG_SILENCE)
		smp_get(&m, t, io);
	return status;
}

/* -- looking -------------------------------------------------------------- */

static struct ibnet_port_view view(const struct ibnet_port *p)
{
	struct ibnet_port_view v;

	ibnet_view_port(p, &v);
	return v;
}

static struct ibnet_node_view view_node(const struct ibnet_node *n)
{
	struct ibnet_node_view v;

	ibnet_view_node(n, &v);
	return v;
}

uint16_t rig_lid(const struct ibnet_port *p)
{
	return view(p).lid;
}

uint8_t rig_state(const struct ibnet_port *p)
{
	return view(p).state;
}

static bool is_switch(const struct ibnet_node *n)
{
	return view_node(n).kind == IBNET_SWITCH;
}

static uint32_t number_of(const struct rig *r, const struct ibnet_node *n)
{
	return ibnet_topo_find(r->topo, view_node(n).name);
}

/* Where switch n's port i leads over a link that works; NULL: nowhere. */
static struct ibnet_port *across(const struct ibnet_node *n, unsigned i)
{
	struct ibnet_port_view v = view(ibnet_port(n, i));

	if (v.state == SMP_PORT_DOWN || !v.peer)
		return NULL;
	return ibnet_port(v.peer ? view(v.peer).node : NULL,
	                  view(v.peer).number);
}

/* -- bringing up ---------------------------------------------------------- */

static void give_lid(struct rig *r, struct ibnet_port *p)
{
	struct smp_port_info i;

	assert_int_equal(rig_get(r, p, MAD_ATTR_PORT_INFO, view(p).number,
	                         &smp_port_info_table, &i),
	                 0);
	if (i.lid)
		return;
	i.lid = r->next_lid++;
	i.sm_lid = 1;
	i.port_state = SMP_PORT_NOP;
	i.phys_state = SMP_PHYS_NOP;
	assert_int_equal(rig_set(r, p, MAD_ATTR_PORT_INFO, view(p).number,
	                         &smp_port_info_table, &i),
	                 0);
}

static void set_state(struct rig *r, struct ibnet_port *p, uint8_t state)
{
	const struct ibnet_node *n = view(p).node;
	struct ibnet_port *ask = is_switch(n) ? ibnet_port(n, 0) : p;
	unsigned number = view(p).number;
	struct smp_port_info i;

	assert_int_equal(rig_get(r, ask, MAD_ATTR_PORT_INFO, number,
	                         &smp_port_info_table, &i),
	                 0);
	i.port_state = state;
	i.phys_state = SMP_PHYS_NOP;
	assert_int_equal(rig_set(r, ask, MAD_ATTR_PORT_INFO, number,
	                         &smp_port_info_table, &i),
	                 0);
	assert_int_equal(i.port_state, state);
}

void rig_activate(struct rig *r)
{
	for (uint8_t state = SMP_PORT_ARMED; state <= SMP_PORT_ACTIVE; state++)
		for (uint32_t k = 0; k < ibnet_node_count(r->net); k++) {
			struct ibnet_node *n = ibnet_node_at(r->net, k);

			for (unsigned i = 1; i <= view_node(n).n_ports; i++) {
				struct ibnet_port *p = ibnet_port(n, i);

				if (rig_state(p) != state - 1)
					continue;
				if (!is_switch(n))
					give_lid(r, p); /* it lost power */
				set_state(r, p, state);
			}
		}
}

/* Hops of each switch from the nearest of the ports. */
static void measure(struct rig *r, struct ibnet_port *const *at, unsigned n,
                    uint32_t *hops)
{
	uint32_t count = ibnet_node_count(r->net), round = 0;
	bool more = true;

	for (uint32_t k = 0; k < count; k++)
		hops[k] = FAR;
	for (unsigned i = 0; i < n; i++) {
		const struct ibnet_node *node = view(at[i]).node;

		if (is_switch(node)) {
			hops[number_of(r, node)] = 0;
		} else if (rig_state(at[i]) != SMP_PORT_DOWN) {
			hops[number_of(r, view(view(at[i]).peer).node)] = 0;
		}
	}
	for (; more; round++) {
		more = false;
		for (uint32_t k = 0; k < count; k++) {
			struct ibnet_node *node = ibnet_node_at(r->net, k);

			if (hops[k] != round)
				continue;
			for (unsigned i = 1; i <= view_node(node).n_ports;
			     i++) {
				struct ibnet_port *far = across(node, i);
				uint32_t f;

				if (!far || !is_switch(view(far).node))
					continue;
				f = number_of(r, view(far).node);
				if (hops[f] == FAR) {
					hops[f] = round + 1;
					more = true;
				}
			}
		}
	}
}

/* Whether switch k's port i is on a shortest way to one of the ports. */
static bool leads(struct rig *r, uint32_t k, unsigned i,
                  struct ibnet_port *const *at, unsigned n,
                  const uint32_t *hops)
{
	struct ibnet_port *far = across(ibnet_node_at(r->net, k), i);

	if (!far)
		return false;
	for (unsigned m = 0; m < n; m++)
		if (far == at[m])
			return true;
	return is_switch(view(far).node) && hops[k] != FAR &&
	       hops[number_of(r, view(far).node)] + 1 == hops[k];
}

static void set_lft(struct rig *r, struct ibnet_node *n, uint16_t lid,
                    uint8_t port)
{
	struct ibnet_port *p = ibnet_port(n, 0);
	uint32_t block = lid / SMP_LFT_BLOCK;
	struct smp_switch_info si;
	struct smp_lft t;

	assert_int_equal(rig_get(r, p, MAD_ATTR_LFT, block, &smp_lft_table, &t),
	                 0);
	if (t.port[lid % SMP_LFT_BLOCK] == port)
		return;
	t.port[lid % SMP_LFT_BLOCK] = port;
	assert_int_equal(rig_set(r, p, MAD_ATTR_LFT, block, &smp_lft_table, &t),
	                 0);
	assert_int_equal(rig_get(r, p, MAD_ATTR_SWITCH_INFO, 0,
	                         &smp_switch_info_table, &si),
	                 0);
	if (si.linear_top >= lid)
		return;
	si.linear_top = lid;
	si.port_state_change = 0;
	assert_int_equal(rig_set(r, p, MAD_ATTR_SWITCH_INFO, 0,
	                         &smp_switch_info_table, &si),
	                 0);
}

void rig_route(struct rig *r, uint16_t lid, struct ibnet_port *const *at,
               unsigned n)
{
	uint32_t count = ibnet_node_count(r->net);
	uint32_t *hops = calloc(count, sizeof(*hops));

	measure(r, at, n, hops);
	for (uint32_t k = 0; k < count; k++) {
		struct ibnet_node *node = ibnet_node_at(r->net, k);
		uint8_t ways[256];
		unsigned n_ways = 0;

		if (!is_switch(node) || !view_node(node).on)
			continue;
		for (unsigned i = 1; i <= view_node(node).n_ports; i++)
			if (leads(r, k, i, at, n, hops))
				ways[n_ways++] = (uint8_t)i;
		if (n == 1 && ibnet_port(node, 0) == at[0])
			set_lft(r, node, lid, 0);
		else
			set_lft(r, node, lid,
			        n_ways ? ways[lid % n_ways] : SMP_LFT_NO_PORT);
	}
	free(hops);
}

void rig_bring_up(struct rig *r)
{
	for (uint32_t k = 0; k < ibnet_node_count(r->net); k++) {
		struct ibnet_node *n = ibnet_node_at(r->net, k);

		if (is_switch(n))
			give_lid(r, ibnet_port(n, 0));
		else
			for (unsigned i = 1; i <= view_node(n).n_ports; i++)
				give_lid(r, ibnet_port(n, i));
	}
	rig_activate(r);
	for (uint32_t k = 0; k < ibnet_node_count(r->net); k++) {
		struct ibnet_node *n = ibnet_node_at(r->net, k);
		unsigned first = is_switch(n) ? 0 : 1;
		unsigned last = is_switch(n) ? 0 : view_node(n).n_ports;

		for (unsigned i = first; i <= last; i++) {
			struct ibnet_port *p = ibnet_port(n, i);

			rig_route(r, rig_lid(p), &p, 1);
		}
	}
}

/* -- aggregation ---------------------------------------------------------- */

unsigned rig_lag_host(struct rig *r, struct ibnet_port *at, uint16_t vlid,
                      unsigned n, uint32_t generation, uint8_t mode)
{
	struct lag_host h = { .magic = LAG_MAGIC,
		              .version = LAG_VERSION,
		              .mode = mode,
		              .generation = generation,
		              .virtual_lid = vlid,
		              .n_members = (uint8_t)n };

	for (unsigned i = 0; i < n; i++) {
		h.port[i] = (uint8_t)(i + 1);
		h.lid[i] = rig_lid(ibnet_port(view(at).node, i + 1));
	}
	rig_set(r, at, MAD_ATTR_LAG_HOST, 0, &lag_host_table, &h);
	return h.result;
}

/* The group has the LID's number; the mask is every shortest way. */
static void bind_group(struct rig *r, struct ibnet_node *node, uint16_t vlid,
                       const uint8_t mask[32])
{
	struct ibnet_port *p = ibnet_port(node, 0);
	unsigned g = vlid % IBNET_LAG_GROUPS;
	struct lag_groups groups;
	struct lag_lids lids;

	assert_int_equal(rig_get(r, p, MAD_ATTR_LAG_GROUPS,
	                         g / LAG_GROUPS_BLOCK, &lag_groups_table,
	                         &groups),
	                 0);
	memcpy(groups.mask[g % LAG_GROUPS_BLOCK], mask, 32);
	assert_int_equal(rig_set(r, p, MAD_ATTR_LAG_GROUPS,
	                         g / LAG_GROUPS_BLOCK, &lag_groups_table,
	                         &groups),
	                 0);
	assert_int_equal(rig_get(r, p, MAD_ATTR_LAG_LIDS, vlid / LAG_LIDS_BLOCK,
	                         &lag_lids_table, &lids),
	                 0);
	lids.group[vlid % LAG_LIDS_BLOCK] = (uint16_t)g;
	assert_int_equal(rig_set(r, p, MAD_ATTR_LAG_LIDS, vlid / LAG_LIDS_BLOCK,
	                         &lag_lids_table, &lids),
	                 0);
}

void rig_aggregate(struct rig *r, const char *host, uint16_t vlid, unsigned n,
                   uint32_t generation)
{
	struct ibnet_node *h = rig_node(r, host);
	struct ibnet_port *at[IBNET_HOST_PORTS_MAX] = { 0 };
	uint32_t count = ibnet_node_count(r->net);
	uint32_t *hops = calloc(count, sizeof(*hops));

	for (unsigned i = 0; i < n; i++)
		at[i] = ibnet_port(h, i + 1);
	measure(r, at, n, hops);
	for (uint32_t k = 0; k < count; k++) {
		struct ibnet_node *node = ibnet_node_at(r->net, k);
		uint8_t mask[32] = { 0 };

		if (!is_switch(node) || !view_node(node).on)
			continue;
		for (unsigned i = 1; i <= view_node(node).n_ports; i++)
			if (leads(r, k, i, at, n, hops))
				mask[i / 8] |= (uint8_t)(1u << i % 8);
		bind_group(r, node, vlid, mask);
	}
	free(hops);
	rig_route(r, vlid, at, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(rig_lag_host(r, at[i], vlid, n, generation,
		                              LAG_ACTIVE_ACTIVE),
		                 LAG_ACCEPTED);
}

void rig_drain(struct rig *r)
{
	struct ibnet_data_stats s;

	ibnet_flow_run(r->net, false);
	do {
		ibnet_tick(r->net, 64);
		ibnet_data_get(r->net, &s);
	} while (s.in_flight);
	ibnet_flow_run(r->net, true);
}
