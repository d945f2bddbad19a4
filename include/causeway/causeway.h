/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * causeway.h - another host's memory, through keys, asynchronously.
 *
 * Concept.  A *context* joins a process to the bridge (causewayd) of its own
 * node.  A *region* is memory of the process that it registers there; the
 * answer is a *key*.  Keys are 128 random bits and belong to somebody: to this
 * process, to a node, or to one process of a node.  A key that somebody else
 * holds is a *grant*; it reaches its holder as a *descriptor*, a line of text
 * that any channel may carry.  The holder imports it and has a *window*.
 *
 *      P1 on node a                         P2 on node b
 *      causeway_identity()  ----- id ---->  causeway_region_create()
 *                           <-- text -----  causeway_grant("a", id)
 *      causeway_import(text)
 *      causeway_submit(read: window -> own region)
 *
 * A *command* goes to a *queue* in memory shared with the bridge and names
 * two keys, the local one and the remote one, each with an offset that counts
 * from the start of the key's own range.  Both are checked, each at the node
 * that owns the memory, before a byte moves and again every 64 KiB.  A window
 * of the own node works in the same way and needs no network.
 *
 * Errors     Functions return 0 (or what they say) or a negative errno;
 *            causeway_error() has the words.  A command's outcome is a
 *            causeway_status.  Output is untouched on failure.
 * Threads    A context and what was made from it is used by one thread at a
 *            time; queues of one context may each have a thread of their own
 *            for submit, poll, wait and arm.
 * Fork       Regions and queues are not inherited by children, and the bridge
 *            refuses a request that another process sends over a context.
 * Blocking   causeway_submit() and causeway_poll() never block.  The calls
 *            that ask the bridge do, for at most CAUSEWAY_TIMEOUT_MS.
 *
 * Invariants
 *   C1  the data of a command are visible before its completion bit is set,
 *       and the bit before the completion can be polled;
 *   C2  a command that fails moved no byte if either key, a right or a range
 *       was wrong when it began; otherwise it may have moved some;
 *   C3  when causeway_revoke() or causeway_region_destroy() has returned, no
 *       byte moves through the key any more;
 *   C4  keys of a process that has died are gone within 100 ms;
 *   C5  every command that was accepted is completed exactly once.
 */
#ifndef CAUSEWAY_H
#define CAUSEWAY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CAUSEWAY_TIMEOUT_MS 10000
#define CAUSEWAY_QUEUE_MAX 4096u     /* commands that a queue can hold */
#define CAUSEWAY_RANGES_MAX 16u      /* ranges under one key */
#define CAUSEWAY_NAME_MAX 63u        /* bytes of a node's or window's name */
#define CAUSEWAY_DESCRIPTOR_MAX 128u /* bytes, NUL included */

struct causeway;        /* a context */
struct causeway_region; /* registered memory of this process */
struct causeway_window; /* somebody's memory that this process may reach */
struct causeway_queue;  /* commands */

/* Compare with causeway_key_equal(); all zero is no key. */
struct causeway_key {
	uint8_t byte[16];
};

/* What a key allows its holder; a set. */
enum causeway_rights {
	CAUSEWAY_READ = 1,  /* read the memory */
	CAUSEWAY_WRITE = 2, /* write it */
	CAUSEWAY_ATOMIC = 4 /* compare-and-swap, fetch-and-add */
};

/* How a command ended.  The numbers do not change. */
enum causeway_status {
	CAUSEWAY_OK = 0,
	CAUSEWAY_BAD_KEY = 1,   /* no such key, or not yours */
	CAUSEWAY_DENIED = 2,    /* the key lacks the right */
	CAUSEWAY_RANGE = 3,     /* outside the key's range */
	CAUSEWAY_REVOKED = 4,   /* the key was good once */
	CAUSEWAY_EXPIRED = 5,   /* so was this one; its lease ended */
	CAUSEWAY_QUOTA = 6,     /* more per second than the key allows */
	CAUSEWAY_TIMED_OUT = 7, /* the other node did not answer */
	CAUSEWAY_PEER_LOST = 8, /* it restarted or was out of reach: import
	                         * the window again */
	CAUSEWAY_CANCELLED = 9, /* the queue or the node was closed */
	CAUSEWAY_TOO_LARGE = 10,
	CAUSEWAY_BUSY = 11,     /* try again; after many wrong keys, later */
	CAUSEWAY_PROTOCOL = 12, /* the two nodes do not understand each other */
	CAUSEWAY_INVALID = 13   /* not a command: opcode, flags, alignment */
};

