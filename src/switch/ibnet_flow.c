/* SPDX-License-Identifier: BSD-2-Clause */
/* The hosts' end of the data path: flows, members, stamps. */
#include "base/base.h"
#include "switch/data_priv.h"

#include <errno.h>
#include <string.h>

#define QKEY UINT32_C(0x00ca5e)
#define SKIPS 16u /* paused flows that a host looks past in one tick */
#define SEEN_BITS 64u

/* -- making --------------------------------------------------------------- */

/* Room for one more; the array, which may have moved, or NULL: no memory. */
static void *grow(void *array, uint32_t n, uint32_t *room, size_t size)
{
	uint32_t more = *room ? *room * 2 : 64;
	void *grown;

	if (n < *room)
		return array;
	grown = realloc(array, more * size);
	if (grown)
		*room = more;
	return grown;
}

/* The new flow goes behind the host's current one, in its ring. */
static int into_ring(struct ibnet_data *d, uint32_t id)
{
	struct ibnet_node *n = d->flows[id].from;
	struct host_part *h = n->host;
	struct ibnet_node **senders;

	if (h->n_flows++) {
		d->flows[id].next = d->flows[h->flow].next;
		d->flows[h->flow].next = id;
		return 0;
	}
	senders = grow(d->senders, d->n_senders, &d->senders_room,
	               sizeof(*senders));
	if (!senders) {
		h->n_flows = 0;
		return -ENOMEM;
	}
	d->senders = senders;
	d->senders[d->n_senders++] = n;
	d->flows[id].next = id;
	h->flow = id;
	return 0;
}

int ibnet_flow_add(struct ibnet_node *from, uint16_t dlid, uint32_t *id,
                   struct err *e)
{
	struct ibnet_data *d = ibnet_data_state(from->net);
	struct data_flow *flows;

	if (from->sw || !dlid || dlid == MAD_LID_PERMISSIVE)
		return err_set(e, -EINVAL, "a flow goes from a host to a LID");
	if (d && d->n_flows == IBNET_DATA_FLOWS)
		return err_set(e, -ENOSPC, "there are %u flows",
		               IBNET_DATA_FLOWS);
	flows = d ? grow(d->flows, d->n_flows, &d->flows_room, sizeof(*flows))
	          : NULL;
	if (!flows)
		return err_set(e, -ENOMEM, "no memory for a flow");
	d->flows = flows;
	d->flows[d->n_flows] = (struct data_flow){ .from = from, .dlid = dlid };
	if (into_ring(d, d->n_flows))
		return err_set(e, -ENOMEM, "no memory for a flow");
	*id = d->n_flows++;
	return 0;
}

void ibnet_flow_to_gid(struct ibnet *net, uint32_t id, const uint8_t gid[16])
{
	struct data_flow *f = &net->data->flows[id];

	f->is_global = true;
	memcpy(f->dgid, gid, sizeof(f->dgid));
}

void ibnet_flow_clear(struct ibnet *net)
{
	struct ibnet_data *d = net->data;

	if (!d)
		return;
	for (uint32_t i = 0; i < net->n_ports; i++) {
		ibnet_data_empty(d, &net->ports[i]);
		net->ports[i].flow_sent = 0;
		net->ports[i].flow_received = 0;
	}
	for (uint32_t i = 0; i < d->n_senders; i++)
		d->senders[i]->host->n_flows = 0;
	d->n_senders = 0;
	d->n_flows = 0;
	d->stats = (struct ibnet_data_stats){ 0 };
}

void ibnet_flow_run(struct ibnet *net, bool on)
{
	struct ibnet_data *d = ibnet_data_state(net);

	if (d)
		d->running = on;
}

void ibnet_flow_get(const struct ibnet *net, uint32_t id,
                    struct ibnet_flow_stats *out)
{
	*out = net->data->flows[id].stats;
}

uint32_t ibnet_flow_silent(struct ibnet *net)
{
	struct ibnet_data *d = net->data;
	uint32_t n = 0;

	for (uint32_t i = 0; d && i < d->n_flows; i++) {
		n += d->flows[i].stats.received == d->flows[i].marked;
		d->flows[i].marked = d->flows[i].stats.received;
	}
	return n;
}

/* -- sending -------------------------------------------------------------- */

/* The LID that a flow's packets come from, and the port that it takes now;
 * NULL: none works. */
