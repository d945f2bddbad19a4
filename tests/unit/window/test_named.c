/* SPDX-License-Identifier: BSD-2-Clause */
/* Named windows and their access lists, of this node and of another. */
#include "../test.h"
#include "rig_bridge.h"

#include "base/base.h"
#include "fabric/service.h"

#include <causeway/causeway.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define R FABRIC_RIGHT_READ
#define W FABRIC_RIGHT_WRITE
#define SIZE 65536u
#define QUESTIONS 1024u /* wrong ones at once, window/guard.h */

static struct rig_bridge a, b;

/* -- calls on a reactor, one struct for all -------------------------------- */

struct call {
	struct rig_bridge *at;
	const char *name, *node, *file;
	uint64_t size;
	unsigned rights;
	struct window_limits limits;
	struct window_remote *remote;
	struct fabric_op op;
	struct iovec iov;
	enum fabric_status status;
	int err;
	struct err words;
	sem_t done;
};

static void create(void *ctx)
{
	struct call *c = ctx;

	c->err = window_create(c->at->host, c->name, c->size, c->file,
	                       &c->words);
}

static void drop(void *ctx)
{
	struct call *c = ctx;

	c->err = window_remove(c->at->host, c->name, &c->words);
}

static void allow(void *ctx)
{
	struct call *c = ctx;

	c->err = window_allow(c->at->host, c->name, c->node, c->rights,
	                      &c->limits, &c->words);
}

static void revoke_node(void *ctx)
{
	struct call *c = ctx;

	c->err = window_revoke(c->at->host, c->name, c->node, &c->words);
}

static void opened(void *ctx, struct window_remote *window, int err)
{
	struct call *c = ctx;

	c->remote = window;
	c->err = err;
	sem_post(&c->done);
}

static void open_it(void *ctx)
{
	struct call *c = ctx;

	window_open(c->at->host, c->node, c->name, c->rights, opened, c);
}

static void close_it(void *ctx)
{
	struct call *c = ctx;

	window_close(c->remote);
	c->remote = NULL;
}

static void op_done(struct fabric_op *op, enum fabric_status status)
{
	struct call *c = container_of(op, struct call, op);

	c->status = status;
	sem_post(&c->done);
}

static void submit(void *ctx)
{
	struct call *c = ctx;

	window_submit(c->remote, &c->op);
}

static void synced(void *ctx, int err)
{
	struct call *c = ctx;

	c->err = err;
	sem_post(&c->done);
}

static void sync_it(void *ctx)
{
	struct call *c = ctx;

	window_sync(c->remote, synced, c);
}

static int on(struct call *c, void (*fn)(void *ctx))
{
	c->words = (struct err){ 0 };
	rig_bridge_call(c->at, fn, c);
	if (c->err &&
	    (fn == create || fn == drop || fn == allow || fn == revoke_node))
		assert_true(c->words.text[0]);
	return c->err;
}

static int wait_for(struct call *c, void (*fn)(void *ctx))
{
	sem_init(&c->done, 0, 0);
	rig_bridge_call(c->at, fn, c);
	while (sem_wait(&c->done))
		;
	sem_destroy(&c->done);
	return c->err;
}

static int try_open(struct call *c)
{
	return wait_for(c, open_it);
}

static enum fabric_status move(struct call *c, enum fabric_opcode opcode,
                               uint64_t offset, void *memory, uint64_t length)
{
	c->iov = (struct iovec){ memory, length };
	c->op = (struct fabric_op){ .opcode = opcode,
		                    .class = FABRIC_LATENCY,
		                    .offset = offset,
		                    .length = length,
		                    .iov = &c->iov,
		                    .n_iov = 1,
		                    .done = op_done };
	wait_for(c, submit);
	return c->status;
}

/* -- what an operator may say ---------------------------------------------- */

