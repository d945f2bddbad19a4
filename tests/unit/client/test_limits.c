/* SPDX-License-Identifier: BSD-2-Clause */
/* What one process can make the bridge hold, up to each bound and no more;
 * and that it all goes with the process. */
#include "../test.h"
#include "../window/rig_bridge.h"

#include "window/process.h"

#include <causeway/causeway.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define RW (CAUSEWAY_READ | CAUSEWAY_WRITE)

static struct rig_bridge bridge;
static struct causeway *c;

static int setup(void **state)
{
	struct rlimit files;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	rig_bridge_start(&bridge, "here");
	return causeway_open(bridge.path, &c);
}

static int teardown(void **state)
{
	struct window_stats stats;

	(void)state;
	causeway_close(c);
	do
		rig_bridge_stats(&bridge, &stats);
	while (stats.n_processes > 0);
	assert_int_equal(stats.n_regions, 0);
	assert_int_equal(stats.n_keys, 0);
	rig_bridge_stop(&bridge);
	return 0;
}

static void regions(void **state)
{
	struct causeway_region *r, *last = NULL;

	(void)state;
	for (unsigned i = 0; i < PROCESS_REGIONS_MAX; i++)
		assert_int_equal(causeway_region_create(c, 1, RW, &last), 0);
	assert_int_equal(causeway_region_create(c, 1, RW, &r), -ENOSPC);
	assert_non_null(strstr(causeway_error(c), "1024 regions"));
	assert_int_equal(causeway_region_destroy(last), 0);
	assert_int_equal(causeway_region_create(c, 1, RW, &r), 0);
}

static void bytes(void **state)
{
	struct causeway_region *r;

	(void)state;
	/* None of it is touched. */
	assert_int_equal(
		causeway_region_create(c, PROCESS_BYTES_MAX - 4096, RW, &r), 0);
	assert_int_equal(causeway_region_create(c, 8192, RW, &r), -ENOSPC);
	assert_int_equal(causeway_region_create(c, 4096, RW, &r), 0);
}

/* Keys, and windows on them. */
static void keys_and_windows(void **state)
{
	struct causeway_grant_options o = { .node = "here", .rights = RW };
	struct causeway_range all = { .length = 8 };
	char text[CAUSEWAY_DESCRIPTOR_MAX];
	struct causeway_region *r;
	struct causeway_window *w;

	(void)state;
	assert_int_equal(causeway_region_create(c, 8, RW, &r), 0);
	all.key = *causeway_region_key(r);
	for (unsigned i = 1; i < PROCESS_KEYS_MAX; i++) {
		assert_int_equal(causeway_grant(c, &all, 1, &o, NULL, text), 0);
		if (i <= PROCESS_IMPORTS_MAX)
			assert_int_equal(causeway_import(c, text, &w), 0);
	}
	assert_int_equal(causeway_grant(c, &all, 1, &o, NULL, text), -ENOSPC);
	assert_int_equal(causeway_import(c, text, &w), -ENOSPC);
	causeway_window_close(w);
	assert_int_equal(causeway_import(c, text, &w), 0);
	assert_int_equal(causeway_region_destroy(r), 0);
}

static void queues(void **state)
{
	struct causeway_queue *q[PROCESS_QUEUES_MAX + 1];
	unsigned n_deep = PROCESS_SLOTS_MAX / CAUSEWAY_QUEUE_MAX;

	(void)state;
	for (unsigned i = 0; i < PROCESS_QUEUES_MAX; i++)
		assert_int_equal(causeway_queue_create(c, 1, &q[i]), 0);
	assert_int_equal(causeway_queue_create(c, 1, &q[PROCESS_QUEUES_MAX]),
	                 -ENOSPC);
	for (unsigned i = 0; i < PROCESS_QUEUES_MAX; i++)
		causeway_queue_destroy(q[i]);
	for (unsigned i = 0; i < n_deep; i++)
		assert_int_equal(
			causeway_queue_create(c, CAUSEWAY_QUEUE_MAX, &q[i]), 0);
	assert_int_equal(causeway_queue_create(c, 1, &q[n_deep]), -ENOSPC);
}

/* Another one waits for nothing: it is told at once that there is no room. */
static void processes(void **state)
{
	struct causeway *other[WINDOW_PROCESSES_MAX];
	struct window_stats stats;
	unsigned n = 0;

	(void)state;
	while (n < WINDOW_PROCESSES_MAX &&
	       causeway_open(bridge.path, &other[n]) == 0)
		n++;
	assert_int_equal(n, WINDOW_PROCESSES_MAX - 1); /* and `c` */
	while (n > 0)
		causeway_close(other[--n]);
	do
		rig_bridge_stats(&bridge, &stats);
	while (stats.n_processes > 1);
	assert_int_equal(causeway_open(bridge.path, &other[0]), 0);
	causeway_close(other[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(regions, setup, teardown),
		cmocka_unit_test_setup_teardown(bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(keys_and_windows, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(queues, setup, teardown),
		cmocka_unit_test_setup_teardown(processes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
