/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/print.h"

#include "base/base.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

const char *print_size(uint64_t bytes, char out[24])
{
	static const char suffixes[] = "\0kMGTPE";
	unsigned shift = 0;
	uint64_t whole, tenths;

	while (shift < 60 && bytes >> (shift + 10))
		shift += 10;
	whole = bytes >> shift;
	tenths = shift ? ((bytes >> (shift - 10)) & 1023) * 10 / 1024 : 0;
	if (tenths && whole < 100)
		snprintf(out, 24, "%" PRIu64 ".%" PRIu64 "%c", whole, tenths,
		         suffixes[shift / 10]);
	else
		snprintf(out, 24, "%" PRIu64 "%.1s", whole,
		         &suffixes[shift / 10]);
	return out;
}

const char *print_time(uint64_t ns, char out[24])
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	unsigned unit = 0;
	uint64_t rest = 0;

	while (unit < 3 && ns >= 1000) {
		rest = ns % 1000;
		ns /= 1000;
		unit++;
	}
	if (ns < 10 && unit && rest >= 100)
		snprintf(out, 24, "%" PRIu64 ".%" PRIu64 "%s", ns, rest / 100,
		         units[unit]);
	else
		snprintf(out, 24, "%" PRIu64 "%s", ns, units[unit]);
	return out;
}

struct json_object *print_member(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	if (json_object_is_type(o, json_type_object))
		json_object_object_get_ex(o, key, &v);
	return v;
}

const char *print_text(struct json_object *o, const char *key)
{
	struct json_object *v = print_member(o, key);

	return json_object_is_type(v, json_type_string)
	               ? json_object_get_string(v)
	               : "";
}

uint64_t print_number(struct json_object *o, const char *key)
{
	struct json_object *v = print_member(o, key);

	return json_object_is_type(v, json_type_int) ? json_object_get_uint64(v)
	                                             : 0;
}

size_t print_length(struct json_object *array)
{
	return json_object_is_type(array, json_type_array)
	               ? json_object_array_length(array)
	               : 0;
}

struct json_object *print_at(struct json_object *array, size_t i)
{
	return json_object_array_get_idx(array, i);
}

static bool obeyed(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

void print_words(FILE *f, const char *text)
{
	for (; *text; text++)
		fputc(obeyed(*text) ? '?' : *text, f);
}

void print_table_init(struct print_table *t, unsigned n_columns, unsigned right)
{
	*t = (struct print_table){ .n_columns = n_columns, .right = right };
}

void print_cell(struct print_table *t, const char *text)
{
	char **cells = realloc(t->cells, (t->n_cells + 1) * sizeof(*cells));
	char *copy = strdup(*text ? text : "-");

	if (!cells || !copy)
		abort(); /* a table of a few kilobytes */
	for (char *c = copy; *c; c++)
		if (obeyed(*c))
			*c = '?';
	t->cells = cells;
	t->cells[t->n_cells++] = copy;
}

/* Characters on the screen, near enough: not the bytes that continue one. */
static int width(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

void print_table(struct print_table *t, FILE *f)
{
	int widths[PRINT_COLUMNS_MAX] = { 0 };

	for (size_t i = 0; i < t->n_cells; i++) {
		int n = width(t->cells[i]);

		if (n > widths[i % t->n_columns])
			widths[i % t->n_columns] = n;
	}
	for (size_t i = 0; i < t->n_cells; i++) {
		unsigned column = (unsigned)(i % t->n_columns);
		bool last = column + 1 == t->n_columns;
		int pad = widths[column] - width(t->cells[i]);

		if (t->right >> column & 1)
			fprintf(f, "%*s%s", pad, "", t->cells[i]);
		else
			fprintf(f, "%s%*s", t->cells[i], last ? 0 : pad, "");
		fputs(last ? "\n" : "  ", f);
		free(t->cells[i]);
	}
	free(t->cells);
	*t = (struct print_table){ 0 };
}
