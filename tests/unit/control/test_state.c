/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "base/base.h"
#include "base/crc.h"
#include "control/state.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

static char dir[] = "/tmp/causeway-test-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void fill(struct state *s, unsigned n_drives)
{
	char name[16], spec[80];

	state_init(s);
	strcpy(s->node, "alpha");
	memset(s->id, 0xa5, sizeof(s->id));
	s->boot = 7;
	for (unsigned i = 0; i < n_drives; i++) {
		snprintf(name, sizeof(name), "d%u", i);
		snprintf(spec, sizeof(spec), "file:/srv/a \"b\"/%u", i);
		assert_int_equal(state_add_drive(s, name, spec, NULL), 0);
	}
	assert_int_equal(state_add_export(s, "nbd1", "nbd", "tank/vm1",
	                                  "unix:/run/vm1.sock", NULL),
	                 0);
	assert_int_equal(state_add_export(s, "nbd2", "nbd", "tank/vm2",
	                                  "tcp:[::1]:10809", NULL),
	                 0);
}

/* A peer with two links, a window of memory and one of a file. */
static void fill_fabric(struct state *s)
{
	struct state_peer *p = state_add_peer(&s->peers, "beta", NULL);
	struct state_window *w = state_add_window(&s->windows, "spare", NULL);
	struct state_grant *g = state_add_grant(w, "beta", NULL);

	strcpy(p->address[0], "192.0.2.2:7000");
	strcpy(p->address[1], "[2001:db8::2]:7000");
	p->n_addresses = 2;
	w->size = UINT64_C(4) << 30;
	g->rights = 2;
	g->expires_s = 1800000000;
	g->bytes_per_s = 1 << 20;
	g->ops_per_s = 1000;
	w = state_add_window(&s->windows, "disk", NULL);
	w->size = 4096;
	strcpy(w->file, "/srv/a \"b\"");
	s->offer =
		json_tokener_parse("{\"size\":8388608,\"allow\":[\"alpha\"]}");
	s->subnet = json_tokener_parse("{\"device\":\"mlx5_0\",\"priority\":5,"
	                               "\"lag_off\":[\"0x2c903\"]}");
}

static void assert_same(const struct state *a, const struct state *b)
{
	AUTO_FREE char *x = state_format(a);
	AUTO_FREE char *y = state_format(b);

	assert_string_equal(x, y);
}

static void what_was_written_is_read(void **state)
{
	struct state a, b;
	AUTO_FREE char *text = NULL;

	(void)state;
	fill(&a, 3);
	state_find_drive(&a, "d1")->failed = true;
	fill_fabric(&a);
	text = state_format(&a);
	state_init(&b);
	assert_int_equal(state_parse(text, strlen(text), &b, NULL), 0);
	assert_same(&a, &b);
	assert_string_equal(b.node, "alpha");
	assert_memory_equal(b.id, a.id, sizeof(b.id));
	assert_int_equal(b.boot, 7);
	assert_string_equal(state_find_drive(&b, "d2")->spec,
	                    "file:/srv/a \"b\"/2");
	assert_true(state_find_drive(&b, "d1")->failed);
	assert_false(state_find_drive(&b, "d0")->failed);
	assert_int_equal(rpc_int(b.subnet, "priority"), 5);
	assert_int_equal(rpc_size(b.offer, "size"), 8 << 20);
	assert_string_equal(rpc_strings_at(b.offer, "allow", 0), "alpha");
	assert_string_equal(rpc_strings_at(b.subnet, "lag_off", 0), "0x2c903");
	assert_string_equal(state_find_export(&b, "nbd2")->address,
	                    "tcp:[::1]:10809");
	state_fini(&a);
	state_fini(&b);
}

/* Whatever single bit rots, the file is refused or means the same. */
static void every_flipped_bit_is_found(void **state)
{
	struct state a, b;
	AUTO_FREE char *text = NULL;

	(void)state;
	fill(&a, 2);
	fill_fabric(&a);
	text = state_format(&a);
	for (size_t i = 0; i < strlen(text) * 8; i++) {
		struct err e = { 0 };
		int err;

		text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
		state_init(&b);
		err = state_parse(text, strlen(text), &b, &e);
		if (err) {
			assert_true(err == -EBADMSG || err == -EPROTONOSUPPORT);
			assert_non_null(strstr(e.text, "state file"));
			assert_int_equal(b.n_drives, 0);
			assert_true(list_empty(&b.peers) &&
			            list_empty(&b.windows));
		} else {
			assert_same(&a, &b);
		}
		state_fini(&b);
		text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
	}
	state_fini(&a);
}

