/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/parts - lists that a daemon gives in parts (docs/control.md, subnet). */
#ifndef CLI_PARTS_H
#define CLI_PARTS_H

#include "cli/cli.h"

/*
 * Call `method` until there is no `next`; takes `params`.
 *
 * @return an exit status, a failure has been reported; on 0 *list is the whole
 *         list, the caller's to put.
 */
int parts_fetch(struct cli *cli, const char *method, struct json_object *params,
                const char *key, struct json_object **list);

/* The same for a command: *list is NULL if it failed or --json has been
 * answered. */
int parts_send(struct cli *cli, const char *method, struct json_object *params,
               const char *key, struct json_object **list);

#endif /* CLI_PARTS_H */
