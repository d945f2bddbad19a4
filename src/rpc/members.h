/* SPDX-License-Identifier: BSD-2-Clause */
/* Walk over the members of a JSON object, in standard C. */
#ifndef RPC_MEMBERS_H
#define RPC_MEMBERS_H

#include <json-c/json.h>
#include <stdbool.h>

struct members {
	struct json_object_iterator at;
	struct json_object_iterator end;
	const char *key;
	struct json_object *value; /* borrowed */
};

/*
 *     struct members m = members_of(object);
 *
 *     while (members_next(&m))
 *             ... m.key, m.value ...
 *
 * The object must not change meanwhile.  NULL and other types have none.
 */
static inline struct members members_of(struct json_object *object)
{
	struct members m = { 0 };

	m.at = json_object_iter_init_default();
	m.end = m.at;
	if (json_object_is_type(object, json_type_object)) {
		m.at = json_object_iter_begin(object);
		m.end = json_object_iter_end(object);
	}
	return m;
}

static inline bool members_next(struct members *m)
{
	if (json_object_iter_equal(&m->at, &m->end))
		return false;
	m->key = json_object_iter_peek_name(&m->at);
	m->value = json_object_iter_peek_value(&m->at);
	json_object_iter_next(&m->at);
	return true;
}

#endif /* RPC_MEMBERS_H */
