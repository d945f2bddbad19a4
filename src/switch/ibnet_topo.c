/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/ibnet_topo.h"

#include "base/base.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* GUIDs start where ibsim's do, so that notes and dumps can be compared. */
#define FIRST_HOST_GUID UINT64_C(0x100000)
#define FIRST_SWITCH_GUID UINT64_C(0x200000)
#define DEFAULT_VENDOR 0x00ca5eu
#define DEFAULT_DEVICE 0xca01u

/* -- two hash tables, of names and of GUIDs ------------------------------- */

static uint32_t hash_name(const char *name)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	return h ^ h >> 15;
}

static uint32_t hash_guid(uint64_t guid)
{
	return (uint32_t)(guid * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static void put_hash(uint32_t *table, uint32_t buckets, uint32_t hash,
                     uint32_t number)
{
	uint32_t i = hash & (buckets - 1);

	while (table[i])
		i = (i + 1) & (buckets - 1);
	table[i] = number + 1;
}

static int grow_hash(struct ibnet_topo *t)
{
	uint32_t buckets = t->buckets ? t->buckets * 2 : 64;
	uint32_t *names = calloc(buckets, sizeof(*names));
	uint32_t *guids = calloc(buckets, sizeof(*guids));

	if (!names || !guids) {
		free(names);
		free(guids);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < t->n_nodes; i++) {
		put_hash(names, buckets, hash_name(t->nodes[i].name), i);
		put_hash(guids, buckets, hash_guid(t->nodes[i].guid), i);
	}
	free(t->by_name);
	free(t->by_guid);
	t->by_name = names;
	t->by_guid = guids;
	t->buckets = buckets;
	return 0;
}

uint32_t ibnet_topo_find(const struct ibnet_topo *t, const char *name)
{
	uint32_t mask = t->buckets - 1, i;

	if (!t->buckets)
		return IBNET_NO_NODE;
	for (i = hash_name(name) & mask; t->by_name[i]; i = (i + 1) & mask)
		if (!strcmp(t->nodes[t->by_name[i] - 1].name, name))
			return t->by_name[i] - 1;
	return IBNET_NO_NODE;
}

static uint32_t find_guid(const struct ibnet_topo *t, uint64_t guid)
{
	uint32_t mask = t->buckets - 1, i;

	if (!t->buckets)
		return IBNET_NO_NODE;
	for (i = hash_guid(guid) & mask; t->by_guid[i]; i = (i + 1) & mask)
		if (t->nodes[t->by_guid[i] - 1].guid == guid)
			return t->by_guid[i] - 1;
	return IBNET_NO_NODE;
}

/* Who has one of GUIDs first..last, as node or as host's port (T2). */
static uint32_t find_overlap(const struct ibnet_topo *t, uint64_t first,
                             uint64_t last)
{
	uint64_t from =
		first > IBNET_HOST_PORTS_MAX ? first - IBNET_HOST_PORTS_MAX : 0;

	for (uint64_t guid = from; guid <= last && guid >= from; guid++) {
		uint32_t i = find_guid(t, guid);
		uint64_t end;

		if (i == IBNET_NO_NODE)
			continue;
		end = t->nodes[i].kind == IBNET_HOST
		              ? guid + t->nodes[i].n_ports
		              : guid;
		if (end >= first)
			return i;
	}
	return IBNET_NO_NODE;
}

/* -- building ------------------------------------------------------------- */

struct ibnet_topo *ibnet_topo_create(void)
{
	struct ibnet_topo *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->next_guid[IBNET_HOST] = FIRST_HOST_GUID;
	t->next_guid[IBNET_SWITCH] = FIRST_SWITCH_GUID;
	return t;
}

void ibnet_topo_destroy(struct ibnet_topo *t)
{
	if (!t)
		return;
	free(t->nodes);
	free(t->ports);
	free(t->by_name);
	free(t->by_guid);
	free(t);
}

void ibnet_topo_set_guid(struct ibnet_topo *t, enum ibnet_kind kind,
                         uint64_t guid)
{
	t->next_guid[kind] = guid;
}

static int make_room(struct ibnet_topo *t, unsigned n_ports)
{
	if (t->n_nodes == t->nodes_room) {
		uint32_t room = t->nodes_room ? t->nodes_room * 2 : 64;
		void *more = realloc(t->nodes, room * sizeof(*t->nodes));

		if (!more)
			return -ENOMEM;
		t->nodes = more;
		t->nodes_room = room;
	}
	if (t->n_ports + n_ports > t->ports_room) {
		uint32_t room = t->ports_room ? t->ports_room * 2 : 1024;
		void *more = realloc(t->ports, room * sizeof(*t->ports));

		if (!more)
			return -ENOMEM;
		t->ports = more;
		t->ports_room = room;
	}
	if ((t->n_nodes + 1) * 2 > t->buckets)
		return grow_hash(t);
	return 0;
}

static int check_name(const char *name, struct err *e)
{
	size_t n = strnlen(name, IBNET_NAME_MAX + 1);

	if (!n || n > IBNET_NAME_MAX)
		return err_set(e, -EINVAL,
		               "a node's name has 1 to %u characters",
		               IBNET_NAME_MAX);
	for (size_t i = 0; i < n; i++)
		if ((uint8_t)name[i] < ' ' || name[i] == '"' ||
		    (uint8_t)name[i] > '~')
			return err_set(e, -EINVAL,
			               "a node's name has printable "
			               "characters, and no quotes");
	return 0;
}

static int check_new(const struct ibnet_topo *t, enum ibnet_kind kind,
                     const char *name, unsigned n_ports, struct err *e)
{
	unsigned max = kind == IBNET_HOST ? IBNET_HOST_PORTS_MAX
	                                  : IBNET_SWITCH_PORTS_MAX;
	uint64_t guid = t->next_guid[kind];
	uint64_t last = guid + (kind == IBNET_HOST ? n_ports : 0);
	uint32_t other;
	int err = check_name(name, e);

	if (err)
		return err;
	if (!n_ports || n_ports > max)
		return err_set(e, -EINVAL, "%s: %u ports; a %s has 1 to %u",
		               name, n_ports,
		               kind == IBNET_HOST ? "host" : "switch", max);
	if (t->n_nodes == IBNET_NODES_MAX)
		return err_set(e, -ENOSPC, "over %u nodes", IBNET_NODES_MAX);
	if (ibnet_topo_find(t, name) != IBNET_NO_NODE)
		return err_set(e, -EEXIST, "there are two nodes \"%s\"", name);
	if (!guid || last < guid)
		return err_set(e, -EINVAL, "%s: GUID 0x%" PRIx64, name, guid);
	other = find_overlap(t, guid, last);
	if (other != IBNET_NO_NODE)
		return err_set(e, -EEXIST,
		               "%s and %s share the GUID 0x%" PRIx64,
		               t->nodes[other].name, name, guid);
	return 0;
}

int ibnet_topo_add(struct ibnet_topo *t, enum ibnet_kind kind, const char *name,
                   unsigned n_ports, uint32_t *number, struct err *e)
{
	int err = check_new(t, kind, name, n_ports, e);
	struct ibnet_topo_node *n;

	if (err)
		return err;
	err = make_room(t, n_ports);
	if (err)
		return err_set(e, err, "no memory for another node");
	n = &t->nodes[t->n_nodes];
	*n = (struct ibnet_topo_node){
		.guid = t->next_guid[kind],
		.system_guid = t->next_guid[kind],
		.vendor = DEFAULT_VENDOR,
		.device = DEFAULT_DEVICE,
		.kind = (uint8_t)kind,
		.n_ports = (uint8_t)n_ports,
		.first_port = t->n_ports,
	};
	memcpy(n->name, name, strlen(name) + 1);
	memcpy(n->description, name, strlen(name) + 1);
	for (unsigned i = 0; i < n_ports; i++)
		t->ports[t->n_ports + i] = (struct ibnet_topo_port){
			.peer = { IBNET_NO_NODE, 0 },
			.widths = IBNET_WIDTH_1X | IBNET_WIDTH_4X,
			.speeds = IBNET_SPEED_SDR | IBNET_SPEED_DDR |
			          IBNET_SPEED_QDR,
		};
	put_hash(t->by_name, t->buckets, hash_name(name), t->n_nodes);
	put_hash(t->by_guid, t->buckets, hash_guid(n->guid), t->n_nodes);
	t->next_guid[kind] += kind == IBNET_HOST ? n_ports + 1 : 1;
	t->n_ports += n_ports;
	t->n_switches += kind == IBNET_SWITCH;
	*number = t->n_nodes++;
	return 0;
}

struct ibnet_topo_port *ibnet_topo_port(const struct ibnet_topo *t,
                                        uint32_t node, unsigned port)
{
	if (node >= t->n_nodes || !port || port > t->nodes[node].n_ports)
		return NULL;
	return &t->ports[t->nodes[node].first_port + port - 1];
}

int ibnet_topo_link(struct ibnet_topo *t, struct ibnet_topo_end a,
                    struct ibnet_topo_end b, struct err *e)
{
	const struct ibnet_topo_end ends[] = { a, b };
	struct ibnet_topo_port *ports[2];

	for (unsigned i = 0; i < 2; i++) {
		ports[i] = ibnet_topo_port(t, ends[i].node, ends[i].port);
		if (!ports[i])
			return err_set(e, -EINVAL, "%s has no port %u",
			               ends[i].node < t->n_nodes
			                       ? t->nodes[ends[i].node].name
			                       : "the network",
			               ends[i].port);
		if (ports[i]->peer.node != IBNET_NO_NODE)
			return err_set(e, -EBUSY, "%s[%u] has a cable already",
			               t->nodes[ends[i].node].name,
			               ends[i].port);
	}
	if (ports[0] == ports[1])
		return err_set(e, -EINVAL, "%s[%u] cannot be cabled to itself",
		               t->nodes[a.node].name, a.port);
	ports[0]->peer = b;
	ports[1]->peer = a;
	t->n_links++;
	return 0;
}
