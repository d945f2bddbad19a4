/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"
#include "cli/parse.h"

#include "base/base.h"

#include <json-c/json.h>
#include <string.h>

static bool begins(const char *path, const char *noun)
{
	size_t n = strlen(noun);

	return strncmp(path, noun, n) == 0 &&
	       (path[n] == ' ' || path[n] == '\0');
}

static void print_option(FILE *f, const struct cli_option *o)
{
	char head[40];

	snprintf(head, sizeof(head), "--%s%s%s", o->name, o->value ? " " : "",
	         o->value ? o->value : "");
	fprintf(f, "  %-18s %s\n", head, o->doc);
}

void cli_help_command(FILE *f, const struct cli_cmd *cmd)
{
	fprintf(f, "causeway %s %s\n", cmd->path, cmd->args);
	fprintf(f, "  %s\n\n", cmd->brief);
	for (size_t i = 0; i < CLI_OPTIONS_MAX; i++)
		if (cmd->options[i].name)
			print_option(f, &cmd->options[i]);
	for (size_t i = 0; i < parse_common_count; i++)
		print_option(f, &parse_common[i]);
	fprintf(f, "\nexample: causeway %s\n", cmd->example);
}

void cli_help_list(FILE *f, const char *noun)
{
	fputs("causeway [--json] [--socket PATH] COMMAND\n\n", f);
	for (size_t i = 0; i < cli_commands_count; i++) {
		const struct cli_cmd *cmd = &cli_commands[i];

		if (!noun || begins(cmd->path, noun))
			fprintf(f, "  %-17s %s\n", cmd->path, cmd->brief);
	}
	fputs("\n'causeway help COMMAND' says more.\nexample: causeway ", f);
	for (size_t i = 0; i < cli_commands_count; i++)
		if (!noun || begins(cli_commands[i].path, noun)) {
			fprintf(f, "%s\n", cli_commands[i].example);
			return;
		}
}

static struct json_object *option_json(const struct cli_option *o)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "name", json_object_new_string(o->name));
	if (o->value)
		json_object_object_add(json, "value",
		                       json_object_new_string(o->value));
	json_object_object_add(json, "doc", json_object_new_string(o->doc));
	return json;
}

static struct json_object *command_json(const struct cli_cmd *cmd)
{
	struct json_object *json = json_object_new_object();
	struct json_object *options = json_object_new_array();

	for (size_t i = 0; i < CLI_OPTIONS_MAX; i++)
		if (cmd->options[i].name)
			json_object_array_add(options,
			                      option_json(&cmd->options[i]));
	json_object_object_add(json, "path", json_object_new_string(cmd->path));
	json_object_object_add(json, "args", json_object_new_string(cmd->args));
	json_object_object_add(json, "brief",
	                       json_object_new_string(cmd->brief));
	json_object_object_add(json, "example",
	                       json_object_new_string(cmd->example));
	json_object_object_add(json, "options", options);
	return json;
}

static void help_json(struct cli *cli, const char *path)
{
	struct json_object *json = json_object_new_object();
	struct json_object *commands = json_object_new_array();
	struct json_object *options = json_object_new_array();

	for (size_t i = 0; i < cli_commands_count; i++)
		if (!path[0] || begins(cli_commands[i].path, path))
			json_object_array_add(commands,
			                      command_json(&cli_commands[i]));
	for (size_t i = 0; i < parse_common_count; i++)
		json_object_array_add(options, option_json(&parse_common[i]));
	json_object_object_add(json, "commands", commands);
	json_object_object_add(json, "options", options);
	cli_print_json(cli, json);
	json_object_put(json);
}

/* `help`, `help volume`, `help volume create`. */
int cli_help(struct cli *cli)
{
	char path[64] = "";
	unsigned found = 0;
	const struct cli_cmd *last = NULL;
	size_t used = 0;

	for (unsigned i = 0; i < cli->n_words && used < sizeof(path); i++)
		used += (size_t)snprintf(path + used, sizeof(path) - used,
		                         "%s%s", i ? " " : "", cli->words[i]);
	for (size_t i = 0; i < cli_commands_count; i++)
		if (path[0] && begins(cli_commands[i].path, path)) {
			last = &cli_commands[i];
			found++;
		}
	if (path[0] && !found)
		return cli_usage(cli,
		                 "there is no command '%s'; 'causeway help' "
		                 "lists the commands",
		                 path);
	if (cli->json)
		help_json(cli, path);
	else if (found == 1)
		cli_help_command(cli->out, last);
	else
		cli_help_list(cli->out, path[0] ? path : NULL);
	return RPC_OK;
}
