/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fast stack on two reactors in threads of their own, with a third for
 * the stand-in of the slow stack: chunks that belong to the other worker,
 * locks, and answers that find their way home.
 *
 * Every client has its own sectors, so that each knows what it must read: all
 * of a private chunk, or some in each shared one, between other clients' on
 * both reactors.  Under the thread sanitizer the drives' memory itself shows
 * whether two touch the same column of a stripe at once.
 * shows V4, V6, V10, V12, V16, V18, V21, V22
 */
#include "../test.h"

#include "rig.h"

#include "base/base.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define LANES 2u
#define PER_LANE 16u
#define CLIENTS (LANES * PER_LANE)
#define CHUNKS (CLIENTS * 4)
#define SIZE (CHUNKS * CHUNK_BYTES)
#ifdef __SANITIZE_THREAD__
#define OPERATIONS 300u
#else
#define OPERATIONS 1500u
#endif
#define SECTORS (CHUNK_BYTES / BLOCK_SECTOR)

struct client {
	struct block_request request;
	struct iovec iov;
	unsigned number;
	unsigned lane;
	unsigned left; /* operations */
	uint64_t seed;
	uint64_t offset, length;
	struct task task;
	uint8_t *buffer;
};

static struct rig rig;
static uint8_t model[SIZE];
static struct client clients[CLIENTS];
static unsigned busy; /* clients that are not done */
static unsigned failures;

#define CHECK(condition)                                                       \
	do {                                                                   \
		if (!(condition)) {                                            \
			print_error("%s:%d: %s\n", __FILE__, __LINE__,         \
			            #condition);                               \
			__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);    \
		}                                                              \
	} while (0)

/* -- clients -------------------------------------------------------------- */

static void next_operation(struct client *c);

static void operation_done(struct block_request *q, int err)
{
	struct client *c = container_of(q, struct client, request);
	uint8_t *at = model + c->offset;

	CHECK(reactor_current() == rig.reactors[c->lane]); /* B2 */
	CHECK(err == 0);
	switch (q->op) {
	case BLOCK_READ:
		CHECK(!memcmp(c->buffer, at, c->length));
		break;
	case BLOCK_WRITE:
		memcpy(at, c->buffer, c->length);
		break;
	case BLOCK_DISCARD:
	case BLOCK_WRITE_ZEROES:
		memset(at, 0, c->length);
		break;
	case BLOCK_FLUSH:
		break;
	}
	if (--c->left > 0)
		next_operation(c);
	else
		__atomic_sub_fetch(&busy, 1, __ATOMIC_ACQ_REL);
}

static void choose_range(struct client *c)
{
	uint64_t r = rig_next(&c->seed);
	uint64_t chunk = c->number + r % 4 * CLIENTS;

	if (chunk / CLIENTS % 2) { /* shared: any such chunk, my sectors */
		chunk = chunk / CLIENTS * CLIENTS + (r >> 8) % CLIENTS;
		c->offset = chunk * CHUNK_BYTES +
		            ((r >> 16) % (SECTORS / CLIENTS) * CLIENTS +
		             (c->number + chunk) % CLIENTS) *
		                    BLOCK_SECTOR;
		c->length = BLOCK_SECTOR;
		return;
	}
	c->length = ((r >> 16) % SECTORS + 1) * BLOCK_SECTOR;
	if ((r >> 32) % 2)
		c->length = 4096;
	c->offset = chunk * CHUNK_BYTES +
	            (r >> 40) % ((CHUNK_BYTES - c->length) / BLOCK_SECTOR + 1) *
	                    BLOCK_SECTOR;
}

static enum block_op choose_op(struct client *c)
{
	uint64_t r = rig_next(&c->seed) % 64;

	if (r < 28)
		return BLOCK_READ;
	if (r < 58)
		return BLOCK_WRITE;
	if (r < 61)
		return BLOCK_WRITE_ZEROES;
	if (r < 62)
		return BLOCK_FLUSH;
	if (c->offset / CHUNK_BYTES / CLIENTS % 2)
		return BLOCK_WRITE;
	c->offset = c->offset / CHUNK_BYTES * CHUNK_BYTES;
	c->length = CHUNK_BYTES;
	return BLOCK_DISCARD;
}

