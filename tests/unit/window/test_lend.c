/* SPDX-License-Identifier: BSD-2-Clause */
/* shows S1, S2: what is lent, to whom, for how long; over-ask refused. */
#include "../test.h"

#include "base/base.h"
#include "core/reactor.h"
#include "window/host.h"
#include "window/key.h"
#include "window/region.h"

#include <errno.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define LEASE_MS 1000u

static struct reactor *reactor;
static struct window_host *host;
static struct guard alpha, beta;
static uint64_t time_ns;

static uint64_t now(const struct clock *c)
{
	(void)c;
	return time_ns;
}

static const struct clock hand = { .now_ns = now };

static int setup(void **state)
{
	const struct reactor_opts opts = { .name = "test", .clock = &hand };

	(void)state;
	time_ns = NS_PER_S;
	assert_int_equal(reactor_create(&opts, &reactor, NULL), 0);
	reactor_bind(reactor);
	assert_int_equal(window_host_create(
				 &(struct window_host_opts){ .reactor = reactor,
	                                                     .node = "donor" },
				 &host, NULL),
	                 0);
	guard_init(&alpha, GUARD_QUESTIONS, "alpha", NULL, time_ns);
	guard_init(&beta, GUARD_QUESTIONS, "beta", NULL, time_ns);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	window_host_destroy(host);
	reactor_bind(NULL);
	reactor_destroy(reactor);
	return 0;
}

static void wait_ms(uint64_t ms)
{
	time_ns += ms * NS_PER_MS;
	while (reactor_poll(reactor))
		;
}

static void offer_to(uint64_t size, uint64_t within_ms, const char *only)
{
	const struct window_offer o = { .size = size,
		                        .allow = &only,
		                        .n_allow = only != NULL,
		                        .lease_ms = LEASE_MS };

	assert_int_equal(window_offer_set(host, &o, within_ms, NULL), 0);
}

static struct lookup_message ask(struct guard *who, enum lookup_what what,
                                 uint64_t length, struct fabric_key key)
{
	const struct lookup_message q = { .what = what,
		                          .length = length,
		                          .key = key };
	struct lookup_message answer;
	struct grant *g;

	host_answer(host, who, &q, &answer, &g);
	return answer;
}

static struct lookup_message borrow(struct guard *who, uint64_t length)
{
	return ask(who, LOOKUP_LEND, length, (struct fabric_key){ 0 });
}

static struct window_offer_info info(void)
{
	struct window_offer_info i;

	window_offer_get(host, &i);
	return i;
}

static void amounts_fall_and_rise(void **state)
{
	struct lookup_message a, b, c;

	(void)state;
	assert_int_equal(borrow(&alpha, MIB).status, LOOKUP_NOT_FOUND);
	offer_to(64 * MIB, 0, NULL);
	a = borrow(&alpha, 32 * MIB);
	assert_int_equal(a.status, LOOKUP_OK);
	assert_int_equal(a.length, 32 * MIB);
	assert_int_equal(a.lease_ms, LEASE_MS + 1);
	assert_int_equal(a.flags, LOOKUP_IS_LOAN);
	assert_int_equal(info().free, 32 * MIB);
	/* More than there is; so much there is. */
	b = borrow(&beta, 33 * MIB);
	assert_int_equal(b.status, LOOKUP_FULL);
	assert_int_equal(b.length, 32 * MIB);
	b = borrow(&beta, 31 * MIB); /* rounded up */
	assert_int_equal(b.status, LOOKUP_OK);
	assert_int_equal(info().free, 0);
	assert_int_equal(info().lent, 64 * MIB);
	c = borrow(&beta, 1);
	assert_int_equal(c.status, LOOKUP_FULL);
	assert_int_equal(c.length, 0);
	/* Only its borrower gives a loan back. */
	assert_int_equal(ask(&beta, LOOKUP_RETURN, 0, a.key).status,
	                 LOOKUP_BAD_KEY);
	assert_int_equal(ask(&alpha, LOOKUP_RETURN, 0, a.key).status,
	                 LOOKUP_OK);
	assert_int_equal(info().free, 32 * MIB);
	assert_int_equal(ask(&alpha, LOOKUP_RETURN, 0, a.key).status,
	                 LOOKUP_REVOKED);
	assert_int_equal(info().n_loans, 1);
}

static void only_those_who_may(void **state)
{
	(void)state;
	offer_to(64 * MIB, 0, "beta");
	assert_int_equal(borrow(&alpha, MIB).status, LOOKUP_DENIED);
	assert_int_equal(borrow(&beta, MIB).status, LOOKUP_OK);
	/* A key over something else is no loan. */
	assert_int_equal(window_create(host, "w", 4096, NULL, NULL), 0);
	assert_int_equal(
		window_allow(host, "w", "alpha", FABRIC_RIGHT_READ, NULL, NULL),
		0);
	assert_int_equal(
		ask(&alpha, LOOKUP_RETURN, 0,
	            list_entry(host_named(host, "w")->owner.grants.next,
	                       struct grant, owner_link)
	                    ->key)
			.status,
		LOOKUP_BAD_KEY);
}

