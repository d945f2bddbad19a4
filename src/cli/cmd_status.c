/* SPDX-License-Identifier: BSD-2-Clause */
/* `causeway status`: state, why, what to do next; then the tables. */
#include "cli/cli.h"

#include "base/base.h"
#include "cli/print.h"
#include "cli/tables.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <string.h>

#define FINDINGS_MAX 32

/* How bad, worst last; the headline is the worst. */
enum verdict { FINE, WARNING, DEGRADED, BROKEN };

struct findings {
	enum verdict worst;
	unsigned n;
	struct {
		char why[400];
		char next[400];
	} rows[FINDINGS_MAX];
};

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* `next` says what to do; it may be "". */
static void find(struct findings *f, enum verdict verdict, const char *next,
                 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void find(struct findings *f, enum verdict verdict, const char *next,
                 const char *fmt, ...)
{
	va_list ap;

	if (verdict > f->worst)
		f->worst = verdict;
	if (f->n == FINDINGS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(f->rows[f->n].why, sizeof(f->rows[0].why), fmt, ap);
	va_end(ap);
	snprintf(f->rows[f->n].next, sizeof(f->rows[0].next), "%s", next);
	f->n++;
}

static void look_at_processes(struct findings *f, struct json_object *list)
{
	for (size_t i = 0; i < print_length(list); i++) {
		struct json_object *o = print_at(list, i);
		const char *state = print_text(o, "state");

		if (is(state, "running"))
			continue;
		if (is(print_text(o, "role"), "sm")) {
			find(f, WARNING,
			     "it is started again by itself; 'causeway subnet "
			     "down' ends that",
			     "the subnet manager is %s: packets go on, changes "
			     "of the fabric wait. %s",
			     state, print_text(o, "why"));
			continue;
		}
		find(f, DEGRADED,
		     "it is restarted by itself; if this stays so, look at the "
		     "daemon's messages on its standard error",
		     "the %s process is %s: what is mapped is served, new "
		     "space and changes wait",
		     print_text(o, "role"), state);
	}
}

static const char *drive_advice(const char *state)
{
	if (is(state, "missing"))
		return "make its file or device available again, then restart "
		       "causewayd";
	if (is(state, "foreign"))
		return "it carries another pool's label: check that 'causeway "
		       "drive list' names the right file";
	return "the pool goes on without it; look at 'causeway drive list' "
	       "and at the hardware";
}

/* What the node says of a drive of a pool: the pool may know less. */
static const char *drive_text(struct json_object *drive,
                              struct json_object *status, const char *key)
{
	struct json_object *list = print_member(status, "drives");

	for (size_t i = 0; i < print_length(list); i++) {
		struct json_object *o = print_at(list, i);

		if (is(print_text(o, "name"), print_text(drive, "name")) &&
		    *print_text(o, key))
			return print_text(o, key);
	}
	return print_text(drive, key);
}

static void look_at_pool(struct findings *f, struct json_object *pool,
                         struct json_object *status)
{
	const char *name = print_text(pool, "name");
	const char *state = print_text(pool, "state");
	enum verdict verdict = is(state, "degraded") ? DEGRADED : BROKEN;
	struct json_object *drives = print_member(pool, "drives");
	struct json_object *warnings = print_member(pool, "warnings");
	char next[160];

	for (size_t i = 0; i < print_length(warnings); i++) {
		struct json_object *text = print_at(warnings, i);

		snprintf(next, sizeof(next),
		         "add space with 'causeway pool grow %s DRIVE', or "
		         "delete or trim",
		         name);
		find(f, WARNING, next, "pool %s: %s", name,
		     json_object_is_type(text, json_type_string)
		             ? json_object_get_string(text)
		             : "?");
	}
	if (is(state, "online"))
		return;
	find(f, verdict, "", "pool %s is %s: %s", name, state,
	     *print_text(pool, "why") ? print_text(pool, "why")
	                              : "not all of its drives work");
	for (size_t i = 0; i < print_length(drives); i++) {
		struct json_object *o = print_at(drives, i);
		const char *drive_state = drive_text(o, status, "state");
		const char *why = drive_text(o, status, "why");

		if (!is(drive_state, "online"))
			find(f, verdict, drive_advice(drive_state),
			     "drive %s of pool %s is %s%s%s",
			     print_text(o, "name"), name, drive_state,
			     *why ? ": " : "", why);
	}
}

/* Whether the pool of POOL/VOLUME has been spoken of. */
static bool pool_explains(struct json_object *pools, const char *volume)
{
	size_t n = strcspn(volume, "/");

	for (size_t i = 0; i < print_length(pools); i++) {
		struct json_object *o = print_at(pools, i);
		const char *name = print_text(o, "name");

		if (strlen(name) == n && strncmp(name, volume, n) == 0)
			return !is(print_text(o, "state"), "online");
	}
	return false;
}

static void look_at_volumes(struct findings *f, struct json_object *status)
{
	struct json_object *list = print_member(status, "volumes");
	struct json_object *pools = print_member(status, "pools");

	for (size_t i = 0; i < print_length(list); i++) {
		struct json_object *o = print_at(list, i);
		const char *state = print_text(o, "state");

		if (is(state, "degraded") &&
		    pool_explains(pools, print_text(o, "name")))
			continue;
		if (!is(state, "online"))
			find(f, is(state, "degraded") ? DEGRADED : BROKEN, "",
			     "volume %s is %s%s%s", print_text(o, "name"),
			     state, *print_text(o, "why") ? ": " : "",
			     print_text(o, "why"));
	}
}

/* Drives that no pool speaks for. */
static void look_at_drives(struct findings *f, struct json_object *list)
{
	for (size_t i = 0; i < print_length(list); i++) {
		struct json_object *o = print_at(list, i);
		const char *state = print_text(o, "state");

		if (!is(state, "online") && !*print_text(o, "pool"))
			find(f, WARNING, drive_advice(state),
			     "drive %s, in no pool, is %s%s%s",
			     print_text(o, "name"), state,
			     *print_text(o, "why") ? ": " : "",
			     print_text(o, "why"));
	}
}

/* A peer that came by itself may leave by itself. */
static void look_at_peers(struct findings *f, struct json_object *list)
{
	for (size_t i = 0; i < print_length(list); i++) {
		struct json_object *o = print_at(list, i);
		struct json_object *links = print_member(o, "links");
		const char *name = print_text(o, "name");

		if (!json_object_get_boolean(print_member(o, "configured")))
			continue;
		if (!is(print_text(o, "state"), "up")) {
			find(f, DEGRADED,
			     "check that causewayd runs there, with the same "
			     "cluster key, and that its addresses are right: "
			     "'causeway node show' says what each link meets",
			     "node %s cannot be reached (%s)%s%s", name,
			     print_text(o, "state"),
			     *print_text(o, "why") ? ": " : "",
			     print_text(o, "why"));
			continue;
		}
		for (size_t k = 0; k < print_length(links); k++) {
			struct json_object *link = print_at(links, k);

			if (!is(print_text(link, "state"), "up"))
				find(f, DEGRADED,
				     "traffic goes by the other links; this "
				     "one is taken back when it answers",
				     "link %s to node %s is %s%s%s",
				     print_text(link, "address"), name,
				     print_text(link, "state"),
				     *print_text(link, "why") ? ": " : "",
				     print_text(link, "why"));
		}
	}
}

static void suggest(FILE *f, struct json_object *status)
{
	static const struct {
		const char *list, *next;
	} steps[] = {
		{ "drives", "causeway drive add d1 file:/srv/d1.img,size=10G" },
		{ "pools", "causeway pool create tank d1 d2 d3" },
		{ "volumes", "causeway volume create tank/vm1 --size 10G" },
		{ "exports",
		  "causeway export create nbd tank/vm1 --unix /run/vm1.sock" },
	};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if (!print_length(print_member(status, steps[i].list))) {
			fprintf(f, "next:  there are no %s yet: %s\n",
			        steps[i].list, steps[i].next);
			return;
		}
}

static void print_findings(FILE *f, const struct findings *found,
                           struct json_object *status)
{
	static const char *const headlines[] = {
		[FINE] = "everything works",
		[WARNING] = "everything works, with warnings",
		[DEGRADED] = "works, but is degraded",
		[BROKEN] = "something does not work",
	};

	fprintf(f, "state: node ");
	print_words(f, print_text(status, "node"));
	fprintf(f, ": %s\n", headlines[found->worst]);
	for (unsigned i = 0; i < found->n; i++) {
		fputs("why:   ", f);
		print_words(f, found->rows[i].why);
		if (found->rows[i].next[0]) {
			fputs("\nnext:  ", f);
			print_words(f, found->rows[i].next);
		}
		fputs("\n", f);
	}
	if (found->n == 0)
		suggest(f, status);
}

static void print_tables(FILE *f, struct json_object *status)
{
	static const struct {
		const char *list;
		void (*print)(FILE *f, struct json_object *list,
		              const char *none);
	} tables[] = {
		{ "drives", tables_drives },   { "pools", tables_pools },
		{ "volumes", tables_volumes }, { "exports", tables_exports },
		{ "peers", tables_peers },     { "windows", tables_windows },
	};

	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		struct json_object *list = print_member(status, tables[i].list);

		if (print_length(list)) {
			fputs("\n", f);
			tables[i].print(f, list, NULL);
		}
	}
}

int cmd_status_run(struct cli *cli)
{
	static const int exits[] = {
		[FINE] = RPC_OK,
		[WARNING] = RPC_OK,
		[DEGRADED] = RPC_DEGRADED,
		[BROKEN] = RPC_FAILED,
	};
	struct findings found = { .worst = FINE };
	struct json_object *status, *pools;
	int err = cli_call(cli, "status", NULL, &status);

	if (err)
		return err;
	look_at_processes(&found, print_member(status, "processes"));
	pools = print_member(status, "pools");
	for (size_t i = 0; i < print_length(pools); i++)
		look_at_pool(&found, print_at(pools, i), status);
	look_at_volumes(&found, status);
	look_at_drives(&found, print_member(status, "drives"));
	look_at_peers(&found, print_member(status, "peers"));
	if (cli->json) {
		cli_print_json(cli, status);
	} else {
		print_findings(cli->out, &found, status);
		print_tables(cli->out, status);
	}
	json_object_put(status);
	return exits[found.worst];
}
