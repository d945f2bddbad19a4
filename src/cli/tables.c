/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/tables_priv.h"

#include "base/base.h"
#include "cli/print.h"

#include <inttypes.h>

void tables_headings(struct print_table *t, const char *const *names,
                     unsigned right)
{
	unsigned n = 0;

	while (names[n])
		n++;
	print_table_init(t, n, right);
	for (unsigned i = 0; i < n; i++)
		print_cell(t, names[i]);
}

void tables_size_cell(struct print_table *t, struct json_object *o,
                      const char *key)
{
	char text[24];

	print_cell(t, print_member(o, key)
	                      ? print_size(print_number(o, key), text)
	                      : "");
}

void tables_number_cell(struct print_table *t, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, n);
	print_cell(t, text);
}

bool tables_is_empty(FILE *f, struct json_object *array, const char *none)
{
	if (print_length(array))
		return false;
	if (none)
		fprintf(f, "%s\n", none);
	return true;
}

void tables_drives(FILE *f, struct json_object *drives, const char *none)
{
	static const char *const names[] = { "DRIVE", "STATE", "SIZE", "POOL",
		                             "SPEC",  "WHY",   NULL };
	struct print_table t;

	if (tables_is_empty(f, drives, none))
		return;
	tables_headings(&t, names, 1 << 2);
	for (size_t i = 0; i < print_length(drives); i++) {
		struct json_object *o = print_at(drives, i);

		print_cell(&t, print_text(o, "name"));
		print_cell(&t, print_text(o, "state"));
		tables_size_cell(&t, o, "size");
		print_cell(&t, print_text(o, "pool"));
		print_cell(&t, print_text(o, "spec"));
		print_cell(&t, print_text(o, "why"));
	}
	print_table(&t, f);
}

void tables_pools(FILE *f, struct json_object *pools, const char *none)
{
	static const char *const names[] = { "POOL", "STATE",    "DRIVES",
		                             "USED", "CAPACITY", NULL };
	struct print_table t;

	if (tables_is_empty(f, pools, none))
		return;
	tables_headings(&t, names, 1 << 2 | 1 << 3 | 1 << 4);
	for (size_t i = 0; i < print_length(pools); i++) {
		struct json_object *o = print_at(pools, i);

		print_cell(&t, print_text(o, "name"));
		print_cell(&t, print_text(o, "state"));
		tables_number_cell(&t, print_length(print_member(o, "drives")));
		tables_size_cell(&t, o, "used");
		tables_size_cell(&t, o, "capacity");
	}
	print_table(&t, f);
}

void tables_volumes(FILE *f, struct json_object *volumes, const char *none)
{
	static const char *const names[] = { "VOLUME",    "STATE", "RAID",
		                             "ALLOCATED", "SIZE",  NULL };
	struct print_table t;

	if (tables_is_empty(f, volumes, none))
		return;
	tables_headings(&t, names, 1 << 3 | 1 << 4);
	for (size_t i = 0; i < print_length(volumes); i++) {
		struct json_object *o = print_at(volumes, i);

		print_cell(&t, print_text(o, "name"));
		print_cell(&t, print_text(o, "state"));
		print_cell(&t, print_text(o, "raid"));
		tables_size_cell(&t, o, "allocated");
		tables_size_cell(&t, o, "size");
	}
	print_table(&t, f);
}

/* "1204 20us/90us": how many, and the latencies p50 and p99. */
static void op_cell(struct print_table *t, struct json_object *export,
                    const char *op)
{
	struct json_object *o = print_member(print_member(export, "ops"), op);
	char text[80], p50[24], p99[24];

	if (print_number(o, "count") == 0) {
		print_cell(t, "0");
		return;
	}
	snprintf(text, sizeof(text), "%" PRIu64 " %s/%s",
	         print_number(o, "count"),
	         print_time(print_number(o, "p50_ns"), p50),
	         print_time(print_number(o, "p99_ns"), p99));
	print_cell(t, text);
}

void tables_exports(FILE *f, struct json_object *exports, const char *none)
{
	static const char *const names[] = { "EXPORT",         "TYPE",
		                             "VOLUME",         "ADDRESS",
		                             "CLIENTS",        "READS p50/p99",
		                             "WRITES p50/p99", NULL };
	struct print_table t;

	if (tables_is_empty(f, exports, none))
		return;
	tables_headings(&t, names, 1 << 4 | 1 << 5 | 1 << 6);
	for (size_t i = 0; i < print_length(exports); i++) {
		struct json_object *o = print_at(exports, i);

		print_cell(&t, print_text(o, "name"));
		print_cell(&t, print_text(o, "type"));
		print_cell(&t, print_text(o, "volume"));
		print_cell(&t, print_text(o, "address"));
		tables_number_cell(&t, print_number(o, "clients"));
		op_cell(&t, o, "read");
		op_cell(&t, o, "write");
	}
	print_table(&t, f);
}
