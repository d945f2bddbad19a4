/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Donors by their names, over bridges on threads of the test: alpha borrows of
 * beta and delta.  shows S1, S14, S18, S19
 */
#include "../test.h"
#include "../window/rig_bridge.h"

#include "../../support/block_rig.h"

#include "base/base.h"
#include "base/clock.h"
#include "drive/drive.h"
#include "far/backing.h"
#include "far/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PIECE 65536u
#define MIB (UINT64_C(1) << 20)
#define WAIT_NS (20 * NS_PER_S)

static struct rig_bridge alpha, beta, delta;
static char heard[4096]; /* what was said */

static void say(void *ctx, const char *words)
{
	size_t n = strlen(heard);

	(void)ctx;
	snprintf(heard + n, sizeof(heard) - n, "%s\n", words);
}

static bool hear(const char *words)
{
	uint64_t end = clock_now_ns() + WAIT_NS;

	while (!strstr(heard, words) && clock_now_ns() < end)
		reactor_poll(reactor_current());
	return strstr(heard, words) != NULL;
}

/* -- offers ---------------------------------------------------------------- */

struct setting {
	struct rig_bridge *bridge;
	uint64_t size, within_ms;
	struct window_offer_info info;
};

static void set(void *ctx)
{
	struct setting *s = ctx;
	const struct window_offer o = { .size = s->size, .lease_ms = 5000 };

	window_offer_set(s->bridge->host, &o, s->within_ms, NULL);
}

static void get(void *ctx)
{
	struct setting *s = ctx;

	window_offer_get(s->bridge->host, &s->info);
}

static void offer(struct rig_bridge *b, uint64_t size, uint64_t within_ms)
{
	struct setting s = { .bridge = b,
		             .size = size,
		             .within_ms = within_ms };

	rig_bridge_call(b, set, &s);
}

static uint64_t lent(struct rig_bridge *b)
{
	struct setting s = { .bridge = b };

	rig_bridge_call(b, get, &s);
	return s.info.lent;
}

static bool becomes(struct rig_bridge *b, uint64_t bytes)
{
	uint64_t end = clock_now_ns() + WAIT_NS;

	while (lent(b) != bytes && clock_now_ns() < end)
		usleep(1000);
	return lent(b) == bytes;
}

/* -- the device ------------------------------------------------------------ */

static struct block_device *device;

static int try_open(const char *donors, unsigned copies, uint64_t size,
                    bool or_less, struct block_device *spare, struct err *e)
{
	const struct backing_opts o = {
		.reactor = reactor_current(),
		.socket = alpha.path,
		.donors = donors,
		.copies = copies,
		.deadline_ms = 10000,
		.size = size,
		.or_less = or_less,
		.spare = spare,
		.say = say,
	};

	heard[0] = '\0';
	device = NULL;
	return backing_open(&o, &device, e);
}

static void open_device(const char *donors, unsigned copies, uint64_t size)
{
	struct err e = { 0 };

	if (try_open(donors, copies, size, false, NULL, &e))
		fail_msg("%s", e.text);
}

static void fill(uint8_t seed)
{
	uint8_t data[PIECE];

	for (uint64_t at = 0; at < device->size; at += 15 * PIECE) {
		memset(data, (int)(at / PIECE % 251 + seed), sizeof(data));
		assert_int_equal(
			rig_do(device, BLOCK_WRITE, 0, at, PIECE, data), 0);
	}
}

static void check(uint8_t seed)
{
	uint8_t data[PIECE], wants[PIECE];

	for (uint64_t at = 0; at < device->size; at += 15 * PIECE) {
		assert_int_equal(rig_do(device, BLOCK_READ, 0, at, PIECE, data),
		                 0);
		memset(wants, (int)(at / PIECE % 251 + seed), sizeof(wants));
		assert_memory_equal(data, wants, PIECE);
	}
}

/* -- cases ----------------------------------------------------------------- */

