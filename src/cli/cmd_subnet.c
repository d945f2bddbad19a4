/* SPDX-License-Identifier: BSD-2-Clause */
/* The subnet manager: on and off, what it does, and why. */
#include "cli/cli.h"

#include "base/base.h"
#include "base/clock.h"
#include "cli/parts.h"
#include "cli/print.h"
#include "cli/request.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

static void add_text(struct cli *cli, struct json_object *params,
                     const char *option, const char *key)
{
	if (cli_option(cli, option))
		request_add(params, key, cli_option(cli, option));
}

static int add_number(struct cli *cli, struct json_object *params,
                      const char *option)
{
	uint64_t value = 0;
	int status = request_number_option(cli, option, &value);

	if (!status && cli_option(cli, option))
		request_add_number(params, option, value);
	return status;
}

/* The daemon has another working folder. */
static void add_path(struct cli *cli, struct json_object *params,
                     const char *option, const char *key)
{
	const char *path = cli_option(cli, option);
	AUTO_FREE char *absolute = path ? request_absolute("", path) : NULL;

	if (absolute)
		request_add(params, key, absolute);
}

int cmd_subnet_up(struct cli *cli)
{
	static const char *const numbers[] = { "port", "priority", "lmc" };
	struct json_object *params = json_object_new_object(), *reply;
	int status = 0;

	add_text(cli, params, "device", "device");
	add_text(cli, params, "engine", "engine");
	add_path(cli, params, "policy", "policy");
	add_path(cli, params, "m-key", "m_key");
	for (size_t i = 0; i < ARRAY_LEN(numbers) && !status; i++)
		status = add_number(cli, params, numbers[i]);
	if (cli_option(cli, "allow"))
		request_add_list(params, "allow", cli_option(cli, "allow"));
	if (cli_option(cli, "no-lag"))
		json_object_object_add(params, "no_lag",
		                       json_object_new_boolean(true));
	if (status) {
		json_object_put(params);
		return status;
	}
	status = request_send(cli, "subnet.up", params, &reply);
	if (status || !reply)
		return status;
	fputs("subnet manager started; 'causeway subnet status' tells more\n",
	      cli->out);
	return request_done(reply);
}

int cmd_subnet_down(struct cli *cli)
{
	struct json_object *reply;
	int status = request_send(cli, "subnet.down", NULL, &reply);

	if (status || !reply)
		return status;
	fputs("subnet manager ended; the fabric goes on as it is\n", cli->out);
	return request_done(reply);
}

