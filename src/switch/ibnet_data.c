/* SPDX-License-Identifier: BSD-2-Clause */
/* Queues, links and switches: packets in flight. */
#include "switch/ibnet_data.h"

#include "base/base.h"
#include "core/reactor.h"
#include "switch/data_priv.h"

#include <errno.h>
#include <string.h>

static void pass(struct timer *t);

struct ibnet_data *ibnet_data_state(struct ibnet *net)
{
	struct ibnet_data *d = net->data;

	if (d)
		return d;
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	slab_init(&d->packets, sizeof(struct data_packet),
	          _Alignof(struct data_packet), IBNET_DATA_PACKETS);
	list_init(&d->active);
	d->net = net;
	d->timer.fire = pass;
	d->running = true;
	net->data = d;
	return d;
}

/* -- queues --------------------------------------------------------------- */

void ibnet_data_enqueue(struct ibnet_data *d, struct ibnet_port *p,
                        struct data_packet *packet)
{
	struct port_queue *q = &p->queue;

	packet->next = NULL;
	packet->moved = d->tick;
	packet->choice = 0;
	if (q->n++)
		q->tail->next = packet;
	else
		q->head = packet;
	q->tail = packet;
	if (!list_linked(&q->active))
		list_append(&d->active, &q->active);
}

static struct data_packet *dequeue(struct ibnet_data *d, struct ibnet_port *p)
{
	struct port_queue *q = &p->queue;
	struct data_packet *packet = q->head;

	q->sent = d->tick;
	q->head = packet->next;
	q->blocked_since = 0;
	if (!--q->n)
		list_remove(&q->active);
	return packet;
}

/* A place that became free in this tick is nobody's until the next: whoever
 * happens to be looked at right after would get it each time. */
static bool has_room(const struct ibnet_data *d, const struct ibnet_port *p)
{
	return p->queue.n + (p->queue.sent == d->tick) < IBNET_DATA_QUEUE;
}

static void drop_head(struct ibnet_data *d, struct ibnet_port *p,
                      uint64_t *counter)
{
	++*counter;
	d->stats.in_flight--;
	slab_put(&d->packets, dequeue(d, p));
}

void ibnet_data_empty(struct ibnet_data *d, struct ibnet_port *p)
{
	while (p->queue.n)
		drop_head(d, p, &d->stats.lost_link);
}

void ibnet_data_flush(struct ibnet_port *p)
{
	struct ibnet_data *d = p->node->net->data;

	p->counters.xmit_discards += p->queue.n;
	if (d)
		ibnet_data_empty(d, p);
}

/* -- groups that change --------------------------------------------------- */

void ibnet_settle_group(struct ibnet_node *sw, struct switch_group *g)
{
	const struct ibnet_data *d = sw->net->data;

	if (!d)
		return;
	g->changed = d->tick + 1;
	for (unsigned i = 0; i < sizeof(g->mask); i++)
		g->draining[i] |= g->mask[i];
}

bool ibnet_settled(struct ibnet_node *sw, uint16_t lid, unsigned in_port)
{
	const struct ibnet_data *d = sw->net->data;
	struct switch_group *g = ibnet_group_of(sw->sw, lid);

	if (!g || !g->changed || mask_has(g->mask, in_port))
		return true;
	if (d->tick < g->changed + IBNET_DATA_SETTLE)
		return false;
	for (unsigned p = 1; p <= sw->n_ports; p++)
		if (mask_has(g->draining, p) &&
		    data_holds(&sw->ports[p], g->changed))
			return false;
	g->changed = 0;
	memset(g->draining, 0, sizeof(g->draining));
	return true;
}

/* -- one hop -------------------------------------------------------------- */

static void count_hop(struct ibnet_data *d, struct ibnet_port *out,
                      const struct data_packet *packet, bool multicast)
{
	struct perf_port_counters_ext *x = &out->counters;
	struct perf_port_counters_ext *r = &out->peer->counters;

	x->xmit_packets++;
	x->xmit_data += packet->length / 4;
	r->rcv_packets++;
	r->rcv_data += packet->length / 4;
	if (multicast) {
		x->multicast_xmit_packets++;
		r->multicast_rcv_packets++;
	} else {
		x->unicast_xmit_packets++;
		r->unicast_rcv_packets++;
	}
	if (d->tap)
		d->tap(d->tap_ctx, out, packet->bytes, packet->length);
}

