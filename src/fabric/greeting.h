/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric/greeting - a lane's first exchange: both sides authenticate.
 *
 *      start            lane is up           auth is done
 *     ------> (lane CONNECTING) -> AUTH frames ----------> authenticated()
 *                       |               |                       |
 *                       '---------------'--> ended() <----------'
 *                                                    JOIN, JOINED, REFUSED:
 *                                                    joined()
 *
 * Concept.  It carries fabric/auth.h's bytes in AUTH frames over a lane in
 * GREETING and keeps it in the bounds of fabric/auth_gate.h.  When the two
 * know each other it gives the frames that follow to its user, who takes the
 * lane over (sets lane->owner, calls greeting_leave) or destroys it.
 *
 * A refusal is sent and the lane kept until the other side closes or its
 * time is up, so that it arrives.
 */
#ifndef FABRIC_GREETING_H
#define FABRIC_GREETING_H

#include "fabric/auth.h"
#include "fabric/auth_gate.h"
#include "fabric/lane.h"

struct greeting {
	/* the user's, set before start; they may destroy the greeting */
	void (*authenticated)(struct greeting *g);
	void (*joined)(struct greeting *g, const struct frame *f,
	               const void *body);
	/* The lane has failed (err) or the handshake has (cause); the user
	 * destroys the lane. */
	void (*ended)(struct greeting *g, enum auth_cause cause, int err);

	/* valid from authenticated() on */
	struct auth auth;

	/* greeting's own */
	struct lane *lane;
	struct auth_gate *gate;
	struct auth_terms terms;
	struct auth_guest guest;
	enum auth_role role;
	bool ready; /* authenticated() has been called */
};

/*
 * The lane is CONNECTING or, when it was accepted, perhaps GREETING already.
 * `terms` are copied; their binding is set here: to TLS where the lane has it,
 * else to nothing, because a path may translate addresses.
 *
 * @return 0; -EBUSY: the gate is full; -ENOMEM.
 */
int greeting_start(struct greeting *g, struct lane *lane, enum auth_role role,
                   const struct auth_terms *terms, struct auth_gate *gate);

/* Leave the gate; the lane is the user's alone. */
void greeting_leave(struct greeting *g);

#endif /* FABRIC_GREETING_H */
