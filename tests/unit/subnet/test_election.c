/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is master: every state against every message.  shows L17, L18 */
#include "../test.h"

#include "subnet/election.h"

#include <string.h>

static struct election election(enum election_state state)
{
	return (struct election){ .guid = 50,
		                  .priority = 5,
		                  .state = state,
		                  .poll_tries = 3,
		                  .master = 0 };
}

static struct election_peer peer(uint64_t guid, uint8_t priority,
                                 enum election_state state)
{
	return (struct election_peer){ .guid = guid,
		                       .priority = priority,
		                       .state = (uint8_t)state,
		                       .seen = 1 };
}

static void decisions(void **state)
{
	static const struct {
		enum election_state ours, theirs;
		uint8_t priority; /* theirs; ours is 5 */
		uint64_t guid;    /* theirs; ours is 50 */
		enum election_action action;
		enum election_state after;
	} rows[] = {
		/* A discovering one finds a master: whoever is better. */
		{ ELECTION_DISCOVERING, ELECTION_MASTER, 1, 60,
		  ELECTION_BECAME_STANDBY, ELECTION_STANDBY },
		{ ELECTION_DISCOVERING, ELECTION_MASTER, 9, 60,
		  ELECTION_BECAME_STANDBY, ELECTION_STANDBY },
		/* Two discover: the better one goes on. */
		{ ELECTION_DISCOVERING, ELECTION_DISCOVERING, 9, 60,
		  ELECTION_BECAME_STANDBY, ELECTION_STANDBY },
		{ ELECTION_DISCOVERING, ELECTION_DISCOVERING, 5, 40,
		  ELECTION_BECAME_STANDBY, ELECTION_STANDBY },
		{ ELECTION_DISCOVERING, ELECTION_DISCOVERING, 5, 60,
		  ELECTION_BECAME_MASTER, ELECTION_MASTER },
		{ ELECTION_DISCOVERING, ELECTION_STANDBY, 9, 60,
		  ELECTION_BECAME_MASTER, ELECTION_MASTER },
		{ ELECTION_DISCOVERING, ELECTION_NOT_ACTIVE, 9, 60,
		  ELECTION_BECAME_MASTER, ELECTION_MASTER },
		/* A master meets others. */
		{ ELECTION_MASTER, ELECTION_MASTER, 9, 60, ELECTION_RESIGN,
		  ELECTION_STANDBY },
		{ ELECTION_MASTER, ELECTION_MASTER, 5, 40, ELECTION_RESIGN,
		  ELECTION_STANDBY },
		{ ELECTION_MASTER, ELECTION_MASTER, 5, 60, ELECTION_NOTHING,
		  ELECTION_MASTER },
		{ ELECTION_MASTER, ELECTION_STANDBY, 9, 60, ELECTION_HAND_OVER,
		  ELECTION_MASTER },
		{ ELECTION_MASTER, ELECTION_STANDBY, 5, 60, ELECTION_NOTHING,
		  ELECTION_MASTER },
		/* Those who stand by decide nothing. */
		{ ELECTION_STANDBY, ELECTION_MASTER, 1, 60, ELECTION_NOTHING,
		  ELECTION_STANDBY },
		{ ELECTION_NOT_ACTIVE, ELECTION_MASTER, 1, 60, ELECTION_NOTHING,
		  ELECTION_NOT_ACTIVE },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct election e = election(rows[i].ours);
		struct election_peer p =
			peer(rows[i].guid, rows[i].priority, rows[i].theirs);

		election_begin(&e, 1);
		assert_true(election_saw(&e, &p));
		if (election_decide(&e, 1) != rows[i].action ||
		    e.state != rows[i].after)
			fail_msg("row %u", i);
	}
}

