/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "base/base.h"
#include "control/methods.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const struct rpc_syntax *syntax;
	const char *text;
	bool valid;
} rows[] = {
	/* clang-format off */
	{ &methods_name_syntax, "a", true },
	{ &methods_name_syntax, "0_.-", true },
	{ &methods_name_syntax, A63, true },
	{ &methods_name_syntax, A63 "a", false },
	{ &methods_name_syntax, "", false },
	{ &methods_name_syntax, ".a", false },
	{ &methods_name_syntax, "-a", false },
	{ &methods_name_syntax, "a b", false },
	{ &methods_name_syntax, "a/b", false },
	{ &methods_name_syntax, "\xc3\xa9", false },
	{ &methods_volume_syntax, "tank/vm1", true },
	{ &methods_volume_syntax, A63 "/" A63, true },
	{ &methods_volume_syntax, A63 "a/b", false },
	{ &methods_volume_syntax, "tank", false },
	{ &methods_volume_syntax, "tank/", false },
	{ &methods_volume_syntax, "/vm1", false },
	{ &methods_volume_syntax, "a/b/c", false },
	{ &methods_tcp_syntax, "127.0.0.1:10809", true },
	{ &methods_tcp_syntax, "host-1.example:0", true },
	{ &methods_tcp_syntax, "[::1]:65535", true },
	{ &methods_tcp_syntax, "[fe80::1%eth0]:1", true },
	{ &methods_tcp_syntax, "::1:5", false },
	{ &methods_tcp_syntax, "[::1]", false },
	{ &methods_tcp_syntax, "[::1", false },
	{ &methods_tcp_syntax, "h:65536", false },
	{ &methods_tcp_syntax, "h:99999999999", false },
	{ &methods_tcp_syntax, "h:", false },
	{ &methods_tcp_syntax, ":1", false },
	{ &methods_tcp_syntax, "h:1x", false },
	{ &methods_tcp_syntax, "", false },
	{ &methods_path_syntax, "/a", true },
	{ &methods_path_syntax, "a", false },
	{ &methods_path_syntax, "/", false },
	{ &methods_link_syntax, "192.0.2.1:7000", true },
	{ &methods_link_syntax, "tls:[::1]:7000", true },
	{ &methods_link_syntax, "*:0", true },
	{ &methods_link_syntax, "udp:192.0.2.1:7000", false },
	{ &methods_link_syntax, "tls:", false },
	{ &methods_link_syntax, "*", false },
	{ &methods_link_syntax, A63 A63 ":1", false },
	{ &methods_allow_syntax, "beta:ro", true },
	{ &methods_allow_syntax, A63 ":wo", true },
	{ &methods_allow_syntax, A63 "a:rw", false },
	{ &methods_allow_syntax, "beta", false },
	{ &methods_allow_syntax, "beta:", false },
	{ &methods_allow_syntax, "beta:rwx", false },
	{ &methods_allow_syntax, ":rw", false },
	/* clang-format on */
};

static void names_are_told_from_other_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].syntax->valid(rows[i].text) != rows[i].valid)
			fail_msg("\"%s\"", rows[i].text);
}

static void the_name_of_a_volume_is_cut(void **state)
{
	char pool[METHODS_NAME_MAX + 1], volume[METHODS_NAME_MAX + 1];

	(void)state;
	assert_int_equal(methods_split_volume("tank/vm1", pool, volume), 0);
	assert_string_equal(pool, "tank");
	assert_string_equal(volume, "vm1");
}

static void check_method(const struct rpc_method *m)
{
	assert_true(strlen(m->name) < 60);
	assert_ptr_equal(methods_find(m->name), m);
	assert_true(m->doc[0] && m->doc[strlen(m->doc) - 1] != '.');
	for (size_t i = 0; i < m->n_params; i++) {
		const struct rpc_param *p = &m->params[i];

		if (!p->doc || (p->type == RPC_ENUM && !p->values))
			fail_msg("%s: row %s is incomplete", m->name, p->name);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(m->params[j].name, p->name);
	}
}

