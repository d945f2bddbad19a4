/* SPDX-License-Identifier: BSD-2-Clause */
/* The other nodes, and the windows that they may reach. */
#include "control/state_priv.h"

#include "base/base.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

/* -- in memory ------------------------------------------------------------ */

static unsigned length(const struct list *head)
{
	unsigned n = 0;

	LIST_FOREACH (node, head)
		n++;
	return n;
}

struct state_peer *state_find_peer(const struct list *peers, const char *name)
{
	LIST_FOREACH (node, peers) {
		struct state_peer *p =
			list_entry(node, struct state_peer, link);

		if (strcmp(p->name, name) == 0)
			return p;
	}
	return NULL;
}

struct state_window *state_find_window(const struct list *windows,
                                       const char *name)
{
	LIST_FOREACH (node, windows) {
		struct state_window *w =
			list_entry(node, struct state_window, link);

		if (strcmp(w->name, name) == 0)
			return w;
	}
	return NULL;
}

struct state_grant *state_find_grant(const struct state_window *w,
                                     const char *node_name)
{
	LIST_FOREACH (node, &w->grants) {
		struct state_grant *g =
			list_entry(node, struct state_grant, link);

		if (strcmp(g->node, node_name) == 0)
			return g;
	}
	return NULL;
}

/* Room for one more `what`, zeroed; NULL with words. */
static void *make(size_t size, bool there, unsigned n, unsigned max,
                  const char *what, const char *name, struct err *e)
{
	void *made = NULL;

	if (there)
		err_set(e, -EEXIST,
		        "there is a %s %s already; choose another name, or "
		        "remove that one first",
		        what, name);
	else if (n >= max)
		err_set(e, -ENOSPC,
		        "%s %s is one too many: %u are the most; remove one "
		        "first",
		        what, name, max);
	else if (!(made = calloc(1, size)))
		err_set(e, -ENOMEM, "no memory for %s %s", what, name);
	return made;
}

struct state_peer *state_add_peer(struct list *peers, const char *name,
                                  struct err *e)
{
	struct state_peer *p =
		make(sizeof(*p), state_find_peer(peers, name), length(peers),
	             STATE_PEERS_MAX, "node", name, e);

	if (!p)
		return NULL;
	snprintf(p->name, sizeof(p->name), "%s", name);
	list_append(peers, &p->link);
	return p;
}

struct state_window *state_add_window(struct list *windows, const char *name,
                                      struct err *e)
{
	struct state_window *w =
		make(sizeof(*w), state_find_window(windows, name),
	             length(windows), STATE_WINDOWS_MAX, "window", name, e);

	if (!w)
		return NULL;
	snprintf(w->name, sizeof(w->name), "%s", name);
	list_init(&w->grants);
	list_append(windows, &w->link);
	return w;
}

struct state_grant *state_add_grant(struct state_window *w, const char *node,
                                    struct err *e)
{
	struct state_grant *g =
		make(sizeof(*g), state_find_grant(w, node), w->n_grants,
	             METHODS_GRANTS_MAX, "grant for node", node, e);

	if (!g)
		return NULL;
	snprintf(g->node, sizeof(g->node), "%s", node);
	list_append(&w->grants, &g->link);
	w->n_grants++;
	return g;
}

void state_remove_peer(struct state_peer *p)
{
	list_remove(&p->link);
	free(p);
}

void state_remove_grant(struct state_window *w, struct state_grant *g)
{
	list_remove(&g->link);
	w->n_grants--;
	free(g);
}

void state_remove_window(struct state_window *w)
{
	LIST_FOREACH (node, &w->grants)
		state_remove_grant(w,
		                   list_entry(node, struct state_grant, link));
	list_remove(&w->link);
	free(w);
}

/* -- to text -------------------------------------------------------------- */

