/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/pma.h"

#include "base/base.h"
#include "switch/ibnet_priv.h"

#include <string.h>

/*
 * One row for each counter: where it is in 64 bits, where and how wide in
 * PortCounters (width 0: only the extended one has it), and which bits of the
 * two CounterSelects clear it (16.1.3.5, 16.1.4.11).
 */
#define EXT(name) offsetof(struct perf_port_counters_ext, name)
#define BOTH(name, bits, old, ext, select2)                                    \
	{                                                                      \
		EXT(name), offsetof(struct perf_port_counters, name),          \
			sizeof(((struct perf_port_counters *)0)->name), bits,  \
			old, ext, select2                                      \
	}
#define WIDE(name, ext)                                                        \
	{                                                                      \
		EXT(name), 0, 0, 0, 0, ext, 0                                  \
	}

static const struct counter {
	size_t at;
	size_t old_at;
	uint8_t old_size; /* bytes of the struct's member */
	uint8_t bits;     /* on the wire */
	uint16_t old_select;
	uint16_t select;
	uint8_t select2; /* PortCounters' CounterSelect2 */
} counters[] = {
	BOTH(symbol_errors, 16, 1 << 0, 0, 0),
	BOTH(link_error_recovery, 8, 1 << 1, 0, 0),
	BOTH(link_downed, 8, 1 << 2, 0, 0),
	BOTH(rcv_errors, 16, 1 << 3, 0, 0),
	BOTH(rcv_remote_physical_errors, 16, 1 << 4, 0, 0),
	BOTH(rcv_switch_relay_errors, 16, 1 << 5, 0, 0),
	BOTH(xmit_discards, 16, 1 << 6, 0, 0),
	BOTH(xmit_constraint_errors, 8, 1 << 7, 0, 0),
	BOTH(rcv_constraint_errors, 8, 1 << 8, 0, 0),
	BOTH(link_integrity_errors, 4, 1 << 9, 0, 0),
	BOTH(buffer_overrun_errors, 4, 1 << 10, 0, 0),
	BOTH(vl15_dropped, 16, 1 << 11, 0, 0),
	BOTH(xmit_data, 32, 1 << 12, 1 << 0, 0),
	BOTH(rcv_data, 32, 1 << 13, 1 << 1, 0),
	BOTH(xmit_packets, 32, 1 << 14, 1 << 2, 0),
	BOTH(rcv_packets, 32, 1 << 15, 1 << 3, 0),
	WIDE(unicast_xmit_packets, 1 << 4),
	WIDE(unicast_rcv_packets, 1 << 5),
	WIDE(multicast_xmit_packets, 1 << 6),
	WIDE(multicast_rcv_packets, 1 << 7),
	BOTH(xmit_wait, 32, 0, 0, PERF_SELECT2_XMIT_WAIT),
};

static uint64_t *counter_of(struct perf_port_counters_ext *c,
                            const struct counter *row)
{
	return (uint64_t *)(void *)((char *)c + row->at);
}

/* One port, or all of a switch's added up; NULL: no such port. */
static bool gather(struct ibnet_node *n, unsigned port,
                   struct perf_port_counters_ext *sum)
{
	memset(sum, 0, sizeof(*sum));
	if (port != PERF_ALL_PORTS && !ibnet_port(n, port))
		return false;
	for (unsigned p = n->sw ? 0 : 1; p <= n->n_ports; p++) {
		if (port != PERF_ALL_PORTS && p != port)
			continue;
		for (unsigned i = 0; i < ARRAY_LEN(counters); i++)
			*counter_of(sum, &counters[i]) += *counter_of(
				&ibnet_port(n, p)->counters, &counters[i]);
	}
	return true;
}

