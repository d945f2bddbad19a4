/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include "base/base.h"
#include "cli/print.h"
#include "cli/request.h"
#include "cli/tables.h"

#include <string.h>

int cmd_drive_add(struct cli *cli)
{
	const char *spec = cli->words[1];
	struct json_object *params = request_new("name", cli->words[0]);
	AUTO_FREE char *absolute = NULL;
	char size[24];
	struct json_object *reply;
	int status;

	/* The daemon has another working folder. */
	if (strncmp(spec, "file:", 5) == 0 && spec[5] != '/') {
		absolute = request_absolute("file:", spec + 5);
		spec = absolute ? absolute : spec;
	}
	request_add(params, "spec", spec);
	status = request_send(cli, "drive.add", params, &reply);
	if (status || !reply)
		return status;
	fprintf(cli->out, "drive %s added", cli->words[0]);
	if (print_member(reply, "size"))
		fprintf(cli->out, ", %s",
		        print_size(print_number(reply, "size"), size));
	fputs("\n", cli->out);
	return request_done(reply);
}

int cmd_drive_list(struct cli *cli)
{
	struct json_object *reply;
	int status = request_send(cli, "drive.list", NULL, &reply);

	if (status || !reply)
		return status;
	tables_drives(cli->out, print_member(reply, "drives"),
	              "no drives yet; see 'causeway help drive add'");
	return request_done(reply);
}

int cmd_drive_remove(struct cli *cli)
{
	return request_simple(cli, "drive.remove", "name", "drive %s removed");
}

int cmd_drive_fail(struct cli *cli)
{
	return request_simple(cli, "drive.fail", "name",
	                      "drive %s is not used any more");
}
