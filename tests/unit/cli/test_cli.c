/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole program but main(), against a server in another thread that
 * answers each call as the test says. */
#include "../test.h"

#include "base/base.h"
#include "cli/cli.h"
#include "cli/print.h"
#include "control/methods.h"
#include "core/reactor.h"
#include "rpc/server.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/stat.h>

static char dir[] = "/tmp/causeway-test-XXXXXX";
static char path[64];
static struct reactor *reactor;
static struct rpc_server *server;
static pthread_t thread;
static sem_t ready;

/* Read by the server's thread while cli_main() waits for it. */
static const char *answer; /* JSON; NULL: fail with `failure` */
static int failure;
static char asked_method[64];
static char asked_params[2048];

static char *out, *err; /* what the last run printed */
static size_t out_size, err_size;

static void serve(struct rpc_call *call, struct json_object *params)
{
	struct err e = { 0 };

	snprintf(asked_method, sizeof(asked_method), "%s",
	         rpc_call_method(call));
	snprintf(
		asked_params, sizeof(asked_params), "%s",
		params ? json_object_to_json_string_ext(
				 params, JSON_C_TO_STRING_PLAIN |
						 JSON_C_TO_STRING_NOSLASHESCAPE)
		       : "");
	if (answer) {
		rpc_reply(call, json_tokener_parse(answer));
		return;
	}
	err_set(&e, failure, "it failed; do this next");
	rpc_fail(call, &e, RPC_OK);
}

static void *run_server(void *arg)
{
	const struct reactor_opts opts = { .name = "fake" };
	const struct rpc_service services[] = {
		{ .methods = methods_fast,
		  .n_methods = methods_fast_count,
		  .fallback = serve },
		{ .methods = methods_slow,
		  .n_methods = methods_slow_count,
		  .fallback = serve },
		{ .methods = methods_subnet,
		  .n_methods = methods_subnet_count,
		  .fallback = serve },
	};

	(void)arg;
	if (reactor_create(&opts, &reactor, NULL) ||
	    rpc_server_create(reactor, services, 3, &server, NULL) ||
	    rpc_server_listen(server, path, NULL))
		abort();
	sem_post(&ready);
	reactor_run(reactor);
	rpc_server_destroy(server);
	reactor_destroy(reactor);
	return NULL;
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/control.sock", dir);
	sem_init(&ready, 0, 0);
	if (pthread_create(&thread, NULL, run_server, NULL))
		return -1;
	sem_wait(&ready);
	return setenv("CAUSEWAY_SOCKET", path, 1);
}

static int teardown(void **state)
{
	(void)state;
	reactor_stop(reactor);
	pthread_join(thread, NULL);
	free(out);
	free(err);
	return rmdir(dir);
}

/* Run "causeway LINE"; words are parted by single blanks. */
static int run(const char *line)
{
	static char copy[512];
	char *argv[40] = { (char[]){ "causeway" } };
	FILE *out_file, *err_file;
	int argc = 1, status;

	free(out);
	free(err);
	out = err = NULL;
	asked_method[0] = asked_params[0] = '\0';
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	out_file = open_memstream(&out, &out_size);
	err_file = open_memstream(&err, &err_size);
	status = cli_main(argc, argv, out_file, err_file);
	fclose(out_file);
	fclose(err_file);
	return status;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" lacks \"%s\"", text, part);
}

