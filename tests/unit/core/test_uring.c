/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "base/base.h"
#include "core/reactor.h"
#include "core/uring.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define DEPTH 8

struct fixture {
	struct reactor *r;
	int fd;
};

struct call {
	struct uring_request q;
	struct fixture *f;
	int result;
	unsigned times;
};

static void called(struct uring_request *q, int result)
{
	struct call *c = container_of(q, struct call, q);

	c->result = result;
	c->times++;
}

static int setup(void **state)
{
	static struct fixture f;
	char path[] = "/tmp/causeway-uring-XXXXXX";
	struct reactor_opts opts = { .name = "test", .uring_depth = DEPTH };
	struct err e = { 0 };

	if (reactor_create(&opts, &f.r, &e)) {
		print_message("# %s\n", e.text);
		return -1;
	}
	f.fd = mkstemp(path);
	unlink(path);
	*state = &f;
	return f.fd < 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->fd);
	reactor_destroy(f->r);
	return 0;
}

static int await(struct fixture *f, struct call *c)
{
	assert_int_equal(c->times, 0); /* R1 */
	while (!c->times)
		reactor_poll(f->r);
	reactor_poll(f->r);
	assert_int_equal(c->times, 1);
	c->times = 0;
	return c->result;
}

static void what_is_written_is_read_back(void **state)
{
	struct fixture *f = *state;
	struct call c = { .q.done = called };
	char a[512], b[1024], back[1536];
	struct iovec out[] = { { a, sizeof(a) }, { b, sizeof(b) } };
	struct iovec in = { back, sizeof(back) };

	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	uring_writev(f->r, &c.q, f->fd, out, 2, 4096, RWF_DSYNC);
	assert_int_equal(await(f, &c), 1536);
	uring_readv(f->r, &c.q, f->fd, &in, 1, 4096);
	assert_int_equal(await(f, &c), 1536);
	assert_memory_equal(back, a, 512);
	assert_memory_equal(back + 512, b, 1024);

	out[0].iov_base = back;
	uring_writev(f->r, &c.q, f->fd, out, 1, 0, 0);
	assert_int_equal(await(f, &c), 512);
	memset(a, 0, sizeof(a));
	memset(b, 1, sizeof(b));
	uring_readv(f->r, &c.q, f->fd,
	            (struct iovec[]){ { a, 512 }, { b, 1024 } }, 2, 0);
	assert_int_equal(await(f, &c), 1536);
	assert_memory_equal(a, back, 512);
	assert_int_equal(b[0], 0);
}

static void sync_and_allocation_act_on_the_file(void **state)
{
	struct fixture *f = *state;
	struct call c = { .q.done = called };
	struct stat st;
	char x = 'x';

	uring_fallocate(f->r, &c.q, f->fd, 0, 1 << 20, 65536);
	assert_int_equal(await(f, &c), 0);
	assert_int_equal(fstat(f->fd, &st), 0);
	assert_int_equal(st.st_size, (1 << 20) + 65536);
	assert_int_equal(pwrite(f->fd, &x, 1, 8192), 1);
	uring_fallocate(f->r, &c.q, f->fd,
	                FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8192, 4096);
	assert_int_equal(await(f, &c), 0);
	assert_int_equal(pread(f->fd, &x, 1, 8192), 1);
	assert_int_equal(x, 0);
	uring_fdatasync(f->r, &c.q, f->fd);
	assert_int_equal(await(f, &c), 0);
}

static void errors_and_short_reads_are_reported_as_they_are(void **state)
{
	struct fixture *f = *state;
	struct call c = { .q.done = called };
	char bytes[4096];
	struct iovec v = { bytes, sizeof(bytes) };

	uring_readv(f->r, &c.q, -1, &v, 1, 0);
	assert_int_equal(await(f, &c), -EBADF);
	assert_int_equal(ftruncate(f->fd, 100), 0);
	uring_readv(f->r, &c.q, f->fd, &v, 1, 0);
	assert_int_equal(await(f, &c), 100);
	uring_readv(f->r, &c.q, f->fd, &v, 1, 100);
	assert_int_equal(await(f, &c), 0);
}

#define MANY 1000

static void more_requests_than_depth_are_each_done_once(void **state)
{
	struct fixture *f = *state;
	static struct call calls[MANY];
	static uint32_t values[MANY];
	static struct iovec v[MANY];
	unsigned done = 0;

	memset(calls, 0, sizeof(calls));
	for (unsigned i = 0; i < MANY; i++) {
		values[i] = i * 7919;
		v[i] = (struct iovec){ &values[i], 4 };
		calls[i].q.done = called;
		uring_writev(f->r, &calls[i].q, f->fd, &v[i], 1, i * 4, 0);
	}
	while (done < MANY) {
		done = 0;
		reactor_poll(f->r);
		for (unsigned i = 0; i < MANY; i++)
			done += calls[i].times;
	}
	for (unsigned i = 0; i < MANY; i++) {
		uint32_t back;

		assert_int_equal(calls[i].times, 1);
		assert_int_equal(calls[i].result, 4);
		assert_int_equal(pread(f->fd, &back, 4, i * 4), 4);
		assert_int_equal(back, values[i]);
	}
}

static void stop_when_done(struct uring_request *q, int result)
{
	struct call *c = container_of(q, struct call, q);

	c->result = result;
	c->times++;
	reactor_stop(c->f->r);
}

static void *write_later(void *fd)
{
	usleep(100000);
	assert_int_equal(write(*(int *)fd, "!", 1), 1);
	return NULL;
}

/* A pipe gives no data before somebody writes, so the reactor must sleep. */
static void a_completion_wakes_a_sleeping_reactor(void **state)
{
	struct fixture *f = *state;
	struct call c = { .q.done = stop_when_done, .f = f };
	struct reactor_stats before, after;
	char byte = 0;
	int ends[2];
	pthread_t writer;

	assert_int_equal(pipe(ends), 0);
	uring_readv(f->r, &c.q, ends[0], &(struct iovec){ &byte, 1 }, 1,
	            (uint64_t)-1);
	pthread_create(&writer, NULL, write_later, &ends[1]);
	reactor_stats(f->r, &before);
	reactor_run(f->r);
	reactor_stats(f->r, &after);
	pthread_join(writer, NULL);
	assert_int_equal(c.result, 1);
	assert_int_equal(byte, '!');
	assert_in_range(after.sleeps - before.sleeps, 1, 5);
	assert_in_range(after.iterations - before.iterations, 1, 50);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_written_is_read_back,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(
			sync_and_allocation_act_on_the_file, setup, teardown),
		cmocka_unit_test_setup_teardown(
			errors_and_short_reads_are_reported_as_they_are, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			more_requests_than_depth_are_each_done_once, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_completion_wakes_a_sleeping_reactor, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
