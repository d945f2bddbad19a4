/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli - the program `causeway`: one command line, one or two calls, words or
 * JSON, an exit status.
 *
 * The table in commands.c is the only list of commands; parsing, help, the
 * did-you-mean and the manual page are made from it.  A command's run() gets
 * arguments that fit its row.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "rpc/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct cli;
struct json_object;

#define CLI_OPTIONS_MAX 12 /* of one command */
#define CLI_SOCKET "/run/causeway/control.sock"
#define CLI_TIMEOUT_MS 60000u

/* The exit status is an enum rpc_class: 0 ok, 1 failed, 2 usage, 3 not found,
 * 4 works but degraded, 5 denied, 6 full, 75 try again. */

struct cli_option {
	const char *name; /* "size", without the dashes */
	/* "SIZE"; "NODE:RIGHTS...": may be given again, the values are then
	 * joined by commas; NULL: it takes none */
	const char *value;
	const char *doc; /* one line, no full stop */
};

struct cli_cmd {
	const char *path;    /* "volume create" */
	const char *args;    /* "POOL/VOLUME --size SIZE [--raid PROFILE]" */
	const char *brief;   /* one line, no full stop */
	const char *example; /* without "causeway" */
	unsigned n_min;      /* words beside the options */
	unsigned n_max;      /* 0: n_min */
	struct cli_option options[CLI_OPTIONS_MAX];
	int (*run)(struct cli *cli); /* exit status */
};

/* One run of the program. */
struct cli {
	FILE *out;
	FILE *err;
	const struct cli_cmd *cmd;
	const char *socket;
	bool json;
	bool help;
	/* what the command line says, borrowed from argv */
	const char **words;
	unsigned n_words;
	const char *values[CLI_OPTIONS_MAX]; /* by cmd->options; NULL: absent */
	char *joined[CLI_OPTIONS_MAX];       /* of these, ours to free */
};

extern const struct cli_cmd *const cli_commands;
extern const size_t cli_commands_count;

/* The whole program.  @return the exit status. */
int cli_main(int argc, char **argv, FILE *out, FILE *err);

/* -- for commands --------------------------------------------------------- */

/* The value of the option `name` of this command; NULL: not given. */
const char *cli_option(const struct cli *cli, const char *name);

/*
 * Call the daemon; a failure has been reported when this returns.  Takes
 * `params`.  @return 0 and *reply, the caller's to put; else an exit status.
 */
int cli_call(struct cli *cli, const char *method, struct json_object *params,
             struct json_object **reply);

/* Report what is wrong with the command line.  @return RPC_USAGE. */
int cli_usage(struct cli *cli, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Report a failure.  @return its class. */
int cli_fail(struct cli *cli, const struct rpc_error *error);

/* Print one JSON document, {"version": ..., the reply's members}. */
void cli_print_json(struct cli *cli, struct json_object *reply);

int cli_help(struct cli *cli);
void cli_help_command(FILE *f, const struct cli_cmd *cmd);
/* All commands whose path begins with `noun`; NULL: all. */
void cli_help_list(FILE *f, const char *noun);

/* The run() of each command. */
int cmd_status_run(struct cli *cli);
int cmd_doctor_run(struct cli *cli);
int cmd_top_run(struct cli *cli);
int cmd_run(struct cli *cli);
int cmd_swap_on(struct cli *cli);
int cmd_swap_off(struct cli *cli);
int cmd_swap_status(struct cli *cli);
int cmd_donor_offer(struct cli *cli);
int cmd_donor_list(struct cli *cli);
int cmd_donor_withdraw(struct cli *cli);
int cmd_node_add(struct cli *cli);
int cmd_node_list(struct cli *cli);
int cmd_node_show(struct cli *cli);
int cmd_node_remove(struct cli *cli);
int cmd_window_create(struct cli *cli);
int cmd_window_grant(struct cli *cli);
int cmd_window_revoke(struct cli *cli);
int cmd_window_list(struct cli *cli);
int cmd_window_remove(struct cli *cli);
int cmd_window_cat(struct cli *cli);
int cmd_window_put(struct cli *cli);
int cmd_window_cp(struct cli *cli);
int cmd_subnet_up(struct cli *cli);
int cmd_subnet_down(struct cli *cli);
int cmd_subnet_status(struct cli *cli);
int cmd_subnet_nodes(struct cli *cli);
int cmd_subnet_links(struct cli *cli);
int cmd_subnet_routes(struct cli *cli);
int cmd_subnet_explain(struct cli *cli);
int cmd_subnet_diff(struct cli *cli);
int cmd_subnet_plan(struct cli *cli);
int cmd_subnet_events(struct cli *cli);
int cmd_subnet_sweep(struct cli *cli);
int cmd_subnet_reload(struct cli *cli);
int cmd_subnet_topology(struct cli *cli);
int cmd_subnet_lag_list(struct cli *cli);
int cmd_subnet_lag_show(struct cli *cli);
int cmd_subnet_lag_create(struct cli *cli);
int cmd_subnet_lag_delete(struct cli *cli);
int cmd_drive_add(struct cli *cli);
int cmd_drive_list(struct cli *cli);
int cmd_drive_remove(struct cli *cli);
int cmd_drive_fail(struct cli *cli);
int cmd_pool_create(struct cli *cli);
int cmd_pool_list(struct cli *cli);
int cmd_pool_show(struct cli *cli);
int cmd_pool_grow(struct cli *cli);
int cmd_volume_create(struct cli *cli);
int cmd_volume_list(struct cli *cli);
int cmd_volume_show(struct cli *cli);
int cmd_volume_delete(struct cli *cli);
int cmd_export_create(struct cli *cli);
int cmd_export_list(struct cli *cli);
int cmd_export_remove(struct cli *cli);

#endif /* CLI_CLI_H */
