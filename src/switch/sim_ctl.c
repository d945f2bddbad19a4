/* SPDX-License-Identifier: BSD-2-Clause */
/* A client's questions before and beside its MADs. */
#include "switch/sim_server_priv.h"
#include "switch/sma.h"

#include <string.h>

static bool answer_connect(struct sim_server *s, struct sim_proto_ctl *ctl,
                           pid_t pid, const struct sockaddr_un *from,
                           socklen_t length)
{
	struct sim_proto_connect want;
	struct ibnet_port *p;
	struct sim_client *c;

	if (sim_proto_decode_connect(ctl, &want))
		return false;
	p = want.node[0] ? ibnet_find(s->net, want.node) : s->port;
	if (!p || sim_server_add(s, &want, p, pid, from, length, &c))
		return false;
	want.id = c->number;
	/* A client that got what it asked for says nothing about it. */
	if (!want.node[0])
		strncpy(want.node, p->node->name, sizeof(want.node) - 1);
	sim_proto_encode_connect(&want, ctl);
	return true;
}

/* {u16 lid, u8 state} */
static bool answer_port(const struct ibnet_port *p, struct sim_proto_ctl *ctl)
{
	memcpy(ctl->data, &port_manager_const(p)->info.lid, sizeof(uint16_t));
	ctl->data[2] = p->info.port_state;
	return true;
}

/* {u32 vendor, u32 part, u32 hardware, -, u64 firmware} */
static bool answer_vendor(const struct ibnet_port *p, struct sim_proto_ctl *ctl)
{
	const uint32_t words[] = { p->node->vendor, p->node->device, 1, 0 };
	const uint64_t firmware = 1;

	memcpy(ctl->data, words, sizeof(words));
	memcpy(ctl->data + sizeof(words), &firmware, sizeof(firmware));
	return true;
}

static be64 guid_of(const struct ibnet_port *p)
{
	return be64_put(p->node->guid + (p->node->sw ? 0 : p->number));
}

static bool answer_gid(const struct ibnet_port *p, struct sim_proto_ctl *ctl)
{
	be64 prefix = be64_put(port_manager_const(p)->info.subnet_prefix);
	be64 guid = guid_of(p);

	memcpy(ctl->data, &prefix, sizeof(prefix));
	memcpy(ctl->data + sizeof(prefix), &guid, sizeof(guid));
	return true;
}

static bool answer_guid(const struct ibnet_port *p, struct sim_proto_ctl *ctl)
{
	be64 guid = guid_of(p);

	memcpy(ctl->data, &guid, sizeof(guid));
	return true;
}

/* As the SMA would say it, without asking for a key: the preload makes files
 * of it that the kernel would have made. */
static bool answer_node_info(const struct ibnet_port *p,
                             struct sim_proto_ctl *ctl)
{
	struct smp_node_info i;

	sma_node_info(p, &i);
	memset(ctl->data, 0, sizeof(ctl->data));
	field_encode(&smp_node_info_table, &i, ctl->data);
	return true;
}

/* Byte 0 of the question is a port's number; 0: the client's own. */
static bool answer_port_info(const struct ibnet_port *p,
                             struct sim_proto_ctl *ctl)
{
	const struct ibnet_port *of =
		ctl->data[0] ? ibnet_port(p->node, ctl->data[0]) : p;
	struct smp_port_info i;

	if (!of)
		return false;
	i = of->info;
	i.local_port = of->number;
	i.m_key = 0;
	memset(ctl->data, 0, sizeof(ctl->data));
	field_encode(&smp_port_info_table, &i, ctl->data);
	return true;
}

static bool answer_pkeys(const struct ibnet_port *p, struct sim_proto_ctl *ctl)
{
	for (unsigned i = 0; i < SIM_PROTO_CTL_DATA / sizeof(be16); i++) {
		uint16_t key = i ? 0 : SMP_PKEY_DEFAULT;
		be16 wire;

		if (p->tables.pkeys)
			key = p->tables.pkeys[i];
		wire = be16_put(key);
		memcpy(ctl->data + i * sizeof(wire), &wire, sizeof(wire));
	}
	return true;
}

static bool sm_is_there(const struct sim_client *c)
{
	LIST_FOREACH (node, &c->endpoint.port->endpoints) {
		const struct ibnet_endpoint *ep =
			list_entry(node, struct ibnet_endpoint, link);

		if (ep != &c->endpoint && ep->is_sm)
			return true;
	}
	return false;
}

/* As for a kernel's issm device, one at a time. */
static bool answer_set_sm(struct sim_client *c, const struct sim_proto_ctl *ctl)
{
	uint32_t on;

	memcpy(&on, ctl->data, sizeof(on));
	if (on && sm_is_there(c))
		return false;
	ibnet_set_sm(&c->endpoint, on);
	return true;
}

/* Its number and the socket that the question came from belong together. */
static struct sim_client *asker(const struct sim_server *s,
                                const struct sim_proto_ctl *ctl,
                                const struct sockaddr_un *from,
                                socklen_t length)
{
	struct sim_client *c = ctl->client < SIM_SERVER_CLIENTS
	                               ? s->clients[ctl->client]
	                               : NULL;

	return c && c->ctl_length == length && !memcmp(&c->ctl, from, length)
	               ? c
	               : NULL;
}

static bool answer_client(struct sim_client *c, struct sim_proto_ctl *ctl)
{
	const struct ibnet_port *p = c->endpoint.port;

	switch (ctl->type) {
	case SIM_PROTO_DISCONNECT:
		sim_server_remove(c);
		return true;
	case SIM_PROTO_GET_PORT:
		return answer_port(p, ctl);
	case SIM_PROTO_GET_VENDOR:
		return answer_vendor(p, ctl);
	case SIM_PROTO_GET_GID:
		return answer_gid(p, ctl);
	case SIM_PROTO_GET_GUID:
		return answer_guid(p, ctl);
	case SIM_PROTO_GET_NODE_INFO:
		return answer_node_info(p, ctl);
	case SIM_PROTO_GET_PORT_INFO:
		return answer_port_info(p, ctl);
	case SIM_PROTO_SET_IS_SM:
		return answer_set_sm(c, ctl);
	case SIM_PROTO_GET_PKEYS:
		return answer_pkeys(p, ctl);
	default:
		return false;
	}
}

void sim_server_answer(struct sim_server *s, struct sim_proto_ctl *ctl,
                       pid_t pid, const struct sockaddr_un *from,
                       socklen_t length)
{
	bool ok;

	if (ctl->type == SIM_PROTO_CONNECT) {
		ok = answer_connect(s, ctl, pid, from, length);
		s->stats.refused += !ok;
	} else {
		struct sim_client *c = asker(s, ctl, from, length);

		ok = c && answer_client(c, ctl);
	}
	if (!ok)
		ctl->type = SIM_PROTO_ERROR;
}