static const struct {
	const char *line, *method, *params;
} calls[] = {
	/* clang-format off */
	{ "drive add d1 ram:1G", "drive.add",
	  "{\"name\":\"d1\",\"spec\":\"ram:1G\"}" },
	{ "drive add d1 file:/srv/d1,size=1G", "drive.add",
	  "{\"name\":\"d1\",\"spec\":\"file:/srv/d1,size=1G\"}" },
	{ "drive list", "drive.list", "" },
	{ "drive remove d1", "drive.remove", "{\"name\":\"d1\"}" },
	{ "drive fail d1", "drive.fail", "{\"name\":\"d1\"}" },
	{ "pool create tank a b c", "pool.create",
	  "{\"pool\":\"tank\",\"drives\":[\"a\",\"b\",\"c\"]}" },
	{ "pool grow tank d", "pool.grow",
	  "{\"pool\":\"tank\",\"drives\":[\"d\"]}" },
	{ "pool list", "pool.list", "" },
	{ "pool show tank", "pool.show", "{\"pool\":\"tank\"}" },
	{ "subnet down", "subnet.down", "" },
	{ "subnet status", "subnet.status", "" },
	{ "subnet nodes", "subnet.nodes", "{}" },
	{ "subnet links", "subnet.links", "{}" },
	{ "subnet routes L0001", "subnet.routes", "{\"switch\":\"L0001\"}" },
	{ "subnet explain a b", "subnet.explain", "{\"from\":\"a\",\"to\":\"b\"}" },
	{ "subnet diff", "subnet.diff", "{}" },
	{ "subnet events --after 7", "subnet.events", "{\"after\":7}" },
	{ "subnet sweep", "subnet.sweep", "" },
	{ "subnet reload", "subnet.reload", "" },
	{ "subnet topology --dot", "subnet.links", "{}" },
	{ "subnet lag list", "lag.list", "{}" },
	{ "subnet lag create alpha", "lag.create", "{\"host\":\"alpha\"}" },
	{ "subnet lag delete alpha", "lag.delete", "{\"host\":\"alpha\"}" },
	{ "subnet lag show alpha", "lag.show", "{\"host\":\"alpha\"}" },
	{ "subnet plan --without L0001[17]", "subnet.plan",
	  "{\"without\":\"L0001\",\"port\":17}" },
	{ "subnet up --device mlx5_0 --priority 5 --no-lag", "subnet.up",
	  "{\"device\":\"mlx5_0\",\"priority\":5,\"no_lag\":true}" },
	{ "volume create tank/v --size 10G", "volume.create",
	  "{\"volume\":\"tank/v\",\"size\":10737418240}" },
	{ "volume create --size=4096 --raid raid1 tank/v", "volume.create",
	  "{\"volume\":\"tank/v\",\"size\":4096,\"raid\":\"raid1\"}" },
	{ "volume list", "volume.list", "" },
	{ "volume show tank/v", "volume.show", "{\"volume\":\"tank/v\"}" },
	{ "volume delete tank/v", "volume.delete", "{\"volume\":\"tank/v\"}" },
	{ "export create nbd tank/v --unix /run/s", "export.create",
	  "{\"type\":\"nbd\",\"volume\":\"tank/v\",\"unix\":\"/run/s\"}" },
	{ "export create nbd tank/v --tcp [::1]:0 --name x", "export.create",
	  "{\"type\":\"nbd\",\"volume\":\"tank/v\",\"tcp\":\"[::1]:0\","
	  "\"name\":\"x\"}" },
	{ "export list", "export.list", "" },
	{ "export remove nbd1", "export.remove", "{\"name\":\"nbd1\"}" },
	{ "status", "status", "" },
	{ "doctor", "doctor", "" },
	{ "top --count 1", "status", "" },
	{ "node add b h:1,tls:g:2 i:3", "node.add",
	  "{\"name\":\"b\",\"addresses\":[\"h:1\",\"tls:g:2\",\"i:3\"]}" },
	{ "node list", "node.list", "" },
	{ "node show b", "node.show", "{\"name\":\"b\"}" },
	{ "node remove b", "node.remove", "{\"name\":\"b\"}" },
	{ "window create w --size 1M", "window.create",
	  "{\"name\":\"w\",\"size\":1048576}" },
	{ "window create w --size 4k --allow b:ro --file /f --allow c:rw",
	  "window.create", "{\"name\":\"w\",\"size\":4096,\"file\":\"/f\","
	  "\"allow\":[\"b:ro\",\"c:rw\"]}" },
	{ "window grant w b:rw", "window.grant",
	  "{\"name\":\"w\",\"node\":\"b\",\"rights\":\"rw\"}" },
	{ "window grant w b:wo --lease 5 --bytes-per-s 1M --ops-per-s 9",
	  "window.grant", "{\"name\":\"w\",\"node\":\"b\",\"rights\":\"wo\","
	  "\"lease_s\":5,\"bytes_per_s\":1048576,\"ops_per_s\":9}" },
	{ "window revoke w b", "window.revoke",
	  "{\"name\":\"w\",\"node\":\"b\"}" },
	{ "window revoke w", "window.revoke", "{\"name\":\"w\"}" },
	{ "window list", "window.list", "" },
	{ "window list --peers", "window.list", "" },
	{ "window remove w", "window.remove", "{\"name\":\"w\"}" },
	{ "donor offer --size 8M", "donor.offer", "{\"size\":8388608}" },
	{ "donor offer --size 8M --allow a --allow b --lease 5 --within 9",
	  "donor.offer", "{\"size\":8388608,\"allow\":[\"a\",\"b\"],"
	  "\"lease_s\":5,\"within_s\":9}" },
	{ "donor list", "donor.list", "" },
	{ "donor withdraw", "donor.withdraw", "{}" },
	{ "donor withdraw --within 30", "donor.withdraw",
	  "{\"within_s\":30}" },
	{ "stop", "daemon.stop", "" },
	/* clang-format on */
};

