/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/describe.h"

#include "base/base.h"
#include "volume/geometry.h"

#include <stdio.h>
#include <string.h>

void describe_string(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, json_object_new_string(text));
}

void describe_int(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

static const char *pool_state(uint32_t state)
{
	static const char *const names[] = {
		[HANDOFF_POOL_FREE] = "free",
		[HANDOFF_POOL_ONLINE] = "online",
		[HANDOFF_POOL_DEGRADED] = "degraded",
		[HANDOFF_POOL_OFFLINE] = "offline",
	};

	return state < ARRAY_LEN(names) ? names[state] : "unknown";
}

/* -- slots by name -------------------------------------------------------- */

static uint32_t load(const uint32_t *state)
{
	return __atomic_load_n(state, __ATOMIC_ACQUIRE);
}

int describe_find_pool(const struct handoff *h, const char *name)
{
	for (int i = 0; i < (int)HANDOFF_POOLS; i++)
		if (load(&h->pools[i].state) != HANDOFF_POOL_FREE &&
		    !strncmp(h->pools[i].name, name, HANDOFF_NAME))
			return i;
	return -1;
}

static void full_name(const struct handoff *h, const struct handoff_volume *v,
                      char out[2 * HANDOFF_NAME])
{
	const char *pool =
		v->pool < HANDOFF_POOLS ? h->pools[v->pool].name : "?";

	snprintf(out, 2 * HANDOFF_NAME, "%.63s/%.63s", pool, v->name);
}

int describe_find_volume(const struct handoff *h, const char *name)
{
	char full[2 * HANDOFF_NAME];

	for (int i = 0; i < (int)HANDOFF_VOLUMES; i++) {
		uint32_t state = load(&h->volumes[i].state);

		if (state != HANDOFF_VOLUME_ACTIVE &&
		    state != HANDOFF_VOLUME_OFFLINE)
			continue;
		full_name(h, &h->volumes[i], full);
		if (!strcmp(full, name))
			return i;
	}
	return -1;
}

int describe_find_drive(const struct handoff *h, const char *name)
{
	for (int i = 0; i < (int)HANDOFF_DRIVES; i++)
		if (load(&h->drives[i].present) &&
		    !strncmp(h->drives[i].name, name, HANDOFF_NAME))
			return i;
	return -1;
}

/* -- pools ---------------------------------------------------------------- */

static struct json_object *pool_drives(const struct handoff *h, unsigned pool)
{
	struct json_object *out = json_object_new_array();

	for (unsigned i = 0; i < HANDOFF_DRIVES; i++) {
		const struct handoff_drive *d = &h->drives[i];
		struct json_object *o;

		if (!load(&d->present) || load(&d->role) == HANDOFF_UNUSED ||
		    d->pool != pool)
			continue;
		o = json_object_new_object();
		describe_string(o, "name", d->name);
		describe_string(o, "state",
		                d->role == HANDOFF_ONLINE ? "online"
		                                          : "failed");
		json_object_array_add(out, o);
	}
	return out;
}

static struct json_object *pool_warnings(const struct handoff_pool *p)
{
	struct json_object *out = json_object_new_array();
	uint64_t percent =
		p->capacity_bytes ? p->used_bytes * 100 / p->capacity_bytes : 0;
	char text[192];

	if (percent < 70)
		return out;
	snprintf(text, sizeof(text),
	         "%ju %% of the space is used; discard data or add drives with "
	         "'causeway pool grow %.63s DRIVE'",
	         (uintmax_t)percent, p->name);
	json_object_array_add(out, json_object_new_string(text));
	return out;
}

struct json_object *describe_pool(const struct handoff *h, unsigned slot)
{
	const struct handoff_pool *p = &h->pools[slot];
	uint32_t state = load(&p->state);
	struct json_object *o;

	if (state == HANDOFF_POOL_FREE)
		return NULL;
	o = json_object_new_object();
	describe_string(o, "name", p->name);
	describe_string(o, "state", pool_state(state));
	describe_int(o, "n_drives", p->n_drives);
	json_object_object_add(o, "drives", pool_drives(h, slot));
	describe_int(o, "capacity", p->capacity_bytes);
	describe_int(o, "used", p->used_bytes);
	describe_int(o, "replay_ns", p->replay_ns);
	json_object_object_add(o, "warnings", pool_warnings(p));
	return o;
}

struct json_object *describe_pools(const struct handoff *h)
{
	struct json_object *out = json_object_new_array();

	for (unsigned i = 0; i < HANDOFF_POOLS; i++) {
		struct json_object *o = describe_pool(h, i);

		if (o)
			json_object_array_add(out, o);
	}
	return out;
}

/* -- volumes -------------------------------------------------------------- */

struct json_object *describe_volume(const struct handoff *h, unsigned slot)
{
	const struct handoff_volume *v = &h->volumes[slot];
	uint32_t state = load(&v->state);
	const char *profile = geometry_profile_name(v->profile);
	char name[2 * HANDOFF_NAME];
	struct json_object *o;

	if (state != HANDOFF_VOLUME_ACTIVE && state != HANDOFF_VOLUME_OFFLINE)
		return NULL;
	full_name(h, v, name);
	o = json_object_new_object();
	describe_string(o, "name", name);
	describe_int(o, "size", v->size);
	describe_string(o, "raid", profile ? profile : "unknown");
	describe_int(o, "allocated", v->allocated << CHUNK_SHIFT);
	describe_string(o, "state",
	                state == HANDOFF_VOLUME_OFFLINE ||
	                                v->pool >= HANDOFF_POOLS
	                        ? "offline"
	                        : pool_state(load(&h->pools[v->pool].state)));
	return o;
}

struct json_object *describe_volumes(const struct handoff *h)
{
	struct json_object *out = json_object_new_array();

	for (unsigned i = 0; i < HANDOFF_VOLUMES; i++) {
		struct json_object *o = describe_volume(h, i);

		if (o)
			json_object_array_add(out, o);
	}
	return out;
}