/* The head of p's queue has to wait: its way on is not free. */
static void wait(struct ibnet_data *d, struct ibnet_port *p)
{
	struct port_queue *q = &p->queue;

	p->counters.xmit_wait++;
	if (!q->blocked_since)
		q->blocked_since = d->tick;
	if (d->tick - q->blocked_since < IBNET_DATA_STALL)
		return;
	p->counters.xmit_discards++;
	drop_head(d, p, &d->stats.lost_stalled);
}

/* Which port of the switch behind p the packet will leave by; 0: it was
 * dropped.  What was chosen once holds while that port is up. */
static unsigned choose(struct ibnet_data *d, struct ibnet_port *p,
                       const struct packet_brief *b)
{
	struct data_packet *packet = p->queue.head;
	struct ibnet_node *sw = p->peer->node;
	struct forward_key key = {
		.flow = { .dlid = b->dlid,
		          .slid = b->slid,
		          .dest_qp = b->dest_qp,
		          .src_qp = b->src_qp },
		.in_port = p->peer->number,
	};
	uint32_t dropped = sw->sw->dropped;
	int out;

	if (packet->choice && port_is_active(&sw->ports[packet->choice]) &&
	    !ibnet_skips(sw->sw, b->dlid, packet->choice))
		return packet->choice;
	out = ibnet_forward(sw, &key);
	if (out > 0 && port_is_active(&sw->ports[out])) {
		packet->choice = (uint8_t)out;
		return (unsigned)out;
	}
	if (out > 0)
		sw->ports[out].counters.xmit_discards++;
	drop_head(d, p,
	          sw->sw->dropped != dropped ? &d->stats.lost_group
	                                     : &d->stats.lost_no_route);
	return 0;
}

/* A switch's partition enforcement (IBA 10.9.4), where it is switched on, of
 * the packet at the head of p's queue.  @return false: it was dropped. */
static bool may_pass(struct ibnet_data *d, struct ibnet_port *p,
                     struct ibnet_port *out, uint16_t pkey)
{
	struct ibnet_port *in = p->peer;

	if (in->info.enforce_inbound && !data_pkey_fits(in, pkey))
		in->counters.rcv_constraint_errors++;
	else if (out->info.enforce_outbound && !data_pkey_fits(out, pkey))
		out->counters.xmit_constraint_errors++;
	else
		return true;
	drop_head(d, p, &d->stats.lost_refused);
	return false;
}

static void unicast_hop(struct ibnet_data *d, struct ibnet_port *p,
                        const struct packet_brief *b)
{
	struct ibnet_node *sw = p->peer->node;
	struct data_packet *packet;
	unsigned out;

	if (!ibnet_settled(sw, b->dlid, p->peer->number)) {
		p->queue.head->choice = 0;
		wait(d, p);
		return;
	}
	out = choose(d, p, b);
	if (!out || !may_pass(d, p, &sw->ports[out], b->pkey))
		return;
	if (!has_room(d, &sw->ports[out])) {
		wait(d, p);
		return;
	}
	packet = dequeue(d, p);
	count_hop(d, p, packet, false);
	packet->hops++;
	ibnet_data_enqueue(d, &sw->ports[out], packet);
}

/* Whether every port that gets a copy has room for it. */
static bool multicast_room(const struct ibnet_data *d,
                           const struct ibnet_node *sw, uint16_t mlid,
                           uint8_t in_port)
{
	for (unsigned i = 1; i <= sw->n_ports; i++)
		if (i != in_port && !has_room(d, &sw->ports[i]) &&
		    port_is_active(&sw->ports[i]) &&
		    ibnet_forward_multicast(sw, mlid, (uint8_t)i))
			return false;
	return true;
}

static void multicast_hop(struct ibnet_data *d, struct ibnet_port *p,
                          uint16_t mlid)
{
	struct ibnet_node *sw = p->peer->node;
	uint8_t in_port = p->peer->number;
	struct data_packet *packet;

	if (!multicast_room(d, sw, mlid, in_port)) {
		wait(d, p);
		return;
	}
	packet = dequeue(d, p);
	count_hop(d, p, packet, true);
	for (unsigned i = 1; i <= sw->n_ports; i++) {
		struct data_packet *copy;

		if (i == in_port || !port_is_active(&sw->ports[i]) ||
		    !ibnet_forward_multicast(sw, mlid, (uint8_t)i))
			continue;
		copy = slab_get(&d->packets);
		if (!copy)
			break;
		*copy = *packet;
		copy->hops++;
		d->stats.in_flight++;
		ibnet_data_enqueue(d, &sw->ports[i], copy);
	}
	d->stats.in_flight--;
	slab_put(&d->packets, packet);
}

