/* SPDX-License-Identifier: BSD-2-Clause */
/* The other nodes: known by name, reached over links. */
#include "control/daemon_priv.h"

#include "base/base.h"
#include "control/describe.h"
#include "core/histogram.h"
#include "fabric/node.h"
#include "fabric/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* -- on the fabric's reactor ----------------------------------------------- */

int daemon_peer_join(struct daemon *n, struct state_peer *p, struct err *e)
{
	struct fabric_address a[METHODS_LINKS_MAX];
	struct fabric_peer *peer;
	int err = 0;

	if (!n->fabric.node)
		return err_set(e, -EACCES, "there is no cluster key");
	for (unsigned i = 0; i < p->n_addresses && !err; i++)
		err = address_parse(p->address[i], &a[i], e);
	if (!err)
		err = node_peer_add(n->fabric.node, p->name, a, p->n_addresses,
		                    &peer, e);
	return err;
}

/* NULL: there is none, or no fabric at all. */
static struct fabric_peer *find(struct daemon *n, const char *name)
{
	return n->fabric.node ? node_peer_find(n->fabric.node, name) : NULL;
}

struct joining {
	struct state_peer *peer;
	struct err e;
};

static void join(struct daemon *n, void *arg)
{
	struct joining *j = arg;

	daemon_peer_join(n, j->peer, &j->e);
}

static void part(struct daemon *n, void *arg)
{
	struct fabric_peer *p = find(n, arg);

	if (p)
		node_peer_remove(n->fabric.node, p);
}

/* -- as JSON, on the fabric's reactor -------------------------------------- */

static const char *scheme_name(enum fabric_scheme scheme)
{
	switch (scheme) {
	case FABRIC_TCP:
		return "tcp";
	case FABRIC_TLS:
		return "tls";
	case FABRIC_VERBS:
		return "verbs";
	case FABRIC_SIM:
		break;
	}
	return "sim";
}

/* What keeps this pair from RDMA, into `why`; "" if nothing does. */
static void explain_verbs(const struct session_link_info *links, unsigned n,
                          char why[512])
{
	struct err e = { 0 };

	why[0] = '\0';
	for (unsigned i = 0; i < n; i++)
		if (links[i].address.scheme == FABRIC_VERBS) {
			if (links[i].state != SESSION_LINK_UP)
				snprintf(why, 512, "verbs: its link is down");
			return;
		}
	if (verbs_available(&e))
		snprintf(why, 512, "verbs: %s", e.text);
	else
		snprintf(why, 512,
		         "verbs: the node has no verbs: address here; give it "
		         "one with 'causeway node add'");
}

static struct json_object *link_json(const struct session_link_info *l)
{
	struct json_object *o = json_object_new_object();
	char text[FABRIC_ADDRESS_TEXT];

	describe_string(o, "address", address_format(&l->address, text));
	describe_string(o, "state", session_link_state_name(l->state));
	describe_int(o, "lanes", l->lanes);
	describe_int(o, "ops", l->ops);
	describe_int(o, "bytes_sent", l->bytes_sent);
	describe_int(o, "bytes_received", l->bytes_received);
	describe_int(o, "times_lost", l->times_lost);
	if (l->why && *l->why)
		describe_string(o, "why", l->why);
	return o;
}

/* The transports of the links that are up, "tcp" or "tcp, verbs". */
static void add_links(struct json_object *o, const struct session *s)
{
	struct session_link_info links[SESSION_LINKS];
	unsigned n = session_links(s, links), seen = 0;
	struct json_object *list = json_object_new_array();
	char used[64] = "", no_verbs[512];
	const char *why = "";

	for (unsigned i = 0; i < n; i++) {
		unsigned bit = 1u << links[i].address.scheme;
		size_t at = strlen(used);

		json_object_array_add(list, link_json(&links[i]));
		if (!*why && links[i].why)
			why = links[i].why;
		if (links[i].state == SESSION_LINK_DOWN || (seen & bit))
			continue;
		seen |= bit;
		snprintf(used + at, sizeof(used) - at, "%s%s", at ? ", " : "",
		         scheme_name(links[i].address.scheme));
	}
	json_object_object_add(o, "links", list);
	describe_string(o, "transport", used);
	if (session_state(s) != SESSION_UP && *why)
		describe_string(o, "why", why);
	explain_verbs(links, n, no_verbs);
	if (session_state(s) == SESSION_UP && *no_verbs)
		describe_string(o, "why_not_better", no_verbs);
}