static void clear(struct ibnet_node *n, unsigned port, unsigned old_select,
                  unsigned select2, unsigned select)
{
	for (unsigned p = n->sw ? 0 : 1; p <= n->n_ports; p++) {
		if (port != PERF_ALL_PORTS && p != port)
			continue;
		for (unsigned i = 0; i < ARRAY_LEN(counters); i++)
			if (counters[i].old_select & old_select ||
			    counters[i].select & select ||
			    counters[i].select2 & select2)
				*counter_of(&ibnet_port(n, p)->counters,
				            &counters[i]) = 0;
	}
}

static void narrow(struct perf_port_counters_ext *from,
                   struct perf_port_counters *to)
{
	for (unsigned i = 0; i < ARRAY_LEN(counters); i++) {
		const struct counter *row = &counters[i];
		uint64_t v = *counter_of(from, row);
		void *at = (char *)to + row->old_at;

		if (!row->bits)
			continue;
		if (v >> row->bits)
			v = (UINT64_C(1) << row->bits) - 1;
		if (row->old_size == 4)
			*(uint32_t *)at = (uint32_t)v;
		else if (row->old_size == 2)
			*(uint16_t *)at = (uint16_t)v;
		else
			*(uint8_t *)at = (uint8_t)v;
	}
}

/* -- attributes ----------------------------------------------------------- */

static uint16_t class_port_info(struct ibnet_port *at, struct mad *m)
{
	struct perf_class_port_info i = {
		.base_version = MAD_BASE_VERSION,
		.class_version = MAD_CLASS_VERSION,
		.capability_mask = PERF_CAP_EXT_WIDTH | PERF_CAP_XMIT_WAIT,
		.resp_time = 18,
	};

	if (at->node->sw)
		i.capability_mask |= PERF_CAP_ALL_PORT_SELECT;
	perf_put(m, &perf_class_port_info_table, &i);
	return 0;
}

static uint16_t port_counters(struct ibnet_port *at, struct mad *m, bool set)
{
	struct perf_port_counters_ext all;
	struct perf_port_counters c;

	perf_get(m, &perf_port_counters_table, &c);
	if (!gather(at->node, c.port_select, &all))
		return MAD_STATUS_BAD_VALUE;
	if (set)
		clear(at->node, c.port_select, c.counter_select,
		      c.counter_select2, 0);
	if (set && !gather(at->node, c.port_select, &all))
		return MAD_STATUS_BAD_VALUE;
	narrow(&all, &c);
	perf_put(m, &perf_port_counters_table, &c);
	return 0;
}

static uint16_t port_counters_ext(struct ibnet_port *at, struct mad *m,
                                  bool set)
{
	struct perf_port_counters_ext all, c;

	perf_get(m, &perf_port_counters_ext_table, &c);
	if (set && ibnet_port(at->node, c.port_select))
		clear(at->node, c.port_select, 0, 0, c.counter_select);
	if (!gather(at->node, c.port_select, &all))
		return MAD_STATUS_BAD_VALUE;
	all.port_select = c.port_select;
	all.counter_select = c.counter_select;
	perf_put(m, &perf_port_counters_ext_table, &all);
	return 0;
}

bool pma_handle(struct ibnet_port *at, struct mad *m)
{
	uint8_t method = m->header.method;
	uint16_t status = mad_check(m);
	bool set = method == MAD_SET;

	if (at->node->faults & IBNET_FAULT_DEAF || !at->node->on)
		return false;
	if (!status && method != MAD_GET && method != MAD_SET)
		status = MAD_STATUS_BAD_METHOD;
	if (!status)
		switch (mad_attr_id(m)) {
		case MAD_ATTR_CLASS_PORT_INFO:
			status = set ? MAD_STATUS_BAD_ATTRIBUTE
			             : class_port_info(at, m);
			break;
		case MAD_ATTR_PORT_COUNTERS:
			status = port_counters(at, m, set);
			break;
		case MAD_ATTR_PORT_COUNTERS_EXT:
			status = port_counters_ext(at, m, set);
			break;
		default:
			status = MAD_STATUS_BAD_ATTRIBUTE;
		}
	mad_make_response(m, status);
	return true;
}
