/* SPDX-License-Identifier: BSD-2-Clause */
/* shows S14, S18, S21: where an address lies among donors; a donor that dies,
 * one that lies */
#include "../test.h"

#include "../../support/block_rig.h"

#include "base/base.h"
#include "block/finish.h"
#include "drive/drive.h"
#include "far/store.h"

#include <errno.h>
#include <string.h>

#define PIECE 65536u

static unsigned n_lost;
static int lost_by;

static void lost(void *ctx, unsigned index, int err)
{
	(void)ctx;
	lost_by = err;
	n_lost += 1u << (8 * index);
}

/* A donor that fails everything, or keeps the next request, once told to. */
struct dying {
	struct block_device dev;
	struct block_device *below;
	bool dead;
	bool holds;
	struct block_request *held;
};

static void dying_submit(struct block_device *dev, struct block_request *q)
{
	struct dying *d = container_of(dev, struct dying, dev);

	if (d->dead) {
		block_finish(q, -ENXIO);
	} else if (d->holds) {
		d->held = q;
		d->holds = false;
	} else {
		block_submit(d->below, q);
	}
}

static void dying_close(struct block_device *dev)
{
	block_close(container_of(dev, struct dying, dev)->below);
}

static const struct block_ops dying_ops = { "dying", dying_submit,
	                                    dying_close };

static struct dying donor[3];

/* Up to 2 members are copies, more are RAID 5. */
static struct block_device *make(const char *const specs[], unsigned n,
                                 unsigned members, int wants)
{
	struct block_device *donors[3], *store = NULL;
	struct store_opts o = { .donors = donors,
		                .n_donors = n,
		                .copies = members,
		                .raid5 = members > 2 ? members : 0,
		                .watcher = { .lost = lost } };

	n_lost = 0;
	for (unsigned i = 0; i < n; i++) {
		donor[i] = (struct dying){ .dev.ops = &dying_ops };
		assert_int_equal(drive_open(specs[i], &donor[i].below, NULL),
		                 0);
		donor[i].dev.size = donor[i].below->size;
		donor[i].dev.grain = donor[i].below->grain;
		donors[i] = &donor[i].dev;
	}
	assert_int_equal(store_create(&o, &store, NULL), wants);
	return store;
}

static void fill(struct block_device *store, uint8_t seed)
{
	uint8_t data[PIECE];

	for (uint64_t at = 0; at < store->size; at += PIECE) {
		memset(data, (int)(at / PIECE % 251 + seed), sizeof(data));
		assert_int_equal(rig_do(store, BLOCK_WRITE, 0, at, PIECE, data),
		                 0);
	}
}

static void check(struct block_device *store, uint8_t seed)
{
	uint8_t data[PIECE], wants[PIECE];

	for (uint64_t at = 0; at < store->size; at += PIECE) {
		assert_int_equal(rig_do(store, BLOCK_READ, 0, at, PIECE, data),
		                 0);
		memset(wants, (int)(at / PIECE % 251 + seed), sizeof(wants));
		assert_memory_equal(data, wants, PIECE);
	}
}