static void next_operation(struct client *c)
{
	struct block_request *q = &c->request;
	bool data;

	choose_range(c);
	*q = (struct block_request){ .op = choose_op(c),
		                     .done = operation_done };
	data = q->op == BLOCK_READ || q->op == BLOCK_WRITE;
	c->iov = (struct iovec){ c->buffer, c->length };
	if (q->op != BLOCK_FLUSH) {
		q->offset = c->offset;
		q->length = c->length;
	}
	if (data) {
		q->iov = &c->iov;
		q->iov_count = 1;
	}
	if (q->op == BLOCK_WRITE)
		for (uint64_t i = 0; i < c->length; i += 8) {
			uint64_t v = rig_next(&c->seed);

			memcpy(c->buffer + i, &v, 8);
		}
	if (q->op == BLOCK_WRITE && rig_next(&c->seed) % 16 == 0)
		q->flags = BLOCK_FUA;
	block_submit(rig.volume, q);
}

static void first_operation(struct task *t)
{
	next_operation(container_of(t, struct client, task));
}

/* -- threads -------------------------------------------------------------- */

static bool slow_stops;

static void *slow_thread(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&slow_stops, __ATOMIC_ACQUIRE)) {
		struct pollfd p = { .fd = rig.handoff.slow_wake_fd,
			            .events = POLLIN };

		if (!rig_stand_in(&rig))
			poll(&p, 1, 5);
	}
	return NULL;
}

static void *lane_thread(void *reactor)
{
	reactor_run(reactor);
	return NULL;
}

static pthread_t lane_threads[LANES], slow;

static void start_slow(void)
{
	__atomic_store_n(&slow_stops, false, __ATOMIC_RELEASE);
	assert_int_equal(pthread_create(&slow, NULL, slow_thread, NULL), 0);
}

static void stop_slow(void)
{
	__atomic_store_n(&slow_stops, true, __ATOMIC_RELEASE);
	pthread_join(slow, NULL);
}

static void start(enum raid_profile profile, unsigned drives,
                  unsigned operations)
{
	rig_init_with(&rig, &(struct rig_opts){ .profile = profile,
	                                        .n_drives = drives,
	                                        .size = SIZE,
	                                        .n_lanes = LANES });
	rig.fixed_places = true;
	rig.delay = 3;
	memset(model, 0, sizeof(model));
	busy = CLIENTS;
	failures = 0;
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct client *c = &clients[i];

		*c = (struct client){ .number = i,
			              .lane = i % LANES,
			              .left = operations,
			              .seed = 0x9e3779b97f4a7c15u * (i + 1),
			              .buffer = malloc(CHUNK_BYTES),
			              .task.run = first_operation };
		assert_non_null(c->buffer);
		task_post(rig.reactors[c->lane], &c->task);
	}
}

static void run_lanes(void)
{
	for (unsigned i = 0; i < LANES; i++)
		assert_int_equal(pthread_create(&lane_threads[i], NULL,
		                                lane_thread, rig.reactors[i]),
		                 0);
}

static bool clients_busy(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	return __atomic_load_n(&busy, __ATOMIC_ACQUIRE) > 0;
}

static void join_lanes(void)
{
	while (clients_busy())
		;
	for (unsigned i = 0; i < LANES; i++) {
		reactor_stop(rig.reactors[i]);
		pthread_join(lane_threads[i], NULL);
	}
}

static void check_and_end(void)
{
	static uint8_t buffer[SIZE];

	for (unsigned i = 0; i < CLIENTS; i++) {
		assert_int_equal(clients[i].left, 0);
		free(clients[i].buffer);
	}
	assert_int_equal(failures, 0);
	for (unsigned i = 0; i < RIG_DRIVES; i++)
		rig.drive[i].fails = NULL;
	assert_int_equal(rig_io(&rig, BLOCK_READ, 0, 0, SIZE, buffer), 0);
	assert_memory_equal(buffer, model, SIZE);
	assert_true(rig_consistent(&rig));
	rig_fini(&rig);
}

static void run(void)
{
	start_slow();
	run_lanes();
	join_lanes();
	stop_slow();
	check_and_end();
}

/* -- tests ---------------------------------------------------------------- */

