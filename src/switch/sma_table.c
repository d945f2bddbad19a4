/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables of a port: GUIDs, P_Keys, SL to VL, VL arbitration (IBA 14.2.5). */
#include "base/base.h"
#include "switch/sma_priv.h"

#include <string.h>

#define GUIDS_BLOCK ARRAY_LEN(((struct smp_guid_info *)0)->guid)
#define PKEYS_BLOCK ARRAY_LEN(((struct smp_pkey_table *)0)->pkey)
#define VL_DISCARD 15u
#define VLS 8u
#define VLARB_BLOCKS 4u

/* The table, or a new one of `n` entries of `size`; the caller puts in what it
 * stood for while there was none.  NULL: no memory. */
static void *make_table(void *table, size_t n, size_t size, bool *made)
{
	*made = !table;
	return table ? table : calloc(n, size);
}

/* -- GUIDInfo ------------------------------------------------------------- */

uint16_t sma_get_guids(struct sma_call *c)
{
	struct ibnet_port *p = port_manager(c->at);
	unsigned first = c->mod * (unsigned)GUIDS_BLOCK;
	struct smp_guid_info g = { 0 };

	if (c->mod >= IBNET_GUIDS / GUIDS_BLOCK || first >= p->info.guid_cap)
		return MAD_STATUS_BAD_VALUE;
	for (unsigned i = 0; p->tables.guids && i < GUIDS_BLOCK; i++)
		g.guid[i] = p->tables.guids[first + i];
	if (!c->mod)
		g.guid[0] = c->node->guid + (c->node->sw ? 0 : p->number);
	smp_put(c->mad, &smp_guid_info_table, &g);
	return 0;
}

uint16_t sma_set_guids(struct sma_call *c)
{
	struct port_tables *t = &c->at->tables;
	struct smp_guid_info g;
	bool made;

	if (c->mod >= IBNET_GUIDS / GUIDS_BLOCK)
		return MAD_STATUS_BAD_VALUE;
	smp_get(c->mad, &smp_guid_info_table, &g);
	t->guids = make_table(t->guids, IBNET_GUIDS, sizeof(*t->guids), &made);
	if (!t->guids)
		return MAD_STATUS_BUSY;
	memcpy(t->guids + c->mod * GUIDS_BLOCK, g.guid, sizeof(g.guid));
	return sma_get_guids(c); /* entry 0 stays what it was */
}

/* -- P_KeyTable ----------------------------------------------------------- */

/* High half: a switch's port.  A host's table is the receiving port's. */
static struct ibnet_port *pkey_port(const struct sma_call *c, unsigned *first,
                                    unsigned *capacity)
{
	struct ibnet_port *p =
		c->node->sw ? ibnet_port(c->node, c->mod >> 16) : c->at;

	if (!p)
		return NULL;
	*first = (c->mod & 0xffff) * (unsigned)PKEYS_BLOCK;
	*capacity = c->node->sw && p->number ? IBNET_SWITCH_PKEYS : IBNET_PKEYS;
	return *first < *capacity ? p : NULL;
}

uint16_t sma_get_pkeys(struct sma_call *c)
{
	unsigned first, capacity;
	struct ibnet_port *p = pkey_port(c, &first, &capacity);
	struct smp_pkey_table t = { 0 };

	if (!p)
		return MAD_STATUS_BAD_VALUE;
	if (p->tables.pkeys)
		memcpy(t.pkey, p->tables.pkeys + first, sizeof(t.pkey));
	else if (!first)
		t.pkey[0] = SMP_PKEY_DEFAULT;
	smp_put(c->mad, &smp_pkey_table_table, &t);
	return 0;
}

uint16_t sma_set_pkeys(struct sma_call *c)
{
	unsigned first, capacity;
	struct ibnet_port *p = pkey_port(c, &first, &capacity);
	struct smp_pkey_table t;
	bool made;

	if (!p)
		return MAD_STATUS_BAD_VALUE;
	p->tables.pkeys = make_table(p->tables.pkeys, capacity,
	                             sizeof(*p->tables.pkeys), &made);
	if (!p->tables.pkeys)
		return MAD_STATUS_BUSY;
	if (made)
		p->tables.pkeys[0] = SMP_PKEY_DEFAULT;
	smp_get(c->mad, &smp_pkey_table_table, &t);
	memcpy(p->tables.pkeys + first, t.pkey, sizeof(t.pkey));
	return 0;
}