static struct ibnet_port *pick_port(const struct data_flow *f, uint32_t id,
                                    uint16_t *slid)
{
	const struct ibnet_node *n = f->from;
	const struct lag_host *map = &n->host->map;
	struct ibnet_port *p = ibnet_port(n, 1);
	uint64_t live = 0;
	bool skipped;
	int at;

	if (map->mode == LAG_OFF) {
		*slid = p->info.lid;
		return port_is_active(p) ? p : NULL;
	}
	*slid = map->virtual_lid;
	for (unsigned i = 0; i < map->n_members; i++)
		if (port_is_active(ibnet_port(n, map->port[i])))
			live |= UINT64_C(1) << i;
	if (!live)
		return NULL;
	if (map->mode == LAG_ACTIVE_BACKUP)
		return ibnet_port(n, map->port[__builtin_ctzll(live)]);
	at = lag_pick(
		lag_hash((uint32_t)n->guid,
	                 &(struct lag_flow){ .dest_qp = DATA_QP_FIRST + id,
	                                     .src_qp = DATA_QP_FIRST + id,
	                                     .slid = *slid,
	                                     .dlid = f->dlid }),
		map->n_members, &live, &skipped);
	return ibnet_port(n, map->port[at]);
}

/* The first P_Key of the port, as a client without a wish would take. */
static uint16_t first_pkey(const struct ibnet_port *p)
{
	for (unsigned i = 0; p->tables.pkeys && i < IBNET_PKEYS; i++)
		if (p->tables.pkeys[i])
			return p->tables.pkeys[i];
	return SMP_PKEY_DEFAULT;
}

/* IBA 4.1.1: the subnet's prefix and a GUID of the port; 0 is its own, others
 * were given to it. */
static bool gid_of(const struct ibnet_port *p, unsigned index, uint8_t gid[16])
{
	be64 prefix = be64_put(p->info.subnet_prefix), guid;

	if (index)
		guid = be64_put(p->tables.guids ? p->tables.guids[index] : 0);
	else
		guid = be64_put(p->node->guid + p->number);
	memcpy(gid, &prefix, sizeof(prefix));
	memcpy(gid + 8, &guid, sizeof(guid));
	return be64_get(guid) != 0;
}

static void send_one(struct ibnet_data *d, struct data_flow *f, uint32_t id,
                     struct ibnet_port *p, uint16_t slid)
{
	uint8_t payload[IBNET_DATA_PAYLOAD] = { 0 };
	struct data_stamp stamp = {
		.magic = be32_put(DATA_MAGIC),
		.flow = be32_put(id),
		.sequence = be64_put(f->stats.sent),
		.tick = be64_put(d->tick),
	};
	struct packet out = {
		.next = PACKET_LOCAL,
		.dlid = f->dlid,
		.slid = slid,
		.opcode = PACKET_OP_UD_SEND,
		.pkey = first_pkey(p),
		.dest_qp = DATA_QP_FIRST + id,
		.src_qp = DATA_QP_FIRST + id,
		.psn = (uint32_t)f->stats.sent & 0xffffff,
		.qkey = QKEY,
		.payload = payload,
		.payload_length = sizeof(payload),
	};
	struct data_packet *packet = slab_get(&d->packets);
	int length;

	if (!packet)
		return; /* D2: the flow has to wait */
	if (f->is_global) {
		out.next = PACKET_GLOBAL;
		out.hop_limit = 1;
		gid_of(p, 0, out.sgid);
		memcpy(out.dgid, f->dgid, sizeof(out.dgid));
	}
	memcpy(payload, &stamp, sizeof(stamp));
	length = packet_encode(&out, packet->bytes, sizeof(packet->bytes));
	if (length < 0) {
		slab_put(&d->packets, packet);
		return;
	}
	packet->length = (uint16_t)length;
	packet->hops = 0;
	f->stats.sent++;
	p->flow_sent++;
	d->stats.in_flight++;
	ibnet_data_enqueue(d, p, packet);
}

static void move(const struct ibnet_data *d, struct data_flow *f, uint8_t port,
                 uint16_t slid)
{
	if (f->port)
		f->moved = d->tick;
	f->old = f->port;
	f->port = port;
	f->slid = slid;
}