static const struct {
	enum raid_profile profile;
	unsigned drives;
} shapes[] = { { RAID0, 4 }, { RAID1, 3 }, { RAID5, 3 }, { RAID5, 5 } };

static void two_workers_keep_one_array(void **state)
{
	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(shapes); s++) {
		start(shapes[s].profile, shapes[s].drives, OPERATIONS);
		run();
	}
}

static void two_workers_without_a_drive_keep_it_too(void **state)
{
	(void)state;
	for (size_t s = 1; s < ARRAY_LEN(shapes); s++) {
		start(shapes[s].profile, shapes[s].drives, OPERATIONS);
		rig_set_role(&rig, 1, HANDOFF_FAILED);
		run();
	}
}

static bool some_reads(struct rig_drive *d, const struct block_request *q)
{
	static _Thread_local uint64_t seed = 4711;

	(void)d;
	return q->op == BLOCK_READ && rig_next(&seed) % 8 == 0;
}

static void reads_that_fail_on_both_are_answered_from_redundancy(void **state)
{
	(void)state;
	for (size_t s = 1; s < ARRAY_LEN(shapes); s++) {
		start(shapes[s].profile, shapes[s].drives, OPERATIONS);
		rig.drive[1].fails = some_reads;
		run();
		assert_true(rig.drive[1].reads > 0);
	}
}

static bool late_writes(struct rig_drive *d, const struct block_request *q)
{
	return q->op != BLOCK_READ &&
	       __atomic_load_n(&d->writes, __ATOMIC_RELAXED) > 400;
}

static void a_drive_that_fails_writes_of_both_is_left_behind(void **state)
{
	(void)state;
	for (size_t s = 1; s < ARRAY_LEN(shapes); s++) {
		start(shapes[s].profile, shapes[s].drives, OPERATIONS);
		rig.drive[1].fails = late_writes;
		start_slow();
		run_lanes();
		join_lanes();
		stop_slow();
		assert_int_equal(rig.handoff.drives[1].role, HANDOFF_FAILED);
		check_and_end();
	}
}

/* -- a slow stack that dies under running reactors ------------------------ */

struct signal {
	struct task task;
	bool set;
};

static void set(struct task *t)
{
	container_of(t, struct signal, task)->set = true;
}

static void wait_for(struct reactor *control, const struct signal *s)
{
	while (!s->set)
		reactor_poll(control);
}

static void replace_slow(struct reactor *control)
{
	struct signal gone = { .task.run = set };
	struct signal there = { .task.run = set };

	stop_slow();
	reactor_bind(control);
	fast_slow_detach(rig.fast, &gone.task);
	wait_for(control, &gone);
	rig.n_late = 0;
	rig.asleep = false;
	fast_slow_attach(rig.fast, &there.task);
	wait_for(control, &there);
	__atomic_store_n(&rig.handoff.header->slow_state, HANDOFF_SERVING,
	                 __ATOMIC_RELEASE);
	for (unsigned i = 0; i < LANES; i++)
		handoff_wake_lane(&rig.handoff, i);
	start_slow();
}

static void a_stack_that_keeps_dying_loses_no_request(void **state)
{
	struct reactor *control;
	struct fast_stats stats;
	unsigned deaths = 0;

	(void)state;
	start(RAID5, 5, 2 * OPERATIONS);
	rig.restless = true;
	assert_int_equal(
		reactor_create(&(struct reactor_opts){ .name = "control" },
	                       &control, NULL),
		0);
	start_slow();
	run_lanes();
	while (clients_busy()) {
		fast_stats(rig.fast, &stats); /* any thread */
		replace_slow(control);
		deaths++;
	}
	join_lanes();
	stop_slow();
	reactor_bind(rig.reactors[0]);
	reactor_destroy(control);
	assert_true(deaths > 3);
	fast_stats(rig.fast, &stats);
	assert_true(stats.handoffs > 0 && stats.hits > 0);
	assert_int_equal(stats.timeouts, 0);
	check_and_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_workers_keep_one_array),
		cmocka_unit_test(two_workers_without_a_drive_keep_it_too),
		cmocka_unit_test(
			reads_that_fail_on_both_are_answered_from_redundancy),
		cmocka_unit_test(
			a_drive_that_fails_writes_of_both_is_left_behind),
		cmocka_unit_test(a_stack_that_keeps_dying_loses_no_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
