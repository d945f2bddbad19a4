/* SPDX-License-Identifier: BSD-2-Clause */
/* A window host on a thread of its own, served at a socket, as in the daemon.
 */
#ifndef TESTS_UNIT_WINDOW_RIG_BRIDGE_H
#define TESTS_UNIT_WINDOW_RIG_BRIDGE_H

#include "core/reactor.h"
#include "fabric/node.h"
#include "window/window.h"

#include <pthread.h>
#include <semaphore.h>

struct rig_bridge {
	struct reactor *reactor;
	pthread_t thread;
	struct window_host *host;
	struct node *node; /* NULL: no network */
	unsigned port;
	const char *name;
	char dir[64];
	char path[96]; /* of the socket */
	sem_t stopped;
};

void rig_bridge_start(struct rig_bridge *b, const char *node);
void rig_bridge_stop(struct rig_bridge *b);

/* Listen, with a key that all rigs have. */
void rig_bridge_network(struct rig_bridge *b, uint8_t id);
/* `b` gets to know `other` at this port of loopback; the other way round it
 * is told. */
void rig_bridge_introduce(struct rig_bridge *b, const struct rig_bridge *other,
                          unsigned port);

/* Run `fn` on the reactor and wait for its end. */
void rig_bridge_call(struct rig_bridge *b, void (*fn)(void *ctx), void *ctx);

void rig_bridge_stats(struct rig_bridge *b, struct window_stats *out);

#endif /* TESTS_UNIT_WINDOW_RIG_BRIDGE_H */
