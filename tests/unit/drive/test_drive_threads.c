/* SPDX-License-Identifier: BSD-2-Clause */
/* One device on several reactor threads at once: B2, and nobody's data. */
#include "../test.h"

#include "devices.h"

#include <pthread.h>

#define THREADS 3u
#define ROUNDS 60u
#define DEPTH 8u
#define SHARE (DEVICE_SIZE / THREADS / 4096 * 4096)

struct worker {
	struct block_device *dev;
	unsigned number;
	unsigned wrong;
};

struct worker_call {
	struct rig_call c;
	pthread_t thread;
	unsigned *wrong;
};

static void worker_done(struct block_request *q, int err)
{
	struct worker_call *w = container_of(q, struct worker_call, c.q);

	*w->wrong += err != 0 || !pthread_equal(pthread_self(), w->thread);
	rig_done(q, err);
}

/* cmocka's assertions are for the main thread. */
static void round_of(struct worker *me, enum block_op op, uint64_t base,
                     uint8_t data[DEPTH][4096])
{
	struct worker_call calls[DEPTH];
	bool moves = op == BLOCK_READ || op == BLOCK_WRITE;

	for (unsigned i = 0; i < DEPTH; i++) {
		struct worker_call *w = &calls[i];

		memset(w, 0, sizeof(*w));
		w->thread = pthread_self();
		w->wrong = &me->wrong;
		w->c.iov.iov_base = data[i];
		w->c.iov.iov_len = 4096;
		w->c.q.op = op;
		w->c.q.offset = op == BLOCK_FLUSH ? 0 : base + i * 4096;
		w->c.q.length = op == BLOCK_FLUSH ? 0 : 4096;
		w->c.q.iov = moves ? &w->c.iov : NULL;
		w->c.q.iov_count = moves;
		w->c.q.done = worker_done;
		block_submit(me->dev, &w->c.q);
	}
	for (unsigned i = 0; i < DEPTH; i++)
		while (!calls[i].c.calls)
			reactor_poll(reactor_current());
}

static void *work(void *arg)
{
	const struct reactor_opts opts = { .name = "worker",
		                           .uring_depth = 16 };
	static _Thread_local uint8_t data[DEPTH][4096], got[DEPTH][4096];
	struct worker *me = arg;
	struct reactor *r;

	if (reactor_create(&opts, &r, NULL)) {
		me->wrong = 1;
		return NULL;
	}
	reactor_bind(r);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t base = me->number * SHARE + i % 8 * 32768;

		memset(data, (int)(me->number * 64 + i % 64 + 1), sizeof(data));
		round_of(me, BLOCK_WRITE, base, data);
		if (i % 4 == 0)
			round_of(me, BLOCK_FLUSH, base, data);
		round_of(me, BLOCK_READ, base, got);
		me->wrong += memcmp(data, got, sizeof(data)) != 0;
		if (i % 3 == 0)
			round_of(me, BLOCK_WRITE_ZEROES, base, data);
		if (i % 5 == 0)
			round_of(me, BLOCK_DISCARD, base, data);
	}
	reactor_destroy(r);
	return NULL;
}

static void threads_share_a_device(void **state)
{
	const struct device_kind *kind = *state;
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	struct block_device *dev;

	dev = kind->open(kind);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .dev = dev, .number = i };
		assert_int_equal(
			pthread_create(&threads[i], NULL, work, &workers[i]),
			0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(workers[i].wrong, 0);
	}
	kind->close(dev);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(device_kinds)];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(device_kinds); i++)
		if (device_kinds[i].threads)
			tests[n++] = (struct CMUnitTest){
				.name = device_kinds[i].name,
				.test_func = threads_share_a_device,
				.initial_state =
					(void *)(uintptr_t)&device_kinds[i],
			};
	return _cmocka_run_group_tests("threads", tests, n, NULL, NULL);
}
