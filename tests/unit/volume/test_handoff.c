/* SPDX-License-Identifier: BSD-2-Clause */
/* The shared memory between the stacks: its bytes, its checks, its rings.
 * shows V15, V16 */
#include "../test.h"

#include "volume/handoff.h"

#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ENTRIES 4096u

static uint64_t seed = 88172645463325252u;

static uint64_t next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* -- golden bytes --------------------------------------------------------- */

/* Byte i of a record is i; so a field's value tells its place and width. */
static uint64_t at(unsigned offset, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes-- > 0)
		v = v << 8 | (offset + bytes);
	return v;
}

static void a_request_has_every_field_in_its_place(void **state)
{
	struct handoff_request r;
	uint8_t bytes[64];

	(void)state;
	assert_int_equal(sizeof(r), sizeof(bytes));
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	memcpy(&r, bytes, sizeof(r));
	assert_int_equal(r.tag, at(0, 8));
	assert_int_equal(r.kind, at(8, 1));
	assert_int_equal(r.pipeline, at(9, 1));
	assert_int_equal(r.opcode, at(10, 1));
	assert_int_equal(r.reason, at(11, 1));
	assert_int_equal(r.stage, at(12, 2));
	assert_int_equal(r.drive, at(14, 2));
	assert_int_equal(r.volume, at(16, 4));
	assert_int_equal(r.generation, at(20, 4));
	assert_int_equal(r.address, at(24, 8));
	assert_int_equal(r.length, at(32, 8));
	assert_int_equal(r.buffer, at(40, 8));
	assert_int_equal(r.deadline_ns, at(48, 8));
	assert_int_equal(r.client, at(56, 4));
	assert_int_equal(r.command, at(60, 4));
}

static void a_reply_has_every_field_in_its_place(void **state)
{
	struct handoff_reply r;
	uint8_t bytes[64];

	(void)state;
	assert_int_equal(sizeof(r), sizeof(bytes));
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	memcpy(&r, bytes, sizeof(r));
	assert_int_equal(r.tag, at(0, 8));
	assert_int_equal(r.kind, at(8, 1));
	assert_int_equal(r.opcode, at(9, 1));
	assert_int_equal(r.status, at(10, 2));
	assert_int_equal(r.drive, at(12, 2));
	assert_int_equal(r.flags, at(14, 2));
	assert_int_equal(r.entry, at(16, 8));
	assert_int_equal(r.offset, at(24, 8));
	assert_int_equal(r.length, at(32, 8));
	assert_int_equal(r.arena, at(40, 8));
}

