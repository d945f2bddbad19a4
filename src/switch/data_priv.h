/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets and flows: what ibnet_data.c and ibnet_flow.c share. */
#ifndef SWITCH_DATA_PRIV_H
#define SWITCH_DATA_PRIV_H

#include "base/wire.h"
#include "core/slab.h"
#include "mad/packet.h"
#include "switch/ibnet_priv.h"

/* LRH, GRH, BTH, DETH, payload, ICRC, VCRC */
#define DATA_BYTES (8u + 40u + 12u + 8u + IBNET_DATA_PAYLOAD + 4u + 2u)
#define DATA_QP_FIRST 0x10000u /* flow i has the queue pair this + i */

struct data_packet {
	struct data_packet *next;
	uint64_t moved; /* tick of its last hop (D1) */
	uint16_t length;
	uint8_t hops;
	uint8_t choice; /* where the next switch will put it; 0: not known */
	uint8_t bytes[DATA_BYTES];
};

/* The start of each payload. */
struct data_stamp {
	be32 magic;
	be32 flow;
	be64 sequence;
	be64 tick;
};
static_assert(sizeof(struct data_stamp) == 24, "a stamp is 24 bytes");
#define DATA_MAGIC UINT32_C(0x43574454) /* "CWDT" */

struct data_flow {
	struct ibnet_node *from;
	uint32_t next; /* of the same host, in a ring */
	uint16_t dlid;
	bool is_global;   /* its packets have a GRH, */
	uint8_t dgid[16]; /* to this */
	uint8_t port;     /* it was last sent by; 0: none yet */
	uint8_t old;      /* the one before, if it moves */
	uint16_t slid;    /* it was last sent from */
	uint64_t moved;   /* tick since which it moves; 0: it does not (D4) */
	struct ibnet_flow_stats stats;
	uint64_t marked;   /* received at the last ibnet_flow_silent() */
	uint64_t expected; /* one more than the highest sequence seen */
	uint64_t seen;     /* bit i: expected - 1 - i has come */
};

struct ibnet_data {
	struct slab packets;
	struct list active; /* ports with packets */
	struct ibnet *net;
	struct timer timer; /* ibnet_tick_start() */
	unsigned per_ms;
	uint64_t tick;
	bool running;
	struct data_flow *flows;
	uint32_t n_flows, flows_room;
	struct ibnet_node **senders; /* hosts with flows */
	uint32_t n_senders, senders_room;
	struct ibnet_data_stats stats;
	ibnet_tap_fn tap;
	void *tap_ctx;
};

/* Whether a packet from before that tick still waits at the port. */
static inline bool data_holds(const struct ibnet_port *p, uint64_t tick)
{
	return p->queue.n && p->queue.head->moved < tick;
}

/* Whether the port's table has the P_Key (IBA 10.9.3); two limited members do
 * not talk to each other. */
static inline bool data_pkey_fits(const struct ibnet_port *p, uint16_t key)
{
	unsigned n =
		p->node->sw && p->number ? IBNET_SWITCH_PKEYS : IBNET_PKEYS;

	for (unsigned i = 0; i < n; i++) {
		uint16_t own = p->tables.pkeys ? p->tables.pkeys[i]
		                               : (i ? 0 : SMP_PKEY_DEFAULT);

		if (own && (own & 0x7fff) == (key & 0x7fff) &&
		    (own | key) & SMP_PKEY_FULL)
			return true;
	}
	return false;
}

/* The network's, made when first needed; NULL: no memory. */
struct ibnet_data *ibnet_data_state(struct ibnet *net);

/* Put a packet at the end of p's queue, which has room. */
void ibnet_data_enqueue(struct ibnet_data *d, struct ibnet_port *p,
                        struct data_packet *packet);

/* Drop all that waits at the port; it counts as lost with its link. */
void ibnet_data_empty(struct ibnet_data *d, struct ibnet_port *p);

/* ibnet_flow.c: a host has taken in a packet; it is freed by the caller. */
void ibnet_flow_receive(struct ibnet_data *d, struct ibnet_port *at,
                        const struct data_packet *packet);

/* ibnet_flow.c: every host sends what it can in this tick. */
void ibnet_flow_send_all(struct ibnet_data *d);

#endif /* SWITCH_DATA_PRIV_H */
