/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whoever has no key, against a real node over real sockets: whatever it
 * says, and however slowly, nothing is done and little is held for it.
 */
#include "../../support/hostile.h"
#include "../test.h"

#include "fabric/auth_gate.h"
#include "fabric/tcp.h"
#include "fabric/tls.h"

#include <stdio.h>

static struct socket_world w;
static struct auth_key other_key;

static int setup(void **state)
{
	(void)state;
	socket_world_start(&w, FABRIC_TCP, 1);
	return auth_key_derive("some other key, of just 32 bytes", 32,
	                       &other_key);
}

static int teardown(void **state)
{
	(void)state;
	socket_world_stop(&w);
	return 0;
}

/* The service never heard of it. */
static void assert_untouched(void)
{
	struct node_stats s;

	assert_int_equal(w.service.n_accesses, 0);
	assert_int_equal(w.service.n_received, 0);
	assert_int_equal(w.service.n_immediates, 0);
	assert_int_equal(w.service.ups, 0);
	assert_null(node_peer_next(w.beta, NULL));
	node_stats(w.beta, &s);
	assert_int_equal(s.accepted, 0);
}

/* A frame of the type that its rules allow. */
static struct frame plain_frame(unsigned type)
{
	struct frame f = { .type = (enum fabric_wire_type)type, .last = true };

	if (type <= FABRIC_WIRE_FAA || type == FABRIC_WIRE_ANSWER)
		f.sequence = 1;
	if (type >= FABRIC_WIRE_READ && type <= FABRIC_WIRE_FAA)
		f.key = memory_key(0);
	if (type == FABRIC_WIRE_READ)
		f.total = 8;
	if (type == FABRIC_WIRE_SEND || type == FABRIC_WIRE_WRITE ||
	    type == FABRIC_WIRE_WRITE_IMM)
		f.total = f.length = 8;
	if (type == FABRIC_WIRE_JOIN || type == FABRIC_WIRE_JOINED)
		f.length = sizeof(struct fabric_wire_join);
	if (type == FABRIC_WIRE_FENCE || type == FABRIC_WIRE_FENCED)
		f.length = 8;
	return f;
}

/* How far the stranger goes first. */
enum { AT_ONCE, AFTER_HELLO, AFTER_PROOF };

static void reach(struct hostile *h, int stage)
{
	static uint8_t body[FABRIC_WIRE_BODY_MAX];
	const void *bytes;
	struct frame f = { .type = FABRIC_WIRE_AUTH, .last = true };

	hostile_dial(h, &w, 0);
	if (stage == AT_ONCE)
		return;
	if (stage == AFTER_PROOF) { /* with the wrong key */
		assert_false(
			hostile_auth(h, AUTH_DIALLER, &other_key, "mallory"));
		assert_int_equal(h->auth.cause, AUTH_CAUSE_REFUSED);
		return;
	}
	h->identity = (struct auth_identity){ .name = "mallory" };
	h->terms = (struct auth_terms){ .key = &other_key,
		                        .self = &h->identity,
		                        .version_max = 9,
		                        .binding = AUTH_BIND_NOTHING };
	auth_start(&h->auth, AUTH_DIALLER, &h->terms);
	f.length = (uint32_t)auth_pending(&h->auth, &bytes);
	assert_true(hostile_send_frame(h, &f, bytes));
	assert_true(hostile_read(h, &f, body));
}

/* D2: every type, at every stage. */
static void no_frame_does_anything_before_authentication(void **state)
{
	static const uint8_t body[2048];

	(void)state;
	for (int stage = AT_ONCE; stage <= AFTER_PROOF; stage++) {
		for (unsigned type = 0; type < 70; type++) {
			struct frame f = plain_frame(type);
			struct hostile h;

			if (type == FABRIC_WIRE_AUTH)
				continue;
			reach(&h, stage);
			hostile_send_frame(&h, &f, body);
			if (!hostile_closed(&h, HOSTILE_MS))
				fail_msg("type %u at stage %d", type, stage);
			hostile_close(&h);
		}
	}
	assert_untouched();
}

