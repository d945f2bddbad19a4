/* SPDX-License-Identifier: BSD-2-Clause */
/* What the subnet manager lists: nodes, links, routes, aggregated hosts. */
#include "cli/cli.h"

#include "base/base.h"
#include "cli/parts.h"
#include "cli/print.h"
#include "cli/request.h"
#include "cli/tables_priv.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

/* A column: its heading, the member, and whether that is a number. */
struct column {
	const char *heading, *key;
	bool number;
};

static void put_rows(FILE *f, struct json_object *list,
                     const struct column *columns, unsigned n)
{
	struct print_table t;
	unsigned right = 0;

	for (unsigned i = 0; i < n; i++)
		right |= (unsigned)columns[i].number << i;
	print_table_init(&t, n, right);
	for (unsigned i = 0; i < n; i++)
		print_cell(&t, columns[i].heading);
	for (size_t k = 0; k < print_length(list); k++) {
		struct json_object *o = print_at(list, k);

		for (unsigned i = 0; i < n; i++)
			if (columns[i].number)
				tables_number_cell(
					&t, print_number(o, columns[i].key));
			else
				print_cell(&t, print_text(o, columns[i].key));
	}
	print_table(&t, f);
}

static int list(struct cli *cli, const char *method, struct json_object *params,
                const char *key, const struct column *columns, unsigned n,
                const char *none)
{
	struct json_object *rows;
	int status = parts_send(cli, method, params, key, &rows);

	if (status || !rows)
		return status;
	if (!tables_is_empty(cli->out, rows, none))
		put_rows(cli->out, rows, columns, n);
	json_object_put(rows);
	return RPC_OK;
}

int cmd_subnet_nodes(struct cli *cli)
{
	static const struct column columns[] = {
		{ "NODE", "node", false },  { "KIND", "kind", false },
		{ "GUID", "guid", false },  { "LID", "lid", true },
		{ "PORTS", "ports", true }, { "LINKS", "links", true },
	};

	return list(cli, "subnet.nodes", NULL, "nodes", columns,
	            ARRAY_LEN(columns), "nothing has been found yet");
}

int cmd_subnet_links(struct cli *cli)
{
	static const struct column columns[] = {
		{ "A", "a", false },         { "PORT", "a_port", true },
		{ "B", "b", false },         { "PORT", "b_port", true },
		{ "STATE", "state", false }, { "WIDTH", "width", true },
		{ "SPEED", "speed", true },
	};

	return list(cli, "subnet.links", NULL, "links", columns,
	            ARRAY_LEN(columns), "no links");
}

int cmd_subnet_routes(struct cli *cli)
{
	static const struct column columns[] = {
		{ "LID", "lid", true },
		{ "PORT", "port", true },
		{ "TO", "to", false },
		{ "LANE", "lane", true },
	};

	return list(cli, "subnet.routes", request_new("switch", cli->words[0]),
	            "routes", columns, ARRAY_LEN(columns), "no routes");
}

int cmd_subnet_diff(struct cli *cli)
{
	static const struct column columns[] = {
		{ "SWITCH", "switch", false },
		{ "GUID", "guid", false },
		{ "TABLE", "table", false },
		{ "BLOCK", "block", true },
	};

	return list(cli, "subnet.diff", NULL, "diff", columns,
	            ARRAY_LEN(columns), "every switch has what it should have");
}

/* -- aggregation ----------------------------------------------------------- */

/* "1:carrying 2:down" */
static void members_cell(struct print_table *t, struct json_object *members)
{
	char text[256] = "";
	size_t used = 0;

	for (size_t i = 0; i < print_length(members); i++) {
		struct json_object *o = print_at(members, i);

		if (used < sizeof(text))
			used += (size_t)snprintf(
				text + used, sizeof(text) - used,
				"%s%" PRIu64 ":%s", i ? " " : "",
				print_number(o, "lid"), print_text(o, "state"));
	}
	print_cell(t, text);
}

int cmd_subnet_lag_list(struct cli *cli)
{
	static const char *const names[] = { "HOST", "STATE",   "VIRTUAL LID",
		                             "MODE", "MEMBERS", NULL };
	struct json_object *lags;
	struct print_table t;
	int status = parts_send(cli, "lag.list", NULL, "lags", &lags);

	if (status || !lags)
		return status;
	if (!tables_is_empty(cli->out, lags,
	                     "no host has two ports with a link")) {
		tables_headings(&t, names, 1 << 2);
		for (size_t i = 0; i < print_length(lags); i++) {
			struct json_object *o = print_at(lags, i);

			print_cell(&t, print_text(o, "host"));
			print_cell(&t, print_text(o, "state"));
			tables_number_cell(&t, print_number(o, "virtual_lid"));
			print_cell(&t, print_text(o, "mode"));
			members_cell(&t, print_member(o, "members"));
		}
		print_table(&t, cli->out);
	}
	json_object_put(lags);
	return RPC_OK;
}

int cmd_subnet_lag_show(struct cli *cli)
{
	static const struct column columns[] = {
		{ "PORT", "port", true },
		{ "GUID", "guid", false },
		{ "LID", "lid", true },
		{ "STATE", "state", false },
		{ "SWITCH", "switch", false },
		{ "PORT", "switch_port", true },
		{ "SWITCHES", "switches", true },
	};
	struct json_object *o;
	int status = request_send(cli, "lag.show",
	                          request_new("host", cli->words[0]), &o);

	if (status || !o)
		return status;
	print_words(cli->out, print_text(o, "host"));
	fprintf(cli->out, " (%s): %s, virtual LID %" PRIu64 ", %s",
	        print_text(o, "system"), print_text(o, "state"),
	        print_number(o, "virtual_lid"), print_text(o, "mode"));
	fprintf(cli->out, "; the host's answer: %s\n\n",
	        print_text(o, "answer"));
	put_rows(cli->out, print_member(o, "members"), columns,
	         ARRAY_LEN(columns));
	return request_done(o);
}

int cmd_subnet_lag_create(struct cli *cli)
{
	return request_simple(cli, "lag.create", "host", "%s is aggregated");
}

int cmd_subnet_lag_delete(struct cli *cli)
{
	return request_simple(cli, "lag.delete", "host",
	                      "%s is not aggregated any more");
}
