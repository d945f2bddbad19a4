/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subnet/election - which subnet manager is master (IBA 14.4.1).
 *
 * A pure state machine: the owner tells it what was seen and heard, and it
 * answers what to do.  The better of two managers has the higher priority or,
 * of equals, the lower GUID.  A master yields to a better master at once; to a
 * better standby it hands over.  A standby whose master is silent for a number
 * of polls discovers and takes over.
 *
 * On a fabric with an M_Key a manager that does not know it can say what it
 * likes and rule nothing: who yielded to it would leave the fabric to nobody.
 *
 * Managers that are not on the allow-list don't exist for it: they are counted,
 * and never obeyed.
 *
 * Invariants
 *   E1  of managers that see each other, all but one end up not master;
 *   E2  with an allow-list, nothing that a stranger says changes the state;
 *   E3  with an M_Key, a master yields only to who has proven that it knows it.
 */
#ifndef SUBNET_ELECTION_H
#define SUBNET_ELECTION_H

#include <stdbool.h>
#include <stdint.h>

#define ELECTION_PEERS 32u

/* As in SMInfo. */
enum election_state {
	ELECTION_NOT_ACTIVE,
	ELECTION_DISCOVERING,
	ELECTION_STANDBY,
	ELECTION_MASTER
};

enum election_action {
	ELECTION_NOTHING,
	ELECTION_DISCOVER, /* run a pass over everything */
	ELECTION_BECAME_MASTER,
	ELECTION_BECAME_STANDBY,
	ELECTION_HAND_OVER,   /* Set(SMInfo, HANDOVER) to e->peer[e->other] */
	ELECTION_ACKNOWLEDGE, /* Set(SMInfo, ACKNOWLEDGE) to it */
	ELECTION_RESIGN       /* hand over to it and be standby */
};

/* Modifiers of Set(SMInfo). */
enum election_control {
	ELECTION_HANDOVER = 1,
	ELECTION_ACK = 2,
	ELECTION_DISABLE = 3,
	ELECTION_TO_STANDBY = 4,
	ELECTION_TO_DISCOVER = 5
};

struct election_peer {
	uint64_t guid;
	uint64_t port_guid;
	uint32_t seen; /* the pass that met it */
	uint16_t lid;
	uint8_t priority;
	uint8_t state; /* enum election_state */
};

struct election {
	uint64_t guid; /* ours */
	uint8_t priority;
	enum election_state state;
	const uint64_t *allow; /* borrowed */
	unsigned n_allow;
	bool has_key;                    /* the fabric has an M_Key */
	uint64_t proven[ELECTION_PEERS]; /* GUIDs of who knows it */
	unsigned n_proven;               /* ever; the last ones count */
	struct election_peer peer[ELECTION_PEERS];
	unsigned n_peers;
	unsigned other;  /* the peer that an action is about */
	unsigned master; /* the peer that we stand by for; n_peers: none */
	unsigned silent; /* polls that it did not answer, in a row */
	unsigned poll_tries;
	uint64_t strangers; /* managers that are not allowed, heard */
	bool handing_over;
};

bool election_allows(const struct election *e, uint64_t guid);

/* A pass begins: peers that it does not meet are gone at election_decide(). */
void election_begin(struct election *e, uint32_t pass);

/* SMInfo of another manager was read.  @return false: a stranger. */
bool election_saw(struct election *e, const struct election_peer *p);

/* That manager knows the M_Key. */
void election_prove(struct election *e, uint64_t guid);

/* A pass over everything has met who there is. */
enum election_action election_decide(struct election *e, uint32_t pass);

/* An answer, or none (NULL), to a standby's poll of its master. */
enum election_action election_polled(struct election *e,
                                     const struct election_peer *p);

/* Somebody else's Set(SMInfo).  @return the action; *ok: it was allowed. */
enum election_action election_told(struct election *e,
                                   const struct election_peer *from,
                                   enum election_control control, bool *ok);

#endif /* SUBNET_ELECTION_H */
