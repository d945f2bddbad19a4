/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric/node.h"

#include "core/log.h"
#include "core/reactor.h"
#include "fabric/node_priv.h"
#include "fabric/session_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_MS 50u
#define KEEPALIVE_MS 500u
#define LOST_AFTER_MS 5000u

static struct fabric_peer *peer_of(struct list *l)
{
	return list_entry(l, struct fabric_peer, link);
}

/* -- the node ------------------------------------------------------------- */

static bool name_is_valid(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < NODE_NAME && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz"
	                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

static void fill_defaults(struct session_opts *o)
{
	if (!o->deadline_ms)
		o->deadline_ms = DEADLINE_MS;
	if (!o->keepalive_ms)
		o->keepalive_ms = KEEPALIVE_MS;
	if (!o->lost_after_ms)
		o->lost_after_ms = LOST_AFTER_MS;
}

int node_create(const struct node_opts *opts, struct node **out, struct err *e)
{
	struct node *n;

	if (!name_is_valid(opts->name))
		return err_set(e, -EINVAL,
		               "\"%.80s\" is no name for a node; use up to %u "
		               "letters, digits, '.', '_' and '-'",
		               opts->name, NODE_NAME - 1);
	if (!opts->key && !opts->insecure)
		return err_set(e, -EINVAL,
		               "a node needs the cluster's key; name its file "
		               "in the configuration (cluster_key)");
	n = calloc(1, sizeof(*n));
	if (!n)
		return err_set(e, -ENOMEM, "no memory for a node");
	n->opts = *opts;
	n->opts.name = n->self.name;
	fill_defaults(&n->opts.session);
	strcpy(n->self.name, opts->name);
	memcpy(n->self.id, opts->id, sizeof(n->self.id));
	n->self.boot = opts->boot;
	list_init(&n->peers);
	list_init(&n->arrivals);
	auth_gate_init(&n->gate, opts->reactor);
	n->sweep.fire = node_accept_sweep;
	*out = n;
	return 0;
}

void node_destroy(struct node *n)
{
	struct list *l;

	if (!n)
		return;
	while (n->n_listeners) {
		struct fabric_address at = n->listeners[0]->address;

		node_unlisten(n, &at);
	}
	node_accept_close_all(n);
	while ((l = n->peers.next) != &n->peers)
		node_peer_remove(n, peer_of(l));
	timer_stop(n->opts.reactor, &n->sweep);
	auth_gate_fini(&n->gate);
	free(n);
}

const char *node_name(const struct node *n)
{
	return n->self.name;
}

struct transport *node_transport(struct node *n, enum fabric_scheme scheme)
{
	for (unsigned i = 0; i < n->opts.n_transports; i++)
		if (n->opts.transports[i]->scheme == scheme)
			return n->opts.transports[i];
	return NULL;
}

void node_terms(struct node *n, struct auth_terms *out)
{
	*out = (struct auth_terms){ .key = n->opts.key,
		                    .self = &n->self,
		                    .version_min = FABRIC_WIRE_VERSION,
		                    .version_max = FABRIC_WIRE_VERSION };
}

void node_count_cause(struct node *n, enum auth_cause cause)
{
	switch (cause) {
	case AUTH_OK:
	case AUTH_CAUSE_CLOSED:
		return;
	case AUTH_CAUSE_TIME:
		n->stats.timed_out++;
		return;
	case AUTH_CAUSE_BUSY:
		n->stats.refused_full++;
		return;
	case AUTH_CAUSE_GARBAGE:
		n->stats.bad_frames++;
		return;
	case AUTH_CAUSE_VERSION:
	case AUTH_CAUSE_OPTIONS:
	case AUTH_CAUSE_METHOD:
	case AUTH_CAUSE_BINDING:
	case AUTH_CAUSE_PROOF:
	case AUTH_CAUSE_OURSELVES:
	case AUTH_CAUSE_WRONG_NODE:
	case AUTH_CAUSE_REFUSED:
	case AUTH_CAUSE_INTERNAL:
		n->stats.refused_auth++;
		return;
	}
}

void node_stats(const struct node *n, struct node_stats *out)
{
	*out = n->stats;
	out->greeting = n->gate.n_guests;
	out->refused_full += n->gate.n_turned_away + n->gate.n_displaced;
}

/* -- listening ------------------------------------------------------------ */

int node_listen(struct node *n, const struct fabric_address *at, struct err *e)
{
	struct transport *t = node_transport(n, at->scheme);
	char text[FABRIC_ADDRESS_TEXT];
	struct transport_listener *l;
	int err;

	if (!t)
		return err_set(e, -EPROTONOSUPPORT,
		               "cannot listen at %s: this node has no such "
		               "transport",
		               address_format(at, text));
	if (n->n_listeners == NODE_LISTENERS)
		return err_set(e, -ENOSPC,
		               "a node listens at %u addresses at "
		               "most",
		               NODE_LISTENERS);
	err = t->listen(t, n->opts.reactor, at, &l, e);
	if (err)
		return err;
	l->accepted = node_accept;
	l->user = n;
	n->listeners[n->n_listeners++] = l;
	return 0;
}

int node_unlisten(struct node *n, const struct fabric_address *at)
{
	for (unsigned i = 0; i < n->n_listeners; i++) {
		struct transport_listener *l = n->listeners[i];

		if (!address_equal(&l->address, at))
			continue;
		l->transport->unlisten(l);
		n->listeners[i] = n->listeners[--n->n_listeners];
		return 0;
	}
	return -ENOENT;
}

unsigned node_listeners(const struct node *n,
                        struct fabric_address out[NODE_LISTENERS])
{
	for (unsigned i = 0; i < n->n_listeners; i++)
		out[i] = n->listeners[i]->address;
	return n->n_listeners;
}

/* -- peers ---------------------------------------------------------------- */

struct fabric_peer *node_peer_new(struct node *n, const char *name)
{
	struct fabric_peer *p;

	if (n->n_peers == NODE_PEERS)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->node = n;
	strcpy(p->name, name);
	list_init(&p->incoming);
	p->session = session_create(n, p, p->name, &n->opts.session);
	if (!p->session) {
		free(p);
		return NULL;
	}
	list_append(&n->peers, &p->link);
	n->n_peers++;
	return p;
}

int node_peer_add(struct node *n, const char *name,
                  const struct fabric_address *addresses, unsigned n_addresses,
                  struct fabric_peer **out, struct err *e)
{
	struct fabric_peer *p = node_peer_find(n, name);

	if (!name_is_valid(name) || strcmp(name, n->self.name) == 0)
		return err_set(e, -EINVAL, "\"%.80s\" is no name for a peer",
		               name);
	if (p && p->configured)
		return err_set(e, -EEXIST, "node %s is there already", name);
	if (!p)
		p = node_peer_new(n, name);
	if (!p)
		return err_set(e, -ENOSPC,
		               "a node knows %u others at most; remove one",
		               NODE_PEERS);
	p->configured = true;
	for (unsigned i = 0; i < n_addresses; i++)
		session_link_add(p->session, &addresses[i]);
	*out = p;
	return 0;
}

void node_peer_remove(struct node *n, struct fabric_peer *p)
{
	session_destroy(p->session);
	node_accept_drop(p);
	list_remove(&p->link);
	n->n_peers--;
	free(p);
}

int node_link_add(struct fabric_peer *p, const struct fabric_address *a,
                  struct err *e)
{
	char text[FABRIC_ADDRESS_TEXT];
	int err = session_link_add(p->session, a);

	if (err == -EEXIST)
		return err_set(e, err, "%s has a link to %s already", p->name,
		               address_format(a, text));
	return err ? err_set(e, err, "%s has %u links already", p->name,
	                     SESSION_LINKS)
	           : 0;
}

int node_link_remove(struct fabric_peer *p, const struct fabric_address *a)
{
	return session_link_remove(p->session, a);
}

struct fabric_peer *node_peer_find(struct node *n, const char *name)
{
	LIST_FOREACH (l, &n->peers)
		if (strcmp(peer_of(l)->name, name) == 0)
			return peer_of(l);
	return NULL;
}

struct fabric_peer *node_peer_next(struct node *n, struct fabric_peer *after)
{
	struct list *l = after ? after->link.next : n->peers.next;

	return l == &n->peers ? NULL : peer_of(l);
}

const char *node_peer_name(const struct fabric_peer *p)
{
	return p->name;
}

const uint8_t *node_peer_id(const struct fabric_peer *p)
{
	return p->id;
}

struct session *node_peer_session(struct fabric_peer *p)
{
	return p->session;
}

void *node_peer_data(const struct fabric_peer *p)
{
	return p->data;
}

void node_peer_set_data(struct fabric_peer *p, void *data)
{
	p->data = data;
}

bool node_peer_configured(const struct fabric_peer *p)
{
	return p->configured;
}

bool node_peer_is(const struct fabric_peer *p, const uint8_t id[16])
{
	return !p->has_id || memcmp(p->id, id, sizeof(p->id)) == 0;
}

void node_peer_adopt(struct fabric_peer *p, const uint8_t id[16])
{
	memcpy(p->id, id, sizeof(p->id));
	p->has_id = true;
}

void node_peer_reached(struct node *n, struct fabric_peer *p, bool up)
{
	const struct fabric_service *s = n->opts.service;

	if (p->reached == up)
		return;
	p->reached = up;
	log_event(up ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
	          up ? "peer is up" : "peer is lost", "node=%s", p->name);
	s->peer_state(s->ctx, p, up);
}

void node_peer_stats(const struct fabric_peer *p, struct node_peer_stats *out)
{
	struct target_stats now = { 0 };

	if (p->target)
		target_stats(p->target, &now);
	*out = (struct node_peer_stats){
		.requests = p->past.requests + now.requests,
		.repeated = p->past.repeated + now.repeated,
		.refused = p->past.refused + now.refused,
		.bytes_read = p->past.bytes_read + now.bytes_read,
		.bytes_written = p->past.bytes_written + now.bytes_written,
		.lanes = p->n_incoming,
	};
}

void node_revoked(struct node *n, const struct fabric_key *key)
{
	LIST_FOREACH (l, &n->peers) {
		LIST_FOREACH (i, &peer_of(l)->incoming) {
			struct lane *lane =
				list_entry(i, struct incoming, link)->lane;

			if (lane->ops->revoked)
				lane->ops->revoked(lane, key);
		}
	}
}
