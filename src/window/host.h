/* SPDX-License-Identifier: BSD-2-Clause */
/* window/host - the inside of a window host, for the files that share it. */
#ifndef WINDOW_HOST_H
#define WINDOW_HOST_H

#include "window/window.h"

#include "core/listener.h"
#include "core/reactor.h"
#include "fabric/node.h"
#include "fabric/service.h"
#include "window/guard.h"
#include "window/lend.h"
#include "window/lookup.h"
#include "window/loopback.h"

#define HOST_PEERS_MAX 256u /* names of nodes that ever asked */
#define HOST_RIGHTS                                                            \
	(FABRIC_RIGHT_READ | FABRIC_RIGHT_WRITE | FABRIC_RIGHT_ATOMIC)

/* A node that asked for something; kept, with its bad reputation. */
struct host_peer {
	struct list link;
	struct guard guard;
	struct guard questions;
};

struct named {
	struct list link; /* in order of the names */
	char name[WINDOW_NAME_MAX + 1];
	char *file;
	struct region *region;
	struct grant_owner owner; /* its grants are the access list */
};

struct window_host {
	struct reactor *reactor;
	char node[WINDOW_NAME_MAX + 1];
	struct fabric_service service;
	struct node *fabric; /* NULL: none */
	struct grant_table grants;
	struct lookup lookup;
	struct lend lend;
	unsigned n_syncing; /* answers that wait for a disk; busy too */
	struct list peers;
	unsigned n_peers;
	struct list named;
	unsigned n_named;
	/* the daemon itself, on windows of this node */
	struct guard guard;
	struct grant_owner self;
	struct loopback loop;
	struct list openings; /* window_open() that has not called back */
	/* processes */
	struct listener listener;
	struct list processes;
	unsigned n_processes;
	struct list ending; /* cut off, with operations outstanding */
	unsigned n_regions;
	uint32_t last_flow; /* of a queue */
	/* stopping: what has to end first, then the call */
	unsigned n_busy; /* disks, tasks, loopbacks; processes are in lists */
	bool stopping;
	void (*stopped)(void *ctx);
	void *stopped_ctx;
	struct task stopped_task;
	uint64_t n_commands;
	uint64_t n_failed;
};

/* The window that `ask` is about, for the asker behind `guard`: another node,
 * or a process of this one.  *found is NULL unless the answer is OK. */
void host_answer(struct window_host *host, struct guard *guard,
                 const struct lookup_message *ask,
                 struct lookup_message *answer, struct grant **found);

struct named *host_named(struct window_host *host, const char *name);
void host_remove_all(struct window_host *host);
/* Call back all that wait for a window. */
void host_end_openings(struct window_host *host);

/* The session to a node that is not this one; NULL: unknown. */
struct session *host_session(struct window_host *host, const char *node);

/* Tell the borrower of a loan that it is taken back in so many ms.  It may not
 * arrive; whoever renews the lease is told again. */
void host_notice(struct window_host *host, const struct loan *loan,
                 uint64_t left_ms);

/* Something has ended; perhaps it was the last one to wait for. */
void host_settled(struct window_host *host);

#endif /* WINDOW_HOST_H */