static void every_command_makes_its_call(void **state)
{
	char line[256];

	(void)state;
	answer = "{}";
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		int status = run(calls[i].line);

		if (status || strcmp(asked_method, calls[i].method) ||
		    strcmp(asked_params, calls[i].params))
			fail_msg("%s: exit %d, %s %s; %s", calls[i].line,
			         status, asked_method, asked_params, err);
		snprintf(line, sizeof(line), "--json %s", calls[i].line);
		assert_int_equal(run(line), 0);
		assert_has(out, "\"version\": \"" CAUSEWAY_VERSION "\"");
		assert_string_equal(err, "");
	}
}

/* No command without a row above, an example and an entry in the help. */
static void every_command_is_shown(void **state)
{
	(void)state;
	assert_int_equal(run("help"), 0);
	for (size_t i = 0; i < cli_commands_count; i++) {
		const struct cli_cmd *cmd = &cli_commands[i];
		/* All but two of these do not talk to the control socket. */
		bool local = !strcmp(cmd->path, "help") ||
		             !strcmp(cmd->path, "version") ||
		             !strcmp(cmd->path, "window cat") ||
		             !strcmp(cmd->path, "window put") ||
		             !strcmp(cmd->path, "window cp") ||
		             !strncmp(cmd->path, "swap ", 5) ||
		             !strcmp(cmd->path, "run");
		bool found = local;
		char line[256];

		for (size_t k = 0; k < ARRAY_LEN(calls); k++)
			found |= strstr(calls[k].line, cmd->path) ==
			         calls[k].line;
		if (!found)
			fail_msg("no test calls '%s'", cmd->path);
		snprintf(line, sizeof(line), "%s --help", cmd->path);
		assert_int_equal(run(line), 0);
		assert_has(out, cmd->brief);
		assert_has(out, "example: causeway ");
		/* The example is a line that parses. */
		answer = "{}";
		if (!local) {
			assert_int_equal(run(cmd->example), 0);
			assert_true(asked_method[0]);
		}
	}
	assert_int_equal(run("help"), 0);
	for (size_t i = 0; i < cli_commands_count; i++)
		assert_has(out, cli_commands[i].path);
}

static const struct {
	const char *line, *words;
} wrong[] = {
	/* clang-format off */
	{ "", "COMMAND" },
	{ "staus", "did you mean 'status'?" },
	{ "staus now", "did you mean 'status'?" },
	{ "volume craete a/b", "did you mean 'volume create'?" },
	{ "volum create a/b", "did you mean 'volume create'?" },
	{ "frobnicate", "'causeway help' lists the commands" },
	{ "volume", "volume create" },
	{ "subnet lag", "subnet lag show" },
	{ "subnet lag shwo a", "did you mean 'subnet lag show'?" },
	{ "subnet lag show", "words are missing" },
	{ "subnet topology", "one of --svg, --dot and --json" },
	{ "subnet plan --without L0001", "'L0001' is no port" },
	{ "volume create a/b --sise 1G", "did you mean '--size'?" },
	{ "volume create a/b --size", "--size needs a value" },
	{ "volume create a/b --size 1G --size 2G", "--size is given twice" },
	{ "volume create a/b --size 1Q", "'1Q' is not a size" },
	{ "volume create a/b", "--size is missing" },
	{ "volume create --size 1G", "words are missing" },
	{ "volume create a/b c/d --size 1G", "'c/d' is one word too many" },
	{ "status --json=1", "--json takes no value" },
	{ "status -x", "unknown option '-x'" },
	{ "--jsn status", "did you mean '--json'?" },
	{ "--socket", "--socket needs a value" },
	{ "drive add d1", "usage: causeway drive add NAME" },
	{ "export create nbd a/b", "one of --unix and --tcp is needed" },
	{ "export create nbd a/b --unix /s --tcp a:1", "not both" },
	{ "window create w", "--size is missing" },
	{ "window grant w b", "write NODE:ro, NODE:wo or NODE:rw" },
	{ "window grant w b:ro --lease 1h", "'1h' is not a whole number" },
	{ "donor offer", "--size is missing" },
	{ "donor offer --size 8M --lease 1h", "'1h' is not a whole number" },
	{ "window create w --alow b:ro", "did you mean '--allow'?" },
	{ "top --interval 0", "1 to 3600 seconds" },
	{ "window cp a/b", "a word is missing" },
	{ "help nonsense", "there is no command 'nonsense'" },
	{ "drive list -- --json", "'--json' is one word too many" },
	/* clang-format on */
};