/* A link that was armed by the SM goes to work with its first packet. */
static bool receiver_ready(struct ibnet_port *in)
{
	if (in->info.port_state == SMP_PORT_ARMED)
		ibnet_link_set_state(in, SMP_PORT_ACTIVE);
	return port_is_active(in);
}

static void one_port(struct ibnet_data *d, struct ibnet_port *p)
{
	struct data_packet *packet = p->queue.head;
	struct packet_brief b;

	if (packet->moved == d->tick || p->queue.sent == d->tick)
		return;
	if (!port_is_active(p) || !receiver_ready(p->peer) ||
	    !packet_brief(packet->bytes, packet->length, &b)) {
		p->counters.xmit_discards++;
		drop_head(d, p, &d->stats.lost_no_route);
	} else if (packet->hops >= IBNET_DATA_LIVES) {
		drop_head(d, p, &d->stats.lost_hops);
	} else if (!p->peer->node->sw) {
		count_hop(d, p, packet, b.dlid >= MAD_LID_MULTICAST_MIN);
		ibnet_flow_receive(d, p->peer, packet);
		d->stats.in_flight--;
		slab_put(&d->packets, dequeue(d, p));
	} else if (b.dlid >= MAD_LID_MULTICAST_MIN) {
		multicast_hop(d, p, b.dlid);
	} else {
		unicast_hop(d, p, &b);
	}
	/* To the end, so that those who had to wait come first next time. */
	if (p->queue.n && !p->queue.blocked_since) {
		list_remove(&p->queue.active);
		list_append(&d->active, &p->queue.active);
	}
}

void ibnet_tick(struct ibnet *net, unsigned n)
{
	struct ibnet_data *d = ibnet_data_state(net);

	for (; d && n; n--) {
		d->tick++;
		d->stats.ticks++;
		if (d->running)
			ibnet_flow_send_all(d);
		LIST_FOREACH (node, &d->active) {
			one_port(d, list_entry(node, struct ibnet_port,
			                       queue.active));
		}
	}
}

static void pass(struct timer *t)
{
	struct ibnet_data *d = container_of(t, struct ibnet_data, timer);

	timer_start(d->net->reactor, t, NS_PER_MS);
	ibnet_tick(d->net, d->per_ms);
}

int ibnet_tick_start(struct ibnet *net, unsigned per_ms)
{
	struct ibnet_data *d = ibnet_data_state(net);

	if (!net->reactor)
		return -ENOTSUP;
	if (!d)
		return -ENOMEM;
	d->per_ms = per_ms;
	if (per_ms)
		return timer_start(net->reactor, &d->timer, NS_PER_MS);
	timer_stop(net->reactor, &d->timer);
	return 0;
}

/* -- the rest ------------------------------------------------------------- */

void ibnet_data_destroy(struct ibnet *net)
{
	struct ibnet_data *d = net->data;

	if (!d)
		return;
	if (net->reactor)
		timer_stop(net->reactor, &d->timer);
	ibnet_flow_clear(net);
	slab_fini(&d->packets);
	free(d->flows);
	free(d->senders);
	free(d);
	net->data = NULL;
}

void ibnet_data_get(const struct ibnet *net, struct ibnet_data_stats *out)
{
	*out = net->data ? net->data->stats : (struct ibnet_data_stats){ 0 };
	for (uint32_t i = 0; net->data && i < net->data->n_flows; i++) {
		const struct ibnet_flow_stats *s = &net->data->flows[i].stats;

		out->flows.sent += s->sent;
		out->flows.received += s->received;
		out->flows.reordered += s->reordered;
		out->flows.duplicated += s->duplicated;
		out->n_flows++;
	}
}

void ibnet_data_port(const struct ibnet_port *p, uint64_t *sent,
                     uint64_t *received)
{
	*sent = p->flow_sent;
	*received = p->flow_received;
}

void ibnet_data_tap(struct ibnet *net, ibnet_tap_fn tap, void *ctx)
{
	struct ibnet_data *d = ibnet_data_state(net);

	if (!d)
		return;
	d->tap = tap;
	d->tap_ctx = ctx;
}
