/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A peer that has the key and uses it against us, in both roles, over real
 * sockets: malformed and misplaced frames, numbers that wrap, floods, and
 * sequences made from a grammar.  Memory beside the region stays as it was,
 * and others are served all the while.
 *
 * shows M16 (fabric)
 */
#include "../../support/hostile.h"
#include "../test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define REGION 65536u /* bytes in the middle of beta's memory */
#define MARGIN 65536u

static struct socket_world w;
static unsigned n_epochs;

static int setup(void **state)
{
	(void)state;
	socket_world_start(&w, FABRIC_TCP, 1);
	memset(w.memory, 0xee, SOCKET_BYTES);
	w.service.region[0].base = w.memory + MARGIN;
	w.service.region[0].length = REGION;
	w.service.region[0].split = 30001;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	socket_world_stop(&w);
	return 0;
}

static void assert_margins(void)
{
	for (uint64_t i = 0; i < SOCKET_BYTES; i++)
		if ((i < MARGIN || i >= MARGIN + REGION) && w.memory[i] != 0xee)
			fail_msg("byte %ju beside the region was changed",
			         (uintmax_t)i);
}

/* A lane of class LATENCY, in a new epoch. */
static void join(struct hostile *h)
{
	hostile_dial(h, &w, 0);
	assert_true(hostile_auth(h, AUTH_DIALLER, &w.key, "mallory"));
	assert_int_equal(hostile_join(h, FABRIC_LATENCY, ++n_epochs, 1),
	                 FABRIC_OK);
}

static unsigned n_done;
static enum fabric_status last;

static void op_done(struct fabric_op *op, enum fabric_status status)
{
	(void)op;
	last = status;
	n_done++;
}

/* An honest WRITE and READ of alpha's, in the middle of it all. */
static void assert_alpha_is_served(void)
{
	static uint64_t data, back;
	struct iovec iov = { &data, 8 };
	struct fabric_op op = { .opcode = FABRIC_WRITE,
		                .class = FABRIC_LATENCY,
		                .key = memory_key(0),
		                .offset = REGION - 8,
		                .length = 8,
		                .iov = &iov,
		                .n_iov = 1,
		                .done = op_done };

	data++;
	n_done = 0;
	session_submit(w.session, &op);
	assert_true(socket_world_wait(&w, &n_done, 1, HOSTILE_MS));
	assert_int_equal(last, FABRIC_OK);
	op.opcode = FABRIC_READ;
	iov.iov_base = &back;
	session_submit(w.session, &op);
	assert_true(socket_world_wait(&w, &n_done, 2, HOSTILE_MS));
	assert_int_equal(last, FABRIC_OK);
	assert_int_equal(back, data);
}

/* -- one frame ------------------------------------------------------------ */

#define KEY                                                                    \
	{                                                                      \
		{                                                              \
			0x4b, 0, 1, 2, 3                                       \
		}                                                              \
	}
#define CUT 99 /* no answer: the connection ends */
#define BIG (UINT64_C(1) << 63)

struct row {
	const char *what;
	struct frame f;
	unsigned status;
};