static void peers_and_windows_are_kept(void **state)
{
	struct state a, b;
	AUTO_FREE char *text = NULL;
	const struct state_peer *p;
	const struct state_window *w;
	const struct state_grant *g;

	(void)state;
	fill(&a, 1);
	fill_fabric(&a);
	assert_null(state_add_peer(&a.peers, "beta", NULL));
	assert_null(state_add_window(&a.windows, "disk", NULL));
	text = state_format(&a);
	state_init(&b);
	assert_int_equal(state_parse(text, strlen(text), &b, NULL), 0);
	assert_same(&a, &b);
	p = state_find_peer(&b.peers, "beta");
	assert_int_equal(p->n_addresses, 2);
	assert_string_equal(p->address[1], "[2001:db8::2]:7000");
	w = state_find_window(&b.windows, "disk");
	assert_string_equal(w->file, "/srv/a \"b\"");
	assert_int_equal(w->n_grants, 0);
	w = state_find_window(&b.windows, "spare");
	assert_true(w->size == UINT64_C(4) << 30);
	g = state_find_grant(w, "beta");
	assert_int_equal(g->rights, 2);
	assert_true(g->expires_s == 1800000000 && g->bytes_per_s == 1 << 20 &&
	            g->ops_per_s == 1000);
	state_fini(&a);
	state_fini(&b);
}

/* As version 1 wrote it: no peers, no windows. */
static void an_older_file_is_read(void **state)
{
	static const char text[] =
		"{\"format\":\"causeway-state\",\"version\":1,"
		"\"crc32c\":CRC,\"state\":"
		"{\"node\":\"alpha\",\"drives\":[],\"exports\":[]}}";
	const char *body = strstr(text, "{\"node");
	char file[512];
	struct state s;

	(void)state;
	snprintf(file, sizeof(file), "%.*s%u%s",
	         (int)(strstr(text, "CRC") - text), text,
	         base_crc32c(0, body, strlen(body) - 1),
	         strstr(text, "CRC") + 3);
	state_init(&s);
	assert_int_equal(state_parse(file, strlen(file), &s, NULL), 0);
	assert_string_equal(s.node, "alpha");
	assert_true(list_empty(&s.peers) && list_empty(&s.windows));
	state_fini(&s);
}

static void every_truncation_is_found(void **state)
{
	struct state a, b;
	AUTO_FREE char *text = NULL;

	(void)state;
	fill(&a, 2);
	text = state_format(&a);
	for (size_t n = 0; n + 1 < strlen(text); n++) {
		state_init(&b);
		assert_int_equal(state_parse(text, n, &b, NULL), -EBADMSG);
		state_fini(&b);
	}
	state_fini(&a);
}

static const struct {
	const char *text;
	int want;
	const char *words;
} bad[] = {
	/* clang-format off */
	{ "", -EBADMSG, "damaged" },
	{ "[]", -EBADMSG, "no state file" },
	{ "{}", -EBADMSG, "no state file" },
	{ "{\"format\":\"causeway-state\",\"version\":5}", -EPROTONOSUPPORT,
	  "version 5 and this program knows 4" },
	{ "{\"format\":\"causeway-state\",\"version\":0,\"state\":{}}",
	  -EBADMSG, "a part is missing" },
	{ "{\"format\":\"causeway-state\",\"version\":1}", -EBADMSG,
	  "a part is missing" },
	{ "{\"format\":\"causeway-state\",\"version\":1,\"state\":{}}",
	  -EBADMSG, "checksum" },
	/* clang-format on */
};

static void a_foreign_file_is_refused_with_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct state s;
		struct err e = { 0 };

		state_init(&s);
		assert_int_equal(
			state_parse(bad[i].text, strlen(bad[i].text), &s, &e),
			bad[i].want);
		if (!strstr(e.text, bad[i].words))
			fail_msg("%s: %s", bad[i].text, e.text);
		state_fini(&s);
	}
}

static void names_are_unique_and_numbers_bounded(void **state)
{
	struct state s;
	char name[METHODS_NAME_MAX + 1];

	(void)state;
	fill(&s, 3);
	assert_int_equal(state_add_drive(&s, "d1", "ram:1", NULL), -EEXIST);
	state_free_name(&s, "nbd", name);
	assert_string_equal(name, "nbd3");
	assert_int_equal(
		state_add_export(&s, "nbd2", "nbd", "a/b", "tcp:a:1", NULL),
		-EEXIST);
	state_remove_export(&s, state_find_export(&s, "nbd1"));
	state_free_name(&s, "nbd", name);
	assert_string_equal(name, "nbd1");
	state_fini(&s);

	fill(&s, STATE_DRIVES_MAX);
	assert_int_equal(state_add_drive(&s, "more", "ram:1", NULL), -ENOSPC);
	for (unsigned i = s.n_exports; i < STATE_EXPORTS_MAX; i++) {
		state_free_name(&s, "nbd", name);
		assert_int_equal(state_add_export(&s, name, "nbd", "a/b",
		                                  "tcp:a:1", NULL),
		                 0);
	}
	assert_int_equal(
		state_add_export(&s, "more", "nbd", "a/b", "tcp:a:1", NULL),
		-ENOSPC);
	state_fini(&s);
}

