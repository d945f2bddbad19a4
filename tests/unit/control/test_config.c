/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "base/base.h"
#include "control/config.h"
#include "control/config_yaml.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *text;
	const char *json;  /* NULL: refused */
	const char *words; /* of the refusal */
} yamls[] = {
	/* clang-format off */
	{ "", "{}", NULL },
	{ "# nothing\n", "{}", NULL },
	{ "a: 1\nb: [x, true, -5, 'true', \"1\", 1.5]\n",
	  "{\"a\":1,\"b\":[\"x\",true,-5,\"true\",\"1\",\"1.5\"]}", NULL },
	{ "- {a: 1}\n- b\n", "[{\"a\":1},\"b\"]", NULL },
	{ "a: 18446744073709551615", "{\"a\":18446744073709551615}", NULL },
	{ "a: 18446744073709551616", "{\"a\":\"18446744073709551616\"}", NULL },
	{ "a: 10G", "{\"a\":\"10G\"}", NULL },
	{ "a: \"\"", "{\"a\":\"\"}", NULL },
	{ "a:\n", NULL, "line 1: a value is missing" },
	{ "a: 1\na: 2\n", NULL, "line 2: 'a' is repeated" },
	{ "a: &x 1\n", NULL, "line 1: anchors and tags are not supported" },
	{ "a: [&x 1, *x]\n", NULL, "anchors and tags" },
	{ "a: *x\n", NULL, "aliases" },
	{ "a: !!str 1\n", NULL, "anchors and tags" },
	{ "a: 1\n---\nb: 1\n", NULL, "line 2: several documents" },
	{ "[a]: 1\n", NULL, "line 1: a key must be a word" },
	{ "a: 1\n b: 2\n", NULL, "line 2" },
	{ "a: {\n", NULL, "line 2" },
	{ "a: [[[[[[[1]]]]]]]\n", "{\"a\":[[[[[[[1]]]]]]]}", NULL },
	{ "a: [[[[[[[[1]]]]]]]]\n", NULL, "line 1: nested too deep" },
	{ "\x01", NULL, "line 1" },
	/* clang-format on */
};

static void yaml_becomes_json_or_is_refused_with_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(yamls); i++) {
		struct json_object *o = NULL;
		struct err e = { 0 };
		int err = config_yaml_load(yamls[i].text, strlen(yamls[i].text),
		                           &o, &e);

		if (!err != !!yamls[i].json)
			fail_msg("%s: %d %s", yamls[i].text, err, e.text);
		if (err && !strstr(e.text, yamls[i].words))
			fail_msg("%s: %s", yamls[i].text, e.text);
		if (!err)
			assert_string_equal(json_object_to_json_string_ext(
						    o, JSON_C_TO_STRING_PLAIN),
			                    yamls[i].json);
		json_object_put(o);
	}
}

static void values_and_bytes_are_bounded(void **state)
{
	static char text[CONFIG_YAML_SIZE_MAX + 2];
	struct json_object *o;
	struct err e = { 0 };
	size_t n = 1;

	(void)state;
	text[0] = '[';
	for (unsigned i = 0; i < CONFIG_YAML_VALUES_MAX; i++)
		n += (size_t)sprintf(text + n, "1,");
	text[n++] = ']';
	assert_int_equal(config_yaml_load(text, n, &o, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "more than 16384 values"));

	memset(text, ' ', sizeof(text));
	assert_int_equal(config_yaml_load(text, sizeof(text), &o, NULL),
	                 -EBADMSG);
}

static const char whole[] =
	"node: alpha\n"
	"cores: 2\n"
	"cluster_key: /etc/key\n"
	"metrics: 127.0.0.1:9100\n"
	"listen: [192.0.2.1:7000, \"tls:[::1]:7000\"]\n"
	"drives:\n"
	"  - { name: d1, spec: \"ram:1G\" }\n"
	"  - name: d2\n"
	"    spec: ram:1G\n"
	"exports:\n"
	"  - { type: nbd, volume: tank/vm1, unix: /run/vm1.sock }\n"
	"pools:\n"
	"  - { pool: tank, drives: [d1, d2] }\n"
	"volumes:\n"
	"  - { volume: tank/vm1, size: 10G, raid: raid1 }\n"
	"  - { volume: tank/vm2, size: 4096 }\n"
	"windows:\n"
	"  - { name: spare, size: 4G, allow: [beta:rw] }\n"
	"peers:\n"
	"  - { name: beta, addresses: [192.0.2.2:7000] }\n";

