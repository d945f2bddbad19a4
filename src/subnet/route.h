/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subnet/route - forwarding tables for every switch, from the topology alone.
 *
 * Concept.  For each destination the entries of all switches form a tree that
 * leads to it.  An engine (route_rule.h) says how far each switch is from a
 * destination's switch and which of its links lead nearer; the same code then
 * picks links so that the load, counted in pairs of hosts, is even. No table
 * leaves this module unchecked: route_build() and route_repair() return only
 * tables with which every reachable destination is reached from everywhere
 * and no virtual lane has a cycle of channels (check.h).
 *
 *   minhop   shortest paths.  Cyclic on tori and rings: then AUTO and an
 *            explicit minhop go on to `layered`, and `why` says so.
 *   updown   shortest of the paths that go up, then down, in an order of the
 *            switches that is computed (levels of a tree, else distance from
 *            the centre).  One virtual lane suffices on any topology.
 *   fattree  updown with the link upwards chosen by the destination's number
 *            (d mod k), so that shift permutations don't collide.  For fabrics
 *            whose links all join neighbouring levels.
 *   layered  shortest paths; each destination is given to a virtual lane in
 *            which its tree closes no cycle.  Those that fit in no lane take
 *            updown trees in the last one, so this never fails with 2 lanes.
 *
 * AUTO is minhop, and layered (or updown if there is one lane) where it must.
 *
 * Repair     After links or switches have come or gone, every entry that still
 *            leads nearer stays; only the others are picked again.  Distances
 *            are searched again only for destination switches which a changed
 *            link can matter to.
 * Cost       route_build(): 2,250 switches and 22,250 LIDs in about 2 s;
 *            route_repair() after a link: under 0.1 s.  Memory: the tables and
 *            a byte for each pair of switches.
 * Entries of addresses that are not in the topology (a host that is off) are
 * left alone, so that its return costs nothing.
 *
 * Invariants
 *   R1  a destination's lane (SL) changes only if it must;
 *   R2  outputs are untouched on failure, except that lft may have more marks.
 */
#ifndef SUBNET_ROUTE_H
#define SUBNET_ROUTE_H

#include "base/err.h"
#include "subnet/check.h"
#include "subnet/lft.h"
#include "subnet/topo.h"

#define ROUTE_LAYERS_MAX 15u
#define ROUTE_FAR 127u   /* not reached */
#define ROUTE_DOWN 0x80u /* flag in a distance: by going down only */

enum route_engine {
	ROUTE_AUTO,
	ROUTE_MINHOP,
	ROUTE_UPDOWN,
	ROUTE_FATTREE,
	ROUTE_LAYERED,
	ROUTE_ENGINES
};

struct route_stats {
	uint32_t searches;    /* destination switches whose distances changed */
	uint32_t changed;     /* entries that were written */
	uint32_t kept;        /* entries looked at and left */
	uint32_t unreachable; /* pairs of a switch with hosts and a LID */
	uint64_t took_ns;
};

struct route {
	struct blocks lft;
	uint8_t *dist;    /* [to * n_switches + from], see ROUTE_DOWN */
	uint32_t *rank;   /* order for up and down: lower is higher up */
	uint8_t *layer;   /* [lid]: the lane, which is also the SL */
	uint8_t *updown;  /* [lid]: layered, but in the last lane */
	uint8_t *dist_ud; /* distances for those; NULL until needed */
	unsigned n_switches;
	unsigned n_layers; /* in use */
	unsigned lanes;    /* that all links have */
	/* Dependencies that are in force, so that a repair need not collect
	 * them again; `check.cdg` NULL: none. */
	struct check check;
	/* They were collected anew: what virtual LIDs added is gone.  For the
	 * owner to reset. */
	bool recollected;
	uint8_t *touched; /* [lid]: an entry changed in the last call */
	enum route_engine asked;
	enum route_engine used;
	char why[160]; /* why `used` is not `asked`; "" */
	struct route_stats stats;
};

/* Hops of an entry of dist[]. */
static inline unsigned route_hops(uint8_t dist)
{
	return dist & ~ROUTE_DOWN;
}

void route_init(struct route *r);
void route_fini(struct route *r);

const char *route_name(enum route_engine e);
/* @return ROUTE_ENGINES for a name that is none. */
enum route_engine route_parse(const char *name);

/*
 * Tables from nothing.  `lanes`: data VLs that every link has, 1 to 15.  `t` is
 * borrowed until the next call.
 *
 * @return 0; -ENOMEM; -EINVAL: the engine doesn't fit this fabric.
 */
int route_build(struct route *r, const struct topo *t, enum route_engine asked,
                unsigned lanes, struct err *e);

/*
 * Tables that keep whatever is right in r->lft, which was read from switches
 * (and is marked where it was not): for a manager that takes over.
 */
int route_adopt(struct route *r, const struct topo *t, enum route_engine asked,
                unsigned lanes, struct err *e);

/*
 * Tables for `now` that differ as little as can be from those for `was`.
 * Falls back to route_adopt() when switches are new, and to route_build() when
 * it must (another engine, a cycle).  `now` is borrowed until the next call.
 */
int route_repair(struct route *r, const struct topo *was,
                 const struct topo *now, struct err *e);

#endif /* SUBNET_ROUTE_H */
