/* SPDX-License-Identifier: BSD-2-Clause */
/* A node's accepting side: arrivals, and the lanes through which peers ask. */
#include "fabric/node_priv.h"
#include "fabric/session_priv.h"

#include "core/log.h"
#include "core/reactor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* docs/wire-fabric.md: a lane on which nothing comes in for so long ends. */
#define SILENT_NS (60 * NS_PER_S)
#define SWEEP_NS (10 * NS_PER_S)

/* -- lanes of peers ------------------------------------------------------- */

static void drop_incoming(struct incoming *i)
{
	list_remove(&i->link);
	i->peer->n_incoming--;
	lane_destroy(i->lane);
	free(i);
}

void node_accept_drop(struct fabric_peer *p)
{
	struct target_stats s;

	LIST_FOREACH (l, &p->incoming)
		drop_incoming(list_entry(l, struct incoming, link));
	if (!p->target)
		return;
	target_stats(p->target, &s);
	p->past.requests += s.requests;
	p->past.repeated += s.repeated;
	p->past.refused += s.refused;
	p->past.bytes_read += s.bytes_read;
	p->past.bytes_written += s.bytes_written;
	target_destroy(p->target);
	p->target = NULL;
}

static struct incoming *find_incoming(struct fabric_peer *p, uint64_t number)
{
	LIST_FOREACH (l, &p->incoming) {
		struct incoming *i = list_entry(l, struct incoming, link);

		if (i->number == number)
			return i;
	}
	return NULL;
}

/* G3: they are closed, then it is said.  @return false: `on` is gone. */
static bool fence(struct incoming *on, const struct frame *f, const void *body)
{
	uint64_t numbers[FABRIC_WIRE_FENCES];
	struct frame answer = *f;
	int n = frame_decode_fence(body, f->length, numbers);

	for (int k = 0; k < n; k++) {
		struct incoming *i = find_incoming(on->peer, numbers[k]);

		if (i == on)
			return false; /* it cannot confirm its own end */
		if (i)
			drop_incoming(i);
	}
	answer.type = FABRIC_WIRE_FENCED;
	return n > 0 && !lane_control(on->lane, &answer, body);
}

static void incoming_control(struct lane *lane, const struct frame *f,
                             const void *body)
{
	struct incoming *i = lane->owner_data;

	if (f->type == FABRIC_WIRE_FENCE && fence(i, f, body))
		return;
	i->peer->node->stats.bad_frames++;
	drop_incoming(i);
}

static void incoming_failed(struct lane *lane, int err)
{
	struct incoming *i = lane->owner_data;

	if (err == -EBADMSG || err == -EPROTO)
		i->peer->node->stats.bad_frames++;
	drop_incoming(i);
}

static const struct lane_owner incoming_owner = {
	.control = incoming_control,
	.failed = incoming_failed,
};

void node_accept_sweep(struct timer *t)
{
	struct node *n = container_of(t, struct node, sweep);
	uint64_t now = reactor_now_ns(n->opts.reactor);
	bool any = false;

	LIST_FOREACH (l, &n->peers) {
		struct fabric_peer *p = list_entry(l, struct fabric_peer, link);

		LIST_FOREACH (k, &p->incoming) {
			struct incoming *i =
				list_entry(k, struct incoming, link);

			any = true;
			if (now - i->lane->heard_ns > SILENT_NS)
				drop_incoming(i);
		}
	}
	if (any)
		timer_start(n->opts.reactor, t, SWEEP_NS);
}

/* -- joining -------------------------------------------------------------- */

static void drop_arrival(struct arrival *a)
{
	list_remove(&a->link);
	greeting_leave(&a->greeting);
	lane_destroy(a->lane);
	free(a);
}

void node_accept_close_all(struct node *n)
{
	LIST_FOREACH (l, &n->arrivals)
		drop_arrival(list_entry(l, struct arrival, link));
}

/* The dialler closes when it has it, or the gate's time is up. */
static void refuse(struct arrival *a, enum fabric_status status)
{
	const struct frame f = { .type = FABRIC_WIRE_REFUSED,
		                 .status = status,
		                 .last = true };

	a->refused = true;
	if (status == FABRIC_BUSY)
		a->node->stats.refused_full++;
	else
		a->node->stats.refused_stale++;
	if (lane_control(a->lane, &f, NULL))
		drop_arrival(a);
}

/* Dial back to where a peer says that it listens, if we may. */
static void learn_links(struct fabric_peer *p, struct lane *lane,
                        const struct frame_join *j)
{
	struct sockaddr_storage local, remote;

	if (p->configured)
		return;
	for (unsigned i = 0; i < j->n_addresses; i++) {
		struct fabric_address a = j->address[i];
		uint16_t port = a.port;

		if (!node_transport(p->node, a.scheme))
			continue;
		if (a.any) {
			if (lane->ops->addresses(lane, &local, &remote) ||
			    address_from_socket(&remote, &a))
				continue;
			a.port = port;
		}
		session_link_add(p->session, &a);
	}
}

/*
 * The peer's target for this (boot, epoch); a newer one ends what was there.
 *
 * @return FABRIC_OK, or why not.
 */
static enum fabric_status enter_epoch(struct fabric_peer *p,
                                      const struct auth_identity *who,
                                      const struct frame_join *j)
{
	bool newer = !p->target || !node_peer_is(p, who->id) ||
	             who->boot > p->boot ||
	             (who->boot == p->boot && j->epoch > p->epoch);

	/* D3: another node of this name, while the first is here. */
	if (!node_peer_is(p, who->id) && (p->n_incoming || p->reached))
		return FABRIC_DENIED;
	if (!newer)
		return who->boot == p->boot && j->epoch == p->epoch
		               ? FABRIC_OK
		               : FABRIC_REVOKED; /* D4 */
	node_accept_drop(p);
	p->target = target_create(p->node->opts.service, p);
	if (!p->target)
		return FABRIC_BUSY;
	node_peer_adopt(p, who->id);
	p->boot = who->boot;
	p->epoch = j->epoch;
	return FABRIC_OK;
}