static void fill(uint8_t *to, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * UINT64_C(6364136223846793005) + 99;
		to[i] = (uint8_t)(seed >> 56);
	}
}

/* Whatever is not a frame ends the connection as soon as that is seen. */
static void garbage_is_cut(void **state)
{
	static uint8_t bytes[70000];
	struct hostile h;

	(void)state;
	for (unsigned seed = 0; seed < 60; seed++) {
		size_t n = seed < 20 ? 64 : seed * 1000;

		fill(bytes, sizeof(bytes), seed);
		if (seed == 1)
			memset(bytes, 0, sizeof(bytes));
		if (seed == 2)
			memset(bytes, 0xff, sizeof(bytes));
		if (seed == 3)
			memcpy(bytes, "GET / HTTP/1.1\r\n\r\n", 18);
		if (seed == 4)
			memcpy(bytes, "\x16\x03\x01\x02\x00\x01\x00", 7);
		hostile_dial(&h, &w, 0);
		hostile_send(&h, bytes, n);
		assert_true(hostile_closed(&h, HOSTILE_MS));
		hostile_close(&h);
	}
	assert_untouched();
}

/* Headers that pass their checksum, with every length at the edge. */
static void lengths_at_the_edge(void **state)
{
	static const uint32_t lengths[] = { 0,          2049,       65536,
		                            65537,      0x7fffffff, 0x80000000,
		                            0xffffffbf, 0xffffffff };
	static const uint8_t types[] = { FABRIC_WIRE_AUTH, FABRIC_WIRE_SEND,
		                         FABRIC_WIRE_WRITE, FABRIC_WIRE_JOIN };
	struct hostile h;

	(void)state;
	for (size_t t = 0; t < ARRAY_LEN(types); t++) {
		for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
			struct frame f = plain_frame(types[t]);
			struct fabric_wire_header header;

			f.length = lengths[i];
			f.total = types[t] < FABRIC_WIRE_ANSWER ? f.length : 0;
			frame_encode(&f, &header);
			hostile_dial(&h, &w, 0);
			hostile_send(&h, &header, sizeof(header));
			assert_true(hostile_closed(&h, HOSTILE_MS));
			hostile_close(&h);
		}
	}
	assert_untouched();
}

/* AUTH frames without end, of what auth.h takes none of. */
static void endless_authentication(void **state)
{
	static const uint8_t body[FABRIC_WIRE_CONTROL_MAX];
	const struct frame f = { .type = FABRIC_WIRE_AUTH,
		                 .length = sizeof(body),
		                 .last = true };
	struct node_stats s;
	struct hostile h;
	uint64_t end;

	(void)state;
	hostile_dial(&h, &w, 0);
	end = clock_now_ns() + (AUTH_TIME_LIMIT_MS + HOSTILE_MS) * NS_PER_MS;
	while (hostile_send_frame(&h, &f, body) && clock_now_ns() < end)
		;
	assert_true(clock_now_ns() < end);
	hostile_close(&h);
	socket_world_pass(&w, 5);
	node_stats(w.beta, &s);
	assert_int_equal(s.greeting, 0);
	assert_untouched();
}

