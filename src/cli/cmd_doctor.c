/* SPDX-License-Identifier: BSD-2-Clause */
/* `causeway doctor`: what the daemon finds wrong around it. */
#include "cli/cli.h"

#include "cli/print.h"
#include "cli/request.h"

#include <string.h>

int cmd_doctor_run(struct cli *cli)
{
	struct json_object *reply, *list;
	int status = cli_call(cli, "doctor", NULL, &reply);
	int exit_status = RPC_OK;

	if (status)
		return status;
	list = print_member(reply, "findings");
	for (size_t i = 0; i < print_length(list); i++)
		if (!strcmp(print_text(print_at(list, i), "level"), "error"))
			exit_status = RPC_FAILED;
	if (cli->json)
		cli_print_json(cli, reply);
	else if (!print_length(list))
		fputs("nothing gets in the way\n", cli->out);
	for (size_t i = 0; i < print_length(list) && !cli->json; i++) {
		struct json_object *o = print_at(list, i);

		print_words(cli->out, print_text(o, "level"));
		fputs(": ", cli->out);
		print_words(cli->out, print_text(o, "text"));
		fputs("\nnext:  ", cli->out);
		print_words(cli->out, print_text(o, "next"));
		fputs("\n", cli->out);
	}
	request_done(reply);
	return exit_status;
}