static void add_latency(struct json_object *o, const struct session *s)
{
	struct json_object *latency = json_object_new_object();

	for (unsigned c = 0; c < FABRIC_CLASSES; c++) {
		const struct histogram *h = session_latency(s, c);
		struct json_object *class = json_object_new_object();

		describe_int(class, "count", h->count);
		describe_int(class, "p50_ns", histogram_percentile(h, 50));
		describe_int(class, "p99_ns", histogram_percentile(h, 99));
		json_object_object_add(latency, fabric_class_name(c), class);
	}
	json_object_object_add(o, "latency", latency);
}

static void add_served(struct json_object *o, const struct fabric_peer *p)
{
	struct node_peer_stats s;
	struct json_object *served = json_object_new_object();

	node_peer_stats(p, &s);
	describe_int(served, "requests", s.requests);
	describe_int(served, "repeated", s.repeated);
	describe_int(served, "refused", s.refused);
	describe_int(served, "bytes_read", s.bytes_read);
	describe_int(served, "bytes_written", s.bytes_written);
	describe_int(served, "lanes", s.lanes);
	json_object_object_add(o, "served", served);
}

static struct json_object *peer_json(struct daemon *n, struct fabric_peer *p)
{
	const char *name = node_peer_name(p);
	const struct state_peer *known =
		state_find_peer(&n->fabric.peers, name);
	struct session *session = node_peer_session(p);
	struct json_object *o = json_object_new_object();
	struct json_object *addresses = json_object_new_array();
	struct session_stats s;

	session_stats(session, &s);
	describe_string(o, "name", name);
	for (unsigned i = 0; known && i < known->n_addresses; i++)
		json_object_array_add(
			addresses, json_object_new_string(known->address[i]));
	json_object_object_add(o, "addresses", addresses);
	json_object_object_add(o, "configured",
	                       json_object_new_boolean(known != NULL));
	describe_string(o, "state", session_state_name(session_state(session)));
	add_links(o, session);
	describe_int(o, "ops", s.ops);
	describe_int(o, "failed", s.failed);
	describe_int(o, "resent", s.resent);
	describe_int(o, "lanes_lost", s.lanes_lost);
	describe_int(o, "restarts", s.restarts);
	describe_int(o, "bytes_read", s.bytes_read);
	describe_int(o, "bytes_written", s.bytes_written);
	describe_int(o, "in_flight", s.in_flight);
	describe_int(o, "waiting", s.waiting);
	describe_int(o, "longest_gap_ns", s.longest_gap_ns);
	add_latency(o, session);
	add_served(o, p);
	return o;
}

static void gather(struct daemon *n, void *arg)
{
	struct json_object *out = arg;
	struct fabric_peer *p = NULL;

	while (n->fabric.node &&
	       (p = node_peer_next(n->fabric.node, p)) != NULL)
		json_object_array_add(out, peer_json(n, p));
}

struct json_object *daemon_peers_json(struct daemon *n)
{
	struct json_object *out = json_object_new_array();

	daemon_on_fabric(n, gather, out);
	return out;
}

struct looking {
	const char *name;
	struct json_object *found;
};

static void look(struct daemon *n, void *arg)
{
	struct looking *l = arg;
	struct fabric_peer *p = find(n, l->name);

	if (p)
		l->found = peer_json(n, p);
}

static struct json_object *one_json(struct daemon *n, const char *name)
{
	struct looking l = { .name = name };

	daemon_on_fabric(n, look, &l);
	return l.found;
}

