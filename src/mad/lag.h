/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mad/lag - link aggregation: our five subnet management attributes and the
 * choice of a member.  docs/wire-lag.md is the normative text.
 *
 * A *virtual LID* stands for up to LAG_MEMBERS ports of one host.  The SM
 * tells each member port's SMA which ones (LagHost); a switch that has
 * multi-egress groups gets a group (LagGroups) and binds the virtual LID to
 * it (LagLids).  Every port keeps its physical LID.  A switch that cannot
 * deliver a virtual LID any more tells its neighbours (LagSkip).
 *
 * None of these numbers is registered with anybody, so a device of another
 * vendor may mean something else by them: a reply counts only if its magic
 * and version are ours (lag_is_ours()), and groups are sent only to switches
 * whose LagSwitch is.
 */
#ifndef MAD_LAG_H
#define MAD_LAG_H

#include "mad/field.h"
#include "mad/smp.h"

#include <stdbool.h>
#include <stdint.h>

#define LAG_MAGIC UINT32_C(0x43574c47) /* "CWLG" */
#define LAG_VERSION 1u
#define LAG_MEMBERS 8u

/* What a host can do (LagHost.capabilities). */
#define LAG_CAN_AGGREGATE (1u << 0) /* LAG_ACTIVE_ACTIVE */
#define LAG_CAN_BACKUP (1u << 1)    /* LAG_ACTIVE_BACKUP */
#define LAG_CAN_SKIP (1u << 2)      /* skips dead members by itself */

enum lag_mode {
	LAG_OFF = 0,           /* physical LIDs only */
	LAG_ACTIVE_ACTIVE = 1, /* flows are spread over all members */
	LAG_ACTIVE_BACKUP = 2, /* the first live member carries all */
};

enum lag_member_state {
	LAG_MEMBER_NONE = 0,     /* no such member */
	LAG_MEMBER_DOWN = 1,     /* its port is not active */
	LAG_MEMBER_STANDBY = 2,  /* active, carries nothing */
	LAG_MEMBER_CARRYING = 3, /* active, carries flows */
};

/* What became of the last Set (LagHost.result, LagSwitch.result). */
enum lag_result {
	LAG_NOTHING_ASKED = 0,
	LAG_ACCEPTED = 1,
	LAG_REFUSED_INCAPABLE = 2, /* this host or switch does no LAG */
	LAG_REFUSED_MODE = 3,      /* not this mode */
	LAG_REFUSED_LID = 4,       /* virtual LID not unicast, or a physical
	                              one of this host */
	LAG_REFUSED_MEMBER = 5,    /* a LID or port is not of this host, or
	                              is there twice, or the receiving port
	                              is not a member */
	LAG_REFUSED_COUNT = 6,     /* no member, or too many */
	LAG_REFUSED_STALE = 7,     /* generation older than the one in force */
	LAG_REFUSED_POLICY = 8,    /* the administrator switched it off */
	LAG_REFUSED_BUSY = 9,      /* try again */
	LAG_REFUSED_FORMAT = 10,   /* magic or version not ours */
};

/* LagHost, 64 bytes; modifier 0. */
struct lag_host {
	uint64_t system_guid; /* of the host; tells groups apart */
	uint32_t magic;       /* LAG_MAGIC */
	uint32_t generation;  /* of the mapping; a later one is higher */
	uint16_t virtual_lid; /* 0: none */
	uint8_t version;      /* LAG_VERSION */
	uint8_t capabilities; /* LAG_CAN_*; ignored in a Set */
	uint8_t mode;         /* enum lag_mode: asked for, or in force */
	uint8_t result;       /* enum lag_result; ignored in a Set */
	uint8_t n_members;
	uint8_t self;        /* index of the port that answers; 255: none */
	uint8_t members_max; /* that this host can take; ignored in a Set */
	uint16_t lid[LAG_MEMBERS];  /* physical */
	uint8_t port[LAG_MEMBERS];  /* number on its node */
	uint8_t state[LAG_MEMBERS]; /* enum lag_member_state; 4 bits */
	uint8_t node[LAG_MEMBERS];  /* 4 bits: which HCA of the host */
};

/* LagSwitch, 64 bytes; modifier 0.  Set changes seed, generation and ways. */
struct lag_switch {
	uint32_t magic;
	uint32_t seed;        /* of the flow hash; by default of its GUID */
	uint32_t generation;  /* the SM's, for its own use */
	uint32_t dropped;     /* packets for a group without a live port */
	uint32_t rerouted;    /* packets that skipped a dead member */
	uint16_t groups_cap;  /* group numbers 0 .. groups_cap - 1 */
	uint16_t groups_used; /* groups that have a port */
	uint16_t members_cap; /* ports in one group */
	uint8_t version;
	uint8_t skips_dead; /* 1: by itself, before the SM acts */
	uint8_t result;     /* enum lag_result */
	/* Ports to switches that take part in LagSkip; bits as in a group. */
	uint8_t ways[32];
};

#define LAG_GROUPS_BLOCK 2u /* groups in a LagGroups block */
#define LAG_LIDS_BLOCK 32u  /* LIDs in a LagLids block */
#define LAG_NO_GROUP 0xffffu

/* LagGroups: modifier: the block.  Port p of group 2 * block + i is bit p % 8
 * (least significant first) of mask[i][p / 8]. */
struct lag_groups {
	uint8_t mask[LAG_GROUPS_BLOCK][32];
};

/* LagLids: modifier: the block; LIDs 32 * block and on.  LAG_NO_GROUP: the
 * linear forwarding table counts. */
struct lag_lids {
	uint16_t group[LAG_LIDS_BLOCK];
};

/* LagSkip, 64 bytes; modifier 0; Set only, from a switch to its neighbour. */
#define LAG_SKIP_LIDS 28u
struct lag_skip {
	uint32_t magic;
	uint8_t version;
	uint8_t dead; /* 1: what goes to these by me is lost; 0: no more */
	uint8_t n;
	uint16_t lid[LAG_SKIP_LIDS];
};

extern const struct field_table lag_host_table;
extern const struct field_table lag_switch_table;
extern const struct field_table lag_groups_table;
extern const struct field_table lag_lids_table;
extern const struct field_table lag_skip_table;

/* Whether a reply to LagHost or LagSwitch is one of ours. */
bool lag_is_ours(uint32_t magic, uint8_t version);

/* Never NULL. */
const char *lag_result_words(uint8_t result);
const char *lag_mode_name(uint8_t mode);
const char *lag_member_state_name(uint8_t state);

/* -- the choice of a member ------------------------------------------------ */

struct lag_flow {
	uint32_t dest_qp; /* 24 bits */
	uint32_t src_qp;  /* 24 bits; 0 where a packet has no DETH */
	uint16_t slid;
	uint16_t dlid;
};

/* docs/wire-lag.md, "Flow hash". */
uint64_t lag_hash(uint32_t seed, const struct lag_flow *f);

/*
 * Which of `n_members` (at least 1) a flow uses, of which those in `live`
 * work; bit i of live[i / 64].  A flow whose member is live stays on it
 * whatever happens to the others.
 *
 * @return its index; -1: none is live.  *skipped: its own is dead.
 */
int lag_pick(uint64_t hash, unsigned n_members, const uint64_t *live,
             bool *skipped);

#endif /* MAD_LAG_H */