static void a_file_becomes_calls_in_their_order(void **state)
{
	static const char *const want[] = { "node.add",      "window.create",
		                            "drive.add",     "drive.add",
		                            "pool.create",   "volume.create",
		                            "volume.create", "export.create" };
	struct config c;

	(void)state;
	assert_int_equal(config_parse(whole, strlen(whole), &c, NULL), 0);
	assert_string_equal(c.node, "alpha");
	assert_int_equal(c.cores, 2);
	assert_int_equal(c.n_calls, ARRAY_LEN(want));
	for (size_t i = 0; i < c.n_calls; i++)
		assert_string_equal(c.calls[i].method->name, want[i]);
	assert_string_equal(c.cluster_key, "/etc/key");
	assert_string_equal(c.metrics, "127.0.0.1:9100");
	assert_int_equal(c.n_listen, 2);
	assert_string_equal(c.listen[1], "tls:[::1]:7000");
	assert_int_equal(c.calls[3].line, 8);
	assert_int_equal(c.calls[6].line, 16);
	assert_true(rpc_size(c.calls[1].params, "size") == UINT64_C(4) << 30);
	assert_true(rpc_size(c.calls[5].params, "size") == UINT64_C(10) << 30);
	config_fini(&c);
}

static const struct {
	const char *text;
	const char *words;
} refused[] = {
	/* clang-format off */
	{ "drvies: []\n", "line 1: unknown parameter 'drvies'; did you mean "
	  "'drives'?" },
	{ "- a\n", "line 1: the file must hold" },
	{ "\nnode: a b\n", "line 2: 'node' must be 1 to 63 letters" },
	{ "node:\n\n  [1]\n", "line 1: 'node' must be a string, not array" },
	{ "clusterkey: /k\n", "did you mean 'cluster_key'?" },
	{ "cluster_key: k\n", "line 1: 'cluster_key' must be an absolute path" },
	{ "metrics: /m\n", "line 1: 'metrics' must be unix:PATH" },
	{ "listen: [\"h:1\", \"h:1\"]\n", "'listen' has h:1 twice" },
	{ "listen: [h]\n", "line 1: 'listen' must be" },
	{ "windows:\n  - { name: w, size: 1M, alow: [b:ro] }\n",
	  "line 2: unknown parameter 'alow'; did you mean 'allow'?" },
	{ "cores: 0\n", "line 1: 'cores' must be 1 to 256" },
	{ "drives: 1\n", "line 1: 'drives' must be a list of objects" },
	{ "drives:\n  - d1\n", "line 2: 'drives' must be a list of objects" },
	{ "drives:\n  - name: d1\n    spek: ram:1G\n",
	  "line 3: unknown parameter 'spek'; did you mean 'spec'?" },
	{ "drives:\n  - name: d1\n", "line 2: 'spec' is missing" },
	{ "volumes:\n - volume: a/b\n   size: 10Q\n",
	  "line 3: 'size' must be a size in bytes, not string" },
	{ "volumes:\n - volume: a/b\n   size: 1k\n", "line 3: 'size' must be" },
	{ "pools:\n - pool: p\n   drives:\n    - ok\n    - not ok\n",
	  "line 5: 'drives' must be" },
	{ "exports:\n - type: nbd\n   volume: a/b\n",
	  "line 2: exactly one of 'unix', 'tcp' is needed, not none" },
	/* clang-format on */
};

static void a_mistake_is_named_with_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct config c;
		struct err e = { 0 };

		assert_true(config_parse(refused[i].text,
		                         strlen(refused[i].text), &c, &e) < 0);
		if (!strstr(e.text, refused[i].words))
			fail_msg("%s: %s", refused[i].text, e.text);
	}
}

static void a_missing_file_is_named(void **state)
{
	struct config c;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(config_load("/nonexistent.yaml", &c, &e), -ENOENT);
	assert_non_null(strstr(e.text, "/nonexistent.yaml"));
}

static const char there[] =
	"{\"node\":\"alpha\",\"drives\":[{\"name\":\"d1\",\"spec\":\"ram:1G\"},"
	"{\"name\":\"d2\",\"spec\":\"ram:1G\"}],"
	"\"pools\":[{\"name\":\"tank\",\"drives\":[{\"name\":\"d1\"},"
	"{\"name\":\"d2\"}]}],"
	"\"volumes\":[{\"name\":\"tank/"
	"vm1\",\"size\":4096,\"raid\":\"raid1\"}],"
	"\"exports\":[{\"name\":\"x\",\"type\":\"nbd\",\"volume\":\"tank/vm1\","
	"\"address\":\"unix:/s\"}],"
	"\"peers\":[{\"name\":\"beta\",\"configured\":true,"
	"\"addresses\":[\"h:1\",\"g:1\"]},"
	"{\"name\":\"delta\",\"configured\":false,\"addresses\":[]}],"
	"\"windows\":[{\"name\":\"w\",\"size\":4096,\"grants\":["
	"{\"node\":\"beta\",\"rights\":\"ro\"}]}]}";

