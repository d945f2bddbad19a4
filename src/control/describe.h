/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control/describe - pools and volumes as JSON, from the shared memory alone,
 * so that either stack's process can tell.  docs/control.md says what is in
 * each object.
 */
#ifndef CONTROL_DESCRIBE_H
#define CONTROL_DESCRIBE_H

#include "volume/handoff.h"

#include <json-c/json.h>

/* NULL if the slot is free. */
struct json_object *describe_pool(const struct handoff *h, unsigned slot);
struct json_object *describe_volume(const struct handoff *h, unsigned slot);

/* Arrays of all there are. */
struct json_object *describe_pools(const struct handoff *h);
struct json_object *describe_volumes(const struct handoff *h);

/* Slots by name; -1: no such.  A volume's name is POOL/VOLUME. */
int describe_find_pool(const struct handoff *h, const char *name);
int describe_find_volume(const struct handoff *h, const char *name);
int describe_find_drive(const struct handoff *h, const char *name);

/* Shorthands for building objects. */
void describe_string(struct json_object *o, const char *key, const char *text);
void describe_int(struct json_object *o, const char *key, uint64_t value);

#endif /* CONTROL_DESCRIBE_H */