/* A number on either side of the interface means the same in every build. */
static void the_numbers_of_kinds_and_states_are_fixed(void **state)
{
	static const struct {
		int is, want;
	} rows[] = {
		{ HANDOFF_MISS, 1 },
		{ HANDOFF_DISCARD, 2 },
		{ HANDOFF_BARRIER, 3 },
		{ HANDOFF_DRIVE_ERROR, 4 },
		{ HANDOFF_NO_VOLUME, 5 },
		{ HANDOFF_META_DONE, 6 },
		{ HANDOFF_PROTOCOL, 1 },
		{ HANDOFF_THIN, 2 },
		{ HANDOFF_RAID, 3 },
		{ HANDOFF_DRIVE, 4 },
		{ HANDOFF_RESUME, 1 },
		{ HANDOFF_COMPLETE, 2 },
		{ HANDOFF_META_IO, 3 },
		{ HANDOFF_OK, 0 },
		{ HANDOFF_NO_SPACE, 1 },
		{ HANDOFF_IO_ERROR, 2 },
		{ HANDOFF_GONE, 3 },
		{ HANDOFF_INVALID, 4 },
		{ HANDOFF_TIMED_OUT, 5 },
		{ HANDOFF_DETACHED, 0 },
		{ HANDOFF_LOADING, 1 },
		{ HANDOFF_SERVING, 2 },
		{ HANDOFF_UNUSED, 0 },
		{ HANDOFF_ONLINE, 1 },
		{ HANDOFF_FAILED, 2 },
		{ HANDOFF_VOLUME_FREE, 0 },
		{ HANDOFF_VOLUME_ACTIVE, 1 },
		{ HANDOFF_VOLUME_OFFLINE, 2 },
		{ HANDOFF_VOLUME_DELETING, 3 },
		{ ENTRY_HOLE, 0 },
		{ ENTRY_MAPPED, 1 },
		{ ENTRY_NEW, 2 },
		{ HANDOFF_RING, 1024 },
		{ HANDOFF_VERSION, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(rows[i].is, rows[i].want);
}

static void the_object_starts_with_this_header(void **state)
{
	static const uint64_t lanes = 3, page = 4096;
	struct handoff h;
	uint8_t *bytes;
	uint64_t want = page, v;

	(void)state;
	assert_int_equal(handoff_create(3, ENTRIES, &h, NULL), 0);
	bytes = (uint8_t *)h.header;
	assert_memory_equal(bytes, "CWHANDOF\2\0\0\0\3\0\0\0", 16);
	memcpy(&v, bytes + 24, 8);
	assert_int_equal(v, want);
	want += lanes * 33 * page;
	memcpy(&v, bytes + 32, 8);
	assert_int_equal(v, want); /* drives */
	want += 256 * 128;
	memcpy(&v, bytes + 40, 8);
	assert_int_equal(v, want); /* pools */
	want += 16 * 256;
	memcpy(&v, bytes + 48, 8);
	assert_int_equal(v, want); /* volumes */
	want += 1024 * 256;
	memcpy(&v, bytes + 56, 8);
	assert_int_equal(v, want); /* rows */
	want += UINT64_C(16) * 262144 * 128;
	memcpy(&v, bytes + 64, 8);
	assert_int_equal(v, want); /* arena */
	memcpy(&v, bytes + 72, 8);
	assert_int_equal(v, HANDOFF_ARENA_BYTES);
	want += HANDOFF_ARENA_BYTES;
	memcpy(&v, bytes + 80, 8);
	assert_int_equal(v, want); /* table */
	memcpy(&v, bytes + 88, 8);
	assert_int_equal(v, ENTRIES);
	want += ENTRIES * 8;
	memcpy(&v, bytes + 16, 8);
	assert_int_equal(v, want); /* total */
	assert_int_equal(lseek(h.fd, 0, SEEK_END), want);
	handoff_detach(&h);
}

/* -- the header's check --------------------------------------------------- */

static struct handoff_header good_header(void)
{
	struct handoff_header header;
	struct handoff h;

	assert_int_equal(handoff_create(2, ENTRIES, &h, NULL), 0);
	header = *h.header;
	handoff_detach(&h);
	return header;
}

static void each_field_of_a_wrong_header_is_noticed(void **state)
{
	const struct handoff_header good = good_header();
	const uint64_t bytes = good.total_bytes;
	struct handoff_header h;
	static const unsigned offsets[] = { 24, 32, 40, 48, 56, 64, 80 };
	static const int64_t steps[] = { 1,    8,         4095,
		                         4096, INT64_MAX, INT64_MIN + 4096 };

	(void)state;
	assert_int_equal(handoff_check_header(&good, bytes), 0);
	for (unsigned bit = 0; bit < 64; bit++) {
		h = good;
		h.magic ^= UINT64_C(1) << bit;
		assert_int_equal(handoff_check_header(&h, bytes), -EPROTO);
		h = good;
		h.total_bytes ^= UINT64_C(1) << bit;
		assert_int_equal(handoff_check_header(&h, bytes), -EINVAL);
		h = good;
		if (bit < 32) {
			h.version ^= 1u << bit;
			assert_int_equal(handoff_check_header(&h, bytes),
			                 -EPROTO);
		}
	}
	/* Every region lies close to the next: a step either way collides. */
	for (size_t i = 0; i < ARRAY_LEN(offsets); i++) {
		for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
			uint64_t v;

			h = good;
			memcpy(&v, (uint8_t *)&h + offsets[i], 8);
			v += (uint64_t)steps[k];
			memcpy((uint8_t *)&h + offsets[i], &v, 8);
			assert_int_equal(handoff_check_header(&h, bytes),
			                 -EINVAL);
			v -= 2 * (uint64_t)steps[k];
			memcpy((uint8_t *)&h + offsets[i], &v, 8);
			assert_int_equal(handoff_check_header(&h, bytes),
			                 -EINVAL);
		}
	}
}

static void counts_that_do_not_fit_are_noticed(void **state)
{
	const struct handoff_header good = good_header();
	const uint64_t bytes = good.total_bytes;
	static const uint32_t lanes[] = { 0, 3, 16, 17, UINT32_MAX };
	static const uint64_t arena[] = { 0, 1, HANDOFF_ARENA_BYTES + 4096,
		                          UINT64_MAX - 4095, UINT64_MAX };
	static const uint64_t entries[] = {
		0, 1, ENTRIES + 512, ENTRIES - 1, UINT64_C(1) << 61, UINT64_MAX
	};
	struct handoff_header h;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lanes); i++) {
		h = good;
		h.n_lanes = lanes[i];
		assert_int_equal(handoff_check_header(&h, bytes), -EINVAL);
	}
	for (size_t i = 0; i < ARRAY_LEN(arena); i++) {
		h = good;
		h.arena_bytes = arena[i];
		assert_int_equal(handoff_check_header(&h, bytes), -EINVAL);
	}
	for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
		h = good;
		h.table_entries = entries[i];
		assert_int_equal(handoff_check_header(&h, bytes), -EINVAL);
	}
	/* An object of another size than it says, and a tiny one. */
	assert_int_equal(handoff_check_header(&good, bytes - 4096), -EINVAL);
	assert_int_equal(handoff_check_header(&good, bytes + 4096), -EINVAL);
	h = good;
	h.total_bytes = 4096;
	assert_int_equal(handoff_check_header(&h, 4096), -EINVAL);
}

