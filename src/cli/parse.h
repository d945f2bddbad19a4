/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/parse - a command line against the table of commands. */
#ifndef CLI_PARSE_H
#define CLI_PARSE_H

#include "cli/cli.h"

/*
 * Fill in cli->cmd, words, values and the options that every command has.
 * `words` has room for argc of them.  Options may stand anywhere; after "--"
 * there are only words.
 *
 * @return -1: go on; else the exit status, what is wrong has been reported.
 */
int parse_line(struct cli *cli, int argc, char **argv, const char **words);

/* Of every command. */
extern const struct cli_option parse_common[];
extern const size_t parse_common_count;

#endif /* CLI_PARSE_H */
