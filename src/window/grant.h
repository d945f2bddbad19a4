/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window/grant - a key with what it stands for, and the table of them.
 *
 * Concept.  A grant gives one holder access to ranges of regions, one after
 * the other, under one key: a whole region, a part of it (a sub-window) or
 * parts of several (a gather key).
 *
 *              revoke, region ends
 *      LIVE ------------------------> REVOKED --.
 *        |                                       +--> forgotten, in order,
 *        '--------------------------> EXPIRED --'     beyond GRANT_REMEMBERED
 *              lease ends
 *
 * A dead one is remembered for a while, so that a holder who comes late is
 * told why and is not taken for one who guesses.
 *
 * Ownership  The table holds its grants; an operation that uses one's memory
 *            holds it too (grant_get), and then the regions stay mapped, dead
 *            or not.  What a dead one allows is nothing.
 * Threads    One.
 *
 * Invariants
 *   G1  offset + length is never computed where it could wrap;
 *   G2  a lease is over at its nanosecond: grant_state() asks the clock; the
 *       timer cleans up, and tells hardware that moves bytes by itself;
 *   G3  grant_find() compares whole keys in constant time.
 */
#ifndef WINDOW_GRANT_H
#define WINDOW_GRANT_H

#include "core/timer.h"
#include "fabric/op.h"
#include "window/bucket.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define GRANT_RANGES 16u
#define GRANT_NODE 64u         /* bytes of a node's name with the NUL */
#define GRANT_REMEMBERED 4096u /* dead ones */

struct reactor;
struct region;

/* Who may use a key: a node, and if `process` is not zero only that process
 * of it. */
struct grant_holder {
	char node[GRANT_NODE];
	struct fabric_key process;
};

struct grant_range {
	struct list link; /* in region->ranges while the grant lives */
	struct grant *grant;
	struct region *region; /* NULL: detached */
	uint64_t offset;
	uint64_t length;
};

/* Who made a key: a process, or a named window.  Embedded there. */
struct grant_owner {
	struct list grants; /* that live, by owner_link, oldest first */
	unsigned n_grants;
	const char *window; /* NULL: a process's */
	int pid;
};

enum grant_state { GRANT_LIVE, GRANT_REVOKED, GRANT_EXPIRED };

struct grant_counters {
	uint64_t n_reads;
	uint64_t n_writes;
	uint64_t n_atomics;
	uint64_t bytes_read;
	uint64_t bytes_written;
	uint64_t n_refused;
};

/* Zeroes: no limit.  expires_ns is of the reactor's clock. */
struct grant_limits {
	uint64_t expires_ns;
	uint64_t bytes_per_s;
	uint64_t ops_per_s;
};

struct grant {
	struct fabric_key key;
	struct grant_holder holder;
	struct grant_limits limits;
	struct grant_counters counters;
	unsigned rights;
	uint64_t length;           /* of all ranges */
	bool is_own;               /* its owner keeps it for itself */
	struct grant_owner *owner; /* NULL: dead */
	struct list owner_link;
	/* the table's own */
	enum grant_state state;
	unsigned n_users;
	struct grant *next;   /* in its chain */
	struct list age_link; /* living: by age; dead: by time of death */
	struct list lease_link;
	struct bucket bytes;
	struct bucket ops;
	unsigned n_ranges;
	struct grant_range range[]; /* n_ranges */
};

struct grant_table {
	struct reactor *reactor;
	/* A key has just died: for hardware that knows it. */
	void (*died)(void *ctx, struct grant *g);
	void *ctx;
	struct grant **chain;
	unsigned n_chains; /* a power of two */
	unsigned max;      /* living */
	unsigned n_living;
	unsigned n_dead;
	struct list living;
	struct list dead;
	struct list leases;
	struct timer lease_timer;
};

/* @return 0; -ENOMEM. */
int grant_table_init(struct grant_table *t, struct reactor *r, unsigned max);
/* All end; no operation may use one. */
void grant_table_fini(struct grant_table *t);

struct grant_spec {
	const struct grant_holder *holder;
	unsigned rights; /* not more than each region's */
	struct grant_limits limits;
	struct grant_owner *owner;
	unsigned n_ranges; /* 1..GRANT_RANGES */
	/* of whom region, offset and length count; within the region */
	const struct grant_range *range;
};

/* @return 0; -ENOSPC, -ENOMEM, or the errno of getrandom(). */
int grant_create(struct grant_table *t, const struct grant_spec *spec,
                 struct grant **out);

void grant_owner_init(struct grant_owner *o, const char *window, int pid);
/* All that it made end. */
void grant_end_owner(struct grant_table *t, struct grant_owner *o);

/* Another end for a lease that has one; at its time or after it, at once. */
void grant_set_end(struct grant_table *t, struct grant *g, uint64_t expires_ns);

/* GRANT_REVOKED or GRANT_EXPIRED; nothing to do for a dead one. */
void grant_end(struct grant_table *t, struct grant *g, enum grant_state how);
/* All over a region, whoever has them. */
void grant_end_region(struct grant_table *t, struct region *r);

void grant_get(struct grant *g);
void grant_put(struct grant *g);

/* Dead ones too.  NULL: nobody has it. */
struct grant *grant_find(struct grant_table *t, const struct fabric_key *key);

enum grant_state grant_state(const struct grant *g, uint64_t now_ns);

/* Whether this process of the holding node may use it. */
bool grant_is_for(const struct grant *g, const struct fabric_key *process);

/*
 * May a holder do this now?  length 0 asks about the key and the rights only.
 * FABRIC_REVOKED, _EXPIRED, _DENIED, _RANGE, _QUOTA, or _OK.
 */
enum fabric_status grant_check(struct grant *g, unsigned rights,
                               uint64_t offset, uint64_t length,
                               uint64_t now_ns);

/*
 * Where the range lies, after grant_check() said FABRIC_OK.  `n` is the room
 * on entry, the entries on return.  @return FABRIC_OK; FABRIC_RANGE: more
 * pieces than there is room for.
 */
enum fabric_status grant_resolve(const struct grant *g, uint64_t offset,
                                 uint64_t length, struct iovec *out,
                                 unsigned *n);

/*
 * The same place as part of what `g` covers, for a narrower key: appends to
 * `out`, which holds *n of GRANT_RANGES.
 * @return 0; -ERANGE: outside; -ENOSPC: too many pieces.
 */
int grant_narrow(const struct grant *g, uint64_t offset, uint64_t length,
                 struct grant_range *out, unsigned *n);

/* An operation ended: counters and quota. */
void grant_charge(struct grant *g, enum fabric_opcode opcode, uint64_t length,
                  enum fabric_status status);

#endif /* WINDOW_GRANT_H */
