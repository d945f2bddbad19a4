/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `causeway top`: what moved since the last look.  Each view is the
 * difference of two calls of `status`, so it needs nothing of the daemon that
 * others do not see.
 */
#include "cli/cli.h"

#include "base/base.h"
#include "base/clock.h"
#include "cli/print.h"
#include "cli/request.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

struct view {
	FILE *out;
	struct json_object *now, *before; /* status */
	double seconds;                   /* between the two */
};

/* The object of before[list] that has the same `key` as `o`. */
static struct json_object *earlier(const struct view *v, const char *list,
                                   const char *key, struct json_object *o)
{
	struct json_object *array = print_member(v->before, list);

	for (size_t i = 0; i < print_length(array); i++)
		if (!strcmp(print_text(print_at(array, i), key),
		            print_text(o, key)))
			return print_at(array, i);
	return NULL;
}

/* The same, where the key is a number. */
static struct json_object *earlier_number(const struct view *v,
                                          const char *list, const char *key,
                                          struct json_object *o)
{
	struct json_object *array = print_member(v->before, list);

	for (size_t i = 0; i < print_length(array); i++)
		if (print_number(print_at(array, i), key) ==
		    print_number(o, key))
			return print_at(array, i);
	return NULL;
}

/* Counters that went back belong to a daemon that was started again. */
static double rate(const struct view *v, struct json_object *now,
                   struct json_object *before, const char *key)
{
	uint64_t a = print_number(now, key), b = print_number(before, key);

	return a > b && before ? (double)(a - b) / v->seconds : 0;
}

static void rate_cell(struct print_table *t, double per_s)
{
	char text[24];

	print_cell(t, print_size((uint64_t)per_s, text));
}

static void count_cell(struct print_table *t, double per_s)
{
	char text[48];

	snprintf(text, sizeof(text), "%.0f", per_s);
	print_cell(t, text);
}

static void begin(struct print_table *t, const char *const *names,
                  unsigned right)
{
	unsigned n = 0;

	while (names[n])
		n++;
	print_table_init(t, n, right);
	for (unsigned i = 0; i < n; i++)
		print_cell(t, names[i]);
}

static void end(struct print_table *t, struct view *v)
{
	print_table(t, v->out);
	fputs("\n", v->out);
}

static void show_peers(struct view *v)
{
	static const char *const names[] = { "NODE",   "STATE",     "OPS/s",
		                             "READ/s", "WRITTEN/s", "IN FLIGHT",
		                             NULL };
	struct json_object *list = print_member(v->now, "peers");
	struct print_table t;

	if (!print_length(list))
		return;
	begin(&t, names, 0x3c);
	for (size_t i = 0; i < print_length(list); i++) {
		struct json_object *o = print_at(list, i);
		struct json_object *b = earlier(v, "peers", "name", o);

		print_cell(&t, print_text(o, "name"));
		print_cell(&t, print_text(o, "state"));
		count_cell(&t, rate(v, o, b, "ops"));
		rate_cell(&t, rate(v, o, b, "bytes_read"));
		rate_cell(&t, rate(v, o, b, "bytes_written"));
		count_cell(&t, (double)print_number(o, "in_flight"));
	}
	end(&t, v);
}

static void show_windows(struct view *v)
{
	static const char *const names[] = { "WINDOW",   "WHO",    "READS/s",
		                             "WRITES/s", "READ/s", "WRITTEN/s",
		                             NULL };
	struct json_object *list = print_member(v->now, "windows");
	struct print_table t;

	if (!print_length(list))
		return;
	begin(&t, names, 0x3c);
	for (size_t i = 0; i < print_length(list); i++) {
		struct json_object *w = print_at(list, i);
		struct json_object *before = earlier(v, "windows", "name", w);
		struct json_object *grants = print_member(w, "grants");
		struct view inner = { .before = before };

		for (size_t k = 0; k < print_length(grants); k++) {
			struct json_object *o = print_at(grants, k);
			struct json_object *b =
				earlier(&inner, "grants", "node", o);

			print_cell(&t, print_text(w, "name"));
			print_cell(&t, print_text(o, "node"));
			count_cell(&t, rate(v, o, b, "reads"));
			count_cell(&t, rate(v, o, b, "writes"));
			rate_cell(&t, rate(v, o, b, "bytes_read"));
			rate_cell(&t, rate(v, o, b, "bytes_written"));
		}
	}
	end(&t, v);
}

