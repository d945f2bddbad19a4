/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window/window - a node's memory windows, as the daemon sees them.
 *
 * Concept.  A *window host* is all that one node has of regions and keys: it
 * answers the fabric's questions about memory (window_host_service()), serves
 * the processes of its own node over a Unix socket (window_host_listen(),
 * include/causeway/causeway.h), keeps the *named windows* that an operator
 * made, and opens those of other nodes.
 *
 *      libcauseway ---> window_host_listen()    fabric ---> service
 *                              \                   /
 *                          regions, grants (keys), named windows
 *                              /                   \
 *      window_open() ----> loopback (own node)  session_submit() (others)
 *
 * A named window is a region of the daemon's with an access list: nodes, each
 * with rights and limits, each with one key of its own.  Whoever is on the
 * list gets its key by asking for the name (docs/wire-window.md).
 *
 * Threads    Everything on the reactor that the host was made with, which is
 *            the fabric node's too; others post a task.
 * Errors     0 or a negative errno, with words in *e.
 *
 * Invariants
 *   W1  a key works only from the holder that it was made for: a node, as the
 *       fabric authenticated it, or a process of this node;
 *   W2  when window_revoke(), window_allow(), window_remove() or the end of a
 *       region has returned, no byte moves by the keys that died; a copy is
 *       never under way while other code runs on the reactor;
 *   W3  a key is checked (holder, state, lease, rights, range) before each
 *       piece of at most FABRIC_PIECE bytes;
 *   W4  after some wrong keys or names the requests of a node or process are
 *       refused without a look at what they name, but for a few a second
 *       (window/guard.h);
 *   W5  an operation is charged to its key's quota when it ends, so a single
 *       one may be larger than the quota and those after it wait.
 */
#ifndef WINDOW_WINDOW_H
#define WINDOW_WINDOW_H

#include "base/err.h"
#include "fabric/op.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define WINDOW_NAME_MAX 63u         /* bytes of a window's or node's name */
#define WINDOW_NAMED_MAX 1024u      /* named windows of a node */
#define WINDOW_ALLOWED_MAX 256u     /* nodes on one access list */
#define WINDOW_KEYS_MAX (1u << 20)  /* keys of a node */
#define WINDOW_PROCESSES_MAX 1024u  /* connections of processes */
#define WINDOW_REGIONS_MAX 32768u   /* that processes registered */
#define WINDOW_ASK_TIMEOUT_MS 5000u /* of window_open() */

struct node;
struct fabric_service;
struct reactor;
struct window_host;
struct window_remote;

/* -- the host ------------------------------------------------------------- */

struct window_host_opts {
	struct reactor *reactor;
	const char *node; /* this node's name; copied */
};

int window_host_create(const struct window_host_opts *opts,
                       struct window_host **out, struct err *e);

/* After stopped() of window_host_stop(), with no remote window left and the
 * fabric node gone.  NULL is allowed. */
void window_host_destroy(struct window_host *host);

/* What to give to the fabric node; lives as long as the host. */
const struct fabric_service *window_host_service(struct window_host *host);

/* By which node others are reached; NULL: none (any more).  Without one, only
 * this node's own windows can be opened.  Borrowed. */
void window_host_attach(struct window_host *host, struct node *node);

/* Serve this node's processes at a Unix socket of mode 0660. */
int window_host_listen(struct window_host *host, const char *path,
                       struct err *e);

/*
 * Cut the processes off and take no more, end every wait for a window and
 * every operation on this node's own windows.  stopped() follows, once, never
 * inside, when all that sessions had of ours has ended too; so destroy the
 * fabric node next, without waiting for it.
 */
void window_host_stop(struct window_host *host, void (*stopped)(void *ctx),
                      void *ctx);

struct window_stats {
	uint64_t n_processes;
	uint64_t n_regions;
	uint64_t n_keys;
	uint64_t n_named;
	uint64_t n_commands; /* that processes' queues have ended */
	uint64_t n_failed;   /* of these, without success */
	uint64_t n_refused;  /* requests of other nodes, by key, right, range */
	uint64_t n_guesses;  /* of these, with keys that nobody has */
	uint64_t n_unheard;  /* of these, not looked at: W4 */
};
void window_host_stats(const struct window_host *host,
                       struct window_stats *out);

/* -- named windows -------------------------------------------------------- */

/*
 * @param size  bytes, a multiple of the page size; 0: of the file
 * @param file  absolute path, made if absent; NULL: memory.  While the window
 *              exists nobody else may truncate it.
 * @return 0; -EINVAL: name or size; -EEXIST; -ENOSPC: WINDOW_NAMED_MAX;
 *         -ENOMEM, and errors of open() and ftruncate().
 */
int window_create(struct window_host *host, const char *name, uint64_t size,
                  const char *file, struct err *e);

/* W2.  @return 0; -ENOENT. */
int window_remove(struct window_host *host, const char *name, struct err *e);

/* Zeroes mean no limit. */
struct window_limits {
	uint64_t lease_ms; /* the node's key ends this long after now */
	uint64_t bytes_per_s;
	uint64_t ops_per_s;
};

