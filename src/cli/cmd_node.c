/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include "base/base.h"
#include "cli/print.h"
#include "cli/request.h"
#include "cli/tables.h"

#include <json-c/json.h>
#include <string.h>

/* The words from the second on, each of them perhaps several. */
static struct json_object *addresses(const struct cli *cli)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = 1; i < cli->n_words; i++) {
		const char *word = cli->words[i];

		while (word) {
			size_t n = strcspn(word, ",");

			json_object_array_add(
				list, json_object_new_string_len(word, (int)n));
			word = word[n] ? word + n + 1 : NULL;
		}
	}
	return list;
}

int cmd_node_add(struct cli *cli)
{
	struct json_object *params = request_new("name", cli->words[0]);
	struct json_object *reply;
	int status;

	json_object_object_add(params, "addresses", addresses(cli));
	status = request_send(cli, "node.add", params, &reply);
	if (status || !reply)
		return status;
	fprintf(cli->out, "node %s added, %s\n", cli->words[0],
	        print_text(reply, "state"));
	return request_done(reply);
}

int cmd_node_list(struct cli *cli)
{
	struct json_object *reply;
	int status = request_send(cli, "node.list", NULL, &reply);

	if (status || !reply)
		return status;
	tables_peers(cli->out, print_member(reply, "peers"),
	             "no other nodes yet; see 'causeway help node add'");
	return request_done(reply);
}

static void show_latencies(FILE *f, struct json_object *latency)
{
	static const char *const classes[] = { "control", "latency", "bulk" };
	struct print_table t;
	char text[24];

	print_table_init(&t, 4, 0xe);
	print_cell(&t, "CLASS");
	print_cell(&t, "OPS");
	print_cell(&t, "P50");
	print_cell(&t, "P99");
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		struct json_object *o = print_member(latency, classes[i]);

		print_cell(&t, classes[i]);
		snprintf(text, sizeof(text), "%ju",
		         (uintmax_t)print_number(o, "count"));
		print_cell(&t, text);
		print_cell(&t, print_time(print_number(o, "p50_ns"), text));
		print_cell(&t, print_time(print_number(o, "p99_ns"), text));
	}
	print_table(&t, f);
}

int cmd_node_show(struct cli *cli)
{
	struct json_object *reply, *list;
	int status = request_send(cli, "node.show",
	                          request_new("name", cli->words[0]), &reply);

	if (status || !reply)
		return status;
	list = json_object_new_array();
	json_object_array_add(list, json_object_get(reply));
	tables_peers(cli->out, list, NULL);
	json_object_put(list);
	fputs("\n", cli->out);
	tables_links(cli->out, print_member(reply, "links"), "no links");
	fputs("\n", cli->out);
	show_latencies(cli->out, print_member(reply, "latency"));
	return request_done(reply);
}

int cmd_node_remove(struct cli *cli)
{
	return request_simple(cli, "node.remove", "name", "node %s removed");
}
