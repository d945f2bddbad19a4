/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/parse.h"

#include "base/base.h"
#include "rpc/schema.h"

#include <assert.h>
#include <string.h>

#define NAMES_MAX 128

const struct cli_option parse_common[] = {
	{ "json", NULL, "print one JSON document" },
	{ "socket", "PATH",
	  "control socket of the daemon; default $CAUSEWAY_SOCKET, "
	  "else " CLI_SOCKET },
	{ "help", NULL, "explain the command" },
};
const size_t parse_common_count = ARRAY_LEN(parse_common);

/* -- which command -------------------------------------------------------- */

static bool starts_with_noun(const char *path, const char *noun)
{
	size_t n = strlen(noun);

	return strncmp(path, noun, n) == 0 && path[n] == ' ';
}

static bool is_noun(const char *word)
{
	for (size_t i = 0; i < cli_commands_count; i++)
		if (starts_with_noun(cli_commands[i].path, word))
			return true;
	return false;
}

static const struct cli_cmd *find_command(const char *path)
{
	for (size_t i = 0; i < cli_commands_count; i++)
		if (strcmp(cli_commands[i].path, path) == 0)
			return &cli_commands[i];
	return NULL;
}

static int unknown_command(struct cli *cli, const char *path)
{
	const char *names[NAMES_MAX];
	const char *hint;

	assert(cli_commands_count <= NAMES_MAX);
	for (size_t i = 0; i < cli_commands_count; i++)
		names[i] = cli_commands[i].path;
	hint = rpc_closest(path, names, cli_commands_count);
	if (hint)
		return cli_usage(cli,
		                 "unknown command '%s'; did you mean '%s'?",
		                 path, hint);
	return cli_usage(cli,
	                 "unknown command '%s'; 'causeway help' lists the "
	                 "commands",
	                 path);
}

#define PATH_WORDS 3

/* The first `n` words, or as many as there are. */
static void join_words(const struct cli *cli, unsigned n, char path[64])
{
	size_t used = 0;

	path[0] = '\0';
	for (unsigned i = 0; i < n && i < cli->n_words && used < 64; i++)
		used += (size_t)snprintf(path + used, 64 - used, "%s%s",
		                         i ? " " : "", cli->words[i]);
}

/* The words so far name a command, or else the noun of some. */
static int choose_command(struct cli *cli)
{
	const char *first = cli->n_words ? cli->words[0] : NULL;
	char path[64];
	unsigned used;

	if (!first) {
		cli_help_list(cli->help ? cli->out : cli->err, NULL);
		return cli->help ? RPC_OK : RPC_USAGE;
	}
	for (used = 1; used <= PATH_WORDS && used <= cli->n_words; used++) {
		join_words(cli, used, path);
		cli->cmd = find_command(path);
		if (cli->cmd)
			break;
		if (used == cli->n_words && is_noun(path)) {
			cli_help_list(cli->help ? cli->out : cli->err, path);
			return cli->help ? RPC_OK : RPC_USAGE;
		}
	}
	if (!cli->cmd) {
		/* "statsu now": the second word may be an argument. */
		const char *names[NAMES_MAX];
		size_t n = 0;

		join_words(cli, 2, path);
		if (is_noun(path))
			join_words(cli, 3, path);
		for (size_t i = 0; i < cli_commands_count; i++)
			if (!strchr(cli_commands[i].path, ' '))
				names[n++] = cli_commands[i].path;
		if (!is_noun(first) && rpc_closest(first, names, n))
			return unknown_command(cli, first);
		return unknown_command(cli, path);
	}
	cli->words += used;
	cli->n_words -= used;
	return -1;
}

/* -- options -------------------------------------------------------------- */

static int take_common(struct cli *cli, const struct cli_option *o,
                       const char *value)
{
	if (strcmp(o->name, "json") == 0)
		cli->json = true;
	else if (strcmp(o->name, "help") == 0)
		cli->help = true;
	else
		cli->socket = value;
	return -1;
}

static int unknown_option(struct cli *cli, const char *text, size_t length)
{
	const char *names[CLI_OPTIONS_MAX + 8];
	char name[64];
	const char *hint;
	size_t n = 0;

	for (size_t i = 0; i < parse_common_count; i++)
		names[n++] = parse_common[i].name;
	for (size_t i = 0; cli->cmd && i < CLI_OPTIONS_MAX; i++)
		if (cli->cmd->options[i].name)
			names[n++] = cli->cmd->options[i].name;
	snprintf(name, sizeof(name), "%.*s", (int)length, text);
	hint = rpc_closest(name, names, n);
	return cli_usage(cli, "unknown option '--%s'%s%s%s", name,
	                 hint ? "; did you mean '--" : "", hint ? hint : "",
	                 hint ? "'?" : "");
}

