/* SPDX-License-Identifier: BSD-2-Clause */
/* A session's lanes: dial, join, die, fence. */
#include "fabric/session_priv.h"

#include "fabric/node_priv.h"
#include "fabric/transport.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF_FIRST_MS 10u
#define BACKOFF_MAX_MS 1000u
#define CONNECT_MS 1000u /* then a new attempt is better than this one */

static struct session_slot *slot_of(const struct session_lane *l)
{
	return l->home ? &l->home->slots[l->class] : NULL;
}

struct session_lane *session_lane_up(const struct session *s, unsigned *at)
{
	unsigned i = 0;

	LIST_FOREACH (l, &s->links) {
		struct session_link *k =
			list_entry(l, struct session_link, link);

		for (unsigned c = 0; c < FABRIC_CLASSES; c++) {
			if (!k->slots[c].up || i++ < *at)
				continue;
			*at = i;
			return k->slots[c].up;
		}
	}
	return NULL;
}

/* -- fences --------------------------------------------------------------- */

/* The lane to send FENCE on: of which the newest sign of life is. */
static struct session_lane *carrier(struct session *s)
{
	struct session_lane *l, *best = NULL;
	unsigned at = 0;

	while ((l = session_lane_up(s, &at))) {
		if (l->lane->state != LANE_OUTGOING)
			continue;
		if (!best || l->lane->heard_ns > best->lane->heard_ns)
			best = l;
	}
	return best;
}

void session_lane_fence(struct session *s)
{
	struct session_lane *on = carrier(s);
	uint8_t body[FABRIC_WIRE_CONTROL_MAX];
	uint64_t numbers[FABRIC_WIRE_FENCES];
	struct frame f = { .type = FABRIC_WIRE_FENCE, .last = true };
	unsigned n = 0;

	if (!on)
		return;
	LIST_FOREACH (l, &s->dead) {
		struct session_lane *d =
			list_entry(l, struct session_lane, link);

		if (!d->carrier && n < FABRIC_WIRE_FENCES)
			numbers[n++] = d->number;
	}
	if (n == 0)
		return;
	f.length = (uint32_t)frame_encode_fence(numbers, n, body);
	if (lane_control(on->lane, &f, body))
		return; /* at the next tick */
	on->n_carried += n;
	LIST_FOREACH (l, &s->dead) {
		struct session_lane *d =
			list_entry(l, struct session_lane, link);

		if (!d->carrier && n > 0) {
			d->carrier = on->number;
			n--;
		}
	}
	s->stats.fences++;
	session_watch_dials(s);
}

static void fenced(struct session *s, struct session_lane *on,
                   const struct frame *f, const void *body)
{
	uint64_t numbers[FABRIC_WIRE_FENCES];
	int n = frame_decode_fence(body, f->length, numbers);

	if (n < 0) {
		session_lane_dead(on, "it sent a bad frame");
		return;
	}
	LIST_FOREACH (l, &s->dead) {
		struct session_lane *d =
			list_entry(l, struct session_lane, link);

		for (int i = 0; i < n; i++) {
			if (d->number != numbers[i] || d->carrier != on->number)
				continue;
			on->n_carried--;
			session_take_back(s, d);
			session_lane_free(d);
			break;
		}
	}
	session_run(s);
}

/* -- a lane's end --------------------------------------------------------- */

static void keep_stats(struct session_lane *l)
{
	if (!l->home || !l->lane)
		return;
	l->home->ops += l->lane->stats.ops;
	l->home->bytes_sent += l->lane->stats.bytes_sent;
	l->home->bytes_received += l->lane->stats.bytes_received;
}

void session_lane_free(struct session_lane *l)
{
	struct session_slot *slot = slot_of(l);

	assert(list_empty(&l->ops));
	if (l->state == SESSION_LANE_DEAD) {
		list_remove(&l->link);
		l->session->n_dead--;
	}
	if (slot && slot->dialling == l)
		slot->dialling = NULL;
	if (slot && slot->up == l)
		slot->up = NULL;
	keep_stats(l);
	greeting_leave(&l->greeting);
	lane_destroy(l->lane);
	free(l);
}