static void the_file_is_saved_and_loaded(void **state)
{
	struct state a, b;
	struct err e = { 0 };

	(void)state;
	state_init(&b);
	assert_int_equal(state_load(dir, &b, &e), 0); /* none yet */
	assert_int_equal(b.n_drives, 0);
	fill(&a, 5);
	assert_int_equal(state_save(dir, &a, &e), 0);
	assert_int_equal(state_load(dir, &b, &e), 0);
	assert_same(&a, &b);
	state_fini(&a);
	state_fini(&b);
	assert_int_equal(state_save("/nonexistent", &a, &e), -ENOENT);
	assert_non_null(strstr(e.text, "/nonexistent"));
}

static void a_state_that_is_too_large_is_not_written(void **state)
{
	struct state s, old;
	struct err e = { 0 };
	char name[16], spec[STATE_SPEC_MAX + 1];

	(void)state;
	fill(&old, 1);
	assert_int_equal(state_save(dir, &old, NULL), 0);
	fill(&s, 0);
	memset(spec, 'x', STATE_SPEC_MAX);
	spec[STATE_SPEC_MAX] = '\0';
	for (unsigned i = 0; i < STATE_DRIVES_MAX; i++) {
		snprintf(name, sizeof(name), "d%u", i);
		assert_int_equal(state_add_drive(&s, name, spec, NULL), 0);
	}
	assert_int_equal(state_save(dir, &s, &e), -ENOSPC);
	state_fini(&s);
	state_init(&s);
	assert_int_equal(state_load(dir, &s, NULL), 0);
	assert_same(&s, &old);
	state_fini(&s);
	state_fini(&old);
}

/* T2, as far as a process that is killed can show it. */
static void a_kill_leaves_the_old_or_the_new(void **state)
{
	struct state a, b, got;
	unsigned seen[2] = { 0, 0 };

	(void)state;
	fill(&a, 1);
	fill(&b, 200);
	assert_int_equal(state_save(dir, &a, NULL), 0);
	/* However slow the disk is: until both were seen, then a few more. */
	for (unsigned i = 0; i < 60 || (i < 2000 && !(seen[0] && seen[1]));
	     i++) {
		struct timespec t = { .tv_nsec = 2000000 + i % 500 * 77777 };
		pid_t pid = fork();

		if (pid == 0)
			for (unsigned k = 0;; k++)
				state_save(dir, k % 2 ? &a : &b, NULL);
		nanosleep(&t, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		state_init(&got);
		assert_int_equal(state_load(dir, &got, NULL), 0);
		assert_true(got.n_drives == 1 || got.n_drives == 200);
		seen[got.n_drives == 200]++;
		assert_same(&got, got.n_drives == 200 ? &b : &a);
		state_fini(&got);
	}
	assert_true(seen[0] && seen[1]);
	state_fini(&a);
	state_fini(&b);
}

static void a_folder_belongs_to_one_daemon(void **state)
{
	struct err e = { 0 };
	char sub[64];
	int first, second;

	(void)state;
	snprintf(sub, sizeof(sub), "%s/new", dir);
	assert_int_equal(state_lock(sub, &first, NULL), 0);
	assert_int_equal(state_lock(sub, &second, &e), -EBUSY);
	assert_non_null(strstr(e.text, "another causewayd"));
	close(first);
	assert_int_equal(state_lock(sub, &second, NULL), 0);
	close(second);
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(every_flipped_bit_is_found),
		cmocka_unit_test(peers_and_windows_are_kept),
		cmocka_unit_test(an_older_file_is_read),
		cmocka_unit_test(every_truncation_is_found),
		cmocka_unit_test(a_foreign_file_is_refused_with_words),
		cmocka_unit_test(names_are_unique_and_numbers_bounded),
		T(the_file_is_saved_and_loaded),
		T(a_state_that_is_too_large_is_not_written),
		T(a_kill_leaves_the_old_or_the_new),
		T(a_folder_belongs_to_one_daemon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