static void donors_of_any_size_are_used_up(void **state)
{
	static const struct {
		const char *specs[3];
		unsigned n, copies;
		uint64_t rows;
	} rows[] = {
		{ { "ram:64M" }, 1, 1, 4 },
		{ { "ram:64M", "ram:32M", "ram:17M" }, 3, 1, 7 },
		{ { "ram:64M", "ram:64M" }, 2, 2, 4 },
		{ { "ram:64M", "ram:32M", "ram:32M" }, 3, 2, 4 },
		{ { "ram:128M", "ram:16M", "ram:16M" }, 3, 2, 2 },
		{ { "ram:64M", "ram:32M", "ram:25M" }, 3, 3, 3 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct block_device *s =
			make(rows[i].specs, rows[i].n, rows[i].copies, 0);

		assert_int_equal(s->size, rows[i].rows * STORE_EXTENT);
		fill(s, 1);
		check(s, 1);
		block_close(s);
	}
}

static void what_cannot_be_is_refused(void **state)
{
	static const char *const small[] = { "ram:15M" };
	static const char *const one[] = { "ram:64M" };
	static const char *const three[] = { "ram:64M", "ram:64M", "ram:64M" };

	(void)state;
	make(small, 1, 1, -ENOSPC);
	make(one, 1, 2, -EINVAL);
	make(one, 1, 3, -EINVAL);
	make(three, 3, 4, -EINVAL);
	make(three, 3, 5, -EINVAL);
	make(one, 1, 0, -EINVAL);
}

static void a_donor_dies_and_the_others_have_all(void **state)
{
	static const char *const specs[] = { "ram:32M", "ram:32M", "ram:32M" };

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		unsigned victim = i % 3;
		struct block_device *s = make(specs, 3, 2 + i / 3, 0);
		struct store_donor_info info[STORE_DONORS_MAX];

		fill(s, 3);
		donor[victim].dead = true;
		check(s, 3);
		fill(s, 4);
		check(s, 4);
		assert_int_equal(n_lost, 1u << (8 * victim));
		store_info(s, info);
		for (unsigned k = 0; k < 3; k++)
			assert_int_equal(info[k].state != STORE_DONOR_ONLINE,
			                 k == victim);
		block_close(s);
	}
}

static void with_one_copy_its_part_is_lost(void **state)
{
	static const char *const specs[] = { "ram:16M", "ram:16M" };
	struct block_device *s = make(specs, 2, 1, 0);
	uint8_t data[PIECE];
	unsigned n_failed = 0;

	(void)state;
	fill(s, 1);
	donor[0].dead = true;
	for (uint64_t at = 0; at < s->size; at += PIECE)
		n_failed += rig_do(s, BLOCK_READ, 0, at, PIECE, data) == -EIO;
	assert_int_equal(n_failed, STORE_EXTENT / PIECE);
	block_close(s);
}

/* Requests that span chunks and rows, and edges. */
static void long_requests_are_cut(void **state)
{
	static const char *const specs[] = { "ram:32M", "ram:32M" };
	struct block_device *s = make(specs, 2, 2, 0);
	uint8_t *out = malloc(STORE_REQUEST), *in = malloc(STORE_REQUEST);

	(void)state;
	for (size_t i = 0; i < STORE_REQUEST; i++)
		out[i] = (uint8_t)(i * 7 >> 3);
	for (uint64_t at = STORE_EXTENT - 9 * 512; at < STORE_EXTENT;
	     at += 1536) {
		assert_int_equal(
			rig_do(s, BLOCK_WRITE, 0, at, STORE_REQUEST, out), 0);
		assert_int_equal(
			rig_do(s, BLOCK_READ, 0, at, STORE_REQUEST, in), 0);
		assert_memory_equal(out, in, STORE_REQUEST);
	}
	assert_int_equal(rig_do(s, BLOCK_READ, 0, 0, STORE_REQUEST + 512, in),
	                 -EINVAL);
	assert_int_equal(rig_do(s, BLOCK_READ, 0, s->size, 512, in), -ERANGE);
	assert_int_equal(rig_do(s, BLOCK_FLUSH, 0, 0, 0, NULL), 0);
	free(out);
	free(in);
	block_close(s);
}

/* -- lies ------------------------------------------------------------------ */

/* As fill() wrote it, with seed 5; each part of a request by itself. */
static bool is_filled(struct block_request *q, uint64_t at, uint64_t length)
{
	const uint8_t *data = q->iov->iov_base;

	for (uint64_t i = at; i < at + length; i++)
		if (data[i] != (uint8_t)((q->offset + i) / PIECE % 251 + 5))
			return false;
	return true;
}

