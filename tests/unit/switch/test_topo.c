/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "switch/ibnet_file.h"
#include "switch/ibnet_make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int decode(const char *text, struct ibnet_topo **out, struct err *e)
{
	*e = (struct err){ 0 };
	return ibnet_file_decode(text, strlen(text), out, e);
}

/* ibsim's own example, and what ibnetdiscover prints. */
static const char simple[] = "# example\n"
			     "Switch 8 \"S1\"  # \"the switch\" base port 0\n"
			     "[1]\t\"Hca1\"[1]\n"
			     "[2]\t\"Hca2\"[2] w=2 s=1 # fast\n"
			     "# within\n"
			     "[3] \"S1\"[4]\n"
			     "[4] \"S1\"[3]\n"
			     "\n"
			     "hcaguids=0x500\n"
			     "Hca\t2 \"Hca1\"\n"
			     "[1](501) \"S1\"[1](200000)\n"
			     "\n"
			     "caguid=+0x20\n"
			     "sysimgguid=0x777\r\n"
			     "Ca 2 \"Hca2\"\n"
			     "[2] \"S1\"[2]";

static void a_net_file_is_read(void **state)
{
	struct ibnet_topo *t;
	struct err e;

	(void)state;
	assert_int_equal(decode(simple, &t, &e), 0);
	assert_int_equal(t->n_nodes, 3);
	assert_int_equal(t->n_switches, 1);
	assert_int_equal(t->n_links, 3);
	assert_string_equal(t->nodes[0].description, "the switch");
	assert_int_equal(t->nodes[0].guid, 0x200000);
	assert_int_equal(t->nodes[1].guid, 0x500);
	assert_int_equal(t->nodes[2].guid, 0x520);
	assert_int_equal(t->nodes[2].system_guid, 0x777);
	assert_int_equal(ibnet_topo_port(t, 0, 2)->widths, 2);
	assert_int_equal(ibnet_topo_port(t, 0, 2)->speeds, 1);
	assert_int_equal(ibnet_topo_port(t, 0, 3)->peer.node, 0);
	assert_int_equal(ibnet_topo_port(t, 0, 3)->peer.port, 4);
	assert_int_equal(ibnet_topo_port(t, 1, 2)->peer.node, IBNET_NO_NODE);
	assert_null(ibnet_topo_port(t, 1, 3));
	assert_null(ibnet_topo_port(t, 1, 0));
	ibnet_topo_destroy(t);
}

static void a_bad_net_file_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "", "no node" },
		{ "[1] \"A\"[1]\n", "line 1" },
		{ "Switch 8 S\n", "line 1" },
		{ "Switch \"S\"\n", "line 1" },
		{ "Switch 0 \"S\"\n", "ports" },
		{ "Switch 255 \"S\"\n", "ports" },
		{ "Hca 5 \"H\"\n", "1 to 4" },
		{ "Switch 2 \"S\"\nSwitch 2 \"S\"\n", "line 2" },
		{ "Switch 2 \"S\"\n[3] \"H\"[1]\n", "line 2" },
		{ "Switch 2 \"S\"\n[1] \"H\"[1]\n", "no node \"H\"" },
		{ "Switch 2 \"S\"\n[1] \"H\"[1]\n\nHca 1 \"H\"\n",
		  "does not list" },
		{ "Switch 2 \"S\"\n[1] \"H\"[1]\n\nHca 1 \"H\"\n[1] \"S\"[2]\n",
		  "does not list" },
		{ "Switch 2 \"S\"\n[1] \"S\"[1]\n", "itself" },
		{ "Switch 2 \"S\"\n[1] \"S\"[2]\n[1] \"S\"[2]\n[2] \"S\"[1]\n",
		  "already" },
		{ "Switch 2 \"S\"\n[1] \"S\"[2] x=1\n", "line 2" },
		{ "Switch 2 \"S\"\n[1] \"S\"[2] w=16\n", "widths" },
		{ "Switch 2 \"S\"\n[1] \"S\"[2] s=0\n", "speeds" },
		{ "Switch 2 \"S\"\n[1(zz)] \"S\"[2]\n", "line 2" },
		{ "Switch 2 \"S\"\n[1] \"S\"[300]\n", "line 2" },
		{ "switchguid=what\n", "GUID" },
		{ "switchguid=0x100000\nSwitch 1 \"S\"\nHca 1 \"H\"\n",
		  "share" },
		{ "vendid=0x1000000\n", "24 bits" },
		{ "include \"other\"\n", "not understood" },
		{ "module=\"x\"\n", "not understood" },
		{ "@1 \"x\"\n", "not understood" },
		{ "nonsense\n", "neither" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ibnet_topo *t = NULL;
		struct err e;

		assert_true(decode(rows[i].text, &t, &e) < 0);
		assert_null(t);
		if (!strstr(e.text, rows[i].words))
			fail_msg("%s: %s", rows[i].text, e.text);
	}
}

