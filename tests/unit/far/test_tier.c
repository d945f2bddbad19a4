/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tier against a model that keeps every page as it is: random pages,
 * holders, writers and limits.
 */
#include "../test.h"

#include "far/tier.h"

#include <stdlib.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define PAGES 3000u /* of the model */
#define BATCH 16u

static uint64_t seed = 88172645463325252u;

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* `noise` bytes that do not compress, then what does. */
static void make_page(uint8_t page[FAR_PAGE], uint64_t number, unsigned noise)
{
	uint64_t state = number * 2654435761u + 1;

	memset(page, (int)(number % 251) + 1, FAR_PAGE);
	for (unsigned i = 0; i + 8 <= noise; i += 8) {
		state = state * UINT64_C(6364136223846793005) +
		        1442695040888963407u;
		memcpy(page + i, &state, 8);
	}
	memcpy(page, &number, sizeof(number));
}

static bool put_page(struct tier *t, const uint8_t page[FAR_PAGE],
                     uint32_t *cell)
{
	uint8_t packed[TIER_PACKED];
	void *work = malloc(tier_pack_size());
	unsigned length = tier_pack(work, page, packed);

	free(work);
	return length > 0 && tier_put(t, packed, length, cell);
}

static void what_does_not_compress_is_refused(void **state)
{
	uint8_t page[FAR_PAGE];
	struct tier t;
	uint32_t cell;

	(void)state;
	assert_int_equal(tier_init(&t, MIB), 0);
	make_page(page, 1, FAR_PAGE);
	assert_false(put_page(&t, page, &cell));
	make_page(page, 1, TIER_LARGEST + 64);
	assert_false(put_page(&t, page, &cell));
	assert_int_equal(t.pages, 0);
	make_page(page, 1, TIER_LARGEST - 64);
	assert_true(put_page(&t, page, &cell));
	assert_int_equal(tier_release(&t, cell), FAR_NO_SLOT);
	tier_check(&t);
	tier_fini(&t);
}

/* T3 */
static void a_full_tier_refuses(void **state)
{
	uint8_t page[FAR_PAGE];
	struct tier t;
	uint32_t cell, n = 0, first = 0;

	(void)state;
	assert_int_equal(tier_init(&t, MIB), 0);
	make_page(page, 1, 1000);
	while (put_page(&t, page, &cell)) {
		if (n++ == 0)
			first = cell;
	}
	/* All but the rest of a block and of a chunk of cells is used. */
	assert_in_range(n * 1100, MIB * 8 / 10, MIB);
	assert_true(t.bytes <= t.limit);
	tier_release(&t, first);
	assert_true(put_page(&t, page, &cell));
	assert_false(put_page(&t, page, &cell));
	t.limit = 0; /* what is there stays */
	assert_int_equal(t.pages, n);
	tier_check(&t);
	tier_fini(&t);
}

/* Blocks of one size come free for another, although none is empty. */
static void sparse_blocks_are_compacted(void **state)
{
	uint8_t page[FAR_PAGE], back[FAR_PAGE];
	uint32_t cell[1000], n = 0, kept = 0, more = 0, large;
	struct tier t;

	(void)state;
	assert_int_equal(tier_init(&t, MIB), 0);
	for (; n < 1000; n++) {
		make_page(page, n, 1000);
		if (!put_page(&t, page, &cell[n]))
			break;
	}
	for (uint32_t i = 0; i < n; i++) /* one of ten stays */
		if (i % 10)
			tier_release(&t, cell[i]);
		else
			kept++;
	make_page(page, 1, 2500);
	while (put_page(&t, page, &large))
		more++;
	assert_true(kept > 50);
	assert_in_range(more * 2560, MIB * 7 / 10, MIB);
	for (uint32_t i = 0; i < n; i += 10) {
		make_page(page, i, 1000);
		tier_get(&t, cell[i], back);
		assert_memory_equal(page, back, FAR_PAGE);
	}
	tier_check(&t);
	tier_fini(&t);
}

static void the_coldest_leave_first(void **state)
{
	const struct tier_address address = { .slot = 7, .version = 9 };
	uint8_t page[FAR_PAGE], back[FAR_PAGE];
	uint32_t cell[5], out[5];
	struct tier t;

	(void)state;
	assert_int_equal(tier_init(&t, MIB), 0);
	for (uint32_t i = 0; i < 5; i++) {
		make_page(page, i, 100);
		assert_true(put_page(&t, page, &cell[i]));
	}
	tier_release(&t, cell[1]);
	assert_int_equal(tier_coldest(&t, 2, out), 2);
	assert_int_equal(out[0], cell[0]);
	assert_int_equal(out[1], cell[2]);
	/* It can be had until it is stored. */
	tier_get(&t, cell[0], back);
	assert_null(tier_elsewhere(&t, cell[0]));
	assert_true(tier_stored(&t, cell[0], &address));
	assert_int_equal(tier_elsewhere(&t, cell[0])->slot, 7);
	assert_int_equal(tier_release(&t, cell[0]), 7);
	/* Nobody wants it by the time it is stored. */
	tier_release(&t, cell[2]);
	assert_false(tier_stored(&t, cell[2], &address));
	/* What could not be stored is the last to be tried again. */
	assert_int_equal(tier_coldest(&t, 1, out), 1);
	assert_int_equal(out[0], cell[3]);
	tier_kept(&t, cell[3]);
	assert_int_equal(tier_coldest(&t, 5, out), 2);
	assert_int_equal(out[0], cell[4]);
	assert_int_equal(out[1], cell[3]);
	tier_check(&t);
	tier_fini(&t);
}