static void read_begin(struct rig_call *c, struct block_device *store,
                       uint64_t at, uint64_t length, void *data)
{
	*c = (struct rig_call){ .iov = { data, length },
		                .q = { .op = BLOCK_READ,
		                       .offset = at,
		                       .length = length,
		                       .iov = &c->iov,
		                       .iov_count = 1,
		                       .done = rig_done,
		                       .check = is_filled } };
	block_submit(store, &c->q);
}

static int read_checked(struct block_device *store, uint64_t at,
                        uint64_t length, void *data)
{
	struct rig_call c;

	read_begin(&c, store, at, length, data);
	return rig_wait(&c);
}

static void scribble(unsigned i, uint64_t at, uint64_t length)
{
	static uint8_t junk[PIECE];

	memset(junk, 0xee, sizeof(junk));
	for (uint64_t end = at + length; at < end; at += PIECE)
		assert_int_equal(
			rig_do(donor[i].below, BLOCK_WRITE, 0, at, PIECE, junk),
			0);
}

static void a_donor_that_lies_is_left_out(void **state)
{
	static const char *const specs[] = { "ram:32M", "ram:32M", "ram:32M" };
	static uint8_t data[STORE_REQUEST];

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		unsigned liar = i % 3;
		struct block_device *s = make(specs, 3, 2 + i / 3, 0);

		fill(s, 5);
		scribble(liar, 0, donor[liar].dev.size);
		for (uint64_t at = 0; at < s->size; at += sizeof(data))
			assert_int_equal(
				read_checked(s, at, sizeof(data), data), 0);
		assert_int_equal(n_lost, 1u << (8 * liar));
		assert_int_equal(lost_by, -EBADMSG);
		block_close(s);
	}
}

/* What it was asked before it was left out is as wrong as the rest. */
static void its_last_answer_is_read_elsewhere(void **state)
{
	static const char *const specs[] = { "ram:16M", "ram:16M" };
	static uint8_t data[2][PIECE];
	struct rig_call late;

	(void)state;
	for (unsigned liar = 0; liar < 2; liar++) {
		struct block_device *s = make(specs, 2, 2, 0);

		fill(s, 5);
		scribble(liar, 0, donor[liar].dev.size);
		donor[liar].holds = true; /* it has every other chunk */
		read_begin(&late, s, liar * PIECE, PIECE, data[0]);
		assert_non_null(donor[liar].held);
		assert_int_equal(
			read_checked(s, (liar + 2) * PIECE, PIECE, data[1]), 0);
		assert_int_equal(n_lost, 1u << (8 * liar));
		block_submit(donor[liar].below, donor[liar].held);
		assert_int_equal(rig_wait(&late), 0);
		block_close(s);
	}
}

/* N5: who lied is not known, so nobody is left out for it. */
static void where_nobody_is_right_nobody_is_lost(void **state)
{
	static const char *const specs[] = { "ram:16M", "ram:16M" };
	static uint8_t data[PIECE];

	(void)state;
	for (unsigned copies = 1; copies <= 2; copies++) {
		struct block_device *s = make(specs, 2, copies, 0);

		fill(s, 5);
		for (unsigned i = 0; i < copies; i++)
			scribble(i, 0, PIECE);
		assert_int_equal(read_checked(s, 0, PIECE, data), -EBADMSG);
		for (uint64_t at = PIECE; at < s->size; at += PIECE)
			assert_int_equal(read_checked(s, at, PIECE, data), 0);
		assert_int_equal(n_lost, 0);
		block_close(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(donors_of_any_size_are_used_up),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(a_donor_dies_and_the_others_have_all),
		cmocka_unit_test(with_one_copy_its_part_is_lost),
		cmocka_unit_test(long_requests_are_cut),
		cmocka_unit_test(a_donor_that_lies_is_left_out),
		cmocka_unit_test(its_last_answer_is_read_elsewhere),
		cmocka_unit_test(where_nobody_is_right_nobody_is_lost),
	};
	struct reactor *r = rig_reactor();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	reactor_destroy(r);
	return failed;
}