static void assert_same(const struct ibnet_topo *a, const struct ibnet_topo *b)
{
	assert_int_equal(a->n_nodes, b->n_nodes);
	assert_int_equal(a->n_ports, b->n_ports);
	assert_int_equal(a->n_links, b->n_links);
	for (uint32_t i = 0; i < a->n_nodes; i++) {
		assert_string_equal(a->nodes[i].name, b->nodes[i].name);
		assert_int_equal(a->nodes[i].guid, b->nodes[i].guid);
		assert_int_equal(a->nodes[i].kind, b->nodes[i].kind);
	}
	for (uint32_t i = 0; i < a->n_ports; i++) {
		assert_int_equal(a->ports[i].peer.node, b->ports[i].peer.node);
		assert_int_equal(a->ports[i].peer.port, b->ports[i].peer.port);
		assert_int_equal(a->ports[i].widths, b->ports[i].widths);
		assert_int_equal(a->ports[i].speeds, b->ports[i].speeds);
	}
}

static void what_is_written_reads_back(void **state)
{
	static const char *const specs[] = {
		"clos:hosts=36,ports=2,radix=36", "clos:hosts=100,radix=8",
		"dragonfly:groups=9,switches=4,hosts=2,global=2",
		"torus:x=3,y=2,z=4"
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct ibnet_topo *t, *again;
		struct err e = { 0 };
		char *text;
		size_t n;
		FILE *f = open_memstream(&text, &n);

		assert_int_equal(ibnet_make(specs[i], &t, &e), 0);
		ibnet_file_write(t, f);
		fclose(f);
		assert_int_equal(ibnet_file_decode(text, n, &again, &e), 0);
		assert_same(t, again);
		ibnet_topo_destroy(t);
		ibnet_topo_destroy(again);
		free(text);
	}
}

/* Switches as in the nets that OpenSM was measured on; cables by counting. */
static void generators_make_what_they_say(void **state)
{
	static const struct {
		const char *spec;
		unsigned switches, nodes, links;
	} rows[] = {
		{ "clos:hosts=36,radix=36", 3, 39, 72 },
		{ "clos:hosts=324,radix=36", 27, 351, 648 },
		{ "clos:hosts=648,radix=36", 54, 702, 1296 },
		{ "clos:hosts=3000,radix=36", 455, 3455, 9246 },
		{ "clos:hosts=10000,radix=36", 1438, 11438, 30052 },
		{ "clos:hosts=36,ports=2", 6, 42, 144 },
		{ "clos:hosts=3000,ports=2", 1000, 4000, 18168 },
		{ "clos:hosts=10000,ports=2,radix=48", 2250, 12250, 60176 },
		{ "clos:hosts=20,radix=8,levels=2", 9, 29, 40 },
		{ "torus:x=4,y=4,z=4,hosts=2", 64, 192, 192 + 128 },
		{ "torus:x=2,y=3,z=1", 6, 12, 3 + 6 + 6 },
		{ "torus:x=5", 5, 10, 10 },
		/* 9 groups of K4, 4 * 2 global ends each, one to each other */
		{ "dragonfly:groups=9,switches=4,hosts=2,global=2", 36, 108,
		  9 * 6 + 36 + 72 },
		{ "dragonfly:groups=1,switches=3,hosts=1,global=1", 3, 6,
		  3 + 3 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ibnet_topo *t;
		struct err e = { 0 };

		assert_int_equal(ibnet_make(rows[i].spec, &t, &e), 0);
		assert_int_equal(t->n_switches, rows[i].switches);
		assert_int_equal(t->n_nodes, rows[i].nodes);
		assert_int_equal(t->n_links, rows[i].links);
		ibnet_topo_destroy(t);
	}
}

/* Every pair of groups has a cable between them. */
static void dragonfly_groups_all_meet(void **state)
{
	struct ibnet_topo *t;
	struct err e = { 0 };
	bool meet[5][5] = { { false } };

	(void)state;
	assert_int_equal(
		ibnet_make("dragonfly:groups=5,switches=2,hosts=1,global=2", &t,
	                   &e),
		0);
	for (uint32_t s = 0; s < 10; s++)
		for (unsigned p = 1; p <= t->nodes[s].n_ports; p++) {
			uint32_t far = ibnet_topo_port(t, s, p)->peer.node;

			if (far < 10)
				meet[s / 2][far / 2] = true;
		}
	for (unsigned i = 0; i < 5; i++)
		for (unsigned k = 0; k < 5; k++)
			assert_true(meet[i][k]);
	ibnet_topo_destroy(t);
}

static void a_bad_specification_is_refused(void **state)
{
	static const char *const specs[] = {
		"",
		"ring:n=3",
		"clos",
		"clos:hosts=0",
		"clos:hosts=4,radix=7",
		"clos:hosts=4,ports=5",
		"clos:hosts=4,colour=3",
		"clos:hosts=four",
		"clos:hosts=4;radix=8",
		"clos:hosts=-4",
		"clos:hosts=99999",
		"clos:hosts=1000,radix=8,levels=2",
		"clos:hosts=100000,radix=4",
		"dragonfly:groups=9,switches=2,hosts=1,global=1",
		"torus:x=0",
		"torus:x=100",
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct ibnet_topo *t = NULL;
		struct err e = { 0 };

		if (ibnet_make(specs[i], &t, &e) >= 0)
			fail_msg("%s was accepted", specs[i]);
		assert_null(t);
		assert_true(e.text[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_net_file_is_read),
		cmocka_unit_test(a_bad_net_file_is_refused_with_its_line),
		cmocka_unit_test(what_is_written_reads_back),
		cmocka_unit_test(generators_make_what_they_say),
		cmocka_unit_test(dragonfly_groups_all_meet),
		cmocka_unit_test(a_bad_specification_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
