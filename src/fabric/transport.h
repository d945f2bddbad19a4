/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric/transport - how lanes come into being: one row per scheme.
 *
 * A node is given the transports that it may use (struct node_opts).  dial
 * and listen never block.  A lane that comes from either is CONNECTING or
 * GREETING and the caller's; it sets the lane's owner before it returns to
 * the reactor.
 */
#ifndef FABRIC_TRANSPORT_H
#define FABRIC_TRANSPORT_H

#include "base/err.h"
#include "fabric/address.h"
#include "fabric/lane.h"

struct reactor;
struct transport;

struct transport_listener {
	/* Set by the user; never called inside listen, and not after
	 * unlisten.  The lane is the user's. */
	void (*accepted)(struct transport_listener *l, struct lane *lane);
	void *user;
	/* the transport's */
	struct transport *transport;
	struct fabric_address address; /* its port is the real one */
};

struct transport {
	enum fabric_scheme scheme;
	void *ctx;

	/* @return 0; a negative errno with words in *e. */
	int (*dial)(struct transport *t, struct reactor *r,
	            const struct fabric_address *to, struct lane **out,
	            struct err *e);
	int (*listen)(struct transport *t, struct reactor *r,
	              const struct fabric_address *at,
	              struct transport_listener **out, struct err *e);
	void (*unlisten)(struct transport_listener *l);
};

#endif /* FABRIC_TRANSPORT_H */
