/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Both ends of a lane on two threads: nothing lost, nothing twice, nobody
 * asleep while there is work; and the table published under the eyes of a
 * reader.  Without fences in its books, the thread sanitizer still checks
 * what the indices and entries order.
 * shows V16, V17
 */
#include "../test.h"

#include "volume/geometry.h"
#include "volume/handoff.h"

#include "base/base.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#define HANDOFFS 1000000u
#define OUTSTANDING 768u
#define BAG 512u
#define LOST_MS 10000 /* asleep that long: a wake-up was lost */

static struct handoff h;

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void sleep_on(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	eventfd_t n;

	if (poll(&p, 1, LOST_MS) != 1)
		abort(); /* a lost wake-up */
	eventfd_read(fd, &n);
}

/* -- a million hand-offs -------------------------------------------------- */

struct slow_side {
	uint64_t seed;
	struct handoff_request bag[BAG];
	unsigned n;
	uint64_t answered;
	uint64_t sleeps;
	unsigned most;
};

static void dawdle(struct slow_side *s)
{
	uint64_t r = next(&s->seed);

	if (r % 4096 == 0)
		nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
	else if (r % 64 == 0)
		sched_yield();
}

/* Answer some of what waits, in any order. */
static bool answer_some(struct slow_side *s)
{
	bool any = false;

	for (uint64_t k = next(&s->seed) % 32; k > 0 && s->n > 0; k--) {
		unsigned i = (unsigned)(next(&s->seed) % s->n);
		const struct handoff_reply reply = {
			.tag = s->bag[i].tag,
			.kind = HANDOFF_RESUME,
			.entry = ~s->bag[i].tag,
		};

		if (!handoff_push_reply(&h, 0, &reply))
			break;
		s->bag[i] = s->bag[--s->n];
		s->answered++;
		any = true;
	}
	if (any)
		handoff_wake_lane(&h, 0);
	return any;
}

static void *slow_thread(void *arg)
{
	struct slow_side *s = arg;

	while (s->answered < HANDOFFS) {
		struct handoff_request q;
		bool any = false;

		while (s->n < BAG && handoff_pop_request(&h, 0, &q)) {
			if (q.address != q.tag * 3 || q.length != q.tag + 1)
				abort(); /* torn */
			s->bag[s->n++] = q;
			any = true;
		}
		if (s->n > s->most)
			s->most = s->n;
		dawdle(s);
		any |= answer_some(s);
		if (any || s->n > 0)
			continue;
		handoff_slow_sleeps(&h, true);
		if (!handoff_requests_waiting(&h, 0)) {
			s->sleeps++;
			sleep_on(h.slow_wake_fd);
		}
		handoff_slow_sleeps(&h, false);
	}
	return NULL;
}

static void push_some(uint64_t *pushed, uint64_t answered, uint64_t burst)
{
	bool any = false;

	while (*pushed < HANDOFFS && *pushed - answered < OUTSTANDING &&
	       burst-- > 0) {
		const struct handoff_request q = {
			.tag = *pushed,
			.kind = HANDOFF_MISS,
			.address = *pushed * 3,
			.length = *pushed + 1,
		};

		if (!handoff_push_request(&h, 0, &q))
			break;
		++*pushed;
		any = true;
	}
	if (any)
		handoff_wake_slow(&h);
}

