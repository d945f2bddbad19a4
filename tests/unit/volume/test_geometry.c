/* SPDX-License-Identifier: BSD-2-Clause */
/* The translation of chunks, against a model that deals strips like cards.
 * shows V5, V6 */
#include "../test.h"

#include "volume/geometry.h"

#include "base/base.h"

#include <errno.h>
#include <string.h>

#define DRIVES_MAX 32u
#define PARITY 100u
#define EMPTY 101u

static const enum raid_profile profiles[] = { RAID0, RAID1, RAID5 };

/* What the profile's documentation promises, counted out by hand. */
static bool model_choose(enum raid_profile profile, unsigned drives,
                         unsigned *width, unsigned *data)
{
	static const unsigned raid0[] = { 8, 4, 2, 1 };
	static const unsigned raid5[] = { 8, 4, 2 };

	switch (profile) {
	case RAID0:
		for (unsigned i = 0; i < ARRAY_LEN(raid0); i++) {
			if (raid0[i] > drives)
				continue;
			*width = *data = raid0[i];
			return true;
		}
		return false;
	case RAID1:
		*width = 2;
		*data = 1;
		return drives >= 2;
	case RAID5:
		for (unsigned i = 0; i < ARRAY_LEN(raid5); i++) {
			if (raid5[i] + 1 > drives)
				continue;
			*data = raid5[i];
			*width = raid5[i] + 1;
			return true;
		}
		return false;
	}
	return false;
}

static void the_widest_row_that_fits_is_chosen(void **state)
{
	(void)state;
	for (size_t p = 0; p < ARRAY_LEN(profiles); p++) {
		for (unsigned n = 0; n <= DRIVES_MAX; n++) {
			unsigned width = 0, data = 0;
			struct geometry g = { .width = 77 };
			bool fits = model_choose(profiles[p], n, &width, &data);

			assert_int_equal(geometry_choose(profiles[p], n, &g),
			                 fits ? 0 : -EINVAL);
			if (!fits) {
				assert_int_equal(g.width, 77);
				continue;
			}
			assert_int_equal(g.profile, profiles[p]);
			assert_int_equal(g.width, width);
			assert_int_equal(g.data, data);
			assert_int_equal(data << g.strip_shift, CHUNK_BYTES);
			assert_true(width <= HANDOFF_WIDTH);
			assert_true(geometry_valid(&g));
		}
	}
}

/*
 * Deal the data strips of `chunks` chunks to the members one by one, in a
 * circle; with parity, the member that gets no strip of a chunk holds it.
 */
static void model_deal(const struct geometry *g, unsigned chunks,
                       unsigned char grid[][HANDOFF_WIDTH])
{
	unsigned next = 0;

	for (unsigned i = 0; i < chunks; i++) {
		memset(grid[i], g->profile == RAID5 ? PARITY : EMPTY,
		       HANDOFF_WIDTH);
		for (unsigned k = 0; k < g->data; k++) {
			grid[i][next] = (unsigned char)k;
			next = (next + 1) % g->width;
		}
		if (g->profile != RAID5)
			next = 0;
	}
}

static void strips_lie_where_the_model_deals_them(void **state)
{
	static unsigned char grid[1000][HANDOFF_WIDTH];

	(void)state;
	for (size_t p = 0; p < ARRAY_LEN(profiles); p++) {
		for (unsigned n = 1; n <= DRIVES_MAX; n++) {
			struct geometry g;

			if (geometry_choose(profiles[p], n, &g))
				continue;
			model_deal(&g, ARRAY_LEN(grid), grid);
			for (uint32_t i = 0; i < ARRAY_LEN(grid); i++) {
				for (unsigned k = 0; k < g.data; k++) {
					unsigned m =
						geometry_data_member(&g, i, k);

					assert_true(m < g.width);
					assert_int_equal(grid[i][m], k);
				}
				if (g.profile != RAID5)
					continue;
				assert_int_equal(
					grid[i][geometry_parity_member(&g, i)],
					PARITY);
			}
		}
	}
}

static void every_member_of_the_last_chunk_is_its_own(void **state)
{
	const uint32_t edges[] = { 0, 1, (1u << ENTRY_INDEX_BITS) - 1,
		                   UINT32_MAX };

	(void)state;
	for (unsigned n = 3; n <= DRIVES_MAX; n++) {
		struct geometry g;

		assert_int_equal(geometry_choose(RAID5, n, &g), 0);
		for (size_t e = 0; e < ARRAY_LEN(edges); e++) {
			unsigned seen = 1u
			                << geometry_parity_member(&g, edges[e]);

			for (unsigned k = 0; k < g.data; k++)
				seen |= 1u << geometry_data_member(&g, edges[e],
				                                   k);
			assert_int_equal(seen, (1u << g.width) - 1);
		}
	}
}

static bool same(const struct geometry *a, const struct geometry *b)
{
	return a->profile == b->profile && a->width == b->width &&
	       a->data == b->data && a->strip_shift == b->strip_shift;
}

