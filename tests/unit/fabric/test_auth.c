/* SPDX-License-Identifier: BSD-2-Clause */
/* shows that nobody without the cluster's key gets past the handshake (A1-5) */
#include "../test.h"

#include "base/base.h"
#include "fabric/auth.h"
#include "fabric/auth_codec.h"

#include <stdio.h>
#include <string.h>

static struct auth_key key, other_key;

static const struct auth_identity alice = { .id = "alice's id......",
	                                    .boot = 7,
	                                    .name = "alice" };
static const struct auth_identity bob = { .id = "bob's id........",
	                                  .boot = 8,
	                                  .name = "bob" };

static struct auth_terms terms_of(const struct auth_identity *self)
{
	return (struct auth_terms){
		.key = &key,
		.self = self,
		.version_min = 1,
		.version_max = 3,
		.options = 0xf0f,
		.binding = AUTH_BIND_NOTHING,
	};
}

/* Both ends, and all that went over the wire between them. */
struct pair {
	struct auth dialler, acceptor;
	struct auth_terms d, a;
	uint8_t to_acceptor[512], to_dialler[512];
	size_t n_to_acceptor, n_to_dialler;
	/* flip this bit of the whole conversation; -1: none */
	long flip_to_acceptor, flip_to_dialler;
	size_t step; /* bytes at a time */
};

static void pair_init(struct pair *p)
{
	memset(p, 0, sizeof(*p));
	p->d = terms_of(&alice);
	p->a = terms_of(&bob);
	p->flip_to_acceptor = p->flip_to_dialler = -1;
	p->step = sizeof(p->to_dialler);
}

static bool carry(struct pair *p, struct auth *from, struct auth *to,
                  uint8_t *log, size_t *logged, long flip)
{
	const void *bytes;
	size_t n = auth_pending(from, &bytes), taken = 0;

	if (n == 0)
		return false;
	n = n < p->step ? n : p->step;
	assert_true(*logged + n <= sizeof(p->to_dialler));
	memcpy(log + *logged, bytes, n);
	if (flip >= 0 && (size_t)flip / 8 >= *logged &&
	    (size_t)flip / 8 < *logged + n)
		log[flip / 8] ^= (uint8_t)(1u << flip % 8);
	taken = auth_feed(to, log + *logged, n);
	*logged += n;
	auth_sent(from, n);
	return taken > 0;
}

static void run(struct pair *p)
{
	bool more = true;

	auth_start(&p->dialler, AUTH_DIALLER, &p->d);
	auth_start(&p->acceptor, AUTH_ACCEPTOR, &p->a);
	while (more) {
		more = carry(p, &p->dialler, &p->acceptor, p->to_acceptor,
		             &p->n_to_acceptor, p->flip_to_acceptor);
		more |= carry(p, &p->acceptor, &p->dialler, p->to_dialler,
		              &p->n_to_dialler, p->flip_to_dialler);
	}
}

static void expect_cause(const struct auth *a, enum auth_cause cause)
{
	if (a->state != AUTH_STATE_REFUSED || a->cause != cause)
		fail_msg("state %d, cause: %s (expected: %s)", a->state,
		         auth_cause_text(a->cause), auth_cause_text(cause));
}

static void expect_peer(const struct auth *a, const struct auth_identity *who)
{
	assert_int_equal(a->state, AUTH_STATE_DONE);
	assert_memory_equal(a->peer.id, who->id, sizeof(who->id));
	assert_string_equal(a->peer.name, who->name);
	assert_int_equal(a->peer.boot, who->boot);
}

static void members_find_each_other(void **state)
{
	(void)state;
	for (size_t step = 1; step <= 210; step++) {
		struct pair p;

		pair_init(&p);
		p.step = step;
		p.d.expect = step & 1 ? "bob" : NULL;
		p.d.version_min = 2;
		p.a.version_max = 2;
		p.a.options = 0x103;
		p.a.required = 0x002;
		run(&p);
		expect_peer(&p.dialler, &bob);
		expect_peer(&p.acceptor, &alice);
		assert_int_equal(p.dialler.version, 2);
		assert_int_equal(p.acceptor.version, 2);
		assert_int_equal(p.dialler.options, 0x103);
		assert_int_equal(p.acceptor.options, 0x103);
	}
}

