/* SPDX-License-Identifier: BSD-2-Clause */
/* The state in memory, and its text. */
#include "control/state_priv.h"

#include "base/base.h"
#include "base/crc.h"
#include "rpc/message.h"

#include <assert.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#define FORMAT "causeway-state"
#define PLAIN (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* -- in memory ------------------------------------------------------------ */

void state_init(struct state *s)
{
	*s = (struct state){ .node = "" };
	list_init(&s->drives);
	list_init(&s->exports);
	list_init(&s->peers);
	list_init(&s->windows);
}

void state_fini(struct state *s)
{
	LIST_FOREACH (node, &s->drives)
		state_remove_drive(s,
		                   list_entry(node, struct state_drive, link));
	LIST_FOREACH (node, &s->exports)
		state_remove_export(
			s, list_entry(node, struct state_export, link));
	LIST_FOREACH (node, &s->peers)
		state_remove_peer(list_entry(node, struct state_peer, link));
	LIST_FOREACH (node, &s->windows)
		state_remove_window(
			list_entry(node, struct state_window, link));
	json_object_put(s->subnet);
	s->subnet = NULL;
	json_object_put(s->offer);
	s->offer = NULL;
}

static void copy(char *to, size_t size, const char *from)
{
	size_t n = strlen(from);

	assert(n < size);
	memcpy(to, from, n + 1);
}

int state_add_drive(struct state *s, const char *name, const char *spec,
                    struct err *e)
{
	struct state_drive *d;

	if (state_find_drive(s, name))
		return err_set(e, -EEXIST,
		               "drive %s is already there; see 'causeway drive "
		               "list'",
		               name);
	if (s->n_drives >= STATE_DRIVES_MAX)
		return err_set(e, -ENOSPC,
		               "drive %s is one too many: a node has at most "
		               "%u; remove one first",
		               name, STATE_DRIVES_MAX);
	d = calloc(1, sizeof(*d));
	if (!d)
		return err_set(e, -ENOMEM, "out of memory for drive %s", name);
	copy(d->name, sizeof(d->name), name);
	copy(d->spec, sizeof(d->spec), spec);
	list_append(&s->drives, &d->link);
	s->n_drives++;
	return 0;
}

int state_add_export(struct state *s, const char *name, const char *type,
                     const char *volume, const char *address, struct err *e)
{
	struct state_export *x;

	if (state_find_export(s, name))
		return err_set(e, -EEXIST,
		               "export %s is already there; see 'causeway "
		               "export list'",
		               name);
	if (s->n_exports >= STATE_EXPORTS_MAX)
		return err_set(e, -ENOSPC,
		               "export %s is one too many: a node has at most "
		               "%u; remove one first",
		               name, STATE_EXPORTS_MAX);
	x = calloc(1, sizeof(*x));
	if (!x)
		return err_set(e, -ENOMEM, "out of memory for export %s", name);
	copy(x->name, sizeof(x->name), name);
	copy(x->type, sizeof(x->type), type);
	copy(x->volume, sizeof(x->volume), volume);
	copy(x->address, sizeof(x->address), address);
	list_append(&s->exports, &x->link);
	s->n_exports++;
	return 0;
}

struct state_drive *state_find_drive(const struct state *s, const char *name)
{
	LIST_FOREACH (node, &s->drives) {
		struct state_drive *d =
			list_entry(node, struct state_drive, link);

		if (strcmp(d->name, name) == 0)
			return d;
	}
	return NULL;
}

struct state_export *state_find_export(const struct state *s, const char *name)
{
	LIST_FOREACH (node, &s->exports) {
		struct state_export *x =
			list_entry(node, struct state_export, link);

		if (strcmp(x->name, name) == 0)
			return x;
	}
	return NULL;
}

void state_remove_drive(struct state *s, struct state_drive *d)
{
	list_remove(&d->link);
	s->n_drives--;
	free(d);
}

void state_remove_export(struct state *s, struct state_export *x)
{
	list_remove(&x->link);
	s->n_exports--;
	free(x);
}

void state_free_name(const struct state *s, const char *type,
                     char name[METHODS_NAME_MAX + 1])
{
	for (unsigned i = 1; i <= s->n_exports + 1; i++) {
		snprintf(name, METHODS_NAME_MAX + 1, "%s%u", type, i);
		if (!state_find_export(s, name))
			return;
	}
}

/* -- to text -------------------------------------------------------------- */

void state_put_text(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, json_object_new_string(text));
}

static struct json_object *drives_json(const struct state *s)
{
	struct json_object *list = json_object_new_array();