static void orders(void **state)
{
	static const struct {
		enum election_state ours;
		enum election_control control;
		bool handing_over, ok;
		enum election_action action;
		enum election_state after;
	} rows[] = {
		{ ELECTION_STANDBY, ELECTION_HANDOVER, false, true,
		  ELECTION_ACKNOWLEDGE, ELECTION_DISCOVERING },
		{ ELECTION_MASTER, ELECTION_HANDOVER, false, true,
		  ELECTION_ACKNOWLEDGE, ELECTION_MASTER },
		{ ELECTION_NOT_ACTIVE, ELECTION_HANDOVER, false, false,
		  ELECTION_NOTHING, ELECTION_NOT_ACTIVE },
		{ ELECTION_MASTER, ELECTION_ACK, true, true,
		  ELECTION_BECAME_STANDBY, ELECTION_STANDBY },
		{ ELECTION_MASTER, ELECTION_ACK, false, false, ELECTION_NOTHING,
		  ELECTION_MASTER },
		{ ELECTION_STANDBY, ELECTION_DISABLE, false, true,
		  ELECTION_NOTHING, ELECTION_NOT_ACTIVE },
		{ ELECTION_MASTER, ELECTION_DISABLE, false, false,
		  ELECTION_NOTHING, ELECTION_MASTER },
		{ ELECTION_NOT_ACTIVE, ELECTION_TO_STANDBY, false, true,
		  ELECTION_BECAME_STANDBY, ELECTION_STANDBY },
		{ ELECTION_STANDBY, ELECTION_TO_DISCOVER, false, true,
		  ELECTION_DISCOVER, ELECTION_DISCOVERING },
		{ ELECTION_STANDBY, 99, false, false, ELECTION_NOTHING,
		  ELECTION_STANDBY },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct election e = election(rows[i].ours);
		struct election_peer p = peer(60, 9, ELECTION_MASTER);
		bool ok;

		e.handing_over = rows[i].handing_over;
		if (election_told(&e, &p, rows[i].control, &ok) !=
		            rows[i].action ||
		    ok != rows[i].ok || e.state != rows[i].after)
			fail_msg("row %u", i);
	}
}

/* E2: a stranger's orders and existence change nothing. */
static void strangers_are_nobody(void **state)
{
	static const uint64_t allow[] = { 50, 70 };

	(void)state;
	for (unsigned s = 0; s <= ELECTION_MASTER; s++) {
		for (unsigned control = 1; control <= 5; control++) {
			struct election e = election((enum election_state)s);
			struct election_peer p = peer(60, 15, ELECTION_MASTER);
			bool ok = true;

			e.allow = allow;
			e.n_allow = 2;
			assert_false(election_saw(&e, &p));
			assert_int_equal(
				election_told(&e, &p,
			                      (enum election_control)control,
			                      &ok),
				ELECTION_NOTHING);
			assert_false(ok);
			assert_int_equal(e.state, s);
			assert_int_equal(e.n_peers, 0);
			assert_int_equal(e.strangers, 2);
		}
	}
}

/* E3: what a better one says does not make us yield, but that it has the key
 * does; a worse one is never yielded to. */
static void who_has_no_key_is_not_yielded_to(void **state)
{
	static const struct {
		uint8_t theirs, priority;
		enum election_action action; /* once it is proven */
	} rows[] = {
		{ ELECTION_MASTER, 9, ELECTION_RESIGN },
		{ ELECTION_STANDBY, 9, ELECTION_HAND_OVER },
		{ ELECTION_MASTER, 1, ELECTION_NOTHING },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct election e = election(ELECTION_MASTER);
		struct election_peer p =
			peer(60, rows[i].priority, rows[i].theirs);

		e.has_key = true;
		/* More than are remembered, and none of them is it. */
		for (uint64_t k = 0; k < 3 * ELECTION_PEERS; k++)
			election_prove(&e, 100 + k);
		assert_true(election_saw(&e, &p));
		assert_int_equal(election_decide(&e, 1), ELECTION_NOTHING);
		assert_int_equal(e.state, ELECTION_MASTER);
		election_prove(&e, 60);
		assert_int_equal(election_decide(&e, 1), rows[i].action);
	}
}

static void silence_is_counted(void **state)
{
	struct election e = election(ELECTION_STANDBY);
	struct election_peer p = peer(60, 9, ELECTION_MASTER);

	(void)state;
	assert_int_equal(election_polled(&e, NULL), ELECTION_NOTHING);
	assert_int_equal(election_polled(&e, NULL), ELECTION_NOTHING);
	assert_int_equal(election_polled(&e, &p), ELECTION_NOTHING);
	assert_int_equal(election_polled(&e, NULL), ELECTION_NOTHING);
	p.state = ELECTION_NOT_ACTIVE; /* an answer, but not of a master */
	assert_int_equal(election_polled(&e, &p), ELECTION_NOTHING);
	assert_int_equal(election_polled(&e, NULL), ELECTION_DISCOVER);
	assert_int_equal(e.state, ELECTION_DISCOVERING);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(decisions),
		cmocka_unit_test(orders),
		cmocka_unit_test(strangers_are_nobody),
		cmocka_unit_test(who_has_no_key_is_not_yielded_to),
		cmocka_unit_test(silence_is_counted),
	};

	return cmocka_run_group_tests_name("election", tests, NULL, NULL);
}
