/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A drive that is another node's window: two nodes in one process, each on a
 * reactor and thread of its own, over TCP.  That it is a drive like others is
 * shown by test_conformance.
 * shows V29, X1
 */
#include "../test.h"

#include "../../support/block_rig.h"

#include "drive/drive.h"
#include "drive/remote.h"
#include "fabric/node.h"
#include "fabric/tcp.h"
#include "window/window.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#define SIZE (UINT64_C(8) << 20)

static struct transport *const transports[] = { &tcp_transport };

struct side {
	const char *name;
	struct reactor *reactor;
	pthread_t thread;
	struct window_host *host;
	struct node *node;
};

static struct side owner = { .name = "owner" }, user = { .name = "user" };

/* -- on a side's thread ---------------------------------------------------- */

struct errand {
	struct task task;
	sem_t done;
	void (*run)(void *arg);
	void *arg;
};

static void run_errand(struct task *t)
{
	struct errand *x = container_of(t, struct errand, task);

	x->run(x->arg);
	sem_post(&x->done);
}

static void on(struct side *s, void (*run)(void *arg), void *arg)
{
	struct errand x = { .task.run = run_errand, .run = run, .arg = arg };

	sem_init(&x.done, 0, 0);
	task_post(s->reactor, &x.task);
	sem_wait(&x.done);
	sem_destroy(&x.done);
}

static void *run_side(void *arg)
{
	reactor_run(arg);
	return NULL;
}

static void start_side(struct side *s, const struct reactor_opts *opts)
{
	struct node_opts node = { .name = s->name,
		                  .boot = 1,
		                  .insecure = true,
		                  .transports = transports,
		                  .n_transports = 1 };
	struct window_host_opts host = { .node = s->name };
	struct err e = { 0 };
	struct reactor *mine = reactor_current();

	memcpy(node.id, s->name, strlen(s->name));
	assert_int_equal(reactor_create(opts, &s->reactor, &e), 0);
	reactor_bind(s->reactor);
	host.reactor = node.reactor = s->reactor;
	if (window_host_create(&host, &s->host, &e))
		fail_msg("%s", e.text);
	node.service = window_host_service(s->host);
	if (node_create(&node, &s->node, &e))
		fail_msg("%s", e.text);
	window_host_attach(s->host, s->node);
	reactor_bind(mine);
	assert_int_equal(pthread_create(&s->thread, NULL, run_side, s->reactor),
	                 0);
}

static sem_t stopped_sem;

static void stopped(void *ctx)
{
	(void)ctx;
	sem_post(&stopped_sem);
}

static void stop(void *arg)
{
	struct side *s = arg;

	window_host_stop(s->host, stopped, NULL);
	window_host_attach(s->host, NULL);
	node_destroy(s->node);
}

static void stop_side(struct side *s)
{
	struct reactor *mine = reactor_current();

	on(s, stop, s);
	sem_wait(&stopped_sem);
	reactor_stop(s->reactor);
	pthread_join(s->thread, NULL);
	reactor_bind(s->reactor);
	window_host_destroy(s->host);
	reactor_bind(mine);
	reactor_destroy(s->reactor);
}

static struct fabric_address listening[NODE_LISTENERS];

static void make_windows(void *arg)
{
	struct fabric_address a;

	(void)arg;
	assert_int_equal(address_parse("127.0.0.1:0", &a, NULL), 0);
	assert_int_equal(node_listen(owner.node, &a, NULL), 0);
	assert_int_equal(node_listeners(owner.node, listening), 1);
	assert_int_equal(window_create(owner.host, "disk", SIZE, NULL, NULL),
	                 0);
	assert_int_equal(window_create(owner.host, "small", 4096, NULL, NULL),
	                 0);
	assert_int_equal(window_create(owner.host, "shut", SIZE, NULL, NULL),
	                 0);
	assert_int_equal(window_allow(owner.host, "small", "user",
	                              FABRIC_RIGHT_READ | FABRIC_RIGHT_WRITE,
	                              NULL, NULL),
	                 0);
}

static void allow(void *limits)
{
	assert_int_equal(window_allow(owner.host, "disk", "user",
	                              FABRIC_RIGHT_READ | FABRIC_RIGHT_WRITE,
	                              limits, NULL),
	                 0);
}

static void revoke_it(void *arg)
{
	(void)arg;
	assert_int_equal(window_revoke(owner.host, "disk", "user", NULL), 0);
}

static void add_owner(void *arg)
{
	struct fabric_address a;
	struct fabric_peer *p;

	(void)arg;
	assert_int_equal(address_parse("127.0.0.1:0", &a, NULL), 0);
	assert_int_equal(node_listen(user.node, &a, NULL), 0);
	assert_int_equal(
		node_peer_add(user.node, "owner", listening, 1, &p, NULL), 0);
}

/* -- opening --------------------------------------------------------------- */

struct opening {
	struct remote_open open;
	struct task task;
	const char *spec;
	struct block_device *dev;
	struct err err;
	sem_t done;
};

static void opened(struct remote_open *r, struct block_device *dev,
                   const struct err *e)
{
	struct opening *o = container_of(r, struct opening, open);

	o->dev = dev;
	if (e)
		o->err = *e;
	sem_post(&o->done);
}

static void open_it(void *arg)
{
	struct opening *o = arg;

	remote_open(user.host, user.reactor, o->spec, &o->open);
}

