/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two nodes in one process over real sockets and real time: alpha asks, beta
 * serves; between them a direct link and one through a proxy that spoils it.
 */
#ifndef TESTS_SOCKET_WORLD_H
#define TESTS_SOCKET_WORLD_H

#include "fault_proxy.h"
#include "memory_service.h"

#include "core/reactor.h"
#include "fabric/auth_key.h"
#include "fabric/node.h"

#define SOCKET_BYTES (UINT64_C(4) << 20)

struct socket_world {
	struct reactor *reactor;
	struct auth_key key;
	struct transport *transports[2];
	struct node *alpha, *beta;
	struct memory_service alpha_service, service; /* of alpha, of beta */
	uint8_t *memory;                              /* beta's region 0 */
	enum fabric_scheme scheme;
	struct fabric_address direct, spoiled; /* of beta */
	struct fault_proxy proxy;
	struct fabric_peer *peer; /* beta, as alpha knows it */
	struct session *session;
	unsigned boot;
};

/* beta alone, listening. */
void socket_world_start(struct socket_world *w, enum fabric_scheme scheme,
                        uint64_t seed);
/* alpha too, dialling. */
void socket_world_dial(struct socket_world *w, bool direct_too);
/* alpha too, with the link through the proxy and, if asked, the direct one;
 * waits until it is up. */
void socket_world_join(struct socket_world *w, bool direct_too);
/* alpha is gone. */
void socket_world_part(struct socket_world *w);
void socket_world_stop(struct socket_world *w);

/* Turn the reactor for so long. */
void socket_world_pass(struct socket_world *w, unsigned ms);
/* Until *counter is at least `value`.  @return whether it came to that. */
bool socket_world_wait(struct socket_world *w, const unsigned *counter,
                       unsigned value, unsigned ms);

#endif /* TESTS_SOCKET_WORLD_H */