/* The row of "--name" or "--name=value" in `rows`. */
static const struct cli_option *find_option(const struct cli_option *rows,
                                            size_t n, const char *name,
                                            size_t length)
{
	for (size_t i = 0; i < n && rows[i].name; i++)
		if (strlen(rows[i].name) == length &&
		    strncmp(rows[i].name, name, length) == 0)
			return &rows[i];
	return NULL;
}

static bool may_repeat(const struct cli_option *o)
{
	return o->value && strstr(o->value, "...");
}

/* One more value of an option that may be given again. */
static int join(struct cli *cli, size_t i, const char *value)
{
	char *joined;

	if (asprintf(&joined, "%s,%s", cli->values[i], value) < 0)
		return cli_usage(cli, "--%s: out of memory",
		                 cli->cmd->options[i].name);
	free(cli->joined[i]);
	cli->joined[i] = joined;
	cli->values[i] = joined;
	return -1;
}

/*
 * One option at argv[*i]; moves *i over its value.  In the first pass the
 * command is not known: its options are left for the second one, which
 * needs to know only whether a value follows.
 */
static int take_option(struct cli *cli, int argc, char **argv, int *i)
{
	const char *name = argv[*i] + 2;
	size_t length = strcspn(name, "=");
	const char *value = name[length] ? name + length + 1 : NULL;
	const struct cli_option *own = NULL, *common, *o;

	common = find_option(parse_common, parse_common_count, name, length);
	if (cli->cmd)
		own = find_option(cli->cmd->options, CLI_OPTIONS_MAX, name,
		                  length);
	o = common ? common : own;
	if (!o)
		return unknown_option(cli, name, length);
	if (!o->value && value)
		return cli_usage(cli, "--%s takes no value", o->name);
	if (o->value && !value && *i + 1 < argc)
		value = argv[++*i];
	if (o->value && !value)
		return cli_usage(cli, "--%s needs a value: %s", o->name,
		                 o->doc);
	if (common)
		return take_common(cli, o, value);
	if (cli->values[own - cli->cmd->options] && may_repeat(own))
		return join(cli, (size_t)(own - cli->cmd->options), value);
	if (cli->values[own - cli->cmd->options])
		return cli_usage(cli, "--%s is given twice", o->name);
	cli->values[own - cli->cmd->options] = value ? value : "";
	return -1;
}

/* -- the line ------------------------------------------------------------- */

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1];
}

/*
 * Whatever stands before the end of the command's name: common options and
 * up to three words.  @return where the rest begins, or minus an exit status.
 */
static int take_head(struct cli *cli, int argc, char **argv, int *rest)
{
	char path[64];
	int i, status;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-h") == 0) {
			cli->help = true;
		} else if (is_option(argv[i])) {
			/* An option of a command that is still to come, or a
			 * mistake. */
			if (strncmp(argv[i], "--", 2) != 0)
				return cli_usage(cli, "unknown option '%s'",
				                 argv[i]);
			status = take_option(cli, argc, argv, &i);
			if (status >= 0)
				return status;
		} else {
			cli->words[cli->n_words++] = argv[i];
			join_words(cli, PATH_WORDS, path);
			if (find_command(path) ||
			    (cli->n_words > 1 && !is_noun(path))) {
				i++;
				break;
			}
		}
	}
	*rest = i;
	return -1;
}

static int take_rest(struct cli *cli, int argc, char **argv, int i)
{
	bool only_words = false;
	int status;

	for (; i < argc; i++) {
		if (only_words || !is_option(argv[i])) {
			cli->words[cli->n_words++] = argv[i];
		} else if (strcmp(argv[i], "--") == 0) {
			only_words = true;
		} else if (strcmp(argv[i], "-h") == 0) {
			cli->help = true;
		} else if (strncmp(argv[i], "--", 2) == 0) {
			status = take_option(cli, argc, argv, &i);
			if (status >= 0)
				return status;
		} else {
			return cli_usage(cli, "unknown option '%s'", argv[i]);
		}
	}
	return -1;
}

int parse_line(struct cli *cli, int argc, char **argv, const char **words)
{
	int rest = 0, status;

	cli->words = words;
	status = take_head(cli, argc, argv, &rest);
	if (status < 0)
		status = choose_command(cli);
	if (status < 0)
		status = take_rest(cli, argc, argv, rest);
	return status;
}