static void a_lease_lasts_as_long_as_it_is_renewed(void **state)
{
	struct lookup_message a, r;

	(void)state;
	offer_to(64 * MIB, 0, NULL);
	a = borrow(&alpha, 8 * MIB);
	for (unsigned i = 0; i < 5; i++) {
		wait_ms(LEASE_MS - 1);
		r = ask(&alpha, LOOKUP_RENEW, 0, a.key);
		assert_int_equal(r.status, LOOKUP_OK);
		assert_int_equal(r.lease_ms, LEASE_MS + 1);
	}
	wait_ms(LEASE_MS - 1);
	assert_int_equal(info().lent, 8 * MIB);
	wait_ms(1);
	assert_int_equal(info().lent, 0);
	assert_int_equal(ask(&alpha, LOOKUP_RENEW, 0, a.key).status,
	                 LOOKUP_EXPIRED);
}

/* What was another's is zero; and it is other memory. */
static void nobody_sees_what_was_anothers(void **state)
{
	struct iovec iov[FABRIC_ACCESS_IOV];
	struct lookup_message a;

	(void)state;
	offer_to(2 * MIB, 0, NULL);
	for (unsigned i = 0; i < 3; i++) {
		unsigned n = ARRAY_LEN(iov);

		a = borrow(i % 2 ? &beta : &alpha, 2 * MIB);
		assert_int_equal(guard_access(i % 2 ? &beta : &alpha,
		                              &host->grants, &a.key,
		                              FABRIC_RIGHT_WRITE, 0, 65536,
		                              time_ns, iov, &n),
		                 FABRIC_OK);
		for (unsigned k = 0; k < 65536; k += 8)
			assert_int_equal(((uint64_t *)iov[0].iov_base)[k / 8],
			                 0);
		memset(iov[0].iov_base, 0xa5, 65536);
		/* The other one has no use of the key. */
		assert_int_equal(guard_access(i % 2 ? &alpha : &beta,
		                              &host->grants, &a.key,
		                              FABRIC_RIGHT_READ, 0, 1, time_ns,
		                              NULL, NULL),
		                 FABRIC_BAD_KEY);
		ask(i % 2 ? &beta : &alpha, LOOKUP_RETURN, 0, a.key);
	}
}

static void an_offer_that_shrinks_recalls_the_newest(void **state)
{
	struct lookup_message a, b, r;

	(void)state;
	offer_to(64 * MIB, 0, NULL);
	a = borrow(&alpha, 16 * MIB);
	b = borrow(&beta, 16 * MIB);
	offer_to(20 * MIB, 2500, NULL);
	assert_int_equal(info().lent, 32 * MIB);
	assert_int_equal(info().free, 0);
	wait_ms(900);
	r = ask(&alpha, LOOKUP_RENEW, 0, a.key);
	assert_int_equal(r.flags, LOOKUP_IS_LOAN);
	r = ask(&beta, LOOKUP_RENEW, 0, b.key);
	assert_int_equal(r.flags, LOOKUP_IS_LOAN | LOOKUP_RECALLED);
	wait_ms(900);
	ask(&alpha, LOOKUP_RENEW, 0, a.key);
	r = ask(&beta, LOOKUP_RENEW, 0, b.key);
	assert_int_equal(r.lease_ms, 701); /* not beyond the limit */
	wait_ms(600);
	assert_int_equal(info().lent, 32 * MIB);
	ask(&alpha, LOOKUP_RENEW, 0, a.key);
	wait_ms(100);
	assert_int_equal(info().lent, 16 * MIB);
	assert_int_equal(info().free, 4 * MIB);
	assert_int_equal(ask(&beta, LOOKUP_RENEW, 0, b.key).status,
	                 LOOKUP_EXPIRED);
	/* The rest at once. */
	offer_to(0, 0, NULL);
	wait_ms(1);
	assert_int_equal(info().lent, 0);
}

/* Reaches LEND_LOANS_MAX. */
static void loans_are_bounded(void **state)
{
	(void)state;
	offer_to(2 * LEND_LOANS_MAX * LEND_GRAIN, 0, NULL);
	for (unsigned i = 0; i < LEND_LOANS_MAX; i++)
		assert_int_equal(borrow(&alpha, 1).status, LOOKUP_OK);
	assert_int_equal(borrow(&alpha, 1).status, LOOKUP_FULL);
	assert_int_equal(info().n_loans, LEND_LOANS_MAX);
	assert_int_equal(info().free, 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(amounts_fall_and_rise),
		CASE(only_those_who_may),
		CASE(a_lease_lasts_as_long_as_it_is_renewed),
		CASE(nobody_sees_what_was_anothers),
		CASE(an_offer_that_shrinks_recalls_the_newest),
		CASE(loans_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
