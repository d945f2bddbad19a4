/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include "base/base.h"
#include "cli/print.h"
#include "cli/request.h"
#include "cli/tables.h"

int cmd_export_create(struct cli *cli)
{
	const char *path = cli_option(cli, "unix");
	const char *tcp = cli_option(cli, "tcp");
	const char *name = cli_option(cli, "name");
	AUTO_FREE char *absolute = NULL;
	struct json_object *params, *reply;
	int status;

	if (!path == !tcp)
		return cli_usage(cli, "one of --unix and --tcp is needed%s",
		                 path ? ", not both" : "");
	params = request_new("type", cli->words[0]);
	request_add(params, "volume", cli->words[1]);
	if (path) {
		absolute = request_absolute("", path);
		request_add(params, "unix", absolute ? absolute : path);
	} else {
		request_add(params, "tcp", tcp);
	}
	if (name)
		request_add(params, "name", name);
	status = request_send(cli, "export.create", params, &reply);
	if (status || !reply)
		return status;
	fprintf(cli->out, "export %s created: %s at %s\n",
	        print_text(reply, "name"), cli->words[1],
	        print_text(reply, "address"));
	return request_done(reply);
}

int cmd_export_list(struct cli *cli)
{
	struct json_object *reply;
	int status = request_send(cli, "export.list", NULL, &reply);

	if (status || !reply)
		return status;
	tables_exports(cli->out, print_member(reply, "exports"),
	               "no exports yet; see 'causeway help export create'");
	return request_done(reply);
}

int cmd_export_remove(struct cli *cli)
{
	return request_simple(cli, "export.remove", "name",
	                      "export %s removed");
}