static enum fabric_status may_join(struct fabric_peer *p,
                                   const struct auth_identity *who,
                                   const struct frame_join *j)
{
	enum fabric_status status;

	if (!p)
		return FABRIC_BUSY;
	if (j->window == 0 || j->window > SESSION_WINDOW)
		return FABRIC_PROTOCOL;
	status = enter_epoch(p, who, j);
	if (status != FABRIC_OK)
		return status;
	if (p->n_incoming == NODE_LANES)
		return FABRIC_BUSY;
	return find_incoming(p, j->lane) ? FABRIC_PROTOCOL : FABRIC_OK;
}

static struct incoming *let_in(struct arrival *a, struct fabric_peer *p,
                               const struct frame_join *j)
{
	struct incoming *i = calloc(1, sizeof(*i));

	if (!i)
		return NULL;
	a->lane->class = j->class;
	if (lane_open(a->lane, p->target)) {
		free(i);
		return NULL;
	}
	i->peer = p;
	i->lane = a->lane;
	i->number = j->lane;
	a->lane->owner = &incoming_owner;
	a->lane->owner_data = i;
	list_append(&p->incoming, &i->link);
	p->n_incoming++;
	a->lane = NULL;
	drop_arrival(a);
	return i;
}

static void say_joined(struct node *n, struct incoming *i,
                       const struct frame_join *asked)
{
	uint8_t body[FABRIC_WIRE_CONTROL_MAX];
	struct frame f = { .type = FABRIC_WIRE_JOINED, .last = true };
	struct frame_join j = { .class = asked->class,
		                .window = SESSION_WINDOW,
		                .epoch = asked->epoch,
		                .lane = asked->lane };

	j.n_addresses = node_listeners(n, j.address);
	f.length = (uint32_t)frame_encode_join(&j, body);
	if (lane_control(i->lane, &f, body))
		drop_incoming(i);
}

static void arrival_joined(struct greeting *g, const struct frame *f,
                           const void *body)
{
	struct arrival *a = container_of(g, struct arrival, greeting);
	const struct auth_identity who = g->auth.peer;
	struct node *n = a->node;
	enum fabric_status status;
	struct fabric_peer *p;
	struct frame_join j;
	struct incoming *i;

	if (f->type != FABRIC_WIRE_JOIN || a->refused ||
	    frame_decode_join(body, f->length, &j)) {
		n->stats.bad_frames++;
		drop_arrival(a);
		return;
	}
	if (strcmp(who.name, n->self.name) == 0) {
		refuse(a, FABRIC_DENIED); /* D3: the name is ours */
		return;
	}
	p = node_peer_find(n, who.name);
	if (!p)
		p = node_peer_new(n, who.name);
	status = may_join(p, &who, &j);
	if (status != FABRIC_OK) {
		refuse(a, status);
		return;
	}
	i = let_in(a, p, &j);
	if (!i) {
		refuse(a, FABRIC_BUSY);
		return;
	}
	n->stats.accepted++;
	learn_links(p, i->lane, &j);
	say_joined(n, i, &j);
	if (n->sweep.slot == 0)
		timer_start(n->opts.reactor, &n->sweep, SWEEP_NS);
}

/* JOIN is next. */
static void arrival_authenticated(struct greeting *g)
{
	(void)g;
}

/* At most one a second: strangers don't fill the log. */
static void log_refusal(struct arrival *a, enum auth_cause cause)
{
	struct sockaddr_storage local, remote;
	struct fabric_address from = { .scheme = a->lane->ops->scheme };
	char text[FABRIC_ADDRESS_TEXT] = "unknown";
	struct node *n = a->node;
	uint64_t now = reactor_now_ns(n->opts.reactor);

	if (n->refusal_ns && now - n->refusal_ns < NS_PER_S) {
		n->unlogged++;
		return;
	}
	if (a->lane->ops->addresses(a->lane, &local, &remote) == 0 &&
	    address_from_socket(&remote, &from) == 0)
		address_format(&from, text);
	log_event(LOG_LEVEL_WARN, "refused a connection",
	          "from=%s why=\"%s\" more=%u", text, auth_cause_text(cause),
	          n->unlogged);
	n->refusal_ns = now;
	n->unlogged = 0;
}

static void arrival_ended(struct greeting *g, enum auth_cause cause, int err)
{
	struct arrival *a = container_of(g, struct arrival, greeting);

	node_count_cause(a->node, cause);
	if (err == -EBADMSG)
		a->node->stats.bad_frames++;
	if (cause != AUTH_CAUSE_CLOSED)
		log_refusal(a, cause);
	drop_arrival(a);
}

void node_accept(struct transport_listener *l, struct lane *lane)
{
	struct node *n = l->user;
	struct arrival *a = calloc(1, sizeof(*a));
	struct auth_terms terms;

	if (!a) {
		lane_destroy(lane);
		return;
	}
	a->node = n;
	a->lane = lane;
	a->greeting.authenticated = arrival_authenticated;
	a->greeting.joined = arrival_joined;
	a->greeting.ended = arrival_ended;
	list_append(&n->arrivals, &a->link);
	node_terms(n, &terms);
	if (greeting_start(&a->greeting, lane, AUTH_ACCEPTOR, &terms, &n->gate))
		drop_arrival(a);
}