/* Words for a status, such as "no such key, or not yours"; never NULL. */
const char *causeway_status_text(enum causeway_status status);

int causeway_key_equal(const struct causeway_key *a,
                       const struct causeway_key *b);

/* -- context -------------------------------------------------------------- */

/*
 * Join the bridge that listens at `path`.  NULL: $CAUSEWAY_WINDOW_SOCKET, else
 * /var/lib/causeway/window.sock.
 *
 * @return 0; -ENOENT, -ECONNREFUSED: no bridge there; -EACCES; -EPROTO: its
 *         version is another; -ETIMEDOUT, -ENOMEM, -EMFILE.
 */
int causeway_open(const char *path, struct causeway **out);

/* All that was made from it ends too and must not be used any more: regions
 * (their memory is unmapped), keys, windows, queues.  NULL is allowed. */
void causeway_close(struct causeway *c);

/* What the last failed call on this context was about; "" if none failed. */
const char *causeway_error(const struct causeway *c);

/* This process towards others: not a secret, and of no use to anybody else,
 * since bridges know their processes by themselves. */
void causeway_identity(const struct causeway *c, struct causeway_key *out);

/* The name of the node; valid as long as the context. */
const char *causeway_node(const struct causeway *c);

/* -- memory --------------------------------------------------------------- */

/*
 * Make `length` bytes of zeroed memory and register them.  The memory is a
 * memfd that the bridge maps too, so data go straight into it.
 *
 * @return 0; -EINVAL (no bytes, or unknown rights), -ENOMEM, -ENOSPC (more
 *         regions or bytes than one process may have), or as causeway_open().
 */
int causeway_region_create(struct causeway *c, size_t length, unsigned rights,
                           struct causeway_region **out);

/*
 * Register `length` bytes at `offset` of a memfd of your own.  It needs
 * F_SEAL_SHRINK (nobody can take the memory away under the bridge), must be
 * of ordinary pages, and stays yours; `offset` is a multiple of the page size.
 *
 * @return as causeway_region_create(); -EPERM: not such a memfd.
 */
int causeway_region_register(struct causeway *c, int fd, uint64_t offset,
                             size_t length, unsigned rights,
                             struct causeway_region **out);

/* C3.  Keys that were made from it end with it.  NULL is allowed. */
int causeway_region_destroy(struct causeway_region *r);

void *causeway_region_data(const struct causeway_region *r);
size_t causeway_region_length(const struct causeway_region *r);
/* The local key: for commands of this process. */
const struct causeway_key *causeway_region_key(const struct causeway_region *r);

/* -- keys ----------------------------------------------------------------- */

/* A part of a local key's range. */
struct causeway_range {
	struct causeway_key key;
	uint64_t offset;
	uint64_t length;
};

/* Zeroes mean: this process itself, no end, no limit. */
struct causeway_grant_options {
	const char *node;            /* the holder; NULL: this process */
	struct causeway_key process; /* of that node; zero: any of it */
	unsigned rights;             /* at most those of the ranges' keys */
	unsigned lease_ms;           /* the key ends by itself */
	uint64_t bytes_per_s;
	uint64_t ops_per_s;
};

