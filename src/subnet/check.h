/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subnet/check - is a set of forwarding tables right?
 *
 * Looks at the tables as switches will, not at how they were made.  From every
 * switch with hosts, each destination must be reached in at most CHECK_HOPS
 * without meeting a switch twice, and the channel dependencies of each virtual
 * lane must have no cycle (cdg.h).  A destination may end in several places
 * (a virtual LID); a switch may have several ports for it (a group).
 *
 * Cost       One step for every (switch, destination): 50 million for 2,250
 *            switches and 22,250 LIDs, 0.3 s.
 */
#ifndef SUBNET_CHECK_H
#define SUBNET_CHECK_H

#include "base/err.h"
#include "subnet/cdg.h"
#include "subnet/lft.h"

#define CHECK_HOPS 63u
#define CHECK_EGRESS 8u /* ports of a group */

struct check_result {
	uint64_t paths;       /* (switch with hosts, destination) walked */
	uint64_t unreachable; /* of these: no way in the topology */
	unsigned longest;     /* hops */
	/* the first fault, if any */
	enum check_fault {
		CHECK_OK,
		CHECK_NO_ROUTE,   /* an entry is missing, though a way exists */
		CHECK_WRONG_PORT, /* leads to a host that hasn't the LID */
		CHECK_LOOP,       /* a packet would go round */
		CHECK_CYCLE       /* credits would: lane, switch, port */
	} fault;
	uint16_t lid;
	uint16_t sw;
	uint8_t port;
	uint8_t layer;
};

struct check {
	const struct topo *topo;
	const struct blocks *lft;
	const uint8_t *layer; /* [lid]; NULL: all in lane 0 */
	struct cdg *cdg;      /* [n_layers], made by check_init() */
	unsigned n_layers;
	uint16_t *component; /* of each switch: what can be reached at all */
	uint8_t *depth;      /* scratch, of each switch */
	uint16_t *walk;      /* scratch */
};

/* @return 0; -ENOMEM. */
int check_init(struct check *c, const struct topo *t, const struct blocks *l,
               const uint8_t *layer, unsigned n_layers);
void check_fini(struct check *c);

/*
 * Go on with the dependencies collected so far, for tables that changed in a
 * few LIDs only: check those, then check_cycles().  Dependencies of before are
 * still there, so a cycle may be a false alarm (and, while switches have some
 * tables of before, is not).  `t` has the same switches and stride.
 */
void check_move(struct check *c, const struct topo *t);

/* A place where a LID is delivered. */
struct check_end {
	uint16_t sw;
	uint8_t port;
};

/*
 * Walk to one LID from every switch with hosts, and add the dependencies to
 * its lane.  @return 0; -EINVAL with the fault in *out.
 */
int check_lid(struct check *c, uint16_t lid, const struct check_end *end,
              unsigned n_ends, struct check_result *out);

/* Ports that a switch has for a LID besides its table's: a group. They are
 * dependencies too; that they lead nearer is the caller's word. */
void check_group(struct check *c, uint8_t layer, unsigned sw, unsigned in,
                 const uint8_t *port, unsigned n);

/* After all LIDs.  @return 0; -ELOOP with the fault in *out. */
int check_cycles(struct check *c, struct check_result *out);

/* All of the topology's own destinations, then cycles, with a `c` that was
 * just made. */
int check_all(struct check *c, struct check_result *out);

/* The same for tables as they are. */
int check_tables(const struct topo *t, const struct blocks *l,
                 const uint8_t *layer, unsigned n_layers,
                 struct check_result *out);

/* In words, for switches named by the graph. */
void check_describe(const struct check_result *c, const struct graph *g,
                    char *text, unsigned n);

#endif /* SUBNET_CHECK_H */
