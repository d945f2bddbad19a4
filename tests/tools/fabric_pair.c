/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two nodes, each in a process or machine of its own, over any transport:
 *
 *     fabric_pair ADDRESS                 serves 4 MiB until it is told BYE
 *     fabric_pair ADDRESS PEER [SECONDS]  works on the peer's, and checks
 *
 * ADDRESS as in fabric/address.h; the second listens at its own too, so that
 * the peer dials back.  Exits 0 if all was right.
 */
#include "../support/memory_service.h"

#include "core/reactor.h"
#include "fabric/node.h"
#include "fabric/tcp.h"
#include "fabric/tls.h"
#include "fabric/verbs.h"

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#define BYTES (4u << 20)
#define PARALLEL 16u

static struct reactor *reactor;
static struct node *node;
static struct memory_service service;
static struct auth_key key;
static uint8_t memory[BYTES], local[BYTES], shadow[BYTES];

struct job {
	struct fabric_op op;
	struct iovec iov;
	unsigned done;
	enum fabric_status status;
};

static void die_with(const struct err *e)
{
	errx(1, "%s", e->text);
}

static void start(const char *name, const char *address)
{
	const struct reactor_opts ro = { .name = name, .spin_max_us = 50 };
	static struct transport *transports[3];
	struct fabric_address at;
	struct err e = { 0 };
	struct node_opts o = { .name = name,
		               .key = &key,
		               .service = &service.service,
		               .transports = transports,
		               .boot = clock_now_ns(),
		               /* emulated machines may be slow */
		               .session = { .lost_after_ms = 60000 } };

	if (reactor_create(&ro, &reactor, &e))
		die_with(&e);
	reactor_bind(reactor);
	memory_service_init(&service);
	service.region[0] = (struct memory_region){
		.base = memory,
		.length = BYTES,
		.rights = FABRIC_RIGHT_READ | FABRIC_RIGHT_WRITE |
		          FABRIC_RIGHT_ATOMIC,
	};
	o.reactor = reactor;
	if (auth_key_derive("fabric_pair fabric_pair fabric_pair!", 36, &key) ||
	    getrandom(o.id, sizeof(o.id), 0) != sizeof(o.id))
		errx(1, "no key or no random bytes");
	transports[o.n_transports++] = &tcp_transport;
	if (tls_transport_create(&key, &transports[o.n_transports++], &e))
		die_with(&e);
	if (verbs_transport_create(reactor, &transports[o.n_transports], &e))
		printf("no RDMA: %s\n", e.text);
	else
		o.n_transports++;
	e = (struct err){ 0 };
	if (node_create(&o, &node, &e) || address_parse(address, &at, &e) ||
	    node_listen(node, &at, &e))
		die_with(&e);
}

static void job_done(struct fabric_op *op, enum fabric_status status)
{
	struct job *j = container_of(op, struct job, op);

	j->status = status;
	j->done++;
}

static void submit(struct session *s, struct job *j, enum fabric_opcode opcode,
                   uint64_t offset, uint64_t length)
{
	*j = (struct job){ .op = { .opcode = opcode,
		                   .class = length > 65536 ? FABRIC_BULK
		                                           : FABRIC_LATENCY,
		                   .key = memory_key(0),
		                   .flow = 1,
		                   .offset = offset,
		                   .length = length,
		                   .done = job_done } };
	if (opcode == FABRIC_FAA) {
		j->op.operand[0] = 3;
	} else {
		j->iov = (struct iovec){ local + offset, length };
		j->op.iov = &j->iov;
		j->op.n_iov = 1;
	}
	session_submit(s, &j->op);
}

static void wait_for(struct job *j)
{
	while (!j->done)
		reactor_poll(reactor);
	if (j->status != FABRIC_OK)
		errx(1, "%s at %" PRIu64 ", %" PRIu64 " bytes: %s",
		     fabric_opcode_name(j->op.opcode), j->op.offset,
		     j->op.length, fabric_status_name(j->status));
}

static void run(struct session *s, enum fabric_opcode opcode, uint64_t offset,
                uint64_t length)
{
	struct job j;

	submit(s, &j, opcode, offset, length);
	wait_for(&j);
}

static uint64_t next_random(void)
{
	static uint64_t state = 1;

	state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return state >> 33;
}

