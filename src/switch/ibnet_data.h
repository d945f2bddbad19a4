/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * switch/ibnet_data - packets on the software fabric.
 *
 * Concept.  Time is counted in ticks; in one tick a port sends one packet
 * over its link.  A packet is whole, headers, stamp and CRCs (mad/packet.h),
 * and waits in the queue of the port that it will leave by.  Links are
 * lossless: a packet stays where it is until the next queue has room (then
 * PortXmitWait counts), at most IBNET_DATA_STALL ticks.  All VLs share a
 * port's queue.
 *
 *     host: flow -> member -> [queue] -> link -> switch: LFT or group
 *                                           -> [queue] -> link -> ... -> host
 *
 * A *flow* goes from one host to one LID, with a pair of queue pairs of its
 * own, and numbers its packets, so that losses, reorderings and duplicates
 * are seen.  A host that aggregates sends with its virtual LID as source, by
 * the member that the flow's hash says (mad/lag.h); what comes in at any of its
 * ports with the virtual LID as destination is its own.
 *
 *   D1  a packet makes one hop a tick at most;
 *   D2  a queue never holds more than IBNET_DATA_QUEUE packets, and the
 *       fabric never more than IBNET_DATA_PACKETS;
 *   D3  a lost link loses what waits in the queues at its two ends, and what
 *       is on its way to a host's last port at a switch (docs/wire-lag.md);
 *   D4  a flow's packets arrive in the order in which they were sent, also
 *       when a member comes or goes: a flow that a host moves, and a group
 *       that a switch has changed, pause until what went the old way has left
 *       that node, and IBNET_DATA_SETTLE ticks at least, so that it has
 *       arrived.  Many events within that time can still reorder;
 *   D5  a packet that fails a check (LID, GID, P_Key, queue pair, CRC) is
 *       dropped by its receiver, or on the way by a switch that enforces
 *       partitions, and counted.
 */
#ifndef SWITCH_IBNET_DATA_H
#define SWITCH_IBNET_DATA_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define IBNET_DATA_QUEUE 16u
#define IBNET_DATA_PACKETS (1u << 18)
#define IBNET_DATA_STALL 4096u /* ticks at the head of a queue */
#define IBNET_DATA_SETTLE 128u /* ticks; see D4 */
#define IBNET_DATA_FLOWS (1u << 17)
#define IBNET_DATA_PAYLOAD 64u /* bytes, of which the stamp is 24 */
#define IBNET_DATA_LIVES 64u   /* hops */

struct ibnet;
struct ibnet_node;
struct ibnet_port;

struct ibnet_flow_stats {
	uint64_t sent;
	uint64_t received;  /* duplicates not counted */
	uint64_t reordered; /* that came after a later one */
	uint64_t duplicated;
};

/* Sums over all flows, and what became of the rest. */
struct ibnet_data_stats {
	uint64_t ticks;
	struct ibnet_flow_stats flows;
	uint64_t n_flows;
	uint64_t in_flight;
	/* dropped packets; sent == received + duplicated + in_flight + these */
	uint64_t lost_link;     /* waited for a link that was lost (D3) */
	uint64_t lost_no_route; /* no entry in the table, or a port down */
	uint64_t lost_group;    /* no live port in its group */
	uint64_t lost_stalled;  /* IBNET_DATA_STALL */
	uint64_t lost_hops;     /* IBNET_DATA_LIVES: a loop */
	uint64_t lost_refused;  /* D5 */
	uint64_t no_port;       /* not sent: no active port; not in `sent` */
};

/*
 * A flow from `from` to `dlid`.  Its source is the host's port 1, or, while
 * the host aggregates, its virtual LID.  `dlid` may be a multicast LID: then
 * each receiver counts, as duplicates, and packets need a GID.
 *
 * @param id  its number, dense from 0
 * @return 0; -EINVAL: not a host, or no LID; -ENOSPC: IBNET_DATA_FLOWS;
 *         -ENOMEM; with words.
 */
int ibnet_flow_add(struct ibnet_node *from, uint16_t dlid, uint32_t *id,
                   struct err *e);

/*
 * Give the flow's packets a GRH to that GID: of a port of the host that has
 * the LID, or of the group (IBA 8.3; multicast packets have one always).
 */
void ibnet_flow_to_gid(struct ibnet *net, uint32_t id, const uint8_t gid[16]);

/* Forget all flows and what is in flight; counters are zero afterwards. */
void ibnet_flow_clear(struct ibnet *net);

/* Whether new packets are sent; on at first.  Off: what is in flight
 * arrives. */
void ibnet_flow_run(struct ibnet *net, bool on);

/*
 * Let `n` ticks pass.  In each, every host with flows sends one packet by
 * each active port, its flows in turn.
 */
void ibnet_tick(struct ibnet *net, unsigned n);

/*
 * Let ticks pass by themselves, `per_ms` each millisecond, as the network's
 * reactor gets to it; 0: no more.  @return 0; -ENOTSUP: it has no reactor;
 * -ENOMEM.
 */
#define IBNET_DATA_PER_MS 1000u
int ibnet_tick_start(struct ibnet *net, unsigned per_ms);

void ibnet_flow_get(const struct ibnet *net, uint32_t id,
                    struct ibnet_flow_stats *out);

/* How many flows have received nothing since the last call. */
uint32_t ibnet_flow_silent(struct ibnet *net);
void ibnet_data_get(const struct ibnet *net, struct ibnet_data_stats *out);

/* Packets of flows that a host's port has sent and taken in. */
void ibnet_data_port(const struct ibnet_port *p, uint64_t *sent,
                     uint64_t *received);

/*
 * See every packet as it crosses a link, whole, with both CRCs.  NULL: no
 * more.
 */
typedef void (*ibnet_tap_fn)(void *ctx, const struct ibnet_port *from,
                             const void *bytes, unsigned length);
void ibnet_data_tap(struct ibnet *net, ibnet_tap_fn tap, void *ctx);

#endif /* SWITCH_IBNET_DATA_H */
