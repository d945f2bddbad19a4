/* SPDX-License-Identifier: BSD-2-Clause */
/*
 *     sim_server.c   sockets and clients
 *     sim_ctl.c      answers to control messages
 *     sim_client.c   MADs of one client: out, in, retries
 */
#ifndef SWITCH_SIM_SERVER_PRIV_H
#define SWITCH_SIM_SERVER_PRIV_H

#include "core/reactor.h"
#include "core/slab.h"
#include "switch/ibnet_priv.h"
#include "switch/sim_proto.h"
#include "switch/sim_server.h"

#include <sys/socket.h>
#include <sys/un.h>

struct sim_client {
	struct sim_server *server;
	struct ibnet_endpoint endpoint;
	struct watch in;        /* its data socket */
	struct watch death;     /* its process; fd -1: not known */
	struct sockaddr_un ctl; /* where its questions come from */
	socklen_t ctl_length;
	unsigned number;
	pid_t pid;
	struct list out; /* struct sim_out: does not fit the socket */
	unsigned n_out;
	struct list pending; /* struct sim_pending, of this client */
	unsigned n_pending;
	/* How it is used, to know what it takes. */
	bool asked; /* it has sent a request */
	bool asked_sa;
	uint8_t answered[256 / 8]; /* classes of its responses */
	uint64_t received, sent;
};

struct sim_out {
	struct list link;
	uint8_t bytes[SIM_PROTO_MAD];
};

/* A request that waits for its response. */
struct sim_pending {
	struct list link;  /* of its client */
	struct list timed; /* of all, in the order of due_ns */
	struct sim_client *client;
	struct ibnet_mad mad;
	uint64_t due_ns;
	unsigned tries; /* left */
};

struct sim_server {
	struct reactor *reactor;
	struct ibnet *net;
	struct ibnet_port *port;
	char name[SIM_SERVER_NAME_MAX + 1];
	uint64_t timeout_ns;
	unsigned tries;
	struct watch ctl;
	struct timer timer;
	struct list timed; /* struct sim_pending */
	struct slab outs;
	struct slab pendings;
	struct sim_client *clients[SIM_SERVER_CLIENTS];
	unsigned last_number;
	struct sim_server_stats stats;
};

/* sim_server.c */
/* Its number becomes free.  Not within its own endpoint's receive. */
void sim_server_remove(struct sim_client *c);
int sim_server_add(struct sim_server *s, const struct sim_proto_connect *want,
                   struct ibnet_port *p, pid_t pid,
                   const struct sockaddr_un *from, socklen_t length,
                   struct sim_client **out);

/* sim_ctl.c: the answer takes the question's place. */
void sim_server_answer(struct sim_server *s, struct sim_proto_ctl *ctl,
                       pid_t pid, const struct sockaddr_un *from,
                       socklen_t length);

/* sim_client.c */
void sim_server_client_init(struct sim_client *c);
void sim_server_client_fini(struct sim_client *c);
void sim_server_client_ready(struct watch *w, uint32_t events);
void sim_server_client_timer(struct timer *t);

#endif /* SWITCH_SIM_SERVER_PRIV_H */
