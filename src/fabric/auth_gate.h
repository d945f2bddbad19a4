/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric/auth_gate - how many strangers may stand at the door, and how long.
 *
 * Concept.  A connection that has not authenticated is *half-open*.  Its
 * owner embeds a struct auth_guest, enters it at the gate when the connection
 * is accepted or dialled, and lets it leave when the handshake has ended
 * either way.  A guest that stays longer than AUTH_TIME_LIMIT_MS is told to
 * go, however busily it sends bytes.
 *
 * When the gate is full, a newcomer takes the place of the oldest guest from
 * the address with most of them, if that one is older than AUTH_GRACE_MS: an
 * honest handshake takes less, so that whoever sits on half-open connections
 * does not keep the others out.  Otherwise the newcomer is turned away.
 *
 * Threads    One reactor's.
 * Ownership  Guests are embedded in their owners; nothing is allocated.
 *
 * Invariants
 *   AG1  at most AUTH_GUESTS_MAX guests that came by themselves, and
 *        AUTH_GUESTS_PER_ADDRESS of one address, are inside;
 *   AG2  expired() is called at most once for a guest, which has left the
 *        gate then, and never inside auth_gate_enter() of the same guest;
 *   AG3  no guest is inside for longer than AUTH_TIME_LIMIT_MS and one turn
 *        of the reactor.
 */
#ifndef FABRIC_AUTH_GATE_H
#define FABRIC_AUTH_GATE_H

#include "base/list.h"
#include "core/timer.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define AUTH_TIME_LIMIT_MS 3000u
#define AUTH_GRACE_MS 250u
#define AUTH_GUESTS_MAX 128u
#define AUTH_GUESTS_PER_ADDRESS 32u

struct reactor;

struct auth_guest {
	void (*expired)(struct auth_guest *g); /* close it; set by the owner */

	/* gate's own */
	struct auth_gate *gate; /* NULL: not inside */
	struct list link;       /* oldest first */
	uint64_t entered_ns;
	bool dialled;        /* by us: not counted */
	uint8_t address[16]; /* IPv4 is mapped */
};

struct auth_gate {
	struct reactor *reactor;
	struct timer timer;
	struct list guests;
	unsigned n_guests; /* that came by themselves */

	/* counters for the operator */
	uint64_t n_entered;
	uint64_t n_turned_away; /* full */
	uint64_t n_displaced;   /* made room for a newcomer */
	uint64_t n_timed_out;
};

void auth_gate_init(struct auth_gate *g, struct reactor *r);

/* Every guest has left. */
void auth_gate_fini(struct auth_gate *g);

/*
 * `from` is the peer's address; NULL for a connection that we dialled, for
 * which only the time limit holds.
 *
 * @return 0; -EBUSY: turned away; -ENOMEM.
 */
int auth_gate_enter(struct auth_gate *g, struct auth_guest *guest,
                    const struct sockaddr_storage *from);

/* No effect on one that is not inside. */
void auth_gate_leave(struct auth_guest *guest);

#endif /* FABRIC_AUTH_GATE_H */
