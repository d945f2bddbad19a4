/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window/process - a process of this node, at the other end of a connection.
 *
 *             HELLO             its end, a fault,
 *   CONNECTED ------> SERVED ---- host stopped ----> ENDING ----> freed
 *       |                                              ^   (nothing of it is
 *       '----------------------------------------------'    outstanding)
 *
 * Who it is comes from the kernel: the credentials of the connection, a pidfd
 * of that process, and the credentials of each packet, which must be the same
 * process's.  When the pidfd says that the process has ended, all of it ends,
 * even if a child still holds the connection.
 *
 * From the moment of ENDING its keys are dead; what other nodes still answer
 * touches nothing of it.
 *
 * Bounds     per process, below; whatever it sends.  With WINDOW_PROCESSES_MAX
 *            and WINDOW_REGIONS_MAX they keep below the 65,530 mappings that
 *            Linux gives a process.
 */
#ifndef WINDOW_PROCESS_H
#define WINDOW_PROCESS_H

#include "window/host.h"

#define PROCESS_REGIONS_MAX 1024u
#define PROCESS_BYTES_MAX (UINT64_C(1) << 40) /* of regions */
#define PROCESS_KEYS_MAX 16384u
#define PROCESS_IMPORTS_MAX 4096u
#define PROCESS_QUEUES_MAX 16u
#define PROCESS_SLOTS_MAX 16384u /* of all its queues */
#define PROCESS_CHAINS 64u       /* of imports, by key */

struct import;
struct process_loan;
struct queue;

enum process_state { PROCESS_CONNECTED, PROCESS_SERVED, PROCESS_ENDING };

/* Memory that it registered; `local` is its key for it. */
struct process_region {
	struct list link;
	struct region *region;
	struct fabric_key local;
};

/* A window that it may reach. */
struct import {
	struct list link; /* in process->imports, or alone when closed */
	char node[WINDOW_NAME_MAX + 1];
	bool own; /* of this node */
	struct fabric_key key;
	uint64_t length;
	unsigned rights;
	enum fabric_status ended;  /* what its key died of; FABRIC_OK */
	unsigned n_opened;         /* times; it may be opened twice */
	unsigned n_users;          /* operations, and 1 while it is open */
	struct process_loan *loan; /* it was lent; NULL: it was not */
};

struct process {
	struct list link; /* in host->processes, or ->ending */
	struct window_host *host;
	enum process_state state;
	struct watch connection;
	struct watch pidfd;
	pid_t pid;
	struct guard guard;
	struct loopback loop;
	bool loop_busy; /* of ENDING: emptied() has not run */
	struct grant_owner owner;
	struct list regions; /* struct process_region */
	unsigned n_regions;
	uint64_t n_bytes;
	struct list imports[PROCESS_CHAINS];
	unsigned n_imports;
	struct list queues;
	unsigned n_queues;
	unsigned n_slots;
	uint32_t last_queue;
	struct lookup_question *question; /* a reply is owed */
	unsigned question_type;
	char question_node[WINDOW_NAME_MAX + 1];
};

/* A new connection; `fd` is ours. */
void process_accept(struct window_host *host, int fd);

/* All begin to end. */
void process_end_all(struct window_host *host);

/* -- process.c, for the other files --------------------------------------- */

void process_end(struct process *p);
/* Something that was outstanding is not any more: free it if it was the
 * last. */
void process_settled(struct process *p);

/* -- process_loan.c: leases of what it has borrowed ------------------------ */

/*
 * Renew the lease that `answer` names until process_loan_end(), four times in
 * its length, and tell the process when it is recalled.  An owner that does
 * not know the key any more is not asked again: commands say so.
 *
 * @return NULL: no memory, and the lease ends.
 */
struct process_loan *process_loan_start(struct process *p, const char *node,
                                        const struct lookup_message *answer);
/* Give the memory back, unless the daemon is being stopped: the process lives,
 * and joins the next one.  NULL is allowed. */
void process_loan_end(struct process_loan *loan);

/* `node` takes back what `key` reaches; perhaps this process has it. */
void process_notice(struct process *p, const char *node,
                    const struct fabric_key *key, uint64_t left_ms);

/* -- process_window.c: windows that it opens, imports or borrows ----------- */

struct bridge_reply;
struct bridge_request;

void process_open_window(struct process *p, const struct bridge_request *q,
                         int fd);
void process_close_window(struct process *p, const struct bridge_request *q,
                          int fd);
/* NULL: it has opened no such window. */
struct import *process_import(struct process *p, const struct fabric_key *key);
void process_import_put(struct import *import);
void process_close_imports(struct process *p);

/* -- process_call.c: what a process asks for ------------------------------ */

/* Serve one request; the reply goes out now or later.  `fd` is -1 or taken
 * over. */
void process_call(struct process *p, const struct bridge_request *request,
                  int fd);
/* A request that did not decode. */
void process_refuse(struct process *p, int err);

/* `fds` go along; the caller's still. */
void process_reply(struct process *p, const struct bridge_reply *reply,
                   const int *fds, unsigned n_fds);
/* `type` of enum bridge_type. */
void process_fail(struct process *p, unsigned type, int err, const char *fmt,
                  ...) __attribute__((format(printf, 4, 5)));
void process_drop_region(struct process *p, struct process_region *r);

#endif /* WINDOW_PROCESS_H */