static const struct row rows[] = {
	{ "READ", { FABRIC_WIRE_READ, true, 0, 0, 1, KEY, 0, 8, 0, 0 }, 0 },
	{ "READ of the end",
	  { FABRIC_WIRE_READ, true, 0, 0, 1, KEY, REGION - 8, 8, 0, 0 },
	  0 },
	{ "READ beyond it",
	  { FABRIC_WIRE_READ, true, 0, 0, 1, KEY, REGION - 7, 8, 0, 0 },
	  FABRIC_RANGE },
	{ "READ before it, by wrapping",
	  { FABRIC_WIRE_READ, true, 0, 0, 1, KEY, UINT64_MAX - 3, 8, 0, 0 },
	  CUT },
	{ "READ up to 2^64",
	  { FABRIC_WIRE_READ, true, 0, 0, 1, KEY, UINT64_MAX - 8, 8, 0, 0 },
	  FABRIC_RANGE },
	{ "READ of 2^63",
	  { FABRIC_WIRE_READ, true, 0, 0, 1, KEY, 0, BIG, 0, 0 },
	  CUT },
	{ "READ of 2^40",
	  { FABRIC_WIRE_READ, true, 0, 0, 1, KEY, 0, UINT64_C(1) << 40, 0, 0 },
	  FABRIC_RANGE },
	{ "READ without LAST",
	  { FABRIC_WIRE_READ, false, 0, 0, 1, KEY, 0, 8, 0, 0 },
	  CUT },
	{ "READ with a body",
	  { FABRIC_WIRE_READ, true, 0, 8, 1, KEY, 0, 8, 0, 0 },
	  CUT },
	{ "READ, number 0",
	  { FABRIC_WIRE_READ, true, 0, 0, 0, KEY, 0, 8, 0, 0 },
	  CUT },
	{ "READ, number 2^64 - 1",
	  { FABRIC_WIRE_READ, true, 0, 0, UINT64_MAX, KEY, 0, 8, 0, 0 },
	  CUT },
	{ "READ, number beyond the window",
	  { FABRIC_WIRE_READ, true, 0, 0, SESSION_WINDOW + 1, KEY, 0, 8, 0, 0 },
	  CUT },
	{ "READ, another's key",
	  { FABRIC_WIRE_READ, true, 0, 0, 1, { { 1 } }, 0, 8, 0, 0 },
	  FABRIC_BAD_KEY },
	{ "READ with a status",
	  { FABRIC_WIRE_READ, true, 1, 0, 1, KEY, 0, 8, 0, 0 },
	  CUT },
	{ "WRITE", { FABRIC_WIRE_WRITE, true, 0, 8, 1, KEY, 0, 8, 0, 0 }, 0 },
	{ "WRITE beyond the end",
	  { FABRIC_WIRE_WRITE, true, 0, 16, 1, KEY, REGION - 8, 16, 0, 0 },
	  FABRIC_RANGE },
	{ "WRITE that wraps",
	  { FABRIC_WIRE_WRITE, true, 0, 16, 1, KEY, UINT64_MAX - 7, 16, 0, 0 },
	  CUT },
	{ "WRITE of more than it says",
	  { FABRIC_WIRE_WRITE, true, 0, 16, 1, KEY, 0, 8, 0, 0 },
	  CUT },
	{ "WRITE of less than it says, at its end",
	  { FABRIC_WIRE_WRITE, true, 0, 8, 1, KEY, 0, 16, 0, 0 },
	  CUT },
	{ "WRITE of nothing yet",
	  { FABRIC_WIRE_WRITE, false, 0, 0, 1, KEY, 0, 16, 0, 0 },
	  CUT },
	{ "WRITE without an end",
	  { FABRIC_WIRE_WRITE, false, 0, 8, 1, KEY, 0, 8, 0, 0 },
	  CUT },
	{ "a WRITE taken back before it began",
	  { FABRIC_WIRE_WRITE, true, FABRIC_REVOKED, 0, 1, KEY, REGION, 64, 0,
	    0 },
	  FABRIC_REVOKED },
	{ "CAS of the end",
	  { FABRIC_WIRE_CAS, true, 0, 0, 1, KEY, REGION - 8, 1, 2, 0 },
	  0 },
	{ "CAS beyond it",
	  { FABRIC_WIRE_CAS, true, 0, 0, 1, KEY, REGION, 1, 2, 0 },
	  FABRIC_RANGE },
	{ "CAS that wraps",
	  { FABRIC_WIRE_CAS, true, 0, 0, 1, KEY, UINT64_MAX - 7, 1, 2, 0 },
	  CUT },
	{ "CAS across two ranges",
	  { FABRIC_WIRE_CAS, true, 0, 0, 1, KEY, 30000, 1, 2, 0 },
	  FABRIC_RANGE },
	{ "FAA misaligned",
	  { FABRIC_WIRE_FAA, true, 0, 0, 1, KEY, 4, 1, 0, 0 },
	  FABRIC_RANGE },
	{ "FAA with a second operand",
	  { FABRIC_WIRE_FAA, true, 0, 0, 1, KEY, 8, 1, 1, 0 },
	  CUT },
	{ "SEND of less than it says",
	  { FABRIC_WIRE_SEND, true, 0, 8, 1, { { 0 } }, 0, 9, 0, 0 },
	  CUT },
	{ "SEND with a key",
	  { FABRIC_WIRE_SEND, true, 0, 8, 1, KEY, 0, 8, 0, 0 },
	  CUT },
	{ "SEND with an immediate",
	  { FABRIC_WIRE_SEND, true, 0, 8, 1, { { 0 } }, 0, 8, 0, 1 },
	  CUT },
	{ "an answer, from who asks",
	  { FABRIC_WIRE_ANSWER, true, 0, 0, 1, { { 0 } }, 0, 0, 0, 0 },
	  CUT },
	{ "AUTH again",
	  { FABRIC_WIRE_AUTH, true, 0, 8, 0, { { 0 } }, 0, 0, 0, 0 },
	  CUT },
	{ "JOIN again",
	  { FABRIC_WIRE_JOIN, true, 0, 24, 0, { { 0 } }, 0, 0, 0, 0 },
	  CUT },
	{ "JOINED",
	  { FABRIC_WIRE_JOINED, true, 0, 24, 0, { { 0 } }, 0, 0, 0, 0 },
	  CUT },
	{ "PONG",
	  { FABRIC_WIRE_PONG, true, 0, 0, 1, { { 0 } }, 0, 0, 0, 0 },
	  CUT },
	{ "FENCED",
	  { FABRIC_WIRE_FENCED, true, 0, 8, 0, { { 0 } }, 0, 0, 0, 0 },
	  CUT },
	{ "FENCE of nothing",
	  { FABRIC_WIRE_FENCE, true, 0, 0, 0, { { 0 } }, 0, 0, 0, 0 },
	  CUT },
	{ "FENCE of a part of a lane",
	  { FABRIC_WIRE_FENCE, true, 0, 12, 0, { { 0 } }, 0, 0, 0, 0 },
	  CUT },
	{ "FENCE of itself, lane 1",
	  { FABRIC_WIRE_FENCE, true, 0, 8, 0, { { 0 } }, 0, 0, 0, 0 },
	  CUT },
	{ "MAP, where no hardware is",
	  { FABRIC_WIRE_MAP, true, 0, 0, 0, KEY, 0, 0, 0, 0 },
	  CUT },
	{ "type 0", { 0, true, 0, 0, 1, { { 0 } }, 0, 0, 0, 0 }, CUT },
	{ "type 255", { 255, true, 0, 0, 1, { { 0 } }, 0, 0, 0, 0 }, CUT },
};