/* Fences that went on it have to go on another. */
static void drop_carried(struct session *s, uint64_t number)
{
	LIST_FOREACH (l, &s->dead) {
		struct session_lane *d =
			list_entry(l, struct session_lane, link);

		if (d->carrier == number)
			d->carrier = 0;
	}
}

void session_lane_bury(struct session_lane *l, const char *why)
{
	struct session *s = l->session;
	struct session_slot *slot = slot_of(l);

	assert(l->state == SESSION_LANE_UP);
	lane_take_pending(l->lane, &l->ops);
	keep_stats(l);
	lane_destroy(l->lane);
	l->lane = NULL;
	l->state = SESSION_LANE_DEAD;
	list_append(&s->dead, &l->link);
	s->n_dead++;
	s->stats.lanes_lost++;
	if (slot->up == l) { /* no other has taken its place */
		slot->up = NULL;
		slot->backoff_ms = 0;
		slot->retry_ns = reactor_now_ns(s->reactor);
		l->home->why = why;
	}
	l->home->times_lost++;
	l->home = NULL;
	drop_carried(s, l->number);
}

void session_lane_dead(struct session_lane *l, const char *why)
{
	struct session *s = l->session;

	session_lane_bury(l, why);
	session_lane_fence(s);
	session_lane_dial(s);
	session_watch_dials(s);
}

void session_lane_close_all(struct session *s)
{
	LIST_FOREACH (l, &s->dead)
		session_lane_free(list_entry(l, struct session_lane, link));
	LIST_FOREACH (l, &s->links) {
		struct session_link *k =
			list_entry(l, struct session_link, link);

		for (unsigned c = 0; c < FABRIC_CLASSES; c++) {
			struct session_slot *slot = &k->slots[c];

			if (slot->up)
				session_lane_free(slot->up);
			if (slot->dialling)
				session_lane_free(slot->dialling);
			slot->retry_ns = reactor_now_ns(s->reactor);
			slot->backoff_ms = 0;
		}
	}
}

/* -- lanes that are up ---------------------------------------------------- */

static void up_control(struct lane *lane, const struct frame *f,
                       const void *body)
{
	struct session_lane *l = lane->owner_data;

	if (f->type == FABRIC_WIRE_PONG)
		session_watch_pong(l);
	else if (f->type == FABRIC_WIRE_FENCED)
		fenced(l->session, l, f, body);
}

static void up_completed(struct lane *lane, struct fabric_op *op,
                         enum fabric_status status)
{
	struct session_lane *l = lane->owner_data;

	session_completed(l->session, l, op, status);
}

static void up_failed(struct lane *lane, int err)
{
	struct session_lane *l = lane->owner_data;

	session_lane_dead(l, err == -EPIPE        ? "the peer closed it"
	                     : err == -ECONNRESET ? "the connection was reset"
	                     : err == -EBADMSG || err == -EPROTO
	                             ? "it sent a bad frame"
	                             : "the connection failed");
}

static const struct lane_owner up_owner = { .control = up_control,
	                                    .completed = up_completed,
	                                    .failed = up_failed };

/* -- dialling ------------------------------------------------------------- */

/* Nobody listens at any of the peer's addresses, and no lane is left. */
static bool peer_is_gone(const struct session *s)
{
	unsigned at = 0;

	if (s->state != SESSION_UP || session_lane_up(s, &at) ||
	    s->n_links == 0)
		return false;
	LIST_FOREACH (l, &s->links)
		if (!list_entry(l, struct session_link, link)->refused)
			return false;
	return true;
}

static void dial_failed(struct session_lane *l, int err, const char *why)
{
	struct session *s = l->session;
	struct session_link *k = l->home;
	struct session_slot *slot = slot_of(l);

	slot->backoff_ms =
		slot->backoff_ms ? slot->backoff_ms * 2 : BACKOFF_FIRST_MS;
	if (slot->backoff_ms > BACKOFF_MAX_MS)
		slot->backoff_ms = BACKOFF_MAX_MS;
	slot->retry_ns =
		reactor_now_ns(s->reactor) + slot->backoff_ms * NS_PER_MS;
	k->refused = err == -ECONNREFUSED;
	if (!slot->up)
		k->why = why;
	session_lane_free(l);
	if (peer_is_gone(s))
		session_lose(s, FABRIC_PEER_LOST, SESSION_LOST);
	session_watch_dials(s);
}

