/* SPDX-License-Identifier: BSD-2-Clause */
/* shows S21: a donor that changes, swaps or replays pages is found */
#include "../test.h"

#include "far/seal.h"

#include <string.h>

struct sealed {
	uint64_t version;
	uint8_t tag[FAR_TAG];
	uint8_t bytes[FAR_PAGE]; /* as the donor has them */
};

static void seal(struct seal *s, uint8_t fill, struct sealed *out)
{
	uint8_t page[FAR_PAGE];

	memset(page, fill, sizeof(page));
	out->version = seal_version(s);
	memcpy(out->bytes, page, sizeof(page));
	seal_page(s, out->version, page, out->bytes, out->tag);
}

static bool opens(struct seal *s, const struct sealed *as,
                  const struct sealed *what, uint8_t fill)
{
	uint8_t page[FAR_PAGE];

	memcpy(page, what->bytes, sizeof(page));
	if (!seal_open(s, as->version, page, as->tag))
		return false;
	for (size_t i = 0; i < sizeof(page); i++)
		assert_int_equal(page[i], fill);
	return true;
}

static void check(bool encrypt)
{
	struct sealed a, b, old, bad;
	struct seal s;

	assert_int_equal(seal_init(&s, encrypt, NULL), 0);
	seal(&s, 1, &old);
	seal(&s, 1, &a);
	seal(&s, 2, &b);
	assert_true(opens(&s, &a, &a, 1));
	assert_true(opens(&s, &b, &b, 2));
	assert_false(opens(&s, &a, &b, 1));
	assert_false(opens(&s, &b, &a, 2));
	for (size_t bit = 0; bit < FAR_PAGE * 8; bit += 997) {
		bad = a;
		bad.bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		assert_false(opens(&s, &a, &bad, 1));
	}
	/* The same contents a second time: encrypted they look different, and
	 * the older ones are refused. */
	if (encrypt) {
		assert_memory_not_equal(a.bytes, old.bytes, FAR_PAGE);
		assert_false(opens(&s, &a, &old, 1));
	}
	assert_memory_not_equal(a.tag, old.tag, FAR_TAG);
	seal_fini(&s);
}

static void in_clear(void **state)
{
	(void)state;
	check(false);
}

static void encrypted(void **state)
{
	(void)state;
	check(true);
}

static void keys_differ_from_run_to_run(void **state)
{
	struct seal s, t;
	struct sealed a;

	(void)state;
	assert_int_equal(seal_init(&s, false, NULL), 0);
	assert_int_equal(seal_init(&t, false, NULL), 0);
	seal(&s, 1, &a);
	assert_false(opens(&t, &a, &a, 1));
	seal_fini(&s);
	seal_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_clear),
		cmocka_unit_test(encrypted),
		cmocka_unit_test(keys_differ_from_run_to_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