static void put(struct cli *cli, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void put(struct cli *cli, const char *what, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(cli->out, "%-10s ", what);
	print_words(cli->out, text);
	fputc('\n', cli->out);
}

int cmd_subnet_status(struct cli *cli)
{
	struct json_object *o;
	int status = request_send(cli, "subnet.status", NULL, &o);
	char first[24], last[24];

	if (status || !o)
		return status;
	put(cli, "state", "%s%s, priority %" PRIu64, print_text(o, "state"),
	    json_object_get_boolean(print_member(o, "settled"))
	            ? ", nothing left to do"
	            : "",
	    print_number(o, "priority"));
	put(cli, "port", "%s, LID %" PRIu64, print_text(o, "guid"),
	    print_number(o, "lid"));
	if (*print_text(o, "master"))
		put(cli, "master", "%s", print_text(o, "master"));
	put(cli, "fabric",
	    "%" PRIu64 " nodes, %" PRIu64 " of them switches, %" PRIu64
	    " links, %" PRIu64 " aggregated hosts",
	    print_number(o, "nodes"), print_number(o, "switches"),
	    print_number(o, "links"), print_number(o, "lags"));
	put(cli, "routes", "%s, %" PRIu64 " lanes; %s", print_text(o, "engine"),
	    print_number(o, "lanes"), print_text(o, "why_this_engine"));
	put(cli, "passes",
	    "%" PRIu64 ": the first took %s, the last %s and %" PRIu64 " SMPs",
	    print_number(o, "passes"),
	    print_time(print_number(o, "first_pass_ns"), first),
	    print_time(print_number(o, "last_pass_ns"), last),
	    print_number(o, "last_pass_smps"));
	put(cli, "SMPs",
	    "%" PRIu64 " sent, %" PRIu64 " again, %" PRIu64 " unanswered",
	    print_number(o, "smps_sent"), print_number(o, "smps_retried"),
	    print_number(o, "smps_lost"));
	put(cli, "queries", "%" PRIu64 ", %" PRIu64 " refused; traps %" PRIu64,
	    print_number(o, "sa_queries"), print_number(o, "sa_refused"),
	    print_number(o, "traps"));
	put(cli, "not sent", "%" PRIu64 " blocks of tables",
	    print_number(o, "not_sent"));
	return request_done(o);
}

static void put_hop(struct cli *cli, struct json_object *hop)
{
	char text[320], ports[48] = "";
	uint64_t in = print_number(hop, "in"), out = print_number(hop, "out");

	if (in)
		snprintf(ports, sizeof(ports), "in %" PRIu64, in);
	if (out)
		snprintf(ports + strlen(ports), sizeof(ports) - strlen(ports),
		         "%sout %" PRIu64, in ? ", " : "", out);
	snprintf(text, sizeof(text), "%-16s %-14s %s", print_text(hop, "node"),
	         ports, print_text(hop, "why"));
	print_words(cli->out, text);
	fputc('\n', cli->out);
}

int cmd_subnet_explain(struct cli *cli)
{
	struct json_object *params = request_new("from", cli->words[0]), *reply;
	struct json_object *hops;
	bool reached;
	int status;

	request_add(params, "to", cli->words[1]);
	status = cli_call(cli, "subnet.explain", params, &reply);
	if (status)
		return status;
	hops = print_member(reply, "hops");
	reached = json_object_get_boolean(print_member(reply, "reached"));
	if (cli->json)
		cli_print_json(cli, reply);
	for (size_t i = 0; !cli->json && i < print_length(hops); i++)
		put_hop(cli, print_at(hops, i));
	json_object_put(reply);
	return reached ? RPC_OK : RPC_FAILED;
}

/* "L0001[3]", a switch's port, or "H00001:2". */
static int add_without(struct cli *cli, struct json_object *params)
{
	const char *text = cli_option(cli, "without");
	size_t n = text ? strcspn(text, "[:") : 0;
	unsigned port = 0;

	if (!text)
		return 0;
	if (!n || !text[n] || sscanf(text + n + 1, "%u", &port) != 1)
		return cli_usage(cli,
		                 "--without: '%s' is no port; write NODE[PORT] "
		                 "or NODE:PORT",
		                 text);
	json_object_object_add(params, "without",
	                       json_object_new_string_len(text, (int)n));
	request_add_number(params, "port", port);
	return 0;
}

int cmd_subnet_plan(struct cli *cli)
{
	struct json_object *params = json_object_new_object(), *o;
	int status = add_without(cli, params);

	if (status) {
		json_object_put(params);
		return status;
	}
	if (cli_option(cli, "anew"))
		json_object_object_add(params, "anew",
		                       json_object_new_boolean(true));
	status = request_send(cli, "subnet.plan", params, &o);
	if (status || !o)
		return status;
	put(cli, "LIDs", "%" PRIu64 " ports get another",
	    print_number(o, "lids"));
	put(cli, "ports", "%" PRIu64 " to set", print_number(o, "ports"));
	put(cli, "tables",
	    "%" PRIu64 " entries in %" PRIu64 " blocks of %" PRIu64 " switches",
	    print_number(o, "entries"), print_number(o, "blocks"),
	    print_number(o, "switches"));
	put(cli, "hosts", "%" PRIu64 " to tell of their virtual LID",
	    print_number(o, "lags"));
	put(cli, "routes", "%s; %s", print_text(o, "engine"),
	    print_text(o, "why_this_engine"));
	fputs("nothing was sent\n", cli->out);
	return request_done(o);
}

static void put_event(struct cli *cli, struct json_object *o)
{
	uint64_t when = print_number(o, "when_ns");
	time_t seconds = (time_t)(when / NS_PER_S);
	char stamp[32], text[320];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(stamp, sizeof(stamp), "%F %T", &tm);
	snprintf(text, sizeof(text), "%s.%03u  %-10s %s", stamp,
	         (unsigned)(when % NS_PER_S / NS_PER_MS), print_text(o, "kind"),
	         print_text(o, "text"));
	print_words(cli->out, text);
	fputc('\n', cli->out);
}

int cmd_subnet_events(struct cli *cli)
{
	struct json_object *list, *params = json_object_new_object();
	uint64_t after = 0;
	int status = request_number_option(cli, "after", &after);

	request_add_number(params, "after", after);
	if (status) {
		json_object_put(params);
		return status;
	}
	status = parts_send(cli, "subnet.events", params, "events", &list);
	for (size_t i = 0; i < print_length(list); i++)
		put_event(cli, print_at(list, i));
	json_object_put(list);
	return status;
}

int cmd_subnet_sweep(struct cli *cli)
{
	struct json_object *reply;
	int status = request_send(cli, "subnet.sweep", NULL, &reply);

	return status || !reply ? status : request_done(reply);
}

int cmd_subnet_reload(struct cli *cli)
{
	struct json_object *reply;
	int status = request_send(cli, "subnet.reload", NULL, &reply);

	if (status || !reply)
		return status;
	fputs("the policy is in force\n", cli->out);
	return request_done(reply);
}
