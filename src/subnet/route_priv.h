/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of routing, for the files that share it. */
#ifndef SUBNET_ROUTE_PRIV_H
#define SUBNET_ROUTE_PRIV_H

#include "subnet/route.h"

/*
 * An engine.  search() fills in the distance of every switch from `to`
 * (`queue`: scratch for twice as many switches as there are).  leads() says
 * whether a link leads nearer, given those; betters() whether a link that
 * appeared makes them wrong.
 */
struct route_rule {
	void (*search)(const struct route *r, const struct topo *t, unsigned to,
	               uint8_t *dist, uint16_t *queue);
	bool (*leads)(const struct route *r, const uint8_t *dist, unsigned from,
	              unsigned to);
	bool (*betters)(const struct route *r, const uint8_t *dist,
	                unsigned from, unsigned to);
};

extern const struct route_rule route_rule_minhop;
extern const struct route_rule route_rule_updown;

/*
 * Order the switches for up and down: rank is level << 16 | switch, lower is
 * higher up.  `levels` asks for those of a tree, where the hosts' switches are
 * at the bottom and each link joins neighbours; else, levels are distances from
 * one switch, the one on top so far or else one in the centre, and every switch
 * can go up to that.
 *
 * @return 0; -ENOMEM; -EINVAL: it is no such tree.
 */
int route_rank(struct route *r, const struct topo *t, bool levels);

/* Room for the topology's switches and LIDs.  @return 0; -ENOMEM. */
int route_room(struct route *r, const struct topo *t);

/* Check all tables, and keep what was collected in r->check. */
int route_verify(struct route *r, const struct topo *t,
                 struct check_result *res);

/* Scratch of choosing. */
struct route_work {
	const struct topo *t;
	uint16_t *queue; /* switches, nearest first */
	uint32_t n_queue;
	uint32_t *cost;   /* load of the way so far */
	uint32_t *weight; /* hosts that come through a switch */
	uint32_t *load;   /* of each edge, for the whole build */
	uint32_t *cand;   /* edges that lead nearer */
	uint32_t *first;  /* where each place in the queue has its own */
	uint32_t *chosen; /* edge of each place in the queue */
	uint32_t **count; /* repair: LIDs by port, made when first needed */
	unsigned top;     /* fattree: levels above the hosts' */
	unsigned fan[8];  /* fattree: product of the ports up below a level */
};

int route_work_init(struct route_work *w, const struct topo *t);
void route_work_fini(struct route_work *w);

/* The counts of fan-out that fattree divides by. */
void route_fan(struct route *r, struct route_work *w);

/* All entries towards switch `to`, for the destinations in it whose
 * updown[] is `ud`. */
void route_trees(struct route *r, struct route_work *w, unsigned to,
                 const struct route_rule *rule, const uint8_t *dist, int ud,
                 bool modulo);

/* The same, but entries that lead nearer stay. */
void route_mend(struct route *r, struct route_work *w, unsigned to,
                const struct route_rule *rule, const uint8_t *dist, int ud);

/* One switch only. */
void route_mend_switch(struct route *r, struct route_work *w, unsigned sw,
                       unsigned to, const struct route_rule *rule,
                       const uint8_t *dist, int ud);

/* Give switch `sw`'s new link at `port` its share. */
void route_spread(struct route *r, struct route_work *w, unsigned sw,
                  unsigned port, const struct route_rule *rule);

/*
 * Give each destination a lane; keep[lid] ones keep theirs.
 * @return 0; -ENOSPC: some fit in none, they have updown[] set; -ENOMEM.
 */
int route_layers(struct route *r, const struct topo *t, const uint8_t *keep);

#endif /* SUBNET_ROUTE_PRIV_H */