static void a_wrong_line_is_explained(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		int status = run(wrong[i].line);

		if (status != RPC_USAGE || !strstr(err, wrong[i].words))
			fail_msg("%s: exit %d, %s", wrong[i].line, status, err);
		assert_string_equal(out, "");
		assert_string_equal(asked_method, "");
	}
	assert_int_equal(run("volume craete a/b --json"), RPC_USAGE);
	assert_has(out, "\"class\": \"usage\"");
	assert_string_equal(err, "");
}

static const struct {
	int failure, status;
	const char *class;
} failures[] = {
	{ -EIO, 1, "failed" },       { -EINVAL, 2, "usage" },
	{ -ENOENT, 3, "not found" }, { -EACCES, 5, "denied" },
	{ -ENOSPC, 6, "full" },      { -EAGAIN, 75, "try again" },
};

static void a_failure_sets_the_exit_status(void **state)
{
	char class[40];

	(void)state;
	answer = NULL;
	for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
		failure = failures[i].failure;
		assert_int_equal(run("volume delete a/b"), failures[i].status);
		assert_string_equal(err, "causeway: it failed; do this next\n");
		assert_string_equal(out, "");
		assert_int_equal(run("volume delete a/b --json"),
		                 failures[i].status);
		snprintf(class, sizeof(class), "\"class\": \"%s\"",
		         failures[i].class);
		assert_has(out, class);
		assert_has(out, "\"version\"");
		assert_has(out, "it failed; do this next");
	}
}

/* The server's tables are asked, too. */
static void the_daemon_checks_names(void **state)
{
	(void)state;
	answer = "{}";
	assert_int_equal(run("drive add a/b ram:1G"), RPC_USAGE);
	assert_has(err, "'name' must be 1 to 63 letters");
}

static void a_relative_path_is_made_absolute(void **state)
{
	char here[PATH_MAX], want[PATH_MAX + 100];

	(void)state;
	answer = "{}";
	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(run("drive add d1 file:d1.img"), 0);
	snprintf(want, sizeof(want), "\"file:%s/d1.img\"", here);
	assert_has(asked_params, want);
	assert_int_equal(run("export create nbd a/b --unix s"), 0);
	snprintf(want, sizeof(want), "\"%s/s\"", here);
	assert_has(asked_params, want);
}

static void a_daemon_that_is_not_there_is_named(void **state)
{
	char line[128];

	(void)state;
	assert_int_equal(run("--socket /nonexistent/s status"), RPC_FAILED);
	assert_has(err, "/nonexistent/s");
	assert_has(err, "causewayd --state");
	snprintf(line, sizeof(line), "status --socket %s", path);
	setenv("CAUSEWAY_SOCKET", "/nonexistent/s", 1);
	answer = "{}";
	assert_int_equal(run(line), 0);
	setenv("CAUSEWAY_SOCKET", path, 1);
}

#define PROCESSES                                                              \
	"\"processes\":[{\"role\":\"fast\",\"pid\":1,\"state\":\"running\"},"  \
	"{\"role\":\"slow\",\"pid\":2,\"state\":\"running\"}]"
#define POOL(state, drive)                                                     \
	"\"pools\":[{\"name\":\"tank\",\"state\":\"" state                     \
	"\",\"drives\":[{\"name\":\"d1\",\"state\":\"online\"},{\"name\":"     \
	"\"d2\",\"state\":\"" drive "\",\"why\":\"read errors\"}],"            \
	"\"capacity\":10737418240,\"used\":1073741824,\"warnings\":[]}]"

