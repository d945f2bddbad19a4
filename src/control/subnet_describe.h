/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control/subnet_describe - what a subnet manager knows, as JSON.  What is in
 * each object is said in docs/control.md.
 *
 * Lists come in parts of at most SUBNET_DESCRIBE_PART: {"nodes": [...],
 * "next": N}, without `next` when there is no more.  Descriptions come from
 * the fabric: bytes that are not printable ASCII become '?'.
 */
#ifndef CONTROL_SUBNET_DESCRIBE_H
#define CONTROL_SUBNET_DESCRIBE_H

#include "subnet/query.h"

#include <json-c/json.h>

#define SUBNET_DESCRIBE_PART 1000u

void subnet_describe_text(struct json_object *o, const char *key,
                          const char *text);
void subnet_describe_guid(struct json_object *o, const char *key,
                          uint64_t guid);

struct json_object *subnet_describe_status(const struct subnet *s);
struct json_object *subnet_describe_nodes(const struct subnet *s,
                                          uint64_t after);
struct json_object *subnet_describe_links(const struct subnet *s,
                                          uint64_t after);
struct json_object *subnet_describe_routes(const struct subnet *s,
                                           uint64_t sw_guid, uint64_t after);
struct json_object *subnet_describe_lags(const struct subnet *s,
                                         uint64_t after);
struct json_object *subnet_describe_lag(const struct query_lag *lag,
                                        bool wanted);
struct json_object *subnet_describe_diff(const struct subnet *s,
                                         uint64_t after);
struct json_object *subnet_describe_events(const struct subnet *s,
                                           uint64_t after);
struct json_object *subnet_describe_plan(const struct query_plan *plan);
struct json_object *subnet_describe_hops(const struct query_hop *hop,
                                         unsigned n);

/* A node by its description, GUID, system GUID or LID; false: none. */
bool subnet_describe_find(const struct subnet *s, const char *text,
                          struct query_node *out);

#endif /* CONTROL_SUBNET_DESCRIBE_H */
