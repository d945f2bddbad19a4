/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/config.h"

#include "base/base.h"
#include "control/config_yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <string.h>

/* Windows before drives: two nodes may each have a drive that is a window of
 * the other. */
const struct config_section config_sections[] = {
	{ "peers", "node.add" },        { "windows", "window.create" },
	{ "drives", "drive.add" },      { "pools", "pool.create" },
	{ "volumes", "volume.create" }, { "exports", "export.create" },
	{ "subnet", "subnet.up" },
};
const size_t config_sections_count = ARRAY_LEN(config_sections);

static bool metrics_valid(const char *text)
{
	return strncmp(text, "unix:", 5) == 0
	               ? methods_path_syntax.valid(text + 5)
	               : methods_tcp_syntax.valid(text);
}

const struct rpc_syntax config_metrics_syntax = {
	.words = "unix:PATH or ADDRESS:PORT, as in 127.0.0.1:9100",
	.valid = metrics_valid,
};

const struct rpc_param config_rows[] = {
	{ .name = "node",
	  .type = RPC_STRING,
	  .max = METHODS_NAME_MAX,
	  .syntax = &methods_name_syntax,
	  .doc = "name of this node" },
	{ .name = "cores",
	  .type = RPC_INT,
	  .min = 1,
	  .max = 256,
	  .doc = "reactor threads" },
	{ .name = "cluster_key",
	  .type = RPC_STRING,
	  .min = 2,
	  .max = CONFIG_PATH_MAX,
	  .syntax = &methods_path_syntax,
	  .doc = "file with the key that the nodes of a cluster share, mode "
	         "0600" },
	{ .name = "listen",
	  .type = RPC_STRINGS,
	  .min = 1,
	  .max = METHODS_LINKS_MAX,
	  .syntax = &methods_link_syntax,
	  .doc = "addresses at which other nodes reach this one" },
	{ .name = "metrics",
	  .type = RPC_STRING,
	  .min = 3,
	  .max = CONFIG_PATH_MAX,
	  .syntax = &config_metrics_syntax,
	  .doc = "where counters can be read over HTTP; nowhere if not "
	         "given" },
	{ .name = "peers",
	  .type = RPC_OBJECTS,
	  .doc = "other nodes to talk to" },
	{ .name = "windows", .type = RPC_OBJECTS, .doc = "windows to create" },
	{ .name = "drives", .type = RPC_OBJECTS, .doc = "drives to add" },
	{ .name = "pools", .type = RPC_OBJECTS, .doc = "pools to create" },
	{ .name = "volumes", .type = RPC_OBJECTS, .doc = "volumes to create" },
	{ .name = "exports", .type = RPC_OBJECTS, .doc = "exports to create" },
	{ .name = "subnet",
	  .type = RPC_OBJECTS,
	  .max = 1,
	  .doc = "a subnet manager to start" },
};
const size_t config_rows_count = ARRAY_LEN(config_rows);

/* People write sizes as 10G; calls have integers. */
static void read_sizes(const struct rpc_method *m, struct json_object *params)
{
	for (size_t i = 0; i < m->n_params; i++) {
		const char *name = m->params[i].name;
		struct json_object *v = NULL, *sized;
		uint64_t bytes;

		if (m->params[i].type != RPC_SIZE ||
		    !json_object_object_get_ex(params, name, &v) ||
		    !json_object_is_type(v, json_type_string) ||
		    base_parse_size(json_object_get_string(v), &bytes) != 0)
			continue;
		sized = json_object_new_uint64(bytes);
		json_object_set_userdata(sized, json_object_get_userdata(v),
		                         NULL); /* its line */
		json_object_object_add(params, name, sized);
	}
}

static int check(const struct rpc_param *rows, size_t n,
                 struct json_object *value, struct err *e)
{
	struct json_object *where = value;
	struct err why = { 0 };

	if (rpc_check(rows, n, value, &where, &why) == 0)
		return 0;
	return err_set(e, -EINVAL, "line %u: %s", config_yaml_line(where),
	               why.text);
}

