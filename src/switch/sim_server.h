/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * switch/sim_server - the software fabric under programs that know ibsim.
 *
 * Concept.  Anything that uses libibumad (opensm, infiniband-diags) runs on
 * the fabric unchanged when it is started with ibsim-run; this is the server
 * that its preload looks for (switch/sim_proto.h).  SIM_HOST names the port:
 * "H00000" is its port 1, "H00000:2" its port 2, "L0000" a switch.
 *
 * The preload has neither timeouts nor retries, which a kernel has; the
 * server has them for it.  A request without a response is sent again each
 * `timeout_ms`, `tries` times in all, then comes back with ETIMEDOUT.
 *
 * A client is gone when its process is (a pidfd tells), when it disconnects,
 * or when the operator drops it.
 *
 * What nobody asked for goes to one client of the port: subnet management and
 * administration to the one that is the SM; a Report to the one that last
 * asked the SA something; any other request to one that has answered such a
 * class before, or has itself asked nothing yet (ibping -S).
 *
 * RMPP: segments pass as they are, each a MAD.  The preload cuts what a
 * client sends or receives at 256 bytes, so a client that relies on the
 * kernel's RMPP (saquery, OpenSM's SA) sees one segment; one that does its own
 * sees all.
 *
 *   S1  a client has SIM_SERVER_OUT datagrams waiting at most and
 *       SIM_SERVER_PENDING requests; more are dropped and counted;
 *   S2  a client gets one response to a request, or none if it is gone;
 *   S3  two clients never share a number, and a number rests before it is
 *       given away again.
 *
 * Anybody on this machine can connect: abstract sockets have no owner.
 *
 * Threads  The reactor's.
 */
#ifndef SWITCH_SIM_SERVER_H
#define SWITCH_SIM_SERVER_H

#include "base/err.h"
#include "switch/ibnet.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SIM_SERVER_CLIENTS 512u
#define SIM_SERVER_OUT 8192u
#define SIM_SERVER_PENDING 8192u
#define SIM_SERVER_NAME_MAX 60u /* bytes of the base name */

struct reactor;
struct sim_server;

struct sim_server_opts {
	const char *name;        /* "sim" is the preload's own; copied */
	struct ibnet_port *port; /* of clients that name none; NULL: the
	                          * first node's */
	unsigned timeout_ms;     /* 0: 200 */
	unsigned tries;          /* 0: 3 */
};

/* @return 0; -EADDRINUSE: another server has the name; -ENAMETOOLONG;
 *         -ENOMEM, -EMFILE; with words. */
int sim_server_create(struct reactor *r, struct ibnet *net,
                      const struct sim_server_opts *o, struct sim_server **out,
                      struct err *e);
void sim_server_destroy(struct sim_server *s); /* NULL is allowed */

struct sim_server_stats {
	unsigned clients;
	uint64_t connected;
	uint64_t refused;  /* connections */
	uint64_t died;     /* processes that ended without a word */
	uint64_t bad;      /* messages that are none */
	uint64_t received; /* MADs from clients */
	uint64_t sent;     /* MADs to clients */
	uint64_t dropped;  /* S1 */
	uint64_t retried;
	uint64_t timed_out;
	uint64_t stray; /* responses that nobody waits for (any longer) */
};
void sim_server_get_stats(const struct sim_server *s,
                          struct sim_server_stats *out);

struct sim_server_client {
	unsigned number;
	pid_t pid;
	const struct ibnet_port *port;
	bool is_sm;
	uint64_t received, sent;
};
/* @return false: no client has this number. */
bool sim_server_client(const struct sim_server *s, unsigned number,
                       struct sim_server_client *out);

/* As if its process had ended.  @return false: there is none. */
bool sim_server_drop(struct sim_server *s, unsigned number);

#endif /* SWITCH_SIM_SERVER_H */
