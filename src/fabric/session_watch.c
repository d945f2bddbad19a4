/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session's ticks: suspicion, keep-alive, dials, and when to give up.
 *
 * A lane moves when bytes come in or the peer's machine acknowledges some.
 * One that should move and does not is suspected after half of the deadline;
 * then all lanes are asked for a sign of life.  It is dead when it has not
 * moved for the whole deadline, and another lane was heard in the meantime,
 * some time ago: if the peer was only busy, it answers on all lanes in the
 * same moment.
 */
#include "fabric/session_priv.h"

#include "fabric/lane.h"

#define TICKS_PER_DEADLINE 10u
#define WITNESS_SHARE 5u /* of the deadline, that a witness must be old */

static uint64_t deadline_ns(const struct session *s)
{
	return s->opts.deadline_ms * NS_PER_MS;
}

static uint64_t tick_ns(const struct session *s)
{
	return deadline_ns(s) / TICKS_PER_DEADLINE;
}

static void arm(struct session *s, uint64_t due_ns)
{
	uint64_t now = reactor_now_ns(s->reactor);

	s->tick_due_ns = due_ns > now ? due_ns : now;
	/* Once armed it has its place in the reactor (core/timer.h). */
	timer_start(s->reactor, &s->tick, s->tick_due_ns - now);
}

void session_watch_soon(struct session *s)
{
	uint64_t soon = reactor_now_ns(s->reactor) + tick_ns(s);

	if (!s->closing && (soon < s->tick_due_ns || s->tick.slot == 0))
		arm(s, soon);
}

void session_watch_dials(struct session *s)
{
	uint64_t due = session_lane_next_dial(s);

	session_watch_soon(s);
	if (!s->closing && due < s->tick_due_ns)
		arm(s, due);
}

/* -- pings ---------------------------------------------------------------- */

static void ping(struct session_lane *l, uint64_t now)
{
	const struct frame f = { .type = FABRIC_WIRE_PING,
		                 .sequence = now,
		                 .last = true };

	if (l->ping_ns == 0 && !lane_control(l->lane, &f, NULL))
		l->ping_ns = now;
}

void session_watch_pong(struct session_lane *l)
{
	l->ping_ns = 0;
}

/* All others: one that answers is a witness, and of the same link one that
 * does not is soon suspected itself. */
static void ask_others(struct session *s, const struct session_lane *about,
                       uint64_t now)
{
	struct session_lane *l;
	unsigned at = 0;

	while ((l = session_lane_up(s, &at)))
		if (l != about)
			ping(l, now);
}

static bool other_was_heard(const struct session *s,
                            const struct session_lane *about)
{
	struct session_lane *l;
	unsigned at = 0;

	while ((l = session_lane_up(s, &at)))
		if (l != about && l->lane->heard_ns > about->suspect_ns)
			return true;
	return false;
}

/* -- one lane ------------------------------------------------------------- */

static bool should_move(const struct session_lane *l)
{
	return l->lane->n_pending || l->ping_ns || l->n_carried;
}

static void trust(struct session_lane *l, uint64_t now)
{
	l->moved_ns = now;
	l->suspect_ns = 0;
	l->witness_ns = 0;
}

/* @return whether it is dead. */
static bool look_at(struct session *s, struct session_lane *l, uint64_t now)
{
	const struct lane_stats *st = &l->lane->stats;
	uint64_t moved = st->bytes_received + st->bytes_sent -
	                 l->lane->ops->unacknowledged(l->lane);

	if (moved != l->moved || !should_move(l)) {
		l->moved = moved;
		trust(l, now);
		if (now - l->lane->heard_ns >= s->opts.keepalive_ms * NS_PER_MS)
			ping(l, now);
		return false;
	}
	if (now - l->moved_ns < deadline_ns(s) / 2)
		return false;
	if (!l->suspect_ns) {
		l->suspect_ns = now;
		ping(l, now);
		ask_others(s, l, now);
		return false;
	}
	if (!l->witness_ns) {
		if (other_was_heard(s, l))
			l->witness_ns = now;
		else
			ask_others(s, l, now);
		return false;
	}
	return now - l->witness_ns >= deadline_ns(s) / WITNESS_SHARE &&
	       now - l->moved_ns >= deadline_ns(s);
}

/* -- the session ---------------------------------------------------------- */

/* @return false: the peer was lost in it. */
static bool look_at_lanes(struct session *s, uint64_t now)
{
	uint64_t epoch = s->epoch;
	struct session_lane *l;
	unsigned at = 0;

	while ((l = session_lane_up(s, &at))) {
		if (!look_at(s, l, now))
			continue;
		session_lane_dead(l, "it was silent while others were not");
		if (s->epoch != epoch)
			return false;
		at = 0; /* the walk has lost its place */
	}
	return true;
}

static bool is_busy(const struct session *s)
{
	struct session_lane *l;
	unsigned at = 0;

	if (s->n_outstanding || s->n_dead)
		return true;
	while ((l = session_lane_up(s, &at)))
		if (should_move(l))
			return true;
	return false;
}

/* When anything was last heard; a session that waits for nothing is content
 * with silence. */
static void note_heard(struct session *s, uint64_t now)
{
	struct session_lane *l;
	unsigned at = 0;
	bool any = false;

	while ((l = session_lane_up(s, &at))) {
		any = true;
		if (l->lane->heard_ns > s->heard_ns)
			s->heard_ns = l->lane->heard_ns;
	}
	if (any && !is_busy(s))
		s->heard_ns = now;
}

/* What was heard after the tick was due is no more than new. */
static uint64_t later(uint64_t when, uint64_t by, uint64_t now)
{
	return when + by < now ? when + by : now;
}

/* The reactor was late: what looks like silence may wait to be read. */
static void forgive(struct session *s, uint64_t now)
{
	struct session_lane *l;
	unsigned at = 0;

	if (now - s->tick_due_ns < tick_ns(s) || s->tick_due_ns > now)
		return;
	while ((l = session_lane_up(s, &at)))
		l->moved_ns = later(l->moved_ns, now - s->tick_due_ns, now);
	s->heard_ns = later(s->heard_ns, now - s->tick_due_ns, now);
}

static uint64_t next_tick(struct session *s, uint64_t now)
{
	uint64_t next = now + s->opts.keepalive_ms * NS_PER_MS / 2;
	uint64_t dial = session_lane_next_dial(s);

	/* Work that comes and goes is watched without arming for each. */
	if (is_busy(s) || s->submits_seen != s->n_submitted)
		next = now + tick_ns(s);
	s->submits_seen = s->n_submitted;
	return dial < next ? dial : next;
}

static void tick(struct timer *t)
{
	struct session *s = container_of(t, struct session, tick);
	uint64_t now = reactor_now_ns(s->reactor);

	forgive(s, now);
	note_heard(s, now);
	if (s->state != SESSION_LOST &&
	    now - s->heard_ns > s->opts.lost_after_ms * NS_PER_MS)
		session_lose(s, FABRIC_TIMED_OUT, SESSION_LOST);
	if (look_at_lanes(s, now)) {
		session_lane_fence(s);
		session_lane_dial(s);
	}
	arm(s, next_tick(s, now));
}

void session_watch_start(struct session *s)
{
	s->tick.fire = tick;
	s->heard_ns = reactor_now_ns(s->reactor);
	arm(s, s->heard_ns);
}