/*
 * Make a key over ranges of own keys, one after the other.  With one range it
 * is a sub-window, with several a gather key; with no node it is one more
 * local key.
 *
 * @param descriptor  room for CAUSEWAY_DESCRIPTOR_MAX bytes, or NULL
 * @return 0; -EINVAL: rights, name or number of ranges; -EBADF: a range's key
 *         is not yours; -EACCES: more rights than it has; -ERANGE: outside
 *         it; -ENOSPC: too many keys.
 */
int causeway_grant(struct causeway *c, const struct causeway_range *ranges,
                   unsigned n_ranges, const struct causeway_grant_options *o,
                   struct causeway_key *key, char *descriptor);

/* C3.  @return 0; -EBADF: not a key of yours. */
int causeway_revoke(struct causeway *c, const struct causeway_key *key);

/* -- windows -------------------------------------------------------------- */

/*
 * Reach what a descriptor stands for.  The owner's node is asked whether this
 * process is the holder.
 *
 * @return 0; -EINVAL: not a descriptor; -EACCES: no such key, or somebody
 *         else's; -EHOSTUNREACH: the node is unknown or away; -EBUSY: too
 *         many wrong keys lately; -ESTALE: revoked or expired; -ETIMEDOUT;
 *         -ENOSPC: too many windows.
 */
int causeway_import(struct causeway *c, const char *descriptor,
                    struct causeway_window **out);

/*
 * Reach a window that an operator made ("causeway window create"), by
 * "NODE/NAME", with just these `rights`; 0: all that are allowed.
 * @return as causeway_import(); -ENOENT: no window of that name; -EACCES: this
 *         node may not, or not with these rights.
 */
int causeway_window_open(struct causeway *c, const char *name, unsigned rights,
                         struct causeway_window **out);

/*
 * Borrow `length` bytes of memory of `node`, whose operator has offered some
 * ("causeway donor offer"): a window of its own, zeroed, to read and write.
 * The bridge renews its lease for as long as this process lives and has it
 * open; causeway_window_close() gives it back.
 *
 * @param free  if not NULL: with -ENOSPC, what the node could lend instead
 * @return as causeway_import(); -ENOSPC: it offers less; -EACCES: not to this
 *         node; -EINVAL: no bytes, or this node itself.
 */
int causeway_borrow(struct causeway *c, const char *node, uint64_t length,
                    uint64_t *free, struct causeway_window **out);

/*
 * Whether the node that lent it wants it back, and in how many ms it takes it;
 * close the window before.  Never blocks.
 *
 * @return 1: yes; 0: no, or nobody said so yet; -EPIPE: the bridge is gone.
 */
int causeway_window_recalled(struct causeway_window *w, unsigned *left_ms);

/* What causeway_import() takes, so as to reach the window again when the
 * bridge has restarted. */
void causeway_window_descriptor(const struct causeway_window *w,
                                char descriptor[CAUSEWAY_DESCRIPTOR_MAX]);

/* Commands that are under way finish.  NULL is allowed. */
void causeway_window_close(struct causeway_window *w);

uint64_t causeway_window_length(const struct causeway_window *w);
unsigned causeway_window_rights(const struct causeway_window *w);
/* The remote key: for commands of this process. */
const struct causeway_key *causeway_window_key(const struct causeway_window *w);

/* -- commands ------------------------------------------------------------- */

enum causeway_opcode {
	CAUSEWAY_OP_READ = 1,  /* remote to local */
	CAUSEWAY_OP_WRITE = 2, /* local to remote */
	CAUSEWAY_OP_CAS = 3,   /* 8 bytes: if == compare, store operand */
	CAUSEWAY_OP_FAA = 4    /* 8 bytes: add operand */
};

enum causeway_flags {
	CAUSEWAY_FENCE = 1,   /* after all earlier writes of the queue */
	CAUSEWAY_ORDERED = 2, /* after earlier ordered commands of its size */
	CAUSEWAY_BULK = 4     /* never delays commands without this flag */
};

/*
 * Atomics use no local memory: the old value is the completion's `result`,
 * and `local` and `length` are ignored; `remote_offset` is a multiple of 8.
 */