/* NULL with words in *e. */
static struct block_device *open_remote(const char *spec, struct err *e)
{
	struct opening o = { .spec = spec, .open.opened = opened };

	sem_init(&o.done, 0, 0);
	on(&user, open_it, &o);
	sem_wait(&o.done);
	if (e)
		*e = o.err;
	return o.dev;
}

static int setup(void **state)
{
	const struct reactor_opts opts = { .name = "side", .spin_max_us = 50 };

	(void)state;
	sem_init(&stopped_sem, 0, 0);
	start_side(&owner, &opts);
	start_side(&user, &opts);
	on(&owner, make_windows, NULL);
	on(&owner, allow, NULL);
	on(&user, add_owner, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stop_side(&user);
	stop_side(&owner);
	return 0;
}

static const struct {
	const char *spec;
	int err;
	const char *words;
} refused[] = {
	{ "remote:owner/nosuch", -ENOENT, "causeway window create" },
	{ "remote:owner/shut", -EACCES, "causeway window grant" },
	{ "remote:nobody/disk", -EHOSTUNREACH, "causeway node list" },
	{ "remote:owner/small", -EINVAL, "at least 1M" },
	{ "remote:owner", -EINVAL, "remote:NODE/WINDOW" },
};

static void what_cannot_be_opened_is_explained(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct err e = { 0 };

		assert_null(open_remote(refused[i].spec, &e));
		if (e.code != refused[i].err ||
		    !strstr(e.text, refused[i].words))
			fail_msg("%s: %d %s", refused[i].spec, e.code, e.text);
	}
}

/* -- requests from a reactor that is not the windows' ---------------------- */

static uint8_t data[1 << 20], got[1 << 20];

static void what_was_written_there_is_read(void **state)
{
	struct block_device *dev = open_remote("remote:owner/disk", NULL);
	uint64_t seed = 7;
	char words[80];

	(void)state;
	assert_non_null(dev);
	assert_int_equal(dev->size, SIZE);
	assert_string_equal(drive_describe(dev, words, sizeof(words)),
	                    "remote:owner/disk (8 MiB)");
	for (unsigned i = 0; i < 40; i++) {
		uint64_t length = 512 * (1 + rig_random(&seed) % 2000);
		uint64_t offset =
			rig_random(&seed) % (SIZE - length) / 512 * 512;

		for (uint64_t k = 0; k < length; k++)
			data[k] = (uint8_t)rig_random(&seed);
		assert_int_equal(rig_do(dev, BLOCK_WRITE, i % 2 ? BLOCK_FUA : 0,
		                        offset, length, data),
		                 0);
		assert_int_equal(
			rig_do(dev, BLOCK_READ, 0, offset, length, got), 0);
		assert_memory_equal(data, got, length);
	}
	assert_int_equal(rig_do(dev, BLOCK_WRITE_ZEROES, 0, 0, SIZE, NULL), 0);
	assert_int_equal(rig_do(dev, BLOCK_FLUSH, 0, 0, 0, NULL), 0);
	assert_int_equal(rig_do(dev, BLOCK_READ, 0, SIZE - sizeof(got),
	                        sizeof(got), got),
	                 0);
	for (size_t i = 0; i < sizeof(got); i++)
		assert_int_equal(got[i], 0);
	block_close(dev);
}

/* X1: the grant guards the drive; afterwards it may be opened anew. */
static void a_revoked_grant_is_an_error_of_the_drive(void **state)
{
	struct block_device *dev = open_remote("remote:owner/disk", NULL);

	(void)state;
	assert_int_equal(rig_do(dev, BLOCK_WRITE, 0, 0, 4096, data), 0);
	on(&owner, revoke_it, NULL);
	assert_int_equal(rig_do(dev, BLOCK_WRITE, 0, 0, 4096, data), -ENXIO);
	assert_int_equal(rig_do(dev, BLOCK_READ, 0, 0, 4096, data), -ENXIO);
	on(&owner, allow, NULL);
	assert_int_equal(rig_do(dev, BLOCK_READ, 0, 0, 4096, data), -ENXIO);
	block_close(dev);
	dev = open_remote("remote:owner/disk", NULL);
	assert_int_equal(rig_do(dev, BLOCK_READ, 0, 0, 4096, data), 0);
	block_close(dev);
}

/* 100 operations a second: the 130th waits, and none fails. */
static void a_quota_slows_down(void **state)
{
	struct window_limits limits = { .ops_per_s = 100 };
	struct block_device *dev;
	uint64_t began;

	(void)state;
	on(&owner, allow, &limits);
	dev = open_remote("remote:owner/disk", NULL);
	began = clock_now_ns();
	for (unsigned i = 0; i < 130; i++)
		assert_int_equal(rig_do(dev, BLOCK_READ, 0, 0, 512, got), 0);
	assert_true(clock_now_ns() - began > 200 * NS_PER_MS);
	block_close(dev);
	on(&owner, allow, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_opened_is_explained),
		cmocka_unit_test(what_was_written_there_is_read),
		cmocka_unit_test(a_revoked_grant_is_an_error_of_the_drive),
		cmocka_unit_test(a_quota_slows_down),
	};
	struct reactor *r = rig_reactor();
	int failed = cmocka_run_group_tests(tests, setup, teardown);

	reactor_destroy(r);
	return failed;
}