static int attach(const int *fds, unsigned n)
{
	struct handoff out = { .fd = 77 };
	struct err e = { 0 };
	int err = handoff_attach(fds, n, &out, &e);

	assert_true(err < 0);
	assert_int_equal(out.fd, 77); /* untouched */
	assert_int_equal(e.code, err);
	assert_true(e.text[0] != '\0');
	return err;
}

static void what_is_no_object_is_refused(void **state)
{
	struct handoff h;
	int pipe_fds[2], memory;
	uint8_t page[4096] = { 0 };

	(void)state;
	assert_int_equal(handoff_create(2, ENTRIES, &h, NULL), 0);
	const int fds[] = { h.fd, h.slow_wake_fd, h.lane_wake_fd[0],
		            h.lane_wake_fd[1], -1 };

	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(attach(fds, n), -EPROTO);
	assert_int_equal(attach(fds, 5), -EPROTO);

	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(attach((int[]){ pipe_fds[0], 0, 0, 0 }, 4), -EPROTO);
	close(pipe_fds[0]);
	close(pipe_fds[1]);

	memory = memfd_create("test", MFD_CLOEXEC);
	assert_true(memory >= 0);
	assert_int_equal(attach((int[]){ memory, 0, 0, 0 }, 4), -EPROTO);
	assert_int_equal(write(memory, page, sizeof(page)), sizeof(page));
	assert_int_equal(attach((int[]){ memory, 0, 0, 0 }, 4), -EPROTO);
	assert_int_equal(pwrite(memory, h.header, sizeof(page), 0),
	                 sizeof(page));
	assert_int_equal(attach((int[]){ memory, 0, 0, 0 }, 4), -EINVAL);
	close(memory);
	handoff_detach(&h);
}