/* -- SLtoVLMapping -------------------------------------------------------- */

static uint8_t default_vl(unsigned sl)
{
	return (uint8_t)(sl % VLS);
}

/* Modifier: input port << 8 | output port; for hosts neither counts. */
static struct ibnet_port *sl2vl_port(const struct sma_call *c, unsigned *row)
{
	if (!c->node->sw) {
		*row = 0;
		return c->at;
	}
	*row = c->mod >> 8 & 0xff;
	return *row <= c->node->n_ports ? ibnet_port(c->node, c->mod & 0xff)
	                                : NULL;
}

uint16_t sma_get_sl2vl(struct sma_call *c)
{
	unsigned row;
	struct ibnet_port *p = sl2vl_port(c, &row);
	struct smp_sl2vl t;

	if (!p)
		return MAD_STATUS_BAD_VALUE;
	for (unsigned sl = 0; sl < ARRAY_LEN(t.vl); sl++)
		t.vl[sl] = p->tables.sl2vl ? p->tables.sl2vl[row][sl]
		                           : default_vl(sl);
	smp_put(c->mad, &smp_sl2vl_table, &t);
	return 0;
}

uint16_t sma_set_sl2vl(struct sma_call *c)
{
	unsigned row, n = c->node->sw ? c->node->n_ports + 1u : 1;
	struct ibnet_port *p = sl2vl_port(c, &row);
	struct smp_sl2vl t;
	bool made;

	if (!p)
		return MAD_STATUS_BAD_VALUE;
	if (c->node->faults & IBNET_FAULT_OWN_LANES)
		return sma_get_sl2vl(c);
	smp_get(c->mad, &smp_sl2vl_table, &t);
	p->tables.sl2vl = make_table(p->tables.sl2vl, n, sizeof(t.vl), &made);
	if (!p->tables.sl2vl)
		return MAD_STATUS_BUSY;
	for (unsigned i = 0; made && i < n; i++)
		for (unsigned sl = 0; sl < ARRAY_LEN(t.vl); sl++)
			p->tables.sl2vl[i][sl] = default_vl(sl);
	for (unsigned sl = 0; sl < ARRAY_LEN(t.vl); sl++)
		p->tables.sl2vl[row][sl] =
			t.vl[sl] < VLS ? t.vl[sl] : VL_DISCARD;
	return sma_get_sl2vl(c);
}

/* -- VLArbitration -------------------------------------------------------- */

static struct ibnet_port *vlarb_port(const struct sma_call *c, unsigned *block)
{
	struct ibnet_port *p =
		c->node->sw ? ibnet_port(c->node, c->mod & 0xff) : c->at;

	*block = (c->mod >> 16) - 1;
	return *block < VLARB_BLOCKS ? p : NULL;
}

uint16_t sma_get_vlarb(struct sma_call *c)
{
	unsigned block;
	struct ibnet_port *p = vlarb_port(c, &block);
	struct smp_vlarb t = { 0 };

	if (!p)
		return MAD_STATUS_BAD_VALUE;
	if (p->tables.vlarb)
		t = p->tables.vlarb[block];
	else if (!block)
		for (unsigned vl = 0; vl < VLS; vl++) {
			t.vl[vl] = (uint8_t)vl;
			t.weight[vl] = 4;
		}
	smp_put(c->mad, &smp_vlarb_table, &t);
	return 0;
}

uint16_t sma_set_vlarb(struct sma_call *c)
{
	unsigned block;
	struct ibnet_port *p = vlarb_port(c, &block);
	bool made;

	if (!p)
		return MAD_STATUS_BAD_VALUE;
	p->tables.vlarb = make_table(p->tables.vlarb, VLARB_BLOCKS,
	                             sizeof(*p->tables.vlarb), &made);
	if (!p->tables.vlarb)
		return MAD_STATUS_BUSY;
	smp_get(c->mad, &smp_vlarb_table, &p->tables.vlarb[block]);
	return 0;
}
