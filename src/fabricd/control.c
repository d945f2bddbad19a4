/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabricd/control.h"

#include "base/base.h"
#include "rpc/server.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>

struct control {
	struct rpc_server *server;
	const struct console *console;
};

static const struct rpc_param console_params[] = {
	{ .name = "line",
	  .type = RPC_STRING,
	  .required = true,
	  .max = CONSOLE_LINE_MAX,
	  .doc = "a command as on standard input" },
};

static const struct rpc_method methods[] = {
	{ "fabric.console", "run one line of the console", console_params,
	  ARRAY_LEN(console_params) },
};

static void run_console(struct rpc_call *call, struct json_object *params)
{
	const struct control *c = rpc_call_ctx(call);
	struct err e = { 0 };
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	struct json_object *result;
	int err;

	if (!out) {
		err_set(&e, -ENOMEM, "no memory for an answer");
		rpc_fail(call, &e, RPC_OK);
		return;
	}
	err = console_run(c->console, rpc_string(params, "line"), out, &e);
	fclose(out);
	if (err) {
		rpc_fail(call, &e, RPC_OK);
	} else {
		result = json_object_new_object();
		json_object_object_add(
			result, "output",
			json_object_new_string_len(text, (int)length));
		rpc_reply(call, result);
	}
	free(text);
}

static const struct rpc_binding bindings[] = {
	{ "fabric.console", run_console },
};

int control_create(struct reactor *r, const struct console *console,
                   const char *path, struct control **out, struct err *e)
{
	struct control *c = calloc(1, sizeof(*c));
	struct rpc_service service = {
		.methods = methods,
		.n_methods = ARRAY_LEN(methods),
		.bindings = bindings,
		.n_bindings = ARRAY_LEN(bindings),
	};
	int err;

	if (!c)
		return err_set(e, -ENOMEM, "no memory for a control socket");
	c->console = console;
	service.ctx = c;
	err = rpc_server_create(r, &service, 1, &c->server, e);
	if (!err)
		err = rpc_server_listen(c->server, path, e);
	if (err) {
		control_destroy(c);
		return err;
	}
	*out = c;
	return 0;
}

void control_destroy(struct control *c)
{
	if (!c)
		return;
	rpc_server_destroy(c->server);
	free(c);
}