/* Write somewhere, read it with its surroundings, compare. */
static void round_trip(struct session *s)
{
	static const uint64_t lengths[] = { 8, 100, 4096, 65536, 300000 };
	uint64_t n = lengths[next_random() % ARRAY_LEN(lengths)];
	uint64_t at = 64 + next_random() % (BYTES - n - 128);

	for (uint64_t i = 0; i < n; i++)
		local[at + i] = shadow[at + i] = (uint8_t)next_random();
	run(s, FABRIC_WRITE, at, n);
	memset(local + at - 64, 0, n + 128);
	run(s, FABRIC_READ, at - 64, n + 128);
	if (memcmp(local + at - 64, shadow + at - 64, n + 128) != 0)
		errx(1, "wrong bytes at %" PRIu64 ", length %" PRIu64, at, n);
}

static double measure(struct session *s, enum fabric_opcode opcode,
                      uint64_t length, unsigned n)
{
	struct job jobs[PARALLEL];
	uint64_t began = clock_now_ns();

	for (unsigned i = 0; i < n + PARALLEL; i++) {
		if (i >= PARALLEL)
			wait_for(&jobs[i % PARALLEL]);
		if (i < n)
			submit(s, &jobs[i % PARALLEL], opcode, 0, length);
	}
	return (double)(clock_now_ns() - began) / 1e9;
}

static void show(struct session *s)
{
	struct session_link_info info[SESSION_LINKS];
	unsigned n = session_links(s, info);
	char text[FABRIC_ADDRESS_TEXT];

	for (unsigned i = 0; i < n; i++)
		printf("%s %s, %" PRIu64 " operations, %" PRIu64
		       " bytes out, %" PRIu64 " in %s\n",
		       address_format(&info[i].address, text),
		       session_link_state_name(info[i].state), info[i].ops,
		       info[i].bytes_sent, info[i].bytes_received, info[i].why);
}

static void work(const char *address, unsigned seconds)
{
	struct fabric_address at;
	struct fabric_peer *p = NULL;
	struct session *s;
	struct err e = { 0 };
	uint64_t end, n = 0;
	double took;

	if (address_parse(address, &at, &e) ||
	    node_peer_add(node, "server", &at, 1, &p, &e))
		die_with(&e);
	s = node_peer_session(p);
	for (uint64_t i = 0; i < 16; i++)
		run(s, FABRIC_WRITE, i * (BYTES / 16), BYTES / 16);
	end = clock_now_ns() + seconds * NS_PER_S;
	while (clock_now_ns() < end) {
		round_trip(s);
		n++;
	}
	memset(local, 0, 64);
	run(s, FABRIC_WRITE, 0, 64);
	for (unsigned i = 0; i < 100; i++)
		run(s, FABRIC_FAA, 0, 8);
	run(s, FABRIC_READ, 0, 8);
	if (*(uint64_t *)(void *)local != 300)
		errx(1, "atomics: not 300");
	took = measure(s, FABRIC_READ, 4096, 1000); /* us: x 1e6 / 1000 */
	printf("%" PRIu64 " round trips; 4 KiB READs: %.0f us each, 1 MiB: ", n,
	       took * 1e3);
	took = measure(s, FABRIC_READ, 1 << 20, 16);
	printf("%.1f MB/s\n", 16 * 1.048576 / took);
	show(s);
	memcpy(local, "BYE", 4);
	run(s, FABRIC_SEND, 0, 4);
}

static void serve(void)
{
	printf("SERVING\n");
	fflush(stdout);
	while (!service.n_received || memcmp(service.message, "BYE", 4) != 0)
		reactor_poll(reactor);
	/* Let the answer go out. */
	for (uint64_t end = clock_now_ns() + NS_PER_S; clock_now_ns() < end;)
		reactor_poll(reactor);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		errx(2, "usage: fabric_pair ADDRESS [PEER [SECONDS]]");
	start(argc > 2 ? "client" : "server", argv[1]);
	if (argc > 2)
		work(argv[2], argc > 3 ? (unsigned)atoi(argv[3]) : 1);
	else
		serve();
	node_destroy(node);
	printf("%s done\n", argc > 2 ? "client" : "server");
	return 0;
}