static void what_follows_the_handshake_is_left_alone(void **state)
{
	struct pair p;
	const void *bytes;
	uint8_t more[512];
	size_t n;

	(void)state;
	pair_init(&p);
	auth_start(&p.dialler, AUTH_DIALLER, &p.d);
	auth_start(&p.acceptor, AUTH_ACCEPTOR, &p.a);
	memset(more, 0x5a, sizeof(more));
	for (int turn = 0; turn < 2; turn++) {
		n = auth_pending(&p.dialler, &bytes);
		memcpy(more, bytes, n);
		assert_int_equal(auth_feed(&p.acceptor, more, sizeof(more)), n);
		auth_sent(&p.dialler, n);
		/* an answer is pending: nothing is taken before it is sent */
		assert_int_equal(auth_feed(&p.acceptor, more, 9), 0);
		n = auth_pending(&p.acceptor, &bytes);
		memcpy(more, bytes, n);
		assert_int_equal(auth_feed(&p.dialler, more, sizeof(more)), n);
		auth_sent(&p.acceptor, n);
	}
	assert_int_equal(p.dialler.state, AUTH_STATE_DONE);
	assert_int_equal(p.acceptor.state, AUTH_STATE_DONE);
	assert_int_equal(auth_feed(&p.acceptor, more, sizeof(more)), 0);
	assert_int_equal(auth_feed(&p.dialler, more, sizeof(more)), 0);
}

static bool failed(const struct auth *a)
{
	static const struct auth_identity nobody;

	return a->state != AUTH_STATE_DONE && a->options == 0 &&
	       memcmp(&a->peer, &nobody, sizeof(nobody)) == 0;
}

/* A1: versions, options, nonces, identities, proofs: all of it. */
static void no_bit_can_be_changed_on_the_way(void **state)
{
	const long to_acceptor = 8 * (long)(sizeof(struct auth_hello) +
	                                    sizeof(struct auth_proof));
	const long to_dialler = 8 * (long)(sizeof(struct auth_challenge) +
	                                   sizeof(struct auth_welcome));
	struct pair p;

	(void)state;
	for (long bit = 0; bit < to_acceptor; bit++) {
		pair_init(&p);
		p.d.expect = "bob";
		p.flip_to_acceptor = bit;
		run(&p);
		if (!failed(&p.acceptor) || !failed(&p.dialler))
			fail_msg("bit %ld to the acceptor", bit);
	}
	for (long bit = 0; bit < to_dialler; bit++) {
		pair_init(&p);
		p.flip_to_dialler = bit;
		run(&p);
		if (!failed(&p.dialler))
			fail_msg("bit %ld to the dialler", bit);
		if (bit < 8 * (long)sizeof(struct auth_challenge))
			assert_true(failed(&p.acceptor));
	}
}

static void those_who_differ_do_not_meet(void **state)
{

	static const struct auth_identity twin = { .id = "alice's id......",
		                                   .boot = 9,
		                                   .name = "twin" };
	static const struct {
		const char *what;
		enum auth_cause dialler, acceptor;
		struct auth_terms d; /* what is set here replaces the usual */
		const struct auth_key *acceptor_key;
		const struct auth_identity *acceptor_self;
	} rows[] = {
		{ "another key", AUTH_CAUSE_REFUSED, AUTH_CAUSE_PROOF,
		  .acceptor_key = &other_key },
		{ "insecure acceptor", AUTH_CAUSE_REFUSED, AUTH_CAUSE_METHOD,
		  .acceptor_key = NULL },
		{ "bound elsewhere", AUTH_CAUSE_REFUSED, AUTH_CAUSE_PROOF,
		  .d.bound_to = { 1 }, .acceptor_key = &key },
		{ "bound otherwise", AUTH_CAUSE_REFUSED, AUTH_CAUSE_BINDING,
		  .d.binding = AUTH_BIND_TLS, .acceptor_key = &key },
		{ "too new", AUTH_CAUSE_VERSION, AUTH_CAUSE_VERSION,
		  .d.version_min = 4, .d.version_max = 5,
		  .acceptor_key = &key },
		{ "required option", AUTH_CAUSE_OPTIONS, AUTH_CAUSE_VERSION,
		  .d.required = 0x1000, .d.options = 0x1000,
		  .acceptor_key = &key },
		{ "somebody else", AUTH_CAUSE_REFUSED, AUTH_CAUSE_WRONG_NODE,
		  .d.expect = "carol", .acceptor_key = &key },
		{ "itself", AUTH_CAUSE_REFUSED, AUTH_CAUSE_OURSELVES,
		  .acceptor_key = &key, .acceptor_self = &twin },
	};

	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pair p;

		pair_init(&p);
		p.a.key = rows[i].acceptor_key;
		if (rows[i].acceptor_self)
			p.a.self = rows[i].acceptor_self;
		p.d.expect = rows[i].d.expect;
		p.d.required = rows[i].d.required;
		memcpy(p.d.bound_to, rows[i].d.bound_to, sizeof(p.d.bound_to));
		if (rows[i].d.binding)
			p.d.binding = rows[i].d.binding;
		if (rows[i].d.options)
			p.d.options = rows[i].d.options;
		if (rows[i].d.version_max) {
			p.d.version_min = rows[i].d.version_min;
			p.d.version_max = rows[i].d.version_max;
		}
		run(&p);
		print_message("# %s\n", rows[i].what);
		expect_cause(&p.dialler, rows[i].dialler);
		expect_cause(&p.acceptor, rows[i].acceptor);
		assert_true(failed(&p.dialler) && failed(&p.acceptor));
	}
}