/*
 * Put a node on the access list, or change what it may do; its earlier key
 * ends.  `rights` is FABRIC_RIGHT_*.  This node's own name is for its own
 * processes.  NULL limits: none.
 *
 * @return 0; -ENOENT; -EINVAL: rights or name; -ENOSPC.
 */
int window_allow(struct window_host *host, const char *name, const char *node,
                 unsigned rights, const struct window_limits *limits,
                 struct err *e);

/* W2.  node NULL: all of them.  @return 0; -ENOENT: no window, or not on its
 * list. */
int window_revoke(struct window_host *host, const char *name, const char *node,
                  struct err *e);

/* -- memory to lend (window/lend.h) --------------------------------------- */

struct window_offer {
	uint64_t size; /* bytes in all; 0: nothing is offered any more */
	const char *const *allow; /* nodes; copied */
	unsigned n_allow;  /* 0: every node that knows the cluster's key */
	unsigned lease_ms; /* of a loan that nobody renews */
};

/*
 * Offer memory, or change what is offered.  Loans that do not fit any more,
 * the newest ones, are recalled: their borrowers are told, and after
 * `within_ms` they end.
 *
 * @return 0; -EINVAL; -ENOMEM.
 */
int window_offer_set(struct window_host *host, const struct window_offer *o,
                     uint64_t within_ms, struct err *e);

struct window_offer_info {
	uint64_t offered;
	uint64_t lent;
	uint64_t free;
	unsigned n_loans;
};

void window_offer_get(const struct window_host *host,
                      struct window_offer_info *out);

struct window_loan_info {
	const char *node;
	uint64_t size;
	uint64_t age_ms;
	uint64_t left_ms; /* of its lease, or until it is taken back */
	bool is_recalled;
	unsigned huge; /* enum region_huge */
	bool is_locked;
	uint64_t bytes_read;
	uint64_t bytes_written;
};

/* Oldest first; the strings are valid during the call only. */
void window_each_loan(const struct window_host *host,
                      void (*visit)(void *ctx,
                                    const struct window_loan_info *loan),
                      void *ctx);

/* -- who reaches what ----------------------------------------------------- */

struct window_info {
	const char *name;
	const char *file; /* NULL: memory */
	uint64_t size;
	unsigned n_allowed;
};

/* A key and what went by it.  `id` is enough to name it, not to use it. */
struct window_key_info {
	char id[9];         /* hex digits */
	const char *window; /* name; NULL: memory of a process */
	pid_t owner;        /* that process; 0: the daemon */
	const char *holder; /* node */
	bool local;         /* the holder is a process of this node */
	bool is_loan;       /* `window` is then "(lent)" */
	unsigned rights;
	uint64_t length;
	uint64_t lease_ms; /* left; 0: no end */
	uint64_t bytes_per_s;
	uint64_t ops_per_s;
	uint64_t n_reads;
	uint64_t n_writes;
	uint64_t n_atomics;
	uint64_t bytes_read;
	uint64_t bytes_written;
	uint64_t n_refused;
};

/* In order of their names; the strings are valid during the call only. */
void window_each(const struct window_host *host,
                 void (*visit)(void *ctx, const struct window_info *info),
                 void *ctx);

/* Oldest first; keys that processes keep for themselves are left out. */
void window_each_key(const struct window_host *host,
                     void (*visit)(void *ctx, const struct window_key_info *k),
                     void *ctx);

/* W2, for any key by its id, whoever owns it.  @return 0; -ENOENT. */
int window_revoke_key(struct window_host *host, const char *id, struct err *e);

/* -- windows of other nodes, and of this one ------------------------------ */

/*
 * Called once, never inside window_open(): with a window, or NULL and the
 * reason: -ENOENT: no such window; -EACCES: not allowed, or not with these
 * rights; -EHOSTUNREACH: no such node, or away; -EBUSY: W4, or a bound;
 * -ETIMEDOUT; -ECANCELED: the host is stopped.
 */
typedef void (*window_opened_fn)(void *ctx, struct window_remote *window,
                                 int err);

/* `rights` 0: all that are allowed.  `node` may be this node. */
void window_open(struct window_host *host, const char *node, const char *name,
                 unsigned rights, window_opened_fn opened, void *ctx);

/* Nothing may be outstanding.  NULL is allowed. */
void window_close(struct window_remote *window);

uint64_t window_length(const struct window_remote *window);
unsigned window_rights(const struct window_remote *window);

/* Whether it is a file there, so that its bytes outlive that node's process;
 * memory comes back as zeroes. */
bool window_is_file(const struct window_remote *window);

/*
 * Make durable what was written, if it is a file; what ended before the call
 * counts.  synced() runs once, never inside: 0, -EIO, or as window_opened_fn;
 * -ESTALE: open it again.
 */
void window_sync(struct window_remote *window,
                 void (*synced)(void *ctx, int err), void *ctx);

/*
 * As session_submit(): invariants O1 to O6 of fabric/op.h hold.  The key is
 * filled in.  After FABRIC_BAD_KEY, FABRIC_REVOKED, FABRIC_EXPIRED or
 * FABRIC_PEER_LOST open the window again.
 */
void window_submit(struct window_remote *window, struct fabric_op *op);

#endif /* WINDOW_WINDOW_H */
