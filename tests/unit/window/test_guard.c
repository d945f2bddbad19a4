/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "base/base.h"
#include "core/reactor.h"
#include "fabric/service.h"
#include "window/guard.h"
#include "window/key.h"
#include "window/region.h"

#include <stdlib.h>
#include <string.h>

#define KEYS 1000000u
#define GUESSES 10000000u
#define AT_ONCE 256u /* GUARD_NODE */

static struct reactor *reactor;
static struct grant_table table;
static struct grant_owner owner;
static struct region *memory;

static int setup(void **state)
{
	const struct reactor_opts opts = { .name = "test" };

	(void)state;
	assert_int_equal(reactor_create(&opts, &reactor, NULL), 0);
	reactor_bind(reactor);
	assert_int_equal(grant_table_init(&table, reactor, 100000), 0);
	grant_owner_init(&owner, "w", 0);
	assert_int_equal(region_make(NULL, 4096, &memory, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	grant_table_fini(&table);
	region_put(memory);
	reactor_bind(NULL);
	reactor_destroy(reactor);
	return 0;
}

static struct grant *grant_for(const char *node, uint8_t process)
{
	const struct grant_range range = { .region = memory, .length = 4096 };
	struct grant_holder holder = { 0 };
	struct grant *g;

	strcpy(holder.node, node);
	holder.process.byte[0] = process;
	assert_int_equal(
		grant_create(&table,
	                     &(struct grant_spec){ .holder = &holder,
	                                           .rights = FABRIC_RIGHT_READ,
	                                           .owner = &owner,
	                                           .n_ranges = 1,
	                                           .range = &range },
	                     &g),
		0);
	return g;
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct fabric_key));
}

/* shows M17: a million in a row, none twice; each bit is as often 1 as 0 */
static void never_again(void **state)
{
	struct fabric_key *keys = calloc(KEYS, sizeof(*keys));
	unsigned ones[128] = { 0 };

	(void)state;
	for (unsigned i = 0; i < KEYS; i++) {
		assert_int_equal(key_mint(&keys[i]), 0);
		for (unsigned b = 0; b < 128; b++)
			ones[b] += keys[i].byte[b / 8] >> b % 8 & 1;
	}
	for (unsigned b = 0; b < 128; b++)
		assert_in_range(ones[b], KEYS / 2 - 5000, KEYS / 2 + 5000);
	qsort(keys, KEYS, sizeof(*keys), by_bytes);
	for (unsigned i = 1; i < KEYS; i++)
		assert_int_not_equal(by_bytes(&keys[i - 1], &keys[i]), 0);
	free(keys);
}

/* shows M17: a key made, used, ended and made again is another */
static void made_again(void **state)
{
	struct fabric_key last = { 0 };

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct grant *g = grant_for("b", 0);

		assert_false(key_equal(&g->key, &last));
		last = g->key;
		grant_end(&table, g, GRANT_REVOKED);
	}
}