static void every_frame_is_checked(void **state)
{
	static uint8_t body[FABRIC_WIRE_BODY_MAX], sent[64] = { 1 };
	struct hostile h;

	(void)state;
	socket_world_join(&w, true);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct frame f;

		print_message("# %s\n", rows[i].what);
		join(&h);
		hostile_send_frame(&h, &rows[i].f, sent);
		if (rows[i].status == CUT) {
			assert_true(hostile_closed(&h, HOSTILE_MS));
		} else {
			assert_true(hostile_read(&h, &f, body));
			assert_int_equal(f.type, FABRIC_WIRE_ANSWER);
			assert_int_equal(f.status, rows[i].status);
			assert_int_equal(f.sequence, 1);
		}
		hostile_close(&h);
		assert_margins();
	}
	assert_alpha_is_served();
}

/* -- several frames ------------------------------------------------------- */

/* A WRITE of 32 bytes in two frames, the second of which is wrong. */
static void what_continues_has_to_fit(void **state)
{
	static const struct frame first = {
		FABRIC_WIRE_WRITE, false, 0, 16, 1, KEY, 0, 32, 0, 0
	};
	static const struct row seconds[] = {
		{ "right",
		  { FABRIC_WIRE_WRITE, true, 0, 16, 1, KEY, 16, 32, 0, 0 },
		  0 },
		{ "another number",
		  { FABRIC_WIRE_WRITE, true, 0, 16, 2, KEY, 16, 32, 0, 0 },
		  CUT },
		{ "a gap",
		  { FABRIC_WIRE_WRITE, true, 0, 16, 1, KEY, 17, 32, 0, 0 },
		  CUT },
		{ "the same again",
		  { FABRIC_WIRE_WRITE, true, 0, 16, 1, KEY, 0, 32, 0, 0 },
		  CUT },
		{ "another key",
		  { FABRIC_WIRE_WRITE,
		    true,
		    0,
		    16,
		    1,
		    { { 1 } },
		    16,
		    32,
		    0,
		    0 },
		  CUT },
		{ "another length",
		  { FABRIC_WIRE_WRITE, true, 0, 16, 1, KEY, 16, 33, 0, 0 },
		  CUT },
		{ "too much",
		  { FABRIC_WIRE_WRITE, true, 0, 17, 1, KEY, 16, 32, 0, 0 },
		  CUT },
		{ "another type",
		  { FABRIC_WIRE_WRITE_IMM, true, 0, 16, 1, KEY, 16, 32, 0, 0 },
		  CUT },
		{ "a READ",
		  { FABRIC_WIRE_READ, true, 0, 0, 2, KEY, 0, 8, 0, 0 },
		  CUT },
		{ "a SEND",
		  { FABRIC_WIRE_SEND, true, 0, 8, 2, { { 0 } }, 0, 8, 0, 0 },
		  CUT },
		{ "an atomic",
		  { FABRIC_WIRE_FAA, true, 0, 0, 2, KEY, 0, 8, 0, 0 },
		  CUT },
		{ "taken back",
		  { FABRIC_WIRE_WRITE, true, FABRIC_REVOKED, 0, 1, KEY, 16, 32,
		    0, 0 },
		  FABRIC_REVOKED },
	};
	static uint8_t body[FABRIC_WIRE_BODY_MAX];
	struct hostile h;
	struct frame f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(seconds); i++) {
		print_message("# %s\n", seconds[i].what);
		join(&h);
		hostile_send_frame(&h, &first, body);
		hostile_send_frame(&h, &seconds[i].f, body);
		if (seconds[i].status == CUT) {
			assert_true(hostile_closed(&h, HOSTILE_MS));
		} else {
			assert_true(hostile_read(&h, &f, body));
			assert_int_equal(f.status, seconds[i].status);
		}
		hostile_close(&h);
	}
	assert_margins();
}

