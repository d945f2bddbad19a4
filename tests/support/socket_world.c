/* SPDX-License-Identifier: BSD-2-Clause */
#include "socket_world.h"

#include "fabric/tcp.h"
#include "fabric/tls.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

static struct node *make_node(struct socket_world *w, const char *name,
                              struct memory_service *service)
{
	struct node_opts o = { .reactor = w->reactor,
		               .name = name,
		               .id = { (uint8_t)name[0] },
		               .boot = ++w->boot,
		               .key = &w->key,
		               .service = &service->service,
		               .transports = w->transports,
		               .n_transports = 2 };
	struct node *n;
	int err;

	memory_service_init(service);
	err = node_create(&o, &n, NULL);
	assert(!err);
	return n;
}

void socket_world_start(struct socket_world *w, enum fabric_scheme scheme,
                        uint64_t seed)
{
	static const char secret[] = "a key for tests, 32 bytes long..";
	const struct reactor_opts ro = { .name = "world" };
	struct fabric_address at, listeners[NODE_LISTENERS];
	char text[FABRIC_ADDRESS_TEXT];
	struct err e = { 0 };
	int err;

	memset(w, 0, sizeof(*w));
	w->scheme = scheme;
	err = reactor_create(&ro, &w->reactor, NULL);
	assert(!err);
	reactor_bind(w->reactor);
	err = auth_key_derive(secret, sizeof(secret) - 1, &w->key);
	assert(!err);
	w->transports[0] = &tcp_transport;
	err = tls_transport_create(&w->key, &w->transports[1], NULL);
	assert(!err);
	w->beta = make_node(w, "beta", &w->service);
	w->memory = calloc(1, SOCKET_BYTES);
	assert(w->memory);
	w->service.region[0] = (struct memory_region){
		.base = w->memory,
		.length = SOCKET_BYTES,
		.rights = FABRIC_RIGHT_READ | FABRIC_RIGHT_WRITE |
		          FABRIC_RIGHT_ATOMIC,
	};
	err = address_parse("tcp:127.0.0.1:0", &at, NULL);
	assert(!err);
	at.scheme = scheme;
	err = node_listen(w->beta, &at, &e);
	assert(!err);
	assert(node_listeners(w->beta, listeners) == 1);
	w->direct = listeners[0];
	snprintf(text, sizeof(text), "tcp:127.0.0.1:%u", w->direct.port);
	err = fault_proxy_start(&w->proxy, w->reactor, seed, "127.0.0.1:0",
	                        text, &e);
	assert(!err);
	w->spoiled = w->direct;
	w->spoiled.port = (uint16_t)fault_proxy_port(&w->proxy);
}

void socket_world_dial(struct socket_world *w, bool direct_too)
{
	struct fabric_address at[2] = { w->spoiled, w->direct };
	unsigned n = direct_too ? 2 : 1;
	int err;

	w->alpha = make_node(w, "alpha", &w->alpha_service);
	err = node_peer_add(w->alpha, "beta", at, n, &w->peer, NULL);
	assert(!err);
	w->session = node_peer_session(w->peer);
}

void socket_world_join(struct socket_world *w, bool direct_too)
{
	struct session_link_info info[SESSION_LINKS];
	unsigned n = direct_too ? 2 : 1, up;

	socket_world_dial(w, direct_too);
	for (unsigned i = 0; i < 20000; i++) {
		socket_world_pass(w, 1);
		assert(session_links(w->session, info) == n);
		up = info[0].state == SESSION_LINK_UP;
		up += n == 2 && info[1].state == SESSION_LINK_UP;
		if (up == n)
			return;
	}
	abort(); /* they never came up */
}

void socket_world_part(struct socket_world *w)
{
	node_destroy(w->alpha);
	w->alpha = NULL;
	socket_world_pass(w, 5);
}

void socket_world_stop(struct socket_world *w)
{
	node_destroy(w->alpha);
	node_destroy(w->beta);
	fault_proxy_stop(&w->proxy);
	while (reactor_poll(w->reactor))
		;
	tls_transport_destroy(w->transports[1]);
	reactor_destroy(w->reactor);
	free(w->memory);
}

void socket_world_pass(struct socket_world *w, unsigned ms)
{
	uint64_t end = clock_now_ns() + ms * NS_PER_MS;

	do {
		reactor_poll(w->reactor);
	} while (clock_now_ns() < end);
}

bool socket_world_wait(struct socket_world *w, const unsigned *counter,
                       unsigned value, unsigned ms)
{
	uint64_t end = clock_now_ns() + ms * NS_PER_MS;

	while (*counter < value && clock_now_ns() < end)
		reactor_poll(w->reactor);
	return *counter >= value;
}
