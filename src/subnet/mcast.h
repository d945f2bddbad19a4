/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subnet/mcast - multicast groups: who is in them, their LIDs, and the trees
 * along which switches copy.
 *
 * A tree is that of shortest ways from one switch (the one without hosts that
 * has most links, or of all if each has hosts), cut back to what leads to
 * members; so it goes up and down in a Clos, as unicast does.
 *
 * A host that aggregates joins by one port and may send by another: from there
 * a branch leads into the tree, one way.
 *
 * Limits     MCAST_GROUPS_MAX groups, MCAST_MEMBERS_MAX members of one.
 */
#ifndef SUBNET_MCAST_H
#define SUBNET_MCAST_H

#include "subnet/aggregate.h"
#include "subnet/blocks.h"
#include "subnet/topo.h"

#define MCAST_GROUPS_MAX 1024u
#define MCAST_MEMBERS_MAX 65535u
#define MCAST_LID_FIRST 0xc000u
#define MCAST_BLOCK_LIDS 32u
#define MCAST_BLOCKS_PER_POSITION 512u
#define MCAST_POSITIONS 16u

struct mcast_member {
	uint32_t port;
	uint8_t join;  /* SA_JOIN_* */
	bool by_proxy; /* another port joined for it, and may leave for it */
};

struct mcast_group {
	uint8_t mgid[16];
	uint32_t qkey;
	uint32_t flow_label;
	uint16_t mlid;
	uint16_t pkey;
	uint8_t mtu, rate, life, sl, tclass, hop_limit, scope;
	bool fixed; /* made by the policy: stays without members */
	bool dirty; /* its tree has to be made again */
	struct mcast_member *member;
	uint32_t n_members, room;
};

struct mcast {
	struct mcast_group *group; /* by MLID - MCAST_LID_FIRST; mlid 0: free */
	unsigned n;
	unsigned cap;      /* MLIDs that all switches have */
	struct blocks mft; /* number: position * 512 + block; big-endian */
	bool all_dirty;
};

/* @return 0; -ENOMEM. */
int mcast_init(struct mcast *m);
void mcast_fini(struct mcast *m);

struct mcast_group *mcast_find(struct mcast *m, const uint8_t mgid[16]);

/* @return the new group, with an MLID; NULL: none is free. */
struct mcast_group *mcast_add(struct mcast *m, const uint8_t mgid[16]);
void mcast_remove(struct mcast *m, struct mcast_group *g);

/* Join states of a port in a group; 0: none. */
uint8_t mcast_joined(const struct mcast_group *g, uint32_t port);

/* Whether another port joined for it. */
bool mcast_by_proxy(const struct mcast_group *g, uint32_t port);

/* A port that joins itself is not there by proxy any more.  @return 0;
 * -ENOMEM; -ENOSPC. */
int mcast_join(struct mcast_group *g, uint32_t port, uint8_t join,
               bool by_proxy);
/* Take these states away.  @return those that are left. */
uint8_t mcast_leave(struct mcast_group *g, uint32_t port, uint8_t join);

/* Make the tables of all groups that are dirty; `lag` knows which ports are one
 * host.  @return 0; -ENOMEM. */
int mcast_plan(struct mcast *m, const struct topo *t, const struct graph *g,
               const struct aggregate *lag);

#endif /* SUBNET_MCAST_H */