static void a_million_handoffs_are_each_answered_once(void **state)
{
	static struct slow_side slow = { .seed = 4711 };
	static uint8_t seen[HANDOFFS];
	uint64_t pushed = 0, answered = 0, sleeps = 0, seed = 12345;
	pthread_t thread;

	(void)state;
	assert_int_equal(handoff_create(1, 4096, &h, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, slow_thread, &slow), 0);
	while (answered < HANDOFFS) {
		struct handoff_reply r;
		uint64_t before = answered;

		while (handoff_pop_reply(&h, 0, &r)) {
			assert_true(r.tag < pushed);
			assert_int_equal(r.entry, ~r.tag);
			assert_int_equal(seen[r.tag]++, 0);
			answered++;
		}
		/* Lanes fall idle now and then, so that both ends sleep. */
		if (pushed == answered || next(&seed) % 8)
			push_some(&pushed, answered,
			          next(&seed) % (OUTSTANDING * 2));
		if (answered != before || pushed == answered)
			continue;
		handoff_lane_sleeps(&h, 0, true);
		if (!handoff_replies_waiting(&h, 0)) {
			sleeps++;
			sleep_on(h.lane_wake_fd[0]);
		}
		handoff_lane_sleeps(&h, 0, false);
	}
	pthread_join(thread, NULL);
	assert_int_equal(slow.answered, HANDOFFS);
	assert_int_equal(slow.n, 0);
	for (unsigned i = 0; i < HANDOFFS; i++)
		assert_int_equal(seen[i], 1);
	/* How much the two met is the scheduler's affair; the tests below make
	 * them sleep in each round. */
	assert_true(slow.most > 1);
	print_message("# sleeps %ju and %ju, at most %u in the bag\n",
	              (uintmax_t)sleeps, (uintmax_t)slow.sleeps, slow.most);
	handoff_detach(&h);
}

/* -- one at a time: every hand-off may find the other side asleep --------- */

#define PINGS 100000u

static void *ponger(void *arg)
{
	struct handoff_request q;

	(void)arg;
	for (unsigned i = 0; i < PINGS; i++) {
		const struct handoff_reply r = { .tag = i };

		while (!handoff_pop_request(&h, 0, &q)) {
			handoff_slow_sleeps(&h, true);
			if (!handoff_requests_waiting(&h, 0))
				sleep_on(h.slow_wake_fd);
			handoff_slow_sleeps(&h, false);
		}
		if (!handoff_push_reply(&h, 0, &r))
			abort();
		handoff_wake_lane(&h, 0);
	}
	return NULL;
}

static void no_wake_up_is_lost(void **state)
{
	pthread_t thread;
	uint64_t seed = 99;

	(void)state;
	assert_int_equal(handoff_create(1, 4096, &h, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, ponger, NULL), 0);
	for (unsigned i = 0; i < PINGS; i++) {
		const struct handoff_request q = { .tag = i };
		struct handoff_reply r;

		/* Meet the other side at every point of falling asleep. */
		for (volatile uint64_t k = next(&seed) % 2048; k > 0;)
			k = k - 1;
		assert_true(handoff_push_request(&h, 0, &q));
		handoff_wake_slow(&h);
		while (!handoff_pop_reply(&h, 0, &r)) {
			handoff_lane_sleeps(&h, 0, true);
			if (!handoff_replies_waiting(&h, 0))
				sleep_on(h.lane_wake_fd[0]);
			handoff_lane_sleeps(&h, 0, false);
		}
		assert_int_equal(r.tag, i);
	}
	pthread_join(thread, NULL);
	handoff_detach(&h);
}

/* -- the moment of falling asleep ----------------------------------------- */

#define ROUNDS 300000u

static uint64_t turns[2];

/* Both threads leave this at the same time, as nearly as they can. */
static void meet(unsigned me, uint64_t turn)
{
	unsigned spins = 0;

	__atomic_store_n(&turns[me], turn, __ATOMIC_RELEASE);
	while (__atomic_load_n(&turns[!me], __ATOMIC_ACQUIRE) < turn)
		if (++spins % 1024 == 0)
			sched_yield();
}

static void *pusher(void *arg)
{
	uint64_t seed = 5;
	const struct handoff_request q = { .tag = 1 };

	(void)arg;
	for (uint64_t i = 0; i < ROUNDS; i++) {
		meet(0, 2 * i + 1);
		for (volatile uint64_t k = next(&seed) % 32; k > 0;)
			k = k - 1;
		if (!handoff_push_request(&h, 0, &q))
			abort();
		handoff_wake_slow(&h);
		meet(0, 2 * i + 2);
	}
	return NULL;
}