static const struct {
	const char *text;
	int want;
	const char *words;
} compared[] = {
	/* clang-format off */
	{ "drives: [{name: d1, spec: \"ram:1G\"}]", 0, "" },
	{ "drives: [{name: d3, spec: \"ram:1G\"}]", 1, "" },
	{ "drives: [{name: d1, spec: \"ram:2G\"}]", -EEXIST,
	  "drive d1 is there already with ram:1G, and the file says ram:2G" },
	{ "pools: [{pool: tank, drives: [d2, d1]}]", 0, "" },
	{ "pools: [{pool: other, drives: [d2, d1]}]", 1, "" },
	{ "pools: [{pool: tank, drives: [d1, d2, d3]}]", -EEXIST,
	  "causeway pool grow tank d3" },
	{ "pools: [{pool: tank, drives: [d1]}]", -EEXIST, "with 2 drives" },
	{ "volumes: [{volume: tank/vm1, size: 4096}]", 0, "" },
	{ "volumes: [{volume: tank/vm1, size: 4k, raid: raid1}]", 0, "" },
	{ "volumes: [{volume: tank/vm9, size: 4096}]", 1, "" },
	{ "volumes: [{volume: tank/vm1, size: 8192}]", -EEXIST,
	  "size 4096, and the file says 8192" },
	{ "volumes: [{volume: tank/vm1, size: 4096, raid: raid5}]", -EEXIST,
	  "raid1, and the file says raid5" },
	{ "exports: [{type: nbd, volume: tank/vm1, unix: /s}]", 0, "" },
	{ "exports: [{type: nbd, volume: tank/vm1, unix: /t}]", 1, "" },
	{ "exports: [{type: nbd, volume: tank/vm2, unix: /s}]", -EEXIST,
	  "tank/vm1, and the file says tank/vm2" },
	{ "exports: [{type: nbd, volume: tank/vm1, tcp: \"h:1\", name: x}]",
	  -EEXIST, "unix:/s, and the file says tcp:h:1" },
	{ "peers: [{name: beta, addresses: [\"g:1\", \"h:1\"]}]", 0, "" },
	{ "peers: [{name: alpha, addresses: [\"h:1\"]}]", 0, "" },
	{ "peers: [{name: delta, addresses: [\"h:1\"]}]", 1, "" },
	{ "peers: [{name: gamma, addresses: [\"h:1\"]}]", 1, "" },
	{ "peers: [{name: beta, addresses: [\"h:1\"]}]", -EEXIST,
	  "node beta is there already" },
	{ "windows: [{name: w, size: 4096}]", 0, "" },
	{ "windows: [{name: w, size: 4096, allow: [beta:ro]}]", 0, "" },
	{ "windows: [{name: v, size: 4096}]", 1, "" },
	{ "windows: [{name: w, size: 8192}]", -EEXIST, "size 4096" },
	{ "windows: [{name: w, size: 4096, file: /f}]", -EEXIST,
	  "memory, and the file says /f" },
	{ "windows: [{name: w, size: 4096, allow: [beta:rw]}]", -EEXIST,
	  "beta:rw" },
	/* clang-format on */
};

static void what_is_there_is_left_alone(void **state)
{
	struct json_object *status = json_tokener_parse(there);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(compared); i++) {
		struct config c;
		struct err e = { 0 };
		int got;

		assert_int_equal(config_parse(compared[i].text,
		                              strlen(compared[i].text), &c, &e),
		                 0);
		got = config_compare(&c.calls[0], status, &e);
		if (got != compared[i].want ||
		    !strstr(e.text, compared[i].words))
			fail_msg("%s: %d %s", compared[i].text, got, e.text);
		config_fini(&c);
	}
	json_object_put(status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(yaml_becomes_json_or_is_refused_with_its_line),
		cmocka_unit_test(values_and_bytes_are_bounded),
		cmocka_unit_test(a_file_becomes_calls_in_their_order),
		cmocka_unit_test(a_mistake_is_named_with_its_line),
		cmocka_unit_test(a_missing_file_is_named),
		cmocka_unit_test(what_is_there_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