/* Frames of every kind, many of them slightly wrong, in any order. */
static uint64_t random_state;

static uint64_t pick(uint64_t n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1;
	return (random_state >> 20) % n;
}

static uint64_t pick_number(void)
{
	static const uint64_t edges[] = { 0,      1,          7,
		                          8,      REGION - 8, REGION,
		                          30000,  UINT64_MAX, UINT64_MAX - 7,
		                          1 << 20 };

	return pick(3) ? pick(REGION) : edges[pick(ARRAY_LEN(edges))];
}

static void make_request(struct frame *f, uint64_t sequence)
{
	static const uint8_t types[] = { 1, 2, 2, 3, 3, 3, 4, 5, 6 };

	*f = (struct frame){ .type = types[pick(ARRAY_LEN(types))],
		             .last = true,
		             .sequence = sequence };
	if (f->type != FABRIC_WIRE_SEND) {
		f->key = memory_key((unsigned)pick(16) == 0);
		f->offset = pick_number();
		f->total = pick_number();
	}
	if (f->type == FABRIC_WIRE_CAS)
		f->operand = pick_number();
	if (f->type == FABRIC_WIRE_CAS || f->type == FABRIC_WIRE_FAA)
		f->offset &= ~UINT64_C(7);
	if (f->type == FABRIC_WIRE_READ || f->type > FABRIC_WIRE_WRITE_IMM)
		return;
	f->length = (uint32_t)pick(pick(4) ? 300 : 65537);
	if (f->type == FABRIC_WIRE_SEND || pick(4))
		f->total = f->length;
	f->last = f->total == f->length;
}

static void make_wrong(struct frame *f)
{
	switch (pick(9)) {
	case 0:
		f->type = (enum fabric_wire_type)pick(80);
		break;
	case 1:
		f->last = !f->last;
		break;
	case 2:
		f->status = (enum fabric_status)pick(FABRIC_STATUSES);
		break;
	case 3:
		f->length ^= 1u << pick(17);
		break;
	case 4:
		f->sequence = pick_number();
		break;
	case 5:
		f->total = pick_number();
		break;
	case 6:
		f->offset = pick_number();
		break;
	case 7:
		f->immediate = (uint32_t)pick(9);
		break;
	default:
		f->key.byte[pick(16)] ^= 1;
		break;
	}
}

static void sequences_from_a_grammar(void **state)
{
	static uint8_t body[2 * FABRIC_WIRE_BODY_MAX];
	struct hostile h;
	struct frame f;

	(void)state;
	socket_world_join(&w, true);
	for (unsigned seed = 1; seed <= 200; seed++) {
		random_state = seed;
		join(&h);
		for (uint64_t i = 1; i < 60; i++) {
			if (pick(12) == 0)
				f = (struct frame){ .type = FABRIC_WIRE_PING,
					            .sequence = i,
					            .last = true };
			else
				make_request(&f, i);
			if (pick(20) == 0)
				make_wrong(&f);
			if (f.length > sizeof(body))
				f.length = sizeof(body);
			if (!hostile_send_frame(&h, &f, body))
				break;
			recv(h.fd, body, pick(sizeof(body)), MSG_DONTWAIT);
		}
		hostile_close(&h);
		if (seed % 50 == 0) {
			assert_margins();
			assert_alpha_is_served();
		}
	}
	assert_margins();
}