/* shows M17: whole keys are compared, whichever bit differs */
static void every_bit(void **state)
{
	struct grant *g = grant_for("b", 0);

	(void)state;
	for (unsigned bit = 0; bit < 128; bit++) {
		struct fabric_key near = g->key;

		near.byte[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_null(grant_find(&table, &near));
		assert_false(key_equal(&near, &g->key));
	}
	assert_ptr_equal(grant_find(&table, &g->key), g);
}

static uint64_t xorshift(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/*
 * shows M17: ten million guesses in a (simulated) minute among a thousand
 * keys: none succeeds, and but 256 + 16 a second are looked at; then the
 * asker's own key waits too, while another asker notices nothing.
 */
static void guesses(void **state)
{
	uint64_t seed = 88172645463325252u, now = NS_PER_S, looked = 0;
	struct grant *mine, *other;
	struct guard guesser, honest;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		grant_for("b", 0);
	mine = grant_for("b", 0);
	other = grant_for("c", 0);
	guard_init(&guesser, GUARD_NODE, "b", NULL, now);
	guard_init(&honest, GUARD_NODE, "c", NULL, now);
	for (unsigned i = 0; i < GUESSES; i++, now += 6000) {
		struct fabric_key key;
		uint64_t half[2] = { xorshift(&seed), xorshift(&seed) };
		enum fabric_status status;

		memcpy(key.byte, half, sizeof(key.byte));
		if (i % 4 == 0) /* close to one that is */
			memcpy(key.byte, mine->key.byte, 15);
		status = guard_access(&guesser, &table, &key, FABRIC_RIGHT_READ,
		                      0, 1, now, NULL, NULL);
		if (status == FABRIC_BAD_KEY)
			looked++;
		else if (status != FABRIC_BUSY && !key_equal(&key, &mine->key))
			fail_msg("guess %u: %d", i, (int)status);
	}
	/* 15 of 16 bytes were told, so one in 256 of these is right, were it
	 * looked at: that is what the limit is for. */
	assert_in_range(looked, AT_ONCE, AT_ONCE + 61 * 16);
	assert_true(guesser.n_unheard > GUESSES - 2000);
	assert_int_equal(guard_access(&guesser, &table, &mine->key,
	                              FABRIC_RIGHT_READ, 0, 1, now, NULL, NULL),
	                 FABRIC_BUSY);
	assert_int_equal(guard_access(&honest, &table, &other->key,
	                              FABRIC_RIGHT_READ, 0, 1, now, NULL, NULL),
	                 FABRIC_OK);
	now += NS_PER_S;
	assert_int_equal(guard_access(&guesser, &table, &mine->key,
	                              FABRIC_RIGHT_READ, 0, 1, now, NULL, NULL),
	                 FABRIC_OK);
}

/* shows M4: a key in the wrong hands is no key */
static void holders(void **state)
{
	static const struct {
		const char *node;
		uint8_t process; /* 0: the node itself asks */
		bool to_any, to_one;
	} rows[] = {
		{ "b", 1, true, true },
		{ "b", 2, true, false },
		/* it tells its own processes apart */
		{ "b", 0, true, true },
		{ "c", 1, false, false },
		{ "c", 0, false, false },
		{ "bb", 1, false, false },
		{ "", 1, false, false },
	};
	struct grant *any = grant_for("b", 0), *one = grant_for("b", 1);

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		const struct fabric_key process = { { rows[i].process } };
		struct grant *found;
		struct guard g;

		guard_init(&g, GUARD_PROCESS, rows[i].node,
		           rows[i].process ? &process : NULL, 1);
		assert_int_equal(guard_find(&g, &table, &any->key, 1, &found),
		                 rows[i].to_any ? FABRIC_OK : FABRIC_BAD_KEY);
		assert_int_equal(guard_find(&g, &table, &one->key, 1, &found),
		                 rows[i].to_one ? FABRIC_OK : FABRIC_BAD_KEY);
		assert_int_equal(g.n_guesses,
		                 !rows[i].to_any + !rows[i].to_one);
	}
}

/* Late is not wrong: a dead key is no guess. */
static void dead_keys(void **state)
{
	struct grant *g = grant_for("b", 0);
	struct fabric_key key = g->key;
	struct guard guard;

	(void)state;
	grant_end(&table, g, GRANT_REVOKED);
	guard_init(&guard, GUARD_NODE, "b", NULL, 1);
	for (unsigned i = 0; i < 10 * AT_ONCE; i++)
		assert_int_equal(guard_access(&guard, &table, &key,
		                              FABRIC_RIGHT_READ, 0, 1, 1, NULL,
		                              NULL),
		                 FABRIC_REVOKED);
	assert_int_equal(guard.n_guesses, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_again),
		cmocka_unit_test_setup_teardown(made_again, setup, teardown),
		cmocka_unit_test_setup_teardown(every_bit, setup, teardown),
		cmocka_unit_test_setup_teardown(guesses, setup, teardown),
		cmocka_unit_test_setup_teardown(holders, setup, teardown),
		cmocka_unit_test_setup_teardown(dead_keys, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
