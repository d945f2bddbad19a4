/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory of this node that others may borrow. */
#include "cli/cli.h"

#include "base/base.h"
#include "base/clock.h"
#include "cli/print.h"
#include "cli/request.h"
#include "cli/tables.h"

#include <json-c/json.h>
#include <string.h>

/* What is still lent although it should come back. */
static void print_recalled(struct cli *cli, struct json_object *reply)
{
	struct json_object *loans = print_member(reply, "loans");
	uint64_t bytes = 0, left = 0;
	char size[24], time[24];

	for (size_t i = 0; i < print_length(loans); i++) {
		struct json_object *o = print_at(loans, i);

		if (strcmp(print_text(o, "state"), "recalled") != 0)
			continue;
		bytes += print_number(o, "size");
		if (print_number(o, "left_ms") > left)
			left = print_number(o, "left_ms");
	}
	if (bytes)
		fprintf(cli->out,
		        "%s are lent and have been asked back; what is not "
		        "returned is taken in %s\n",
		        print_size(bytes, size),
		        print_time(left * NS_PER_MS, time));
}

static int take_within(struct cli *cli, struct json_object *params)
{
	uint64_t within = 0;
	int status = request_number_option(cli, "within", &within);

	if (!status && cli_option(cli, "within"))
		request_add_number(params, "within_s", within);
	return status;
}

int cmd_donor_offer(struct cli *cli)
{
	const char *allow = cli_option(cli, "allow");
	struct json_object *params, *reply;
	uint64_t size = 0, lease = 0;
	char text[24];
	int status;

	if (!cli_option(cli, "size"))
		return cli_usage(cli, "--size is missing: how much memory may "
		                      "others borrow in all?");
	if ((status = request_size_option(cli, "size", &size)) ||
	    (status = request_number_option(cli, "lease", &lease)))
		return status;
	params = json_object_new_object();
	request_add_number(params, "size", size);
	if (allow)
		request_add_list(params, "allow", allow);
	if (cli_option(cli, "lease"))
		request_add_number(params, "lease_s", lease);
	status = take_within(cli, params);
	if (status) {
		json_object_put(params);
		return status;
	}
	status = request_send(cli, "donor.offer", params, &reply);
	if (status || !reply)
		return status;
	fprintf(cli->out, "%s of memory offered\n", print_size(size, text));
	print_recalled(cli, reply);
	return request_done(reply);
}

int cmd_donor_withdraw(struct cli *cli)
{
	struct json_object *params = json_object_new_object();
	struct json_object *reply;
	int status = take_within(cli, params);

	if (status) {
		json_object_put(params);
		return status;
	}
	status = request_send(cli, "donor.withdraw", params, &reply);
	if (status || !reply)
		return status;
	fprintf(cli->out, "no memory is offered any more\n");
	print_recalled(cli, reply);
	return request_done(reply);
}

int cmd_donor_list(struct cli *cli)
{
	char offered[24], lent[24], left[24];
	struct json_object *reply;
	int status = request_send(cli, "donor.list", NULL, &reply);

	if (status || !reply)
		return status;
	fprintf(cli->out, "offered %s, lent %s, free %s\n",
	        print_size(print_number(reply, "offered"), offered),
	        print_size(print_number(reply, "lent"), lent),
	        print_size(print_number(reply, "free"), left));
	tables_loans(cli->out, print_member(reply, "loans"),
	             print_number(reply, "offered")
	                     ? "nobody has borrowed any"
	                     : "see 'causeway help donor offer'");
	return request_done(reply);
}
