/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `subnet topology`: the fabric as a picture.
 *
 * In the SVG a node's row is its distance from the hosts: hosts lowest, the
 * switches that they hang on above, and so on.
 */
#include "cli/cli.h"

#include "base/base.h"
#include "cli/parts.h"
#include "cli/print.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#define ROW_HEIGHT 160u
#define MARGIN 40u
#define ROWS_MAX 64u
#define NARROW 46u

struct spot {
	const char *guid, *name;
	bool is_switch, placed;
	unsigned row, column;
};

struct picture {
	struct json_object *nodes, *links;
	struct spot *spot; /* by guid */
	size_t n;
	unsigned width[ROWS_MAX], rows;
};

static bool is(struct json_object *o, const char *key, const char *text)
{
	return strcmp(print_text(o, key), text) == 0;
}

static int by_guid(const void *a, const void *b)
{
	return strcmp(((const struct spot *)a)->guid,
	              ((const struct spot *)b)->guid);
}

static struct spot *find(const struct picture *p, const char *guid)
{
	struct spot key = { .guid = guid };

	return bsearch(&key, p->spot, p->n, sizeof(key), by_guid);
}

/* Rows spread from the hosts along the links. */
static void place_rows(struct picture *p)
{
	bool any = true;

	for (size_t i = 0; i < p->n; i++)
		p->spot[i].placed = !p->spot[i].is_switch;
	for (unsigned row = 1; any && row < ROWS_MAX; row++) {
		any = false;
		for (size_t i = 0; i < print_length(p->links); i++) {
			struct json_object *o = print_at(p->links, i);
			struct spot *a = find(p, print_text(o, "a_guid"));
			struct spot *b = find(p, print_text(o, "b_guid"));

			if (a && b && a->placed && a->row < row && !b->placed) {
				b->placed = any = true;
				b->row = row;
			} else if (a && b && b->placed && b->row < row &&
			           !a->placed) {
				a->placed = any = true;
				a->row = row;
			}
		}
	}
	for (size_t i = 0; i < p->n; i++) {
		struct spot *s = &p->spot[i];

		s->column = p->width[s->row]++;
		if (s->row + 1 > p->rows)
			p->rows = s->row + 1;
	}
}

static unsigned widest(const struct picture *p)
{
	unsigned max = 1;

	for (unsigned i = 0; i < p->rows; i++)
		if (p->width[i] > max)
			max = p->width[i];
	return max;
}

static unsigned x_of(const struct picture *p, const struct spot *s)
{
	return MARGIN + (2 * s->column + 1) * widest(p) * NARROW /
	                        (2 * p->width[s->row]);
}

static unsigned y_of(const struct picture *p, const struct spot *s)
{
	return MARGIN + (p->rows - 1 - s->row) * ROW_HEIGHT;
}

/* Names come from the fabric: only what is no mark-up. */
static void put_name(FILE *f, const char *name)
{
	for (; *name; name++)
		fputc(strchr("<>&\"\\", *name) || *name < ' ' ? '?' : *name, f);
}

