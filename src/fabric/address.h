/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric/address - where a node can be reached: SCHEME:HOST:PORT.
 *
 *     tcp:10.0.0.2:7420   10.0.0.2:7420   (tcp is the default)
 *     tls:[fd00::2]:7420  verbs:10.0.0.2:7420
 *     sim:3               (a number in a simulated network, fabric/sim.h)
 *
 * HOST is numeric; "*" and nothing are every address of the host, for
 * listening only.  Pure functions.
 */
#ifndef FABRIC_ADDRESS_H
#define FABRIC_ADDRESS_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define FABRIC_ADDRESS_TEXT 80u /* bytes, with the NUL */

enum fabric_scheme { /* wire numbers */
	             FABRIC_TCP = 1,
	             FABRIC_TLS = 2,
	             FABRIC_VERBS = 3,
	             FABRIC_SIM = 4,
};

struct fabric_address {
	enum fabric_scheme scheme;
	uint16_t port;
	uint8_t ip[16]; /* IPv4 as ::ffff:a.b.c.d; sim: number in ip[12..15] */
	bool any;       /* no HOST was given */
	bool v6;        /* of an `any` address */
};

/* @return 0, or -EINVAL with words in *e. */
int address_parse(const char *text, struct fabric_address *out, struct err *e);

/* In the form above, scheme included. */
const char *address_format(const struct fabric_address *a,
                           char out[FABRIC_ADDRESS_TEXT]);

bool address_equal(const struct fabric_address *a,
                   const struct fabric_address *b);

/* For sockets.  @return the length of what is in *out. */
socklen_t address_to_socket(const struct fabric_address *a,
                            struct sockaddr_storage *out);
/* Keeps the scheme of *a.  @return 0; -EAFNOSUPPORT. */
int address_from_socket(const struct sockaddr_storage *from,
                        struct fabric_address *a);

#endif /* FABRIC_ADDRESS_H */