/* -- too much ------------------------------------------------------------- */

/* It asks for much and takes nothing: it waits, others don't. */
static void who_takes_no_answers_is_not_read(void **state)
{
	struct frame f = { .type = FABRIC_WIRE_READ,
		           .last = true,
		           .key = memory_key(0),
		           .total = REGION };
	struct fabric_wire_header header;
	struct hostile h;
	uint64_t asked = 0;
	size_t at = 0;

	(void)state;
	socket_world_join(&w, true);
	join(&h);
	for (unsigned idle = 0; idle < 2000;) {
		ssize_t n;

		if (at == 0) {
			f.sequence = ++asked;
			frame_encode(&f, &header);
		}
		n = send(h.fd, (uint8_t *)&header + at, sizeof(header) - at,
		         MSG_DONTWAIT | MSG_NOSIGNAL);
		idle = n > 0 ? 0 : idle + 1;
		at = (at + (n > 0 ? (size_t)n : 0)) % sizeof(header);
		reactor_poll(w.reactor);
	}
	/* What was answered is in the sockets; a bound, whatever is asked. */
	assert_true(w.service.n_accesses < 1000);
	assert_true(asked > 2 * w.service.n_accesses);
	assert_alpha_is_served();
	hostile_close(&h);
}

/* NODE_LANES of a peer, and NODE_PEERS. */
static void lanes_and_peers_have_a_bound(void **state)
{
	static struct hostile h[NODE_LANES + 1];
	unsigned i, n = 0;
	char name[16];

	(void)state;
	for (i = 0; i <= NODE_LANES; i++) {
		hostile_dial(&h[i], &w, 0);
		assert_true(
			hostile_auth(&h[i], AUTH_DIALLER, &w.key, "mallory"));
		assert_int_equal(hostile_join(&h[i], FABRIC_BULK, 1, i + 1),
		                 i < NODE_LANES ? FABRIC_OK : FABRIC_BUSY);
	}
	for (i = 0; i <= NODE_LANES; i++)
		hostile_close(&h[i]);
	for (i = 0; i < NODE_PEERS; i++) {
		enum fabric_status status;

		snprintf(name, sizeof(name), "m%u", i);
		hostile_dial(&h[i], &w, 0);
		assert_true(hostile_auth(&h[i], AUTH_DIALLER, &w.key, name));
		status = hostile_join(&h[i], FABRIC_BULK, 1, 1);
		n += status == FABRIC_OK;
		if (status != FABRIC_OK)
			assert_int_equal(status, FABRIC_BUSY);
	}
	assert_int_equal(n, NODE_PEERS - 1); /* mallory is one */
	for (i = 0; i < NODE_PEERS; i++)
		hostile_close(&h[i]);
}

/* -- the peer that we dial ------------------------------------------------ */

static int trap, trap_port;

static void open_listener(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);

	trap = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_true(trap >= 0);
	assert_int_equal(bind(trap, (struct sockaddr *)&a, n), 0);
	assert_int_equal(listen(trap, 64), 0);
	assert_int_equal(getsockname(trap, (struct sockaddr *)&a, &n), 0);
	trap_port = ntohs(a.sin_port);
}

/* Become the peer of a lane that beta dials, of class LATENCY. */
static void be_dialled(struct hostile *h)
{
	static uint8_t body[FABRIC_WIRE_BODY_MAX];
	struct frame_join j = { 0 };
	struct frame f;

	do {
		int fd;

		while ((fd = accept4(trap, NULL, NULL, SOCK_CLOEXEC)) < 0)
			reactor_poll(w.reactor);
		hostile_adopt(h, &w, fd);
		if (!hostile_auth(h, AUTH_ACCEPTOR, &w.key, "mallory") ||
		    !hostile_read(h, &f, body) || f.type != FABRIC_WIRE_JOIN ||
		    frame_decode_join(body, f.length, &j) ||
		    j.class != FABRIC_LATENCY) {
			hostile_close(h);
			continue;
		}
		f.type = FABRIC_WIRE_JOINED;
		assert_true(hostile_send_frame(h, &f, body));
	} while (h->fd < 0);
}

