/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "base/base.h"
#include "control/apply.h"
#include "core/reactor.h"
#include "rpc/server.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include <time.h>

static struct reactor *reactor;
static struct rpc_server *server;
static struct apply *apply;
static struct json_object *node_drives; /* what the node has */
static unsigned n_busy;                 /* calls to turn away first */
static unsigned n_done, n_adds;
static struct err last;

static void status(struct rpc_call *call, struct json_object *params)
{
	struct json_object *o = json_object_new_object();

	(void)params;
	json_object_object_add(o, "drives", json_object_get(node_drives));
	rpc_reply(call, o);
}

static void add(struct rpc_call *call, struct json_object *params)
{
	struct err e = { 0 };

	n_adds++;
	if (n_busy) {
		n_busy--;
		err_set(&e, -EAGAIN, "not yet");
		rpc_fail(call, &e, RPC_OK);
	} else if (strcmp(rpc_string(params, "spec"), "ram:0") == 0) {
		err_set(&e, -EINVAL, "no size");
		rpc_fail(call, &e, RPC_OK);
	} else {
		json_object_array_add(node_drives, json_object_get(params));
		rpc_reply(call, NULL);
	}
}

static int setup(void **state)
{
	static const struct rpc_binding bindings[] = {
		{ "status", status },
		{ "drive.add", add },
	};
	const struct rpc_service service = {
		.methods = methods_fast,
		.n_methods = methods_fast_count,
		.bindings = bindings,
		.n_bindings = ARRAY_LEN(bindings),
	};
	const struct reactor_opts opts = { .name = "test" };

	(void)state;
	n_busy = n_done = n_adds = 0;
	node_drives = json_object_new_array();
	assert_int_equal(reactor_create(&opts, &reactor, NULL), 0);
	return rpc_server_create(reactor, &service, 1, &server, NULL);
}

static int teardown(void **state)
{
	(void)state;
	rpc_server_destroy(server);
	reactor_destroy(reactor);
	json_object_put(node_drives);
	return 0;
}

static void done(void *ctx, const struct err *e)
{
	(void)ctx;
	n_done++;
	last = e ? *e : (struct err){ 0 };
}

static void run(const char *text, unsigned max_ms)
{
	struct config c;

	n_done = 0;
	assert_int_equal(config_parse(text, strlen(text), &c, NULL), 0);
	assert_int_equal(
		apply_start(reactor, server, &c, done, NULL, &apply, NULL), 0);
	assert_int_equal(n_done, 0);
	for (unsigned i = 0; i < max_ms && !n_done; i++) {
		while (reactor_poll(reactor))
			;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	assert_int_equal(n_done, 1);
	config_fini(&c);
}

static void a_second_time_changes_nothing(void **state)
{
	static const char text[] = "drives: [{name: d1, spec: \"ram:1G\"},"
				   "{name: d2, spec: \"ram:1G\"}]";

	(void)state;
	run(text, 1000);
	assert_int_equal(last.code, 0);
	assert_int_equal(json_object_array_length(node_drives), 2);
	run(text, 1000);
	assert_int_equal(last.code, 0);
	assert_int_equal(n_adds, 2);
}

static void nothing_to_do_is_done(void **state)
{
	(void)state;
	run("node: a", 1000);
	assert_int_equal(last.code, 0);
}

static void a_difference_is_an_error(void **state)
{
	(void)state;
	run("drives: [{name: d1, spec: \"ram:1G\"}]", 1000);
	run("drives: [{name: d1, spec: \"ram:2G\"}]", 1000);
	assert_int_equal(last.code, -EEXIST);
	assert_non_null(strstr(last.text, "ram:2G"));
}

static void a_failure_names_its_line(void **state)
{
	(void)state;
	run("drives:\n- {name: d1, spec: \"ram:1\"}\n"
	    "- {name: d2, spec: \"ram:0\"}\n- {name: d3, spec: \"ram:1\"}\n",
	    1000);
	assert_int_equal(last.code, -EIO);
	assert_string_equal(last.text, "line 3: drive.add: no size");
	assert_int_equal(json_object_array_length(node_drives), 1);
}

static void try_again_is_tried_again(void **state)
{
	(void)state;
	n_busy = 1;
	run("drives: [{name: d1, spec: \"ram:1G\"}]", 2000);
	assert_int_equal(last.code, 0);
	assert_int_equal(n_adds, 2);
}

static void it_can_be_cancelled_at_any_point(void **state)
{
	static const char text[] = "drives: [{name: d1, spec: \"ram:1G\"}]";
	struct config c;

	(void)state;
	assert_int_equal(config_parse(text, strlen(text), &c, NULL), 0);
	for (unsigned steps = 0; steps < 8; steps++) {
		assert_int_equal(apply_start(reactor, server, &c, done, NULL,
		                             &apply, NULL),
		                 0);
		for (unsigned i = 0; i < steps && !n_done; i++)
			reactor_poll(reactor);
		if (!n_done)
			apply_cancel(apply);
		n_done = 0;
		while (reactor_poll(reactor))
			;
		assert_int_equal(n_done, 0);
	}
	config_fini(&c);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_second_time_changes_nothing),
		T(nothing_to_do_is_done),
		T(a_difference_is_an_error),
		T(a_failure_names_its_line),
		T(try_again_is_tried_again),
		T(it_can_be_cancelled_at_any_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
