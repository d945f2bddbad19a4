/* SPDX-License-Identifier: BSD-2-Clause */
#include "rig_bridge.h"

#include "base/base.h"
#include "base/clock.h"
#include "fabric/auth_key.h"
#include "fabric/tcp.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct call {
	struct task task;
	void (*fn)(void *ctx);
	void *ctx;
	sem_t done;
};

static void *run(void *arg)
{
	reactor_run(arg);
	return NULL;
}

static void run_call(struct task *task)
{
	struct call *c = container_of(task, struct call, task);

	c->fn(c->ctx);
	sem_post(&c->done);
}

void rig_bridge_call(struct rig_bridge *b, void (*fn)(void *ctx), void *ctx)
{
	struct call c = { .task.run = run_call, .fn = fn, .ctx = ctx };

	sem_init(&c.done, 0, 0);
	task_post(b->reactor, &c.task);
	while (sem_wait(&c.done))
		;
	sem_destroy(&c.done);
}

static void listen_at(void *ctx)
{
	struct rig_bridge *b = ctx;
	struct err e = { 0 };
	int err = window_host_listen(b->host, b->path, &e);

	if (err)
		fprintf(stderr, "%s\n", e.text);
	assert(err == 0);
}

void rig_bridge_start(struct rig_bridge *b, const char *node)
{
	const struct reactor_opts opts = { .name = "bridge",
		                           .spin_max_us = 50,
		                           .uring_depth = 8 };

	strcpy(b->dir, "/tmp/causeway-window-XXXXXX");
	b->node = NULL;
	b->name = node;
	assert(mkdtemp(b->dir));
	snprintf(b->path, sizeof(b->path), "%s/window.sock", b->dir);
	sem_init(&b->stopped, 0, 0);
	assert(reactor_create(&opts, &b->reactor, NULL) == 0);
	assert(window_host_create(
		       &(struct window_host_opts){ .reactor = b->reactor,
	                                           .node = node },
		       &b->host, NULL) == 0);
	assert(pthread_create(&b->thread, NULL, run, b->reactor) == 0);
	rig_bridge_call(b, listen_at, b);
}

static void stopped(void *ctx)
{
	struct rig_bridge *b = ctx;

	sem_post(&b->stopped);
}

static void stop(void *ctx)
{
	struct rig_bridge *b = ctx;

	window_host_stop(b->host, stopped, b);
	window_host_attach(b->host, NULL);
	node_destroy(b->node);
}

static void destroy(void *ctx)
{
	struct rig_bridge *b = ctx;

	window_host_destroy(b->host);
}

void rig_bridge_stop(struct rig_bridge *b)
{
	rig_bridge_call(b, stop, b);
	while (sem_wait(&b->stopped))
		;
	rig_bridge_call(b, destroy, b);
	reactor_stop(b->reactor);
	pthread_join(b->thread, NULL);
	reactor_destroy(b->reactor);
	sem_destroy(&b->stopped);
	rmdir(b->dir);
}

struct asked_stats {
	struct rig_bridge *bridge;
	struct window_stats *out;
};

static void read_stats(void *ctx)
{
	struct asked_stats *asked = ctx;

	window_host_stats(asked->bridge->host, asked->out);
}

void rig_bridge_stats(struct rig_bridge *b, struct window_stats *out)
{
	struct asked_stats asked = { b, out };

	rig_bridge_call(b, read_stats, &asked);
}

/* -- network --------------------------------------------------------------- */

struct network {
	struct rig_bridge *bridge;
	const struct rig_bridge *other;
	uint8_t id;
	unsigned port;
};

static struct fabric_address loopback_at(unsigned port)
{
	struct fabric_address a;
	char text[32];

	snprintf(text, sizeof(text), "tcp:127.0.0.1:%u", port);
	assert(address_parse(text, &a, NULL) == 0);
	return a;
}

static void make_node(void *ctx)
{
	static struct transport *const transports[] = { &tcp_transport };
	static struct auth_key key;
	struct network *net = ctx;
	struct rig_bridge *b = net->bridge;
	struct fabric_address at, all[NODE_LISTENERS];

	assert(auth_key_derive("a key for tests, of 32 bytes at least", 37,
	                       &key) == 0);
	assert(node_create(
		       &(struct node_opts){
			       .reactor = b->reactor,
			       .name = b->name,
			       .id = { net->id },
			       .boot = clock_now_ns(),
			       .key = &key,
			       .service = window_host_service(b->host),
			       .transports = transports,
			       .n_transports = ARRAY_LEN(transports) },
		       &b->node, NULL) == 0);
	assert(address_parse("tcp:127.0.0.1:0", &at, NULL) == 0);
	assert(node_listen(b->node, &at, NULL) == 0);
	assert(node_listeners(b->node, all) == 1);
	b->port = all[0].port;
	window_host_attach(b->host, b->node);
}

void rig_bridge_network(struct rig_bridge *b, uint8_t id)
{
	struct network net = { .bridge = b, .id = id };

	rig_bridge_call(b, make_node, &net);
}

static void add_peer(void *ctx)
{
	struct network *net = ctx;
	const struct fabric_address a = loopback_at(net->port);
	struct fabric_peer *p;

	assert(node_peer_add(net->bridge->node, net->other->name, &a, 1, &p,
	                     NULL) == 0);
}

void rig_bridge_introduce(struct rig_bridge *b, const struct rig_bridge *other,
                          unsigned port)
{
	struct network net = { .bridge = b, .other = other, .port = port };

	rig_bridge_call(b, add_peer, &net);
}
