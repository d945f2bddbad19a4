/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/request - parameters, the call, and JSON output, for the commands. */
#ifndef CLI_REQUEST_H
#define CLI_REQUEST_H

#include "cli/cli.h"

/* {key: value}; and one more member. */
struct json_object *request_new(const char *key, const char *value);
void request_add(struct json_object *params, const char *key,
                 const char *value);

void request_add_number(struct json_object *params, const char *key,
                        uint64_t value);
/* "a,b" as the list ["a", "b"]. */
void request_add_list(struct json_object *params, const char *key,
                      const char *values);

/* The words from `first` on, as a list. */
void request_add_words(struct json_object *params, const char *key,
                       const struct cli *cli, unsigned first);

/*
 * Call; takes `params`.
 *
 * @return an exit status.  *reply is NULL if it failed or --json has been
 *         answered; else it is for people, and ends with request_done().
 */
int request_send(struct cli *cli, const char *method,
                 struct json_object *params, struct json_object **reply);
int request_done(struct json_object *reply); /* puts it; RPC_OK */

/* One name in, one sentence out: `done` has a %s for the name. */
int request_simple(struct cli *cli, const char *method, const char *key,
                   const char *done);

/*
 * The value of the option `name`, if it is given, as bytes or as a whole
 * number.
 *
 * @return 0; RPC_USAGE, reported.  *value is untouched if it is absent.
 */
int request_size_option(struct cli *cli, const char *name, uint64_t *value);
int request_number_option(struct cli *cli, const char *name, uint64_t *value);

/* prefix + the absolute form of `path`, the caller's to free. */
char *request_absolute(const char *prefix, const char *path);

/* Where libcauseway finds the daemon: $CAUSEWAY_WINDOW_SOCKET, or window.sock
 * beside the control socket.  The caller's to free; NULL: out of memory. */
char *request_window_socket(const struct cli *cli);

#endif /* CLI_REQUEST_H */