static void show_exports(struct view *v)
{
	static const char *const names[] = { "EXPORT",    "VOLUME",   "CLIENTS",
		                             "READS/s",   "WRITES/s", "READ/s",
		                             "WRITTEN/s", NULL };
	struct json_object *list = print_member(v->now, "exports");
	struct print_table t;

	if (!print_length(list))
		return;
	begin(&t, names, 0x7c);
	for (size_t i = 0; i < print_length(list); i++) {
		struct json_object *o = print_at(list, i);
		struct json_object *a = print_member(o, "ops");
		struct json_object *b =
			print_member(earlier(v, "exports", "name", o), "ops");
		struct json_object *reads[2] = { print_member(a, "read"),
			                         print_member(b, "read") };
		struct json_object *writes[2] = { print_member(a, "write"),
			                          print_member(b, "write") };

		print_cell(&t, print_text(o, "name"));
		print_cell(&t, print_text(o, "volume"));
		count_cell(&t, (double)print_number(o, "clients"));
		count_cell(&t, rate(v, reads[0], reads[1], "count"));
		count_cell(&t, rate(v, writes[0], writes[1], "count"));
		rate_cell(&t, rate(v, reads[0], reads[1], "bytes"));
		rate_cell(&t, rate(v, writes[0], writes[1], "bytes"));
	}
	end(&t, v);
}

/* Of the pages that a program needed again, how many were there before it
 * asked; since it started. */
static void share_cell(struct print_table *t, uint64_t part, uint64_t rest)
{
	char text[16] = "-";

	if (part + rest)
		snprintf(text, sizeof(text), "%.0f%%",
		         100.0 * (double)part / (double)(part + rest));
	print_cell(t, text);
}

static void time_cell(struct print_table *t, uint64_t ns)
{
	char text[32];

	snprintf(text, sizeof(text), "%.0f us", (double)ns / 1000);
	print_cell(t, text);
}

static void show_program(struct view *v, struct print_table *t,
                         struct json_object *o)
{
	static const char *const sizes[] = { "local", "resident",
		                             "compressed_bytes", "away" };
	struct json_object *b = earlier_number(v, "programs", "pid", o);
	uint64_t read = print_number(o, "read");
	uint64_t ahead = print_number(o, "prefetched");
	uint64_t used = print_number(o, "used");
	char text[24];

	print_cell(t, print_text(o, "program"));
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		print_cell(t, print_size(print_number(o, sizes[i]), text));
	count_cell(t, rate(v, o, b, "faults"));
	time_cell(t, print_number(o, "p50_ns"));
	time_cell(t, print_number(o, "p99_ns"));
	share_cell(t, used, read - ahead);
	share_cell(t, used, ahead > used ? ahead - used : 0);
	count_cell(t, rate(v, o, b, "read"));
	count_cell(t, rate(v, o, b, "moved_out"));
	print_cell(t, print_text(o, "donors"));
}

static void show_programs(struct view *v)
{
	static const char *const names[] = { "PROGRAM", "LOCAL", "RESIDENT",
		                             "PACKED",  "AWAY",  "FAULTS/s",
		                             "P50",     "P99",   "HIT",
		                             "AHEAD",   "IN/s",  "OUT/s",
		                             "DONORS",  NULL };
	struct json_object *list = print_member(v->now, "programs");
	struct print_table t;

	if (!print_length(list))
		return;
	begin(&t, names, 0xffe);
	for (size_t i = 0; i < print_length(list); i++)
		show_program(v, &t, print_at(list, i));
	end(&t, v);
}

static void show(struct view *v, bool terminal)
{
	if (terminal)
		fputs("\033[H\033[J", v->out);
	fputs("node ", v->out);
	print_words(v->out, print_text(v->now, "node"));
	fputs("\n\n", v->out);
	show_peers(v);
	show_windows(v);
	show_exports(v);
	show_programs(v);
	fflush(v->out);
}

static void rest(uint64_t seconds)
{
	struct timespec t = { .tv_sec = (time_t)seconds };

	nanosleep(&t, NULL);
}

/* --json: `status` itself, one document a look. */
int cmd_top_run(struct cli *cli)
{
	bool terminal = isatty(fileno(cli->out)) == 1;
	uint64_t interval = 1, count = UINT64_MAX, then = 0;
	struct view v = { .out = cli->out };
	int status;

	if ((status = request_number_option(cli, "interval", &interval)) ||
	    (status = request_number_option(cli, "count", &count)))
		return status;
	if (interval == 0 || interval > 3600)
		return cli_usage(cli, "--interval: 1 to 3600 seconds");
	status = cli_call(cli, "status", NULL, &v.before);
	for (uint64_t i = 0; i < count && !status; i++) {
		then = clock_now_ns();
		rest(interval);
		status = cli_call(cli, "status", NULL, &v.now);
		if (status)
			break;
		v.seconds = (double)(clock_now_ns() - then) / 1e9;
		if (cli->json)
			cli_print_json(cli, v.now);
		else
			show(&v, terminal);
		json_object_put(v.before);
		v.before = v.now;
		v.now = NULL;
	}
	json_object_put(v.before);
	return status;
}