static int read_section(struct config *c, struct json_object *list,
                        const struct rpc_method *m, struct err *e)
{
	size_t n = json_object_array_length(list);
	struct config_call *calls =
		realloc(c->calls, (c->n_calls + n) * sizeof(*calls));
	int err;

	if (n == 0)
		return 0;
	if (!calls)
		return err_set(e, -ENOMEM, "out of memory");
	c->calls = calls;
	for (size_t i = 0; i < n; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);

		read_sizes(m, item);
		err = check(m->params, m->n_params, item, e);
		if (err)
			return err;
		c->calls[c->n_calls++] = (struct config_call){
			.method = m,
			.params = json_object_get(item),
			.line = config_yaml_line(item),
		};
	}
	return 0;
}

/* What fits its row fits its buffer. */
static void take_text(char *to, struct json_object *doc, const char *key)
{
	const char *text = rpc_string(doc, key);

	if (text)
		memcpy(to, text, strlen(text) + 1);
}

static int take_listen(struct config *c, struct json_object *doc, struct err *e)
{
	for (size_t i = 0; i < rpc_strings(doc, "listen"); i++) {
		const char *text = rpc_strings_at(doc, "listen", i);

		for (unsigned k = 0; k < c->n_listen; k++)
			if (!strcmp(c->listen[k], text))
				return err_set(e, -EINVAL,
				               "'listen' has %s twice", text);
		memcpy(c->listen[c->n_listen++], text, strlen(text) + 1);
	}
	return 0;
}

static int read_document(struct config *c, struct json_object *doc,
                         struct err *e)
{
	struct json_object *list;
	int err;

	if (!json_object_is_type(doc, json_type_object))
		return err_set(e, -EINVAL,
		               "line %u: the file must hold 'key: "
		               "value' lines",
		               config_yaml_line(doc));
	err = check(config_rows, ARRAY_LEN(config_rows), doc, e);
	if (err)
		return err;
	take_text(c->node, doc, "node");
	take_text(c->cluster_key, doc, "cluster_key");
	take_text(c->metrics, doc, "metrics");
	err = take_listen(c, doc, e);
	c->cores = (unsigned)rpc_int(doc, "cores");
	for (size_t i = 0; i < ARRAY_LEN(config_sections) && !err; i++)
		if (json_object_object_get_ex(doc, config_sections[i].section,
		                              &list))
			err = read_section(
				c, list,
				methods_find(config_sections[i].method), e);
	return err;
}

int config_parse(const char *text, size_t n, struct config *out, struct err *e)
{
	struct config c = { 0 };
	struct json_object *doc;
	int err = config_yaml_load(text, n, &doc, e);

	if (err)
		return err;
	err = read_document(&c, doc, e);
	json_object_put(doc);
	if (err)
		config_fini(&c);
	else
		*out = c;
	return err;
}

int config_load(const char *path, struct config *out, struct err *e)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	AUTO_FREE char *text = malloc(CONFIG_YAML_SIZE_MAX + 1);
	struct err why = { 0 };
	size_t length = 0;
	ssize_t n = 1;
	int err;

	if (fd < 0)
		return err_set(e, -errno,
		               "cannot open the configuration %s: "
		               "%s",
		               path, strerror(errno));
	if (!text)
		return err_set(e, -ENOMEM, "out of memory");
	while (n > 0 && length <= CONFIG_YAML_SIZE_MAX) {
		n = read(fd, text + length, CONFIG_YAML_SIZE_MAX + 1 - length);
		if (n < 0)
			return err_set(e, -errno,
			               "cannot read the configuration %s: %s",
			               path, strerror(errno));
		length += (size_t)n;
	}
	err = config_parse(text, length, out, &why);
	if (err)
		err_set(e, err, "%s: %s", path, why.text);
	return err;
}

void config_fini(struct config *c)
{
	for (size_t i = 0; i < c->n_calls; i++)
		json_object_put(c->calls[i].params);
	free(c->calls);
	*c = (struct config){ 0 };
}