static void bad_words(void **state)
{
	static const struct {
		const char *name;
		uint64_t size;
		const char *file;
		int err;
	} rows[] = {
		{ "", SIZE, NULL, -EINVAL },
		{ "a/b", SIZE, NULL, -EINVAL },
		{ "-a", SIZE, NULL, -EINVAL },
		{ "w", 0, NULL, -EINVAL },
		{ "w", 4095, NULL, -EINVAL },
		{ "w", SIZE, "relative", -EINVAL },
		{ "w", SIZE, "/nowhere/at/all", -ENOENT },
		{ "w", 0, "/", -EISDIR },
		{ "w", UINT64_MAX - 4095, NULL, -EINVAL },
	};
	struct call c = { .at = &b, .node = "a" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		c.name = rows[i].name;
		c.size = rows[i].size;
		c.file = rows[i].file;
		assert_int_equal(on(&c, create), rows[i].err);
	}
	c = (struct call){ .at = &b, .name = "w", .size = SIZE, .rights = R };
	c.node = "a";
	assert_int_equal(on(&c, allow), -ENOENT);
	assert_int_equal(on(&c, drop), -ENOENT);
	assert_int_equal(on(&c, create), 0);
	assert_int_equal(on(&c, create), -EEXIST);
	assert_int_equal(on(&c, revoke_node), -ENOENT);
	c.rights = 0;
	assert_int_equal(on(&c, allow), -EINVAL);
	c.rights = 8;
	assert_int_equal(on(&c, allow), -EINVAL);
	c.rights = R;
	c.node = "no/name";
	assert_int_equal(on(&c, allow), -EINVAL);
	c.node = NULL;
	assert_int_equal(on(&c, revoke_node), 0); /* all of none */
	assert_int_equal(on(&c, drop), 0);
}

/* shows M23: bounds that a test reaches */
static void full(void **state)
{
	struct call c = { .at = &b, .name = "full", .size = SIZE, .rights = R };
	char names[WINDOW_ALLOWED_MAX + 1][8];

	(void)state;
	assert_int_equal(on(&c, create), 0);
	for (unsigned i = 0; i <= WINDOW_ALLOWED_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "n%u", i);
		c.node = names[i];
		assert_int_equal(on(&c, allow),
		                 i < WINDOW_ALLOWED_MAX ? 0 : -ENOSPC);
	}
	assert_int_equal(on(&c, drop), 0);
}

/* -- from one node to the other -------------------------------------------- */

/* shows M16, M18, M23: who is on the list, with which rights, until when */
static void access_list(void **state)
{
	struct call owner = { .at = &b,
		              .name = "shared",
		              .size = SIZE,
		              .node = "a",
		              .rights = R };
	struct call user = { .at = &a, .name = "shared", .node = "b" };
	uint8_t memory[4096] = { 1, 2, 3 };

	(void)state;
	assert_int_equal(try_open(&user), -ENOENT);
	assert_int_equal(on(&owner, create), 0);
	assert_int_equal(try_open(&user), -EACCES);
	owner.node = "elsewhere";
	assert_int_equal(on(&owner, allow), 0);
	assert_int_equal(try_open(&user), -EACCES);
	owner.node = "a";
	assert_int_equal(on(&owner, allow), 0);
	user.rights = R | W;
	assert_int_equal(try_open(&user), -EACCES);
	user.rights = 0;
	assert_int_equal(try_open(&user), 0);
	assert_int_equal(window_rights(user.remote), R);
	assert_int_equal(window_length(user.remote), SIZE);
	assert_false(window_is_file(user.remote));
	assert_int_equal(move(&user, FABRIC_READ, 0, memory, 4096), FABRIC_OK);
	assert_int_equal(memory[1], 0);
	assert_int_equal(move(&user, FABRIC_WRITE, 0, memory, 4096),
	                 FABRIC_DENIED);
	assert_int_equal(move(&user, FABRIC_READ, SIZE - 1, memory, 2),
	                 FABRIC_RANGE);
	assert_int_equal(wait_for(&user, sync_it), 0); /* memory: at once */

	/* More rights: the earlier key ends. */
	owner.rights = R | W;
	assert_int_equal(on(&owner, allow), 0);
	assert_int_equal(move(&user, FABRIC_READ, 0, memory, 8),
	                 FABRIC_REVOKED);
	on(&user, close_it);
	assert_int_equal(try_open(&user), 0);
	memory[5] = 99;
	assert_int_equal(move(&user, FABRIC_WRITE, 100, memory, 10), FABRIC_OK);
	memory[5] = 0;
	assert_int_equal(move(&user, FABRIC_READ, 105, memory + 5, 1),
	                 FABRIC_OK);
	assert_int_equal(memory[5], 99);

	assert_int_equal(on(&owner, revoke_node), 0);
	assert_int_equal(move(&user, FABRIC_READ, 0, memory, 8),
	                 FABRIC_REVOKED);
	on(&user, close_it);
	assert_int_equal(try_open(&user), -EACCES);

	owner.limits.lease_ms = 1;
	assert_int_equal(on(&owner, allow), 0);
	usleep(20000);
	assert_int_equal(try_open(&user), -EACCES);
	assert_int_equal(on(&owner, drop), 0);
	assert_int_equal(try_open(&user), -ENOENT);
}