static void each_is_asked_for_its_part(void **state)
{
	static const struct {
		uint64_t beta, delta; /* offered */
		const char *donors;
		unsigned copies;
		uint64_t size;
		bool or_less;
		int err;
		uint64_t has, beta_lends, delta_lends;
	} rows[] = {
		{ 64, 64, "beta,delta", 2, 32, 0, 0, 32, 32, 32 },
		{ 64, 64, "beta,delta", 2, 33, 0, 0, 48, 48, 48 },
		{ 64, 64, "beta,delta", 1, 96, 0, 0, 96, 48, 48 },
		{ 64, 64, "beta,delta", 1, 128, 0, 0, 128, 64, 64 },
		{ 64, 64, "beta,delta", 2, 65, 0, -ENOSPC, 0, 0, 0 },
		{ 64, 64, "beta,delta", 2, 999, 1, 0, 64, 64, 64 },
		{ 64, 20, "beta,delta", 1, 80, 0, 0, 80, 64, 16 },
		{ 64, 20, "beta,delta", 1, 96, 0, -ENOSPC, 0, 0, 0 },
		{ 64, 64, "beta,beta", 2, 16, 0, -ENOSPC, 0, 0, 0 },
		{ 64, 64, "beta", 2, 16, 0, -ENOSPC, 0, 0, 0 },
		{ 64, 0, "beta,delta", 2, 16, 0, -ENOENT, 0, 0, 0 },
		{ 64, 64, "beta,zeta", 2, 16, 0, -EHOSTUNREACH, 0, 0, 0 },
		{ 64, 64, "beta,alpha", 2, 16, 0, -EINVAL, 0, 0, 0 },
		{ 64, 64, "beta/w,delta", 2, 32, 0, 0, 32, 0, 32 },
		{ 64, 64, "beta/none,delta", 2, 32, 0, -ENOENT, 0, 0, 0 },
		{ 64, 64, "beta,", 1, 32, 0, 0, 32, 32, 0 },
		{ 64, 64, "", 1, 32, 0, -ENOSPC, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };
		int err;

		offer(&beta, rows[i].beta * MIB, 0);
		offer(&delta, rows[i].delta * MIB, 0);
		err = try_open(rows[i].donors, rows[i].copies,
		               rows[i].size * MIB, rows[i].or_less, NULL, &e);
		if ((err != 0) != (rows[i].err != 0))
			fail_msg("row %zu: %d %s", i, err, e.text);
		if (rows[i].err && err != rows[i].err && rows[i].err != -ENOSPC)
			fail_msg("row %zu: %d %s", i, err, e.text);
		if (!err)
			assert_int_equal(device->size, rows[i].has * MIB);
		else
			assert_true(e.text[0]);
		assert_true(becomes(&beta, rows[i].beta_lends * MIB));
		assert_true(becomes(&delta, rows[i].delta_lends * MIB));
		if (!err) {
			fill(1);
			check(1);
		}
		block_close(device);
		assert_true(becomes(&beta, 0));
		assert_true(becomes(&delta, 0));
	}
}

static void what_is_taken_back_moves_first(void **state)
{
	(void)state;
	offer(&beta, 128 * MIB, 0);
	offer(&delta, 128 * MIB, 0);
	open_device("beta,delta", 1, 64 * MIB);
	fill(3);
	offer(&beta, 0, 20000);
	assert_true(hear("donor delta lends 32 MiB more"));
	assert_true(hear("donor beta has its memory back"));
	assert_null(strstr(heard, "fails"));
	assert_int_equal(lent(&beta), 0);
	check(3);
	block_close(device);
}

static void the_other_copy_serves_until_there_is_room(void **state)
{
	(void)state;
	offer(&beta, 32 * MIB, 0);
	offer(&delta, 32 * MIB, 0);
	open_device("beta,delta", 2, 32 * MIB);
	fill(4);
	offer(&beta, 0, 20000);
	assert_true(hear("no other donor has room for 32 MiB"));
	assert_true(hear("donor beta has its memory back"));
	assert_int_equal(lent(&beta), 0);
	check(4);
	fill(5);
	offer(&beta, 32 * MIB, 0);
	assert_true(hear("all pages have all their copies again"));
	offer(&delta, 0, 0); /* taken at once */
	check(5);
	fill(8);
	check(8);
	block_close(device);
}

static void the_only_copy_goes_to_the_spare(void **state)
{
	struct block_device *spare;
	struct err e = { 0 };

	(void)state;
	offer(&beta, 32 * MIB, 0);
	assert_int_equal(drive_open("ram:32M", &spare, NULL), 0);
	assert_int_equal(try_open("beta", 1, 32 * MIB, false, spare, &e), 0);
	fill(6);
	offer(&beta, 0, 20000);
	assert_true(hear("donor beta has its memory back"));
	check(6);
	block_close(device);
	assert_int_equal(lent(&beta), 0);
}

/* Closed while a donor is being asked, and while blocks move. */
static void it_can_be_closed_at_any_time(void **state)
{
	(void)state;
	for (unsigned polls = 0; polls < 40; polls++) {
		offer(&beta, 128 * MIB, 0);
		offer(&delta, 128 * MIB, 0);
		open_device("beta,delta", 1, 64 * MIB);
		fill(7);
		offer(&beta, 64 * MIB * (polls % 2), 20000);
		for (unsigned i = 0; i < polls * 40; i++)
			reactor_poll(reactor_current());
		block_close(device);
		assert_true(becomes(&beta, 0));
		assert_true(becomes(&delta, 0));
	}
}

static void allow(void *ctx)
{
	(void)ctx;
	window_create(beta.host, "w", 48 * MIB, NULL, NULL);
	window_allow(beta.host, "w", "alpha",
	             FABRIC_RIGHT_READ | FABRIC_RIGHT_WRITE, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_asked_for_its_part),
		cmocka_unit_test(what_is_taken_back_moves_first),
		cmocka_unit_test(the_other_copy_serves_until_there_is_room),
		cmocka_unit_test(the_only_copy_goes_to_the_spare),
		cmocka_unit_test(it_can_be_closed_at_any_time),
	};
	struct rig_bridge *all[] = { &alpha, &beta, &delta };
	static const char *const names[] = { "alpha", "beta", "delta" };
	struct reactor *r;
	int failed;

	for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
		rig_bridge_start(all[i], names[i]);
		rig_bridge_network(all[i], (uint8_t)(i + 1));
	}
	for (unsigned i = 1; i < ARRAY_LEN(all); i++) {
		rig_bridge_introduce(&alpha, all[i], all[i]->port);
		rig_bridge_introduce(all[i], &alpha, alpha.port);
	}
	rig_bridge_call(&beta, allow, NULL);
	r = rig_reactor();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	reactor_destroy(r);
	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		rig_bridge_stop(all[i]);
	return failed;
}
