/* SPDX-License-Identifier: BSD-2-Clause */
/* Single objects; lists are in subnet_lists.c. */
#include "control/subnet_describe.h"

#include "base/base.h"
#include "control/describe.h"
#include "mad/lag.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void subnet_describe_text(struct json_object *o, const char *key,
                          const char *text)
{
	char clean[SUBNET_TEXT + 1];
	size_t n = 0;

	for (; text[n] && n < sizeof(clean) - 1; n++)
		clean[n] = text[n] < ' ' || text[n] > '~' ? '?' : text[n];
	clean[n] = '\0';
	describe_string(o, key, clean);
}

void subnet_describe_guid(struct json_object *o, const char *key, uint64_t guid)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%016" PRIx64, guid);
	describe_string(o, key, text);
}

static void put_bool(struct json_object *o, const char *key, bool value)
{
	json_object_object_add(o, key, json_object_new_boolean(value));
}

struct json_object *subnet_describe_status(const struct subnet *s)
{
	struct json_object *o = json_object_new_object();
	struct subnet_status st;

	subnet_status(s, &st);
	describe_string(o, "state", subnet_state_name(st.state));
	put_bool(o, "settled", st.settled);
	subnet_describe_guid(o, "guid", st.guid);
	if (st.master_guid)
		subnet_describe_guid(o, "master", st.master_guid);
	describe_int(o, "lid", st.lid);
	describe_int(o, "priority", st.priority);
	describe_int(o, "nodes", st.nodes);
	describe_int(o, "switches", st.switches);
	describe_int(o, "links", st.links);
	describe_int(o, "lags", st.lags);
	describe_string(o, "engine", route_name(st.engine));
	describe_int(o, "lanes", st.lanes);
	if (st.why && *st.why)
		subnet_describe_text(o, "why_this_engine", st.why);
	describe_int(o, "passes", st.passes);
	describe_int(o, "first_pass_ns", st.first_pass_ns);
	describe_int(o, "last_pass_ns", st.last_pass_ns);
	describe_int(o, "last_pass_smps", st.last_pass_smps);
	describe_int(o, "smps_sent", st.smps_sent);
	describe_int(o, "smps_retried", st.smps_retried);
	describe_int(o, "smps_lost", st.smps_lost);
	describe_int(o, "traps", st.traps);
	describe_int(o, "sa_queries", st.sa_queries);
	describe_int(o, "sa_refused", st.sa_refused);
	describe_int(o, "not_sent", st.not_sent);
	return o;
}

static const char *lag_state(const struct query_lag *lag, bool wanted)
{
	if (!wanted)
		return "off";
	if (lag->virtual_lid)
		return "in force";
	switch (lag->result) {
	case LAG_NOTHING_ASKED:
		return "not capable";
	case LAG_ACCEPTED:
		return "proposed";
	default:
		return "refused";
	}
}

struct json_object *subnet_describe_lag(const struct query_lag *lag,
                                        bool wanted)
{
	struct json_object *o = json_object_new_object();
	struct json_object *members = json_object_new_array();

	subnet_describe_text(o, "host", lag->desc);
	subnet_describe_guid(o, "system", lag->sys_guid);
	describe_string(o, "state", lag_state(lag, wanted));
	if (lag->virtual_lid)
		describe_int(o, "virtual_lid", lag->virtual_lid);
	describe_string(o, "mode", lag_mode_name(lag->mode));
	describe_string(o, "answer", lag_result_words(lag->result));
	describe_int(o, "generation", lag->generation);
	for (unsigned i = 0; i < lag->n_members; i++) {
		struct json_object *m = json_object_new_object();

		subnet_describe_guid(m, "guid", lag->member[i].port_guid);
		describe_int(m, "port", lag->member[i].port);
		describe_int(m, "lid", lag->member[i].lid);
		describe_string(m, "state",
		                lag_member_state_name(lag->member[i].state));
		if (lag->member[i].switch_desc[0]) {
			subnet_describe_text(m, "switch",
			                     lag->member[i].switch_desc);
			describe_int(m, "switch_port", lag->member[i].sw_port);
		}
		describe_int(m, "switches", lag->member[i].switches);
		json_object_array_add(members, m);
	}
	json_object_object_add(o, "members", members);
	return o;
}

struct json_object *subnet_describe_plan(const struct query_plan *plan)
{
	struct json_object *o = json_object_new_object();

	describe_int(o, "lids", plan->lids);
	describe_int(o, "ports", plan->ports);
	describe_int(o, "switches", plan->switches);
	describe_int(o, "blocks", plan->blocks);
	describe_int(o, "entries", plan->entries);
	describe_int(o, "lags", plan->lags);
	describe_string(o, "engine", route_name(plan->engine));
	if (plan->why[0])
		subnet_describe_text(o, "why_this_engine", plan->why);
	return o;
}

struct json_object *subnet_describe_hops(const struct query_hop *hop,
                                         unsigned n)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < n; i++) {
		struct json_object *o = json_object_new_object();

		subnet_describe_text(o, "node", hop[i].desc);
		subnet_describe_guid(o, "guid", hop[i].guid);
		describe_int(o, "in", hop[i].in_port);
		describe_int(o, "out", hop[i].out_port);
		subnet_describe_text(o, "why", hop[i].why);
		json_object_array_add(list, o);
	}
	return list;
}

bool subnet_describe_find(const struct subnet *s, const char *text,
                          struct query_node *out)
{
	uint32_t at = 0;
	char *end;
	uint64_t v = strtoull(text, &end, 0);
	bool number = text[0] >= '0' && text[0] <= '9' && !*end;

	while (query_node(s, &at, out)) {
		if (strcmp(out->desc, text) == 0)
			return true;
		if (number && (out->guid == v || out->sys_guid == v ||
		               (v && out->lid == v)))
			return true;
	}
	return false;
}
