/* SPDX-License-Identifier: BSD-2-Clause */
#include "subnet/election.h"

#include <stddef.h>

bool election_allows(const struct election *e, uint64_t guid)
{
	for (unsigned i = 0; i < e->n_allow; i++)
		if (e->allow[i] == guid)
			return true;
	return e->n_allow == 0;
}

static bool is_proven(const struct election *e, uint64_t guid)
{
	for (unsigned i = 0; i < e->n_proven && i < ELECTION_PEERS; i++)
		if (e->proven[i] == guid)
			return true;
	return !e->has_key;
}

void election_prove(struct election *e, uint64_t guid)
{
	if (e->has_key && !is_proven(e, guid))
		e->proven[e->n_proven++ % ELECTION_PEERS] = guid;
}

static bool better(const struct election_peer *p, const struct election *e)
{
	if (p->priority != e->priority)
		return p->priority > e->priority;
	return p->guid < e->guid;
}

void election_begin(struct election *e, uint32_t pass)
{
	(void)pass;
	e->handing_over = false;
}

static struct election_peer *find(struct election *e, uint64_t guid)
{
	for (unsigned i = 0; i < e->n_peers; i++)
		if (e->peer[i].guid == guid)
			return &e->peer[i];
	return NULL;
}

bool election_saw(struct election *e, const struct election_peer *p)
{
	struct election_peer *had;

	if (p->guid == e->guid)
		return true;
	if (!election_allows(e, p->guid)) {
		e->strangers++;
		return false;
	}
	had = find(e, p->guid);
	if (!had) {
		/* More managers than anybody runs: the last one counts. */
		if (e->n_peers == ELECTION_PEERS)
			e->n_peers--;
		had = &e->peer[e->n_peers++];
	}
	*had = *p;
	return true;
}

static enum election_action stand_by(struct election *e, unsigned master)
{
	e->state = ELECTION_STANDBY;
	e->master = master;
	e->silent = 0;
	e->handing_over = false;
	return ELECTION_BECAME_STANDBY;
}

/* Peers that the pass did not meet are gone. */
static void forget(struct election *e, uint32_t pass)
{
	unsigned n = 0;

	for (unsigned i = 0; i < e->n_peers; i++)
		if (e->peer[i].seen == pass)
			e->peer[n++] = e->peer[i];
	e->n_peers = n;
}

/* The best peer in a state; n_peers: none. */
static unsigned best_in(const struct election *e, enum election_state state)
{
	unsigned best = e->n_peers;

	for (unsigned i = 0; i < e->n_peers; i++) {
		const struct election_peer *p = &e->peer[i];
		const struct election_peer *b = &e->peer[best];

		if (p->state != state)
			continue;
		if (best == e->n_peers || p->priority > b->priority ||
		    (p->priority == b->priority && p->guid < b->guid))
			best = i;
	}
	return best;
}

static enum election_action meet_master(struct election *e, unsigned at)
{
	if (e->state == ELECTION_DISCOVERING)
		return stand_by(e, at);
	/* A worse one will hand over to us. */
	if (!better(&e->peer[at], e) || !is_proven(e, e->peer[at].guid))
		return ELECTION_NOTHING;
	e->other = at;
	stand_by(e, at);
	return ELECTION_RESIGN;
}

enum election_action election_decide(struct election *e, uint32_t pass)
{
	unsigned at;

	if (e->state != ELECTION_DISCOVERING && e->state != ELECTION_MASTER)
		return ELECTION_NOTHING;
	forget(e, pass);
	at = best_in(e, ELECTION_MASTER);
	if (at < e->n_peers)
		return meet_master(e, at);
	if (e->state == ELECTION_DISCOVERING) {
		at = best_in(e, ELECTION_DISCOVERING);
		if (at < e->n_peers && better(&e->peer[at], e))
			return stand_by(e, at);
		e->state = ELECTION_MASTER;
		e->master = e->n_peers;
		return ELECTION_BECAME_MASTER;
	}
	at = best_in(e, ELECTION_STANDBY);
	if (at < e->n_peers && better(&e->peer[at], e) &&
	    is_proven(e, e->peer[at].guid)) {
		e->other = at;
		e->handing_over = true;
		return ELECTION_HAND_OVER;
	}
	return ELECTION_NOTHING;
}

static enum election_action discover(struct election *e)
{
	e->state = ELECTION_DISCOVERING;
	e->master = e->n_peers;
	e->silent = 0;
	return ELECTION_DISCOVER;
}

enum election_action election_polled(struct election *e,
                                     const struct election_peer *p)
{
	if (e->state != ELECTION_STANDBY)
		return ELECTION_NOTHING;
	/* One that is about to discover is given the time of some polls. */
	if (p && p->state == ELECTION_MASTER) {
		e->silent = 0;
		if (e->master < e->n_peers)
			e->peer[e->master].state = ELECTION_MASTER;
		return ELECTION_NOTHING;
	}
	if (++e->silent < e->poll_tries)
		return ELECTION_NOTHING;
	return discover(e);
}

static enum election_action take_over(struct election *e, unsigned from)
{
	e->other = from;
	if (e->state == ELECTION_MASTER)
		return ELECTION_ACKNOWLEDGE;
	discover(e);
	return ELECTION_ACKNOWLEDGE;
}

enum election_action election_told(struct election *e,
                                   const struct election_peer *from,
                                   enum election_control control, bool *ok)
{
	unsigned at;

	*ok = election_saw(e, from) && from->guid != e->guid;
	if (!*ok)
		return ELECTION_NOTHING;
	at = (unsigned)(find(e, from->guid) - e->peer);
	switch (control) {
	case ELECTION_HANDOVER:
		*ok = e->state == ELECTION_STANDBY ||
		      e->state == ELECTION_MASTER ||
		      e->state == ELECTION_DISCOVERING;
		return *ok ? take_over(e, at) : ELECTION_NOTHING;
	case ELECTION_ACK:
		*ok = e->state == ELECTION_MASTER && e->handing_over;
		return *ok ? stand_by(e, at) : ELECTION_NOTHING;
	case ELECTION_DISABLE:
		*ok = e->state == ELECTION_STANDBY;
		if (*ok)
			e->state = ELECTION_NOT_ACTIVE;
		return ELECTION_NOTHING;
	case ELECTION_TO_STANDBY:
		*ok = e->state == ELECTION_NOT_ACTIVE;
		return *ok ? stand_by(e, at) : ELECTION_NOTHING;
	case ELECTION_TO_DISCOVER:
		*ok = e->state == ELECTION_STANDBY;
		return *ok ? discover(e) : ELECTION_NOTHING;
	}
	*ok = false;
	return ELECTION_NOTHING;
}