/* -- calls ---------------------------------------------------------------- */

static bool may_talk(struct daemon *n, struct rpc_call *call)
{
	if (n->fabric.has_key || n->opts->insecure)
		return true;
	daemon_fail(call, -EACCES,
	            "without the cluster's key a node talks to no other; start "
	            "causewayd with --cluster-key FILE, or 'cluster_key: FILE' "
	            "in its configuration");
	return false;
}

/* Different addresses of one name; the words name what is wrong. */
static struct state_peer *peer_new(struct daemon *n, struct json_object *params,
                                   struct err *e)
{
	const char *name = rpc_string(params, "name");
	struct state_peer *p;

	if (!strcmp(name, n->name)) {
		err_set(e, -EINVAL, "%s is the name of this node itself", name);
		return NULL;
	}
	p = state_add_peer(&n->fabric.peers, name, e);
	for (size_t i = 0; p && i < rpc_strings(params, "addresses"); i++)
		snprintf(p->address[p->n_addresses++], sizeof(p->address[0]),
		         "%s", rpc_strings_at(params, "addresses", i));
	return p;
}

void daemon_node_add(struct rpc_call *call, struct json_object *params)
{
	struct daemon *n = rpc_call_ctx(call);
	struct joining j = { 0 };

	if (!may_talk(n, call))
		return;
	j.peer = peer_new(n, params, &j.e);
	if (!j.peer) {
		rpc_fail(call, &j.e, RPC_OK);
		return;
	}
	daemon_on_fabric(n, join, &j);
	if (!j.e.code && daemon_save(n, &j.e))
		daemon_on_fabric(n, part, j.peer->name);
	if (j.e.code) {
		state_remove_peer(j.peer);
		rpc_fail(call, &j.e, RPC_OK);
		return;
	}
	rpc_reply(call, one_json(n, rpc_string(params, "name")));
}

void daemon_node_list(struct rpc_call *call, struct json_object *params)
{
	struct json_object *o = json_object_new_object();

	(void)params;
	json_object_object_add(o, "peers",
	                       daemon_peers_json(rpc_call_ctx(call)));
	rpc_reply(call, o);
}

static void no_such(struct rpc_call *call, const char *name)
{
	daemon_fail(call, -ENOENT,
	            "there is no node %s; 'causeway node list' shows those "
	            "there are",
	            name);
}

void daemon_node_show(struct rpc_call *call, struct json_object *params)
{
	const char *name = rpc_string(params, "name");
	struct json_object *o = one_json(rpc_call_ctx(call), name);

	if (o)
		rpc_reply(call, o);
	else
		no_such(call, name);
}

static bool used_by_drive(struct daemon *n, const char *name,
                          const char **drive)
{
	size_t length = strlen(name);

	for (unsigned i = 0; i < HANDOFF_DRIVES; i++) {
		const struct daemon_drive *d = &n->drive[i];

		if (d->used && remote_named(d->spec) &&
		    !strncmp(d->spec + 7, name, length) &&
		    d->spec[7 + length] == '/') {
			*drive = d->name;
			return true;
		}
	}
	return false;
}

void daemon_node_remove(struct rpc_call *call, struct json_object *params)
{
	struct daemon *n = rpc_call_ctx(call);
	const char *name = rpc_string(params, "name"), *drive;
	struct state_peer *p = state_find_peer(&n->fabric.peers, name);
	struct err e = { 0 };

	if (!p) {
		no_such(call, name);
		return;
	}
	if (used_by_drive(n, name, &drive)) {
		daemon_fail(call, -EBUSY,
		            "drive %s is a window of node %s; remove it first "
		            "with 'causeway drive remove %s'",
		            drive, name, drive);
		return;
	}
	list_remove(&p->link);
	if (daemon_save(n, &e)) {
		list_append(&n->fabric.peers, &p->link);
		rpc_fail(call, &e, RPC_OK);
		return;
	}
	daemon_on_fabric(n, part, p->name);
	state_remove_peer(p);
	rpc_reply(call, NULL);
}
