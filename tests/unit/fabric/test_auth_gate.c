/* SPDX-License-Identifier: BSD-2-Clause */
#include "../test.h"

#include "core/reactor.h"
#include "fabric/auth_gate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define MS(n) ((n)*NS_PER_MS)

static uint64_t now_ns;
static struct reactor *reactor;
static struct auth_gate gate;

struct visitor {
	struct auth_guest guest;
	unsigned n_expired;
	bool enters_again; /* a new one in the place of the old */
};

static struct visitor visitors[AUTH_GUESTS_MAX + 64];

static uint64_t test_now(const struct clock *c)
{
	(void)c;
	return now_ns;
}

static struct sockaddr_storage from(const char *ip, uint32_t n)
{
	struct sockaddr_storage s = { 0 };
	struct sockaddr_in *v4 = (void *)&s;
	struct sockaddr_in6 *v6 = (void *)&s;

	if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
		s.ss_family = AF_INET;
		v4->sin_addr.s_addr = htonl(ntohl(v4->sin_addr.s_addr) + n);
	} else {
		s.ss_family = AF_INET6;
		assert_int_equal(inet_pton(AF_INET6, ip, &v6->sin6_addr), 1);
		v6->sin6_addr.s6_addr[15] = (uint8_t)n;
	}
	return s;
}

static void expired(struct auth_guest *g)
{
	struct visitor *v = container_of(g, struct visitor, guest);

	assert_null(g->gate);
	v->n_expired++;
	if (v->enters_again) {
		v->enters_again = false;
		assert_int_equal(auth_gate_enter(&gate, g, NULL), 0);
	}
}

static int enter(unsigned i, const char *ip, uint32_t n)
{
	struct sockaddr_storage s = from(ip, n);

	visitors[i] = (struct visitor){ .guest.expired = expired };
	return auth_gate_enter(&gate, &visitors[i].guest, &s);
}

/* Let time pass, as a reactor that is woken by its timer does. */
static void pass(uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i += 10) {
		now_ns += MS(10);
		while (reactor_poll(reactor))
			;
	}
}

static unsigned count_expired(unsigned first, unsigned n)
{
	unsigned sum = 0;

	for (unsigned i = first; i < first + n; i++)
		sum += visitors[i].n_expired;
	return sum;
}

static void leave_all(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(visitors); i++)
		auth_gate_leave(&visitors[i].guest);
	assert_int_equal(gate.n_guests, 0);
}

static int setup(void **state)
{
	static const struct clock clock = { .now_ns = test_now };
	const struct reactor_opts o = { .name = "gate", .clock = &clock };

	(void)state;
	memset(visitors, 0, sizeof(visitors));
	if (reactor_create(&o, &reactor, NULL))
		return -1;
	reactor_poll(reactor);
	auth_gate_init(&gate, reactor);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	leave_all();
	auth_gate_fini(&gate);
	reactor_destroy(reactor);
	return 0;
}

static void who_stays_too_long_must_go(void **state)
{
	(void)state;
	assert_int_equal(enter(0, "10.0.0.1", 0), 0);
	pass(AUTH_TIME_LIMIT_MS / 2);
	assert_int_equal(enter(1, "10.0.0.1", 0), 0);
	assert_int_equal(enter(2, "10.0.0.1", 0), 0);
	auth_gate_leave(&visitors[2].guest);
	pass(AUTH_TIME_LIMIT_MS / 2 - 20);
	assert_int_equal(count_expired(0, 3), 0);
	pass(40);
	assert_int_equal(visitors[0].n_expired, 1);
	assert_int_equal(count_expired(1, 2), 0);
	pass(AUTH_TIME_LIMIT_MS);
	assert_int_equal(visitors[0].n_expired, 1);
	assert_int_equal(visitors[1].n_expired, 1);
	assert_int_equal(visitors[2].n_expired, 0);
	assert_int_equal(gate.n_timed_out, 2);
	assert_int_equal(gate.n_guests, 0);
}

