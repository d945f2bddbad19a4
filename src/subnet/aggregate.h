/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subnet/aggregate - virtual LIDs: which hosts have one, and how each switch
 * forwards it.
 *
 * Concept.  A host is all CA ports with one system image GUID.  Its virtual LID
 * needs no routes of its own: a switch sends packets for it the way of one of
 * its members, if that leads nearer to a member that has a link.  Nearness
 * falls with every hop, so such packets never go round, whichever member each
 * switch chooses.
 *
 *   plain table   one member's way for each switch: it stays as long as it
 *                 leads nearer; else that of the member that fewest hosts are
 *                 sent to.
 *   group         all such ways' ports; the switch spreads flows.  Where a
 *                 member ends, the others' ways stand behind it: the switch
 *                 takes them while that member is dead, before we know.
 *
 * What mixing members' ways adds to the channel dependencies is tried against
 * those of the routes (cdg_try); where it would close a cycle, the virtual LID
 * follows one member everywhere, which adds nothing.
 *
 * Half of a switch's groups belong to one host each and are changed in place;
 * the others are shared by hosts with the same ports.  The number of a shared
 * one is used for another set of ports only in a later pass than the one that
 * unbound it, so a switch never has a LID bound to ports that are meant for
 * another.
 *
 * Limits     AGGREGATE_MEMBERS a host; further ports are left out.
 *
 * Invariants
 *   A1  a virtual LID is never also the LID of a port (lidmap D1);
 *   A2  a host that does not accept has no virtual LID in any table and in no
 *       answer;
 *   A3  entries change only where they must: those of a dead member, and
 *       those whose member's own way changed.
 */
#ifndef SUBNET_AGGREGATE_H
#define SUBNET_AGGREGATE_H

#include "subnet/blocks.h"
#include "subnet/graph.h"
#include "subnet/lidmap.h"
#include "subnet/route.h"

#define AGGREGATE_MEMBERS 8u
#define AGGREGATE_NO_GROUP 0xffffu
#define AGGREGATE_GROUPS_MAX 2048u /* that we use of a switch's */

enum aggregate_state {
	AGGREGATE_UNKNOWN,   /* not asked yet */
	AGGREGATE_INCAPABLE, /* it has no link aggregation */
	AGGREGATE_PROPOSED,  /* tables have it, the host has to accept */
	AGGREGATE_IN_FORCE,
	AGGREGATE_REFUSED,
	AGGREGATE_OFF /* an operator does not want it */
};

struct aggregate_host {
	uint64_t sys_guid;
	uint32_t generation;
	uint32_t slot; /* virtual LID's place among all: any manager's */
	uint32_t seen; /* the pass that met it */
	uint32_t port[AGGREGATE_MEMBERS]; /* by node GUID, then number */
	uint16_t lid[AGGREGATE_MEMBERS];  /* theirs, as proposed */
	uint8_t up[AGGREGATE_MEMBERS];    /* it has a link */
	uint8_t said[AGGREGATE_MEMBERS];  /* enum lag_member_state: the host */
	uint8_t n_members;
	uint8_t members_max;
	uint8_t capabilities;
	uint8_t state;     /* enum aggregate_state */
	uint8_t result;    /* enum lag_result of the last Set */
	uint8_t mode;      /* that is in force */
	uint16_t vlid;     /* 0: none */
	uint16_t had_vlid; /* that the host said it has */
	bool tell;         /* the host has to be told */
	bool ask;          /* the host has to be asked */
	bool reroute;      /* its entries have to be made again */
	bool pinned;       /* follows one member */
};

/* A set of ports in one switch. */
struct aggregate_group {
	uint8_t mask[32];
	uint32_t uses;
	uint32_t freed; /* pass in which the last use went */
};

struct aggregate_switch {
	struct aggregate_group *group;
	uint16_t cap, members_cap;
	uint16_t n;
};

struct aggregate {
	struct aggregate_host *host;
	uint32_t n, room;
	struct aggregate_switch *sw; /* [n_switches] */
	unsigned n_switches;
	struct blocks groups; /* block: 2 sets of 32 bytes */
	struct blocks lids;   /* block: 32 big-endian group numbers */
	uint32_t pass;
};

void aggregate_init(struct aggregate *a);
void aggregate_fini(struct aggregate *a);

/* @return the host with this GUID, or NULL. */
struct aggregate_host *aggregate_find(const struct aggregate *a,
                                      uint64_t sys_guid);

/*
 * Find hosts with two or more ports, and what changed in those we know:
 * sets ask, reroute, tell.  A host that is down to one port keeps its virtual
 * LID.  `lid_of` as for topo_build().
 *
 * @return 0; -ENOMEM.
 */
int aggregate_collect(struct aggregate *a, const struct graph *g,
                      uint16_t (*lid_of)(void *arg, uint32_t port,
                                         uint8_t *lmc),
                      void *arg, uint32_t pass);

/* A switch has `cap` groups of `members` ports; 0: it has none.
 * @return 0; -ENOMEM. */
int aggregate_switch_can(struct aggregate *a, unsigned sw, unsigned cap,
                         unsigned members);
/* A switch came back, or is new to us: it has no groups, until they are read.
 * Its hosts' entries have to be made again. */
void aggregate_switch_reset(struct aggregate *a, unsigned sw);

/* A switch has a LID bound to this group.  @return whether the group's block
 * should be read too. */
bool aggregate_adopt_lid(struct aggregate *a, unsigned sw, uint16_t lid,
                         unsigned number);
/* It has this block of groups.  @return 0; -ENOMEM. */
int aggregate_adopt_groups(struct aggregate *a, unsigned sw, unsigned block,
                           const uint8_t bytes[BLOCKS_SIZE]);

/*
 * Give virtual LIDs to hosts that can, and make entries: of hosts with
 * `reroute` set, and of those of which a member's LID is marked in `touched`
 * ([lid]; NULL: of all).  `r` is checked and up to date for `t`.
 *
 * @return 0; -ENOMEM.
 */
int aggregate_plan(struct aggregate *a, struct lidmap *lids, struct route *r,
                   const struct topo *t, const struct graph *g,
                   const uint8_t *touched);

/* The host has lost its virtual LID (it refused, or is incapable). */
void aggregate_withdraw(struct aggregate *a, struct aggregate_host *h,
                        struct route *r);

/* The virtual LID that stands for a port, if its host accepted; 0. */
uint16_t aggregate_vlid(const struct aggregate *a, uint64_t sys_guid);

/* Of a live host's members, how many hosts' switches send to member `i`. */
unsigned aggregate_share(const struct aggregate *a,
                         const struct aggregate_host *h, unsigned i,
                         const struct route *r, const struct topo *t,
                         const struct graph *g);

#endif /* SUBNET_AGGREGATE_H */