static const char *words(int err)
{
	switch (err) {
	case -ECONNREFUSED:
		return "nobody listens there";
	case -ETIMEDOUT:
		return "no answer";
	case -ENETUNREACH:
	case -EHOSTUNREACH:
		return "no route";
	case -EPIPE:
	case -ECONNRESET:
		return "the peer closed it";
	case -EKEYREJECTED:
		return auth_cause_text(AUTH_CAUSE_PROOF);
	default:
		return "the connection failed";
	}
}

static void greeting_ended(struct greeting *g, enum auth_cause cause, int err)
{
	struct session_lane *l = container_of(g, struct session_lane, greeting);

	node_count_cause(l->session->node, cause);
	dial_failed(l, err,
	            cause == AUTH_CAUSE_CLOSED || cause == AUTH_CAUSE_TIME
	                    ? words(err)
	                    : auth_cause_text(cause));
}

static void say_join(struct greeting *g)
{
	struct session_lane *l = container_of(g, struct session_lane, greeting);
	uint8_t body[FABRIC_WIRE_CONTROL_MAX];
	struct frame f = { .type = FABRIC_WIRE_JOIN, .last = true };
	struct frame_join j = { .class = l->class,
		                .window = SESSION_WINDOW,
		                .epoch = l->session->epoch,
		                .lane = l->number };

	j.n_addresses = node_listeners(l->session->node, j.address);
	f.length = (uint32_t)frame_encode_join(&j, body);
	if (lane_control(l->lane, &f, body))
		dial_failed(l, -ENOBUFS, "the connection failed");
}

/* @return false: it is the answer of a process that this epoch was not with,
 * and the lane is gone. */
static bool same_process(struct session *s, struct session_lane *l)
{
	const struct auth_identity *who = &l->greeting.auth.peer;
	bool same_node = node_peer_is(s->peer, who->id);
	unsigned at = 0;

	if (!same_node && session_lane_up(s, &at)) {
		dial_failed(l, -EEXIST, "another node has the peer's name");
		return false;
	}
	node_peer_adopt(s->peer, who->id);
	if (s->peer_boot == 0)
		s->peer_boot = who->boot;
	else if (same_node && who->boot < s->peer_boot) {
		dial_failed(l, -EPROTO, "an older process answers");
		return false;
	}
	if (same_node && who->boot == s->peer_boot)
		return true;
	s->stats.restarts++;
	session_lose(s, FABRIC_PEER_LOST, SESSION_CONNECTING); /* frees l */
	session_lane_dial(s);
	return false;
}

static void is_up(struct session *s, struct session_lane *l)
{
	struct session_slot *slot = slot_of(l);
	struct session_lane *old = slot->up;

	l->state = SESSION_LANE_UP;
	l->moved_ns = reactor_now_ns(s->reactor);
	l->lane->owner = &up_owner;
	l->lane->owner_data = l;
	greeting_leave(&l->greeting);
	slot->dialling = NULL;
	slot->up = l;
	slot->backoff_ms = 0;
	l->home->refused = false;
	l->home->why = "";
	s->heard_ns = l->moved_ns;
	if (old)
		session_lane_dead(old, "it was silent");
	if (s->state != SESSION_UP) {
		s->state = SESSION_UP;
		node_peer_reached(s->node, s->peer, true);
	}
	session_lane_fence(s);
	session_run(s);
	session_watch_dials(s);
}