/* -- the model ------------------------------------------------------------- */

struct model_page {
	unsigned holders; /* 0: not in use */
	unsigned noise;
	bool leaving;
	uint32_t slot; /* FAR_NO_SLOT: it is in the tier */
	uint32_t cell;
};

struct model {
	struct tier t;
	struct model_page page[PAGES];
	uint32_t leaving[BATCH]; /* pages */
	unsigned n_leaving;
	uint32_t next_slot;
	unsigned puts, refused, stored;
};

static void check_page(struct model *m, uint32_t i)
{
	const struct model_page *p = &m->page[i];
	uint8_t want[FAR_PAGE], got[FAR_PAGE];
	const struct tier_address *a = tier_elsewhere(&m->t, p->cell);

	if (p->slot != FAR_NO_SLOT) {
		assert_non_null(a);
		assert_int_equal(a->slot, p->slot);
		assert_int_equal(a->version, p->slot + 1);
		return;
	}
	assert_null(a);
	make_page(want, i, p->noise);
	tier_get(&m->t, p->cell, got);
	assert_memory_equal(want, got, FAR_PAGE);
}

static void put(struct model *m, uint32_t i)
{
	struct model_page *p = &m->page[i];
	uint64_t before = m->t.bytes;
	uint8_t page[FAR_PAGE];

	/* Now small pages, now large ones, so that classes come and go. */
	p->noise = (unsigned)(next_random() % 700) + (m->puts / 5000 % 3) * 900;
	make_page(page, i, p->noise);
	m->puts++;
	if (!put_page(&m->t, page, &p->cell)) {
		m->refused++;
		return;
	}
	assert_true(m->t.bytes <= m->t.limit || m->t.bytes <= before);
	p->holders = 1;
	p->slot = FAR_NO_SLOT;
}

static void release(struct model *m, uint32_t i)
{
	struct model_page *p = &m->page[i];
	uint32_t slot = tier_release(&m->t, p->cell);

	p->holders--;
	if (p->holders == 0 && !p->leaving)
		assert_int_equal(slot, p->slot);
	else
		assert_int_equal(slot, FAR_NO_SLOT);
}

static uint32_t page_of_cell(const struct model *m, uint32_t cell)
{
	for (uint32_t i = 0; i < PAGES; i++)
		if ((m->page[i].holders || m->page[i].leaving) &&
		    m->page[i].cell == cell)
			return i;
	fail_msg("cell %u is nobody's", cell);
	return 0;
}

static void leave(struct model *m)
{
	uint32_t cell[BATCH];

	m->n_leaving = tier_coldest(&m->t, BATCH, cell);
	for (unsigned i = 0; i < m->n_leaving; i++) {
		m->leaving[i] = page_of_cell(m, cell[i]);
		m->page[m->leaving[i]].leaving = true;
	}
}

static void settle(struct model *m)
{
	for (unsigned i = 0; i < m->n_leaving; i++) {
		struct model_page *p = &m->page[m->leaving[i]];
		struct tier_address a = { .slot = m->next_slot++ };

		p->leaving = false;
		a.version = a.slot + 1;
		if (next_random() % 8 == 0) {
			tier_kept(&m->t, p->cell);
			continue;
		}
		assert_int_equal(tier_stored(&m->t, p->cell, &a),
		                 p->holders > 0);
		m->stored++;
		p->slot = a.slot;
	}
	m->n_leaving = 0;
}

static void step(struct model *m)
{
	uint32_t i = (uint32_t)(next_random() % PAGES);
	struct model_page *p = &m->page[i];
	unsigned what = (unsigned)(next_random() % 100);

	if (what < 2 && m->n_leaving)
		settle(m);
	else if (what < 2)
		leave(m);
	else if (what == 2) {
		m->t.limit = MIB / 2 + next_random() % (MIB / 2);
		tier_shrink(&m->t);
	} else if (!p->holders && !p->leaving)
		put(m, i);
	else if (!p->holders)
		return;
	else if (what < 30)
		check_page(m, i);
	else if (what < 40 && p->holders < 5) {
		tier_hold(&m->t, p->cell);
		p->holders++;
	} else
		release(m, i);
}

/* T1, T2, T3, T4 */
static void it_is_as_a_model_says(void **state)
{
	static struct model m;

	(void)state;
	assert_int_equal(tier_init(&m.t, MIB), 0);
	for (unsigned i = 0; i < 200000; i++) {
		step(&m);
		if (i % 1000 == 0)
			tier_check(&m.t);
	}
	assert_true(m.refused > 1000 && m.stored > 1000);
	settle(&m);
	for (uint32_t i = 0; i < PAGES; i++) {
		if (m.page[i].holders)
			check_page(&m, i);
		while (m.page[i].holders)
			release(&m, i);
	}
	tier_check(&m.t);
	assert_int_equal(m.t.packed, 0);
	assert_int_equal(m.t.pages, 0);
	/* Only cells are left. */
	assert_true(m.t.bytes < MIB / 4);
	tier_fini(&m.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_does_not_compress_is_refused),
		cmocka_unit_test(a_full_tier_refuses),
		cmocka_unit_test(sparse_blocks_are_compacted),
		cmocka_unit_test(the_coldest_leave_first),
		cmocka_unit_test(it_is_as_a_model_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