static void an_acceptor_may_require_an_option(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
	p.a.required = p.a.options = 0x1000;
	run(&p);
	expect_cause(&p.acceptor, AUTH_CAUSE_OPTIONS);
	expect_cause(&p.dialler, AUTH_CAUSE_VERSION);
}

static void insecure_has_to_be_asked_for_on_both_sides(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
	p.d.key = p.a.key = NULL;
	run(&p);
	expect_peer(&p.dialler, &bob);
	expect_peer(&p.acceptor, &alice);

	/* An acceptor that says in its CHALLENGE that no proof is needed. */
	pair_init(&p);
	p.flip_to_dialler = 8 * (long)offsetof(struct auth_challenge, method);
	run(&p);
	assert_true(failed(&p.dialler) && failed(&p.acceptor));
	pair_init(&p);
	p.a.key = NULL; /* and in HELLO, on the way to it */
	p.flip_to_acceptor = 8 * (long)offsetof(struct auth_hello, method) + 0;
	run(&p);
	assert_true(failed(&p.dialler) && failed(&p.acceptor));
}

static size_t drain(struct auth *a, void *out)
{
	const void *bytes;
	size_t n = auth_pending(a, &bytes);

	memcpy(out, bytes, n);
	auth_sent(a, n);
	return n;
}

static void a_recorded_conversation_opens_nothing(void **state)
{
	struct pair p;
	struct auth again;
	uint8_t out[512];
	size_t n;

	(void)state;
	pair_init(&p);
	run(&p);
	assert_int_equal(p.acceptor.state, AUTH_STATE_DONE);

	auth_start(&again, AUTH_ACCEPTOR, &p.a);
	n = auth_feed(&again, p.to_acceptor, p.n_to_acceptor);
	assert_int_equal(n, sizeof(struct auth_hello));
	drain(&again, out);
	auth_feed(&again, p.to_acceptor + n, p.n_to_acceptor - n);
	expect_cause(&again, AUTH_CAUSE_PROOF);

	auth_start(&again, AUTH_DIALLER, &p.d);
	drain(&again, out);
	n = auth_feed(&again, p.to_dialler, p.n_to_dialler);
	drain(&again, out);
	auth_feed(&again, p.to_dialler + n, p.n_to_dialler - n);
	expect_cause(&again, AUTH_CAUSE_PROOF);
}