struct causeway_command {
	uint32_t opcode;
	uint32_t flags;
	uint64_t id; /* comes back with the completion and the error */
	struct causeway_key local;
	struct causeway_key remote;
	uint64_t local_offset;
	uint64_t remote_offset;
	uint64_t length;
	uint64_t operand;
	uint64_t compare;
};

struct causeway_completion {
	uint64_t id;
	uint64_t result; /* of an atomic: what was there before */
	uint32_t status; /* enum causeway_status */
	uint32_t slot;
};

/* Which of a command's parts an error is about. */
enum causeway_culprit {
	CAUSEWAY_AT_COMMAND = 0,
	CAUSEWAY_AT_LOCAL = 1, /* the local key */
	CAUSEWAY_AT_REMOTE = 2 /* the remote key */
};

/* One for each command that failed, whether its completion is polled or not;
 * the bridge keeps the latest ones until they are taken. */
struct causeway_error_record {
	uint64_t id;
	uint32_t status;
	uint32_t culprit;
	struct causeway_key key; /* the one at fault; zero: none */
};

/*
 * @param depth  commands that can be outstanding: 1 to CAUSEWAY_QUEUE_MAX,
 *               rounded up to a power of two
 */
int causeway_queue_create(struct causeway *c, unsigned depth,
                          struct causeway_queue **out);

/* Outstanding commands are cancelled: local memory is not touched any more
 * when this has returned; what they write elsewhere may still arrive. */
void causeway_queue_destroy(struct causeway_queue *q);

/*
 * Hand a command to the bridge; returns at once.
 *
 * @return its slot (0 to depth - 1), which is free again when its completion
 *         was polled; -EAGAIN: `depth` are outstanding; -EPIPE: the bridge is
 *         gone.
 */
int causeway_submit(struct causeway_queue *q,
                    const struct causeway_command *command);

/* Short forms.  Offsets are in bytes. */
int causeway_read(struct causeway_queue *q, uint64_t id,
                  const struct causeway_region *to, uint64_t to_offset,
                  const struct causeway_window *from, uint64_t from_offset,
                  uint64_t length);
int causeway_write(struct causeway_queue *q, uint64_t id,
                   const struct causeway_region *from, uint64_t from_offset,
                   const struct causeway_window *to, uint64_t to_offset,
                   uint64_t length);
int causeway_compare_and_swap(struct causeway_queue *q, uint64_t id,
                              const struct causeway_window *at, uint64_t offset,
                              uint64_t compare, uint64_t value);
int causeway_fetch_and_add(struct causeway_queue *q, uint64_t id,
                           const struct causeway_window *at, uint64_t offset,
                           uint64_t value);

/* The completion bit of a slot (C1): one load. */
int causeway_done(const struct causeway_queue *q, unsigned slot);

/* Commands of this queue that ended well, since it was made. */
uint64_t causeway_counter(const struct causeway_queue *q);

/* Take up to `max` completions.  @return how many; -EPIPE: none are left and
 * the bridge is gone. */
int causeway_poll(struct causeway_queue *q, struct causeway_completion *out,
                  unsigned max);

/*
 * Like causeway_poll(), but wait for the first: spinning for a moment, then
 * asleep.  timeout_ms < 0: for ever.  @return how many; 0: none in time.
 */
int causeway_wait(struct causeway_queue *q, struct causeway_completion *out,
                  unsigned max, int timeout_ms);

/* Take up to `max` error records, oldest first.  @return how many. */
int causeway_errors(struct causeway_queue *q, struct causeway_error_record *out,
                    unsigned max);

/*
 * For an event loop: causeway_queue_fd() is readable after a completion that
 * came since causeway_arm().  Arm, then poll until nothing comes, then sleep.
 * @return of arm: 0; -EAGAIN: there are completions, poll first.
 */
int causeway_queue_fd(const struct causeway_queue *q);
int causeway_arm(struct causeway_queue *q);

#ifdef __cplusplus
}
#endif

#endif /* CAUSEWAY_H */
