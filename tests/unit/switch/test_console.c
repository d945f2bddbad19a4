/* SPDX-License-Identifier: BSD-2-Clause */
#include "net_rig.h"

#include "switch/console.h"

#include <stdlib.h>
#include <string.h>

static int run(const struct console *c, const char *line, char **text)
{
	struct err e = { 0 };
	size_t n;
	FILE *f;
	int err;

	free(*text);
	f = open_memstream(text, &n);
	err = console_run(c, line, f, &e);
	fclose(f);
	assert_int_equal(!err, !e.text[0]);
	return err;
}

static void commands_do_what_they_say(void **state)
{
	char *text = NULL, line[64];
	struct console c;
	struct rig r;

	(void)state;
	rig_init(&r, "clos:hosts=8,ports=2,radix=8", NULL);
	rig_bring_up(&r);
	c = (struct console){ r.net, NULL, r.topo };
	assert_int_equal(run(&c, "cut H00003:2", &text), 0);
	assert_int_equal(rig_state(rig_port(&r, "H00003:2")), SMP_PORT_DOWN);
	assert_int_equal(run(&c, "Relink \"H00003\"[2]", &text), 0);
	assert_int_equal(rig_state(rig_port(&r, "H00003:2")), SMP_PORT_INIT);
	assert_int_equal(run(&c, "Unlink \"L0000\"[1]", &text), 0);
	assert_int_equal(rig_state(rig_port(&r, "H00000")), SMP_PORT_DOWN);
	assert_int_equal(run(&c, "off L0001", &text), 0);
	assert_int_equal(run(&c, "nodes", &text), 0);
	assert_non_null(strstr(text, "switch L0001 0x0000000000200001 ports 8 "
	                             "off\n"));
	assert_int_equal(run(&c, "on L0001", &text), 0);
	assert_int_equal(run(&c, "  ports   H00000 ", &text), 0);
	assert_non_null(strstr(text, "H00000[1]"));
	assert_non_null(strstr(text, "to L0000[1]"));
	snprintf(line, sizeof(line), "flow H00005 %u 10",
	         rig_lid(rig_port(&r, "H00001")));
	assert_int_equal(run(&c, line, &text), 0);
	assert_int_equal(run(&c, "run 50", &text), 0);
	assert_int_equal(run(&c, "pause", &text), 0);
	assert_int_equal(run(&c, "run 100", &text), 0);
	assert_int_equal(run(&c, "flows", &text), 0);
	assert_non_null(strstr(text, "flows 10\nsent 50\n"));
	assert_int_equal(run(&c, "silent", &text), 0);
	assert_string_equal(text, "silent 0\n");
	assert_int_equal(run(&c, "silent", &text), 0);
	assert_string_equal(text, "silent 10\n");
	assert_int_equal(run(&c, "share H00005", &text), 0);
	assert_non_null(strstr(text, "H00005:1 sent 50"));
	assert_int_equal(run(&c, "resume", &text), 0);
	assert_int_equal(run(&c, "clear", &text), 0);
	assert_int_equal(run(&c, "loss 10 20", &text), 0);
	assert_int_equal(run(&c, "fault L0000 deaf", &text), 0);
	assert_int_equal(run(&c, "guid L0000 0x1234", &text), 0);
	assert_int_equal(run(&c, "stats", &text), 0);
	assert_non_null(strstr(text, "links_lost"));
	assert_int_equal(run(&c, "clients", &text), 0);
	assert_int_equal(run(&c, "net", &text), 0);
	assert_non_null(strstr(text, "Switch\t8 \"L0000\""));
	assert_int_equal(run(&c, "help", &text), 0);
	assert_int_equal(run(&c, "# a remark", &text), 0);
	assert_int_equal(run(&c, "", &text), 0);
	free(text);
	rig_fini(&r);
}

static void what_is_wrong_is_said(void **state)
{
	static const char *const lines[] = {
		"jump",
		"cut",
		"cut H00003:2 now",
		"cut H99999:1",
		"cut H00003[x]",
		"off H00003:1",
		"loss many",
		"loss -1",
		"loss 1000001",
		"fault L0000 sleepy",
		"flow L0000 3",
		"flow H00000 0",
		"flow H00000 99999",
		"run 1000001",
		"start 1",
		"start 1001",
		"x 5",
		"guid L0000 what",
		"a b c d e f g h i",
	};
	char *text = NULL;
	struct console c;
	struct rig r;

	(void)state;
	rig_init(&r, "clos:hosts=8,ports=2,radix=8", NULL);
	c = (struct console){ r.net, NULL, NULL };
	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_true(run(&c, lines[i], &text) < 0);
	assert_true(run(&c, "net", &text) < 0);
	free(text);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_do_what_they_say),
		cmocka_unit_test(what_is_wrong_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
