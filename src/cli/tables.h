/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/tables - the lists of a reply (docs/control.md), one row per object. */
#ifndef CLI_TABLES_H
#define CLI_TABLES_H

#include <stdio.h>

struct json_object;

/* Each takes an array; an empty one prints `none`, if that is not NULL. */
void tables_drives(FILE *f, struct json_object *drives, const char *none);
void tables_pools(FILE *f, struct json_object *pools, const char *none);
void tables_volumes(FILE *f, struct json_object *volumes, const char *none);
void tables_exports(FILE *f, struct json_object *exports, const char *none);
void tables_peers(FILE *f, struct json_object *peers, const char *none);
void tables_windows(FILE *f, struct json_object *windows, const char *none);

/* Of one peer; and of window.list: who may reach what. */
void tables_links(FILE *f, struct json_object *links, const char *none);
/* Of donor.list. */
void tables_loans(FILE *f, struct json_object *loans, const char *none);
void tables_keys(FILE *f, struct json_object *keys, const char *none);

#endif /* CLI_TABLES_H */
