/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subnet/cdg - the channel dependency graph of one virtual lane, and whether
 * it has a cycle.
 *
 * Concept.  A channel is one direction of a link between switches, named by
 * the switch that sends and the port it sends by.  A route that enters a
 * switch by one channel and leaves by another makes the second depend on the
 * first: packets in the first hold buffers until the second has credits.  If
 * no cycle of channels exists, the lane can't deadlock (Dally and Seitz 1987).
 * Links to hosts always drain and are left out.
 *
 * Cost       stride bits per port of a switch: 650 KB for 2,250 switches of
 *            48 ports.  An acyclic graph is kept in order (Pearce and Kelly
 *            2007), so that trying one more dependency is mostly a comparison.
 */
#ifndef SUBNET_CDG_H
#define SUBNET_CDG_H

#include "subnet/topo.h"

struct cdg {
	const struct topo *topo; /* borrowed */
	uint64_t *row;           /* [channel in][words]: ports out */
	uint32_t *order;         /* of each channel; cdg_try() keeps it right */
	uint32_t *mark;          /* scratch of searches */
	uint32_t *stack;         /* scratch of searches */
	uint32_t *added;         /* dependencies of the open try */
	unsigned words;
	uint32_t n_channels;
	uint32_t n_added;
	uint32_t room_added;
	uint32_t epoch;
};

/* No dependency yet.  @return 0; -ENOMEM. */
int cdg_init(struct cdg *c, const struct topo *t);
void cdg_fini(struct cdg *c);

/* Packets that come to `sw` by `in` leave by `out`, both links to switches.
 * The order is not kept.  Cheap. */
static inline void cdg_add(struct cdg *c, unsigned sw, unsigned in,
                           unsigned out)
{
	c->row[((size_t)sw * c->topo->stride + in) * c->words + out / 64] |=
		UINT64_C(1) << out % 64;
}

/*
 * Look for a cycle in all that was added; if there is none, put the channels
 * in order.
 *
 * @return 0; -ELOOP, with a channel of the cycle in *sw and *port.
 */
int cdg_sort(struct cdg *c, unsigned *sw, unsigned *port);

/*
 * Add a dependency to a sorted graph unless it closes a cycle.  What was added
 * since the last cdg_commit() goes away with cdg_undo().
 *
 * @return 0; -ELOOP; -ENOMEM.
 */
int cdg_try(struct cdg *c, unsigned sw, unsigned in, unsigned out);
void cdg_commit(struct cdg *c);
void cdg_undo(struct cdg *c);

#endif /* SUBNET_CDG_H */
