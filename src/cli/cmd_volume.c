/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include "base/base.h"
#include "cli/print.h"
#include "cli/request.h"
#include "cli/tables.h"

#include <json-c/json.h>

int cmd_volume_create(struct cli *cli)
{
	const char *size_text = cli_option(cli, "size");
	const char *raid = cli_option(cli, "raid");
	struct json_object *params, *reply;
	uint64_t size;
	char text[24];
	int status;

	if (!size_text)
		return cli_usage(cli, "--size is missing");
	if (base_parse_size(size_text, &size) != 0)
		return cli_usage(cli,
		                 "--size: '%s' is not a size; write 100G, or "
		                 "bytes",
		                 size_text);
	params = request_new("volume", cli->words[0]);
	json_object_object_add(params, "size", json_object_new_uint64(size));
	if (raid)
		request_add(params, "raid", raid);
	status = request_send(cli, "volume.create", params, &reply);
	if (status || !reply)
		return status;
	fprintf(cli->out, "volume %s created, %s, %s\n", cli->words[0],
	        print_size(size, text), print_text(reply, "raid"));
	return request_done(reply);
}

int cmd_volume_list(struct cli *cli)
{
	struct json_object *reply;
	int status = request_send(cli, "volume.list", NULL, &reply);

	if (status || !reply)
		return status;
	tables_volumes(cli->out, print_member(reply, "volumes"),
	               "no volumes yet; see 'causeway help volume create'");
	return request_done(reply);
}

int cmd_volume_show(struct cli *cli)
{
	struct json_object *reply, *list;
	int status = request_send(cli, "volume.show",
	                          request_new("volume", cli->words[0]), &reply);

	if (status || !reply)
		return status;
	list = json_object_new_array();
	json_object_array_add(list, json_object_get(reply));
	tables_volumes(cli->out, list, NULL);
	json_object_put(list);
	if (*print_text(reply, "why")) {
		print_words(cli->out, print_text(reply, "why"));
		fputs("\n", cli->out);
	}
	return request_done(reply);
}

int cmd_volume_delete(struct cli *cli)
{
	return request_simple(cli, "volume.delete", "volume",
	                      "volume %s deleted");
}