static void joined(struct greeting *g, const struct frame *f, const void *body)
{
	struct session_lane *l = container_of(g, struct session_lane, greeting);
	struct session *s = l->session;
	struct frame_join j;

	if (f->type == FABRIC_WIRE_REFUSED) {
		dial_failed(l, -EACCES,
		            f->status == FABRIC_BUSY ? "the peer has no room"
		                                     : "the peer refused us");
		return;
	}
	if (f->type != FABRIC_WIRE_JOINED ||
	    frame_decode_join(body, f->length, &j) || j.epoch != s->epoch ||
	    j.lane != l->number || j.class != l->class) {
		dial_failed(l, -EPROTO, "it sent a bad frame");
		return;
	}
	if (!same_process(s, l))
		return;
	if (lane_open(l->lane, NULL)) {
		dial_failed(l, -ENOMEM, "no memory");
		return;
	}
	is_up(s, l);
}

/* @return NULL: no memory. */
static struct session_lane *new_lane(struct session *s, struct session_link *k,
                                     enum fabric_class class)
{
	struct session_lane *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->session = s;
	l->home = k;
	l->class = class;
	l->number = s->next_lane++;
	l->dialled_ns = reactor_now_ns(s->reactor);
	list_init(&l->link);
	list_init(&l->ops);
	l->greeting.authenticated = say_join;
	l->greeting.joined = joined;
	l->greeting.ended = greeting_ended;
	return l;
}

static void dial(struct session *s, struct session_link *k,
                 enum fabric_class class)
{
	struct transport *t = node_transport(s->node, k->address.scheme);
	struct session_lane *l = new_lane(s, k, class);
	struct auth_terms terms;
	int err;

	if (!l)
		return;
	k->slots[class].dialling = l;
	err = t ? t->dial(t, s->reactor, &k->address, &l->lane, NULL)
	        : -EPROTONOSUPPORT;
	if (err) {
		dial_failed(l, err, t ? words(err) : "no such transport here");
		return;
	}
	l->lane->class = class;
	node_terms(s->node, &terms);
	terms.expect = s->peer_name;
	err = greeting_start(&l->greeting, l->lane, AUTH_DIALLER, &terms,
	                     &s->node->gate);
	if (err)
		dial_failed(l, err, "no memory");
}

/* Whether a lane beside the silent one is wanted: see session.h. */
static bool wants_lane(const struct session *s, const struct session_slot *slot)
{
	uint64_t patience = 4 * s->opts.deadline_ms * NS_PER_MS;

	if (slot->dialling)
		return false;
	return !slot->up ||
	       (slot->up->suspect_ns &&
	        reactor_now_ns(s->reactor) - slot->up->suspect_ns > patience);
}

void session_lane_dial(struct session *s)
{
	uint64_t now = reactor_now_ns(s->reactor);
	uint64_t epoch = s->epoch;

	if (s->closing)
		return;
	LIST_FOREACH (l, &s->links) {
		struct session_link *k =
			list_entry(l, struct session_link, link);

		for (unsigned c = 0; c < FABRIC_CLASSES; c++) {
			struct session_slot *slot = &k->slots[c];

			if (slot->dialling &&
			    slot->dialling->lane->state == LANE_CONNECTING &&
			    now - slot->dialling->dialled_ns >
			            CONNECT_MS * NS_PER_MS)
				dial_failed(slot->dialling, -ETIMEDOUT,
				            words(-ETIMEDOUT));
			else if (wants_lane(s, slot) && slot->retry_ns <= now &&
			         s->n_dead < FABRIC_WIRE_FENCES)
				dial(s, k, (enum fabric_class)c);
			if (s->epoch != epoch)
				return; /* lost: begun anew */
		}
	}
}

uint64_t session_lane_next_dial(const struct session *s)
{
	uint64_t next = UINT64_MAX;

	LIST_FOREACH (l, &s->links) {
		struct session_link *k =
			list_entry(l, struct session_link, link);

		for (unsigned c = 0; c < FABRIC_CLASSES; c++) {
			const struct session_slot *slot = &k->slots[c];
			uint64_t due = UINT64_MAX;

			if (slot->dialling)
				due = slot->dialling->dialled_ns +
				      CONNECT_MS * NS_PER_MS + 1;
			else if (!slot->up)
				due = slot->retry_ns;
			if (due < next)
				next = due;
		}
	}
	return next;
}