static void who_falls_asleep_sees_the_push_or_is_woken(void **state)
{
	unsigned seen = 0, woken = 0;
	struct handoff_request q;
	pthread_t thread;
	eventfd_t n = 0;

	(void)state;
	assert_int_equal(handoff_create(1, 4096, &h, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, pusher, NULL), 0);
	for (uint64_t i = 0; i < ROUNDS; i++) {
		bool saw, called;

		meet(1, 2 * i + 1);
		handoff_slow_sleeps(&h, true);
		saw = handoff_requests_waiting(&h, 0);
		meet(1, 2 * i + 2);
		called = !h.header->slow_sleeping;
		assert_true(saw || called);
		seen += saw;
		woken += called;
		handoff_slow_sleeps(&h, false);
		assert_true(handoff_pop_request(&h, 0, &q));
	}
	pthread_join(thread, NULL);
	eventfd_read(h.slow_wake_fd, &n);
	assert_int_equal(n, woken);
	if (!seen || !woken)
		print_message("# the threads took turns: a busy machine\n");
	handoff_detach(&h);
}

/* -- the table ------------------------------------------------------------ */

#define ROWS 4096u
#define ENTRIES 512u
#define STORES 2000000u

static bool stop;

/* Everything in a row and its entries follows from the row's number. */
static void publish_row(uint32_t n)
{
	struct handoff_row *row = &h.rows[n];

	row->profile = RAID5;
	row->width = 5;
	row->data = 4;
	row->strip_shift = 14;
	row->extent_bytes = n * UINT64_C(4096);
	row->data_start = ~(uint64_t)n;
	for (unsigned m = 0; m < 5; m++) {
		row->drive[m] = (uint16_t)(n + m);
		row->extent[m] = n ^ m;
	}
	__atomic_store_n(&row->state, 1, __ATOMIC_RELEASE);
}

static uint32_t index_of(uint32_t row, uint64_t at)
{
	return (uint32_t)(row * 7u + at) & ((1u << ENTRY_INDEX_BITS) - 1);
}

static void *publisher(void *arg)
{
	uint64_t seed = 31337;
	uint32_t rows = 0;

	(void)arg;
	for (unsigned i = 0; i < STORES; i++) {
		uint64_t at = next(&seed) % ENTRIES;
		uint32_t row;

		if (rows < ROWS && i % (STORES / ROWS) == 0) {
			publish_row(rows);
			row = rows++;
		} else {
			row = (uint32_t)(next(&seed) % rows);
		}
		handoff_set_entry(&h, at,
		                  next(&seed) % 8 == 0
		                          ? 0
		                          : entry_make(ENTRY_MAPPED, row,
		                                       index_of(row, at)));
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	return NULL;
}

static void check_entry(uint64_t at)
{
	uint64_t entry = handoff_entry(&h, at);
	uint32_t n = entry_row(entry);
	const struct handoff_row *row = &h.rows[n];

	if (!entry)
		return;
	assert_int_equal(entry, entry_make(ENTRY_MAPPED, n, index_of(n, at)));
	assert_true(n < ROWS);
	assert_int_equal(__atomic_load_n(&row->state, __ATOMIC_ACQUIRE), 1);
	assert_int_equal(row->profile, RAID5);
	assert_int_equal(row->width, 5);
	assert_int_equal(row->extent_bytes, n * UINT64_C(4096));
	assert_int_equal(row->data_start, ~(uint64_t)n);
	assert_int_equal(row->drive[4], (uint16_t)(n + 4));
	assert_int_equal(row->extent[4], n ^ 4);
}

static void a_reader_sees_whole_entries_and_the_rows_they_name(void **state)
{
	pthread_t thread;
	uint64_t seed = 7, reads = 0;

	(void)state;
	stop = false;
	assert_int_equal(handoff_create(1, ENTRIES, &h, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, publisher, NULL), 0);
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		check_entry(next(&seed) % ENTRIES);
		reads++;
	}
	pthread_join(thread, NULL);
	assert_true(reads > 1000);
	handoff_detach(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_million_handoffs_are_each_answered_once),
		cmocka_unit_test(no_wake_up_is_lost),
		cmocka_unit_test(who_falls_asleep_sees_the_push_or_is_woken),
		cmocka_unit_test(
			a_reader_sees_whole_entries_and_the_rows_they_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