static bool can_be_chosen(const struct geometry *g)
{
	for (size_t p = 0; p < ARRAY_LEN(profiles); p++) {
		for (unsigned n = 1; n <= DRIVES_MAX; n++) {
			struct geometry c;

			if (!geometry_choose(profiles[p], n, &c) && same(&c, g))
				return true;
		}
	}
	return false;
}

static void a_row_is_valid_if_it_could_have_been_chosen(void **state)
{
	unsigned valid = 0;

	(void)state;
	for (unsigned p = 0; p < 9; p++) {
		for (unsigned w = 0; w < 20; w++) {
			for (unsigned d = 0; d < 20; d++) {
				for (unsigned s = 10; s < 20; s++) {
					struct geometry g = {
						(enum raid_profile)p,
						(uint8_t)w, (uint8_t)d,
						(uint8_t)s
					};

					valid += geometry_valid(&g);
					assert_int_equal(geometry_valid(&g),
					                 can_be_chosen(&g));
				}
			}
		}
	}
	assert_int_equal(valid, 4 + 1 + 3);
}

static void extreme_bytes_are_no_valid_row(void **state)
{
	const uint8_t bytes[] = { 0, 1, 127, 128, 254, 255 };
	const unsigned n = ARRAY_LEN(bytes);

	(void)state;
	for (unsigned i = 0; i < n * n * n * n; i++) {
		struct geometry g = { (enum raid_profile)bytes[i % n],
			              bytes[i / n % n], bytes[i / n / n % n],
			              bytes[i / n / n / n] };

		assert_false(geometry_valid(&g));
	}
}

static void chunks_fill_an_extent(void **state)
{
	(void)state;
	for (unsigned n = 3; n <= 9; n++) {
		struct geometry g;
		uint64_t extent = UINT64_C(16) << 20;

		assert_int_equal(geometry_choose(RAID5, n, &g), 0);
		assert_int_equal(geometry_chunks(&g, extent) *
		                         (CHUNK_BYTES / g.data),
		                 extent);
		assert_int_equal(geometry_chunks(&g, 0), 0);
		assert_int_equal(
			geometry_chunks(&g, (CHUNK_BYTES / g.data) - 1), 0);
	}
}

static void profiles_have_names_tolerance_and_a_least_width(void **state)
{
	static const struct {
		const char *name;
		enum raid_profile profile;
		unsigned tolerance, least;
	} rows[] = {
		{ "raid0", RAID0, 0, 1 },
		{ "raid1", RAID1, 1, 2 },
		{ "raid5", RAID5, 1, 3 },
	};
	enum raid_profile p = RAID5;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_string_equal(geometry_profile_name(rows[i].profile),
		                    rows[i].name);
		assert_int_equal(geometry_profile_parse(rows[i].name, &p), 0);
		assert_int_equal(p, rows[i].profile);
		assert_int_equal(geometry_tolerance(p), rows[i].tolerance);
		assert_int_equal(geometry_min_drives(p), rows[i].least);
	}
	assert_null(geometry_profile_name(2));
	assert_null(geometry_profile_name(255));
	assert_int_equal(geometry_profile_parse("raid", &p), -EINVAL);
	assert_int_equal(geometry_profile_parse("raid00", &p), -EINVAL);
	assert_int_equal(geometry_profile_parse("", &p), -EINVAL);
	assert_int_equal(p, RAID5);
}

static void an_entry_gives_back_what_was_put_in(void **state)
{
	const uint32_t rows[] = { 0, 1, 4711, (1u << ENTRY_ROW_BITS) - 1 };
	const uint32_t indices[] = { 0, 1, 255, (1u << ENTRY_INDEX_BITS) - 1 };
	const enum entry_state states[] = { ENTRY_MAPPED, ENTRY_NEW };

	(void)state;
	for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
		for (size_t i = 0; i < ARRAY_LEN(indices); i++) {
			for (size_t s = 0; s < ARRAY_LEN(states); s++) {
				uint64_t e = entry_make(states[s], rows[r],
				                        indices[i]);

				assert_int_equal(entry_row(e), rows[r]);
				assert_int_equal(entry_index(e), indices[i]);
				assert_int_equal(entry_state(e), states[s]);
				assert_int_equal(e >> 48, 0xffff);
				assert_true(e != 0);
			}
		}
	}
	/* The layout is the interface's: bit for bit. */
	assert_int_equal(entry_make(ENTRY_MAPPED, 0x12345, 0x2beef),
	                 UINT64_C(0xffff01048d16beef));
	assert_int_equal(entry_state(0), ENTRY_HOLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_widest_row_that_fits_is_chosen),
		cmocka_unit_test(strips_lie_where_the_model_deals_them),
		cmocka_unit_test(every_member_of_the_last_chunk_is_its_own),
		cmocka_unit_test(a_row_is_valid_if_it_could_have_been_chosen),
		cmocka_unit_test(extreme_bytes_are_no_valid_row),
		cmocka_unit_test(chunks_fill_an_extent),
		cmocka_unit_test(
			profiles_have_names_tolerance_and_a_least_width),
		cmocka_unit_test(an_entry_gives_back_what_was_put_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