/* Answers to a READ of 4096 bytes, number 1. */
static const struct row answers[] = {
	{ "right",
	  { FABRIC_WIRE_ANSWER, true, 0, 4096, 1, { { 0 } }, 0, 0, 0, 0 },
	  0 },
	{ "one byte more",
	  { FABRIC_WIRE_ANSWER, true, 0, 4097, 1, { { 0 } }, 0, 0, 0, 0 },
	  CUT },
	{ "16 times as much",
	  { FABRIC_WIRE_ANSWER, true, 0, 65536, 1, { { 0 } }, 0, 0, 0, 0 },
	  CUT },
	{ "less, as its last",
	  { FABRIC_WIRE_ANSWER, true, 0, 4095, 1, { { 0 } }, 0, 0, 0, 0 },
	  CUT },
	{ "all, not as its last",
	  { FABRIC_WIRE_ANSWER, false, 0, 4096, 1, { { 0 } }, 0, 0, 0, 0 },
	  CUT },
	{ "nothing, not as its last",
	  { FABRIC_WIRE_ANSWER, false, 0, 0, 1, { { 0 } }, 0, 0, 0, 0 },
	  CUT },
	{ "another number",
	  { FABRIC_WIRE_ANSWER, true, 0, 4096, 2, { { 0 } }, 0, 0, 0, 0 },
	  CUT },
	{ "another place",
	  { FABRIC_WIRE_ANSWER, true, 0, 4096, 1, { { 0 } }, 4096, 0, 0, 0 },
	  CUT },
	{ "before it",
	  { FABRIC_WIRE_ANSWER,
	    true,
	    0,
	    4096,
	    1,
	    { { 0 } },
	    UINT64_MAX - 4095,
	    0,
	    0,
	    0 },
	  CUT },
	{ "a refusal with bytes",
	  { FABRIC_WIRE_ANSWER, true, 1, 4096, 1, { { 0 } }, 0, 0, 0, 0 },
	  CUT },
	{ "a request",
	  { FABRIC_WIRE_WRITE, true, 0, 64, 1, KEY, 0, 64, 0, 0 },
	  CUT },
	{ "a fence of its own",
	  { FABRIC_WIRE_FENCE, true, 0, 8, 0, { { 0 } }, 0, 0, 0, 0 },
	  CUT },
	{ "MAPPED, where no hardware is",
	  { FABRIC_WIRE_MAPPED, true, 0, 8, 0, { { 0 } }, 0, 0, 0, 0 },
	  CUT },
};

static void answers_that_were_not_asked_for(void **state)
{
	static uint8_t into[3 * 4096], bytes[FABRIC_WIRE_BODY_MAX];
	struct iovec iov = { into + 4096, 4096 };
	struct fabric_address at = w.direct;
	struct fabric_peer *p;

	(void)state;
	open_listener();
	at.port = (uint16_t)trap_port;
	memset(bytes, 0x77, sizeof(bytes));
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct fabric_op op = { .opcode = FABRIC_READ,
			                .class = FABRIC_LATENCY,
			                .key = memory_key(0),
			                .length = 4096,
			                .iov = &iov,
			                .n_iov = 1,
			                .done = op_done };
		struct hostile h;
		struct frame f;

		print_message("# %s\n", answers[i].what);
		memset(into, 0x11, sizeof(into));
		n_done = 0;
		assert_int_equal(
			node_peer_add(w.beta, "mallory", &at, 1, &p, NULL), 0);
		session_submit(node_peer_session(p), &op);
		be_dialled(&h);
		assert_true(hostile_read(&h, &f, bytes));
		assert_int_equal(f.type, FABRIC_WIRE_READ);
		memset(bytes, 0x77, sizeof(bytes));
		hostile_send_frame(&h, &answers[i].f, bytes);
		if (answers[i].status == CUT)
			assert_true(hostile_closed(&h, HOSTILE_MS));
		else
			assert_true(
				socket_world_wait(&w, &n_done, 1, HOSTILE_MS));
		for (unsigned k = 0; k < 4096; k++) {
			assert_int_equal(into[k], 0x11);
			assert_int_equal(into[2 * 4096 + k], 0x11);
		}
		hostile_close(&h);
		node_peer_remove(w.beta, p);
		assert_int_equal(n_done, 1); /* O1 */
		assert_int_equal(last, answers[i].status == CUT
		                               ? FABRIC_CANCELLED
		                               : FABRIC_OK);
	}
	close(trap);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(every_frame_is_checked),
		T(what_continues_has_to_fit),
		T(sequences_from_a_grammar),
		T(who_takes_no_answers_is_not_read),
		T(lanes_and_peers_have_a_bound),
		T(answers_that_were_not_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
