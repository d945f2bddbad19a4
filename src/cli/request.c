/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/request.h"

#include "base/base.h"

#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

struct json_object *request_new(const char *key, const char *value)
{
	struct json_object *params = json_object_new_object();

	request_add(params, key, value);
	return params;
}

void request_add(struct json_object *params, const char *key, const char *value)
{
	json_object_object_add(params, key, json_object_new_string(value));
}

void request_add_number(struct json_object *params, const char *key,
                        uint64_t value)
{
	json_object_object_add(params, key, json_object_new_uint64(value));
}

void request_add_list(struct json_object *params, const char *key,
                      const char *values)
{
	struct json_object *list = json_object_new_array();

	while (values) {
		size_t n = strcspn(values, ",");

		json_object_array_add(
			list, json_object_new_string_len(values, (int)n));
		values = values[n] ? values + n + 1 : NULL;
	}
	json_object_object_add(params, key, list);
}

void request_add_words(struct json_object *params, const char *key,
                       const struct cli *cli, unsigned first)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = first; i < cli->n_words; i++)
		json_object_array_add(list,
		                      json_object_new_string(cli->words[i]));
	json_object_object_add(params, key, list);
}

int request_send(struct cli *cli, const char *method,
                 struct json_object *params, struct json_object **reply)
{
	int status;

	*reply = NULL;
	status = cli_call(cli, method, params, reply);
	if (status || !cli->json)
		return status;
	cli_print_json(cli, *reply);
	json_object_put(*reply);
	*reply = NULL;
	return RPC_OK;
}

int request_done(struct json_object *reply)
{
	json_object_put(reply);
	return RPC_OK;
}

int request_simple(struct cli *cli, const char *method, const char *key,
                   const char *done)
{
	struct json_object *reply;
	int status = request_send(cli, method, request_new(key, cli->words[0]),
	                          &reply);
	const char *rest;

	if (status || !reply)
		return status;
	rest = strstr(done, "%s");
	fprintf(cli->out, "%.*s%s%s\n", (int)(rest - done), done, cli->words[0],
	        rest + 2);
	return request_done(reply);
}

int request_size_option(struct cli *cli, const char *name, uint64_t *value)
{
	const char *text = cli_option(cli, name);

	if (text && base_parse_size(text, value) != 0)
		return cli_usage(cli,
		                 "'%s' is not a size; write 4096, 64k, 10G or "
		                 "1T",
		                 text);
	return 0;
}

int request_number_option(struct cli *cli, const char *name, uint64_t *value)
{
	const char *text = cli_option(cli, name);

	if (text && (!*text || strspn(text, "0123456789") != strlen(text) ||
	             strlen(text) > 18))
		return cli_usage(cli, "--%s: '%s' is not a whole number", name,
		                 text);
	if (text)
		*value = strtoull(text, NULL, 10);
	return 0;
}

char *request_absolute(const char *prefix, const char *path)
{
	char here[PATH_MAX];
	char *out;

	if (path[0] == '/' || !getcwd(here, sizeof(here)))
		here[0] = '\0';
	if (asprintf(&out, "%s%s%s%s", prefix, here, here[0] ? "/" : "", path) <
	    0)
		return NULL;
	return out;
}

char *request_window_socket(const struct cli *cli)
{
	const char *told = getenv("CAUSEWAY_WINDOW_SOCKET");
	const char *slash = strrchr(cli->socket, '/');
	char *path;

	if (told && *told)
		return strdup(told);
	if (asprintf(&path, "%.*swindow.sock",
	             slash ? (int)(slash + 1 - cli->socket) : 0,
	             cli->socket) < 0)
		return NULL;
	return path;
}
