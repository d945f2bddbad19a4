/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/parts.h"

#include "cli/print.h"
#include "cli/request.h"

#include <json-c/json.h>

static void append(struct json_object *list, struct json_object *more)
{
	for (size_t i = 0; i < print_length(more); i++)
		json_object_array_add(list, json_object_get(print_at(more, i)));
}

/* A part's parameters are its own: a call takes them. */
static struct json_object *copy(struct json_object *params)
{
	struct json_object *out = json_object_new_object();

	json_object_object_foreach(params, key, value)
		json_object_object_add(out, key, json_object_get(value));
	return out;
}

int parts_fetch(struct cli *cli, const char *method, struct json_object *params,
                const char *key, struct json_object **list)
{
	struct json_object *all = json_object_new_array();
	bool more = true;
	int status = 0;

	if (!params)
		params = json_object_new_object();
	while (more && !status) {
		struct json_object *reply;

		status = cli_call(cli, method, copy(params), &reply);
		if (status)
			break;
		append(all, print_member(reply, key));
		more = print_member(reply, "next") != NULL;
		if (more)
			request_add_number(params, "after",
			                   print_number(reply, "next"));
		json_object_put(reply);
	}
	json_object_put(params);
	if (status)
		json_object_put(all);
	else
		*list = all;
	return status;
}

int parts_send(struct cli *cli, const char *method, struct json_object *params,
               const char *key, struct json_object **list)
{
	struct json_object *all, *o;
	int status = parts_fetch(cli, method, params, key, &all);

	*list = NULL;
	if (status || !cli->json) {
		*list = status ? NULL : all;
		return status;
	}
	o = json_object_new_object();
	json_object_object_add(o, key, all);
	cli_print_json(cli, o);
	json_object_put(o);
	return RPC_OK;
}