static void the_tables_are_well_formed(void **state)
{
	(void)state;
	for (size_t i = 0; i < methods_fast_count; i++)
		check_method(&methods_fast[i]);
	for (size_t i = 0; i < methods_slow_count; i++)
		check_method(&methods_slow[i]);
	for (size_t i = 0; i < methods_subnet_count; i++)
		check_method(&methods_subnet[i]);
	assert_null(methods_find("pool.frobnicate"));
}

static const struct {
	const char *method, *params;
	const char *words; /* NULL: accepted */
} calls[] = {
	/* clang-format off */
	{ "drive.add", "{\"name\":\"d1\",\"spec\":\"ram:1G\"}", NULL },
	{ "drive.add", "{\"name\":\"d/1\",\"spec\":\"ram:1G\"}", "letters" },
	{ "drive.add", "{\"name\":\"d1\"}", "'spec' is missing" },
	{ "node.add", "{\"name\":\"b\",\"addresses\":[\"h:1\",\"tls:g:1\"]}",
	  NULL },
	{ "node.add", "{\"name\":\"b\",\"addresses\":[]}", "1 to 8" },
	{ "node.add", "{\"name\":\"b\",\"addresses\":[\"h\"]}", "ADDRESS:PORT" },
	{ "window.create", "{\"name\":\"w\",\"size\":4096,\"file\":\"/f\","
	  "\"allow\":[\"b:ro\"]}", NULL },
	{ "window.create", "{\"name\":\"w\",\"size\":4096,\"allow\":"
	  "[\"b:all\"]}", "NODE:ro" },
	{ "window.create", "{\"name\":\"w\"}", "'size' is missing" },
	{ "window.grant", "{\"name\":\"w\",\"node\":\"b\",\"rights\":\"rw\","
	  "\"lease_s\":5,\"ops_per_s\":1}", NULL },
	{ "window.grant", "{\"name\":\"w\",\"node\":\"b\",\"rights\":\"wr\"}",
	  "ro, wo, rw" },
	{ "window.revoke", "{\"name\":\"w\"}", NULL },
	{ "pool.create", "{\"pool\":\"p\",\"drives\":[\"a\",\"b\"]}", NULL },
	{ "pool.create", "{\"pool\":\"p\",\"drives\":[\"a b\"]}", "letters" },
	{ "pool.create", "{\"pool\":\"p\",\"drives\":[]}", "1 to 128" },
	{ "volume.create", "{\"volume\":\"p/v\",\"size\":4096}", NULL },
	{ "volume.create", "{\"volume\":\"p\",\"size\":4096}", "POOL/VOLUME" },
	{ "volume.create", "{\"volume\":\"p/v\",\"size\":1}", "4096" },
	{ "volume.create", "{\"volume\":\"p/v\",\"size\":4096,\"raid\":"
	  "\"raid6\"}", "raid0, raid1, raid5" },
	{ "export.create", "{\"type\":\"nbd\",\"volume\":\"p/v\",\"unix\":"
	  "\"/s\"}", NULL },
	{ "export.create", "{\"type\":\"nbd\",\"volume\":\"p/v\",\"tcp\":"
	  "\"::1\"}", "ADDRESS:PORT" },
	{ "export.create", "{\"type\":\"nbd\",\"volume\":\"p/v\"}",
	  "exactly one of 'unix', 'tcp'" },
	/* clang-format on */
};

static void the_tables_refuse_what_they_should(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		const struct rpc_method *m = methods_find(calls[i].method);
		struct json_object *o = json_tokener_parse(calls[i].params);
		struct err e = { 0 };
		int err = rpc_check(m->params, m->n_params, o, NULL, &e);

		if (!err != !calls[i].words ||
		    (err && !strstr(e.text, calls[i].words)))
			fail_msg("%s %s: %d %s", m->name, calls[i].params, err,
			         e.text);
		json_object_put(o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_told_from_other_words),
		cmocka_unit_test(the_name_of_a_volume_is_cut),
		cmocka_unit_test(the_tables_are_well_formed),
		cmocka_unit_test(the_tables_refuse_what_they_should),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