/* Whether packets of the flow may still be on the way by its old member. */
static bool is_moving(const struct ibnet_data *d, struct data_flow *f)
{
	if (!f->moved)
		return false;
	if (d->tick < f->moved + IBNET_DATA_SETTLE ||
	    data_holds(ibnet_port(f->from, f->old), f->moved))
		return true;
	f->moved = 0;
	return false;
}

/* @return false: the host's turn is over, this flow is next. */
static bool try_flow(struct ibnet_data *d, uint32_t id, bool *sent)
{
	struct data_flow *f = &d->flows[id];
	uint16_t slid;
	struct ibnet_port *p = pick_port(f, id, &slid);

	*sent = false;
	if (!p) {
		d->stats.no_port++;
		return true;
	}
	if (f->port != p->number || f->slid != slid)
		move(d, f, p->number, slid);
	if (is_moving(d, f))
		return true;
	if (p->queue.n == IBNET_DATA_QUEUE)
		return false;
	send_one(d, f, id, p, slid);
	*sent = true;
	return true;
}

static void one_host(struct ibnet_data *d, struct ibnet_node *n)
{
	struct host_part *h = n->host;
	unsigned left = h->map.mode == LAG_OFF ? 1 : h->map.n_members;
	bool sent;

	for (unsigned skips = 0; left && skips < SKIPS;) {
		if (!try_flow(d, h->flow, &sent))
			return;
		h->flow = d->flows[h->flow].next;
		left -= sent;
		skips += !sent;
	}
}

void ibnet_flow_send_all(struct ibnet_data *d)
{
	for (uint32_t i = 0; i < d->n_senders; i++)
		if (d->senders[i]->on)
			one_host(d, d->senders[i]);
}

/* -- receiving ------------------------------------------------------------ */

static void account(struct data_flow *f, uint64_t sequence)
{
	uint64_t behind;

	if (sequence >= f->expected) {
		uint64_t ahead = sequence + 1 - f->expected;

		f->seen = ahead < SEEN_BITS ? f->seen << ahead : 0;
		f->seen |= 1;
		f->expected = sequence + 1;
		f->stats.received++;
		return;
	}
	behind = f->expected - 1 - sequence;
	if (behind < SEEN_BITS && f->seen >> behind & 1) {
		f->stats.duplicated++;
		return;
	}
	if (behind < SEEN_BITS)
		f->seen |= UINT64_C(1) << behind;
	f->stats.reordered++;
	f->stats.received++;
}

/* IBA 9.6.1: where a packet says so, and where it has to. */
static bool gid_fits(const struct ibnet_port *at, const struct packet *in)
{
	bool to_many = in->dlid >= MAD_LID_MULTICAST_MIN;
	uint8_t own[16];

	if (in->next != PACKET_GLOBAL)
		return !to_many;
	if (in->dgid[0] == 0xff)
		return to_many;
	for (unsigned i = 1; i <= at->node->n_ports; i++)
		for (unsigned k = 0; k < IBNET_GUIDS; k++)
			if (gid_of(ibnet_port(at->node, i), k, own) &&
			    memcmp(own, in->dgid, sizeof(own)) == 0)
				return !to_many;
	return false;
}

static bool accept(struct ibnet_data *d, struct ibnet_port *at,
                   const struct data_packet *packet)
{
	struct data_stamp stamp;
	struct packet in;
	uint32_t id;

	if (packet_check(packet->bytes, packet->length) ||
	    packet_decode(packet->bytes, packet->length, &in))
		return false;
	if (in.dlid < MAD_LID_MULTICAST_MIN && !ibnet_owns_lid(at, in.dlid))
		return false;
	if (!gid_fits(at, &in))
		return false;
	if (!data_pkey_fits(at, in.pkey)) {
		at->counters.rcv_constraint_errors++;
		return false;
	}
	if (in.qkey != QKEY || in.payload_length < sizeof(stamp))
		return false;
	memcpy(&stamp, in.payload, sizeof(stamp));
	id = be32_get(stamp.flow);
	if (be32_get(stamp.magic) != DATA_MAGIC || id >= d->n_flows ||
	    in.dest_qp != DATA_QP_FIRST + id)
		return false;
	account(&d->flows[id], be64_get(stamp.sequence));
	return true;
}

void ibnet_flow_receive(struct ibnet_data *d, struct ibnet_port *at,
                        const struct data_packet *packet)
{
	if (accept(d, at, packet))
		at->flow_received++;
	else
		d->stats.lost_refused++;
}