static void put_int(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

void state_put_id(struct json_object *body, const uint8_t id[STATE_ID])
{
	char text[2 * STATE_ID + 1];

	for (unsigned i = 0; i < STATE_ID; i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
	state_put_text(body, "id", text);
}

struct json_object *state_peers_json(const struct list *peers)
{
	struct json_object *list = json_object_new_array();

	LIST_FOREACH (node, peers) {
		const struct state_peer *p =
			list_entry(node, struct state_peer, link);
		struct json_object *o = json_object_new_object();
		struct json_object *addresses = json_object_new_array();

		state_put_text(o, "name", p->name);
		for (unsigned i = 0; i < p->n_addresses; i++)
			json_object_array_add(
				addresses,
				json_object_new_string(p->address[i]));
		json_object_object_add(o, "addresses", addresses);
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *grants_json(const struct state_window *w)
{
	struct json_object *list = json_object_new_array();

	LIST_FOREACH (node, &w->grants) {
		const struct state_grant *g =
			list_entry(node, struct state_grant, link);
		struct json_object *o = json_object_new_object();

		state_put_text(o, "node", g->node);
		state_put_text(o, "rights", methods_rights[g->rights]);
		put_int(o, "expires_s", g->expires_s);
		put_int(o, "bytes_per_s", g->bytes_per_s);
		put_int(o, "ops_per_s", g->ops_per_s);
		json_object_array_add(list, o);
	}
	return list;
}

struct json_object *state_windows_json(const struct list *windows)
{
	struct json_object *list = json_object_new_array();

	LIST_FOREACH (node, windows) {
		const struct state_window *w =
			list_entry(node, struct state_window, link);
		struct json_object *o = json_object_new_object();

		state_put_text(o, "name", w->name);
		put_int(o, "size", w->size);
		state_put_text(o, "file", w->file);
		json_object_object_add(o, "grants", grants_json(w));
		json_object_array_add(list, o);
	}
	return list;
}

/* -- from text ------------------------------------------------------------ */

#define NAME(key)                                                              \
	{                                                                      \
		.name = (key), .type = RPC_STRING, .required = true,           \
		.max = METHODS_NAME_MAX, .syntax = &methods_name_syntax,       \
		.doc = "name"                                                  \
	}
#define NUMBER(key)                                                            \
	{                                                                      \
		.name = (key), .type = RPC_SIZE, .required = true,             \
		.max = INT64_MAX, .doc = "number"                              \
	}

static const struct rpc_param peer_rows[] = {
	NAME("name"),
	{ .name = "addresses",
	  .type = RPC_STRINGS,
	  .required = true,
	  .min = 1,
	  .max = METHODS_LINKS_MAX,
	  .syntax = &methods_link_syntax,
	  .doc = "where it listens" },
};

static bool is_file(const char *text)
{
	return !*text || methods_path_syntax.valid(text);
}

static const struct rpc_syntax file_syntax = {
	.words = "an absolute path, or nothing",
	.valid = is_file,
};

static const struct rpc_param window_rows[] = {
	NAME("name"),
	{ .name = "size",
	  .type = RPC_SIZE,
	  .required = true,
	  .min = 4096,
	  .max = METHODS_WINDOW_MAX,
	  .doc = "bytes" },
	{ .name = "file",
	  .type = RPC_STRING,
	  .required = true,
	  .max = STATE_FILE_MAX,
	  .syntax = &file_syntax,
	  .doc = "what holds its bytes" },
	{ .name = "grants",
	  .type = RPC_OBJECTS,
	  .required = true,
	  .max = METHODS_GRANTS_MAX,
	  .doc = "who may reach it" },
};

static const struct rpc_param grant_rows[] = {
	NAME("node"),
	{ .name = "rights",
	  .type = RPC_ENUM,
	  .required = true,
	  .values = methods_rights,
	  .doc = "what it may do" },
	NUMBER("expires_s"),
	NUMBER("bytes_per_s"),
	NUMBER("ops_per_s"),
};

int state_parse_id(struct json_object *body, struct state *s, struct err *e)
{
	const char *text = rpc_string(body, "id");

	if (!text || strlen(text) != 2 * STATE_ID ||
	    strspn(text, "0123456789abcdef") != 2 * STATE_ID)
		return state_damaged(e, "the node's id is none");
	for (unsigned i = 0; i < STATE_ID; i++) {
		char byte[3] = { text[2 * i], text[2 * i + 1], '\0' };

		s->id[i] = (uint8_t)strtoul(byte, NULL, 16);
	}
	s->boot = rpc_size(body, "boot");
	return 0;
}

int state_parse_peers(struct json_object *array, struct list *peers,
                      struct err *e)
{
	struct err why = { 0 };

	for (size_t i = 0; i < json_object_array_length(array); i++) {
		struct json_object *o = json_object_array_get_idx(array, i);
		struct state_peer *p = NULL;

		if (!rpc_check(peer_rows, ARRAY_LEN(peer_rows), o, NULL, &why))
			p = state_add_peer(peers, rpc_string(o, "name"), &why);
		if (!p)
			return state_damaged(e, why.text);
		for (; p->n_addresses < rpc_strings(o, "addresses");
		     p->n_addresses++)
			snprintf(
				p->address[p->n_addresses],
				sizeof(p->address[0]), "%s",
				rpc_strings_at(o, "addresses", p->n_addresses));
	}
	return 0;
}

static unsigned rights_of(const char *text)
{
	unsigned i = 0;

	while (strcmp(methods_rights[i], text) != 0)
		i++;
	return i;
}

static int parse_grants(struct json_object *array, struct state_window *w,
                        struct err *e)
{
	struct err why = { 0 };

	for (size_t i = 0; i < json_object_array_length(array); i++) {
		struct json_object *o = json_object_array_get_idx(array, i);
		struct state_grant *g = NULL;

		if (!rpc_check(grant_rows, ARRAY_LEN(grant_rows), o, NULL,
		               &why))
			g = state_add_grant(w, rpc_string(o, "node"), &why);
		if (!g)
			return state_damaged(e, why.text);
		g->rights = rights_of(rpc_string(o, "rights"));
		g->expires_s = rpc_size(o, "expires_s");
		g->bytes_per_s = rpc_size(o, "bytes_per_s");
		g->ops_per_s = rpc_size(o, "ops_per_s");
	}
	return 0;
}

int state_parse_windows(struct json_object *array, struct list *windows,
                        struct err *e)
{
	struct json_object *grants = NULL;
	struct err why = { 0 };
	int err = 0;

	for (size_t i = 0; i < json_object_array_length(array) && !err; i++) {
		struct json_object *o = json_object_array_get_idx(array, i);
		struct state_window *w = NULL;

		if (!rpc_check(window_rows, ARRAY_LEN(window_rows), o, NULL,
		               &why))
			w = state_add_window(windows, rpc_string(o, "name"),
			                     &why);
		if (!w)
			return state_damaged(e, why.text);
		w->size = rpc_size(o, "size");
		snprintf(w->file, sizeof(w->file), "%s", rpc_string(o, "file"));
		json_object_object_get_ex(o, "grants", &grants);
		err = parse_grants(grants, w, e);
	}
	return err;
}