/* A window of the own node: for the daemon always, for processes by list. */
static void own_node(void **state)
{
	struct call c = { .at = &a, .name = "mine", .size = SIZE, .node = "a" };
	struct causeway_region *r;
	struct causeway_window *w;
	struct causeway *process;
	uint8_t byte = 7;

	(void)state;
	assert_int_equal(try_open(&c), -ENOENT);
	assert_int_equal(on(&c, create), 0);
	assert_int_equal(try_open(&c), 0);
	assert_int_equal(move(&c, FABRIC_WRITE, 5, &byte, 1), FABRIC_OK);
	assert_int_equal(causeway_open(a.path, &process), 0);
	assert_int_equal(causeway_window_open(process, "a/mine", 0, &w),
	                 -EACCES);
	c.rights = R;
	assert_int_equal(on(&c, allow), 0);
	assert_int_equal(causeway_window_open(process, "a/mine", 0, &w), 0);
	assert_int_equal(causeway_window_length(w), SIZE);
	assert_int_equal(causeway_window_rights(w), CAUSEWAY_READ);
	assert_int_equal(causeway_region_create(process, 4096, 3, &r), 0);
	/* Gone, for all who had it. */
	assert_int_equal(on(&c, drop), 0);
	assert_int_equal(move(&c, FABRIC_READ, 5, &byte, 1), FABRIC_REVOKED);
	assert_int_equal(wait_for(&c, sync_it), -ESTALE);
	on(&c, close_it);
	causeway_close(process);
}

/* shows M24's ground: a window that is a file, durable when sync says so */
static void file(void **state)
{
	struct call owner = { .at = &b,
		              .name = "disk",
		              .size = SIZE,
		              .node = "a",
		              .rights = R | W };
	struct call user = { .at = &a, .name = "disk", .node = "b" };
	char path[96], bytes[10] = "", text[] = "on disk";
	struct stat st;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/disk", b.dir);
	owner.file = path;
	assert_int_equal(on(&owner, create), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_blocks * 512 >= (int64_t)SIZE);
	assert_int_equal(on(&owner, allow), 0);
	assert_int_equal(try_open(&user), 0);
	assert_true(window_is_file(user.remote));
	assert_int_equal(move(&user, FABRIC_WRITE, 4095, text, sizeof(text)),
	                 FABRIC_OK);
	assert_int_equal(wait_for(&user, sync_it), 0);
	fd = open(path, O_RDONLY);
	assert_int_equal(pread(fd, bytes, sizeof(text), 4095), sizeof(text));
	assert_string_equal(bytes, text);
	close(fd);
	assert_int_equal(on(&owner, drop), 0);
	assert_int_equal(wait_for(&user, sync_it), -ESTALE);
	on(&user, close_it);
	/* Again, by its own size. */
	owner.size = 0;
	assert_int_equal(on(&owner, create), 0);
	assert_int_equal(on(&owner, allow), 0);
	assert_int_equal(try_open(&user), 0);
	assert_int_equal(window_length(user.remote), SIZE);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(move(&user, FABRIC_READ, 4095, bytes, sizeof(text)),
	                 FABRIC_OK);
	assert_string_equal(bytes, text);
	on(&user, close_it);
	assert_int_equal(on(&owner, drop), 0);
	unlink(path);
}

static void nowhere(void **state)
{
	struct call c = { .at = &a, .name = "w", .node = "nowhere" };

	(void)state;
	assert_int_equal(try_open(&c), -EHOSTUNREACH);
	c.name = "no/name";
	assert_int_equal(try_open(&c), -ENOENT);
}

/* -- who reaches what ------------------------------------------------------ */

struct seen {
	struct window_key_info key[8];
	char holder[8][64];
	unsigned n;
};

static void see(void *ctx, const struct window_key_info *k)
{
	struct seen *seen = ctx;

	seen->key[seen->n] = *k;
	snprintf(seen->holder[seen->n++], 64, "%s", k->holder);
}

static void look(void *ctx)
{
	window_each_key(b.host, see, ctx);
}