/* AG3: half-open, stalled at every stage, and one byte at a time. */
static void the_slow_ones_are_cut(void **state)
{
	enum { SILENT, HELLO, REFUSED, LORIS, N };
	struct fabric_wire_header header;
	struct frame f = { .type = FABRIC_WIRE_AUTH,
		           .length = 2048,
		           .last = true };
	bool closed[N] = { false };
	struct hostile h[N];
	unsigned sent = 0, n = 0;
	uint64_t began = clock_now_ns(), took;
	struct node_stats s;

	(void)state;
	frame_encode(&f, &header);
	hostile_dial(&h[SILENT], &w, 0);
	reach(&h[HELLO], AFTER_HELLO);
	reach(&h[REFUSED], AFTER_PROOF);
	hostile_dial(&h[LORIS], &w, 0);
	while (n < N) {
		took = clock_now_ns() - began;
		assert_true(took <
		            (AUTH_TIME_LIMIT_MS + HOSTILE_MS) * NS_PER_MS);
		if (!closed[LORIS] && sent < took / (20 * NS_PER_MS)) {
			hostile_send(&h[LORIS],
			             sent < sizeof(header)
			                     ? (uint8_t *)&header + sent
			                     : (const uint8_t *)"x",
			             1);
			sent++;
		}
		for (unsigned i = 0; i < N; i++) {
			if (closed[i] || !hostile_closed(&h[i], 1))
				continue;
			closed[i] = true;
			n++;
			/* not before its time, which honest ones have too */
			assert_true(clock_now_ns() - began >
			            (AUTH_TIME_LIMIT_MS - 100) * NS_PER_MS);
		}
	}
	for (unsigned i = 0; i < N; i++)
		hostile_close(&h[i]);
	node_stats(w.beta, &s);
	assert_int_equal(s.greeting, 0);
	assert_true(sent > 50);
	assert_untouched();
}

/* AG1, and members still get in. */
static void a_flood_keeps_nobody_out(void **state)
{
	enum { N = 400 };
	static struct hostile h[N];
	struct node_stats s;
	unsigned most = 0;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		/* first all from one address, then from many */
		hostile_dial(&h[i], &w, i < N / 2 ? 0 : 1 + i % 40);
		socket_world_pass(&w, 0);
		node_stats(w.beta, &s);
		if (s.greeting > most)
			most = s.greeting;
		if (i < N / 2)
			assert_true(s.greeting <= AUTH_GUESTS_PER_ADDRESS);
	}
	assert_true(most <= AUTH_GUESTS_MAX);
	assert_true(most > AUTH_GUESTS_PER_ADDRESS);
	node_stats(w.beta, &s);
	assert_true(s.refused_full > 0);

	socket_world_join(&w, true); /* asserts that it comes up */
	for (unsigned i = 0; i < N; i++)
		hostile_close(&h[i]);
}

/* A node with another key, by TCP and by TLS: both sides say what is wrong. */
static void a_node_with_another_key(void **state)
{
	static const enum fabric_scheme schemes[] = { FABRIC_TCP, FABRIC_TLS };
	struct session_link_info info[SESSION_LINKS];
	struct transport *transports[2] = { &tcp_transport };
	struct memory_service service;
	struct node_opts o = { .name = "mallory",
		               .id = "mallory",
		               .boot = 1,
		               .key = &other_key,
		               .service = &service.service,
		               .transports = transports,
		               .n_transports = 2 };
	struct node_stats s;
	struct fabric_peer *p;
	struct node *n;

	(void)state;
	assert_int_equal(tls_transport_create(&other_key, &transports[1], NULL),
	                 0);
	for (unsigned i = 0; i < ARRAY_LEN(schemes); i++) {
		uint64_t end = clock_now_ns() + HOSTILE_MS * NS_PER_MS;
		const char *why = i ? "another cluster key" : "its log";

		socket_world_stop(&w);
		socket_world_start(&w, schemes[i], 1);
		memory_service_init(&service);
		o.reactor = w.reactor;
		assert_int_equal(node_create(&o, &n, NULL), 0);
		assert_int_equal(
			node_peer_add(n, "beta", &w.direct, 1, &p, NULL), 0);
		do {
			socket_world_pass(&w, 1);
			node_stats(w.beta, &s);
			session_links(node_peer_session(p), info);
		} while ((s.refused_auth == 0 || !strstr(info[0].why, why)) &&
		         clock_now_ns() < end);
		assert_true(s.refused_auth > 0);
		assert_int_equal(info[0].state, SESSION_LINK_DOWN);
		assert_non_null(strstr(info[0].why, why));
		node_destroy(n);
		assert_untouched();
	}
	tls_transport_destroy(transports[1]);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(no_frame_does_anything_before_authentication),
		T(garbage_is_cut),
		T(lengths_at_the_edge),
		T(endless_authentication),
		T(the_slow_ones_are_cut),
		T(a_flood_keeps_nobody_out),
		T(a_node_with_another_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