static const struct {
	const char *answer;
	int status;
	const char *words[3];
} states[] = {
	/* clang-format off */
	{ "{\"node\":\"alpha\"," PROCESSES "}", 0,
	  { "node alpha: everything works\n", "no drives yet",
	    "causeway drive add" } },
	{ "{\"node\":\"alpha\"," PROCESSES "," POOL("online", "online") "}", 0,
	  { "everything works\n", "tank  online       2    1G       10G",
	    "POOL" } },
	{ "{\"node\":\"alpha\"," PROCESSES "," POOL("degraded", "failed") "}",
	  4, { "works, but is degraded", "pool tank is degraded",
	       "drive d2 of pool tank is failed: read errors\nnext:" } },
	{ "{\"node\":\"alpha\"," PROCESSES "," POOL("offline", "missing") "}",
	  1, { "something does not work", "pool tank is offline",
	       "make its file or device available" } },
	{ "{\"node\":\"a\",\"drives\":[{\"name\":\"d\",\"state\":\"failed\","
	  "\"why\":\"it burns\",\"pool\":\"t\"}],\"pools\":[{\"name\":\"t\","
	  "\"state\":\"degraded\",\"drives\":[{\"name\":\"d\",\"state\":"
	  "\"failed\"}]}],\"volumes\":[{\"name\":\"t/v\",\"state\":"
	  "\"degraded\"}]}", 4,
	  { "drive d of pool t is failed: it burns\nnext:  the pool goes on "
	    "without it; look at 'causeway drive list' and at the hardware\n"
	    "\n", "", "" } },
	{ "{\"node\":\"alpha\",\"processes\":[{\"role\":\"slow\",\"state\":"
	  "\"restarting\"}]}", 4,
	  { "degraded", "the slow process is restarting", "next:" } },
	{ "{\"node\":\"alpha\",\"pools\":[{\"name\":\"tank\",\"state\":"
	  "\"online\",\"warnings\":[\"80 % is used\"]}]}", 0,
	  { "with warnings", "pool tank: 80 % is used",
	    "causeway pool grow tank DRIVE" } },
	{ "{\"node\":\"a\",\"volumes\":[{\"name\":\"t/v\",\"state\":"
	  "\"offline\",\"why\":\"two drives are gone\"}]}", 1,
	  { "volume t/v is offline: two drives are gone", "", "" } },
	{ "{\"node\":\"a\",\"drives\":[{\"name\":\"d\",\"state\":\"missing\"}]"
	  "}", 0, { "with warnings", "drive d, in no pool, is missing", "" } },
	{ "{\"node\":\"e\\u001b[31m\"}", 0, { "node e?[31m:", "", "" } },
	{ "{\"node\":\"a\",\"peers\":[{\"name\":\"b\",\"configured\":true,"
	  "\"state\":\"lost\"}]}", 4,
	  { "node b cannot be reached (lost)", "causeway node show", "" } },
	{ "{\"node\":\"a\",\"peers\":[{\"name\":\"b\",\"configured\":false,"
	  "\"state\":\"lost\"}]}", 0, { "everything works", "b", "" } },
	{ "{\"node\":\"a\",\"peers\":[{\"name\":\"b\",\"configured\":true,"
	  "\"state\":\"up\",\"links\":[{\"address\":\"h:1\",\"state\":\"up\"},"
	  "{\"address\":\"h:2\",\"state\":\"down\",\"why\":\"no route\"}]}]}",
	  4, { "link h:2 to node b is down: no route", "taken back", "1/2" } },
	{ "{\"node\":1,\"processes\":{},\"pools\":[1,null],\"volumes\":[[]],"
	  "\"exports\":7}", 1, { "something does not work", "", "" } },
	/* clang-format on */
};

static void status_says_state_reason_and_next_step(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		answer = states[i].answer;
		if (run("status") != states[i].status)
			fail_msg("%s: %s", answer, out);
		for (int k = 0; k < 3; k++)
			assert_has(out, states[i].words[k]);
		assert_int_equal(run("status --json"), states[i].status);
	}
}