static void one_that_expired_may_be_entered_again(void **state)
{
	(void)state;
	assert_int_equal(enter(0, "10.0.0.1", 0), 0);
	visitors[0].enters_again = true;
	pass(AUTH_TIME_LIMIT_MS + 20);
	assert_int_equal(visitors[0].n_expired, 1);
	pass(AUTH_TIME_LIMIT_MS + 20);
	assert_int_equal(visitors[0].n_expired, 2);
}

static void one_address_gets_no_more_than_its_share(void **state)
{
	(void)state;
	for (unsigned i = 0; i < AUTH_GUESTS_PER_ADDRESS; i++)
		assert_int_equal(enter(i, "10.0.0.1", 0), 0);
	assert_int_equal(enter(50, "10.0.0.1", 0), -EBUSY);
	assert_int_equal(enter(51, "::ffff:10.0.0.1", 1), -EBUSY);
	assert_int_equal(enter(52, "10.0.0.2", 0), 0);
	assert_int_equal(gate.n_turned_away, 2);
	assert_int_equal(count_expired(0, 60), 0);

	/* Later its oldest makes room, not the other address's. */
	pass(AUTH_GRACE_MS);
	assert_int_equal(enter(53, "10.0.0.1", 0), 0);
	assert_int_equal(visitors[0].n_expired, 1);
	assert_int_equal(count_expired(0, 60), 1);
	assert_int_equal(gate.n_displaced, 1);
	assert_int_equal(gate.n_guests, AUTH_GUESTS_PER_ADDRESS + 1);
}

static void a_network_of_ipv6_counts_as_one_address(void **state)
{
	(void)state;
	for (unsigned i = 0; i < AUTH_GUESTS_PER_ADDRESS; i++)
		assert_int_equal(enter(i, "fd00::", i), 0);
	assert_int_equal(enter(50, "fd00::", 99), -EBUSY);
	assert_int_equal(enter(51, "fd00:0:0:1::", 99), 0);
}

/* A crowd does not keep the others out for longer than AUTH_GRACE_MS. */
static void a_full_gate_lets_the_quick_ones_in(void **state)
{
	unsigned n = 0;

	(void)state;
	/* a flood from one address, and its like from others */
	for (; n < AUTH_GUESTS_PER_ADDRESS; n++)
		assert_int_equal(enter(n, "10.0.0.1", 0), 0);
	for (; n < AUTH_GUESTS_MAX; n++)
		assert_int_equal(enter(n, "10.1.0.0", n / 8), 0);
	assert_int_equal(enter(n, "10.2.0.1", 0), -EBUSY);
	assert_int_equal(gate.n_guests, AUTH_GUESTS_MAX);
	assert_int_equal(count_expired(0, n), 0);
	pass(AUTH_GRACE_MS);
	assert_int_equal(enter(n, "10.2.0.1", 0), 0);
	assert_int_equal(visitors[0].n_expired, 1); /* the crowd's oldest */
	assert_int_equal(count_expired(0, n), 1);
	assert_int_equal(gate.n_guests, AUTH_GUESTS_MAX);
}

static void those_we_dial_are_not_counted(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(visitors); i++) {
		visitors[i].guest.expired = expired;
		assert_int_equal(
			auth_gate_enter(&gate, &visitors[i].guest, NULL), 0);
	}
	assert_int_equal(gate.n_guests, 0);
	pass(AUTH_TIME_LIMIT_MS + 20);
	assert_int_equal(count_expired(0, ARRAY_LEN(visitors)),
	                 ARRAY_LEN(visitors));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(who_stays_too_long_must_go),
		T(one_that_expired_may_be_entered_again),
		T(one_address_gets_no_more_than_its_share),
		T(a_network_of_ipv6_counts_as_one_address),
		T(a_full_gate_lets_the_quick_ones_in),
		T(those_we_dial_are_not_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