/* A2: a node's own words, sent back to it, prove nothing. */
static void a_mirror_is_no_member(void **state)
{
	struct auth_terms d = terms_of(&alice), a = terms_of(&alice);
	struct auth dialler, acceptor;
	struct auth_welcome w = { .mac = { 0 } };
	struct auth_challenge c = { .version = le16_put(1) };
	uint8_t out[512];
	size_t n;

	(void)state;
	/* its own HELLO */
	auth_start(&dialler, AUTH_DIALLER, &d);
	n = drain(&dialler, out);
	auth_feed(&dialler, out, n);
	expect_cause(&dialler, AUTH_CAUSE_GARBAGE);

	/* its own nonce */
	auth_start(&dialler, AUTH_DIALLER, &d);
	drain(&dialler, out);
	auth_encode_header(AUTH_CHALLENGE, &c.header);
	c.method = AUTH_HMAC_SHA256;
	c.binding = AUTH_BIND_NOTHING;
	memcpy(c.nonce, out + offsetof(struct auth_hello, nonce), 32);
	auth_feed(&dialler, &c, sizeof(c));
	expect_cause(&dialler, AUTH_CAUSE_OURSELVES);

	/* its own proof, as that of the acceptor */
	auth_start(&dialler, AUTH_DIALLER, &d);
	drain(&dialler, out);
	c.nonce[0] ^= 1;
	auth_feed(&dialler, &c, sizeof(c));
	n = drain(&dialler, out);
	assert_int_equal(n, sizeof(struct auth_proof));
	auth_encode_header(AUTH_WELCOME, &w.header);
	auth_encode_name("bob", &w.name);
	memcpy(w.mac, out + offsetof(struct auth_proof, mac), sizeof(w.mac));
	auth_feed(&dialler, &w, sizeof(w));
	expect_cause(&dialler, AUTH_CAUSE_PROOF);

	/* its own acceptor, through a relay */
	auth_start(&dialler, AUTH_DIALLER, &d);
	auth_start(&acceptor, AUTH_ACCEPTOR, &a);
	for (int turn = 0; turn < 2; turn++) {
		n = drain(&dialler, out);
		auth_feed(&acceptor, out, n);
		n = drain(&acceptor, out);
		auth_feed(&dialler, out, n);
	}
	expect_cause(&acceptor, AUTH_CAUSE_OURSELVES);
	expect_cause(&dialler, AUTH_CAUSE_REFUSED);
}

static bool contains(const uint8_t *in, size_t n, const void *what, size_t len)
{
	return memmem(in, n, what, len);
}

/* A4, A5: whatever a stranger got wrong, it hears the same. */
static void a_stranger_learns_nothing(void **state)
{
	struct auth_refused said[3];
	struct pair p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		pair_init(&p);
		p.d.key = &other_key;
		p.d.expect = i == 0 ? "bob" : i == 1 ? "carol" : NULL;
		p.d.self = i == 2 ? &bob : &alice;
		run(&p);
		expect_cause(&p.acceptor, AUTH_CAUSE_PROOF);
		assert_int_equal(p.n_to_dialler, sizeof(struct auth_challenge) +
		                                         sizeof(said[i]));
		memcpy(&said[i], p.to_dialler + sizeof(struct auth_challenge),
		       sizeof(said[i]));
		assert_memory_equal(&said[i], &said[0], sizeof(said[0]));
		assert_false(contains(p.to_dialler, p.n_to_dialler, "bob", 3));
		assert_false(contains(p.to_dialler, p.n_to_dialler, bob.id,
		                      sizeof(bob.id)));
	}
}

static void garbage_ends_it_at_its_first_header(void **state)
{
	static const struct {
		const char *what;
		struct auth_header h;
	} rows[] = {
		{ "magic", { { "HTTP" }, 1, 0, { { 208, 0 } } } },
		{ "type 0", { { "CWAU" }, 0, 0, { { 208, 0 } } } },
		{ "type 6", { { "CWAU" }, 6, 0, { { 208, 0 } } } },
		{ "type 255", { { "CWAU" }, 255, 0, { { 208, 0 } } } },
		{ "zero", { { "CWAU" }, 1, 1, { { 208, 0 } } } },
		{ "length 0", { { "CWAU" }, 1, 0, { { 0, 0 } } } },
		{ "one too short", { { "CWAU" }, 1, 0, { { 207, 0 } } } },
		{ "one too long", { { "CWAU" }, 1, 0, { { 209, 0 } } } },
		{ "length 65535", { { "CWAU" }, 1, 0, { { 255, 255 } } } },
	};
	struct auth_terms t = terms_of(&bob);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct auth a;
		const void *out;

		auth_start(&a, AUTH_ACCEPTOR, &t);
		assert_int_equal(auth_feed(&a, &rows[i].h, 8), 8);
		print_message("# %s\n", rows[i].what);
		expect_cause(&a, AUTH_CAUSE_GARBAGE);
		assert_int_equal(auth_pending(&a, &out),
		                 sizeof(struct auth_refused));
	}
}

