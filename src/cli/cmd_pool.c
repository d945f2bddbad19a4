/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include "cli/print.h"
#include "cli/request.h"
#include "cli/tables.h"

#include <json-c/json.h>

static int make(struct cli *cli, const char *method, const char *verb)
{
	struct json_object *params = request_new("pool", cli->words[0]);
	struct json_object *reply;
	char size[24];
	int status;

	request_add_words(params, "drives", cli, 1);
	status = request_send(cli, method, params, &reply);
	if (status || !reply)
		return status;
	fprintf(cli->out, "pool %s %s, %s\n", cli->words[0], verb,
	        print_size(print_number(reply, "capacity"), size));
	return request_done(reply);
}

int cmd_pool_create(struct cli *cli)
{
	return make(cli, "pool.create", "created");
}

int cmd_pool_grow(struct cli *cli)
{
	return make(cli, "pool.grow", "grown");
}

int cmd_pool_list(struct cli *cli)
{
	struct json_object *reply;
	int status = request_send(cli, "pool.list", NULL, &reply);

	if (status || !reply)
		return status;
	tables_pools(cli->out, print_member(reply, "pools"),
	             "no pools yet; see 'causeway help pool create'");
	return request_done(reply);
}

int cmd_pool_show(struct cli *cli)
{
	struct json_object *reply, *list, *warnings;
	struct print_table t;
	int status = request_send(cli, "pool.show",
	                          request_new("pool", cli->words[0]), &reply);

	if (status || !reply)
		return status;
	list = json_object_new_array();
	json_object_array_add(list, json_object_get(reply));
	tables_pools(cli->out, list, NULL);
	json_object_put(list);
	if (*print_text(reply, "why")) {
		print_words(cli->out, print_text(reply, "why"));
		fputs("\n", cli->out);
	}
	warnings = print_member(reply, "warnings");
	for (size_t i = 0; i < print_length(warnings); i++) {
		fputs("warning: ", cli->out);
		print_words(cli->out,
		            json_object_get_string(print_at(warnings, i)));
		fputs("\n", cli->out);
	}
	fputs("\n", cli->out);
	list = print_member(reply, "drives");
	print_table_init(&t, 3, 0);
	print_cell(&t, "DRIVE");
	print_cell(&t, "STATE");
	print_cell(&t, "WHY");
	for (size_t i = 0; i < print_length(list); i++) {
		print_cell(&t, print_text(print_at(list, i), "name"));
		print_cell(&t, print_text(print_at(list, i), "state"));
		print_cell(&t, print_text(print_at(list, i), "why"));
	}
	print_table(&t, cli->out);
	return request_done(reply);
}