static void both_sides_see_the_same_memory(void **state)
{
	struct handoff fast, slow;
	struct handoff_request r = { .tag = 4711 }, got;
	int fds[3];

	(void)state;
	assert_int_equal(handoff_create(1, ENTRIES, &fast, NULL), 0);
	fds[0] = fcntl(fast.fd, F_DUPFD_CLOEXEC, 3);
	fds[1] = fcntl(fast.slow_wake_fd, F_DUPFD_CLOEXEC, 3);
	fds[2] = fcntl(fast.lane_wake_fd[0], F_DUPFD_CLOEXEC, 3);
	assert_int_equal(handoff_attach(fds, 3, &slow, NULL), 0);
	assert_int_equal(slow.table_entries, ENTRIES);
	assert_true(handoff_push_request(&fast, 0, &r));
	assert_true(handoff_pop_request(&slow, 0, &got));
	assert_int_equal(got.tag, 4711);
	handoff_set_entry(&slow, ENTRIES - 1, 42);
	assert_int_equal(handoff_entry(&fast, ENTRIES - 1), 42);
	slow.arena[slow.arena_bytes - 1] = 9;
	assert_int_equal(fast.arena[fast.arena_bytes - 1], 9);
	handoff_detach(&slow);
	handoff_detach(&fast);
	handoff_detach(&fast); /* allowed: nothing is left */
}

/* -- rings ---------------------------------------------------------------- */

static struct handoff ring_object;

static int create(void **state)
{
	(void)state;
	return handoff_create(2, ENTRIES, &ring_object, NULL);
}

static int detach(void **state)
{
	(void)state;
	handoff_detach(&ring_object);
	return 0;
}

static void a_ring_takes_so_many_records_and_no_more(void **state)
{
	struct handoff *h = &ring_object;
	struct handoff_request q;
	struct handoff_reply p;

	(void)state;
	assert_false(handoff_pop_request(h, 0, &q));
	assert_false(handoff_pop_reply(h, 0, &p));
	assert_false(handoff_requests_waiting(h, 0));
	for (uint64_t i = 0; i < HANDOFF_RING; i++) {
		q = (struct handoff_request){ .tag = i };
		p = (struct handoff_reply){ .tag = ~i };
		assert_true(handoff_push_request(h, 0, &q));
		assert_true(handoff_push_reply(h, 0, &p));
	}
	assert_false(handoff_push_request(h, 0, &q));
	assert_false(handoff_push_reply(h, 0, &p));
	assert_false(handoff_requests_waiting(h, 1)); /* a lane of its own */
	for (uint64_t i = 0; i < HANDOFF_RING; i++) {
		assert_true(handoff_requests_waiting(h, 0));
		assert_true(handoff_replies_waiting(h, 0));
		assert_true(handoff_pop_request(h, 0, &q));
		assert_true(handoff_pop_reply(h, 0, &p));
		assert_int_equal(q.tag, i);
		assert_int_equal(p.tag, ~i);
	}
	assert_false(handoff_pop_request(h, 0, &q));
	assert_false(handoff_pop_reply(h, 0, &p));
}

static void a_ring_goes_round_in_order(void **state)
{
	struct handoff *h = &ring_object;
	struct handoff_ring *ring = &h->lanes[0].to_slow;
	uint64_t pushed = 0, popped = 0;
	struct handoff_request q;

	(void)state;
	/* The indices run over the end of 64 bits, too. */
	ring->head = ring->tail = UINT64_MAX - 100000;
	for (unsigned turn = 0; turn < 2000; turn++) {
		for (uint64_t n = next() % 1200; n > 0; n--) {
			q = (struct handoff_request){ .tag = pushed };
			if (!handoff_push_request(h, 0, &q))
				break;
			pushed++;
		}
		assert_true(pushed - popped <= HANDOFF_RING);
		for (uint64_t n = next() % 1200; n > 0; n--) {
			if (!handoff_pop_request(h, 0, &q))
				break;
			assert_int_equal(q.tag, popped++);
		}
	}
	assert_true(pushed > 500000);
	assert_true(ring->head < UINT64_MAX / 2);
	handoff_reset_lane(h, 0);
	assert_false(handoff_requests_waiting(h, 0));
}

