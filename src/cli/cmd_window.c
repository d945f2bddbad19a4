/* SPDX-License-Identifier: BSD-2-Clause */
/* Windows as objects; cmd_window_data.c moves what is in them. */
#include "cli/cli.h"

#include "base/base.h"
#include "cli/print.h"
#include "cli/request.h"
#include "cli/tables.h"

#include <string.h>

int cmd_window_create(struct cli *cli)
{
	const char *file = cli_option(cli, "file");
	const char *allow = cli_option(cli, "allow");
	AUTO_FREE char *absolute = NULL;
	struct json_object *params, *reply;
	uint64_t size = 0;
	char text[24];
	int status;

	if (!cli_option(cli, "size"))
		return cli_usage(cli, "--size is missing");
	status = request_size_option(cli, "size", &size);
	if (status)
		return status;
	params = request_new("name", cli->words[0]);
	request_add_number(params, "size", size);
	if (file) {
		absolute = request_absolute("", file);
		request_add(params, "file", absolute ? absolute : file);
	}
	if (allow)
		request_add_list(params, "allow", allow);
	status = request_send(cli, "window.create", params, &reply);
	if (status || !reply)
		return status;
	fprintf(cli->out, "window %s created, %s\n", cli->words[0],
	        print_size(size, text));
	return request_done(reply);
}

int cmd_window_grant(struct cli *cli)
{
	const char *colon = strchr(cli->words[1], ':');
	uint64_t lease = 0, bytes = 0, ops = 0;
	struct json_object *params, *reply;
	char node[256];
	int status;

	if (!colon)
		return cli_usage(cli,
		                 "'%s' does not say what node may do; write "
		                 "NODE:ro, NODE:wo or NODE:rw",
		                 cli->words[1]);
	if ((status = request_number_option(cli, "lease", &lease)) ||
	    (status = request_size_option(cli, "bytes-per-s", &bytes)) ||
	    (status = request_number_option(cli, "ops-per-s", &ops)))
		return status;
	snprintf(node, sizeof(node), "%.*s", (int)(colon - cli->words[1]),
	         cli->words[1]);
	params = request_new("name", cli->words[0]);
	request_add(params, "node", node);
	request_add(params, "rights", colon + 1);
	if (cli_option(cli, "lease"))
		request_add_number(params, "lease_s", lease);
	if (cli_option(cli, "bytes-per-s"))
		request_add_number(params, "bytes_per_s", bytes);
	if (cli_option(cli, "ops-per-s"))
		request_add_number(params, "ops_per_s", ops);
	status = request_send(cli, "window.grant", params, &reply);
	if (status || !reply)
		return status;
	fprintf(cli->out, "node %s may reach window %s (%s)\n", node,
	        cli->words[0], colon + 1);
	return request_done(reply);
}

int cmd_window_revoke(struct cli *cli)
{
	struct json_object *params = request_new("name", cli->words[0]);
	struct json_object *reply;
	int status;

	if (cli->n_words > 1)
		request_add(params, "node", cli->words[1]);
	status = request_send(cli, "window.revoke", params, &reply);
	if (status || !reply)
		return status;
	fprintf(cli->out, "%s%s may not reach window %s any more\n",
	        cli->n_words > 1 ? "node " : "other nodes",
	        cli->n_words > 1 ? cli->words[1] : "", cli->words[0]);
	return request_done(reply);
}

int cmd_window_list(struct cli *cli)
{
	struct json_object *reply;
	int status = request_send(cli, "window.list", NULL, &reply);

	if (status || !reply)
		return status;
	if (cli_option(cli, "peers"))
		tables_keys(cli->out, print_member(reply, "keys"),
		            "nobody may reach anything; see 'causeway help "
		            "window grant'");
	else
		tables_windows(cli->out, print_member(reply, "windows"),
		               "no windows yet; see 'causeway help window "
		               "create'");
	return request_done(reply);
}

int cmd_window_remove(struct cli *cli)
{
	return request_simple(cli, "window.remove", "name",
	                      "window %s removed");
}
