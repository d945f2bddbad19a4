/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of a session, for the files that share it.
 *
 * Where an operation waits, oldest first for its flow:
 *
 *   on a lane          sent or about to be; lane->pending
 *   on a dead lane     until the peer confirms the fence; session_lane.ops
 *   in its flow        behind one of the dead lane, or a fence (O6)
 *   in its class       for a lane, or for room in the window
 *
 * What leaves a dead lane or a flow goes to the front of its class, so the
 * order of a flow holds at any time.
 */
#ifndef FABRIC_SESSION_PRIV_H
#define FABRIC_SESSION_PRIV_H

#include "base/base.h"
#include "core/histogram.h"
#include "core/reactor.h"
#include "core/task.h"
#include "core/timer.h"
#include "fabric/greeting.h"
#include "fabric/session.h"

struct node;

/*
 * A lane from its dial until it is fenced.
 *
 *    DIALLING ---> UP ---> DEAD ---> (FENCED: freed)
 *        '--> (freed)
 */
enum session_lane_state {
	SESSION_LANE_DIALLING,
	SESSION_LANE_UP,
	SESSION_LANE_DEAD, /* closed here; the peer may still read it */
};

struct session_lane {
	struct session *session;
	struct session_link *home; /* NULL: the link was removed */
	struct list link;          /* session.dead */
	enum session_lane_state state;
	enum fabric_class class;
	uint64_t number;
	struct lane *lane; /* NULL: DEAD */
	struct greeting greeting;
	uint64_t dialled_ns;

	struct list ops;    /* DEAD: what has no answer, in order */
	uint64_t carrier;   /* DEAD: the lane that FENCE went on; 0: none */
	unsigned n_carried; /* UP: fences on it without an answer */

	/* suspicion; see session_watch.c */
	uint64_t moved; /* bytes, of both ways */
	uint64_t moved_ns;
	uint64_t ping_ns;    /* 0: none without an answer */
	uint64_t suspect_ns; /* 0: it is not */
	uint64_t witness_ns; /* another was heard since; 0: none */
};

struct session_slot {
	struct session_lane *up, *dialling;
	uint64_t retry_ns;
	unsigned backoff_ms;
};

struct session_link {
	struct list link; /* session.links */
	struct fabric_address address;
	struct session_slot slots[FABRIC_CLASSES];
	bool refused; /* the last dial was: nobody listens there */
	uint64_t ops, bytes_sent, bytes_received; /* of lanes that are gone */
	uint64_t times_lost;
	const char *why;
};

struct session_flow {
	struct session_lane *lane; /* has its operations; NULL: none has */
	unsigned n;                /* on it */
	struct list waiting;
	struct list fence_link; /* session.fenced_flows */
};

struct session_class {
	struct list waiting;
	uint64_t next, lowest; /* sequence numbers */
	struct fabric_op *slots[SESSION_WINDOW];
	struct session_flow flows[SESSION_FLOWS];
};

struct session {
	struct node *node;
	struct fabric_peer *peer;
	struct reactor *reactor;
	const char *peer_name;
	struct session_opts opts;
	enum session_state state;
	uint64_t epoch;
	uint64_t peer_boot; /* of this epoch; 0: not reached in it */
	uint64_t next_lane;
	bool closing;

	struct list links;
	unsigned n_links;
	struct list dead;
	unsigned n_dead;
	unsigned rotor; /* where the next choice of a link begins */

	struct session_class classes[FABRIC_CLASSES];
	struct list writes; /* outstanding, by number */
	struct list fenced; /* FABRIC_FENCED in flow 0, not allowed yet */
	struct list fenced_flows;
	uint64_t n_submitted;
	unsigned n_outstanding, n_in_flight;

	struct list ended; /* refused in submit; done() is due */
	struct task end_task;
	bool end_queued;

	struct timer tick;
	uint64_t tick_due_ns;
	uint64_t ticked_ns;
	uint64_t heard_ns;    /* from any lane, or nothing was to be heard */
	uint64_t answered_ns; /* the last operation */
	uint64_t submits_seen;
	struct session_stats stats;
	struct histogram latency[FABRIC_CLASSES];
};

/* -- session.c ------------------------------------------------------------ */

/* @return NULL: no memory. */
struct session *session_create(struct node *n, struct fabric_peer *peer,
                               const char *peer_name,
                               const struct session_opts *opts);
/* Ends what is outstanding with FABRIC_CANCELLED; done() runs inside. */
void session_destroy(struct session *s);

/* Give lanes what may go. */
void session_run(struct session *s);

/* What `lane` had goes to the front of its class. */
void session_take_back(struct session *s, struct session_lane *lane);

/* An operation was answered. */
void session_completed(struct session *s, struct session_lane *lane,
                       struct fabric_op *op, enum fabric_status status);

/* End all that is outstanding, close all lanes, begin a new epoch. */
void session_lose(struct session *s, enum fabric_status status,
                  enum session_state next);

/* -- session_lane.c ------------------------------------------------------- */

/* Dial what is due. */
void session_lane_dial(struct session *s);
/* When the next dial is due, UINT64_MAX: none. */
uint64_t session_lane_next_dial(const struct session *s);

/* Give up a lane that is UP: close it; its operations wait for the fence. */
void session_lane_bury(struct session_lane *lane, const char *why);
/* The same, and see to the fence and to another lane.  It may lose the peer:
 * end what is outstanding and free any lane. */
void session_lane_dead(struct session_lane *lane, const char *why);
/* Free one that is not UP, or whose operations were taken. */
void session_lane_free(struct session_lane *lane);
/* Send the fences that are not sent yet. */
void session_lane_fence(struct session *s);
/* Close and free all of them; operations were taken. */
void session_lane_close_all(struct session *s);

/* Every lane that is UP: 0 begins; NULL ends. */
struct session_lane *session_lane_up(const struct session *s, unsigned *at);

/* -- session_link.c ------------------------------------------------------- */

/* @return 0; -EEXIST; -ENOSPC; -ENOMEM. */
int session_link_add(struct session *s, const struct fabric_address *a);
/* @return 0; -ENOENT. */
int session_link_remove(struct session *s, const struct fabric_address *a);
/* All of them; no lane is left. */
void session_link_free_all(struct session *s);

/* -- session_watch.c ------------------------------------------------------ */

/* See to it that the session is looked at soon. */
void session_watch_soon(struct session *s);
/* The same, and no later than a lane is to be dialled. */
void session_watch_dials(struct session *s);
void session_watch_start(struct session *s);
void session_watch_pong(struct session_lane *lane);

#endif /* FABRIC_SESSION_PRIV_H */
