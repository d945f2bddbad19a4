/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/print - replies for people: aligned tables, short sizes, no control
 * characters.  The replies come from a daemon that may be of another version,
 * so every accessor takes a missing member or another type.
 */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json_object;

/* "10G", "1.5T", "512": as base_parse_size() takes it, rounded down. */
const char *print_size(uint64_t bytes, char out[24]);

/* "850ns", "12us", "3.4ms", "2s". */
const char *print_time(uint64_t ns, char out[24]);

/* -- members of a reply --------------------------------------------------- */

const char *print_text(struct json_object *o, const char *key); /* or "" */
uint64_t print_number(struct json_object *o, const char *key);  /* or 0 */
struct json_object *print_member(struct json_object *o, const char *key);
/* An array's length; 0 if it is none. */
size_t print_length(struct json_object *array);
struct json_object *print_at(struct json_object *array, size_t i);

/* -- tables --------------------------------------------------------------- */

#define PRINT_COLUMNS_MAX 12

/*
 * Cells are added row by row, the headings first, and are copied; columns of
 * numbers are aligned to the right.
 */
struct print_table {
	unsigned n_columns;
	unsigned right; /* bit i: column i */
	char **cells;
	size_t n_cells;
};

void print_table_init(struct print_table *t, unsigned n_columns,
                      unsigned right);
void print_cell(struct print_table *t, const char *text);
/* Print and free. */
void print_table(struct print_table *t, FILE *f);

/* One line of words with what a terminal would obey replaced. */
void print_words(FILE *f, const char *text);

#endif /* CLI_PRINT_H */