	LIST_FOREACH (node, &s->drives) {
		const struct state_drive *d =
			list_entry(node, struct state_drive, link);
		struct json_object *o = json_object_new_object();

		state_put_text(o, "name", d->name);
		state_put_text(o, "spec", d->spec);
		json_object_object_add(o, "failed",
		                       json_object_new_boolean(d->failed));
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *exports_json(const struct state *s)
{
	struct json_object *list = json_object_new_array();

	LIST_FOREACH (node, &s->exports) {
		const struct state_export *x =
			list_entry(node, struct state_export, link);
		struct json_object *o = json_object_new_object();

		state_put_text(o, "name", x->name);
		state_put_text(o, "type", x->type);
		state_put_text(o, "volume", x->volume);
		state_put_text(o, "address", x->address);
		json_object_array_add(list, o);
	}
	return list;
}

/* The checksum covers the body as json-c writes it without blanks, so that
 * the file itself may be laid out for people. */
static uint32_t body_crc(struct json_object *body)
{
	const char *text = json_object_to_json_string_ext(body, PLAIN);

	return text ? base_crc32c(0, text, strlen(text)) : 0;
}

char *state_format(const struct state *s)
{
	struct json_object *file = json_object_new_object();
	struct json_object *body = json_object_new_object();
	const char *text;
	char *copied = NULL;

	state_put_text(body, "node", s->node);
	state_put_id(body, s->id);
	json_object_object_add(body, "boot", json_object_new_uint64(s->boot));
	json_object_object_add(body, "drives", drives_json(s));
	json_object_object_add(body, "exports", exports_json(s));
	json_object_object_add(body, "peers", state_peers_json(&s->peers));
	json_object_object_add(body, "windows",
	                       state_windows_json(&s->windows));
	if (s->subnet)
		json_object_object_add(body, "subnet",
		                       json_object_get(s->subnet));
	if (s->offer)
		json_object_object_add(body, "offer",
		                       json_object_get(s->offer));
	state_put_text(file, "format", FORMAT);
	json_object_object_add(file, "version",
	                       json_object_new_int(STATE_VERSION));
	json_object_object_add(file, "crc32c",
	                       json_object_new_int64(body_crc(body)));
	json_object_object_add(file, "state", body);

	text = json_object_to_json_string_ext(
		file, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
			      JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text && asprintf(&copied, "%s\n", text) < 0)
		copied = NULL;
	json_object_put(file);
	return copied;
}

/* -- from text ------------------------------------------------------------ */

static const struct rpc_param drive_rows[] = {
	{ .name = "name",
	  .type = RPC_STRING,
	  .required = true,
	  .max = METHODS_NAME_MAX,
	  .syntax = &methods_name_syntax,
	  .doc = "name" },
	{ .name = "spec",
	  .type = RPC_STRING,
	  .required = true,
	  .max = STATE_SPEC_MAX,
	  .doc = "what it is" },
	{ .name = "failed",
	  .type = RPC_BOOL,
	  .required = true,
	  .doc = "whether it is out of use" },
};

static bool is_address(const char *text)
{
	if (strncmp(text, "unix:", 5) == 0)
		return methods_path_syntax.valid(text + 5);
	return strncmp(text, "tcp:", 4) == 0 &&
	       methods_tcp_syntax.valid(text + 4);
}

static const struct rpc_syntax address_syntax = {
	.words = "unix:PATH or tcp:ADDRESS:PORT",
	.valid = is_address,
};

static const struct rpc_param export_rows[] = {
	{ .name = "name",
	  .type = RPC_STRING,
	  .required = true,
	  .max = METHODS_NAME_MAX,
	  .syntax = &methods_name_syntax,
	  .doc = "name" },
	{ .name = "type",
	  .type = RPC_STRING,
	  .required = true,
	  .max = 15,
	  .syntax = &methods_name_syntax,
	  .doc = "protocol" },
	{ .name = "volume",
	  .type = RPC_STRING,
	  .required = true,
	  .max = 2 * METHODS_NAME_MAX + 1,
	  .syntax = &methods_volume_syntax,
	  .doc = "volume" },
	{ .name = "address",
	  .type = RPC_STRING,
	  .required = true,
	  .max = METHODS_TCP_MAX + 5,
	  .syntax = &address_syntax,
	  .doc = "where it listens" },
};

int state_damaged(struct err *e, const char *why)
{
	return err_set(e, -EBADMSG,
	               "the state file is damaged: %s; nothing was changed, "
	               "restore it from a backup, or move it away and add the "
	               "drives and exports again",
	               why);
}

static int parse_drives(struct json_object *list, struct state *s,
                        struct err *e)
{
	struct err why = { 0 };

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		if (rpc_check(drive_rows, ARRAY_LEN(drive_rows), o, NULL,
		              &why) ||
		    state_add_drive(s, rpc_string(o, "name"),
		                    rpc_string(o, "spec"), &why))
			return state_damaged(e, why.text);
		state_find_drive(s, rpc_string(o, "name"))->failed =
			rpc_bool(o, "failed");
	}
	return 0;
}

static int parse_exports(struct json_object *list, struct state *s,
                         struct err *e)
{
	struct err why = { 0 };

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		if (rpc_check(export_rows, ARRAY_LEN(export_rows), o, NULL,
		              &why) ||
		    state_add_export(s, rpc_string(o, "name"),
		                     rpc_string(o, "type"),
		                     rpc_string(o, "volume"),
		                     rpc_string(o, "address"), &why))
			return state_damaged(e, why.text);
	}
	return 0;
}

