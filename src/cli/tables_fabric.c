/* SPDX-License-Identifier: BSD-2-Clause */
/* Other nodes, windows, and who may reach them. */
#include "cli/tables_priv.h"

#include "base/base.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

/* "2/2": links that are up, of all. */
static void links_cell(struct print_table *t, struct json_object *links)
{
	size_t n = print_length(links), up = 0;
	char text[48];

	for (size_t i = 0; i < n; i++)
		up += !strcmp(print_text(print_at(links, i), "state"), "up");
	snprintf(text, sizeof(text), "%zu/%zu", up, n);
	print_cell(t, text);
}

void tables_peers(FILE *f, struct json_object *peers, const char *none)
{
	static const char *const names[] = {
		"NODE", "STATE",  "LINKS",          "TRANSPORT",
		"OPS",  "RESENT", "WHY NOT BETTER", NULL
	};
	struct print_table t;

	if (tables_is_empty(f, peers, none))
		return;
	tables_headings(&t, names, 1 << 2 | 1 << 4 | 1 << 5);
	for (size_t i = 0; i < print_length(peers); i++) {
		struct json_object *o = print_at(peers, i);

		print_cell(&t, print_text(o, "name"));
		print_cell(&t, print_text(o, "state"));
		links_cell(&t, print_member(o, "links"));
		print_cell(&t, print_text(o, "transport"));
		tables_number_cell(&t, print_number(o, "ops"));
		tables_number_cell(&t, print_number(o, "resent"));
		print_cell(&t, print_text(o, "why_not_better"));
	}
	print_table(&t, f);
}

void tables_links(FILE *f, struct json_object *links, const char *none)
{
	static const char *const names[] = { "LINK",     "STATE", "OPS", "SENT",
		                             "RECEIVED", "LOST",  "WHY", NULL };
	struct print_table t;

	if (tables_is_empty(f, links, none))
		return;
	tables_headings(&t, names, 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5);
	for (size_t i = 0; i < print_length(links); i++) {
		struct json_object *o = print_at(links, i);

		print_cell(&t, print_text(o, "address"));
		print_cell(&t, print_text(o, "state"));
		tables_number_cell(&t, print_number(o, "ops"));
		tables_size_cell(&t, o, "bytes_sent");
		tables_size_cell(&t, o, "bytes_received");
		tables_number_cell(&t, print_number(o, "times_lost"));
		print_cell(&t, print_text(o, "why"));
	}
	print_table(&t, f);
}

/* "beta:rw gamma:ro" */
static void allowed_cell(struct print_table *t, struct json_object *grants)
{
	char text[512] = "";
	size_t used = 0;

	for (size_t i = 0; i < print_length(grants); i++) {
		struct json_object *o = print_at(grants, i);

		if (used < sizeof(text))
			used += (size_t)snprintf(
				text + used, sizeof(text) - used, "%s%s:%s",
				i ? " " : "", print_text(o, "node"),
				print_text(o, "rights"));
	}
	print_cell(t, text);
}

void tables_windows(FILE *f, struct json_object *windows, const char *none)
{
	static const char *const names[] = { "WINDOW", "SIZE", "IN", "ALLOWED",
		                             NULL };
	struct print_table t;

	if (tables_is_empty(f, windows, none))
		return;
	tables_headings(&t, names, 1 << 1);
	for (size_t i = 0; i < print_length(windows); i++) {
		struct json_object *o = print_at(windows, i);

		print_cell(&t, print_text(o, "name"));
		tables_size_cell(&t, o, "size");
		print_cell(&t, *print_text(o, "file") ? print_text(o, "file")
		                                      : "memory");
		allowed_cell(&t, print_member(o, "grants"));
	}
	print_table(&t, f);
}

/* A window by its name, memory of a process by its number. */
static void what_cell(struct print_table *t, struct json_object *o)
{
	char text[48];

	if (*print_text(o, "window")) {
		print_cell(t, print_text(o, "window"));
		return;
	}
	snprintf(text, sizeof(text), "process %" PRIu64,
	         print_number(o, "pid"));
	print_cell(t, text);
}

static void lease_cell(struct print_table *t, struct json_object *o)
{
	char text[24];

	print_cell(t, print_member(o, "lease_ms")
	                      ? print_time(print_number(o, "lease_ms") *
	                                           UINT64_C(1000000),
	                                   text)
	                      : "");
}

static void time_cell(struct print_table *t, struct json_object *o,
                      const char *key)
{
	char text[24];

	print_cell(t,
	           print_time(print_number(o, key) * UINT64_C(1000000), text));
}

/* "reserved huge pages, locked" */
static void memory_cell(struct print_table *t, struct json_object *o)
{
	const char *huge = print_text(o, "huge_pages");
	bool small = !strcmp(huge, "none");
	char text[64];

	snprintf(text, sizeof(text), "%.20s%s%s", small ? "small" : huge,
	         small ? " pages" : " huge pages",
	         json_object_get_boolean(print_member(o, "locked")) ? ", locked"
	                                                            : "");
	print_cell(t, text);
}

void tables_loans(FILE *f, struct json_object *loans, const char *none)
{
	static const char *const names[] = { "WHO",     "SIZE",   "STATE",
		                             "FOR",     "LEFT",   "READ",
		                             "WRITTEN", "MEMORY", NULL };
	struct print_table t;

	if (tables_is_empty(f, loans, none))
		return;
	tables_headings(&t, names, 0x7a);
	for (size_t i = 0; i < print_length(loans); i++) {
		struct json_object *o = print_at(loans, i);

		print_cell(&t, print_text(o, "node"));
		tables_size_cell(&t, o, "size");
		print_cell(&t, print_text(o, "state"));
		time_cell(&t, o, "age_ms");
		time_cell(&t, o, "left_ms");
		tables_size_cell(&t, o, "bytes_read");
		tables_size_cell(&t, o, "bytes_written");
		memory_cell(&t, o);
	}
	print_table(&t, f);
}

void tables_keys(FILE *f, struct json_object *keys, const char *none)
{
	static const char *const names[] = { "WHAT",  "WHO",     "RIGHTS",
		                             "LEASE", "READS",   "WRITES",
		                             "READ",  "WRITTEN", "REFUSED",
		                             NULL };
	struct print_table t;

	if (tables_is_empty(f, keys, none))
		return;
	tables_headings(&t, names, 0x1f8);
	for (size_t i = 0; i < print_length(keys); i++) {
		struct json_object *o = print_at(keys, i);

		what_cell(&t, o);
		print_cell(&t, print_text(o, "node"));
		print_cell(&t, print_text(o, "rights"));
		lease_cell(&t, o);
		tables_number_cell(&t, print_number(o, "reads"));
		tables_number_cell(&t, print_number(o, "writes"));
		tables_size_cell(&t, o, "bytes_read");
		tables_size_cell(&t, o, "bytes_written");
		tables_number_cell(&t, print_number(o, "refused"));
	}
	print_table(&t, f);
}
