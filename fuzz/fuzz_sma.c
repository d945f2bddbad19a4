/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Management datagrams for a small fabric's agents, from somebody who means
 * no good.  Properties: every datagram is answered at most once; both ends of
 * a link agree; no port has a LID that it may not have; and packets still
 * find an end in whatever tables came of it.
 *
 * Input: datagrams one after the other: a byte of choices, a byte that says
 * which node, then up to 256 bytes of MAD, of which as many are there as the
 * third byte says.  Choices mend what random bytes would not guess.
 */
#include "mad/smp.h"
#include "switch/ibnet.h"
#include "switch/ibnet_data.h"
#include "switch/ibnet_make.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned n_received;

static void count(struct ibnet_endpoint *ep, const struct ibnet_mad *m)
{
	(void)ep;
	(void)m;
	n_received++;
}

static bool takes(struct ibnet_endpoint *ep, const struct mad *m)
{
	(void)ep;
	(void)m;
	return false;
}

static const uint16_t attributes[] = {
	0x0010, 0x0011, 0x0012, 0x0014, 0x0015, 0x0016, 0x0017, 0x0018,
	0x0019, 0x001b, 0x0020, 0xffe0, 0xffe1, 0xffe2, 0xffe3, 0x0002,
};

static void mend(struct mad *m, unsigned choices)
{
	static const uint8_t classes[] = { 0x81, 0x01, 0x04, 0x81 };
	static const struct smp_route here;

	if (choices & 1) {
		m->header.base_version = MAD_BASE_VERSION;
		m->header.class_version = MAD_CLASS_VERSION;
		m->header.mgmt_class = classes[choices >> 1 & 3];
		m->header.method = choices & 8 ? MAD_SET : MAD_GET;
		m->header.status = be16_put(0);
		m->header.attr_id = be16_put(attributes[choices >> 4 & 15]);
	}
	if (choices & 1 && m->header.mgmt_class == 0x81)
		smp_set_route(m, &here);
}

static void check(struct ibnet *net)
{
	for (uint32_t i = 0; i < ibnet_node_count(net); i++) {
		struct ibnet_node *n = ibnet_node_at(net, i);
		struct ibnet_node_view nv;

		ibnet_view_node(n, &nv);
		for (unsigned p = 1; p <= nv.n_ports; p++) {
			struct ibnet_port_view v, far;

			ibnet_view_port(ibnet_port(n, p), &v);
			if (v.lid > MAD_LID_UNICAST_MAX)
				abort();
			if (!v.peer)
				continue;
			ibnet_view_port(v.peer, &far);
			if ((v.state == SMP_PORT_DOWN) !=
			    (far.state == SMP_PORT_DOWN))
				abort();
		}
	}
}

static void packets(struct ibnet *net)
{
	struct ibnet_data_stats s;
	struct err e = { 0 };
	uint32_t id;

	for (uint16_t lid = 1; lid < 40; lid += 3)
		ibnet_flow_add(ibnet_node(net, "H00001"), lid, &id, &e);
	ibnet_tick(net, 50);
	ibnet_flow_run(net, false);
	ibnet_tick(net, IBNET_DATA_STALL + 500);
	ibnet_data_get(net, &s);
	if (s.flows.reordered)
		abort();
}

static void send_one(struct ibnet *net, const uint8_t **data, size_t *size)
{
	struct ibnet_endpoint ep = { .receive = count, .takes = takes };
	struct ibnet_mad m = { .dlid = MAD_LID_PERMISSIVE };
	unsigned choices = (*data)[0];
	uint32_t at = (*data)[1] % ibnet_node_count(net);
	size_t n = (*data)[2] + 1u;
	struct ibnet_node *node = ibnet_node_at(net, at);
	struct ibnet_port *p = ibnet_port(node, (*data)[1] / 16);

	*data += 3;
	*size -= 3;
	n = n > *size ? *size : n;
	memcpy(&m.mad, *data, n);
	*data += n;
	*size -= n;
	mend(&m.mad, choices);
	if (m.mad.header.mgmt_class != 0x81)
		m.dlid = (uint16_t)(1 + choices / 8);
	if (!p)
		p = ibnet_port(node, 1);
	if (ibnet_attach(net, p, &ep))
		abort();
	n_received = 0;
	ibnet_send(&ep, &m);
	if (n_received > 1)
		abort();
	ibnet_detach(&ep);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ibnet_opts o = { 0 };
	struct ibnet_topo *t;
	struct ibnet *net;
	struct err e = { 0 };

	if (ibnet_make("clos:hosts=4,ports=2,radix=4", &t, &e) ||
	    ibnet_create(t, &o, &net, &e))
		abort();
	while (size > 3)
		send_one(net, &data, &size);
	check(net);
	packets(net);
	ibnet_destroy(net);
	ibnet_topo_destroy(t);
	return 0;
}
