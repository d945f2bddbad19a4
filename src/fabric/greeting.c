/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/greeting.h"

#include "base/base.h"

#include <errno.h>
#include <string.h>

static void end(struct greeting *g, enum auth_cause cause, int err)
{
	greeting_leave(g);
	g->ended(g, cause, err);
}

/* Send what auth has to say.  @return false: the greeting has ended. */
static bool pump(struct greeting *g)
{
	const void *bytes;
	size_t n = auth_pending(&g->auth, &bytes);
	const struct frame f = { .type = FABRIC_WIRE_AUTH,
		                 .length = (uint32_t)n,
		                 .last = true };

	if (n == 0)
		return true;
	if (lane_control(g->lane, &f, bytes)) {
		end(g, AUTH_CAUSE_GARBAGE, -ENOBUFS);
		return false;
	}
	auth_sent(&g->auth, n);
	return true;
}

/* @return false: the greeting has ended, or its user has taken over. */
static bool settle(struct greeting *g)
{
	if (!pump(g))
		return false;
	if (g->auth.state == AUTH_STATE_DONE && !g->ready) {
		g->ready = true;
		g->authenticated(g);
		return false;
	}
	/* The dialler has nothing to wait for; an acceptor's refusal has to
	 * arrive first. */
	if (g->auth.state == AUTH_STATE_REFUSED &&
	    (g->auth.cause == AUTH_CAUSE_REFUSED ||
	     g->auth.cause == AUTH_CAUSE_BUSY)) {
		end(g, g->auth.cause, -EACCES);
		return false;
	}
	return true;
}

static void take_auth(struct greeting *g, const uint8_t *bytes, size_t n)
{
	while (n) {
		size_t taken = auth_feed(&g->auth, bytes, n);

		if (taken == 0)
			return; /* it has ended: refused, or more than it is */
		bytes += taken;
		n -= taken;
		if (!settle(g))
			return;
	}
}

/* The lane carries frames.  @return 0; a negative errno. */
static int begin(struct greeting *g)
{
	int (*binding)(struct lane *, uint8_t[32]) = g->lane->ops->binding;

	g->terms.binding = binding ? AUTH_BIND_TLS : AUTH_BIND_NOTHING;
	if (binding) {
		int err = binding(g->lane, g->terms.bound_to);

		if (err)
			return err;
	}
	auth_start(&g->auth, g->role, &g->terms);
	return 0;
}

static void lane_is_up(struct lane *l)
{
	struct greeting *g = l->owner_data;
	int err = begin(g);

	if (err)
		end(g, AUTH_CAUSE_INTERNAL, err);
	else
		settle(g);
}

static void took_control(struct lane *l, const struct frame *f,
                         const void *body)
{
	struct greeting *g = l->owner_data;

	if (f->type == FABRIC_WIRE_AUTH && !g->ready)
		take_auth(g, body, f->length);
	else if (f->type != FABRIC_WIRE_AUTH && g->ready)
		g->joined(g, f, body);
	else
		end(g, AUTH_CAUSE_GARBAGE, -EPROTO);
}

static void lane_failed(struct lane *l, int err)
{
	struct greeting *g = l->owner_data;

	enum auth_cause cause = AUTH_CAUSE_CLOSED;

	if (g->auth.state == AUTH_STATE_REFUSED)
		cause = g->auth.cause;
	else if (err == -EKEYREJECTED)
		cause = AUTH_CAUSE_PROOF; /* TLS found out */
	end(g, cause, err);
}

static const struct lane_owner greeting_owner = {
	.up = lane_is_up,
	.control = took_control,
	.failed = lane_failed,
};

static void time_is_up(struct auth_guest *guest)
{
	struct greeting *g = container_of(guest, struct greeting, guest);

	g->ended(g,
	         g->auth.state == AUTH_STATE_REFUSED ? g->auth.cause
	                                             : AUTH_CAUSE_TIME,
	         -ETIMEDOUT);
}

int greeting_start(struct greeting *g, struct lane *lane, enum auth_role role,
                   const struct auth_terms *terms, struct auth_gate *gate)
{
	struct sockaddr_storage local, peer = { 0 };
	int err;

	g->lane = lane;
	g->gate = gate;
	g->ready = false;
	g->terms = *terms;
	g->role = role;
	g->guest = (struct auth_guest){ .expired = time_is_up };
	lane->owner = &greeting_owner;
	lane->owner_data = g;
	/* Transports without addresses count as one. */
	if (role == AUTH_ACCEPTOR)
		lane->ops->addresses(lane, &local, &peer);
	err = auth_gate_enter(gate, &g->guest,
	                      role == AUTH_ACCEPTOR ? &peer : NULL);
	if (err)
		return err;
	memset(&g->auth, 0, sizeof(g->auth));
	return lane->state == LANE_GREETING ? begin(g) : 0;
}

void greeting_leave(struct greeting *g)
{
	auth_gate_leave(&g->guest);
}