static void put_svg(FILE *f, const struct picture *p)
{
	unsigned width = 2 * MARGIN + widest(p) * NARROW;
	unsigned height = 2 * MARGIN + (p->rows ? p->rows - 1 : 0) * ROW_HEIGHT;

	fprintf(f,
	        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" "
	        "height=\"%u\" font-family=\"sans-serif\" font-size=\"9\" "
	        "text-anchor=\"middle\">\n",
	        width, height);
	for (size_t i = 0; i < print_length(p->links); i++) {
		struct json_object *o = print_at(p->links, i);
		const struct spot *a = find(p, print_text(o, "a_guid"));
		const struct spot *b = find(p, print_text(o, "b_guid"));

		if (a && b)
			fprintf(f,
			        "<line x1=\"%u\" y1=\"%u\" x2=\"%u\" y2=\"%u\" "
			        "stroke=\"%s\"/>\n",
			        x_of(p, a), y_of(p, a), x_of(p, b), y_of(p, b),
			        is(o, "state", "active") ? "#7a9" : "#c33");
	}
	for (size_t i = 0; i < p->n; i++) {
		const struct spot *s = &p->spot[i];

		fprintf(f,
		        "<rect x=\"%u\" y=\"%u\" width=\"40\" height=\"16\" "
		        "rx=\"%u\" fill=\"%s\" stroke=\"#345\"/>"
		        "<text x=\"%u\" y=\"%u\">",
		        x_of(p, s) - 20, y_of(p, s) - 8, s->is_switch ? 0 : 8,
		        s->is_switch ? "#def" : "#fff", x_of(p, s),
		        y_of(p, s) + 3);
		put_name(f, s->name);
		fputs("</text>\n", f);
	}
	fputs("</svg>\n", f);
}

static void put_dot(FILE *f, const struct picture *p)
{
	fputs("graph fabric {\n\tnode [fontsize=9];\n", f);
	for (size_t i = 0; i < p->n; i++) {
		fprintf(f, "\t\"%s\" [shape=%s,label=\"", p->spot[i].guid,
		        p->spot[i].is_switch ? "box" : "ellipse");
		put_name(f, p->spot[i].name);
		fputs("\"];\n", f);
	}
	for (size_t i = 0; i < print_length(p->links); i++) {
		struct json_object *o = print_at(p->links, i);

		fprintf(f,
		        "\t\"%s\" -- \"%s\" [taillabel=%" PRIu64
		        ",headlabel=%" PRIu64 "];\n",
		        print_text(o, "a_guid"), print_text(o, "b_guid"),
		        print_number(o, "a_port"), print_number(o, "b_port"));
	}
	fputs("}\n", f);
}

static int make(struct picture *p)
{
	p->n = 0;
	p->spot = calloc(print_length(p->nodes) + 1, sizeof(*p->spot));
	if (!p->spot)
		return -ENOMEM;
	for (size_t i = 0; i < print_length(p->nodes); i++) {
		struct json_object *o = print_at(p->nodes, i);

		if (!json_object_get_boolean(print_member(o, "present")))
			continue;
		p->spot[p->n++] = (struct spot){
			.guid = print_text(o, "guid"),
			.name = print_text(o, "node"),
			.is_switch = is(o, "kind", "switch"),
		};
	}
	qsort(p->spot, p->n, sizeof(*p->spot), by_guid);
	place_rows(p);
	return 0;
}

static int put(struct cli *cli, struct picture *p)
{
	struct rpc_error error = { .class = RPC_FAILED,
		                   .text = "no memory for a picture" };
	struct json_object *o;

	if (cli->json) {
		o = json_object_new_object();
		json_object_object_add(o, "nodes", json_object_get(p->nodes));
		json_object_object_add(o, "links", json_object_get(p->links));
		cli_print_json(cli, o);
		json_object_put(o);
		return RPC_OK;
	}
	if (make(p))
		return cli_fail(cli, &error);
	if (cli_option(cli, "dot"))
		put_dot(cli->out, p);
	else
		put_svg(cli->out, p);
	free(p->spot);
	return RPC_OK;
}

int cmd_subnet_topology(struct cli *cli)
{
	struct picture p = { .n = 0 };
	int status;

	if (!cli->json && !cli_option(cli, "dot") == !cli_option(cli, "svg"))
		return cli_usage(cli, "one of --svg, --dot and --json is "
		                      "needed");
	status = parts_fetch(cli, "subnet.nodes", NULL, "nodes", &p.nodes);
	if (status)
		return status;
	status = parts_fetch(cli, "subnet.links", NULL, "links", &p.links);
	if (!status) {
		status = put(cli, &p);
		json_object_put(p.links);
	}
	json_object_put(p.nodes);
	return status;
}