/* Each type in each state; only the one that is due goes on. */
static void messages_have_their_turn(void **state)
{
	(void)state;
	for (int due = AUTH_WAIT_HELLO; due <= AUTH_WAIT_WELCOME; due++) {
		for (uint8_t type = 1; type <= 5; type++) {
			enum auth_role role =
				due == AUTH_WAIT_CHALLENGE ||
						due == AUTH_WAIT_WELCOME
					? AUTH_DIALLER
					: AUTH_ACCEPTOR;
			struct auth_terms t = terms_of(&bob);
			uint8_t m[AUTH_MESSAGE_MAX] = { 0 };
			struct auth a;
			uint8_t out[512];

			auth_start(&a, role, &t);
			drain(&a, out);
			a.state = (enum auth_state)due;
			auth_encode_header((enum auth_type)type, (void *)m);
			auth_feed(&a, m, auth_decode_length((void *)m));
			assert_int_equal(a.state, AUTH_STATE_REFUSED);
			if (type == AUTH_REFUSED && due != AUTH_WAIT_HELLO)
				expect_cause(&a, AUTH_CAUSE_REFUSED);
			else if (type != due + 1)
				assert_int_not_equal(a.cause,
				                     AUTH_CAUSE_REFUSED);
		}
	}
}

static void names_are_names(void **state)
{
	static const struct {
		struct auth_name n;
		bool valid;
	} rows[] = {
		{ { 3, "bob" }, true },
		{ { 0, "" }, true },
		{ { 3, "a/b" }, false },
		{ { 3, "a\nb" }, false },
		{ { 3, "a\0b" }, false },
		{ { 2, "bob" }, false }, /* more after its end */
		{ { 4, "bob" }, false }, /* a NUL inside */
		{ { 64, "bob" }, false },
		{ { 255, "bob" }, false },
	};
	char out[AUTH_NAME_MAX + 1];
	struct auth_name longest = { .length = AUTH_NAME_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		strcpy(out, "untouched");
		assert_int_equal(auth_decode_name(&rows[i].n, out),
		                 rows[i].valid);
		if (!rows[i].valid)
			assert_string_equal(out, "untouched");
	}
	memset(longest.text, 'x', sizeof(longest.text));
	assert_true(auth_decode_name(&longest, out));
	assert_int_equal(strlen(out), AUTH_NAME_MAX);
}

static bool no_random(void *out, size_t length)
{
	(void)out;
	(void)length;
	return false;
}

static void without_randomness_nothing_is_said(void **state)
{
	struct pair p;

	(void)state;
	pair_init(&p);
	p.d.random = no_random;
	run(&p);
	expect_cause(&p.dialler, AUTH_CAUSE_INTERNAL);
	assert_int_equal(p.n_to_acceptor, 0);
	pair_init(&p);
	p.a.random = no_random;
	run(&p);
	expect_cause(&p.acceptor, AUTH_CAUSE_INTERNAL);
	expect_cause(&p.dialler, AUTH_CAUSE_REFUSED);
}

static void a_busy_acceptor_says_so(void **state)
{
	struct auth_terms t = terms_of(&alice);
	struct auth_refused busy;
	struct auth a;
	uint8_t out[512];

	(void)state;
	auth_start(&a, AUTH_DIALLER, &t);
	drain(&a, out);
	auth_encode_busy(&busy);
	auth_feed(&a, &busy, sizeof(busy));
	expect_cause(&a, AUTH_CAUSE_BUSY);
	assert_int_equal(drain(&a, out), 0);
}

static void what_a_stranger_costs_is_bounded(void **state)
{
	(void)state;
	assert_true(sizeof(struct auth) < 2048);
	for (int i = AUTH_OK; i <= AUTH_CAUSE_INTERNAL; i++)
		assert_true(strlen(auth_cause_text((enum auth_cause)i)) > 5);
}

static int setup(void **state)
{
	(void)state;
	return auth_key_derive("0123456789abcdef0123456789abcdef\n", 33,
	                       &key) ||
	       auth_key_derive("0123456789abcdef0123456789abcdeF\n", 33,
	                       &other_key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_find_each_other),
		cmocka_unit_test(what_follows_the_handshake_is_left_alone),
		cmocka_unit_test(no_bit_can_be_changed_on_the_way),
		cmocka_unit_test(those_who_differ_do_not_meet),
		cmocka_unit_test(an_acceptor_may_require_an_option),
		cmocka_unit_test(insecure_has_to_be_asked_for_on_both_sides),
		cmocka_unit_test(a_recorded_conversation_opens_nothing),
		cmocka_unit_test(a_mirror_is_no_member),
		cmocka_unit_test(a_stranger_learns_nothing),
		cmocka_unit_test(garbage_ends_it_at_its_first_header),
		cmocka_unit_test(messages_have_their_turn),
		cmocka_unit_test(names_are_names),
		cmocka_unit_test(without_randomness_nothing_is_said),
		cmocka_unit_test(a_busy_acceptor_says_so),
		cmocka_unit_test(what_a_stranger_costs_is_bounded),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
