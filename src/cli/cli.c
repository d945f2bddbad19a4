/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include "base/base.h"
#include "cli/parse.h"
#include "rpc/client.h"
#include "rpc/members.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static void put(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, json_object_new_string(text));
}

int cli_fail(struct cli *cli, const struct rpc_error *error)
{
	struct json_object *reply, *inner;

	if (!cli->json) {
		fprintf(cli->err, "causeway: %s\n", error->text);
		return (int)error->class;
	}
	reply = json_object_new_object();
	inner = json_object_new_object();
	put(inner, "code", error->code);
	put(inner, "text", error->text);
	put(inner, "class", rpc_class_name(error->class));
	json_object_object_add(reply, "error", inner);
	cli_print_json(cli, reply);
	json_object_put(reply);
	return (int)error->class;
}

int cli_usage(struct cli *cli, const char *fmt, ...)
{
	struct rpc_error error = { .class = RPC_USAGE, .code = "EINVAL" };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error.text, sizeof(error.text), fmt, ap);
	va_end(ap);
	cli_fail(cli, &error);
	if (cli->cmd && !cli->json)
		fprintf(cli->err,
		        "usage: causeway %s %s\nexample: causeway "
		        "%s\n",
		        cli->cmd->path, cli->cmd->args, cli->cmd->example);
	return RPC_USAGE;
}

const char *cli_option(const struct cli *cli, const char *name)
{
	for (size_t i = 0; i < CLI_OPTIONS_MAX; i++)
		if (cli->cmd->options[i].name &&
		    strcmp(cli->cmd->options[i].name, name) == 0)
			return cli->values[i];
	return NULL;
}

static int unreachable(struct cli *cli, const struct err *e)
{
	struct rpc_error error;
	struct err words = { 0 };
	enum rpc_class class = RPC_FAILED;

	if (e->code == -ENOENT || e->code == -ECONNREFUSED) {
		err_set(&words, e->code,
		        "%.200s; start it with 'causewayd --state DIR', or say "
		        "where it is with --socket DIR/control.sock",
		        e->text);
	} else if (e->code == -EACCES || e->code == -EPERM) {
		class = RPC_DENIED;
		err_set(&words, e->code,
		        "%.200s; ask as the user, or in the group, that the "
		        "daemon runs as",
		        e->text);
	} else {
		class = e->code == -EAGAIN ? RPC_TRY_AGAIN : RPC_FAILED;
		words = *e;
	}
	rpc_error_set(&error, &words, class);
	return cli_fail(cli, &error);
}

int cli_call(struct cli *cli, const char *method, struct json_object *params,
             struct json_object **reply)
{
	struct rpc_error error;
	struct rpc_sync sync;
	struct err e = { 0 };
	enum rpc_class class;

	if (rpc_sync_open(cli->socket, &sync, &e) != 0) {
		json_object_put(params);
		return unreachable(cli, &e);
	}
	class = rpc_sync_call(&sync, method, params, CLI_TIMEOUT_MS, reply,
	                      &error);
	rpc_sync_close(&sync);
	return class ? cli_fail(cli, &error) : 0;
}

void cli_print_json(struct cli *cli, struct json_object *reply)
{
	struct json_object *document = json_object_new_object();
	struct members m = members_of(reply);

	put(document, "version", CAUSEWAY_VERSION);
	while (members_next(&m))
		json_object_object_add(document, m.key,
		                       json_object_get(m.value));
	fprintf(cli->out, "%s\n",
	        json_object_to_json_string_ext(
			document, JSON_C_TO_STRING_PRETTY |
					  JSON_C_TO_STRING_SPACED |
					  JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(document);
}

static int run(struct cli *cli)
{
	const struct cli_cmd *cmd = cli->cmd;
	unsigned n_max = cmd->n_max ? cmd->n_max : cmd->n_min;

	if (cli->help) {
		cli_help_command(cli->out, cmd);
		return RPC_OK;
	}
	if (cli->n_words < cmd->n_min)
		return cli_usage(cli, "%s",
		                 cli->n_words ? "a word is missing"
		                              : "words are missing");
	if (cli->n_words > n_max)
		return cli_usage(cli, "'%s' is one word too many",
		                 cli->words[n_max]);
	return cmd->run(cli);
}

int cli_main(int argc, char **argv, FILE *out, FILE *err)
{
	const char *from_env = getenv("CAUSEWAY_SOCKET");
	AUTO_FREE const char **words = calloc((size_t)argc + 1, sizeof(*words));
	struct cli cli = {
		.out = out,
		.err = err,
		.socket = from_env && *from_env ? from_env : CLI_SOCKET,
	};
	int status;

	if (!words)
		return RPC_TRY_AGAIN;
	/* Also for mistakes that stand before it. */
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0)
			cli.json = true;
	status = parse_line(&cli, argc, argv, words);
	if (status < 0)
		status = run(&cli);
	for (size_t i = 0; i < CLI_OPTIONS_MAX; i++)
		free(cli.joined[i]);
	/* Output that did not arrive is a failure, as on a full disk. */
	if (fflush(out) != 0 && status == RPC_OK)
		status = RPC_FAILED;
	return status;
}
