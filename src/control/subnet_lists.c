/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of what a subnet manager knows, in parts. */
#include "control/subnet_describe.h"

#include "control/describe.h"

#include <stdio.h>
#include <string.h>

static const char *kind_name(enum graph_kind kind)
{
	return kind == GRAPH_SWITCH ? "switch"
	       : kind == GRAPH_CA   ? "host"
	                            : "router";
}

static const char *state_name(unsigned state)
{
	static const char *const names[] = { "none", "down", "init", "armed",
		                             "active" };

	return state <= GRAPH_STATE_ACTIVE ? names[state] : "unknown";
}

static bool has_room(struct json_object *list)
{
	return json_object_array_length(list) < SUBNET_DESCRIBE_PART;
}

/* A host has up to 8 members, and a message has its limits. */
#define LAGS_PART (SUBNET_DESCRIBE_PART / 4)

/* {key: list}, and where to go on if there may be more. */
static struct json_object *part(const char *key, struct json_object *list,
                                bool full, uint64_t next)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, key, list);
	if (full)
		describe_int(o, "next", next);
	return o;
}

struct json_object *subnet_describe_nodes(const struct subnet *s,
                                          uint64_t after)
{
	struct json_object *list = json_object_new_array();
	uint32_t at = (uint32_t)after;
	struct query_node n;

	while (has_room(list) && query_node(s, &at, &n)) {
		struct json_object *o = json_object_new_object();

		subnet_describe_text(o, "node", n.desc);
		subnet_describe_guid(o, "guid", n.guid);
		subnet_describe_guid(o, "system", n.sys_guid);
		describe_string(o, "kind", kind_name(n.kind));
		describe_int(o, "ports", n.n_ports);
		describe_int(o, "links", n.links);
		describe_int(o, "lid", n.lid);
		json_object_object_add(o, "present",
		                       json_object_new_boolean(n.present));
		json_object_array_add(list, o);
	}
	return part("nodes", list, !has_room(list), at);
}

struct json_object *subnet_describe_links(const struct subnet *s,
                                          uint64_t after)
{
	struct json_object *list = json_object_new_array();
	uint32_t at = (uint32_t)after;
	struct query_link l;

	while (has_room(list) && query_link(s, &at, &l)) {
		struct json_object *o = json_object_new_object();

		subnet_describe_text(o, "a", l.a_desc);
		subnet_describe_guid(o, "a_guid", l.a_guid);
		describe_string(o, "a_kind", kind_name(l.a_kind));
		describe_int(o, "a_port", l.a_port);
		subnet_describe_text(o, "b", l.b_desc);
		subnet_describe_guid(o, "b_guid", l.b_guid);
		describe_string(o, "b_kind", kind_name(l.b_kind));
		describe_int(o, "b_port", l.b_port);
		describe_int(o, "width", l.width);
		describe_int(o, "speed", l.speed);
		describe_string(o, "state", state_name(l.state));
		json_object_object_add(o, "isolated",
		                       json_object_new_boolean(l.isolated));
		json_object_array_add(list, o);
	}
	return part("links", list, !has_room(list), at);
}

/* What is behind a switch's port. */
static void put_behind(struct json_object *o, const struct graph *g,
                       uint32_t node, unsigned port)
{
	uint32_t peer;
	char text[GRAPH_DESC + 16];

	if (node == GRAPH_NONE || port == 0 || port > g->node[node].n_ports)
		return;
	peer = g->port[graph_port(g, node, port)].peer;
	if (peer == GRAPH_NONE)
		return;
	snprintf(text, sizeof(text), "%s[%u]", g->node[g->port[peer].node].desc,
	         g->port[peer].number);
	subnet_describe_text(o, "to", text);
}

struct json_object *subnet_describe_routes(const struct subnet *s,
                                           uint64_t sw_guid, uint64_t after)
{
	struct json_object *list = json_object_new_array();
	const struct graph *g = query_graph(s);
	uint32_t node = graph_find(g, sw_guid), at = (uint32_t)after;
	struct query_route r;

	while (has_room(list) && query_route(s, sw_guid, &at, &r)) {
		struct json_object *o = json_object_new_object();

		describe_int(o, "lid", r.lid);
		describe_int(o, "port", r.port);
		put_behind(o, g, node, r.port);
		describe_int(o, "lane", r.lane);
		json_object_object_add(o, "pending",
		                       json_object_new_boolean(r.pending));
		json_object_array_add(list, o);
	}
	return part("routes", list, !has_room(list), at);
}

struct json_object *subnet_describe_lags(const struct subnet *s, uint64_t after)
{
	struct json_object *list = json_object_new_array();
	uint32_t at = (uint32_t)after;
	struct query_lag lag;

	while (json_object_array_length(list) < LAGS_PART &&
	       query_lag(s, &at, &lag))
		json_object_array_add(
			list,
			subnet_describe_lag(
				&lag, subnet_lag_wanted(s, lag.sys_guid)));
	return part("lags", list, json_object_array_length(list) == LAGS_PART,
	            at);
}

struct json_object *subnet_describe_diff(const struct subnet *s, uint64_t after)
{
	struct json_object *list = json_object_new_array();
	struct query_diff d;

	while (has_room(list) && query_diff(s, &after, &d)) {
		struct json_object *o = json_object_new_object();

		subnet_describe_text(o, "switch", d.desc);
		subnet_describe_guid(o, "guid", d.sw_guid);
		describe_string(o, "table", d.table);
		describe_int(o, "block", d.block);
		json_object_array_add(list, o);
	}
	return part("diff", list, !has_room(list), after);
}

struct json_object *subnet_describe_events(const struct subnet *s,
                                           uint64_t after)
{
	static struct subnet_event event[SUBNET_DESCRIBE_PART]; /* large */
	struct json_object *list = json_object_new_array();
	unsigned n = subnet_events(s, after, event, SUBNET_DESCRIBE_PART);

	for (unsigned i = 0; i < n; i++) {
		struct json_object *o = json_object_new_object();

		describe_int(o, "number", event[i].number);
		describe_int(o, "when_ns", event[i].when_ns);
		describe_string(o, "kind", subnet_event_name(event[i].kind));
		subnet_describe_text(o, "text", event[i].text);
		json_object_array_add(list, o);
	}
	return part("events", list, !has_room(list),
	            n ? event[n - 1].number : after);
}