static void lists_are_aligned(void **state)
{
	(void)state;
	answer = "{\"volumes\":[{\"name\":\"tank/a\",\"state\":\"online\","
		 "\"raid\":\"raid5\",\"allocated\":0,\"size\":1073741824},"
		 "{\"name\":\"tank/long\",\"state\":\"degraded\",\"raid\":"
		 "\"raid0\",\"allocated\":65536,\"size\":1610612736}]}";
	assert_int_equal(run("volume list"), 0);
	assert_string_equal(out,
	                    "VOLUME     STATE     RAID   ALLOCATED  SIZE\n"
	                    "tank/a     online    raid5          0    1G\n"
	                    "tank/long  degraded  raid0        64k  1.5G\n");
	answer = "{\"exports\":[{\"name\":\"nbd1\",\"type\":\"nbd\",\"volume\":"
		 "\"t/a\",\"address\":\"unix:/s\",\"clients\":2,\"ops\":{"
		 "\"read\":{\"count\":12,\"p50_ns\":20500,\"p99_ns\":1234567}}"
		 "}]}";
	assert_int_equal(run("export list"), 0);
	assert_has(out, "nbd1    nbd   t/a     unix:/s        2  "
	                "12 20us/1.2ms               0\n");
	answer = "{\"drives\":[]}";
	assert_int_equal(run("drive list"), 0);
	assert_has(out, "no drives yet");
}

/* shows M23: who reaches what */
static void peers_and_their_keys_are_listed(void **state)
{
	(void)state;
	answer = "{\"keys\":[{\"window\":\"w\",\"node\":\"b\",\"rights\":"
		 "\"ro\",\"lease_ms\":2500,\"reads\":3,\"writes\":0,"
		 "\"bytes_read\":12288,\"bytes_written\":0,\"refused\":1},"
		 "{\"pid\":77,\"node\":\"c\",\"rights\":\"rw\"}]}";
	assert_int_equal(run("window list --peers"), 0);
	assert_has(out, "w           b    ro       2.5s      3       0   12k"
	                "        0        1\n");
	assert_has(out, "process 77  c    rw");
	answer = "{\"name\":\"b\",\"state\":\"up\",\"transport\":\"tcp\","
		 "\"why_not_better\":\"no RDMA device\",\"links\":[{"
		 "\"address\":\"tcp:h:1\",\"state\":\"down\",\"why\":"
		 "\"refused\"}]}";
	assert_int_equal(run("node show b"), 0);
	assert_has(out, "b     up       0/1  tcp          0       0  no RDMA "
	                "device\n");
	assert_has(out, "tcp:h:1  down     0     -         -     0  refused");
	answer = "{\"findings\":[{\"level\":\"error\",\"text\":\"it leaks\","
		 "\"next\":\"mend it\"}]}";
	assert_int_equal(run("doctor"), RPC_FAILED);
	assert_string_equal(out, "error: it leaks\nnext:  mend it\n");
}

static void sizes_are_short_and_can_be_read_back(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} sizes[] = {
		{ 0, "0" },
		{ 512, "512" },
		{ 1024, "1k" },
		{ 1536, "1.5k" },
		{ 1023 * 1024, "1023k" },
		{ UINT64_C(10) << 30, "10G" },
		{ UINT64_MAX, "15.9E" },
	};
	char text[24];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		assert_string_equal(print_size(sizes[i].bytes, text),
		                    sizes[i].text);
}

static void help_and_version_need_no_daemon(void **state)
{
	(void)state;
	assert_int_equal(run("--socket /nonexistent version"), 0);
	assert_string_equal(out, "causeway " CAUSEWAY_VERSION "\n");
	assert_int_equal(run("--help"), 0);
	assert_has(out, "volume create");
	assert_int_equal(run("volume --help"), 0);
	assert_has(out, "volume delete");
	assert_null(strstr(out, "drive add"));
	assert_int_equal(run("help volume create"), 0);
	assert_has(out, "--size SIZE");
	assert_int_equal(run("help --json"), 0);
	assert_has(out, "\"path\": \"volume create\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_makes_its_call),
		cmocka_unit_test(every_command_is_shown),
		cmocka_unit_test(a_wrong_line_is_explained),
		cmocka_unit_test(a_failure_sets_the_exit_status),
		cmocka_unit_test(the_daemon_checks_names),
		cmocka_unit_test(a_relative_path_is_made_absolute),
		cmocka_unit_test(a_daemon_that_is_not_there_is_named),
		cmocka_unit_test(status_says_state_reason_and_next_step),
		cmocka_unit_test(lists_are_aligned),
		cmocka_unit_test(peers_and_their_keys_are_listed),
		cmocka_unit_test(sizes_are_short_and_can_be_read_back),
		cmocka_unit_test(help_and_version_need_no_daemon),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