static void revoke_first(void *ctx)
{
	struct seen *seen = ctx;

	assert_int_equal(window_revoke_key(b.host, seen->key[0].id, NULL), 0);
	assert_int_equal(window_revoke_key(b.host, seen->key[0].id, NULL),
	                 -ENOENT);
}

/* shows M23: per-key counters, and who reaches what, now */
static void counters(void **state)
{
	struct call owner = { .at = &b,
		              .name = "counted",
		              .size = SIZE,
		              .node = "a",
		              .rights = R | W,
		              .limits = { .bytes_per_s = 1000000,
		                          .ops_per_s = 1000 } };
	struct call user = { .at = &a, .name = "counted", .node = "b" };
	struct seen seen = { 0 };
	uint8_t memory[4096];

	(void)state;
	assert_int_equal(on(&owner, create), 0);
	assert_int_equal(on(&owner, allow), 0);
	assert_int_equal(try_open(&user), 0);
	assert_int_equal(move(&user, FABRIC_READ, 0, memory, 100), FABRIC_OK);
	assert_int_equal(move(&user, FABRIC_READ, 0, memory, 28), FABRIC_OK);
	assert_int_equal(move(&user, FABRIC_WRITE, 0, memory, 4096), FABRIC_OK);
	assert_int_equal(move(&user, FABRIC_READ, SIZE, memory, 1),
	                 FABRIC_RANGE);
	rig_bridge_call(&b, look, &seen);
	assert_int_equal(seen.n, 1);
	assert_string_equal(seen.holder[0], "a");
	assert_false(seen.key[0].local);
	assert_int_equal(seen.key[0].owner, 0);
	assert_int_equal(seen.key[0].rights, R | W);
	assert_int_equal(seen.key[0].length, SIZE);
	assert_int_equal(seen.key[0].n_reads, 2);
	assert_int_equal(seen.key[0].bytes_read, 128);
	assert_int_equal(seen.key[0].n_writes, 1);
	assert_int_equal(seen.key[0].bytes_written, 4096);
	assert_int_equal(seen.key[0].n_refused, 1);
	assert_int_equal(seen.key[0].ops_per_s, 1000);
	assert_int_equal(strlen(seen.key[0].id), 8);
	rig_bridge_call(&b, revoke_first, &seen);
	assert_int_equal(move(&user, FABRIC_READ, 0, memory, 1),
	                 FABRIC_REVOKED);
	on(&user, close_it);
	assert_int_equal(on(&owner, drop), 0);
}

/* shows M17 across nodes: wrong names use a node's patience with questions
 * up; operations go on */
static void guessing_node(void **state)
{
	struct call c = { .at = &a, .name = "guess", .node = "b" };
	struct window_stats before, after;
	struct call owner = {
		.at = &b, .name = "open", .size = SIZE, .node = "a", .rights = R
	};
	struct call user = { .at = &a, .name = "open", .node = "b" };
	unsigned n_busy = 0;
	uint8_t byte;

	(void)state;
	assert_int_equal(on(&owner, create), 0);
	assert_int_equal(on(&owner, allow), 0);
	assert_int_equal(try_open(&user), 0);
	rig_bridge_stats(&b, &before);
	for (unsigned i = 0; i < 2 * QUESTIONS; i++)
		n_busy += try_open(&c) == -EBUSY;
	rig_bridge_stats(&b, &after);
	assert_true(n_busy > 0);
	assert_true(after.n_guesses >= before.n_guesses + QUESTIONS);
	assert_int_equal(after.n_unheard - before.n_unheard, n_busy);
	assert_int_equal(move(&user, FABRIC_READ, 0, &byte, 1), FABRIC_OK);
	on(&user, close_it);
}

static int setup(void **state)
{
	(void)state;
	rig_bridge_start(&a, "a");
	rig_bridge_start(&b, "b");
	rig_bridge_network(&a, 1);
	rig_bridge_network(&b, 2);
	rig_bridge_introduce(&a, &b, b.port);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_bridge_stop(&a);
	rig_bridge_stop(&b);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_words),
		cmocka_unit_test(full),
		cmocka_unit_test(access_list),
		cmocka_unit_test(own_node),
		cmocka_unit_test(file),
		cmocka_unit_test(nowhere),
		cmocka_unit_test(counters),
		cmocka_unit_test(
			guessing_node), /* last: it is not liked after */
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
