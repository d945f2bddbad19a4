/* SPDX-License-Identifier: BSD-2-Clause */
#include "fabric_world.h"

#include <stdio.h>
#include <stdlib.h>

#define STEP_US 100u
#define POLLS_MAX 100000u

static const char *const names[WORLD_NODES] = { "alpha", "beta", "gamma" };

void world_start(struct fabric_world *w, uint64_t seed)
{
	static const uint8_t secret[32] = "a key for tests, 32 bytes long.";
	struct reactor_opts opts = { .name = "world" };
	int err;

	memset(w, 0, sizeof(*w));
	w->sim = sim_create(seed);
	assert(w->sim);
	opts.clock = sim_clock(w->sim);
	err = reactor_create(&opts, &w->reactor, NULL);
	assert(!err);
	reactor_bind(w->reactor);
	sim_attach(w->sim, w->reactor);
	w->transports[0] = sim_transport(w->sim);
	err = auth_key_derive(secret, sizeof(secret), &w->key);
	assert(!err);
}

static void settle(struct fabric_world *w)
{
	unsigned n = 0;

	while (reactor_poll(w->reactor))
		assert(++n < POLLS_MAX);
}

void world_stop(struct fabric_world *w)
{
	for (unsigned i = 0; i < WORLD_NODES; i++) {
		world_kill(w, i);
		free(w->nodes[i].memory);
	}
	settle(w);
	sim_detach(w->sim);
	reactor_destroy(w->reactor);
	sim_destroy(w->sim);
}

struct fabric_address world_address(unsigned node, unsigned link)
{
	struct fabric_address a;
	char text[16];
	int err;

	snprintf(text, sizeof(text), "sim:%u", node * WORLD_LINKS + link);
	err = address_parse(text, &a, NULL);
	assert(!err);
	return a;
}

void world_boot(struct fabric_world *w, unsigned i, unsigned n_links)
{
	struct world_node *n = &w->nodes[i];
	struct node_opts opts = { .reactor = w->reactor,
		                  .name = names[i],
		                  .id = { (uint8_t)(i + 1) },
		                  .boot = ++n->boot,
		                  .key = &w->key,
		                  .service = &n->service.service,
		                  .transports = w->transports,
		                  .n_transports = 1,
		                  .session = w->session };
	struct err e = { 0 };
	int err;

	assert(!n->node);
	if (!n->memory)
		n->memory = calloc(1, WORLD_BYTES);
	assert(n->memory);
	memory_service_init(&n->service);
	n->service.region[0] = (struct memory_region){
		.base = n->memory,
		.length = WORLD_BYTES,
		.rights = FABRIC_RIGHT_READ | FABRIC_RIGHT_WRITE |
		          FABRIC_RIGHT_ATOMIC,
	};
	err = node_create(&opts, &n->node, &e);
	assert(!err);
	for (unsigned k = 0; k < n_links; k++) {
		struct fabric_address a = world_address(i, k);

		err = node_listen(n->node, &a, &e);
		assert(!err);
	}
}

void world_kill(struct fabric_world *w, unsigned i)
{
	node_destroy(w->nodes[i].node);
	w->nodes[i].node = NULL;
	settle(w);
}

struct fabric_peer *world_introduce(struct fabric_world *w, unsigned from,
                                    unsigned to, unsigned n_links)
{
	struct fabric_address a[WORLD_LINKS];
	struct fabric_peer *p;
	int err;

	for (unsigned k = 0; k < n_links; k++)
		a[k] = world_address(to, k);
	err = node_peer_add(w->nodes[from].node, names[to], a, n_links, &p,
	                    NULL);
	assert(!err);
	return p;
}

void world_pass(struct fabric_world *w, uint64_t us)
{
	for (uint64_t t = 0; t < us; t += STEP_US) {
		settle(w);
		sim_advance(w->sim, STEP_US * NS_PER_US);
	}
	settle(w);
}

bool world_wait(struct fabric_world *w, const unsigned *counter, unsigned value,
                unsigned ms)
{
	for (uint64_t us = 0; *counter < value && us < ms * 1000; us += STEP_US)
		world_pass(w, STEP_US);
	return *counter >= value;
}

bool world_wait_state(struct fabric_world *w, struct fabric_peer *p,
                      enum session_state state, unsigned ms)
{
	struct session *s = node_peer_session(p);

	for (uint64_t us = 0; session_state(s) != state && us < ms * 1000;
	     us += STEP_US)
		world_pass(w, STEP_US);
	return session_state(s) == state;
}

static void op_done(struct fabric_op *op, enum fabric_status status)
{
	struct world_op *o = container_of(op, struct world_op, op);

	o->status = status;
	o->done++;
	o->done_ns = sim_clock(o->world->sim)->now_ns(sim_clock(o->world->sim));
}

void world_op_init(struct fabric_world *w, struct world_op *o,
                   enum fabric_opcode opcode, enum fabric_class class,
                   uint64_t offset, void *data, uint64_t length)
{
	bool atomic = opcode == FABRIC_CAS || opcode == FABRIC_FAA;

	*o = (struct world_op){ .op = { .opcode = opcode,
		                        .class = class,
		                        .key = memory_key(0),
		                        .offset = offset,
		                        .length = length,
		                        .iov = atomic ? NULL : &o->iov,
		                        .n_iov = !atomic,
		                        .done = op_done },
		                .iov = { data, length },
		                .world = w };
}

enum fabric_status world_run(struct fabric_world *w, struct session *s,
                             struct world_op *o, unsigned ms)
{
	bool ended;

	session_submit(s, &o->op);
	ended = world_wait(w, &o->done, 1, ms);
	assert(ended);
	return o->status;
}