/* H4: the peer's index may hold anything. */
static void a_ring_whose_index_makes_no_sense_is_empty_or_full(void **state)
{
	struct handoff *h = &ring_object;
	struct handoff_ring *in = &h->lanes[0].to_fast;
	struct handoff_ring *out = &h->lanes[0].to_slow;
	const struct handoff_request q = { .tag = 1 };
	struct handoff_reply p;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		unsigned n = 0;

		handoff_reset_lane(h, 0);
		in->head = next() >> next() % 64;
		out->tail = next() >> next() % 64;
		while (handoff_pop_reply(h, 0, &p))
			assert_true(++n <= HANDOFF_RING);
		assert_int_equal(handoff_replies_waiting(h, 0), false);
		for (n = 0; handoff_push_request(h, 0, &q);)
			assert_true(++n <= HANDOFF_RING);
	}
	handoff_reset_lane(h, 0);
}

/* -- the table and statuses ----------------------------------------------- */

static void cleared_entries_are_holes_and_their_neighbours_stay(void **state)
{
	struct handoff *h = &ring_object;

	(void)state;
	for (unsigned turn = 0; turn < 300; turn++) {
		uint64_t from = next() % (ENTRIES + 1);
		uint64_t n = next() % (ENTRIES - from + 1);

		if (turn % 3 == 0) { /* whole pages */
			from &= ~UINT64_C(511);
			n &= ~UINT64_C(511);
		}
		for (uint64_t i = 0; i < ENTRIES; i++)
			handoff_set_entry(h, i, i + 1);
		handoff_clear_entries(h, from, n);
		for (uint64_t i = 0; i < ENTRIES; i++)
			assert_int_equal(handoff_entry(h, i),
			                 i >= from && i < from + n ? 0 : i + 1);
	}
}

static void a_status_becomes_an_error_and_back(void **state)
{
	static const int errors[] = { 0,      -ENOSPC, -EIO,
		                      -ENXIO, -EINVAL, -ETIMEDOUT };

	(void)state;
	for (unsigned i = 0; i < HANDOFF_STATUSES; i++) {
		assert_int_equal(handoff_status_errno(i), errors[i]);
		assert_int_equal(handoff_errno_status(errors[i]), i);
	}
	for (unsigned i = HANDOFF_STATUSES; i < 65536; i++)
		assert_int_equal(handoff_status_errno(i), -EIO);
	assert_int_equal(handoff_errno_status(-ERANGE), HANDOFF_IO_ERROR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_has_every_field_in_its_place),
		cmocka_unit_test(a_reply_has_every_field_in_its_place),
		cmocka_unit_test(the_numbers_of_kinds_and_states_are_fixed),
		cmocka_unit_test(the_object_starts_with_this_header),
		cmocka_unit_test(each_field_of_a_wrong_header_is_noticed),
		cmocka_unit_test(counts_that_do_not_fit_are_noticed),
		cmocka_unit_test(what_is_no_object_is_refused),
		cmocka_unit_test(both_sides_see_the_same_memory),
		cmocka_unit_test_setup_teardown(
			a_ring_takes_so_many_records_and_no_more, create,
			detach),
		cmocka_unit_test_setup_teardown(a_ring_goes_round_in_order,
		                                create, detach),
		cmocka_unit_test_setup_teardown(
			a_ring_whose_index_makes_no_sense_is_empty_or_full,
			create, detach),
		cmocka_unit_test_setup_teardown(
			cleared_entries_are_holes_and_their_neighbours_stay,
			create, detach),
		cmocka_unit_test(a_status_becomes_an_error_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