/* What a call was given, as it was. */
static int parse_params(struct json_object *params, const char *method,
                        struct json_object **out, struct err *e)
{
	const struct rpc_method *m = methods_find(method);
	struct err why = { 0 };

	if (rpc_check(m->params, m->n_params, params, NULL, &why))
		return state_damaged(e, why.text);
	*out = json_object_get(params);
	return 0;
}

static int parse_body(struct json_object *body, intmax_t version,
                      struct state *s, struct err *e)
{
	struct json_object *drives = NULL, *exports = NULL;
	struct json_object *peers = NULL, *windows = NULL, *subnet = NULL;
	struct json_object *offer = NULL;
	const char *node = NULL;
	int err;

	if (json_object_is_type(body, json_type_object)) {
		json_object_object_get_ex(body, "peers", &peers);
		json_object_object_get_ex(body, "windows", &windows);
		json_object_object_get_ex(body, "subnet", &subnet);
		json_object_object_get_ex(body, "offer", &offer);
		node = rpc_string(body, "node");
		json_object_object_get_ex(body, "drives", &drives);
		json_object_object_get_ex(body, "exports", &exports);
	}
	if (!node || (node[0] && !methods_name_syntax.valid(node)) ||
	    !json_object_is_type(drives, json_type_array) ||
	    !json_object_is_type(exports, json_type_array) ||
	    (version > 1 && (!json_object_is_type(peers, json_type_array) ||
	                     !json_object_is_type(windows, json_type_array))))
		return state_damaged(e, "a part is missing");
	if ((version < 2 && (peers || windows)) || (version < 3 && subnet) ||
	    (version < 4 && offer))
		return state_damaged(e, "a part is newer than the whole");
	err = parse_drives(drives, s, e);
	if (!err)
		err = parse_exports(exports, s, e);
	if (!err && version > 1)
		err = state_parse_id(body, s, e);
	if (!err && version > 1)
		err = state_parse_peers(peers, &s->peers, e);
	if (!err && version > 1)
		err = state_parse_windows(windows, &s->windows, e);
	if (!err && subnet)
		err = parse_params(subnet, "subnet.up", &s->subnet, e);
	if (!err && offer)
		err = parse_params(offer, "donor.offer", &s->offer, e);
	if (!err)
		copy(s->node, sizeof(s->node), node);
	return err;
}

static int parse_file(struct json_object *file, struct state *s, struct err *e)
{
	struct json_object *body = NULL;
	const char *format = NULL;
	intmax_t version;

	if (json_object_is_type(file, json_type_object))
		format = rpc_string(file, "format");
	if (!format || strcmp(format, FORMAT) != 0)
		return state_damaged(e, "it is no state file");
	version = rpc_int(file, "version");
	if (version > STATE_VERSION)
		return err_set(e, -EPROTONOSUPPORT,
		               "the state file has version %jd and this "
		               "program knows %d; start the newer causewayd "
		               "that wrote it",
		               version, STATE_VERSION);
	json_object_object_get_ex(file, "state", &body);
	if (version < 1 || !body)
		return state_damaged(e, "a part is missing");
	if (rpc_int(file, "crc32c") != body_crc(body))
		return state_damaged(e, "its checksum does not fit");
	return parse_body(body, version, s, e);
}

int state_parse(const char *text, size_t n, struct state *s, struct err *e)
{
	struct json_object *file = NULL;
	struct err why = { 0 };
	int err;

	if (rpc_parse(text, n, &file, &why) != 0)
		return state_damaged(e, why.text);
	err = parse_file(file, s, e);
	json_object_put(file);
	if (err)
		state_fini(s);
	return err;
}
