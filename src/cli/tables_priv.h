/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of cli/tables share. */
#ifndef CLI_TABLES_PRIV_H
#define CLI_TABLES_PRIV_H

#include "cli/print.h"
#include "cli/tables.h"

/* `names` ends with NULL; bit i of `right`: column i to the right. */
void tables_headings(struct print_table *t, const char *const *names,
                     unsigned right);
void tables_size_cell(struct print_table *t, struct json_object *o,
                      const char *key);
void tables_number_cell(struct print_table *t, uint64_t n);
/* Whether there is nothing to list; then `none` has been printed. */
bool tables_is_empty(FILE *f, struct json_object *array, const char *none);

#endif /* CLI_TABLES_PRIV_H */
