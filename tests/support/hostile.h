/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A peer without a conscience: a raw socket to a node of a socket_world that
 * says what a test wants, and turns the world's reactor while it waits.
 */
#ifndef TESTS_HOSTILE_H
#define TESTS_HOSTILE_H

#include "socket_world.h"

#include "fabric/auth.h"
#include "fabric/frame.h"

#define HOSTILE_MS 20000u /* patience */

struct hostile {
	struct socket_world *world;
	int fd; /* -1: closed */
	struct auth auth;
	struct auth_terms terms;
	struct auth_identity identity;
};

/* Connect to beta, from 127.0.`net`.1 (0: from anywhere). */
void hostile_dial(struct hostile *h, struct socket_world *w, unsigned net);
/* A connection that was accepted from a node of the world. */
void hostile_adopt(struct hostile *h, struct socket_world *w, int fd);
void hostile_close(struct hostile *h);

/* @return false: the other side has closed. */
bool hostile_send(struct hostile *h, const void *bytes, size_t n);
bool hostile_send_frame(struct hostile *h, const struct frame *f,
                        const void *body);

/* Whether the other side closes within `ms`; what it says is thrown away. */
bool hostile_closed(struct hostile *h, unsigned ms);

/* The next frame.  @return false: it closed, or said nothing for HOSTILE_MS. */
bool hostile_read(struct hostile *h, struct frame *f,
                  uint8_t body[FABRIC_WIRE_BODY_MAX]);

/* Go through the handshake as node `name`.  @return whether it was let in. */
bool hostile_auth(struct hostile *h, enum auth_role role,
                  const struct auth_key *key, const char *name);

/* Join with a lane.  @return the answer's status. */
enum fabric_status hostile_join(struct hostile *h, enum fabric_class class,
                                uint64_t epoch, uint64_t lane);

#endif /* TESTS_HOSTILE_H */
